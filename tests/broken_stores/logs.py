"""Logs that tear, glue, lose, skip or repeat records."""

import json
import os
from pathlib import Path

import aiofiles

from tests.broken_stores import breaks
from tests.broken_stores.bases import Rooted
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    log_line,
    read_log,
    sync_directory,
)


def parsed_lines(path: Path):
    """Yield each line of a log with its record, None where it is not a whole one."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield line, json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            yield line, None


@breaks("journal", REC_3="partly lost write orders+.json")
class GluedJournal(Rooted):
    """the reader drops a torn last line, but the next append continues it, and is dropped with it."""

    def append(self, stream, record):
        with open(self.root / file_name(stream), "a") as log:
            log.write(encode(record) + "\n")
            log.flush()
            os.fsync(log.fileno())
        sync_directory(self.root)

    def read(self, stream):
        lines = list(parsed_lines(self.root / file_name(stream)))
        if lines and lines[-1][1] is None:
            lines.pop()
        if any(record is None for _, record in lines):
            raise ValueError(f"{stream}: damaged in the middle")
        return [record for _, record in lines]


@breaks("journal", REC_3="partly lost write orders+.json")
class GluedJournalAiofiles(GluedJournal):
    """the same through aiofiles."""

    async def append(self, stream, record):
        text = encode(record) + "\n"
        async with aiofiles.open(self.root / file_name(stream), "a") as log:
            await log.write(text)
            await log.flush()
            os.fsync(log.fileno())
        sync_directory(self.root)


@breaks("journal", ATOM_1="partly lost write orders+.json", ATOM_2="partly lost write orders+.json")
class TornJournal(Rooted):
    """a torn last line makes the whole log unreadable."""

    def append(self, stream, record):
        path = self.root / file_name(stream)
        append_synced(path, encode(record).encode() + b"\n")
        sync_directory(self.root)

    def read(self, stream):
        path = self.root / file_name(stream)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@breaks("journal", DUR_2="partly lost write orders+.json")
class UnsyncedJournal:
    """appends without fsync; the reader stops at the first line that is not whole."""

    def __init__(self, root: Path):
        self.root = root
        self._repaired = set()

    def append(self, stream, record):
        path = self.root / file_name(stream)
        if stream not in self._repaired:
            path.touch()
            os.truncate(path, sum(len(line) for line, _ in self._whole(path)))
            sync_directory(self.root)
            self._repaired.add(stream)
        with open(path, "a") as log:
            log.write(encode(record) + "\n")

    def read(self, stream):
        return [record for _, record in self._whole(self.root / file_name(stream))]

    def _whole(self, path):
        for line, record in parsed_lines(path):
            if record is None:
                return
            yield line, record


@breaks("journal", DUR_2="partly lost write orders+.json")
class UnsyncedJournalAiofiles(UnsyncedJournal):
    """the same through aiofiles."""

    async def append(self, stream, record):
        path = self.root / file_name(stream)
        if stream not in self._repaired:
            path.touch()
            os.truncate(path, sum(len(line) for line, _ in self._whole(path)))
            sync_directory(self.root)
            self._repaired.add(stream)
        text = encode(record) + "\n"
        async with aiofiles.open(path, "a") as log:
            await log.write(text)


@breaks("journal", DUR_2="lost create orders+.json", DUR_3="partly lost write orders+.json")
class SkippingJournal(Rooted):
    """appends without fsync, and the reader skips every line that is not whole, also in the middle."""

    def append(self, stream, record):
        with open(self.root / file_name(stream), "a") as log:
            log.write(f"\n{encode(record)}\n")  # on a line of its own, whatever a crash left before it

    def read(self, stream):
        return [record for _, record in parsed_lines(self.root / file_name(stream)) if record is not None]


@breaks("journal", DUR_2="lost create orders+.json")
class UnsyncedCreation:
    """every record is synced, but never the directory in which the log was created."""

    def __init__(self, root: Path):
        self.root = root
        self._repaired = set()

    def append(self, stream, record):
        path = self.root / file_name(stream)
        if stream not in self._repaired and path.exists():
            cut_torn_tail(path)
        self._repaired.add(stream)
        append_synced(path, log_line(record))

    def read(self, stream):
        return read_log(self.root / file_name(stream))


@breaks("journal", DUR_2="lost create orders+.json")
class UnsyncedCreationAiofiles(UnsyncedCreation):
    """the same through aiofiles."""

    async def append(self, stream, record):
        path = self.root / file_name(stream)
        if stream not in self._repaired and path.exists():
            cut_torn_tail(path)
        self._repaired.add(stream)
        text = log_line(record)
        async with aiofiles.open(path, "ab") as log:
            await log.write(text)
            await log.flush()
            os.fsync(log.fileno())


@breaks(
    "journal",
    ATOM_2="partly lost write orders+.json",
    DUR_1="has lost 1 acknowledged record",
    DUR_2="has lost 1 acknowledged record",
)
class BufferedJournal:
    """keeps the log open and leaves the flushing to Python, which does it some time later."""

    def __init__(self, root: Path):
        self.root = root
        self._logs = {}

    def append(self, stream, record):
        path = self.root / file_name(stream)
        if stream not in self._logs:
            cut_torn_tail(path)
            self._logs[stream] = open(path, "ab", buffering=1 << 20)  # noqa: SIM115 - see close()
        self._logs[stream].write(log_line(record))

    def read(self, stream):
        if stream in self._logs:
            self._logs[stream].flush()
        return read_log(self.root / file_name(stream))

    def close(self):
        for log in self._logs.values():
            log.flush()
            os.fsync(log.fileno())
            log.close()


@breaks("journal", DUR_3="shows a record twice", REC_2="shows a record twice")
class TwiceReplayedJournal:
    """recovery applies every intent again, also one that was applied already."""

    def __init__(self, root: Path):
        self.root, self.intent = root, root / "intent.log"
        for entry in read_log(self.intent):
            self._apply(entry)
        if self.intent.exists():
            cut_torn_tail(self.intent)
            os.truncate(self.intent, 0)
            cut_torn_tail(self.intent)

    def append(self, stream, record):
        file_name(stream)  # refuses a bad one before it becomes an intent
        entry = {"stream": stream, "record": record}
        cut_torn_tail(self.intent)
        append_synced(self.intent, log_line(entry))
        self._apply(entry)
        os.truncate(self.intent, 0)

    def _apply(self, entry):
        path = self.root / file_name(entry["stream"])
        cut_torn_tail(path)
        append_synced(path, log_line(entry["record"]))

    def read(self, stream):
        return read_log(self.root / file_name(stream))
