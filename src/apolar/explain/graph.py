"""The computation graph: laid out in layers by igraph, drawn as SVG, and written for Graphviz."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import igraph
from rich.cells import cell_len

from apolar.explain.explanation import Derivation, Edge
from apolar.explain.notation import Formula, array

CHARACTER, LINE, PADDING = 7.4, 18, 12
"""The width and height of text and the space around it, in pixels."""

BETWEEN_LAYERS, BETWEEN_NODES = 120, 34

LONGEST = 26
"""Longer texts are cut."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node: what it is, and its value."""

    name: Formula
    kind: str
    lines: tuple[str, ...]

    @property
    def width(self) -> float:
        """In pixels."""
        return max(map(cell_len, self.lines)) * CHARACTER + 2 * PADDING

    @property
    def height(self) -> float:
        """In pixels."""
        return len(self.lines) * LINE + PADDING


def boxes(derivation: Derivation) -> list[Box]:
    """The nodes, inputs first."""
    leaves = [
        Box(leaf.name, leaf.kind, (_cut(leaf.name.plain), _cut(array(leaf.value).plain))) for leaf in derivation.leaves
    ]
    steps = [
        Box(
            step.name,
            "output" if step.name == derivation.output else "operation",
            (_cut(f"{step.name} = {step.formula}"), _cut(array(step.value).plain)),
        )
        for step in derivation.steps
    ]
    return leaves + steps


def _cut(text: str) -> str:
    return text if cell_len(text) <= LONGEST else text[: LONGEST - 1] + "…"


# ------------------------------------------------------------------------------------------------------------------ SVG


def svg(derivation: Derivation, title: str) -> str:
    """The graph from left to right; classes say what is what, colours are up to the page."""
    nodes = boxes(derivation)
    places, paths = _layout(nodes, derivation.edges)
    width = max(x + box.width / 2 for (x, _), box in zip(places, nodes)) + PADDING
    height = max(max(y for _, y in path) for path in [places, *paths]) + 60
    drawn = [
        *(_edge(edge, path) for edge, path in zip(derivation.edges, paths)),
        *(_node(box, place) for box, place in zip(nodes, places)),
    ]
    return (
        f'<svg class="graph" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _layout(nodes: Sequence[Box], edges: Sequence[Edge]) -> tuple[list[Point], list[list[Point]]]:
    """The centres of the nodes, and for each edge the points that it passes."""
    position = {box.name: k for k, box in enumerate(nodes)}
    pairs = [(position[edge.source], position[edge.target]) for edge in edges]
    graph = igraph.Graph(n=len(nodes), edges=pairs, directed=True)
    layout, extended = graph.layout_sugiyama(hgap=1, vgap=1, maxiter=200, return_extended_graph=True)
    layers = [round(y) for _, y in layout.coords]
    first = min(x for x, _ in layout.coords)
    row = max(box.height for box in nodes) + BETWEEN_NODES
    widest = {layer: max(box.width for box, at in zip(nodes, layers) if at == layer) for layer in set(layers[: len(nodes)])}
    centre, left = {}, float(PADDING)
    for layer in sorted(set(layers)):
        centre[layer] = left + widest.get(layer, 0) / 2
        left += widest.get(layer, 0) + BETWEEN_LAYERS
    points = [(centre[layer], (x - first) * row + 40) for (x, _), layer in zip(layout.coords, layers)]
    following = {edge.source: edge.target for edge in extended.es if edge.source >= len(nodes)}
    starts: dict[int, list[int]] = {}
    for edge in extended.es:
        if edge.source < len(nodes):
            starts.setdefault(edge.source, []).append(edge.target)
    paths = []
    for source, target in pairs:
        through, end = next(
            (via, end) for via, end in (_followed(first, following) for first in starts[source]) if end == target
        )
        starts[source].remove((via := [*through, end])[0])
        copies = [p for p, pair in zip(paths, pairs) if pair == (source, target)]
        shift = 26.0 * len(copies)
        a, b = points[source], points[target]
        begin = (a[0] + nodes[source].width / 2, a[1] + shift / 2)
        finish = (b[0] - nodes[target].width / 2, b[1] + shift / 2)
        paths.append([begin, *(points[k] for k in via[:-1]), finish])
    return points[: len(nodes)], paths


def _followed(start: int, following: dict[int, int]) -> tuple[list[int], int]:
    """The way through the points that only bend an edge, and the node at its end."""
    through = []
    while start in following:
        through.append(start)
        start = following[start]
    return through, start


def _edge(edge: Edge, path: Sequence[Point]) -> str:
    line = "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in path)
    lengths = [math.dist(a, b) for a, b in zip(path, path[1:])]
    k = lengths.index(max(lengths))
    (x, y), (u, v) = path[k], path[k + 1]
    middle = f'x="{(x + u) / 2:.0f}"'
    labels = f'<text class="forward" {middle} y="{(y + v) / 2 - 5:.0f}">{escape(_short(edge, "value"))}</text>'
    if edge.contribution is not None:
        labels += f'<text class="backward" {middle} y="{(y + v) / 2 + 14:.0f}">{escape(_short(edge, "contribution"))}</text>'
    return f'<g class="edge"><path d="{line}" marker-end="url(#arrow)"/>{labels}</g>'


def _short(edge: Edge, part: str) -> str:
    value = getattr(edge, part)
    return array(value).plain if value.numel() <= 2 else "×".join(map(str, value.shape))


def _node(box: Box, place: Point) -> str:
    x, y = place[0] - box.width / 2, place[1] - box.height / 2
    texts = "".join(
        f'<text class="line{k}" x="{place[0]:.0f}" y="{y + PADDING / 2 + LINE * (k + 0.75):.0f}">{escape(line)}</text>'
        for k, line in enumerate(box.lines)
    )
    return (
        f'<g class="node {box.kind}"><rect x="{x:.0f}" y="{y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"/>'
        f"{texts}</g>"
    )


# ------------------------------------------------------------------------------------------------------------- Graphviz


def dot(derivation: Derivation) -> str:
    """The graph in the language of Graphviz, values and contributions at the edges."""
    names = {box.name: f"n{k}" for k, box in enumerate(boxes(derivation))}
    lines = [
        f"  {names[box.name]} [label={_quoted(chr(10).join(box.lines))}{', shape=box' * (box.kind == 'operation')}];"
        for box in boxes(derivation)
    ]
    for edge in derivation.edges:
        back = "" if edge.contribution is None else f"\n{array(edge.contribution)}"
        label = _quoted(f"{array(edge.value)}{back}")
        lines.append(f"  {names[edge.source]} -> {names[edge.target]} [label={label}];")
    return "\n".join(["digraph {", "  rankdir=LR;", *lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
