"""A computation as a list of tensor operations, recorded while it runs once, and its reverse mode with it.

PyTorch's make_fx records. What depends on a cotangent is the backward pass, everything else the forward pass; both are
written out as Python functions without branches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from apolar.engine.arrays import Arrays, looks
from apolar.engine.context import capturing
from apolar.engine.torch_private import TorchDispatchMode, local_scalar, mutates
from apolar.kernels import operations
from apolar.kernels.chain import rows_times

Pass = Callable[..., Any]


@dataclass(frozen=True)
class Capture:
    """The passes of a function of tensors.

    Attributes:
        forward: the inputs ↦ the results, and behind them what the backward pass reads.
        backward: what it reads, and the cotangents of the results ↦ those of the inputs, None where there is none.
        results: how many there are.
    """

    forward: Pass
    backward: Pass
    results: int


def capture(
    function: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor],
    sources: Sequence[Tensor],
    results: Sequence[Tensor],
) -> Capture:
    """The passes of ``function`` of the inputs.

    Args:
        function: of the inputs; it may hold the sources.
        inputs: what to run it with.
        sources: what to differentiate by, besides the inputs that require it; the passes take them behind the inputs.
        results: what it returns for the inputs.
    """
    tensors = [*inputs, *sources]

    def joint(*given: Tensor) -> list[Tensor | None]:
        moving = [x.detach().requires_grad_(x.requires_grad) for x in given[: len(inputs)]]
        found = function(*moving)
        return [*found, *cotangents([*moving, *sources], found, given[len(tensors) :])]

    token = capturing.set(True)
    try:
        with Arrays(), Values():
            traced = make_fx(joint)(*tensors, *(torch.ones(y.shape, dtype=y.dtype, device=y.device) for y in results))
    finally:
        capturing.reset(token)
    return _divided(traced, len(tensors), len(results))


class Values(TorchDispatchMode):
    """Refuses that values become numbers of Python."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is local_scalar.default:
            raise looks("an if, float() or .item()")
        return func(*args, **(kwargs or {}))


def cotangents(
    tensors: Sequence[Tensor], results: Sequence[Tensor], given: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor | None]:
    """The cotangents of the tensors that require one, from those of the results."""
    needed = [x for x in tensors if x.requires_grad]
    moving = [(y, w) for y, w in zip(results, given, strict=True) if y.requires_grad]
    if not needed or not moving:
        return [None] * len(tensors)
    outputs, weights = zip(*moving)
    found = iter(torch.autograd.grad(outputs, needed, weights, create_graph=create_graph, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in tensors]


def _divided(traced: GraphModule, inputs: int, results: int) -> Capture:
    """The forward and the backward pass of a graph that holds both."""
    nodes = list(traced.graph.nodes)
    given = [n for n in nodes if n.op == "placeholder"]
    (returned,) = next(n for n in nodes if n.op == "output").args
    weights = given[inputs:]
    behind: set[Node] = set(weights)
    for node in nodes:
        if not behind.isdisjoint(node.all_input_nodes):
            behind.add(node)
    ahead = [n for n in nodes if n not in behind and n.op == "call_function"]
    back = [n for n in nodes if n in behind and n.op == "call_function"]
    found = [n for n in returned[results:] if n is not None]
    read = [m for n in back for m in n.all_input_nodes] + found
    saved = list(dict.fromkeys(m for m in read if m not in behind and m.op != "get_attr"))
    return Capture(
        _written(traced, ahead, given[:inputs], [*returned[:results], *saved]),
        _written(traced, back, [*saved, *weights], returned[results:]),
        results,
    )


# ------------------------------------------------------------------------------------------------------ as Python functions

ALIASES = {torch.ops.aten.detach.default, torch.ops.aten.alias.default, torch.ops.aten.lift_fresh.default}
"""Operators without effect where nothing is differentiated."""

REPLACED: dict[Any, Callable[..., Any]] = {torch.ops.aten.mm.default: rows_times}
"""What runs in place of a recorded operator."""


def _written(traced: GraphModule, nodes: Sequence[Node], given: Sequence[Node], returned: Sequence[Any]) -> Pass:
    """A Python function of the given nodes that computes these nodes, and lets go of each after its last use."""
    kept = _needed(nodes, returned)
    space: dict[str, Any] = {}
    names = {node: f"x{k}" for k, node in enumerate(given)}
    for node in traced.graph.nodes:
        if node.op == "get_attr":
            names[node] = _bound(space, _attribute(traced, node.target))

    def word(x: Any) -> str:
        if isinstance(x, Node):
            return names[x]
        if isinstance(x, (list, tuple)):
            return f"[{', '.join(map(word, x))}]"
        return repr(x) if x is None or type(x) in (int, bool) else _bound(space, x)

    last = {m: k for k, node in enumerate(kept) for m in node.all_input_nodes}
    leaving = {n for n in returned if isinstance(n, Node)}
    lines = [f"def run({', '.join(names[n] for n in given)}):"]
    for k, node in enumerate(kept):
        names[node] = f"y{k}"
        function, args = _call(node)
        named = [f"{key}={word(x)}" for key, x in node.kwargs.items()]
        line = f"{_bound(space, function)}({', '.join([*map(word, args), *named])})"
        done = [names[m] for m, at in last.items() if at == k and m not in leaving and m.op != "get_attr"]
        lines.append(f"    {names[node]} = {line if node.target not in ALIASES else word(args[0])}")
        if done:
            lines.append(f"    {' = '.join(done)} = None")
    lines.append(f"    return [{', '.join(map(word, returned))}]")
    exec(compile("\n".join(lines), "<captured pass>", "exec"), space)
    run: Pass = space["run"]
    return run


def _call(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """What to call with which arguments; for chains, the chains themselves."""
    args: Any = node.args
    if node.target is torch.ops.apolar.run.default:
        return operations.run_again, (operations.numbered(args[-1]), *args[:-1])
    if node.target is torch.ops.apolar.pull_back.default:
        return operations.pull_back_again, (operations.numbered(args[-1]), *args[:-1])
    return REPLACED.get(node.target, node.target), args


def _needed(nodes: Sequence[Node], returned: Sequence[Any]) -> list[Node]:
    """Without those that neither the results nor writes to memory rest on."""
    wanted = {n for n in returned if isinstance(n, Node)}
    kept = []
    for node in reversed(nodes):
        if node in wanted or mutates(node.target):
            kept.append(node)
            wanted.update(node.all_input_nodes)
    return kept[::-1]


def _bound(space: dict[str, Any], x: Any) -> str:
    """A name for an object."""
    for name, known in space.items():
        if known is x:
            return name
    name = f"c{len(space)}"
    space[name] = x
    return name


def _attribute(traced: GraphModule, target: str) -> Any:
    x: Any = traced
    for part in target.split("."):
        x = getattr(x, part)
    return x
