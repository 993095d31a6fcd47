"""Chains as operators of torch: what records operations sees each as one."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from apolar.engine.context import capturing
from apolar.kernels import chain as chains
from apolar.kernels.links import Chain

_numbered: weakref.WeakValueDictionary[int, Chain] = weakref.WeakValueDictionary()


def run(chain: Chain, tensors: Sequence[Tensor], keep: bool) -> list[Tensor]:
    """The result, and what the backward pass reads where that is to be kept."""
    if not capturing.get():
        return chains.run(chain, *tensors, keep=keep)
    _numbered[id(chain)] = chain
    found: list[Tensor] = torch.ops.apolar.run(list(tensors), keep, id(chain))
    return found


def pull_back(
    chain: Chain, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
) -> list[Tensor | None]:
    """The cotangents of the tensors that need one."""
    if not capturing.get():
        return chains.pull_back(chain, needed, tensors, kept, cotangent)
    found = iter(torch.ops.apolar.pull_back(list(needed), list(tensors), list(kept), cotangent, id(chain)))
    return [next(found) if n else None for n in needed]


def numbered(number: int) -> Chain:
    """The chain that a recorded operator stands for."""
    return _numbered[number]


def run_again(chain: Chain, tensors: Sequence[Tensor], keep: bool) -> list[Tensor]:
    """What a recorded operator does."""
    return chains.run(chain, *tensors, keep=keep)


def pull_back_again(
    chain: Chain, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
) -> list[Tensor]:
    """What a recorded operator does: the cotangents without those that nobody needs."""
    return [w for w in chains.pull_back(chain, needed, tensors, kept, cotangent) if w is not None]


@torch.library.custom_op("apolar::run", mutates_args=())
def _run(tensors: list[Tensor], keep: bool, number: int) -> list[Tensor]:
    with _unrecorded():
        return chains.run(numbered(number), *tensors, keep=keep)


@torch.library.custom_op("apolar::pull_back", mutates_args=())
def _pull_back(
    needed: list[bool], tensors: list[Tensor], kept: list[Tensor], cotangent: Tensor, number: int
) -> list[Tensor]:
    with _unrecorded():
        return pull_back_again(numbered(number), needed, tensors, kept, cotangent)


@contextmanager
def _unrecorded() -> Iterator[None]:
    token = capturing.set(False)
    try:
        yield
    finally:
        capturing.reset(token)
