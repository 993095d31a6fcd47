# One case is one line, however long.
# fmt: off
# ruff: noqa: E501, E741
"""Indexing, gathering, scattering, sorting and extrema: entries chosen by index, mask or value."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..case import Case, case, listed
from ..points import integers, normal, separated

A, C, S = normal(3, 4), normal(2, 3, 4), separated(3, 4)
I, J = torch.tensor([2, 0, 1]), torch.tensor([[0, 2], [1, 1]])
MASK = torch.tensor([[True, False, True, True], [False, False, True, False], [True, True, False, False]])

INDEXES = {
    "0": 0, "-1": -1, "1, 2": (1, 2), "1, 2, 3": (1, 2, 3), "slice": slice(0, 1), "slice 1:": (slice(None), slice(1, None)),
    "step": (..., slice(None, None, 2)), "...": ..., "..., 0": (..., 0), "0, ..., 1": (0, ..., 1), "None": None,
    ":, None": (slice(None), None), "None, ..., None": (None, ..., None), "0, None, :, 1": (0, None, slice(None), 1),
    "-1, slice": (-1, slice(-2, None)), "indices": (slice(None), I), "list": (slice(None), [2, 0]), "matrix of indices": (slice(None), J),
    "first axis": torch.tensor([1, 0, 1]), "two indices": (slice(None), I, torch.tensor([3, 1, 0])),
    "broadcast indices": (slice(None), I[:, None], torch.tensor([3, 1])), "separated indices": (torch.tensor([1, 0]), slice(None), torch.tensor([3, 1])),
    "index and int": (0, slice(None), torch.tensor([3, 1])), "int between": (torch.tensor([1, 0]), 1, torch.tensor([3, 1])),
    "index and None": (torch.tensor([1, 0]), None, slice(None), torch.tensor([3, 1])), "all indices": (torch.tensor([1, 0]), torch.tensor([2, 0]), torch.tensor([3, 1])),
    "negative indices": (..., torch.tensor([-1, -4])), "0-d index": (slice(None), torch.tensor(1)), "mask": MASK.expand(2, 3, 4),
    "mask of the first axis": torch.tensor([True, False]), "mask of the last axes": (slice(None), MASK), "mask of one axis": (slice(None), torch.tensor([True, False, True])),
    "mask and int": (0, MASK), "mask and index": (torch.tensor([1]), torch.tensor([True, False, True]), 2), "empty mask": (slice(None), torch.zeros(3, dtype=torch.bool)),
    "True": True, "empty slice": (slice(None), slice(2, 2)), "range": (slice(None), range(2)), "list of masks": (..., [True, False, True, False]),
    "NumPy integers": (0, __import__("numpy").int64(1)), "NumPy array": (slice(None), __import__("numpy").array([2, 0])),
}

INDEXING = [case(f"x[{name}]", lambda x, i=i: (x * x)[i], C) for name, i in INDEXES.items()] + [
    case("x[x > 0]", lambda x: (x * x)[x > 0], S),
    case("x[argsort]", lambda x: (x * x)[torch.argsort(x[:, 0])], S),
    case("x[0][1]", lambda x: x[0][1] * x[1][0], A),
    case("x[..., :2] * x[..., 2:]", lambda x: x[..., :2] * x[..., 2:], A),
    case("finite difference stencil", lambda x: x[2:] - 2 * x[1:-1] + x[:-2] ** 2, normal(6)),
]

GATHERING = [
    case("gather", lambda x: torch.gather(x * x, 1, J), A),
    case("Tensor.gather", lambda x: (x * x).gather(0, torch.tensor([[0, 1, 2, 2]])), A),
    case("index_select", lambda x: torch.index_select(x * x, 1, I), A),
    case("Tensor.index_select", lambda x: (x * x).index_select(-1, I), A),
    case("take", lambda x: torch.take(x * x, torch.tensor([[0, 5], [11, -1]])), A),
    case("take_along_dim", lambda x: torch.take_along_dim(x * x, torch.argsort(x, 1), 1), S),
    case("take_along_dim flat", lambda x: torch.take_along_dim(x * x, torch.tensor([3, 1])), A),
    case("masked_select", lambda x: torch.masked_select(x * x, MASK), A),
    case("scatter", lambda x, y: torch.scatter(x * x, 1, J, y**2), A, normal(2, 2)),
    case("scatter number", lambda x: (x * x).scatter(1, J, 7.0), A),
    case("scatter into a constant", lambda y: torch.zeros(3, 4).double().scatter(1, J, y**2), normal(2, 2)),
    case("scatter_add", lambda x, y: torch.scatter_add(x * x, 1, J, y**2), A, normal(2, 2)),
    case("scatter_add into a constant", lambda y: torch.zeros(3, 4).double().scatter_add(1, J, y**2), normal(2, 2)),
    case("scatter_reduce sum", lambda x, y: torch.scatter_reduce(x, 1, J, y**2, "sum"), A, normal(2, 2)),
    case("scatter_reduce mean", lambda x, y: x.scatter_reduce(1, J, y**2, "mean", include_self=False), A, normal(2, 2)),
    case("scatter_reduce prod", lambda x, y: x.scatter_reduce(1, J, y, "prod"), A, normal(2, 2)),
    case("scatter_reduce prod of zeros", lambda x, y: x.scatter_reduce(0, torch.zeros(2, 4).long(), y, "prod"), normal(1, 4), lambda g: normal(2, 4)(g) * torch.tensor([0, 1, 1, 0])),
    case("scatter_reduce prod without self", lambda x, y: x.scatter_reduce(1, J, y, "prod", include_self=False), A, normal(2, 2)),
    case("scatter_reduce sum without self", lambda x, y: x.scatter_reduce(1, J, y**2, "sum", include_self=False), A, normal(2, 2)),
    case("scatter_reduce amax", lambda x, y: x.scatter_reduce(1, J, y, "amax") ** 2, S, lambda g: separated(2, 2)(g) + 0.35),
    case("scatter_reduce amin without self", lambda x, y: x.scatter_reduce(1, J, y, "amin", include_self=False) ** 2, S, lambda g: separated(2, 2)(g) + 0.35),
    case("scatter_reduce_ amax", lambda x: (x * x).scatter_reduce_(1, J, 40 + x[:2, :2], "amax") ** 2, S),
    case("scatter_reduce of a longer source", lambda x, y: x.scatter_reduce(1, J, y, "mean"), A, normal(3, 4)),
    case("scatter_reduce 0-d", lambda x, y: x.scatter_reduce(0, torch.tensor(0), y, "prod"), normal(), normal()),
    case("scatter add", lambda x, y: torch.scatter(x * x, 1, J, y**2, reduce="add"), A, normal(2, 2)),
    case("scatter multiply", lambda x, y: torch.scatter(x * x, 1, J, y**2, reduce="multiply"), A, normal(2, 2)),
    case("scatter multiply number", lambda x: (x * x).scatter(1, J, 3.0, reduce="multiply"), A),
    case("index_add", lambda x, y: torch.index_add(x, 0, I, y**2, alpha=0.5), A, normal(3, 4)),
    case("index_copy", lambda x, y: torch.index_copy(x * x, 0, torch.tensor([2, 0]), y**2), A, normal(2, 4)),
    case("index_fill", lambda x: torch.index_fill(x * x, 1, torch.tensor([0, 2]), 3.0), A),
    case("index_put", lambda x, y: torch.index_put(x * x, (I, torch.tensor([0, 1, 3])), y**2), A, normal(3)),
    case("index_put accumulate", lambda x, y: (x * x).index_put((torch.tensor([0, 0, 1]),), y**2, accumulate=True), A, normal(3, 4)),
    case("index_reduce", lambda x, y: torch.index_reduce(x, 0, I, y, "mean"), A, normal(3, 4)),
    case("index_reduce prod", lambda x, y: torch.index_reduce(x, 1, torch.tensor([2, 0, 2]), y, "prod"), A, normal(3, 3)),
    case("index_reduce amin", lambda x, y: x.index_reduce(0, torch.tensor([1, 1, 2]), y, "amin", include_self=False) ** 2, S, lambda g: separated(3, 4)(g) + 0.35),
    case("index_reduce_", lambda x: (x * x).index_reduce_(0, torch.tensor([0, 2, 0]), 40 + x, "amax") ** 2, S),
    case("_unsafe_masked_index", lambda x: torch._unsafe_masked_index(x * x, torch.tensor([[True], [False]]), [torch.tensor([1, 9])], 5.0), A),
    case("_unsafe_masked_index_put_accumulate", lambda x, y: torch._unsafe_masked_index_put_accumulate(x * x, torch.tensor([True, False, True])[:, None], [torch.tensor([1, 9, 1])], y**2), A, normal(3, 4)),
    case("masked_scatter", lambda x, y: torch.masked_scatter(x * x, MASK, y**2), A, normal(3, 4)),
    case("select_scatter", lambda x, y: torch.select_scatter(x * x, y**2, 0, 1), A, normal(4)),
    case("slice_scatter", lambda x, y: torch.slice_scatter(x * x, y**2, 1, 1, 3), A, normal(3, 2)),
    case("diagonal_scatter", lambda x, y: torch.diagonal_scatter(x * x, y**2), A, normal(3)),
    case("segment sums by index_add", lambda y: torch.zeros(2, 4).double().index_add(0, torch.tensor([0, 1, 0]), y**2), A),
    case("F.embedding", lambda w, n: F.embedding(n, w) ** 2, normal(5, 3), integers(0, 5, 2, 4)),
    case("F.embedding padding", lambda w, n: F.embedding(n, w, padding_idx=0) ** 2, normal(5, 3), integers(1, 5, 2, 4)),
    case("F.embedding_bag", lambda w, n: F.embedding_bag(n, w, mode="sum") ** 2, normal(5, 3), integers(0, 5, 2, 4)),
    case("F.embedding_bag mean", lambda w, n: F.embedding_bag(n, w, mode="mean") ** 2, normal(5, 3), integers(0, 5, 2, 4)),
]

EXTREMA = [
    case("max", lambda x: torch.max(x) * x, S),
    case("max axis", lambda x: torch.max(x * x.abs(), 1).values, S),
    case("max axis keepdim", lambda x: x.max(dim=0, keepdim=True)[0] * x, S),
    case("max unpacked", lambda x: (lambda v, i: v * x[i])(*torch.max(x, 0)), S),
    case("max of two", lambda x, y: torch.max(x, y), S, lambda g: torch.full((4,), 0.05).double()),
    case("min", lambda x: x.min() * x, S),
    case("min axis", lambda x: torch.min(x, 1)[0] ** 2, S),
    case("min of two", lambda x, y: torch.min(x, y) ** 2, S, lambda g: torch.full((4,), 0.05).double()),
    case("amax", lambda x: torch.amax(x, 1) ** 2, S),
    case("amax axes", lambda x: x.amax((0, 2), keepdim=True) ** 2, separated(2, 3, 4)),
    case("amax all", lambda x: torch.amax(x) ** 2, S),
    case("amin", lambda x: x.amin(0) ** 2, S),
    case("aminmax", lambda x: [y * y for y in torch.aminmax(x, dim=1)], S),
    case("median", lambda x: torch.median(x) * x, S),
    case("median axis", lambda x: torch.median(x, 1).values ** 2, S),
    case("nanmedian", lambda x: torch.nanmedian(x, 1).values ** 2, S),
    case("mode", lambda x: torch.mode(x, 1).values ** 2, S),
    case("sort", lambda x: torch.sort(x, 1).values ** 2 * torch.arange(4), S),
    case("sort descending", lambda x: x.sort(0, descending=True)[0] ** 2 * torch.arange(3)[:, None], S),
    case("sort stable", lambda x: torch.sort(x, dim=-1, stable=True).values ** 3, S),
    case("msort", lambda x: torch.msort(x) ** 2 * torch.arange(3)[:, None], S),
    case("argsort, argmax, argmin are constants", lambda x: x * torch.argsort(x, 1) + x.argmax() + torch.argmin(x, 0), S),
    case("topk", lambda x: torch.topk(x, 2).values ** 2, S),
    case("topk smallest", lambda x: x.topk(2, dim=0, largest=False)[0] ** 2, S),
    case("kthvalue", lambda x: torch.kthvalue(x, 2, 1).values ** 2, S),
    case("cummax", lambda x: torch.cummax(x, 1).values ** 2, S),
    case("cummin", lambda x: torch.cummin(x, 0)[0] ** 2, S),
    case("quantile", lambda x: torch.quantile(x, 0.4, dim=1) ** 2, S),
    case("nanquantile", lambda x: torch.nanquantile(x, 0.4, dim=1) ** 2, S),
    case("quantile of a number", lambda x: torch.quantile(x, torch.tensor([0.4, 1.0]).double(), dim=0, keepdim=True) ** 2, normal()),
    case("nanquantile among NaN", lambda x: torch.nanquantile(torch.where(MASK, x, torch.nan), torch.tensor([0.4, 0.9]).double(), dim=1) ** 2, S),
    case("quantile by its place", lambda x, q: torch.quantile(x, q, dim=1), S, lambda g: torch.tensor([0.4, 0.8]).double()),
    case("unique", lambda x: torch.unique(x) ** 2, S),
    case("unique rows", lambda x: torch.unique(x, dim=0) ** 2, S),
    case("unique_consecutive", lambda x: torch.unique_consecutive(x, return_inverse=True)[0] ** 2, S),
    case("unique_consecutive columns", lambda x: torch.unique_consecutive(x, dim=1) ** 2, S),
    case("searchsorted, bucketize are constants", lambda x: x * torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0]).double()), S),
    case("interpolation by searchsorted", lambda x: (lambda i: torch.arange(5)[i] * x**2)(torch.searchsorted(torch.tensor([-2.01, 0.01, 2.01]).double(), x)), S),
    case("nonzero is a constant", lambda x: x[torch.nonzero(x > 0, as_tuple=True)] ** 2, S),
]

CASES: tuple[Case, ...] = listed(INDEXING + GATHERING + EXTREMA)
