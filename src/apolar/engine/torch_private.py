"""Every private name of torch that apolar uses: what it is for, and what takes its place in a version of torch without it.

Below everything else, so it knows nothing of apolar but its errors; importing it imports nothing that ``import torch`` has not.
``tests/engine/test_torch_private.py`` tests each name, each replacement, and that no other file uses private names. Keys of
the tables in ``rules/`` may be private operators: they are given in quotes, or by ``aten``, so that one may be absent.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from operator import attrgetter
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload as OpOverload
from torch._ops import OpOverloadPacket as OpOverloadPacket
from torch.autograd import forward_ad
from torch.utils import checkpoint
from torch.utils._mode_utils import no_dispatch as no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode
from torch.utils._pytree import TreeSpec as TreeSpec
from torch.utils._pytree import tree_flatten as tree_flatten
from torch.utils._pytree import tree_leaves as tree_leaves
from torch.utils._pytree import tree_map as tree_map
from torch.utils._pytree import tree_unflatten as tree_unflatten

from apolar.errors import TorchVersionError

F = TypeVar("F", bound=Callable[..., Any])


def first(*names: str, otherwise: Any = None) -> Any:
    """The first of these names below ``torch`` that there is, or what stands in for all of them.

    Raises:
        TorchVersionError: there is none, and nothing stands in.
    """
    for name in names:
        try:
            return functools.reduce(getattr, name.split("."), torch)
        except AttributeError:
            continue
    if otherwise is None:
        raise TorchVersionError(
            f"PyTorch {torch.__version__} has no torch.{', nor torch.'.join(names)}, on which apolar relies. Install another "
            "version of PyTorch, or a newer one of apolar: pip install --upgrade apolar."
        )
    return otherwise


# --------------------------------------------------------------------------------------------------- transforms of torch.func

Transform: Any = first("_C._functorch.TransformType", "_functorch.pyfunctorch.TransformType")
"""The kinds of transforms: Vmap, Grad, Jvp, …"""

interpreters: Callable[[], Sequence[Any] | None] = first(
    "_C._functorch.get_interpreter_stack", "_functorch.pyfunctorch.retrieve_all_functorch_interpreters"
)
"""The transforms that are active, the outermost first; None or nothing outside of all."""


def transforms() -> list[Any]:
    """The kinds of the transforms that are active, the outermost first."""
    return [each.key() for each in interpreters() or ()]


transform_depth: Callable[[], int] = first(
    "_C._functorch.get_dynamic_layer_stack_depth", otherwise=lambda: len(transforms())
)
"""How many transforms are active."""

in_transform: Callable[[], bool] = first("_C._are_functorch_transforms_active", otherwise=lambda: transform_depth() > 0)
"""Whether there is one."""


def _highest_level(x: Tensor) -> int:
    """Too high for a tensor of an outer transform: its function then takes the longer way through the inner ones."""
    return -1 if torch.func.debug_unwrap(x) is x else transform_depth()


transform_level: Callable[[Tensor], int] = first("_C._functorch.maybe_get_level", otherwise=_highest_level)
"""Which transform wrapped a tensor, counted from 1 at the outermost; −1 for none."""


# ------------------------------------------------------------------------------------------------ forward mode, modes, tracing


def _dual_level() -> int:
    """A dual number can be made inside of a level only."""
    try:
        forward_ad.make_dual(torch.zeros(()), torch.zeros(()))
    except RuntimeError:
        return -1
    return 0


dual_level: Callable[[], int] = (
    functools.partial(attrgetter("_current_level"), forward_ad)
    if hasattr(forward_ad, "_current_level")
    else _dual_level
)
"""The level of ``torch.autograd.forward_ad`` that was entered last; −1 outside of all."""

dispatch_modes: Callable[[], int] = first(
    "_C._len_torch_dispatch_stack",
    otherwise=lambda: len(first("utils._python_dispatch._get_current_dispatch_mode_stack")()),
)
"""How many modes see every operator that is called."""

is_tracing: Callable[[], bool] = first("_C._is_tracing", otherwise=torch.jit.is_tracing)
"""Whether ``torch.jit.trace`` records operators."""


_forward_gradients: Callable[[], bool] = first("_C._is_fwd_grad_enabled", otherwise=lambda: False)


def in_block_without_gradients() -> bool:
    """Whether gradients are off by ``no_grad`` or ``inference_mode``, not by an ``autograd.Function`` that is at work.

    A function switches forward mode off as well. Where this cannot be told, a function is assumed.
    """
    return not torch.is_grad_enabled() and (_forward_gradients() or torch.is_inference_mode_enabled())


# ------------------------------------------------------------------------------------------------------------------ overrides

without_overrides: Any = first("_C.DisableTorchFunctionSubclass")
"""Context: ``__torch_function__`` of subclasses is not called, so that a function runs down to its ATen operators."""

with_overrides: Any = first("_C._EnableTorchFunction")
"""Context: it is called again, where torch has switched it off: in ``__torch_dispatch__``, and in backward passes."""


def _snapshot_is_taken() -> Callable[[], bool]:
    """Whether the dispatcher itself calls ``__torch_dispatch__``: it then leaves out the key that restores its own state.

    Without a way to tell, every call counts as one of the dispatcher, and ``detach`` of a jet is refused, not wrong.
    """
    excluded = getattr(torch._C, "_dispatch_tls_is_dispatch_key_excluded", None)
    snapshot = getattr(torch._C.DispatchKey, "PythonTLSSnapshot", None)
    return (lambda: True) if excluded is None or snapshot is None else functools.partial(excluded, snapshot)


called_by_dispatcher: Callable[[], bool] = _snapshot_is_taken()
"""False where autograd calls ``detach`` past the dispatcher, on a result that it saves."""


# -------------------------------------------------------------------------------------------------------------------- tensors

wrapper: Callable[..., Any] = Tensor._make_wrapper_subclass
"""A tensor of a subclass that has a shape, a dtype and a device, and no memory."""

throw_on_data_ptr: Callable[[Tensor], None] = first("_C._set_throw_on_mutable_data_ptr")
"""C++ that looks for the memory of a wrapper gets an error instead of a null pointer."""

has_storage: Callable[[Tensor], bool] = first("_C._has_storage")
"""Whether a tensor has memory: one that is batched by ``vmap`` has not."""

version: Callable[[Tensor], int] = attrgetter("_version")
"""How often a tensor was written to."""

base: Callable[[Tensor], Tensor | None] = attrgetter("_base")
"""The tensor of which this is a view; None for one that is no view, and for most views that autograd does not follow."""

is_view: Callable[[Tensor], bool] = Tensor._is_view
"""Whether a tensor is a view."""

is_zero_tensor: Callable[[Tensor], bool] = getattr(Tensor, "_is_zerotensor", lambda x: False)
"""Whether a tensor is one of autograd's, which are zero and have no memory."""

unsafe_view: Callable[[Tensor, Sequence[int]], Tensor] = first(
    "ops.aten._unsafe_view", otherwise=lambda x, shape: x.reshape(shape).clone()
)
"""The same entries in another shape, which autograd does not take for a view."""


# ------------------------------------------------------------------------------------------------------------ autograd's graph

_top_hooks: Callable[[bool], Any] = first(
    "_C._autograd._top_saved_tensors_default_hooks", otherwise=lambda ignore_tracing: ()
)


def saved_as_they_are() -> bool:
    """Whether what is saved for the backward pass stays as it is: no ``saved_tensors_hooks`` are active.

    Where this cannot be told, hooks are assumed: then nothing is saved that could be computed again.
    """
    return _top_hooks(True) is None


def _exceptions(module: ModuleType) -> tuple[type[Exception], ...]:
    classes = [x for x in vars(module).values() if isinstance(x, type) and issubclass(x, Exception)]
    return tuple(x for x in classes if x.__module__ == module.__name__)


StopRecomputation: Any = getattr(checkpoint, "_StopRecomputationError", _exceptions(checkpoint))
"""What ends a function that ``torch.utils.checkpoint`` runs again; where it has another name, all exceptions from there."""


def family(node: Any) -> str:
    """The function behind a node of the graph, by its name: Relu for ReluBackward0, AccumulateGrad for a leaf.

    >>> x = torch.ones(2, requires_grad=True)
    >>> family(x.relu().grad_fn)
    'Relu'
    """
    python = isinstance(node, torch.autograd.function.BackwardCFunction)  # PyTorch 2.8 has no name() there
    return (type(node).__name__ if python else str(node.name())).rpartition("::")[2].partition("Backward")[0]


def saved(node: Any, name: str) -> Any:
    """What a node kept of an argument or a result of its operator, by the name that ATen gives it.

    Raises:
        AttributeError: it kept nothing of that name.

    >>> x = torch.ones(2, requires_grad=True)
    >>> saved(x.exp().grad_fn, "result")
    tensor([2.7183, 2.7183], grad_fn=<ExpBackward0>)
    """
    return getattr(node, f"_saved_{name}")


def uses_batch_statistics(node: Any) -> bool:
    """Whether a node of batch normalisation, or of its derivative, uses the mean and variance of the batch.

    True for a node that does not say so.
    """
    return bool(getattr(node, "_saved_training", getattr(node, "_saved_train", True)))


def function_class(node: Any) -> type | None:
    """The ``autograd.Function`` that a node is of; None for a node of PyTorch's own."""
    return getattr(node, "_forward_cls", None)


def is_once_differentiable(node: Any) -> bool:
    """Whether a node is of an ``autograd.Function`` whose backward pass is marked as not differentiable."""
    return hasattr(getattr(function_class(node), "backward", None), "__wrapped__")


# ------------------------------------------------------------------------------------------------------------------ operators


class Absent:
    """An operator that this version of torch does not have: a key that no call ever meets."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{self.name}, absent from PyTorch {torch.__version__}"


class Aten:
    """``torch.ops.aten`` for tables of rules, where an operator may be absent."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.ops.aten, name, None) or Absent(f"aten::{name}")


aten: Any = Aten()

native: Any = first("_C._nn")
"""The functions that those of ``torch.nn.functional`` are bound to."""

variables: Any = first("_VF")
"""Functions of C++ that Python functions of the same name in ``torch`` stand before: ``unique_dim``, ``lstm``, …"""

composite_implicit: Any = first("_C.DispatchKey.CompositeImplicitAutograd")
"""The key of operators that consist of others, and whose derivatives are those of the others."""

decomposition_table: dict[Any, Callable[..., Any]] = first("_decomp.decomposition_table", otherwise={})
"""ATen operators written in terms of others."""

local_scalar: Any = first("ops.aten._local_scalar_dense")
"""The operator by which a value becomes a number of Python."""


def argument_names(packet: OpOverloadPacket) -> list[str]:
    """Those of an operator of ATen, in their order, in its first overload.

    >>> argument_names(torch.ops.aten.exp)
    ['self']
    """
    return [a.name for a in getattr(packet, packet.overloads()[0])._schema.arguments]


def mutates(func: Any) -> bool:
    """Whether an operator writes to its arguments; False for what is no operator of torch."""
    schema = getattr(func, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


# ------------------------------------------------------------------------------------------------------------------ compilers

RULES_OF_DYNAMO = "torch._dynamo.trace_rules"


class _OnImport(MetaPathFinder):
    """Calls back right after a module has been imported."""

    def __init__(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        self.name, self.callback = name, callback

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                self.callback(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def not_traced(package: str) -> None:
    """``torch.compile`` calls the functions of a package and does not trace them.

    Its part that traces is large, and imported when something is compiled: the package is registered then. In a version of
    torch where this part has another name, functions are traced up to those marked by ``outside_of_compilers``.
    """

    def register(rules: Any) -> None:
        with suppress(Exception):  # whatever became of it, the import of the compiler must not fail
            rules.add(package)

    if RULES_OF_DYNAMO in sys.modules:
        register(sys.modules[RULES_OF_DYNAMO])
    else:
        sys.meta_path.insert(0, _OnImport(RULES_OF_DYNAMO, register))


def outside_of_compilers(function: F) -> F:
    """``torch.compiler.disable``, for the function and all that it calls, without importing the compiler before it is used."""
    disabled: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if not disabled:
            why = "apolar looks functions up by name; a compiler around it sees plain tensors only"
            disabled.append(torch.compiler.disable(function, reason=why))
        return disabled[0](*args, **kwargs)

    return call  # type: ignore[return-value]
