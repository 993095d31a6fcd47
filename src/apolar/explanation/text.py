"""An explanation on a terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from apolar.explanation.document import OMITTED, Block, Drawing, Equation, Equations, Heading, Sentence, blocks
from apolar.explanation.explanation import Explanation
from apolar.text.languages import Language, translate
from apolar.text.output import plain

LONGEST = 80
"""Of more equations below each other, the first and the last ones stand in the text; the other forms have all."""

STYLES = {1: "bold", 2: "bold cyan", 3: "bold"}


def renderables(explanation: Explanation, lang: Language) -> Iterator[RenderableType]:
    """What rich prints, block by block."""
    for k, block in enumerate(blocks(explanation, lang)):
        if not isinstance(block, Drawing):
            yield Padding(_renderable(block, lang), (int(k > 0 and not isinstance(block, Equations)), 0, 0, 0))


def plain_text(explanation: Explanation, lang: Language) -> str:
    """The same without colours, in lines of any length."""
    return plain(*renderables(explanation, lang))


def _renderable(block: Block, lang: Language) -> RenderableType:
    match block:
        case Heading(text, level):
            return Text(text, STYLES[level])
        case Sentence(text):
            return Text(text)
        case Equations(rows, is_result):
            return Padding(_equations(rows, "bold" if is_result else "", lang), (0, 0, 0, 2))
    raise AssertionError(block)


def _equations(rows: tuple[Equation, ...], style: str, lang: Language) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    omitted = range(LONGEST // 2, len(rows) - LONGEST // 2)
    for k, row in enumerate(rows):
        if k in omitted:
            if k == omitted.start:
                table.add_row("⋮", translate(OMITTED, "explanation", lang).format(count=len(omitted)))
            continue
        chain = Text(" = ".join(["", *(right.plain for right in row.rights)]).lstrip(), style)
        if row.note:
            chain.append(f"   ({row.note})", "dim")
        table.add_row(Text(row.left.plain, "bold"), chain)
    return table
