"""What apolar cannot do is refused by name, and never answered with a wrong number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.errors import ApolarError, UnsupportedOperator
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import Index

X = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)
SECOND: Index = (2, 0)


def second(f: Callable[..., object], x: Tensor = X) -> Tensor:
    """∂s² f(x + s·1)."""
    return jet_derivatives(f, [x], [torch.ones_like(x)], [None], [SECOND])[SECOND]


@torch.library.custom_op("apolar_tests::swirl", mutates_args=())
def swirl(x: Tensor) -> Tensor:
    """An operator that apolar has never seen."""
    return torch.sin(x.detach()) ** 2


@swirl.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Cube(torch.autograd.Function):
    """A user's own function, with a first derivative that says nothing about the second."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.detach() ** 3

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


UNKNOWN: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "an operator of the user": (swirl, "swirl"),
    "an autograd.Function": (Cube.apply, ""),
    "out=": (lambda x: torch.sin(x, out=torch.empty(2, 2).double()), "sin"),
    "backward": (lambda x: x.sum().backward(), "backward"),
    "NumPy": (lambda x: torch.from_numpy(x.numpy() ** 2), "numpy"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_operators_are_named(name: str) -> None:
    f, word = UNKNOWN[name]
    with pytest.raises(ApolarError) as caught:
        second(f)
    assert word in str(caught.value)


def test_the_error_says_function_and_order_and_line() -> None:
    with pytest.raises(UnsupportedOperator) as caught:
        second(lambda x: swirl(x) * x)
    message = str(caught.value)
    assert "swirl" in message
    assert "order 2" in message
    assert "test_refusals.py" in message


VALUES_AS_NUMBERS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x * x.sum().item(),
    "float": lambda x: x * float(x.sum()),
    "tolist": lambda x: torch.tensor(x.tolist()).double(),
    "detach": lambda x: x.detach() ** 2,
    "data": lambda x: x.data**2,
    "torch.tensor": lambda x: torch.tensor(x[0, 0]) * x,
    "no_grad": lambda x: torch.no_grad()(lambda y: y**2)(x),
}


@pytest.mark.parametrize("name", VALUES_AS_NUMBERS)
def test_values_taken_out_are_constants_or_refused(name: str) -> None:
    """As in torch.func: what leaves the computation is a constant; anything between the two would be wrong."""
    exact = {"no_grad": 2 * torch.ones(4)}.get(name, torch.zeros(4)).double()
    try:
        found = second(VALUES_AS_NUMBERS[name])
    except ApolarError:
        return
    assert torch.allclose(found, exact)


def test_dropout_in_training_is_one_random_mask_or_refused() -> None:
    """The derivative belongs to the same mask as the value: x ↦ mask·x/(1 − p) has slope value/x."""
    try:
        found = jet_derivatives(
            lambda x: F.dropout(x, 0.5), [X], [torch.ones_like(X)], [None], [(0, 0), (1, 0), SECOND]
        )
    except ApolarError:
        return
    assert torch.allclose(found[1, 0], found[0, 0] / X.reshape(-1))
    assert not found[SECOND].any()


def detached_then_changed(x: Tensor) -> Tensor:
    y = x * 2
    y.detach().mul_(3)
    return y


def data_changed(x: Tensor) -> Tensor:
    y = x * 2
    y.data.add_(3)
    return y * y


@pytest.mark.parametrize("f", [detached_then_changed, data_changed], ids=lambda f: f.__name__)
def test_in_place_through_a_detached_view_is_as_on_plain_tensors_or_refused(f: Callable[[Tensor], Tensor]) -> None:
    try:
        found = jet_derivatives(f, [X.clone()], [torch.ones_like(X)], [None], [(0, 0)])[0, 0]
    except ApolarError:
        return
    assert torch.allclose(found, f(X.clone()).reshape(-1))


KINKS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "relu": (torch.relu, 0.0),
    "abs": (torch.abs, 0.0),
    "sqrt": (torch.sqrt, 0.0),
    "x ** 0.5": (lambda x: x**0.5, 0.0),
    "x ** 2.5": (lambda x: x**2.5, 0.0),
    "log": (torch.log, 0.0),
    "asin": (torch.asin, 1.0),
}


@pytest.mark.parametrize("name", KINKS)
def test_values_stay_right_where_derivatives_do_not_exist(name: str) -> None:
    """The value itself is never spoiled by a derivative that is infinite or not defined."""
    f, point = KINKS[name]
    x = torch.full((2,), point, dtype=torch.float64)
    found = jet_derivatives(f, [x], [torch.ones_like(x)], [None], [(0, 0), (1, 0)])
    assert torch.equal(found[0, 0], f(x).reshape(-1))


@pytest.mark.parametrize("name", ["sqrt", "x ** 0.5", "log", "asin"])
def test_infinite_derivatives_are_not_finite_numbers(name: str) -> None:
    f, point = KINKS[name]
    x = torch.full((2,), point, dtype=torch.float64)
    assert not torch.isfinite(jet_derivatives(f, [x], [torch.ones_like(x)], [None], [(1, 0)])[1, 0]).any()


def test_vanishing_derivatives_beside_a_kink_are_numbers() -> None:
    """x^2.5 at 0 has two derivatives that are 0, and no third."""
    x = torch.zeros(2, dtype=torch.float64)
    found = jet_derivatives(lambda x: x**2.5, [x], [torch.ones_like(x)], [None], [(1, 0), (2, 0)])
    assert torch.equal(found[1, 0], x)
    assert torch.equal(found[2, 0], x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_results_have_the_dtype_of_the_input(dtype: torch.dtype) -> None:
    def f(x: Tensor) -> Tensor:
        return torch.softmax(torch.sin(x) * 2 + x**3, -1).sum() + x.mean() + F.layer_norm(x, (2,)).sum()

    x = X.to(dtype)
    found = jet_derivatives(f, [x], [torch.ones_like(x)], [None], [SECOND])[SECOND]
    assert found.dtype == dtype


ZEROS = torch.zeros(2, 3, dtype=torch.float64)
NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "Tensor.norm": lambda x: x.norm(dim=-1),
    "norm": lambda x: torch.norm(x, p=3, dim=1),
    "linalg_norm": lambda x: torch.linalg.norm(x, dim=-1, keepdim=True),
    "linalg_vector_norm": lambda x: torch.linalg.vector_norm(x, 2.5),
    "linalg_vector_norm of a matrix": lambda x: torch.linalg.matrix_norm(x),
    **{f"p = {p}": lambda x, p=p: torch.linalg.vector_norm(x, p) for p in (0, 0.5, 1, 4, -1, torch.inf, -torch.inf)},
    "complex": lambda x: torch.linalg.vector_norm(torch.complex(x, 2 * x), 3),
    "cdist": lambda x: torch.cdist(x, torch.zeros(1, 3).double()),
    "dist": lambda x: torch.dist(x, 0 * x),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_vectors_at_zero_have_derivative_0_as_in_torch(name: str) -> None:
    found = jet_derivatives(NORMS[name], [ZEROS], [torch.ones_like(ZEROS)], [None], [(1, 0), SECOND])
    assert not torch.func.jacrev(NORMS[name])(ZEROS).any()
    assert not found[1, 0].any()
    assert found[SECOND].isnan().all()  # for which a pass raises SingularPoint


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_vectors_that_stay_zero_are_constant(name: str) -> None:
    found = jet_derivatives(
        lambda x: NORMS[name](0 * x), [X.new_ones(2, 3)], [X.new_ones(2, 3)], [None], [(1, 0), SECOND]
    )
    assert not found[1, 0].any()
    assert not found[SECOND].any()


def test_under_vmap_the_point_at_a_kink_leaves_the_others_alone() -> None:
    """Where values may not be looked at, nothing is refused: the other points keep their derivatives."""

    def first(x: Tensor, v: Tensor) -> Tensor:
        return jet_derivatives(lambda x: x.norm(), [x], [v], [None], [(1, 0)])[1, 0]

    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]).double()
    directions = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]).double()
    through_zero, away, still = torch.func.vmap(first)(points, directions)
    assert through_zero == 0
    assert torch.allclose(away, torch.tensor(0.6).double())
    assert still == 0


@pytest.mark.parametrize("f", [lambda x: F.normalize(x, p=3.0, dim=-1) * 1e-12, lambda x: torch.renorm(x, 2, 0, 1.0)])
def test_functions_that_are_smooth_where_a_norm_is_not_keep_their_derivatives(f: Callable[[Tensor], Tensor]) -> None:
    found = jet_derivatives(f, [ZEROS], [torch.ones_like(ZEROS)], [None], [(1, 0)])[1, 0]
    assert torch.allclose(found, torch.ones(6).double())
