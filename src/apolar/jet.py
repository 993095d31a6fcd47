"""Jet: a tensor together with its components pᵢ(∂) over an algebra, and how torch functions find their rules.

The engine of apolar knows no torch function by itself: ``RULES`` is filled by the tables in ``rules/``.
"""

from __future__ import annotations

import itertools
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apolar.algebra import Algebra
from apolar.errors import DetachedError, UnsupportedOperator

Rule = Callable[..., Any]
"""Called like the torch function that it replaces, with the jet of the innermost evaluation in front."""

RULES: dict[Any, Rule] = {}
"""The rule of every torch function that has one. Filled by ``rules/``."""

POSITIONAL = (
    "condition", "self", "input", "tensors", "other", "exponent", "mat1", "mat2", "batch1", "batch2", "vec1", "vec2", "vec",
    "tensor", "tensor1", "tensor2",
)  # fmt: skip
"""What torch calls its leading tensors, in their order: given by name, they become positional."""

_levels = itertools.count(1)


def new_level() -> int:
    """A number for one evaluation; a nested evaluation gets a larger one than those around it."""
    return next(_levels)


class Jet(torch.Tensor):
    """A tensor that carries its components over an algebra, stacked on a new first axis.

    Attributes:
        components: ``(m, *shape)``; the first is the value itself.
        algebra: what the components mean.
        level: which evaluation the jet belongs to. The components may themselves be jets of an evaluation around it.
        recorded: whether gradients were on when the evaluation began.
        checked: calls the rules and looks at what they take and give; None where they are simply called.
        frozen: that memory is shared in a way that in-place operations could not respect.
    """

    components: Tensor
    algebra: Algebra
    level: int
    recorded: bool
    checked: Callable[..., Any] | None
    frozen: bool = False

    @staticmethod
    def __new__(
        cls,
        components: Tensor,
        algebra: Algebra,
        level: int,
        recorded: bool = False,
        checked: Callable[..., Any] | None = None,
    ) -> Jet:
        jet = Tensor._make_wrapper_subclass(cls, components.shape[1:], dtype=components.dtype, device=components.device)
        jet.components, jet.algebra, jet.level, jet.recorded, jet.checked = components, algebra, level, recorded, checked
        return jet

    @property
    def value(self) -> Tensor:
        """The first component, p₀ = 1: the tensor without derivatives."""
        return self.components[0]

    def like(self, components: Tensor) -> Jet:
        """A jet of the same evaluation."""
        return Jet(components, self.algebra, self.level, self.recorded, self.checked)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        jet = innermost(args, kwargs)
        if kwargs.pop("out", None) is not None:
            raise unsupported(func, jet, "Leave out the argument `out` and use the result.")
        args = (*args, *(kwargs.pop(name) for name in POSITIONAL if name in kwargs))
        rule = RULES.get(func) or RULES[missing]
        result = (rule if jet.checked is None else jet.checked)(jet, func, *args, **kwargs)
        if jet.recorded and not torch.is_grad_enabled() and any(True for _ in jets(result)):
            raise DetachedError(
                f"the function switches gradients off, and with them derivatives would be lost{user_line()}. Leave out "
                "torch.no_grad(); a torch.autograd.Function has its forward pass run so: say it in torch functions."
            )
        return result

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """The same for ATen operators that are reached below: in torch.func, in torch.jit, or as parts of a composite."""
        with torch.overrides.enable_reentrant_dispatch(), torch._C._EnableTorchFunction():
            return cls.__torch_function__(func, types, args, kwargs)


def missing() -> None:
    """The key in ``RULES`` of the rule for functions that have none."""


def innermost(args: Any, kwargs: dict[str, Any]) -> Jet:
    """The jet with the highest level among the arguments: the evaluation that has to act first."""
    first, *others = jets((args, kwargs))
    for jet in others:
        first = jet if jet.level > first.level else first
    return first


def jets(tree: Any) -> Iterator[Jet]:
    """All jets in a nest of tuples, lists and dictionaries."""
    if type(tree) is Jet:
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            if type(item) is Jet:
                yield item
            elif type(item) is not Tensor:
                yield from jets(item)
    elif isinstance(tree, dict):
        yield from jets(list(tree.values()))


def belongs(x: Any, jet: Jet) -> bool:
    """Whether ``x`` is a jet of the same evaluation; anything else is a constant there."""
    return isinstance(x, Jet) and x.level == jet.level


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


def visible() -> bool:
    """Whether values may decide what is refused: not under a compiler, nor under vmap."""
    if torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch
    return all(level.key() != functorch.TransformType.Vmap for level in functorch.get_interpreter_stack() or [])


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
    inside = (str(Path(__file__).parent), str(Path(torch.__file__).parent))
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(inside) and not frame.filename.startswith("<"):
            return f", called at {frame.filename}:{frame.lineno}: {frame.line}"
    return ""
