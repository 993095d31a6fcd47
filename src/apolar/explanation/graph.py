"""The computation graph: laid out in layers by igraph, drawn as SVG, and written for Graphviz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate

from rich.cells import cell_len
from torch import Tensor

from apolar.explanation.explanation import Derivation, Edge
from apolar.explanation.notation import Formula, array
from apolar.extras import extra

CHARACTER, LINE, PADDING = 7.4, 18, 12
"""The width and height of text and the space around it, in pixels."""

BETWEEN_LAYERS, BETWEEN_NODES, BETWEEN_COPIES = 130, 58, 44

NEAR = 0.36
"""Where on an edge its numbers stand; not in the middle, where edges cross."""

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
    leaves = [Box(leaf.name, leaf.kind, (_cut(leaf.name.plain), _short(leaf.value))) for leaf in derivation.leaves]
    steps = [
        Box(
            step.name,
            "output" if step.name == derivation.output else "operation",
            (_cut(f"{step.name} = {step.formula}"), _short(step.value)),
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
    height = max(y for path in [places, *paths] for _, y in path) + max(box.height for box in nodes) / 2 + PADDING
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
    with extra("explain", "Explanation.to_html"):
        import igraph
    position = {box.name: k for k, box in enumerate(nodes)}
    pairs = [(position[edge.source], position[edge.target]) for edge in edges]
    layers = _layers(len(nodes), pairs)
    found = igraph.Graph(n=len(nodes), edges=pairs, directed=True).layout_sugiyama(layers=layers, maxiter=200)
    points = [*found.coords, *(point for route in found.edge_routing for point in route)]
    top = min(across for across, _ in points)
    row = max(box.height for box in nodes) + BETWEEN_NODES
    widths = [max(box.width for box, at in zip(nodes, layers) if at == layer) for layer in range(max(layers) + 1)]
    ends = list(accumulate(width + BETWEEN_LAYERS for width in widths))

    def place(point: Sequence[float]) -> Point:
        layer = round(point[1])
        return (PADDING + ends[layer] - BETWEEN_LAYERS - widths[layer] / 2, PADDING + row * (point[0] - top + 0.5))

    centres = [place(point) for point in found.coords]
    paths = []
    for k, ((source, target), route) in enumerate(zip(pairs, found.edge_routing)):
        (x, y), (u, v) = centres[source], centres[target]
        start, end = (x + nodes[source].width / 2, y), (u - nodes[target].width / 2, v)
        aside = BETWEEN_COPIES * pairs[:k].count((source, target))
        between = [((start[0] + end[0]) / 2, (y + v) / 2 + aside)] if aside and not route else map(place, route)
        paths.append([start, *between, end])
    return centres, paths


def _layers(nodes: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Every operation behind its operands, and what has none just before its first use."""
    layers = [0] * nodes
    for source, target in sorted(pairs, key=lambda pair: pair[1]):
        layers[target] = max(layers[target], layers[source] + 1)
    made = {target for _, target in pairs}
    for node in set(range(nodes)) - made:
        layers[node] = min((layers[target] for source, target in pairs if source == node), default=1) - 1
    return layers


def _edge(edge: Edge, path: Sequence[Point]) -> str:
    line = "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in path)
    if len(path) == 2:
        (x, y), (u, v) = path
        x, y = x + NEAR * (u - x), y + NEAR * (v - y)
    else:
        x, y = path[1] if len(path) == 3 else ((path[1][0] + path[2][0]) / 2, (path[1][1] + path[2][1]) / 2)
    labels = f'<text class="forward" x="{x:.0f}" y="{y - 5:.0f}">{escape(_short(edge.value))}</text>'
    if edge.contribution is not None:
        labels += f'<text class="backward" x="{x:.0f}" y="{y + 14:.0f}">{escape(_short(edge.contribution))}</text>'
    return f'<g class="edge"><path d="{line}" marker-end="url(#arrow)"/>{labels}</g>'


def _short(value: Tensor) -> str:
    return array(value).plain if value.numel() <= 2 else str(tuple(value.shape))


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
        parts = [edge.value] if edge.contribution is None else [edge.value, edge.contribution]
        label = _quoted("\n".join(map(_short, parts)))
        lines.append(f"  {names[edge.source]} -> {names[edge.target]} [label={label}];")
    return "\n".join(["digraph {", "  rankdir=LR;", *lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
