"""Points without derivative: what apolar gives there, and the check that finds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.oracles.lines import flat, leaves
from tests.rules.tables import CASES
from torch import Tensor, nn, tensor
from torch.utils._python_dispatch import TorchDispatchMode

import apolar as ap
from apolar.engine.jet import Jet
from apolar.evaluation.evaluate import push, read
from apolar.evaluation.seeds import lift, new_context
from apolar.evaluation.singular_check import name_of
from apolar.rules.record import RECORDS, Kind

# One case is one line, however long.
# fmt: off
# ruff: noqa: E501

Function = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Case:
    """A function at a point without derivative.

    Attributes:
        operator: the name in the error.
        function: of one point.
        at: the point.
        order: from which on there is no derivative.
        near: how far beside the point, times 1, 2, 3, …, the function is differentiable.
        convention: whether PyTorch has a finite first derivative at the point, that apolar gives too.
    """

    operator: str
    function: Function = field(repr=False)
    at: tuple[float, ...]
    order: int = 1
    near: float = 1e-3
    convention: bool = True

    def __str__(self) -> str:
        return f"{self.operator}-{self.line}"

    @property
    def line(self) -> int:
        return self.function.__code__.co_firstlineno

    def point(self) -> Tensor:
        return tensor(self.at, dtype=torch.float64)

    def beside(self) -> Tensor:
        return self.point() + self.near * torch.arange(1, len(self.at) + 1)

    def evaluate(self, at: Tensor, order: int, **options: Any) -> tuple[Tensor, ...]:
        """All unmixed derivatives up to the order."""
        symbols = tuple(ap.coordinates([f"x{i}" for i in range(len(self.at))]))
        return ap.evaluate(self.function, at, *(s**k for k in range(1, order + 1) for s in symbols), 1, **options)


def matrix(x: Tensor) -> Tensor:
    return x.reshape(-1, 2)


def halves(x: Tensor) -> Any:
    return x.reshape(2, -1).unbind(0)


KINKS = [
    Case("abs", lambda x: x.abs(), (0, 1)),
    Case("abs", lambda x: abs(x), (0, 1)),
    Case("abs", lambda x: torch.complex(*x).abs(), (0, 0), convention=False),
    Case("relu", lambda x: torch.relu(x), (0, 1)),
    Case("relu6", lambda x: F.relu6(x), (0, 6)),
    Case("leaky_relu", lambda x: F.leaky_relu(x), (0, 1)),
    Case("rrelu", lambda x: F.rrelu(x), (0, 1)),
    Case("prelu", lambda x: F.prelu(matrix(x), tensor([0.3, 1.0], dtype=x.dtype)), (0, 0, 1, 2)),
    Case("elu", lambda x: F.elu(x, 2.0), (0, 1)),
    Case("elu", lambda x: F.elu(x), (0, 1), order=2),
    Case("celu", lambda x: F.celu(x, 2.0), (0, 1), order=2),
    Case("selu", lambda x: F.selu(x), (0, 1)),
    Case("hardtanh", lambda x: F.hardtanh(x, -1, 2), (-1, 2)),
    Case("hardsigmoid", lambda x: F.hardsigmoid(x), (-3, 3)),
    Case("hardswish", lambda x: F.hardswish(x), (-3, 3)),
    Case("softshrink", lambda x: F.softshrink(x), (-0.5, 0.5)),
    Case("hardshrink", lambda x: F.hardshrink(x), (-0.5, 0.5)),
    Case("threshold", lambda x: F.threshold(x, 1.0, 1.0), (1,)),
    Case("clamp", lambda x: torch.clamp(x, -1, 1), (-1, 1)),
    Case("clamp", lambda x: x.clamp(max=tensor([1.0, 2.0])), (0, 2)),
    Case("clamp_min", lambda x: x.clamp_min(1), (1, 2)),
    Case("clamp_max", lambda x: x.clamp_max(1), (1, 0)),
    Case("special_i0e", lambda x: torch.special.i0e(x), (0, 1)),
    Case("special_i1e", lambda x: torch.special.i1e(x), (0, 1), order=2),
    Case("softsign", lambda x: F.softsign(x), (0, 1), order=2),
    Case("hypot", lambda x: torch.hypot(*x), (0, 0), convention=False),
    Case("renorm", lambda x: torch.renorm(x.reshape(2, 1), 2, 0, 1.0), (1, 0)),
]

JUMPS = [
    Case("sign", lambda x: torch.sign(x), (0, 1)),
    Case("sgn", lambda x: x.sgn(), (0, 1)),
    Case("angle", lambda x: torch.angle(x), (0, 1)),
    Case("floor", lambda x: torch.floor(x), (0, 0.5)),
    Case("ceil", lambda x: torch.ceil(x), (1, 0.5)),
    Case("trunc", lambda x: x.trunc(), (0, 1)),
    Case("frac", lambda x: x.frac(), (0, 1)),
    Case("round", lambda x: x.round(), (0.5, 1)),
    Case("round", lambda x: x.round(decimals=1), (0.25, 1)),
    Case("copysign", lambda x: torch.copysign(*x), (0, 1)),
    Case("copysign", lambda x: torch.copysign(*x), (2, 0)),
    Case("remainder", lambda x: x % 2, (2, 1)),
    Case("fmod", lambda x: x.fmod(2), (0, 2)),
    Case("div", lambda x: torch.div(x, 2, rounding_mode="floor"), (2, 1)),
    Case("div", lambda x: torch.div(x, 2, rounding_mode="trunc"), (0, 2)),
    Case("heaviside", lambda x: torch.heaviside(x, tensor(0.5, dtype=x.dtype)), (0, 1), convention=False),
    Case("floordiv", lambda x: x // 2, (2, 1), convention=False),
    Case("rfloordiv", lambda x: 2 // x, (2, 3), convention=False),
    Case("atan2", lambda x: torch.atan2(*x), (0, 0), convention=False),
    Case("special_xlogy", lambda x: torch.special.xlogy(*x), (0, 0), convention=False),
    Case("special_xlog1py", lambda x: torch.special.xlog1py(*x), (0, -1), convention=False),
    Case("pow", lambda x: tensor([0.0, 2.0], dtype=x.dtype) ** x, (0, 1), convention=False),
]

TIES = [
    Case("maximum", lambda x: torch.maximum(*x), (1, 1)),
    Case("minimum", lambda x: torch.minimum(*x), (1, 1)),
    Case("fmax", lambda x: torch.fmax(*x), (1, 1)),
    Case("fmin", lambda x: torch.fmin(*x), (1, 1)),
    Case("max", lambda x: torch.max(*x), (1, 1)),
    Case("max", lambda x: x.max(), (1, 0, 1)),
    Case("max", lambda x: x.max(0).values, (1, 0, 1)),
    Case("min", lambda x: x.min(), (1, 2, 1)),
    Case("amax", lambda x: torch.amax(matrix(x), 1), (1, 1, 0, 2)),
    Case("amin", lambda x: x.amin(), (1, 2, 1)),
    Case("aminmax", lambda x: torch.aminmax(x).max, (1, 0, 1), convention=torch.__version__ >= "2.13"),
    Case("median", lambda x: x.median(), (1, 0, 1)),
    Case("median", lambda x: matrix(x).median(0).values, (1, 2, 1, 3)),
    Case("nanmedian", lambda x: torch.cat([x, tensor([math.nan])]).nanmedian(), (1, 0, 1)),
    Case("sort", lambda x: x.sort(descending=True).values, (1, 0, 1)),
    Case("sort", lambda x: torch.msort(x), (1, 0, 1)),
    Case("topk", lambda x: x.topk(2, sorted=False).values, (1, 0, 1, 2)),
    Case("kthvalue", lambda x: x.kthvalue(2).values, (1, 0, 1)),
    Case("mode", lambda x: x.mode().values, (1, 0, 1)),
    Case("cummax", lambda x: x.cummax(0).values, (1, 0, 1)),
    Case("cummin", lambda x: x.cummin(0).values, (0, 1, 0)),
    Case("quantile", lambda x: x.quantile(0.4), (1, 0, 1)),
    Case("nanquantile", lambda x: x.nanquantile(tensor([0.5, 1.0]).double()), (1, 0, 1)),
    Case("unique2", lambda x: x.unique().sum(), (1, 0, 1), convention=False),
    Case("unique_dim", lambda x: x.reshape(3, 1).unique(dim=0).sum(), (1, 0, 1), convention=False),
    Case("unique_consecutive", lambda x: x.unique_consecutive().sum(), (0, 1, 1), convention=False),
    Case("max_pool1d_with_indices", lambda x: F.max_pool1d(x.reshape(1, 1, 4), 2, padding=1), (1, 0, 0, 2)),
    Case("max_pool2d_with_indices", lambda x: nn.MaxPool2d(2)(x.reshape(1, 1, 2, 2)), (1, 0, 0, 1)),
    Case("max_pool3d_with_indices", lambda x: F.max_pool3d(x.reshape(1, 1, 2, 2, 1), (2, 2, 1)), (1, 0, 0, 1)),
    Case("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x.reshape(1, 1, 4), 2), (1, 1, 0, 2)),
    Case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x.reshape(1, 1, 2, 2), 1), (1, 0, 0, 1)),
    Case("adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x.reshape(1, 1, 2, 2, 1), 1), (1, 0, 0, 1)),
    Case("fractional_max_pool2d", lambda x: F.fractional_max_pool2d(x.reshape(1, 1, 2, 2), 2, 1), (1, 0, 0, 1)),
    Case("fractional_max_pool3d", lambda x: F.fractional_max_pool3d(x.repeat(7)[:27].reshape(1, 1, 3, 3, 3), 2, 1), (1, 0, 0, 1)),
    Case("embedding_bag", lambda x: F.embedding_bag(tensor([0, 1]), x.reshape(2, 1), tensor([0, 2]), mode="max"), (1, 1)),
]

NORMS = [
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x), (0, 0)),
    Case("norm", lambda x: matrix(x).norm(dim=1), (0, 0, 1, 2)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, 1), (0, 1)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, 3), (0, 1), order=3),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, 3), (0, 0)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, 0), (0, 1)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, math.inf), (-1, 1)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, math.inf), (0, 0)),
    Case("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, -math.inf), (0, 1)),
    Case("linalg_matrix_norm", lambda x: torch.linalg.matrix_norm(matrix(x)), (0, 0, 0, 0)),
    Case("linalg_matrix_norm", lambda x: torch.linalg.matrix_norm(matrix(x), 1), (1, 3, 2, 0)),
    Case("linalg_matrix_norm", lambda x: torch.linalg.matrix_norm(matrix(x), -math.inf), (1, 3, 2, -2)),
    Case("linalg_norm", lambda x: torch.linalg.norm(matrix(x), 1), (1, 3, 2, 0)),
    Case("linalg_norm", lambda x: torch.linalg.norm(matrix(x)), (0, 0, 0, 0)),
    Case("linalg_vector_norm", lambda x: F.pairwise_distance(*halves(x), eps=0), (1, 2, 1, 2)),
    Case("dist", lambda x: torch.dist(*halves(x)), (1, 2, 1, 2)),
    Case("std", lambda x: x.std(), (1, 1)),
    Case("cdist", lambda x: torch.cdist(matrix(x), matrix(x + 1.0)), (1, 2, 2, 3)),
    Case("pdist", lambda x: F.pdist(matrix(x)), (1, 2, 1, 2)),
]

LOSSES = [
    Case("l1_loss", lambda x: F.l1_loss(*x), (1, 1)),
    Case("huber_loss", lambda x: F.huber_loss(*x, delta=0.5), (1, 0.5), order=2),
    Case("smooth_l1_loss", lambda x: F.smooth_l1_loss(*x), (0, 1), order=2),
    Case("l1_loss", lambda x: F.smooth_l1_loss(*x, beta=0), (1, 1)),
    Case("multi_margin_loss", lambda x: F.multi_margin_loss(x, tensor(0)), (1, 0, 2)),
    Case("multi_margin_loss", lambda x: F.multi_margin_loss(x, tensor(0), p=2), (1, 0, 2), order=2),
    Case("hinge_embedding_loss", lambda x: F.hinge_embedding_loss(x, tensor([-1, 1])), (1, 1)),
    Case("cosine_embedding_loss", lambda x: F.cosine_embedding_loss(*x.reshape(2, 1, 2), tensor([-1])), (1, 0, 0, 1)),
    Case("clamp", lambda x: F.gaussian_nll_loss(x[0], x[1], x[2], eps=0.5), (1, 2, 0.5)),
]

INFINITE = [
    Case("sqrt", lambda x: torch.sqrt(x), (0, 1)),
    Case("pow", lambda x: x**0.5, (0, 1)),
    Case("pow", lambda x: x**1.5, (0, 1), order=2),
    Case("rsqrt", lambda x: x.rsqrt(), (0, 1)),
    Case("reciprocal", lambda x: x.reciprocal(), (0, 1)),
    Case("rdiv", lambda x: 1 / x, (0, 1)),
    Case("log", lambda x: torch.log(x), (0, 1)),
    Case("acos", lambda x: torch.acos(x), (1, 0), near=-1e-3),
    Case("atanh", lambda x: torch.atanh(x), (1, 0), near=-1e-3),
    Case("special_entr", lambda x: torch.special.entr(x), (0, 1)),
    Case("exp", lambda x: torch.exp(x), (800, 0), near=-200),
]
# fmt: on

SINGULAR = [*KINKS, *JUMPS, *TIES, *NORMS, *LOSSES]


@pytest.mark.parametrize("case", [*SINGULAR, *INFINITE], ids=str)
def test_the_check_names_the_operator_the_order_and_the_line(case: Case) -> None:
    with pytest.raises(ap.SingularPoint, match=rf"^{case.operator} has no .*derivative") as raised:
        case.evaluate(case.point(), case.order, check_finite=True)
    assert f"test_singular_check.py:{case.line}: " in str(raised.value)
    assert case.order == 1 or f"of order {case.order}" in str(raised.value)


@pytest.mark.parametrize("case", [*SINGULAR, *INFINITE], ids=str)
def test_beside_the_point_nothing_changes(case: Case) -> None:
    checked = case.evaluate(case.beside(), case.order, check_finite=True)
    for a, b in zip(checked, case.evaluate(case.beside(), case.order), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("case", [c for c in [*SINGULAR, *INFINITE] if c.order > 1], ids=str)
def test_lower_orders_pass(case: Case) -> None:
    case.evaluate(case.point(), case.order - 1, check_finite=True)


@pytest.mark.parametrize("case", [c for c in SINGULAR if c.convention], ids=str)
def test_the_convention_is_the_first_derivative_of_torch(case: Case) -> None:
    expected = torch.autograd.functional.jacobian(case.function, case.point(), vectorize=False)
    *found, _ = case.evaluate(case.point(), 1)
    assert torch.allclose(torch.stack(found, -1), expected)


def test_every_line_of_the_table_has_a_case() -> None:
    tested = {case.operator for case in SINGULAR}
    lines: dict[Any, set[str]] = {}
    for function, record in RECORDS.items():
        for line in record.singular:
            lines.setdefault(line, set()).add(name_of(function))
    assert [names for names in lines.values() if not names & tested] == []


def test_every_function_that_chooses_has_a_line() -> None:
    assert [name_of(f) for f, r in RECORDS.items() if r.kind is Kind.SELECTION and not r.singular] == []


@pytest.mark.parametrize("case", [c for c in CASES if not c.refused], ids=str)
def test_generic_points_pass(case: Any) -> None:
    """The points of all rules: no function is singular there, and the check changes nothing but the order of rounding.

    The check looks at every result, so that a chain of layers computes more of the last one than is read out.
    """
    ds = ap.coordinates("s")["s"]
    over = ap.algebra(ds**2)

    def second(check_finite: bool) -> Tensor:
        directions = case.directions()[0]
        context = new_context([], check_finite)
        moving = [
            x if v is None else lift(over, x, [v], context) for x, v in zip(case.point(), directions, strict=True)
        ]
        return flat([read(over, y, [ds**2], context)[0] for y in leaves(case.function(*moving))])

    assert torch.allclose(second(True), second(False), rtol=1e-13, atol=1e-15)


# ---------------------------------------------------------------------------------------------------------- what it sees

C = ap.coordinates("x y")
dx, dy = C
X = tensor([[1.0, 0.0], [-0.5, 2.0]], dtype=torch.float64)

SPELLINGS: dict[str, tuple[str, Function]] = {
    "nn.ReLU": ("relu", nn.ReLU()),
    "nn.ReLU in place": ("relu", nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))),
    "F.relu": ("relu", lambda x: F.relu(x)),
    "relu_": ("relu", lambda x: (1 * x).relu_()),
    "torch.relu_": ("relu", lambda x: torch.relu_(1 * x)),
    "nn.LeakyReLU": ("leaky_relu", nn.LeakyReLU()),
    "nn.PReLU": ("prelu", nn.PReLU(dtype=torch.float64)),
    "nn.Hardtanh": ("hardtanh", nn.Hardtanh(0, 1)),
    "abs_": ("abs", lambda x: (1 * x).abs_()),
    "clamp_": ("clamp", lambda x: (1 * x).clamp_(min=0)),
    "Tensor.maximum": ("maximum", lambda x: x.maximum(0 * x)),
    "floor_": ("floor", lambda x: (1 * x).floor_()),
    "//": ("floordiv", lambda x: x // 1),
    "%=": ("remainder", lambda x: (1 * x).remainder_(1)),
    "**": ("pow", lambda x: (x - x.min()) ** 0.5),
    "sqrt_": ("sqrt", lambda x: (x + 0.5).sqrt_()),
    "batches": ("relu", lambda x: torch.vmap(torch.relu)(x)),
    "ATen": ("relu", lambda x: torch.ops.aten.relu(x)),
    "in a network": ("relu", nn.Sequential(nn.Linear(2, 2, bias=False, dtype=torch.float64), nn.ReLU())),
}
nn.init.eye_(SPELLINGS["in a network"][1][0].weight)  # type: ignore[index]


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_seen(name: str) -> None:
    operator, f = SPELLINGS[name]
    with pytest.raises(ap.SingularPoint, match=f"^{operator} has no"):
        ap.evaluate(f, X, dy if name != "sqrt_" else dx, check_finite=True)


def test_the_message() -> None:
    with pytest.raises(ap.SingularPoint) as raised:
        ap.evaluate(lambda p: (p - 1).abs(), X, dx, dy, check_finite=True)
    assert str(raised.value).startswith(
        "abs has no derivative at 1 of 4 entries, the first at index (0, 0), where it is given 0, called at "
    )
    assert str(raised.value).endswith(
        "Choose other points, or a smooth function: softplus for relu, torch.sqrt(x**2 + eps) for abs."
    )


def test_an_argument_that_is_not_finite_gets_the_blame() -> None:
    with pytest.raises(ap.SingularPoint, match=r"mul has no finite derivative .* An argument contains infinity or NaN"):
        ap.evaluate(lambda p: p * tensor([math.nan, 1.0]), X, dx, check_finite=True)


def test_a_function_that_is_not_defined() -> None:
    with pytest.raises(ap.SingularPoint, match=r"log is not defined at 4 of 4 entries.*given -2,"):
        ap.evaluate(lambda p: torch.log(p - 3), X, dx, check_finite=True)


STILL: dict[str, Function] = {
    "zeros that stay": lambda x: torch.relu(F.pad(x, (1, 1))),
    "a constant": lambda x: x + torch.abs(torch.zeros(2)),
    "ties that move alike": lambda x: torch.cat([x, x], -1).amax(-1, keepdim=True),
    "ties that do not move": lambda x: torch.cat([x - 5, 0 * x], -1).sort().values,
    "ties of those that are not chosen": lambda x: torch.cat([x, x - 5, x.flip(-1) - 5 - 0 * x], -1).max(-1).values,
    "a maximum of the same": lambda x: torch.maximum(x, 1 * x),
    "a bound that moves along": lambda x: x.clamp(max=1 * x),
    "dead units": lambda x: F.max_pool1d(torch.relu(x - 5)[:, None], 2),
    "the norm of nothing": lambda x: (x - x).norm(dim=-1),
    "a mask": lambda x: torch.softmax(x.masked_fill(tensor([True, False]), -math.inf), -1),
    "where before": lambda x: torch.where(x > 1, 0.0, torch.sqrt(1 - torch.where(x > 1, 0.0, x))),
    "comparisons": lambda x: torch.where(x > 0.5, x, 0.1 * x),
    "a smooth function of parts with kinks": lambda x: F.huber_loss(x, x - 0.5 * x, reduction="none"),
    "a smooth function of what is equal": lambda x: torch.logsumexp(torch.cat([x, x.flip(-1)], -1), -1),
    "zeros of a sum that is not chosen": lambda x: torch.linalg.matrix_norm((x - 0.5).diag_embed(), 1),
    "constants in place": lambda x: torch.empty_like(x).fill_(1.0) * x,
}


@pytest.mark.parametrize("name", STILL)
def test_what_does_not_move_is_no_kink(name: str) -> None:
    at = tensor([[0.5, 1.5], [-1.0, 2.5]])
    checked = ap.evaluate(STILL[name], at, dx, dx**2, C.laplacian, check_finite=True)
    for a, b in zip(checked, ap.evaluate(STILL[name], at, dx, dx**2, C.laplacian), strict=True):
        assert torch.equal(a, b)


# ------------------------------------------------------------------------------------------------------- where it is made


def test_in_chunks() -> None:
    with pytest.raises(
        ap.SingularPoint, match=r"relu has no derivative at 1 of 2 entries, the first at index \(0, 1\)"
    ):
        ap.evaluate(torch.relu, X, dx, dy, chunk_size=1, check_finite=True)


def test_several_tensors() -> None:
    with pytest.raises(ap.SingularPoint, match="maximum"):
        ap.evaluate(torch.maximum, (X, X.clone()), ap.coordinates("a b")["a"], check_finite=True)


def test_inside_of_vmap() -> None:
    def sorted_slopes(x: Tensor) -> Tensor:
        return ap.evaluate(lambda p: torch.sort(p).values, x, dx, check_finite=True)

    torch.vmap(sorted_slopes)(X)
    with pytest.raises(ap.SingularPoint, match="sort"):
        torch.vmap(sorted_slopes)(tensor([[1.0, 2.0], [3.0, 3.0]]))


def test_an_evaluation_inside_is_checked_too() -> None:
    def slope(f: Function) -> Function:
        return lambda p: ap.evaluate(f, p, dx)

    with pytest.raises(ap.SingularPoint, match=r"^relu has no derivative"):
        ap.evaluate(slope(lambda p: torch.relu(p) ** 2), X, dy, check_finite=True)
    with pytest.raises(ap.SingularPoint, match=r"^elu has no derivative of order 2"):
        ap.evaluate(slope(F.elu), X, dy, check_finite=True)
    ap.evaluate(slope(torch.sinc), X, dy, check_finite=True)


def test_gradients_pass_through() -> None:
    weight = torch.ones(2, requires_grad=True, dtype=torch.float64)
    ap.evaluate(lambda p: torch.relu(p * weight - 0.1), X, dx, check_finite=True).sum().backward()
    assert torch.equal(weight.grad, tensor([1.0, 0.0], dtype=torch.float64))


class Called(TorchDispatchMode):
    """Remembers the names of ATen operators."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_without_the_check_nothing_is_looked_at() -> None:
    def f(p: Tensor) -> Tensor:
        assert isinstance(p, Jet)
        assert p.context.checked is None
        return torch.tanh(p) * p

    seeds = [[tensor([1.0, 0.0]).expand_as(X), tensor([0.0, 1.0]).expand_as(X)]]
    with Called() as called:
        push(f, [X], seeds, [dx, dy])
    assert not {"eq", "ne", "any", "isnan", "isfinite", "abs"} & set(called.names)
