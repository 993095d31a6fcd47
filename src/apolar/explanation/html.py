"""An explanation as one page: MathML and SVG, which browsers draw by themselves, and nothing from elsewhere."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template

from apolar.explanation.document import Block, Drawing, Equation, Equations, Heading, Sentence, blocks
from apolar.explanation.explanation import Explanation
from apolar.explanation.graph import svg
from apolar.extras import extra
from apolar.text.languages import TAGS, Language

with extra("explain", "Explanation.to_html"):
    from latex2mathml.converter import convert

FOLDER = Path(__file__).parent
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
PAGE = Template((FOLDER / "page.html").read_text(encoding="utf-8"))


def page(explanation: Explanation, lang: Language) -> str:
    """A whole page."""
    return PAGE.substitute(lang=TAGS[lang], title=escape(explanation.title), content=fragment(explanation, lang))


def fragment(explanation: Explanation, lang: Language) -> str:
    """The part of a page that a notebook shows."""
    content = "\n".join(map(element, blocks(explanation, lang)))
    return f'<style>{STYLE}</style>\n<article class="apolar-explain">\n{content}\n</article>'


def element(block: Block) -> str:
    """One block of the document."""
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Sentence(text):
            return f"<p>{escape(text)}</p>"
        case Equations(rows, is_result):
            content = "\n".join(map(_row, rows))
            return f'<div class="scroll"><table{" class=result" * is_result}>\n{content}\n</table></div>'
        case Drawing(derivation, caption):
            drawn = svg(derivation, caption)
            return f'<figure><div class="scroll">{drawn}</div><figcaption>{escape(caption)}</figcaption></figure>'
    raise AssertionError(block)


def _row(row: Equation) -> str:
    chain = " ".join(f"<span>{_math(f'= {{{right.latex}}}')}</span>" for right in row.rights)
    note = f" <small>{escape(row.note)}</small>" if row.note else ""
    return f"<tr><th>{_math(row.left.latex)}</th><td>{chain}{note}</td></tr>"


@lru_cache(maxsize=4096)
def _math(latex: str) -> str:
    return convert(latex)
