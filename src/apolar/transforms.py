"""Derivatives in the style of torch.func: each transform takes a function and returns one.

Forward mode over the smallest algebra does most of the work. One gradient of a number in many variables is reverse mode,
and so is a Hessian in many variables: reverse mode over dual numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement, permutations
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from apolar.errors import DtypeError, OperatorError, ShapeError
from apolar.evaluate import check_rows, evaluate, push, watched
from apolar.jet import Jet
from apolar.operators import Coordinates, Operator, coordinates

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]

DENSE_HESSIAN = 24
"""Up to so many variables a Hessian is one forward pass; beyond, reverse mode over dual numbers costs less."""


# -------------------------------------------------------------------------------------------------- elementwise functions


def derivative(f: Function, order: int = 1) -> Function:
    """The derivative of an elementwise function, of any order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: 1, 2, 3, …

    Returns:
        A function from a tensor ``(*shape)``, or a number, to the derivatives ``(*shape)``.

    Raises:
        OperatorError: an order below 1.
        ShapeError: ``f`` does not keep the shape.
        RowCouplingError: ``f`` mixes entries.

    Source: Taylor mode, Griewank and Walther, Evaluating derivatives, chapter 13.

    >>> ap.derivative(lambda x: x**3 + 2 * x**2 + 1, order=2)(2.0)
    tensor(16., dtype=torch.float64)
    """
    _check_order(order)
    return lambda x: _univariate(f, x, [_symbol() ** order])[0]


def taylor(f: Function, order: int) -> Function:
    """All derivatives of an elementwise function up to an order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: the highest order, 1 or more.

    Returns:
        A function from a tensor ``(*shape)``, or a number, to the list ``[f, f′, …]`` of tensors ``(*shape)``.

    Raises:
        OperatorError: an order below 1.

    >>> [float(y) for y in ap.taylor(torch.exp, 3)(0.0)]
    [1.0, 1.0, 1.0, 1.0]
    """
    _check_order(order)
    return lambda x: _univariate(f, x, [_symbol() ** k for k in range(order + 1)])


def _univariate(f: Function, x: Any, operators: list[Operator]) -> list[Tensor]:
    x = tensor(x)
    results = push(f, (x,), ([torch.ones_like(x)],), operators)
    if not isinstance(results[0], Tensor) or results[0].shape != x.shape:
        raise ShapeError(
            f"f must keep the shape {tuple(x.shape)}, entry by entry; it returned "
            f"{[tuple(y.shape) for y in tree_leaves(results[0])]}. For other functions use ap.jacobian, ap.hessian or ap.evaluate."
        )
    check_rows(f, (x,), results[0], tuple(x.shape))
    return results


# --------------------------------------------------------------------------------- functions of all entries of their input


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
        g, z, unpack = _packed(f, args, argnums, kwargs)
        result, aux = _gradient(g, z, has_aux)
        return (unpack(result), aux) if has_aux else unpack(result)

    return gradient


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
        g, z, unpack = _packed(f, args, argnums, kwargs)
        value = _Aux(g, has_aux)
        columns = [
            push(value, (z,), (list(directions),), list(_symbols(len(directions))))
            for directions in torch.eye(z.numel(), dtype=z.dtype, device=z.device).split(chunk_size or max(z.numel(), 1))
        ]
        result = tree_map(lambda *parts: unpack(torch.stack(parts, -1)), *(c for chunk in columns for c in chunk)) if z.numel() else tree_map(lambda y: unpack(y.new_zeros(*y.shape, 0)), value(z))
        return (result, value.aux) if has_aux else result

    return jacobians


def hessian(f: Function, argnums: Argnums = 0, has_aux: bool = False, chunk_size: int | None = None) -> Function:
    """All second derivatives of all outputs.

    Args:
        f: returns a tensor ``(*out)``, or a tuple, list or dictionary of them.
        argnums: the argument, or the arguments, to differentiate with respect to.
        chunk_size: how many rows of the Hessian to compute at a time.

    Returns:
        A function to tensors ``(*out, *in, *in)``, nested like the output of ``f`` and then twice like ``argnums``.

    Source: all second derivatives by one pass over the polynomials of degree 2; in many variables reverse mode over dual
    numbers (Pearlmutter 1994).

    >>> ap.hessian(lambda x: x[0] ** 2 * x[1])(torch.tensor([1.0, 2.0]))
    tensor([[4., 2.],
            [2., 0.]])
    """

    def hessians(*args: Any, **kwargs: Any) -> Any:
        g, z, unpack = _packed(f, args, argnums, kwargs)
        value = _Aux(g, has_aux)
        dense = z.numel() > DENSE_HESSIAN and watched(z) and _single(value, z)
        joint = _hessian_by_reverse(value, z, chunk_size) if dense else _hessian_forward(value, z, chunk_size)
        result = tree_map(lambda h: unpack(h, twice=True), joint)
        return (result, value.aux) if has_aux else result

    return hessians


def derivative_tensor(f: Function, order: int, argnums: int = 0, chunk_size: int | None = None) -> Function:
    """All partial derivatives of one order, as a symmetric tensor.

    Args:
        f: returns a tensor ``(*out)``.
        order: 1, 2, 3, …
        chunk_size: how many partial derivatives to compute at a time; all by default.

    Returns:
        A function to the tensor ``(*out, *in, …, *in)`` with ``order`` times the axes of the input.

    >>> ap.derivative_tensor(lambda x: x.prod(), 3)(torch.ones(3)).sum()
    tensor(6.)
    """
    _check_order(order)

    def tensors(*args: Any, **kwargs: Any) -> Any:
        g, z, _ = _packed(f, args, argnums, kwargs)
        shape = torch.as_tensor(args[argnums]).shape
        symbols = list(_symbols(max(z.numel(), 1)))
        index = list(combinations_with_replacement(range(z.numel()), order))
        size = chunk_size or max(len(index), 1)
        parts = []
        for start in range(0, len(index), size):
            operators = [math.prod((symbols[i] for i in chosen), start=symbols[0].coordinates.one) for chosen in index[start : start + size]]
            parts += push(g, (z,), (list(torch.eye(z.numel(), dtype=z.dtype, device=z.device)),), operators)
        place = {p: k for k, chosen in enumerate(index) for p in permutations(chosen)}
        n = z.numel()
        gather = torch.tensor([place[p] for p in _all_indices(n, order)], dtype=torch.long, device=z.device)
        return tree_map(
            lambda *columns: torch.stack(columns, -1)[..., gather].reshape(*columns[0].shape, *(tuple(shape) * order)), *parts
        )

    return tensors


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
    d = _symbol()
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


def hvp(f: Function, x: Any, v: Any) -> Tensor:
    """The Hessian of a function that returns one number, times a vector.

    Args:
        f: maps a tensor ``(*in)`` to one number.
        x: the point ``(*in)``.
        v: the direction ``(*in)``.

    Returns:
        H·v ``(*in)``.

    Source: reverse mode over dual numbers, Pearlmutter 1994.

    >>> ap.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([6., 0.])
    """
    x, v = tensor(x), tensor(v)
    if x.shape != v.shape:
        raise ShapeError(f"the direction must have the shape of the point: {tuple(x.shape)} and {tuple(v.shape)}")
    return grad(lambda y: jvp(f, (y,), (v,))[1])(x)


def vhp(f: Function, x: Any, v: Any) -> Tensor:
    """A vector times the Hessian of a function that returns one number: the same as :func:`hvp`, by symmetry.

    >>> ap.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([6., 0.])
    """
    return hvp(f, x, v)


def hessian_diagonal(f: Function, chunk_size: int | None = None) -> Function:
    """The unmixed second derivatives ∂²f/∂xⱼ².

    Args:
        f: maps a tensor ``(*in)`` to a tensor ``(*out)``.
        chunk_size: how many of them to compute at a time; all by default.

    Returns:
        A function to tensors ``(*out, *in)``.

    >>> ap.hessian_diagonal(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([ 6., 12.])
    """

    def diagonal(x: Any) -> Any:
        g, z, unpack = _packed(f, (x,), 0, {})
        columns: list[Any] = []
        for directions in torch.eye(z.numel(), dtype=z.dtype, device=z.device).split(chunk_size or max(z.numel(), 1)):
            columns += push(g, (z,), (list(directions),), [d**2 for d in _symbols(len(directions))])
        return tree_map(lambda *parts: unpack(torch.stack(parts, -1)), *columns)

    return diagonal


class TraceEstimate(NamedTuple):
    """A mean over random directions, with its standard error."""

    value: Tensor
    standard_error: Tensor


def hessian_trace(
    f: Function, samples: int | None = None, generator: torch.Generator | None = None, chunk_size: int | None = None
) -> Function:
    """The sum of the unmixed second derivatives over all entries of the input.

    Args:
        f: maps a tensor ``(*in)`` to a tensor ``(*out)``.
        samples: None for the exact trace; or how many random directions to average over, 2 or more.
        generator: where the random directions come from.
        chunk_size: how many directions to carry at a time; all by default.

    Returns:
        A function to the trace ``(*out)``; with ``samples`` to a pair of the estimate and its standard error.

    Source: exact, the forward Laplacian; estimated, Hutchinson 1989 with random signs.

    >>> ap.hessian_trace(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor(18.)
    """
    if samples is not None and samples < 2:
        raise OperatorError(f"an estimate with a standard error needs at least 2 samples, got {samples}")

    def trace(x: Any) -> Any:
        g, z, _ = _packed(f, (x,), 0, {})
        if samples is None:
            directions = torch.eye(z.numel(), dtype=z.dtype, device=z.device)
        else:
            signs = torch.randint(0, 2, (samples, z.numel()), generator=generator, device=z.device)
            directions = (2 * signs - 1).to(z.dtype)
        parts: list[Any] = []
        for some in directions.split(chunk_size or len(directions)):
            symbols = _symbols(len(some))
            wanted = [symbols.laplacian] if samples is None else [d**2 for d in symbols]
            parts += push(g, (z,), (list(some),), wanted)
        if samples is None:
            return tree_map(lambda *pieces: sum(pieces), *parts)
        return tree_map(lambda *pieces: _estimate(torch.stack(pieces)), *parts)

    return trace


def _estimate(samples: Tensor) -> TraceEstimate:
    return TraceEstimate(samples.mean(0), samples.std(0) / math.sqrt(len(samples)))


# ----------------------------------------------------------------------------------------------------- fields, row by row


def laplacian(f: Function) -> Function:
    """Sum of the unmixed second derivatives of ``f``, in one forward pass.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.

    Returns:
        A function from points ``(..., d)`` to the Laplacians ``(..., k)``.

    Raises:
        UnsupportedOperator: ``f`` calls something without a rule.

    Source: forward Laplacian, Li et al. 2024; the case V = {1, ξ₁, …, ξ_d, Σξᵢ²} of the closure in docs/mathematics.md.

    >>> ap.laplacian(lambda p: (p**2).sum(-1, keepdim=True))(torch.zeros(3, 2)).squeeze()
    tensor([4., 4., 4.])
    """
    return lambda points: evaluate(f, points, _space(points).laplacian)


def bilaplacian(f: Function) -> Function:
    """The Laplacian of the Laplacian, in one forward pass.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.

    Returns:
        A function from points ``(..., d)`` to values ``(..., k)``.

    >>> ap.bilaplacian(lambda p: (p**4).sum(-1, keepdim=True))(torch.ones(1, 2))
    tensor([[48.]])
    """
    return lambda points: evaluate(f, points, _space(points).bilaplacian)


def divergence(F: Function) -> Function:
    """Σ ∂Fᵢ/∂xᵢ of a vector field.

    Args:
        F: maps points ``(..., d)`` to vectors ``(..., d)``, row by row.

    Returns:
        A function from points ``(..., d)`` to numbers ``(...)``.

    Raises:
        ShapeError: the vectors do not have as many components as there are coordinates.

    >>> ap.divergence(lambda p: p**2)(torch.tensor([1.0, 2.0]))
    tensor(6.)
    """
    return lambda points: _field_jacobian(F, points).diagonal(dim1=-2, dim2=-1).sum(-1)


def curl(F: Function) -> Function:
    """The curl of a vector field in two or three dimensions.

    Args:
        F: maps points ``(..., d)`` to vectors ``(..., d)``, row by row, with d = 2 or 3.

    Returns:
        A function from points to vectors ``(..., 3)``; in two dimensions to the numbers ∂₁F₂ − ∂₂F₁ ``(...)``.

    Raises:
        ShapeError: d is neither 2 nor 3.

    >>> ap.curl(lambda p: torch.stack([-p[1], p[0]]))(torch.tensor([1.0, 2.0]))
    tensor(2.)
    """

    def rotation(points: Any) -> Tensor:
        J = _field_jacobian(F, points)
        d = J.shape[-1]
        if d not in (2, 3):
            raise ShapeError(f"a curl needs points with 2 or 3 coordinates, got {d}")
        spin = J - J.mT
        if d == 2:
            return spin[..., 1, 0]
        return torch.stack([spin[..., 2, 1], spin[..., 0, 2], spin[..., 1, 0]], -1)

    return rotation


def directional(f: Function, v: Any, order: int = 1) -> Function:
    """The derivative of any order along a direction, dⁿ/dsⁿ f(x + s·v) at s = 0.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        v: the direction ``(d,)``, or one for each point ``(..., d)``; it is not normalised.
        order: 1, 2, 3, …

    Returns:
        A function from points ``(..., d)`` to values ``(..., k)``.

    >>> ap.directional(lambda p: p[..., :1] * p[..., 1:], torch.tensor([1.0, 1.0]), order=2)(torch.zeros(2))
    tensor([2.])
    """
    _check_order(order)
    return lambda points: evaluate(f, tensor(points), _symbol() ** order, directions={"s": tensor(v)})


class VelocityGradient(NamedTuple):
    """The velocity gradient Lᵢⱼ = ∂vᵢ/∂xⱼ ``(..., d, d)`` with its symmetric and its antisymmetric part, L = D + W."""

    L: Tensor
    D: Tensor
    W: Tensor


def velocity_gradient(F: Function) -> Function:
    """The gradient of a velocity field, split into strain rate and spin.

    Args:
        F: maps points ``(..., d)`` to velocities ``(..., d)``, row by row. Units: velocity over length, 1/time.

    Returns:
        A function to the named tuple ``(L, D, W)``, each ``(..., d, d)``.

    >>> ap.velocity_gradient(lambda p: torch.stack([p[1], 0 * p[0]]))(torch.zeros(2)).W
    tensor([[ 0.0000,  0.5000],
            [-0.5000,  0.0000]])
    """

    def split(points: Any) -> VelocityGradient:
        L = _field_jacobian(F, points)
        return VelocityGradient(L, (L + L.mT) / 2, (L - L.mT) / 2)

    return split


def _field_jacobian(F: Function, points: Any) -> Tensor:
    points = tensor(points)
    columns = evaluate(F, points, *_space(points).gradient)
    J = torch.stack(columns if isinstance(columns, tuple) else (columns,), -1)
    if J.shape[-2] != J.shape[-1] or J.ndim != points.ndim + 1:
        raise ShapeError(
            f"a vector field maps points {tuple(points.shape)} to vectors of the same shape, got {tuple(J.shape[:-1])}"
        )
    return J


# -------------------------------------------------------------------------------------------------------------- machinery


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


def _check_order(order: int) -> None:
    if not isinstance(order, int) or order < 1:
        raise OperatorError(f"the order of a derivative is 1, 2, 3, …, got {order!r}; for the value call f itself")


def _symbol() -> Operator:
    return _named("s")["s"]


@lru_cache
def _named(names: str) -> Coordinates:
    return coordinates(names)


@lru_cache
def _symbols(count: int) -> Coordinates:
    return coordinates([f"x{i}" for i in range(1, count + 1)])


def _space(points: Any) -> Coordinates:
    if not isinstance(points, Tensor) or not points.ndim:
        raise ShapeError(f"the points must be a tensor (..., d), got {points!r}")
    d = points.shape[-1]
    return _named("x y z"[: 2 * d - 1]) if 0 < d <= 3 else _symbols(d)


class _Aux:
    """A function that returns (value, auxiliary) as one that returns the value and remembers the rest."""

    def __init__(self, f: Function, has_aux: bool) -> None:
        self.f, self.has_aux, self.aux = f, has_aux, None

    def __call__(self, *args: Any) -> Any:
        if not self.has_aux:
            return self.f(*args)
        value, aux = self.f(*args)
        self.aux = tree_map(lambda x: x.value if isinstance(x, Jet) else x, aux)
        return value


def _packed(f: Function, args: tuple[Any, ...], argnums: Argnums, kwargs: dict[str, Any]) -> tuple[Function, Tensor, Function]:
    """``f`` as a function of one flat vector of the chosen arguments, that vector, and how to shape what follows from it."""
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(args) <= i < len(args) for i in chosen):
        raise ShapeError(f"argnums={argnums} needs that many arguments, got {len(args)}")
    chosen = tuple(i % len(args) for i in chosen)
    inputs = [tensor(args[i]) for i in chosen]
    sizes = [x.numel() for x in inputs]
    z = torch.cat([x.reshape(-1) for x in inputs]) if len(inputs) > 1 else inputs[0].reshape(-1)

    def g(flat: Tensor) -> Any:
        pieces = flat.split(sizes) if len(sizes) > 1 else [flat]
        filled = list(args)
        for i, piece, x in zip(chosen, pieces, inputs, strict=True):
            filled[i] = piece.reshape(x.shape)
        return f(*filled, **kwargs)

    def unpack(result: Tensor, twice: bool = False) -> Any:
        """Split the last axis, or the last two, into the shapes of the arguments."""
        lead = result.ndim - 1 - twice
        blocks = [
            [block.reshape(*block.shape[:lead], *(x.shape if twice else ()), *y.shape) for block, y in zip(row.split(sizes, -1), inputs, strict=True)]
            for row, x in zip(result.split(sizes, -2) if twice else [result], inputs, strict=False)
        ]
        if isinstance(argnums, int):
            return blocks[0][0]
        return tuple(map(tuple, blocks)) if twice else tuple(blocks[0])

    return g, z, unpack


def _all_indices(n: int, order: int) -> Iterator[tuple[int, ...]]:
    """All index tuples, the last index running fastest."""
    if order == 0:
        yield ()
        return
    for head in _all_indices(n, order - 1):
        for i in range(n):
            yield (*head, i)


def _gradient(g: Function, z: Tensor, has_aux: bool = False) -> tuple[Tensor, Any]:
    """The gradient of a number, and the auxiliary value.

    Reverse mode once; inside of another evaluation or gradient, forward mode over all directions, so that no derivative of
    higher order rests on nested reverse mode.
    """
    value = _Aux(g, has_aux)
    if isinstance(z, Jet) or _in_reverse_mode():
        seeds = list(torch.eye(z.numel(), dtype=z.dtype, device=z.device))
        columns = push(lambda x: _one_number(value(x)), (z,), (seeds,), list(_symbols(max(z.numel(), 1))))
        return torch.stack(columns, -1), value.aux
    if has_aux:
        return torch.func.grad(lambda x: _with_aux(*g(x)), has_aux=True)(z)
    return torch.func.grad(lambda x: _one_number(g(x)))(z), None


def _in_reverse_mode() -> bool:
    """Whether a gradient of torch.func is being taken around this call."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() == torch._C._functorch.TransformType.Grad for level in stack)


def _with_aux(y: Any, aux: Any) -> tuple[Tensor, Any]:
    return _one_number(y), aux


def _one_number(y: Any) -> Tensor:
    if not isinstance(y, Tensor) or y.numel() != 1:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ShapeError(f"a gradient needs a function that returns one number, got {shape}: sum it, or use ap.jacobian")
    return y.reshape(())


def _single(value: Function, z: Tensor) -> bool:
    with torch.no_grad():
        y = value(z)
    return isinstance(y, Tensor) and y.numel() == 1


def _hessian_forward(value: Function, z: Tensor, chunk_size: int | None) -> Any:
    """One pass over the products of two symbols, or one for each chunk of rows."""
    n = z.numel()
    symbols = list(_symbols(max(n, 1)))
    seeds = (list(torch.eye(n, dtype=z.dtype, device=z.device)),)
    upper: dict[tuple[int, int], Any] = {}
    for start in range(0, n, chunk_size or n or 1):
        pairs = [(i, j) for i in range(start, min(start + (chunk_size or n), n)) for j in range(i, n)]
        upper.update(zip(pairs, push(value, (z,), seeds, [symbols[i] * symbols[j] for i, j in pairs]), strict=True))
    entries = [upper[min(i, j), max(i, j)] for i in range(n) for j in range(n)]
    if not entries:
        return tree_map(lambda y: y.new_zeros(*y.shape, 0, 0), value(z))
    return tree_map(lambda *parts: torch.stack(parts, -1).reshape(*parts[0].shape, n, n), *entries)


def _hessian_by_reverse(value: Function, z: Tensor, chunk_size: int | None) -> Tensor:
    """Rows of the Hessian as gradients of directional derivatives, many at a time."""

    def row(v: Tensor) -> Tensor:
        return torch.func.grad(lambda x: _one_number(jvp(value, (x,), (v,))[1]))(z)

    H = torch.vmap(row, chunk_size=chunk_size)(torch.eye(z.numel(), dtype=z.dtype, device=z.device))
    shape = value(z).shape
    return H.reshape(*shape, z.numel(), z.numel())
