"""``ap.diagnose``: tensors, functions and errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import apolar as ap

X = torch.tensor([0.3, 0.7], requires_grad=True)


def frozen(x):
    return (x.detach() * x).sum()


def rounded(x):
    return (x * 4).round().sum()


def cancelling(x):
    return ((1 - torch.cos(x)) / x**2).sum()


def hidden(x):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g  # it should be 2 x g

    return Square.apply(x).sum()


FUNCTIONS = {
    "math": (lambda x: x * math.sin(x.sum()), 1, ("item",)),
    "detach": (frozen, 1, ("detach",)),
    "round": (rounded, 1, ("piecewise-constant",)),
    "relu": (lambda x: torch.relu(x - 0.5), 2, ("piecewise-linear",)),
    "linear": (lambda x: 3 * x, 2, ("constant-derivative",)),
    "hidden": (hidden, 1, ("gradient-differs",)),
    "smooth": (lambda x: torch.sin(x) * x, 2, ()),
    "kink, first order": (lambda x: torch.relu(x - 0.5), 1, ()),
    "network": (nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)), 1, ()),
    "random": (lambda x: nn.functional.dropout(x, 0.5).sum(), 1, ()),
}


POINTS = torch.linspace(0, 1, 10).reshape(5, 2)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("form", ["function", "tensors"])
def test_points_in_rows_are_no_fault(order, form):
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    x = POINTS.clone().requires_grad_()
    subject = net if form == "function" else net(x)
    assert ap.diagnose(subject, x, order=order).healthy


def test_a_function_must_return_a_tensor():
    with pytest.raises(ap.DtypeError, match="tuple"):
        ap.diagnose(lambda x: (x, x), X)


@pytest.mark.parametrize("f, order, codes", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(f, order, codes):
    assert ap.diagnose(f, X, order=order).codes == codes


def test_cancellation_shows_against_double_precision():
    near, far = torch.tensor([2e-4, 3e-4]), torch.tensor([0.5, 1.0])
    assert ap.diagnose(cancelling, near).codes == ("cancellation",)
    assert ap.diagnose(cancelling, far).healthy


TENSORS = {
    "healthy": (lambda: (torch.sin(X), X), 2, ()),
    "constant": (lambda: (3 * X, X), 2, ("constant-derivative",)),
    "detached": (lambda: (torch.sin(X.detach()), X), 1, ("nothing-requires-grad",)),
    "slice": (lambda: (torch.sin(X), X[:1]), 1, ("fresh-slice",)),
    "unused": (lambda: (torch.sin(X), torch.ones(2, requires_grad=True)), 1, ("input-unused",)),
    "sqrt": (lambda: (torch.sqrt(X - X), X), 1, ("nonfinite-gradient",)),
    "integers": (lambda: (torch.ones(2), torch.tensor([1, 2])), 1, ("integer-dtype",)),
    "step": (lambda: (torch.floor(X), X), 1, ("piecewise-constant",)),
}


@pytest.mark.parametrize("make, order, codes", TENSORS.values(), ids=TENSORS)
def test_tensors(make, order, codes):
    assert ap.diagnose(*make(), order=order).codes == codes


def freed():
    y = torch.sin(X).sum()
    y.backward()
    y.backward()


def cut_above():
    h = torch.sin(X).detach()
    y = h * 2
    y.sum().backward()


def copied():
    a = X.sum()
    total = torch.tensor([a, a])
    torch.autograd.grad(total.sum(), X)


def switched_off():
    with torch.no_grad():
        y = torch.sin(X)
    y.sum().backward()


def without_create_graph():
    g = torch.autograd.grad(torch.sin(X).sum(), X)[0]
    torch.autograd.grad(g.sum(), X)


def sliced_afterwards():
    y = torch.sin(X)
    first = X[:1]
    torch.autograd.grad(y.sum(), first)


def constant():
    g = torch.autograd.grad((3 * X).sum(), X, create_graph=True)[0]
    torch.autograd.grad(g.sum(), X)


def compared():
    share = (X > 0.5).float()
    share.mean().backward()


def half(x):
    return x.detach() / 2


class Rounding(nn.Module):
    def forward(self, x):
        return torch.tensor(x.tolist()) * 2


def in_a_function():
    half(X).sum().backward()


def in_a_module():
    net = Rounding()
    net(X).sum().backward()


@torch.no_grad()
def evaluated(x):
    return x**2


def in_a_decorated_function():
    evaluated(X).sum().backward()


def nothing():
    x = torch.ones(2)
    (x**2).sum().backward()


ERRORS = {
    freed: ("graph-freed", "    y.backward()"),
    cut_above: ("detach", "    h = torch.sin(X).detach()"),
    copied: ("tensor-copy", "    total = torch.tensor([a, a])"),
    switched_off: ("no-grad", "    with torch.no_grad():"),
    without_create_graph: ("create-graph-missing", "    g = torch.autograd.grad(torch.sin(X).sum(), X)[0]"),
    sliced_afterwards: ("fresh-slice", "    torch.autograd.grad(y.sum(), first)"),
    constant: ("constant-derivative", "    torch.autograd.grad(g.sum(), X)"),
    compared: ("piecewise-constant", "    share = (X > 0.5).float()"),
    in_a_function: ("detach", "    return x.detach() / 2"),
    in_a_module: ("item", "        return torch.tensor(x.tolist()) * 2"),
    in_a_decorated_function: ("no-grad", "@torch.no_grad()"),
    nothing: ("nothing-requires-grad", "    (x**2).sum().backward()"),
}


@pytest.mark.parametrize("call", ERRORS, ids=lambda call: call.__name__)
def test_errors(call):
    code, line = ERRORS[call]
    with pytest.raises(RuntimeError) as caught:
        call()
    (finding,) = ap.diagnose(caught.value).findings
    assert (finding.code, finding.source) == (code, line.strip())


def test_other_errors_are_not_explained():
    assert ap.diagnose(ValueError("something else")).healthy


@pytest.mark.parametrize("subject, x", [(1, X), (torch.sin, None), (torch.sin(X), 2.0)])
def test_refuses_what_is_no_question(subject, x):
    with pytest.raises(ap.ApolarError, match="give an output and the tensor"):
        ap.diagnose(subject, x)


# -------------------------------------------------------------------------------------------------------- lifted passes

dx, dy = ap.coordinates("x y")
STRAIGHT = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
SMOOTH = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))


def total(x):
    return STRAIGHT(x).sum()


SECOND_DERIVATIVES = {
    "evaluate": lambda: ap.evaluate(STRAIGHT, POINTS, dx**2),
    "heat operator": lambda: ap.evaluate(STRAIGHT, POINTS, dy - dx**2),
    "in chunks": lambda: ap.evaluate(STRAIGHT, POINTS, dx**2, chunk_size=2),
    "within memory": lambda: ap.evaluate(STRAIGHT, POINTS, dx**2, max_memory=10_000),
    "batched": lambda: torch.func.vmap(lambda p: ap.evaluate(STRAIGHT, p, dx**2))(POINTS),
    "residual": lambda: ap.residual("x y")(lambda u: u.d("x", 2) + u)(STRAIGHT, POINTS),
    "laplacian": lambda: ap.laplacian(STRAIGHT)(POINTS),
    "directional": lambda: ap.directional(STRAIGHT, torch.ones(2), 2)(POINTS),
    "hessian": lambda: ap.hessian(total)(POINTS[0]),
    "hessian_diagonal": lambda: ap.hessian_diagonal(total)(POINTS[0]),
    "jacobian of grad": lambda: ap.jacobian(ap.grad(total))(POINTS[0]),
    "grad of grad": lambda: ap.grad(lambda x: ap.grad(total)(x).sum())(POINTS[0]),
    "derivative": lambda: ap.derivative(nn.functional.hardtanh, order=2)(POINTS + 0.013),
    "taylor": lambda: ap.taylor(torch.abs, order=2)(POINTS + 0.013),
    "compiled": lambda: ap.compile(lambda p: ap.evaluate(STRAIGHT, p, dx**2))(POINTS),
}


@pytest.mark.parametrize("call", SECOND_DERIVATIVES.values(), ids=SECOND_DERIVATIVES)
def test_straight_pieces_are_found_in_every_transform(call):
    with ap.watch() as d:
        call()
    assert (d.codes, d.failures) == (("piecewise-linear",), [])


HEALTHY = {
    "first order": lambda: ap.evaluate(STRAIGHT, POINTS, dx),
    "smooth outside": lambda: ap.evaluate(lambda p: torch.sin(STRAIGHT(p)), POINTS, dx**2),
    "smooth": lambda: ap.evaluate(SMOOTH, POINTS, dx**2),
    "linear": lambda: ap.evaluate(nn.Linear(2, 1), POINTS, dx**2),
    "gradient": lambda: ap.grad(total)(POINTS[0]),
    "recomputed": lambda: torch.utils.checkpoint.checkpoint(
        lambda p: ap.evaluate(SMOOTH, p, dx**2).sum(), POINTS, use_reentrant=False
    ).backward(),
    "compiled": lambda: ap.compile(lambda p: ap.evaluate(SMOOTH, p, dx**2))(POINTS),
    "difference quotients": lambda: ap.check(SMOOTH, POINTS, dx**2),
}


@pytest.mark.parametrize("call", HEALTHY.values(), ids=HEALTHY)
def test_lifted_passes_without_a_fault(call):
    with ap.watch() as d:
        call()
    assert d.healthy


def test_a_function_that_evaluates_by_itself():
    assert ap.diagnose(lambda p: ap.evaluate(SMOOTH, p, dx**2).sum(), POINTS).healthy
    assert ap.diagnose(lambda p: ap.evaluate(STRAIGHT, p, dx**2).sum(), POINTS).codes == ("piecewise-linear",)


REFUSED = {
    "detach": lambda: ap.laplacian(lambda p: p.detach() * p)(POINTS),
    "item": lambda: ap.laplacian(lambda p: p * p.sum().item())(POINTS),
    "numpy": lambda: ap.grad(lambda p: (torch.from_numpy(p.numpy()) * p).sum())(POINTS[0]),
    "no-grad": lambda: ap.laplacian(torch.no_grad()(lambda p: p**2))(POINTS),
    "integer-dtype": lambda: ap.evaluate(SMOOTH, POINTS.long(), dx),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_apolar_refused_is_explained_afterwards(code):
    with pytest.raises(ap.ApolarError) as raised:
        REFUSED[code]()
    assert ap.diagnose(raised.value).codes == (code,)
