"""What happens to jets while a lifted pass runs, and what its results then lack.

In a lifted pass derivatives travel forward with the values, and no graph is walked: ``ap.evaluate``, residuals and the
transforms tell the watch where a pass begins and ends, and every call of a torch function on jets leaves a trace on its
results, as calls on tensors do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.diagnosis import graph
from apolar.diagnosis.messages import code_of
from apolar.diagnosis.nonfinite import already, finite
from apolar.diagnosis.operations import ADDITIVE, CASTING, COPYING, KINKED, STRAIGHT, WITHOUT_VALUES
from apolar.diagnosis.places import Place, here
from apolar.diagnosis.traces import NONE, Mark, Marks, Memory, Trace
from apolar.engine.context import observer, recording
from apolar.engine.jet import Jet, jets
from apolar.engine.torch_private import in_transform, tree_leaves
from apolar.errors import ApolarError, DetachedError
from apolar.rules.record import Kind, record_of

NORMALISATIONS = {"batch_norm", "_native_batch_norm_legit", "native_batch_norm"}


@dataclass(frozen=True)
class Lifted:
    """What is known of one jet.

    Attributes:
        marks: what took a part of it out of the computation.
        added: those that were only added, so that no derivative feels them.
        kinks: the calls of piecewise linear functions on the way.
        curved: whether there are other functions than linear and piecewise linear ones.
        nonfinite: the mark of the NaN or infinity in it.
        order: of the derivative that it is, where it is the result of a pass inside of another one.
    """

    marks: Marks = NONE
    added: Marks = NONE
    kinks: tuple[graph.Origin, ...] = ()
    curved: bool = False
    nonfinite: Mark | None = None
    order: int = 0


POINT = Lifted()
UNSEEN = Lifted(curved=True)
"""Of a jet that was made where nobody looked: nothing is claimed of it."""


class Passes:
    """Looks at all lifted passes of a watch; see :class:`apolar.engine.context.Observer`."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Passes tell this object what they do."""
        token = observer.set(self)
        try:
            yield
        finally:
            observer.reset(token)

    def begins(self, inputs: Sequence[Tensor]) -> None:
        """A pass begins at these jets."""
        with self.memory.guard:
            for x in inputs:
                self.memory.lifted[x] = POINT

    def ends(
        self, points: Sequence[Tensor], output: Tensor, operators: Sequence[Operator], results: Sequence[Tensor]
    ) -> None:
        """A pass has ended with this output, at which the operators were read."""
        with self.memory.guard:
            place = here()
            if isinstance(output, Jet):
                known = self.memory.lifted.get(output, UNSEEN)
                self._straight(known, operators)
                for y, p in zip(results, operators):
                    if isinstance(y, Jet):
                        self.memory.lifted[y] = replace(known, order=known.order + p.order)
            if in_transform() or any(isinstance(y, Jet) for y in results):
                return
            if not isinstance(output, Jet):
                trace = self.memory.trace(output)
                cuts = frozenset(mark for mark in trace.marks if mark in self.memory.leaving)
                known = Lifted(cuts, cuts, nonfinite=trace.nonfinite)
                if not cuts and any(p.order for p in operators):
                    self.memory.report("input-unused", place, shape=tuple(points[0].shape))
            for mark in known.added:
                self.memory.report_mark(mark)
            seen = [*results, *self._components(output)] if isinstance(output, Jet) else results
            if known.nonfinite is not None and not all(map(finite, seen)):
                self.memory.report_mark(known.nonfinite)
            unrecorded = NONE
            if not torch.is_grad_enabled() and self.memory.switched_off is not None:
                unrecorded = frozenset({self.memory.marked("no-grad", self.memory.switched_off, "evaluate")})
            for result in results:
                self.memory.traces[result] = Trace(
                    "evaluate",
                    place,
                    result.requires_grad,
                    unrecorded,
                    era=self.memory.era,
                    oldest=self.memory.era,
                    nonfinite=known.nonfinite,
                )
                if result.grad_fn is not None:
                    graph.tag(result, graph.Origin(place, "evaluate", 0, known.nonfinite), set())

    def _straight(self, known: Lifted, operators: Sequence[Operator]) -> None:
        """Second derivatives that vanish because the function consists of straight pieces."""
        if known.kinks and not known.curved and any(p.order + known.order > 1 for p in operators):
            self.memory.report("piecewise-linear", known.kinks[0].place, name=known.kinks[0].name)

    # ------------------------------------------------------------------------------------------------------------ calls

    def look(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """A call of a torch function on jets: resumed with its result, or with its error."""
        memory = self.memory
        inputs = list(dict.fromkeys(tensors((args, kwargs))))
        before = [(x, self._known(x)) for x in inputs]
        nodes = {c.grad_fn for x in inputs if isinstance(x, Jet) for c in self._components(x)}
        try:
            result = yield
        except DetachedError as error:
            self._left(name, error)
            raise
        outputs = [y for y in tree_leaves(args[:1] if result is None else result) if isinstance(y, Tensor)]
        place = here()
        if name in NORMALISATIONS and (kwargs.get("training") or args[5:6] == (True,)):
            memory.coupled = place
        moved = [y for y in outputs if isinstance(y, Jet)]
        if not moved:
            self._constant(func, name, place, outputs, before)
            return
        found = self._passed_on(func, name, place, before)
        found = replace(found, nonfinite=self._nonfinite(name, place, before, moved))
        for y in moved:
            memory.lifted[y] = found
            for components in self._components(y):
                if components.grad_fn is not None:
                    graph.tag(components, graph.Origin(place, name, 0, found.nonfinite), nodes)

    def _components(self, x: Jet) -> Sequence[Tensor]:
        """The components of a jet, if they may be looked at: computing them must not change what the code does.

        Of hooks on saved tensors, as a checkpoint has them, the first and the second run must see the same.
        """
        if in_transform() or recording() or (x.source is not None and self.memory.saving):
            return ()
        try:
            components = x.components
        except ApolarError:  # of a deferred operation; whoever reads it is told
            return ()
        return () if isinstance(components, Jet) else (components,)

    def _known(self, x: Tensor) -> Lifted:
        """What is known of a jet, or of a tensor beside it."""
        if isinstance(x, Jet):
            return self.memory.lifted.get(x, UNSEEN)
        trace = self.memory.trace(x)
        cuts = frozenset(mark for mark in trace.marks if mark in self.memory.leaving)
        return Lifted(cuts, nonfinite=trace.nonfinite)

    def _left(self, name: str, error: DetachedError) -> None:
        """A value left the computation, and apolar refused."""
        memory, place = self.memory, here()
        code = "tensor-copy" if name in COPYING else code_of(error) or "item"
        memory.report(code, (memory.switched_off if code == "no-grad" else None) or place, name=name)

    def _constant(
        self, func: Any, name: str, place: Place, outputs: Sequence[Tensor], before: Sequence[tuple[Tensor, Lifted]]
    ) -> None:
        """The result does not move although an argument does."""
        if not outputs or record_of(func).kind is Kind.METADATA or name in WITHOUT_VALUES:
            return
        code = "integer-dtype" if name in CASTING else "piecewise-constant"
        mark = self.memory.marked(code, place, name)
        self.memory.leaving |= {mark}
        marks = frozenset({mark}).union(*(known.marks for _, known in before))
        for y in outputs:
            self.memory.traces[y] = Trace(name, place, y.requires_grad, marks, marks)

    def _passed_on(self, func: Any, name: str, place: Place, before: Sequence[tuple[Tensor, Lifted]]) -> Lifted:
        """What the results of a call inherit, and what it adds."""
        moving = [known for x, known in before if isinstance(x, Jet)]
        fixed = [known for x, known in before if not isinstance(x, Jet)]
        marks = NONE.union(*(known.marks for _, known in before))
        added = NONE
        if name in ADDITIVE:
            added = NONE.union(*(known.added for known in moving), *(known.marks for known in fixed))
            added -= NONE.union(*(known.marks - known.added for known in moving))
        elif name in {"mul", "div"} and len(moving) == 1:
            added = moving[0].added - NONE.union(*(known.marks for known in fixed))
        kinks = tuple(dict.fromkeys(kink for known in moving for kink in known.kinks))
        curved = any(known.curved for known in moving)
        kind = record_of(func).kind
        bare = name.strip("_")
        if bare in KINKED:
            kinks = (*kinks, graph.Origin(place, bare))
        elif kind is Kind.BILINEAR or bare in STRAIGHT:
            curved |= len(moving) > 1 and name not in ADDITIVE
        elif kind is not Kind.LINEAR:
            curved = True
        return Lifted(marks, added, kinks, curved, order=max(known.order for known in moving))

    def _nonfinite(
        self, name: str, place: Place, before: Sequence[tuple[Tensor, Lifted]], outputs: Sequence[Jet]
    ) -> Mark | None:
        """The mark of NaN or infinity in the results: where it comes from, or of this call, where it is born."""
        inherited = next((known.nonfinite for _, known in before if known.nonfinite is not None), None)
        if inherited is not None:
            return inherited
        for y, components in ((jet, c) for jet in outputs for c in self._components(jet)):
            if finite(components):
                continue
            given = already(self.memory, [x for x, _ in before if not isinstance(x, Jet)], place)
            if given is not None:
                return given
            lost = [p.order for p, c in zip(y.algebra.basis, components.unbind(0)) if not finite(c)]
            if 0 in lost:
                return self.memory.marked("nonfinite-value", place, name)
            code = "nonfinite-gradient" if 1 in lost else "nonfinite-second-derivative"
            return self.memory.marked(code, place, name, order=min(lost))
        return None


def tensors(tree: Any) -> list[Tensor]:
    """All tensors and jets in the arguments of a call."""
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def any_jet(tree: Any) -> bool:
    """Whether a jet is among the arguments of a call."""
    return next(jets(tree), None) is not None
