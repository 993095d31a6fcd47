"""What the transforms share: inputs as tensors, symbols by number, and functions of several arguments as one of a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Coordinates, Operator, coordinates
from apolar.engine.context import Detached
from apolar.engine.jet import Jet, value
from apolar.engine.torch_private import tree_map
from apolar.errors import DtypeError, FunctionError, OperatorError, ShapeError
from apolar.evaluation.evaluate import push, run

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


def tensor(x: Any) -> Tensor:
    """A tensor that can be differentiated; Python numbers are double precision, as in Python."""
    if isinstance(x, Tensor):
        if not (x.is_floating_point() or x.is_complex()):
            raise DtypeError(f"the input must be floating point, got {x.dtype}: use x.double() or x.float()")
        return x
    try:
        return torch.as_tensor(x, dtype=torch.complex128 if isinstance(x, complex) else torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DtypeError(f"the input must be a tensor or a number, got {type(x).__name__}") from error


def check_order(order: int) -> None:
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise OperatorError(f"the order of a derivative is 1, 2, 3, …, got {order!r}; for the value call f itself")


def symbol() -> Operator:
    return named("s")["s"]


@lru_cache
def named(names: str) -> Coordinates:
    return coordinates(names)


@lru_cache
def numbered(count: int) -> Coordinates:
    return coordinates([f"x{i}" for i in range(1, count + 1)])


class Auxiliary:
    """A function that returns (value, auxiliary) as one that returns the value and remembers the rest."""

    def __init__(self, f: Function, has_aux: bool) -> None:
        self.f, self.has_aux, self.aux = f, has_aux, None
        self.__wrapped__ = f

    def __call__(self, x: Tensor) -> Any:
        if not self.has_aux:
            return self.f(x)
        result, aux = pair(self.f(x))
        self.aux = tree_map(lambda leaf: value(leaf, x), aux) if isinstance(x, Jet) else aux
        return result


def pair(output: Any) -> tuple[Any, Any]:
    """What a function with ``has_aux`` has to return."""
    if not isinstance(output, tuple) or len(output) != 2:
        raise FunctionError(f"with has_aux=True, f must return a pair (value, auxiliary); got {type(output).__name__}")
    return output


def packed(
    f: Function, args: tuple[Any, ...], argnums: Argnums, kwargs: dict[str, Any]
) -> tuple[Function, Tensor, Function]:
    """``f`` as a function of one flat vector of the chosen arguments, that vector, and how to shape what follows from it."""
    chosen = tuple(argnums) if isinstance(argnums, (tuple, list)) else (argnums,)
    if not all(isinstance(i, int) for i in chosen):
        raise ShapeError(f"argnums is the number of an argument or a tuple of numbers, got {argnums!r}")
    if not chosen or any(not -len(args) <= i < len(args) for i in chosen):
        raise ShapeError(f"argnums={argnums} needs arguments with these numbers, got {len(args)}")
    chosen = tuple(i % len(args) for i in chosen)
    inputs = [tensor(args[i]) for i in chosen]
    sizes = [x.numel() for x in inputs]
    z = torch.cat([x.reshape(-1) for x in inputs]) if len(inputs) > 1 else shaped(inputs[0], (inputs[0].numel(),))

    def g(flat: Tensor) -> Any:
        pieces = flat.split(sizes) if len(sizes) > 1 else [flat]
        filled = list(args)
        for i, piece, x in zip(chosen, pieces, inputs, strict=True):
            filled[i] = shaped(piece, x.shape)
        return f(*filled, **kwargs)

    g.__wrapped__ = f  # type: ignore[attr-defined]

    def unpack(result: Tensor, twice: bool = False) -> Any:
        """Split the last axis, or the last two, into the shapes of the arguments."""
        lead = result.ndim - 1 - twice
        blocks = [
            [
                shaped(block, (*block.shape[:lead], *(x.shape if twice else ()), *y.shape))
                for block, y in zip(row.split(sizes, -1) if len(sizes) > 1 else [row], inputs, strict=True)
            ]
            for row, x in zip(result.split(sizes, -2) if twice and len(sizes) > 1 else [result], inputs, strict=False)
        ]
        if isinstance(argnums, int):
            return blocks[0][0]
        return tuple(map(tuple, blocks)) if twice else tuple(blocks[0])

    return g, z, unpack


def shaped(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x`` in that shape; a reshape that changes nothing costs time, twice where it is recorded."""
    return x if x.shape == shape else x.reshape(shape)


def by_directions(
    g: Function,
    z: Tensor,
    operators: Callable[[Coordinates], Sequence[Operator]],
    directions: Tensor,
    chunk_size: int | None,
    detached: Detached = "error",
) -> list[Any]:
    """Operators in symbols that move ``z`` along each of the directions, so many directions at a time."""
    results: list[Any] = []
    for some in directions.split(chunk(chunk_size, len(directions))) if len(directions) else ():
        results += push(g, (z,), (list(some),), operators(numbered(len(some))), detached=detached)
    return results


def chunk(size: int | None, everything: int) -> int:
    """How many to take at a time, all by default."""
    if size is not None and size < 1:
        raise ShapeError(f"chunk_size is a positive number or None, got {size}")
    return size or max(everything, 1)


def axes_of(z: Tensor) -> Tensor:
    """The unit vectors."""
    return torch.eye(z.numel(), dtype=z.dtype, device=z.device)


def last_axis(g: Function, z: Tensor, columns: list[Any]) -> Any:
    """The columns on a new last axis, also where there are none."""
    if not columns:
        return tree_map(lambda y: y.new_zeros(*y.shape, 0), run(g, (z,), (z,)))
    return tree_map(lambda *parts: torch.stack(parts, -1), *columns)


def one_number(y: Any) -> Tensor:
    if not isinstance(y, Tensor) or y.numel() != 1:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ShapeError(
            f"a gradient needs a function that returns one number, got {shape}: sum it, or use ap.jacobian"
        )
    return shaped(y, ())
