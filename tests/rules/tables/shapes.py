# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Views, rearrangements, joining and splitting: linear maps that only move entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..case import Case, analytic, case, listed
from ..points import normal

A, B, C = normal(3, 4), normal(3, 4), normal(2, 3, 4)

MOVES = {
    "reshape": lambda x: x.reshape(4, 6),
    "reshape -1": lambda x: x.reshape(-1),
    "reshape tuple": lambda x: x.reshape((6, -1)),
    "torch.reshape": lambda x: torch.reshape(x, (2, 12)),
    "reshape_as": lambda x: x.reshape_as(torch.zeros(6, 4)),
    "view": lambda x: x.view(6, 4),
    "view -1": lambda x: x.view(-1, 2),
    "view_as": lambda x: x.view_as(torch.zeros(6, 4)),
    "flatten": lambda x: x.flatten(),
    "flatten from 1": lambda x: torch.flatten(x, 1),
    "flatten to -2": lambda x: x.flatten(end_dim=-2),
    "ravel": lambda x: x.ravel(),
    "unflatten": lambda x: x.unflatten(-1, (2, 2)),
    "unflatten -1": lambda x: torch.unflatten(x, 1, (-1, 1)),
    "permute": lambda x: x.permute(2, 0, 1),
    "permute tuple": lambda x: x.permute((2, 0, 1)),
    "torch.permute negative": lambda x: torch.permute(x, (-1, 0, -2)),
    "transpose": lambda x: x.transpose(0, 1),
    "transpose negative": lambda x: torch.transpose(x, -1, -2),
    "swapaxes": lambda x: x.swapaxes(0, -1),
    "swapdims": lambda x: torch.swapdims(x, 0, 2),
    ".mT": lambda x: x.mT,
    ".mH": lambda x: x.mH,
    "adjoint": lambda x: x.adjoint(),
    "movedim": lambda x: x.movedim(0, -1),
    "movedim several": lambda x: torch.movedim(x, (0, 1), (2, 0)),
    "moveaxis": lambda x: torch.moveaxis(x, -1, 0),
    "squeeze": lambda x: x[:1].squeeze(),
    "squeeze axis": lambda x: x[:1].squeeze(0),
    "squeeze axis not of size 1": lambda x: x.squeeze(1),
    "squeeze axes": lambda x: x[:1, :, :1].squeeze((0, -1)),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "unsqueeze last": lambda x: torch.unsqueeze(x, -1),
    "unsqueeze negative": lambda x: x.unsqueeze(-2),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "expand -1": lambda x: x[:, :1].expand(-1, 5, -1),
    "expand more axes": lambda x: x.expand(2, 2, 3, 4),
    "expand_as": lambda x: x[:, :1].expand_as(torch.zeros(2, 5, 4)),
    "broadcast_to": lambda x: torch.broadcast_to(x, (2, 2, 3, 4)),
    "Tensor.broadcast_to": lambda x: x[:, :1].broadcast_to((2, 3, 4)),
    "repeat": lambda x: x.repeat(1, 2, 1),
    "repeat more axes": lambda x: x.repeat(2, 1, 2, 1),
    "tile": lambda x: torch.tile(x, (2, 1)),
    "Tensor.tile": lambda x: x.tile(2, 1, 1, 2),
    "repeat_interleave": lambda x: x.repeat_interleave(2, dim=1),
    "repeat_interleave flat": lambda x: torch.repeat_interleave(x, 2),
    "repeat_interleave counts": lambda x: x.repeat_interleave(torch.tensor([1, 2, 0]), dim=1),
    "roll": lambda x: torch.roll(x, 1, 0),
    "roll flat": lambda x: torch.roll(x, 5),
    "roll several": lambda x: x.roll((1, -2), (1, 2)),
    "flip": lambda x: torch.flip(x, (0, 2)),
    "flip negative": lambda x: x.flip(-1),
    "fliplr, flipud": lambda x: torch.fliplr(torch.flipud(x)),
    "rot90": lambda x: torch.rot90(x),
    "rot90 twice": lambda x: x.rot90(2, (1, 2)),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "select": lambda x: x.select(1, 2),
    "select negative": lambda x: torch.select(x, -1, -2),
    "diagonal": lambda x: x.diagonal(dim1=1, dim2=2),
    "diagonal offset": lambda x: torch.diagonal(x, 1, 1, 2),
    "diagonal default": lambda x: torch.diagonal(x),
    "linalg.diagonal": lambda x: torch.linalg.diagonal(x),
    "diag_embed": lambda x: torch.diag_embed(x),
    "diag_embed offset": lambda x: torch.diag_embed(x, -1, 0, 2),
    "diag of a vector": lambda x: torch.diag(x[0, 0]),
    "diag of a matrix": lambda x: torch.diag(x[0], 1),
    "diagflat": lambda x: torch.diagflat(x[0]),
    "tril": lambda x: torch.tril(x),
    "tril below": lambda x: x.tril(-1),
    "triu": lambda x: torch.triu(x, 1),
    "split": lambda x: x.split(2, dim=2),
    "split uneven": lambda x: torch.split(x, [1, 2], 1),
    "chunk": lambda x: x.chunk(2, -1),
    "tensor_split": lambda x: torch.tensor_split(x, 3, dim=2),
    "tensor_split places": lambda x: torch.tensor_split(x, (1, 2), dim=1),
    "hsplit, vsplit, dsplit": lambda x: (*x.hsplit(3), *torch.vsplit(x, 2), *x.dsplit(2)),
    "unbind": lambda x: x.unbind(1),
    "unbind negative": lambda x: torch.unbind(x, -1),
    "iteration": lambda x: [row * 2 for row in x],
    "unpacking": lambda x: (lambda a, b: a * b)(*x),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "unfold steps": lambda x: x.unfold(-1, 2, 2) * 1,
    "as_strided": lambda x: torch.as_strided(x, (2, 2), (1, 2)),
    "as_strided_copy": lambda x: torch.as_strided_copy(x, (2, 2), (1, 2)),
    "as_strided_scatter": lambda x: torch.as_strided_scatter(x, x[0, :2, :2], (2, 2), (1, 2)),
    "atleast": lambda x: (torch.atleast_1d(x[0, 0, 0]), torch.atleast_2d(x[0, 0]), torch.atleast_3d(x[0])),
    "atleast_2d of several": lambda x: (*torch.atleast_2d(x[0, 0, 0], x[0, 0]), *torch.atleast_3d([x[0, 0], x[0]])),
    "unsafe_split": lambda x: (*x.unsafe_split(2, 2), *torch.unsafe_split_with_sizes(x, [1, 2], 1), *torch.unsafe_chunk(x, 2, -1)),
    "fill": lambda x: (torch.fill(x, x[0, 0, 0]), torch.fill(x, 2.0)),
    "fill_": lambda x: (x * 1).fill_(x[1, 1, 1]),
    "gradient of uneven points": lambda x: torch.gradient(x, spacing=(torch.tensor([0.0, 1.0, 3.0]).double(), 0.5 * torch.arange(4).double()), dim=(1, 2)),
    "gradient with moving points": lambda x: torch.gradient(x[0, 0], spacing=(torch.cumsum(4 + x[1, 0], 0),)),
    **{f"{name}_copy": copy for name, copy in {
        "alias": torch.alias_copy,
        "diagonal": lambda x: torch.diagonal_copy(x, 1, 1, 2),
        "expand": lambda x: torch.expand_copy(x[:, :1], (2, 5, 4)),
        "permute": lambda x: torch.permute_copy(x, (2, 0, 1)),
        "select": lambda x: torch.select_copy(x, 1, -1),
        "slice": lambda x: torch.slice_copy(x, 2, 1, 3),
        "split": lambda x: torch.split_copy(x, 2, 1),
        "split_with_sizes": lambda x: torch.split_with_sizes_copy(x, [1, 3], 2),
        "squeeze": lambda x: (torch.squeeze_copy(x[:1]), torch.squeeze_copy(x[:1], 0)),
        "t": lambda x: torch.t_copy(x[0]),
        "transpose": lambda x: torch.transpose_copy(x, 0, -1),
        "unbind": lambda x: torch.unbind_copy(x, 1),
        "unfold": lambda x: torch.unfold_copy(x, 2, 2, 1),
        "unsqueeze": lambda x: torch.unsqueeze_copy(x, 1),
        "view": lambda x: torch.view_copy(x, (6, 4)),
        "view_as_real": lambda x: torch.view_as_real_copy(torch.view_as_complex_copy(x.reshape(2, 3, 2, 2))),
    }.items()},
    "pixel_shuffle": lambda x: F.pixel_shuffle(x.reshape(1, 4, 2, 3), 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x.reshape(1, 1, 4, 6), 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x.reshape(1, 4, 2, 3), 2),
    "F.pad": lambda x: F.pad(x, (1, 2)),
    "narrow_copy": lambda x: torch.narrow_copy(x, 2, 1, 2),
    "view_as_complex and back": lambda x: torch.view_as_real(torch.view_as_complex(x.reshape(2, 6, 2)) * 2j),
    "contiguous after permute": lambda x: x.permute(2, 1, 0).contiguous().view(-1),
    "triangular indices": lambda x: x[:, torch.tril_indices(3, 4)[0], torch.tril_indices(3, 4)[1]],
    "vander": lambda x: torch.vander(x[0, 0], 3),
    "block_diag": lambda x: torch.block_diag(x[0], x[1]),
}

MEMORY = "depends on the order in memory"
REFUSED = {"as_strided": MEMORY, "as_strided_copy": MEMORY, "as_strided_scatter": MEMORY}



def squared(move: Callable[[Tensor], Any]) -> Callable[[Tensor], list[Tensor]]:
    """The squares of all that a move returns, one tensor or several."""

    def function(x: Tensor) -> list[Tensor]:
        moved = move(x)
        return [y * y for y in ((moved,) if isinstance(moved, Tensor) else moved)]

    return function


VIEWS = [
    case(name, squared(move), C, refused=REFUSED.get(name, ""))
    for name, move in MOVES.items()
] + [
    analytic(".T", lambda x: x.T * x.t(), A),
    analytic("t of a vector", lambda x: x.t() * x, normal(4)),
    case("a copy is written to", lambda x: (lambda y: (torch.select_copy(y, 0, 1).zero_(), torch.narrow_copy(y, 1, 0, 2).zero_(), torch.view_copy(y, (12,)).zero_(), y)[-1])(x * x), A),
    analytic("view after product", lambda x, y: (x * y).view(2, 6), A, B),
    analytic("size queries", lambda x: x.reshape(x.size(0), x.shape[1], 1, -1) * x.numel() * x.dim() * len(x), A),
]

JOINS = [
    analytic("cat", lambda x, y: torch.cat([x, y * y]), A, B),
    analytic("cat axis", lambda x, y: torch.cat((x, y * y), dim=-1), normal(3, 2), B),
    analytic("cat keyword", lambda x, y: torch.cat(tensors=(x, y * y), dim=1), normal(3, 2), B),
    analytic("concat, concatenate", lambda x, y: torch.concat([x, torch.concatenate([y, x], 0)]), A, B),
    case("cat with a plain tensor", lambda x: torch.cat([torch.ones(2, 4).double(), x * x, torch.zeros(1, 4).double()]), A),
    case("cat with an empty tensor", lambda x: torch.cat([torch.ones(0).double(), x * x]), A),
    analytic("cat of one", lambda x: torch.cat([x * x]), A),
    analytic("stack", lambda x, y: torch.stack([x, x * y]), A, B),
    analytic("stack last", lambda x, y: torch.stack((x, x * y, y), -1), A, B),
    analytic("stack middle", lambda x, y: torch.stack((x, y), dim=1) ** 2, A, B),
    case("stack with a plain tensor", lambda x: torch.stack([torch.ones(3, 4).double(), x * x], -2), A),
    analytic("stack of 0-d", lambda x, y: torch.stack([x * y, x + y, x / (2 + y * y)]), normal(), normal()),
    analytic("hstack", lambda x, y: torch.hstack([x, y]) ** 2, A, B),
    analytic("hstack of vectors", lambda x, y: torch.hstack([x, y]) ** 2, normal(2), normal(3)),
    analytic("vstack", lambda x, y: torch.vstack([x, y]) ** 2, normal(4), B),
    analytic("dstack", lambda x, y: torch.dstack([x, y]) ** 2, A, B),
    analytic("column_stack, row_stack", lambda x, y: torch.column_stack([x, y]) @ torch.row_stack([x, y]), normal(3), normal(3)),
    analytic("meshgrid", lambda x, y: [a * a for a in torch.meshgrid(x, y, indexing="ij")], normal(3), normal(2)),
    analytic("meshgrid xy", lambda x, y: [a * a for a in torch.meshgrid([x, y], indexing="xy")], normal(3), normal(2)),
    analytic("broadcast_tensors", lambda x, y: [a * a for a in torch.broadcast_tensors(x, y)], normal(3, 1), normal(2)),
    analytic("cartesian_prod", lambda x, y: torch.cartesian_prod(x, y) ** 2, normal(3), normal(2)),
    analytic("combinations", lambda x: torch.combinations(x, 2) ** 2, normal(4)),
    case("torch.tensor of values is a constant", lambda x: x * torch.tensor([1.0, 2.0, 3.0, 4.0]).double(), A),
]

CASES: tuple[Case, ...] = listed(VIEWS + JOINS)
