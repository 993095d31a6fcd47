"""Autograd's graph: its nodes, its leaves, and what is known of the line that made each node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from apolar.diagnosis.places import NOWHERE, Place
from apolar.engine.torch_private import family

KEY = "apolar.origin"
"""Where a node keeps its origin: in its own metadata, which live as long as the node does."""


@dataclass(frozen=True)
class Origin:
    """The call that made a node.

    Attributes:
        name: of the function.
        order: 0 in the forward pass, 1 in the graph of a first derivative, …
        nonfinite: the mark of the NaN or infinity that the call was given or made.
    """

    place: Place
    name: str
    order: int = 0
    nonfinite: Any = None


UNKNOWN = Origin(NOWHERE, "")


def origin(node: Any) -> Origin:
    """What is known of a node."""
    return node.metadata.get(KEY, UNKNOWN)


def following(node: Any) -> list[Any]:
    """The nodes to which a node passes its gradient on."""
    return [n for n, _ in node.next_functions if n is not None]


def start(tensor: Tensor) -> Any:
    """The node at which the gradient of a tensor begins; for a leaf, its accumulator."""
    return get_gradient_edge(tensor).node if tensor.requires_grad else None


def nodes(outputs: Iterable[Tensor]) -> list[Any]:
    """All nodes below some tensors, each before those that it passes on to."""
    order: list[Any] = []
    seen: set[Any] = set()
    waiting = [(n, False) for n in (start(y) for y in outputs) if n is not None]
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(n, False) for n in following(node) if n not in seen]
    return order[::-1]


def leaves(below: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors in which gradients are accumulated."""
    return (node.variable for node in below if hasattr(node, "variable"))


def between(below: list[Any], ends: set[Any]) -> list[Any]:
    """The nodes on a path to one of ``ends``, of nodes in their order."""
    found = set(ends)
    for node in reversed(below):
        if any(n in found for n in following(node)):
            found.add(node)
    return [node for node in below if node in found]


def reached(outputs: Iterable[Tensor], blocked: frozenset[str]) -> set[Any]:
    """The nodes that can be reached without passing through a node of some names."""
    seen: set[Any] = set()
    waiting = [start(y) for y in outputs]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen and family(node) not in blocked:
            seen.add(node)
            waiting += following(node)
    return seen


def tag(tensor: Tensor, made: Origin, known: set[Any]) -> None:
    """Note on the new nodes below a tensor which call made them."""
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in known or hasattr(node, "variable") or KEY in node.metadata:
            continue
        node.metadata[KEY] = made
        waiting += following(node)
