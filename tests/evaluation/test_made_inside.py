"""Functions that write into tensors which they make: right in every transform, and nothing is written that would be lost."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.errors import UnsupportedOperator
from apolar.evaluation import made_inside

X = torch.tensor([0.5, 0.7], dtype=torch.float64)
PLACES = torch.tensor([1, 0])
OUTSIDE = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
MASK = torch.tensor([True, False, True])
dx, dy = ap.coordinates("x y")


def zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.float64)


def items(x: Tensor) -> Tensor:
    out = zeros(3)
    out[0] = x[0] ** 2
    out[1:] = x * x.prod()
    return out


def trajectory(x: Tensor) -> Tensor:
    """As torchdiffeq keeps its solution."""
    solution = torch.empty(4, 2, dtype=torch.float64)
    solution[0] = x
    for k in range(3):
        solution[k + 1] = solution[k] + 0.1 * torch.sin(solution[k].flip(0))
    return solution


def modes(x: Tensor) -> Tensor:
    """As a Fourier neural operator keeps the low frequencies."""
    h = torch.fft.rfft(x.repeat(4) ** 2)
    kept = torch.zeros(h.shape, dtype=torch.cdouble)
    kept[:2] = h[:2] * (1 + 2j)
    return torch.fft.irfft(kept, n=8)


def added(x: Tensor) -> Tensor:
    out = torch.ones(2, dtype=torch.float64)
    out += x**3
    return out


def scaled(x: Tensor) -> Tensor:
    out = 3 * torch.ones(2, dtype=torch.float64)
    out *= x**3
    return out


def one_by_one(x: Tensor) -> Tensor:
    out = zeros(2)
    for k in range(2):
        out[k] += x[k] ** 2
        out[k] *= x.sum()
    return out


def through(view: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def write(x: Tensor) -> Tensor:
        out = zeros(4, 4)
        view(out)[:2] = x**2
        return out @ torch.arange(4, dtype=torch.float64)

    return write


def of(make: Callable[[], Tensor]) -> Callable[[Tensor], Tensor]:
    """A tensor that is made in one way or another, with one entry replaced."""

    def write(x: Tensor) -> Tensor:
        out = make()
        out.view(-1)[1] = x.prod()
        return out.double() ** 2

    return write


def rotation(x: Tensor) -> Tensor:
    R = torch.eye(2, dtype=torch.float64)
    R[0, 0], R[0, 1] = torch.cos(x[0]), torch.sin(x[0])
    return R @ R.T @ x


def triangle(x: Tensor) -> Tensor:
    L, (rows, columns) = zeros(2, 2), torch.tril_indices(2, 2)
    L[rows, columns] = torch.cat([x, x[:1] ** 2])
    return L @ L.T


def chosen(x: Tensor) -> Tensor:
    out, mask = torch.full((2,), 3.0, dtype=torch.float64), x > 0.6
    out[mask] = x[mask] ** 2
    return out


def with_a_module(x: Tensor) -> Tensor:
    torch.manual_seed(0)
    out = zeros(3)
    out[:] = nn.Linear(2, 3).double()(x) ** 2
    return out


def with_a_parameter(x: Tensor) -> Tensor:
    out, weight = zeros(2), nn.Parameter(torch.ones(2, dtype=torch.float64))
    out[:] = weight * x**2
    return out


def with_constants(x: Tensor) -> Tensor:
    """Constants that are needed as plain tensors: by a rule, by Python, by NumPy, without gradients."""
    out, grid = zeros(2), torch.linspace(0, 1, 3, dtype=torch.float64)
    with torch.no_grad():
        total = (2 * grid).sum()
    out[:] = torch.eye(2, dtype=torch.float64).to_sparse() @ x**2 * float(grid.numpy().sum()) * total
    return F.layer_norm(out, (2,), torch.ones(2, dtype=torch.float64), zeros(2)) * grid.tolist()[1]


def random(x: Tensor) -> Tensor:
    noise, out = torch.rand(2, dtype=torch.float64), zeros(2)
    out += noise * x**2
    return out * torch.rand(2, dtype=torch.float64)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "items": items,
    "trajectory": trajectory,
    "modes": modes,
    "+=": added,
    "*=": scaled,
    "one by one": one_by_one,
    "rotation": rotation,
    "triangle": triangle,
    "a mask": chosen,
    "a module made inside": with_a_module,
    "a parameter made inside": with_a_parameter,
    "constants": with_constants,
    "random": random,
    "scatter_add_": lambda x: zeros(2).scatter_add_(0, PLACES, x**2),
    "scatter_": lambda x: zeros(2).scatter_(0, PLACES, x**2),
    "index_add_": lambda x: zeros(2).index_add_(0, PLACES, x**2),
    "index_copy_": lambda x: zeros(2).index_copy_(0, PLACES, x**2),
    "index_put_": lambda x: zeros(3).index_put_((PLACES,), x**2),
    "index_put_ accumulates": lambda x: zeros(3).index_put_((PLACES,), x**2, accumulate=True),
    "copy_": lambda x: zeros(2).copy_(x**3),
    "mul_": lambda x: torch.ones(2, dtype=torch.float64).mul_(x).add_(x**2).sub_(x.flip(0)),
    "addcmul_": lambda x: zeros(2).addcmul_(x, x, value=2.0),
    "lerp_": lambda x: zeros(2).lerp_(x**2, 0.3),
    "fill_": lambda x: zeros(3).fill_(x[0] ** 2),
    "masked_fill_": lambda x: zeros(3).masked_fill_(MASK, x[0] ** 2),
    "masked_scatter_": lambda x: zeros(3).masked_scatter_(MASK, x**2),
    "view": through(lambda out: out.view(-1)),
    "slices of slices": through(lambda out: out[1:][:, 1:][0]),
    "narrow": through(lambda out: out.narrow(0, 1, 2)[0]),
    "transposed": through(lambda out: out.T[1]),
    "diagonal": through(lambda out: out.diagonal(1)),
    "zeros_like": of(lambda: torch.zeros_like(OUTSIDE)),
    "new_zeros": of(lambda: OUTSIDE.new_zeros(3)),
    "empty": of(lambda: torch.empty(2, dtype=torch.float64).zero_()),
    "full": of(lambda: torch.full((3,), 2.0, dtype=torch.float64)),
    "eye": of(lambda: torch.eye(3, dtype=torch.float64)),
    "arange": of(lambda: torch.arange(3).double()),
    "linspace": of(lambda: torch.linspace(0, 1, 3, dtype=torch.float64)),
    "tensor": of(lambda: torch.tensor([1.0, 2.0], dtype=torch.float64)),
    "clone": of(lambda: OUTSIDE.clone()),
    "stack": of(lambda: torch.stack([OUTSIDE, OUTSIDE])),
    "cat": of(lambda: torch.cat([OUTSIDE, OUTSIDE])),
    "arithmetic": of(lambda: 2 * OUTSIDE + 1),
    "single precision": of(lambda: torch.zeros(3)),
    "complex": of(lambda: torch.zeros(3, dtype=torch.cdouble).real),
    "a window": of(lambda: torch.hann_window(4, dtype=torch.float64)),
}  # fmt: skip
EXACT = {"single precision": 1e-6}


def seeded(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def g(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return f(x)

    return g


def reference(f: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Jacobian and Hessian by reverse mode, entry by entry."""

    def jacobian(x: Tensor) -> Tensor:
        return torch.autograd.functional.jacobian(seeded(f), x, create_graph=True)

    return jacobian(X), torch.autograd.functional.jacobian(jacobian, X)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_made_inside_may_be_written_to(name: str) -> None:
    f, near = FUNCTIONS[name], {"rtol": EXACT.get(name, 1e-12), "atol": EXACT.get(name, 1e-12)}
    J, H = reference(f)
    for _ in range(2):  # found out at first, remembered later
        torch.manual_seed(3)
        assert torch.allclose(ap.jacobian(f)(X), J, **near)
    assert torch.allclose(ap.hessian(seeded(f))(X), H, **near)
    assert torch.allclose(ap.jacobian(ap.jacobian(seeded(f)))(X), H, **near)
    assert torch.allclose(ap.evaluate(seeded(f), X, dx * dy), H[..., 0, 1], **near)


@pytest.mark.parametrize("name", ["items", "trajectory", "modes", "scatter_add_", "triangle", "arange"])
def test_under_vmap(name: str) -> None:
    points = torch.stack([X, 2 * X])
    J = torch.stack([torch.autograd.functional.jacobian(FUNCTIONS[name], x) for x in points])
    assert torch.allclose(torch.vmap(ap.jacobian(FUNCTIONS[name]))(points), J, atol=1e-12)


def test_row_by_row() -> None:
    def f(p: Tensor) -> Tensor:
        out = torch.zeros(len(p), 2, dtype=p.dtype)
        out[:, 0] = p[:, 0] ** 2 * p[:, 1]
        return out

    points = torch.stack([X, 2 * X, 3 * X])
    expected = torch.stack([2 * points.prod(1), 0 * points[:, 0]], 1)
    assert torch.allclose(ap.evaluate(f, points, dx), expected)
    assert torch.allclose(ap.evaluate(f, points, dx, chunk_size=2), expected)


def test_gradients_of_parameters_pass_through() -> None:
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)

    def f(x: Tensor) -> Tensor:
        out = zeros(2)
        out[0] = weight * x[0] ** 3
        return out

    ap.evaluate(f, X, dx).sum().backward()  # d/dw (3 w x²)
    assert weight.grad is not None
    assert math.isclose(weight.grad.item(), 3 * 0.25)


def test_the_second_run_starts_where_the_first_one_did() -> None:
    norm, calls = nn.BatchNorm1d(2, dtype=torch.float64), 0

    def f(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        out = zeros(3, 2)
        out += norm(x * torch.rand(3, 1, dtype=torch.float64))
        return out

    points = torch.stack([X, 2 * X, X.flip(0)])
    torch.manual_seed(0)
    ap.jacobian(f)(points)
    after, mean = torch.rand(1), norm.running_mean.clone()
    assert (calls, int(norm.num_batches_tracked)) == (2, 1)

    norm.reset_running_stats()
    torch.manual_seed(0)
    f(points)
    assert torch.equal(torch.rand(1), after)
    assert torch.allclose(norm.running_mean, mean)

    ap.jacobian(f)(points)
    assert (calls, int(norm.num_batches_tracked)) == (4, 2)  # remembered


def test_the_branch_that_writes_may_be_taken_later() -> None:
    def f(x: Tensor) -> Tensor:
        if x[0] < 0:
            return x**2
        out = zeros(2)
        out[:] = x**3
        return out

    assert torch.allclose(ap.jacobian(f)(-X), torch.diag(-2 * X))
    assert torch.allclose(ap.jacobian(f)(X), torch.diag(3 * X**2))


def test_functions_that_do_not_write_pay_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_inside, "Making", None)
    ap.jacobian(items := (lambda x: torch.stack([x.prod(), zeros(3).sum()])))(X)
    ap.jacobian(items)(X)


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "from outside": lambda x: OUTSIDE.index_add_(0, PLACES, x),
    "a view from outside": lambda x: OUTSIDE[:2].mul_(x),
    "memory of NumPy": lambda x: torch.from_numpy(OUTSIDE.numpy())[:2].mul_(x),
    "memory of NumPy, as a tensor": lambda x: torch.as_tensor(OUTSIDE.numpy())[:2].mul_(x),
    "whole numbers": lambda x: torch.zeros(2, dtype=torch.long).add_(x) * x,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_refused(name: str) -> None:
    with pytest.raises(
        UnsupportedOperator, match=r"derivatives into a (plain tensor that was made outside|tensor of whole)"
    ):
        ap.jacobian(REFUSED[name])(X)
    assert OUTSIDE.tolist() == [1, 2, 3]


def test_an_array_that_shares_memory_is_not_forgotten() -> None:
    def f(x: Tensor) -> Tensor:
        out = zeros(2)
        shared = out.numpy()
        out[:] = x**2
        return x * float(shared[0])

    with pytest.raises(UnsupportedOperator, match="may share its memory"):
        ap.jacobian(f)(X)


def test_a_detached_constant_sees_what_is_written_later() -> None:
    def f(x: Tensor) -> Tensor:
        out = zeros(2)
        same = out.detach()
        out[:] = x**2
        return same * x

    assert torch.allclose(ap.jacobian(f)(X), torch.diag(3 * X**2))


def fourth_power(p: Tensor) -> Tensor:
    out = torch.zeros(len(p), 1, dtype=p.dtype)
    out[:, 0] = p[:, 0] ** 4
    return out


@pytest.mark.parametrize("rows", [1, 3])
def test_results_are_plain_tensors(rows: int) -> None:
    """Only what the function itself makes has room for derivatives: results are differentiated on, and trained with."""
    dx, _ = ap.coordinates("x y")
    points = torch.linspace(0.5, 2, 2 * rows, dtype=torch.float64).reshape(rows, 2)
    x = points[:, :1]
    for operator, exact in {2 * dx: 8 * x**3, dx**2: 12 * x**2, -dx: -4 * x**3}.items():
        found = ap.evaluate(fourth_power, points, operator)
        assert type(found) is Tensor
        assert torch.allclose(found, exact)
    twice = ap.laplacian(ap.laplacian(fourth_power))(points)
    assert torch.allclose(twice, torch.full_like(x, 24.0))
    slope = ap.grad(lambda p: ap.laplacian(fourth_power)(p).sum())(points)
    assert torch.allclose(slope, torch.cat([24 * x, 0 * x], 1))
    weight = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    ap.evaluate(lambda p: fourth_power(weight * p), points, dx**2).sum().backward()
    assert torch.allclose(weight.grad, (4 * weight**3 * 12 * x**2).sum())  # type: ignore[arg-type]
