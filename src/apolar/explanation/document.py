"""An explanation as a document: headings, sentences, equations and drawings, which text, HTML and LaTeX only set in type.

Every fixed text that a reader sees stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

from apolar.algebras.operators import SUPERSCRIPTS
from apolar.explanation.explanation import Adjoint, By, Contribution, Derivation, Explanation, Leaf, Step
from apolar.explanation.notation import Formula, adjoint, array, factor, named, primes
from apolar.text.languages import Language, mark, translate


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is that of the document."""

    text: str
    level: int


@dataclass(frozen=True)
class Sentence:
    """A paragraph of one or a few sentences."""

    text: str


@dataclass(frozen=True)
class Equation:
    """left = right = right, and a remark."""

    left: Formula
    rights: tuple[Formula, ...]
    note: str = ""


@dataclass(frozen=True)
class Equations:
    """Equations below each other; the last ones may be set off as results."""

    rows: tuple[Equation, ...]
    is_result: bool = False


@dataclass(frozen=True)
class Drawing:
    """The computation graph, for media that can draw."""

    derivation: Derivation
    caption: str


Block = Heading | Sentence | Equations | Drawing

LONGEST_SUM = 12
"""Of more contributions, or a third as many arrays, the sum shows the first and the last; each has its own line above."""

KINDS = {"input": mark("input"), "parameter": mark("parameter"), "constant": mark("constant")}

SUMMED = mark("The result has the shape {shape}. Its entries are summed, and the sum is differentiated.")
WEIGHTED = mark(
    "The result has the shape {shape}. Its entries are multiplied by those of the seed and summed, and the sum is "
    "differentiated."
)
ROUNDED = mark("Numbers are rounded to six decimals; the JSON form holds all digits.")
FUNCTION = mark("The function and its first derivative")
DERIVATIVE = mark("{derivative} as a function of its own")
AGAIN = mark(
    "The backward pass is itself made of elementary operations. Here they are for {derivative}, together with the values "
    "that they need; what has a name above keeps it."
)
ENTRIES = mark("The entries of {derivative} are summed before they are differentiated once more.")
FORWARD = mark("Forward pass")
BACKWARD = mark("Backward pass")
BAR = mark(
    "A bar means the derivative of {function} by this value. It is the sum of the contributions of all uses of the value, "
    "and each contribution is the upstream value times the local derivative."
)
CONSTANT = mark("{function} does not depend on the inputs here, so its derivatives are 0.")
SEED = mark("seed")
USE = mark("from {user}, by {function}")
USE_AS = mark("from {user}, by {function}, as argument {place}")
NOT_FINITE = mark(
    "{name} is the first value that is not a finite number: the function is not defined here, or the number is too large. "
    "What follows from it need not be finite either."
)
STEEP = mark("The derivative of {function} is not finite here: look at the first contribution that is inf or nan.")
SHAPE = mark("shape {shape}")
SUMMED_AXES = mark("summed over the axes of broadcasting")
GRAPH = mark(
    "The computation graph. On each edge: the value on its way forward, below it the contribution on its way back."
)
COMPONENTS = mark("Derivatives that travel forward")
COMPONENTS_SAID = mark(
    "The same derivatives without a backward pass: every value carries its own derivatives, and each operation makes those "
    "of its result by the chain rule. The last lines agree with the derivatives found above."
)
DIRECTION = mark("Inputs that are vectors move along (1, …, 1), which sums the derivatives by their entries.")
SYMBOLIC = mark("Simplified formulas")
SYMBOLIC_SAID = mark("Derived and simplified by SymPy, with the number from above at the point.")
ENTRYWISE = mark("The function acts entry by entry, and so do these formulas.")
OMITTED = mark("{count} lines are left out here; the page, LaTeX and JSON have them.")

NOTATION = {
    r"\bH\(": mark("H(u) is 1 for u > 0, 0 for u < 0 and ½ at u = 0."),
    r"\[[^\[\]]* [<>≤≥≠=]": mark("A comparison in brackets is 1 where it holds and 0 elsewhere."),
    "⊙": mark("⊙ multiplies entry by entry."),
    "Jᵀ": mark("Jᵀ(g) is the transposed Jacobian matrix of the operation g."),
    "…": mark("… stands for what is left out."),
}
"""Signs that a reader may not know, each explained where it occurs."""


def blocks(explanation: Explanation, lang: Language) -> Iterator[Block]:
    """The document, from top to bottom."""

    def say(text: str, **parts: object) -> str:
        return translate(text, "explanation", lang).format(**parts)

    content = list(_content(explanation, say))
    yield from content
    written = "".join(
        right.plain for block in content if isinstance(block, Equations) for row in block.rows for right in row.rights
    )
    for sign, meaning in NOTATION.items():
        if re.search(sign, written):
            yield Sentence(say(meaning))
    yield Sentence(say(ROUNDED))


Say = Callable[..., str]


def _content(explanation: Explanation, say: Say) -> Iterator[Block]:
    yield Heading(explanation.title, 1)
    shape = tuple(explanation.value.shape)
    if shape:
        yield Sentence(say(SUMMED if explanation.seed is None else WEIGHTED, shape=shape))
    for derivation in explanation.derivations:
        yield from _derivation(explanation, derivation, say)
    if explanation.components:
        yield Heading(say(COMPONENTS), 2)
        yield Sentence(say(COMPONENTS_SAID))
        if any(value.ndim for value in explanation.inputs.values()):
            yield Sentence(say(DIRECTION))
        yield Equations(tuple(Equation(c.name, _rights(c.formula, array(c.value))) for c in explanation.components))
    if explanation.symbolic:
        yield Heading(say(SYMBOLIC), 2)
        yield Sentence(say(SYMBOLIC_SAID))
        if shape:
            yield Sentence(say(ENTRYWISE))
        numbers = {(): explanation.value, **explanation.derivatives}
        yield Equations(
            tuple(
                Equation(name_of(explanation, s.by), _rights(s.formula, array(numbers[s.by])))
                for s in explanation.symbolic
            ),
            is_result=True,
        )


def _derivation(explanation: Explanation, found: Derivation, say: Say) -> Iterator[Block]:
    function = name_of(explanation, found.by)
    if not found.by:
        yield Heading(say(FUNCTION), 2)
    else:
        yield Heading(say(DERIVATIVE, derivative=function), 2)
        yield Sentence(say(AGAIN, derivative=function))
        if found.value.ndim:
            yield Sentence(say(ENTRIES, derivative=function))
    yield Heading(say(FORWARD), 3)
    yield Equations((*(_leaf(x, say) for x in found.leaves), *(_step(x, say) for x in found.steps)))
    wrong = next((step for step in found.steps if not _is_finite(step.value)), None)
    if wrong and not found.by and all(_is_finite(leaf.value) for leaf in found.leaves):
        yield Sentence(say(NOT_FINITE, name=wrong.name))
    yield Equations((Equation(function, (found.output, array(found.value))),), is_result=True)
    yield Heading(say(BACKWARD), 3)
    if not found.adjoints:
        yield Sentence(say(CONSTANT, function=function))
        return
    yield Sentence(say(BAR, function=function))
    yield Equations(tuple(row for x in found.adjoints for row in _adjoint(x, say)))
    if not found.by and _is_finite(found.value) and not all(map(_is_finite, found.gradients.values())):
        yield Sentence(say(STEEP, function=function))
    names = {leaf.label or leaf.name.plain: leaf.name for leaf in found.leaves}
    yield Equations(
        tuple(
            Equation(
                name_of(explanation, (*found.by, label)),
                (*([adjoint(names[label])] if label in names else []), array(value)),
            )
            for label, value in found.gradients.items()
        ),
        is_result=True,
    )
    yield Drawing(found, say(GRAPH))


def _leaf(leaf: Leaf, say: Say) -> Equation:
    label = f" {leaf.label}" if leaf.kind == "parameter" else ""
    return Equation(leaf.name, (array(leaf.value),), _joined(say(KINDS[leaf.kind]) + label, _shape(leaf.value, say)))


def _step(step: Step, say: Say) -> Equation:
    return Equation(step.name, _rights(step.formula, step.numbers, array(step.value)), _shape(step.value, say))


def _adjoint(found: Adjoint, say: Say) -> Iterator[Equation]:
    """One line for one contribution; several contributions each have a line, and their sum the last one."""
    name = adjoint(found.of)
    if not found.contributions:
        yield Equation(name, (array(found.gradient),), say(SEED))
    elif len(found.contributions) == 1:
        (only,) = found.contributions
        yield Equation(name, _chain(found.of, only), _note(only, say))
    else:
        parts = [_part(name, k + 1) for k in range(len(found.contributions))]
        for part, contribution in zip(parts, found.contributions):
            use = say(
                USE if contribution.place is None else USE_AS,
                user=contribution.user,
                function=contribution.function,
                place=contribution.place,
            )
            yield Equation(part, _chain(found.of, contribution), _joined(use, _note(contribution, say)))
        values = [factor(c.value) if k else array(c.value) for k, c in enumerate(found.contributions)]
        most = LONGEST_SUM // 3 if found.gradient.ndim else LONGEST_SUM
        yield Equation(name, (_added(parts, most), _added(values, most), array(found.gradient)))


def _chain(of: Formula, contribution: Contribution) -> tuple[Formula, ...]:
    """v̄₂·∂v₂/∂v₁ = v̄₂·(-sin(v₁)) = 1·(-0.247404) = -0.247404."""
    if contribution.local is None:
        return (contribution.product, array(contribution.value))
    upstream, user = adjoint(contribution.user), contribution.user
    general = Formula(
        f"{upstream.plain}·∂{user.plain}/∂{of.plain}",
        rf"{upstream.latex} \cdot \frac{{\partial {user.latex}}}{{\partial {of.latex}}}",
    )
    a, b = array(contribution.upstream), factor(contribution.local)
    sign, latex = ("·", r"\cdot") if contribution.local.ndim == 0 else (" ⊙ ", r"\odot")
    numbers = Formula(f"{a.plain}{sign}{b.plain}", f"{a.latex} {latex} {b.latex}")
    several = contribution.place is not None  # ∂v/∂x would be the derivative by all of them
    return _rights(None if several else general, contribution.product, numbers, array(contribution.value))


def _note(contribution: Contribution, say: Say) -> str:
    summed = contribution.local is not None and contribution.local.shape != contribution.value.shape
    words = say(contribution.words, function=contribution.function) if contribution.words else ""
    return _joined(words, say(SUMMED_AXES) if summed else "", _shape(contribution.value, say))


def _part(name: Formula, k: int) -> Formula:
    return Formula(f"{name.plain}⁽{str(k).translate(SUPERSCRIPTS)}⁾", f"{{{name.latex}}}^{{({k})}}")


def _added(parts: Sequence[Formula], most: int) -> Formula:
    if len(parts) > most:
        parts = [*parts[: most - 2], Formula("…", r"\cdots"), parts[-1]]
    return Formula(" + ".join(part.plain for part in parts), " + ".join(part.latex for part in parts))


def _rights(*formulas: Formula | None) -> tuple[Formula, ...]:
    """What is equal, each once."""
    found = {formula.plain: formula for formula in formulas if formula is not None}
    return tuple(found.values())


def _is_finite(value: Tensor) -> bool:
    return bool(value.isfinite().all())


def _shape(value: Tensor, say: Say) -> str:
    return say(SHAPE, shape=tuple(value.shape)) if value.ndim else ""


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def name_of(explanation: Explanation, by: By) -> Formula:
    """f, f′ and f″ with one input; ∂²f/∂x∂y with several."""
    f = explanation.name
    if len(explanation.derivations[0].gradients) == 1:
        above = primes(len(by))
        return Formula(f.plain + above.plain, f"{{{f.latex}}}^{{{above.latex}}}" if by else f.latex)
    if not by:
        return f
    names = {label: named(label) for label in explanation.inputs}
    names |= {leaf.label or leaf.name.plain: leaf.name for leaf in explanation.derivations[0].leaves}
    n = len(by)
    powers = [(label, len(list(group))) for label, group in groupby(by)]
    below = "".join(f"∂{names[v].plain}" + (str(k).translate(SUPERSCRIPTS) if k > 1 else "") for v, k in powers)
    below_latex = r" \, ".join(rf"\partial {names[v].latex}" + (f"^{{{k}}}" if k > 1 else "") for v, k in powers)
    top = str(n).translate(SUPERSCRIPTS) if n > 1 else ""
    top_latex = f"^{{{n}}}" if n > 1 else ""
    return Formula(f"∂{top}{f.plain}/{below}", rf"\frac{{\partial{top_latex} {f.latex}}}{{{below_latex}}}")
