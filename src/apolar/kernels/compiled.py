"""Compositions run by compiled programs: which calls are fit for it, and when a program is built.

A program is built in the background once it has been called often enough to be worth it; until then, and where there is no
compiler, the caller takes the eager path.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from apolar.kernels import cpp, memory, native
from apolar.kernels.composition import Composition
from apolar.kernels.program import NotRecorded, Program
from apolar.kernels.settings import current

TYPES = {torch.float32: "float", torch.float64: "double"}

WORK = 30_000
"""Entries in all calls after which a program is built; every call counts for some more, however small."""

PARALLEL = 4096
"""Entries from which on several threads are worth it."""

PATIENCE = 7
"""Calls after which one waits for a program that is being built."""


def forward(composition: Composition, *operands: Tensor) -> Tensor | None:
    """φ(g) for the stacked components of g, or None where the eager path is to be taken."""
    kernel = _kernel(composition, composition.forward, operands)
    return None if kernel is None else kernel(*operands)[0]


def backward(composition: Composition, *operands: Tensor) -> list[Tensor] | None:
    """The cotangents of the operands of g, given these and the cotangent of φ(g); or None."""
    kernel = _kernel(composition, composition.backward, operands)
    return None if kernel is None else kernel(*operands)


def _kernel(composition: Composition, make: Callable[[], Program], operands: tuple[Tensor, ...]) -> Kernel | None:
    """The program of the composition for these operands, if it is ready and they are fit for it."""
    if current.kernels == "eager" or not fit(*operands):
        return None
    first = operands[0]
    key = make.__name__, first.dtype
    kernel = composition.kernels.get(key)
    if kernel is None:
        kernel = composition.kernels.setdefault(key, Kernel(make, first.dtype))
    return kernel if kernel.ready(first.numel()) else None


def fit(*operands: Tensor) -> bool:
    """Whether these are plain tensors in memory, and nobody watches the operations on them."""
    for x in operands:
        if type(x) is not Tensor or x.dtype not in TYPES or not x.is_cpu:
            return False
    return not (torch._C._are_functorch_transforms_active() or torch._C._len_torch_dispatch_stack())


class Kernel:
    """A program that becomes a function of this process when it is worth it."""

    def __init__(self, make: Callable[[], Program], dtype: torch.dtype) -> None:
        self.make, self.dtype = make, dtype
        self.function: Callable[..., None] | None = None
        self.outputs: list[tuple[int, bool]] = []
        self.work = self.calls = 0
        self.builder: threading.Thread | None = None

    def ready(self, entries: int) -> bool:
        """Whether the function is there; counts the call, begins to build, and waits where it has taken too long."""
        if self.function is not None:
            return True
        if self.builder is None:
            self.work += entries + WORK // 100
            if self.work < WORK and current.kernels == "auto":
                return False
            self.builder = threading.Thread(target=self._build, name="apolar-kernels", daemon=True)
            self.builder.start()
        self.calls += 1
        if current.kernels == "compiled" or self.calls >= PATIENCE:
            self.builder.join()
        return self.function is not None

    def __call__(self, *operands: Tensor) -> list[Tensor]:
        """Run the program; the operands are stacked components in the order of its inputs."""
        assert self.function is not None
        tensors = [x if x.is_contiguous() else x.contiguous() for x in operands]
        first = tensors[0]
        shape, entries = first.shape[1:], first.numel() // first.shape[0]
        columns = shape[-1] if shape else 1
        parts = torch.get_num_threads() if entries >= PARALLEL else 1
        written = [
            first.new_empty(parts, count, *(1,) * (len(shape) - 1), columns)
            if uniform
            else memory.empty((count, *shape), first)
            for count, uniform in self.outputs
        ]
        pointers = [x.data_ptr() for x in tensors] + [x.data_ptr() for x in written]
        self.function(*pointers, entries // columns if columns else 0, columns, parts)
        return [x.sum(0) if uniform else x for x, (_, uniform) in zip(written, self.outputs, strict=True)]

    def _build(self) -> None:
        try:
            program = self.make()
            function = native.library(cpp.source("kernel", program, TYPES[self.dtype])).kernel
        except (NotRecorded, native.CompilerError):
            return
        function.argtypes = [ctypes.c_void_p] * (len(program.inputs) + len(program.outputs)) + [ctypes.c_long] * 3
        function.restype = None
        self.outputs = [(len(operand.components), operand.uniform) for operand, _ in program.outputs]
        self.function = function
