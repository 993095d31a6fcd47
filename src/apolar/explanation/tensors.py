"""Functions of whole tensors: how a gradient is pulled back through them, one line each.

A pull-back takes the gradient ḡ of the result, the result y, the operands x and the node, and is written with the
operators that tensors and ``Term`` share: run with terms it is the formula that is shown, with tensors the operations
from which a gradient's own graph is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from apolar.explanation.notation import Term
from apolar.explanation.tape import Node
from apolar.text.languages import mark

Pullback = Callable[[Any, Any, Sequence[Any], Node], Any]


@dataclass(frozen=True)
class Rule:
    """How a function of tensors reads.

    Attributes:
        value: the formula of the result; None where the name of the function and its arguments say it.
        pullbacks: for each operand; empty where the words say it.
        words: what happens, as a marked text: one for all operands, or one for each in their order.
        linear: whether the local derivative does not depend on the operands.
        computes: for which nodes the pull-backs are also computed with tensors, as they are written.
    """

    value: Callable[[Sequence[Term], Node], Term] | None = None
    pullbacks: tuple[Pullback, ...] = ()
    words: str | tuple[str, ...] = ""
    linear: bool = False
    computes: Callable[[Node], bool] = lambda node: True


def count(node: Node) -> int:
    """How many entries of the operand go into one of the result."""
    return int(node.operands[0].value.numel() // max(node.value.numel(), 1))


def axis(node: Node) -> Any:
    """The argument ``dim``."""
    return node.argument(1, "dim")


def _never(node: Node) -> bool:
    return False


def _to_one_number(node: Node) -> bool:
    return node.value.ndim == 0


def _loss_scale(g: Any, node: Node) -> Any:
    mean = node.argument(None, "reduction", "mean") == "mean"
    return g / node.operands[0].value.numel() if mean else g


def _ndims(node: Node) -> tuple[int, ...]:
    return tuple(operand.value.ndim for operand in node.operands)


def _product_left(g: Any, y: Any, x: Sequence[Any], node: Node) -> Any:
    left, right = _ndims(node)
    if right > 1:
        return g @ x[1].mT
    return x[1] * g if left == 1 else g.outer(x[1])


def _product_right(g: Any, y: Any, x: Sequence[Any], node: Node) -> Any:
    left, right = _ndims(node)
    if left > 1:
        return x[0].mT @ g
    return x[0] * g if right == 1 else x[0].outer(g)


MATMUL = Rule(
    value=lambda x, node: x[0] @ x[1],
    pullbacks=(_product_left, _product_right),
    computes=lambda node: max(_ndims(node)) <= 2 or min(_ndims(node)) >= 2,
)

LINEAR = Rule(
    value=lambda x, node: x[0] @ x[1].mT + x[2] if len(x) > 2 else x[0] @ x[1].mT,
    pullbacks=(
        lambda g, y, x, node: g @ x[1],
        lambda g, y, x, node: g.outer(x[0]) if node.value.ndim == 1 else g.mT @ x[0],
        lambda g, y, x, node: g if node.value.ndim == 1 else g.sum(0),
    ),
    computes=lambda node: node.value.ndim <= 2,
)

SOFTMAX = Rule(
    pullbacks=(lambda g, y, x, node: y * (g - (g * y).sum(axis(node), keepdim=True)),),
    computes=lambda node: isinstance(axis(node), int) and node.argument(None, "dtype") is None,
)

LOG_SOFTMAX = Rule(
    pullbacks=(lambda g, y, x, node: g - y.exp() * g.sum(axis(node), keepdim=True),),
    computes=lambda node: isinstance(axis(node), int) and node.argument(None, "dtype") is None,
)


def _euclidean(node: Node) -> bool:
    order = node.argument(1, "p", node.argument(1, "ord", 2))
    return order in (2, 2.0, None, "fro") and _to_one_number(node)


NORM = Rule(pullbacks=(lambda g, y, x, node: x[0] * (g / y) if _euclidean(node) else None,), computes=_euclidean)

MSE = Rule(
    pullbacks=(
        lambda g, y, x, node: _loss_scale(2 * g, node) * (x[0] - x[1]),
        lambda g, y, x, node: _loss_scale(2 * g, node) * (x[1] - x[0]),
    ),
    computes=lambda node: node.argument(None, "weight") is None,
)

SUM = Rule(
    pullbacks=(lambda g, y, x, node: g,),
    words=mark("every entry that was summed receives the gradient of the sum"),
    linear=True,
    computes=_to_one_number,
)

MEAN = Rule(
    pullbacks=(lambda g, y, x, node: g / count(node),),
    words=mark("every entry receives its share of the gradient of the mean"),
    linear=True,
    computes=_to_one_number,
)

PRODUCT = Rule(
    words=mark("every entry receives the gradient times the product of the others"),
    computes=_never,
)

EXTREME = Rule(words=mark("the gradient goes to the entries that were chosen"), computes=_never)

PLACES = Rule(
    words=mark("every entry of the gradient goes back to the place that it came from"), linear=True, computes=_never
)

COPIES = Rule(words=mark("the gradients of the copies are summed"), linear=True, computes=_never)


def _shaped_back(g: Any, y: Any, x: Sequence[Any], node: Node) -> Any:
    return g.reshape(node.operands[0].value.shape)


RESHAPED = Rule(pullbacks=(_shaped_back,), linear=True)

TRANSPOSED = Rule(
    value=lambda x, node: x[0].mT,
    pullbacks=(lambda g, y, x, node: g.mT,),
    linear=True,
    computes=lambda node: node.value.ndim >= 2,
)

OUTER = Rule(pullbacks=(lambda g, y, x, node: g @ x[1], lambda g, y, x, node: g.mT @ x[0]))


def _times(number: Any, matrix: Any) -> Any:
    return number @ matrix if isinstance(number, Term) else number * matrix


def _identity(g: Any, node: Node) -> Any:
    n = node.operands[0].value.shape[-1]
    return Term("I", "I") if isinstance(g, Term) else g.new_ones(n).diag()


def _one_regular_matrix(node: Node) -> bool:
    matrix = node.operands[0].value
    return matrix.ndim == 2 and bool(torch.linalg.det(matrix) != 0)


def _of_regular(pullback: Pullback) -> Pullback:
    """Only where the matrix has an inverse."""
    return lambda g, y, x, node: pullback(g, y, x, node) if _one_regular_matrix(node) else None


DETERMINANT = Rule(
    pullbacks=(_of_regular(lambda g, y, x, node: _times(_times(g, y), x[0].inverse().mT)),), computes=_never
)

LOG_DETERMINANT = Rule(pullbacks=(_of_regular(lambda g, y, x, node: _times(g, x[0].inverse().mT)),), computes=_never)

INVERSE = Rule(
    value=lambda x, node: x[0].inverse(), pullbacks=(lambda g, y, x, node: -(y.mT @ g @ y.mT),), computes=_never
)


def _solved_left(g: Any, y: Any, x: Sequence[Any], node: Node) -> Any:
    pulled = x[0].inverse().mT @ g
    return -(pulled.outer(y) if node.value.ndim == 1 else pulled @ y.mT)


SOLUTION = Rule(
    value=lambda x, node: x[0].inverse() @ x[1],
    pullbacks=(_solved_left, lambda g, y, x, node: x[0].inverse().mT @ g),
    computes=_never,
)

TRACE = Rule(pullbacks=(lambda g, y, x, node: _times(g, _identity(g, node)),), computes=_never)

LINEAR_MAP = Rule(words=mark("the operation is linear, and its transpose is applied"), linear=True, computes=_never)

LOGSUMEXP = Rule(pullbacks=(lambda g, y, x, node: g * (x[0] - y).exp(),), computes=_to_one_number)

CROSS_ENTROPY = Rule(
    words=(mark("softmax of the scores minus the target, times the gradient and the weight of the row"),),
    computes=_never,
)

CONVOLUTION = Rule(
    words=(
        mark("the convolution is transposed"),
        mark("the input is correlated with the gradient: each weight met many entries of the input"),
        mark("the gradient is summed over samples and positions: the bias was added to each"),
    ),
    computes=_never,
)


def _rules(rule: Rule, *names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, rule)


MOVING = (
    "transpose", "swapaxes", "permute", "movedim", "getitem",
    "select", "narrow", "unbind", "split", "chunk", "tensor_split", "cat",
    "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "flip", "roll", "rot90", "diag", "diagonal", "tril",
    "triu", "index_select", "gather", "take", "masked_select", "contiguous", "pad",
    "index_put", "masked_fill", "scatter",
)  # fmt: skip
"""What puts entries into other places, and changes none."""

TENSORS: dict[str, Rule] = {
    **_rules(MATMUL, "matmul", "mm", "bmm", "mv", "dot"),
    **_rules(LINEAR, "linear"),
    **_rules(SOFTMAX, "softmax"),
    **_rules(LOG_SOFTMAX, "log_softmax"),
    **_rules(LOGSUMEXP, "logsumexp"),
    **_rules(NORM, "norm", "linalg_norm", "linalg_vector_norm"),
    **_rules(MSE, "mse_loss"),
    **_rules(CROSS_ENTROPY, "cross_entropy"),
    **_rules(SUM, "sum"),
    **_rules(MEAN, "mean"),
    **_rules(PRODUCT, "prod"),
    **_rules(EXTREME, "max", "min", "amax", "amin", "sort", "topk", "median", "max_pool1d", "max_pool2d", "max_pool3d"),
    **_rules(PLACES, *MOVING),
    **_rules(COPIES, "expand", "expand_as", "repeat", "tile", "broadcast_to", "repeat_interleave"),
    **_rules(RESHAPED, "reshape", "view", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze"),
    **_rules(TRANSPOSED, "T", "mT", "H", "mH", "t"),
    **_rules(OUTER, "outer", "ger"),
    **_rules(DETERMINANT, "det", "linalg_det"),
    **_rules(LOG_DETERMINANT, "logdet", "slogdet", "linalg_slogdet"),
    **_rules(INVERSE, "inverse", "inv", "linalg_inv"),
    **_rules(SOLUTION, "linalg_solve"),
    **_rules(TRACE, "trace"),
    **_rules(LINEAR_MAP, "cumsum", "diff", "avg_pool1d", "avg_pool2d", "avg_pool3d"),
    **_rules(CONVOLUTION, "conv1d", "conv2d", "conv3d"),
}
"""torch's name ↦ its rule."""
