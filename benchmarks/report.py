"""``python -m benchmarks.report``: writes the tables of benchmarks/results/ into docs/benchmarks.md, between two markers."""

from __future__ import annotations

from pathlib import Path

from .__main__ import QUESTIONS
from .suite import table
from .suite.command import RESULTS
from .suite.results import Results

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- Written by `python -m benchmarks.report`. -->", "<!-- End of what is written. -->"


def page(text: str, folder: Path) -> str:
    """The page with the results of a folder, which holds one folder for each machine."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    sections = [machine(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    written = "\n\n".join(sections) or "No results are stored yet: `make bench` writes them."
    return f"{before}{BEGIN}\n\n{written}\n\n{END}{after}"


def machine(folder: Path) -> str:
    """The tables of one machine, in the order of the questions."""
    found = [Results.load(folder / f"{q}.json") for q in QUESTIONS if (folder / f"{q}.json").exists()]
    sections = [f"## {folder.name}"]
    for results in found:
        where = {key: value for key, value in results.machine.items() if key not in ("packages", "load")}
        facts = ", ".join(f"{key} {value}" for key, value in {**where, **results.machine["packages"]}.items())
        effort = f"{results.options['repeats']} repetitions at most"
        sections += [f"### `{results.question}`", table.markdown(results.rows), f"Measured on: {facts}; {effort}."]
    return "\n\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
