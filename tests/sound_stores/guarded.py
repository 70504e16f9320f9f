"""Guarded by other means than flock by hand: a lock of the filelock package, and transactions that begin IMMEDIATE."""

import json
import os
import threading
from pathlib import Path

from filelock import FileLock

from tests.sound_stores.files import encode, read_document, replace_durably
from tests.sound_stores.sqlite import ERRORS, connect, text


class FilelockTable:
    """All keys in one JSON file, behind a FileLock; readers need none, the file is replaced as a whole."""

    tradestore_claims = ("processes",)

    def __init__(self, root: Path):
        self.file = root / "jobs.json"
        self._locks = {os.getpid(): FileLock(root / "jobs.json.lock")}

    def _lock(self):
        """Return the lock of this process: one that was inherited through fork cannot be used."""
        process = os.getpid()
        if process not in self._locks:
            self._locks = {process: FileLock(f"{self.file}.lock")}
        return self._locks[process]

    def put(self, key, document):
        with self._lock():
            replace_durably(self.file, encode((read_document(self.file) or {}) | {key: document}))

    def get(self, key):
        return (read_document(self.file) or {}).get(key)


class Immediate:
    """One JSON table in one row, read and written back in a transaction that takes the lock at its beginning."""

    tradestore_claims = ("processes",)

    tradestore_errors = ERRORS

    def __init__(self, root: Path):
        self._database = connect(root, "synchronous=EXTRA")
        self._database.isolation_level = None
        self._lock = threading.Lock()

    def put(self, key, document):
        value = encode(document)
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                table = self._table()
                table[text(key)] = value
                self._database.execute("INSERT OR REPLACE INTO documents VALUES ('all', ?)", (json.dumps(table),))
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise

    def get(self, key):
        with self._lock:
            value = self._table().get(text(key))
        return None if value is None else json.loads(value)

    def _table(self):
        row = self._database.execute("SELECT value FROM documents WHERE key = 'all'").fetchone()
        return json.loads(row[0]) if row else {}

    def close(self):
        self._database.close()
