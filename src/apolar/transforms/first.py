"""First derivatives of functions of all entries of their input: gradient, Jacobian, and products with it."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import Detached, values_readable
from apolar.engine.jet import Jet
from apolar.engine.torch_private import Transform, transforms, tree_flatten, tree_leaves, tree_map, tree_unflatten
from apolar.errors import ShapeError
from apolar.evaluation.evaluate import call, push, run
from apolar.kernels.sources import full_precision
from apolar.rules.kinks import meetings
from apolar.transforms.inputs import (
    Argnums,
    Auxiliary,
    Function,
    axes_of,
    by_directions,
    last_axis,
    one_number,
    packed,
    pair,
    symbol,
    tensor,
)
from apolar.transforms.tracking import Tracking


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False, detached: Detached = "error") -> Function:
    """The gradient of a function that returns one number.

    Args:
        f: returns a tensor with one entry; with ``has_aux`` a pair of it and something else.
        argnums: the argument, or the arguments, to differentiate with respect to.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from the arguments of ``f`` to a tensor of the argument's shape, or a tuple of them; with ``has_aux`` a
        pair of it and the auxiliary value.

    Raises:
        ShapeError: ``f`` returns more than one number.

    >>> ap.grad(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """

    def gradient(*args: Any, **kwargs: Any) -> Any:
        g, z, unpack = packed(f, args, argnums, kwargs)
        result, aux = _gradient(g, z, has_aux, detached)
        return (unpack(result), aux) if has_aux else unpack(result)

    return gradient


def _gradient(g: Function, z: Tensor, has_aux: bool, detached: Detached) -> tuple[Tensor, Any]:
    """The gradient of a number, and the auxiliary value.

    Reverse mode once; inside of another evaluation or gradient, forward mode over all directions, so that no derivative of
    higher order rests on nested reverse mode. Forward mode, too, where reverse mode fails, a value left the computation, or a
    pass inside met a point without derivative, as jets know what becomes of it.
    """
    value = Auxiliary(g, has_aux)

    @functools.wraps(g)
    def number(x: Tensor) -> Tensor:
        return one_number(value(x))

    if not isinstance(z, Jet) and not _in_reverse_mode():
        try:
            found = _by_reverse_mode(g, z, has_aux, detached)
        except ShapeError:
            raise
        except Exception:
            found = None
        if found is not None:
            return found
        probe(number, z, detached=detached)
    columns = by_directions(number, z, tuple, axes_of(z), AT_A_TIME, detached)
    return last_axis(value, z, columns), value.aux


AT_A_TIME = 256
"""Directions of forward mode that are carried at a time in place of reverse mode."""


def _by_reverse_mode(g: Function, z: Tensor, has_aux: bool, detached: Detached) -> tuple[Tensor, Any] | None:
    """None where a value left the computation, or a pass inside of it met a point without derivative."""
    structure: list[Any] = []

    def number(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        with Tracking() as tracking:
            y, aux = pair(call(g, (x,), (z,))) if has_aux else (call(g, (x,), (z,)), None)
        leaves, spec = tree_flatten(aux)
        structure[:] = leaves, spec, tracking.lost
        return one_number(y), [leaf for leaf in leaves if isinstance(leaf, Tensor)]

    with full_precision(z.device.type), meetings(orders=1) as met:
        gradient, tensors = torch.func.grad(number, has_aux=True)(z)
    leaves, spec, lost = structure
    found = iter(tensors)
    aux = tree_unflatten([next(found) if isinstance(leaf, Tensor) else leaf for leaf in leaves], spec)
    return None if (lost and detached == "error") or met.errors else (gradient, aux)


def probe(f: Function, *points: Tensor, detached: Detached) -> None:
    """Whether jets go through a function, along one direction: it fails here, before forward mode along all is begun."""
    push(f, points, [[torch.ones_like(x)] for x in points], [symbol()], detached=detached)


def _in_reverse_mode() -> bool:
    """Whether a gradient of torch.func is being taken around this call."""
    return Transform.Grad in transforms()


def jacobian(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    chunk_size: int | None = None,
    detached: Detached = "error",
) -> Function:
    """All first derivatives of all outputs.

    Args:
        f: returns a tensor ``(*out)``, or a tuple, list or dictionary of them.
        argnums: the argument, or the arguments, to differentiate with respect to.
        chunk_size: how many directions to carry at a time; all by default.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to tensors ``(*out, *in)``, nested like the output of ``f`` and then like ``argnums``.

    >>> ap.jacobian(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    def jacobians(*args: Any, **kwargs: Any) -> Any:
        g, z, unpack = packed(f, args, argnums, kwargs)
        value = Auxiliary(g, has_aux)
        result = tree_map(unpack, last_axis(value, z, by_directions(value, z, tuple, axes_of(z), chunk_size, detached)))
        return (result, value.aux) if has_aux else result

    return jacobians


def jvp(f: Function, primals: Any, tangents: Any, detached: Detached = "error") -> tuple[Any, Any]:
    """The value and the derivative along one direction: J·v.

    Args:
        primals: the arguments of ``f``, a tuple.
        tangents: one direction for each, of the same shape.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        The output of ``f`` and the derivative, of the same shape.

    Raises:
        ShapeError: primals and tangents do not match.

    >>> ap.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))
    (tensor(0.), tensor(1.))
    """
    primals, tangents = ((a,) if isinstance(a, Tensor) else tuple(a) for a in (primals, tangents))
    points, moves = [tensor(x) for x in primals], [tensor(v) for v in tangents]
    if [x.shape for x in points] != [v.shape for v in moves]:
        raise ShapeError(
            f"every argument needs a direction of its shape: {[tuple(x.shape) for x in points]} and "
            f"{[tuple(v.shape) for v in moves]}"
        )
    d = symbol()
    value, along = push(f, points, [[v] for v in moves], [d.coordinates.one, d], detached=detached)
    return value, along


def vjp(f: Function, *primals: Any, detached: Detached = "error") -> tuple[Any, Function]:
    """The value and a function that multiplies a cotangent from the left: vᵀ·J.

    Returns:
        The output of ``f`` and a function from a cotangent of that shape to a tuple with one tensor for each argument.

    >>> y, pull = ap.vjp(torch.sin, torch.zeros(2))
    >>> pull(torch.ones(2))
    (tensor([1., 1.]),)
    """
    points = [tensor(x) for x in primals]

    def pull(cotangent: Any) -> Any:
        @functools.wraps(f)
        def paired(*args: Any) -> Any:
            y = f(*args)
            return sum((a * c).sum() for a, c in zip(tree_leaves(y), tree_leaves(_matching(cotangent, y)), strict=True))

        return grad(paired, tuple(range(len(points))), detached=detached)(*points)

    if not values_readable(*points):
        return f(*points), pull
    lost: list[bool] = []

    def followed(*inputs: Tensor) -> Any:
        with Tracking() as tracking:
            y = run(f, inputs, points)
        lost.append(tracking.lost and detached == "error")
        return y

    try:
        with meetings(orders=1) as met:
            value, back = torch.func.vjp(followed, *points)  # type: ignore[misc]
        lost.append(lost[-1] or bool(met.errors))
    except Exception:
        lost.append(True)
    if lost[-1]:
        probe(f, *points, detached=detached)
        return run(f, points, points), pull

    def pull_back(cotangent: Any) -> Any:
        fitting = _matching(cotangent, value)
        try:
            with full_precision(points[0].device.type):
                return back(fitting)
        except RuntimeError:  # something has no derivative in reverse mode
            return pull(cotangent)

    return value, pull_back


def _matching(cotangent: Any, value: Any) -> Any:
    shapes = [[tuple(x.shape) for x in tree_leaves(tree)] for tree in (cotangent, value)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"a cotangent of shape {shapes[0]} does not fit the output of f, of shape {shapes[1]}")
    return cotangent
