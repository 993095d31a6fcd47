"""One lifted pass: points of every shape, rows that must not mix, and what stands around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import RowCouplingError

C = ap.coordinates("x y")
dx, dy = C
generator = torch.Generator().manual_seed(0)
X = torch.randn(6, 2, dtype=torch.float64, generator=generator)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3)).double()


# --------------------------------------------------------------------------------------------------- points and batches


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


@pytest.mark.parametrize("name", MIXED)
def test_mixed_rows_are_refused(name: str) -> None:
    shape, f = MIXED[name]
    points = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with pytest.raises(RowCouplingError, match=r"row"):
        ap.evaluate(f, points, dx)


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
