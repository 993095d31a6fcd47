"""Recording: a function of tensors as a list of elementary operations, each with its operands and its value.

``Recorder`` sees every torch function that is called. What it cannot follow, it refuses: in-place writes into memory
that is shared, values that leave the computation, and results of code that it did not see.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from apolar.engine.jet import user_line
from apolar.engine.torch_private import TreeSpec, in_transform, is_view, is_zero_tensor, tree_flatten, tree_unflatten
from apolar.errors import DetachedError, DtypeError, FunctionError, UnsupportedOperator
from apolar.explanation.elementary import SPELLINGS
from apolar.explanation.notation import Formula, named

LEAVING = {"item", "tolist", "numpy", "__float__", "__int__", "__array__", "__complex__", "tensor", "as_tensor"}
CUTTING = {"detach", "data"}
SWITCHES = {"requires_grad_", "retain_grad", "register_hook"}
AUTOGRAD = {"grad", "backward"}


@dataclass(frozen=True)
class Reference:
    """The place of an operand among the arguments of an operation."""

    node: Node


@dataclass(eq=False)
class Node:
    """A value of the computation: an input, a parameter, a constant, or the result of an operation.

    Attributes:
        name: as it is written.
        kind: which of these.
        value: the tensor, without a graph.
        active: whether it depends on an input or a parameter in a way that is differentiated.
        label: torch's name of the operation; for a parameter its name in the module.
        function: what was called.
        leaves: its arguments, flattened; a ``Reference`` stands for each operand.
        structure: how the arguments nest.
        pick: which of several results.
        number: in the order of recording.
    """

    name: Formula
    kind: str
    value: Tensor
    active: bool
    label: str = ""
    function: Callable[..., Any] | None = None
    leaves: tuple[Any, ...] = ()
    structure: TreeSpec | None = None
    pick: int | None = None
    number: int = field(default_factory=itertools.count().__next__, init=False)

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes among the arguments, in their order; a node that is used twice stands here twice."""
        return tuple(leaf.node for leaf in self.leaves if isinstance(leaf, Reference))

    def arguments(self, operands: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the call, with these things in the places of the operands."""
        following = iter(operands)
        assert self.structure is not None
        leaves = [next(following) if isinstance(leaf, Reference) else leaf for leaf in self.leaves]
        args, kwargs = tree_unflatten(leaves, self.structure)
        return args, kwargs

    def argument(self, position: int | None, name: str, default: Any = None) -> Any:
        """One argument of the call, by its name or its position."""
        args, kwargs = self.arguments(self.operands)
        if name in kwargs:
            return kwargs[name]
        return args[position] if position is not None and position < len(args) else default

    def call(self, operands: Sequence[Any]) -> Any:
        """The operation, again, with other operands."""
        assert self.function is not None
        args, kwargs = self.arguments(operands)
        with sdpa_kernel(SDPBackend.MATH):  # attention from its parts, which have derivatives of every order
            result = self.function(*args, **kwargs)
        return result if self.pick is None else tree_flatten(result)[0][self.pick]


def ancestors(node: Node) -> list[Node]:
    """All nodes that a value is made of and itself, in the order in which they were recorded."""
    found, waiting = {node}, [node]
    while waiting:
        new = set(waiting.pop().operands) - found
        found |= new
        waiting.extend(new)
    return sorted(found, key=lambda n: n.number)


@dataclass
class Names:
    """Gives names that do not collide: v₁, v₂, … for results, c₁, … for constants, W₁, b₁, … for parameters."""

    taken: set[str]
    counts: dict[str, int] = field(default_factory=dict)

    def new(self, stem: str) -> Formula:
        """The next name of this kind."""
        while True:
            self.counts[stem] = self.counts.get(stem, 0) + 1
            name = named(stem, self.counts[stem])
            if name.plain not in self.taken:
                self.taken.add(name.plain)
                return name


class Recorder(TorchFunctionMode):
    """While it is entered, calls of torch with recorded tensors become nodes."""

    def __init__(self, inputs: Sequence[tuple[str, Tensor]], parameters: dict[int, str]) -> None:
        super().__init__()
        self.parameters = parameters
        self.names = Names({named(name).plain for name, _ in inputs})
        self.nodes: dict[int, Node] = {}
        self.tensors: dict[Node, Tensor] = {}
        self.alive: list[Tensor] = []
        self.known: dict[Any, Node] = {}
        self.shares = False
        self.stem = next(letter for letter in "vuwzst" if not any(name.startswith(letter) for name, _ in inputs))
        self.inputs = [Node(named(name), "input", x.detach().clone(), True, name) for name, x in inputs]
        for node in self.inputs:
            self._stands_for(node.value.clone().requires_grad_(), node)

    def tensor(self, node: Node) -> Tensor:
        """The tensor that stands for a node in the function that is recorded."""
        if node not in self.tensors:
            stand_in = node.value.clone().requires_grad_(node.active)
            self._stands_for(stand_in, node)
        return self.tensors[node]

    def _stands_for(self, tensor: Tensor, node: Node) -> None:
        self.alive.append(tensor)
        self.nodes[id(tensor)] = node
        self.tensors[node] = tensor

    def node(self, tensor: Tensor) -> Node:
        """The node of a tensor; what was not recorded is a parameter or a constant.

        Raises:
            UnsupportedOperator: it has a graph that was not recorded.
        """
        if tensor.grad_fn is not None:
            raise UnsupportedOperator(
                f"a tensor with a graph of its own ({type(tensor.grad_fn).__name__}) comes from code that cannot be "
                f"recorded{user_line()}: an autograd.Function, torch.func, TorchScript, or a computation outside of the "
                "function. Write it in torch functions inside of the function, or detach it if it is constant."
            )
        if id(tensor) in self.nodes:
            return self.nodes[id(tensor)]
        parameter = tensor.requires_grad
        label = self.parameters.get(id(tensor), "")
        stem = {"weight": "W", "bias": "b"}.get(label.rpartition(".")[2], "p") if parameter else "c"
        kind = "parameter" if parameter else "constant"
        node = Node(self.names.new(stem), kind, tensor.detach().clone(), parameter, label)
        self._stands_for(tensor, node)
        return node

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = tuple(args), dict(kwargs or {})
        leaves, structure = tree_flatten((args, kwargs))
        name, label = spelled(func), canonical(func)
        if not any(isinstance(x, Tensor) and (id(x) in self.nodes or x.requires_grad) for x in leaves):
            return func(*args, **kwargs)
        if name in SWITCHES or (name == "__get__" and label in ("requires_grad", "grad_fn", "is_leaf", "grad")):
            return args[0] if name in SWITCHES else func(*args, **kwargs)
        if in_transform():
            raise UnsupportedOperator(
                f"the function uses a transform of torch.func{user_line()}, whose steps cannot be recorded. Explain the "
                "function that is transformed there, with the order that is wanted."
            )
        if kwargs.get("out") is not None or name == "__setitem__":
            raise UnsupportedOperator(
                f"the function writes into a tensor{user_line()}, by {'an index' if name == '__setitem__' else 'out='}. "
                "Build the result by torch.where, torch.cat or torch.stack."
            )
        if (name in AUTOGRAD and getattr(func, "__module__", "").startswith("torch.autograd")) or name == "backward":
            raise UnsupportedOperator(
                f"the function calls torch.autograd{user_line()}, whose steps cannot be recorded. Explain the function "
                "that is differentiated there, with the order that is wanted."
            )
        into = args[0] if in_place(name) else kwargs.get("input", args[0]) if kwargs.get("inplace") else None
        if into is not None:
            func, label, kwargs = functional(func, name), canonical(functional(func, name)), {**kwargs}
            kwargs |= {"inplace": False} if "inplace" in kwargs else {}
            leaves, structure = tree_flatten((args, kwargs))
        result = self.record(func, label, leaves, structure)
        return result if into is None else self._written(into, result)

    def record(self, func: Any, label: str, leaves: Sequence[Any], structure: TreeSpec) -> Any:
        """Call a function, and keep what it returns as nodes."""
        referred = tuple(self._argument(x) if isinstance(x, Tensor) else x for x in leaves)
        operands = [leaf.node for leaf in referred if isinstance(leaf, Reference)]
        active = torch.is_grad_enabled() and label not in CUTTING and any(x.active for x in operands)
        if label in LEAVING or spelled(func) in LEAVING:
            if active:
                raise DetachedError(
                    f"{label.strip('_')} takes a value out of the computation{user_line()}, and its derivative with it. "
                    "Keep tensors: torch.stack instead of torch.tensor, torch.sin instead of math.sin."
                )
            args, kwargs = tree_unflatten(list(leaves), structure)
            return func(*args, **kwargs)
        key = (func, str(structure), tuple(x.node if isinstance(x, Reference) else _key(x) for x in referred))
        if self.shares and key in self.known:
            return self.tensor(self.known[key])
        one = Node(Formula("", ""), "operation", torch.empty(0), active, label, func, referred, structure)
        before = torch.get_rng_state()
        with torch.set_grad_enabled(active):
            values = [operand.value.detach().requires_grad_(operand.active) for operand in operands]
            result = one.call(values)
        if not torch.equal(before, torch.get_rng_state()):
            raise FunctionError(
                f"{label} is random{user_line()}, so that the steps differ from call to call. Dropout is random in "
                "training mode: call .eval(), or draw random numbers outside of the function."
            )
        outputs, nest = tree_flatten(result)
        for k, output in enumerate(outputs):
            if isinstance(output, Tensor):
                if output.is_complex():
                    raise DtypeError(
                        f"{label} gives complex numbers{user_line()}, and only steps of real numbers are explained: write "
                        "them with the real and the imaginary part"
                    )
                same = next((x for x, value in zip(operands, values) if value is output), None)
                pick = None if isinstance(result, Tensor) else k
                node = same or Node(
                    self.names.new(self.stem),
                    "operation",
                    solid(output.detach()),
                    output.requires_grad,
                    label,
                    func,
                    referred,
                    structure,
                    pick,
                )
                self.known[key] = node
                outputs[k] = self.tensor(node)
        return tree_unflatten(outputs, nest)

    def _argument(self, tensor: Tensor) -> Reference | Tensor:
        """The node of a tensor; a constant without axes stands for itself, and is written as a number."""
        if tensor.ndim == 0 and id(tensor) not in self.nodes and not tensor.requires_grad:
            return tensor.detach().clone()
        return Reference(self.node(tensor))

    def _written(self, into: Tensor, result: Tensor) -> Tensor:
        """The same tensor of the user, which now stands for the result of an in-place operation."""
        new = self.nodes[id(result)]
        old = self.nodes.get(id(into))
        memory = old and old.value.untyped_storage().data_ptr()
        sharing = [n for n in self.tensors if n is not old and n.value.untyped_storage().data_ptr() == memory]
        constant = old is None and not into.requires_grad and not is_view(into)
        if (
            not (old or constant)
            or (old and old.kind != "operation" and old.kind != "input")
            or sharing
            or into.shape != result.shape
            or into.dtype != result.dtype
        ):
            raise UnsupportedOperator(
                f"the function writes in place into a tensor that shares its memory with another one, such as a view "
                f"or the tensor of which it is one{user_line()}. Use the operation that returns a new tensor."
            )
        with torch.no_grad():
            into.data.copy_(result)
        if old is not None and self.tensors[old] is into:
            del self.tensors[old]
        self._stands_for(into, new)
        return into


def solid(tensor: Tensor) -> Tensor:
    """The same with memory of its own: autograd has tensors of zeros that have none."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device) if is_zero_tensor(tensor) else tensor


def spelled(func: Any) -> str:
    """The name of a torch function."""
    return str(getattr(func, "__name__", func))


def canonical(func: Any) -> str:
    """The name under which the tables know a function: that of the attribute for T, and one for all its spellings."""
    name = func.__self__.__name__ if spelled(func) == "__get__" else spelled(func).strip("_")
    return SPELLINGS.get(name, name)


def in_place(name: str) -> bool:
    """Whether the function writes into its first argument: add_, __iadd__."""
    return (name.endswith("_") and not name.endswith("__")) or (name.startswith("__i") and name[3:-2] in _OPERATORS)


_OPERATORS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "div": "div",
    "pow": "pow",
    "matmul": "matmul",
}


def functional(func: Any, name: str) -> Any:
    """The function that returns a new tensor instead.

    Raises:
        UnsupportedOperator: there is none.
    """
    if not in_place(name):
        return func
    plain = _OPERATORS[name[3:-2]] if name.startswith("__i") else name[:-1]
    found = getattr(Tensor, plain, None) or getattr(torch.nn.functional, plain, None)
    if found is None:
        raise UnsupportedOperator(f"{name} writes in place{user_line()}, and there is no function that does not")
    return found


def _key(x: Any) -> Any:
    return ("tensor", x.item(), x.dtype) if isinstance(x, Tensor) else (type(x), repr(x))
