"""The parser of typed formulas, against Python's own arithmetic, mpmath and the operators built by hand."""

from __future__ import annotations

import ast
import contextlib
import math
import time
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import apolar
import apolar.expression
from apolar.algebras.operators import coordinates
from apolar.errors import ApolarError, ExpressionError
from apolar.expression import Expression, parse, parse_number, parse_operator, parse_operators
from apolar.expression.functions import FUNCTIONS, SPELLINGS


def number(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


# --------------------------------------------------------------------------------------------------------------- values

FORMULAS = [
    ("x**3 + 2*x**2 + 1", lambda x, y, z: x**3 + 2 * x**2 + 1),
    ("x^3 + 2*x^2 + 1", lambda x, y, z: x**3 + 2 * x**2 + 1),
    ("x³ + 2·x² + 1", lambda x, y, z: x**3 + 2 * x**2 + 1),
    ("x¹² − 2×y", lambda x, y, z: x**12 - 2 * y),
    ("-x^2", lambda x, y, z: -(x**2)),
    ("(-x)^2", lambda x, y, z: x**2),
    ("2^-x", lambda x, y, z: 2**-x),
    ("x^2^3", lambda x, y, z: x**8),
    ("x^2 + y^2", lambda x, y, z: x**2 + y**2),
    ("x - y - z", lambda x, y, z: x - y - z),
    ("x/y/z", lambda x, y, z: x / y / z),
    ("x/(y/z)", lambda x, y, z: x / (y / z)),
    ("+x - -y", lambda x, y, z: x + y),
    ("1.5e-3*x + .5 + 2.", lambda x, y, z: 1.5e-3 * x + 2.5),
    ("x**0.5 * y**-2", lambda x, y, z: x**0.5 / y**2),
    ("x**y", lambda x, y, z: x**y),
    ("pi*x + e", lambda x, y, z: math.pi * x + math.e),
    ("π*x", lambda x, y, z: math.pi * x),
    ("exp(-x^2/2)/sqrt(2*pi)", lambda x, y, z: math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)),
    ("sin(cos(x^2 + y^2 + 1))", lambda x, y, z: math.sin(math.cos(x**2 + y**2 + 1))),
    ("x*y*(x^2 - y^2)/(x^2 + y^2)", lambda x, y, z: x * y * (x**2 - y**2) / (x**2 + y**2)),
    ("atan2(y, x) + atan2(y, 2) + atan2(1, 2)", lambda x, y, z: math.atan2(y, x) + math.atan2(y, 2) + math.atan2(1, 2)),
    ("min(x, y, z, 1) + max(x, 2, y)", lambda x, y, z: min(x, y, z, 1) + max(x, 2, y)),
    ("pow(x, 3) + pow(2, y)", lambda x, y, z: x**3 + 2**y),
    ("ln(x) + arctan(y) + arcsinh(z)", lambda x, y, z: math.log(x) + math.atan(y) + math.asinh(z)),
    ("sin(\n  x\n) + y", lambda x, y, z: math.sin(x) + y),
]


@pytest.mark.parametrize("text, exact", FORMULAS, ids=[text for text, _ in FORMULAS])
def test_agrees_with_python(text, exact):
    x, y, z = 0.7, 1.9, 0.4
    value = parse(text, "x y z")(number(x), number(y), number(z))
    assert value.item() == pytest.approx(exact(x, y, z), rel=1e-14)


@pytest.mark.parametrize("text, exact", FORMULAS, ids=[text for text, _ in FORMULAS])
def test_sympy_form_agrees_with_python(text, exact):
    formula = parse(text, "x y z").symbolic()
    point = {sympy.Symbol("x", real=True): 0.7, sympy.Symbol("y", real=True): 1.9, sympy.Symbol("z", real=True): 0.4}
    assert float(formula.subs(point)) == pytest.approx(exact(0.7, 1.9, 0.4), rel=1e-12)


MPMATH = {
    **{a + f + h: getattr(mpmath, a + f + h) for a in ("", "a") for f in ("sin", "cos", "tan") for h in ("", "h")},
    **{name: getattr(mpmath, name) for name in ("exp", "expm1", "log", "log1p", "log10", "sqrt", "cbrt")},
    **{name: getattr(mpmath, name) for name in ("sign", "erf", "erfc", "digamma")},
    "log2": lambda x: mpmath.log(x, 2),
    "abs": abs,
    "lgamma": mpmath.loggamma,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
}
OF_ONE_ARGUMENT = [name for name, function in FUNCTIONS.items() if function.arguments == (1, 1)]


@pytest.mark.parametrize("name", OF_ONE_ARGUMENT)
def test_functions_agree_with_mpmath(name):
    x = 1.25 if name == "acosh" else 0.375
    exact = float(MPMATH[name](mpmath.mpf(x)))
    expression = parse(f"{name}(x)")
    assert expression(number(x)).item() == pytest.approx(exact, rel=1e-14)
    assert float(expression.symbolic().subs(sympy.Symbol("x", real=True), x)) == pytest.approx(exact, rel=1e-13)
    assert parse_number(f"{name}({x})") == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("name", [n for n in OF_ONE_ARGUMENT if n not in ("acosh", "sqrt", "lgamma", "digamma")])
def test_functions_agree_with_mpmath_left_of_zero(name):
    x = -0.375
    exact = MPMATH[name](mpmath.mpf(x)) if name != "cbrt" else -mpmath.cbrt(-x)
    if isinstance(exact, mpmath.mpf):
        assert parse(f"{name}(x)")(number(x)).item() == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("spelling, name", SPELLINGS.items())
def test_spellings_mean_the_same(spelling, name):
    arguments = "x, y" if name == "atan2" else "x"
    assert parse(f"{spelling}({arguments})").components == parse(f"{name}({arguments})").components


leaves = st.sampled_from(["x", "y", "2", "0.5", "3.25", "pi", "1e-2"])
formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", " / ", " - "]), inner).map(lambda t: f"({''.join(t)})"),
        st.tuples(inner, st.sampled_from(["+", "*", "-"]), inner).map(lambda t: "".join(t)),
        inner.map(lambda t: f"-{t}"),
        st.tuples(st.sampled_from(["sin", "atan", "tanh", "exp"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        inner.map(lambda t: f"({t})**2"),
    ),
    max_leaves=12,
)


@given(formulas, st.floats(-2, 2), st.floats(-2, 2))
@settings(deadline=None, max_examples=300)
def test_agrees_with_python_on_any_formula(text, x, y):
    names = {"x": x, "y": y, "pi": math.pi, **{name: getattr(math, name) for name in ("sin", "atan", "tanh", "exp")}}
    try:
        exact = eval(text, {}, names)
    except ArithmeticError:
        return
    if not math.isfinite(exact) or abs(exact) > 1e100:
        return
    try:
        expression = parse(text, "x y")
    except ExpressionError as error:
        if "divides by 0" in str(error) or "not a finite" in str(error):
            return
        raise
    value = expression(number(x), number(y)).item()
    assert value == pytest.approx(exact, rel=1e-9, abs=1e-9) or not math.isfinite(value)


# ---------------------------------------------------------------------------------------------------------- expressions


def test_variables_in_order_of_appearance():
    assert parse("z*x + y*z**x").variables == ("z", "x", "y")
    assert parse("x**n").variables == ("x", "n")
    assert parse("y, x").variables == ("y", "x")


def test_variables_as_given():
    expression = parse("x*y", variables="y, x t")
    assert expression.variables == ("y", "x", "t")
    assert expression(number(3.0), number(2.0), number(0.0)) == 6


def test_a_given_variable_hides_a_constant():
    assert parse("e + 1", variables=["e"])(number(2.0)) == 3
    assert parse("e").variables == ()


def test_call_by_name_and_by_position():
    expression = parse("x - 2*y")
    assert expression(number(5.0), number(1.0)) == expression(y=number(1.0), x=number(5.0)) == 3
    assert expression(number(1.0), x=number(5.0)) == 3


@pytest.mark.parametrize("arguments, named", [((), {}), ((1.0,), {}), ((1.0, 2.0, 3.0), {}), ((1.0, 2.0), {"z": 1.0})])
def test_call_with_wrong_arguments(arguments, named):
    with pytest.raises(ExpressionError, match=r"one value for each of \(x, y\)"):
        parse("x*y")(*map(number, arguments), **{name: number(value) for name, value in named.items()})


@pytest.mark.parametrize("text", ["x*y, x + z", "[x*y, x + z]", "(x*y, x + z)"])
def test_vectors(text):
    expression = parse(text)
    points = torch.randn(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, y, z = points.unbind(-1)
    assert expression.is_vector
    assert torch.equal(expression(x, y, z), torch.stack([x * y, x + z], dim=-1))
    assert torch.equal(expression.of_points(points), expression(x, y, z))
    assert expression.symbolic() == sympy.Matrix(sympy.sympify("[x*y, x + z]", locals=_real("x y z")))


def _real(names):
    return {name: sympy.Symbol(name, real=True) for name in names.split()}


def test_vectors_with_constants_and_of_one_component():
    x = torch.arange(3.0)
    assert torch.equal(parse("1, x, pi")(x), torch.stack([torch.ones(3), x, torch.full((3,), math.pi)], dim=-1))
    assert parse("[x]")(x).shape == (3, 1)
    assert parse("x, y")(x, number(1.0).float()).shape == (3, 2)


def test_a_constant_has_the_shape_of_its_argument():
    assert torch.equal(parse("3", "x")(torch.zeros(2, 2)), torch.full((2, 2), 3.0))


def test_dtype_follows_the_input():
    for text in ("x/3 + pi", "max(x, 1/3)", "atan2(x, 2)", "2**x", "2"):
        assert parse(text, "x")(torch.ones(2)).dtype == torch.float32
        assert parse(text, "x")(torch.ones(2, dtype=torch.float64)).dtype == torch.float64


def test_numbers_are_exact_in_sympy():
    assert parse("0.1*x").symbolic() == sympy.Rational(1, 10) * sympy.Symbol("x", real=True)


def test_expressions_are_values():
    assert parse("x + 1") == parse("x + 1")
    assert hash(parse("x + 1")) == hash(parse("x + 1"))
    assert repr(parse("x + 1")) == "Expression(text='x + 1', variables=('x',))"
    assert isinstance(parse("x"), Expression)


def test_numbers():
    assert parse_number("pi/2") == math.pi / 2
    assert parse_number("-2^2 + sqrt(16)") == 0
    assert parse_number("max(1, 2, 3)") == 3
    with pytest.raises(ExpressionError, match="one number"):
        parse_number("1, 2")
    with pytest.raises(ExpressionError, match="no variable x"):
        parse_number("x")


# ---------------------------------------------------------------------------------------------------------- derivatives


def exact_derivatives(expression, point, orders):
    """The derivatives with respect to the first variable, by SymPy with 30 digits."""
    x, *_ = symbols = [sympy.Symbol(name, real=True) for name in expression.variables]
    values = {symbol: sympy.Float(sympy.Rational(value), 30) for symbol, value in zip(symbols, point, strict=True)}
    return [float(sympy.diff(expression.symbolic(), x, n).evalf(30, subs=values)) for n in orders]


def derivatives(expression, point, orders):
    system = coordinates(expression.variables)
    at = tuple(number(value) for value in point)
    return [float(apolar.evaluate(expression, at, system[expression.variables[0]] ** n)) for n in orders]


@pytest.mark.parametrize("name", OF_ONE_ARGUMENT)
def test_derivatives_of_functions_agree_with_sympy(name):
    expression, point = parse(f"{name}(x)"), [1.25 if name == "acosh" else 0.375]
    orders = [1] if name in ("abs", "sign", "relu") else [1, 2, 3, 4]
    assert derivatives(expression, point, orders) == pytest.approx(
        exact_derivatives(expression, point, orders), rel=1e-9
    )


@pytest.mark.parametrize("text", [text for text, _ in FORMULAS])
def test_derivatives_of_formulas_agree_with_sympy(text):
    expression, point, orders = parse(text, "x y z"), [0.7, 1.9, 0.4], [1, 2, 3]
    exact = exact_derivatives(expression, point, orders)
    assert derivatives(expression, point, orders) == pytest.approx(exact, rel=1e-10, abs=1e-12)


# ------------------------------------------------------------------------------------------------------------- refusals

REFUSED = [
    # text, part of the message, the place that is marked
    ("", "nothing to read", ""),
    ("   ", "nothing to read", ""),
    ("2x + 1", "write 2*x", "2x"),
    ("2 (x + 1) + 3)", "write 2*(…", "2 ("),
    ("2(x + 1)", "write 2*(…)", "2(x + 1)"),
    ("(x + 1)(x - 1)", "write (x + 1)*(…)", "(x + 1)(x - 1)"),
    ("y + sin x", "write sin(x)", "sin x"),
    ("x y", "write x*y", "x y"),
    ("(x) 2", "write )*2", ") 2"),
    ("1 + sinn(x)", "did you mean sin?", "sinn"),
    ("arctn(x)", "did you mean arctan?", "arctn"),
    ("bessel(x)", "there are abs, acos", "bessel"),
    ("x(y + 1)", "if x is a factor, write x*(…)", "x"),
    ("sin", "needs an argument: sin(x)", "sin"),
    ("sin()", "sin takes 1 argument, got 0", "sin()"),
    ("sin(x, y)", "sin takes 1 argument, got 2", "sin(x, y)"),
    ("max(x)", "max takes 2 arguments or more, got 1", "max(x)"),
    ("sin(*x)", "the arguments of sin are formulas", "sin(*x)"),
    ("x[1]", "such as x1 and x2", "x[1]"),
    ("x.real", "a dot between names", "x.real"),
    ("os.system(x)", "a product needs its sign", "os.system(x)"),
    ("__import__(x)", "there is no function __import__", "__import__"),
    ("y = x**2", "only the right-hand side", "="),
    ("|x|", "abs(x)", "|"),
    ("x!", "lgamma", "!"),
    ("x % 2", "no remainder", "%"),
    ("x; y", "by commas", ";"),
    ("x # comment", "'#' has no meaning", "#"),
    ("'x'", "no meaning", "'"),
    ("x if y else z", "`if` is not part", "x if y else z"),
    ("x and y", "`and` and `or`", "x and y"),
    ("x in y", "comparisons", "x in y"),
    ("not x", "not part of a formula", "not x"),
    ("x // 2", "not part of a formula", "x // 2"),
    ("lambda", "not a formula", "l"),
    ("True", "not a number", "True"),
    ("0x10", "not a number", "0x10"),
    ("1_000", "not a number", "1_000"),
    ("3j", "not a number", "3j"),
    ("x +", "not a formula", None),
    ("((x)", "never closed", "("),
    ("x)", "unmatched", ")"),
    ("()", "no components", "()"),
    ("[[x]]", "only the whole text may be one", "[x]"),
    ("1 + [x, y]", "only the whole text may be one", "[x, y]"),
    ("1/0", "divides by 0", "1/0"),
    ("x + 1/(2 - 2)", "divides by 0", "1/(2 - 2)"),
    ("log(0)", "not a finite real number", "log(0)"),
    ("sqrt(-1)*x", "not a finite real number", "sqrt(-1)"),
    ("(-8)**(1/3)", "not a finite real number", "(-8)**(1/3)"),
    ("exp(1000)*x", "not a finite real number", "exp(1000)"),
    ("1e999", "out of the range", "1e999"),
    ("1e-400", "out of the range", "1e-400"),
    ("1e-99999", "out of the range", "1e-99999"),
    ("1" * 41, "more than 40 digits", "1" * 41),
    ("x**1001", "at most 1000", "1001"),
    ("9**9**9", "at most 1000", "9**9"),
    ("((x/9)**500)**500", "at most 1000", "500"),
    ("pow(pow(x, 500), 500)", "at most 1000", "500"),
    ("x^²", "not a formula", None),
]


@pytest.mark.parametrize("text, message, marked", REFUSED, ids=[text[:30] or "empty" for text, *_ in REFUSED])
def test_refuses_and_points_to_the_place(text, message, marked):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    said = str(caught.value)
    assert message in said
    if marked:
        _, shown, carets = said.split("\n")
        assert shown[carets.index("^") : len(carets)] == marked
        assert set(carets.strip()) == {"^"}


def test_unknown_variable():
    with pytest.raises(ExpressionError, match=r"no variable alhpa; did you mean alpha\?"):
        parse("alhpa*x", "x alpha")
    with pytest.raises(ExpressionError, match="the variables are x, y"):
        parse("x + t", "x y")


def test_the_place_is_shown_in_long_texts():
    text = "x + " * 100 + "sinn(x)" + " + x" * 50
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    _, shown, carets = str(caught.value).split("\n")
    assert shown[carets.index("^") : len(carets)] == "sinn"
    assert len(shown) < 140


HOSTILE = [
    "9**9**9**9",
    "(" * 150 + "x" + ")" * 150,
    "(" * 1900 + "x" + ")" * 1900,
    "-" * 3900 + "x",
    "x" * 4001,
    "9" * 4000,
    "**".join(["x"] * 1000),
    "+".join(["x"] * 1900),
    "sin(" * 900 + "x" + ")" * 900,
    "[" * 500,
    "x," * 1999,
    "((((1.1111111111**999)*1.1)**999)*x)**999",
    "1e299*" * 300 + "x",
    "lgamma(1e299) + digamma(10**200)",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:20] for text in HOSTILE])
def test_hostile_texts_are_answered_at_once(text):
    start = time.perf_counter()
    with contextlib.suppress(ExpressionError):
        parse(text).symbolic()
    assert time.perf_counter() - start < 1


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=500)
def test_any_text_is_read_or_refused(text):
    _read_or_refuse(text)


@given(st.text(alphabet="xyde0129.+-*/^()[], ²³∂\n_sincoexpt", max_size=40))
@settings(deadline=None, max_examples=1500)
def test_anything_like_a_formula_is_read_or_refused(text):
    _read_or_refuse(text)


def _read_or_refuse(text):
    for read in (parse, parse_number, parse_operator):
        with contextlib.suppress(ApolarError):
            read(text)


def test_nothing_typed_is_ever_run():
    """No file of the parser or of the command calls eval, exec or compile."""
    package = Path(apolar.expression.__file__).parents[1]
    files = [*package.glob("expression/*.py"), *package.glob("cli/*.py")]
    called = {
        node.func.id
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert len(files) > 8
    assert not called & {"eval", "exec", "compile", "__import__", "sympify"}


# ------------------------------------------------------------------------------------------------------------ operators

x_y_t = coordinates("x y t")
dx, dy, dt = x_y_t

OPERATORS = [
    ("dx", dx),
    ("dx*dy", dx * dy),
    ("(dx^2 + dy^2)^2", (dx**2 + dy**2) ** 2),
    ("dt - 0.1*(dx^2 + dy^2)", dt - Fraction(1, 10) * (dx**2 + dy**2)),
    ("dx/3 - dy*2 + 1", dx / 3 - dy * 2 + 1),
    ("-dx^2", -(dx**2)),
    ("+dx", dx),
    ("2^3*dx", 8 * dx),
    ("3 - dx", 3 - dx),
    ("laplacian", x_y_t.laplacian),
    ("bilaplacian", x_y_t.bilaplacian),
    ("dt - 1/2*laplacian", dt - Fraction(1, 2) * x_y_t.laplacian),
    ("pi*dx", math.pi * dx),
    ("sqrt(4)*dx", 2 * dx),
    ("2^0.5*dx", math.sqrt(2) * dx),
    ("(dx + dy)^0", x_y_t.one),
    ("5", 5 * x_y_t.one),
    ("∂x² + ∂y²", dx**2 + dy**2),
    ("2 ∂x²∂y - 1/2 ∂t", 2 * dx**2 * dy - dt / 2),
    ("(∂x + ∂y)∂t", (dx + dy) * dt),
]


@pytest.mark.parametrize("text, exact", OPERATORS, ids=[text for text, _ in OPERATORS])
def test_operators(text, exact):
    assert parse_operator(text, "x y t") == exact


coefficients = st.fractions(-20, 20, max_denominator=40)
monomials = st.tuples(*[st.integers(0, 3)] * 3)


@given(st.dictionaries(monomials, coefficients, max_size=5))
def test_operators_are_read_as_they_are_printed(terms):
    built = sum((c * dx**i * dy**j * dt**k for (i, j, k), c in terms.items()), start=0 * x_y_t.one)
    assert parse_operator(repr(built), x_y_t.names) == built


def test_coordinates_in_order_of_appearance():
    assert parse_operator("dt - dx*dy").coordinates.names == ("t", "x", "y")
    assert [p.coordinates.names for p in parse_operators(["dy", "dx1*dy"])] == [("y", "x1")] * 2


REFUSED_OPERATORS = [
    ("x*y", None, "did you mean dx?"),
    ("laplacain", "x y", "did you mean laplacian?"),
    ("dxx", "x y", "did you mean dx*dx?"),
    ("dxy", "x y", "did you mean dx*dy?"),
    ("dz", "x y", "the symbols are dx, dy"),
    ("dalhpa", "alpha", "did you mean dalpha?"),
    ("d", None, "d is not a differential symbol"),
    ("dx/dy", None, "divided only by a number"),
    ("dx/(1 - 1)", None, "divides by 0"),
    ("dx**0.5", None, "a power 0, 1, 2"),
    ("dx**-1", None, "a power 0, 1, 2"),
    ("dx**dy", None, "a power 0, 1, 2"),
    ("sin(dx)", None, "sin of a differential operator has no meaning"),
    ("dx, dy", None, "a vector cannot stand inside"),
    ("laplacian", None, "no coordinate is named"),
    ("3", None, "no coordinate is named"),
    ("dx^101", None, "order 101; at most 100"),
    ("(dx + dy + dz + dw)^100", None, "more than 20000 terms"),
    ("((dx + 1)^50)^50", None, "at most 1000"),
    ("2 dx", None, "write 2*dx"),
    ("", None, "nothing to read"),
]


@pytest.mark.parametrize("text, names, message", REFUSED_OPERATORS)
def test_refuses_operators(text, names, message):
    with pytest.raises(ExpressionError) as caught:
        parse_operator(text, names)
    assert message in str(caught.value)
