"""Values that are meant as constants."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from apolar.engine.context import stopped
from apolar.engine.torch_private import tree_map


def constant(x: Any) -> Any:
    """A value that is meant as a constant: nothing is differentiated through it, in any evaluation or gradient around.

    What ``detach`` is for PyTorch. Values that leave the computation by themselves are refused, since their derivative would
    be lost; this says that there is to be none.

    Args:
        x: a tensor; or a tuple, list or dictionary with tensors. Anything else stays what it is.

    Returns:
        The same, with plain tensors that share memory with the given ones.

    >>> ap.derivative(lambda x: x * ap.constant(x))(3.0)
    tensor(3., dtype=torch.float64)
    """
    return tree_map(_stop, x)


def _stop(x: Any) -> Any:
    if not isinstance(x, Tensor):  # fields of a residual record it
        return handle_torch_function(constant, (x,), x) if has_torch_function((x,)) else x
    before = stopped.set(True)
    try:
        return x.detach()
    finally:
        stopped.reset(before)
