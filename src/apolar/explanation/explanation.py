"""What an explanation holds: records of numbers and formulas, and the ways to show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from apolar.errors import MissingExtra
from apolar.explanation.notation import Formula
from apolar.text.languages import Language

By = tuple[str, ...]
"""By which inputs a function was differentiated, in this order; empty for the function itself."""


@dataclass(frozen=True)
class Leaf:
    """A value that the computation starts from.

    Attributes:
        name: as it is written.
        kind: "input", "parameter" or "constant".
        label: the name of an argument, or of a parameter in its module.
        value: the tensor.
    """

    name: Formula
    kind: str
    label: str
    value: Tensor


@dataclass(frozen=True)
class Step:
    """One elementary operation of the forward pass.

    Attributes:
        name: of the result.
        function: torch's name of the operation.
        formula: in the names of the operands.
        numbers: the same formula in the values of the operands; None where one of them is not a single number.
        operands: their names.
        value: the result.
    """

    name: Formula
    function: str
    formula: Formula
    numbers: Formula | None
    operands: tuple[Formula, ...]
    value: Tensor


@dataclass(frozen=True)
class Contribution:
    """What one use of a value adds to its gradient: upstream × local derivative.

    Attributes:
        user: the result that the value went into.
        function: torch's name of the operation that made it.
        derivative: the local derivative as a formula; None where the operation is not computed entry by entry.
        product: the contribution as a formula.
        upstream: the gradient of the user.
        local: the local derivative as numbers; None as above.
        value: the contribution; summed over the axes along which the operand was broadcast.
        words: what happens, as a marked text; may be empty.
        place: which argument of the operation, from 1 on, where the value is several of them; otherwise None.
    """

    user: Formula
    function: str
    derivative: Formula | None
    product: Formula
    upstream: Tensor
    local: Tensor | None
    value: Tensor
    words: str
    place: int | None


@dataclass(frozen=True)
class Adjoint:
    """The gradient of the result by one value: the sum of the contributions.

    Attributes:
        of: the value.
        contributions: one for each use; none for the result itself, whose gradient is the seed.
        gradient: the sum.
    """

    of: Formula
    contributions: tuple[Contribution, ...]
    gradient: Tensor


@dataclass(frozen=True)
class Edge:
    """An operand on its way into an operation, for the drawing: its value forward, the contribution backward."""

    source: Formula
    target: Formula
    value: Tensor
    contribution: Tensor | None


@dataclass(frozen=True)
class Derivation:
    """A function and its gradient, step by step.

    Attributes:
        by: empty for the function itself; ("x",) for its derivative by x, explained as a function of its own.
        leaves: inputs, parameters and constants that occur.
        steps: the forward pass.
        output: the name of the result.
        value: the result.
        adjoints: the backward pass, from the result to the leaves.
        gradients: the derivatives by the inputs and parameters, by label.
        edges: of the computation graph.
    """

    by: By
    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    output: Formula
    value: Tensor
    adjoints: tuple[Adjoint, ...]
    gradients: Mapping[str, Tensor]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Component:
    """One derivative of one value on the way forward.

    Attributes:
        name: of the derivative, such as v₂″.
        formula: in the derivatives of the operands; None where there is no short one.
        value: the numbers.
    """

    name: Formula
    formula: Formula | None
    value: Tensor


@dataclass(frozen=True)
class Symbolic:
    """A derivative as SymPy writes it.

    Attributes:
        by: which one.
        formula: simplified.
        text: as SymPy prints and reads it.
    """

    by: By
    formula: Formula
    text: str


@dataclass(frozen=True, repr=False)
class Explanation:
    """The steps of a derivative. Printed, it is text; in a notebook, a page.

    Attributes:
        title: the function with its arguments, and the formula where one was typed.
        name: the function alone.
        inputs: what it is differentiated by, at which values.
        order: up to which order.
        value: of the function.
        derivations: the function and its gradient, and for higher orders each derivative as a function of its own.
        components: the derivatives that travel forward, for orders above 1; empty where the function has none.
        symbolic: SymPy's formulas, empty where SymPy cannot express the function.
        seed: what the entries of the result were multiplied by before they were summed; None for 1.
        lang: the language of the texts.
    """

    title: str
    name: Formula
    inputs: Mapping[str, Tensor]
    order: int
    value: Tensor
    derivations: tuple[Derivation, ...]
    components: tuple[Component, ...] = field(default=())
    symbolic: tuple[Symbolic, ...] = field(default=())
    seed: Tensor | None = None
    lang: Language = "en"

    @property
    def derivatives(self) -> dict[By, Tensor]:
        """Every derivative that was found: ``("x",)`` ↦ ∂f/∂x, ``("x", "y")`` ↦ the gradient by y of the sum of ∂f/∂x."""
        return {(*d.by, name): value for d in self.derivations for name, value in d.gradients.items()}

    def text(self, lang: Language | None = None) -> str:
        """The steps as plain text."""
        from apolar.explanation.text import plain_text

        return plain_text(self, lang or self.lang)

    def to_html(self, path: str | Path | None = None, lang: Language | None = None) -> str:
        """The steps as one page that needs nothing else; written to a file if a path is given.

        Raises:
            MissingExtra: ``apolar[explain]`` is not installed.
        """
        from apolar.explanation.html import page

        return _saved(page(self, lang or self.lang), path)

    def to_latex(self, path: str | Path | None = None, lang: Language | None = None) -> str:
        """The steps as a LaTeX document; written to a file if a path is given."""
        from apolar.explanation.latex import document

        return _saved(document(self, lang or self.lang), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """All numbers, exactly, and all formulas as JSON; written to a file if a path is given."""
        from apolar.explanation.data import as_json

        return _saved(as_json(self), path)

    def to_dot(self, path: str | Path | None = None) -> str:
        """The computation graph of the function for Graphviz; written to a file if a path is given."""
        from apolar.explanation.graph import dot

        return _saved(dot(self.derivations[0]), path)

    def __repr__(self) -> str:
        return self.text()

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from apolar.explanation.text import renderables

        yield from renderables(self, self.lang)

    def _repr_html_(self) -> str | None:
        """A page for notebooks; where packages for it are missing, None, so that they show the text."""
        try:
            from apolar.explanation.html import fragment

            return fragment(self, self.lang)
        except MissingExtra:
            return None


def _saved(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
