"""What writers were about to do, and what became of it: a file for each writer, outside the root of the store.

A line is written before a call and after it, each with one system call, so that a writer killed at any moment leaves
all that it knew. Times are of the monotonic clock, which all processes share.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

NEVER = float("inf")


@dataclass(slots=True)
class Entry:
    """One call: the part of the store, writer and number, when it began and ended, and how.

    ``outcome`` is ``acknowledged``, ``refused`` (the store said that nothing was changed), or ``unknown``: interrupted,
    cancelled or killed, so that it may have happened or not.
    """

    part: str
    writer: int
    number: int
    began: float
    ended: float = NEVER
    outcome: str = "unknown"


class Writer:
    """The ledger of one writer, to write in."""

    def __init__(self, directory: Path, writer: int) -> None:
        self.writer = writer
        self._number = 0
        self._file = os.open(directory / f"{writer}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, part: str) -> int:
        """Note that a call is about to be made and return its number."""
        self._number += 1
        os.write(self._file, f"begin {self._number} {part} {time.monotonic()}\n".encode())
        return self._number

    def end(self, number: int, outcome: str) -> None:
        """Note what became of it."""
        os.write(self._file, f"end {number} {outcome} {time.monotonic()}\n".encode())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


class Ledgers:
    """All ledgers of a directory, to read in while they grow."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, int] = {}
        self.entries: dict[tuple[int, int], Entry] = {}

    def look(self) -> list[Entry]:
        """Return all that is known now."""
        for name in os.listdir(self._directory):
            with open(self._directory / name, "rb") as file:
                file.seek(self._read.get(name, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[name] = self._read.get(name, 0) + whole
            for line in data[:whole].decode().splitlines():
                self._take(int(name), line.split())
        return list(self.entries.values())

    def _take(self, writer: int, words: list[str]) -> None:
        kind, number, what, when = words
        if kind == "begin":
            self.entries[writer, int(number)] = Entry(what, writer, int(number), float(when))
        else:
            entry = self.entries[writer, int(number)]
            entry.outcome, entry.ended = what, float(when)
