"""Values that become arrays while ap.compile records are refused, wherever it happens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import CaptureError

dx, _ = ap.coordinates("x y")
X = torch.rand(5, 2, dtype=torch.float64) + 0.2
TABLE = torch.tensor([2.0], dtype=torch.float64)
running_sum = ap.register.linear(lambda x: torch.from_numpy(np.cumsum(x.numpy(), -1)))

ARRAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "numpy": lambda p: torch.from_numpy(np.cumsum(p.numpy(), -1)),
    "np.asarray": lambda p: torch.from_numpy(np.asarray(p)) * 2,
    "tolist": lambda p: torch.tensor(p.tolist()) * 2,
    "dlpack": lambda p: torch.from_numpy(np.from_dlpack(p)) * 2,
    "a tensor that is read": lambda p: p.sin() * float(TABLE.numpy()[0]),
    "a registered function": lambda p: ap.evaluate(lambda q: running_sum(q.sin()), p, dx),
}  # fmt: skip


@pytest.mark.parametrize("way", ARRAYS)
def test_a_replay_would_repeat_old_numbers(way: str) -> None:
    assert ARRAYS[way](X).shape == X.shape
    with pytest.raises(CaptureError, match=r"looks at a value, by \.\w+\(\).*without ap\.compile"):
        ap.compile(ARRAYS[way])(X)
