"""What a guard sees, what leaves it alone, what it says it cannot follow, and what it keeps alive."""

from __future__ import annotations

import copy
import functools
import gc
import io
import random
import re
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import tests.oracles as tables
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import apolar as ap
from apolar.engine.guard import Guard, Memory, likeness

X = torch.rand(5, 2)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(0.1), nn.Linear(4, 1))


class Scaled(nn.Module):
    """A module of a user: an attribute, a class attribute, a property, a list, a method, and a log that it does not read."""

    factor = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 4), nn.Linear(4, 1)])
        self.scale, self.powers, self.options = 1.5, [1, 2], {"shift": 0.5}
        self.offset = torch.zeros(1)
        self.losses: list[float] = []

    @property
    def twice(self) -> float:
        return 2 * self.scale

    def feature(self, x: Tensor) -> Tensor:
        return x.sin() + self.options["shift"]

    def forward(self, x: Tensor) -> Tensor:
        x = self.feature(x)
        for layer in self.layers:
            x = layer(x) * self.twice
        return sum(x**n for n in self.powers) * self.factor + self.offset  # type: ignore[return-value]

    def report(self) -> float:
        return self.losses[-1]


class Sine:
    """A callable object."""

    def __init__(self, omega: float) -> None:
        self.omega = omega

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * x)


class Slotted:
    __slots__ = ("omega",)

    def __init__(self, omega: float) -> None:
        self.omega = omega

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * x)


@dataclass
class Settings:
    weight: float = 0.5
    centres: list[float] = field(default_factory=lambda: [0.0, 1.0])


# ------------------------------------------------------------------------------------------------------ what is seen

SOURCE = """
import math
import re
import torch

A = torch.tensor(5.0)
k = 2.0
nets = {"u": net, "v": other}
items = [1.0, torch.tensor(2.0)]
settings = Settings()

def helper(x, n=3, *, shift=0.0):
    return k * x**n + shift + cfg.rate

def counted(x):
    return helper(x) + sum(abs(i) for i in range(2))

def tensor(x): return A * x
def nested(x): return counted(x)
def lookup(x): return nets["u"](x)
def listed(x): return items[0] * x + items[1]
def inner(x): return torch.stack([helper(c) for c in x])
def attributes(x): return settings.weight * x + settings.centres[1]
def module(x): return net(x)
def method(x): return scaled.feature(x)
def constant(x): return math.pi * x
def imported(x): return cfg.sub.deep * x
"""


def space() -> dict[str, Any]:
    """The namespace of a module of functions, of its own."""
    cfg = types.ModuleType("cfg")
    cfg.rate, cfg.unread, cfg.sub = 0.1, 1.0, types.ModuleType("sub")  # type: ignore[attr-defined]
    cfg.sub.deep = 3.0
    found = {"net": network(), "other": network(), "scaled": Scaled(), "Settings": Settings, "cfg": cfg}
    exec(compile(SOURCE, "user.py", "exec"), found)
    return found


def put(target: Any, path: str, value: Any) -> None:
    """Assign to an attribute at the end of a path."""
    *owners, last = path.split(".")
    setattr(attrgetter(".".join(owners))(target) if owners else target, last, value)


GLOBALS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "a tensor": ("tensor", lambda s: s.update(A=torch.tensor(5.0))),
    "a number of a helper": ("nested", lambda s: s.update(k=3.0)),
    "a number of another type": ("nested", lambda s: s.update(k=2)),
    "the sign of zero": ("nested", lambda s: s["helper"].__kwdefaults__.update(shift=-0.0)),
    "a helper": ("nested", lambda s: exec("def helper(x): return x", s)),
    "the code of a helper": ("nested", lambda s: put(s["helper"], "__code__", (lambda x, n=3, *, shift=0: x).__code__)),
    "a default of a helper": ("nested", lambda s: put(s["helper"], "__defaults__", (4,))),
    "a keyword of a helper": ("nested", lambda s: s["helper"].__kwdefaults__.update(shift=1.0)),
    "a helper in a comprehension": ("inner", lambda s: s.update(k=3.0)),
    "a builtin": ("nested", lambda s: s.update(abs=lambda x: 0)),
    "a builtin in a helper": ("nested", lambda s: s.update(sum=lambda x: 0)),
    "a network in a dictionary": ("lookup", lambda s: s["nets"].update(u=network())),
    "networks exchanged": ("lookup", lambda s: s["nets"].update(u=s["nets"]["v"], v=s["nets"]["u"])),
    "an entry of a dictionary": ("lookup", lambda s: s["nets"].update(w=network())),
    "a number in a list": ("listed", lambda s: s["items"].__setitem__(0, 2.0)),
    "a tensor in a list": ("listed", lambda s: s["items"].__setitem__(1, torch.tensor(2.0))),
    "the length of a list": ("listed", lambda s: s["items"].append(1.0)),
    "a list": ("listed", lambda s: s.update(items=tuple(s["items"]))),
    "an attribute of an object": ("attributes", lambda s: put(s["settings"], "weight", 1.0)),
    "a list in an object": ("attributes", lambda s: s["settings"].centres.append(2.0)),
    "an object": ("attributes", lambda s: s.update(settings=Settings(0.7))),
    "a constant of a module": ("nested", lambda s: put(s["cfg"], "rate", 0.2)),
    "a module in a module": ("imported", lambda s: put(s["cfg"], "sub.deep", 0.2)),
    "a network": ("module", lambda s: s.update(net=network())),
    "a copy of a network": ("module", lambda s: s.update(net=copy.deepcopy(s["net"]))),
    "a method of an object": ("method", lambda s: put(s["scaled"], "feature", lambda x: x)),
    "what a method reads": ("method", lambda s: s["scaled"].options.update(shift=1.0)),
}


@pytest.mark.parametrize("name", GLOBALS)
def test_changes_of_globals_are_seen(name: str) -> None:
    function, change = GLOBALS[name]
    names = space()
    f = names[function]
    guard = Guard(f)
    assert not guard.opaque
    assert guard.holds(f)
    change(names)
    assert not guard.holds(f)
    assert guard.differences(f) != ["what it holds"] or "exchanged" in name


def hooked(net: nn.Module) -> None:
    net.register_forward_hook(lambda module, inputs, output: 2 * output)


MODULES: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Any]]] = {
    "the mode": (network, lambda net: net.eval()),
    "the mode of a part": (network, lambda net: net[2].eval()),
    "a parameter": (network, lambda net: setattr(net[0], "weight", nn.Parameter(net[0].weight.detach().clone()))),
    "no bias": (network, lambda net: setattr(net[0], "bias", None)),
    "a layer": (network, lambda net: net.__setitem__(1, nn.Sigmoid())),
    "another layer": (network, lambda net: net.append(nn.Tanh())),
    "a layer less": (network, lambda net: net.__delitem__(1)),
    "a number": (network, lambda net: setattr(net[2], "p", 0.2)),
    "a forward hook": (network, hooked),
    "a hook of a part": (network, lambda net: hooked(net[1])),
    "a hook before": (network, lambda net: net[1].register_forward_pre_hook(lambda module, inputs: None)),
    "a hook of the backward pass": (network, lambda net: net[1].register_full_backward_hook(lambda *_: None)),
    "forward of the object": (network, lambda net: setattr(net[1], "forward", torch.sigmoid)),
    "forward of the whole": (network, lambda net: setattr(net, "forward", torch.sigmoid)),
    "the class": (network, lambda net: setattr(net[1], "__class__", nn.Sigmoid)),
    "an attribute": (Scaled, lambda net: setattr(net, "scale", 2.0)),
    "a tensor": (Scaled, lambda net: setattr(net, "offset", torch.zeros(1))),
    "a tensor for none": (Scaled, lambda net: setattr(net, "offset", None)),
    "a list": (Scaled, lambda net: net.powers.append(3)),
    "an entry of a list": (Scaled, lambda net: net.powers.__setitem__(0, 3)),
    "a dictionary": (Scaled, lambda net: net.options.update(shift=1.0)),
    "a method of the object": (Scaled, lambda net: setattr(net, "feature", torch.cos)),
    "a new attribute that hides one of the class": (Scaled, lambda net: setattr(net, "factor", 2.0)),
    "a buffer": (lambda: nn.BatchNorm1d(2), lambda net: setattr(net, "running_mean", torch.zeros(2))),
    "a parametrization": (
        network,
        lambda net: nn.utils.parametrize.register_parametrization(net[0], "weight", nn.Tanh()),
    ),
    "a network in a list of a module": (Scaled, lambda net: net.layers.append(nn.Linear(1, 1))),
}


@pytest.mark.parametrize("around", ["itself", "closure", "partial", "method", "vmap", "list"])
@pytest.mark.parametrize("name", MODULES)
def test_changes_of_modules_are_seen(name: str, around: str) -> None:
    make, change = MODULES[name]
    net = make()
    roots: dict[str, Callable[[], Any]] = {
        "itself": lambda: net,
        "closure": lambda: lambda x: net(x),
        "partial": lambda: functools.partial(F.linear, weight=net),
        "method": lambda: net.__call__,
        "vmap": lambda: torch.func.vmap(net),
        "list": lambda: [net, [net]],
    }
    root = roots[around]()
    guard = Guard(root)
    assert not guard.opaque
    assert guard.holds(root)
    change(net)
    assert not guard.holds(root)


CLASSES: dict[str, tuple[Any, Callable[[], Any], str, Any]] = {
    "forward of a class of torch": (nn.Tanh, network, "forward", lambda self, x: x),
    "the call of all modules": (nn.Module, network, "__call__", lambda self, x: x),
    "forward of a class": (Scaled, Scaled, "forward", lambda self, x: x),
    "a class attribute": (Scaled, Scaled, "factor", 3.0),
    "a method": (Scaled, Scaled, "feature", lambda self, x: x),
    "a property": (Scaled, Scaled, "twice", property(lambda self: 1.0)),
    "the call of an object": (Sine, lambda: Sine(2.0), "__call__", lambda self, x: x),
    "a special method": (Settings, lambda: lambda x: SETTINGS + x, "__eq__", lambda self, x: x),
}
SETTINGS = Settings()


@pytest.mark.parametrize("name", CLASSES)
def test_changes_of_classes_are_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, make, attribute, value = CLASSES[name]
    root = make()
    guard = Guard(root)
    assert guard.holds(root)
    monkeypatch.setattr(cls, attribute, value)
    assert not guard.holds(root)
    monkeypatch.undo()
    assert guard.holds(root)


def test_hooks_for_all_modules_are_seen() -> None:
    net = network()
    guard = Guard(net)
    handle = nn.modules.module.register_module_forward_hook(lambda module, inputs, output: None)
    try:
        assert not guard.holds(net)
    finally:
        handle.remove()
    assert guard.holds(net)


def closures(value: Any) -> Callable[[Any], Any]:
    return lambda x: value * x


OBJECTS: dict[str, tuple[Any, Any]] = {
    "a number": (1.5, 1.25),
    "an integer": (1, True),
    "a text": ("a", "b"),
    "a dtype": (torch.float32, torch.float64),
    "a tensor": (torch.ones(2), torch.ones(2)),
    "a tuple": ((1, 2.0), (1, 3.0)),
    "a set": ({1, 2}, {1, 3}),
    "a nested list": ([[1], [2]], [[1, 2], []]),
    "an array": (np.ones(2), np.zeros(2)),
    "a number of NumPy": (np.float64(1.0), np.float32(1.0)),
    "an object": (Sine(1.0), Sine(2.0)),
    "an object with slots": (Slotted(1.0), Slotted(2.0)),
    "a class": (Sine, Slotted),
    "a function": (closures(1.0), closures(2.0)),
    "a partial": (functools.partial(pow, 2), functools.partial(pow, 3)),
    "a bound method": (Sine(1.0).__call__, Sine(2.0).__call__),
    "a builtin method": ([1].count, [2].count),
    "a library's function": (torch.sin, torch.cos),
    "an operator": (ap.coordinates("x y").laplacian, ap.coordinates("x y").bilaplacian),
    "a dictionary": ({"a": 1}, {"b": 1}),
    "keys that are objects": ({Sine: 1}, {Slotted: 1}),
    "a network": (network(), network()),
    "nothing": (None, 0),
    "a sentinel": (object(), object()),
}


@pytest.mark.parametrize("place", ["a cell", "a default", "an argument of a partial", "an attribute of an object"])
@pytest.mark.parametrize("name", OBJECTS)
def test_functions_made_anew(name: str, place: str) -> None:
    """They are the same where they hold the same, and others where they hold something else."""
    make: dict[str, Callable[[Any], Any]] = {
        "a cell": closures,
        "a default": lambda value: lambda x, value=value: value * x,
        "an argument of a partial": lambda value: functools.partial(closures, value),
        "an attribute of an object": Sine,
    }
    one, other = OBJECTS[name]
    guard = Guard(make[place](one))
    assert not guard.opaque
    assert guard.holds(make[place](one))
    assert not guard.holds(make[place](other))


# ------------------------------------------------------------------------------------------------------ what is harmless


def trained(net: nn.Module, make: Callable[..., Any]) -> None:
    optimiser = make(net.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        net(X).square().sum().backward()
        optimiser.step()


@torch.no_grad()
def written(net: Any) -> None:
    for p in net.parameters():
        p.add_(1)
        p.data.mul_(2)
        p.data = p.data.clone()


HARMLESS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda net: None,
    "a call": lambda net: net(X),
    "gradients": lambda net: net(X).sum().backward(),
    "steps of SGD": lambda net: trained(net, torch.optim.SGD),
    "steps of Adam": lambda net: trained(net, torch.optim.Adam),
    "writes in place": written,
    "a state loaded": lambda net: net.load_state_dict(copy.deepcopy(net.state_dict())),
    "the same mode": lambda net: net.train(),
    "there and back": lambda net: (net.eval(), net.train()),
    "a lifted pass": lambda net: (ap.evaluate(net.eval(), X, ap.coordinates("x y").laplacian), net.train()),
    "a hook that is gone": lambda net: net.register_forward_hook(lambda *_: None).remove(),
    "a copy": copy.deepcopy,
    "an equal number": lambda net: [setattr(m, "p", float("0.1")) for m in net.modules() if hasattr(m, "p")],
}


@pytest.mark.parametrize(
    "make", [network, Scaled, lambda: nn.Sequential(nn.BatchNorm1d(2), nn.LayerNorm(2), nn.Linear(2, 1))]
)
@pytest.mark.parametrize("name", HARMLESS)
def test_what_changes_nothing(name: str, make: Callable[[], nn.Module]) -> None:
    net = make()
    for root in (net, lambda x: net(x)):
        guard = Guard(root)
        HARMLESS[name](net)
        assert guard.holds(root), guard.differences(root)


def test_what_is_not_read() -> None:
    """A global and a constant of a module that no code mentions, and the log of a module."""
    names, net = space(), Scaled()
    guard, other = Guard(names["nested"]), Guard(net)
    names.update(A=1, unknown=2)
    names["cfg"].unread = 2.0
    net.losses.append(1.0)
    assert guard.holds(names["nested"])
    assert other.holds(net)


def test_tensors_are_compared_by_what_is_asked() -> None:
    net = network()
    guard = Guard(net, facts=(attrgetter("dtype"), attrgetter("requires_grad")))
    assert guard.holds(net)
    net.requires_grad_(False)
    assert not guard.holds(net)
    net.requires_grad_(True)
    assert guard.holds(net)
    net.double()
    assert not guard.holds(net)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 2) | st.floats(allow_nan=True) | st.text(max_size=1),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=1), inner, max_size=3)
            | st.tuples(inner, inner)
        ),
    ),
    st.data(),
)
def test_nests_of_values(nest: Any, data: st.DataObject) -> None:
    """A copy is the same; what is written otherwise is not."""
    other = data.draw(st.one_of(st.just(copy.deepcopy(nest)), st.lists(st.integers(0, 2))))
    assert Guard([nest]).holds([other]) is (repr(nest) == repr(other))


# ------------------------------------------------------------------------------------------------------ what is opaque

HELD: dict[str, tuple[Callable[[], Any], str]] = {
    "a generator": (lambda: (n for n in range(3)), "value.*generator"),
    "a file": (io.StringIO, "value.*StringIO"),
    "an iterator": (lambda: iter([1]), "value.*iterator"),
    "a large list": (lambda: [0.0] * 20_000, "value.*large"),
    "an array of objects": (lambda: np.array([lambda: 1], dtype=object), "value.*array"),
    "a generator of random numbers": (torch.Generator, "value.*Generator"),
    "inside of an object": (lambda: Sine(io.StringIO()), r"value\.omega.*StringIO"),  # type: ignore[arg-type]
    "inside of a list": (lambda: [1, {"k": io.StringIO()}], r"value\[1\]\['k'\].*StringIO"),
}


@pytest.mark.parametrize("name", HELD)
def test_what_cannot_be_followed_is_named(name: str) -> None:
    make, expected = HELD[name]
    value = make()
    f = closures(value)
    guard = Guard(f)
    (found,) = guard.opaque
    assert re.search(expected, found)
    assert guard.holds(f)


def test_code_that_reads_by_other_names() -> None:
    assert Guard(lambda x: eval("x")).opaque == ("`eval` in test_code_that_reads_by_other_names.<locals>.<lambda>",)
    assert Guard(lambda x: globals()["k"]).opaque
    assert "`tables`" in Guard(lambda x: getattr(tables, x)).opaque[0]
    assert not Guard(lambda x: tables.__name__).opaque

    assert "`random`" in Guard(lambda x: random.random() * x).opaque[0]
    assert "`np`" in Guard(lambda x: np.random.rand() * x).opaque[0]  # noqa: NPY002
    assert "`perf_counter`" in Guard(lambda x: perf_counter() * x).opaque[0]
    assert not Guard(lambda x: np.float64(2.0) * x).opaque

    def late(x: Any) -> Any:
        from tests import lifted

        return lifted.X * x

    assert "`import tests`" in Guard(late).opaque[0]


def test_attributes_by_computed_names() -> None:
    """All attributes are followed then."""
    net = Scaled()

    def f(x: Tensor) -> Any:
        return [getattr(net, name)(x) for name in ("forward",)]

    guard = Guard(f)
    net.losses.append(1.0)
    assert not guard.holds(f)
    assert guard.differences(f)[0] == "net.losses"


class Scale:
    """A class that a pattern of ``match`` takes apart by position."""

    __match_args__ = ("omega",)

    def __init__(self, omega: float) -> None:
        self.omega = omega


def test_patterns_read_attributes() -> None:
    scale = Scale(1.0)

    def f(x: Tensor) -> Tensor:
        match scale:
            case Scale(omega):
                return torch.sin(omega * x)
        return x

    guard = Guard(f)
    assert guard.holds(f)
    scale.omega = 2.0
    assert not guard.holds(f)


def test_numbers_of_classes_of_ones_own_are_not_followed() -> None:
    class Length(float):
        pass

    lengths = [Length(2.0)]
    assert Guard(lambda x: x * lengths[0]).opaque


def test_what_the_function_changes_itself() -> None:
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return k * x

    k = 1.0
    guard = Guard(f)
    f(X)
    assert guard.differences(f)[0] == "calls"
    again = Guard(f, ignored=frozenset(guard.differences(f)))
    assert "calls" in again.opaque[0]
    f(X)
    assert again.holds(f)
    k = 2.0
    assert not again.holds(f)


DIFFERENCES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a number": (lambda net: setattr(net, "scale", 2.0), "net.scale"),
    "an entry": (lambda net: net.powers.append(7), "net.powers"),
    "a parameter": (lambda net: setattr(net.layers[0], "bias", nn.Parameter(torch.ones(4))), "net.layers.0.bias"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_named(name: str) -> None:
    change, path = DIFFERENCES[name]
    net = Scaled()
    f = lambda x: net(x)  # noqa: E731
    guard = Guard(f)
    change(net)
    assert path in guard.differences(f)


# ------------------------------------------------------------------------------------------------------ lifetimes


def parent() -> nn.Module:
    """A module that can be reached from its parts."""
    net = network()
    object.__setattr__(net[0], "parent", net)
    net.forward = types.MethodType(nn.Sequential.forward, net)  # type: ignore[method-assign]
    net.register_forward_hook(lambda module, inputs, output: output if net.training else None)
    return net


@pytest.mark.parametrize("make", [network, Scaled, parent])
@pytest.mark.parametrize("use", [lambda net: net, lambda net: lambda x: net(x), torch.func.vmap, lambda net: Sine(net)])
def test_nothing_is_kept_alive(make: Callable[[], nn.Module], use: Callable[[Any], Any]) -> None:
    net = make()
    guard = Guard(use(net))
    assert guard.alive
    held = [weakref.ref(net), *map(weakref.ref, net.parameters())]
    del net
    gc.collect()
    assert not any(reference() is not None for reference in held)
    assert not guard.alive


def test_tensors_at_the_same_address() -> None:
    """What was freed is never taken for what came after it."""
    f = closures(torch.ones(3))
    guard = Guard(f)
    del f
    for _ in range(100):
        assert not guard.holds(closures(torch.ones(3)))
        assert not guard.holds(closures(None))


def test_memory_finds_functions_made_anew() -> None:
    memory: Memory[str] = Memory(most=2)
    first, second, third = torch.ones(1), torch.ones(1), torch.ones(1)
    for name, x in (("first", first), ("second", second)):
        memory.remember(likeness(closures(x)), Guard(closures(x)), name)
    assert memory.find(likeness(closures(first)), closures(first)) == "first"
    assert memory.find(likeness(closures(second)), closures(second)) == "second"
    assert memory.find(likeness(closures(third)), closures(third)) is None
    memory.remember(likeness(closures(third)), Guard(closures(third)), "third")
    assert memory.find(likeness(closures(first)), closures(first)) is None  # the one that was not used for longest
    assert memory.find(likeness(closures(second)), closures(second)) == "second"
    del third
    assert len(memory.guards(likeness(closures(second)))) == 2
    memory.remember("another", Guard(), "another")
    assert len(memory.guards(likeness(closures(second)))) == 1
