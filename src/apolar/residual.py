"""Residuals of differential equations, written as Python: the derivatives that they need are found by running them once.

Above ``evaluate``, ``fields`` and ``values``. The equation is run on fields; linear combinations of derivatives with numbers as
coefficients become single operators; one evaluation finds all of them, and the rest of the equation is repeated on tensors.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from apolar.algebra import Algebra, algebra
from apolar.errors import CoordinateError, FunctionError, OperatorError, ShapeError
from apolar.evaluate import evaluate
from apolar.fields import RESERVED, Field, Space, Sum, readings
from apolar.operators import Coordinates, Operator
from apolar.operators import coordinates as system
from apolar.values import Values, needed


def residual(
    coordinates: str | Coordinates, outputs: str | Sequence[str] | None = None
) -> Callable[[Callable[..., Any]], Residual]:
    """A differential equation as a function of a network and points, found from Python code by running it once.

    In the equation an unknown ``u`` has the derivatives ``u.x``, ``u.xx``, ``u.xt`` (names of coordinates), ``u.d("x", 4)``,
    ``u.d(P)`` for an operator, ``u.gradient``, ``u.laplacian`` and ``u.bilaplacian`` (in all coordinates), and the
    coordinates ``u.coords.x``. Everything else is Python and torch, also derivatives of products and functions.

    Args:
        coordinates: the names, in the order of the last axis of the points.
        outputs: the names of the unknowns, if there are several: the columns of the network's last axis, in order. The
            decorated function takes one argument for each, of shape ``(..., 1)``.

    Returns:
        A decorator; what it makes is called as ``r = equation(f, points, *extra)``: f maps points ``(..., d)`` to ``(..., k)``,
        extra arguments go to the equation as they are, and r has the shape, or the nest of shapes, that the equation returns.

    Raises:
        CoordinateError: a name of a derivative that is none.
        OperatorError: an equation that cannot be recorded; the message says what to write instead.
        ShapeError: the network has another number of outputs.

    >>> @ap.residual("x t")
    ... def burgers(u):
    ...     return u.t + u * u.x - 0.5 * u.xx
    >>> burgers
    burgers(u) = (-1/2 ∂x² + ∂t) u + u · ∂x u in (x, t)
    operators: -1/2 ∂x² + ∂t, 1, ∂x
    3 components instead of 6 (all derivatives of order 2 or less in 2 coordinates): 1, ∂x, -∂x² + 2 ∂t
    >>> burgers(lambda p: p[..., :1] ** 2 * p[..., 1:], torch.tensor([[1.0, 2.0]]))
    tensor([[7.]])
    """
    if callable(coordinates):
        raise OperatorError('name the coordinates: @ap.residual("x t")')
    space = coordinates if isinstance(coordinates, Coordinates) else system(coordinates)
    for word in RESERVED:
        if readings(word, space.names):
            raise CoordinateError(f"a field has a meaning of its own for .{word}: choose other names than {space}")
    names = None if outputs is None else tuple(system(outputs if isinstance(outputs, str) else list(outputs)).names)
    return lambda equation: Residual(equation, space, names)


class Residual:
    """An equation made by :func:`residual`: call it with a network and points.

    The equation runs anew in every call, so that numbers which it takes from outside may change.

    Attributes:
        coordinates: of the last axis of the points.
        outputs: the names of the unknowns; None for a single one, the whole output of the network.
        operators: what it needs of the unknowns in one evaluation; extra arguments are taken for tensors here.
        algebra: what the evaluation carries.
    """

    def __init__(self, equation: Callable[..., Any], coordinates: Coordinates, outputs: tuple[str, ...] | None) -> None:
        self.equation, self.coordinates, self.outputs = equation, coordinates, outputs
        self._parameters = [
            p for p in inspect.signature(equation).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        count = 1 if outputs is None else len(outputs)
        positional = [p for p in self._parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        if len(positional) < count and not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in positional):
            raise OperatorError(
                f"{_name(equation)} takes {len(positional)} arguments, but there are {count} unknowns: {outputs or ('u',)}"
            )
        self._space = Space(coordinates, outputs or (positional[0].name,))
        functools.update_wrapper(self, equation)

    def __call__(self, f: Callable[..., Any], points: Tensor | Sequence[Tensor], *extra: Any, **named: Any) -> Any:
        """The residual at the points.

        Args:
            f: maps points ``(..., d)`` to the unknowns ``(..., k)``, row by row.
            points: ``(..., d)``; or a sequence of tensors, as :func:`evaluate` takes it.
            extra, named: further arguments of the equation: numbers, tensors, parameters.

        Raises:
            OperatorError, CoordinateError: the equation cannot be recorded.
            ShapeError: f has another number of outputs.
            ApolarError: what :func:`evaluate` raises.
        """
        recorded = self._record(*extra, **named)
        operators = self._operators(recorded)
        values = Values(self._space, dict(zip(operators, self._evaluate(f, points, operators))), points)
        return tree_map(lambda x: values(x) if isinstance(x, Field) else x, recorded)

    @property
    def operators(self) -> tuple[Operator, ...]:
        return self._operators(self._record(*self._stand_ins()))

    @property
    def algebra(self) -> Algebra:
        return algebra(*self.operators)

    def _record(self, *extra: Any, **named: Any) -> Any:
        """What the equation returns for fields."""
        one = self.coordinates.one
        fields = [Sum(self._space, {j: one}) for j in range(len(self._space.unknowns))]
        try:
            inspect.signature(self.equation).bind(*fields, *extra, **named)
        except TypeError as error:
            raise OperatorError(
                f"{_name(self.equation)} does not fit its call, {error}: the unknowns are ({', '.join(self._space.unknowns)}), "
                'further arguments follow the points. Name several unknowns by outputs="u v".'
            ) from None
        recorded = self.equation(*fields, *extra, **named)
        for leaf in tree_leaves(recorded):
            if not isinstance(leaf, (Field, Tensor, Real)):
                raise OperatorError(
                    f"{_name(self.equation)} must return an expression, or a tuple, list or dictionary of them; got {leaf!r}"
                )
        return recorded

    def _operators(self, recorded: Any) -> tuple[Operator, ...]:
        operators = needed([x for x in tree_leaves(recorded) if isinstance(x, Field)], self.coordinates.one)
        if not operators:
            raise OperatorError(f"{_name(self.equation)} returns {recorded!r}, in which there is no unknown")
        return operators

    def _evaluate(self, f: Any, points: Any, operators: tuple[Operator, ...]) -> tuple[Tensor, ...]:
        if any(p.order for p in operators):
            found = evaluate(f, points, *operators)
            results = found if len(operators) > 1 else (found,)
        else:
            y = f(points) if isinstance(points, Tensor) else f(*points)
            results = tuple(y * float(sum(p.terms.values(), Fraction(0))) for p in operators)
        first = results[0]
        if not isinstance(first, Tensor):
            raise FunctionError(
                f"the unknowns must be one tensor, with a column for each; f returned {type(first).__name__}"
            )
        if self.outputs is not None and first.shape[-1:] != (len(self.outputs),):
            raise ShapeError(
                f"the unknowns are ({', '.join(self.outputs)}), so that f must return (..., {len(self.outputs)}); "
                f"got {tuple(first.shape)}"
            )
        return results

    def _stand_ins(self) -> list[Tensor]:
        """A tensor for every extra argument that has no default."""
        rest = self._parameters[len(self._space.unknowns) :]
        wanted = [p for p in rest if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        return [torch.ones(()) for _ in wanted]

    def __repr__(self) -> str:
        head = f"{_name(self.equation)}({', '.join(p.name for p in self._parameters)})"
        try:
            recorded = self._record(*self._stand_ins())
            operators = self._operators(recorded)
        except Exception as error:
            return f"{head} in {self.coordinates}: {error}"
        return (
            f"{head} = {recorded!r} in {self.coordinates}\n"
            f"operators: {', '.join(map(repr, operators))}\n{algebra(*operators).describe()}"
        )


def _name(equation: Callable[..., Any]) -> str:
    return getattr(equation, "__name__", type(equation).__name__)
