"""One question for everything: tensors, a function, or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import coordinates
from apolar.diagnosis import messages
from apolar.diagnosis.causes import CUTS
from apolar.diagnosis.finding import Diagnosis
from apolar.diagnosis.places import here, place_of_error
from apolar.diagnosis.postmortem import explain
from apolar.diagnosis.traces import Memory
from apolar.diagnosis.watch import watching
from apolar.errors import DtypeError
from apolar.text.languages import Language
from apolar.transforms.inputs import check_order
from apolar.verification.references import Reference, finite_differences, in_double, nested_reverse_mode

TOLERANCE = 1e-3
"""The relative difference between autograd and finite differences that is laid to a cause."""

SAFETY = 10
"""So many times their own estimate of the error may finite differences be wrong."""


def diagnose(
    subject: Tensor | Callable[[Tensor], Any] | BaseException,
    x: Tensor | None = None,
    *,
    order: int = 1,
    lang: Language = "en",
) -> Diagnosis:
    """Why a gradient is None, zero, NaN, wrong or an error.

    Args:
        subject: an output that was computed from ``x``; a function of ``x``, which is run, differentiated and compared with
            finite differences; or the exception of a call that failed.
        x: the input; not for an exception.
        order: how many times to differentiate.
        lang: the language of the findings.

    Returns:
        A :class:`Diagnosis` that prints as a list of findings, each with its line, the reason and the fix.

    Raises:
        DtypeError: the subject is none of these, or ``x`` is missing.
        ValueError: the order is not positive.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> ap.diagnose(3 * x, x, order=2).codes
    ('constant-derivative',)
    >>> ap.diagnose(torch.sin(x), x, order=2).healthy
    True
    """
    check_order(order)
    memory = Memory(Diagnosis(lang=lang))
    if isinstance(subject, BaseException):
        explain(memory, subject)
    elif not isinstance(x, Tensor) or not (isinstance(subject, Tensor) or callable(subject)):
        raise DtypeError(
            "give an output and the tensor that it was computed from, a function and a tensor, or an exception; got "
            f"{type(subject).__name__} and {type(x).__name__}"
        )
    elif not (x.is_floating_point() or x.is_complex()):
        memory.report("integer-dtype", here(), name=str(x.dtype))
    elif isinstance(subject, Tensor):
        _attempt(memory, lambda: _differentiate(subject, x, order))
    else:
        _of_function(memory, subject, x, order)
    return memory.diagnosis


def _differentiate(y: Tensor, x: Tensor, order: int) -> Tensor:
    """The derivative row by row, as it is usually asked of PyTorch; those of higher order along a line."""
    if not isinstance(y, Tensor):
        raise DtypeError(f"the function must return one tensor; it returned {type(y).__name__}")
    direction = _direction(x)
    for k in range(order):
        y = y * direction if k else y
        y = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]
    return y


def _direction(x: Tensor) -> Tensor:
    """The line along which derivatives are taken."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(x)


def _attempt(memory: Memory, call: Callable[[], Any]) -> None:
    """Run under watch; an error is a finding, or is passed on if it has another cause."""
    try:
        with watching(memory):
            call()
    except Exception as error:
        if not memory.diagnosis.findings and not messages.report(memory, error, place_of_error(error.__traceback__)):
            raise


def _of_function(memory: Memory, f: Callable[[Tensor], Any], x: Tensor, order: int) -> None:
    start = x.detach().clone().requires_grad_()
    _attempt(memory, lambda: _differentiate(f(start), start, order))
    if memory.diagnosis.healthy and not x.is_complex():
        _compare(memory, f, x.detach(), order)


def _compare(memory: Memory, f: Callable[[Tensor], Any], x: Tensor, order: int) -> None:
    """Autograd against finite differences in double precision, and the dtype of ``x`` against double, along a line."""
    direction = _direction(x)

    def along(s: Tensor) -> Tensor:
        y = f(x.to(s) + s.reshape(()) * direction.to(s))
        return (
            (y * torch.linspace(1, 2, y.numel(), dtype=y.dtype, device=y.device).reshape(y.shape)).sum().reshape(1, 1)
        )

    origin = torch.zeros(1, 1, dtype=x.dtype, device=x.device)
    wide = along if x.dtype == torch.float64 else in_double(along, origin)
    if wide is None or not torch.equal(along(origin), along(origin)):
        return
    (symbol,) = coordinates("s")
    operator = symbol**order
    (found,) = nested_reverse_mode(wide, origin.double(), [operator])
    (expected,) = finite_differences(wide, origin.double(), [operator])
    if _differ(found, expected):
        cuts = [mark for mark in memory.differentiated if mark.code in CUTS]
        for mark in cuts:
            memory.report_mark(mark)
        if not cuts:
            memory.report(
                "gradient-differs",
                here(),
                order=order,
                found=f"{found.value.item():.6g}",
                expected=f"{expected.value.item():.6g}",
            )
    elif wide is not along:
        (narrow,) = nested_reverse_mode(along, origin, [operator])
        rounded = (narrow.value.double() - found.value).abs() > 0.1 * max(found.size, 1e-30)
        lost = [mark for mark in memory.marks.values() if mark.code == "cancellation"]
        for mark in lost if bool(rounded.any()) else ():
            memory.report_mark(mark)


def _differ(found: Reference, expected: Reference) -> bool:
    """Whether the difference is larger than finite differences can be wrong."""
    scale = max(found.size, expected.size)
    difference = (found.value - expected.value).abs()
    trusted = SAFETY * expected.error
    return bool(((difference > TOLERANCE * scale + trusted) & (trusted < scale / 10)).any())
