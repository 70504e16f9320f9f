"""The page of what was seen on Linux: rows of stores that were asked, in the order of the matrix; others are kept.

What the stores were asked is left to others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_HEAD = """\
# Seen on Linux

This page is written by `python -m tests.confirm docs/reference/seen-on-linux.md` (root, `/dev/fuse`, loop devices;
`--missing` asks only the stores that it has no row of). It ran on {kernel}.

{partly}## Broken stores

What crashes break in the stores of the [kill matrix](kill-matrix.md), and the first file system on which it was seen.
`not on Linux` is what the [models](../concepts/persistence-models.md) of {filesystems} rule out: it happens by the
letter of POSIX alone, or on macOS. A dash is for what they allow and what was seen on none of them, which does not mean
that it cannot happen there: it may take a process that dies inside of a write, or times that did not come.

| store | requirement: seen on |
|---|---|
"""
_SOUND = """
## Sound stores

Left alone, made to write all pages, to commit after each operation, and both; the power cut at prefixes of what the
disk was asked and at subsets of what no flush had covered. Where btrfs has more than 128 states, it was asked
among a crowd of other names as well.

| store | {columns} |
|---|{rule}|
"""
ELSEWHERE = "not on Linux"
"""What a row says of a requirement that no crash on one of the file systems can break."""
_ROW = re.compile(r"\| `([^`]+)` \| (.*) \|")


@dataclass
class Page:
    """What is known of each store: the cells of its row, by its name."""

    broken: Sequence[str]
    sound: Sequence[str]
    filesystems: Sequence[str]
    rows: dict[str, Sequence[str]] = field(default_factory=dict)

    def read(self, text: str) -> None:
        """Take over the rows of an earlier page, of stores that there still are."""
        known = {*self.broken, *self.sound}
        for line in text.splitlines():
            if (row := _ROW.fullmatch(line)) and row[1] in known:
                self.rows[row[1]] = row[2].split(" | ")

    def missing(self) -> list[str]:
        """Return the stores that the page says nothing of."""
        return [name for name in (*self.broken, *self.sound) if name not in self.rows]

    def text(self, kernel: str) -> str:
        """Return the page as it is to be written."""
        rows: Mapping[str, Sequence[str]] = self.rows
        here = [f"{sum(name in rows for name in names)} of {len(names)}" for names in (self.broken, self.sound)]
        told = f"**Not the whole matrix yet**: {here[0]} broken and {here[1]} sound stores.\n\n"
        partly = told if self.missing() else ""
        head = _HEAD.format(kernel=kernel, partly=partly, filesystems=", ".join(self.filesystems))
        columns = _SOUND.format(columns=" | ".join(self.filesystems), rule="---|" * (len(self.filesystems) - 1) + "---")
        return head + self._table(self.broken) + columns + self._table(self.sound)

    def _table(self, names: Sequence[str]) -> str:
        return "".join(f"| `{name}` | {' | '.join(self.rows[name])} |\n" for name in names if name in self.rows)
