"""Stores whose lock is a file that only an orderly end removes."""

import os
import sys
import time
from pathlib import Path

from tests.broken_stores import breaks
from tests.sound_stores.files import encode, read_document, replace_durably


class LeftLock:
    """What the stores below share: a lock file for the length of each save."""

    def __init__(self, root: Path):
        self.file, self.lock = root / "portfolio.json", root / "portfolio.lock"
        if self.lock.exists():
            self.on_stale_lock()

    def on_stale_lock(self):
        """Do what this store does when it finds a lock on opening."""

    def save(self, data):
        text = encode(data)
        os.close(os.open(self.lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            replace_durably(self.file, text)
        finally:
            self.lock.unlink()

    def load(self):
        return read_document(self.file)


@breaks("document", REC_1="another process is using this store")
class RaisesOnLeftLock(LeftLock):
    """after a crash in a save nobody can open the store until a person removes the lock."""

    def on_stale_lock(self):
        raise RuntimeError(f"another process is using this store; remove {self.lock.name} if that is not so")


@breaks("document", REC_1="reopening took longer than")
class WaitsForLeftLock(LeftLock):
    """waits for a lock that nobody holds any more."""

    tradestore_deadline = 4.0

    def on_stale_lock(self):
        while self.lock.exists():
            time.sleep(0.02)


@breaks("document", REC_1="exited with status 1")
class ExitsOnLeftLock(LeftLock):
    """ends the whole program."""

    def on_stale_lock(self):
        sys.exit(f"{self.lock.name} exists, giving up")


@breaks("document", REC_3="the next update of the document was refused")
class OpensThenRefuses(LeftLock):
    """opens and reads after a crash, and then refuses every save."""


@breaks("document", REC_3="the next update of the document was refused")
class OpensThenRefusesAsync(LeftLock):
    """the same with async methods."""

    async def save(self, data):
        super().save(data)

    async def load(self):
        return super().load()
