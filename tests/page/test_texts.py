"""Texts: each is used, and none is used that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from apolar.page import texts

FOLDER = Path(texts.__file__).parent
PYTHON = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py") if path.name != "texts.py")
TEMPLATES = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("templates/*.html"))


def test_every_text_is_used():
    assert [name for name in texts.TEXTS if f'"{name}"' not in PYTHON and f"t.{name}" not in TEMPLATES] == []


def test_every_text_of_the_templates_exists():
    assert set(re.findall(r"\bt\.(\w+)", TEMPLATES)) <= set(texts.TEXTS)
