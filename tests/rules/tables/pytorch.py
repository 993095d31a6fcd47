# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Functions of one number through operators whose derivatives in PyTorch are wrong, with the same said in mpmath.

Each line says where the derivative is wrong and, under a condition, where it is right: both are measured, so are the orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.rules.reach import reach

from .univariate import TABLE

Formula = Callable[[Any], Any]


@dataclass(frozen=True)
class Probe:
    """A line of the table.

    Attributes:
        operator: of ATen.
        function: of a number, one entry of one of the operator's outputs.
        exact: the same of an mpmath number.
        wrong: points where PyTorch's derivatives of the function are wrong.
        right: points where they are right, by which the condition is judged.
        where: the condition, a key of ``apolar.rules.facts.CONDITIONS``.
        outputs: the outputs of the operator that the verdict holds for.
        convention: whether PyTorch reads the function differently.
        otherwise: a function that does not meet the condition, right at the points ``wrong``.
        otherwise_exact: the same in mpmath, where its values are others.
        devices: nodes that stand for the operator on other devices, and that nothing here can reach.
    """

    operator: str
    function: Callable[[Tensor], Tensor] = field(repr=False)
    exact: Formula = field(repr=False)
    wrong: tuple[float, ...] = (0.5,)
    right: tuple[float, ...] = ()
    where: str = ""
    outputs: tuple[int, ...] = (0,)
    convention: bool = False
    otherwise: Callable[[Tensor], Tensor] | None = field(default=None, repr=False)
    otherwise_exact: Formula | None = field(default=None, repr=False)
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.operator} {self.outputs} {self.where}".strip()


def number(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else torch.tensor(float(x), dtype=torch.float64)


def vector(*entries: Any) -> Tensor:
    return torch.stack([number(x) for x in entries])


def square(a: Any, b: Any, c: Any, d: Any) -> Tensor:
    """The matrix with rows (a, b) and (c, d)."""
    return vector(a, b, c, d).reshape(2, 2)


ONE, ONES = torch.ones(1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
EPS = mp.mpf("1e-5")


def native_batch_norm(x: Tensor, training: bool) -> tuple[Tensor, ...]:
    return torch.native_batch_norm(x, None, None, 0 * ONE, 1 * ONE, training, 0.1, 1e-5)


def native_batch_norm_legit(x: Tensor, training: bool) -> tuple[Tensor, ...]:
    return torch._native_batch_norm_legit(x, None, None, 0 * ONE, 1 * ONE, training, 0.1, 1e-5)


def batch_norm_with_update(x: Tensor) -> tuple[Tensor, ...]:
    return torch.ops.aten._batch_norm_with_update(x, 1 * ONE, None, 0 * ONE, 1 * ONE, 0.1, 1e-5)


def zero(s: Any) -> Any:
    return 0 * s


def row(s: Tensor) -> Tensor:
    return vector(s, s * s, 1)


def mean(s: Any) -> Any:
    return (s + s**2 + 1) / 3


def inverse_deviation(s: Any) -> Any:
    return 1 / mp.sqrt((s**2 + s**4 + 1) / 3 - mean(s) ** 2 + EPS)


def normalised(s: Any) -> Any:
    """The first of (s, s², 1) without their mean, over their standard deviation."""
    return (s - mean(s)) * inverse_deviation(s)


def lower(s: Tensor, other: Tensor | float = 0.0) -> Tensor:
    """A lower triangle and, above it, what is not read."""
    return square(2 + s, other, s, 3 + s)


def of_lower(f: Formula) -> Formula:
    """f of the product L Lᵀ."""
    return lambda s: (lambda L: f((L * L.T) ** -1))(mp.matrix([[2 + s, 0], [s, 3 + s]]))


def general(s: Tensor) -> Tensor:
    return square(s, 1, 2 + s, s * s)


def chunked(s: Tensor, reduction: str) -> Tensor:
    """In the chunks that PyTorch 2.13 knows."""
    options = torch.nn.LinearCrossEntropyOptions(allow_retain_graph=True, batch_chunk_size=1, chunking_method="auto")
    weights = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
    return F.linear_cross_entropy(vector(s, s * s)[None], weights, torch.tensor([1]), reduction=reduction, options=options).sum()


def cross_entropy(s: Any) -> Any:
    """Of the logits (s + 2s², s/2 − s²) for the second class."""
    return mp.log(mp.exp(s + 2 * s**2) + mp.exp(s / 2 - s**2)) - (s / 2 - s**2)


NORMALISATION = [
    Probe("native_layer_norm", lambda s: F.layer_norm(row(s), (3,))[0], normalised),
    Probe("native_layer_norm", lambda s: torch.native_layer_norm(row(s), (3,), None, None, 1e-5)[1].sum(), mean, outputs=(1,)),
    Probe("native_layer_norm", lambda s: torch.native_layer_norm(row(s), (3,), None, None, 1e-5)[2].sum(), inverse_deviation, outputs=(2,)),
    *(
        Probe(
            name, lambda s, call=call, k=k: call(row(s)[:, None], True)[k].reshape(-1)[0], exact, where="in training", outputs=(k,), devices=() if k else devices,
            otherwise=lambda s, call=call, k=k: call(row(s)[:, None], False)[k].sum(), otherwise_exact=zero if k else lambda s: 3 * mean(s) / mp.sqrt(1 + EPS),
        )
        for name, call, devices in [("native_batch_norm", native_batch_norm, ("CudnnBatchNormBackward0", "MiopenBatchNormBackward0")), ("_native_batch_norm_legit", native_batch_norm_legit, ())]
        for k, exact in enumerate((normalised, mean, inverse_deviation))
    ),
    *(Probe("_batch_norm_with_update", lambda s, k=k: batch_norm_with_update(row(s)[:, None])[k].reshape(-1)[0], exact, outputs=(k,)) for k, exact in enumerate((normalised, mean, inverse_deviation))),
    # The norms that it divides by are taken for constants from the second derivative on.
    Probe("_weight_norm_interface", lambda s: torch._weight_norm(vector(s, 1 + s)[None], ONES[:1], 0)[0, 0], lambda s: s / mp.sqrt(s**2 + (1 + s) ** 2)),
]

LINALG = [
    Probe("_linalg_det", lambda s: torch.linalg.det(general(s)), lambda s: s**3 - 2 - s),
    Probe("_linalg_det", lambda s: torch.linalg.det(square(s, 0, 0, s)), lambda s: s**2, (0.0,), (0.5,), "where the matrix is singular"),
    Probe("_linalg_slogdet", lambda s: torch.linalg.slogdet(general(s))[1], lambda s: mp.log(abs(s**3 - 2 - s)), outputs=(1,)),
    Probe("_linalg_slogdet", lambda s: torch.linalg.slogdet(torch.complex(s, s * s).reshape(1, 1))[0].real, lambda s: 1 / mp.sqrt(1 + s**2)),
    Probe("_linalg_solve_ex", lambda s: torch.linalg.solve(general(s), ONES)[0, 0], lambda s: (s**2 - 1) / (s**3 - 2 - s)),
    Probe("linalg_eig", lambda s: torch.linalg.eigvals(square(s, 1, 1, -s)).real.max(), lambda s: mp.sqrt(1 + s**2), outputs=(0, 1)),
    Probe("linalg_householder_product", lambda s: torch.linalg.householder_product(vector(1, s)[:, None], (s * s)[None])[1, 0], lambda s: -(s**3)),
    Probe("linalg_pinv", lambda s: torch.linalg.pinv(lower(s), hermitian=True)[1, 1], lambda s: (2 + s) / ((2 + s) * (3 + s) - s**2), where="for hermitian=True, where one triangle moves without the other", convention=True, otherwise=lambda s: torch.linalg.pinv(lower(s, s), hermitian=True)[1, 1]),
    # Entries that are never read get a derivative.
    *(
        Probe(name, function, exact, where="where the triangle that is not read moves", otherwise=otherwise)
        for name, function, otherwise, exact in [
            ("triangular_solve", lambda s: torch.triangular_solve(ONES, square(1 + s, 2 * s, s, 2 + s))[0][0, 0], lambda s: torch.triangular_solve(ONES, square(1 + s, 2 * s, 0, 2 + s))[0][0, 0], lambda s: (1 - 2 * s / (2 + s)) / (1 + s)),
            ("cholesky_solve", lambda s: torch.cholesky_solve(ONES, lower(s, s))[1, 0], lambda s: torch.cholesky_solve(ONES, lower(s))[1, 0], of_lower(lambda A: A[1, 0] + A[1, 1])),
            ("cholesky_inverse", lambda s: torch.cholesky_inverse(lower(s, s))[1, 0], lambda s: torch.cholesky_inverse(lower(s))[1, 0], of_lower(lambda A: A[1, 0])),
        ]
    ),
    Probe("cholesky_inverse", lambda s: torch.cholesky_inverse(lower(s))[1, 0], of_lower(lambda A: A[1, 0])),
    # One triangle is read. Where both move alike, the derivative is that of the symmetric matrix.
    *(
        Probe(name, function, exact, where="where one triangle moves without the other", convention=True, otherwise=otherwise, outputs=outputs)
        for name, function, otherwise, exact, outputs in [
            ("_linalg_eigh", lambda s: torch.linalg.eigvalsh(square(s, 0.3, s, -s))[1], lambda s: torch.linalg.eigvalsh(square(s, s, s, -s))[1], lambda s: mp.sqrt(2) * s, (0, 1)),
            ("linalg_cholesky_ex", lambda s: torch.linalg.cholesky(lower(s))[1, 1], lambda s: torch.linalg.cholesky(lower(s, s))[1, 1], lambda s: mp.sqrt(3 + s - s**2 / (2 + s)), (0,)),
            ("cholesky", lambda s: torch.cholesky(lower(s))[1, 1], lambda s: torch.cholesky(lower(s, s))[1, 1], lambda s: mp.sqrt(3 + s - s**2 / (2 + s)), (0,)),
        ]
    ),
]

PRODUCTS = [
    *(Probe("prod", f, lambda s: s**3, (0.0,), (0.5,), "where a factor is 0") for f in (lambda s: s.expand(3).prod(), lambda s: s.expand(3).prod(0))),
    Probe("cumprod", lambda s: s.expand(3).cumprod(0)[1], lambda s: s**2, (0.0,), (0.5,), "where a factor is 0"),
    Probe("scatter_reduce", lambda s: vector(s, s).scatter_reduce(0, torch.tensor([0, 0]), vector(s, 1 + s), "prod")[0], lambda s: s**2 * (1 + s), where="for a product", otherwise=lambda s: vector(s, s).scatter_reduce(0, torch.tensor([0, 0]), vector(s, s * s), "sum")[0], otherwise_exact=lambda s: 2 * s + s**2),
    Probe("linalg_vector_norm", lambda s: torch.linalg.vector_norm(vector(1, s), 4), lambda s: (1 + s**4) ** mp.mpf("0.25"), (0.0,), (0.5,), "where an entry is 0, for p = 4, 6, …"),
    Probe("linalg_vector_norm", lambda s: torch.linalg.vector_norm(s.expand(1)[:0], 0.5), zero, where="of no entries, for p < 2", otherwise=lambda s: 0 * torch.linalg.vector_norm(s.expand(1)[:0], 2)),
    Probe("dist", lambda s: torch.dist(vector(1, s), vector(0, 0), 4), lambda s: (1 + s**4) ** mp.mpf("0.25"), (0.0,), (0.5,), "where two entries agree, for p = 4, 6, …"),
    Probe("pow", lambda s: (1 + s) ** s, lambda s: (1 + s) ** s, (0.0,), (0.5,), "where the exponent is 0 and both arguments move"),
    Probe("pow", lambda s: number(0.0) ** (1 + s), lambda s: mp.mpf(0), (0.5,), where="where the base is 0 and the exponent moves", otherwise=lambda s: 0 * number(1.5) ** (1 + s)),
    Probe("pow", lambda s: 0.0 ** (1 + s), lambda s: mp.mpf(0), (0.5,), where="where the base is 0 and the exponent moves", otherwise=lambda s: 0 * 1.5 ** (1 + s)),
    Probe("pow", lambda s: s ** number(0.0), lambda s: mp.mpf(1), (0.0,), (0.5,), where="where base and exponent are 0"),
]

LOGARITHMS = [
    Probe("logcumsumexp", lambda s: torch.logcumsumexp(vector(s, 2 * s, -s), 0)[2], lambda s: mp.log(mp.exp(s) + mp.exp(2 * s) + mp.exp(-s))),
    Probe("logcumsumexp", lambda s: torch.logcumsumexp(vector(s * s - 50, s), 0)[0], lambda s: s**2 - 50, where="where entries are more than 20 apart", otherwise=lambda s: torch.logcumsumexp(vector(s * s - 50, s - 50), 0)[0]),
    *(
        Probe(name, lambda s, f=f: f(s, s - 2000), lambda s: s, where="where the arguments are so far apart that exp overflows", otherwise=lambda s, f=f: f(s, s - 500))
        for name, f in {"logaddexp": torch.logaddexp, "logaddexp2": torch.logaddexp2}.items()
    ),
]

# Quotients by powers of x: without a limit where it is 0, and with ever fewer digits on the way there.
NEAR_ZERO = [
    *(
        Probe(name, function, exact, points, (0.06, -0.3), where)
        for name, function, exact in [("sinc", torch.sinc, mp.sincpi), ("i0", torch.i0, lambda x: mp.besseli(0, x)), ("special_i1", torch.special.i1, lambda x: mp.besseli(1, x))]
        for where, points in {"at 0": (0.0,), "near 0": (1e-14, 1e-9, 1e-5)}.items()
    ),
    Probe("special_i0e", torch.special.i0e, lambda x: mp.besseli(0, x) * mp.exp(-x), (1e-14, 1e-9), (0.06, 0.3), "near 0"),
    Probe("special_i1e", torch.special.i1e, lambda x: mp.besseli(1, x) * mp.exp(-x), (1e-14, 1e-9), (0.06, 0.3), "near 0"),
]

DRAWN = torch.normal(0.0, ONE, generator=torch.Generator().manual_seed(0))[0]

OTHERS = [
    *(Probe(f"torch_nn::_linear_cross_entropy_batch_chunked{end}", lambda s, r=reduction: chunked(s, r), cross_entropy) for reduction, end in {"mean": "", "none": "_no_reduction"}.items()),
    *(
        Probe(name, lambda s, call=call: call(s.expand(2), [0, 0]), lambda s: s, where="where an index is repeated", otherwise=lambda s, call=call: call(s.expand(2), [0, 1]))
        for name, call in {
            "max_unpool2d": lambda x, k: F.max_unpool1d(x[None], torch.tensor([k]), 2)[0, 0],
            "max_unpool3d": lambda x, k: F.max_unpool3d(x[None, :, None, None], torch.tensor(k)[None, :, None, None], (2, 1, 1))[0, 0, 0, 0],
        }.items()
    ),
    Probe("as_strided_scatter", lambda s: torch.as_strided_scatter(vector(s, s, s * s), vector(s, s), (2,), (1,))[2], lambda s: s**2),
    # A random number is its mean and a deviation times what is drawn.
    Probe("normal", lambda s: torch.normal(s.expand(1), ONES[0], generator=torch.Generator().manual_seed(0))[0], lambda s: s),
    Probe("normal", lambda s: torch.normal(s.expand(1), 1.0, generator=torch.Generator().manual_seed(0))[0], lambda s: s),
    Probe("normal", lambda s: torch.normal(0.0, s.expand(1), generator=torch.Generator().manual_seed(0))[0] / DRAWN, lambda s: s),
]


def operator_of(function: Callable[[Tensor], Tensor], x: float) -> str:
    """The operator of ATen that a function of one number consists of."""
    (name,) = reach(function, (torch.tensor(x, dtype=torch.float64),), {}).operators
    return name


def without_derivative() -> dict[str, Probe]:
    """The functions of one variable whose results PyTorch takes for constants."""
    found: dict[str, Probe] = {}
    for line in TABLE:
        x = torch.tensor(line.points[-1], dtype=torch.float64, requires_grad=True)
        if not line.function(x).requires_grad and line.exact(line.points[0]) != line.exact(line.points[-1]):
            name = operator_of(line.function, line.points[-1])
            found.setdefault(name, Probe(name, line.function, line.exact, line.points[-1:]))
    return found


PROBES = [*NORMALISATION, *LINALG, *PRODUCTS, *LOGARITHMS, *NEAR_ZERO, *OTHERS, *without_derivative().values()]
