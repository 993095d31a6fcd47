"""The code in the README and in docs/ runs, and prints what the page says that it prints.

The ```python blocks of one page run in order in one namespace. Where the next block is a ```text block, it is the
output. Blocks in any other language are left alone.
"""

import contextlib
import importlib
import io
import re
import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
READMES = [path for path in (ROOT / "README.md", ROOT / "README.zh-CN.md") if path.exists()]
PAGES = READMES + sorted((ROOT / "docs").rglob("*.md"))
DIRECTIVES = [
    pytest.param(name, id=f"{path.relative_to(ROOT)}:{name}")
    for path in PAGES
    for name in re.findall(r"^::: *(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
]
WORDING = {"docs/zh/errors.md": "2.13"}
"""Pages that quote messages of PyTorch, and of which version."""

FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<ticks>`{3,})(?P<info>.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text starts (from 1)."""

    language: str
    text: str
    line: int


END = Block("", "", 0)


def fenced_blocks(page: str) -> list[Block]:
    blocks, lines = [], page.splitlines()
    start = 0
    while start < len(lines):
        opening = FENCE.match(lines[start])
        start += 1
        if not opening:
            continue
        end = start
        while end < len(lines) and not re.fullmatch(opening["ticks"] + "`*", lines[end].strip()):
            end += 1
        language = (opening["info"].split() or [""])[0].strip("{}.")
        # The indentation is that of the opening fence: a block may stand inside a list or an admonition.
        body = "\n".join(line.removeprefix(opening["indent"]) for line in lines[start:end])
        blocks.append(Block(language, body, start + 1))
        start = end + 1
    return blocks


def printed(text: str) -> list[str]:
    """Lines without trailing spaces, without empty lines at either end."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_run_and_print_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.__version__ < (version := WORDING.get(str(page.relative_to(ROOT)), "0")):
        pytest.skip(f"the page quotes messages of PyTorch {version}, and older ones are worded differently")
    blocks = fenced_blocks(page.read_text(encoding="utf-8"))
    namespace = {"__name__": "__main__"}
    monkeypatch.chdir(tmp_path)  # a block may write files
    for block, following in pairwise([*blocks, END]):
        if block.language != "python":
            continue
        # The empty lines in front make tracebacks show the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, namespace)
        if following.language == "text":
            where = f"{page.relative_to(ROOT)}, line {following.line}"
            assert printed(output.getvalue()) == printed(following.text), f"other output than {where} says"


@pytest.mark.parametrize("name", DIRECTIVES)
def test_documented_names_exist(name: str) -> None:
    """Each ``::: apolar.x.y`` of the API pages can be imported."""
    module, parts = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            assert module, f"{name} cannot be imported"
            parts.insert(0, last)
    for part in parts:
        assert hasattr(found, part), f"{name}: {found} has no {part}"
        found = getattr(found, part)


def test_fences_are_read_as_markdown_reads_them() -> None:
    page = textwrap.dedent(
        """\
        ```python title="a"
        x = 1
        ```

        - in a list

          ```text
          1
            2
          ```

        ````markdown
        ```python
        not code
        ```
        ````
        """
    )
    assert fenced_blocks(page) == [
        Block("python", "x = 1", 2),
        Block("text", "1\n  2", 8),
        Block("markdown", "```python\nnot code\n```", 13),
    ]
