"""Stores that say "saved" while the data is still in the memory of the process."""

import asyncio
import json
import threading
from pathlib import Path

from tests.broken_stores import breaks
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    log_line,
    make_directory,
    read_document,
    read_log,
    replace_durably,
)


def copied(document):
    """A copy that the caller cannot change: memory is all that these stores are wrong about."""
    return document if document is None else json.loads(encode(document))


@breaks("journal", DUR_1="has lost 1 acknowledged record", DUR_2="has lost 1 acknowledged record")
class WriteBehindJournal:
    """a thread writes the records every half minute, and when the store is closed."""

    def __init__(self, root: Path):
        self.root = root
        self._queue, self._lock, self._closing = [], threading.Lock(), threading.Event()
        self._writer = threading.Thread(target=self._run, daemon=True)
        self._writer.start()

    def _run(self):
        while not self._closing.wait(timeout=30):
            self._flush()
        self._flush()

    def _flush(self):
        with self._lock:
            while self._queue:
                stream, line = self._queue[0]
                cut_torn_tail(self.root / file_name(stream))
                append_synced(self.root / file_name(stream), line)
                self._queue.pop(0)

    def append(self, stream, record):
        file_name(stream)  # refuses a bad one now
        with self._lock:
            self._queue.append((stream, log_line(record)))

    def read(self, stream):
        self._flush()
        return read_log(self.root / file_name(stream))

    def close(self):
        self._closing.set()
        self._writer.join()


@breaks("documents", DUR_1="had returned and is lost", DUR_2="had returned and is lost")
class FlushedAtClose:
    """a cache of documents, written as a whole when the store is closed."""

    def __init__(self, root: Path):
        self.file = root / "documents.json"
        self._cache = read_document(self.file) or {}

    def put(self, key, document):
        self._cache[key] = copied(document)

    def get(self, key):
        return copied(self._cache.get(key))

    def close(self):
        replace_durably(self.file, encode(self._cache))


@breaks("documents", DUR_1="had returned and is lost", DUR_2="had returned and is lost")
class FlushedAtCloseAsync(FlushedAtClose):
    """the same with async methods."""

    async def put(self, key, document):
        super().put(key, document)

    async def get(self, key):
        return super().get(key)

    async def aclose(self):
        await asyncio.to_thread(super().close)


@breaks("document", DUR_1="had returned and is lost", DUR_2="had returned and is lost")
class EveryThirdUpdate:
    """saves only every third time, to spare the disk."""

    def __init__(self, root: Path):
        self.file, self._updates = root / "portfolio.json", 0
        self._data = read_document(self.file)

    def save(self, data):
        text, self._data, self._updates = encode(data), copied(data), self._updates + 1
        if self._updates % 3 == 0:
            replace_durably(self.file, text)

    def load(self):
        return copied(self._data)

    def close(self):
        if self._data is not None:
            replace_durably(self.file, encode(self._data))


@breaks(
    "documents",
    DATA_REOPEN="after reopening the store shows something else",
    DATA_ROUNDTRIP="what is read after reopening is not what was written",
    DUR_1="had returned and is lost",
    DUR_2="had returned and is lost",
    REC_2="after a crash while it recovered, the next update of AAPL returned but is lost",
    REC_3="the next update of AAPL returned but is lost",
)
class OnlyRemembers:
    """everything is in a dictionary."""

    def __init__(self, root: Path):
        make_directory(root / "documents")
        self._documents = {}

    def put(self, key, document):
        self._documents[key] = copied(document)

    def get(self, key):
        return copied(self._documents.get(key))
