"""Plots of a function near a point: along one coordinate, with tangent and Taylor polynomial, and lines of equal value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from contourpy import FillType, contour_generator

from apolar.page.plane import LEFT, TOP, Numbers, Plane, tidy

SAMPLES, GRID = 801, 121
"""Points along a curve, with the middle one among them, and along one side of a contour plot."""

LEVELS = 10

LARGEST = 1e300
"""A wider range of values is not drawn: on the way to pixels it would overflow."""


def half_width(point: Numbers, zoom: int) -> float:
    """How far a plot reaches from the point."""
    return float(2 * max(1.0, np.abs(point).max() / 1e4) / 2.0**zoom)


def curve(
    function: Callable[[Numbers], Numbers],
    at: float,
    half: float,
    taylor: tuple[float, float, float],
    names: tuple[str, str],
    identity: str,
    description: str,
) -> str | None:
    """The function over an interval, its tangent and its Taylor polynomial of order 2; None where that cannot be drawn.

    Args:
        function: of many numbers at once.
        at: the middle of the interval.
        half: its half width.
        taylor: the value and two derivatives; a line with one that is not finite is left out.
        names: of the variable and of the function.
        identity: of the drawing among those of a page.
        description: for those who do not see it.
    """
    xs = np.linspace(at - half, at + half, SAMPLES)
    ys = function(xs)
    if not np.isfinite(ys).any():
        return None
    window = _range(ys, taylor[0])
    if not window[1] - window[0] < LARGEST:
        return None
    plane = Plane((at - half, at + half), window, 360, 230, names)
    value, slope, curvature = taylor
    lines = {
        "function": _without_poles(ys, plane.y),
        "taylor": value + slope * (xs - at) + curvature / 2 * (xs - at) ** 2,
        "tangent": value + slope * (xs - at),
    }
    content = "".join(plane.line(kind, xs, line) for kind, line in lines.items() if np.isfinite(line).any())
    return plane.svg(identity, description, content, plane.dot(at, value))


def contours(
    function: Callable[[Numbers, Numbers], Numbers],
    at: Numbers,
    half: float,
    gradient: Numbers,
    names: tuple[str, str],
    identity: str,
    description: str,
) -> str | None:
    """Lines of equal value around a point, and the direction of the gradient; None where that cannot be drawn.

    One unit is as long on both axes, so that the gradient is perpendicular to the lines.
    """
    x, y = (np.linspace(c - half, c + half, GRID) for c in at)
    values = np.ma.masked_invalid(function(*np.meshgrid(x, y)))
    if values.count() == 0 or not values.max() - values.min() < LARGEST:
        return None
    plane = Plane((x[0], x[-1]), (y[0], y[-1]), 360, 360, names)
    generator: Any = contour_generator(x, y, values, fill_type=FillType.OuterOffset)
    levels = _levels(values.compressed())
    bounds = [float(values.min()) - 1, *levels, float(values.max()) + 1]
    content = ""
    for k, (low, high) in enumerate(pairwise(bounds)):
        polygons, offsets = generator.filled(low, high) if low < high else ([], [])
        rings = [plane.path(*points[a:b].T) + "Z" for points, cuts in zip(polygons, offsets) for a, b in pairwise(cuts)]
        content += f'<path class="band" fill-opacity="{0.6 * k / len(levels):.3f}" d="{"".join(rings)}"/>'
    lines = {level: generator.lines(level) for level in levels}
    content += "".join(plane.line("level", *line.T) for several in lines.values() for line in several)
    here = float(function(*at))
    content += "".join(plane.line("level here", *line.T) for line in generator.lines(here))
    arrow = _arrow(plane, at, gradient) if np.isfinite(gradient).all() and gradient.any() else ""
    return plane.svg(identity, description, content + "".join(_labels(plane, lines, at)) + arrow, plane.dot(*at))


def _range(values: Numbers, inside: float) -> tuple[float, float]:
    """Where most values lie, so that a pole does not flatten everything else; ``inside`` is always among them."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [0.05, 0.95])
    if finite.max() - finite.min() <= 3 * (high - low):
        low, high = finite.min(), finite.max()
    low, high = min(low, inside), max(high, inside)
    margin = 0.08 * (high - low) or max(1.0, abs(high) / 10)
    return float(low - margin), float(high + margin)


def _without_poles(values: Numbers, window: tuple[float, float]) -> Numbers:
    """The same, interrupted where it leaves the window on one side and comes back on the other."""
    low, high = window
    before, after = values[:-1], values[1:]
    across = ((before < low) & (after > high)) | ((before > high) & (after < low))
    interrupted = values.copy()
    interrupted[1:][across] = np.nan
    return interrupted


def _levels(values: Numbers) -> list[float]:
    """Evenly spaced ones, or where most of the area would lie between two of them, so that each has its share of it."""
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return [low]
    even = np.linspace(low, high, LEVELS + 1)
    if np.histogram(values, even)[0].max() > values.size / 2:
        even = np.quantile(values, np.linspace(0, 1, LEVELS + 1))
    step = float(np.diff(even).mean())
    chosen = {float(f"{level:.2g}") if abs(level) > step / 100 else 0.0 for level in even[1:-1]}
    return sorted(level for level in chosen if low < level < high) or [(low + high) / 2]


def _labels(plane: Plane, lines: dict[float, list[Numbers]], at: Numbers) -> Iterator[str]:
    """The value of each level at one point of its lines, the farthest from the point and the other labels."""
    taken = [np.ravel(plane.place(*at[:, None]))]
    for level in filter(lines.get, lines):
        points = np.stack(plane.place(*np.concatenate(lines[level]).T), axis=1)
        margin = np.minimum(points - (LEFT, TOP), (LEFT + plane.width, TOP + plane.height) - points).min(axis=1)
        distance = np.min([np.hypot(*(points - other).T) for other in taken], axis=0)
        best = points[np.argmax(np.where(margin > 18, distance, -1))]
        taken.append(best)
        yield (
            f'<text class="label" text-anchor="middle" x="{best[0]:.1f}" y="{best[1] + 4:.1f}">{tidy(f"{level:g}")}</text>'
        )


def _arrow(plane: Plane, at: Numbers, gradient: Numbers) -> str:
    """From the point in the direction of the gradient; its length says nothing."""
    across, up = gradient / np.abs(gradient).max() / np.linalg.norm(gradient / np.abs(gradient).max())
    (u,), (v,) = plane.place(*at[:, None])
    length, head = 0.3 * plane.width, 11
    tip = np.array([u + length * across, v - length * up])
    back = np.array([-across, up]) * head
    side = np.array([up, across]) * head * 0.45
    base = tip + back
    corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in (tip, base + side, base - side))
    return (
        f'<path class="arrow" d="M{u:.1f} {v:.1f}L{base[0]:.1f} {base[1]:.1f}"/>'
        f'<polygon class="arrowhead" points="{corners}"/>'
    )
