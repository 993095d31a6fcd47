"""What the records say of torch's functions, judged at torch's functions themselves, on the calls that the tables make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from apolar.errors import RuleError
from apolar.rules.record import RECORDS, Cause, Entries, Kind, Rule, Singular, amend, enter, record_of, spelled
from apolar.rules.registry import elementwise

from .calls import Call, judged


def close(call: Call, found: list[Tensor], expected: list[Tensor], scale: list[Tensor]) -> bool:
    """Within 1000 units in the last place, of the coarsest dtype, of the largest value that was added up."""
    dtypes = {x.dtype for x in (*(call.leaves()[k] for k in call.moving()), *found)}
    eps = max(torch.finfo(dtype).eps for dtype in dtypes)
    for a, b, s in zip(found, expected, scale, strict=True):
        size = float(s.abs().nan_to_num(0, 0, 0).max()) if s.numel() else 0.0
        if a.shape != b.shape or not torch.allclose(
            a, b, rtol=1e3 * eps, atol=1e3 * eps * max(size, 1.0), equal_nan=True
        ):
            return False
    return True


def step(x: Tensor, seed: int) -> Tensor:
    """A random direction with entries between −1 and 1."""
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(x.shape, generator=generator, dtype=torch.float64) - 1).to(x.dtype)


def affine(call: Call, places: list[int]) -> bool:
    """Whether f(x + v + w) − f(x + v) − f(x + w) + f(x) = 0 for random v and w in these arguments together."""
    x = {k: call.leaves()[k] for k in places}
    v, w = ({k: step(x[k], seed + k) for k in places} for seed in (100, 200))
    both, one, other, none = (
        call.at({k: x[k] + a * v[k] + b * w[k] for k in places}) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))
    )
    return close(call, [a + b for a, b in zip(both, none)], [a + b for a, b in zip(one, other)], one)


def failures(wanted: Callable[[Rule], bool], right: Callable[[Rule, Call], bool], least: int) -> list[str]:
    """The calls at which a record is wrong; there must be enough functions to judge."""
    found = list(judged(wanted))
    assert len({call.function for _, call in found}) >= least
    return [str(call) for rule, call in found if not right(rule, call)]


def test_linear() -> None:
    """In all linear arguments together."""

    def right(rule: Rule, call: Call) -> bool:
        return affine(call, call.moving(rule.linear_in))

    assert failures(lambda rule: rule.kind is Kind.LINEAR, right, least=100) == []


def test_bilinear() -> None:
    """In each linear argument alone."""

    def right(rule: Rule, call: Call) -> bool:
        return all(affine(call, call.moving((name,))) for name in rule.linear_in)

    assert failures(lambda rule: rule.kind is Kind.BILINEAR, right, least=15) == []


def test_constant() -> None:
    """A little step changes no floating-point result."""

    def right(rule: Rule, call: Call) -> bool:
        x = call.leaves()
        moved = {k: x[k] * (1 + 1e-9 * step(x[k], k).abs()) for k in call.moving()}
        return all(torch.equal(a, b) for a, b in zip(call.at({}), call.at(moved), strict=True))

    assert failures(lambda rule: rule.kind is Kind.CONSTANT and rule.on_jets is None, right, least=15) == []


def test_composite() -> None:
    """The words of others mean the same for plain tensors."""

    def right(rule: Rule, call: Call) -> bool:
        expected = call.at({})
        return close(call, call.at({}, rule.definition), expected, expected)

    assert failures(lambda rule: rule.kind is Kind.COMPOSITE and rule.on_jets is None, right, least=120) == []


def changes(call: Call) -> Iterable[tuple[Tensor, Tensor, list[Tensor], list[Tensor]]]:
    """For some entries of each argument: where it is, its new value, and the results before and after it changed."""
    before = call.at({})
    for k in call.moving():
        x = call.leaves()[k]
        for entry in {0, x.numel() // 2, x.numel() - 1} if x.numel() else ():
            place = torch.zeros(x.numel(), dtype=torch.bool)
            place[entry] = True
            place = place.reshape(x.shape)
            moved = torch.where(place, 1.25 * x + 0.1, x)
            yield place, moved[place], before, call.at({k: moved})


def differs(a: Tensor, b: Tensor) -> Tensor:
    return (a != b) & ~(a.isnan() & b.isnan())


def test_entries_apart() -> None:
    """A change of an entry is seen at its own place only."""

    def right(rule: Rule, call: Call) -> bool:
        return all(
            not (differs(a, b) & ~place.broadcast_to(a.shape)).any()
            for place, _, before, after in changes(call)
            for a, b in zip(before, after, strict=True)
        )

    assert failures(lambda rule: rule.entries is Entries.APART, right, least=90) == []


def test_entries_moved() -> None:
    """What changes in the result is the changed entry itself."""

    def right(rule: Rule, call: Call) -> bool:
        return all(
            bool((b[differs(a, b)] == new.to(b.dtype)).all())
            for _, new, before, after in changes(call)
            for a, b in zip(before, after, strict=True)
        )

    assert failures(lambda rule: rule.entries is Entries.MOVED, right, least=50) == []


def test_entries_along() -> None:
    """A change of an entry is seen at the same place on all axes but those that are named."""

    def right(rule: Rule, call: Call) -> bool:
        named = call.kwargs.get("dim", call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else None))
        ndim = call.args[0].ndim
        dims = [d % ndim for d in ((named,) if isinstance(named, int) else named or range(ndim))] if ndim else []

        def seen(place: Tensor, like: Tensor) -> Tensor:
            along = place.any(dims, keepdim=True) if dims else place
            if like.ndim == ndim:
                return along.expand(like.shape)
            return along.flatten().reshape(like.shape) if along.numel() == like.numel() else along

        return all(
            not (differs(a, b) & ~seen(place, a)).any()
            for place, _, before, after in changes(call)
            for a, b in zip(before, after, strict=True)
        )

    assert failures(lambda rule: rule.entries is Entries.ALONG, right, least=6) == []


def test_views() -> None:
    def right(rule: Rule, call: Call) -> bool:
        with torch.random.fork_rng(devices=[]):
            result = call.function(*call.args, **call.kwargs)
        parts = result if isinstance(result, (tuple, list)) else (result,)
        memory = call.args[0].untyped_storage().data_ptr()
        return all(part.untyped_storage().data_ptr() == memory for part in parts)

    assert failures(lambda rule: rule.view, right, least=20) == []


LEAVING = [f for f, rule in RECORDS.items() if rule.leaves]


@pytest.mark.parametrize("function", LEAVING, ids=lambda f: getattr(f, "__qualname__", str(f)))
def test_leaving(function: Callable[..., object]) -> None:
    """What is given back does not know where it comes from, or has no derivative; torch itself refuses some."""
    y = torch.tensor(0.5, requires_grad=True) * 1
    more = (y.detach().numpy(),) if getattr(function, "__name__", "") == "__array_wrap__" else ()
    try:
        found = function(y, *more)
    except (RuntimeError, BufferError) as error:
        found = re.search(r"requires? grad", str(error))
    assert found is not None
    assert not (isinstance(found, Tensor) and found.requires_grad) or "NotImplemented" in str(found.grad_fn)


def test_a_second_rule_says_that_it_replaces_the_first() -> None:
    with pytest.raises(RuleError, match=r"tanh has a rule already, of the kind elementwise: pass replacing=True"):
        elementwise("tanh", derivative=lambda y, x: y)
    with pytest.raises(RuleError, match="has no rule that could be replaced"):
        enter(Rule(Kind.CONSTANT), [object()], replacing=True)
    assert record_of(torch.tanh).kind is Kind.ELEMENTWISE


def test_a_name_stands_for_each_spelling_once() -> None:
    assert set(spelled(["tanh"])) == {torch.tanh, Tensor.tanh, torch.nn.functional.tanh}
    assert spelled([torch.sin, torch.sin]) == (torch.sin,)


def test_a_singular_function_without_a_rule_keeps_its_line_when_it_gets_one() -> None:
    function = object()
    line = Singular(Cause.KINK, lambda x: ())
    amend(lambda rule: {"singular": (*rule.singular, line)}, [function])
    assert record_of(function).kind is Kind.DECOMPOSED
    enter(Rule(Kind.CONSTANT), [function])
    assert record_of(function).kind is Kind.CONSTANT
    assert record_of(function).singular == (line,)
