"""Texts in other languages: found in their catalogue, as they stand where there is none, and refused in unknown ones."""

import pytest

import apolar as ap
from apolar.text.languages import translate


def test_english_texts_stand_in_the_code() -> None:
    assert translate("the value", "no such domain", "en") == "the value"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ap.LanguageError, match=r"en, zh, not in 'fr'"):
        translate("the value", "explanation", "fr")  # type: ignore[arg-type]
