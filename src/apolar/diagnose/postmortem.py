"""What can be said after an error when nobody watched: its message, and the assignments above the line that failed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from apolar.diagnose import messages
from apolar.diagnose.numberflow import Source, source
from apolar.diagnose.places import place_of_error
from apolar.diagnose.traces import Memory

CALLS = {
    "detach": "detach", "item": "item", "float": "item", "tolist": "item", "numpy": "numpy", "asarray": "numpy",
    "from_numpy": "numpy", "tensor": "tensor-copy", "as_tensor": "tensor-copy", "long": "integer-dtype", "int": "integer-dtype",
    "argmax": "piecewise-constant", "argmin": "piecewise-constant", "argsort": "piecewise-constant",
}  # fmt: skip
"""Calls that take a value out of the graph, by the name of the function."""

MODULES = {"math": "item", "np": "numpy", "numpy": "numpy"}
"""Modules whose functions know no graph."""

SWITCHES = {"no_grad", "inference_mode"}


def explain(memory: Memory, error: BaseException) -> None:
    """The finding for an error, at the line that failed or at the cut in what the line works on."""
    place = place_of_error(error.__traceback__)
    if messages.code_of(error) in {"nothing-requires-grad", "input-unused"} and place.file is not None:
        text = source(place.file)
        node = text.node(place)
        for code, cut in _cuts(node, text, set()) if node is not None else ():
            line = replace(place, line=cut.lineno, span=None)
            memory.report(code, line, name=ast.unparse(cut).splitlines()[0])
            return
    messages.report(memory, error, place)


def _cuts(node: ast.AST, text: Source, seen: set[str]) -> Iterator[tuple[str, ast.stmt | ast.expr]]:
    """The cuts in an expression, and in those that its names were assigned before in the same function."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            function = part.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = getattr(getattr(function, "value", None), "id", "")
            if owner in MODULES or (name in CALLS and _about_names(part)):
                yield MODULES.get(owner) or CALLS[name], part
            if name == "grad" and part is not node and not any(k.arg == "create_graph" for k in part.keywords):
                yield "create-graph-missing", part
        if isinstance(part, ast.Attribute) and part.attr == "data":
            yield "detach", part
        if isinstance(part, ast.Name) and part.id not in seen:
            seen.add(part.id)
            for assignment in _assignments(part, text):
                yield from _switched_off(assignment, text)
                if assignment.value is not None:
                    yield from _cuts(assignment.value, text, seen)


def _about_names(call: ast.Call) -> bool:
    """Whether a call is about something with a name, and not about numbers that were typed."""
    return any(isinstance(part, ast.Name) and part.id not in {"torch", "float"} for part in ast.walk(call))


def _assignments(name: ast.Name, text: Source) -> Iterator[ast.Assign | ast.AugAssign | ast.AnnAssign]:
    """What a name was set to before, in the same function, the latest first."""
    scope = text.scopes[name][0]
    before = [
        node
        for node, scopes in text.scopes.items()
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        and scopes[0] is scope
        and node.lineno < name.lineno
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if any(isinstance(t, ast.Name) and t.id == name.id for t in ast.walk(target))
    ]
    return iter(sorted(before, key=lambda node: -node.lineno))


def _switched_off(assignment: ast.stmt, text: Source) -> Iterator[tuple[str, ast.stmt]]:
    """A block without recording around an assignment."""
    for node in text.scopes:
        if isinstance(node, ast.With) and node.lineno <= assignment.lineno <= (node.end_lineno or 0):
            named = {getattr(part, "attr", getattr(part, "id", "")) for item in node.items for part in ast.walk(item)}
            if named & SWITCHES:
                yield "no-grad", node
