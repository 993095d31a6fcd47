"""Compositions run by compiled programs: which calls are fit for it, and when a program is built.

A program is built in the background once it has been called often enough to be worth it; until then, and where there is no
compiler, the caller takes the eager path.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from apolar.kernels import cpp, memory, native
from apolar.kernels.composition import Composition
from apolar.kernels.program import NotRecorded, Operand, Program
from apolar.kernels.settings import current

TYPES = {torch.float32: "float", torch.float64: "double"}

WORK = 30_000
"""Entries in all calls after which a program is built; every call counts for some more, however small."""

PATIENCE = 7
"""Calls after which one waits for a program that is being built."""


def forward(composition: Composition, *operands: Tensor) -> Tensor | None:
    """φ(g) for the stacked components of g, or None where the eager path is to be taken."""
    if current.kernels == "eager" or not fit(*operands):
        return None
    kernel = _kernel(composition, "forward", operands[0].dtype)
    return kernel(*operands)[0] if kernel.ready(operands[0].numel()) else None


def backward(composition: Composition, *operands: Tensor) -> tuple[Tensor, ...] | None:
    """The cotangents of the operands of g, given these and the cotangent of φ(g); or None."""
    if current.kernels == "eager" or not fit(*operands):
        return None
    kernel = _kernel(composition, "backward", operands[0].dtype)
    return kernel(*operands) if kernel.ready(operands[0].numel()) else None


def fit(*operands: Tensor) -> bool:
    """Whether these are plain tensors in memory, and nobody watches the operations on them."""
    return (
        all(type(x) is Tensor and x.dtype in TYPES and x.device.type == "cpu" for x in operands)
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._len_torch_dispatch_stack()
    )


class Kernel:
    """A program that becomes a function of this process when it is worth it."""

    def __init__(self, make: Callable[[], Program], dtype: torch.dtype) -> None:
        self.make, self.dtype = make, dtype
        self.program: Program | None = None
        self.function: Callable[..., None] | None = None
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

    def __call__(self, *operands: Tensor) -> tuple[Tensor, ...]:
        """Run the program; the operands are stacked components in the order of its inputs."""
        assert self.program is not None
        assert self.function is not None
        tensors = [x.contiguous() for x in operands]
        shape = tensors[0].shape[1:]
        columns = shape[-1] if shape else 1
        rows = tensors[0][0].numel() // columns if columns else 0
        parts = torch.get_num_threads() if tensors[0].numel() >= 8192 else 1
        written = [self._empty(operand, tensors[0], parts) for operand, _ in self.program.outputs]
        self.function(*(x.data_ptr() for x in (*tensors, *written)), rows, columns, parts)
        return tuple(x.sum(0) if o.uniform else x for x, (o, _) in zip(written, self.program.outputs, strict=True))

    def _empty(self, operand: Operand, like: Tensor, parts: int) -> Tensor:
        count, shape = len(operand.components), like.shape[1:]
        if operand.uniform:
            return like.new_empty(parts, count, *(1 for _ in shape[:-1]), *shape[-1:])
        return memory.empty((count, *shape), like)

    def _build(self) -> None:
        try:
            program = self.make()
            function = native.library(cpp.source("kernel", program, TYPES[self.dtype])).kernel
        except (NotRecorded, native.CompilerError):
            return
        function.argtypes = [ctypes.c_void_p] * (len(program.inputs) + len(program.outputs)) + [ctypes.c_long] * 3
        function.restype = None
        self.program, self.function = program, function


@lru_cache(maxsize=4096)
def _kernel(composition: Composition, direction: str, dtype: torch.dtype) -> Kernel:
    return Kernel(composition.forward if direction == "forward" else composition.backward, dtype)
