"""φ(g) for the components of g, and its adjoint: what to compute, once as torch functions and once as programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra
from apolar.engine.series import NUMBERS, Expansion, Series, dense, polynomial, times
from apolar.kernels import eager
from apolar.kernels.program import Operand, Program, Recorder, program

RECURRENT = 6
"""The order from which on a recurrence costs less than powers."""


@dataclass(frozen=True, eq=False)
class Composition:
    """φ(g) over an algebra. Made by :func:`composition`.

    g is given by all of its components, stacked; or, where it is a linear map of the coordinates, by its value and by its
    tangents, the few components that are not zero and are the same for every row.

    Attributes:
        algebra: of g.
        taylor: (x, order) ↦ φ(x), φ′(x), φ″(x)/2!, …
        tangents: which components the tangents are; None where all components are given.
        wanted: which components of φ(g) to compute; None for all.
        kernels: the compiled programs, filled by kernels/compiled.py.
    """

    algebra: Algebra
    taylor: Callable[[Any, int], Sequence[Any]]
    tangents: tuple[int, ...] | None = None
    wanted: tuple[int, ...] | None = None
    kernels: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where φ has no derivatives of order two and higher."""
        return self.taylor.kinks if isinstance(self.taylor, Expansion) else ()

    @property
    def results(self) -> tuple[int, ...]:
        """The components that are computed."""
        return tuple(range(self.algebra.size)) if self.wanted is None else self.wanted

    @property
    def operands(self) -> tuple[Operand, ...]:
        """What g is given by."""
        if self.tangents is None:
            return (Operand("g", tuple(range(self.algebra.size))),)
        return Operand("value", (0,)), Operand("tangent", self.tangents, uniform=True)

    # ------------------------------------------------------------------------------------------------- in torch functions

    def __call__(self, *operands: Tensor) -> Tensor:
        """The components of φ(g), stacked."""
        if self.tangents is None and self.wanted is None and not (self.recurrent or self.parts or self.kinks):
            return eager.compose(self.algebra, self.taylor(operands[0][0], self.algebra.order), operands[0])
        components = list(self._composed(self._placed(operands), self._rows(operands)))
        return _stacked([components[k] for k in self.results], operands[0][0])

    def pull_back(self, *operands: Tensor) -> tuple[Tensor, ...]:
        """The cotangents of the operands of g, given these and the cotangent of φ(g)."""
        *given, cotangent = operands
        g = self._placed(given)
        slope = self._slope(g, self._rows(given))
        if self.tangents is None and self.wanted is None:
            return (eager.dual_product(self.algebra, slope, cotangent),)
        totals = self._pulled_back(slope, cotangent.unbind(0))
        return tuple(
            _stacked([totals[k] for k in operand.components], given[0][0]).sum_to_size(x.shape)
            for operand, x in zip(self.operands, given, strict=True)
        )

    def _placed(self, operands: Sequence[Iterable[Any]]) -> list[Any]:
        """The components of g, from those of each operand; 0 where none has them."""
        g: list[Any] = [0] * self.algebra.size
        for operand, components in zip(self.operands, operands, strict=True):
            for k, component in zip(operand.components, components, strict=True):
                g[k] = component
        return g

    @property
    def recurrent(self) -> bool:
        """Whether g is a power series of so many coefficients that those of φ(g) cost less by a recurrence than by powers."""
        return self.algebra.univariate and self.algebra.order >= RECURRENT and isinstance(self.taylor, Expansion)

    @cached_property
    def parts(self) -> tuple[tuple[tuple[int, ...], Composition], ...]:
        """The same in each block of the algebra, where some of them are such power series."""
        if len(self.algebra.blocks) < 2:
            return ()
        parts = tuple((block, composition(over, self.taylor)) for block, over in self.algebra.blocks)
        return parts if any(part.recurrent for _, part in parts) else ()

    def _joined(self, compute: Callable[..., Iterable[Any]], g: Sequence[Any], rows: Tensor | None) -> Iterator[Any]:
        """Components that are computed block by block."""
        found: list[Any] = [0] * self.algebra.size
        for block, part in self.parts:
            some = rows.new_empty(len(block), *rows.shape[1:]) if rows is not None and part.recurrent else None
            for k, component in zip(block, compute(part, [g[k] for k in block], some), strict=True):
                found[k] = component
        return iter(found)

    def _composed(self, g: Sequence[Any], rows: Tensor | None = None) -> Iterator[Any]:
        """The components of φ(g); as rows of one tensor on the way, where that is given."""
        if self.parts:
            return self._joined(Composition._composed, g, rows)
        if self.recurrent:
            components = self._coefficients(self._series(g, rows))
        else:
            components = eager.composed(self.algebra, self.taylor(g[0], self.algebra.order), g)
        return self._refused(g, components) if self.kinks else components

    def _refused(self, g: Sequence[Any], components: Iterator[Any]) -> Iterator[Any]:
        """Infinity in place of derivatives of order two and higher where g is at a kink and moves."""
        motion = sum(torch.abs(c) for c in g[1:] if not eager.absent(c))
        at = [(g[0] >= kink) & (g[0] <= kink) & (motion > 0) for kink in self.kinks]
        for p, component in zip(self.algebra.basis, components, strict=True):
            for kink in at if p.order > 1 else ():
                component = torch.where(kink, math.inf, component)
            yield component

    def _slope(self, g: Sequence[Any], rows: Tensor | None = None) -> Iterator[Any]:
        """The components of φ′(g)."""
        if self.parts:
            return self._joined(Composition._slope, g, rows)
        if self.recurrent and (slope := self._series(g, rows).slope) is not None:
            return self._coefficients(slope)
        taylor = self.taylor(g[0], self.algebra.order + 1)
        return eager.composed(self.algebra, [times(e, c) for e, c in enumerate(taylor)][1:], g)

    def _rows(self, operands: Sequence[Tensor]) -> Tensor | None:
        shape = (self.algebra.size, *operands[0].shape[1:])
        return operands[0].new_empty(shape) if (self.recurrent or self.parts) and eager.few(*operands) else None

    def _series(self, g: Sequence[Any], rows: Tensor | None) -> Series:
        assert isinstance(self.taylor, Expansion)
        return self.taylor.of(polynomial(g, rows))

    def _coefficients(self, y: Series) -> Iterator[Any]:
        return (dense(y[k]) for k in range(self.algebra.size))

    def _pulled_back(self, slope: Iterator[Any], cotangent: Sequence[Any]) -> list[Any]:
        """The cotangents of the components of g, from those of the results."""
        w: list[Any] = [0] * self.algebra.size
        for k, component in zip(self.results, cotangent, strict=True):
            w[k] = component
        first = next(slope)
        factor = first if type(first) in NUMBERS else first.conj()
        return eager.dual_sums(self.algebra, slope, [dense(times(factor, c)) for c in w], w, False)

    # -------------------------------------------------------------------------------------------------------- as programs

    def forward(self) -> Program:
        """g ↦ φ(g)."""
        return program(self.operands, [self._value(self._symbols(Recorder()))])

    def backward(self) -> Program:
        """(g, w̄) ↦ ḡ: w̄ times φ′(g) in the dual space."""
        recorder = Recorder()
        return program(*self._adjoint(recorder, self._symbols(recorder)))

    def joint(self) -> Program:
        """(g, w̄) ↦ φ(g), ḡ, which share most of their steps: for reverse mode that computes φ(g) again."""
        recorder = Recorder()
        g = self._symbols(recorder)
        inputs, outputs = self._adjoint(recorder, g)
        return program(inputs, [self._value(g), *outputs])

    def _value(self, g: Sequence[Any]) -> tuple[Operand, list[Any]]:
        with torch.enable_grad():  # nothing is overwritten then
            components = list(self._composed(g))
        return Operand("y", self.results), [components[k] for k in self.results]

    def _adjoint(
        self, recorder: Recorder, g: Sequence[Any]
    ) -> tuple[tuple[Operand, ...], list[tuple[Operand, list[Any]]]]:
        cotangent = Operand("w", self.results)
        w = [recorder.emit("input", cotangent.name, k) for k in cotangent.components]
        with torch.enable_grad():
            totals = self._pulled_back(self._slope(g), w)
        return (*self.operands, cotangent), [(o, [totals[k] for k in o.components]) for o in self.operands]

    def _symbols(self, recorder: Recorder) -> list[Any]:
        return self._placed([[recorder.emit("input", o.name, k) for k in o.components] for o in self.operands])


def _stacked(components: Sequence[Any], like: Tensor) -> Tensor:
    return torch.stack([torch.as_tensor(x).to(like).expand_as(like) for x in components])


@lru_cache(maxsize=4096)
def composition(
    algebra: Algebra,
    taylor: Callable[[Any, int], Sequence[Any]],
    tangents: tuple[int, ...] | None = None,
    wanted: tuple[int, ...] | None = None,
) -> Composition:
    """The same one for the same arguments, since programs are kept with it."""
    return Composition(algebra, taylor, tangents, wanted)
