"""Straight-line programs over scalars, recorded by running eager code on symbols in place of tensors.

What the eager back end computes is thereby the single source of every other one: a symbol answers torch functions and
Python's operators by writing down what was asked, and the same question twice by the same symbol.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Argument = Any
"""A symbol or a Python number."""


class NotRecorded(Exception):
    """A function that programs do not have: its name."""


class Recorder:
    """Makes the symbols of one program, each once."""

    def __init__(self) -> None:
        self.symbols: dict[tuple[Any, ...], Symbol] = {}

    def emit(self, operation: str, *arguments: Argument) -> Symbol:
        """The result of an operation of ``OPERATIONS``."""
        key = (operation, *arguments)
        if key not in self.symbols:
            self.symbols[key] = Symbol(self, operation, arguments, len(self.symbols))
        return self.symbols[key]


class Symbol:
    """A scalar of a program."""

    __slots__ = ("arguments", "number", "operation", "recorder")
    dtype = torch.float32
    """Stands for the floating-point type of the program, where eager code converts a condition to it."""

    def __init__(self, recorder: Recorder, operation: str, arguments: tuple[Argument, ...], number: int) -> None:
        self.recorder, self.operation, self.arguments, self.number = recorder, operation, arguments, number

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.removeprefix("special_").strip("_")
        if name not in FUNCTIONS:
            raise NotRecorded(name)
        return FUNCTIONS[name](*args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in FUNCTIONS:
            raise AttributeError(name)
        return lambda *args, **kwargs: FUNCTIONS[name](self, *args, **kwargs)

    def __add__(self, other: Argument) -> Argument:
        return self if _is(other, 0) else self.recorder.emit("add", self, other)

    def __sub__(self, other: Argument) -> Argument:
        return self if _is(other, 0) else self.recorder.emit("sub", self, other)

    def __rsub__(self, other: Argument) -> Argument:
        return self.recorder.emit("sub", other, self)

    def __mul__(self, other: Argument) -> Argument:
        return self if _is(other, 1) else -self if _is(other, -1) else self.recorder.emit("mul", *_ordered(self, other))

    def __truediv__(self, other: Argument) -> Argument:
        return self if _is(other, 1) else self.recorder.emit("div", self, other)

    def __rtruediv__(self, other: Argument) -> Argument:
        return self.recorder.emit("div", other, self)

    def __neg__(self) -> Argument:
        return self.recorder.emit("neg", self)

    def __and__(self, other: Argument) -> Argument:
        return self.recorder.emit("and", self, other)

    def __gt__(self, other: Argument) -> Argument:
        return self.recorder.emit("gt", self, other)

    def __ge__(self, other: Argument) -> Argument:
        return self.recorder.emit("ge", self, other)

    def __lt__(self, other: Argument) -> Argument:
        return self.recorder.emit("lt", self, other)

    def __le__(self, other: Argument) -> Argument:
        return self.recorder.emit("le", self, other)

    __radd__ = __add__
    __rmul__ = __mul__


def _is(x: Argument, number: float) -> bool:
    return not isinstance(x, Symbol) and x == number


def _ordered(x: Symbol, y: Argument) -> tuple[Argument, Argument]:
    """A product's factors in the order in which they were made, so that x·y and y·x are the same, in every process."""
    return (x, y) if not isinstance(y, Symbol) or x.number <= y.number else (y, x)


# ----------------------------------------------------------------------------------------------------------- programs


@dataclass(frozen=True)
class Operand:
    """A tensor of stacked components that a program reads or writes.

    Attributes:
        name: of the operand.
        components: which components it holds, in order.
        uniform: whether they are the same for every row: read so, and as a result summed over the rows.
    """

    name: str
    components: tuple[int, ...]
    uniform: bool = False


@dataclass(frozen=True, eq=False)
class Program:
    """What to compute for every entry.

    Attributes:
        inputs: the operands that are read.
        outputs: the operands that are written, with the argument that every component takes.
        steps: the symbols that are not inputs, in an order in which they can be computed.
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[tuple[Operand, tuple[Argument, ...]], ...]
    steps: tuple[Symbol, ...]

    @property
    def uniform(self) -> bool:
        """Whether some operand is the same for every row."""
        return any(operand.uniform for operand in (*self.inputs, *(o for o, _ in self.outputs)))


def program(inputs: tuple[Operand, ...], outputs: Sequence[tuple[Operand, Sequence[Argument]]]) -> Program:
    """Only the steps that the outputs need; arguments come before what is made of them."""
    steps: dict[Symbol, None] = {}
    waiting = [x for _, results in outputs for x in results if isinstance(x, Symbol)][::-1]
    while waiting:
        symbol = waiting[-1]
        missing = [x for x in symbol.arguments if isinstance(x, Symbol) and x not in steps]
        if missing:
            waiting += missing
        else:
            waiting.pop()
            steps.setdefault(symbol)
    kept = tuple(s for s in steps if s.operation != "input")
    return Program(inputs, tuple((o, tuple(results)) for o, results in outputs), kept)


# -------------------------------------------------------------------------------------------------- torch's functions

UNARY = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "lgamma", "abs", "isfinite",
)  # fmt: skip
"""Functions that C has under the same name."""

OPERATIONS = frozenset(
    {"input", "add", "sub", "mul", "div", "neg", "and", "gt", "ge", "lt", "le", "where", "cast", *UNARY}
)
"""What a program may consist of; every back end has a word for each."""


def _unary(name: str) -> Callable[[Any], Any]:
    return lambda x: x.recorder.emit(name, x)


def _where(condition: Symbol, x: Argument, y: Argument) -> Symbol:
    return condition.recorder.emit("where", condition, x, y)


def _add(x: Argument, y: Argument, alpha: float = 1) -> Argument:
    return x + y * alpha


def _addcmul(z: Argument, x: Argument, y: Argument, value: float = 1) -> Argument:
    return z + x * y * value


def _sigmoid(x: Any) -> Any:
    """By exp(−|x|), so that the sigmoids of x and −x share all that takes time."""
    at, turned = (x.arguments[0], True) if x.operation == "neg" else (x, False)
    decay = torch.exp(-torch.abs(at))
    larger = 1 / (1 + decay)
    smaller = decay * larger
    return _where(at > 0, smaller, larger) if turned else _where(at > 0, larger, smaller)


def _tanh(x: Any) -> Any:
    """2σ(2x) − 1, and its Taylor series near 0; the slope 4σ(2x)σ(−2x) then takes no other exponential."""
    decay = torch.exp(-torch.abs(x * 2))
    far = (1 - decay) * (1 / (1 + decay))
    square, near = x * x, TANH[-1]
    for c in TANH[-2::-1]:
        near = square * near + c
    small: Any = torch.abs(x) < 0.3
    return _where(small, x * near, _where(x > 0, far, -far))


TANH = (
    1.0, -1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925, 21844 / 6081075, -929569 / 638512875,
    6404582 / 10854718875, -443861162 / 1856156927625, 18888466084 / 194896477400625,
)  # fmt: skip
"""The coefficients of x²ᵏ⁺¹ in tanh x."""


def _power(x: Any, p: float) -> Any:
    """xᵖ by products, for exponents that are small whole numbers or their halves."""
    if not float(2 * p).is_integer() or abs(p) > 64:
        raise NotRecorded("pow")
    if p < 0:
        return 1 / _power(x, -p)
    whole = int(p)
    half, odd = whole // 2, whole % 2
    if p != whole:
        return torch.sqrt(x) * _power(x, whole) if whole else torch.sqrt(x)
    if not half:
        return x if odd else 1.0
    square = _power(x, half)
    return square * square * x if odd else square * square


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return _where(x * beta > threshold, x, torch.log1p(torch.exp(x * beta)) * (1 / beta))


def _ndtr(x: Any) -> Any:
    return torch.erfc(x * -math.sqrt(0.5)) * 0.5


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate not in ("none", "tanh"):
        raise NotRecorded("gelu")
    if approximate == "none":
        return x * _ndtr(x)
    return x * 0.5 * (1 + torch.tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)))


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    return _where(x > 0, x * scale, torch.expm1(x * input_scale) * (alpha * scale))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _unary(name) for name in UNARY},
    "add": _add,
    "sub": lambda x, y, alpha=1: x - y * alpha,
    "rsub": lambda x, y: y - x,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "addcmul": _addcmul,
    "neg": lambda x: -x,
    "where": _where,
    "to": lambda x, dtype: x.recorder.emit("cast", x),
    "conj": lambda x: x,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / torch.sqrt(x),
    "square": lambda x: x * x,
    "pow": _power,
    "number_power": _power,
    "sigmoid": _sigmoid,
    "expit": _sigmoid,
    "tanh": _tanh,
    "sign": lambda x: (x > 0).to(None) - (x < 0).to(None),
    "relu": lambda x: _where(x <= 0, 0.0, x),
    "leaky_relu": lambda x, negative_slope=0.01: _where(x > 0, x, x * negative_slope),
    "silu": lambda x: x * _sigmoid(x),
    "softplus": _softplus,
    "logsigmoid": lambda x: _where(x > 0, 0.0, x) - torch.log1p(torch.exp(-torch.abs(x))),
    "log_sigmoid": lambda x: _where(x > 0, 0.0, x) - torch.log1p(torch.exp(-torch.abs(x))),
    "softsign": lambda x: x / (1 + torch.abs(x)),
    "tanhshrink": lambda x: x - torch.tanh(x),
    "mish": lambda x: x * torch.tanh(_softplus(x)),
    "ndtr": _ndtr,
    "gelu": _gelu,
    "elu": _elu,
    "celu": lambda x, alpha=1.0: _elu(x, alpha, 1.0, 1 / alpha),
    "selu": lambda x: _elu(x, 1.6732632423543772848, 1.0507009873554804934),
}
"""What a torch function, by its name, writes down."""
