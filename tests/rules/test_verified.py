"""The list of verified operators has what the cases reach."""

from __future__ import annotations

from .verified import reached, read


def test_the_list_is_up_to_date() -> None:
    assert reached() <= read().keys(), "run: python -m tests.rules.verified"
