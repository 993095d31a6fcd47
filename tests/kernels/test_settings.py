"""The setting of the process: for a block or from now on, and back after an error."""

from __future__ import annotations

import pytest
import torch

import apolar as ap
from apolar.kernels.settings import current


def test_a_block_puts_back_what_was() -> None:
    assert current.kernels == "eager"
    with ap.settings(kernels="auto"):
        assert current.kernels == "auto"
        with ap.settings(kernels="compiled"):
            assert current.kernels == "compiled"
        assert current.kernels == "auto"
    assert current.kernels == "eager"


def test_also_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), ap.settings(kernels="compiled"):
        1 / 0
    assert current.kernels == "eager"


def test_from_now_on() -> None:
    before = ap.settings(kernels="auto")
    assert current.kernels == "auto"
    before.__exit__(None, None, None)
    assert current.kernels == "eager"


@pytest.mark.parametrize("word", ["fast", "Eager", "", None, 1])
def test_other_words_are_refused_and_change_nothing(word: object) -> None:
    with pytest.raises(ap.errors.SettingError, match=r"auto.*compiled.*eager"):
        ap.settings(kernels=word)  # type: ignore[arg-type]
    assert current.kernels == "eager"


@pytest.mark.parametrize("flush", [True, False])
def test_the_floating_point_state_is_left_alone(flush: bool) -> None:
    """Loading and running a kernel neither sets nor clears the flushing of denormals, and rounds to nearest as before."""
    dx, dy = ap.coordinates("x y")
    before = (torch.tensor(1e-38) * 0.1 != 0).item()
    try:
        if not torch.set_flush_denormal(flush):
            pytest.skip("this processor does not flush denormals")
        with ap.settings(kernels="compiled"):
            ap.evaluate(lambda p: torch.tanh(p).sin(), torch.randn(9000, 2), dx**2 + dy**2)
        assert (torch.tensor([1e-38]) * torch.tensor([0.1]) == 0).item() is flush
        assert 1.0 + 2.0**-53 == 1.0
        assert 1.0 + 2.0**-52 * 0.75 == 1.0 + 2.0**-52
    finally:
        torch.set_flush_denormal(not before)
