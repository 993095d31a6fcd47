"""Values that become arrays or lists while operations are recorded: no operation of torch tells of it, so it is refused.

Beside ``context``, which says whether operations are recorded.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from apolar.engine.jet import user_line
from apolar.errors import CaptureError

ARRAYS = (Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__dlpack__)


class Arrays(TorchFunctionMode):
    """Refuses them, in what is called inside."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in ARRAYS:
            raise looks(f".{func.__name__}()")
        return func(*args, **(kwargs or {}))


def looks(how: str) -> CaptureError:
    """The error for a function that looks at values."""
    return CaptureError(
        f"the function looks at a value, by {how}{user_line()}, so that its operations need not always be the same. Write it "
        "in functions of torch, such as torch.where, or call it without ap.compile."
    )
