"""Layers of networks, said in matrix products and activations: recurrence, attention, embedding, dropout.

What is random is drawn once, by torch itself and for the value; every component sees the same draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.jet import Jet, belongs, plain, unsupported, value
from apolar.engine.torch_private import native, variables
from apolar.rules.components import apply_bilinear
from apolar.rules.inplace import overwrite
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, constant, rule

# ---------------------------------------------------------------------------------------------------------- activations


@composite("glu")
def glu(x: Any, dim: int = -1) -> Any:
    """a σ(b) for the two halves of x."""
    a, b = x.chunk(2, dim)
    return a * torch.sigmoid(b)


@composite("prelu")
def prelu(x: Any, weight: Any) -> Any:
    """x where x > 0, w x elsewhere; the weights belong to axis 1."""
    slope = weight.reshape(()) if weight.numel() == 1 else weight.reshape(-1, *[1] * (x.ndim - 2))
    return torch.where(x > 0, x, slope * x)


@composite(torch.rrelu)
def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None) -> Any:
    return native.rrelu_with_noise(x, torch.empty_like(plain(x)), lower, upper, training, generator)


@rule(native.rrelu_with_noise, kind=Kind.ELEMENTWISE, entries=Entries.APART)
def rrelu_with_noise(
    jet: Jet, func: Any, x: Jet, noise: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    generator: Any = None,
) -> Any:  # fmt: skip
    """x where x > 0, r x elsewhere, with r drawn from [lower, upper] or, in evaluation, in their middle."""
    if not training:
        return F.leaky_relu(x, (lower + upper) / 2)
    func(plain(x), plain(noise), lower, upper, training, generator)
    return x * plain(noise)


# ----------------------------------------------------------------------------------------------------------- randomness


@rule(torch.dropout, torch.feature_dropout, kind=Kind.LINEAR, entries=Entries.APART)
def dropout(jet: Jet, func: Any, x: Jet, p: float, train: bool) -> Jet:
    """x · mask/(1 − p)."""
    return x * func(torch.ones_like(plain(x)), p, train) if train and p else x


@rule(torch.native_dropout, kind=Kind.LINEAR, entries=Entries.APART)
def native_dropout(jet: Jet, func: Any, x: Jet, p: float, train: bool | None) -> Any:
    """The same, and the mask."""
    scale, mask = func(torch.ones_like(plain(x)), p, train)
    return x * scale, mask


@rule(torch.alpha_dropout, torch.feature_alpha_dropout, kind=Kind.LINEAR, entries=Entries.APART)
def alpha_dropout(jet: Jet, func: Any, x: Jet, p: float, train: bool) -> Jet:
    """a (x · mask + α′ (1 − mask)) + b, which keeps mean and variance: b is positive where x is kept."""
    if not train or not p:
        return x
    shift = func(torch.zeros_like(plain(x)), p, train)
    if p == 1:
        return x * shift
    alpha = 1.7580993408473766
    return x * ((shift > 0).to(shift.dtype) / math.sqrt((alpha**2 * p + 1) * (1 - p))) + shift


@rule(
    "normal_", "uniform_", "exponential_", "bernoulli_", "cauchy_", "geometric_", "log_normal_", "random_", kind=Kind.CONSTANT
)  # fmt: skip
def drawn(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Random numbers, written into a jet or a plain tensor, are constants."""
    numbers = func(torch.empty_like(x.value) if belongs(x, jet) else x, *(value(a, jet) for a in args), **kwargs)
    return overwrite(jet, func, x, numbers) if belongs(x, jet) else numbers


@rule(torch.normal, kind=Kind.LINEAR, linear_in=(0, 1, "mean", "std"), entries=Entries.APART)
def normal(jet: Jet, func: Any, mean: Any, std: Any = 1.0, *, generator: Any = None) -> Any:
    """mean + std · ε with a standard normal ε."""
    shape = torch.broadcast_shapes(*(a.shape for a in (mean, std) if isinstance(a, Tensor)))
    ones = torch.ones(shape, dtype=jet.dtype, device=jet.device)
    return mean + std * func(torch.zeros_like(ones), ones, generator=generator)


# ------------------------------------------------------------------------------------------------------------ embedding


FREQUENCY = "With scale_grad_by_freq its gradients are not derivatives."


@rule(torch.embedding, kind=Kind.LINEAR, entries=Entries.MOVED)
def embedding(
    jet: Jet, func: Any, weight: Jet, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Jet:  # fmt: skip
    """Rows of the weight; the row of the padding is fixed, as in torch's reverse mode."""
    if scale_grad_by_freq:
        raise unsupported(func, jet, FREQUENCY)
    rows = weight.components[:, indices[None]].squeeze(1)  # a single index would share memory
    if padding_idx < 0:
        return jet.like(rows)
    moves = (indices != padding_idx).unsqueeze(-1)
    return jet.like(torch.cat([rows[:1], rows[1:] * moves]))


@rule(torch.embedding_bag)
def embedding_bag(
    jet: Jet, func: Any, weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False, padding_idx: Any = -1,
) -> Any:  # fmt: skip
    """Σ or mean of the rows of each bag, Σ with a weight for each row, or the largest entries by the value."""
    if scale_grad_by_freq:
        raise unsupported(func, jet, FREQUENCY)

    def bag(w: Any, s: Any) -> Any:
        return func(w, indices, offsets, False, mode, sparse, s, include_last_offset, padding_idx)

    at = bag(plain(weight), plain(per_sample_weights))
    if mode == 2:
        rows = torch.take_along_dim(weight.components, at[3].unsqueeze(0), 1)
        return jet.like(rows * (at[2] > 0).unsqueeze(-1)), *at[1:]
    return apply_bilinear(jet, lambda w, s: bag(w, s)[0], weight, per_sample_weights), *at[1:]


# ------------------------------------------------------------------------------------------------------------ attention


constant("_nested_tensor_from_mask_left_aligned")  # a question of nn.TransformerEncoder


@composite("scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """softmax(q kᵀ · scale + mask) v; a query that may look at nothing gives 0."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.mT
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is None:
        weights = torch.softmax(scores, -1)
    else:
        masked = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        blind = torch.isneginf(masked).all(-1, keepdim=True)
        weights = torch.where(blind, 0.0, torch.softmax(torch.where(blind, 0.0, masked), -1))
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


# ----------------------------------------------------------------------------------------------------------- recurrence

State = tuple[Any, ...]
"""(h,), or (h, c) for the LSTM."""

Step = Callable[..., State]
"""(what the input gives, state, hidden weight, hidden bias) ↦ the next state."""


def _simple(activation: Callable[[Any], Any]) -> Step:
    """h ← φ(i + U h + b)."""

    def step(i: Any, state: State, weight: Any, bias: Any) -> State:
        return (activation(i + F.linear(state[0], weight, bias)),)

    return step


def _lstm(i: Any, state: State, weight: Any, bias: Any, projection: Any = None) -> State:
    """c ← σ(f) c + σ(i) tanh(g), h ← P σ(o) tanh(c) with the gates i, f, g, o linear in input and h."""
    h, c = state
    enter, keep, new, out = (i + F.linear(h, weight, bias)).chunk(4, -1)
    c = torch.sigmoid(keep) * c + torch.sigmoid(enter) * torch.tanh(new)
    h = torch.sigmoid(out) * torch.tanh(c)
    return (h if projection is None else F.linear(h, projection)), c


def _gru(i: Any, state: State, weight: Any, bias: Any) -> State:
    """h ← n + σ(z)(h − n), n = tanh(iₙ + σ(r) hₙ) with r, z linear in input and h."""
    (h,) = state
    r, z, n = zip(i.chunk(3, -1), F.linear(h, weight, bias).chunk(3, -1), strict=True)
    new = torch.tanh(n[0] + torch.sigmoid(r[0] + r[1]) * n[1])
    return (new + torch.sigmoid(z[0] + z[1]) * (h - new),)


def recurrent(name: str, step: Step) -> None:
    """The cell and the whole network of a kind of recurrence."""

    @composite(getattr(variables, name + "_cell"))
    def cell(x: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
        state = step(F.linear(x, w_ih, b_ih), tuple(hx) if isinstance(hx, (tuple, list)) else (hx,), w_hh, b_hh)
        return state if len(state) > 1 else state[0]

    @rule(getattr(variables, name), kind=Kind.COMPOSITE)
    def network(
        jet: Jet, func: Any, x: Any, hx: Any, weights: Any, has_biases: Any, num_layers: int, dropout: float,
        train: bool, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        if not isinstance(has_biases, bool):
            raise unsupported(func, jet, "Packed sequences have no rule: use padded ones.")
        hx = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        y, *state = _layers(
            step, x.transpose(0, 1) if batch_first else x, hx, weights, has_biases, num_layers,
            dropout if train else 0.0, bidirectional,
        )  # fmt: skip
        return (y.transpose(0, 1) if batch_first else y), *state


def _layers(
    step: Step, x: Any, hx: State, weights: Sequence[Any], bias: bool, layers: int, dropout: float, bidirectional: bool
) -> tuple[Any, ...]:
    """Each layer runs over the outputs of the one before, forwards and, if wanted, backwards; time is axis 0."""
    directions = 1 + bidirectional
    each = len(weights) // (layers * directions)
    last: list[State] = []
    for layer in range(layers):
        if layer and dropout:
            x = F.dropout(x, dropout)
        outputs = []
        for backwards in range(directions):
            k = layer * directions + backwards
            w_ih, w_hh, *rest = weights[k * each : (k + 1) * each]
            b_ih, b_hh, *projection = rest if bias else (None, None, *rest)
            inputs = F.linear(x, w_ih, b_ih).unbind(0)
            state = tuple(h[k] for h in hx)
            seen = []
            for i in reversed(inputs) if backwards else inputs:
                state = step(i, state, w_hh, b_hh, *projection)
                seen.append(state[0])
            outputs.append(torch.stack(seen[::-1] if backwards else seen))
            last.append(state)
        x = torch.cat(outputs, -1)
    return x, *(torch.stack(states) for states in zip(*last, strict=True))


recurrent("rnn_tanh", _simple(torch.tanh))
recurrent("rnn_relu", _simple(torch.relu))
recurrent("lstm", _lstm)
recurrent("gru", _gru)
