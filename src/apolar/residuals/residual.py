"""Residuals of differential equations, written as Python: one run finds the derivatives that they need.

Above ``evaluate``, ``fields`` and ``values``. The equation runs on fields; linear combinations of derivatives with
numbers as coefficients become single operators; one evaluation finds all of them; the rest is repeated on tensors.
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

from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Coordinates, Operator
from apolar.algebras.operators import coordinates as system
from apolar.engine.context import Detached
from apolar.engine.kinds import PARTS
from apolar.engine.torch_private import tree_leaves, tree_map
from apolar.errors import CoordinateError, FunctionError, OperatorError, ShapeError
from apolar.evaluation.evaluate import evaluate
from apolar.residuals.nodes import RESERVED, Field, Space, Sum, readings
from apolar.residuals.values import Points, Values, needed
from apolar.rules.kinks import meetings


def residual(
    coordinates: str | Coordinates, outputs: str | Sequence[str] | None = None, detached: Detached = "error"
) -> Callable[[Callable[..., Any]], Residual]:
    """A differential equation, written as a Python function of unknowns, as a function of a network and points.

    In the equation an unknown ``u`` has the derivatives ``u.x``, ``u.xx``, ``u.xt`` (names of coordinates),
    ``u.d("x", 4)``, ``u.d(P)`` for an operator, ``u.gradient``, ``u.laplacian`` and ``u.bilaplacian`` (in all
    coordinates, a time too), and the coordinates ``u.coords.x``. Everything else is Python and torch; products and
    functions have derivatives as well.

    Args:
        coordinates: the names, in the order of the last axis of the points.
        outputs: the names of several unknowns: the columns of the network's last axis, in order. The decorated function
            takes one argument for each, and each has shape ``(..., 1)``.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A decorator. What it makes is called as ``r = equation(f, points, *extra)``, where f maps points ``(..., d)`` to
        unknowns ``(..., k)``, extra arguments go on to the equation, and r is what it returns, with tensors in it.

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
    3 components instead of 6 (all derivatives of order 2 or less in 2 coordinates): 1, ∂x, 1/2 ∂x² - ∂t
    >>> burgers(lambda p: p[..., :1] ** 2 * p[..., 1:], torch.tensor([[1.0, 2.0]]))
    tensor([[7.]])
    """
    if callable(coordinates):
        raise OperatorError('name the coordinates: @ap.residual("x t")')
    space = coordinates if isinstance(coordinates, Coordinates) else system(coordinates)
    for word in RESERVED:
        if readings(word, space.names):
            raise CoordinateError(f".{word} has a meaning of its own in an equation: choose other names than {space}")
    names = None if outputs is None else system(outputs if isinstance(outputs, str) else tuple(outputs)).names
    return lambda equation: Residual(equation, space, names, detached)


class Residual:
    """An equation made by :func:`residual`: call it with a network and points.

    The equation runs anew in every call, so that numbers which it takes from outside may change.

    Attributes:
        coordinates: of the last axis of the points.
        outputs: the names of the unknowns; None for a single one, which is the whole output of the network.
    """

    def __init__(
        self,
        equation: Callable[..., Any],
        coordinates: Coordinates,
        outputs: tuple[str, ...] | None,
        detached: Detached = "error",
    ) -> None:
        self.equation, self.coordinates, self.outputs, self.detached = equation, coordinates, outputs, detached
        self._signature = inspect.signature(equation)
        self._name = getattr(equation, "__name__", type(equation).__name__)
        first = next(iter(self._signature.parameters), "u")
        self._space = Space(coordinates, outputs or (first,))
        one = coordinates.one
        self._unknowns = [Sum(self._space, {j: one}) for j in range(len(self._space.unknowns))]
        self._bind(partial=True)
        functools.update_wrapper(self, equation)

    def __call__(self, f: Callable[..., Any], points: Points, *extra: Any, **named: Any) -> Any:
        """The residual at the points.

        Args:
            f: maps points ``(..., d)`` to the unknowns ``(..., k)``, row by row.
            points: ``(..., d)``; or a sequence of tensors, as ``evaluate`` takes it.
            extra, named: further arguments of the equation: numbers, tensors, parameters.

        Raises:
            OperatorError, CoordinateError: the equation cannot be recorded.
            ShapeError: f has another number of outputs.
            ApolarError: whatever ``evaluate`` raises.
        """
        recorded = self._record(*extra, **named)
        operators = self._operators(recorded)
        values = Values(
            self._space, dict(zip(operators, self._evaluate(f, points, operators))), points, detached=self.detached
        )

        def found(values: Values) -> Any:
            return tree_map(lambda x: values(x) if isinstance(x, Field) else x, recorded)

        with meetings() as met:
            results = found(values)
        met.settle(tree_leaves(results), lambda: found(values.checked()))
        return results

    @property
    def operators(self) -> tuple[Operator, ...]:
        """What one evaluation of the unknowns finds; extra arguments are taken for tensors here."""
        return self._operators(self._record(*self._stand_ins()))

    @property
    def algebra(self) -> Algebra:
        """What the evaluation carries."""
        return algebra(*self.operators)

    def _bind(self, *extra: Any, partial: bool = False, **named: Any) -> None:
        bind = self._signature.bind_partial if partial else self._signature.bind
        try:
            bind(*self._unknowns, *extra, **named)
        except TypeError as error:
            raise OperatorError(
                f"{self._name} cannot be called so, {error}: its unknowns are ({', '.join(self._space.unknowns)}), and "
                'further arguments follow the points. Several unknowns are named by outputs="u v".'
            ) from None

    def _record(self, *extra: Any, **named: Any) -> Any:
        """What the equation returns for fields."""
        self._bind(*extra, **named)
        recorded = self.equation(*self._unknowns, *extra, **named)
        for leaf in tree_leaves(recorded):
            if not isinstance(leaf, (Field, Tensor, Real)):
                raise OperatorError(
                    f"{self._name} must return an expression, or a tuple, list or dictionary of them; got {leaf!r}"
                )
        return recorded

    def _operators(self, recorded: Any) -> tuple[Operator, ...]:
        fields = [x for x in tree_leaves(recorded) if isinstance(x, Field)]
        if not fields:
            raise OperatorError(f"{self._name} returns {recorded!r}, in which there is no unknown")
        return needed(fields, self.coordinates.one) or (self.coordinates.one,)

    def _evaluate(self, f: Any, points: Points, operators: tuple[Operator, ...]) -> tuple[Tensor, ...]:
        if any(p.order for p in operators):
            found = evaluate(f, points, *operators, detached=self.detached)
            results = found if len(operators) > 1 else (found,)
        else:
            y = f(points) if isinstance(points, Tensor) else f(*points)
            results = tuple(y * float(sum(p.terms.values(), Fraction(0))) for p in operators)
        first = results[0]
        if not isinstance(first, Tensor):
            raise FunctionError(f"f must return one tensor, a column for each unknown; got {type(first).__name__}")
        if self.outputs is not None and first.shape[-1:] != (len(self.outputs),):
            raise ShapeError(
                f"the unknowns are ({', '.join(self.outputs)}), so f must return (..., {len(self.outputs)}); "
                f"got {tuple(first.shape)}"
            )
        return results

    def _stand_ins(self) -> list[Tensor]:
        """A tensor for every extra argument that has no default."""
        rest = list(self._signature.parameters.values())[len(self._unknowns) :]
        return [torch.ones(()) for p in rest if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]

    def __repr__(self) -> str:
        head = f"{self._name}({', '.join(self._signature.parameters)})"
        try:
            recorded = self._record(*self._stand_ins())
            operators = self._operators(recorded)
        except Exception as error:
            return f"{head} in {self.coordinates}: {error}"
        return (
            f"{head} = {recorded!r} in {self.coordinates}\n"
            f"operators: {', '.join(map(repr, operators))}\n{algebra(*operators).describe()}"
        )


PARTS[Residual] = ("equation", "coordinates", "outputs", "detached")
