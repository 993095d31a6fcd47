"""Rules of one's own, by the same records as the tables: the functions of ``ap.register``.

What is registered is judged where it is used: at its first call, for each order and for other arguments again, the derivatives
that it gives are compared with differences of the function itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function, resolve_name

from apolar.engine import series
from apolar.engine.arrays import Arrays
from apolar.engine.context import recording, values_readable
from apolar.engine.jet import Jet, user_line
from apolar.engine.torch_private import OpOverload, OpOverloadPacket, tree_leaves
from apolar.errors import DetachedError, RuleError, UnsupportedOperator, VerificationError
from apolar.rules.judging import Judge
from apolar.rules.lifting import on_jets
from apolar.rules.record import RECORDS, Cause, Entries, Kind, Rule, Singular
from apolar.rules.registry import register
from apolar.rules.singular_points import crossing

Function = Callable[..., Any]


def elementwise(
    function: Function,
    *,
    derivative: Function | None = None,
    formula: Function | None = None,
    kinks: Function | None = None,
    replacing: bool = False,
) -> Function:
    """A function φ of one tensor, entry by entry, whose derivatives go on by an equation or a formula.

    Args:
        function: what is called: an operator of ``torch.library``, an ``autograd.Function``, a function of torch or a Python
            function. Its first argument is the tensor, others are parameters.
        derivative: φ′ = derivative(y, x, *parameters) with y = φ(x), in functions of torch; all orders follow.
        formula: φ(x) in functions of torch, instead.
        kinks: a function of the same arguments that is 0 where φ has no derivative.
        replacing: whether there is a rule already, which this one replaces.

    Returns:
        The function to be called. It is ``function`` itself, but for Python functions, of which no jet would know.

    Raises:
        RuleError: there is a rule already; or neither or both of derivative and formula are given.

    When it is used, VerificationError: the derivatives are not those of the function.

    Source: docs/mathematics.md, "Elementwise functions"; the recurrence of ``engine/series.py``.

    >>> tanh = ap.register.elementwise(lambda x: torch.from_dlpack(np.tanh(x.numpy())), derivative=lambda y, x: 1 - y * y)
    >>> ap.derivative(tanh, order=3)(torch.zeros(2))
    tensor([-2., -2.])
    """
    if (derivative is None) is (formula is None):
        raise RuleError("give one of derivative, φ′ in terms of y = φ(x) and x, and formula, φ in functions of torch")

    def slope(x: Tensor, *parameters: Any, **named: Any) -> Any:
        return series.dense(entry.taylor(x, 1, *parameters, **named)[1])

    called, keys = _overridable(function, slope)
    entry = series.Elementwise(called, derivative, formula)
    singular = () if kinks is None else (Singular(Cause.KINK, lambda *args, **named: crossing(kinks(*args, **named))),)
    _enter(Rule(Kind.ELEMENTWISE, entry, entries=Entries.APART, singular=singular), keys, replacing)
    series.FUNCTIONS.update(dict.fromkeys(keys, entry))
    return called


def linear(function: Function, *, arguments: tuple[int | str, ...] = (0,), replacing: bool = False) -> Function:
    """A function that is linear in some of its arguments together.

    Args:
        function: as for :func:`elementwise`.
        arguments: positions or names of these arguments.
        replacing: whether there is a rule already, which this one replaces.

    Returns:
        The function to be called, as from :func:`elementwise`.

    Raises:
        RuleError: there is a rule already.

    When it is used, VerificationError: the function is not linear.

    >>> def smooth(x):
    ...     return torch.from_dlpack(np.convolve(x.numpy(), [0.5, 0.5]).astype(np.float32))
    >>> smooth = ap.register.linear(smooth)
    >>> x, v = torch.ones(2), torch.tensor([1.0, 0.0])
    >>> ap.jvp(lambda x: smooth(x) ** 2, (x,), (v,))[1]
    tensor([0.5000, 1.0000, 0.0000])
    """
    called, keys = _overridable(function)
    _enter(Rule(Kind.LINEAR, linear_in=arguments), keys, replacing)
    return called


def bilinear(function: Function, *, replacing: bool = False) -> Function:
    """A function of two tensors that is linear in each: Leibniz' rule. Arguments, results and errors as for :func:`linear`.

    >>> outer = ap.register.bilinear(lambda x, y: torch.from_dlpack(np.outer(x.numpy(), y.numpy())))
    >>> ap.jvp(lambda x: outer(x, x), (torch.tensor([1.0, 2.0]),), (torch.tensor([1.0, 0.0]),))[1]
    tensor([[2., 2.],
            [2., 0.]])
    """
    called, keys = _overridable(function)
    _enter(Rule(Kind.BILINEAR, linear_in=(0, 1)), keys, replacing)
    return called


def composite(function: Function, definition: Function, *, replacing: bool = False) -> Function:
    """A function in the words of others: ``definition`` takes the same arguments and calls functions of torch.

    Arguments, results and errors as for :func:`linear`.

    >>> cube = ap.register.composite(lambda x: torch.from_dlpack(x.numpy() ** 3), lambda x: x * x * x)
    >>> ap.derivative(cube, order=2)(torch.tensor([5.0]))
    tensor([30.])
    """
    called, keys = _overridable(function)
    _enter(Rule(Kind.COMPOSITE, definition, entries=Entries.DEFINED), keys, replacing)
    return called


def constant(function: Function, *, replacing: bool = False) -> Function:
    """A function whose derivative is 0 wherever it has one. Arguments, results and errors as for :func:`linear`.

    >>> floor = ap.register.constant(lambda x: torch.from_dlpack(np.floor(x.numpy())))
    >>> ap.derivative(lambda x: x * floor(x))(torch.tensor([2.5]))
    tensor([2.])
    """
    called, keys = _overridable(function, tracked=False)
    _enter(Rule(Kind.CONSTANT), keys, replacing)
    return called


def _enter(rule: Rule, keys: tuple[Any, ...], replacing: bool) -> None:
    """The record, with the judge in front of what jets do."""
    follow = on_jets(rule)
    judge = Judge(follow)

    def judged(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
        if values_readable():
            order = judge.wrong_order(jet, func, args, kwargs)
            if order is not None:
                raise VerificationError(
                    f"the rule that ap.register.{rule.kind} gave {getattr(func, '__qualname__', func)} is wrong: at order "
                    f"{order} it is not the derivative that differences of the function show{user_line()}. Correct the rule, "
                    "or the function; at a kink, choose other points."
                )
        return follow(jet, func, *args, **kwargs)

    register(Rule(**{**vars(rule), "on_jets": judged}), *keys, replacing=replacing)


def _overridable(
    function: Function, slope: Function | None = None, tracked: bool = True
) -> tuple[Function, tuple[Any, ...]]:
    """The function to be called, and by what names torch then hands it over to jets."""
    operator = getattr(function, "_opoverload", function)
    if isinstance(operator, OpOverload):
        return function, (operator, operator.overloadpacket)
    if isinstance(operator, OpOverloadPacket):
        return function, (operator, *(getattr(operator, name) for name in operator.overloads()))
    if isinstance(function, type) and issubclass(function, torch.autograd.Function):
        called = _dispatching(function.apply)
        function.apply = called  # type: ignore[method-assign]
        return called, (called,)
    if not callable(function):
        raise RuleError(f"a rule is for a function, got {type(function).__name__}")
    if function in RECORDS or resolve_name(function) is not None:
        return function, (function,)
    called = (
        _dispatching(function, tracked) if slope is None else _dispatching(_with_slope(function, slope), tracked=False)
    )
    return called, (called,)


def _dispatching(function: Function, tracked: bool = True) -> Function:
    """The same function, which hands itself over to tensors of other kinds among its arguments, as torch's functions do.

    Where it is tracked, a result without gradient is an error if an argument has one.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        relevant = tuple(x for x in tree_leaves((args, kwargs)) if isinstance(x, (Tensor, series.Series)))
        if has_torch_function(relevant):
            return handle_torch_function(called, relevant, *args, **kwargs)
        with Arrays() if recording() else nullcontext():
            result = function(*args, **kwargs)
        if tracked and torch.is_grad_enabled() and _requires_grad(relevant) and not _requires_grad(result):
            raise DetachedError(
                f"{called.__qualname__} gives a result without gradient, and derivatives would be lost{user_line()}. Write it "
                "in functions of torch, or as an operator of torch.library with register_autograd."
            )
        return result

    return called


def _requires_grad(tree: Any) -> bool:
    return any(x.requires_grad for x in tree_leaves(tree) if isinstance(x, Tensor))


def _with_slope(function: Function, slope: Function) -> Function:
    """An elementwise function of Python, which autograd need not understand, with φ′ for reverse and forward mode."""

    class Valued(torch.autograd.Function):
        @staticmethod
        def forward(x: Tensor, parameters: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
            value: Tensor = function(x.detach(), *parameters, **named)
            return value

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            x, ctx.parameters, ctx.named = inputs
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)

        @staticmethod
        def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
            (x,) = ctx.saved_tensors
            by = slope(x, *ctx.parameters, **ctx.named)
            return cotangent * (by.conj() if isinstance(by, Tensor) else by), None, None

        @staticmethod
        def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
            (x,) = ctx.saved_tensors
            moved: Tensor = tangent * slope(x, *ctx.parameters, **ctx.named)
            return moved

        @staticmethod
        def vmap(info: Any, dims: Any, x: Tensor, parameters: Any, named: Any) -> tuple[Tensor, Any]:
            return Valued.apply(x, parameters, named), dims[0]

    @functools.wraps(function)
    def valued(x: Tensor, *parameters: Any, **named: Any) -> Tensor:
        if any(isinstance(p, Tensor) and p.requires_grad for p in (*parameters, *named.values())):
            raise UnsupportedOperator(
                f"{getattr(function, '__qualname__', function)} has a derivative by its first argument only, and a parameter "
                "requires gradients: register it as ap.register.composite in functions of torch."
            )
        result: Tensor = Valued.apply(x, parameters, named)
        return result

    return valued
