"""The plane that a plot is drawn on: scales, ticks and the frame, as SVG whose colours and fonts are those of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from apolar.explanation.notation import named

Numbers = NDArray[np.float64]

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 40
"""Around the frame, in pixels: room for the labels."""

FAR = 1e4
"""Where points outside of the frame are drawn at most, so that every coordinate stays readable for a browser."""


@dataclass(frozen=True)
class Plane:
    """A piece of the plane, and its size on the page.

    Attributes:
        x: from where to where.
        y: likewise.
        width: of the frame in pixels.
        height: likewise.
        names: of the two axes.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: float
    height: float
    names: tuple[str, str]

    def place(self, xs: Numbers, ys: Numbers) -> tuple[Numbers, Numbers]:
        """Where points are drawn."""
        across = LEFT + self.width * (xs - self.x[0]) / (self.x[1] - self.x[0])
        down = TOP + self.height * (self.y[1] - ys) / (self.y[1] - self.y[0])
        return np.clip(across, -FAR, FAR), np.clip(down, -FAR, FAR)

    def path(self, xs: Numbers, ys: Numbers) -> str:
        """A line through points; it is interrupted where they are not finite."""
        across, down = self.place(xs, ys)
        drawn, pen = [], "M"
        for u, v in zip(across, down):
            if math.isfinite(u) and math.isfinite(v):
                drawn.append(f"{pen}{u:.1f} {v:.1f}")
                pen = "L"
            else:
                pen = "M"
        return "".join(drawn)

    def line(self, kind: str, xs: Numbers, ys: Numbers) -> str:
        """A line of a kind, which the style sheet knows."""
        return f'<path class="line {kind}" d="{self.path(xs, ys)}"/>'

    def dot(self, x: float, y: float) -> str:
        """The point at which the derivatives are taken."""
        u, v = self.place(np.array([x]), np.array([y]))
        return f'<circle class="dot" cx="{u[0]:.1f}" cy="{v[0]:.1f}" r="4.5"/>'

    def svg(self, identity: str, description: str, content: str, above: str = "") -> str:
        """The drawing: ``content`` is cut at the frame, ``above`` is not."""
        frame = f'x="{LEFT}" y="{TOP}" width="{self.width:.0f}" height="{self.height:.0f}"'
        width, height = LEFT + self.width + RIGHT, TOP + self.height + BOTTOM
        return (
            f'<svg class="plot" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(description)}">'
            f'<clipPath id="{identity}"><rect {frame}/></clipPath>{"".join(self._axes())}'
            f'<g clip-path="url(#{identity})">{content}</g><rect class="frame" {frame}/>{above}</svg>'
        )

    def _axes(self) -> Iterator[str]:
        """Grid lines, their numbers, and the names of the axes."""
        right, bottom = LEFT + self.width, TOP + self.height
        for tick, label in ticks(*self.x):
            u = LEFT + self.width * (tick - self.x[0]) / (self.x[1] - self.x[0])
            yield f'<path class="grid" d="M{u:.1f} {TOP}V{bottom:.0f}"/>'
            yield f'<text class="tick" text-anchor="middle" x="{u:.1f}" y="{bottom + 17:.0f}">{label}</text>'
        for tick, label in ticks(*self.y):
            v = TOP + self.height * (self.y[1] - tick) / (self.y[1] - self.y[0])
            yield f'<path class="grid" d="M{LEFT} {v:.1f}H{right:.0f}"/>'
            yield f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{v + 4:.1f}">{label}</text>'
        x, y = (escape(named(name).plain) for name in self.names)
        middle = TOP + self.height / 2
        yield f'<text class="axis" text-anchor="middle" x="{LEFT + self.width / 2:.0f}" y="{bottom + 34:.0f}">{x}</text>'
        yield (
            f'<text class="axis" text-anchor="middle" x="10" y="{middle:.0f}" '
            f'transform="rotate(-90 10 {middle:.0f})">{y}</text>'
        )


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers between two others, and how they are written."""
    found = [float(t) for t in MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= t <= high]
    step = found[1] - found[0] if len(found) > 1 else 1.0
    return [(tick, short(tick, step)) for tick in found]


def short(value: float, step: float) -> str:
    """A number with as many decimals as tell it from the next one.

    >>> [short(x, 0.25) for x in (-0.25, 0.0, 1.5)], short(2e6, 1e6)
    (['−0.25', '0', '1.50'], '2e6')
    """
    if abs(value) < step / 1000:
        return "0"
    size = max(abs(value), step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    decimals += step * 10**decimals % 1 > 1e-6
    return tidy(f"{value:.{decimals}f}" if step > 1e-4 and size < 1e6 else f"{value:.6g}")


def tidy(digits: str) -> str:
    """A number in the signs of print.

    >>> tidy("-1e-05"), tidy("2e+06")
    ('−1e−5', '2e6')
    """
    return digits.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e").replace("-", "−")
