"""Whether derivatives are right: apolar against two references that share nothing with it, and which of them is wrong.

Above ``evaluate`` and ``references``.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.engine.torch_private import tree_leaves
from apolar.errors import ApolarError, DtypeError, FunctionError, VerificationError
from apolar.evaluation.evaluate import evaluate
from apolar.evaluation.points import of_one_tensor
from apolar.evaluation.row_independence import every_call_tested
from apolar.verification.references import Reference, finite_differences, in_double, nested_reverse_mode

ROWS = 64
"""More points than this are not looked at."""

COLUMNS = 8
"""More entries of a result at a point than this are not looked at."""

SAFETY = 10
"""So many times their own estimate of the error may finite differences be wrong."""


class Verdict(Enum):
    """What the references say about one operator; the values are sentences."""

    CONFIRMED = "right: both references agree"
    NESTED_WRONG = "right: finite differences agree; PyTorch's nested derivative is wrong here"
    NESTED_FAILS = "right: finite differences agree; PyTorch's nested derivative fails"
    COARSE = "right: PyTorch's nested derivative agrees; finite differences are too coarse to tell"
    ROUNDED = "right in double precision, but this dtype keeps too few digits: compute in torch.float64"
    NOT_SMOOTH = (
        "in doubt: finite differences disagree with both derivatives; f may jump, or hide a value from autograd"
    )
    WRONG = "wrong: the references agree with each other and not with apolar; please report it"
    UNDECIDED = "in doubt: no reference confirms it"

    @property
    def ok(self) -> bool:
        """Whether the number of apolar is confirmed."""
        return self.value.startswith("right:")


@dataclass(frozen=True)
class Comparison:
    """One operator against the references. Errors are relative to the largest Σ |c_α| |∂ᵅf| over all points.

    Attributes:
        operator: what was evaluated.
        verdict: in words.
        nested: the error against nested ``torch.autograd.grad``; None where that fails.
        sampled: the error against finite differences, where these can tell.
        uncertainty: how far finite differences trust themselves there.
        coverage: the share of the values at which finite differences can tell: not near a kink or a singularity.
        rounding: how far the dtype of the points is from double precision; None where there is nothing to compare.
    """

    operator: Operator
    verdict: Verdict
    nested: float | None
    sampled: float
    uncertainty: float
    coverage: float
    rounding: float | None


@dataclass(frozen=True, repr=False)
class Check:
    """What :func:`check` found.

    Attributes:
        rows: a comparison for each operator.
        points: how many points were looked at.
        dtype: of the points.
        precision: in which the references were compared: double where that is possible.
        note: what else there is to say, such as why nested reverse mode failed.
    """

    rows: tuple[Comparison, ...]
    points: int
    dtype: torch.dtype
    precision: torch.dtype
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether every operator is confirmed by a reference."""
        return all(row.verdict.ok for row in self.rows)

    def raise_if_wrong(self) -> Check:
        """The report itself, if every operator is confirmed.

        Raises:
            VerificationError: one is not.
        """
        if not self.ok:
            wrong = ", ".join(repr(row.operator) for row in self.rows if not row.verdict.ok)
            raise VerificationError(f"not confirmed: {wrong}.\n{self!r}")
        return self

    def _table(self) -> list[tuple[str, ...]]:
        head = ("operator", "nested autograd", "finite differences", "trusted to", "rounding", "verdict")
        body = [
            (
                _short(repr(r.operator)),
                _number(r.nested),
                _number(r.sampled) + (f" at {r.coverage:.0%}" if r.coverage < 1 else ""),
                _number(r.uncertainty),
                _number(r.rounding),
                r.verdict.value,
            )
            for r in self.rows
        ]
        keep = [i for i in range(len(head)) if i != 4 or any(r.rounding is not None for r in self.rows)]
        return [tuple(row[i] for i in keep) for row in (head, *body)]

    def _title(self) -> str:
        kind, precision = (str(x).removeprefix("torch.") for x in (self.dtype, self.precision))
        where = f"{self.points} point{'s' * (self.points != 1)}, {kind}"
        return f"apolar against its references, at {where}" + (f", compared in {precision}" * (kind != precision))

    def __repr__(self) -> str:
        table = self._table()
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
        return "\n".join([self._title(), *lines, *filter(None, [self.note])])

    def _repr_html_(self) -> str:
        head, *body = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self._table())
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        return (
            f"<table><caption>{html.escape(self._title())}</caption><thead><tr>{head.replace('td>', 'th>')}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{html.escape(self.note)}</p>"
        )


def check(
    f: Callable[..., Any],
    X: Tensor | Sequence[Tensor],
    *operators: Operator | float,
    tolerance: float | None = None,
    seed: int = 0,
) -> Check:
    """Operators of ``f`` against nested reverse mode and against finite differences, and which of them is wrong.

    Where ``f`` can be computed in double precision, all three are compared there, and the dtype of the points against
    double precision.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row, or takes the tensors of a sequence.
        X: points as ``evaluate`` takes them; of many, 64 are chosen.
        operators: what to check.
        tolerance: the relative error that is allowed; by default the root of the dtype's precision times the order.
        seed: which points, and which of more than 8 columns, are chosen.

    Returns:
        A report that prints as a table, with ``ok``, ``rows`` and ``raise_if_wrong()``.

    Raises:
        RowCouplingError: ``f`` mixes rows.
        FunctionError: ``f`` is random.
        DtypeError: the points are complex.
        ApolarError: whatever ``evaluate`` raises.

    Source: docs/mathematics.md, "Trust".

    >>> dx, dy = ap.coordinates("x y")
    >>> X = torch.rand(5, 2, dtype=torch.float64)
    >>> report = ap.check(lambda p: torch.sin(p[:, :1] * p[:, 1:]), X, dx * dy, dx**2 + dy**2)
    >>> report.ok, report.rows[0].verdict.value
    (True, 'right: both references agree')
    """
    tensors = (X,) if isinstance(X, Tensor) else tuple(X)
    if any(isinstance(x, Tensor) and x.is_complex() for x in tensors):
        raise DtypeError("check compares real derivatives: give real points, and view a complex result as real")
    function, points = of_one_tensor(f, X, operators)
    generator = torch.Generator().manual_seed(seed)
    if points.ndim > 1 and len(points) > ROWS:
        chosen = torch.randperm(len(points), generator=generator)[:ROWS]
        points = points[chosen.to(points.device)]
    with every_call_tested():
        found = _evaluated(function, points, operators)
    one = next(p for p in operators if isinstance(p, Operator)).coordinates.one
    wanted = [one * p for p in operators]

    batch = points.shape[:-1]
    width = _columns(found[0], batch).shape[-1]
    picked = torch.randperm(width, generator=generator)[:COLUMNS].sort().values.to(points.device)

    def columns(p: Tensor) -> Tensor:
        return _columns(function(p), p.shape[:-1])[..., picked]

    _refuse_random(columns, points)
    own = [_columns(y, batch)[..., picked].detach() for y in found]
    wide = None if points.dtype == torch.float64 else in_double(columns, points)
    g, at = (wide, points.double()) if wide else (columns, points)
    ours = [y.detach() for y in _evaluated(g, at, wanted)] if wide else own

    sampled = finite_differences(g, at, wanted)
    note, nested = "", None
    try:
        nested = nested_reverse_mode(g, at, wanted)
    except ApolarError:
        raise
    except Exception as error:
        note = f"nested autograd fails with {type(error).__name__}: {error}"
    floor = 1e-3 * float(columns(points).detach().abs().max()) if width and points.numel() else 0.0
    rows = tuple(
        _compare(p, own[i], ours[i], nested[i] if nested else None, sampled[i], floor, tolerance, bool(wide))
        for i, p in enumerate(wanted)
    )
    return Check(rows, math.prod(batch), points.dtype, at.dtype, note)


def _compare(
    operator: Operator,
    own: Tensor,
    ours: Tensor,
    nested: Reference | None,
    sampled: Reference,
    floor: float,
    tolerance: float | None,
    wide: bool,
) -> Comparison:
    """The verdict on one operator."""
    order = max(operator.order, 1)
    allowed, narrow = (tolerance or order * math.sqrt(torch.finfo(y.dtype).eps) for y in (ours, own))
    scale = max((nested or sampled).size, floor) or 1.0
    tells = SAFETY * sampled.error < scale / 10
    counted = tells[ours != 0] if bool(ours.any()) else tells  # what is always 0 tells nothing about the rest
    coverage = float(counted.double().mean()) if counted.numel() else 1.0
    telling = coverage >= 0.5

    difference = _distance(ours, sampled.value)[tells]
    by_samples, uncertainty = _worst(difference) / scale, _worst(sampled.error[tells]) / scale
    samples_agree = _worst(difference - SAFETY * sampled.error[tells]) <= allowed * scale
    by_nesting = _worst(_distance(ours, nested.value)) / scale if nested else None
    nesting_agrees = by_nesting is not None and by_nesting <= allowed
    rounding = _worst(_distance(own, ours)) / scale if wide else None

    if telling and samples_agree:
        verdict = Verdict.CONFIRMED if nesting_agrees else Verdict.NESTED_WRONG if nested else Verdict.NESTED_FAILS
    elif nesting_agrees:
        verdict = Verdict.NOT_SMOOTH if telling else Verdict.COARSE
    else:
        apart = _distance(nested.value, sampled.value)[tells] - SAFETY * sampled.error[tells] if nested else None
        agree = telling and apart is not None and _worst(apart) <= allowed * scale
        verdict = Verdict.WRONG if agree else Verdict.UNDECIDED
    if verdict.ok and rounding is not None and rounding > narrow:
        verdict = Verdict.ROUNDED
    return Comparison(operator, verdict, by_nesting, by_samples, uncertainty, coverage, rounding)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """|a - b|; nothing where both are the same infinity or no number, infinite where only one is."""
    a, b = a.double(), b.double()
    same = (a == b) | (a.isnan() & b.isnan())
    return torch.where(same, 0.0, (a - b).abs().nan_to_num(nan=math.inf))


def _worst(x: Tensor) -> float:
    return float(x.max()) if x.numel() else 0.0


def _evaluated(g: Callable[[Tensor], Any], points: Tensor, operators: Sequence[Operator | float]) -> list[Any]:
    found = evaluate(g, points, *operators)
    return list(found) if len(operators) > 1 else [found]


def _columns(output: Any, batch: Sequence[int]) -> Tensor:
    """All real numbers of a result at each point, ``(*batch, k)``."""
    leaves = [torch.view_as_real(y) if y.is_complex() else y for y in tree_leaves(output)]
    return torch.cat([y.reshape(*batch, math.prod(y.shape[len(batch) :])) for y in leaves], -1)


def _refuse_random(g: Callable[[Tensor], Tensor], points: Tensor) -> None:
    with torch.no_grad():
        once, again = g(points), g(points)
    if not torch.allclose(once, again, equal_nan=True):
        raise FunctionError(
            "f gives other values when it is called again, so that its derivatives cannot be compared. Dropout is random in "
            "training mode: call .eval(), or draw random numbers outside of f."
        )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _number(x: float | None) -> str:
    return "—" if x is None else f"{x:.1e}" if math.isfinite(x) else str(x)
