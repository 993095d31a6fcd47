"""The report on derivatives: it confirms right ones, and names the method that is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.engine.jet import RULES, Jet
from apolar.errors import DtypeError, FunctionError, OperatorError, RowCouplingError, VerificationError
from apolar.evaluation.row_independence import Trial
from apolar.verification.check import Verdict
from apolar.verification.references import finite_differences, in_double, nested_reverse_mode, polarised

dx, dy = ap.coordinates("x y")
LAPLACIAN = dx**2 + dy**2


def points(rows: int = 100, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(rows, 2, generator=torch.Generator().manual_seed(5), dtype=dtype) * 2 - 1


def perceptron(activation: nn.Module, outputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 12), activation, nn.Linear(12, 12), activation, nn.Linear(12, outputs))


def verdicts(report: ap.Check) -> list[Verdict]:
    return [row.verdict for row in report.rows]


class WrongBackward(torch.autograd.Function):
    """x³ with a derivative of 7x²."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 7 * gradient * ctx.saved_tensors[0] ** 2


def own_backward(function: type[torch.autograd.Function], formula: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """A function with a backward of its own for autograd, and a formula for jets, which do not go through it."""
    return lambda x: formula(x) if isinstance(x, Jet) else function.apply(x)


# ------------------------------------------------------------------------------------------------------ right derivatives

FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    "a product": lambda p: torch.sin(p[:, :1] * p[:, 1:]),
    "a linear function": lambda p: 3 * p[:, 0] - p[:, 1],
    "a harmonic function": lambda p: p[:, :1] ** 2 - p[:, 1:] ** 2,
    "close to a singularity": lambda p: torch.log(p.abs() + 0.05),
    "several outputs": lambda p: (p**2, {"sum": p.sum(-1), "wave": torch.exp(1j * p)}),
    "many outputs": lambda p: torch.tanh(p @ torch.ones(2, 20, dtype=p.dtype)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    report = ap.check(FUNCTIONS[name], points(), dx, LAPLACIAN, dx * dy, 1)
    assert report.ok
    assert report.raise_if_wrong() is report
    assert set(verdicts(report)) == {Verdict.CONFIRMED}, report


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.GELU(), nn.SiLU(), nn.Softplus()], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_networks(activation: nn.Module, dtype: torch.dtype) -> None:
    net = perceptron(activation).to(dtype)
    report = ap.check(net, points(dtype=dtype), dx, LAPLACIAN, LAPLACIAN**2)
    assert set(verdicts(report)) == {Verdict.CONFIRMED}, report
    assert (report.dtype, report.precision) == (dtype, torch.float64)
    assert all((row.rounding is None) == (dtype == torch.float64) for row in report.rows)
    assert next(net.parameters()).dtype == dtype


@pytest.mark.parametrize("order", [1, 2])
def test_a_kink_is_left_out(order: int) -> None:
    report = ap.check(perceptron(nn.ReLU()).double(), points(), dx**order)
    assert report.ok, report
    assert report.rows[0].coverage < 1


@pytest.mark.parametrize("shape", [(2,), (0, 2), (1, 2), (3, 4, 2)])
def test_shapes_of_points(shape: tuple[int, ...]) -> None:
    report = ap.check(lambda p: torch.sin(p).prod(-1), torch.rand(shape, dtype=torch.float64), dx * dy)
    assert report.ok, report
    assert report.points == math.prod(shape[:-1])


@pytest.mark.parametrize("form", ["columns", "flat", "grid", "parts"])
def test_points_as_a_sequence(form: str) -> None:
    x, y = points(10).split(1, -1)
    X, f = {
        "columns": ((x, y), lambda a, b: torch.sin(a * b)),
        "flat": ((x[:, 0], y[:, 0]), lambda a, b: torch.sin(a * b)),
        "grid": ((x, y.mT), lambda a, b: torch.sin(a * b)),
        "parts": ((torch.cat([x, y], -1),), lambda p: torch.sin(p.prod(-1))),
    }[form]
    assert ap.check(f, X, dx * dy, LAPLACIAN).ok


def test_at_most_64_points_are_looked_at_and_the_seed_chooses_them() -> None:
    def looked_at(seed: int) -> Tensor:
        seen: list[Tensor] = []

        def f(p: Tensor) -> Tensor:
            if isinstance(p, Jet):
                seen.append(p.value)
            return p.prod(-1)

        assert ap.check(f, points(1000), dx, seed=seed).points == len(seen[0]) == 64
        return seen[0]

    assert torch.equal(looked_at(0), looked_at(0))
    assert not torch.equal(looked_at(0), looked_at(1))


# ---------------------------------------------------------------------------------------------------- who is wrong, and why


def test_pytorch_is_wrong_at_the_third_derivative_of_layer_norm() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1)).double()
    report = ap.check(net, points(), dx, dx**2, dx**3, dx**2 * dy)
    assert report.ok
    assert verdicts(report) == [Verdict.CONFIRMED] * 2 + [Verdict.NESTED_WRONG] * 2, "PyTorch has changed?"
    assert "PyTorch's nested derivative is wrong here" in repr(report)


def test_a_wrong_backward() -> None:
    (row,) = ap.check(own_backward(WrongBackward, lambda x: x**3), points(), dx).rows
    assert row.verdict is Verdict.NESTED_WRONG
    assert row.nested > 0.1


def test_a_function_that_pytorch_cannot_differentiate() -> None:
    class Forward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x**3

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("only forward")

    report = ap.check(own_backward(Forward, lambda x: x**3), points(), dx**2)
    assert verdicts(report) == [Verdict.NESTED_FAILS]
    assert "only forward" in report.note
    assert report.rows[0].nested is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("activation, function", [(nn.Tanh(), torch.tanh), (nn.GELU(), F.gelu)], ids=["tanh", "gelu"])
def test_a_wrong_rule(
    dtype: torch.dtype, activation: nn.Module, function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = RULES[function]

    def wrong(jet: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        y = right(jet, func, *args, **kwargs)
        return jet.like(torch.cat([y.components[:1], 1.001 * y.components[1:]]))

    monkeypatch.setitem(RULES, function, wrong)
    report = ap.check(perceptron(activation).to(dtype), points(dtype=dtype), dx, LAPLACIAN)
    assert set(verdicts(report)) == {Verdict.WRONG}, report
    assert not report.ok
    with pytest.raises(VerificationError, match="not confirmed: ∂x, ∂x²"):
        report.raise_if_wrong()


def test_two_derivatives_of_another_function() -> None:
    """A value that autograd does not see, so that both derivatives miss what finite differences find."""

    def f(p: Tensor) -> Tensor:
        value = p.value if isinstance(p, Jet) else p.detach()
        return p.sum(-1) + torch.sin(3 * value.sum(-1))

    assert verdicts(ap.check(f, points(), dx)) == [Verdict.NOT_SMOOTH]


def test_nothing_can_tell() -> None:
    """A derivative that only apolar has, of a function too wild for finite differences."""

    class Wild(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return torch.sin(1e6 * x)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("no derivative")

    report = ap.check(own_backward(Wild, lambda x: torch.sin(1e6 * x)), points(), dx)
    assert verdicts(report) == [Verdict.UNDECIDED]
    assert not report.ok


def test_a_dtype_that_keeps_too_few_digits() -> None:
    """(1 + cx)² − (cx)² = 1 + 2cx by a difference that cancels."""

    def f(p: Tensor) -> Tensor:
        return (1 + 3e4 * p) ** 2 - 9e8 * p**2

    assert verdicts(ap.check(f, points(dtype=torch.float32), dx)) == [Verdict.ROUNDED]
    assert verdicts(ap.check(f, points(), dx)) == [Verdict.CONFIRMED]


def test_a_tolerance_may_be_given() -> None:
    net = perceptron(nn.Tanh())
    X = points(dtype=torch.float32)
    assert ap.check(net, X, LAPLACIAN).ok
    assert not ap.check(net, X, LAPLACIAN, tolerance=1e-12).ok


@pytest.mark.parametrize(
    "f, error, words",
    [
        (lambda p: p - p.mean(0), RowCouplingError, "mixes rows"),
        (lambda p: p.sum(), RowCouplingError, "one row for each point"),
        (nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)).double(), FunctionError, "eval"),
    ],
)
def test_refusals(f: Callable[..., Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ap.check(f, points(), dx)


def test_refuses_complex_points_and_no_operators() -> None:
    with pytest.raises(DtypeError, match="real points"):
        ap.check(torch.sin, points().to(torch.complex128), dx)
    with pytest.raises(OperatorError, match="at least one"):
        ap.check(torch.sin, points())


# ------------------------------------------------------------------------------------------------------------- the report


def test_the_report_is_a_table() -> None:
    report = ap.check(perceptron(nn.Tanh()), points(dtype=torch.float32), dx, LAPLACIAN**2)
    title, head, *rows = repr(report).splitlines()
    assert title == "apolar against its references, at 64 points, float32, compared in float64"
    assert head.split("  ")[0] == "operator"
    assert "rounding" in head
    assert [row.split("  ")[0] for row in rows] == ["∂x", "∂x⁴ + 2 ∂x²∂y² + ∂y⁴"]
    assert report._repr_html_().count("<tr>") == 3
    assert "rounding" not in repr(ap.check(torch.sin, points(), dx))


# ---------------------------------------------------------------------------------------------------------- the references


@pytest.mark.parametrize("alpha", [(1, 1), (2, 1), (2, 2), (3, 1, 2), (0, 4), (1, 1, 1, 1), (0, 0)])
def test_polarisation_is_exact(alpha: tuple[int, ...]) -> None:
    """Σ weight · (v·ξ)ⁿ is ξᵅ, at rational points."""
    for seed in range(3):
        xi = [Fraction((7 * i + 3 * seed) % 11 + 1, 5) for i in range(len(alpha))]
        total = sum(c * sum(a * b for a, b in zip(v, xi)) ** n for (v, n), c in polarised(alpha).items())
        assert total == math.prod(x**a for x, a in zip(xi, alpha))


@pytest.mark.parametrize("method", [nested_reverse_mode, finite_differences])
def test_references_on_closed_forms(method: Callable[..., Any]) -> None:
    """∂ˣᵃ∂ʸᵇ e^(x + 2y) = 2ᵇ e^(x + 2y)."""
    X = points(9)
    f = lambda p: torch.exp(p[:, :1] + 2 * p[:, 1:])  # noqa: E731
    cases = {dx: 1, dx**2: 1, dx * dy: 2, dx**2 * dy**2: 4, dx.coordinates.one + dy**3: 9, LAPLACIAN**2: 25}
    for (operator, factor), found in zip(cases.items(), method(f, X, list(cases))):
        difference = (found.value - factor * f(X)).abs()
        assert (difference <= 1e-10 * factor * f(X) + 10 * found.error).all(), operator
        assert found.size >= float(found.value.abs().max()) * (1 - 1e-6)


def test_finite_differences_know_their_error() -> None:
    """Near a singularity, at a kink, beside a jump."""
    X = torch.linspace(-1, 1, 41, dtype=torch.float64)[:, None]
    (d,) = ap.coordinates("x")
    for f, exact in [
        (lambda p: torch.log(p + 1.02), 1 / (X + 1.02)),
        (torch.relu, (X > 0).double()),
        (lambda p: torch.floor(3 * p + 0.1), torch.zeros_like(X)),
    ]:
        (found,) = finite_differences(f, X, [d])
        off = ((found.value - exact).abs() > 1e-8 + 10 * found.error) & (X.abs() > 1e-9)
        assert not off.any(), X[off]


def test_in_double() -> None:
    net = perceptron(nn.Tanh())
    X = points(dtype=torch.float32)
    doubled = in_double(lambda p: net(p) * torch.ones(1) + torch.zeros(p.shape[0], 1), X)
    copy = perceptron(nn.Tanh()).double()
    copy.load_state_dict(net.state_dict())
    torch.testing.assert_close(doubled(X.double()), copy(X.double()), rtol=1e-14, atol=1e-14)
    assert in_double(lambda p: p.numpy() and p, X) is None


def test_mixed_rows_are_confirmed_by_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the test of rows does not see them: every row moves on a way of its own."""
    monkeypatch.setattr(Trial, "judge", lambda *_: None)
    points = torch.rand(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    for f in (
        lambda p: (p**2).reshape(-1, 2, 2).sum(1, keepdim=True).expand(-1, 2, 2).reshape(-1, 2),
        lambda p: p.flip(0),
    ):
        assert not ap.check(f, points, dx).ok
