"""How costs are measured: all sides in turn, in one run and on one file system, so that load meets all of them."""

import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

STORE, SQLITE = "store", "sqlite3"
Action = Callable[[int], object]
"""Does the operation once; is given the number of the turn."""


class NotThere(Exception):
    """This version of the store, or this environment, has no such operation."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one side needs at one size: medians in ``unit``; ``less`` tells whether less is better."""

    row: str
    size: int
    side: str
    value: float
    unit: str = "ms"
    less: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the person who runs it has chosen: an empty directory for each call, and how often to repeat."""

    directory: Path
    repeats: int
    quick: bool

    def empty(self, name: str) -> Path:
        """Make a directory that nobody has used."""
        number = sum(1 for _ in self.directory.iterdir())
        made = self.directory / f"{number}-{name}"
        made.mkdir()
        return made

    def sizes(self, *sizes: int) -> tuple[int, ...]:
        """The sizes to measure at; a quick run leaves the largest out."""
        return sizes[:-1] if self.quick else sizes


def in_turn(
    sides: Mapping[str, Action], repeats: int, *, warm: bool = True, before: Action | None = None
) -> dict[str, float]:
    """Return the median of each side in milliseconds; once before that without measuring, unless it is to be cold.

    ``before`` is done before each turn, and not measured.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-1 if warm else 0, repeats):
        if before is not None:
            before(turn + 1)
        for name, action in sides.items():
            began = time.perf_counter()
            action(turn + 1)
            if turn >= 0:
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) * 1000 for name, seconds in taken.items()}


def costs(row: str, size: int, medians: Mapping[str, float], unit: str = "ms", *, less: bool = True) -> list[Cost]:
    """Return what was measured at one size, for each side."""
    return [Cost(row, size, side, value, unit, less) for side, value in medians.items()]


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Prepare, but do not wait for the disk: what is measured comes afterwards."""
    with mock.patch.object(os, "fsync", lambda _: None), mock.patch.object(os, "fdatasync", lambda _: None):
        yield


def sqlite(path: Path) -> sqlite3.Connection:
    """Open a database in which what was committed outlives a power loss: WAL, synchronous=FULL."""
    database = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    return database


def table(path: Path, columns: str, rows: Iterator[tuple[object, ...]], index: str = "") -> sqlite3.Connection:
    """Open a database with one table ``t`` that holds ``rows``."""
    database = sqlite(path)
    database.execute(f"CREATE TABLE t ({columns})")
    database.execute("BEGIN")
    database.executemany(f"INSERT INTO t VALUES ({', '.join('?' * (columns.count(',') + 1))})", rows)
    database.execute("COMMIT")
    if index:
        database.execute(f"CREATE INDEX i ON t ({index})")
    return database


def peak_of(program: str, *arguments: object) -> float:
    """Run a Python program in a process of its own and return what its memory grew by while it worked, in MB.

    The program calls ``begin()`` when it has imported what it needs.
    """
    text = (
        "import re, sys\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "def begin():\n    global before\n    before = peak()\n"
        f"{program}\nprint(peak() - before)\n"
    )
    command = [sys.executable, "-c", text, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    return float(ended.stdout.split()[-1])


def file_system_of(directory: Path) -> str:
    """The type of the file system that ``directory`` is on, as the kernel calls it."""
    found, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, this, *_ = line.split()
        if directory.resolve().is_relative_to(place) and len(place) >= len(found):
            found, kind = place, this
    return kind
