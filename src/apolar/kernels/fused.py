"""Chains on a CPU as one call: every thread takes blocks of rows that stay in its cache through all links.

The programs of the compositions are those of ``compiled``; matrix products are those of the library that torch brings.
Gradients with respect to weights are added up thread by thread, and then over the threads, always in the same order.
"""

from __future__ import annotations

import ctypes
import itertools
from array import array
from collections.abc import Sequence
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from apolar.kernels import compiled, memory, native
from apolar.kernels.composition import Composition
from apolar.kernels.links import Chain
from apolar.kernels.settings import current

Shapes: TypeAlias = tuple[Sequence[int], ...]

BLOCK = 1 << 18
"""Bytes that the components of a block take at the widest place: a few such blocks stay in the cache of a core."""

PRODUCTS = {torch.float32: "sgemm_", torch.float64: "dgemm_"}

PASSES = ("forward", "backward", "joint")
"""The programs of a composition that a backward pass takes; a forward pass takes the first."""

SOURCE = Path(__file__).with_name("fused.cpp")


class Driver:
    """The two passes for one dtype, compiled in the background."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.ready = False
        self.builder = native.in_background(self._build)

    def _build(self) -> None:
        try:
            library = native.library(f"#define APOLAR_REAL {compiled.TYPES[self.dtype]}\n{SOURCE.read_text()}")
            torch_library = next(Path(torch.__file__).parent.glob("lib/libtorch_cpu.*"))
            product = getattr(ctypes.CDLL(str(torch_library)), PRODUCTS[self.dtype])
        except Exception:  # no compiler, or another library for matrix products: the chain runs link by link
            return
        self.forward, self.backward = library.forward, library.backward
        self.product = ctypes.cast(product, ctypes.c_void_p).value or 0
        self.forward.argtypes = [ctypes.c_void_p] * 2
        self.backward.argtypes = [ctypes.c_void_p] * 3
        self.forward.restype = self.backward.restype = None
        self.ready = True


_driver = cache(Driver)


def fits(chain: Chain, tensors: Sequence[Tensor], back: bool) -> bool:
    """Whether a chain can run at once for these tensors: all that it needs is there."""
    x = tensors[0]
    several = len(chain.links) > 1 and x.is_cpu and x.ndim > 1 and x.numel() > 0
    return several and compiled.fit(*tensors) and ready(chain, x, back)


def ready(chain: Chain, like: Tensor, back: bool) -> bool:
    """Whether there are the driver and the programs of all links; once they are there they stay."""
    if current.kernels == "eager" or (like.dtype, back) in chain.compiled:
        return current.kernels != "eager"
    compositions = [link for link in chain.links if isinstance(link, Composition)]
    for link in compositions:
        for name in PASSES[: 1 + back]:
            kernel = link.kernels.get((name, like.dtype, "cpu"))
            if kernel is None or kernel.function is None:
                return False
    joint = [compiled.kernel_of(link, link.joint, like) for link in compositions if back]
    driver = _driver(like.dtype)
    if current.kernels == "compiled" and driver.builder is not None:
        driver.builder.join()
    if all([kernel.ready(compiled.WORK) for kernel in joint]) and driver.ready:
        chain.compiled.add((like.dtype, back))
    return (like.dtype, back) in chain.compiled


def run(chain: Chain, tensors: Sequence[Tensor], back: bool) -> list[Tensor]:
    """The components of the result, and the results of the other links if a backward pass follows."""
    tensors = [x.contiguous() for x in tensors]
    x = tensors[0]
    layout = _layout(chain, x.dtype, _shapes(tensors), back, torch.get_num_threads(), BLOCK)
    kept = [memory.empty((n,), x) for n in layout.kept] if back else []
    result = memory.empty(layout.shape, x)
    scratch = memory.empty((2 * layout.scratch,), x)
    given, results = _pointers(tensors), _pointers(kept)
    arguments = layout.arguments(given, results, scratch)
    layout.driver.forward(_address(arguments), result.data_ptr())
    return [result, *kept]


def pull_back(
    chain: Chain, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
) -> list[Tensor | None]:
    """The cotangents of those tensors that need one."""
    tensors = [x.contiguous() for x in tensors]
    x, cotangent = tensors[0], cotangent.contiguous()
    layout = _layout(chain, x.dtype, _shapes(tensors), True, torch.get_num_threads(), BLOCK)
    sums = _sums(chain, _shapes(tensors), tuple(needed))
    found = [memory.empty(x.shape, x) if n else None for x, n in zip(tensors, needed, strict=True)]
    scratch = memory.empty((5 * layout.scratch + layout.threads * sums.apart,), x)
    given, results, targets = _pointers(tensors), _pointers(kept), _pointers(found)
    arguments = layout.arguments(given, results, scratch)
    first = scratch.data_ptr() + 5 * layout.scratch * x.element_size()
    cotangents = array("q", [_address(targets), *sums.arguments, first, sums.joined, sums.apart])
    layout.driver.backward(_address(arguments), cotangent.data_ptr(), _address(cotangents))
    return found


class Layout:
    """How a chain runs for tensors of certain shapes.

    Args:
        most: how many threads there may be.
        block: the bytes of a block.

    Attributes:
        table: the links as the passes take them.
        shape: that of the components of the result.
        kept: how many numbers are kept of the result of each link but the last; 0 where it is computed again.
        rows: how many rows there are.
        blocks, threads: how they are divided.
        space: numbers that the components of a block take at the widest place.
        scratch: the same for all threads.
    """

    def __init__(self, chain: Chain, dtype: torch.dtype, shapes: Shapes, back: bool, most: int, block: int) -> None:
        self.driver, self.links = _driver(dtype), len(chain.links)
        components, *rows, columns = shapes[0]
        tangents = shapes[1][0] if chain.operands == 2 else 0
        numbers: list[int] = []
        results, widest = [], (components + tangents) * columns
        for link, places in zip(chain.links, chain.parameters, strict=True):
            before, taken, apart = columns, components, tangents
            weight, bias, functions = -1, -1, [0, 0, 0]
            if isinstance(link, Composition):
                functions = [_function(link, name, dtype) if back or name == "forward" else 0 for name in PASSES]
                components, tangents = len(link.results), 0
            else:
                weight, bias = places[0], places[1] if link.bias and link.value else -1
                columns = shapes[weight][0]
            numbers += [weight, bias, *functions, before, columns, taken, components, apart]
            results.append(components * columns)
            widest = max(widest, (components + tangents) * columns)
        self.table = array("q", numbers)
        self.shape, self.rows = (components, *rows, columns), prod(rows)
        self.kept = [self.rows * n * stored for n, stored in zip(results, _stored(chain))]
        threads = most if self.rows * widest >= compiled.PARALLEL else 1
        each = -(-self.rows * widest * dtype.itemsize // (block * threads))
        self.threads = min(threads, self.rows)
        self.blocks = min(self.rows, self.threads * max(each, 1))
        self.space = widest * -(-self.rows // self.blocks)
        self.scratch = self.threads * self.space

    def arguments(self, tensors: array[int], kept: array[int], scratch: Tensor) -> array[int]:
        """The chain as both passes take it."""
        what = _address(self.table), self.links, _address(tensors), _address(kept), scratch.data_ptr()
        return array("q", [*what, self.space, self.rows, self.blocks, self.threads, self.driver.product])


class Sums:
    """Where the cotangents of tensors of certain shapes are summed.

    Attributes:
        places: of each tensor in a sum; -1 where it has none.
        sizes: how many numbers the tensors have.
        joined: the place of those of the tangents, where they come apart and join the value.
        apart: how many numbers a sum has.
    """

    def __init__(self, chain: Chain, shapes: Shapes, needed: tuple[bool, ...]) -> None:
        self.sizes = array("q", map(prod, shapes))
        summed = [n and k >= chain.operands for k, n in enumerate(needed)]
        *starts, self.joined = itertools.accumulate((size * s for size, s in zip(self.sizes, summed)), initial=0)
        self.places = array("q", [start if s else -1 for start, s in zip(starts, summed)])
        self.apart = self.joined + _joined(chain, shapes)
        self.arguments = _address(self.places), _address(self.sizes), len(shapes), chain.operands


def _joined(chain: Chain, shapes: Shapes) -> int:
    """How many numbers the tangents have where they join the value."""
    if chain.operands == 1:
        return 0
    tangents, columns = shapes[1][0], shapes[1][-1]
    for link, places in zip(chain.links, chain.parameters):
        if isinstance(link, Composition):
            break
        columns = shapes[places[0]][0]
    return tangents * columns


_layout, _sums = lru_cache(maxsize=1024)(Layout), lru_cache(maxsize=1024)(Sums)


def _stored(chain: Chain) -> list[bool]:
    """Which results are kept for reverse mode: what a composition hands to a layer is computed again."""
    return [not isinstance(a, Composition) or isinstance(b, Composition) for a, b in itertools.pairwise(chain.links)]


def _function(link: Composition, name: str, dtype: torch.dtype) -> int:
    return int(link.kernels[name, dtype, "cpu"].function.address)


def _shapes(tensors: Sequence[Tensor]) -> Shapes:
    return tuple([x.shape for x in tensors])


def _pointers(tensors: Sequence[Tensor | None]) -> array[int]:
    return array("q", [0 if x is None or not x.numel() else x.data_ptr() for x in tensors])


def _address(numbers: array[int]) -> int:
    return numbers.buffer_info()[0] if numbers else 0
