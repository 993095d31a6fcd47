"""Random programs of operators from the catalogue: what is right alone has to stay right when it is composed.

A program is a straight line of Python, made from a seed alone. While it grows it runs at the point and near it in both
directions, and a step is kept where its result is finite and smooth there, so that a reference exists.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.oracles.lines import Index

from .catalogue import CATALOGUE, OVERWRITING, RESHAPED
from .catalogue.notation import COMPLEX, DOMAINS, MATRICES, Operator, taking
from .database import Sample
from .judge import Verdict, judge

FEWEST, MOST = 5, 20
"""Operators in a program."""

INDICES: tuple[Index, ...] = ((1, 0), (2, 0), (3, 0), (1, 1), (2, 1))
"""What is compared."""

SHAPES = (
    (), (1,), (3,), (4,), (2, 3), (3, 3), (2, 2), (3, 1), (1, 4), (4, 2), (2, 3, 3), (2, 2, 2), (2, 1, 3),
)  # fmt: skip
"""Of inputs."""

ENTRIES, AXES = 40, 4
"""Of a result, at most."""

LARGE = 10.0
"""The value beyond which it is divided by 10 next."""

(SMALLER,) = taking("...", "{x} / 10")

SPACING, ROUGH = 0.05, 1e-3
"""Between the points at which a step is tried; the fourth difference of a value, relative to it, that is too large."""

Shape = tuple[int, ...]
Space = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """A normal random tensor, laid out in order, as a transpose, or as every second entry of a larger one."""

    shape: Shape
    layout: str
    dtype: str

    def __str__(self) -> str:
        shape = {"": self.shape, ".mT": (*self.shape[:-2], *self.shape[:-3:-1]), "[..., 1]": (*self.shape, 2)}[
            self.layout
        ]
        return f"torch.randn({shape}, generator=generator, dtype={self.dtype}){self.layout}"


@dataclass(frozen=True)
class Operand:
    """A name in a program, which a template may squash into a domain."""

    name: str
    shape: Shape

    def __format__(self, domain: str) -> str:
        if domain in MATRICES:
            return MATRICES[domain](self.name, *self.shape[-2:])
        return DOMAINS[domain].format(x=self.name) if domain else self.name


@dataclass(frozen=True)
class Step:
    """An operator on earlier results."""

    result: str
    operator: Operator
    operands: tuple[Operand, ...]
    parameters: dict[str, Any]

    def __str__(self) -> str:
        operands = dict(zip(self.operator.operands, self.operands))
        text = self.operator.template.format(r=self.result, **operands, **self.parameters)
        return text if "\n" in text else f"{self.result} = {text}"


@dataclass(frozen=True)
class Program:
    """Steps on inputs; ``str`` is a script that prints the verdict."""

    seed: int
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...] = ()

    @property
    def arguments(self) -> list[str]:
        return list("abc"[: len(self.inputs)])

    @property
    def results(self) -> list[str]:
        """What no later step takes."""
        taken = {operand.name for step in self.steps for operand in step.operands}
        return [step.result for step in self.steps if step.result not in taken]

    @property
    def definition(self) -> str:
        """The source of the function."""
        lines = [line for step in self.steps for line in str(step).splitlines()]
        body = "\n".join(f"    {line}" for line in (*lines, f"return {', '.join(self.results)}"))
        return f"def program({', '.join(self.arguments)}):\n{body}"

    def __str__(self) -> str:
        return f"""import torch
import torch.nn.functional as F

from tests.sweep.database import Sample
from tests.sweep.judge import judge


{self.definition}


generator = torch.Generator().manual_seed({self.seed})
inputs = [{", ".join(map(str, self.inputs))}]
print(judge(Sample("program", {self.seed}, torch.float64, program, inputs, {{}}), pytorch=False))"""

    @cached_property
    def sample(self) -> Sample:
        """The program as one more entry of the database."""
        space: Space = {"torch": torch, "F": F, "generator": torch.Generator().manual_seed(self.seed)}
        exec(self.definition, space)
        inputs = tuple(eval(str(source), space) for source in self.inputs)
        return Sample("program", self.seed, torch.float64, space["program"], inputs, {})


def programs(count: int, start: int = 0) -> Iterator[Program]:
    """The programs of ``count`` seeds."""
    return map(program, range(start, start + count))


def judge_program(program: Program) -> Verdict:
    """The verdict on a program, as on a sample of the database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(program.sample, INDICES, pytorch=False)


def judge_seed(seed: int) -> Verdict:
    """The verdict on the program of a seed."""
    return judge_program(program(seed))


def shrunk(program: Program) -> Program:
    """A program that is still wrong, without the steps that do not matter for that."""
    for k in reversed(range(len(program.steps))):
        shorter = (p for p in without(program, k) if p.steps and judge_program(p).answer == "wrong")
        program = next(shorter, program)
    return program


def without(program: Program, k: int) -> Iterator[Program]:
    """A step left out; the later ones take one of its operands instead."""
    gone = program.steps[k]
    for instead in gone.operands:
        later = (
            replace(
                step,
                operands=tuple(replace(o, name=instead.name) if o.name == gone.result else o for o in step.operands),
            )
            for step in program.steps[k + 1 :]
        )
        yield replace(program, steps=(*program.steps[:k], *later))


# ----------------------------------------------------------------------------------------------------------------- growing


@cache
def program(seed: int) -> Program:
    """The program of a seed. Operators are drawn at random, but for one whose turn it is."""
    rng = random.Random(seed)
    inputs = tuple(drawn_input(rng) for _ in range(rng.randint(1, 3)))
    growth, length = Growth(Program(seed, inputs), rng), rng.randint(FEWEST, MOST)
    due = [CATALOGUE[seed % len(CATALOGUE)]]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        while len(growth.program.steps) < length:
            operator = rng.choice([*due, rng.choice(CATALOGUE)])
            if growth.append(operator, growth.operands(operator)) and operator in due:
                due.remove(operator)
            if growth.large() and len(growth.program.steps) < length:
                growth.append(SMALLER, growth.program.results[-1:])
    return growth.program


def drawn_input(rng: random.Random) -> Input:
    """Of a random shape, layout and dtype."""
    shape = rng.choice(SHAPES)
    layout = rng.choice(("", "", "[..., 1]", ".mT" if len(shape) > 1 else ""))
    return Input(shape, layout, rng.choice(5 * ("torch.float64",) + ("torch.complex128",)))


class Growth:
    """A program that grows, with its values at the point and near it."""

    def __init__(self, program: Program, rng: random.Random) -> None:
        self.program, self.rng = program, rng
        self.spaces: list[Space] = []
        self.restart()

    @property
    def names(self) -> list[str]:
        """Of everything that an operator can take."""
        return [*self.program.arguments, *(step.result for step in self.program.steps)]

    def restart(self) -> None:
        """The values once more, without what the last step has overwritten."""
        x, directions = self.program.sample.inputs, self.program.sample.directions()
        points = [[p + s * SPACING * d for p, d in zip(x, u)] for u in directions for s in (0, -2, -1, 1, 2)]
        self.spaces = [{"torch": torch, "F": F, **dict(zip(self.program.arguments, point))} for point in points]
        for step in self.program.steps:
            self.run(step)

    def run(self, step: Step) -> None:
        code = compile(str(step), "program", "exec")
        for space in self.spaces:
            exec(code, space)

    def append(self, operator: Operator, names: list[str]) -> bool:
        """Whether a step of this operator on these results could be added."""
        if not names:
            return False
        operands = tuple(Operand(name, tuple(self.spaces[0][name].shape)) for name in names)
        step = Step(f"t{len(self.program.steps) + 1}", operator, operands, self.parameters(operands[0].shape))
        try:
            self.run(step)
            kept = smooth([space[step.result] for space in self.spaces])
        except (RuntimeError, IndexError, ValueError, TypeError):
            kept = False
        if kept:
            self.program = replace(self.program, steps=(*self.program.steps, step))
        else:
            self.restart()
        return kept

    def large(self) -> bool:
        """Whether the last result is."""
        last = self.program.results[-1:]
        return any(not self.spaces[0][name].is_complex() and self.spaces[0][name].abs().max() > LARGE for name in last)

    def operands(self, operator: Operator) -> list[str]:
        """Names for the operands whose shapes fit, if there are any; what nobody has used yet more often than the rest."""
        bound: dict[str, Any] = {}
        chosen: list[str] = []
        unused = self.program.results
        for letter, pattern in zip(operator.operands, operator.shapes):
            names = [*self.names, *3 * unused]
            if operator in OVERWRITING and not chosen:
                names = list(filter(self.unshared, unused))
            fitting = {
                name: found
                for name in names
                if self.spaces[0][name].is_complex() == (letter in COMPLEX)
                and (found := fit(pattern, tuple(self.spaces[0][name].shape), bound)) is not None
            }
            if not fitting:
                return []
            chosen.append(self.rng.choice([name for name in names if name in fitting]))
            bound = fitting[chosen[-1]]
        return chosen

    def unshared(self, name: str) -> bool:
        """Whether surely no other name stands for the same memory."""
        memory = [self.spaces[0][n].untyped_storage().data_ptr() for n in self.names]
        made = next(step for step in self.program.steps if step.result == name)
        return made.operator not in RESHAPED and memory.count(memory[self.names.index(name)]) == 1

    def parameters(self, shape: Shape) -> dict[str, Any]:
        """What a template may ask for besides its operands."""
        number = self.rng.choice((-1, 1)) * self.rng.randint(5, 25) / 10
        if not shape:
            return {"number": number}
        dim, k = self.rng.randrange(-len(shape), len(shape)), self.rng.randint(1, max(1, shape[-1]))
        return {"number": number, "dim": dim, "k": k, "n": shape[-1]}


def fit(pattern: str, shape: Shape, bound: dict[str, Any]) -> dict[str, Any] | None:
    """The lengths of the axes in a pattern, if a shape agrees with it and with those already bound."""
    axes, bound = pattern.split(), dict(bound)
    group = next((axis for axis in axes if axis in ("...", "*")), None)
    spare = len(shape) - len(axes) + (group is not None)
    if spare < 0 or (spare and group is None):
        return None
    i = len(axes) if group is None else axes.index(group)
    for axis, length in zip([a for a in axes if a != group], shape[:i] + shape[i + spare :]):
        if (
            length < (2 if axis.isupper() else 1)
            or bound.setdefault(axis, int(axis) if axis.isdigit() else length) != length
        ):
            return None
    grouped = shape[i : i + spare]
    if group == "*" and bound.setdefault("*", grouped) != grouped:
        return None
    if group == "...":
        try:
            bound["..."] = torch.broadcast_shapes(bound.get("...", ()), grouped)
        except RuntimeError:
            return None
    return bound


def smooth(values: list[Tensor]) -> bool:
    """Whether results at the point, and at −2, −1, 1, 2 along each direction, are small, finite and vary smoothly."""
    middle = values[0]
    if not 0 < middle.numel() <= ENTRIES or middle.ndim > AXES or middle.dtype not in (torch.float64, torch.complex128):
        return False
    if any(value.shape != middle.shape or not value.isfinite().all() for value in values):
        return False
    one, other = values[:5], values[5:]
    return all(
        bool(((a - 4 * b + 6 * m - 4 * c + d).abs() <= ROUGH * m.abs().clamp(min=1)).all())
        for m, a, b, c, d in (one, other)
    )
