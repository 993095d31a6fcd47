"""Whether a value that depends on the input leaves the computation while reverse mode records it.

PyTorch forgets where a number, an array or a detached tensor comes from, and the gradient lacks its part without a word. Jets
refuse such functions or have a rule for them. So reverse mode is watched, and where a value left, jets decide; also where it
meets a function whose first derivative PyTorch has wrong.
Above the records of ``rules``, which tell what leaves and what is constant; below the transforms that use reverse mode.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

from apolar.engine.context import stopped
from apolar.engine.jet import Jet
from apolar.engine.torch_private import transform_depth, transform_level, tree_leaves
from apolar.rules.facts import wrong_in_reverse
from apolar.rules.record import Kind, record_of

WITHOUT_DERIVATIVE = (Kind.CONSTANT, Kind.METADATA)
"""Kinds of functions whose results rightly know nothing of their arguments."""

VALUES = (float, complex, str, np.ndarray, np.number)
"""What else than a tensor a value can leave as; whole numbers are constant between their jumps."""


class Tracking(TorchFunctionMode):
    """Watches the calls of torch functions inside of a gradient of torch.func.

    Attributes:
        lost: whether a value has left, or a function was called that PyTorch differentiates wrongly.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost = False
        self._depth = transform_depth()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.lost or stopped.get():
            return func(*args, **(kwargs or {}))
        if Jet in types:  # jets look themselves, but for what leaves with their components
            with self if record_of(func).leaves else nullcontext():
                return func(*args, **(kwargs or {}))
        result = func(*args, **kwargs) if kwargs else func(*args)
        self.lost = self._loses(func, args, kwargs, result)
        return result

    def _loses(self, func: Any, args: Any, kwargs: Any, result: Any) -> bool:
        for x in args:
            if type(x) is Parameter and transform_level(x) >= self._depth:
                return True  # made of a tensor that is tracked: nn.Parameter(x) calls no torch function
        if type(result) is Tensor and result.requires_grad:
            return func in wrong_in_reverse(1)
        record = record_of(func)
        if record.kind in WITHOUT_DERIVATIVE:
            return False
        if record.leaves:
            return any(isinstance(x, Tensor) and transform_level(x) >= self._depth for x in args)
        outputs = tree_leaves(args[:1] if result is None else result)
        return any(map(_holds_value, outputs)) and not self._any_tracked(outputs) and self._any_tracked((args, kwargs))

    def _tracked(self, x: Tensor) -> bool:
        return x.requires_grad and transform_level(x) >= self._depth

    def _any_tracked(self, tree: Any) -> bool:
        return any(isinstance(x, Tensor) and self._tracked(x) for x in tree_leaves(tree))


def _holds_value(y: Any) -> bool:
    if isinstance(y, Tensor):
        return y.is_floating_point() or y.is_complex()
    return isinstance(y, VALUES)
