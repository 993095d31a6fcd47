"""The answer to a question: results, notices, plots and steps, as pieces of a page. Computed in a worker."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
import torch
from latex2mathml.converter import convert
from torch import Tensor

import apolar as ap
from apolar.errors import SingularPoint
from apolar.explanation import Explanation
from apolar.explanation.document import Block, Heading, blocks
from apolar.explanation.html import element
from apolar.explanation.notation import named, quantity
from apolar.page.plane import Numbers
from apolar.page.plots import contours, curve, half_width
from apolar.page.question import Problem, Question, Refusal, read
from apolar.page.texts import text

OPEN_SECTIONS = 4
"""With more sections of steps than these, only the first one is open."""

STATIONARY = 1e-9
"""A gradient this small beside the Hessian and beside the value is taken as 0."""


@dataclass(frozen=True)
class Figure:
    """A drawing, what is said below it, and the kinds of lines that a legend explains."""

    svg: str
    caption: str
    legend: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the steps."""

    heading: str
    html: str
    is_open: bool


@dataclass(frozen=True)
class Answer:
    """All that a page shows; html where it says so, plain text elsewhere.

    Attributes:
        title: the function.
        point: where.
        results: equations, as html.
        order: in which gradient and Hessian name the variables; empty for one variable.
        notices: what the reader should know; a text of the page, and a remark in English that may be empty.
        figures: the plots.
        sections: the steps.
    """

    title: str
    point: str
    results: tuple[str, ...]
    order: str
    notices: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]


def answer(question: Question) -> Answer | Refusal:
    """What there is to show, or why there is nothing."""
    torch.set_num_threads(1)
    try:
        with np.errstate(all="ignore"):  # plots leave out what is not finite
            return _answer(question)
    except Refusal as refusal:
        return refusal
    except Exception:
        logging.exception("no answer to %r", question)
        return Refusal("", text("failed", question.lang))


def _answer(question: Question) -> Answer:
    say = partial(text, lang=question.lang)
    problem = read(question)
    f, x = problem.expression.of_points, problem.position
    value = f(x)
    if not value.isfinite():
        raise _without_value(problem, question)
    gradient, hessian = ap.grad(f)(x), _hessian(f, x)
    singular, kind = _singular(problem), _kind(value, gradient, hessian)
    notices = []
    if singular:
        notices.append((say("singular"), singular))
    if not (gradient.isfinite().all() and hessian.isfinite().all()):
        notices.append((say("not_finite"), ""))
    elif not singular and kind:
        notices.append((say(kind), ""))
    explanation, reason = _explained(problem, question)
    if reason is not None:
        notices.append(reason)
    names = problem.expression.variables
    return Answer(
        title=f"f({', '.join(named(name).plain for name in names)}) = {problem.expression.text}",
        point=_point(problem.point),
        results=tuple(map(_mathml, _results(problem, value, gradient, hessian))),
        order=_point_names(names) if len(names) > 1 else "",
        notices=tuple(notices),
        figures=tuple(_figures(problem, question, value, torch.zeros_like(gradient) if kind else gradient, hessian)),
        sections=() if explanation is None else _sections(explanation),
    )


def _without_value(problem: Problem, question: Question) -> Refusal:
    """Which step of the computation leaves the finite real numbers."""
    explanation = ap.explain(problem.expression.text, problem.point)
    step = next(step for step in explanation.derivations[0].steps if not step.value.isfinite())
    shown = step.numbers or step.formula
    value = "NaN" if step.value.isnan() else "∞" if step.value > 0 else "−∞"
    return Refusal("at", text("undefined", question.lang).format(step=shown, value=value))


def _singular(problem: Problem) -> str:
    """Which part of the function has no derivative, if any."""
    system = ap.coordinates(problem.expression.variables)
    at = tuple(torch.tensor(value, dtype=torch.float64) for value in problem.point.values())
    try:
        ap.evaluate(problem.expression, at, *(a * b for a in system for b in system), check_finite=True)
    except SingularPoint as error:
        return str(error).partition(", called at")[0]
    return ""


def _hessian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """NaN where there is none."""
    try:
        return ap.hessian(f)(x)
    except SingularPoint:
        return x.new_full((len(x), len(x)), math.nan)


def _kind(value: Tensor, gradient: Tensor, hessian: Tensor) -> str:
    """What kind of stationary point this is, as the name of a text; empty where it is none."""
    slope, curvature = float(gradient.abs().max()), float(hessian.abs().max())
    if not slope <= STATIONARY * min(curvature, max(1.0, abs(float(value)))) < math.inf:
        return ""
    eigenvalues, zero = torch.linalg.eigvalsh(hessian), STATIONARY * curvature
    low, high = eigenvalues[0], eigenvalues[-1]
    if low > zero:
        return "minimum"
    if high < -zero:
        return "maximum"
    return "saddle" if low < -zero and high > zero else "degenerate"


# -------------------------------------------------------------------------------------------------------------- results


def _results(problem: Problem, value: Tensor, gradient: Tensor, hessian: Tensor) -> Iterator[tuple[str, ...]]:
    """The value and the derivatives as LaTeX, in pieces between which a line may break."""
    if len(gradient) > 1:
        yield (f"f = {_number(value)}",)
        yield (rf"\nabla f = {_matrix(gradient[:, None])}",)
        yield (f"H_{{f}} = {_matrix(hessian)}",)
        return
    ((name, center),) = problem.point.items()
    first, second = gradient[0], hessian[0, 0]
    place, variable = rf"\left({quantity(center).latex}\right)", named(name).latex
    yield (f"f{place} = {_number(value)}",)
    yield (rf"f^{{\prime}}{place} = {_number(first)}",)
    yield (rf"f^{{\prime \prime}}{place} = {_number(second)}",)
    if first.isfinite() and second.isfinite():
        step = variable if center == 0 else rf"\left({variable} {_signed(-center)}\right)"
        tangent = (f"= {_number(value)}", rf"{_signed(float(first))} \, {step}")
        yield (rf"T_{{1}}\left({variable}\right)", *tangent)
        yield (rf"T_{{2}}\left({variable}\right)", *tangent, rf"{_signed(float(second) / 2)} \, {{{step}}}^{{2}}")


def _number(value: Tensor) -> str:
    return quantity(float(value)).latex if value.isfinite() else r"\text{—}"


def _signed(value: float) -> str:
    return f"- {quantity(-value).latex}" if value < 0 else f"+ {quantity(value).latex}"


def _matrix(values: Tensor) -> str:
    rows = r" \\ ".join(" & ".join(map(_number, row)) for row in values)
    return rf"\left[ \begin{{matrix}} {rows} \end{{matrix}} \right]"


def _mathml(pieces: Sequence[str]) -> str:
    return " ".join(map(convert, pieces))


def _point(point: dict[str, float]) -> str:
    return ", ".join(f"{named(name).plain} = {quantity(value).plain}" for name, value in point.items())


def _point_names(names: Sequence[str]) -> str:
    return ", ".join(named(name).plain for name in names)


# ---------------------------------------------------------------------------------------------------------------- steps


def _explained(problem: Problem, question: Question) -> tuple[Explanation | None, tuple[str, str] | None]:
    """The steps, and where not all of them can be shown, why."""
    lang, reason = question.lang, None
    for order in dict.fromkeys([question.order, 1]):
        try:
            return ap.explain(problem.expression.text, problem.point, order, lang=lang), reason
        except Exception as error:  # of a high order at a point where derivatives do not exist, SymPy's as well
            logging.info("no steps of order %s for %r: %r", order, question, error)
            detail = str(error) if isinstance(error, ap.ApolarError) else ""
            reason = (text("lower_order" if order > 1 else "no_steps", lang).format(order=order), detail)
    return None, reason


def _sections(explanation: Explanation) -> tuple[Section, ...]:
    """The blocks of the explanation below each heading of the second level."""
    document = [b for b in blocks(explanation, explanation.lang) if not (isinstance(b, Heading) and b.level == 1)]
    number, grouped = 0, []
    for block in document:
        number += isinstance(block, Heading) and block.level == 2
        grouped.append((number, block))
    parts = [[block for _, block in group] for _, group in groupby(grouped, key=lambda pair: pair[0])]
    return tuple(_section(part, k == 0 or len(parts) <= OPEN_SECTIONS) for k, part in enumerate(parts))


def _section(part: Sequence[Block], is_open: bool) -> Section:
    heading, *rest = part
    assert isinstance(heading, Heading)
    return Section(heading.text, "\n".join(map(element, rest)), is_open)


# ---------------------------------------------------------------------------------------------------------------- plots


def _figures(
    problem: Problem, question: Question, value: Tensor, gradient: Tensor, hessian: Tensor
) -> Iterator[Figure]:
    """Lines of equal value for two variables, and a curve along each coordinate."""
    say = partial(text, lang=question.lang)
    names, at = problem.expression.variables, problem.position.numpy()
    half = half_width(at, question.zoom)
    if len(names) == 2:
        caption = _said_of_contours(gradient, say("contours"), say("contours_stationary"), say("contours_without"))
        drawn = contours(
            lambda *xs: _evaluated(problem, xs), at, half, gradient.numpy(), (names[0], names[1]), "contours", caption
        )
        if drawn:
            yield Figure(drawn, caption)
    for k, name in enumerate(names):
        others = {n: v for n, v in problem.point.items() if n != name}
        caption = say("cut").format(name=named(name).plain, others=_point(others)) if others else say("curve")
        taylor = (float(value), float(gradient[k]), float(hessian[k, k]))
        label = f"f({', '.join(named(n).plain if n == name else quantity(v).plain for n, v in problem.point.items())})"

        def along(xs: Numbers, k: int = k) -> Numbers:
            return _evaluated(problem, [xs if j == k else np.full_like(xs, at[j]) for j in range(len(at))])

        finite = (math.isfinite(taylor[1]), math.isfinite(taylor[1] + taylor[2]))
        legend = ("function", *(line for line, shown in zip(("tangent", "taylor"), finite) if shown))
        if not others and len(legend) == 1:
            caption = say("curve_alone")
        if drawn := curve(along, float(at[k]), half, taylor, (name, label), f"curve-{k}", caption):
            yield Figure(drawn, caption, legend)


def _said_of_contours(gradient: Tensor, slope: str, stationary: str, without: str) -> str:
    if not gradient.isfinite().all():
        return without
    return slope.format(slope=quantity(float(gradient.norm())).plain) if gradient.any() else stationary


def _evaluated(problem: Problem, coordinates: Sequence[Numbers]) -> Numbers:
    values = problem.expression(*(torch.as_tensor(c, dtype=torch.float64) for c in coordinates))
    return np.asarray(values.numpy())
