"""Memory that is used again: never while somebody holds it, bounded, and given back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from apolar.kernels import memory

LIKE = torch.empty(0)
SIZE = memory.SMALLEST // 4


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    memory._blocks.clear()
    yield
    memory._blocks.clear()


def fresh(size: int = SIZE, like: Tensor = LIKE) -> Tensor:
    return memory.empty((size,), like)


def test_memory_is_used_again() -> None:
    x = fresh()
    at = x.data_ptr()
    del x
    assert fresh().data_ptr() == at


def test_shape_dtype_and_entries() -> None:
    x = memory.empty((2, SIZE, 3), torch.empty(0, dtype=torch.float64))
    assert x.shape == (2, SIZE, 3)
    assert x.dtype == torch.float64
    assert x.is_contiguous()
    assert x.fill_(3.0).sum() == 18 * SIZE


def saved(x: Tensor) -> Any:
    w = torch.ones(SIZE, requires_grad=True)
    return (w * x).sum()


HOLDERS: dict[str, Callable[[Tensor], Any]] = {
    "the tensor": lambda x: x,
    "a view": lambda x: x.view(2, -1)[1],
    "an entry": lambda x: x[5],
    "detached": lambda x: x.detach(),
    "NumPy": lambda x: x.numpy(),
    "a view in NumPy": lambda x: x.numpy()[3:],
    "the storage": lambda x: x.untyped_storage(),
    "saved for backward": saved,
    "DLPack": lambda x: torch.utils.dlpack.to_dlpack(x),
    "an alias by set_": lambda x: torch.empty(0).set_(x),
    "a parameter": lambda x: torch.nn.Parameter(x),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_memory_that_is_held_is_left_alone(holder: str) -> None:
    x = fresh()
    at = x.data_ptr()
    held = HOLDERS[holder](x)
    del x
    gc.collect()
    others = [fresh() for _ in range(3)]
    assert at not in [y.data_ptr() for y in others]
    del held, others
    gc.collect()
    assert at in [y.data_ptr() for y in [fresh() for _ in range(4)]]


def test_gradients_are_right_when_memory_was_asked_for_in_between() -> None:
    w = torch.full((SIZE,), 2.0, requires_grad=True)
    x = fresh().fill_(3.0)
    y = (w * x).sum()
    del x
    for _ in range(5):
        fresh().fill_(7.0)
    y.backward()
    assert w.grad is not None
    assert (w.grad == 3.0).all()


def test_small_memory_is_not_kept() -> None:
    fresh(SIZE - 1)
    assert not memory._blocks


def test_other_sizes_and_dtypes_are_other_memory() -> None:
    x = fresh()
    at = x.data_ptr()
    del x
    assert fresh(2 * SIZE).data_ptr() != at
    assert fresh(SIZE, torch.empty(0, dtype=torch.float64)).data_ptr() != at


def test_no_more_is_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGEST", 3 * memory.SMALLEST)
    held = [fresh() for _ in range(8)]
    assert len({x.data_ptr() for x in held}) == 8
    assert sum(b.array.nbytes for kept in memory._blocks.values() for b in kept) <= 3 * memory.SMALLEST


def test_idle_memory_is_given_back() -> None:
    fresh(3 * SIZE)
    assert (3 * SIZE, torch.float32) in memory._blocks
    held = []
    for _ in range(memory.IDLE + 2):
        held = [*held[-1:], fresh()]
    fresh(5 * SIZE)
    assert (3 * SIZE, torch.float32) not in memory._blocks


def test_threads_do_not_share() -> None:
    """Every thread writes its own number and finds it again."""
    import threading

    wrong: list[float] = []

    def work(number: float) -> None:
        for _ in range(100):
            x = fresh().fill_(number)
            y = fresh().fill_(-number)
            if not ((x == number).all() and (y == -number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_other_devices_have_their_own() -> None:
    assert memory.empty((SIZE,), torch.empty(0, device="meta")).device.type == "meta"
    assert not memory._blocks
