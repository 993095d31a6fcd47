"""One lifted pass: points of every shape, what surrounds it, and rows that must not mix."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.oracles import formulas
from tests.oracles.nested_autograd import Derivatives
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves, tree_map

import apolar as ap
from apolar import Operator
from apolar.errors import ApolarError, RowCouplingError

C = ap.coordinates("x y")
dx, dy = C
generator = torch.Generator().manual_seed(0)
X = torch.randn(6, 2, dtype=torch.float64, generator=generator)
FIELD = formulas.field("x y", "sin(x)*y**2 + exp(x*y)", "x**3*y**4 - 2*y", "cos(x - y)")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def exact(operator: Operator, points: Tensor = X) -> Tensor:
    """P(∂) of the field, by SymPy."""

    def applied(f: formulas.Formula) -> formulas.Formula:
        parts = [
            f"({float(c)!r})*({f.derivative(*['x'] * i, *['y'] * j).expression})"
            if i or j
            else f"({float(c)!r})*({f.expression})"
            for (i, j), c in operator.terms.items()
        ]
        return formulas.Formula(" + ".join(parts) or "0", f.variables)

    return FIELD.map(applied)(points)


def close(found: Any, expected: Any, tolerance: float = 1e-11) -> bool:
    pairs = zip(tree_leaves(found), tree_leaves(expected), strict=True)
    return all(
        a.shape == b.shape
        and torch.allclose(a, b, rtol=tolerance, atol=tolerance * float(b.detach().abs().max()) if b.numel() else 0)
        for a, b in pairs
    )


# ------------------------------------------------------------------------------------------------------------- operators

OPERATORS: dict[str, tuple[Operator | float, ...]] = {
    "first derivatives": (dx, dy),
    "the value and its derivatives": (1, dx, C.laplacian),
    "numbers": (2, dx + 3, -0.5),
    "lower terms": (dx**2 - dx + 1,),
    "the same twice": (dx, dx, 2 * dx),
    "order 4": (C.bilaplacian, dx**2 * dy**2),
    "order 7": (dx**3 * dy**4, dy**7),
    "fractions": (dx / 3 - dy**2 / 7,),
    "zero beside another": (0 * dx, dy),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_against_formulas(name: str) -> None:
    operators = OPERATORS[name]
    found = ap.evaluate(FIELD, X, *operators)
    expected = [exact(C.one * p if not isinstance(p, Operator) else p) for p in operators]
    if len(operators) == 1:
        assert isinstance(found, Tensor), "a single operator gives the tensor itself"
        found = (found,)
    assert isinstance(found, tuple)
    assert close(found, expected)


@pytest.mark.parametrize("k", [1, 3])
def test_scales_of_coefficients(k: int) -> None:
    """Coefficients far apart lose nothing."""
    found = ap.evaluate(FIELD, X, 1e-12 * dx**k + 1e12 * dy)
    assert close(found, 1e-12 * exact(dx**k) + 1e12 * exact(dy))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128], ids=str)
def test_results_have_the_dtype_of_the_points(dtype: torch.dtype) -> None:
    found = ap.evaluate(FIELD, X.to(dtype), 1, dx, C.laplacian)
    assert [y.dtype for y in found] == [dtype] * 3
    single = dtype in (torch.float32, torch.complex64)
    expected = [exact(p).to(dtype) for p in (C.one, dx, C.laplacian)]
    assert close(found, expected, 1e-4 if single else 1e-11)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype: torch.dtype) -> None:
    found = ap.evaluate(FIELD, X.to(dtype), dx)
    assert found.dtype == dtype
    assert torch.allclose(found.double(), exact(dx, X.to(dtype).double()), rtol=0.1, atol=0.3)


def test_analytic_functions_at_complex_points() -> None:
    Z = X + 1j * X.flip(0)
    found = ap.evaluate(lambda z: torch.exp(z[:, :1] * z[:, 1:]), Z, dx * dy)
    x, y = Z[:, :1], Z[:, 1:]
    assert torch.allclose(found, (1 + x * y) * torch.exp(x * y))


# --------------------------------------------------------------------------------------------------- points and batches

BATCHES = [(), (1,), (6,), (2, 3), (1, 2, 3), (0,), (2, 0)]


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_every_batch_gives_what_its_points_give(batch: tuple[int, ...]) -> None:
    points = X[: torch.Size(batch).numel()].reshape(*batch, 2)
    found = ap.evaluate(FIELD, points, 1, dx * dy, C.laplacian)
    assert close(found, [exact(p, points) for p in (C.one, dx * dy, C.laplacian)])
    assert all(y.shape == (*batch, 3) for y in found)


@pytest.mark.parametrize("batch", [(), (1,), (6,), (2, 3), (0,)], ids=str)
def test_gradients_of_parameters_for_every_batch(batch: tuple[int, ...]) -> None:
    """The gradient of a sum over points is the sum of the gradients at each point."""
    net = network()
    points = X[: torch.Size(batch).numel()].reshape(*batch, 2)

    def gradients(x: Tensor) -> tuple[Tensor, ...]:
        loss = ap.evaluate(net, x, C.laplacian).sum()
        return torch.autograd.grad(loss, list(net.parameters()), materialize_grads=True)

    each = [gradients(x.unsqueeze(0)) for x in points.reshape(-1, 2)]
    for k, found in enumerate(gradients(points)):
        assert torch.allclose(found, sum((g[k] for g in each), torch.zeros_like(found)), rtol=1e-12)


LAYOUTS: dict[str, Callable[[], Tensor]] = {
    "transposed": lambda: X.mT.contiguous().mT,
    "every second row": lambda: X.repeat_interleave(2, 0)[::2],
    "expanded": lambda: X[:1].expand(6, 2),
    "one column twice": lambda: X[:, :1].expand(6, 2),
    "a view": lambda: torch.cat([X, X], -1)[:, 1:3],
    "negated": lambda: torch._neg_view(X),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_in_memory_does_not_matter(name: str) -> None:
    points = LAYOUTS[name]()
    assert close(ap.evaluate(FIELD, points, C.laplacian), exact(C.laplacian, points.contiguous()))


def test_points_are_left_alone() -> None:
    points = X.clone()
    ap.evaluate(FIELD, points, C.laplacian)
    assert torch.equal(points, X)
    assert not points.requires_grad
    assert points.grad is None


ARGUMENTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "columns": ((5, 1), (5, 1), (5, 1)),
    "vectors": ((5,), (5,), (5,)),
    "numbers": ((), (), ()),
    "tables": ((2, 3), (2, 3), (2, 3)),
    "the second is one number": ((5, 1), (1, 1), (5, 1)),
    "the first is one number": ((1, 1), (5, 1), (5, 1)),
    "the second has no axes": ((5,), (), (5,)),
    "the first has no axes": ((), (5,), (5,)),
    "a grid": ((4, 1, 1), (3, 1), (4, 3, 1)),
}


@pytest.mark.parametrize("chunk_size", [None, 2])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_one_tensor_for_each_coordinate(name: str, chunk_size: int | None) -> None:
    first, second, result = ARGUMENTS[name]
    if chunk_size and not len(result):
        pytest.skip("no axis to take in chunks")
    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(shape, dtype=torch.float64, generator=g) for shape in (first, second))
    found = ap.evaluate(lambda x, y: torch.sin(x) * y**3, (x, y), dx, dx * dy, chunk_size=chunk_size)
    expected = torch.cos(x) * y**3, 3 * torch.cos(x) * y**2
    for a, b in zip(found, expected):
        assert a.shape == result
        assert torch.allclose(a, b)


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize("kind", [tuple, list])
def test_tensors_whose_last_axes_are_the_coordinates_in_order(kind: type, chunk_size: int | None) -> None:
    s, _, t = ap.coordinates("a b t")
    found = ap.evaluate(lambda p, t: p**2 * t**3, kind([X, X[:, :1]]), s * t, s**2, chunk_size=chunk_size)
    a, t_ = X[:, :1], X[:, :1]
    zero = torch.zeros_like(a)
    assert close(found, (torch.cat([6 * a * t_**2, zero], -1), torch.cat([2 * t_**3, zero], -1)))


@pytest.mark.parametrize("chunk_size", [1, 4, 6, 100])
@pytest.mark.parametrize("batch", [(6,), (2, 3), (0,)], ids=str)
def test_in_chunks(batch: tuple[int, ...], chunk_size: int) -> None:
    points = X[: torch.Size(batch).numel()].reshape(*batch, 2)
    found = ap.evaluate(FIELD, points, 1, dx, C.laplacian, chunk_size=chunk_size)
    assert close(found, ap.evaluate(FIELD, points, 1, dx, C.laplacian))


def test_chunks_have_gradients() -> None:
    net = network()
    whole, parts = (
        torch.autograd.grad(ap.evaluate(net, X, C.laplacian, chunk_size=size).sum(), net[0].weight)[0]
        for size in (None, 4)
    )
    assert torch.allclose(whole, parts, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- directions

V = torch.tensor([1.0, 2.0], dtype=torch.float64)
DIRECTIONS: dict[str, tuple[Any, Any]] = {
    "two constant directions": (V, V.flip(0)),
    "one that varies": (V, X),
    "the axes themselves": (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])),
    "single precision": (V.float(), X),
    "lists": ([1.0, 2.0], [0.5, -1.0]),
}


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize("name", DIRECTIONS)
def test_symbols_bound_to_directions(name: str, chunk_size: int | None) -> None:
    """∂x∂y along (v, w) is Σ vₐ w_b ∂ₐ∂_b, with the directions held still."""
    v, w = (torch.as_tensor(d, dtype=torch.float64).expand_as(X) for d in DIRECTIONS[name])
    given = dict(zip("xy", DIRECTIONS[name]))
    found = ap.evaluate(FIELD, X, dx, dx * dy, directions=given, chunk_size=chunk_size)
    first = v[:, :1] * exact(dx) + v[:, 1:] * exact(dy)
    symbols = (dx, dy)
    second = sum(v[:, a, None] * w[:, b, None] * exact(symbols[a] * symbols[b]) for a in range(2) for b in range(2))
    assert close(found, (first, second))


def test_directions_can_be_of_any_number() -> None:
    """The symbols need not be as many as the axes."""
    c = ap.coordinates("r s t")
    r, s, t = c
    given = {"r": V, "s": X, "t": X.flip(0)}
    found = ap.evaluate(FIELD, X, r, s * t, directions=given)
    expected = (
        ap.evaluate(FIELD, X, dx, directions={"x": V, "y": X}),
        ap.evaluate(FIELD, X, dx * dy, directions={"x": X, "y": X.flip(0)}),
    )
    assert close(found, expected)


def test_directions_get_gradients() -> None:
    v = V.clone().requires_grad_()
    (found,) = torch.autograd.grad(ap.evaluate(FIELD, X, dx**2, directions={"x": v, "y": X}).sum(), v)
    hessian = torch.stack([torch.stack([exact(a * b).sum() for a in C]) for b in C])
    assert torch.allclose(found, 2 * hessian @ V)


# -------------------------------------------------------------------------------------------------------------- functions

SHAPES: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "a number for each point": (lambda p: p[..., 0] ** 2 * p[..., 1] ** 2, ()),
    "one column": (lambda p: p[..., :1] ** 2 * p[..., 1:] ** 2, (1,)),
    "a matrix": (lambda p: (p[..., :, None] * p[..., None, :]) ** 2, (2, 2)),
    "no columns": (lambda p: p[..., :0], (0,)),
}


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_results_have_the_shape_of_the_output(name: str, batch: tuple[int, ...]) -> None:
    f, shape = SHAPES[name]
    points = X[: torch.Size(batch).numel()].reshape(*batch, 2)
    u, uxy = ap.evaluate(f, points, 1, dx * dy)
    assert u.shape == uxy.shape == (*batch, *shape)
    assert torch.equal(u, f(points))


def test_nests_of_results() -> None:
    def f(p: Tensor) -> Any:
        return p**2, {"a": p.sin(), "b": [p[..., 0]]}

    found = ap.evaluate(f, X, 1, dx)
    first, zero = X[:, :1], torch.zeros(6, 1).double()
    slope = torch.cat([2 * first, zero], -1), {"a": torch.cat([first.cos(), zero], -1), "b": [torch.ones(6).double()]}
    assert close(found, (f(X), slope))
    assert [type(y) for y in found] == [tuple, tuple]
    assert [list(y[1]) for y in found] == [["a", "b"]] * 2
    assert close(ap.evaluate(f, X, 1, dx, chunk_size=4), found)


def test_constants() -> None:
    found = ap.evaluate(lambda p: torch.ones(6, 1), X, 1, dx, 2, dx + 3)
    assert [float(y[0]) for y in found] == [1, 0, 2, 3]
    assert all(y.shape == (6, 1) for y in found)


def test_identity() -> None:
    assert close(
        ap.evaluate(lambda p: p, X, 1, dx, dy**2),
        (X, torch.tensor([1.0, 0.0]).double().expand(6, 2), torch.zeros_like(X)),
    )


class Model(nn.Module):
    """Parameters, buffers, and more than one argument."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.3, -0.5], [1.0, 0.7]], dtype=torch.float64))
        self.register_buffer("shift", torch.tensor([0.1, 0.2], dtype=torch.float64))

    def forward(self, p: Tensor, scale: float = 1.0) -> Tensor:
        return torch.sin(scale * p @ self.weight + self.shift)

    def doubled(self, p: Tensor) -> Tensor:
        return 2 * self(p)


MODEL = Model()
CALLABLES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "a module": (MODEL, 1.0),
    "a function": (lambda p: MODEL(p), 1.0),
    "a method": (MODEL.doubled, 2.0),
    "a partial": (functools.partial(MODEL, scale=1.0), 1.0),
    "functional_call": (lambda p: functional_call(MODEL, dict(MODEL.named_parameters()), (p,)), 1.0),
    "a module of modules": (nn.Sequential(nn.Identity(), MODEL), 1.0),
    "an instance with __call__": (type("Called", (), {"__call__": lambda self, p: MODEL(p)})(), 1.0),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_every_kind_of_callable(name: str) -> None:
    f, factor = CALLABLES[name]
    expected = -(MODEL.weight[0] ** 2) * torch.sin(X @ MODEL.weight + MODEL.shift)
    assert torch.allclose(ap.evaluate(f, X, dx**2), factor * expected)


def test_hooks_run() -> None:
    net, seen = network(), []
    net[1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    ap.evaluate(net, X, dx)
    assert torch.Size([6, 4]) in seen


def test_functions_are_not_kept_alive() -> None:
    def f(p: Tensor) -> Tensor:
        return p**2

    ap.evaluate(f, X, dx)
    reference = weakref.ref(f)
    del f
    gc.collect()
    assert reference() is None


# ------------------------------------------------------------------------------------------ derivatives of the results


def nested_laplacian(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return Derivatives(f, points).operator(C.laplacian.terms)


NET = network()
PARAMETERS = {name: p.detach() for name, p in NET.named_parameters()}


def loss(parameters: dict[str, Tensor], laplacian: Callable[..., Tensor], points: Tensor = X) -> Tensor:
    return (laplacian(lambda p: functional_call(NET, parameters, (p,)), points) ** 2).sum()


def lifted(parameters: dict[str, Tensor], points: Tensor = X) -> Tensor:
    return loss(parameters, lambda f, p: ap.evaluate(f, p, C.laplacian), points)


@functools.cache
def expected_gradients() -> dict[str, Tensor]:
    moving = {name: p.clone().requires_grad_() for name, p in PARAMETERS.items()}
    found = torch.autograd.grad(loss(moving, nested_laplacian), list(moving.values()), materialize_grads=True)
    return dict(zip(moving, found, strict=True))


def by_autograd(f: Callable[[dict[str, Tensor]], Tensor]) -> dict[str, Tensor]:
    moving = {name: p.clone().requires_grad_() for name, p in PARAMETERS.items()}
    return dict(zip(moving, torch.autograd.grad(f(moving), list(moving.values()), materialize_grads=True)))


def by_backward(f: Callable[[dict[str, Tensor]], Tensor]) -> dict[str, Tensor]:
    moving = {name: p.clone().requires_grad_() for name, p in PARAMETERS.items()}
    f(moving).backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in moving.items()}


GRADIENTS: dict[str, Callable[[Callable[[dict[str, Tensor]], Tensor]], dict[str, Tensor]]] = {
    "autograd.grad": by_autograd,
    "backward": by_backward,
    "torch.func.grad": lambda f: torch.func.grad(f)(PARAMETERS),
    "torch.func.jacrev": lambda f: torch.func.jacrev(f)(PARAMETERS),
    "torch.func.jacfwd": lambda f: torch.func.jacfwd(f)(PARAMETERS),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_parameters(name: str) -> None:
    assert close(GRADIENTS[name](lifted), expected_gradients())


def test_products_with_the_hessian_of_parameters() -> None:
    """Second derivatives of a loss that contains second derivatives."""

    def slope(gradient: dict[str, Tensor]) -> Tensor:
        return sum((gradient[name] * p).sum() for name, p in PARAMETERS.items())

    def twice(of: Callable[..., Tensor]) -> dict[str, Tensor]:
        moving = {name: p.clone().requires_grad_() for name, p in PARAMETERS.items()}
        first = torch.autograd.grad(of(moving), list(moving.values()), create_graph=True, materialize_grads=True)
        second = torch.autograd.grad(slope(dict(zip(moving, first))), list(moving.values()), materialize_grads=True)
        return dict(zip(moving, second))

    expected = twice(lambda parameters: loss(parameters, nested_laplacian))
    assert close(twice(lifted), expected)
    by_torch_func = torch.func.jvp(torch.func.grad(lifted), (PARAMETERS,), (PARAMETERS,))[1]
    assert close(by_torch_func, expected)


def test_ensembles_by_vmap() -> None:
    many = {name: torch.stack([p, 2 * p, -p]) for name, p in PARAMETERS.items()}
    each = [{name: p[k] for name, p in many.items()} for k in range(3)]
    assert close(torch.func.vmap(lifted)(many), torch.stack([lifted(p) for p in each]))
    gradients = [torch.func.grad(lifted)(p) for p in each]
    stacked = {name: torch.stack([g[name] for g in gradients]) for name in PARAMETERS}
    assert close(torch.func.vmap(torch.func.grad(lifted))(many), stacked)


def test_gradients_for_each_point_by_vmap() -> None:
    found = torch.func.vmap(torch.func.grad(lifted), in_dims=(None, 0))(PARAMETERS, X)
    each = [torch.func.grad(lifted)(PARAMETERS, x) for x in X]
    assert close(found, {name: torch.stack([g[name] for g in each]) for name in PARAMETERS})


def test_gradients_of_points_are_higher_operators() -> None:
    points = X.clone().requires_grad_()
    (found,) = torch.autograd.grad(ap.evaluate(FIELD, points, C.laplacian).sum(), points)
    expected = torch.stack([exact(d * C.laplacian).sum(-1) for d in C], -1)
    assert torch.allclose(found, expected)
    vmapped = torch.func.vmap(torch.func.jacrev(lambda p: ap.evaluate(FIELD, p, C.laplacian)))(X)
    assert torch.allclose(vmapped, torch.stack([exact(d * C.laplacian) for d in C], -1))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad], ids=lambda m: m.__name__)
def test_modes_of_autograd(mode: Callable[[], Any]) -> None:
    with mode():
        found = ap.evaluate(NET, X, C.laplacian)
    assert found.requires_grad is (mode is torch.enable_grad)
    assert torch.allclose(found.clone(), nested_laplacian(NET, X))


def test_compiled_functions_are_right_or_refused() -> None:
    """A function that torch.compile made takes its own way inside of a pass."""
    compiled = torch.compile(lambda p: torch.sin(p) ** 2, backend="eager")
    try:
        found = ap.evaluate(compiled, X, dx**2)
    except ApolarError:
        return
    assert torch.allclose(found, torch.cat([2 * torch.cos(2 * X[:, :1]), torch.zeros(6, 1).double()], -1))


def of_the_user(p: Tensor) -> Tensor:
    return torch.cat([torch.sin(p), p**2], -1) * torch.exp(p.sum(-1, keepdim=True))


COMPILED: dict[str, Callable[[Tensor], Tensor]] = {
    "a network": lambda p: ap.evaluate(NET, p, C.laplacian).sum(-1) * 2,
    "a function of the user": lambda p: ap.evaluate(of_the_user, 1 * p, C.laplacian) + 1,
}


@pytest.mark.parametrize("name", COMPILED)
def test_evaluations_can_be_compiled(name: str) -> None:
    f = COMPILED[name]
    with torch.no_grad():
        assert torch.allclose(torch.compile(f, backend="eager")(X), f(X))


def test_autocast_does_not_lower_the_precision() -> None:
    net = network().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ap.evaluate(net, X.float(), C.laplacian)
    assert found.dtype == torch.float32
    precision = torch.finfo(torch.float32).eps  # that of bfloat16 is 2¹⁶ times as coarse
    assert close(found, ap.evaluate(net, X.float(), C.laplacian), 1000 * precision)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_default_dtype_does_not_matter(dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    assert close(ap.evaluate(FIELD, X, dx, C.laplacian), (exact(dx), exact(C.laplacian)))


# ---------------------------------------------------------------------------------------------------- rows must not mix

MIXED: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "the mean": ((6, 2), lambda x: x - x.mean(0)),
    "the largest": ((6, 2), lambda x: x - x.max(0).values),
    "the smallest": ((6, 2), lambda x: x - x.min(0).values),
    "the first row": ((6, 2), lambda x: x - x[:1]),
    "the last row": ((6, 2), lambda x: x - x[-1:]),
    "the next row": ((6, 2), lambda x: torch.cat([x[1:], x[-1:]])),
    "the row before": ((6, 2), lambda x: torch.cat([x[:1], x[:-1]])),
    "the rows after": ((6, 2), lambda x: x.flip(0).cumsum(0).flip(0)),
    "two rows": ((2, 2), lambda x: x.flip(0)),
    "the second batch axis": ((3, 4, 2), lambda x: x - x.mean(1, keepdim=True)),
    "the second batch axis of one row": ((1, 4, 2), lambda x: x - x.mean(1, keepdim=True)),
    "the first batch axis of two": ((4, 3, 2), lambda x: x - x.mean(0)),
    "the sum": ((6, 2), lambda x: x.sum()),
    "a sum over rows": ((6, 2), lambda x: x.sum(0)),
}


@pytest.mark.parametrize("chunk_size", [None, 3])
@pytest.mark.parametrize("name", MIXED)
def test_mixed_rows_are_refused(name: str, chunk_size: int | None) -> None:
    shape, f = MIXED[name]
    points = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with pytest.raises(RowCouplingError, match=r"row"):
        ap.evaluate(f, points, dx, chunk_size=chunk_size)


ALLOWED: dict[str, Callable[[Tensor], Tensor]] = {
    "the mean of a row": lambda x: x - x.mean(-1, keepdim=True),
    "a constant from all rows": lambda x: x * len(x),
    "numbers of the rows": lambda x: x * torch.arange(len(x)).double()[:, None],
    "noise": lambda x: x * torch.rand(6, 2).double(),
    "not a number": lambda x: torch.log(x),
    "infinite": lambda x: x / (x - x),
    "large and small": lambda x: torch.cat([1e20 * x, 1e-20 * x], -1),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_functions_of_each_row_are_not_refused(name: str) -> None:
    ap.evaluate(ALLOWED[name], X, dx)


def test_advice_for_functions_of_one_point_works() -> None:
    """The message of RowCouplingError speaks of torch.func.vmap: what it says must run."""

    def f(x: Tensor) -> Tensor:
        return x[0] * x[1] ** 2

    with pytest.raises(RowCouplingError, match=r"vmap\(.*ap\.evaluate"):
        ap.evaluate(lambda x: x[0].prod(), X, dx * dy)
    assert torch.allclose(torch.func.vmap(lambda x: ap.evaluate(f, x, dx * dy))(X), 2 * X[:, 1])


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: lambda x: net(x)], ids=["module", "function"])
@pytest.mark.parametrize("which", ["the network", "its normalisation"])
def test_training_mode_is_seen_when_it_is_switched_on_later(which: str, wrap: Callable[..., object]) -> None:
    """The trial of a function may be remembered, but not beyond the state that it was made in."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double().eval()
    f = wrap(net)
    ap.evaluate(f, X, dx)
    (net if which == "the network" else net[1]).train()
    with pytest.raises(RowCouplingError, match=r"\.eval\(\)"):
        ap.evaluate(f, X, dx)


def test_the_trial_leaves_the_state_of_a_module_alone() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double()
    before = tree_map(torch.clone, net.state_dict())
    with pytest.raises(RowCouplingError):
        ap.evaluate(net, X, dx)
    assert not [k for k, v in net.state_dict().items() if not torch.equal(v, before[k])]


@pytest.mark.parametrize("points", [torch.ones(3, 2), torch.full((3, 2), 0.3), torch.zeros(3, 2)], ids=str)
def test_equal_points_do_not_hide_rows_that_mix(points: Tensor) -> None:
    """At 0 the coupling is one of second order, so that the first derivative is right."""
    order = 2 if not points.any() else 1
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(lambda p: p * p.sum(0), points, dx**order)


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
def test_a_batch_of_gradients(kernels: str) -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    points = torch.rand(5, 2, dtype=torch.float64).requires_grad_()
    dx, _ = ap.coordinates("x y")
    with ap.settings(kernels=kernels):
        u, wanted = ap.evaluate(net, points, dx**2), [points, net[0].weight, net[2].weight, net[2].bias, net[4].weight]
        rows = torch.eye(5, dtype=torch.float64)[:, :, None]
        one_by_one = [torch.autograd.grad(u, wanted, row, retain_graph=True) for row in rows]
        together = torch.autograd.grad(u, wanted, rows, is_grads_batched=True)
    for found, expected in zip(together, zip(*one_by_one, strict=True), strict=True):
        assert torch.allclose(found, torch.stack(expected))
