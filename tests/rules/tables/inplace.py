# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""In-place operators: right or refused, on intermediates, on views, and on the input itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..case import Case, case, listed
from ..points import away, normal, positive

MAY = "in place"
MASK = torch.tensor([[True, False, True, True], [False, False, True, False], [True, True, False, False]])


def after(change: Callable[[Tensor, Tensor], object]) -> Callable[[Tensor, Tensor], Tensor]:
    """y = 2x, changed in place with z; what comes out is used once more."""

    def function(x: Tensor, z: Tensor) -> Tensor:
        y = x * 2
        change(y, z)
        return y * torch.sin(x)

    return function


def augmented(x: Tensor, z: Tensor) -> Tensor:
    y = x * 2
    y += z
    y *= x
    y -= 0.5 * z
    y /= 1 + x * x
    y **= 2
    return y


def accumulated(x: Tensor) -> Tensor:
    total = torch.zeros(4).double()
    for row in x:
        total = total + row**2
    return total


def accumulated_in_place(x: Tensor) -> Tensor:
    total = torch.zeros(4).double()
    for row in x:
        total += row**2
    return total


def filled(x: Tensor) -> Tensor:
    y = torch.zeros(3, 4).double()
    for i in range(3):
        y[i] = x[i] ** (i + 1)
    return y


def filled_from_jet(x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    y[0] = x[0] ** 2
    y[1:] = x[:2] * x[1:]
    return y


def aliased(x: Tensor) -> Tensor:
    y = x * 2
    view = y[0]
    view.mul_(3)
    view += x[1]
    return y * y


def aliased_other_way(x: Tensor) -> Tensor:
    y = x * 2
    view = y.view(-1)
    y.mul_(x)
    return view**2


def aliased_by_transpose(x: Tensor) -> Tensor:
    y = x * 2
    y.t()[0].zero_()
    y.T.add_(1)
    return y * x


def out_of_split(x: Tensor) -> Tensor:
    y = x * 2
    first, second = y.split(2, dim=1)
    first.add_(second.clone())
    return y**2


def under_another_name(x: Tensor) -> Tensor:
    y = x * 2
    z = y
    z += 1
    return y * z


def swapped(x: Tensor) -> Tensor:
    y = x.clone()
    y[[0, 1]] = y[[1, 0]]
    return y**2 * torch.arange(12).reshape(3, 4)


def set_item(*index: object) -> Callable[[Tensor, Tensor], object]:
    """y[index] = z[index]²."""
    i = index[0] if len(index) == 1 else index
    return lambda y, z: y.__setitem__(i, z[i] ** 2)


CHANGES: dict[str, Callable[[Tensor, Tensor], object]] = {
    "add_": lambda y, z: y.add_(z),
    "add_ alpha": lambda y, z: y.add_(z, alpha=0.5),
    "add_ number": lambda y, z: y.add_(2.0),
    "sub_": lambda y, z: y.sub_(z),
    "mul_": lambda y, z: y.mul_(z),
    "mul_ number": lambda y, z: y.mul_(3.0),
    "div_": lambda y, z: y.div_(1 + z * z),
    "pow_": lambda y, z: y.pow_(3),
    "neg_": lambda y, z: y.neg_(),
    "sin_": lambda y, z: y.sin_(),
    "exp_": lambda y, z: y.exp_(),
    "tanh_": lambda y, z: y.tanh_(),
    "sigmoid_": lambda y, z: y.sigmoid_(),
    "relu_": lambda y, z: y.relu_(),
    "abs_": lambda y, z: y.abs_(),
    "square_": lambda y, z: y.square_(),
    "reciprocal_": lambda y, z: y.reciprocal_(),
    "clamp_": lambda y, z: y.clamp_(min=0.0),
    "zero_": lambda y, z: y.zero_(),
    "fill_": lambda y, z: y.fill_(3.0),
    "copy_": lambda y, z: y.copy_(z),
    "lerp_": lambda y, z: y.lerp_(z, 0.3),
    "addcmul_": lambda y, z: y.addcmul_(z, z, value=0.5),
    "addcdiv_": lambda y, z: y.addcdiv_(z, 1 + z * z),
    "floor_": lambda y, z: y.div_(7.1).floor_(),
    "cumsum_": lambda y, z: y.cumsum_(0),
    "masked_fill_": lambda y, z: y.masked_fill_(MASK, 2.0),
    "masked_scatter_": lambda y, z: y.masked_scatter_(MASK, z),
    "index_add_": lambda y, z: y.index_add_(0, torch.tensor([2, 0, 0]), z),
    "index_copy_": lambda y, z: y.index_copy_(0, torch.tensor([2, 0, 1]), z),
    "index_fill_": lambda y, z: y.index_fill_(0, torch.tensor([2, 0]), 1.5),
    "index_put_": lambda y, z: y.index_put_((torch.tensor([2, 0, 1]),), z),
    "scatter_": lambda y, z: y.scatter_(0, torch.tensor([[2, 0, 1, 1]]), z[:1]),
    "scatter_add_": lambda y, z: y.scatter_add_(0, torch.tensor([[2, 0, 1, 1]]), z[:1]),
    "fill_diagonal_": lambda y, z: y.fill_diagonal_(1.5),
    "tril_": lambda y, z: y.tril_(),
    "addmm_": lambda y, z: y.addmm_(z @ z.T, z),
    "t_ and back": lambda y, z: y.t_().t_().mul_(2),
    "unsqueeze_ and back": lambda y, z: y.unsqueeze_(0).squeeze_(0).mul_(2),
    "out=": lambda y, z: torch.mul(y, z, out=y),
    "set item": set_item(0),
    "set item to a number": lambda y, z: y.__setitem__((0, 1), 3.0),
    "set row": set_item(slice(None), 1),
    "set slice": set_item(slice(1, None), slice(None, None, 2)),
    "set by indices": set_item(torch.tensor([2, 0])),
    "set by mask": set_item(MASK),
    "set by mask to a number": lambda y, z: y.__setitem__(y > 0, 0.0),
    "set ellipsis": set_item(..., 0),
    "set by broadcasting": lambda y, z: y.__setitem__(slice(None), z[0]),
    "set all from a tensor": lambda y, z: y.__setitem__(slice(None), torch.ones(3, 4).double()),
    "add to an item": lambda y, z: y[0].add_(z[1]),
    "item +=": lambda y, z: y.__setitem__(0, y[0].__iadd__(z[1])),
    "F.relu inplace": lambda y, z: F.relu(y, inplace=True),
    "F.elu inplace": lambda y, z: F.elu(y, inplace=True),
    "F.silu inplace": lambda y, z: F.silu(y, inplace=True),
    "F.dropout inplace": lambda y, z: F.dropout(y, 0.5, training=False, inplace=True),
    "nn.ReLU inplace": lambda y, z: nn.ReLU(inplace=True)(y),
    "nn.LeakyReLU inplace": lambda y, z: nn.LeakyReLU(0.1, inplace=True)(y),
    "nn.Hardtanh inplace": lambda y, z: nn.Hardtanh(-3, 0.5, inplace=True)(y),
    "nn.init": lambda y, z: nn.init.constant_(y, 2.0),
}

CASES: tuple[Case, ...] = listed(
    [case(f"in place: {name}", after(change), away(3, 4), away(3, 4), refused=MAY) for name, change in CHANGES.items()]
    + [
        case("in place: augmented assignment", augmented, normal(3, 4), normal(3, 4), refused=MAY),
        case("out of place: sum in a loop", accumulated, normal(3, 4)),
        case("in place: sum in a loop into a plain tensor", accumulated_in_place, normal(3, 4), refused=MAY),
        case("in place: rows into a plain tensor", filled, normal(3, 4), refused=MAY),
        case("in place: rows into empty_like", filled_from_jet, normal(3, 4), refused=MAY),
        case("in place: through a view", aliased, normal(3, 4), refused=MAY),
        case("in place: a view made before", aliased_other_way, normal(3, 4), refused=MAY),
        case("in place: through a transpose", aliased_by_transpose, normal(3, 4), refused=MAY),
        case("in place: through a split", out_of_split, normal(3, 4), refused=MAY),
        case("in place: under another name", under_another_name, normal(3, 4), refused=MAY),
        case("in place: rows swapped", swapped, normal(3, 4), refused=MAY),
        case("in place: on the input", lambda x: x.mul_(x).add_(1) ** 2, positive(3, 4), refused=MAY),
        case("in place: item of the input", lambda x: (x.__setitem__(0, 2.0), x * x)[1], positive(3, 4), refused=MAY),
        case("in place: plain tensor times a jet", lambda x: torch.ones(3, 4).double().mul_(x) * x, positive(3, 4), refused=MAY),
    ]
)
