"""Takes a damaged log apart: which of its records somebody vouches for, and what is lost.

Every line carries its own seal, so that damage to one says nothing about the others. What has a sound seal stays,
under its number; a line that says so stands for the numbers that are lost (``journal_gaps``); and the damaged file
stays beside, whole, as evidence. A log that is sound is left alone, and so is what an interrupted append left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from reference_store.core.atomic import Directory
from reference_store.core.integrity import RESERVED
from reference_store.core.root import Root
from reference_store.errors import CorruptData
from reference_store.stores.journal_files import opened_log
from reference_store.stores.journal_gaps import Gap, gap_line
from reference_store.stores.journal_lines import Line, LogFile, Walk, sealed

_PIECE = 1 << 20
_SEAL = f'"{RESERVED}"'.encode()


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that are lost: all numbers from ``first`` to ``last``."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What a salvage found in a log, and what it did.

    ``kept`` counts the records that are served now; ``lost`` has the numbers of those that are not, of lines at the
    end of the log as many as can be made out; ``repeated`` counts sealed lines under a number that an earlier line
    has. ``evidence`` is the name of the file that holds the whole damaged log, None if nothing was damaged.
    """

    stream: str
    kept: int
    lost: tuple[Lost, ...] = ()
    repeated: int = 0
    evidence: str | None = None


@dataclass(slots=True)
class _Run:
    """Sealed lines that follow each other, in the file and by number: behind record ``before`` up to ``number``."""

    before: int
    number: int
    offset: int
    end: int
    records: int
    terminated: bool = True


@dataclass(slots=True)
class _Sorting:
    """The sealed lines of a log up to ``length``, which is where the last of them ends."""

    runs: list[_Run] = field(default_factory=list)
    length: int = 0

    def take(self, offset: int, raw: bytes, line: Line, *, terminated: bool) -> None:
        end, count = offset + len(raw) + terminated, int(line.record is not None)
        last = self.runs[-1] if self.runs else None
        if last is not None and (last.end, last.number, last.terminated) == (offset, line.before, True):
            last.number, last.end, last.terminated = line.number, end, terminated
            last.records += count
        else:
            self.runs.append(_Run(line.before, line.number, offset, end, count, terminated))
        self.length = end


@dataclass(slots=True)
class _Plan:
    """What the salvaged log consists of: runs of lines as they stand, and gaps."""

    parts: list[_Run | Gap] = field(default_factory=list)
    number: int = 0
    kept: int = 0
    repeated: int = 0
    lost: list[Lost] = field(default_factory=list)

    def reach(self, number: int) -> None:
        """All records up to ``number`` that have not come are lost."""
        if number > self.number:
            self.parts.append(Gap(number, number - self.number))
            self.lost.append(Lost(self.number + 1, number))
            self.number = number

    def keep(self, run: _Run) -> None:
        self.reach(run.before)
        self.parts.append(run)
        self.number, self.kept = run.number, self.kept + run.records


def salvage(root: Root, stream: str, file: str) -> SalvageReport:
    """Make the log readable again, and say what is lost; see SalvageReport.

    The log is gone through beside all writers; they wait only while what was appended meanwhile is looked at, and what
    is kept is copied. A crash leaves the damaged log or the salvaged one, never less, and it can be done again.
    Raises CorruptData for what is no regular file, LockTimeout and StorageFailure.
    """
    while True:
        with root.reading("salvage", stream) as directory:
            opened = opened_log(directory, stream, file, os.O_RDONLY)
            if opened is None:
                return SalvageReport(stream, 0)
            descriptor, about = opened
            try:
                log = LogFile(descriptor, about.st_size)
                kept = _sound_records(log, stream, file)
                if kept is not None:
                    return SalvageReport(stream, kept)
                sorting = _Sorting()
                _sort(log, stream, file, sorting)
                report = _replaced(root, stream, file, log, about.st_ino, sorting)
                if report is not None:
                    return report
            finally:
                os.close(descriptor)


def _sound_records(log: LogFile, stream: str, file: str) -> int | None:
    try:
        return sum(1 for _entry in Walk(log, stream, file))
    except CorruptData:
        return None


def _sort(log: LogFile, stream: str, file: str, sorting: _Sorting) -> None:
    """Take in the sealed lines that stand behind those that were taken in before."""
    log.refresh()
    for offset, raw, terminated in log.lines(sorting.length):
        try:
            line = sealed(raw, stream, file, 0)
        except CorruptData:
            continue
        sorting.take(offset, raw, line, terminated=terminated)


def _replaced(root: Root, stream: str, file: str, log: LogFile, inode: int, sorting: _Sorting) -> SalvageReport | None:
    """Put the salvaged log in place of the damaged one; None if another one is there by now."""

    def change(directory: Directory) -> SalvageReport | None:
        found = opened_log(directory, stream, file, os.O_RDONLY)
        if found is None:
            return None
        os.close(found[0])
        if found[1].st_ino != inode:
            return None
        _sort(log, stream, file, sorting)
        plan = _planned(log, stream, file, sorting)
        evidence = directory.preserve(file, None, _pieces(log, 0, log.size))
        directory.replace(file, _content(log, stream, plan), None)
        return SalvageReport(stream, plan.kept, tuple(plan.lost), plan.repeated, evidence)

    return root.alone("salvage", stream, change)


def _planned(log: LogFile, stream: str, file: str, sorting: _Sorting) -> _Plan:
    plan = _Plan()
    for run in sorted(sorting.runs, key=lambda run: (run.before, run.offset)):
        if run.before >= plan.number:
            plan.keep(run)
        else:
            _keep_what_is_new(log, stream, file, run, plan)
    plan.reach(plan.number + _lost_at_the_end(log, stream, file, sorting, plan.number))
    if not plan.parts:
        plan.reach(1)  # no log is ever empty
    return plan


def _keep_what_is_new(log: LogFile, stream: str, file: str, run: _Run, plan: _Plan) -> None:
    """Keep the lines of a run that begins among the numbers that have come."""
    new = _Sorting()
    for offset, raw, terminated in LogFile(log.descriptor, run.end).lines(run.offset):
        line = sealed(raw, stream, file, 0)
        if line.number <= plan.number:
            plan.repeated += line.record is not None
        elif new.runs or line.before >= plan.number:
            new.take(offset, raw, line, terminated=terminated)
        else:
            plan.reach(line.number)  # a gap that begins among them
    for kept in new.runs:
        plan.keep(kept)


def _lost_at_the_end(log: LogFile, stream: str, file: str, sorting: _Sorting, number: int) -> int:
    """How many records were behind the last sealed line, unless an interrupted append left what is there."""
    if not sorting.runs or sorting.runs[-1].terminated:
        try:
            if number:
                Walk(log, stream, file, number, sorting.length).to_the_end()
                return 0
        except CorruptData:
            pass
    return sum(max(raw.count(_SEAL), 1) for _offset, raw, _terminated in log.lines(sorting.length))


def _content(log: LogFile, stream: str, plan: _Plan) -> Iterator[bytes]:
    for part in plan.parts:
        if isinstance(part, Gap):
            yield gap_line(part, stream)
        else:
            yield from _pieces(log, part.offset, part.end)
            if not part.terminated:
                yield b"\n"


def _pieces(log: LogFile, offset: int, end: int) -> Iterator[bytes]:
    while offset < end and (piece := log.at(offset, min(_PIECE, end - offset))):
        yield piece
        offset += len(piece)
