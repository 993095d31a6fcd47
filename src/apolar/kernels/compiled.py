"""Compositions run by compiled programs: which calls are fit for it, by which back end, and when a program is built.

A program is built in the background once it has been called often enough to be worth it; until then, and where there is no
compiler, the caller takes the eager path.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from enum import Enum

import torch
from torch import Tensor
from torch.nn import Parameter

from apolar.engine.context import unobserved
from apolar.engine.torch_private import has_storage
from apolar.kernels import cpp, memory, native, triton
from apolar.kernels.composition import Composition
from apolar.kernels.program import Program
from apolar.kernels.settings import current

TYPES = {torch.float32: "float", torch.float64: "double"}

WORK, CALLS = 30_000, 100
"""Entries in all calls, and calls however small, after which a program is built."""

PARALLEL = 4096
"""Entries from which on several threads are worth it."""

PATIENCE = 7
"""Calls after which one waits for a program that is being built, if they are large."""


def compose(composition: Composition, *operands: Tensor, plain: bool | None = None) -> Tensor:
    """φ(g); ``plain`` tells whether the operands are fit for a program, where that is known."""
    kernel = _kernel(composition, composition.forward, operands, plain)
    return composition(*operands) if kernel is None else kernel(*operands)[0]


def pull_back(composition: Composition, *operands: Tensor, plain: bool | None = None) -> Sequence[Tensor]:
    """The cotangents of the operands of g, given these and the cotangent of φ(g)."""
    kernel = None if torch.is_grad_enabled() else _kernel(composition, composition.backward, operands, plain)
    return composition.pull_back(*operands) if kernel is None else kernel(*operands)


def _kernel(
    composition: Composition, make: Callable[[], Program], operands: tuple[Tensor, ...], plain: bool | None
) -> Kernel | None:
    """The program of the composition for these operands, if it is ready and they are fit for it."""
    if current.kernels == "eager" or not (fit(*operands) if plain is None else plain):
        return None
    kernel = kernel_of(composition, make, operands[0])
    return kernel if kernel.ready(operands[0].numel()) else None


def kernel_of(composition: Composition, make: Callable[[], Program], first: Tensor) -> Kernel:
    """The program of a composition for operands like the first one."""
    key = make.__name__, first.dtype, first.device.type
    kernel = composition.kernels.get(key)
    if kernel is None:
        kernel = composition.kernels.setdefault(key, Kernel(make, first))
    found: Kernel = kernel
    return found


def fit(*operands: Tensor) -> bool:
    """Whether these are plain tensors on one device that has a back end, and nobody watches the operations on them."""
    device = operands[0].device
    for x in operands:
        if type(x) not in (Tensor, Parameter) or x.dtype not in TYPES or x.device != device:
            return False
        if x.is_neg() or not has_storage(x):  # a sign or a batch that memory does not show
            return False
    return device.type in BACK_ENDS and unobserved()


class Execution(Enum):
    """How programs are executed; the values are sentences."""

    COMPILED = "Functions of one number run as compiled programs, one pass over the components each, once they are called often"
    EAGER = 'Functions of one number run as operations of torch, as ap.settings(kernels="eager") asks for'
    NO_COMPILER = (
        "Functions of one number run as operations of torch, because no compiler was found: set CXX, or install g++"
    )
    NOT_FIT = (
        "Functions of one number run as operations of torch: programs are for float32 and float64 on a CPU or CUDA"
    )


def execution(dtype: torch.dtype, device: torch.device) -> Execution:
    """How programs for such tensors are executed."""
    if current.kernels == "eager":
        return Execution.EAGER
    if dtype not in TYPES or device.type not in BACK_ENDS:
        return Execution.NOT_FIT
    return Execution.COMPILED if BACK_ENDS[device.type].available() else Execution.NO_COMPILER


class Native:
    """A program as a C++ function of this process."""

    def __init__(self, program: Program, like: Tensor, rows: int, columns: int) -> None:
        self.function = native.library(cpp.source("kernel", program, TYPES[like.dtype])).kernel
        self.function.argtypes = [ctypes.c_void_p] * (len(program.inputs) + len(program.outputs)) + [ctypes.c_long] * 3
        self.function.restype = None
        self.address = ctypes.cast(self.function, ctypes.c_void_p).value

    @staticmethod
    def available() -> bool:
        """Whether there is a compiler."""
        return native.available()

    def parts(self, rows: int, columns: int) -> int:
        """How many parts the rows are cut into."""
        return torch.get_num_threads() if rows * columns >= PARALLEL else 1

    def __call__(self, *tensors: Tensor, rows: int, columns: int, parts: int) -> None:
        """Run it on the inputs and the outputs in their order."""
        self.function(*(x.data_ptr() for x in tensors), rows, columns, parts)


BACK_ENDS: dict[str, type[Native] | type[triton.Function]] = {"cpu": Native, "cuda": triton.Function}
"""What makes a function of a program, by the type of device."""


class Kernel:
    """A program that becomes a function when it is worth it.

    Args:
        make: makes the program.
        first: the first of the operands of the first call.
    """

    def __init__(self, make: Callable[[], Program], first: Tensor) -> None:
        self.make, self.like, self.layout = make, first.new_empty(0), _layout(first)
        self.function: Native | triton.Function | None = None
        self.outputs: list[tuple[int, bool]] = []
        self.work = self.calls = 0
        self.builder: threading.Thread | None = None

    def ready(self, entries: int) -> bool:
        """Whether the function is there; counts the call, begins to build, and waits where it has taken too long."""
        if self.function is not None:
            return True
        if self.builder is None:
            self.work += max(entries, WORK // CALLS)
            if self.work < WORK and current.kernels == "auto":
                return False
            self.builder = native.in_background(self._build)
            if self.builder is None:
                return False
        self.calls += 1
        if current.kernels == "compiled" or (self.calls >= PATIENCE and entries >= PARALLEL):
            self.builder.join()
        return self.function is not None

    def __call__(self, *operands: Tensor) -> list[Tensor]:
        """Run the program; the operands are stacked components in the order of its inputs."""
        assert self.function is not None
        tensors = [x if x.is_contiguous() else x.contiguous() for x in operands]
        first = tensors[0]
        shape, (rows, columns) = first.shape[1:], _layout(first)
        parts = self.function.parts(rows, columns)
        written = [
            first.new_empty(parts, count, *(1,) * (len(shape) - 1), columns)
            if uniform
            else memory.empty((count, *shape), first)
            for count, uniform in self.outputs
        ]
        self.function(*tensors, *written, rows=rows, columns=columns, parts=parts)
        return [x.sum(0) if uniform else x for x, (_, uniform) in zip(written, self.outputs, strict=True)]

    def _build(self) -> None:
        try:
            program = self.make()
            function = BACK_ENDS[self.like.device.type](program, self.like, *self.layout)
        except Exception:  # not recorded, no compiler, a full disk: the eager path is there
            return
        self.outputs = [(len(operand.components), operand.uniform) for operand, _ in program.outputs]
        self.function = function


def _layout(x: Tensor) -> tuple[int, int]:
    """The rows and columns of a component."""
    columns = x.shape[-1] if x.dim() > 1 else 1
    entries = x.numel() // x.shape[0]
    return entries // columns if columns else 0, columns
