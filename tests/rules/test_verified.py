"""The list of verified operators is what the cases reach."""

from __future__ import annotations

from .verified import LIST, reached


def test_the_list_is_up_to_date() -> None:
    assert LIST.read_text().split() == reached(), "run: python -m tests.rules.verified"
