# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Arithmetic, powers, functions of two variables, piecewise functions, activations.

Functions of one variable at single points are in ``univariate``, against mpmath.
"""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch import nn

from ..case import Case, analytic, case, listed, seeded
from ..points import (
    away,
    between_integers,
    between_kinks,
    integers,
    normal,
    positive,
    separated,
    uniform,
    values,
)

A, B = normal(3, 4), normal(3, 4)
P, Q = positive(3, 4), positive(3, 4)
X, Y = away(3, 4), away(3, 4)
MATRIX = torch.linspace(-1.3, 1.7, 12, dtype=torch.float64).reshape(3, 4)

ARITHMETIC = [
    analytic("x + y", operator.add, A, B),
    analytic("x - y", operator.sub, A, B),
    analytic("x * y", operator.mul, A, B),
    analytic("x / y", operator.truediv, A, X),
    analytic("x + 2", lambda x: x + 2, A),
    analytic("2 + x", lambda x: 2 + x, A),
    analytic("x - 2", lambda x: x - 2, A),
    analytic("2 - x", lambda x: 2 - x, A),
    analytic("x * 2.5", lambda x: x * 2.5, A),
    analytic("2.5 * x", lambda x: 2.5 * x, A),
    analytic("x / 2", lambda x: x / 2, A),
    analytic("2 / x", lambda x: 2 / x, X),
    analytic("-x", operator.neg, A),
    analytic("+x", operator.pos, A),
    case("abs(x)", abs, X),
    case("x // 2", lambda x: x // 2, between_integers(3, 4)),
    case("7 // x", lambda x: 7 // x, uniform(1.85, 2.2, 5)),
    case("x // y", operator.floordiv, uniform(7.2, 7.7, 5), uniform(2.9, 3.1, 5)),
    case("x % 3", lambda x: x % 3, between_integers(3, 4)),
    case("x % -3", lambda x: x % -3, between_integers(3, 4)),
    case("7 % x", lambda x: 7 % x, uniform(1.85, 2.2, 5)),
    case("x % y", operator.mod, uniform(7.2, 7.7, 5), uniform(2.9, 3.1, 5)),
    case("tensor first: t + x", lambda x: MATRIX + x, A),
    case("tensor first: t - x", lambda x: MATRIX - x, A),
    case("tensor first: t * x", lambda x: MATRIX * x, A),
    case("tensor first: t / x", lambda x: MATRIX / x, X),
    case("tensor first: t ** x", lambda x: MATRIX.abs() ** x, A),
    case("NumPy scalar", lambda x: x * float(torch.pi) + x.new_tensor(2.0), A),
    analytic("add alpha", lambda x, y: torch.add(x, y, alpha=0.7), A, B),
    analytic("sub alpha", lambda x, y: torch.sub(x, y, alpha=-1.3), A, B),
    analytic("rsub", lambda x, y: torch.rsub(x, y, alpha=2), A, B),
    analytic("Tensor.add", lambda x, y: x.add(y, alpha=2), A, B),
    analytic("Tensor.sub", lambda x, y: x.sub(y), A, B),
    analytic("Tensor.mul", lambda x, y: x.mul(y), A, B),
    analytic("Tensor.div", lambda x, y: x.div(y), A, X),
    analytic("subtract, multiply, divide", lambda x, y: torch.subtract(torch.multiply(x, y), torch.divide(x, y)), A, X),
    analytic("true_divide", torch.true_divide, A, X),
    case("div floor", lambda x: torch.div(x, 2, rounding_mode="floor"), between_integers(3, 4)),
    case("div trunc", lambda x: torch.div(x, 2, rounding_mode="trunc"), between_integers(3, 4)),
    case("floor_divide", lambda x: torch.floor_divide(x, 2), between_integers(3, 4)),
    case("fmod 3", lambda x: torch.fmod(x, 3), between_integers(3, 4)),
    case("fmod", torch.fmod, uniform(-7.7, -7.2, 5), uniform(2.9, 3.1, 5)),
    case("remainder 3", lambda x: torch.remainder(x, 3), between_integers(3, 4)),
    case("remainder", torch.remainder, uniform(-7.7, -7.2, 5), uniform(2.9, 3.1, 5)),
    case("scalar remainder", lambda x: torch.remainder(7.0, x), uniform(2.9, 3.1, 5)),
    analytic("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.4), A, B, normal(3, 4)),
    analytic("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z, value=0.4), A, B, X),
    analytic("lerp number", lambda x, y: torch.lerp(x, y, 0.3), A, B),
    case("lerp number above one half", lambda x, y: torch.lerp(x, y, 0.8), A, B),
    case("lerp", torch.lerp, A, B, uniform(0.05, 0.45, 3, 4)),
    analytic("reciprocal", torch.reciprocal, X),
    analytic("square", torch.square, A),
    analytic("x * x * x", lambda x: x * x * x, A),
    analytic("x / x", lambda x: x / x, X),
    analytic("x - x", lambda x: x - x, A),
    case("sum of a list", lambda x, y: sum([x, y, x * y]), A, B),
    analytic("positive", torch.positive, A),
    analytic("negative", torch.negative, A),
    case("clone, contiguous, double", lambda x: x.clone().contiguous().double() * x, A),
    case("to, type_as", lambda x: x.to(torch.float64).type_as(x) * x, A),
    case("zeros_like and friends", lambda x: x * torch.ones_like(x) + torch.zeros_like(x) + torch.full_like(x, 3) * x, A),
    case("new_tensors", lambda x: x * x.new_full((3, 4), 2.0) + x.new_zeros(4) + x.new_ones(3, 1), A),
]

BROADCASTING = [
    analytic("broadcast row", operator.mul, normal(3, 4), normal(4)),
    analytic("broadcast column", operator.mul, normal(3, 4), normal(3, 1)),
    analytic("broadcast both", operator.mul, normal(3, 1), normal(1, 4)),
    analytic("broadcast leading", operator.mul, normal(4), normal(2, 3, 4)),
    analytic("broadcast 0-d", operator.mul, normal(), normal(3, 4)),
    analytic("broadcast add", operator.add, normal(3, 1), normal(2, 1, 4)),
    analytic("broadcast div", operator.truediv, normal(4), away(3, 1)),
    case("broadcast pow", operator.pow, positive(3, 1), normal(4)),
    analytic("0-d", lambda x: x * x + torch.sin(x), normal()),
    analytic("size 1", lambda x: x * x + torch.sin(x), normal(1)),
    analytic("size 0", lambda x: x * x + torch.sin(x), normal(0, 3)),
    analytic("size 0 broadcast", operator.mul, normal(0, 3), normal(3)),
    analytic("non-contiguous", lambda x: torch.exp(x.t()) * x.t(), A),
    analytic("strided", lambda x: torch.exp(x[:, ::2]) * x[:, 1::2], A),
    analytic("expanded", lambda x: torch.exp(x.expand(3, 4)) * x, normal(1, 4)),
    analytic("expanded 0-d", lambda x: x.expand(2, 3) * torch.sin(x), normal()),
    case("five axes", lambda x, y: torch.tanh(x) * y, normal(2, 1, 2, 1, 2), normal(2, 1, 3, 1)),
]

POWERS = [
    *(analytic(f"x ** {n}", lambda x, n=n: x**n, X) for n in (0, 1, 2, 3, 4, 5, 7, -1, -2, -3)),
    *(case(f"x ** {n} at 0", lambda x, n=n: x**n, values(0.0, -0.0, 0.5)) for n in (0, 1, 2, 3, 4, 6)),
    *(case(f"x ** {n} with a float exponent at 0", lambda x, n=n: x**n, values(0.0, 0.5)) for n in (0.0, 1.0, 2.0, 3.0)),
    *(case(f"x ** {n} of negative numbers", lambda x, n=n: x**n, values(-1.4, -0.6)) for n in (2.0, 3.0, -2.0)),
    *(analytic(f"x ** {a}", lambda x, a=a: x**a, P) for a in (0.5, 1.5, -0.5, 2.7, -1.3, 1 / 3)),
    case("x ** 4.5 at small x", lambda x: x**4.5, values(0.3, 0.5)),
    *(analytic(f"{b} ** x", lambda x, b=b: b**x, A) for b in (2, 0.5, 1, 3.7)),
    analytic("x ** y", operator.pow, P, A),
    analytic("x ** x", lambda x: x**x, P),
    case("x ** tensor of integers", lambda x: x ** torch.tensor([0, 1, 2, 3]), X),
    case("x ** tensor of integers at 0", lambda x: x ** torch.tensor([0, 1, 2, 3]), values(0.0, 0.0, 0.0, 0.0)),
    case("x ** tensor of floats", lambda x: x ** torch.tensor([0.0, 1.0, 2.0, 3.0]).double(), X),
    case("x ** tensor of floats at 0", lambda x: x ** torch.tensor([0.0, 1.0, 2.0, 3.0]).double(), values(0, 0, 0, 0)),
    case("x ** 0-d tensor", lambda x: x ** torch.tensor(3.0), X),
    case("tensor ** x", lambda x: torch.tensor([0.5, 1.0, 2.0, 3.0]).double() ** x, A),
    case("0 ** x", lambda x: 0.0**x, P),
    analytic("torch.pow number", lambda x: torch.pow(x, 3), A),
    analytic("torch.pow of a number", lambda x: torch.pow(2.5, x), A),
    analytic("Tensor.pow", lambda x, y: x.pow(2) + x.pow(y), P, A),
    case("float_power", lambda x, y: torch.float_power(x, 3) + torch.float_power(x, y), P, A),
    case("float_power of a number", lambda x: torch.float_power(2.5, x), A),
    analytic("sqrt", torch.sqrt, P),
    analytic("rsqrt", torch.rsqrt, P),
    analytic("sqrt of a square", lambda x: (x * x).sqrt(), P),
    case("ldexp", lambda x, y: torch.ldexp(x, y), A, B),
]

TWO_VARIABLES = [
    case("atan2", torch.atan2, X, Y),
    case("arctan2", lambda y: torch.arctan2(y, torch.tensor(-1.5).double()), X),
    case("atan2 on the axes", torch.atan2, values(0.0, 1.0, -1.0), values(1.0, 0.0, 0.0)),
    case("hypot", torch.hypot, X, Y),
    case("hypot with one zero", torch.hypot, values(0.0, 1.0), values(1.0, 0.0)),
    case("logaddexp", torch.logaddexp, A, B),
    case("logaddexp far apart", torch.logaddexp, values(40.0, -40.0), values(-40.0, 40.0)),
    case("logaddexp2", torch.logaddexp2, A, B),
    case("copysign", torch.copysign, X, Y),
    case("copysign number", lambda x: torch.copysign(x, -1.0), X),
    case("maximum", torch.maximum, separated(3, 4), lambda g: torch.zeros(3, 4).double() + 0.05),
    case("minimum", torch.minimum, separated(3, 4), lambda g: torch.zeros(3, 4).double() + 0.05),
    case("maximum with a tensor", lambda x: torch.maximum(torch.zeros(4).double(), x), X),
    case("fmax", torch.fmax, X, lambda g: torch.zeros(4).double() + 0.05),
    case("fmin", torch.fmin, X, lambda g: torch.zeros(4).double() + 0.05),
    case("xlogy", torch.xlogy, A, P),
    case("xlogy number", lambda y: torch.xlogy(2.0, y), P),
    case("xlogy by a number", lambda x: torch.xlogy(x, 2.0), A),
    case("xlogy at x = 0", torch.xlogy, values(0.0, 0.0), values(0.5, 2.0)),
    case("special.xlogy", torch.special.xlogy, A, P),
    case("xlog1py", torch.special.xlog1py, A, P),
    case("special.zeta second", lambda q: torch.special.zeta(2.5, q), P),
    case("special.zeta", torch.special.zeta, uniform(2.0, 3.0, 4), positive(4), refused="no derivative by the exponent"),
    case("igamma second", lambda x: torch.special.gammainc(torch.tensor(1.7).double(), x), P),
    case("igammac second", lambda x: torch.special.gammaincc(torch.tensor(1.7).double(), x), P),
    case("igamma", torch.igamma, P, Q, refused="no derivative by the parameter"),
    case("igammac", torch.igammac, P, Q, refused="no derivative by the parameter"),
    case("heaviside", lambda x: torch.heaviside(x, torch.tensor(0.5).double()) * x, X),
    case("dist", torch.dist, A, B),
    case("complex and back", lambda x, y: torch.view_as_real(torch.complex(x, y) ** 2), A, B),
    case("polar", lambda r, a: torch.view_as_real(torch.polar(r, a)), P, A),
    case("nextafter", torch.nextafter, X, Y, refused="not differentiable"),
]

PIECEWISE = [
    *(case(f"torch.{f.__name__}", f, between_integers(3, 4)) for f in (torch.floor, torch.ceil, torch.round, torch.trunc, torch.fix, torch.frac, torch.sign, torch.sgn)),
    case("round decimals", lambda x: torch.round(x, decimals=-1) * x, values(13.0, -14.1, 2.1)),
    case("x * floor(x)", lambda x: x * torch.floor(x) + x * x.round(), between_integers(3, 4)),
    case("torch.abs", torch.abs, X),
    case("absolute", lambda x: x.absolute() * x, X),
    case("abs cubed", lambda x: x.abs() ** 3, X),
    case("clamp", lambda x: torch.clamp(x, -1.0, 2.0), between_kinks()),
    case("clamp min", lambda x: torch.clamp(x, min=0.0) ** 2, between_kinks()),
    case("clamp max", lambda x: x.clamp(max=0.5) ** 3, between_kinks()),
    case("clamp tensors", torch.clamp, separated(5), lambda g: torch.full((5,), -1.0).double(), lambda g: torch.full((5,), 1.3).double()),
    case("clip", lambda x: torch.clip(x, -1.0, 2.0) * x, between_kinks()),
    case("clamp_min, clamp_max", lambda x: x.clamp_min(-1.0).clamp_max(2.0) * x, between_kinks()),
    case("nan_to_num", lambda x: torch.nan_to_num(x) * x, X),
    case("where", lambda x, y: torch.where(x > 0, x * y, torch.sin(x)), X, Y),
    case("where number", lambda x: torch.where(x > 0, x**2, 0.5), X),
    case("where number first", lambda x: torch.where(x > 0, 1.5, x**3), X),
    case("where broadcast", lambda x, y: torch.where(torch.tensor([True, False, True, False]), x, y), normal(3, 1), normal(4)),
    case("where of an overflow", lambda x: torch.where(x > 0, x, torch.expm1(x.clamp(max=0.0))), X),
    case("Tensor.where", lambda x, y: x.where(y > 0, y), A, Y),
    case("masked_fill", lambda x: x.masked_fill(torch.eye(3, 4, dtype=torch.bool), 2.0) ** 2, A),
    case("masked_fill 0-d tensor", lambda x, y: x.masked_fill(torch.eye(3, 4, dtype=torch.bool), y) ** 2, A, normal()),
    case("mask by multiplication", lambda x: (x > 0) * x**2, X),
    case("mask by float", lambda x: (x > 0).double() * x**2 + (x <= 0).to(x) * x, X),
    case("control flow by value", lambda x: x**2 if x.sum() > -100 else x**3, A),
    case("comparison as a number", lambda x: x * x * int(x.sum() > -100) + x * bool((x > -100).all()), A),
    case("sign of a jet", lambda x: torch.sign(x) * x**2, X),
    case("comparisons", lambda x, y: (x > y) * x + (x <= y) * y + (x == y) * 7 + torch.ge(x, 5) * 9, separated(6), lambda g: torch.zeros(6).double()),
    case("isnan, isfinite", lambda x: torch.where(torch.isfinite(x) & ~torch.isnan(x), x * x, x), A),
]

ACTIVATIONS = [
    case(f"nn.{name}{settings}", seeded(getattr(nn, name), *settings), between_kinks())
    for name, settings in (
        ("ELU", ()), ("ELU", (0.7,)), ("CELU", ()), ("CELU", (1.7,)), ("SELU", ()),
        ("Hardshrink", ()), ("Hardshrink", (1.0,)), ("Softshrink", ()), ("Softshrink", (1.0,)), ("Tanhshrink", ()),
        ("Hardsigmoid", ()), ("Hardswish", ()), ("Hardtanh", ()), ("Hardtanh", (-2.0, 0.5)), ("ReLU", ()), ("ReLU6", ()),
        ("LeakyReLU", ()), ("LeakyReLU", (0.3,)), ("PReLU", ()), ("RReLU", ()), ("Threshold", (1.0, -0.5)),
        ("LogSigmoid", ()), ("Sigmoid", ()), ("Tanh", ()), ("SiLU", ()), ("Mish", ()), ("Softsign", ()),
        ("Softplus", ()), ("Softplus", (2.5,)), ("Softplus", (1.0, 3.0)), ("GELU", ()), ("GELU", ("tanh",)), ("Identity", ()), ("Dropout", (0.3,)),
    )
] + [
    case("PReLU per channel", lambda x, a: F.prelu(x, a), away(2, 3, 4), positive(3)),
    case("nn.GLU", nn.GLU(), normal(3, 4)),
    case("nn.GLU along an axis", nn.GLU(0), normal(4, 3)),
    *(case(f"F.{f.__name__}", f, between_kinks()) for f in (F.relu, F.relu6, F.elu, F.selu, F.celu, F.leaky_relu, F.gelu, F.silu, F.mish, F.softplus, F.hardtanh, F.hardswish, F.hardsigmoid, F.logsigmoid, F.softsign, F.tanhshrink, F.sigmoid, F.tanh, F.rrelu)),
    case("F.hardshrink", F.hardshrink, X),
    case("F.softshrink", lambda x: F.softshrink(x, 0.3), X),
    case("F.threshold", lambda x: F.threshold(x, 0.1, 5.0), X),
    case("torch.relu", lambda x: torch.relu(x) * x, X),
    case("Tensor.relu", lambda x: x.relu() ** 2, X),
    case("Tensor.sigmoid and tanh", lambda x: x.sigmoid() * x.tanh(), X),
    case("torch.softplus beta", lambda x: F.softplus(x, beta=-1.5 + 3.0, threshold=20), X),
    case("softplus far out", F.softplus, values(-300.0, -40.0, 40.0, 300.0)),
    case("sigmoid far out", torch.sigmoid, values(-300.0, -40.0, 40.0, 300.0)),
    case("tanh far out", torch.tanh, values(-300.0, -40.0, 40.0, 300.0)),
    case("gelu far out", F.gelu, values(-300.0, -40.0, 40.0, 300.0)),
    case("silu far out", F.silu, values(-300.0, -40.0, 40.0, 300.0)),
    case("dropout in evaluation", lambda x: F.dropout(x, 0.5, training=False) * x, A),
]

COMPOSITES = [
    analytic("sin(x) * exp(y) / (1 + z²)", lambda x, y, z: torch.sin(x) * torch.exp(y) / (1 + z**2), A, B, P),
    analytic("nested", lambda x: torch.exp(torch.sin(torch.exp(-x * x))), A),
    analytic("Gaussian density", lambda x: torch.exp(-(x**2).sum(-1) / 2), A),
    analytic("rational", lambda x, y: x * y * (x**2 - y**2) / (x**2 + y**2), X, P),
    analytic("long product", lambda x: torch.sin(x) * torch.cos(x) * torch.exp(x) * x * x, A),
    case("integer input", lambda x, n: x * n, A, integers(-3, 4, 3, 4)),
    analytic("sums of functions", lambda x, y: torch.sum(torch.exp(x)) * torch.prod(y), A, B),
]

CASES: tuple[Case, ...] = listed(ARITHMETIC + BROADCASTING + POWERS + TWO_VARIABLES + PIECEWISE + ACTIVATIONS + COMPOSITES)
