"""Copies of modules that were evaluated, what is kept alive, and several threads at once."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.utils.data import DataLoader, TensorDataset

import apolar as ap
from apolar.evaluation.seeds import lift
from tests.lifted import OPERATORS, C, Function, X, close, dx, dy, lifted, network, with_gradients

COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "deepcopy": copy.deepcopy,
    "torch.save": lambda net: saved_and_loaded(net),
    "a state": lambda net: (other := network(9), other.load_state_dict(net.state_dict()))[0],
}


def saved_and_loaded(net: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize("name", COPIES)
def test_modules_can_be_copied_after_an_evaluation(name: str) -> None:
    net = network()
    expected = lifted(net)
    assert close(lifted(COPIES[name](net)), expected)


def test_operators_can_be_copied() -> None:
    for make in (copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))):
        assert make(C.laplacian) == C.laplacian
        assert ap.algebra(make(C.laplacian)) is ap.algebra(C.laplacian)


@pytest.mark.parametrize("use", [lambda net: net, lambda net: lambda x: net(x), lambda net: vmap(net)])
def test_modules_are_not_kept_alive(use: Callable[[nn.Module], Function]) -> None:
    net = network()
    lifted(use(net), list(net.parameters()))
    held = [weakref.ref(net), *map(weakref.ref, net.parameters())]
    del net
    gc.collect()
    assert not any(reference() is not None for reference in held)


def test_what_was_reshaped_is_not_kept_alive() -> None:
    y = lift(ap.algebra(dx), X, [X, None])
    for _ in range(3):
        flat = y.flatten()
    assert len(y.perhaps_views or ()) == 2
    argument, result = weakref.ref(y), weakref.ref(flat)
    del y
    assert argument() is None
    del flat
    assert result() is None


@cache
def threaded() -> list[tuple[Function, tuple[ap.Operator, ...]]]:
    return [
        (network(0), OPERATORS),
        (network(1), (C.bilaplacian,)),
        (network(2), (dx**5,)),
        (torch.jit.script(network(3)), (dx * dy, dy**3)),
        (lambda x: torch.sin(x) * x.prod(-1, keepdim=True), (dx**3 - dy,)),
        (lambda x: ap.evaluate(lambda y: torch.exp(y * y.sum(-1, keepdim=True)), x, dx), (dy, dx**2)),
        (lambda x: vmap(jacrev(lambda a: torch.sin(a) * a.prod()))(x).flatten(1), (C.laplacian,)),
        (lambda x: torch.no_grad()(network(4))(x.sin()), (dx**2 * dy**2, dx)),
    ]


def job(k: int) -> list[Tensor]:
    f, operators = threaded()[k]
    with torch.set_grad_enabled(k < 7):
        results = ap.evaluate(f, X, *operators)
        results = results if isinstance(results, tuple) else (results,)
        return with_gradients(results, list(f.parameters()) if isinstance(f, nn.Module) else [])


@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")
def test_threads_do_not_disturb_each_other() -> None:
    """Eight functions with operators of their own at once, some of them nested, some without gradients."""
    alone = [job(k) for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert all(close(found, expected) for found, expected in zip(pool.map(job, range(8)), alone))


class Laplacians(TensorDataset):
    def __getitem__(self, k: Any) -> Any:
        return ap.evaluate(network(), X[k], C.laplacian).detach()


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluations_in_a_data_loader(workers: int) -> None:
    batches = list(DataLoader(Laplacians(X), batch_size=2, num_workers=workers))
    assert torch.allclose(torch.cat(batches), ap.evaluate(network(), X, C.laplacian))
