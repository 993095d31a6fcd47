"""Where a number that left the graph goes on to, read from the source: PyTorch cannot follow Python numbers.

From the expression in which a number was taken out of a tensor, names that it is assigned to are followed: variables,
attributes, containers, arguments and results of functions. The order of statements is not looked at; instead a name
counts only while it stands for a number in the running frame.
"""

from __future__ import annotations

import ast
import builtins
import linecache
from collections.abc import Iterator
from functools import cache
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from apolar.diagnosis.places import Place
from apolar.engine.torch_private import tree_leaves

if TYPE_CHECKING:
    from apolar.diagnosis.traces import Marks, Memory

Key = tuple[Any, ...]
"""Something that may hold a number: ("name", scope, name), ("attribute", name) or ("result", function)."""

HARMLESS = {"len", "print", "str", "repr", "format", "isinstance", "range", "type", "id", "hasattr", "hash"}
"""Calls whose result does not depend on the values that they are given."""

NO_NUMBERS = (Tensor, bool, str, torch.dtype, torch.device, type(None))

CALLED = ("__call__", "forward")
"""What runs where an object is called."""

CONSTRUCTORS = {"Tensor", "FloatTensor", "DoubleTensor"}

FILLING = {"append", "extend", "insert", "add", "update", "setdefault", "appendleft", "put"}
"""Methods that put an argument into a container."""


class Source:
    """The syntax tree of a file; every node knows its scopes, the innermost first."""

    def __init__(self, file: str) -> None:
        try:
            self.tree: ast.AST = ast.parse("".join(linecache.getlines(file)))
        except SyntaxError:
            self.tree = ast.Module([], [])
        self.scopes: dict[ast.AST, tuple[ast.AST, ...]] = {}
        self.spans: dict[tuple[Any, ...], ast.AST] = {}
        self.lines: dict[int, ast.stmt] = {}
        self._visit(self.tree, (self.tree,))

    def _visit(self, node: ast.AST, scopes: tuple[ast.AST, ...]) -> None:
        self.scopes[node] = scopes
        if isinstance(node, (ast.expr, ast.stmt)):
            self.spans[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
        if isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                self.lines[line] = node
        inner = (node, *scopes) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) else scopes
        for child in ast.iter_child_nodes(node):
            self._visit(child, inner)

    def node(self, place: Place) -> ast.AST | None:
        """The expression or statement at a place."""
        return (self.spans.get(place.span) if place.span else None) or self.lines.get(place.line or 0)


@cache
def source(file: str) -> Source:
    """The syntax tree of a file."""
    return Source(file)


@cache
def asks_for_none(place: Place) -> bool:
    """Whether the file of a place compares anything with None."""
    compared = (node for node in source(place.file or "").scopes if isinstance(node, ast.Compare))
    return any(isinstance(side, ast.Constant) and side.value is None for node in compared for side in node.comparators)


def flowing(memory: Memory, arguments: Any, place: Place, frame: FrameType | None) -> Marks:
    """The marks of numbers among arguments, recognised by their value or by the way that they take through the source."""
    if not memory.numbers or frame is None:
        return frozenset()
    numbers = [x for x in tree_leaves(arguments) if not isinstance(x, NO_NUMBERS)]
    marks: Marks = frozenset().union(*(memory.values.get(x, ()) for x in numbers if isinstance(x, float)))
    for anchor, held in memory.numbers.items() if numbers else ():
        if not held <= marks and memory.flow(anchor).reaches(place, frame):
            marks |= held
    return marks


class Flow:
    """What may hold the number that is taken out of a tensor at one place."""

    def __init__(self, anchor: Place, files: tuple[str, ...]) -> None:
        self.place = anchor
        self.sources = [source(file) for file in files]
        self.anchor = source(anchor.file).node(anchor) if anchor.file else None
        self.functions: dict[str, list[tuple[Source, Any]]] = {}
        for text in self.sources:
            for node in text.scopes:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self.functions.setdefault(node.name, []).append((text, node))
        self.keys: set[Key] = set()
        before = -1
        while len(self.keys) > before:
            before = len(self.keys)
            for text in self.sources:
                for node in text.scopes:
                    self.keys.update(self._passed_on(node, text))

    def reaches(self, sink: Place, frame: FrameType) -> bool:
        """Whether the number is part of the expression that runs at a place; of the same line, where there is no source."""
        text = source(sink.file or "")
        node = text.node(sink)
        if not text.lines:
            return (sink.file, sink.line) == (self.place.file, self.place.line)
        if isinstance(node, (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef)):
            return False
        return node is not None and self._holds(node, text, frame)

    def _holds(self, node: ast.AST, text: Source, frame: FrameType | None = None) -> bool:
        """Whether an expression contains the number, as it is or in something computed from it."""
        if node is self.anchor:
            return True
        if isinstance(node, (ast.Compare, ast.JoinedStr)) or (isinstance(node, ast.Call) and called(node) in HARMLESS):
            return False
        if isinstance(node, ast.Name):
            held = any(("name", scope, node.id) in self.keys for scope in text.scopes[node])
            return held and (frame is None or _is_number(lookup(node, frame)))
        if isinstance(node, ast.Attribute) and ("attribute", node.attr) in self.keys:
            return frame is None or _is_number(lookup(node, frame))
        if isinstance(node, ast.Call) and self._returns(node):
            return True
        return any(self._holds(child, text, frame) for child in ast.iter_child_nodes(node))

    def _returns(self, call: ast.Call) -> bool:
        """Whether a function, or an object that is called like one, gives the number back."""
        name = called(call)
        owner = getattr(call.func, "value", None)
        plain = owner is None or (isinstance(owner, ast.Name) and owner.id == "self")
        is_object = plain and name not in self.functions and not hasattr(builtins, name)
        return any(("result", n) in self.keys for n in (name, *(CALLED * is_object)))

    def _passed_on(self, node: ast.AST, text: Source) -> Iterator[Key]:
        """What holds the number once this node has run."""
        scopes = text.scopes[node]
        match node:
            case ast.Assign(targets=targets, value=value) if self._holds(value, text):
                for target in targets:
                    yield from _targets(target, scopes)
            case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value) if (
                value is not None
            ):
                if self._holds(value, text):
                    yield from _targets(target, scopes)
            case ast.NamedExpr(target=target, value=value) if self._holds(value, text):
                yield from _targets(target, scopes)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                if self._holds(value, text):
                    yield from _targets(target, scopes)
            case ast.Return(value=value) | ast.Yield(value=value) if value is not None and self._holds(value, text):
                function = next((s for s in scopes if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
                if function is not None:
                    yield ("result", function.name)
            case ast.Call(func=ast.Attribute(value=container, attr=name), args=arguments) if name in FILLING:
                if any(self._holds(argument, text) for argument in arguments):
                    yield from _targets(container, scopes)
            case ast.Call():
                yield from self._parameters(node, text)

    def _parameters(self, call: ast.Call, text: Source) -> Iterator[Key]:
        """The parameters of the user's own functions that are given the number."""
        for _, function in self.functions.get(called(call), ()):
            names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
            if isinstance(call.func, ast.Attribute) and names[:1] == ["self"]:
                names = names[1:]
            given = [*zip(names, call.args), *((k.arg, k.value) for k in call.keywords if k.arg)]
            yield from (("name", function, name) for name, value in given if self._holds(value, text))


def called(call: ast.Call) -> str:
    """The simple name of what is called."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _targets(target: ast.AST, scopes: tuple[ast.AST, ...]) -> Iterator[Key]:
    match target:
        case ast.Name(id=name):
            yield ("name", scopes[0], name)
        case ast.Attribute(attr=name):
            yield ("attribute", name)
        case ast.Subscript(value=container) | ast.Starred(value=container):
            yield from _targets(container, scopes)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _targets(part, scopes)


UNKNOWN = object()


def lookup(node: ast.AST, frame: FrameType) -> Any:
    """What a name or an attribute of a name stands for; nothing is run."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id, UNKNOWN))
    if isinstance(node, ast.Attribute):
        return getattr(lookup(node.value, frame), "__dict__", {}).get(node.attr, UNKNOWN)
    return UNKNOWN


def _is_number(value: Any) -> bool:
    """Whether a value can be, or hold, a number that is not a tensor."""
    if isinstance(value, (list, tuple)):
        return not any(isinstance(item, Tensor) for item in value)
    return not isinstance(value, (Tensor, nn.Module, ModuleType))


def anchor_is_constructor(place: Place) -> bool:
    """Whether a constructor such as torch.FloatTensor converted a tensor; its result is seen by nobody."""
    node = source(place.file).node(place) if place.file else None
    return isinstance(node, ast.Call) and called(node) in CONSTRUCTORS


def anchor_is_implicit(place: Place) -> bool:
    """Whether a function such as math.sin converted a tensor by itself, with no word of float() or .item().

    The function ``float`` is called by its name, and others convert on their own.
    """
    node = source(place.file).node(place) if place.file else None
    return isinstance(node, ast.Call) and called(node) not in {
        "float",
        "int",
        "complex",
        "item",
        "tolist",
        "format",
        "print",
    }
