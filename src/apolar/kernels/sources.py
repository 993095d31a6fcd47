"""Components that are not stacked yet, because they may never have to be.

Tangents of coordinates are the same for every row, and remain so through a linear layer. Compositions and layers wait until
it is known which of their components are read.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from apolar.engine.context import may_wait
from apolar.engine.jet import Jet
from apolar.engine.torch_private import version
from apolar.errors import UnsupportedOperator
from apolar.kernels import reverse
from apolar.kernels.composition import composition
from apolar.kernels.links import Affine, Link, chain


@dataclass(eq=False)
class Uniform:
    """The components of a linear map of the coordinates.

    Attributes:
        value: ``(..., k)``.
        tangents: ``(s, 1, ..., 1, k)``, the same for every row.
        carried: which components the tangents are; the others are zero.
        size: how many components there are.
        owner: the jet of these components, for as long as there is one.
    """

    value: Tensor
    tangents: Tensor
    carried: tuple[int, ...]
    size: int
    owner: Any = None

    @property
    def shape(self) -> torch.Size:
        """That of one component."""
        return self.value.shape

    @property
    def dtype(self) -> torch.dtype:
        """That of all components."""
        return self.value.dtype

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.value.device

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """As a link takes them."""
        return self.value.unsqueeze(0), self.tangents

    def result(self) -> Uniform:
        """What it is."""
        return self

    def map(self, value: Callable[[Tensor], Tensor], tangents: Callable[[Tensor], Tensor]) -> Uniform:
        """Of an affine map that acts on every row alike."""
        return replace(self, value=value(self.value), tangents=tangents(self.tangents))

    def stacked(self) -> Tensor:
        """All components."""
        rows: list[Tensor] = [torch.zeros_like(self.value)] * self.size
        rows[0] = self.value
        for k, tangent in zip(self.carried, self.tangents.unbind(0), strict=True):
            rows[k] = tangent.expand_as(self.value)
        return torch.stack(rows)

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these components."""
        return self.stacked()[list(wanted)]


class Stacked:
    """Components that are there."""

    carried: tuple[int, ...] | None = None

    def __init__(self, components: Tensor) -> None:
        self.components, self.operands = components, (components,)
        self.shape, self.dtype, self.device = components.shape[1:], components.dtype, components.device

    def stacked(self) -> Tensor:
        """All components."""
        return self.components

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these components."""
        return self.components[list(wanted)]


class Pending:
    """A link behind a source, computed when its components are asked for, as it would have been at first.

    Attributes:
        shape, dtype, device: those of one component.
        inner: what the link is applied to.
        link: a composition, or a layer with its weight and its bias as parameters.
        carried: which components its tangents are, where these come apart from the value.
        owner: the jet of these components, for as long as there is one.
        followers: how many links wait for this one.
    """

    def __init__(self, inner: Source, link: Link, *parameters: Tensor) -> None:
        self.shape: Sequence[int] = (*inner.shape[:-1], len(parameters[0])) if parameters else inner.shape
        self.dtype: torch.dtype = inner.dtype
        self.device: torch.device = inner.device
        self.inner, self.link, self.parameters = inner, link, parameters
        self.carried: tuple[int, ...] | None = inner.carried if isinstance(link, Affine) else None
        self.recorded, self.versions = torch.is_grad_enabled(), [version(x) for x in parameters]
        self.known: Stacked | Uniform | None = None
        self.owner: Any = lambda: None
        self.followers, self.number = 0, next(_numbers)
        if isinstance(inner, Pending):
            inner.followers += 1
        _waiting.links.add(self)

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """As a link takes them."""
        return self.result().operands

    def stacked(self) -> Tensor:
        """All components."""
        return self.result().stacked()

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these components."""
        known = self.result() if self.carried else self.known
        return self._computed(wanted) if known is None else known.some(wanted)

    def result(self) -> Stacked | Uniform:
        """What is waited for."""
        if self.known is None:
            self.known = self._mapped() if self.carried else Stacked(self._computed(None))
        return self.known

    def _mapped(self) -> Uniform:
        """A layer of tangents that come apart."""
        self._check()
        inner = self.inner.result()  # type: ignore[union-attr]
        with torch.set_grad_enabled(self.recorded), full_precision(self.device.type):
            return _layer(inner, *self.parameters)  # type: ignore[arg-type]

    def _computed(self, wanted: tuple[int, ...] | None) -> Tensor:
        """Together with the links before it that nobody else can ask for. A layer needs the components that are wanted of
        it, a composition needs all."""
        links: list[Link] = []
        parameters: list[Tensor] = []
        source: Source = self
        while isinstance(source, Pending) and (source is self or source._passed_through(self.recorded)):
            source._check()
            links.insert(0, _only(source.link, wanted))
            parameters[:0] = source.parameters
            wanted = wanted if isinstance(source.link, Affine) else None
            source = source.inner
        operands = source.operands if wanted is None else (source.some(wanted),)
        with torch.set_grad_enabled(self.recorded), full_precision(self.device.type):
            return reverse.run(chain(*links), *operands, *parameters)

    def _passed_through(self, recorded: bool) -> bool:
        return self.known is None and self.owner() is None and self.followers == 1 and self.recorded is recorded

    def _check(self) -> None:
        if [version(x) for x in self.parameters] != self.versions:
            raise UnsupportedOperator("a parameter was changed in place while the function runs: change it outside.")


Source: TypeAlias = "Stacked | Uniform | Pending"

_numbers = itertools.count()


class Waiting(threading.local):
    """The links that are pending in a thread."""

    def __init__(self) -> None:
        self.links: weakref.WeakSet[Pending] = weakref.WeakSet()


_waiting = Waiting()


def settle() -> None:
    """Compute what is pending, in its order: memory is about to be written to. What is spoiled stays so until it is read."""
    for source in sorted(_waiting.links, key=lambda s: s.number):
        with suppress(UnsupportedOperator):
            source.result()


def full_precision(device: str) -> AbstractContextManager[Any]:
    """Without autocast."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _only(link: Link, wanted: tuple[int, ...] | None) -> Link:
    """The link for some of its results."""
    if wanted is None:
        return link
    if isinstance(link, Affine):
        return Affine(link.bias, wanted[0] == 0)
    return composition(link.algebra, link.taylor, link.tangents, wanted)


def composed(g: Jet, taylor: Callable[[Any, int], Sequence[Any]]) -> Tensor | Pending:
    """φ(g): now, or later where nothing stands in the way."""
    source = _source(g)
    link = composition(g.algebra, taylor, source.carried)
    if isinstance(source, Stacked) and not (g.ndim and postponable(*source.operands)):
        return reverse.run(chain(link), *source.operands)
    return Pending(source, link)


def layer(x: Jet, weight: Tensor, bias: Tensor | None) -> Tensor | Pending | Uniform:
    """x Wᵀ + b."""
    source, parameters = _source(x), (weight,) if bias is None else (weight, bias)
    link = Affine(bias is not None, apart=source.carried is not None)
    if postponable(*parameters) and not (isinstance(source, Stacked) and not postponable(*source.operands)):
        return Pending(source, link, *parameters)
    if not isinstance(source, Stacked) and source.carried:
        return _layer(source.result(), *parameters)  # type: ignore[arg-type]
    return reverse.run(chain(link), *source.operands, *parameters)


def _layer(x: Uniform, weight: Tensor, bias: Tensor | None = None) -> Uniform:
    return x.map(lambda v: F.linear(v, weight, bias), lambda v: F.linear(v, weight))


def _source(x: Jet) -> Source:
    return Stacked(x.components) if x.source is None else x.source  # type: ignore[return-value]


def postponable(*tensors: Tensor) -> bool:
    """Whether these are plain tensors outside of all transforms: what is computed later is the same."""
    for x in tensors:
        if type(x) not in (Tensor, Parameter) or x.is_inference() or torch.is_autocast_enabled(x.device.type):
            return False
    return may_wait()


def fits(x: Jet, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether these make a layer that cannot fail."""
    shapes = x.ndim > 0 and weight.ndim == 2 and x.shape[-1] == weight.shape[1]
    if bias is not None:
        shapes = shapes and bias.shape == weight.shape[:1] and bias.dtype == weight.dtype
    return shapes and weight.layout == torch.strided and x.dtype == weight.dtype and x.device == weight.device
