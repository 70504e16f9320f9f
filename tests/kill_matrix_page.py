"""Writes ``docs/reference/kill-matrix.md`` from the registries of the broken, the racing and the sound stores.

python -m tests.kill_matrix_page docs/reference/kill-matrix.md
"""

import inspect
import sys
from pathlib import Path

from tests.broken_stores import Broken
from tests.broken_stores.ten_patterns import TEN
from tests.judging import BROKEN, RACING
from tests.sound_stores import SOUND, Sound

HEAD = """\
# Kill matrix

This page is generated from `tests/broken_stores` and `tests/sound_stores`; change it there.
`pytest -m proof tests/test_kill_matrix.py` runs the suite on every store below, with each recorder that can see it;
the gate asks each with one of them, half of the stores with either.

## Broken stores

Each has one defect. The suite must report just the requirements listed, and the counterexample must contain the words
beside each: an operation that was lost, or what a reader found.

| store | defect | violates | recorders |
|---|---|---|---|
"""
RACING_HEAD = """
## Stores that race

What concurrent callers break in each of them, judged in `tests/test_race_kill_matrix.py`: just these of the race
requirements, with these words, in a timeline of at most twenty lines that was replayed ten times, and once more by its
token. The proofs search until a store has shown these, the deep tests in full.

| store | defect | violates |
|---|---|---|
"""
TEN_HEAD = """
Ten patterns must be found whoever the callers are. Where there is no store for a kind there is no such pattern.

| pattern | threads | tasks | processes |
|---|---|---|---|
"""
MIDDLE = """
## Sound stores

The suite must report nothing on these, and leave nothing undecided.

| store | how it is made | contracts | recorders |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    racing = "".join(map(_racing, RACING)) + TEN_HEAD + "".join(_pattern(name, kinds) for name, kinds in TEN.items())
    return HEAD + "".join(map(_broken, BROKEN)) + RACING_HEAD + racing + MIDDLE + "".join(map(_sound, SOUND))


def _broken(row: Broken) -> str:
    return f"| {_named(row)} | {_about(row)} | {_violates(row)} | {', '.join(row.recorders)} |\n"


def _racing(row: Broken) -> str:
    return f"| {_named(row)} | {_about(row)} | {_violates(row)} |\n"


def _violates(row: Broken) -> str:
    return "<br>".join(f"**{id_}** {_code(words)}".rstrip() for id_, words in row.breaks.items())


def _pattern(name: str, kinds: dict[str, tuple[str, ...]]) -> str:
    cells = (", ".join(f"`{store}`" for store in kinds.get(kind, ())) for kind in ("threads", "tasks", "processes"))
    return f"| {name} | {' | '.join(cells)} |\n"


def _sound(row: Sound) -> str:
    return f"| {_named(row)} | {_about(row)} | {', '.join(row.contracts)} | {', '.join(row.recorders)} |\n"


def _named(row: Broken | Sound) -> str:
    return f"`{row.name}`" + (f" ({row.variant})" if row.variant != "sync" else "")


def _about(row: Broken | Sound) -> str:
    """Return the first line of the docstring of a store."""
    said = inspect.getdoc(row.store) or ""
    return said.split("\n")[0].replace("|", "\\|")


def _code(words: str) -> str:
    return f"`{words}`" if words else ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
