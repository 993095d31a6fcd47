"""Right, or refused with an error that names the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def right_or_refused(reason: str) -> Iterator[None]:
    """Lets ``UnsupportedOperator`` pass where a case says why; everything else must be right."""
    from apolar.errors import UnsupportedOperator

    try:
        yield
    except UnsupportedOperator as error:
        if not reason:
            raise
        pytest.skip(f"refused ({reason}): {error}")
