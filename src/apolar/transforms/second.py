"""Second derivatives of functions of all entries of their input: Hessian, its diagonal, its trace, products with it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from apolar.engine.context import Detached, values_readable
from apolar.engine.jet import refusal
from apolar.engine.torch_private import tree_map
from apolar.errors import OperatorError, ShapeError
from apolar.evaluation.evaluate import push, run
from apolar.rules.kinks import meetings
from apolar.transforms.first import grad, jvp
from apolar.transforms.inputs import (
    Argnums,
    Auxiliary,
    Function,
    axes_of,
    by_directions,
    chunk,
    last_axis,
    numbered,
    one_number,
    packed,
    tensor,
)

DENSE_HESSIAN = 24
"""Up to so many variables a Hessian is one forward pass; beyond, reverse mode over dual numbers costs less."""


def hessian(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    chunk_size: int | None = None,
    detached: Detached = "error",
) -> Function:
    """All second derivatives of all outputs.

    Args:
        f: returns a tensor ``(*out)``, or a tuple, list or dictionary of them.
        argnums: the argument, or the arguments, to differentiate with respect to.
        chunk_size: how many rows of the Hessian to compute at a time.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to tensors ``(*out, *in, *in)``, nested like the output of ``f`` and then twice like ``argnums``.

    Source: all second derivatives by one pass over the polynomials of degree 2; in many variables reverse mode over dual
    numbers (Pearlmutter 1994).

    >>> ap.hessian(lambda x: x[0] ** 2 * x[1])(torch.tensor([1.0, 2.0]))
    tensor([[4., 2.],
            [2., 0.]])
    """

    def hessians(*args: Any, **kwargs: Any) -> Any:
        g, z, unpack = packed(f, args, argnums, kwargs)
        value = Auxiliary(g, has_aux)
        joint = _joint(value, z, chunk_size, detached)
        result = tree_map(lambda h: unpack(h, twice=True), joint)
        return (result, value.aux) if has_aux else result

    return hessians


def _joint(value: Function, z: Tensor, chunk_size: int | None, detached: Detached) -> Any:
    """The Hessian by one vector of all arguments, by the way that costs less where it is open."""
    if z.numel() > DENSE_HESSIAN and values_readable(z) and _single(value, z):
        found = _hessian_by_reverse(value, z, chunk_size, detached)
        return _hessian_by_rows(value, z, detached) if found is None else found
    return _hessian_forward(value, z, chunk_size, detached)


def _single(value: Function, z: Tensor) -> bool:
    with torch.no_grad():
        y = run(value, (z,), (z,))
    return isinstance(y, Tensor) and y.numel() == 1


def _hessian_forward(value: Function, z: Tensor, chunk_size: int | None, detached: Detached) -> Any:
    """One pass over the products of two symbols, or one for each chunk of rows."""
    n = z.numel()
    symbols = list(numbered(max(n, 1)))
    seeds = (list(torch.eye(n, dtype=z.dtype, device=z.device)),)
    upper: dict[tuple[int, int], Any] = {}
    size = chunk(chunk_size, n)
    for start in range(0, n, size):
        pairs = [(i, j) for i in range(start, min(start + size, n)) for j in range(i, n)]
        operators = [symbols[i] * symbols[j] for i, j in pairs]
        upper.update(zip(pairs, push(value, (z,), seeds, operators, detached=detached), strict=True))
    entries = [upper[min(i, j), max(i, j)] for i in range(n) for j in range(n)]
    if not entries:
        return tree_map(lambda y: y.new_zeros(*y.shape, 0, 0), run(value, (z,), (z,)))
    return tree_map(lambda *parts: torch.stack(parts, -1).reshape(*parts[0].shape, n, n), *entries)


def _hessian_by_reverse(value: Function, z: Tensor, chunk_size: int | None, detached: Detached) -> Tensor | None:
    """Rows of the Hessian as gradients of directional derivatives, many at a time or one after the other.

    None for a function that does not go through reverse mode, or that meets a kink: forward mode takes it, or says why it does
    not.
    """

    def row(v: Tensor) -> Tensor:
        return torch.func.grad(lambda x: one_number(jvp(value, (x,), (v,), detached)[1]))(z)

    units = torch.eye(z.numel(), dtype=z.dtype, device=z.device)
    together = torch.vmap(row, chunk_size=chunk(chunk_size, z.numel()))
    for rows in (together, lambda units: torch.stack(list(map(row, units)))):
        before = refusal.set(None)
        try:
            with torch.autocast(z.device.type, enabled=False), meetings(orders=1) as met:
                H = rows(units)
            return None if met.errors else H.reshape(*value(z).shape, z.numel(), z.numel())
        except Exception:  # what vmap or reverse mode does not take: conditions on values, TorchScript, ...
            continue
        finally:
            refusal.reset(before)
    return None


def _hessian_by_rows(value: Function, z: Tensor, detached: Detached) -> Tensor:
    """Forward mode for each row: its direction beside those of some columns at a time, over the same algebra for all rows."""
    units = axes_of(z)

    def entries(unit: Tensor, columns: Tensor) -> list[Tensor]:
        first, *others = numbered(len(columns) + 1)
        found: list[Tensor] = push(value, (z,), ([unit, *columns],), [first * d for d in others], detached=detached)
        return found

    rows = [[y for columns in units.split(DENSE_HESSIAN) for y in entries(unit, columns)] for unit in units]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def hvp(f: Function, x: Any, v: Any, detached: Detached = "error") -> Tensor:
    """The Hessian of a function that returns one number, times a vector.

    Args:
        f: maps a tensor ``(*in)`` to one number.
        x: the point ``(*in)``.
        v: the direction ``(*in)``.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        H·v ``(*in)``.

    Source: reverse mode over dual numbers, Pearlmutter 1994.

    >>> ap.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([6., 0.])
    """
    x, v = tensor(x), tensor(v)
    if x.shape != v.shape:
        raise ShapeError(f"the direction must have the shape of the point: {tuple(x.shape)} and {tuple(v.shape)}")
    return grad(lambda y: jvp(f, (y,), (v,), detached)[1], detached=detached)(x)


def vhp(f: Function, x: Any, v: Any, detached: Detached = "error") -> Tensor:
    """A vector times the Hessian of a function that returns one number: the same as :func:`hvp`, by symmetry.

    >>> ap.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([6., 0.])
    """
    return hvp(f, x, v, detached)


def hessian_diagonal(f: Function, chunk_size: int | None = None, detached: Detached = "error") -> Function:
    """The unmixed second derivatives ∂²f/∂xⱼ².

    Args:
        f: maps a tensor ``(*in)`` to a tensor ``(*out)``.
        chunk_size: how many of them to compute at a time; all by default.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to tensors ``(*out, *in)``.

    >>> ap.hessian_diagonal(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([ 6., 12.])
    """

    def diagonal(x: Any) -> Any:
        g, z, unpack = packed(f, (x,), 0, {})
        columns = by_directions(g, z, lambda symbols: [d**2 for d in symbols], axes_of(z), chunk_size, detached)
        return tree_map(unpack, last_axis(g, z, columns))

    return diagonal


class TraceEstimate(NamedTuple):
    """A mean over random directions, with its standard error."""

    value: Tensor
    standard_error: Tensor


def hessian_trace(
    f: Function,
    samples: int | None = None,
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
    detached: Detached = "error",
) -> Function:
    """The sum of the unmixed second derivatives over all entries of the input.

    Args:
        f: maps a tensor ``(*in)`` to a tensor ``(*out)``.
        samples: None for the exact trace; or how many random directions to average over, 2 or more.
        generator: where the random directions come from.
        chunk_size: how many directions to carry at a time; all by default.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to the trace ``(*out)``; with ``samples`` to a pair of the estimate and its standard error.

    Source: exact, the forward Laplacian; estimated, Hutchinson 1989 with random signs.

    >>> ap.hessian_trace(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor(18.)
    """
    if samples is not None and samples < 2:
        raise OperatorError(f"an estimate with a standard error needs at least 2 samples, got {samples}")

    def trace(x: Any) -> Any:
        g, z, _ = packed(f, (x,), 0, {})
        if samples is None:
            parts = by_directions(g, z, lambda symbols: [symbols.laplacian], axes_of(z), chunk_size, detached)
            return tree_map(lambda y: y.sum(-1), last_axis(g, z, parts))
        signs = torch.randint(0, 2, (samples, z.numel()), generator=generator, device=z.device)
        directions = (2 * signs - 1).to(z.dtype)
        parts = by_directions(g, z, lambda symbols: [d**2 for d in symbols], directions, chunk_size, detached)
        return tree_map(lambda *pieces: _estimate(torch.stack(pieces)), *parts)

    return trace


def _estimate(samples: Tensor) -> TraceEstimate:
    return TraceEstimate(samples.mean(0), samples.std(0) / math.sqrt(len(samples)))
