# One case is one line, however long.
# fmt: off
# ruff: noqa: B008, E501
"""Recurrent cells, attention, transformers, whole networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..case import Case, case, listed, seeded
from ..points import away, integers, normal, positive, separated, uniform

CAUSAL = torch.ones(3, 3, dtype=torch.bool).tril()
ADDED = torch.linspace(-1, 1, 9).double().reshape(3, 3)


def attention(**options: object) -> object:
    """F.scaled_dot_product_attention with fixed options."""
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options)  # type: ignore[arg-type]


RECURRENT = [
    case("nn.RNNCell", seeded(nn.RNNCell, 2, 3), normal(2, 2), normal(2, 3)),
    case("nn.RNNCell relu", seeded(nn.RNNCell, 2, 3, nonlinearity="relu"), normal(2, 2), normal(2, 3)),
    case("nn.RNNCell without bias", seeded(nn.RNNCell, 2, 3, bias=False), normal(2, 2)),
    case("nn.LSTMCell", lambda x, h, c, cell=seeded(nn.LSTMCell, 2, 3): cell(x, (h, c)), normal(2, 2), normal(2, 3), normal(2, 3)),
    case("nn.LSTMCell from zero", seeded(nn.LSTMCell, 2, 3), normal(2, 2)),
    case("nn.LSTMCell without batch", seeded(nn.LSTMCell, 2, 3), normal(2)),
    case("nn.GRUCell", seeded(nn.GRUCell, 2, 3), normal(2, 2), normal(2, 3)),
    case("nn.GRUCell from zero", seeded(nn.GRUCell, 2, 3), normal(2, 2)),
    case("nn.RNN", seeded(nn.RNN, 2, 3), normal(4, 2, 2)),
    case("nn.RNN relu", seeded(nn.RNN, 2, 3, nonlinearity="relu"), normal(4, 2, 2)),
    case("nn.RNN two layers, both ways", seeded(nn.RNN, 2, 2, num_layers=2, bidirectional=True, batch_first=True), normal(2, 3, 2)),
    case("nn.LSTM", seeded(nn.LSTM, 2, 3), normal(4, 2, 2)),
    case("nn.LSTM state", lambda x, h, c, net=seeded(nn.LSTM, 2, 3): net(x, (h, c)), normal(3, 2, 2), normal(1, 2, 3), normal(1, 2, 3)),
    case("nn.LSTM two layers, both ways", seeded(nn.LSTM, 2, 2, num_layers=2, bidirectional=True, batch_first=True), normal(2, 3, 2)),
    case("nn.LSTM projection", seeded(nn.LSTM, 2, 3, proj_size=2), normal(3, 2, 2)),
    case("nn.LSTM without batch", seeded(nn.LSTM, 2, 3), normal(4, 2)),
    case("nn.GRU", seeded(nn.GRU, 2, 3), normal(4, 2, 2)),
    case("nn.GRU state", seeded(nn.GRU, 2, 3, batch_first=True), normal(2, 3, 2), normal(1, 2, 3)),
    case("nn.GRU two layers, both ways", seeded(nn.GRU, 2, 2, num_layers=2, bidirectional=True), normal(3, 2, 2)),
]

ATTENTION = [
    case("scaled_dot_product_attention", attention(), normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)),
    case("scaled_dot_product_attention heads", attention(), normal(1, 2, 3, 2), normal(1, 2, 4, 2), normal(1, 2, 4, 2)),
    case("scaled_dot_product_attention causal", attention(is_causal=True), normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)),
    case("scaled_dot_product_attention mask", attention(attn_mask=CAUSAL), normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)),
    case("scaled_dot_product_attention added mask", attention(attn_mask=ADDED), normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)),
    case("scaled_dot_product_attention scale", attention(scale=0.3), normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)),
    case("nn.MultiheadAttention", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, batch_first=True): net(x, x, x), normal(2, 3, 4)),
    case("nn.MultiheadAttention without weights", lambda x, net=seeded(nn.MultiheadAttention, 4, 2): net(x, x, x, need_weights=False)[0], normal(3, 2, 4)),
    case("nn.MultiheadAttention of three", seeded(nn.MultiheadAttention, 4, 2), normal(3, 1, 4), normal(2, 1, 4), normal(2, 1, 4)),
    case("nn.MultiheadAttention mask", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, batch_first=True): net(x, x, x, attn_mask=~CAUSAL, average_attn_weights=False), normal(2, 3, 4)),
    case("nn.MultiheadAttention padding", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, batch_first=True): net(x, x, x, key_padding_mask=torch.tensor([[False, False, True], [False, True, True]])), normal(2, 3, 4)),
    case("nn.MultiheadAttention own sizes", seeded(nn.MultiheadAttention, 4, 2, kdim=3, vdim=2, batch_first=True), normal(1, 3, 4), normal(1, 2, 3), normal(1, 2, 2)),
    case("nn.MultiheadAttention bias_kv, zero", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, add_bias_kv=True, add_zero_attn=True): net(x, x, x), normal(3, 1, 4)),
    case("nn.TransformerEncoderLayer", seeded(nn.TransformerEncoderLayer, 4, 2, 6, batch_first=True), normal(2, 3, 4)),
    case("nn.TransformerEncoderLayer gelu, norm first", seeded(nn.TransformerEncoderLayer, 4, 2, 6, activation="gelu", norm_first=True), normal(3, 2, 4)),
    case("nn.TransformerEncoderLayer mask", lambda x, net=seeded(nn.TransformerEncoderLayer, 4, 2, 6, activation="gelu", batch_first=True): net(x, nn.Transformer.generate_square_subsequent_mask(3).double()), uniform(-4, 4, 2, 3, 4)),
    case("nn.TransformerEncoder", seeded(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", batch_first=True), 2, enable_nested_tensor=False)), normal(2, 3, 4)),
    case("nn.TransformerDecoderLayer", seeded(nn.TransformerDecoderLayer, 4, 2, 6, activation=F.silu, batch_first=True), normal(2, 3, 4), normal(2, 2, 4)),
    case("nn.Transformer", seeded(nn.Transformer, 4, 2, 1, 1, 6, activation="gelu", batch_first=True), normal(1, 3, 4), normal(1, 2, 4)),
]


class Residual(nn.Module):
    """Two layers with layer norm and skip connections."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.tanh(self.first(self.norm(x)))
        return x + F.gelu(self.second(self.norm(x)))


class Fourier(nn.Module):
    """Random Fourier features and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, 4))
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        phase = 2 * torch.pi * x @ self.frequencies / 4
        return self.out(torch.cat([phase.sin(), phase.cos()], dim=-1))


class Convolutional(nn.Module):
    """Convolution, normalisation, pooling, flattening."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.SiLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def perceptron(activation: type[nn.Module]) -> nn.Module:
    """2 → 5 → 5 → 2."""
    return nn.Sequential(nn.Linear(2, 5), activation(), nn.Linear(5, 5), activation(), nn.Linear(5, 2))


class Sine(nn.Module):
    """The activation of SIREN."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(3 * x)


NETWORKS = [
    *(case(f"perceptron with {a.__name__}", seeded(perceptron, a), normal(3, 2)) for a in (nn.Tanh, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Mish, Sine)),
    case("residual network", seeded(Residual), normal(2, 3)),
    case("Fourier features", seeded(Fourier), normal(3, 2)),
    case("convolutional network", seeded(Convolutional), normal(1, 1, 4, 4)),
    case("functional_call", lambda x, w, net=seeded(nn.Linear, 3, 2): torch.func.functional_call(net, {"weight": w}, x), normal(2, 3), normal(2, 3)),
    case("nn.Embedding", lambda n, x, net=seeded(nn.Embedding, 5, 3): net(n) * x, integers(0, 5, 4), normal(4, 3)),
    case("nn.Embedding, then weight moving", lambda n, w: torch.func.functional_call(nn.Embedding(5, 3), {"weight": w}, n) ** 2, integers(0, 5, 4), normal(5, 3)),
    case("Euler steps", lambda x: (lambda y: [y := y + 0.1 * torch.sin(y) for _ in range(4)][-1])(x), normal(3)),
    case("fixed number of Newton steps", lambda a: (lambda y: [y := (y + a / y) / 2 for _ in range(5)][-1])(torch.ones(3).double()), lambda g: normal(3)(g) ** 2 + 1),
]


def drawn(function: Callable[..., object]) -> Callable[..., object]:
    """A random function, with the same draw at every call."""
    return lambda *x: (torch.manual_seed(3), function(*x))[1]


def moving(module: nn.Module, *names: str) -> Callable[..., object]:
    """A module as a function of its input and some of its parameters."""
    return lambda x, *weights: torch.func.functional_call(module, dict(zip(names, weights)), x)


LINES = torch.tensor([0, 1, 2, 4])
BAGS = torch.tensor([0, 0, 3])
ABOVE = torch.tensor([[False, True, True], [False, False, True], [False, False, False]])
BLIND = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
SHIFTED = torch.tensor([[False, False, True], [False, True, True]])
WIDE = uniform(-4, 4, 2, 3, 4)

MORE = [
    *(case(f"nn.{kind.__name__} without bias, both ways, batch first", seeded(kind, 2, 2, 2, bias=False, bidirectional=True, batch_first=True), normal(2, 3, 2)) for kind in (nn.RNN, nn.LSTM, nn.GRU)),
    *(case(f"nn.{kind.__name__} dropout", drawn(lambda x, net=seeded(kind, 2, 2, 3, dropout=0.5).train(): net(x)[0] ** 2), normal(3, 2, 2)) for kind in (nn.RNN, nn.LSTM, nn.GRU)),
    case("nn.LSTM projection without bias, both ways", seeded(nn.LSTM, 2, 3, 2, proj_size=2, bidirectional=True, bias=False), normal(3, 2, 2)),
    case("nn.LSTM state alone", lambda h, c, net=seeded(nn.LSTM, 2, 2): net(torch.ones(3, 2, 2).double(), (h, c)), normal(1, 2, 2), normal(1, 2, 2)),
    case("nn.GRU without batch", seeded(nn.GRU, 2, 2), normal(3, 2), normal(1, 2)),
    case("nn.GRU weights", moving(seeded(nn.GRU, 2, 2), "weight_hh_l0", "bias_ih_l0"), normal(3, 1, 2), normal(6, 2), normal(6)),
    case("nn.LSTM weights", moving(seeded(nn.LSTM, 2, 2), "weight_ih_l0"), normal(3, 1, 2), normal(8, 2)),
    case("nn.LSTMCell weights", moving(seeded(nn.LSTMCell, 2, 2), "weight_hh"), normal(3, 2), normal(8, 2)),
    case("nn.GRUCell without bias", seeded(nn.GRUCell, 2, 3, bias=False), normal(2, 2), normal(2, 3)),
    case("torch.lstm_cell", lambda x, h, c, w, u: torch.lstm_cell(x, [h, c], w, u), normal(2, 2), normal(2, 2), normal(2, 2), normal(8, 2), normal(8, 2)),
    case("dropout", drawn(lambda x: F.dropout(x * x, 0.4) ** 2), normal(3, 4)),
    case("dropout of everything", lambda x: F.dropout(x * x, 1.0) + x, normal(3, 4)),
    case("nn.Dropout in place", drawn(lambda x: nn.Dropout(0.4, inplace=True)(x * x) ** 2), normal(3, 4)),
    case("nn.Dropout1d", drawn(lambda x: nn.Dropout1d()(x * x) ** 2), normal(3, 4, 2)),
    case("nn.Dropout2d", drawn(lambda x: nn.Dropout2d()(x * x) ** 2), normal(3, 4, 2, 2)),
    case("nn.AlphaDropout", drawn(lambda x: nn.AlphaDropout(0.3)(x * x) ** 2), normal(3, 4)),
    case("nn.AlphaDropout of everything", drawn(lambda x: nn.AlphaDropout(1.0)(x * x) + x), normal(3, 4)),
    case("nn.FeatureAlphaDropout", drawn(lambda x: nn.FeatureAlphaDropout(0.3)(x * x) ** 2), normal(3, 4, 2, 2)),
    case("rrelu in training", drawn(lambda x: F.rrelu(x, 0.1, 0.5, training=True) ** 3), away(3, 4)),
    case("rrelu in evaluation", lambda x: F.rrelu(x) ** 3, away(3, 4)),
    case("gumbel_softmax", drawn(lambda x: F.gumbel_softmax(x * x, tau=0.7, dim=0)), normal(3, 4)),
    case("torch.normal", drawn(lambda m, s: torch.normal(m * m, s)), normal(3, 4), positive(4)),
    case("torch.normal, one a number", drawn(lambda x: (torch.normal(2.0, x * x), torch.normal(x * x, 0.5), torch.normal(x * x))), positive(3)),
    case("random numbers", drawn(lambda x: torch.empty_like(x).normal_() * x**2 + torch.rand_like(x) * x + (x * x).uniform_() * x), normal(3)),
    case("glu", lambda x: F.glu(x, 1), normal(2, 4, 3)),
    case("prelu weight alone", lambda w: F.prelu(torch.linspace(-1, 1, 6).double().reshape(1, 2, 3), w) ** 2, normal(2)),
    case("embedding_bag weighted", lambda w, s: F.embedding_bag(LINES, w, BAGS, mode="sum", per_sample_weights=s), normal(5, 3), normal(4)),
    case("embedding_bag offsets to the end", lambda w: F.embedding_bag(LINES, w, torch.tensor([0, 1, 1, 4]), mode="mean", include_last_offset=True) ** 2, normal(5, 3)),
    case("embedding_bag padding", lambda w: F.embedding_bag(LINES, w, BAGS, mode="mean", padding_idx=-1) ** 2, normal(5, 3)),
    case("embedding_bag max", lambda w: F.embedding_bag(LINES, w, BAGS, mode="max", padding_idx=2) ** 2, separated(5, 3)),
    case("scaled_dot_product_attention groups", attention(enable_gqa=True, is_causal=True), normal(1, 4, 3, 2), normal(1, 2, 3, 2), normal(1, 2, 3, 2)),
    case("scaled_dot_product_attention blind", attention(attn_mask=BLIND), normal(2, 3, 2), normal(2, 3, 2), normal(2, 3, 2)),
    case("scaled_dot_product_attention moving mask", lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m), normal(2, 3, 2), normal(3, 3)),
    case("scaled_dot_product_attention dropout", drawn(attention(dropout_p=0.5)), normal(2, 3, 2), normal(2, 3, 2), normal(2, 3, 2)),
    case("nn.MultiheadAttention padding and mask", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, batch_first=True): net(x, x, x, attn_mask=ABOVE, key_padding_mask=SHIFTED, need_weights=False)[0], normal(2, 3, 4)),
    case("nn.MultiheadAttention without batch", lambda x, net=seeded(nn.MultiheadAttention, 4, 2, bias=False): net(x, x, x), normal(3, 4)),
    case("nn.MultiheadAttention weights", lambda x, w, o, net=seeded(nn.MultiheadAttention, 4, 2): torch.func.functional_call(net, {"in_proj_weight": w, "out_proj.weight": o}, (x, x, x)), normal(3, 1, 4), normal(12, 4), normal(4, 4)),
    case("nn.TransformerEncoderLayer in training", lambda x, net=seeded(nn.TransformerEncoderLayer, 4, 2, 6, dropout=0.0, activation="gelu", batch_first=True).train(): net(x), WIDE),
    case("nn.TransformerEncoderLayer dropout", drawn(lambda x, net=seeded(nn.TransformerEncoderLayer, 4, 2, 6, dropout=0.3, activation="gelu", batch_first=True).train(): net(x)), WIDE),
    case("nn.TransformerEncoder padding", lambda x, net=seeded(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", batch_first=True), 1, enable_nested_tensor=False)): net(x, src_key_padding_mask=SHIFTED), WIDE),
    case("nn.TransformerDecoderLayer masks", lambda x, m, net=seeded(nn.TransformerDecoderLayer, 4, 2, 6, activation="gelu", batch_first=True): net(x, m, tgt_mask=ABOVE, memory_key_padding_mask=SHIFTED[:, 1:] & False), WIDE, normal(2, 2, 4)),
]

CASES: tuple[Case, ...] = listed(RECURRENT + ATTENTION + NETWORKS + MORE)
