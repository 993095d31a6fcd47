"""What recorded fields stand for: tensors from one evaluation, or jets that are made of them.

Above ``fields``, below ``residual``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra
from apolar.algebras.operators import Operator
from apolar.engine.context import Detached
from apolar.engine.jet import Jet, plain
from apolar.engine.torch_private import tree_map
from apolar.errors import OperatorError, RowCouplingError
from apolar.evaluation.evaluate import check_rows
from apolar.evaluation.seeds import lift, new_context
from apolar.residuals.nodes import Basis, Derivative, Field, Need, Space, product

Points = Tensor | Sequence[Tensor]


class Values:
    """The tensors of fields.

    Attributes:
        results: what an evaluation found, by operator: all unknowns on the last axis.
        points: where it was evaluated: ``(..., d)``, or a sequence of tensors.
        over: the algebra of the jets; None for plain tensors.
        context: of the jets.
    """

    def __init__(
        self,
        space: Space,
        results: dict[Operator, Tensor],
        points: Points,
        over: Algebra | None = None,
        detached: Detached = "error",
        check_finite: bool = False,
    ) -> None:
        self.space, self.results, self.points, self.over = space, results, points, over
        self.check_finite, self.context = check_finite, new_context([], check_finite, detached)
        self._like = next(iter(results.values()))
        self._known: dict[int, Any] = {}

    def checked(self) -> Values:
        """The same, where every function is asked whether it has derivatives."""
        return Values(self.space, self.results, self.points, self.over, self.context.detached, check_finite=True)

    def jets(self, over: Algebra) -> Values:
        """The same, as jets over an algebra."""
        return Values(self.space, self.results, self.points, over, self.context.detached, self.check_finite)

    @property
    def basis(self) -> Basis:
        """The operators of the components."""
        return (self.space.coordinates.one,) if self.over is None else self.over.basis

    def __call__(self, tree: Any) -> Any:
        """A nest of fields, tensors and other things, with tensors or jets in the place of the fields."""
        return tree_map(self._leaf, tree)

    def _leaf(self, x: Any) -> Any:
        if isinstance(x, Field):
            if id(x) not in self._known:
                self._known[id(x)] = x.value(self)
            return self._known[id(x)]
        if self.over is not None and isinstance(x, Tensor):
            self._refuse_varying(x)
        return x

    def lifted(self, components: list[Tensor]) -> Tensor:
        """A tensor, or a jet, from its components over the basis."""
        return components[0] if self.over is None else Jet(torch.stack(components), self.over, self.context)

    def unknown(self, j: int, form: Operator) -> Tensor:
        """P(∂) of an unknown."""
        components = [self.results[product(p, form)] for p in self.basis]
        single = len(self.space.unknowns) == 1
        return self.lifted(components if single else [c[..., j : j + 1] for c in components])

    def coordinate(self, j: int) -> Tensor:
        """One coordinate, in the shape of an unknown."""
        d = len(self.space.coordinates)
        if not isinstance(self.points, Tensor) and len(self.points) == d:
            x = self.points[j]
        else:
            joined = self.points if isinstance(self.points, Tensor) else torch.cat(list(self.points), -1)
            x = joined[..., j : j + 1] if self._like.ndim == joined.ndim else joined[..., j]
        if self.over is None:
            return x
        return lift(self.over, x, [torch.ones_like(x) if k == j else None for k in range(d)], self.context)

    def number(self, value: float) -> Tensor:
        """A number as a field that is the same everywhere."""
        return torch.full_like(self._like if len(self.space.unknowns) == 1 else self._like[..., :1], value)

    @property
    def _batch(self) -> tuple[int, ...]:
        """The axes of the points."""
        first = self.points if isinstance(self.points, Tensor) else self.points[0]
        return tuple(self._like.shape[:-1] if self._like.ndim == first.ndim else self._like.shape)

    def _refuse_varying(self, x: Tensor) -> None:
        """A coefficient that has a row for each point would need a derivative of its own."""
        aligned = zip(reversed(range(self._like.ndim)), reversed(x.shape))
        if any(axis < len(self._batch) and size == self._like.shape[axis] > 1 for axis, size in aligned):
            raise OperatorError(
                f"a derivative was taken of an expression with a tensor {tuple(x.shape)} that has a row for each "
                "point, so that its own derivative is needed: write it as a function of u.coords.x, or keep it outside "
                "of the derivative."
            )

    def refuse_coupling(self, derivative: Derivative) -> None:
        """The derivative of an expression that mixes points, such as u - u.mean(), has no meaning."""
        single = isinstance(self.points, Tensor)
        points = [self.points] if isinstance(self.points, Tensor) else list(self.points)

        def again(*tensors: Tensor) -> Tensor:
            results = dict(zip(self.results, tensors))
            moved = tensors[len(results) :]
            values = Values(self.space, results, moved[0] if single else moved, None, self.context.detached)
            return values.number(0.0) + values(derivative.field)

        try:
            check_rows(
                again,
                [plain(x) for x in (*self.results.values(), *points)],
                self._batch,
                derivative.operator.order,
                self.context.detached,
            )
        except RowCouplingError:
            raise OperatorError(
                f"{derivative!r} has no meaning point by point, because the expression mixes points: "
                "differentiate first, then take means or sums."
            ) from None


def needed(fields: Sequence[Field], one: Operator) -> tuple[Operator, ...]:
    """All operators of unknowns that the fields rest on, in the order in which they appear."""
    found: dict[Operator, None] = {}
    seen: set[tuple[int, Basis]] = set()
    waiting: list[Need] = [(field, (one,)) for field in reversed(fields)]
    while waiting:
        item, basis = waiting.pop()
        if isinstance(item, Operator):
            found[item] = None
        elif (id(item), basis) not in seen:
            seen.add((id(item), basis))
            waiting += reversed(list(item.needs(basis)))
    return tuple(found)
