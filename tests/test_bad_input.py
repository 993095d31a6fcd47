"""Bad input: each kind gives an ApolarError with the cause and the fix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar import errors
from apolar.errors import (
    ApolarError,
    CoordinateError,
    DetachedError,
    DtypeError,
    FunctionError,
    NonFiniteError,
    OperatorError,
    RowCouplingError,
    ShapeError,
)

C = ap.coordinates("x y")
dx, dy = C
X = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
NAN = torch.tensor([[1.0, math.nan], [math.inf, -math.inf]])

Line = tuple[Callable[[], Any], type[ApolarError], str]
"""What is asked, the class of the error, and what its message must say: the cause and then the fix."""

COORDINATES: dict[str, Line] = {
    "an unknown name": (lambda: C["q"], CoordinateError, r"'q'.*\(x, y\)"),
    "two systems": (lambda: dx + ap.coordinates("x z")["z"], OperatorError, r"\(x, y\).*\(x, z\).*one ap\.coordinates"),
    "two systems in one evaluation": (
        lambda: ap.evaluate(torch.sin, X, dx, ap.coordinates("x z")["z"]),
        OperatorError,
        r"\(x, y\).*\(x, z\).*one ap\.coordinates",
    ),
}

POINTS: dict[str, Line] = {
    "three coordinates": (
        lambda: ap.evaluate(torch.sin, torch.zeros(4, 3), dx),
        ShapeError,
        r"coordinates \(x, y\).*last axis of 2; got \(4, 3\).*ap\.coordinates\('x y \w+'\)",
    ),
    "a number of no axes": (
        lambda: ap.evaluate(torch.sin, torch.zeros(()), dx),
        ShapeError,
        r"last axis of 2; got \(\).*Reshape",
    ),
    "too many tensors": (
        lambda: ap.evaluate(lambda *p: p[0], (X, X, X), dx),
        ShapeError,
        r"last axis of 2; got \(6, 2\), \(6, 2\), \(6, 2\)",
    ),
    "tensors that do not broadcast": (
        lambda: ap.evaluate(lambda x, y: x * y, (torch.zeros(4), torch.zeros(3)), dx),
        ShapeError,
        r"\(4,\).*\(3,\).*broadcast",
    ),
    "no tensors": (lambda: ap.evaluate(torch.sin, [], dx), ShapeError, "needs points.*empty"),
    "integers": (
        lambda: ap.evaluate(torch.sin, torch.zeros(4, 2, dtype=torch.long), dx),
        DtypeError,
        r"floating point.*int64.*X\.double\(\)",
    ),
    "truth values": (
        lambda: ap.evaluate(torch.sin, torch.zeros(4, 2, dtype=torch.bool), dx),
        DtypeError,
        r"floating point.*bool.*X\.double\(\)",
    ),
    "an array": (lambda: ap.evaluate(torch.sin, X.numpy(), dx), DtypeError, r"ndarray.*torch\.tensor"),
    "a list of numbers": (lambda: ap.evaluate(torch.sin, [1.0, 2.0], dx), DtypeError, r"float.*torch\.tensor"),
    "nothing": (lambda: ap.evaluate(torch.sin, None, dx), DtypeError, r"NoneType.*torch\.tensor"),
    "a number": (lambda: ap.evaluate(torch.sin, 1.0, dx), DtypeError, r"float.*torch\.tensor"),
    "not finite": (lambda: ap.evaluate(torch.sin, NAN, dx), NonFiniteError, "3 entries that are NaN or infinite"),
    "one of two tensors not finite": (
        lambda: ap.evaluate(lambda x, y: x * y, (X, X / 0), dx),
        NonFiniteError,
        "12 entries",
    ),
    "a derivative at NaN": (lambda: ap.derivative(torch.sin)(math.nan), NonFiniteError, "1 entries"),
}

OPERATORS: dict[str, Line] = {
    "none": (lambda: ap.evaluate(torch.sin, X), OperatorError, r"at least one differential operator.*ap\.coordinates"),
    "a number alone": (lambda: ap.evaluate(torch.sin, X, 1), OperatorError, "at least one differential operator"),
    "order 0": (lambda: ap.evaluate(torch.sin, X, C.one * 3), OperatorError, "order 0.*call f itself"),
    "nothing left": (lambda: ap.evaluate(torch.sin, X, dx - dx), OperatorError, "order 0.*call f itself"),
    "text": (lambda: ap.evaluate(torch.sin, X, "dx"), OperatorError, "at least one differential operator.*dx"),
    "text beside another": (lambda: ap.evaluate(torch.sin, X, dx, "dy"), OperatorError, "'dy' is no differential operator"),
    "a tensor": (lambda: ap.evaluate(torch.sin, X, dx, X), OperatorError, "no differential operator"),
    "a list of them": (lambda: ap.evaluate(torch.sin, X, [dx, dy]), OperatorError, "differential operator"),
    "a complex number": (lambda: ap.evaluate(torch.sin, X, dx, 1j), OperatorError, "1j is no differential operator"),
    "infinity": (lambda: ap.evaluate(torch.sin, X, dx, math.inf), OperatorError, "finite real number, got inf"),
    "a tensor as coefficient": (lambda: X * dx, OperatorError, "stays outside: multiply the evaluated derivative"),
    "not carried": (lambda: ap.algebra(dx**2).read(dy), OperatorError, "∂y is not carried.*name it when"),
}  # fmt: skip

DIRECTIONS: dict[str, Line] = {
    "none": (lambda: ap.evaluate(torch.sin, X, dx, directions={}), OperatorError, r"all of \(x, y\), got \[\]"),
    "one missing": (lambda: ap.evaluate(torch.sin, X, dx, directions={"x": X}), OperatorError, r"all of \(x, y\), got \['x'\]"),
    "one too many": (
        lambda: ap.evaluate(torch.sin, X, dx, directions={"x": X, "y": X, "z": X}),
        OperatorError,
        r"all of \(x, y\).*'z'",
    ),
    "of another shape": (
        lambda: ap.evaluate(torch.sin, X, dx, directions={"x": X, "y": torch.ones(3)}),
        ShapeError,
        r"broadcast to the points, \(6, 2\).*\(3,\)",
    ),
    "of text": (lambda: ap.evaluate(torch.sin, X, dx, directions={"x": X, "y": "a"}), ShapeError, "direction.*'a'"),
    "of two tensors": (
        lambda: ap.evaluate(lambda x, y: x, (X, X), dx, directions={"x": X, "y": X}),
        ShapeError,
        "one tensor of points; concatenate",
    ),
}  # fmt: skip

CHUNKS: dict[str, Line] = {
    "none": (lambda: ap.evaluate(torch.sin, X, dx, chunk_size=0), ShapeError, "chunk_size=0 needs a positive number"),
    "negative": (lambda: ap.evaluate(torch.sin, X, dx, chunk_size=-2), ShapeError, "chunk_size=-2 needs a positive"),
    "of one point": (lambda: ap.evaluate(torch.sin, X[0], dx, chunk_size=2), ShapeError, r"points \(N, \.\.\., d\).*\(2,\)"),
}  # fmt: skip


def of(f: Callable[[Tensor], Any]) -> Callable[[], Any]:
    return lambda: ap.evaluate(f, X, dx)


RESULTS: dict[str, Line] = {
    "nothing": (of(lambda p: None), FunctionError, "must return a tensor.*NoneType.*return it"),
    "a number": (of(lambda p: 1.0), FunctionError, "must return a tensor.*float"),
    "text": (of(lambda p: "a"), FunctionError, "must return a tensor.*str"),
    "an array": (of(lambda p: np.zeros(6)), FunctionError, "must return a tensor.*ndarray.*torch functions"),
    "a nest with a number": (of(lambda p: {"a": p, "b": 1}), FunctionError, "must return a tensor.*int"),
    "an empty nest": (of(lambda p: ()), FunctionError, "must return a tensor.*an empty tuple"),
}

DETACHED: dict[str, Line] = {
    "detach": (of(lambda p: p.detach()), DetachedError, "detach takes a value.*compute it outside"),
    "data": (of(lambda p: p.data), DetachedError, "data takes a value"),
    "item": (of(lambda p: p * p.sum().item()), DetachedError, "item takes a value"),
    "float": (of(lambda p: p * float(p.sum())), DetachedError, "__float__ takes a value"),
    "tolist": (of(lambda p: p.tolist()), DetachedError, "tolist takes a value"),
    "NumPy": (of(lambda p: np.sin(p)), DetachedError, "torch functions"),
    "numpy()": (of(lambda p: p.numpy()), DetachedError, "numpy takes a value"),
    "math": (of(lambda p: math.sin(p[0, 0]) * p), DetachedError, r"torch\.sin instead of math\.sin"),
    "in one argument of several": (
        lambda: ap.evaluate(lambda x, y: x * y.detach(), (X[:, :1], X[:, 1:]), dy),
        DetachedError,
        "detach takes a value",
    ),
}

ROWS: dict[str, Line] = {
    "a mean": (of(lambda p: p - p.mean(0)), RowCouplingError, r"mixes rows.*ap\.grad, ap\.jacobian or ap\.hessian"),
    "batch normalisation": (of(nn.BatchNorm1d(2)), RowCouplingError, r"mixes rows.*call \.eval\(\)"),
    "a sum": (of(lambda p: p.sum()), RowCouplingError, r"one row for each point: points \(6, 2\).*got \(\)"),
    "a sum over rows": (of(lambda p: p.sum(0)), RowCouplingError, r"one row for each point.*got \(2,\).*vmap"),
    "a function of one point": (of(lambda p: p[0] * p[1]), RowCouplingError, "takes a single point.*vmap"),
}

FAILING: dict[str, Line] = {
    "shapes": (of(lambda p: p @ torch.ones(3, 3)), FunctionError, r"fails on plain tensors of shape \(6, 2\).*mat1 and mat2"),
    "precision": (of(nn.Linear(2, 2).double()), FunctionError, "fails on plain tensors.*dtype"),
    "a key": (of(lambda p: {}["a"]), FunctionError, "fails on plain tensors.*KeyError: 'a'.*Mend f"),
    "too many arguments": (of(lambda p, q: p), FunctionError, "fails on plain tensors.*TypeError.*'q'"),
    "not callable": (of(3), FunctionError, "fails on plain tensors.*not callable"),  # type: ignore[arg-type]
    "on jets only": (of(lambda p: p if type(p) is Tensor else 1 / 0), FunctionError, "works on plain.*ZeroDivisionError"),
}  # fmt: skip

SUBJECTS: dict[str, dict[str, Line]] = {
    "coordinates": COORDINATES,
    "points": POINTS,
    "operators": OPERATORS,
    "directions": DIRECTIONS,
    "chunks": CHUNKS,
    "results": RESULTS,
    "detached": DETACHED,
    "rows": ROWS,
    "failing": FAILING,
}
REFUSED = [(subject, name) for subject, lines in SUBJECTS.items() for name in lines]


@pytest.mark.parametrize("subject, name", REFUSED, ids=[": ".join(line) for line in REFUSED])
def test_is_refused_with_cause_and_fix(subject: str, name: str) -> None:
    call, error, message = SUBJECTS[subject][name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", DETACHED)
def test_the_line_of_the_user_is_shown(name: str) -> None:
    with pytest.raises(DetachedError, match=re.escape(f"called at {__file__}:")):
        DETACHED[name][0]()


@pytest.mark.parametrize("name", ["shapes", "a key"])
def test_the_cause_is_kept(name: str) -> None:
    """What went wrong inside of f can be followed to its line."""
    with pytest.raises(FunctionError) as caught:
        FAILING[name][0]()
    assert isinstance(caught.value.__cause__, (RuntimeError, KeyError))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interruptions_pass_through(error: type[BaseException]) -> None:
    def f(p: Tensor) -> Tensor:
        raise error

    with pytest.raises(error):
        ap.evaluate(f, X, dx)


@pytest.mark.parametrize("names", ["x y", "x t", "t u", "u v", "y"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 7])
def test_the_advice_for_a_wrong_last_axis_can_be_followed(names: str, width: int) -> None:
    """The message proposes coordinates: they exist, and are as many as the axis is wide."""
    c = ap.coordinates(names)
    if len(c) == width:
        pytest.skip("not wrong")
    with pytest.raises(ShapeError, match=re.escape(f"(4, {width})")) as caught:
        ap.evaluate(torch.sin, torch.zeros(4, width), c.laplacian)
    proposed = re.search(r"ap\.coordinates\('([\w ]+)'\)", str(caught.value))
    if proposed:
        assert len(ap.coordinates(proposed[1])) == width


BUILT_IN: dict[type[ApolarError], type[Exception]] = {
    errors.CoordinateError: ValueError,
    errors.OperatorError: ValueError,
    errors.ShapeError: ValueError,
    errors.DtypeError: TypeError,
    errors.NonFiniteError: ValueError,
    errors.FunctionError: RuntimeError,
    errors.DetachedError: RuntimeError,
    errors.GraphError: RuntimeError,
    errors.SettingError: ValueError,
    errors.CaptureError: RuntimeError,
    errors.LanguageError: ValueError,
    errors.MissingExtra: ImportError,
    errors.RowCouplingError: RuntimeError,
    errors.RuleError: ValueError,
    errors.ModifiedError: RuntimeError,
    errors.PrecisionError: ArithmeticError,
    errors.UnsupportedOperator: NotImplementedError,
    errors.SingularPoint: ArithmeticError,
    errors.TorchVersionError: ImportError,
    errors.ExpressionError: ValueError,
    errors.VerificationError: AssertionError,
}


@pytest.mark.parametrize("error", BUILT_IN, ids=lambda e: e.__name__)
def test_errors_are_also_those_of_python(error: type[ApolarError]) -> None:
    assert issubclass(error, ApolarError)
    assert issubclass(error, BUILT_IN[error])
    assert getattr(ap, error.__name__) is error


def test_every_error_is_listed() -> None:
    assert set(ApolarError.__subclasses__()) == set(BUILT_IN)
