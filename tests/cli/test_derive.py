"""``apolar derive``: numbers by hand, formulas, JSON, and errors that say what to type."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

from apolar.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["derive", *arguments])


def data(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def values(found):
    return {entry["operator"]: entry["value"] for entry in found["derivatives"]}


def test_one_variable():
    found = data("x**3 + 2*x**2 + 1", "--at", "x=2", "--order", "2")
    assert found["value"] == 17
    assert values(found) == {"∂x": 20, "∂x²": 16}
    assert found["gradient"] == [20]
    assert found["hessian"] == [[16]]


def test_as_text():
    result = run("x**3 + 2*x**2 + 1", "--at", "x=2", "--order", "4")
    assert result.exit_code == 0
    assert [line.split(maxsplit=2) for line in result.output.splitlines()] == [
        ["f(x)", "=", "x**3 + 2*x**2 + 1"],
        ["at", "x", "= 2"],
        [],
        ["value", "formula"],
        ["f", "17", "x**3 + 2*x**2 + 1"],
        ["f′", "20", "3*x**2 + 4*x"],
        ["f″", "16", "6*x + 4"],
        ["f‴", "6", "6"],
        ["f⁽⁴⁾", "0", "0"],
    ]
    assert not any(line.endswith(" ") for line in result.output.splitlines())
    assert "\x1b" not in result.output


def test_several_variables_default_to_the_gradient():
    found = data("x^2 + x*y + z", "--at", "x=-1,y=2,z=3")
    assert found["gradient"] == [0, -1, 1]
    assert "hessian" not in found


def test_values_are_formulas_too():
    found = data("sin(x)*exp(y)", "--at", "x=pi/2, y=min(0, 1)", "--operator", "dx*dy", "--operator", "dx^2 + dy^2")
    assert found["at"] == {"x": math.pi / 2, "y": 0}
    assert values(found) == pytest.approx({"∂x∂y": 0, "∂x² + ∂y²": 0}, abs=1e-15)


def test_at_may_be_repeated():
    assert data("x*y", "--at", "x=2", "--at", "y=3")["gradient"] == [3, 2]


def test_hessian_of_several_variables():
    found = data("x^2*y + y^3", "--at", "x=2,y=3", "--hessian")
    assert found["hessian"] == [[6, 4], [4, 18]]
    text = run("x^2*y + y^3", "--at", "x=2,y=3", "--hessian").output
    assert "Hessian\n6   4\n4  18\n" in text
    assert "∂²f/∂x∂y" in text


def test_gradient_and_hessian_together():
    found = data("x*y^2", "--at", "x=2,y=3", "--gradient", "--hessian")
    assert found["gradient"] == [9, 12]
    assert found["hessian"] == [[0, 6], [6, 4]]


def test_with_respect_to_some():
    assert data("x*y^2*z", "--at", "x=2,y=3,z=5", "--wrt", "y")["gradient"] == [60]
    found = data("x*y^2*z", "--at", "x=2,y=3,z=5", "--wrt", "y,z", "--order", "2")
    assert values(found) == {"∂y": 60, "∂z": 18, "∂y²": 20, "∂y∂z": 12, "∂z²": 0}
    assert found["hessian"] == [[20, 12], [12, 0]]


def test_vectors_give_the_jacobian():
    found = data("x*y, x + z", "--at", "x=1,y=2,z=3")
    assert found["value"] == [2, 4]
    assert found["jacobian"] == [[2, 1, 0], [1, 0, 1]]
    assert "Jacobian\n2  1  0\n1  0  1\n" in run("x*y, x + z", "--at", "x=1,y=2,z=3").output


def test_hessians_of_vectors():
    found = data("[x*y, x^2]", "--at", "x=1,y=2", "--order", "2")
    assert found["hessian"] == [[[0, 1], [1, 0]], [[2, 0], [0, 0]]]
    assert "Hessian of f₂\n2  0\n0  0\n" in run("[x*y, x^2]", "--at", "x=1,y=2", "--order", "2").output


def test_operators():
    found = data("x^4*y", "--at", "x=1,y=2", "--operator", "(dx^2 + dy^2)^2", "--operator", "dx^3/6 - 1/2*dx")
    assert found["value"] == 2
    assert list(values(found).values()) == [48, 48 / 6 - 4]
    text = run("x^4*y", "--at", "x=1,y=2", "--operator", "2*dx*dy").output
    assert "(2 ∂x∂y) f" in text


def test_laplacian_by_name():
    assert list(values(data("x^2*y^2", "--at", "x=1,y=2", "--operator", "laplacian")).values()) == [10]


def test_high_order():
    found = data("exp(2*x)", "--at", "x=0", "--order", "20")
    assert list(values(found).values()) == pytest.approx([2**n for n in range(1, 21)], rel=1e-12)


def test_third_order_of_two_variables():
    found = data("x^3*y^2", "--at", "x=2,y=3", "--order", "3")
    third = {name: value for name, value in values(found).items() if name in ("∂x³", "∂x²∂y", "∂x∂y²", "∂y³")}
    assert third == {"∂x³": 54, "∂x²∂y": 72, "∂x∂y²": 24, "∂y³": 0}


def test_formula_may_begin_with_minus():
    assert data("-x^2", "--at", "x=3")["gradient"] == [-6]
    assert data("-exp(-x)", "--at", "x=0", "--order", "2")["hessian"] == [[-1]]


def test_dtype():
    single = data("x/3", "--at", "x=1", "--dtype", "float32")
    assert single["value"] != data("x/3", "--at", "x=1")["value"] == 1 / 3
    assert single["value"] == pytest.approx(1 / 3, rel=1e-7)


def test_formulas_where_sympy_has_one():
    found = data("abs(x)", "--at", "x=2", "--order", "2")
    assert [entry["formula"] for entry in found["derivatives"]] == ["sign(x)", None]
    assert (
        data("x^3*y", "--at", "x=1,y=1", "--operator", "dx*dy + dx")["derivatives"][0]["formula"] == "3*x**2*y + 3*x**2"
    )


def test_results_that_are_not_finite():
    text = run("sqrt(x)", "--at", "x=0").output
    assert "inf" in text
    assert "Not every result is finite" in text
    assert values(data("sqrt(x)", "--at", "x=0")) == {"∂x": "inf"}


def test_huge_numbers_in_formulas_are_left_out():
    assert data("(1.23456789**900)*x", "--at", "x=1")["derivatives"][0]["formula"] is None


WITHOUT_VALUE = [
    ("log(x)", "x=-1", "it is nan there"),
    ("log(x)", "x=0", "it is -inf there"),
    ("asin(x)", "x=2", "it is nan there"),
    ("sqrt(x)*y", "x=-1,y=2", "it is nan there"),
    ("1/x", "x=0", "it is inf there"),
    ("x^0.5", "x=-1", "it is nan there"),
    ("acosh(x)", "x=0", "it is nan there"),
    ("tan(x)", "x=pi/2", "a pole at x = 1.57079632679"),
    ("1/sin(x)", "x=pi", "a pole"),
]


@pytest.mark.parametrize("command", ["derive", "explain"])
@pytest.mark.parametrize("formula, at, said", WITHOUT_VALUE)
def test_a_point_without_a_value_does_not_end_well(command, formula, at, said):
    result = CliRunner().invoke(main, [command, formula, "--at", at])
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("command", ["derive", "explain"])
@pytest.mark.parametrize(
    "formula, at", [("sin(x)", "x=pi"), ("exp(x)", "x=36"), ("tan(x)", "x=1.57"), ("x^2", "x=1e100")]
)
def test_zeros_and_large_values_are_no_poles(command, formula, at):
    assert CliRunner().invoke(main, [command, formula, "--at", at]).exit_code == 0


def test_outside_of_the_domain_no_derivative_has_a_value():
    result = CliRunner().invoke(main, ["derive", "log(x)", "--at", "x=-1", "--order", "3", "--json"])
    assert [entry["value"] for entry in json.loads(result.stdout)["derivatives"]] == ["nan"] * 3


@pytest.mark.parametrize("depth", [120, 190])
def test_a_formula_may_be_nested_deeply(depth):
    expected = 0.5
    for _ in range(depth):
        expected = math.sin(expected)
    assert data("sin(" * depth + "x" + ")" * depth, "--at", "x=0.5")["value"] == pytest.approx(expected, rel=1e-14)


REFUSED = [
    (["sin^2(x)", "--at", "x=1"], "write sin(x)^2"),
    (["sinx", "--at", "x=1"], "did you mean sin(x)?"),
    (["lnt + t", "--at", "t=1"], "did you mean ln(t)?"),
    (["sec(x)", "--at", "x=1"], "did you mean 1/cos?"),
    (["xsin(x)", "--at", "x=1"], "did you mean x*sin(…)?"),
    (["x*y", "--at", "x=1"], "a value is missing: add --at y=…"),
    (["x", "--at", "x=1,y=2"], "the formula has no variable y; the variables are x"),
    (["alpha^2", "--at", "alhpa=1"], "did you mean alpha?"),
    (["x", "--at", "x=1", "--wrt", "z"], "the formula has no variable z"),
    (["x", "--at", "1"], "--at takes a name and a value"),
    (["x", "--at", "x="], "there is nothing to read"),
    (["x", "--at", "x=1", "--at", "x=2"], "--at gives x twice"),
    (["x", "--at", "x=pj"], "there is no variable pj"),
    (["x", "--at", "x=1/0"], "divides by 0"),
    (["3", "--at", "x=1"], "3 has no variable"),
    (["sinn(x)", "--at", "x=1"], "did you mean sin?\n  sinn(x)\n  ^^^^\n"),
    (["x", "--at", "x=1", "--operator", "dy"], "there is no coordinate y"),
    (["x", "--at", "x=1", "--operator", "dx +"], "not a formula"),
    (["x*y*z*t*u", "--at", "x=1,y=1,z=1,t=1,u=1", "--order", "20"], "use --wrt, --operator or a smaller --order"),
    (["x", "--at", "x=1", "--order", "0"], "0 is not in the range"),
    (["x"], "Missing option '--at'"),
    ([], "Missing argument"),
    (["x", "--at", "x=1", "--ordr", "2"], "No such option"),
]


@pytest.mark.parametrize("arguments, message", REFUSED)
def test_refuses_with_one_message(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_has_an_example():
    result = run("--help")
    assert result.exit_code == 0
    assert 'apolar derive "x**3 + 2*x**2 + 1" --at x=2 --order 2' in result.output
