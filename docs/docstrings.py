"""Docstrings as Markdown: examples become code blocks, and roles such as :func:`x` become code.

An extension of Griffe, which reads the docstrings for mkdocstrings. Loaded by mkdocs.yml.
"""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
"""From a prompt to the next empty line."""

ROLE = re.compile(r":(?:func|class|meth|mod):(`[^`]+`)")


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            text = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
            obj.docstring.value = ROLE.sub(r"\1", text)
