"""The private names of torch: each does what is relied on, also its replacement, and no other file uses one."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils import checkpoint

import apolar
import apolar.engine.torch_private as private
from apolar.errors import TorchVersionError

X = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)


def during(transform: Callable[..., Any], ask: Callable[[Tensor], Any]) -> Any:
    """What is answered inside of a transform."""
    answers = []

    def f(x: Tensor) -> Tensor:
        answers.append(ask(x))
        return x.sum()

    transform(f)(X)
    return answers[0]


def grad_of_vmap(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return torch.func.grad(lambda x: torch.func.vmap(f)(x).sum())


class Passive(torch.Tensor):
    """Notes which functions reach its ``__torch_function__`` and its ``__torch_dispatch__``."""

    seen: list[str] = []  # noqa: RUF012
    inside: list[bool] = []  # noqa: RUF012

    @staticmethod
    def __new__(cls, x: Tensor) -> Passive:
        self = Tensor._make_wrapper_subclass(cls, x.shape, dtype=x.dtype)
        self.x = x
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(f"function {func.__name__}")
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(f"operator {func.overloadpacket.__name__}")
        return cls(func(*(a.x if isinstance(a, Passive) else a for a in args)))


def seen_of(compute: Callable[[Passive], Any]) -> list[str]:
    Passive.seen = []
    compute(Passive(X))
    return Passive.seen


class PassOn(private.TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


# ------------------------------------------------------------------------------------------------- what each name has to do


def check_transform_kinds(p: ModuleType) -> None:
    assert p.transforms() == []
    assert during(grad_of_vmap, lambda x: p.transforms()) == [p.Transform.Grad, p.Transform.Vmap]
    assert during(lambda f: lambda x: torch.func.jvp(f, (x,), (x,)), lambda x: p.transforms()) == [p.Transform.Jvp]


def check_transform_depth(p: ModuleType) -> None:
    assert (p.transform_depth(), p.in_transform()) == (0, False)
    assert during(torch.func.grad, lambda x: (p.transform_depth(), p.in_transform())) == (1, True)
    assert during(grad_of_vmap, lambda x: (p.transform_depth(), p.in_transform())) == (2, True)


def check_transform_level(p: ModuleType) -> None:
    assert p.transform_level(X) == -1
    assert during(grad_of_vmap, p.transform_level) == 2
    assert during(grad_of_vmap, lambda x: p.transform_level(X)) == -1


def check_dual_level(p: ModuleType) -> None:
    assert p.dual_level() == -1
    with forward_ad.dual_level():
        assert p.dual_level() >= 0
    assert p.dual_level() == -1


def check_dispatch_modes(p: ModuleType) -> None:
    assert p.dispatch_modes() == 0
    with PassOn(), PassOn():
        assert p.dispatch_modes() == 2


def check_without_dispatch(p: ModuleType) -> None:
    x = Passive(X)
    with torch._C.DisableTorchFunctionSubclass(), p.no_dispatch():
        Tensor.as_strided_(x, (2,), (1,))
    assert x.shape == (2,)


def check_tracing(p: ModuleType) -> None:
    answers = [p.is_tracing()]
    torch.jit.trace(lambda x: answers.append(p.is_tracing()) or x + 1, (X,), check_trace=False)
    assert answers == [False, True]


def check_block_without_gradients(p: ModuleType) -> None:
    class Asking(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            answers.append(p.in_block_without_gradients())
            return x + 1

    answers = [p.in_block_without_gradients()]
    Asking.apply(X)
    with torch.no_grad():
        answers.append(p.in_block_without_gradients())
    with torch.inference_mode():
        answers.append(p.in_block_without_gradients())
    assert answers == [False, False, True, True]


def check_without_overrides(p: ModuleType) -> None:
    def below(x: Tensor) -> None:
        with p.without_overrides():
            torch.nn.functional.linear(x, x)

    assert not [name for name in seen_of(below) if name.startswith("function")]
    assert "function linear" in seen_of(lambda x: F.linear(x, x))


def check_with_overrides(p: ModuleType) -> None:
    def again(x: Tensor) -> None:
        with torch._C.DisableTorchFunctionSubclass(), p.with_overrides():
            torch.sin(x)

    assert seen_of(again) == ["function sin", "operator sin"]


def check_called_by_dispatcher(p: ModuleType) -> None:
    """Autograd's own ``detach`` of what ``exp`` saves, its result, and one that is asked for."""
    answers = []

    class Asking(Passive):
        @classmethod
        def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten.detach.default:
                answers.append(p.called_by_dispatcher())
            return super().__torch_dispatch__(func, types, args, kwargs)

    torch.exp(Asking(X).requires_grad_())
    assert answers == [False]
    torch.detach(Asking(X))
    assert answers[:2] == [False, True]  # PyTorch 2.8 then makes a second one, of the result, past the dispatcher
    assert not any(answers[2:])


def check_wrapper(p: ModuleType) -> None:
    x = p.wrapper(Passive, (2, 3), dtype=torch.float32, device=torch.device("cpu"))
    assert (type(x), x.shape, x.dtype) == (Passive, (2, 3), torch.float32)
    p.throw_on_data_ptr(x)
    with pytest.raises(RuntimeError, match="data pointer"), torch._C.DisableTorchFunctionSubclass():
        x.data_ptr()


def check_has_storage(p: ModuleType) -> None:
    assert p.has_storage(X)
    assert not during(torch.func.vmap, p.has_storage)


def check_views(p: ModuleType) -> None:
    x = X.clone()
    assert (p.version(x), p.is_view(x), p.base(x)) == (0, False, None)
    row = x[0]
    row.add_(1)
    assert (p.version(x), p.version(row), p.is_view(row)) == (1, 1, True)
    assert p.base(row) is x


def check_zero_tensor(p: ModuleType) -> None:
    """That of a walk through a tangent of forward mode; ordinary zeros are none."""
    assert not p.is_zero_tensor(torch.zeros(2))
    assert p.is_zero_tensor(torch._efficientzerotensor(2))


def check_unsafe_view(p: ModuleType) -> None:
    y = p.unsafe_view(X.clone(), (4,))
    assert torch.equal(y, X.reshape(4))
    assert not y._is_view()


def check_saved_hooks(p: ModuleType) -> None:
    assert p.saved_as_they_are()
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        assert not p.saved_as_they_are()


def check_stop(p: ModuleType) -> None:
    """The second half of a function does not run again, and what ends it is an exception of this class."""
    ended: list[type[BaseException]] = []

    def f(x: Tensor) -> Tensor:
        try:
            return (x.sin().cos()).exp()
        except Exception as error:
            ended.append(type(error))
            raise

    checkpoint.checkpoint(f, X.clone().requires_grad_(), use_reentrant=False).sum().backward()
    assert len(ended) == 1
    assert issubclass(ended[0], p.StopRecomputation)


NODES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "a function": (torch.relu, "Relu"),
    "a sum": (torch.sum, "Sum"),
    "a method of linear algebra": (torch.linalg.det, "LinalgDet"),
    "layer normalisation": (lambda x: F.layer_norm(x, (2,)), "NativeLayerNorm"),
    "batch normalisation": (lambda x: F.batch_norm(x, None, None, training=True), "NativeBatchNorm"),
    "a write into a view": (lambda x: x.clone().index_put_((torch.tensor(0),), x[1]), "IndexPut"),
    "a function of the user": (lambda x: Once.apply(x), "Once"),
}


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> Tensor:
        return 2 * cotangent


def check_family(p: ModuleType) -> None:
    x = X.clone().requires_grad_()
    assert {name: p.family(f(x).grad_fn) for name, (f, _) in NODES.items()} == {n: f for n, (_, f) in NODES.items()}
    assert p.family((x * 1).grad_fn.next_functions[0][0]) == "AccumulateGrad"
    y = x * 1
    y[0] = x[1]
    assert p.family(y.grad_fn) == "CopySlices"


def check_batch_statistics(p: ModuleType) -> None:
    x, number = X.clone().requires_grad_(), torch.ones(2).double()
    for training in (True, False):
        y = F.batch_norm(x, number, number, training=training)
        assert p.uses_batch_statistics(y.grad_fn) is training
        (g,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        nodes = [n for n in graph(g) if "NativeBatchNorm" in n.name()]
        assert nodes
        assert all(p.uses_batch_statistics(n) is training for n in nodes)
    assert p.uses_batch_statistics(x.sum().grad_fn)


def check_argument_names(p: ModuleType) -> None:
    assert p.argument_names(torch.ops.aten.add)[:2] == ["self", "other"]


def check_function_class(p: ModuleType) -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return 2 * gradient

    x = torch.ones(2, requires_grad=True)
    assert p.function_class(Twice.apply(x).grad_fn) is Twice
    assert p.function_class(x.exp().grad_fn) is None


def check_saved(p: ModuleType) -> None:
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    y = x.exp()
    assert torch.equal(p.saved(y.grad_fn, "result"), y)
    with pytest.raises(AttributeError):
        p.saved(y.grad_fn, "other")


def graph(y: Tensor) -> Iterator[Any]:
    waiting, seen = [y.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            waiting += [n for n, _ in node.next_functions]


def check_once_differentiable(p: ModuleType) -> None:
    class Twice(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x * 2)
        backward = staticmethod(lambda ctx, w: 2 * w)

    x = X.clone().requires_grad_()
    assert p.is_once_differentiable(Once.apply(x).grad_fn)
    assert not p.is_once_differentiable(Twice.apply(x).grad_fn)
    assert not p.is_once_differentiable(x.sin().grad_fn)


def check_operators(p: ModuleType) -> None:
    add = torch.ops.aten.add
    assert isinstance(add, p.OpOverloadPacket)
    assert isinstance(add.Tensor, p.OpOverload)
    assert p.aten.add is add
    assert p.mutates(torch.ops.aten.add_.Tensor)
    assert not p.mutates(add.Tensor)
    assert not p.mutates(torch.add)


def check_absent_operators(p: ModuleType) -> None:
    absent = p.aten.of_another_version
    assert isinstance(absent, p.Absent)
    assert repr(absent) == f"aten::of_another_version, absent from PyTorch {torch.__version__}"
    assert len({absent, p.aten.of_another_version}) == 2, "keys of a table that nothing is equal to"
    assert hasattr(p.native, "gelu")
    assert not hasattr(p.native, "of_another_version"), "names in quotes are looked up here, and left out"


def check_namespaces(p: ModuleType) -> None:
    """What functions of Python in torch call, and what reaches ``__torch_function__``."""
    called = []

    class Names(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append(func)
            return func(*args, **(kwargs or {}))

    with Names():
        F.gelu(X)
        nn.LSTM(2, 2).double()(X)
    assert p.native.gelu in called
    assert p.variables.lstm in called


def check_decompositions(p: ModuleType) -> None:
    table, aten = p.decomposition_table, torch.ops.aten
    assert torch.allclose(table[aten.silu.default](X), F.silu(X))
    assert aten.matmul.default.has_kernel_for_dispatch_key(p.composite_implicit)
    assert not aten.mm.default.has_kernel_for_dispatch_key(p.composite_implicit)


def check_local_scalar(p: ModuleType) -> None:
    called = []

    class Names(p.TorchDispatchMode):  # type: ignore[name-defined]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append(func)
            return func(*args, **(kwargs or {}))

    with Names():
        assert float(X[0, 0]) == X[0, 0].item() == 0.3
    assert called.count(p.local_scalar.default) == 2


def check_trees(p: ModuleType) -> None:
    tree = {"a": (1, [2]), "b": 3}
    leaves, spec = p.tree_flatten(tree)
    assert leaves == p.tree_leaves(tree) == [1, 2, 3]
    assert isinstance(spec, p.TreeSpec)
    assert p.tree_unflatten([4, 5, 6], spec) == {"a": (4, [5]), "b": 6}
    assert p.tree_map(lambda x: -x, tree) == {"a": (-1, [-2]), "b": -3}


CHECKS: dict[Callable[[ModuleType], None], str] = {
    check_transform_kinds: "Transform interpreters transforms",
    check_transform_depth: "transform_depth in_transform",
    check_transform_level: "transform_level",
    check_dual_level: "dual_level",
    check_dispatch_modes: "dispatch_modes TorchDispatchMode",
    check_without_dispatch: "no_dispatch",
    check_tracing: "is_tracing",
    check_block_without_gradients: "in_block_without_gradients",
    check_without_overrides: "without_overrides",
    check_with_overrides: "with_overrides",
    check_called_by_dispatcher: "called_by_dispatcher",
    check_wrapper: "wrapper throw_on_data_ptr",
    check_has_storage: "has_storage",
    check_views: "version base is_view",
    check_zero_tensor: "is_zero_tensor",
    check_unsafe_view: "unsafe_view",
    check_saved_hooks: "saved_as_they_are",
    check_stop: "StopRecomputation",
    check_family: "family",
    check_batch_statistics: "uses_batch_statistics",
    check_saved: "saved",
    check_function_class: "function_class",
    check_argument_names: "argument_names",
    check_once_differentiable: "is_once_differentiable",
    check_operators: "OpOverload OpOverloadPacket aten mutates Aten",
    check_absent_operators: "Absent",
    check_namespaces: "native variables",
    check_decompositions: "decomposition_table composite_implicit",
    check_local_scalar: "local_scalar",
    check_trees: "TreeSpec tree_flatten tree_leaves tree_map tree_unflatten",
}
"""What a check is about, name by name; compilers and ``first`` have tests of their own below."""

SCRIPTS = pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")


@SCRIPTS
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__.removeprefix("check_"))
def test_names_do_what_is_relied_on(check: Callable[[ModuleType], None]) -> None:
    check(private)


def test_every_name_is_checked() -> None:
    imported = {"Callable", "MetaPathFinder", "ModuleSpec", "ModuleType", "Sequence", "Tensor", "TypeVar", "Any", "F"}
    modules = {"annotations", "functools", "sys", "torch", "forward_ad", "checkpoint"}
    others = {"find_spec", "attrgetter", "suppress", "TorchVersionError"}
    compilers = {"first", "not_traced", "outside_of_compilers", "RULES_OF_DYNAMO"}
    named = {name for name in vars(private) if not name.startswith("_")}
    checked = [name for names in CHECKS.values() for name in names.split()]
    assert len(checked) == len(set(checked))
    assert named - imported - modules - others - compilers == set(checked)


# -------------------------------------------------------------------------------------------- versions of torch without a name

WITHOUT: dict[str, tuple[list[str], list[Callable[[ModuleType], None]]]] = {
    "functorch in C": (
        ["_C._are_functorch_transforms_active", "_C._functorch.get_dynamic_layer_stack_depth"],
        [check_transform_kinds, check_transform_depth, check_transform_level],
    ),
    "the stack of functorch": (
        ["_C._functorch.get_interpreter_stack", "_C._functorch.TransformType"],
        [check_transform_kinds, check_transform_depth],
    ),
    "levels of functorch": (["_C._functorch.maybe_get_level"], [check_transform_level]),
    "the level of forward mode": (["autograd.forward_ad._current_level"], [check_dual_level]),
    "the number of modes": (["_C._len_torch_dispatch_stack"], [check_dispatch_modes]),
    "the question of tracing": (["_C._is_tracing"], [check_tracing]),
    "the exception of checkpoint": (["utils.checkpoint._StopRecomputationError"], [check_stop]),
    "unsafe views": (["ops.aten._unsafe_view"], [check_unsafe_view]),
}


def without(names: list[str], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is in a version of torch that lacks these names."""
    spec = importlib.util.spec_from_file_location("torch_private_of_another_version", private.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        for name in names:
            space, _, last = name.rpartition(".")
            at = torch
            for part in space.split("."):
                at = getattr(at, part)
            if at is torch.ops.aten:
                patch.setattr(type(at), "__getattr__", lambda self, name: (_ for _ in ()).throw(AttributeError(name)))
            patch.setattr(at, f"{last}_of_another_name", getattr(at, last), raising=False)
            patch.delattr(at, last, raising=False)
        spec.loader.exec_module(module)
    return module


@SCRIPTS
@pytest.mark.parametrize("lacking", WITHOUT)
def test_replacements_do_the_same(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, checks = WITHOUT[lacking]
    module = without(names, monkeypatch)
    for check in checks:
        check(module)


def test_without_hooks_known_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    module = without(["_C._autograd._top_saved_tensors_default_hooks"], monkeypatch)
    assert not module.saved_as_they_are()


@pytest.mark.parametrize("name", ["_C._dispatch_tls_is_dispatch_key_excluded", "_C.DispatchKey.PythonTLSSnapshot"])
def test_without_the_state_of_the_dispatcher_detach_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert without([name], monkeypatch).called_by_dispatcher()


def test_what_cannot_be_replaced_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TorchVersionError, match=r"has no torch\._C\._has_storage, on which apolar relies\. Install"):
        without(["_C._has_storage"], monkeypatch)


# ------------------------------------------------------------------------------------------------------------------ compilers

COMPILED = """
import sys
{before}
import apolar as ap, torch
assert ("torch._dynamo" in sys.modules) is {imported}, "imported by apolar"

second = ap.coordinates("x y")["x"] ** 2
X = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)
def f(x):
    return torch.sin(x[..., :1]) * x[..., 1:] ** 2
def g(x):
    return 2 * ap.evaluate(f, x + 0, second)
expected = -2 * torch.sin(X[:, :1]) * X[:, 1:] ** 2
assert torch.allclose(g(X), expected)
assert ("torch._dynamo" in sys.modules) is {imported}, "imported by an evaluation"

graphs = []
def backend(module, inputs):
    graphs.append([n.target.__name__ for n in module.graph.nodes if n.op == "call_function"])
    return module
assert torch.allclose(torch.compile(g, backend=backend)(X), expected)
print(graphs)
"""


def graphs_of(before: str, imported: bool, folder: Path) -> str:
    """What a compiler sees of an evaluation, in a process of its own."""
    script = folder / "compiled.py"
    script.write_text(COMPILED.format(before=before, imported=imported))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("imported", [False, True], ids=["later", "before"])
def test_compilers_do_not_trace_apolar(imported: bool, tmp_path: Path) -> None:
    """A compiler sees what stands around an evaluation, nothing of it, and is not imported by it."""
    assert graphs_of("import torch._dynamo" * imported, imported, tmp_path) == "[['add'], ['mul']]"


@pytest.mark.slow
def test_where_a_compiler_knows_no_files_to_leave_out_evaluations_are_right(tmp_path: Path) -> None:
    """It then traces what apolar does with plain tensors."""
    before = "import torch._dynamo.trace_rules as rules; del rules.add"
    assert graphs_of(before, True, tmp_path).count("[") > 3


# ---------------------------------------------------------------------------------------------- no private names elsewhere

SOURCE = Path(apolar.__file__).parent

OF_MODULES = {"_modules", "_buffers"}
"""The tables of ``nn.Module``, whose names are part of how state is saved and of how subclasses are written."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def of_torch() -> set[str]:
    """The private attributes of the objects of torch."""
    x = torch.ones(2, 2, requires_grad=True)
    objects = [torch, torch._C, torch._C._functorch, F, forward_ad, checkpoint, x, nn.Linear(1, 1), torch.ops.aten.add]
    objects += [torch.ops.aten.add.Tensor, Once.apply(x).grad_fn, F.batch_norm(x, None, None, training=True).grad_fn]
    return {name for o in objects for name in dir(o) if is_private(name)} - OF_MODULES


def own(tree: ast.Module) -> set[str]:
    """The names that a file gives to what it defines."""
    functions = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    stored = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return (
        functions | stored | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )


def private_names(tree: ast.Module, theirs: set[str]) -> Iterator[str]:
    """Imports from private places, private attributes, and those that are looked up by a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
            paths = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (path for path in paths if any(map(is_private, path.split("."))))
        elif isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names if alias.name.startswith("torch.")]
            yield from (path for path in paths if any(map(is_private, path.split("."))))
        elif isinstance(node, ast.Attribute) and node.attr in theirs and ast.unparse(node.value) != "aten":
            yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "attrgetter"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and a.value in theirs)


def test_no_private_names_elsewhere() -> None:
    trees = {path: ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}
    theirs = of_torch() - {
        name for path, tree in trees.items() if path.name != "torch_private.py" for name in own(tree)
    }
    found = {path: sorted(private_names(tree, theirs)) for path, tree in trees.items()}
    assert found.pop(Path(private.__file__)), "the search finds those that there are"
    assert not {str(path.relative_to(SOURCE)): names for path, names in found.items() if names}


SPELLINGS = {
    "import torch._dynamo": "torch._dynamo",
    "from torch.utils._pytree import tree_map": "torch.utils._pytree.tree_map",
    "from torch.utils.checkpoint import _StopRecomputationError": "torch.utils.checkpoint._StopRecomputationError",
    "torch._C._has_storage(x)": "torch._C._has_storage",
    "x._is_view()": "x._is_view",
    "getattr(node, '_saved_training', True)": "_saved_training",
}


@pytest.mark.parametrize("code", SPELLINGS)
def test_private_names_are_found(code: str) -> None:
    assert SPELLINGS[code] in list(private_names(ast.parse(code), of_torch()))
