"""First derivatives of functions of all entries of their input: gradient, Jacobian, and products with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from apolar.errors import ShapeError
from apolar.evaluate import push, watched
from apolar.jet import Jet
from apolar.transforms.inputs import Argnums, Auxiliary, Function, one_number, packed, symbol, numbered, tensor


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The gradient of a function that returns one number.

    Args:
        f: returns a tensor with one entry; with ``has_aux`` a pair of it and something else.
        argnums: the argument, or the arguments, to differentiate with respect to.

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
        result, aux = _gradient(g, z, has_aux)
        return (unpack(result), aux) if has_aux else unpack(result)

    return gradient


def _gradient(g: Function, z: Tensor, has_aux: bool = False) -> tuple[Tensor, Any]:
    """The gradient of a number, and the auxiliary value.

    Reverse mode once; inside of another evaluation or gradient, forward mode over all directions, so that no derivative of
    higher order rests on nested reverse mode.
    """
    value = Auxiliary(g, has_aux)
    if isinstance(z, Jet) or _in_reverse_mode():
        seeds = list(torch.eye(z.numel(), dtype=z.dtype, device=z.device))
        columns = push(lambda x: one_number(value(x)), (z,), (seeds,), list(numbered(max(z.numel(), 1))))
        return torch.stack(columns, -1), value.aux
    if has_aux:
        return torch.func.grad(lambda x: _with_aux(*g(x)), has_aux=True)(z)
    return torch.func.grad(lambda x: one_number(g(x)))(z), None


def _in_reverse_mode() -> bool:
    """Whether a gradient of torch.func is being taken around this call."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() == torch._C._functorch.TransformType.Grad for level in stack)


def _with_aux(y: Any, aux: Any) -> tuple[Tensor, Any]:
    return one_number(y), aux


def jacobian(f: Function, argnums: Argnums = 0, has_aux: bool = False, chunk_size: int | None = None) -> Function:
    """All first derivatives of all outputs.

    Args:
        f: returns a tensor ``(*out)``, or a tuple, list or dictionary of them.
        argnums: the argument, or the arguments, to differentiate with respect to.
        chunk_size: how many directions to carry at a time; all by default.

    Returns:
        A function to tensors ``(*out, *in)``, nested like the output of ``f`` and then like ``argnums``.

    >>> ap.jacobian(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    def jacobians(*args: Any, **kwargs: Any) -> Any:
        g, z, unpack = packed(f, args, argnums, kwargs)
        value = Auxiliary(g, has_aux)
        columns = [
            push(value, (z,), (list(directions),), list(numbered(len(directions))))
            for directions in torch.eye(z.numel(), dtype=z.dtype, device=z.device).split(chunk_size or max(z.numel(), 1))
        ]
        result = tree_map(lambda *parts: unpack(torch.stack(parts, -1)), *(c for chunk in columns for c in chunk)) if z.numel() else tree_map(lambda y: unpack(y.new_zeros(*y.shape, 0)), value(z))
        return (result, value.aux) if has_aux else result

    return jacobians


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value and the derivative along one direction: J·v.

    Args:
        primals: the arguments of ``f``, a tuple.
        tangents: one direction for each, of the same shape.

    Returns:
        The output of ``f`` and the derivative, of the same shape.

    Raises:
        ShapeError: primals and tangents do not match.

    >>> ap.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))
    (tensor(0.), tensor(1.))
    """
    points, moves = [tensor(x) for x in primals], [tensor(v) for v in tangents]
    if [x.shape for x in points] != [v.shape for v in moves]:
        raise ShapeError(
            f"every argument needs a direction of its shape: {[tuple(x.shape) for x in points]} and {[tuple(v.shape) for v in moves]}"
        )
    d = symbol()
    value, along = push(f, points, [[v] for v in moves], [d.coordinates.one, d])
    return value, along


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """The value and a function that multiplies a cotangent from the left: vᵀ·J.

    Returns:
        The output of ``f`` and a function from a cotangent of that shape to a tuple with one tensor for each argument.

    >>> y, pull = ap.vjp(torch.sin, torch.zeros(2))
    >>> pull(torch.ones(2))
    (tensor([1., 1.]),)
    """
    points = [tensor(x) for x in primals]
    if watched(*points):
        return torch.func.vjp(f, *points)

    def pull(cotangent: Any) -> Any:
        def paired(*args: Any) -> Any:
            return sum((y * c).sum() for y, c in zip(tree_leaves(f(*args)), tree_leaves(cotangent), strict=True))

        return grad(paired, tuple(range(len(points))))(*points)

    return f(*points), pull
