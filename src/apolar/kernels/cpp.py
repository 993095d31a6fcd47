"""Programs as C++: one loop over the entries, vectorised, that reads every component once and writes every result once.

The rows are cut into as many parts as there are threads. What is summed over the rows is written part by part.
"""

from __future__ import annotations

import math

from apolar.kernels.program import UNARY, Argument, Operand, Program, Symbol

WORDS = {
    **{name: f"std::{name}({{0}})" for name in UNARY},
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "and": "{0} && {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "where": "{0} ? {1} : {2}",
    "cast": "T({0})",
}
"""What an operation is called."""

HEAD = """\
#define __FAST_MATH__ 1  // glibc declares its vector functions only then
#include <cmath>
using T = {type};

extern "C" void {name}({signature}long rows, long columns, long parts) {{
  #pragma omp parallel for num_threads(parts) schedule(static)
  for (long part = 0; part < parts; ++part) {{
"""


def source(name: str, program: Program, dtype: str) -> str:
    """A C++ file with one function: pointers to the inputs and to the outputs, rows, columns, parts."""
    outputs = [operand for operand, _ in program.outputs]
    signature = "".join(
        f"{'const ' if k < len(program.inputs) else ''}T* __restrict {_pointer(o, k >= len(program.inputs))}, "
        for k, o in enumerate((*program.inputs, *outputs))
    )
    names = {symbol: f"t{k}" for k, symbol in enumerate(program.steps)}

    def word(x: Argument) -> str:
        if not isinstance(x, Symbol):
            return f"T({float(x)!r})" if math.isfinite(x) else "T(INFINITY)"
        return names[x] if x in names else _element(_operand(program, x), int(x.arguments[1]), False)

    body = [f"const auto {names[s]} = {WORDS[s.operation].format(*map(word, s.arguments))};" for s in program.steps]
    for operand, results in program.outputs:
        for k, result in zip(operand.components, results, strict=True):
            body.append(f"{_element(operand, k, True)} {'+=' if operand.uniform else '='} {word(result)};")
    if program.uniform:
        loops = [
            "const long first = rows * part / parts, last = rows * (part + 1) / parts;",
            *(_cleared(operand) for operand in outputs if operand.uniform),
            "for (long row = first; row < last; ++row) {",
            "const long start = row * columns;",
            "#pragma omp simd",
            "for (long j = 0; j < columns; ++j) {",
            "const long i = start + j;",
            *body,
            "}",
            "}",
        ]
    else:
        loops = [
            "const long size = rows * columns, first = size * part / parts, last = size * (part + 1) / parts;",
            "#pragma omp simd",
            "for (long i = first; i < last; ++i) {",
            *body,
            "}",
        ]
    return "\n".join([HEAD.format(type=dtype, name=name, signature=signature), *loops, "  }", "}", ""])


def _pointer(operand: Operand, written: bool) -> str:
    return f"{operand.name}_bar" if written and operand.name != "y" else operand.name


def _operand(program: Program, x: Symbol) -> Operand:
    return next(o for o in program.inputs if o.name == x.arguments[0])


def _element(operand: Operand, k: int, written: bool) -> str:
    """Component k of an operand at the current entry."""
    position, pointer = operand.components.index(k), _pointer(operand, written)
    if not operand.uniform:
        return f"{pointer}[{position} * rows * columns + i]"
    part = f"part * {len(operand.components)} + " if written else ""
    return f"{pointer}[({part}{position}) * columns + j]"


def _cleared(operand: Operand) -> str:
    count = len(operand.components)
    return f"for (long k = 0; k < {count} * columns; ++k) {_pointer(operand, True)}[part * {count} * columns + k] = 0;"
