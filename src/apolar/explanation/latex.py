"""An explanation as a LaTeX document that compiles by itself, with nothing but amsmath."""

from __future__ import annotations

from pathlib import Path
from string import Template

from apolar.explanation.document import Block, Drawing, Equation, Equations, Heading, Sentence, blocks
from apolar.explanation.explanation import Explanation
from apolar.text.languages import Language

DOCUMENT = Template((Path(__file__).parent / "document.tex").read_text(encoding="utf-8"))

CLASSES = {"en": "article", "zh": "ctexart"}
"""Chinese is set by ctex, with XeLaTeX."""

SPECIAL = {character: f"\\{character}" for character in "#$%&_{}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{sign: rf"\textsubscript{{{digit}}}" for digit, sign in zip("0123456789", "₀₁₂₃₄₅₆₇₈₉")},
    **{sign: rf"\textsuperscript{{{digit}}}" for digit, sign in zip("0123456789()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾")},
    **{"′": "$'$", "″": "$''$", "‴": "$'''$", "∂": r"$\partial$", "π": r"$\pi$", "×": r"$\times$"},
    **{"…": r"\ldots{}", "–": "--", "·": r"$\cdot$", "−": "$-$"},
}

COMMANDS = {2: "section*", 3: "subsection*"}


def document(explanation: Explanation, lang: Language) -> str:
    """A whole document."""
    title, *content = blocks(explanation, lang)
    assert isinstance(title, Heading)
    body = "\n\n".join(_block(block) for block in content if not isinstance(block, Drawing))
    return DOCUMENT.substitute(documentclass=CLASSES[lang], title=_escaped(title.text), content=body)


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return rf"\{COMMANDS[level]}{{{_escaped(text)}}}"
        case Sentence(text):
            return _escaped(text)
        case Equations(rows, _):
            lines = " \\\\\n".join(map(_row, rows))
            return "\\begin{align*}\n" + lines + "\n\\end{align*}"
    raise AssertionError(block)


def _row(row: Equation) -> str:
    first, *others = row.rights
    note = rf" && \text{{{_escaped(row.note)}}}" if row.note else ""
    if len(others) < 2:
        return f"{row.left.latex} &= {' = '.join(right.latex for right in row.rights)}{note}"
    chain = "".join(f" \\\\\n  &= {right.latex}" for right in others)
    return f"{row.left.latex} &= {first.latex}{note}{chain}"


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(character, character) for character in text)
