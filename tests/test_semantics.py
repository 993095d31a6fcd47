"""What users of PyTorch rely on inside of a function: memory, random numbers, complex numbers, subclasses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ApolarError, DetachedError, UnsupportedOperator
from apolar.evaluation.seeds import lift
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import Function
from tests.rules.agreement import agree, derivatives_agree
from tests.rules.case import case
from tests.rules.points import away, normal, positive

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.7, 1.2], [1.4, 0.65], [0.9, 1.1]])

# ------------------------------------------------------------------------------------------------------- shapes and memory


def no_axes(x: Tensor) -> Tensor:
    total = x.sum()
    total += x.prod()
    total.mul_(2).squeeze_()
    return total**2 * x[0, 0].exp()


def no_entries(x: Tensor) -> Tensor:
    nothing = x[:, :0]
    nothing += 1
    return torch.cat(
        [x[:0].sum().reshape(1), nothing.sum(1), nothing.prod(1), (nothing @ nothing.T).flatten(), x.flatten()]
    )


def strided(x: Tensor) -> Tensor:
    return x.T[::2].reshape(-1) * x.mT.contiguous()[::2].flatten() + x[:, 1::2].T.flatten().cumsum(0)


def expanded(x: Tensor) -> Tensor:
    row = x[:1].expand(3, 4)
    copy = row.clone()
    copy += x
    return row * copy * x[..., None].expand(3, 4, 2).sum(-1)


def columns(x: Tensor) -> Tensor:
    y = x * x
    y[..., 0] += x[..., 1]
    y[:, 1:3] *= y[:, :1].clone()
    return y * x


def slices(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:3].copy_(x[:, :2] ** 2)
    y[0].copy_(torch.ones(4))
    y[1] = x[0, 0]
    return y * x


def augmented_views(x: Tensor) -> Tensor:
    y = x * x
    below = y[1:]
    below += x[:2] ** 3
    below *= 2
    below -= y[:2].clone()
    return y


def views_of_views(x: Tensor) -> Tensor:
    y = x * x
    y.view(2, 6)[1].reshape(3, 2)[1:].T[0].mul_(3)
    y.view(-1)[2:9].add_(1)
    y.T[0].unsqueeze(0)[:, 1:] += x[0].sum()
    return y


def both_directions(x: Tensor) -> Tensor:
    """A view made before and one made after, both written to."""
    y = x**2
    before = y.view(-1)
    y.mul_(x)
    after = y.T
    after[0] += before[-1].clone()
    before[2:9].sin_()
    return before * y.flatten() + after.reshape(-1)


def shapes_in_place(x: Tensor) -> Tensor:
    y = (x * x).unsqueeze(1)
    flat = y.view(-1)
    y.squeeze_(1).unsqueeze_(-1).transpose_(0, 1).squeeze_()
    flat.mul_(2)
    y.t_()
    y[0] += 1
    return y * x + flat.reshape(3, 4)


def transposed_in_place(x: Tensor) -> Tensor:
    y = x**2
    flat = y.view(-1)
    y.t_()
    flat.mul_(2)
    y.swapaxes_(0, 1)[1:].exp_()
    return y


def pieces(x: Tensor) -> Tensor:
    y = x**2
    for k, column in enumerate(y.unbind(1)):
        column.mul_(k + 1)
    y.narrow(1, 1, 2).exp_()
    y.diagonal().mul_(x.diagonal())
    y.movedim(0, 1)[0].mul_(3)
    y.unfold(1, 2, 2)[..., 0].add_(1)
    return y


def masks(x: Tensor) -> Tensor:
    y = x**2
    y[x > 0] *= 2
    y[:, [0, 2]] = y[:, [2, 0]]
    y[torch.tensor([True, False, True])] += x[:2]
    y.masked_fill_(x < -1, 0.0).index_fill_(1, torch.tensor([3]), 2.0)
    return y.scatter_(1, torch.zeros(3, 1, dtype=torch.long), x[:, :1] ** 3)


def after_an_activation(x: Tensor) -> Tensor:
    """torch keeps the argument of sin and exp's result: written to is what it does not need."""
    y = torch.sin(x)
    y += x
    z = torch.cos(y * 2)
    z[0].mul_(y[1])
    return z.clamp_(min=-2).tanh()


def parts_of_complex_numbers(x: Tensor) -> Tensor:
    z = torch.complex(x, x**2)
    z.real.mul_(2)
    z.imag.add_(x)
    torch.view_as_real(z)[..., 0] += 1
    z.real = z.real.clone() * x
    return torch.view_as_real(z * z)


def under_the_same_name(x: Tensor) -> Tensor:
    """What a result is made of is gone where the result takes its name."""
    h = torch.linalg.solve(x @ x.mT + 3 * torch.eye(3), x)
    h = h.reshape(-1)
    h += 1
    h = h.reshape(2, 6).mT.contiguous()
    h[1:] *= h[:1].clone()
    h = h.flatten()
    h[2:9].exp_()
    for _ in range(2):
        h = h.reshape(4, 3).mT.ravel()
        h.mul_(0.5)
    return h


def after_temporaries(x: Tensor) -> Tensor:
    """A reshaped tensor that is gone when another is written to."""
    y = torch.sin(x.mT)
    size = y.flatten().sum() + y.ravel()[1] + y.contiguous()[0, 0]
    copy = y.reshape(-1).clone()
    y[0] += size
    y.diagonal().mul_(2)
    y.view_as(y).mul_(copy[0].clone())
    flat = y.flatten()
    last = flat[-1] * 2
    del flat
    y *= last
    copy.mul_(3)
    return torch.cat([y.flatten(), copy])


def powers_of_a_matrix(x: Tensor) -> Tensor:
    y = x[:, :3] * 2
    torch.linalg.matrix_power(y, 1).mul_(2)
    return y


def axes_split(x: Tensor) -> Tensor:
    """Views in every layout, all of them in use."""
    y = torch.linalg.solve(x @ x.mT + 3 * torch.eye(3), x)
    halves = y.reshape(3, 1, 2, 2)
    row = y[:, 1].reshape(1, 3, 1)
    same = y.flatten(1).reshape(3, 4)
    halves[..., 1].mul_(2)
    row += 1
    same *= x
    y.unflatten(1, (2, 2))[:, 0].exp_()
    return torch.cat([halves.flatten(), row.flatten(), same.flatten(), y.flatten()])


def through_layers(x: Tensor) -> Tensor:
    layers = (nn.Unflatten(1, (2, 2)), nn.ReLU(), nn.Flatten(), nn.ReLU(inplace=True), nn.Dropout(0.0, inplace=True))
    return nn.Sequential(*layers)(x * x) * x


MEMORY = [
    no_axes, no_entries, strided, expanded, columns, slices, augmented_views, views_of_views, both_directions, shapes_in_place,
    transposed_in_place, pieces, masks, after_an_activation, parts_of_complex_numbers, under_the_same_name, after_temporaries,
    axes_split, powers_of_a_matrix, through_layers,
]  # fmt: skip


@pytest.mark.parametrize("f", MEMORY, ids=lambda f: f.__name__)
def test_views_and_changes_in_place(f: Function) -> None:
    agree(f, case(f"memory: {f.__name__}", f, away(3, 4)))


# Of these torch makes a view or a copy, by the layout of its argument in memory.
RESHAPED: dict[str, Function] = {
    "reshape": lambda y: y.reshape(-1),
    "torch.reshape": lambda y: torch.reshape(y, (3, 3)),
    "reshape to rows": lambda y: y.reshape(1, -1),
    "reshape_as": lambda y: y.reshape_as(torch.zeros(9)),
    "flatten": lambda y: y.flatten(),
    "torch.flatten": lambda y: torch.flatten(y[None], 1),
    "ravel": lambda y: y.ravel(),
    "ravel of a column": lambda y: y[:, 0].ravel(),
    "contiguous": lambda y: y.contiguous(),
    "contiguous of a column": lambda y: y[:, 0].contiguous(),
    "to": lambda y: y[None, None].to(memory_format=torch.channels_last),
    "view": lambda y: y.view(-1),
    "view of columns": lambda y: y.mT.view(-1),
    "reshape of columns": lambda y: y.mT.reshape(-1),
    "contiguous columns": lambda y: y.mT.contiguous(),
    "twice": lambda y: y.reshape(-1).reshape(3, 3).flatten(),
    "a view of it": lambda y: y.reshape(-1)[1:],
    "in vmap": lambda y: torch.func.vmap(lambda row: row.reshape(-1))(y[None]),
}
LAID_OUT: dict[str, Function] = {
    "a product": lambda x: x * x,
    "inv": torch.linalg.inv,
    "solve": lambda x: torch.linalg.solve(x, x.mT),
    "cholesky": lambda x: torch.linalg.cholesky(x @ x.mT),
    "qr": lambda x: torch.linalg.qr(x)[0],
    "svd": lambda x: torch.linalg.svd(x)[1].diag_embed() @ torch.linalg.inv(x),
    "lstsq": lambda x: torch.linalg.lstsq(x, x.mT).solution,
    "transposed": lambda x: (x * 2).mT,
    "sin of columns": lambda x: torch.sin(x.mT),
    "columns sorted": lambda x: torch.sort(x.mT).values,
    "where": lambda x: torch.where(x.mT > 0, x.mT, 0.1 * x.mT),
    "maximum": lambda x: torch.maximum(x.mT, 0.1 * x.mT),
    "times constant columns": lambda x: torch.arange(9.0).double().reshape(3, 3).mT * x,
    "clone": lambda x: x.mT.clone(),
    "the input": lambda x: x,
}
WRITES: dict[str, Callable[[Tensor, Tensor], object]] = {
    "into the result": lambda y, z: z.mul_(2),
    "into a part of the result": lambda y, z: z[..., :1].mul_(2),
    "an item of the result": lambda y, z: z.__setitem__(0, 3.0),
    "into the argument": lambda y, z: y.mul_(2),
    "into a view of the argument": lambda y, z: y.mT[0].add_(1),
    "an item of the argument": lambda y, z: y.__setitem__(0, 3.0),
}


@pytest.mark.parametrize("reshaped", RESHAPED)
@pytest.mark.parametrize("made", LAID_OUT)
def test_views_by_the_layout_in_memory(made: str, reshaped: str) -> None:
    """Each write is right, or refused: what else changes is another matter in torch than for a jet."""
    point = torch.tensor([[2.6, 0.5, 1.0], [-0.5, 2.0, 1.5], [0.9, -1.1, 3.1]]).double()
    for name, write in WRITES.items():

        def f(x: Tensor, write: Callable[[Tensor, Tensor], object] = write) -> Tensor:
            y = LAID_OUT[made](x)
            z = RESHAPED[reshaped](y)
            write(y, z)
            return torch.cat([y.reshape(-1), z.reshape(-1)])

        expected = value_or_error(lambda: f(point.clone()))
        found = value_or_error(lambda: jet_derivatives(f, [point], [point], [None], [(0, 0)])[0, 0])
        if isinstance(expected, RuntimeError) or "reshape, flatten, ravel and contiguous" in str(found):
            continue
        assert torch.allclose(found, expected)
        plain = partial(lambda x, f: f(x.clone()), f=f)
        derivatives_agree(f, case(f"{made}, {reshaped}, {name}", plain, lambda _: point), ((1, 0),))


def value_or_error(f: Callable[[], Any]) -> Any:
    try:
        return f()
    except (RuntimeError, UnsupportedOperator) as error:
        return error


def changed(x: Tensor) -> Tensor:
    y = torch.linalg.inv(x)
    y.reshape(-1).mul_(2)
    return y


REFUSED: dict[str, Function] = {
    "reshape": changed,
    "an evaluation inside of another": lambda x: ap.derivative(lambda s: changed(x + s))(torch.zeros(())),
    "in vmap": lambda x: torch.func.vmap(changed)(x[None]),
    "in TorchScript": lambda x: torch.jit.script(changed)(x),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_the_error_says_what_may_share_memory(name: str) -> None:
    with pytest.raises(UnsupportedOperator, match=r"mul_ at order 1.*reshape, flatten, ravel and contiguous"):
        ap.derivative(lambda s: REFUSED[name](s + torch.eye(3)))(torch.ones(()))


# Views in every layout.
VIEWS: dict[str, Function] = {
    "item": lambda y: y[0],
    "slice": lambda y: y[1:, ::2],
    "axis": lambda y: y[None, ..., 0],
    "item at a tensor": lambda y: y[torch.tensor(1)],
    "item at a NumPy number": lambda y: y[:, np.int64(1)],
    "iteration": lambda y: next(iter(y)),
    "T": lambda y: y.T,
    "mT": lambda y: y.mT,
    "H": lambda y: y.H,
    "mH": lambda y: y.mH,
    "t": lambda y: y.t(),
    "adjoint": lambda y: y.adjoint(),
    "transpose": lambda y: y.transpose(0, 1),
    "swapaxes": lambda y: y.swapaxes(0, 1),
    "permute": lambda y: y.permute(1, 0),
    "movedim": lambda y: y.movedim(0, 1),
    "expand": lambda y: y.expand(3, 3),
    "expand_as": lambda y: y.expand_as(y),
    "broadcast_to": lambda y: torch.broadcast_to(y, (3, 3)),
    "broadcast_tensors": lambda y: torch.broadcast_tensors(y, y)[0],
    "squeeze": lambda y: y.squeeze(),
    "unsqueeze": lambda y: y.unsqueeze(1),
    "unflatten": lambda y: y.unflatten(1, (3, 1)),
    "reshape that splits an axis": lambda y: y.reshape(3, 1, 3),
    "flatten of one axis": lambda y: y.flatten(1),
    "view_as": lambda y: y.view_as(y),
    "narrow": lambda y: y.narrow(0, 1, 2),
    "select": lambda y: y.select(0, 1),
    "split": lambda y: y.split(2)[0],
    "split_with_sizes": lambda y: y.split([1, 2], 1)[0],
    "chunk": lambda y: y.chunk(2)[0],
    "tensor_split": lambda y: y.tensor_split(2)[0],
    "hsplit": lambda y: y.hsplit(3)[0],
    "vsplit": lambda y: y.vsplit(3)[0],
    "unbind": lambda y: y.unbind()[0],
    "diagonal": lambda y: y.diagonal(),
    "linalg.diagonal": lambda y: torch.linalg.diagonal(y),
    "unfold": lambda y: y.unfold(0, 2, 1),
    "atleast_3d": lambda y: torch.atleast_3d(y),
    "real": lambda y: torch.real(y),
    "conj": lambda y: y.conj(),
    "resolve_conj": lambda y: y.resolve_conj(),
    "conj_physical": lambda y: y.conj_physical(),
    "positive": lambda y: +y,
    "to": lambda y: y.to(y.dtype),
    "dropout": lambda y: F.dropout(y, training=False),
    "alias": torch.ops.aten.alias,
    "a view of a view": lambda y: y.mT[1:].unsqueeze(0),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_belong_to_what_they_are_views_of(name: str) -> None:
    """They may be written to as long as nothing else may share their memory, and not while something may."""
    plain = torch.arange(9.0).reshape(3, 3)
    y = lift(ap.algebra(dx), plain, [torch.ones(3, 3), None]) * 1
    view = VIEWS[name](y)
    y.flatten().sum()
    view[..., 0] = 7.0
    VIEWS[name](plain)[..., 0] = 7.0
    assert torch.equal(y.value, plain)
    flat = y.flatten()
    with pytest.raises(UnsupportedOperator, match="reshape, flatten, ravel and contiguous"):
        view[..., 0] = 7.0
    del flat
    view[..., 0] = 7.0
    flat = view.mT.ravel() if view.ndim > 1 else view.ravel()
    for x in (y, view, flat, flat[1:]):
        with pytest.raises(UnsupportedOperator, match="reshape, flatten, ravel and contiguous"):
            x[..., 0] = 7.0


OVERLAPPING: dict[str, Callable[[Tensor], Any]] = {
    "unfold": lambda h: h.unfold(0, 2, 1).add_(1.0),
    "rows of unfold": lambda h: h.unfold(0, 2, 1)[0:2].mul_(3.0),
    "an item of unfold": lambda h: h.unfold(0, 3, 2).__setitem__(slice(0, 2), 1.0),
    "expand": lambda h: h[:1].expand(3).mul_(2.0),
}


@pytest.mark.parametrize("name", OVERLAPPING)
def test_entries_that_share_a_place_are_not_written_to(name: str) -> None:
    with pytest.raises(UnsupportedOperator, match="share one place in memory"):
        ap.jacobian(lambda x: (h := x * 1, OVERLAPPING[name](h))[0])(torch.arange(6.0, dtype=torch.float64))


def test_entries_of_unfold_that_lie_apart_are_written_to() -> None:
    def f(x: Tensor) -> Tensor:
        h = x * x
        h.unfold(0, 2, 2)[1].mul_(3.0)
        h.unfold(0, 3, 1)[0].add_(x[:3])
        return h

    x = torch.arange(6.0, dtype=torch.float64)
    assert torch.allclose(ap.jacobian(f)(x), torch.autograd.functional.jacobian(f, x))


@pytest.mark.parametrize(
    "same",
    [lambda h: h.real, torch.real, torch.conj, Tensor.resolve_conj],
    ids=["attribute", "real", "conj", "resolve_conj"],
)
def test_what_is_the_argument_itself_changes_with_it(same: Callable[[Tensor], Tensor]) -> None:
    def f(x: Tensor) -> Tensor:
        h = (x * x).view(2, 3)
        r = same(h)
        h.t_()
        return r

    x = torch.arange(6.0, dtype=torch.float64)
    assert f(x).shape == (3, 2)
    assert torch.allclose(ap.jacobian(f)(x), torch.autograd.functional.jacobian(lambda x: (x * x).view(2, 3).T, x))


CONSTANT = torch.zeros(3, 2, dtype=torch.float64)
NOT_IN_PLACE: dict[str, tuple[Callable[[Tensor], Any], type[ApolarError], str]] = {
    "out": (lambda p: torch.exp(p, out=torch.empty_like(p)), UnsupportedOperator, r"exp at order 1.*argument `out`"),
    "out of several": (lambda p: torch.sort(p, out=(p, p)), UnsupportedOperator, r"sort at order 1.*argument `out`"),
    "another shape": (lambda p: p[0].__iadd__(p), UnsupportedOperator, r"change the shape \(2,\) in place"),
    "another size": (lambda p: p.resize_(2, 3), UnsupportedOperator, "resize_"),
    "other data": (lambda p: setattr(p, "data", X), UnsupportedOperator, "data"),
    "other memory": (lambda p: p.set_(X), UnsupportedOperator, "set_"),
    "the bits": (lambda p: p.view(torch.int32), UnsupportedOperator, "reinterprets memory"),
    "into a constant": (lambda p: CONSTANT.add_(p), UnsupportedOperator, r"made outside.*torch\.stack, torch\.cat or"),
    "into an item of a constant": (lambda p: CONSTANT.__setitem__(0, p[0]), UnsupportedOperator, "new_zeros"),
    "into integers": (lambda p: torch.zeros(3, 2, dtype=torch.long).add_(p), UnsupportedOperator, "whole numbers"),
    "at an index that moves": (lambda p: X[p], UnsupportedOperator, "cannot be an index"),
    "without gradients": (lambda p: p.detach() * p, DetachedError, "detach takes a value"),
}


@pytest.mark.parametrize("name", NOT_IN_PLACE)
def test_memory_that_a_jet_does_not_have(name: str) -> None:
    f, error, message = NOT_IN_PLACE[name]
    with pytest.raises(error, match=message):
        ap.evaluate(f, X, dx)


# ----------------------------------------------------------------------------------------------------------- random numbers

NETWORKS = {
    "lstm": nn.LSTM(4, 3, 2, dropout=0.5),
    "attention": nn.MultiheadAttention(4, 2, dropout=0.5),
    "transformer": nn.TransformerEncoderLayer(4, 2, 6, dropout=0.3, activation="gelu"),
}
for network in NETWORKS.values():
    network.double().requires_grad_(False)


def features(x: Tensor) -> Tensor:
    return x.reshape(2, 2, 2, 3)


DRAWN: dict[str, Function] = {
    "F.dropout": lambda x: F.dropout(x, 0.4),
    "F.dropout in place": lambda x: F.dropout(x * 1, 0.4, inplace=True),
    "F.dropout in evaluation": lambda x: F.dropout(x, 0.4, training=False),
    "nn.Dropout": nn.Dropout(0.3),
    "nn.Dropout in evaluation": nn.Dropout(0.3).eval(),
    "native_dropout": lambda x: torch.native_dropout(x, 0.3, True)[0],
    "dropout1d": lambda x: F.dropout1d(x.reshape(2, 3, 4), 0.4),
    "dropout2d": lambda x: F.dropout2d(features(x), 0.4),
    "dropout3d": lambda x: F.dropout3d(features(x).unsqueeze(-1), 0.4),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.4, True),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(features(x), 0.4, True),
    "bernoulli of a number": lambda x: x.bernoulli(0.3) * x**2,
    "bernoulli_": lambda x: (x * 1).bernoulli_(0.3) + x**2,
    "rand_like": lambda x: torch.rand_like(x) * x**2,
    "rand_like, float32": lambda x: torch.rand_like(x, dtype=torch.float32) * x**2,
    "randn_like": lambda x: torch.randn_like(x) * x**2,
    "randint_like": lambda x: torch.randint_like(x, 0, 5) * x**2,
    "rand": lambda x: torch.rand(x.shape).double() * x**2,
    "randperm": lambda x: x[torch.randperm(len(x))] * x,
    "normal_": lambda x: torch.empty_like(x).normal_() * x**2,
    "uniform_": lambda x: x.new_empty(x.shape).uniform_() * x**2,
    "exponential_": lambda x: torch.empty_like(x).exponential_() * x**2,
    "random_": lambda x: torch.empty_like(x).random_(0, 5) * x**2,
    "a generator": lambda x: torch.rand(x.shape, generator=torch.Generator().manual_seed(3)) * x**2,
    "multinomial": lambda x: torch.multinomial(torch.softmax(torch.arange(6.0), 0), 3) + x.sum().reshape(1) ** 2,
    "normal of a mean": lambda x: torch.normal(x**2, 0.1),
    "normal of both": lambda x: torch.normal(x**2, x.exp()),
    "rrelu": lambda x: F.rrelu(x, training=True) ** 2,
    "rrelu in place": lambda x: F.rrelu(x * 1, training=True, inplace=True) ** 2,
    "nn.RReLU in evaluation": nn.RReLU().eval(),
    "gumbel_softmax": lambda x: F.gumbel_softmax(x, tau=0.7),
    "stochastic depth": lambda x: x * (torch.rand(len(x), 1) > 0.5) + x**2,
    "a normal distribution": lambda x: torch.distributions.Normal(x, x.exp(), validate_args=False).rsample(),
    "a Laplace distribution": lambda x: torch.distributions.Laplace(x, 1.0, validate_args=False).rsample(),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=0.5),
    "fractional_max_pool2d": lambda x: F.fractional_max_pool2d(x.reshape(1, 1, 4, 6), 2, 2) ** 2,
    "nn.LSTM": lambda x: NETWORKS["lstm"](x.reshape(3, 2, 4))[0],
    "nn.MultiheadAttention": lambda x: NETWORKS["attention"](*[x.reshape(3, 2, 4)] * 3)[0],
    "nn.TransformerEncoderLayer": lambda x: NETWORKS["transformer"](x.reshape(3, 2, 4)),
}


def seeded(f: Function) -> Function:
    """The same draw at every call."""
    return lambda *x: (torch.manual_seed(11), f(*x))[1]


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_random_is_drawn_once_and_as_by_torch(name: str) -> None:
    """The value is that of plain torch at the same seed, and so is what is drawn next; all components share one draw."""
    f = seeded(DRAWN[name])
    meaning = case(f"random: {name}", f, away(4, 6))
    (x,) = meaning.point()
    expected, after = f(x), torch.get_rng_state()
    found = jet_derivatives(f, [x], [x], [None], [(0, 0)])[0, 0]
    assert torch.allclose(found, expected.double().flatten())
    assert torch.equal(torch.get_rng_state(), after)
    agree(f, meaning)


def test_random_signs_of_a_probability_that_moves_are_constants() -> None:
    for sample in (torch.bernoulli, lambda p: torch.multinomial(p, 2).double()):
        f = seeded(lambda x, sample=sample: sample(torch.sigmoid(x)))
        x = torch.linspace(-1, 1, 12).double().reshape(3, 4)
        assert torch.equal(f(lift(ap.algebra(dx), x, [x, None])), f(x))


NOT_DRAWN: dict[str, tuple[Function, type[ApolarError], str]] = {
    "a straight-through sample": (lambda x: F.gumbel_softmax(x, hard=True), DetachedError, "detach"),
    "a gamma distribution": (lambda x: torch.distributions.Gamma(x.exp(), 1.0).rsample(), UnsupportedOperator, "_gamma"),
    "a Dirichlet distribution": (lambda x: torch._sample_dirichlet(x.exp()), UnsupportedOperator, "_dirichlet"),
    "a Poisson number": (lambda x: torch.poisson(x.exp()), UnsupportedOperator, "poisson"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_DRAWN)
def test_samples_without_derivatives_are_refused(name: str) -> None:
    f, error, message = NOT_DRAWN[name]
    with pytest.raises(error, match=message):
        ap.evaluate(f, X, dx)


# --------------------------------------------------------------------------------------------------------- other tensors


class Plain(Tensor):
    """A subclass that says nothing."""


class Asking(Tensor):
    """One that looks at every call and passes it on."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_function__(func, types, args, kwargs or {})


class Greedy(Tensor):
    """One that runs every call itself."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


class Silent(Tensor):
    """One without overrides."""

    __torch_function__ = torch._C._disabled_torch_function_impl


class Wrapper(Tensor):
    """One that holds another tensor."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> Wrapper:
        wrapper = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype)
        wrapper.held = held
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def opened(x: Any) -> Any:
            return x.held if isinstance(x, Wrapper) else x

        return func(*torch.utils._pytree.tree_map(opened, args), **torch.utils._pytree.tree_map(opened, kwargs or {}))


W = torch.tensor([[0.4, -1.1, 0.3], [0.8, 0.2, -0.5]]).double()
MAKERS: dict[str, Callable[[Tensor], Any]] = {
    "a subclass": lambda w: w.as_subclass(Plain),
    "one that asks": lambda w: w.as_subclass(Asking),
    "one that runs the call": lambda w: w.as_subclass(Greedy),
    "one without overrides": lambda w: w.as_subclass(Silent),
    "one that holds a tensor": Wrapper,
    "a parameter": lambda w: nn.Parameter(w, requires_grad=False),
    "a buffer": lambda w: nn.Buffer(w),
}
USES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "x @ w": lambda x, w: torch.sin(x @ w),
    "w on the left": lambda x, w: torch.sin(torch.matmul(w.mT, x.mT)),
    "w * x": lambda x, w: torch.exp(w[:, 0] * x) - w[:, 1],
    "w + x": lambda x, w: (w[:, 0] + x) ** 2 / w[:, 2],
    "F.linear": lambda x, w: F.linear(torch.tanh(x), w.mT),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", MAKERS)
def test_constants_of_other_classes(kind: str, use: str) -> None:
    f = USES[use]
    agree(lambda x: f(x, MAKERS[kind](W)), case(f"constant: {use}", lambda x: f(x, W), normal(3, 2)))


class Quantity:
    """Not a tensor, but something that torch functions take."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*(a.tensor if isinstance(a, Quantity) else a for a in args), **(kwargs or {}))


def test_other_classes_with_overrides() -> None:
    q = Quantity(W[:, 0])
    agree(
        lambda x: torch.mul(x, q) * torch.exp(torch.add(q, x)),
        case("a quantity", lambda x: x * W[:, 0] * torch.exp(W[:, 0] + x), normal(3, 2)),
    )


# ------------------------------------------------------------------------------------------------------------ complex parts


def spectral(x: Tensor) -> Tensor:
    """A layer in Fourier space: rfft, a complex weight for each frequency, irfft."""
    weight = torch.linspace(-1, 1, 9).double().reshape(3, 3) + 0.5j
    return torch.tanh(torch.fft.irfft(torch.fft.rfft(x) @ weight, 4))


def short_time(x: Tensor) -> Tensor:
    window = torch.hann_window(4, dtype=torch.float64)
    spectrum = torch.stft(x.flatten(), 4, 2, window=window, return_complex=True)
    return torch.istft(spectrum * torch.exp(1j * spectrum.abs()), 4, 2, window=window, length=12)


def polar(x: Tensor) -> Tensor:
    z = torch.polar(x.abs(), x**2)
    return torch.cat([(z * z.conj()).real, torch.angle(z * (2 + 1j)), (z.sqrt() / (1 + z.abs())).imag, z.log().real])


def analytic(x: Tensor) -> Tensor:
    z = torch.complex(x, 1 + x**2)
    return torch.view_as_real(torch.exp(1j * z) * torch.tanh(z) / (z + 2)).flatten() + z.T.H.real.sum()


def adjoint(x: Tensor) -> Tensor:
    a = torch.view_as_complex(torch.stack([x, x.flip(0) ** 2], -1))
    return torch.view_as_real(torch.linalg.solve(a @ a.mH + torch.eye(3), a)).flatten(1)


COMPLEX = [spectral, short_time, polar, analytic, adjoint]


@pytest.mark.parametrize("f", COMPLEX, ids=lambda f: f.__name__)
def test_complex_numbers_between_real_ones(f: Function) -> None:
    agree(f, case(f"complex: {f.__name__}", f, positive(3, 4)))
