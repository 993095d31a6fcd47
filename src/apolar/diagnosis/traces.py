"""What is remembered of tensors while a watch runs: where they come from and what flowed into them.

Traces are kept beside the tensors and die with them. They hold marks, of which there is one for each line and cause, so
that memory stays bounded however long a program runs.
"""

from __future__ import annotations

import traceback
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from apolar.diagnosis import graph
from apolar.diagnosis.finding import Diagnosis, Finding
from apolar.diagnosis.numberflow import Flow
from apolar.diagnosis.places import NOWHERE, Place
from apolar.rules.facts import Fact


@dataclass(frozen=True, eq=False)
class Mark:
    """Something that happened at a line and may explain a symptom further on.

    Attributes:
        name: of the function.
        upstream: the tensors from which the marked value was computed.
        implicit: that the value was converted without a word of it in the code.
    """

    code: str
    place: Place
    name: str
    values: dict[str, Any] = field(default_factory=dict)
    upstream: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    implicit: bool = False

    def stops(self, tensor: Tensor) -> bool:
        """Whether a gradient with respect to this tensor was cut off here."""
        return tensor in self.upstream


Marks = frozenset[Mark]
NONE: Marks = frozenset()


def identity(tensor: Tensor) -> tuple[int, torch.Size]:
    """What a tensor has in common with views of all of it."""
    return (tensor.data_ptr() if tensor.layout is torch.strided else id(tensor)), tensor.shape


@dataclass(frozen=True)
class Derivative:
    """What a tensor has to do with gradients that were computed before.

    Attributes:
        order: of the highest one.
        inputs: with respect to which tensors it was taken: their identities.
        facts: what PyTorch gets wrong between function and input, and the calls it comes from.
        kinks: the origins of the piecewise linear ones.
        curved: whether there are others than linear and piecewise linear ones.
        whole: whether it still is the gradient itself, or the sum of it.
        once: the name of an autograd.Function on the way that can be differentiated only once.
        opaque: an autograd.Function on the way whose backward pass left no graph, by the line of that.
        gradient: the gradient.
    """

    order: int
    inputs: frozenset[tuple[int, torch.Size]]
    facts: dict[Fact, graph.Origin]
    kinks: tuple[graph.Origin, ...]
    curved: bool
    whole: bool = True
    once: str | None = None
    opaque: graph.Origin | None = None
    gradient: weakref.ref[Tensor] | None = None

    def of(self, tensor: Tensor) -> bool:
        """Whether it is a derivative with respect to this tensor."""
        return identity(tensor) in self.inputs


@dataclass(frozen=True)
class Trace:
    """What is known of one tensor.

    Attributes:
        name: of the function that made it.
        recorded: whether it had a graph then.
        marks: what flowed into it.
        added: those marks that were only ever added, so that the gradient does not feel them at all.
        era: how many times a walk had been followed by new computations when it was made.
        oldest: the era at which its graph begins.
        crossed: where tensors of earlier eras came in.
        expanded: whether an axis was added.
        nonfinite: the mark of the NaN or infinity in it.
        lost: the mark of a difference that has lost its digits.
        spread: the mark of a broadcast to all pairs, as long as the pairs are there.
        alias: the leaf whose memory it shares, for .data.
        empty: the mark of the slice that took no entry, as long as there is none.
    """

    name: str = ""
    place: Place = NOWHERE
    recorded: bool = False
    marks: Marks = NONE
    added: Marks = NONE
    derivative: Derivative | None = None
    era: int = 0
    oldest: int = 0
    crossed: frozenset[Place] = frozenset()
    expanded: bool = False
    nonfinite: Mark | None = None
    lost: Mark | None = None
    spread: Mark | None = None
    alias: weakref.ref[Tensor] | None = None
    empty: Mark | None = None


BLANK = Trace()


@dataclass(frozen=True)
class Call:
    """A call of a torch function.

    Attributes:
        traces: of the inputs, from before the call.
        outputs: what it returned, or wrote into.
    """

    name: str
    args: tuple[Any, ...]
    inputs: list[Tensor]
    traces: list[Trace]
    outputs: list[Tensor]
    place: Place

    @property
    def required(self) -> list[Tensor]:
        """The inputs that require a gradient."""
        return [x for x in self.inputs if x.requires_grad]


@dataclass
class LeafState:
    """What happened to the gradient that a leaf has accumulated."""

    place: Place
    create_graph: bool = False
    used: bool = False
    stale: Place | None = None
    read: bool = False


@dataclass(frozen=True)
class Writing:
    """A call that wrote into a tensor, and the version that the tensor had then."""

    tensor: weakref.ref[Tensor]
    shape: tuple[int, ...]
    version: int
    name: str
    place: Place


class Guard:
    """Stands around every look at the code that is watched: an error of the analysis is noted, and the code goes on."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, Exception):
            self.note(error)
        return isinstance(error, Exception)

    def note(self, error: Exception) -> None:
        """Keep the traceback, to be reported."""
        self.diagnosis.failures.append("".join(traceback.format_exception(error)))


class Memory:
    """Everything that a watch remembers."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self.guard = Guard(diagnosis)
        self.traces: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.lifted: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.leaving: Marks = NONE
        self.checkpoints: list[Place] = []
        self.coupled: Place | None = None
        self.spoiled: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.marks: dict[tuple[str, Place], Mark] = {}
        self.numbers: dict[Place, Marks] = {}
        self.values: dict[float, Marks] = {}
        self.leaves: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.optimised: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.unfilled: dict[int, Tensor] = {}
        self.differentiated: Marks = NONE
        self.copied: list[Mark] = []
        self.writings: deque[Writing] = deque(maxlen=10_000)
        self.switched_off: Place | None = None
        self.before: Place | None = None
        self.inference: Place | None = None
        self.flows: dict[tuple[Place, int], Flow] = {}
        self.patched: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.files: set[str] = set()
        self.era = 0
        self.walked = False
        self.stepping = 0
        self.saving = 0

    def trace(self, tensor: Tensor) -> Trace:
        """What is known of a tensor; nothing of a leaf that requires a gradient, at which everything begins."""
        if tensor.requires_grad and tensor.grad_fn is None:
            return self.patched.get(tensor, BLANK)
        found = self.traces.get(tensor, BLANK)
        return found if found.recorded == tensor.requires_grad else BLANK

    def marked(self, code: str, place: Place, name: str, upstream: Iterable[Tensor] = (), **about: Any) -> Mark:
        """The mark of this cause at this place, with the upstream of all times."""
        made = self.marks.get((code, place))
        if made is None:
            implicit = about.pop("implicit", False)
            made = self.marks[code, place] = Mark(code, place, name, about, implicit=implicit)
        for tensor in upstream:
            made.upstream[tensor] = True
        return made

    def sources(self, tensors: Iterable[Tensor]) -> Iterator[Tensor]:
        """Everything upstream of some tensors: themselves, their leaves, and what was upstream of cuts in their past."""
        for tensor in tensors:
            for cut in self.trace(tensor).marks:
                yield from cut.upstream
            if tensor.requires_grad:
                yield tensor
                if tensor.grad_fn is not None:
                    yield from graph.leaves(graph.nodes([tensor]))

    def flow(self, anchor: Place) -> Flow:
        """Where a number that was taken out at a place may go, through the files that are known by now."""
        key = (anchor, len(self.files))
        if key not in self.flows:
            self.flows[key] = Flow(anchor, tuple(sorted(self.files)))
        return self.flows[key]

    def report(self, code: str, place: Place, **values: Any) -> None:
        """A finding, unless it is there already."""
        finding = Finding(code, place, values, self.diagnosis.lang)
        if all((code, place.file, place.line) != (f.code, f.file, f.line) for f in self.diagnosis.findings):
            self.diagnosis.findings.append(finding)

    def report_mark(self, made: Mark) -> None:
        """The finding that a mark explains."""
        code = "checkpoint-reentrant" if made.code == "no-grad" and made.place in self.checkpoints else made.code
        self.report(code, made.place, name=made.name, **made.values)
