# One line of a table is one line, however long.
# ruff: noqa: E501
"""How many digits the rules for functions of one variable have, over their whole range, in float32 and float64.

A derivative of order k passes if it is off by less than ``ALLOWED`` rounding errors times its condition,
max(1, |x φ⁽ᵏ⁺¹⁾/φ⁽ᵏ⁾|): by how much an error in the last digit of x comes back larger. What under- or overflows is not judged.

``python -m tests.rules.digits`` judges all points and writes docs/precision.md; with names, only prints these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from math import factorial, isfinite
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import mpmath as mp
import torch
import torch.nn.functional as F
from torch import Tensor

import apolar as ap
from tests.oracles.differences import condition, derivatives
from tests.rules.tables import univariate as known

special: Any = torch.special
PAGE = Path(__file__).parents[2] / "docs" / "precision.md"

ALLOWED = 1e3
DTYPES = (torch.float32, torch.float64)

SMALL = (1e-30, 1e-8, 1e-3, 0.013, 0.1)
MIDDLE = (0.3, 0.4, 0.7, 1.0, 1.5, 2.1, 3.1, 4.2, 5.1)
LARGE = (7.3, 9.7, 13.0, 18.0, 27.0, 50.0, 100.0)
HUGE = (1e3, 1e6)
FAR = (1e9, 1e15, 1e25)


def signed(*groups: Sequence[float]) -> tuple[float, ...]:
    return tuple(s * x for s in (-1, 1) for group in groups for x in group)


BELOW_1 = tuple(1 - d for d in (0.3, 0.1, 0.01, 1e-3, 1e-6))
UNIT = signed(SMALL, (0.25, 0.4, 0.6), BELOW_1)
PROBABILITY = (*SMALL, 0.2, 0.4, 0.5, 0.6, *BELOW_1)
ABOVE_1 = tuple(1 + d for d in (1e-6, 1e-3, 0.01, 0.1, 0.3))
REAL = (0.0, *signed(SMALL, MIDDLE, LARGE, HUGE))
POSITIVE = (*SMALL, *MIDDLE, *LARGE, *HUGE)
NOT_POLES = (-0.013, -0.3, -0.5, -1.1, -1.98, -3.5, -12.7, -30.6)


class Line(NamedTuple):
    """A function of one variable.

    Attributes:
        name: of the function.
        exact: the same of an mpmath number.
        points: where both are differentiated.
        function: of a tensor, where the name does not say it.
        limit: why it may have fewer digits at some points,
        limited: which these are.
        order: the highest in float64.
        derivatives: (x, order) ↦ φ(x), φ′(x), … where a formula is faster than differences of ``exact``.
    """

    name: str
    exact: Callable[[Any], Any]
    points: tuple[float, ...]
    function: Callable[[Tensor], Tensor] | None = None
    limit: str = ""
    limited: Callable[[float], bool] = lambda x: False
    order: int = 12
    derivatives: Callable[[float, int], list[Any]] | None = None

    def __str__(self) -> str:
        return self.name

    def __call__(self, x: Tensor) -> Tensor:
        function: Any = self.function or next(
            getattr(room, self.name) for room in (torch, special, F, Tensor) if hasattr(room, self.name)
        )
        found: Tensor = function(x)
        return found


def within(points: Iterable[float], low: float, high: float) -> tuple[float, ...]:
    return tuple(x for x in points if low <= x <= high)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def bessel_k0(x: Any) -> Any:
    """−(log x/2 + γ) I₀(x) + Σ Hₖ (x/2)²ᵏ/k!²; mpmath's own function takes seconds for so many digits."""
    with mp.workdps(mp.mp.dps + int(abs(x))):
        total, term, harmonic, k = mp.mpf(0), mp.mpf(1), mp.mpf(0), 0
        while not k or abs(term) > mp.eps:
            k += 1
            term *= (x / 2) ** 2 / k**2
            harmonic += mp.mpf(1) / k
            total += harmonic * term
        return total - (mp.log(x / 2) + mp.euler) * mp.besseli(0, x)


def bessel_k1(x: Any) -> Any:
    """1/x + log(x/2) I₁(x) − x/4 Σ (ψ(k+1) + ψ(k+2)) (x/2)²ᵏ/(k!(k+1)!)."""
    with mp.workdps(mp.mp.dps + int(abs(x))):
        total, term, psi, k = 1 - 2 * mp.euler, mp.mpf(1), 1 - 2 * mp.euler, 0
        while not k or abs(term) > mp.eps:
            k += 1
            term *= (x / 2) ** 2 / (k * (k + 1))
            psi += mp.mpf(1) / k + mp.mpf(1) / (k + 1)
            total += psi * term
        return 1 / x + mp.log(x / 2) * mp.besseli(1, x) - x / 4 * total


def log_sigmoid(x: Any) -> Any:
    return -mp.log1p(mp.exp(-x))


def inverse_erf(x: float, order: int) -> list[Any]:
    """(√π/2)ⁿ exp(n y²) Pₙ(y) with P₁ = 1, Pₙ₊₁ = Pₙ′ + 2n y Pₙ. Source: Carlitz, The inverse of the error function, 1963."""
    with mp.workdps(60):
        with mp.workdps(100):
            y = mp.erfinv(x)
        p, found = [mp.mpf(1)], [y]
        for n in range(1, order + 1):
            found.append((mp.sqrt(mp.pi) / 2 * mp.exp(y * y)) ** n * mp.polyval(p[::-1], y))
            slope = [k * c for k, c in enumerate(p)][1:]
            p = [(slope[k] if k < len(slope) else 0) + (2 * n * p[k - 1] if k else 0) for k in range(len(p) + 1)]
        return found


def quantile(p: float, order: int) -> list[Any]:
    """√2 erfinv(2p − 1)."""
    with mp.workdps(90):
        found = inverse_erf(2 * mp.mpf(p) - 1, order)
        return [mp.sqrt(2) * 2**k * d for k, d in enumerate(found)]


def everywhere(x: float) -> bool:
    return True


def near_zero(x: float) -> bool:
    return abs(x) < 0.2


NEAR_0 = "near 0, where a derivative of the sigmoid is 0, it is off by the rounding errors of its neighbours"
VALUES = "PyTorch's own values of this function, or of those in its derivative, have no more digits"

TABLE: tuple[Line, ...] = (
    # powers, exponentials and logarithms
    Line("exp", mp.exp, within(REAL, -700, 700), order=16),
    Line("exp2", lambda x: mp.mpf(2) ** x, within(REAL, -1000, 1000), order=16),
    Line("expm1", mp.expm1, within(REAL, -700, 700), order=16),
    Line("log", mp.log, (*POSITIVE, *FAR), order=16),
    Line("log2", lambda x: mp.log(x, 2), (*POSITIVE, *FAR), order=16),
    Line("log10", mp.log10, (*POSITIVE, *FAR), order=16),
    Line("log1p", mp.log1p, (*signed(SMALL), *(-x for x in BELOW_1), *MIDDLE, *LARGE, *HUGE, *FAR), order=16),
    Line("sqrt", mp.sqrt, (*POSITIVE, *FAR), order=16),
    Line("rsqrt", lambda x: 1 / mp.sqrt(x), (*POSITIVE, *FAR), order=16),
    Line("reciprocal", lambda x: 1 / x, signed(POSITIVE, FAR), order=16),
    Line("square", lambda x: x * x, (*REAL, *FAR), order=16),
    *(Line(f"x ** {p}", lambda x, p=p: x**p, REAL, lambda x, p=p: x**p) for p in (2, 3, 7)),
    *(Line(f"x ** {p}", lambda x, p=p: x**p, signed(POSITIVE), lambda x, p=p: x**p) for p in (-1, -2, -5)),
    *(Line(f"x ** {p}", lambda x, p=p: x ** mp.mpf(p), POSITIVE, lambda x, p=p: x**p) for p in (0.5, 1.5, -0.5, 2.7)),
    # trigonometric and hyperbolic
    Line("sin", mp.sin, REAL, order=16),
    Line("cos", mp.cos, REAL, order=16),
    Line("tan", mp.tan, (*REAL, 1.57, 1.5707, -1.5706), order=16),
    Line("asin", mp.asin, UNIT, order=16),
    Line("acos", mp.acos, UNIT, order=16),
    Line("atan", mp.atan, (*REAL, *FAR), order=16),
    Line("sinh", mp.sinh, within(REAL, -700, 700), order=16),
    Line("cosh", mp.cosh, within(REAL, -700, 700), order=16),
    Line("tanh", mp.tanh, REAL, order=16),
    Line("asinh", mp.asinh, (*REAL, *FAR), order=16),
    Line("acosh", mp.acosh, (*ABOVE_1, *within(MIDDLE, 1.4, 9), *LARGE, *HUGE, *FAR), order=16),
    Line("atanh", mp.atanh, UNIT, order=16),
    Line("sinc", mp.sincpi, within(REAL, -1e3, 1e3), order=16),
    Line("spherical_bessel_j0", mp.sinc, within(REAL, -1e3, 1e3), order=16),
    # statistics
    Line("sigmoid", sigmoid, REAL, order=16, limit=NEAR_0, limited=near_zero),
    Line("logsigmoid", log_sigmoid, REAL, limit=NEAR_0, limited=near_zero),
    Line("logit", lambda p: mp.log(p / (1 - p)), PROBABILITY),
    Line("erf", mp.erf, within(REAL, -50, 50), order=16),
    Line("erfc", mp.erfc, within(REAL, -50, 50)),
    Line("erfcx", known.erfcx, within(REAL, -18, 1e6)),
    Line("erfinv", mp.erfinv, UNIT, derivatives=inverse_erf),
    Line("ndtr", mp.ncdf, within(REAL, -50, 50)),
    Line("ndtri", known.normal_quantile, PROBABILITY, derivatives=quantile),
    Line("log_ndtr", lambda x: mp.log1p(-mp.ncdf(-x)) if x > 0 else mp.log(mp.ncdf(x)), within(REAL, -1e3, 50), limit="between −3 and 0.1 it has a digit less", limited=lambda x: -3.5 < x < 0.2),
    Line("entr", lambda x: -x * mp.log(x), (*POSITIVE, *FAR)),
    # gamma
    Line("lgamma", known.log_abs_gamma, (*POSITIVE, *NOT_POLES)),
    Line("digamma", lambda x: mp.psi(0, x), (*POSITIVE, *NOT_POLES)),
    *(Line(f"polygamma({n}, x)", lambda x, n=n: mp.psi(n, x), (*within(POSITIVE, 1e-5, 1e6), *NOT_POLES), lambda x, n=n: torch.polygamma(n, x)) for n in (1, 2, 4)),
    Line("multigammaln", known.multigammaln, within(POSITIVE, 0.55, 1e6), lambda x: special.multigammaln(x, 2)),
    Line("zeta(2, x)", lambda x: mp.zeta(2, x), within(POSITIVE, 1e-5, 1e6), lambda x: special.zeta(2.0, x)),
    Line("gammainc(1.5, x)", lambda x: mp.gammainc(1.5, 0, x, regularized=True), within(POSITIVE, 1e-8, 100), lambda x: special.gammainc(torch.tensor(1.5).to(x.dtype), x)),
    Line("gammaincc(1.5, x)", lambda x: mp.gammainc(1.5, x, mp.inf, regularized=True), within(POSITIVE, 1e-8, 100), lambda x: special.gammaincc(torch.tensor(1.5).to(x.dtype), x)),
    # Bessel
    Line("i0", lambda x: mp.besseli(0, x), within(REAL, -300, 300)),
    Line("i1", lambda x: mp.besseli(1, x), within(REAL, -300, 300)),
    Line("i0e", lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), signed(within(POSITIVE, 1e-8, 1e3)), order=16),
    Line("i1e", lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), signed(within(POSITIVE, 1e-8, 1e3))),
    Line("bessel_j0", lambda x: mp.besselj(0, x), within(REAL, -300, 300), limit=VALUES, limited=everywhere),
    Line("bessel_j1", lambda x: mp.besselj(1, x), within(REAL, -300, 300), limit=VALUES, limited=everywhere),
    Line("bessel_y0", lambda x: mp.bessely(0, x), within(POSITIVE, 1e-8, 300), limit=VALUES, limited=everywhere),
    Line("bessel_y1", lambda x: mp.bessely(1, x), within(POSITIVE, 1e-8, 300), limit=VALUES, limited=everywhere),
    Line("modified_bessel_k0", bessel_k0, within(POSITIVE, 1e-8, 100)),
    Line("modified_bessel_k1", bessel_k1, within(POSITIVE, 1e-8, 100)),
    Line("scaled_modified_bessel_k0", lambda x: mp.exp(x) * bessel_k0(x), within(POSITIVE, 1e-8, 300)),
    Line("scaled_modified_bessel_k1", lambda x: mp.exp(x) * bessel_k1(x), within(POSITIVE, 1e-8, 300)),
    # activations
    Line("softplus", lambda x: mp.log1p(mp.exp(x)), within(REAL, -1e6, 20), limit=NEAR_0, limited=near_zero),
    Line("silu", lambda x: x * sigmoid(x), REAL, limit=NEAR_0, limited=near_zero),
    Line("mish", lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), REAL, limit="far out on the right", limited=lambda x: x > 20),
    Line("gelu", lambda x: x * mp.ncdf(x), within(REAL, -50, 50)),
    Line("gelu tanh", known.gelu_tanh, within(REAL, -50, 50), lambda x: F.gelu(x, approximate="tanh"), limit=NEAR_0, limited=near_zero),
    Line("elu", mp.expm1, within(REAL, -700, -1e-40)),
    Line("celu", lambda x: 2 * mp.expm1(x / 2), within(REAL, -700, -1e-40), lambda x: F.celu(x, 2.0)),
    Line("softsign", lambda x: x / (1 + abs(x)), signed(POSITIVE)),
    Line("tanhshrink", lambda x: x - mp.tanh(x), REAL),
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- judging


class Error(NamedTuple):
    """How far a derivative is off, in rounding errors times its condition."""

    units: float
    dtype: torch.dtype
    order: int
    x: float
    found: float
    exact: float


@cache
def exact(line: Line, x: float) -> list[Any]:
    """The derivatives up to one order more than is judged."""
    order = line.order + 1
    return line.derivatives(x, order) if line.derivatives else derivatives(line.exact, x, order)


def errors(line: Line, dtype: torch.dtype, points: Sequence[float]) -> Iterator[Error]:
    """At each point and order of one pass, for what neither under- nor overflows, not even on the way, by a factor x²."""
    info = torch.finfo(dtype)
    x = torch.tensor([p for p in points if not p or 1e-35 < abs(p) < 1e30], dtype=torch.float32).to(dtype)
    order = min(line.order, 12) if dtype == torch.float32 else line.order
    found = torch.stack(ap.taylor(line, order)(x)).double().T.tolist()
    for at, row in zip(x.tolist(), found, strict=True):
        reference = exact(line, at)
        for k in range(1, order + 1):
            d, following = reference[k], reference[k + 1]
            if abs(d) > info.max / 1e3:
                continue
            size = abs(d) if d else max(abs(following), mp.mpf(1))
            allowed = (
                info.eps * condition(at, d, following) * size + info.tiny * factorial(k) * max(1.0, at * at) / ALLOWED
            )
            off = abs(row[k] - d) if isfinite(row[k]) else mp.inf
            yield Error(float(off / allowed), dtype, k, at, row[k], float(d))


def worst(line: Line, dtype: torch.dtype, points: Sequence[float]) -> Error | None:
    return max(errors(line, dtype, points), key=lambda e: e.units, default=None)


# -------------------------------------------------------------------------------------------------------------- the page

HEAD = """\
# Precision

How many digits the derivatives of functions of one variable have. Every rule is compared with mpmath, at points from tiny to huge, of
both signs, near poles, branch points and removable singularities, at orders 1 to 12 and, where it says so, 16. The errors are in
units of ε · κ · |φ⁽ᵏ⁾|: ε is 1.2e-7 in float32 and 2.2e-16 in float64, and κ = max(1, |x φ⁽ᵏ⁺¹⁾/φ⁽ᵏ⁾|) is the condition of that
derivative, by how much an error in the last digit of x comes back larger. A rule passes where the error is below 1000 such units
at all orders and points; what under- or overflows in the dtype is not judged. Functions with a note have fewer digits at the points
that it names, whose worst error stands behind the others'.

`python -m tests.rules.digits` writes this page.

| function | orders | float32 | float64 | worst at |
|---|---|---|---|---|
"""


def judged(line: Line) -> tuple[list[Error | None], list[Error | None]]:
    """The worst errors in both dtypes, at ordinary and at limited points."""
    ordinary = [x for x in line.points if not line.limited(x)]
    limited = [x for x in line.points if line.limited(x)]
    return [worst(line, t, ordinary) for t in DTYPES], [worst(line, t, limited) for t in DTYPES]


def row(line: Line, ordinary: list[Error | None], limited: list[Error | None]) -> str:
    def words(k: int) -> str:
        first, second = ordinary[k], limited[k]
        text = f"{first.units:.2g}" if first else ""
        return text + (f" ({second.units:.2g})" if second else "")

    top = max((e for e in (*ordinary, *limited) if e), key=lambda e: e.units)
    note = f": {line.limit}" if line.limit else ""
    return f"| `{line}`{note} | 1–{line.order} | {words(0)} | {words(1)} | order {top.order}, x = {top.x:.3g} |"


def main(names: Sequence[str]) -> None:
    lines = [line for line in TABLE if not names or str(line) in names]
    with Pool(int(os.environ.get("WORKERS", "2"))) as pool:
        found = []
        for k, result in enumerate(pool.imap(_judged, [TABLE.index(line) for line in lines])):
            found.append(row(lines[k], *result))
            print(found[-1], flush=True)
    if not names:
        PAGE.write_text(HEAD + "\n".join(found) + "\n")


def _judged(k: int) -> tuple[list[Error | None], list[Error | None]]:
    torch.set_num_threads(1)
    return judged(TABLE[k])


if __name__ == "__main__":
    main(sys.argv[1:])
