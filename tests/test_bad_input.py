"""Bad input: each kind gives an ApolarError with the cause and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

import apolar as ap
from apolar.errors import ApolarError, DtypeError, FunctionError, OperatorError, ShapeError

dx, dy = ap.coordinates("x y")
X = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))

REFUSED: dict[str, tuple[Callable[[], object], type[ApolarError], str]] = {
    "no points": (lambda: ap.evaluate(torch.sin, None, dx), DtypeError, "NoneType.*torch.tensor"),
    "a number as points": (lambda: ap.evaluate(torch.sin, 1.0, dx), DtypeError, "float.*torch.tensor"),
    "an empty result": (lambda: ap.evaluate(lambda x: (), X, dx), FunctionError, "return"),
    "a direction of text": (
        lambda: ap.evaluate(torch.sin, X, dx, dx * dy, directions={"x": X, "y": "a"}),
        ApolarError,
        "direction",
    ),
    "no directions": (lambda: ap.evaluate(torch.sin, X, dx, directions={}), OperatorError, "directions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("names", ["x y", "x t", "t u", "u v", "y"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 7])
def test_the_advice_for_a_wrong_last_axis_can_be_followed(names: str, width: int) -> None:
    """The message proposes coordinates: they exist, and are as many as the axis is wide."""
    c = ap.coordinates(names)
    if len(c) == width:
        pytest.skip("not wrong")
    with pytest.raises(ShapeError, match=re.escape(f"(4, {width})")) as caught:
        ap.evaluate(torch.sin, torch.zeros(4, width), c.laplacian)
    proposed = re.search(r"ap\.coordinates\('([\w ]+)'\)", str(caught.value))
    if proposed:
        assert len(ap.coordinates(proposed[1])) == width
