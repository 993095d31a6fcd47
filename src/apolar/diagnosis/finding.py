"""What a diagnosis says: findings, each with its code, its line, the reason and the fix."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from apolar.diagnosis.causes import CAUSES, Remedy
from apolar.diagnosis.places import NOWHERE, Place
from apolar.text.languages import Language, mark, translate
from apolar.text.output import to_json

DOMAIN = "diagnosis"

HEALTHY = mark("Nothing was found: no gradient is missing, zero, NaN or wrong for a reason that is known here.")
COUNT = mark("{count} found:")
FAILED = mark(
    "The analysis itself failed in {count} places, and findings may be missing; the code that was watched ran on "
    "undisturbed. Please report this error of apolar, with the code that was watched:"
)
WHY = mark("Why")
FIX = mark("Fix")
SOMEWHERE = mark("line unknown")


@dataclass(frozen=True)
class Finding:
    """One cause, where it is, and what to do.

    Attributes:
        code: stable, such as ``graph-freed``; docs/diagnose.md lists them.
        place: the line of user code.
        values: what fills the placeholders of the texts.
    """

    code: str
    place: Place = NOWHERE
    values: Mapping[str, object] = field(default_factory=dict)
    lang: Language = "en"

    @property
    def file(self) -> str | None:
        """The file of the line, where it is known."""
        return self.place.file

    @property
    def line(self) -> int | None:
        """Its number, from 1."""
        return self.place.line

    @property
    def source(self) -> str:
        """Its text."""
        return self.place.source

    @property
    def seen(self) -> str:
        """What was observed."""
        return translate(CAUSES[self.code].seen, DOMAIN, self.lang).format(**self.values)

    @property
    def why(self) -> str:
        """How that comes about."""
        return translate(self._remedy.why, DOMAIN, self.lang)

    @property
    def fix(self) -> str:
        """Code that repairs it."""
        return translate(self._remedy.fix, DOMAIN, self.lang)

    @property
    def _remedy(self) -> Remedy:
        return CAUSES[self.code].about(str(self.values.get("name", "")))

    def text(self, lang: Language | None = None) -> str:
        """The finding as a paragraph.

        >>> print(Finding("broadcast", values=dict(name="sub", left=(4, 1), right=(4,), result=(4, 4))).text())
        broadcast  line unknown
          sub of shapes (4, 1) and (4,) gives (4, 4): every entry with every other one.
          Why: (N, 1) and (N,) broadcast to (N, N). The mean over it is a number, and a wrong one.
          Fix:
            residual = u.squeeze(-1) - target  # the same shape on both sides; or target.unsqueeze(-1)
        """
        shown = self if lang is None else replace(self, lang=lang)
        where = f"{self.file}:{self.line}" if self.file else translate(SOMEWHERE, DOMAIN, shown.lang)
        why, fix = (translate(word, DOMAIN, shown.lang) for word in (WHY, FIX))
        colon = "：" if shown.lang == "zh" else ":"
        body = [f"    {self.source}"] * bool(self.source) + [
            shown.seen,
            f"{why}{colon}{' ' * (colon == ':')}{shown.why}",
        ]
        return "\n".join(
            [
                f"{self.code}  {where}",
                *(f"  {line}" for line in body),
                f"  {fix}{colon}",
                textwrap.indent(shown.fix, "    "),
            ]
        )

    def _data(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("code", "seen", "file", "line", "source", "why", "fix")}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What was found. The lists fill as long as a watch runs.

    Attributes:
        findings: in the order in which they were found.
        failures: tracebacks of errors of the analysis itself, which never reach the code that is looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    lang: Language = "en"
    failures: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing was found, by an analysis that did not fail."""
        return not self.findings and not self.failures

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings."""
        return tuple(finding.code for finding in self.findings)

    def text(self, lang: Language | None = None) -> str:
        """All findings, or the statement that there are none."""
        lang = lang or self.lang
        if self.healthy:
            return translate(HEALTHY, DOMAIN, lang)
        head = [translate(COUNT, DOMAIN, lang).format(count=len(self.findings))] * bool(self.findings)
        return "\n\n".join([*head, *(finding.text(lang) for finding in self.findings), *self._failed(lang)])

    def _failed(self, lang: Language) -> list[str]:
        """What is said of errors of the analysis, with the first of them."""
        said = translate(FAILED, DOMAIN, lang).format(count=len(self.failures))
        return [f"{said}\n\n{textwrap.indent(trace.rstrip(), '  ')}" for trace in self.failures[:1]]

    def to_json(self) -> str:
        """The findings for programs."""
        findings = [finding._data() for finding in self.findings]
        return to_json({"healthy": self.healthy, "findings": findings, "failures": self.failures})

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if self.healthy:
            return f"<p>{html.escape(self.text())}</p>"
        return "".join(
            f"<details open><summary><code>{f.code}</code> {html.escape(str(f.place))}</summary>"
            f"<pre>{html.escape(f.source)}</pre><p>{html.escape(f.seen)}</p><p>{html.escape(f.why)}</p>"
            f"<pre>{html.escape(f.fix)}</pre></details>"
            for f in self.findings
        ) + "".join(f"<pre>{html.escape(text)}</pre>" for text in self._failed(self.lang))
