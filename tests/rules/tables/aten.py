# One line is one operator, however long.
# fmt: off
# ruff: noqa: E501
"""ATen operators by name: what they mean in torch's own functions, backward passes, and what composites of C++ consist of."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.oracles.lines import Function

from ..points import Maker, away, definite, normal, positive, regular, separated, values

aten: Any = torch.ops.aten

Line = tuple[Function, Function, tuple[Maker, ...]]
"""A call of the operator; what it means, on plain tensors; where."""

# ------------------------------------------------------------------------------------------------------- by another name

E = torch.eye(3).double()
ROWS = torch.tensor([[2, 0, 1, 1]])
MASK = torch.tensor([[True, False, True, False]])

SAME: dict[str, Line] = {
    "alias": (lambda x: aten.alias(x).exp(), torch.exp, (normal(3, 4),)),
    "lift_fresh": (lambda x: aten.lift_fresh(x) ** 3, lambda x: x**3, (normal(3),)),
    "view": (lambda x: aten.view(x**2, [2, 6]), lambda x: (x**2).reshape(2, 6), (normal(3, 4),)),
    "_unsafe_view": (lambda x: aten._unsafe_view(x**2, [-1]), lambda x: (x**2).flatten(), (normal(3, 4),)),
    "_reshape_alias": (lambda x: aten._reshape_alias(x**2, [4, 3], [3, 1]), lambda x: (x**2).reshape(4, 3), (normal(3, 4),)),
    "_reshape_copy": (lambda x: aten._reshape_copy(x**2, [4, 3]), lambda x: (x**2).reshape(4, 3), (normal(3, 4),)),
    "expand": (lambda x: aten.expand(x**2, [2, 3, 4]), lambda x: (x**2).expand(2, 3, 4), (normal(3, 1),)),
    "expand, implicit": (lambda x: aten.expand(x**2, [2, -1], implicit=True), lambda x: (x**2).expand(2, -1), (normal(3),)),
    "slice": (lambda x: aten.slice(x**2, 1, 0, 3, 2), lambda x: (x**2)[:, :3:2], (normal(3, 4),)),
    "slice, from the end": (lambda x: aten.slice(x**2, -1, -3), lambda x: (x**2)[:, -3:], (normal(3, 4),)),
    "slice, beyond the end": (lambda x: aten.slice(x**2, 0, 1, 9223372036854775807), lambda x: (x**2)[1:], (normal(3, 4),)),
    "select": (lambda x: aten.select(x**2, -1, -1), lambda x: (x**2)[:, -1], (normal(3, 4),)),
    "unbind": (lambda x: aten.unbind(x**2, 1), lambda x: (x**2).unbind(1), (normal(3, 4),)),
    "split": (lambda x: aten.split(x**2, 2, 1), lambda x: (x**2).split(2, 1), (normal(3, 4),)),
    "split_with_sizes": (lambda x: aten.split_with_sizes(x**2, [1, 3], 1), lambda x: (x**2).split([1, 3], 1), (normal(3, 4),)),
    "squeeze of some": (lambda x: aten.squeeze(x**2, [0, 1]), lambda x: (x**2)[0], (normal(1, 3),)),
    "index": (lambda x: aten.index(x**2, [None, ROWS[0]]), lambda x: (x**2)[:, ROWS[0]], (normal(3, 4),)),
    "_unsafe_index": (lambda x: aten._unsafe_index(x**2, [ROWS[0]]), lambda x: (x**2)[ROWS[0]], (normal(3, 4),)),
    "index_put": (lambda x, y: aten.index_put(x**2, [ROWS[0]], y**3, True), lambda x, y: (x**2).index_put((ROWS[0],), y**3, True), (normal(3, 4), normal(4, 4))),
    "copy": (lambda x, y: aten.copy(x, y**2), lambda x, y: (y**2).expand(3, 4), (normal(3, 4), normal(4))),
    "_to_copy": (lambda x: aten._to_copy(x**2, dtype=torch.complex128) * (1 + 2j), lambda x: (1 + 2j) * x**2, (normal(3),)),
    "clone": (lambda x: aten.clone(x**2, memory_format=torch.contiguous_format), lambda x: x**2, (normal(3, 4),)),
    "cat": (lambda x, y: aten.cat([x**2, y], 1), lambda x, y: torch.cat([x**2, y], 1), (normal(3, 4), normal(3, 1))),
    "_stack": (lambda x, y: aten._stack([x**2, y], -1), lambda x, y: torch.stack([x**2, y], -1), (normal(3), normal(3))),
    "block_diag": (lambda x, y: aten.block_diag([x**2, y]), lambda x, y: torch.block_diag(x**2, y), (normal(2, 2), normal(3))),
    "_conj": (lambda x: aten._conj(torch.exp(x * (1 + 2j))).imag, lambda x: -torch.exp(x * (1 + 2j)).imag, (normal(3),)),
    "_conj_physical": (lambda x: aten._conj_physical(torch.exp(x * 2j)), lambda x: torch.exp(x * -2j), (normal(3),)),
    "_neg_view": (lambda x: aten._neg_view(torch.exp(x)), lambda x: -torch.exp(x), (normal(3),)),
    "add.Scalar": (lambda x: aten.add.Scalar(x**2, 3, 2), lambda x: x**2 + 6, (normal(3),)),
    "rsub.Scalar": (lambda x: aten.rsub.Scalar(x**2, 3, 2), lambda x: 3 - 2 * x**2, (normal(3),)),
    "sub.Tensor": (lambda x, y: aten.sub(x, y**2, alpha=0.5), lambda x, y: x - y**2 / 2, (normal(3), normal(3))),
    "mul.Scalar": (lambda x: aten.mul(x**2, 1.5), lambda x: 1.5 * x**2, (normal(3),)),
    "div, rounded": (lambda x: x * aten.div(x.exp(), 100.0, rounding_mode="floor"), lambda x: 0 * x, (normal(3),)),
    "pow.Scalar": (lambda x: aten.pow(1.7, x), lambda x: 1.7**x, (normal(3),)),
    "pow.Tensor_Tensor": (lambda x, y: aten.pow(x, y), lambda x, y: x**y, (positive(3), normal(3))),
    "where.ScalarOther": (lambda x: aten.where(x > 0, x**3, 0.5), lambda x: torch.where(x > 0, x**3, 0.5), (away(6),)),
    "masked_fill.Scalar": (lambda x: aten.masked_fill(x**2, MASK, 3.0), lambda x: (x**2).masked_fill(MASK, 3.0), (normal(3, 4),)),
    "mean.dim": (lambda x: aten.mean(x**3, [1], True), lambda x: (x**3).mean(1, True), (normal(3, 4),)),
    "var.correction": (lambda x: aten.var(x, [1], correction=0, keepdim=True), lambda x: ((x - x.mean(1, True)) ** 2).mean(1, True), (normal(3, 4),)),
    "max.dim": (lambda x: aten.max(x**2, 1)[0], lambda x: (x**2).amax(1), (separated(3, 4),)),
    "sort": (lambda x: aten.sort(x**3, 1, True)[0], lambda x: (x**3).sort(1, True).values, (separated(3, 4),)),
    "gather": (lambda x: aten.gather(x**2, 0, ROWS), lambda x: (x**2).gather(0, ROWS), (normal(3, 4),)),
    "scatter.src": (lambda x, y: aten.scatter(x, 0, ROWS, y**2), lambda x, y: x.scatter(0, ROWS, y**2), (normal(3, 4), normal(1, 4))),
    "t": (lambda x: aten.t(x**2), lambda x: (x**2).T, (normal(3, 4),)),
    "transpose.int": (lambda x: aten.transpose(x**2, 0, -1), lambda x: (x**2).mT, (normal(3, 4),)),
    "constant_pad_nd": (lambda x: aten.constant_pad_nd(x**2, [1, -1], 0.5), lambda x: F.pad(x**2, (1, -1), value=0.5), (normal(3, 4),)),
    "_softmax": (lambda x: aten._softmax(x, -1, False), lambda x: x.exp() / x.exp().sum(-1, True), (normal(3, 4),)),
    "_log_softmax": (lambda x: aten._log_softmax(x, 0, False), lambda x: x - x.exp().sum(0).log(), (normal(3, 4),)),
    "_logcumsumexp": (lambda x: aten._logcumsumexp(x, 0), lambda x: x.exp().cumsum(0).log(), (normal(3, 4),)),
    "_cdist_forward": (lambda x, y: aten._cdist_forward(x, y, 2.0, None), lambda x, y: (x[:, None] - y).square().sum(-1).sqrt(), (normal(3, 2), normal(4, 2))),
    "_euclidean_dist": (lambda x, y: aten._euclidean_dist(x, y), lambda x, y: (x[:, None] - y).square().sum(-1).sqrt(), (normal(3, 2), normal(4, 2))),
    "_pdist_forward": (lambda x: aten._pdist_forward(x, 3.0), lambda x: torch.stack([(x[i] - x[j]).abs().pow(3).sum() ** (1 / 3) for i in range(3) for j in range(i)]), (separated(3, 2),)),
    "_trilinear": (lambda x, y, z: aten._trilinear(x, y, z, [1, 3], [0], [1, 2], [2, 3]), lambda x, y, z: torch.einsum("bi,kij,bj->bk", x, y, z), (normal(2, 3), normal(4, 3, 2), normal(2, 2))),
    "addmm": (lambda x, y: aten.addmm(x[0], x, y, beta=2, alpha=3), lambda x, y: 2 * x[0] + 3 * x @ y, (normal(3, 3), normal(3, 3))),
    "linear": (lambda x, w: aten.linear(x, w, w[:, 0]), lambda x, w: x @ w.T + w[:, 0], (normal(2, 3), normal(4, 3))),
    "native_layer_norm": (lambda x, w: aten.native_layer_norm(x, [4], w, None, 1e-5)[0], lambda x, w: w * (x - x.mean(-1, True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt(), (normal(3, 4), normal(4))),
    "native_group_norm": (lambda x: aten.native_group_norm(x, None, None, 2, 4, 3, 2, 1e-5)[0], lambda x: F.layer_norm(x.reshape(2, 2, 6), (6,)).reshape(2, 4, 3), (normal(2, 4, 3),)),
    "native_batch_norm": (lambda x: aten.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0], lambda x: (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt(), (normal(5, 2),)),
    "convolution": (lambda x, w: aten.convolution(x, w, w[:, 0, 0], [2], [1], [1], False, [0], 1), lambda x, w: F.conv1d(x, w, w[:, 0, 0], 2, 1), (normal(1, 2, 6), normal(3, 2, 3))),
    "convolution, transposed": (lambda x, w: aten.convolution(x, w, None, [2], [0], [1], True, [1], 1), lambda x, w: F.conv_transpose1d(x, w, None, 2, output_padding=1), (normal(1, 2, 4), normal(2, 3, 3))),
    "max_pool2d_with_indices": (lambda x: aten.max_pool2d_with_indices(x**3, [2, 2])[0], lambda x: F.max_pool2d(x**3, 2), (separated(1, 1, 4, 4),)),
    "adaptive_max_pool2d": (lambda x: aten.adaptive_max_pool2d(x**3, [2, 1])[0], lambda x: F.adaptive_max_pool2d(x**3, (2, 1)), (separated(1, 3, 4),)),
    "_adaptive_avg_pool2d": (lambda x: aten._adaptive_avg_pool2d(x**3, [2, 3]), lambda x: F.adaptive_avg_pool2d(x**3, (2, 3)), (normal(1, 4, 5),)),
    "upsample_bilinear2d": (lambda x: aten.upsample_bilinear2d(x**3, [4, 6], False), lambda x: F.interpolate(x**3, (4, 6), mode="bilinear"), (normal(1, 1, 2, 3),)),
    "im2col": (lambda x: aten.im2col(x**2, [2, 2], [1, 1], [0, 0], [1, 1]), lambda x: F.unfold(x**2, 2), (normal(1, 1, 3, 3),)),
    "embedding": (lambda w: aten.embedding(w**2, ROWS), lambda w: (w**2)[ROWS], (normal(3, 2),)),
    "_fft_r2c": (lambda x: aten._fft_r2c(x**2, [1], 0, True), lambda x: torch.fft.rfft(x**2), (normal(3, 4),)),
    "_fft_c2c": (lambda x: aten._fft_c2c(torch.exp(x * 1j), [0, 1], 0, False), lambda x: torch.fft.ifftn(torch.exp(x * 1j), norm="forward"), (normal(3, 4),)),
    "_fft_c2r": (lambda x: aten._fft_c2r(torch.exp(x * 1j), [1], 2, 5), lambda x: torch.fft.irfft(torch.exp(x * 1j), 5), (normal(2, 3),)),
    "_linalg_det": (lambda a: aten._linalg_det(a)[0], lambda a: torch.linalg.det(a), (regular(3, 3),)),
    "_linalg_slogdet": (lambda a: aten._linalg_slogdet(a)[1], lambda a: torch.linalg.det(a).abs().log(), (regular(3, 3),)),
    "_linalg_solve_ex": (lambda a, b: aten._linalg_solve_ex(a, b)[0], lambda a, b: torch.linalg.inv(a) @ b, (regular(3, 3), normal(3, 2))),
    "linalg_inv_ex": (lambda a: aten.linalg_inv_ex(a)[0], lambda a: torch.linalg.solve(a, E), (regular(3, 3),)),
    "linalg_cholesky_ex": (lambda a: aten.linalg_cholesky_ex((a + a.mT) / 2)[0], lambda a: torch.linalg.cholesky((a + a.mT) / 2), (definite(3, 3),)),
    "_linalg_eigh": (lambda a: aten._linalg_eigh((a + a.mT) / 2, compute_v=False)[0], lambda a: torch.linalg.eigvalsh((a + a.mT) / 2), (definite(3, 3),)),
    "_linalg_eigh, vectors": (lambda a: (lambda w, v: v * w**2 @ v.mT)(*aten._linalg_eigh((a + a.mT) / 2)), lambda a: (a + a.mT) / 2 @ (a + a.mT) / 2, (definite(3, 3),)),
    "_linalg_eigvals": (lambda a: aten._linalg_eigvals(a).sum().real, torch.trace, (definite(3, 3),)),
    "_linalg_svd": (lambda a: aten._linalg_svd(a, compute_uv=False)[1], torch.linalg.svdvals, (regular(3, 2),)),
    "_linalg_svd, vectors": (lambda a: (lambda u, s, v: u * s @ v)(*aten._linalg_svd(a)), lambda a: 1 * a, (regular(3, 3),)),
    "special_entr": (lambda x: aten.special_entr(x), lambda x: -x * torch.log(x), (positive(3),)),
    "silu": (lambda x: aten.silu(x), lambda x: x / (1 + torch.exp(-x)), (normal(3),)),
    "rrelu_with_noise": (lambda x: aten.rrelu_with_noise(x, torch.empty_like(x), 0.25, 0.25, True) ** 2, lambda x: torch.where(x > 0, x, x / 4) ** 2, (away(6),)),
}

# -------------------------------------------------------------------------------------------------------- backward passes


def back(function: Function, which: int = 0, **options: Any) -> Function:
    """The backward pass of a function: of the gradient that comes in and the inputs, from PyTorch's own engine."""

    def pulled(gradient: Tensor, *inputs: Tensor) -> Tensor:
        moving = [x.detach().requires_grad_(k == which) for k, x in enumerate(inputs)]
        with torch.enable_grad():
            return torch.autograd.grad(function(*moving, **options), moving[which], gradient)[0]

    return pulled


SIZE = torch.zeros(1, 1, 4, 5).double()
POOLED = separated(1, 1, 4, 4)


def upsampled(name: str, mode: str, size: tuple[int, ...], output: tuple[int, ...], *options: Any, **named: Any) -> Line:
    """Linear: the sizes are all that it takes of the forward pass."""
    zeros = torch.zeros(1, 1, *size).double()
    return (
        lambda g: getattr(aten, name)(g**2, list(output), [1, 1, *size], *options),
        lambda g: back(lambda x: F.interpolate(x, output, mode=mode, **named))(g**2, zeros),
        (normal(1, 1, *output),),
    )


def pooled(name: str, function: Function, gradient: tuple[int, ...], *options: Any, indices: Function | None = None) -> Line:
    """Of the gradient and the input; where an entry of each window was chosen, of its indices as well."""
    more = (lambda x: [indices(x)]) if indices is not None else (lambda x: [])
    return (
        lambda g, x: getattr(aten, name)(g**2, x, *options, *more(x)),
        lambda g, x: back(function)(g**2, x),
        (normal(*gradient), POOLED),
    )


def activation(name: str, function: Function, *options: Any) -> Line:
    return (
        lambda g, x: getattr(aten, name)(g, x, *options),
        lambda g, x: back(function)(g, x),
        (normal(6), values(-2.2, -1.3, -0.3, 0.2, 0.8, 2.4)),
    )


def smooth(name: str, function: Function, slope: Function, *options: Any, of_output: bool = False) -> Line:
    """The derivative of an activation times the gradient, in closed form; some take the output instead of the input."""
    return (
        lambda g, x: getattr(aten, name)(g, function(x) if of_output else x, *options),
        lambda g, x: g * slope(x),
        (normal(6), normal(6)),
    )


def padded(name: str, mode: str, *pad: int) -> Line:
    shape = (1, 2, *[4] * (len(pad) // 2))
    padding = F.pad(torch.zeros(shape), pad, mode=mode).shape
    return (
        lambda g, x: getattr(aten, name)(g**2, x, list(pad)),
        lambda g, x: back(lambda x: F.pad(x, pad, mode=mode))(g**2, x),
        (normal(*padding), normal(*shape)),
    )


def convolved(which: int, stride: int = 1, transposed: bool = False) -> Line:
    """One of the three results of convolution_backward."""
    weight = (2, 3, 3) if transposed else (3, 2, 3)

    def forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return (F.conv_transpose1d if transposed else F.conv1d)(x, w, b, stride, 1)

    def reference(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return back(forward, which)(g, x, w, torch.zeros(3).double())

    def operator(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
        mask = [k == which for k in range(3)]
        return aten.convolution_backward(g, x, w, [3], [stride], [1], [1], transposed, [0], 1, mask)[which]

    output = forward(torch.zeros(1, 2, 7), torch.zeros(weight), torch.zeros(3)).shape
    return operator, reference, (normal(*output), normal(1, 2, 7), normal(*weight))


BACKWARD: dict[str, Line] = {
    "upsample_nearest1d": upsampled("upsample_nearest1d_backward", "nearest", (3,), (7,)),
    "upsample_nearest2d": upsampled("upsample_nearest2d_backward", "nearest", (3, 2), (4, 4)),
    "upsample_nearest3d": upsampled("upsample_nearest3d_backward", "nearest", (2, 2, 2), (3, 2, 4)),
    "_upsample_nearest_exact1d": upsampled("_upsample_nearest_exact1d_backward", "nearest-exact", (3,), (7,)),
    "_upsample_nearest_exact2d": upsampled("_upsample_nearest_exact2d_backward", "nearest-exact", (3, 2), (4, 4)),
    "_upsample_nearest_exact3d": upsampled("_upsample_nearest_exact3d_backward", "nearest-exact", (2, 2, 2), (3, 2, 4)),
    "upsample_linear1d": upsampled("upsample_linear1d_backward", "linear", (3,), (5,), True, align_corners=True),
    "upsample_bilinear2d": upsampled("upsample_bilinear2d_backward", "bilinear", (3, 2), (4, 4), False),
    "upsample_trilinear3d": upsampled("upsample_trilinear3d_backward", "trilinear", (2, 2, 2), (3, 2, 4), False),
    "upsample_bicubic2d": upsampled("upsample_bicubic2d_backward", "bicubic", (3, 2), (4, 4), False),
    "_upsample_bilinear2d_aa": upsampled("_upsample_bilinear2d_aa_backward", "bilinear", (4, 4), (3, 2), False, antialias=True),
    "_upsample_bicubic2d_aa": upsampled("_upsample_bicubic2d_aa_backward", "bicubic", (4, 4), (3, 2), False, antialias=True),
    "embedding_dense": (lambda g: aten.embedding_dense_backward(g**2, ROWS, 3, -1, False), lambda g: back(lambda w: w[ROWS])(g**2, E[:, :2]), (normal(1, 4, 2),)),
    "unfold": (lambda g: aten.unfold_backward(g**2, [5], 0, 3, 1), lambda g: back(lambda x: x.unfold(0, 3, 1))(g**2, SIZE[0, 0, 0]), (normal(3, 3),)),
    "select": (lambda g: aten.select_backward(g**2, [3, 4], 1, 2), lambda g: back(lambda x: x[:, 2])(g**2, SIZE[0, 0, :3, :4]), (normal(3),)),
    "slice": (lambda g: aten.slice_backward(g**2, [3, 4], 1, 0, 4, 2), lambda g: back(lambda x: x[:, ::2])(g**2, SIZE[0, 0, :3, :4]), (normal(3, 2),)),
    "diagonal": (lambda g: aten.diagonal_backward(g**2, [3, 4], 1, 0, 1), lambda g: back(lambda x: x.diagonal(1))(g**2, SIZE[0, 0, :3, :4]), (normal(3),)),
    "masked_scatter": (lambda g: aten.masked_scatter_backward(g**2, MASK, [2]), lambda g: (g**2)[MASK], (normal(1, 4),)),
    "avg_pool2d": pooled("avg_pool2d_backward", lambda x: F.avg_pool2d(x, 2, 1), (1, 1, 3, 3), [2, 2], [1, 1], [0, 0], False, True, None),
    "_adaptive_avg_pool2d": pooled("_adaptive_avg_pool2d_backward", lambda x: F.adaptive_avg_pool2d(x, 3), (1, 1, 3, 3)),
    "max_pool2d": pooled("max_pool2d_with_indices_backward", lambda x: F.max_pool2d(x, 2), (1, 1, 2, 2), [2, 2], [2, 2], [0, 0], [1, 1], False, indices=lambda x: F.max_pool2d(x, 2, return_indices=True)[1]),
    "adaptive_max_pool2d": pooled("adaptive_max_pool2d_backward", lambda x: F.adaptive_max_pool2d(x, 2), (1, 1, 2, 2), indices=lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[1]),
    "replication_pad1d": padded("replication_pad1d_backward", "replicate", 1, 2),
    "replication_pad2d": padded("replication_pad2d_backward", "replicate", 1, 2, 0, 1),
    "replication_pad3d": padded("replication_pad3d_backward", "replicate", 1, 2, 0, 1, 1, 0),
    "reflection_pad1d": padded("reflection_pad1d_backward", "reflect", 1, 2),
    "reflection_pad2d": padded("reflection_pad2d_backward", "reflect", 1, 2, 0, 1),
    "reflection_pad3d": padded("reflection_pad3d_backward", "reflect", 1, 2, 0, 1, 1, 0),
    "hardshrink": activation("hardshrink_backward", F.hardshrink, 0.5),
    "softshrink": activation("softshrink_backward", F.softshrink, 0.5),
    "threshold": activation("threshold_backward", F.relu, 0),
    "hardtanh": activation("hardtanh_backward", F.hardtanh, -1, 1),
    "hardsigmoid": activation("hardsigmoid_backward", F.hardsigmoid),
    "leaky_relu": activation("leaky_relu_backward", lambda x: F.leaky_relu(x, 0.1), 0.1, False),
    "tanh": smooth("tanh_backward", torch.tanh, lambda x: torch.cosh(x) ** -2, of_output=True),
    "sigmoid": smooth("sigmoid_backward", torch.sigmoid, lambda x: torch.exp(-x) / (1 + torch.exp(-x)) ** 2, of_output=True),
    "gelu": smooth("gelu_backward", F.gelu, lambda x: (1 + torch.erf(x / 2**0.5)) / 2 + x * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5),
    "silu": smooth("silu_backward", F.silu, lambda x: (1 + torch.exp(-x) + x * torch.exp(-x)) / (1 + torch.exp(-x)) ** 2),
    "softplus": smooth("softplus_backward", F.softplus, lambda x: 1 / (1 + torch.exp(-2 * x)), 2.0, 20.0),
    "mish": smooth("mish_backward", F.mish, lambda x: torch.tanh(F.softplus(x)) + x / (torch.cosh(F.softplus(x)) ** 2 * (1 + torch.exp(-x)))),
    "_softmax": (lambda g, x: aten._softmax_backward_data(g, torch.softmax(x, -1), -1, torch.float64), lambda g, x: torch.softmax(x, -1) * (g - (g * torch.softmax(x, -1)).sum(-1, True)), (normal(2, 3), normal(2, 3))),
    "_log_softmax": (lambda g, x: aten._log_softmax_backward_data(g, torch.log_softmax(x, -1), -1, torch.float64), lambda g, x: g - torch.softmax(x, -1) * g.sum(-1, True), (normal(2, 3), normal(2, 3))),
    "native_layer_norm": (lambda g, x: aten.native_layer_norm_backward(g, x, [3], *aten.native_layer_norm(x, [3], None, None, 1e-5)[1:], None, None, [True, False, False])[0], lambda g, x: back(lambda x: (x - x.mean(-1, True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt())(g, x), (normal(2, 3), normal(2, 3))),
    "convolution, the input": convolved(0),
    "convolution, the weight": convolved(1, stride=2),
    "convolution, the bias": convolved(2),
    "convolution with a stride, the input": convolved(0, stride=2),
    "convolution transposed, the input": convolved(0, stride=2, transposed=True),
    "convolution transposed, the weight": convolved(1, transposed=True),
}

# ------------------------------------------------------------------------------------------------------- composites of C++

Composite = tuple[Function, tuple[Maker, ...]]
T = torch.tensor([0.0, 0.4, 1.1, 1.9]).double()
LABELS = torch.tensor([1, 0, 2])
GRID = torch.linspace(-0.9, 0.8, 12).double().reshape(1, 3, 2, 2)
TARGET = torch.linspace(0.1, 0.9, 12).double().reshape(3, 4)

COMPOSITES: dict[str, Composite] = {
    "trapezoid": (torch.trapezoid, (normal(3, 4),)),
    "trapezoid dx": (lambda x: torch.trapezoid(x**2, dx=0.3, dim=0), (normal(3, 4),)),
    "trapezoid x": (lambda x: torch.trapezoid(x**2, T), (normal(3, 4),)),
    "trapezoid at moving points": (lambda y, x: torch.trapezoid(y, x), (normal(3, 4), normal(3, 4))),
    "cumulative_trapezoid": (lambda x: torch.cumulative_trapezoid(x**2, T), (normal(3, 4),)),
    "cov": (torch.cov, (normal(3, 4),)),
    "cov weighted": (lambda x: torch.cov(x, correction=0, fweights=torch.tensor([1, 2, 1, 3]), aweights=T + 1), (normal(3, 4),)),
    "corrcoef": (lambda x: torch.corrcoef(x).triu(1), (normal(3, 4),)),
    "chain_matmul": (lambda x, y, z: torch.linalg.multi_dot([x, y, z]), (normal(2, 3), normal(3, 4), normal(4, 2))),
    "combinations": (lambda x: torch.combinations(x**2, 2), (normal(4),)),
    "cartesian_prod": (lambda x, y: torch.cartesian_prod(x**2, y), (normal(2), normal(3))),
    "vander increasing": (lambda x: torch.linalg.vander(x, N=4), (normal(3),)),
    "block_diag": (lambda x, y: torch.block_diag(x**2, y), (normal(2, 2), normal(3))),
    "diff": (lambda x: torch.diff(x**2, 2, dim=1, prepend=x[:, :1]), (normal(3, 4),)),
    "gradient": (lambda x: torch.gradient(x**2, spacing=0.3), (normal(3, 4),)),
    "tensordot": (lambda x, y: torch.tensordot(x, y, dims=([0], [1])), (normal(3, 2), normal(4, 3))),
    "einsum": (lambda x, y: torch.einsum("ij,kj->ik", x, y), (normal(3, 2), normal(4, 2))),
    "kron": (torch.kron, (normal(2, 2), normal(2, 3))),
    "cross": (torch.linalg.cross, (normal(4, 3), normal(4, 3))),
    "inner": (torch.inner, (normal(2, 3), normal(4, 3))),
    "matrix_power": (lambda a: torch.matrix_power(a, 3), (normal(3, 3),)),
    "matrix_power, negative": (lambda a: torch.linalg.matrix_power(a, -2), (regular(3, 3),)),
    "std_mean": (lambda x: torch.std_mean(x, 1), (normal(3, 4),)),
    "var_mean": (lambda x: torch.var_mean(x, 0, correction=0), (normal(3, 4),)),
    "nansum": (lambda x: torch.nansum(x**2, 1), (normal(3, 4),)),
    "logsumexp": (lambda x: torch.logsumexp(x, (0, 1)), (normal(3, 4),)),
    "renorm": (lambda x: torch.renorm(x, 2, 0, 0.5), (away(3, 4),)),
    "quantile": (lambda x: torch.quantile(x**3, 0.3, dim=1), (separated(3, 4),)),
    "msort": (lambda x: torch.msort(x) ** 2, (separated(4, 3),)),
    "cdist": (lambda x, y: torch.cdist(x, y), (normal(3, 2), normal(4, 2))),
    "pairwise_distance": (F.pairwise_distance, (normal(3, 4), normal(3, 4))),
    "take_along_dim": (lambda x: torch.take_along_dim(x**2, ROWS, 0), (normal(3, 4),)),
    "repeat_interleave": (lambda x: torch.repeat_interleave(x**2, 2, dim=1), (normal(3, 4),)),
    "tile": (lambda x: torch.tile(x**2, (2, 1)), (normal(3, 4),)),
    "roll, rot90, flip": (lambda x: torch.roll(x**2, 1) + torch.rot90(x, 2) + torch.flip(x, [0]), (normal(3, 4),)),
    "unflatten, movedim": (lambda x: (x**2).unflatten(1, (2, 2)).movedim(0, -1), (normal(3, 4),)),
    "hsplit, vstack, dstack": (lambda x: torch.dstack([torch.vstack(torch.hsplit(x**2, 2)), x.reshape(6, 2)]), (normal(3, 4),)),
    "column_stack": (lambda x: torch.column_stack([x[0] ** 2, x]), (normal(3, 3),)),
    "meshgrid": (lambda x, y: torch.meshgrid(x**2, y, indexing="xy"), (normal(2), normal(3))),
    "scatter_add": (lambda x: torch.scatter_add(x, 1, torch.tensor([[0], [2], [2]]), x[:, :1] ** 2), (normal(3, 4),)),
    "index_add": (lambda x: torch.index_add(x, 0, LABELS, x**2), (normal(3, 4),)),
    "where, masked_select": (lambda x: torch.masked_select(torch.where(x > 0, x**2, x**3), MASK), (away(3, 4),)),
    "sinc": (lambda x: torch.sinc(x), (away(5),)),
    "logit": (lambda x: torch.logit(torch.sigmoid(x) * 0.9), (normal(5),)),
    "float_power": (lambda x: torch.float_power(x, 2.5), (positive(5),)),
    "lerp, addcdiv": (lambda x, y: torch.addcdiv(torch.lerp(x, y, 0.3), x, y), (normal(4), away(4))),
    "angle, polar": (lambda x, y: torch.polar(x.abs(), torch.angle(torch.complex(x, y))), (away(4), away(4))),
    "rfft2, irfft2": (lambda x: torch.fft.irfft2(torch.fft.rfft2(x) ** 2, (3, 4)), (normal(3, 4),)),
    "hfft, fftshift": (lambda x: torch.fft.fftshift(torch.fft.hfft(torch.exp(1j * x))), (normal(3, 4),)),
    "layer_norm": (lambda x, w: F.layer_norm(x, (4,), w, w), (normal(3, 4), normal(4))),
    "group_norm": (lambda x: F.group_norm(x, 2), (normal(2, 4, 2),)),
    "instance_norm": (F.instance_norm, (normal(2, 2, 4),)),
    "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True), (normal(4, 3),)),
    "rms_norm": (lambda x: F.rms_norm(x, (4,)), (normal(3, 4),)),
    "normalize": (F.normalize, (normal(3, 4),)),
    "softmax, softmin": (lambda x: F.softmax(x, 0) + F.softmin(x, 1), (normal(3, 4),)),
    "glu, prelu": (lambda x: F.prelu(F.glu(x), x[0, :1].abs()), (away(3, 4),)),
    "gelu by tanh, mish, selu": (lambda x: F.gelu(x, approximate="tanh") + F.mish(x) + F.selu(x), (away(6),)),
    "mse, huber, smooth l1": (lambda x: F.mse_loss(x, TARGET) + F.huber_loss(x, TARGET + 3) + F.smooth_l1_loss(x, TARGET - 4, beta=0.5), (normal(3, 4),)),
    "binary cross entropy": (lambda x: F.binary_cross_entropy_with_logits(x, TARGET) + F.binary_cross_entropy(torch.sigmoid(x), TARGET), (normal(3, 4),)),
    "cross entropy": (lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1), (normal(3, 4),)),
    "kl_div, nll, poisson": (lambda x: F.kl_div(torch.log_softmax(x, 1), TARGET, reduction="batchmean") + F.nll_loss(x**2, LABELS) + F.poisson_nll_loss(x, TARGET), (normal(3, 4),)),
    "triplet margin": (lambda x: F.triplet_margin_loss(x, TARGET, x**2, margin=9.0), (normal(3, 4),)),
    "conv1d": (lambda x, w: F.conv1d(x, w, w[:, 0, 0], padding="same"), (normal(1, 2, 5), normal(2, 2, 3))),
    "conv2d in groups": (lambda x, w: F.conv2d(x, w, groups=2), (normal(1, 2, 3, 3), normal(2, 1, 2, 2))),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w, stride=2), (normal(1, 1, 2, 2), normal(1, 2, 2, 2))),
    "pools": (lambda x: torch.cat([F.avg_pool2d(x, 2).flatten(), F.adaptive_max_pool2d(x**3, 2).flatten(), F.max_pool2d(x, 2, return_indices=True)[0].flatten(), F.lp_pool2d(x**2, 2, 2).flatten()]), (separated(1, 1, 4, 4),)),
    "interpolate": (lambda x: torch.cat([F.interpolate(x**2, (3, 3), mode=m).flatten() for m in ("nearest", "bilinear", "bicubic", "area")]), (normal(1, 1, 4, 4),)),
    "grid_sample": (lambda x: F.grid_sample(x, GRID, align_corners=False), (normal(1, 1, 3, 3),)),
    "affine_grid": (lambda x: F.affine_grid(x**2, [1, 1, 2, 3], align_corners=True), (normal(1, 2, 3),)),
    "fold, unfold": (lambda x: F.fold(F.unfold(x**2, 2), (3, 3), 2), (normal(1, 1, 3, 3),)),
    "pixel_shuffle, pad": (lambda x: F.pad(F.pixel_shuffle(x**2, 2), (1, 1, 0, 1), mode="circular"), (normal(1, 4, 1, 2),)),
    "attention": (lambda q, k: F.scaled_dot_product_attention(q, k, k**2, is_causal=True), (normal(2, 3, 4), normal(2, 3, 4))),
    "bilinear": (lambda x, y: F.bilinear(x, y, TARGET.reshape(2, 2, 3)), (normal(3, 2), normal(3, 3))),
    "lstm_cell": (lambda x, h, c, w: torch.lstm_cell(x, [h, c], w, w), (normal(2, 2), normal(2, 2), normal(2, 2), normal(8, 2))),
    "gru_cell": (lambda x, h, w: torch.gru_cell(x, h, w, w), (normal(2, 2), normal(2, 2), normal(6, 2))),
    "norms": (lambda a: torch.stack([torch.linalg.norm(a), torch.linalg.matrix_norm(a, "nuc"), torch.linalg.matrix_norm(a, 2)]), (regular(3, 3),)),
    "inverse, pinv": (lambda a: torch.inverse(a) + torch.linalg.pinv(a), (regular(3, 3),)),
    "tensorsolve, tensorinv": (lambda a, b: torch.linalg.tensorsolve(a, b) + torch.linalg.tensorinv(a, ind=1) @ b, (regular(3, 3), normal(3))),
    "det, slogdet, logdet": (lambda a: torch.det(a) + torch.slogdet(a)[1] + torch.logdet(a @ a.mT), (regular(3, 3),)),
    "cholesky": (lambda a: torch.cholesky_solve(a, torch.linalg.cholesky(a @ a.mT)), (regular(3, 3),)),
    "qr": (lambda a: torch.linalg.qr(a), (regular(3, 3),)),
    "eigh": (lambda a: torch.linalg.eigvalsh(a + a.mT), (definite(3, 3),)),
    "cond": (torch.linalg.cond, (regular(3, 3),)),
}
"""Through their parts: the operators that they reach below torch's overrides."""
