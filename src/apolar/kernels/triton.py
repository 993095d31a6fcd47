"""Programs as Triton kernels: tiles of rows and columns, where every component is read once and every result written once.

The rows are cut into parts, and each walks down its rows tile by tile. What is summed over the rows is written part by part;
tiles and parts follow from the shape alone, so that the same sums are the same on every device.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.kernels.native import CompilerError
from apolar.kernels.program import UNARY, Argument, Program, Symbol

TYPES = {torch.float32: "float32", torch.float64: "float64"}

WORDS = {
    **{name: f"libdevice.{name}({{0}})" for name in UNARY},
    "isfinite": "tl.abs({0}) < float('inf')",
    "sqrt": "libdevice.sqrt_rn({0})",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "libdevice.div_rn({0}, {1})",  # the / of Triton is approximate in float32
    "neg": "{0} * -1.0",  # the - of Triton subtracts from 0 and loses the sign of 0
    "and": "{0} & {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "where": "tl.where({0}, {1}, {2})",
    "cast": "{0}.to(T)",
}
"""What an operation is called. libdevice is the mathematical library of CUDA, which torch uses as well."""

HEAD = """\
import triton
import triton.language as tl
from triton.language.extra import libdevice

T = tl.constexpr(tl.{type})


@triton.jit(do_not_specialize=["rows", "parts"])
def kernel({pointers}, rows, columns, parts, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    part = tl.program_id(1).to(tl.int64)  # 32 bits are too few to count entries with
    first, last = rows * part // parts, rows * (part + 1) // parts
    size = rows.to(tl.int64) * columns
    j = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)[None, :]
    within = j < columns
"""
LOOP = """\
    for start in range(first, last, HEIGHT):
        row = start + tl.arange(0, HEIGHT)[:, None]
        i = row * columns + j
        inside = (row < last) & within
"""

WARPS = 4
"""Of 32 threads each, in one program of the grid."""

REGISTERS = 128
"""Of a thread, for the components that it holds; it takes fewer entries at once where they would need more."""

WIDTH = 64
"""Columns in a tile of rows, at most."""

PROGRAMS = 2048
"""In the grid, so that a large device is busy, while there is little left to sum over the parts."""


def source(program: Program, dtype: torch.dtype) -> str:
    """A module with one kernel: pointers to the inputs and to the outputs, rows, columns, parts, and the size of a tile."""
    names = {symbol: f"t{k}" for k, symbol in enumerate(program.steps)}
    used = {s for x in program.steps for s in x.arguments} | {s for _, results in program.outputs for s in results}
    read = {(x.arguments[0], x.arguments[1]) for x in used if isinstance(x, Symbol) and x.operation == "input"}

    def word(x: Argument) -> str:
        if not isinstance(x, Symbol):
            return f"tl.full((1, 1), float('{float(x)!r}'), T)"
        return names[x] if x in names else "{}_{}".format(*x.arguments)

    above: list[str] = []
    body: list[str] = []
    below: list[str] = []
    for operand in program.inputs:
        for position, k in enumerate(operand.components):
            if (operand.name, k) in read:
                where = f"{position} * columns + j, within" if operand.uniform else f"{position} * size + i, inside"
                (above if operand.uniform else body).append(f"{operand.name}_{k} = tl.load({operand.name} + {where})")
    body += [f"{names[s]} = {WORDS[s.operation].format(*map(word, s.arguments))}" for s in program.steps]
    for operand, results in program.outputs:
        for position, (k, result) in enumerate(zip(operand.components, results, strict=True)):
            if operand.uniform:
                total, count = f"{operand.name}_{k}_sum", len(operand.components)
                above.append(f"{total} = tl.zeros((HEIGHT, WIDTH), T)")
                body.append(f"{total} += tl.where(inside, {word(result)}, {word(0)})")
                where = f"{operand.name}_out + (part * {count} + {position}) * columns + j"
                below.append(f"tl.store({where}, tl.sum({total}, 0)[None, :], within)")
            else:
                body.append(f"tl.store({operand.name}_out + {position} * size + i, {word(result)}, inside)")
    pointers = [operand.name for operand in program.inputs] + [f"{operand.name}_out" for operand, _ in program.outputs]
    return "".join(
        [
            HEAD.format(type=TYPES[dtype], pointers=", ".join(pointers)),
            *(f"    {line}\n" for line in above),
            LOOP,
            *(f"        {line}\n" for line in body),
            *(f"    {line}\n" for line in below),
        ]
    )


class Function:
    """A program that runs where its tensors are.

    Args:
        program: what to compute.
        like: a tensor of the dtype and on the device of the operands.
        rows, columns: of a tensor that the kernel is compiled for; others may need another one.

    Raises:
        CompilerError: there is no Triton, or it does not compile the program.
    """

    def __init__(self, program: Program, like: Tensor, rows: int, columns: int) -> None:
        operands = [*program.inputs, *(operand for operand, _ in program.outputs)]
        self.flat = not program.uniform
        self.entries = _entries(sum(len(operand.components) for operand in operands), like.element_size())
        try:
            self.kernel = _module(source(program, like.dtype))["kernel"]
            self(*(like.new_empty(0) for _ in operands), rows=rows, columns=columns, parts=0)  # an empty grid: compiles
        except Exception as error:  # those of Triton have no class in common
            raise CompilerError(str(error)) from error

    @staticmethod
    def available() -> bool:
        """Whether there is Triton."""
        return importlib.util.find_spec("triton") is not None

    def parts(self, rows: int, columns: int) -> int:
        """How many parts the rows are cut into."""
        if self.flat:
            return 1
        height, width = self._tile(columns)
        return min(-(-rows // height), max(1, PROGRAMS * width // max(columns, width)))

    def __call__(self, *tensors: Tensor, rows: int, columns: int, parts: int) -> None:
        """Run it on the inputs and the outputs in their order."""
        if self.flat:
            rows, columns = 1, rows * columns
        height, width = self._tile(columns)
        with torch.cuda.device_of(tensors[0]):
            self.kernel[-(-columns // width), parts](
                *tensors, rows, columns, parts, height, width, num_warps=WARPS, **_options()
            )

    def _tile(self, columns: int) -> tuple[int, int]:
        width = self.entries if self.flat else min(1 << (columns - 1).bit_length(), WIDTH)
        return self.entries // width, width


def _entries(components: int, size: int) -> int:
    """In a tile: as many for every thread as fit into one access to memory, and into its registers."""
    lanes = 16 // size
    while lanes > 1 and lanes * components * size > 4 * REGISTERS:
        lanes //= 2
    return 32 * WARPS * lanes


@lru_cache(maxsize=4096)
def _module(text: str) -> dict[str, Any]:
    """The names that a text in Python defines. Triton reads functions through inspect, which looks into linecache."""
    name = f"<apolar {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    defined: dict[str, Any] = {"__name__": name}
    exec(compile(text, name, "exec"), defined)
    return defined


@cache
def _options() -> dict[str, bool]:
    """Products and sums are contracted; libdevice keeps numbers below the normal ones, where this Triton can be asked to."""
    from triton.backends.nvidia.compiler import CUDAOptions

    wanted = {"enable_fp_fusion": True, "enable_reflect_ftz": False}
    return {name: value for name, value in wanted.items() if name in CUDAOptions.__dataclass_fields__}
