"""Who looks on while a function is lifted, and what may be done then.

What holds for a whole pass is its ``Context``, made when it begins and shared by its jets. All other questions are about what
the function may change by itself, and what may differ in the backward pass, which runs outside of any pass: they are asked at
each call, here and nowhere else. What an operation needs of its operands, the kernels know.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.engine.jet import Jet
from apolar.engine.torch_private import (
    Transform,
    dispatch_modes,
    dual_level,
    in_transform,
    is_tracing,
    transform_depth,
    transforms,
)
from apolar.errors import SettingError

Detached = Literal["error", "constant"]
"""What a value that leaves the computation is."""

_numbers = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Context:
    """What holds throughout one lifted pass. Jets belong to the same pass if they share it.

    Attributes:
        number: a pass inside of another one has a larger number.
        depth: how many transforms of torch.func are around the pass; those above are inside.
        recorded: whether gradients were on when the pass began.
        checked: calls the rules and looks at what they take and give; None where they are simply called.
        detached: whether a value that leaves the pass is an ``"error"`` or a ``"constant"``.
        lost: where rounding left no digit of a derivative, which is NaN since: sentences about it.
    """

    number: int
    depth: int
    recorded: bool
    checked: Callable[..., Any] | None = None
    detached: Detached = "error"
    lost: list[str] = field(default_factory=list)


def begin(checked: Callable[..., Any] | None = None, detached: Detached = "error") -> Context:
    """The context of a new pass."""
    if detached not in ("error", "constant"):
        raise SettingError(f'detached is "error" or "constant", got {detached!r}')
    return Context(next(_numbers), transform_depth(), torch.is_grad_enabled(), checked, detached)


stopped: ContextVar[bool] = ContextVar("stopped", default=False)
"""True while ``ap.constant`` takes a value out of all passes and gradients."""


class Observer(Protocol):
    """Somebody who looks on from outside, as ``ap.watch`` does: passes tell when they begin and end."""

    def begins(self, inputs: Sequence[Tensor]) -> None:
        """A pass begins at these jets."""

    def ends(
        self, points: Sequence[Tensor], output: Tensor, operators: Sequence[Operator], results: Sequence[Tensor]
    ) -> None:
        """The operators of an output, a jet or a constant, have been read."""


observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
"""Who is told of passes."""

capturing: ContextVar[bool] = ContextVar("capturing", default=False)
"""True while ``ap.compile`` records: chains of operations are recorded as one operator each."""


def recording() -> bool:
    """Whether a compiler or ``ap.compile`` records the operations, so that no value may decide which they are."""
    return torch.compiler.is_compiling() or capturing.get()


def traced() -> bool:
    """Whether operations are recorded, by those or by ``torch.jit.trace``, to be run with other values."""
    return recording() or is_tracing()


def values_readable(*tensors: Any) -> bool:
    """Whether these tensors have values that may be looked at: no jet, no transform of torch.func, nobody recording."""
    return not (any(isinstance(x, Jet) for x in tensors) or in_transform() or recording())


def values_decide() -> bool:
    """Whether values may decide which operations follow: nobody recording, and no ``vmap``, where a value is a whole batch.

    In the other transforms, and in jets, a tensor has one value, and derivatives beside it.
    """
    return not recording() and Transform.Vmap not in transforms()


def only_reverse_mode() -> bool:
    """Whether nothing but ordinary reverse mode can differentiate what is computed now.

    A transform of torch.func or forward mode sees every operation on a tensor: neither may one be hidden in an
    ``autograd.Function``, nor may memory be written to that it may hold.
    """
    return not in_transform() and dual_level() < 0


def unobserved() -> bool:
    """Whether nobody sees single operations, so that a result may be computed in any way, and be kept for other calls.

    A mode or ``torch.jit.trace`` sees what torch is asked for, and not what a compiled program writes.
    """
    return not (in_transform() or dual_level() >= 0 or dispatch_modes() or is_tracing())


def may_wait() -> bool:
    """Whether an operation may be computed later, when its result is read: no transform of torch.func would have ended then."""
    return not in_transform()
