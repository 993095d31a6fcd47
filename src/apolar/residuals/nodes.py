"""Fields: unknown functions of the coordinates, and what an equation computes from them, recorded while it runs once.

Above ``evaluate``, below ``values`` and ``residual``. A field is a node of an expression: ``needs`` says which
operators of the unknowns it rests on, ``value`` what it is where their tensors are known. The derivative of a
non-linear expression is the same expression on jets, whose components are operators of the unknowns: no rule of
differentiation stands here.
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Coordinates, Monomial, Operator, exact
from apolar.engine.jet import Jet
from apolar.engine.torch_private import tree_leaves
from apolar.errors import ApolarError, CoordinateError, FunctionError, OperatorError
from apolar.evaluation.evaluate import read
from apolar.rules.record import Kind, record_of, spellings

if TYPE_CHECKING:
    from apolar.residuals.values import Values

Basis = tuple[Operator, ...]
"""The operators under which a field is wanted: only 1, or the components of jets."""

Need = tuple[Any, Basis]
"""What a field rests on: an operator of the unknowns, or another field and under which operators it is wanted."""


@dataclass(frozen=True)
class Space:
    """The coordinates, and the names of the unknown functions."""

    coordinates: Coordinates
    unknowns: tuple[str, ...]


NO_TENSOR = (Kind.METADATA, Kind.REFUSED, Kind.DECOMPOSED)
"""Methods that are no functions of fields."""


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """A function of the coordinates that an equation speaks of: an unknown, or anything computed from unknowns.

    ``u.x``, ``u.xx``, ``u.xt`` are partial derivatives, by the names of coordinates. Arithmetic, comparisons and torch
    functions are recorded.
    """

    space: Space

    __array_ufunc__ = None  # NumPy numbers leave arithmetic to the field

    def d(self, name: str | Operator, order: int = 1) -> Field:
        """The derivative along a coordinate, of any order; or an operator applied.

        Raises:
            CoordinateError: no such coordinate.
            OperatorError: an order that is not 0, 1, 2, …
        """
        coordinates = self.space.coordinates
        if isinstance(name, Operator):
            return self.differentiated(coordinates.one * name**order)
        found = coordinates[name] if name in coordinates.names else symbol(name, coordinates)
        if found is None:
            raise self._no_derivative(name)
        return self.differentiated(found**order)

    @property
    def laplacian(self) -> Field:
        """The sum of the unmixed second derivatives in all coordinates, a time among them too."""
        return self.differentiated(self.space.coordinates.laplacian)

    @property
    def bilaplacian(self) -> Field:
        """The Laplacian of the Laplacian, in all coordinates."""
        return self.differentiated(self.space.coordinates.bilaplacian)

    @property
    def gradient(self) -> tuple[Field, ...]:
        """All first derivatives, in the order of the coordinates."""
        return tuple(map(self.differentiated, self.space.coordinates))

    @property
    def coords(self) -> CoordinateFields:
        """The coordinates themselves, as fields: ``u.coords.x``."""
        return CoordinateFields(self.space)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = symbol(name, self.space.coordinates)
        if found is not None:
            return self.differentiated(found)
        method = getattr(Tensor, name, None)
        if len(name) > 2 and (record_of(method).kind not in NO_TENSOR or name == "detach"):
            return lambda *args, **kwargs: record(self.space, method, (self, *args), kwargs)
        raise self._no_derivative(name)

    def _no_derivative(self, name: str) -> CoordinateError:
        coordinates = self.space.coordinates
        return CoordinateError(
            f'"{name}" is no derivative: the coordinates are {coordinates}, so that .{coordinates.names[0]} is one. '
            "While an equation is recorded, a field has no values, shape or dtype; torch functions of it are recorded."
        )

    # -------------------------------------------------------------------------------------------- what a node must say

    def differentiated(self, operator: Operator) -> Field:
        """P(∂) of this field."""
        return Derivative(self.space, operator, self)

    def needs(self, basis: Basis) -> Iterator[Need]:
        """What this field rests on."""
        return iter(())

    def value(self, values: Values) -> Any:
        """The tensor, or the jet, that this field stands for."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------ arithmetic

    def __add__(self, other: Any) -> Field:
        return plus(self, other) if _fits(other) else NotImplemented

    def __sub__(self, other: Any) -> Field:
        return minus(self, other) if _fits(other) else NotImplemented

    def __rsub__(self, other: Any) -> Field:
        return minus(other, self) if _fits(other) else NotImplemented

    def __mul__(self, other: Any) -> Field:
        if isinstance(other, Real):
            return Sum.of(self).scaled(exact(other))
        return record(self.space, python.mul, (self, other)) if _fits(other) else NotImplemented

    def __rmul__(self, other: Any) -> Field:
        if isinstance(other, Real):
            return Sum.of(self).scaled(exact(other))
        return record(self.space, python.mul, (other, self)) if _fits(other) else NotImplemented

    def __truediv__(self, other: Any) -> Field:
        if isinstance(other, Real) and other:
            return Sum.of(self).scaled(1 / exact(other))
        return record(self.space, python.truediv, (self, other)) if _fits(other) else NotImplemented

    def __neg__(self) -> Field:
        return Sum.of(self).scaled(Fraction(-1))

    def __pos__(self) -> Field:
        return self

    def __abs__(self) -> Field:
        return record(self.space, torch.abs, (self,))

    def __getitem__(self, index: Any) -> Field:
        return record(self.space, python.getitem, (self, index))

    __radd__ = __add__

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in ARITHMETIC and not kwargs:
            return ARITHMETIC[func](*args)
        space = next(x.space for x in tree_leaves((args, kwargs)) if isinstance(x, Field))
        return record(space, func, args, kwargs)

    def __bool__(self) -> bool:
        raise OperatorError(
            f"the equation asks whether {self!r} holds, but it runs once for all points, before there are values. "
            "Choose point by point: torch.where(u.x > 0, a, b), torch.maximum, torch.clamp."
        )

    def _no_number(self, *_: Any) -> Any:
        raise OperatorError(
            f"{self!r} is recorded before there are values, so it is no number and no array: "
            "use torch functions (torch.sin instead of math.sin or np.sin)."
        )

    __float__ = __int__ = __index__ = __complex__ = __array__ = __round__ = __len__ = __iter__ = _no_number
    __hash__ = object.__hash__


def _recorded(function: Callable[..., Any], swapped: bool = False) -> Callable[[Field, Any], Field]:
    def method(self: Field, other: Any) -> Field:
        if not _fits(other):
            return NotImplemented
        return record(self.space, function, (other, self) if swapped else (self, other))

    return method


for _name in ("pow", "matmul", "mod", "floordiv", "lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Field, f"__{_name}__", _recorded(getattr(python, _name)))
for _name in ("truediv", "pow", "matmul", "mod", "floordiv"):
    setattr(Field, f"__r{_name}__", _recorded(getattr(python, _name), swapped=True))

ARITHMETIC: dict[Any, Callable[..., Any]] = {
    function: meaning
    for names, meaning in (
        (("add",), lambda a, b: plus(a, b)),
        (("sub", "subtract"), lambda a, b: minus(a, b)),
        (("mul", "multiply"), lambda a, b: a * b if isinstance(a, Field) else b.__rmul__(a)),
        (("div", "divide", "true_divide"), lambda a, b: a / b if isinstance(a, Field) else b.__rtruediv__(a)),
        (("neg", "negative"), lambda a: -a),
    )
    for function in spellings(*names)
}
"""Torch's names for sums and for products with numbers, which are understood and not only recorded."""


def _fits(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        raise OperatorError(
            f"an equation takes tensors, got an array of NumPy of shape {x.shape}: torch.as_tensor(...)"
        )
    return isinstance(x, (Field, Tensor, Real, complex))


def plus(a: Any, b: Any) -> Sum:
    """a + b, where the linear parts join."""
    space = (a if isinstance(a, Field) else b).space
    left, right = Sum.of(a, space), Sum.of(b, space)
    forms = dict(left.forms)
    for j, form in right.forms.items():
        forms[j] = total(forms[j], form) if j in forms else form
    forms = {j: form for j, form in forms.items() if form.terms}
    return Sum(space, forms, left.constant + right.constant, left.terms + right.terms)


def minus(a: Any, b: Any) -> Sum:
    """a - b, where the linear parts join."""
    space = (a if isinstance(a, Field) else b).space
    return plus(Sum.of(a, space), Sum.of(b, space).scaled(Fraction(-1)))


def record(space: Space, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Call:
    """The call of a function on fields, if it can be repeated on tensors."""
    name = getattr(function, "__name__", str(function))
    if function in (torch.autograd.grad, torch.autograd.backward):
        raise OperatorError('in a residual the derivative is u.x or u.d("x"), not torch.autograd.grad(u, x)')
    if name.endswith("_") and not name.endswith("__"):
        raise OperatorError(f"{name} works in place, and a field has no memory: use {name[:-1]}")
    for other in tree_leaves((args, kwargs)):
        if isinstance(other, Field):
            _same(space, other)
    return Call(space, function, tuple(args), dict(kwargs or {}))


def _same(space: Space, field: Field) -> None:
    if field.space != space:
        raise OperatorError(f"{field!r} belongs to another residual, in {field.space.coordinates}")


@lru_cache(maxsize=4096)
def readings(text: str, names: tuple[str, ...]) -> frozenset[Monomial]:
    """All ways to read a text as names of coordinates, one after another.

    >>> readings("xt", ("x", "t"))
    frozenset({(1, 1)})
    """
    if not text:
        return frozenset([(0,) * len(names)])
    return frozenset(
        tuple(power + (i == j) for i, power in enumerate(rest))
        for j, name in enumerate(names)
        if text.startswith(name)
        for rest in readings(text[len(name) :], names)
    )


@lru_cache(maxsize=4096)
def symbol(name: str, coordinates: Coordinates) -> Operator | None:
    """∂x∂t for "xt"; None where the name is not made of coordinates."""
    found = readings(name, coordinates.names) if name else frozenset()
    if len(found) > 1:
        raise CoordinateError(f'"{name}" can be read in {len(found)} ways in {coordinates}: use .d(name, order)')
    return Operator({monomial: Fraction(1) for monomial in found}, coordinates) if found else None


@lru_cache(maxsize=4096)
def product(p: Operator, q: Operator | Fraction) -> Operator:
    """p · q, remembered: an equation multiplies the same operators in every call."""
    return p * q  # type: ignore[operator]


@lru_cache(maxsize=4096)
def total(p: Operator, q: Operator) -> Operator:
    """p + q, remembered."""
    return p + q


# ------------------------------------------------------------------------------------------------------------ the nodes


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Field):
    """Σⱼ Pⱼ(∂) uⱼ + constant + Σ c · term: one operator for every unknown, then what is not linear.

    Attributes:
        forms: the operator Pⱼ by the number j of the unknown.
        constant: a number.
        terms: other fields, with their coefficients.
    """

    forms: dict[int, Operator]
    constant: Fraction = Fraction(0)
    terms: tuple[tuple[Fraction, Field], ...] = ()

    @staticmethod
    def of(x: Any, space: Space | None = None) -> Sum:
        """Anything that can be added, as a sum."""
        home = x.space if space is None else space
        if isinstance(x, Field):
            _same(home, x)
            return x if isinstance(x, Sum) else Sum(home, {}, terms=((Fraction(1), x),))
        if isinstance(x, Real):
            return Sum(home, {}, exact(x))
        return Sum(home, {}, terms=((Fraction(1), Given(home, x)),))

    def scaled(self, factor: Fraction) -> Sum:
        """A multiple."""
        if not factor:
            return Sum(self.space, {})
        forms = {j: product(form, factor) for j, form in self.forms.items()}
        return Sum(self.space, forms, self.constant * factor, tuple((c * factor, x) for c, x in self.terms))

    def differentiated(self, operator: Operator) -> Sum:
        """P(∂) of every summand; the linear part stays one operator for every unknown."""
        number = operator.terms.get((0,) * len(self.space.coordinates), Fraction(0))
        forms = {j: product(form, operator) for j, form in self.forms.items()}
        terms = tuple((c, x.differentiated(operator)) for c, x in self.terms)
        return Sum(self.space, forms, self.constant * number, terms)

    def needs(self, basis: Basis) -> Iterator[Need]:
        yield from ((product(p, form), basis) for form in self.forms.values() for p in basis)
        yield from ((x, basis) for _, x in self.terms)

    def value(self, values: Values) -> Any:
        parts = [(Fraction(1), values.unknown(j, form)) for j, form in self.forms.items()]
        parts += [(c, values(x)) for c, x in self.terms]
        if not parts:
            return values.number(float(self.constant))
        total, *rest = (x if c == 1 else -x if c == -1 else float(c) * x for c, x in parts)
        for part in rest:
            total = total + part
        return total + float(self.constant) if self.constant else total

    def __repr__(self) -> str:
        summands = [(Fraction(1), _form(form, self.space.unknowns[j])) for j, form in self.forms.items()]
        summands += [(c, repr(x)) for c, x in self.terms]
        if self.constant or not summands:
            summands.append((self.constant, ""))
        text = ""
        for c, word in summands:
            size = "" if abs(c) == 1 and word else f"{float(abs(c)):.6g}"
            negative = (c < 0) != word.startswith("-")
            text += (" - " if text else "-") if negative else (" + " if text else "")
            text += " ".join(filter(None, (size, word.removeprefix("-"))))
        return text


@dataclass(frozen=True, eq=False, repr=False)
class Call(Field):
    """A function of fields, to be called again on tensors."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def needs(self, basis: Basis) -> Iterator[Need]:
        return ((x, basis) for x in tree_leaves((self.args, self.kwargs)) if isinstance(x, Field))

    def value(self, values: Values) -> Any:
        args, kwargs = values((self.args, self.kwargs))
        try:
            return self.function(*args, **kwargs)
        except ApolarError:
            raise
        except Exception as error:
            raise FunctionError(f"the equation fails at {self!r} with {type(error).__name__}: {error}") from error

    def __repr__(self) -> str:
        words = [_describe(x) for x in self.args]
        if self.function in INFIX and len(words) == 2:
            words = [f"({w})" if " + " in w or " - " in w else w for w in words]
            return f" {INFIX[self.function]} ".join(words)
        words += [f"{name}={_describe(x)}" for name, x in self.kwargs.items()]
        return f"{getattr(self.function, '__name__', self.function)}({', '.join(words)})"


@dataclass(frozen=True, eq=False, repr=False)
class Derivative(Field):
    """P(∂) of an expression that is not linear in the unknowns: the expression on jets, read out at P."""

    operator: Operator
    field: Field

    def differentiated(self, operator: Operator) -> Field:
        return Derivative(self.space, product(operator, self.operator), self.field)

    def needs(self, basis: Basis) -> Iterator[Need]:
        yield self.field, self._algebra(basis).basis

    def value(self, values: Values) -> Any:
        if values.over is None:
            values.refuse_coupling(self)
        return values.lifted(self.parts(values))

    def parts(self, values: Values) -> list[Tensor]:
        """P(∂) of the expression, under every operator of the basis."""
        over = self._algebra(values.basis)
        jets = values.jets(over)
        y = jets(self.field)
        if not (isinstance(y, Jet) and y.context is jets.context):
            y = y + values.number(0.0)
        return read(over, y, [product(p, self.operator) for p in values.basis], jets.context)

    def _algebra(self, basis: Basis) -> Algebra:
        return algebra(*(product(p, self.operator) for p in basis))

    def __repr__(self) -> str:
        return f"{_factor(self.operator)}[{self.field!r}]"


@dataclass(frozen=True, eq=False, repr=False)
class Coordinate(Field):
    """One coordinate, as a field."""

    index: int

    def value(self, values: Values) -> Any:
        return values.coordinate(self.index)

    def __repr__(self) -> str:
        return self.space.coordinates.names[self.index]


@dataclass(frozen=True, eq=False, repr=False)
class Given(Field):
    """A tensor from outside, which does not depend on the coordinates."""

    tensor: Any

    def value(self, values: Values) -> Any:
        return values(self.tensor)

    def __repr__(self) -> str:
        return _describe(self.tensor)


class CoordinateFields:
    """The coordinates as fields: by name, as an attribute or an item, or one after another."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Coordinate:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Coordinate:
        names = self._space.coordinates.names
        if name not in names:
            raise CoordinateError(f"there is no coordinate {name!r} among {self._space.coordinates}")
        return Coordinate(self._space, names.index(name))

    def __iter__(self) -> Iterator[Coordinate]:
        return (self[name] for name in self._space.coordinates.names)


RESERVED = frozenset(
    name
    for node in (Field, Sum, Call, Derivative, Coordinate, Given)
    for name in (*dir(node), *node.__annotations__)
    if not name.startswith("_")
)
"""What a field has of its own; a coordinate that spells one of these could not be told from it."""

# ------------------------------------------------------------------------------------------------------------- in words

INFIX = {
    python.mul: "·", python.truediv: "/", python.pow: "^", python.matmul: "@", python.mod: "%", python.floordiv: "//",
    python.lt: "<", python.le: "≤", python.gt: ">", python.ge: "≥", python.eq: "=", python.ne: "≠",
}  # fmt: skip


def _form(form: Operator, name: str) -> str:
    """An operator in front of the name of an unknown."""
    return name if form == form.coordinates.one else f"{_factor(form)} {name}"


def _factor(operator: Operator) -> str:
    return f"({operator!r})" if len(operator.terms) > 1 else repr(operator)


def _describe(x: Any) -> str:
    if not isinstance(x, Tensor):
        return repr(x)
    return f"{'parameter' if isinstance(x, torch.nn.Parameter) else 'tensor'}{tuple(x.shape) if x.ndim else ''}"
