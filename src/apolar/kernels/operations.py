"""Compositions and their adjoints, run by whatever is there for them; a tracer sees each as one operator of torch."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

from apolar.jet import capturing
from apolar.kernels import compiled
from apolar.kernels.composition import Composition

_numbered: weakref.WeakValueDictionary[int, Composition] = weakref.WeakValueDictionary()


def compose(composition: Composition, *operands: Tensor) -> Tensor:
    """φ(g)."""
    if capturing.get():
        return torch.ops.apolar.compose(list(operands), _number(composition))
    found = compiled.forward(composition, *operands)
    return composition(*operands) if found is None else found


def pull_back(composition: Composition, *operands: Tensor) -> list[Tensor]:
    """The cotangents of the operands of g, given these and the cotangent of φ(g); not to be differentiated again."""
    if capturing.get():
        return torch.ops.apolar.pull_back(list(operands), _number(composition))
    found = compiled.backward(composition, *operands)
    return list(composition.pull_back(*operands)) if found is None else found


def numbered(number: int) -> Composition:
    """The composition that a recorded operator stands for."""
    return _numbered[number]


def _number(composition: Composition) -> int:
    _numbered[id(composition)] = composition
    return id(composition)


@torch.library.custom_op("apolar::compose", mutates_args=())
def _compose(operands: list[Tensor], composition: int) -> Tensor:
    token = capturing.set(False)
    try:
        return compose(numbered(composition), *operands)
    finally:
        capturing.reset(token)


@torch.library.custom_op("apolar::pull_back", mutates_args=())
def _pull_back(operands: list[Tensor], composition: int) -> list[Tensor]:
    token = capturing.set(False)
    try:
        return pull_back(numbered(composition), *operands)
    finally:
        capturing.reset(token)
