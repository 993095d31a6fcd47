"""Fixed texts in the language of the reader: English stands in the code, other languages in gettext catalogues.

Catalogues lie in ``locale/<language>/LC_MESSAGES/<domain>.po``, one domain for each package that speaks to people;
``make catalogues`` collects the texts from the code and compiles them.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from apolar.errors import LanguageError

Language = Literal["en", "zh"]

LANGUAGES: tuple[str, ...] = get_args(Language)

TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}
"""As web pages name the languages."""

FOLDER = Path(__file__).parent / "locale"


def mark(text: str) -> str:
    """The same text, marked as one to translate when it is shown."""
    return text


def translate(text: str, domain: str, lang: Language) -> str:
    """A marked text in this language; as it is where the catalogue does not have it.

    Raises:
        LanguageError: there are no texts in this language.
    """
    return _catalogue(domain, lang).gettext(text)


@cache
def _catalogue(domain: str, lang: Language) -> gettext.NullTranslations:
    if lang not in LANGUAGES:
        raise LanguageError(f"texts are there in the languages {', '.join(LANGUAGES)}, not in {lang!r}")
    return gettext.translation(domain, FOLDER, [lang], fallback=lang == "en")
