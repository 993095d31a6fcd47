"""A derivative explained step by step: forward pass, backward pass, higher orders, formulas and the graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from apolar.engine.torch_private import tree_leaves
from apolar.errors import (
    ApolarError,
    DtypeError,
    ExpressionError,
    FunctionError,
    OperatorError,
    ShapeError,
    SingularPoint,
    VerificationError,
)
from apolar.explanation import symbolic
from apolar.explanation.backward import derivation
from apolar.explanation.components import Component, components
from apolar.explanation.explanation import (
    Adjoint,
    By,
    Contribution,
    Derivation,
    Edge,
    Explanation,
    Leaf,
    Step,
    Symbolic,
)
from apolar.explanation.gradient import record_gradient
from apolar.explanation.local import Operation
from apolar.explanation.notation import Formula, named
from apolar.explanation.tape import Node, Recorder, ancestors
from apolar.expression import Expression, parse
from apolar.text.languages import Language, translate

__all__ = [
    "Adjoint",
    "Component",
    "Contribution",
    "Derivation",
    "Edge",
    "Explanation",
    "Leaf",
    "Step",
    "Symbolic",
    "explain",
]

MAX_DERIVATIONS = 60


def explain(
    f: Callable[..., Tensor] | str,
    x: Any = None,
    /,
    order: int = 1,
    *,
    seed: Any = None,
    lang: Language = "en",
    **values: Any,
) -> Explanation:
    """The steps of a derivative: every operation of the forward pass, every product of the backward pass.

    A result with several entries is summed first, each multiplied by its entry in ``seed``. For orders above 1, the
    derivative by each input is explained again as a function of its own; that by a vector is summed over its entries.

    Args:
        f: a function of tensors, a ``torch.nn.Module``, or a formula such as ``"cos(x^2)"``.
        x: a tensor or a number, or a tuple of them; for a formula the value of its only variable, a dictionary of the values of
            several, or each as a keyword by its name.
        order: 1 for the gradient, 2 and more for the derivatives of the gradient.
        seed: of the shape of the result; 1 everywhere by default.
        lang: the language of the texts, "en" or "zh".
        values: of the variables of a formula.

    Returns:
        An explanation that prints as text; ``to_html``, ``to_latex``, ``to_json`` and ``to_dot`` give other forms.

    Raises:
        ExpressionError: the formula cannot be read, or a value is missing.
        DtypeError: an input is not real and floating point, or a value on the way is complex.
        OperatorError: the order is not possible.
        ShapeError: the seed does not have the shape of the result.
        FunctionError: ``f`` fails, is random, or does not return one tensor that depends on the inputs.
        UnsupportedOperator: the steps of ``f`` cannot be recorded.
        DetachedError: ``f`` takes a value out of the computation.
        SingularPoint: an order above 1 is asked for at a point where the function is not defined.
        VerificationError: two independent ways to the highest derivative disagree, as they may at a kink.

    >>> e = ap.explain("cos(x^2)", x=0.5)
    >>> [(str(step.name), str(step.formula), round(step.value.item(), 6)) for step in e.derivations[0].steps]
    [('v₁', 'x²', 0.25), ('v₂', 'cos(v₁)', 0.968912)]
    >>> round(e.derivatives["x",].item(), 6)
    -0.247404
    """
    translate("", "explanation", lang)
    if x is None and (isinstance(values.get("x"), Mapping) or not isinstance(f, str)):
        x = values.pop("x", None)
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise OperatorError(f"the order is a whole number from 1 on, got {order!r}")
    function, inputs, name, title = _formula(f, x, values) if isinstance(f, str) else _function(f, x, values)
    recorder, output = _record(function, inputs)
    if order > 1 and output.value.isnan().any():
        raise SingularPoint(f"{title} is not defined at this point: {_first_lost(output)} is NaN. Move the point.")
    moving = [node for node in recorder.inputs if node.active]
    weights = _seed(seed, output)
    derivations = _derivations(recorder, output, moving, order, weights)
    shown: list[Component] = []
    if order > 1:
        try:
            travelling = components(output, moving, order)
        except ApolarError:
            pass
        else:
            _compare(travelling[output], derivations, moving, order, weights)
            shown = [component for by_orders in travelling.values() for component in by_orders.values()]
    numbers = {(*d.by, name): value for d in derivations for name, value in d.gradients.items()}
    for found in derivations[1:]:
        _agree(found.value, numbers[found.by], found.value, found.by, "as a function of its own")
    expression = symbolic.function(output, moving) if weights is None else None
    formulas = () if expression is None else symbolic.derivatives(expression, moving, numbers, output.value)
    return Explanation(
        title,
        name,
        {node.label: node.value for node in recorder.inputs},
        order,
        output.value,
        derivations,
        tuple(shown),
        formulas,
        weights,
        lang,
    )


# ---------------------------------------------------------------------------------------------------------------- input


def _formula(text: str, x: Any, values: Mapping[str, Any]) -> tuple[Expression, list[tuple[str, Tensor]], Formula, str]:
    """A typed formula with the values of its variables."""
    given = {**(x if isinstance(x, Mapping) else {}), **values}
    expression = parse(text, known=given)
    names = expression.variables
    if x is not None and not isinstance(x, Mapping):
        given["x" if "x" in names or len(names) != 1 else names[0]] = x
    missing, unknown = [n for n in names if n not in given], [n for n in given if n not in names]
    if not names:
        raise ExpressionError(f"{expression.text} has no variable, so there is nothing to differentiate")
    if missing or unknown:
        problems = [f"a value is missing for {', '.join(missing)}"] * bool(missing)
        problems += [f"a value is given for {', '.join(unknown)}, but {', '.join(unknown)} does not occur"] * bool(
            unknown
        )
        raise ExpressionError(
            f"the formula {expression.text!r} has the variable{'s' * (len(names) > 1)} {', '.join(names)}; "
            + ", and ".join(problems)
        )
    title = f"f({_listed(names)}) = {expression.text}"
    return expression, [(name, _tensor(name, given[name], torch.float64)) for name in names], named("f"), title


def _function(
    f: Callable[..., Tensor], x: Any, values: Mapping[str, Any]
) -> tuple[Callable[..., Tensor], list[tuple[str, Tensor]], Formula, str]:
    """A function with its arguments."""
    if values:
        raise FunctionError(f"{', '.join(values)}: only a formula takes its values by name; a function takes them as x")
    if x is None:
        raise FunctionError("x is missing: give the tensor, or a tuple of the tensors, at which f is differentiated")
    arguments = tuple(x) if isinstance(x, tuple | list) else (x,)
    weights = [p.dtype for p in f.parameters() if p.is_floating_point()] if isinstance(f, nn.Module) else []
    dtype = weights[0] if weights else torch.float64
    names = _argument_names(f, len(arguments))
    pairs = [(n, _tensor(n, a, dtype)) for n, a in zip(names, arguments)]
    called = getattr(f, "__name__", "<lambda>")
    if isinstance(f, nn.Module) or not called.isidentifier():
        title = f"f({_listed(names)})" + (
            f" = {type(f).__name__}({_listed(names)})" if isinstance(f, nn.Module) else ""
        )
        return f, pairs, named("f"), title
    return f, pairs, named(called), f"{named(called)}({_listed(names)})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(named(name).plain for name in names)


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Those in the signature of the function; x, or x1, x2, …, where it has none."""
    generic = ["x"] if count == 1 else [f"x{k + 1}" for k in range(count)]
    if isinstance(f, nn.Module):
        f = f.forward
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return generic
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return generic if len(names) < count or names == ["input"] else names


def _tensor(name: str, value: Any, dtype: torch.dtype) -> Tensor:
    if isinstance(value, Real):
        return torch.tensor(float(value), dtype=dtype)
    try:
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DtypeError(f"{name} is neither a number nor a tensor, got {type(value).__name__}") from error
    if not tensor.is_floating_point():
        raise DtypeError(f"{name} must be real and floating point, got {tensor.dtype}: use {name}.double()")
    return tensor.detach()


def _seed(seed: Any, output: Node) -> Tensor | None:
    if seed is None:
        return None
    weights = torch.as_tensor(seed, dtype=output.value.dtype, device=output.value.device).detach()
    if weights.shape != output.value.shape:
        raise ShapeError(
            f"the seed has the shape {tuple(weights.shape)}, the result of the function {tuple(output.value.shape)}: "
            "it needs one number for each entry of the result"
        )
    return weights


# ------------------------------------------------------------------------------------------------------------ recording


def _record(function: Callable[..., Any], inputs: Sequence[tuple[str, Tensor]]) -> tuple[Recorder, Node]:
    parameters = {id(p): n for n, p in function.named_parameters()} if isinstance(function, nn.Module) else {}
    recorder = Recorder(inputs, parameters)
    try:
        with recorder, torch.enable_grad():
            result = function(*(recorder.tensor(node) for node in recorder.inputs))
    except ApolarError:
        raise
    except Exception as error:
        raise FunctionError(f"f fails at this point with {type(error).__name__}: {error}") from error
    if not isinstance(result, Tensor):
        found = [type(leaf).__name__ for leaf in tree_leaves(result)]
        raise FunctionError(f"f must return one tensor, got {', '.join(found)}: return one of them, or their sum")
    output = recorder.node(result)
    if not output.active:
        raise FunctionError(
            "the result does not depend on the inputs in a way that can be differentiated: it is constant, detached, "
            "or made of whole numbers or comparisons"
        )
    return recorder, output


def _first_lost(output: Node) -> str:
    """The formula of the first step without a value."""
    lost = next(node for node in ancestors(output) if node.value.isnan().any())
    return Operation(lost).formula.plain if lost.kind == "operation" else lost.name.plain


def _derivations(
    recorder: Recorder, output: Node, inputs: Sequence[Node], order: int, seed: Tensor | None
) -> tuple[Derivation, ...]:
    """The function, its first derivatives as functions, and so on: each set of inputs once, in the order of the inputs."""
    found = [derivation(output, (), seed, inputs)]
    level: list[tuple[By, Node, int, Tensor | None]] = [((), output, 0, seed)]
    for _ in range(order - 1):
        following: list[tuple[By, Node, int, Tensor | None]] = []
        for by, value, first, weights in level:
            gradients = record_gradient(recorder, value, weights)
            for k, node in enumerate(inputs[first:], start=first):
                derivative = gradients.get(node) or recorder.node(torch.zeros_like(node.value))
                following.append(((*by, node.label), derivative, k, None))
        if len(found) + len(following) > MAX_DERIVATIONS:
            raise OperatorError(
                f"order {order} in {len(inputs)} inputs takes more than {MAX_DERIVATIONS} derivations: ask for a lower one"
            )
        found += [derivation(value, by, weights, inputs) for by, value, _, weights in following]
        level = following
    return tuple(found)


def _compare(
    travelling: Mapping[tuple[int, ...], Component],
    derivations: Sequence[Derivation],
    inputs: Sequence[Node],
    order: int,
    seed: Tensor | None,
) -> None:
    """Forward and backward must end at the same numbers.

    Raises:
        VerificationError: they do not.
    """
    for found in derivations:
        for name, value in found.gradients.items():
            by = (*found.by, name)
            orders = tuple(by.count(node.label) for node in inputs)
            if len(by) != sum(orders):
                continue
            forward = travelling[orders].value
            ahead = (forward if seed is None else forward * seed).sum()
            _agree(ahead, value.sum(), value, by, "when its components travel forward")


def _agree(one: Tensor, other: Tensor, size: Tensor, by: By, how: str) -> None:
    """Two numbers that were found in two ways are the same, up to rounding of numbers of this size.

    Raises:
        VerificationError: they are not.
    """
    allowed = torch.finfo(size.dtype).eps ** 0.5
    scale = max(1.0, float(size.nan_to_num(0, 0, 0).abs().sum()))
    if not torch.allclose(one.to(other.dtype), other, rtol=allowed, atol=allowed * scale, equal_nan=True):
        raise VerificationError(
            f"the derivative by {', '.join(by)} is {float(one.sum()):.6g} {how} and {float(other.sum()):.6g} by the backward "
            "pass. The function has a kink or a singular point here, or PyTorch differentiates one of its operations wrongly "
            "at this order: move the point a little, or ask for a lower order."
        )
