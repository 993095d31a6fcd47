"""Memory for large results, used again once nobody holds them: fresh pages cost more than the arithmetic that fills them.

A tensor keeps a reference to the array that it was made of, so the array's references tell whether it is in use.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

SMALLEST, LARGEST = 1 << 18, 1 << 30
"""Bytes of a result below which fresh memory is cheap, and of all memory that is kept."""

IDLE = 256
"""Requests for memory after which a block that nobody has asked for is given back."""


@dataclass
class Block:
    """Memory, and the number of the request that it last served."""

    array: Any
    request: int = 0

    @property
    def references(self) -> int:
        """How many there are to the array."""
        return sys.getrefcount(self.array)


UNUSED = Block(np.empty(0)).references

_blocks: dict[tuple[int, torch.dtype], list[Block]] = {}
_lock = threading.Lock()
_requests = 0


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """A tensor of this shape with arbitrary entries, on the device and of the dtype of another one."""
    size = prod(shape)
    if size * like.element_size() < SMALLEST or like.device.type != "cpu":
        return like.new_empty(shape)
    return torch.from_numpy(_array(size, like.dtype).reshape(shape))


def release() -> None:
    """Keep no memory any longer that nobody uses."""
    with _lock:
        _blocks.clear()


def _array(size: int, dtype: torch.dtype) -> Any:
    global _requests
    with _lock:
        _requests += 1
        block = next((b for b in _blocks.get((size, dtype), ()) if b.references == UNUSED), None)
        if block is None:
            block = Block(torch.empty(size, dtype=dtype).numpy())
            _give_back()
            if block.array.nbytes + sum(b.array.nbytes for kept in _blocks.values() for b in kept) <= LARGEST:
                _blocks.setdefault((size, dtype), []).append(block)
        block.request = _requests
        return block.array


def _give_back() -> None:
    """Forget what has been idle for long."""
    for key, blocks in list(_blocks.items()):
        blocks[:] = [b for b in blocks if b.references != UNUSED or _requests - b.request < IDLE]
        if not blocks:
            del _blocks[key]
