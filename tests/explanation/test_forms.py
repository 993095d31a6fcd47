"""The forms of an explanation: text, HTML, LaTeX, JSON and the graph, in both languages."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from rich.console import Console

import apolar as ap
from apolar.explanation.graph import boxes, svg
from tests.explanation.scenarios import SCENARIOS, Scenario

E = ap.explain("cos(x^2)", x=0.5, order=2)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_text_has_every_number_of_the_example() -> None:
    text = str(E)
    for line in (
        "v₁ = x² = 0.5² = 0.25",
        "v₂ = cos(v₁) = cos(0.25) = 0.968912",
        "v̄₁ = v̄₂·∂v₂/∂v₁ = v̄₂·(-sin(v₁)) = 1·(-0.247404) = -0.247404",
        "f′ = x̄ = -0.247404",
        "x̄    = x̄⁽¹⁾ + x̄⁽²⁾ = -0.494808 + (-0.968912) = -1.463720",
        "v₂″ = -(v₁′)²·cos(v₁) - v₁″·sin(v₁) = -1.463720",
        "f″ = -4·x²·cos(x²) - 2·sin(x²) = -1.463720",
    ):
        assert line in text


def test_text_says_what_is_differentiated() -> None:
    vector = ap.explain(torch.sin, torch.ones(3), 2)
    assert "The result has the shape (3,). Its entries are summed" in str(vector)
    assert "The entries of sin′ are summed" in str(vector)
    assert "multiplied by those of the seed" in str(ap.explain(torch.sin, torch.ones(2), seed=[1, 2]))
    constant = str(ap.explain("3*x + y^2", {"x": 1, "y": 2}, 2))
    assert "∂f/∂x does not depend on the inputs here" in constant


@pytest.mark.parametrize("scenario", SCENARIOS[::6], ids=str)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_forms_of_all_kinds_of_functions(scenario: Scenario, lang: str) -> None:
    explanation = ap.explain(scenario.function, scenario.inputs, min(scenario.order, 2), lang=lang)
    page = explanation.to_html()
    assert (CHINESE.search(str(explanation)) is not None) == (CHINESE.search(page) is not None) == (lang == "zh")
    assert_closed(page)
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawing)
    for formula in re.findall(r"<math.*?</math>", page, re.DOTALL):
        assert "merror" not in formula
        ET.fromstring(formula)
    json.loads(explanation.to_json())
    assert explanation.to_latex().count(r"\begin{align*}") == explanation.to_latex().count(r"\end{align*}")


def assert_closed(page: str) -> None:
    """Every element ends where it should."""

    class Reader(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_startendtag(self, tag, attributes):
            pass

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    Reader.open = []
    Reader().feed(page)
    assert not Reader.open


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    E.to_html(tmp_path / "page.html", lang="zh")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert '<html lang="zh-Hans">' in page
    links = re.findall(r"""(?:href|src)=|url\((?!#)|@import""", page)
    assert not links
    assert not [link for link in re.findall(r"https?://[^\"' <]+", page) if not link.startswith("http://www.w3.org/")]
    assert "<script" not in page
    assert page.count("<svg") == 2


def test_notebooks_get_a_fragment_and_terminals_colours() -> None:
    assert E._repr_html_().startswith("<style>")
    console = Console(force_terminal=True, width=80, record=True)
    with console.capture() as captured:
        console.print(E)
    assert "\x1b[" in captured.get()
    assert "-1.463720" in captured.get()


def test_titles_are_escaped() -> None:
    explanation = ap.explain(torch.nn.Sequential(torch.nn.Tanh()), 1.0)
    dangerous = type(explanation)(**{**vars(explanation), "title": "<b>&_"})
    assert "<b>&_" not in dangerous.to_html()
    assert r"<b>\&\_" in dangerous.to_latex()


def test_latex_has_no_character_that_latex_does_not_know() -> None:
    document = ap.explain("x*y", {"x": 1, "y": 2}, 2).to_latex()
    assert document.isascii()
    assert r"\documentclass{ctexart}" in E.to_latex(lang="zh")
    assert r"\bar{x} &= \bar{v}_{1} \cdot \frac{\partial v_{1}}{\partial x}" in E.to_latex()


def test_json_holds_every_digit() -> None:
    data = json.loads(E.to_json())
    assert data["at"] == {"x": 0.5}
    assert data["derivatives"][1]["value"] == float(E.derivatives["x", "x"])
    assert data["derivations"][0]["forward"][1]["value"] == math.cos(0.25)
    for derivation in data["derivations"]:
        for adjoint in derivation["backward"]:
            parts = adjoint["contributions"]
            assert all(part["upstream"] * part["local"] == part["contribution"] for part in parts)
            assert not parts or sum(part["contribution"] for part in parts) == adjoint["gradient"]
    assert data["symbolic"][-1]["formula"] == "-4*x**2*cos(x**2) - 2*sin(x**2)"


def test_json_has_strings_for_what_is_not_finite() -> None:
    data = json.loads(ap.explain("sqrt(x)", x=0.0).to_json())
    assert data["derivatives"] == [{"by": ["x"], "value": "inf"}]


def test_the_graph_has_every_node_and_edge() -> None:
    (derivation,) = ap.explain("x*sin(x)", x=1).derivations
    assert [box.lines[0] for box in boxes(derivation)] == ["x", "v₁ = sin(x)", "v₂ = x·v₁"]
    drawing = ET.fromstring(svg(derivation, "title"))
    groups = [g.get("class") for g in drawing.iter("g")]
    assert groups.count("edge") == 3
    assert [g for g in groups if g.startswith("node")] == ["node input", "node operation", "node output"]
    dot = ap.explain("x*sin(x)", x=1).to_dot()
    assert dot.startswith("digraph {")
    assert dot.count("->") == 3
    assert r'n0 -> n1 [label="1\n0.540302"];' in dot


def test_boxes_do_not_overlap() -> None:
    for text in ("x*exp(x*y) + x/y", "sin(x)*cos(y)*x*y + x^2 + y^2"):
        (derivation,) = ap.explain(text, {"x": 1, "y": 2}).derivations
        rectangles = [
            tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
            for r in ET.fromstring(svg(derivation, "")).iter("rect")
        ]
        for k, (x, y, w, h) in enumerate(rectangles):
            for u, v, width, height in rectangles[:k]:
                assert x + w <= u or u + width <= x or y + h <= v or v + height <= y


def test_signs_are_explained_where_they_occur() -> None:
    at = {"x": 1, "y": 2}
    for sign, text in {"H(u) is 1": "max(x, y)", "A comparison in brackets": "relu(x)*y"}.items():
        assert sign in str(ap.explain(text, at))
        assert sign not in str(ap.explain("sin(x)*y", at))
    assert "⊙ multiplies entry by entry." in str(ap.explain(torch.sin, torch.ones(2)))
    assert "Jᵀ(g) is the transposed Jacobian" in str(ap.explain(torch.matrix_exp, torch.eye(2)))
    assert "⊙" not in str(ap.explain(torch.sin, 1.0))


def test_text_leaves_out_the_middle_of_many_lines() -> None:
    def many(x):
        for _ in range(100):
            x = torch.sin(x)
        return x

    explanation = ap.explain(many, 1.0)
    text = str(explanation)
    assert "⋮    21 lines are left out here" in text
    assert "v₅₀ = " not in text
    assert "v₁₀₀ = " in text
    assert f"many′ = x̄ = {explanation.derivatives['x',]:.6f}" in text
    assert len(json.loads(explanation.to_json())["derivations"][0]["forward"]) == 100
    assert "v_{50}" in explanation.to_html() or "<mn>50</mn>" in explanation.to_html()
    assert r"v_{50}" in explanation.to_latex()


def test_long_sums_are_abbreviated() -> None:
    text = str(ap.explain(lambda x: sum(x**k for k in range(2, 20)), 1.0))
    assert "x̄⁽¹⁰⁾ + … + x̄⁽¹⁸⁾ = " in text
    assert "x̄⁽¹¹⁾ = " in text


def test_negative_arguments_keep_their_parentheses_in_latex() -> None:
    assert r"\sin{\left({-1} \right)}" in ap.explain("sin(x)", x=-1).to_latex()
    assert r"\left(1 \cdot 10^{8}\right)^{2}" in ap.explain("x^2", x=1e8).to_latex()


class Odd(torch.nn.Module):
    """Its parameter has a name that HTML would take for an element."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("<b>&_", torch.nn.Parameter(torch.ones(2)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ getattr(self, "<b>&_")


@pytest.mark.parametrize("order", [1, 2])
def test_names_are_escaped(order: int) -> None:
    explanation = ap.explain(Odd(), torch.ones(2), order)
    page = explanation.to_html()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    for formula in re.findall(r"<math.*?</math>|<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(formula)
    assert r"parameter <b>\&\_" in explanation.to_latex()
