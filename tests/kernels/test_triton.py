"""Triton kernels: on the CPU by Triton's interpreter, as PTX for a device that is not there, and on a device.

The interpreter is chosen before Triton is imported, so it has a process of its own, where torch stands in for libdevice.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from packaging.version import Version
from torch import Tensor

import apolar as ap
import apolar.rules
from apolar.algebras.algebra import Algebra
from apolar.engine import series
from apolar.kernels import compiled, native, triton
from apolar.kernels.composition import Composition
from apolar.kernels.program import OPERATIONS, UNARY, Operand, Program, Recorder, program

C = ap.coordinates("x y")
dx, dy = C

ALGEBRAS: dict[str, Algebra] = {
    "the value alone": ap.algebra(C.one),
    "gradient": ap.algebra(dx, dy),
    "Laplacian": ap.algebra(C.laplacian),
    "mixed": ap.algebra(dx * dy),
    "KdV": ap.algebra(dx**3, dy),
    "biharmonic": ap.algebra(C.laplacian**2),
    "order 5": ap.algebra((dx - 2 * dy) ** 5),
}
ENTRIES = {e.function.__name__: e for e in series.FUNCTIONS.values() if isinstance(e, series.Elementwise)}
NAMES = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square sin cos tan asin acos atan sinh cosh tanh asinh acosh "
    "atanh erf erfc abs relu sigmoid log_sigmoid silu mish softplus gelu elu celu selu special_ndtr"
)
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(NAMES.split(), ()),
    "number_power": (2.5,),
    "leaky_relu": (0.2,),
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.3, -2.5, 30.0, -200.0, 1e-40, 1e-310, math.inf, -math.inf, math.nan]
SHAPES = [
    (),
    (1,),
    (0,),
    (5,),
    (700,),
    (1, 1),
    (3, 0),
    (0, 4),
    (3, 5),
    (37, 3),
    (2, 3, 16),
    (2, 0, 3),
    (3, 150),
    (300, 2),
]
FORMS: dict[str, tuple[tuple[int, ...] | None, tuple[int, ...] | None]] = {
    "stacked": (None, None),
    "some wanted": (None, (0, 2)),
    "tangents": ((1, 2), None),
    "tangents, one wanted": ((1, 2), (2,)),
}
DTYPES = [torch.float32, torch.float64]
PASSES = ["forward", "backward"]

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def taylor_of(name: str) -> series.Expansion:
    """φ(x), φ′(x), φ″(x)/2!, …"""
    return series.expansion(ENTRIES[name], FUNCTIONS[name])


def operands_of(composition: Composition, shape: tuple[int, ...], dtype: torch.dtype, device: str) -> list[Tensor]:
    """Those of φ(g) and the cotangent of φ(g); the values lie where few functions have no value."""
    generator = torch.Generator().manual_seed(1)

    def normal(count: int, *sizes: int) -> Tensor:
        return torch.randn(count, *sizes, dtype=torch.float64, generator=generator).to(device, dtype)

    uniform = (*(1 for _ in shape[:-1]), *shape[-1:])
    given = [normal(len(o.components), *(uniform if o.uniform else shape)) for o in composition.operands]
    given[0][0] = 0.5 + 0.4 * torch.tanh(given[0][0])
    return [*given, normal(len(composition.results), *shape)]


def kernel(make: Callable[[], Program], first: Tensor) -> compiled.Kernel:
    """The program, compiled for operands like this one."""
    made = compiled.Kernel(make, first)
    with ap.settings(kernels="compiled"):
        assert made.ready(first.numel())
    return made


def agree(found: Tensor, expected: Tensor) -> bool:
    """Whether these are the same up to many roundings, or NaN or infinite in the same places."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    finite = expected[expected.isfinite()]
    tolerance = 1000 * torch.finfo(expected.dtype).eps
    scale = float(finite.abs().max()) if len(finite) else 0
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def compare(
    name: str, algebra: str, form: str, shape: tuple[int, ...], dtype: torch.dtype, device: str = "cpu", at: Any = None
) -> None:
    """Both passes, in the process that calls, against the eager ones."""
    composition = Composition(ALGEBRAS[algebra], taylor_of(name), *FORMS[form])
    *given, cotangent = operands_of(composition, shape, dtype, device)
    if at is not None:
        given[0][0] = torch.tensor(at, dtype=dtype, device=device)
    (value,) = kernel(composition.forward, given[0])(*given)
    pulled = kernel(composition.backward, given[0])(*given, cotangent)
    with torch.no_grad():
        assert agree(value, composition(*given))
        for found, expected in zip(pulled, composition.pull_back(*given, cotangent), strict=True):
            assert agree(found, expected)


def words(dtype: torch.dtype, device: str = "cpu") -> None:
    """Every operation on every pair of special values, against torch."""
    x = torch.tensor(SPECIAL, dtype=dtype, device=device)
    pairs = torch.cartesian_prod(x, x).T.contiguous()
    a, b = pairs
    expected: dict[str, Tensor] = {
        **{name: getattr(torch, name)(a) for name in UNARY},
        **{"add": a + b, "sub": a - b, "mul": a * b, "div": a / b, "neg": -a},
        **{
            "gt": a > b,
            "ge": a >= b,
            "lt": a < b,
            "le": a <= b,
            "and": (a > b) & (b > 1),
            "where": torch.where(a > b, a, b),
        },
        "cast": (a > b).to(dtype),
    }
    assert {*expected, "input"} == OPERATIONS

    recorder = Recorder()
    p, q = (recorder.emit("input", "x", k) for k in range(2))
    more = p > q
    arguments = {
        **dict.fromkeys(UNARY, (p,)),
        **dict.fromkeys(("add", "sub", "mul", "div", "gt", "ge", "lt", "le"), (p, q)),
        **{"neg": (p,), "and": (more, q > 1), "where": (more, p, q), "cast": (more,)},
    }
    results = [recorder.emit(name, *arguments[name]) for name in expected]
    results = [y.to(None) if expected[name].dtype == torch.bool else y for name, y in zip(expected, results)]
    everything = program((Operand("x", (0, 1)),), [(Operand("y", tuple(range(len(results)))), results)])
    y = torch.empty(len(results), len(a), dtype=dtype, device=device)
    triton.Function(everything, y, 1, len(a))(pairs, y, rows=1, columns=len(a), parts=1)
    for name, found in zip(expected, y):
        right = expected[name].to(dtype)
        assert torch.allclose(found, right, rtol=8 * torch.finfo(dtype).eps, atol=0, equal_nan=True), name
        known = ~right.isnan()
        assert torch.equal(found[known].signbit(), right[known].signbit()), name


def far(path: Path) -> None:
    """One row of a tensor with more entries than 32 bits can count; nothing of its file is there before it is written to."""
    rows, columns, size = 1 << 26, 17, (1 << 26) * 17
    x = torch.from_file(str(path), shared=True, size=3 * size, dtype=torch.float32).view(3, rows, columns)
    x[:, 0] = torch.tensor([[1.0], [2.0], [3.0]])
    recorder = Recorder()
    read = [recorder.emit("input", "x", k) for k in range(3)]
    reversed_ = program(
        (Operand("x", (0, 1, 2)), Operand("u", (0,), uniform=True)),
        [(Operand("y", (0, 1, 2)), [s + 0.5 for s in read[::-1]])],
    )
    triton.Function(reversed_, x[:0], 1, columns).kernel[1, 1](x, x[0, :1], x, rows, columns, rows, 16, 32)
    assert x[:, 0].eq(torch.tensor([[3.5], [2.5], [1.5]])).all()


# ------------------------------------------------------------------------------------------------------- in the interpreter


def start() -> None:
    """Makes this process one where Triton interprets, for tensors in memory."""
    from triton import language as tl
    from triton.language.extra import libdevice
    from triton.runtime.interpreter import TensorHandle

    def by_torch(function: Callable[..., Tensor]) -> Callable[..., Any]:
        def interpreted(*arguments: Any) -> Any:
            y = function(*(torch.from_numpy(x.handle.data) for x in arguments)).numpy()
            dtype = arguments[0].dtype.scalar
            return tl.tensor(TensorHandle(y, dtype), tl.block_type(dtype, list(y.shape)))

        return interpreted

    torch.set_num_threads(1)
    for name in {*UNARY} - {"isfinite"}:
        setattr(libdevice, name, by_torch(getattr(torch, name)))
    libdevice.sqrt_rn, libdevice.div_rn = by_torch(torch.sqrt), by_torch(torch.div)
    compiled.BACK_ENDS["cpu"] = triton.Function


@pytest.fixture(scope="module")
def interpreter() -> Iterator[ProcessPoolExecutor]:
    version = pytest.importorskip("triton", reason="no Triton here").__version__
    if Version(version) < Version("3.7") and Version(np.__version__) >= Version("2.4"):
        pytest.skip("Triton before 3.7 interprets loops by int(array), which NumPy 2.4 and later refuse")
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start) as pool,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TRITON_INTERPRET", "1")
        pool.submit(os.getpid).result()  # starts the process
        patch.undo()
        yield pool


@each_dtype
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: torch.dtype, interpreter: ProcessPoolExecutor) -> None:
    for algebra, form in [("biharmonic", "stacked"), ("KdV", "tangents"), ("Laplacian", "some wanted")]:
        interpreter.submit(compare, name, algebra, form, (3, 5), dtype).result()


@each_dtype
@pytest.mark.parametrize("form", ["stacked", "tangents"])
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "silu", "softplus", "sqrt", "log", "sin", "relu", "erf"])
def test_special_values(name: str, form: str, dtype: torch.dtype, interpreter: ProcessPoolExecutor) -> None:
    interpreter.submit(compare, name, "Laplacian", form, (len(SPECIAL),), dtype, at=SPECIAL).result()


@each_dtype
def test_words(dtype: torch.dtype, interpreter: ProcessPoolExecutor) -> None:
    interpreter.submit(words, dtype).result()


def test_offsets_beyond_32_bits(tmp_path: Path, interpreter: ProcessPoolExecutor) -> None:
    interpreter.submit(far, tmp_path / "entries").result()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algebra", ALGEBRAS)
def test_algebras(algebra: str, form: str, interpreter: ProcessPoolExecutor) -> None:
    if ALGEBRAS[algebra].size < 3 and form != "stacked":
        pytest.skip("there is nothing to choose from")
    interpreter.submit(compare, "tanh", algebra, form, (4, 5), torch.float64).result()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("form", ["stacked", "tangents"])
def test_shapes(form: str, shape: tuple[int, ...], interpreter: ProcessPoolExecutor) -> None:
    if not shape and form != "stacked":
        pytest.skip("tangents have columns")
    for dtype in DTYPES:
        interpreter.submit(compare, "sin", "Laplacian", form, shape, dtype).result()


# ------------------------------------------------------------------------------------------------------------- as assembly


class Assembled(triton.Function):
    """A program compiled for a device that need not be there.

    Attributes:
        code: in the assembly language of the device.
    """

    def __call__(self, *tensors: Tensor, rows: int, columns: int, parts: int) -> None:
        from triton import compile
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        names = self.kernel.arg_names
        types = {torch.float32: "*fp32", torch.float64: "*fp64"}
        signature = dict.fromkeys(names, types[tensors[0].dtype])
        signature |= dict.fromkeys(("rows", "columns", "parts"), "i32") | dict.fromkeys(
            ("HEIGHT", "WIDTH"), "constexpr"
        )
        aligned = [*range(len(tensors)), names.index("columns")]
        source = ASTSource(
            self.kernel,
            signature,
            dict(zip(("HEIGHT", "WIDTH"), self._tile(columns))),
            {(k,): [["tt.divisibility", 16]] for k in aligned},
        )
        options = {"num_warps": triton.WARPS, **triton._options()}
        built = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        assert built.asm["cubin"]
        self.code = built.asm["ptx"]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton with an empty cache."""
    pytest.importorskip("triton", reason="no Triton here")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def operations() -> Program:
    """Every one on its own."""
    recorder = Recorder()
    p, q = (recorder.emit("input", "x", k) for k in range(2))
    results = [
        *(recorder.emit(name, p) for name in sorted({*UNARY} - {"isfinite"})),
        *(p + q, p - q, p * q, p / q, -p, 1 / p, p * 0.1, p + math.inf),
        *(c.to(None) for c in (p > q, p >= q, p < q, p <= q, (p > q) & (p < 1), recorder.emit("isfinite", p))),
        recorder.emit("where", p > q, p, 0.1),
    ]
    return program((Operand("x", (0, 1)),), [(Operand("y", tuple(range(len(results)))), results)])


@each_dtype
@pytest.mark.usefixtures("compiler")
def test_every_operation_compiles(dtype: torch.dtype) -> None:
    assert "st.global" in Assembled(operations(), torch.empty(0, dtype=dtype), 64, 64).code


@each_dtype
@pytest.mark.usefixtures("compiler")
def test_quotients_and_roots_are_rounded_correctly(dtype: torch.dtype) -> None:
    recorder = Recorder()
    p, q = (recorder.emit("input", "x", k) for k in range(2))
    results = [p / q, 1 / p, recorder.emit("sqrt", p)]
    made = program((Operand("x", (0, 1)),), [(Operand("y", (0, 1, 2)), results)])
    code = Assembled(made, torch.empty(0, dtype=dtype), 64, 64).code
    assert re.search(r"(div|rcp)\.rn", code)
    assert "sqrt.rn" in code
    assert not re.search(r"(div|rcp|sqrt)\.(full|approx)", code)


@each_dtype
@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("compiler")
def test_every_component_is_read_and_written_once(form: str, direction: str, dtype: torch.dtype) -> None:
    composition = Composition(ALGEBRAS["Laplacian"], taylor_of("tanh"), *FORMS[form])
    made: Program = getattr(composition, direction)()
    code = Assembled(made, torch.empty(0, dtype=dtype), 64, 64).code
    read = {a.arguments for s in made.steps for a in s.arguments if getattr(a, "operation", "") == "input"}
    read |= {a.arguments for _, results in made.outputs for a in results if getattr(a, "operation", "") == "input"}
    written = [len(o.components) for o, _ in made.outputs if not o.uniform]
    assert len(re.findall(r"ld\.global", code)) == len(read)
    assert len(re.findall(r"st\.global\.v[24]", code)) == sum(written)


# ------------------------------------------------------------------------------------------------------------ back ends


def test_without_triton_there_is_no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    triton._module.cache_clear()
    with pytest.raises(native.CompilerError, match="triton"):
        triton.Function(operations(), torch.empty(0), 1, 1)


def test_every_operation_has_a_word() -> None:
    assert {*triton.WORDS, "input"} == OPERATIONS


def test_operands_are_on_one_device_that_has_a_back_end() -> None:
    here, elsewhere = torch.empty(1), torch.empty(1, device="meta")
    assert compiled.fit(here, here)
    assert not compiled.fit(elsewhere, elsewhere)
    assert not compiled.fit(here, elsewhere)


# ------------------------------------------------------------------------------------------------------------ on a device


@pytest.mark.cuda
@each_dtype
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_on_a_device(name: str, dtype: torch.dtype) -> None:
    for form in FORMS:
        compare(name, "biharmonic", form, (100, 48), dtype, "cuda")


@pytest.mark.cuda
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("form", ["stacked", "tangents"])
def test_shapes_on_a_device(form: str, shape: tuple[int, ...]) -> None:
    if not shape and form != "stacked":
        pytest.skip("tangents have columns")
    for dtype in DTYPES:
        compare("sin", "Laplacian", form, shape, dtype, "cuda")


@pytest.mark.cuda
@each_dtype
def test_words_on_a_device(dtype: torch.dtype) -> None:
    words(dtype, "cuda")


@pytest.mark.cuda
@each_dtype
@pytest.mark.parametrize("operator", [C.laplacian, dx * dy, C.laplacian**2], ids=str)
def test_a_network_on_a_device(operator: Any, dtype: torch.dtype) -> None:
    """Values and gradients, as on the CPU in float64."""
    layers = [torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.SiLU(), torch.nn.Linear(32, 1)]
    network = torch.nn.Sequential(*layers).double()
    points = torch.randn(1000, 2, dtype=torch.float64)

    def run(kernels: Any, device: str, dtype: torch.dtype) -> list[Tensor]:
        network.to(device, dtype)
        with ap.settings(kernels=kernels):
            value, derivative = ap.evaluate(network, points.to(device, dtype), 1, operator)
            slopes = torch.autograd.grad((value * derivative).mean(), list(network.parameters()))
        return [x.detach().cpu().double() for x in (value, derivative, *slopes)]

    expected = run("eager", "cpu", torch.float64)
    tolerance = 1e-3 if dtype == torch.float32 else 1e-10
    for found, right in zip(run("compiled", "cuda", dtype), expected):
        assert torch.allclose(found, right, rtol=tolerance, atol=tolerance * float(right.abs().max()))


@pytest.mark.cuda
@pytest.mark.parametrize("direction", PASSES)
def test_memory_on_a_device(direction: str) -> None:
    """Nothing but the results is allocated."""
    composition = Composition(ALGEBRAS["biharmonic"], taylor_of("tanh"))
    *given, cotangent = operands_of(composition, (1 << 18,), torch.float32, "cuda")
    operands = given if direction == "forward" else [*given, cotangent]
    run = kernel(getattr(composition, direction), given[0])
    run(*operands)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    (result,) = run(*operands)
    assert torch.cuda.max_memory_allocated() - before <= 1.01 * result.nbytes


@pytest.mark.cuda
def test_sums_on_a_device_are_the_same_every_time() -> None:
    composition = Composition(ALGEBRAS["Laplacian"], taylor_of("tanh"), (1, 2))
    operands = operands_of(composition, (100_000, 48), torch.float32, "cuda")
    run = kernel(composition.backward, operands[0])
    first = run(*operands)
    for _ in range(5):
        assert all(torch.equal(x, y) for x, y in zip(first, run(*operands)))


@pytest.mark.cuda
def test_many_entries_on_a_device() -> None:
    """More than 32 bits can count."""
    if torch.cuda.mem_get_info()[0] < 40 << 30:
        pytest.skip("the device is too small")
    composition = Composition(ALGEBRAS["gradient"], taylor_of("sin"))
    g = torch.zeros(3, (1 << 30) + 7, device="cuda")
    g[:, -5:] = 1
    (y,) = kernel(composition.forward, g)(g)
    assert torch.allclose(y[:, -8:], composition(g[:, -8:].contiguous()))
