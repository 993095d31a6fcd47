"""The card of a tensor: everything that autograd knows of it, and what that means for its gradient."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from apolar.diagnosis import graph
from apolar.diagnosis.finding import DOMAIN
from apolar.engine.torch_private import version
from apolar.errors import DtypeError
from apolar.text.languages import Language, mark, translate

VALUE = {
    "number": mark("a single number: backward() needs nothing else"),
    "array": mark("not a single number: backward() needs weights, or y.sum()"),
    "nonfinite": mark("contains NaN or infinity: gradients through it will as well"),
}
GRAD = {
    "filled": mark("what backward() has accumulated so far; clear it before the next one"),
    "leaf": mark("nothing has been accumulated yet"),
    "retained": mark("will be kept by backward(), as asked by retain_grad()"),
    "never": mark("stays None: backward() fills leaves that require a gradient only"),
}
REQUIRES = {
    True: mark("operations on it are recorded"),
    False: mark("for autograd it is a constant"),
}
FUNCTION = {
    True: mark("made by this operation; the graph leads on from here"),
    False: mark("no operation is recorded: it was made by the user, detached or computed under no_grad"),
}
LEAF = {
    True: mark("the graph begins here"),
    False: mark("an intermediate result"),
}
VERSION = {
    0: mark("never written in place"),
    1: mark("written in place: a backward pass that saved an earlier version fails"),
}
DTYPE = {
    "float64": mark("double precision, right for high orders"),
    "float32": mark("about 7 digits; second and higher derivatives lose some of them"),
    "low": mark("few digits; keep it to first derivatives"),
    "integer": mark("integers and truth values have no gradient"),
}
DEVICE = {
    "cpu": mark("in the memory of the processor"),
    "other": mark("on an accelerator; everything that it meets must be there too"),
}
ANSWER = {
    "leaf": mark("A gradient can be had: y.backward() fills .grad, or torch.autograd.grad(y, x)."),
    "retained": mark("A gradient can be had: backward() keeps it in .grad."),
    "intermediate": mark("A gradient can be had with torch.autograd.grad(y, x), or in .grad after x.retain_grad()."),
    "constant": mark("No gradient can be had until x.requires_grad_() is called, before y is computed from x."),
    "integer": mark("No gradient can be had: make it floating point first, x = x.double().requires_grad_()."),
    "inference": mark("No gradient can be had: it was made in inference mode; use x.clone() outside of it."),
}


@dataclass(frozen=True, repr=False)
class Card:
    """A tensor as autograd sees it.

    Attributes:
        rows: the property, its value, and what that means.
        answer: whether and how a gradient with respect to the tensor can be had.
        meanings: of the rows, before translation.
    """

    values: Mapping[str, str]
    meanings: Mapping[str, str]
    answer: str
    lang: Language = "en"

    def text(self, lang: Language | None = None) -> str:
        """The card as lines."""
        lang = lang or self.lang
        wide, long = max(map(len, self.values)), max(map(len, self.values.values()))
        lines = [
            f"{name:{wide}}  {value:{long}}  {translate(self.meanings[name], DOMAIN, lang)}".rstrip()
            for name, value in self.values.items()
        ]
        return "\n".join([*lines, translate(self.answer, DOMAIN, lang)])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td><code>{html.escape(value)}</code></td>"
            f"<td>{html.escape(translate(self.meanings[name], DOMAIN, self.lang))}</td></tr>"
            for name, value in self.values.items()
        )
        return f"<table>{rows}</table><p>{html.escape(translate(self.answer, DOMAIN, self.lang))}</p>"


def inspect(t: Tensor, lang: Language = "en") -> Card:
    """Everything that autograd knows of a tensor, what it means, and whether and how its gradient can be had.

    Args:
        t: the tensor.
        lang: the language of the card.

    Returns:
        A :class:`Card` that prints as a table.

    Raises:
        DtypeError: it is no tensor.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> print(ap.inspect(x))
    value          2.0            a single number: backward() needs nothing else
    grad           None           nothing has been accumulated yet
    requires_grad  True           operations on it are recorded
    grad_fn        None           no operation is recorded: it was made by the user, detached or computed under no_grad
    is_leaf        True           the graph begins here
    version        0              never written in place
    dtype          torch.float32  about 7 digits; second and higher derivatives lose some of them
    device         cpu            in the memory of the processor
    A gradient can be had: y.backward() fills .grad, or torch.autograd.grad(y, x).
    """
    if not isinstance(t, Tensor):
        raise DtypeError(f"inspect looks at a tensor, got {type(t).__name__}: make one with torch.tensor(...)")
    differentiable = t.is_floating_point() or t.is_complex()
    inference = t.is_inference()
    retained = not t.is_leaf and t.retains_grad
    kept = t.grad if t.is_leaf or retained else None
    writes = 0 if inference else version(t)
    made = graph.origin(t.grad_fn) if t.grad_fn is not None else graph.UNKNOWN
    function = "None" if t.grad_fn is None else t.grad_fn.name() + f" ({made.place})" * bool(made.place.file)
    finite = bool(torch.isfinite(t.detach()).all()) if differentiable else True
    cells = {
        "value": (_short(t), VALUE["nonfinite" if not finite else "number" if t.numel() == 1 else "array"]),
        "grad": (
            "None" if kept is None else _short(kept),
            GRAD[
                "filled"
                if kept is not None
                else "leaf"
                if t.is_leaf and t.requires_grad
                else "retained"
                if retained
                else "never"
            ],
        ),
        "requires_grad": (str(t.requires_grad), REQUIRES[t.requires_grad]),
        "grad_fn": (function, FUNCTION[t.grad_fn is not None]),
        "is_leaf": (str(t.is_leaf), LEAF[t.is_leaf]),
        "version": (str(writes), VERSION[min(writes, 1)]),
        "dtype": (str(t.dtype), DTYPE[_precision(t)]),
        "device": (str(t.device), DEVICE["cpu" if t.device.type == "cpu" else "other"]),
    }
    answer = (
        "integer" if not differentiable
        else "inference" if inference
        else "constant" if not t.requires_grad
        else "leaf" if t.is_leaf
        else "retained" if retained
        else "intermediate"
    )  # fmt: skip
    values = {name: value for name, (value, _) in cells.items()}
    return Card(values, {name: meaning for name, (_, meaning) in cells.items()}, ANSWER[answer], lang)


def _short(t: Tensor) -> str:
    """The number, or the shape and the range."""
    t = t.detach()
    if t.numel() == 1:
        return str(t.item())
    shape = f"{tuple(t.shape)}"
    return shape if t.is_complex() or not t.numel() else f"{shape} from {t.min().item():.4g} to {t.max().item():.4g}"


def _precision(t: Tensor) -> str:
    if not (t.is_floating_point() or t.is_complex()):
        return "integer"
    return {64: "float64", 32: "float32"}.get(torch.finfo(t.dtype).bits, "low")
