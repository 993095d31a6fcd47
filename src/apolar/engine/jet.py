"""Jet: a tensor together with its components pᵢ(∂) over an algebra, and how torch functions find their rules.

The engine of apolar knows no torch function by itself: ``RULES`` is filled by the tables in ``rules/``.
"""

from __future__ import annotations

import traceback
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra
from apolar.engine.torch_private import (
    called_by_dispatcher,
    in_block_without_gradients,
    in_transform,
    not_traced,
    throw_on_data_ptr,
    transform_depth,
    transform_level,
    tree_leaves,
    tree_map,
    with_overrides,
    without_overrides,
    wrapper,
)
from apolar.errors import ApolarError, DetachedError, UnsupportedOperator

if TYPE_CHECKING:
    from apolar.engine.context import Context

JetRule = Callable[..., Any]
"""Called as ``rule(jet, func, *args)`` in place of ``func(*args)``, with the jet of the innermost evaluation in front."""

RULES: dict[Any, JetRule] = {}
"""What jets do in place of every torch function that has a rule. Filled by ``rules/``."""

POSITIONAL = (
    "condition", "self", "input", "tensors", "other", "exponent", "mat1", "mat2", "batch1", "batch2", "vec1", "vec2", "vec",
    "tensor", "tensor1", "tensor2",
)  # fmt: skip
"""What torch calls its leading tensors, in their order: given by name, they become positional."""

not_traced("apolar")  # a compiler calls what happens to a jet


class Source(Protocol):
    """Components that are not stacked yet: they have the shape, dtype and device of one component, and know their jet."""

    owner: Any

    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> torch.device: ...
    def stacked(self) -> Tensor:
        """All components on a new first axis."""

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these."""


class Root(NamedTuple):
    """What a norm or another root remembers, as it has no derivatives where it is 0.

    Attributes:
        square: makes its square, with all derivatives; None where something was written to since.
        positive: whether it is the root that is not negative.
    """

    square: Callable[[], Jet | None]
    positive: bool = True


class Jet(torch.Tensor):
    """A tensor that carries its components over an algebra, stacked on a new first axis.

    Attributes:
        components: ``(m, *shape)``; the first is the value itself.
        source: what the components come from, as long as nobody has asked for all of them.
        algebra: what the components mean.
        context: what holds for the pass that the jet belongs to; all jets of a pass share it. The components may themselves
            be jets of a pass around it.
        frozen: that memory is shared in a way that in-place operations could not respect.
        base: the jet of which it is a view, as in torch; None for one that is no view.
        perhaps_views: the jets, this one too, that share memory in one layout of it and not in another, and what has left.
        root: what it is the root of; see ``rules/kinks.py``.
    """

    source: Source | None
    _stacked: Tensor | None
    algebra: Algebra
    context: Context
    frozen: bool = False
    base: Jet | None = None
    perhaps_views: list[weakref.ref[Any]] | None = None
    root: Root | None = None

    @staticmethod
    def __new__(cls, components: Tensor | Source, algebra: Algebra, context: Context) -> Jet:
        stacked, source = (components, None) if isinstance(components, Tensor) else (None, components)
        shape = components.shape if stacked is None else stacked.shape[1:]
        jet = wrapper(cls, shape, dtype=components.dtype, device=components.device)
        throw_on_data_ptr(jet)
        jet._stacked, jet.source = stacked, source
        if source is not None:
            source.owner = weakref.ref(jet)
        jet.algebra, jet.context = algebra, context
        return jet

    @property
    def components(self) -> Tensor:
        """All components."""
        if self._stacked is None:
            assert self.source is not None
            self._stacked, self.source = self.source.stacked(), None
        return self._stacked

    @components.setter
    def components(self, components: Tensor) -> None:
        self._stacked, self.source, self.root = components, None, None

    # Asked for by nearly every rule, these are answered without a call of torch.

    @property
    def shape(self) -> torch.Size:  # type: ignore[override]
        """That of the value."""
        return torch.Size(self.source.shape) if self._stacked is None else self._stacked.shape[1:]  # type: ignore[union-attr]

    @property
    def ndim(self) -> int:  # type: ignore[override]
        """The number of axes of the value."""
        return len(self.source.shape) if self._stacked is None else self._stacked.ndim - 1  # type: ignore[union-attr]

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        """That of all components."""
        return (self.source if self._stacked is None else self._stacked).dtype  # type: ignore[union-attr]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where they are."""
        return (self.source if self._stacked is None else self._stacked).device  # type: ignore[union-attr]

    @property
    def value(self) -> Tensor:
        """The first component, p₀ = 1: the tensor without derivatives."""
        return self.components[0]

    def some(self, wanted: Sequence[int]) -> Sequence[Tensor]:
        """Only these components."""
        if self.source is None:
            return [self.components[k] for k in wanted]
        return self.source.some(tuple(wanted)).unbind(0)

    def like(self, components: Tensor | Source) -> Jet:
        """A jet of the same evaluation."""
        return Jet(components, self.algebra, self.context)

    def sharing(self, components: Tensor) -> Jet:
        """A view of this jet."""
        jet = self.like(components)
        jet.base = self if self.base is None else self.base
        return jet

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs) if kwargs else {}
        jet = innermost(args, kwargs)
        if kwargs and kwargs.pop("out", None) is not None:
            raise unsupported(func, jet, "Leave out the argument `out` and use the result.")
        if in_transform() and transformed(jet, (args, kwargs)):
            return beneath(func, *args, **kwargs)
        if kwargs:
            args = (*args, *(kwargs.pop(name) for name in POSITIONAL if name in kwargs))
        rule = RULES.get(func) or RULES[missing]
        context = jet.context
        result = (rule if context.checked is None else context.checked)(jet, func, *args, **kwargs)
        if context.recorded and not torch.is_grad_enabled() and any(in_transform() or moves(x) for x in jets(result)):
            if context.detached == "constant" and in_block_without_gradients():
                written = bool(args) and result is args[0]
                return result if written else tree_map(lambda x: value(x, jet), result)
            raise refuse(
                f"the function switches gradients off, and with them derivatives would be lost{user_line()}. Leave out "
                'torch.no_grad(); if constants are meant, write ap.constant(x), or pass detached="constant" to apolar. An '
                "autograd.Function, a backward hook of a module and checkpoint(use_reentrant=True) have their forward pass run "
                "so: say it in torch functions, register its rule (ap.register), remove the hook, or use use_reentrant=False."
            )
        return result

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """The same for ATen operators that are reached below: in torch.func, in torch.jit, or as parts of a composite."""
        if func is DETACH and not called_by_dispatcher():
            return args[0].like(args[0].components)
        stacked = [x.components for x in jets((args, kwargs or {})) if x.source is None]  # none waits in a transform
        if any(transform_level(c) > transform_depth() for c in stacked):
            error = UnsupportedOperator(
                f"a transform of torch.func inside of an evaluation inside of another transform{user_line()}: the one around "
                "would not see what happens here. Use ap.grad, ap.jacobian or ap.jvp in the place of the inner one."
            )
            refusal.set(error)
            raise error
        try:
            with torch.overrides.enable_reentrant_dispatch(), with_overrides():
                return cls.__torch_function__(func, types, args, kwargs)
        except ApolarError as error:
            refusal.set(error)
            raise


DETACH = torch.ops.aten.detach.default
"""What autograd calls, past the dispatcher, on a result that it saves."""

refusal: ContextVar[ApolarError | None] = ContextVar("refusal", default=None)
"""The last refusal of a pass: C++ and TorchScript may put an error of their own, without a cause, in its place."""


def refuse(message: str) -> DetachedError:
    """The error for a value that leaves the computation. It counts even where the function catches it and goes on."""
    error = DetachedError(message)
    refusal.set(error)
    return error


def transformed(jet: Jet, tree: Any) -> bool:
    """Whether a transform of torch.func inside of jet's evaluation holds an argument: then it has to act first."""
    depth = jet.context.depth
    return any(isinstance(x, Tensor) and transform_level(x) > depth for x in tree_leaves(tree))


def beneath(func: Any, *args: Any, **kwargs: Any) -> Any:
    """``func`` without torch's overrides: its jets meet their rules at the ATen operators that it calls."""
    with without_overrides():
        return func(*args, **kwargs)


def missing() -> None:
    """The key in ``RULES`` of the rule for functions that have none."""


def innermost(args: Any, kwargs: dict[str, Any]) -> Jet:
    """The jet of the innermost pass among the arguments: the evaluation that has to act first."""
    found: Jet | None = None
    for x in (*args, *kwargs.values()) if kwargs else args:
        for jet in (x,) if type(x) is Jet else jets(x):
            if found is None or jet.context.number > found.context.number:
                found = jet
    assert found is not None
    return found


def jets(tree: Any) -> Iterator[Jet]:
    """All jets in a nest of tuples, lists and dictionaries."""
    if type(tree) is Jet:
        yield tree
    elif isinstance(tree, (tuple, list, dict)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            if type(item) is Jet:
                yield item
            elif isinstance(item, (tuple, list, dict)):
                yield from jets(item)


def belongs(x: Any, jet: Jet) -> bool:
    """Whether ``x`` is a jet of the same evaluation; anything else is a constant there."""
    return isinstance(x, Jet) and x.context is jet.context


def value(x: Any, jet: Jet) -> Any:
    """``x`` without the derivatives of this evaluation."""
    return x.components[0] if belongs(x, jet) else x


def plain(x: Any) -> Any:
    """The value of a jet, of a jet of jets, …"""
    while isinstance(x, Jet):
        x = x.components[0]
    return x


def anywhere(condition: Tensor) -> bool:
    """Whether a condition on values holds somewhere, torch.func's batches included."""
    return bool(torch.func.debug_unwrap(condition, recurse=True).any())


def moves(x: Jet) -> bool:
    """Whether a derivative is not 0, somewhere."""
    return anywhere(x.components[1:] != 0)


def component_list(x: Any, jet: Jet) -> list[Any]:
    """The components one by one; a constant has its value and the number 0 for the others."""
    size = jet.algebra.size
    return [x.components[k] for k in range(size)] if belongs(x, jet) else [x] + [0] * (size - 1)


def constant_components(x: Tensor, jet: Jet) -> Tensor:
    """The stacked components of a constant: its value, and zeros."""
    return torch.cat([x.unsqueeze(0), x.new_zeros(jet.algebra.size - 1, *x.shape)])


def unsupported(func: Any, jet: Jet, reason: str = "") -> UnsupportedOperator:
    """The error for a function that cannot be lifted: its name, the order and the line of user code."""
    attribute = isinstance(getattr(func, "__self__", None), types.GetSetDescriptorType)
    name = f"Tensor.{func.__self__.__name__}" if attribute else getattr(func, "__qualname__", None) or str(func)
    return UnsupportedOperator(
        f"no rule for {name} at order {jet.algebra.order}{user_line()}. "
        + (reason or "Say it in functions that ap.supported_operators() lists, or ask for a rule.")
    )


def user_line() -> str:
    """Where the innermost frame outside of torch and apolar stands."""
    inside = (str(Path(__file__).parents[1]), str(Path(torch.__file__).parent))
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(inside) and not frame.filename.startswith("<"):
            return f", called at {frame.filename}:{frame.lineno}: {frame.line}"
    return ""
