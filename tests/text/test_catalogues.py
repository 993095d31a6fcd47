"""Catalogues of texts: every marked text is there, translated, with its placeholders, and compiled."""

from __future__ import annotations

import io
import string
from pathlib import Path

import pytest
from babel.messages import Catalog, extract, mofile, pofile

from apolar.text.languages import FOLDER, LANGUAGES, translate

SOURCE = FOLDER.parents[1]
PACKAGES = [path.name for path in sorted(SOURCE.iterdir()) if path.is_dir()]


def marked(domain: str) -> set[str]:
    """The texts that are marked in the code of a package."""
    found = extract.extract_from_dir(str(SOURCE / domain), keywords={"mark": None})
    return {message for _, _, message, _, _ in found}


DOMAINS = [package for package in PACKAGES if marked(package)]
CASES = [(domain, lang) for domain in DOMAINS for lang in LANGUAGES if lang != "en"]


def file(domain: str, lang: str, ending: str) -> Path:
    return FOLDER / lang / "LC_MESSAGES" / f"{domain}.{ending}"


def catalogue(domain: str, lang: str) -> Catalog:
    with file(domain, lang, "po").open("rb") as stream:
        return pofile.read_po(stream, locale=lang, domain=domain)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_there_are_domains() -> None:
    assert "explanation" in DOMAINS


@pytest.mark.parametrize("domain, lang", CASES)
def test_every_marked_text_is_translated(domain: str, lang: str) -> None:
    """make catalogues collects them."""
    entries = {message.id: message for message in catalogue(domain, lang) if message.id}
    assert set(entries) == marked(domain)
    for text, entry in entries.items():
        assert entry.string, text
        assert not entry.fuzzy, text
        assert placeholders(entry.string) == placeholders(text), text
        assert translate(text, domain, lang) == entry.string


@pytest.mark.parametrize("domain, lang", CASES)
def test_what_is_compiled_is_what_is_written(domain: str, lang: str) -> None:
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue(domain, lang))
    assert file(domain, lang, "mo").read_bytes() == compiled.getvalue()
