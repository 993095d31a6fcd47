"""Packages that only some tools need: extras of the installation, such as ``apolar[explain]``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apolar.errors import MissingExtra


@contextmanager
def extra(name: str, tool: str) -> Iterator[None]:
    """Stands around the imports of packages that belong to an extra.

    Args:
        name: of the extra, as in ``pyproject.toml``.
        tool: what needs the packages, as the beginning of a sentence.

    Raises:
        MissingExtra: one of the packages is not installed.

    >>> with extra("explain", "a page with formulas"):
    ...     import no_such_package
    Traceback (most recent call last):
    ...
    apolar.errors.MissingExtra: a page with formulas needs no_such_package: pip install 'apolar[explain]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingExtra(f"{tool} needs {package}: pip install 'apolar[{name}]'") from error
