"""Chains as one call against the same links one by one, and against finite differences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import apolar as ap
from apolar.algebras.algebra import Algebra
from apolar.engine.series import FUNCTIONS, expansion
from apolar.kernels import fused, native
from apolar.kernels.chain import pull_back, run
from apolar.kernels.composition import composition
from apolar.kernels.links import Affine, Chain, Link, chain

dx, dy = ap.coordinates("x y")
ALGEBRAS: dict[str, Algebra] = {
    "gradient": ap.algebra(dx, dy),
    "Laplacian": ap.algebra(dx**2 + dy**2),
    "KdV": ap.algebra(dx**3, dy),
}
ACTIVATIONS = [torch.tanh, torch.sin, torch.sigmoid]

pytestmark = pytest.mark.skipif(not native.available(), reason="there is no compiler")


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    with ap.settings(kernels="compiled"), torch.no_grad():
        yield


STARTS: dict[str, tuple[list[Link], bool]] = {
    "stacked": ([], False),
    "layer": ([Affine(bias=True)], False),
    "uniform": ([], True),
    "uniform, a layer": ([Affine(bias=True, apart=True)], True),
    "uniform, two layers": ([Affine(bias=False, apart=True), Affine(bias=True, apart=True)], True),
}
"""The layers before the first activation, and whether tangents come apart from the value there."""


def links_of(algebra: Algebra, activations: list[int], start: str, end: str) -> Chain:
    """Activations with layers between them: behind uniform tangents, all components or a layer, up to one of these ends."""
    before, uniform = STARTS[start]
    links = list(before)
    for k, n in enumerate(activations):
        tangents = (1, 2) if uniform and k == 0 else None
        wanted = (algebra.size - 1,) if k == len(activations) - 1 and end == "one component" else None
        links += [composition(algebra, expansion(FUNCTIONS[ACTIVATIONS[n]]), tangents, wanted), Affine(bias=k % 2 == 0)]  # type: ignore[arg-type]
    if end == "one component":
        links[-1] = Affine(bias=True, value=False)
    return chain(*(links[:-1] if end == "activation" else links))


def tensors_of(
    links: Chain, algebra: Algebra, rows: tuple[int, ...], widths: list[int], dtype: torch.dtype
) -> list[Tensor]:
    tensors = [torch.randn(1 if links.operands == 2 else algebra.size, *rows, widths[0], dtype=dtype)]
    if links.operands == 2:
        tensors.append(torch.randn(2, *(1 for _ in rows), widths[0], dtype=dtype))
    columns, following = widths[0], iter(widths[1:])
    for link in links.links:
        if isinstance(link, Affine):
            to = next(following)
            tensors += [torch.randn(to, columns, dtype=dtype), *([torch.randn(to, dtype=dtype)] if link.bias else [])]
            columns = to
    return [0.7 * x for x in tensors]


def both_ways(
    links: Chain, tensors: list[Tensor], needed: list[bool]
) -> tuple[list[Tensor | None], list[Tensor | None]]:
    """Result and cotangents, as one call and link by link."""
    fits = fused.fits
    found: list[list[Tensor | None]] = []
    for way in (fits, lambda *_: False):
        fused.fits = way
        try:
            result, *kept = run(links, *tensors)
            cotangent = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).view(result.shape)
            found.append([result, *pull_back(links, needed, tensors, kept, cotangent)])
            assert all(x.ndim == 1 for x in kept) or way is not fits or len(links.links) == 1
        finally:
            fused.fits = fits
    return found[0], found[1]


def close(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    rtol = 1e-4 if a.dtype == torch.float32 else 1e-11
    return a.shape == b.shape and torch.allclose(
        a, b, rtol=rtol, atol=rtol * float(b.abs().max() if b.numel() else 0) + 1e-30
    )


@given(
    name=st.sampled_from(sorted(ALGEBRAS)),
    activations=st.lists(st.integers(0, 2), min_size=1, max_size=3),
    start=st.sampled_from(sorted(STARTS)),
    end=st.sampled_from(["layer", "activation", "one component"]),
    rows=st.sampled_from([(1,), (5,), (97,), (3, 4), (700,)]),
    widths=st.lists(st.integers(1, 9), min_size=6, max_size=6),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    threads=st.integers(1, 3),
    block=st.sampled_from([1 << 9, 1 << 12, 1 << 18]),
    data=st.data(),
)
def test_one_call_and_link_by_link(
    name: str, activations: list[int], start: str, end: str, rows: tuple[int, ...], widths: list[int],
    dtype: torch.dtype, threads: int, block: int, data: st.DataObject,
) -> None:  # fmt: skip
    algebra = ALGEBRAS[name]
    links = links_of(algebra, activations, start, end)
    tensors = tensors_of(links, algebra, rows, widths, dtype)
    needed = data.draw(st.lists(st.booleans(), min_size=len(tensors), max_size=len(tensors)))
    run(links, *tensors)
    pull_back(
        links, [True] * len(tensors), tensors, run(links, *tensors)[1:], run(links, *tensors)[0]
    )  # the programs are built now
    before, size = torch.get_num_threads(), fused.BLOCK
    try:
        torch.set_num_threads(threads)
        fused.BLOCK = block
        found, expected = both_ways(links, tensors, needed)
    finally:
        torch.set_num_threads(before)
        fused.BLOCK = size
    assert all(close(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", ALGEBRAS)
def test_cotangents_against_differences(name: str, start: str) -> None:
    """⟨w, f(x + εv)⟩′ = ⟨f* w, v⟩ by a central difference of fourth order."""
    algebra = ALGEBRAS[name]
    links = links_of(algebra, [0, 1], start, "layer")
    tensors = tensors_of(links, algebra, (30,), [4, 6, 3, 2, 4], torch.float64)
    for _ in range(2):
        result, *kept = run(links, *tensors)
        w = torch.randn_like(result)
        found = pull_back(links, [True] * len(tensors), tensors, kept, w)
    assert kept[0].ndim == 1
    for k, x in enumerate(tensors):
        v = torch.randn_like(x)

        def along(step: float, k: int = k, x: Tensor = x, v: Tensor = v, w: Tensor = w) -> Tensor:
            return (w * run(links, *tensors[:k], x + step * v, *tensors[k + 1 :])[0]).sum()

        h = 1e-3
        slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        cotangent = found[k]
        assert cotangent is not None
        assert float((cotangent * v).sum()) == pytest.approx(float(slope), rel=1e-7, abs=1e-7)


def test_rows_do_not_mix() -> None:
    """NaN in one row comes out in that row, and in the gradients of weights."""
    algebra = ALGEBRAS["Laplacian"]
    links = links_of(algebra, [0, 2], "stacked", "layer")
    tensors = tensors_of(links, algebra, (40,), [4, 6, 3], torch.float64)
    run(links, *tensors)
    expected = run(links, *tensors)[0]
    tensors[0][:, 7] = torch.nan
    result, *_ = run(links, *tensors)
    others = [k for k in range(40) if k != 7]
    assert torch.equal(result[:, others], expected[:, others])
    assert result[:, 7].isnan().all()


def test_the_same_twice() -> None:
    """Sums over rows do not depend on when a thread is done."""
    algebra = ALGEBRAS["KdV"]
    links = links_of(algebra, [0, 1, 2], "uniform", "one component")
    tensors = tensors_of(links, algebra, (5000,), [16, 16, 16, 1], torch.float32)
    run(links, *tensors)
    runs = []
    for _ in range(5):
        result, *kept = run(links, *tensors)
        runs.append([result, *pull_back(links, [True] * len(tensors), tensors, kept, torch.ones_like(result))])
    for again in runs[2:]:
        assert all(torch.equal(a, b) for a, b in zip(again, runs[1], strict=True) if a is not None and b is not None)


def test_where_it_is_not_taken() -> None:
    algebra = ALGEBRAS["gradient"]
    links = links_of(algebra, [0], "stacked", "layer")
    tensors = tensors_of(links, algebra, (9,), [3, 2], torch.float64)
    run(links, *tensors)
    assert fused.fits(links, tensors, False)
    with ap.settings(kernels="eager"):
        assert not fused.fits(links, tensors, False)
    assert not fused.fits(links, [x[:, :0] if k == 0 else x for k, x in enumerate(tensors)], False)
    assert not fused.fits(links, [x.to(torch.complex128) for x in tensors], False)


def test_cotangents_are_tensors_of_their_own() -> None:
    """What is written to one of them changes no other."""
    links = links_of(ALGEBRAS["Laplacian"], [0, 1], "uniform, a layer", "layer")
    tensors = tensors_of(links, ALGEBRAS["Laplacian"], (20,), [2, 6, 3, 1], torch.float64)
    run(links, *tensors)
    for _ in range(2):
        result, *kept = run(links, *tensors)
        found = pull_back(links, [True] * len(tensors), tensors, kept, torch.ones_like(result))
    assert len({x.untyped_storage().data_ptr() for x in found if x is not None}) == len(tensors)
