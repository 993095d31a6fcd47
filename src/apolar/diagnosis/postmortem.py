"""What can be said after an error when nobody watched: its message, the tensors at hand, and the source above the line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
from torch import Tensor, nn

from apolar.diagnosis import graph, messages
from apolar.diagnosis.numberflow import Source, called, lookup, source
from apolar.diagnosis.places import failed_in, place_of_error
from apolar.diagnosis.traces import Memory
from apolar.engine.torch_private import family

METHODS = {
    "detach": "detach", "item": "item", "tolist": "item", "numpy": "numpy", "asarray": "numpy", "from_numpy": "numpy",
    "tensor": "tensor-copy", "as_tensor": "tensor-copy", "Tensor": "tensor-copy", "FloatTensor": "tensor-copy",
    "long": "integer-dtype", "int": "integer-dtype", "one_hot": "piecewise-constant", "bucketize": "piecewise-constant",
    "argmax": "piecewise-constant", "argmin": "piecewise-constant", "argsort": "piecewise-constant",
}  # fmt: skip
"""Calls that take a value out of the graph, by the name of the function."""

FUNCTIONS = {**METHODS, "float": "item", "int": "item"}
"""The same for functions that are called by their bare name."""

MODULES = {"math": "item", "np": "numpy", "numpy": "numpy"}
"""Modules whose functions know no graph."""

SWITCHES = {"no_grad", "inference_mode"}

CHOOSING = {"where", "masked_fill", "masked_select"}
"""What may be given comparisons without a cut."""

DATA = (int, float, str, np.ndarray)
"""Values that are no tensors."""

Cut = tuple[str, ast.stmt | ast.expr]


def explain(memory: Memory, error: BaseException) -> None:
    """The finding for an error, at the line that failed or at the cut in what the line works on."""
    place, entry = place_of_error(error.__traceback__), failed_in(error.__traceback__)
    code = messages.code_of(error)
    if code in {"nothing-requires-grad", "input-unused"} and place.file is not None and entry is not None:
        node = source(place.file).node(place)
        found = list(Search(source(place.file), entry.tb_frame).cuts(node)) if node is not None else []
        if found:
            code, cut = found[0]
            if code == "tensor-copy":  # the numbers that are copied may have left the graph before
                code, cut = next((deeper for deeper in found if deeper[0] in {"item", "numpy"}), found[0])
            line = place if code == "constant-derivative" else replace(place, line=cut.lineno, span=None)
            memory.report(code, line, name=ast.unparse(cut).splitlines()[0], order=1)
            return
        fresh = _fresh_slice(node, entry.tb_frame) if code == "input-unused" else None
        if fresh is not None:
            name = family(fresh.grad_fn)
            memory.report("fresh-slice", place, shape=tuple(fresh.shape), name=name)
            return
    messages.report(memory, error, place)


def _fresh_slice(node: ast.AST | None, frame: FrameType) -> Tensor | None:
    """The tensor in a call that was made of what the others were made of."""
    named = [lookup(part, frame) for part in ast.walk(node)] if node is not None else []
    tensors = [t for t in named if isinstance(t, Tensor) and t.grad_fn is not None]
    for x in tensors:
        bases = {id(leaf) for leaf in graph.leaves(graph.nodes([x]))}
        for y in tensors:
            below = graph.nodes([y])
            if graph.start(x) not in below and any(id(leaf) in bases for leaf in graph.leaves(below)):
                return x
    return None


class Search:
    """Looks for cuts in the source of an expression, through names, and through the functions that it calls."""

    def __init__(self, text: Source, frame: FrameType) -> None:
        self.text = text
        self.frame = frame
        self.seen: set[Any] = set()

    def cuts(self, node: ast.AST) -> Iterator[Cut]:
        """The cuts in an expression, then those in what its names stand for."""
        for part in _parts(node):
            if isinstance(part, ast.Call):
                yield from self._cut_by(part)
                if called(part) == "grad" and part is not node:
                    creates = any(k.arg == "create_graph" for k in part.keywords)
                    yield "constant-derivative" if creates else "create-graph-missing", part
                yield from self._inside(part)
            elif isinstance(part, ast.Attribute) and part.attr == "data":
                yield "detach", part
            elif isinstance(part, ast.Compare) and not isinstance(part.ops[0], (ast.Is, ast.IsNot, ast.In, ast.NotIn)):
                yield "piecewise-constant", part
            elif isinstance(part, ast.Name) and (scope := (self.text.scopes[part][0], part.id)) not in self.seen:
                self.seen.add(scope)
                for assignment in self._assignments(part):
                    yield from self._switched_off(assignment)
                    if assignment.value is not None:
                        yield from self.cuts(assignment.value)

    def _cut_by(self, call: ast.Call) -> Iterator[Cut]:
        owner = getattr(getattr(call.func, "value", None), "id", "")
        codes = FUNCTIONS if isinstance(call.func, ast.Name) else METHODS
        if owner in MODULES or (called(call) in codes and self._about_tensors(call)):
            yield MODULES.get(owner) or codes[called(call)], call

    def _about_tensors(self, call: ast.Call) -> bool:
        """Whether a call is about something that may be a tensor or come from one."""
        names = [part for part in ast.walk(call) if isinstance(part, ast.Name) and part.id not in {"torch", "float"}]
        return any(not isinstance(lookup(name, self.frame), DATA) for name in names)

    def _inside(self, call: ast.Call) -> Iterator[Cut]:
        """The cuts in what one of the user's own functions returns, and in the forward pass of a module."""
        value = lookup(call.func, self.frame)
        owner = type(value).__name__ if isinstance(value, nn.Module) else None
        name = called(call) if owner is None else "forward"
        for node in self.text.scopes:
            if isinstance(node, ast.FunctionDef) and node.name == name and node not in self.seen:
                if owner is not None and node not in _methods(self.text, owner):
                    continue
                self.seen.add(node)
                for decorator in node.decorator_list:
                    if _names(decorator) & SWITCHES:
                        yield "no-grad", decorator
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield from self._switched_off(inner)
                        yield from self.cuts(inner.value)

    def _assignments(self, name: ast.Name) -> Iterator[ast.Assign | ast.AugAssign | ast.AnnAssign]:
        """What a name was set to before, in the same function, the latest first."""
        scope = self.text.scopes[name][0]
        before = [
            node
            for node, scopes in self.text.scopes.items()
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
            and scopes[0] is scope
            and node.lineno < name.lineno
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if any(isinstance(t, ast.Name) and t.id == name.id for t in ast.walk(target))
        ]
        return iter(sorted(before, key=lambda node: -node.lineno))

    def _switched_off(self, statement: ast.stmt) -> Iterator[Cut]:
        """A block without recording around a statement."""
        for node in self.text.scopes:
            if isinstance(node, ast.With) and node.lineno <= statement.lineno <= (node.end_lineno or 0):
                named = {name for item in node.items for name in _names(item)}
                if named & SWITCHES:
                    yield "no-grad", node


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression whose values flow into it: no indices and no conditions."""
    yield node
    for child in ast.iter_child_nodes(node):
        skipped = isinstance(node, (ast.Subscript, ast.IfExp)) and child in {
            getattr(node, "slice", None),
            getattr(node, "test", None),
        }
        chosen = isinstance(node, ast.Call) and called(node) in CHOOSING and isinstance(child, ast.Compare)
        if not (skipped or chosen):
            yield from _parts(child)


def _methods(text: Source, owner: str) -> list[ast.stmt]:
    """What stands in the body of a class."""
    return [part for node in text.scopes if isinstance(node, ast.ClassDef) and node.name == owner for part in node.body]


def _names(node: ast.AST) -> set[str]:
    return {getattr(part, "attr", getattr(part, "id", "")) for part in ast.walk(node)}
