"""Plots: what is drawn lies where the function is, and the gradient is perpendicular to the lines of equal value."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apolar.page.plane import Plane, ticks
from apolar.page.plots import contours, curve, half_width


def points(path):
    return np.array([[float(a), float(b)] for a, b in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)])


def drawn(svg, kind):
    """The points of the first line of a kind, in pixels."""
    (path,) = re.findall(rf'class="line {kind}" d="([^"]*)"', svg)[:1] or [""]
    return points(path)


def frame(svg):
    (rect,) = re.findall(r'class="frame" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', svg)
    return tuple(map(float, rect))


def test_the_curve_passes_through_the_values():
    svg = curve(np.cos, 0.5, 2.0, (np.cos(0.5), -np.sin(0.5), -np.cos(0.5)), ("x", "f(x)"), "a", "cos")
    left, _, width, _ = frame(svg)
    line = drawn(svg, "function")
    x = 0.5 - 2 + 4 * (line[:, 0] - left) / width
    scale = np.polyfit(line[:, 1], np.cos(x), 1)
    assert np.abs(np.polyval(scale, line[:, 1]) - np.cos(x)).max() < 2e-3
    assert scale[0] < 0  # up is up
    tangent = drawn(svg, "tangent")
    slope = np.polyfit(tangent[:, 0] * 4 / width, np.polyval(scale, tangent[:, 1]), 1)[0]
    assert slope == pytest.approx(-np.sin(0.5), abs=2e-3)
    taylor = drawn(svg, "taylor")
    curvature = np.polyfit(taylor[:, 0] * 4 / width, np.polyval(scale, taylor[:, 1]), 2)[0]
    assert 2 * curvature == pytest.approx(-np.cos(0.5), abs=4e-3)
    middle = re.search(r'class="dot" cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert float(middle[1]) == pytest.approx(left + width / 2, abs=0.1)
    assert np.polyval(scale, float(middle[2])) == pytest.approx(np.cos(0.5), abs=4e-3)


def test_a_pole_interrupts_the_curve():
    svg = curve(lambda x: 1 / (x - 1e-9), 0.5, 2.0, (2.0, -4.0, 16.0), ("x", "f"), "a", "1/x")
    (path,) = re.findall(r'class="line function" d="([^"]*)"', svg)
    assert path.count("M") == 2
    before, after = (points(part)[:, 0] for part in path.split("M")[1:])
    assert before.max() < after.min()


@pytest.mark.parametrize("taylor", [(0.0, np.inf, -np.inf), (0.0, np.nan, np.nan)])
def test_lines_that_are_not_finite_are_left_out(taylor):
    with np.errstate(all="ignore"):
        svg = curve(np.sqrt, 0.0, 2.0, taylor, ("x", "f"), "a", "√x")
    assert "function" in svg
    assert "tangent" not in svg.replace("aria-label", "")


@pytest.mark.parametrize("function", [lambda x: np.full_like(x, np.nan), lambda x: np.sign(x) * 1.5e308])
def test_no_plot_of_what_cannot_be_drawn(function):
    with np.errstate(all="ignore"):
        assert curve(function, 0.0, 1.0, (0.0, 0.0, 0.0), ("x", "f"), "a", "") is None


def test_the_gradient_is_perpendicular_to_the_line_through_the_point():
    at, gradient = np.array([1.0, 2.0]), np.array([2.0, 16.0])
    svg = contours(lambda x, y: x**2 + 4 * y**2, at, 2.0, gradient, ("x", "y"), "a", "ellipses")
    start, tip = points(re.search(r'class="arrow" d="([^"]*)"', svg)[1])
    arrow = (tip - start) * (1, -1)
    assert arrow / np.linalg.norm(arrow) == pytest.approx(gradient / np.linalg.norm(gradient), abs=2e-3)
    line = drawn(svg, "level here")
    near = line[np.argsort(np.hypot(*(line - start).T))[:4]]
    along = near.max(axis=0) - near.min(axis=0)
    direction = np.polyfit(near[:, 0], near[:, 1], 1)[0]
    assert along[0] > 0
    assert -direction == pytest.approx(-gradient[0] / gradient[1], abs=0.03)
    left, top, width, height = frame(svg)
    assert width == height
    x, y = at[0] - 2 + 4 * (line[:, 0] - left) / width, at[1] + 2 - 4 * (line[:, 1] - top) / height
    assert np.abs(x**2 + 4 * y**2 - 17).max() < 0.15


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: 0 * x + 3,
        lambda x, y: np.log(x) + y,
        lambda x, y: 1 / (x * y),
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        lambda x, y: np.sign(x + y),
        lambda x, y: 1e-9 * x,
        lambda x, y: 1e200 * x,
    ],
)
def test_contours_of_any_function_are_well_formed(function):
    with np.errstate(all="ignore"):
        svg = contours(function, np.array([0.5, 0.5]), 2.0, np.array([1.0, 0.0]), ("x", "y"), "a", "a < b")
    ElementTree.fromstring(svg)
    assert not re.search(r"nan|inf", svg)


def test_labels_of_contours_do_not_cover_each_other():
    svg = contours(lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, np.ones(2), 2.0, np.zeros(2), ("x", "y"), "a", "")
    places = np.array(
        [[float(a), float(b)] for a, b in re.findall(r'class="label"[^>]* x="([\d.]+)" y="([\d.]+)"', svg)]
    )
    assert len(places) > 5
    apart = np.abs(places[:, None] - places[None]).max(-1) + 1000 * np.eye(len(places))
    assert apart.min() > 18


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_are_few_lie_inside_and_can_be_told_apart(low, width):
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 7
    assert all(low <= tick <= low + width for tick, _ in found)
    if width > abs(low) / 1e4:
        assert len({label for _, label in found}) == len(found)


@pytest.mark.parametrize("low, high, labels", [(-1.5, 2.5, ["−1", "0", "1", "2"]), (0, 0.5, ["0", "0.1", "0.2"])])
def test_ticks_as_they_are_written(low, high, labels):
    assert [label for _, label in ticks(low, high)][: len(labels)] == labels


def test_names_of_axes_are_escaped():
    svg = Plane((0, 1), (0, 1), 100, 100, ("<x>", "y")).svg("a", '"quoted" <b>', "")
    ElementTree.fromstring(svg)
    assert "<x>" not in svg


@pytest.mark.parametrize(
    "point, zoom, half",
    [([0.5], 0, 2), ([0.5], 1, 1), ([0.5], -1, 4), ([100.0, 1.0], 0, 2), ([1.0, -1e6], 0, 200)],
)
def test_half_widths(point, zoom, half):
    assert half_width(np.array(point), zoom) == half
