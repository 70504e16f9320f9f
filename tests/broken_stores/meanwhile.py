"""Stores that survive crashes, and survive faults, but not both at once: a way around a fault, a repair that fails."""

import os
from contextlib import suppress

from tests.broken_stores import NATIVE, breaks
from tests.broken_stores.bases import OneFile
from tests.sound_stores.files import (
    append_or_take_back,
    cut_torn_tail,
    encode,
    log_line,
    read_log,
    sync_directory,
    take_back,
    whole_lines,
    write_synced,
)


class _Stages(OneFile):
    """Writes a file beside the old one; whoever derives from it says how it gets into its place."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        try:
            write_synced(staged, encode(data))
            self._put(staged)
        except OSError:
            staged.unlink(missing_ok=True)
            raise
        sync_directory(self.root)

    def _put(self, staged):
        os.replace(staged, self.file)


@breaks("document", FAULT_6="goes on although rename portfolio.json fails with", recorders=NATIVE)
class WritesInPlaceWhereItCannotRename(_Stages):
    """a file that is a mount cannot be replaced; then it is written over."""

    def _put(self, staged):
        try:
            super()._put(staged)
        except OSError:
            write_synced(self.file, staged.read_text("utf-8"))
            staged.unlink()


@breaks("document", FAULT_6="a crash meanwhile is not survived", recorders=NATIVE)
class RemovesTheOldOneToRename(_Stages):
    """renames again when the file that was in the way is gone."""

    def _put(self, staged):
        try:
            super()._put(staged)
        except OSError:
            self.file.unlink(missing_ok=True)
            os.rename(staged, self.file)


class _Log:
    """A log that is repaired before anything is appended; whoever derives from it says what it does if that fails."""

    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        path, line = self.root / f"{stream}.log", log_line(record)
        self._repair(path)
        append_or_take_back(path, line)

    def read(self, stream):
        return read_log(self.root / f"{stream}.log")


@breaks("journal", FAULT_5="and another process goes on: the next update of orders", recorders=NATIVE)
class RemembersWhatFailed(_Log):
    """marks a log while it is written, so that a crash is noticed; what has failed only the instance itself knows."""

    def __init__(self, root):
        super().__init__(root)
        self._failed = set()

    def append(self, stream, record):
        path, mark, line = self.root / f"{stream}.log", self.root / f"{stream}.writing", log_line(record)
        if mark.exists() or stream in self._failed:
            cut_torn_tail(path)
            self._failed.discard(stream)
        try:
            write_synced(mark, "")
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                sync_directory(self.root)
                size = os.fstat(log).st_size
                while line:
                    line = line[os.write(log, line) :]
                try:
                    os.fsync(log)
                except OSError:
                    take_back(path, size)
                    raise
            finally:
                os.close(log)
        except OSError:
            self._failed.add(stream)
            raise
        finally:
            self._end(mark)

    def _end(self, mark):
        mark.unlink(missing_ok=True)


@breaks("journal", FAULT_6="after a crash", recorders=NATIVE)
class AppendsToWhatItCannotRepair(_Log):
    """cuts a torn record off where it can, and appends in any case."""

    def _repair(self, path):
        content = path.read_bytes() if path.exists() else b""
        good = whole_lines(content)[1]
        if good == len(content):
            cut_torn_tail(path)
            return
        with suppress(OSError):
            os.truncate(path, good)


@breaks("journal", FAULT_6="after a crash", recorders=NATIVE)
class BeginsAnewWhereRepairFails(_Log):
    """a log that cannot be repaired is put aside, and with it all that was in it."""

    def __init__(self, root):
        super().__init__(root)
        for path in sorted(root.glob("*.log")):
            content = path.read_bytes()
            good = whole_lines(content)[1]
            if good == len(content):
                continue
            try:
                with open(path, "r+b") as log:
                    log.truncate(good)
                    os.fsync(log.fileno())
            except OSError:
                os.rename(path, path.with_suffix(".damaged"))

    def _repair(self, path):
        cut_torn_tail(path)
