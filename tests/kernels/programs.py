"""What the tests of the kernels share: a small interpreter of programs, the rules that are recorded, algebras and operands."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import apolar as ap
from apolar.algebras.algebra import Algebra
from apolar.engine import series
from apolar.kernels import cpp, native
from apolar.kernels.composition import Composition
from apolar.kernels.program import UNARY, Program, Symbol

C = ap.coordinates("x y t")
dx, dy, dt = C

ALGEBRAS: dict[str, Algebra] = {
    "gradient": ap.algebra(dx, dy),
    "Laplacian": ap.algebra(dx**2 + dy**2),
    "heat": ap.algebra(dt - dx**2 - dy**2),
    "KdV": ap.algebra(dx**3, dt),
    "biharmonic": ap.algebra((dx**2 + dy**2) ** 2),
    "order 6": ap.algebra(dx**6),
}

WORDS: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in UNARY},
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "and": operator.and_,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "where": torch.where,
    "cast": lambda condition: condition.double(),
}


def interpreted(program: Program, *tensors: Tensor) -> list[Tensor]:
    """What a program says, step by step in torch functions."""
    known: dict[Any, Tensor] = {}
    for operand, x in zip(program.inputs, tensors, strict=True):
        known |= {(operand.name, k): row for k, row in zip(operand.components, x, strict=True)}

    def word(x: Any) -> Tensor:
        if not isinstance(x, Symbol):
            return torch.tensor(float(x), dtype=torch.float64)
        return known[x.arguments] if x.operation == "input" else known[x]

    for step in program.steps:
        known[step] = WORDS[step.operation](*map(word, step.arguments))
    like, found = tensors[0][0], []
    for operand, results in program.outputs:
        rows = torch.stack([word(x).expand_as(like) for x in results])
        found.append(rows.flatten(1, -2).sum(1) if operand.uniform else rows)
    return found


Run = Callable[..., list[Tensor]]


def built(*programs: Program, dtype: torch.dtype) -> list[Run]:
    """Programs as one C++ file, called with nothing in between: flat tensors ``(components, rows, columns)``."""
    word = {torch.float32: "float", torch.float64: "double"}[dtype]
    names = [f"kernel_{k}" for k in range(len(programs))]
    library = native.library("\n".join(cpp.source(name, p, word) for name, p in zip(names, programs, strict=True)))
    return [_run(getattr(library, name), p, dtype) for name, p in zip(names, programs, strict=True)]


def _run(function: Any, program: Program, dtype: torch.dtype) -> Run:
    function.argtypes, function.restype = None, None

    def run(*tensors: Tensor, parts: int = 1) -> list[Tensor]:
        rows, columns = tensors[0].shape[1:]
        shapes = [(parts, len(o.components), columns) if o.uniform else (len(o.components), rows, columns)
                  for o, _ in program.outputs]  # fmt: skip
        results = [torch.full(shape, torch.nan, dtype=dtype) for shape in shapes]
        pointers = [ctypes.c_void_p(x.data_ptr()) for x in (*tensors, *results)]
        function(*pointers, *(ctypes.c_long(n) for n in (rows, columns, parts)))
        return [x.sum(0) if o.uniform else x for x, (o, _) in zip(results, program.outputs, strict=True)]

    return run


# ------------------------------------------------------------------------------------------------------ rules and where


@dataclass(frozen=True)
class Recorded:
    """A rule for functions of one tensor that can be recorded.

    Attributes:
        name: of the function and how it is called.
        taylor: x ↦ φ(x), φ′(x), …
        low, high: between which values g lies; no kink and no pole.
    """

    name: str
    taylor: series.Expansion
    low: float
    high: float

    def __str__(self) -> str:
        return self.name


def entries() -> dict[str, series.Elementwise]:
    """All rules for functions of one tensor, by the name of the function."""
    return {e.function.__name__: e for e in series.FUNCTIONS.values() if isinstance(e, series.Elementwise)}


def _recorded(name: str, low: float, high: float, *parameters: Any, **options: Any) -> Recorded:
    words = [*map(str, parameters), *(f"{k}={v}" for k, v in options.items())]
    taylor = series.Expansion(entries()[name], parameters, tuple(options.items()))
    return Recorded(" ".join([name, *words]), taylor, low, high)


RULES = [
    *(_recorded(name, -1.7, 2.1) for name in (
        "exp", "exp2", "expm1", "square", "sin", "cos", "sinh", "cosh", "tanh", "atan", "asinh", "erf", "erfc",
        "special_ndtr", "sigmoid", "log_sigmoid", "silu", "mish", "softplus", "gelu", "elu", "celu", "selu",
        "softsign", "tanhshrink",
    )),
    *(_recorded(name, 0.4, 3.0) for name in ("log", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "abs", "relu")),
    *(_recorded(name, -3.0, -0.4) for name in ("reciprocal", "abs", "relu", "leaky_relu", "elu")),
    *(_recorded("number_power", -1.7, 2.1, p) for p in (0, 1, 2, 3, 7)),
    *(_recorded("number_power", 0.6, 2.1, p) for p in (0.5, 2.5, -1, -2, -0.5, -1.5)),
    _recorded("log1p", -0.4, 2.1),
    _recorded("tan", -0.9, 0.8),
    *(_recorded(name, -0.7, 0.6) for name in ("asin", "acos", "atanh")),
    _recorded("acosh", 1.6, 3.0),
    _recorded("gelu", -1.7, 2.1, approximate="tanh"),
    _recorded("softplus", -1.7, 2.1, 2.0, 30.0),
    _recorded("softplus", 0.6, 2.1, 2.0, 1.0),
    _recorded("leaky_relu", 0.4, 3.0, 0.2),
    _recorded("elu", -3.0, -0.4, 1.5, 0.7, 1.3),
    _recorded("celu", -3.0, 2.1, 0.8),
]  # fmt: skip
"""Every rule that is recorded, and its parameters."""

NOT_RECORDED = {
    "deg2rad", "rad2deg", "sinc", "special_spherical_bessel_j0", "special_bessel_j0", "special_bessel_j1",
    "special_bessel_y0", "special_bessel_y1", "i0", "special_i1", "special_modified_bessel_k0",
    "special_modified_bessel_k1", "special_scaled_modified_bessel_k0", "special_scaled_modified_bessel_k1",
    "special_i0e", "special_i1e", "erfinv", "special_log_ndtr", "special_erfcx", "special_ndtri", "lgamma", "digamma",
    "trigamma", "polygamma_at", "torch_polygamma", "zeta_at",
    "frac", "relu6", "nan_to_num", "hardtanh", "hardsigmoid", "hardswish",
    "hardshrink", "softshrink", "threshold", "gammainc_at", "gammaincc_at", "entropy", "sin_ratio", "bessel_j0",
    "bessel_i0", "scaled_i0", "scaled_k0", "erfcx",
}  # fmt: skip
"""Rules whose value or derivative no program has a word for."""


# ------------------------------------------------------------------------------------------------------------- operands

FORMS = ["stacked", "uniform", "wanted", "uniform and wanted"]


def composition(rule: Recorded, algebra: Algebra, form: str) -> Composition:
    """φ(g) for one of the forms in which g is given and φ(g) is asked for."""
    moving = sorted({k for s in range(3) for k, _ in algebra.seed(s)})
    wanted = (algebra.size - 1,) if algebra.size < 4 else (0, algebra.size - 1)
    return Composition(
        algebra,
        rule.taylor,
        tuple(moving) if "uniform" in form else None,
        wanted if "wanted" in form else None,
    )


def operands(rule: Recorded, whole: Composition, *shape: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """g of that shape for the composition, and a cotangent behind it."""
    generator = torch.Generator().manual_seed(len(rule.name))

    def random(*size: int) -> Tensor:
        return 2 * torch.rand(*size, generator=generator, dtype=torch.float64) - 1

    value = rule.low + (rule.high - rule.low) * (random(1, *shape) + 1) / 2
    if whole.tangents is None:
        given = [torch.cat([value, random(whole.algebra.size - 1, *shape)])]
    else:
        given = [value, random(len(whole.tangents), *(1 for _ in shape[:-1]), *shape[-1:])]
    return [x.to(dtype) for x in (*given, random(len(whole.results), *shape))]


def agree(found: Tensor, expected: Tensor, epsilon: float) -> None:
    """Component by component, relative to the largest entry of it."""
    assert found.shape == expected.shape
    for k, (a, b) in enumerate(zip(found.double(), expected.double(), strict=True)):
        if b.numel():
            error, scale = float((a - b).abs().max()), max(1.0, float(b.abs().max()))
            assert error <= epsilon * scale, f"component {k}: off by {error / scale:.1e}"
