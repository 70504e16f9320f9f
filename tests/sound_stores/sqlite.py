"""sqlite3 with the settings under which an acknowledged transaction survives power loss."""

import asyncio
import json
import sqlite3
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.sound_stores.files import encode, sync_directory
from tests.sound_stores.plain_aiofiles import whole


def text(key):
    """Return the key; a column of text would make text of a number, too."""
    if type(key) is not str:
        raise TypeError(f"a key is text, not {type(key).__name__}")
    return key


def connect(root: Path, *pragmas: str) -> sqlite3.Connection:
    """Open the database of a store; transactions are those that ``with connection:`` begins and ends."""
    database = sqlite3.connect(root / "store.sqlite", check_same_thread=False)
    for pragma in pragmas:
        database.execute(f"PRAGMA {pragma}").fetchall()
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.execute(
            "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, value TEXT)"
        )
    return database


ERRORS = (ValueError, OSError, sqlite3.Error)
"""What a store in a database raises when it is damaged."""


class Tables:
    """Documents and logs in one database; threads share its connection, and so its transactions: they take turns."""

    tradestore_errors = ERRORS

    def __init__(self, database: sqlite3.Connection):
        self._database, self._turn = database, threading.Lock()

    def _change(self, statement, *values):
        with self._turn, self._database as database:
            database.execute(statement, values)

    def _rows(self, statement, *values):
        with self._turn:
            return self._database.execute(statement, values).fetchall()

    def put(self, key, document):
        self._change("INSERT OR REPLACE INTO documents VALUES (?, ?)", text(key), encode(document))

    def get(self, key):
        rows = self._rows("SELECT value FROM documents WHERE key = ?", text(key))
        return json.loads(rows[0][0]) if rows else None

    def delete(self, key):
        self._change("DELETE FROM documents WHERE key = ?", text(key))

    def keys(self):
        return [key for (key,) in self._rows("SELECT key FROM documents ORDER BY key")]

    def append(self, stream, record):
        self._change("INSERT INTO records (stream, value) VALUES (?, ?)", text(stream), encode(record))

    def read(self, stream):
        rows = self._rows("SELECT value FROM records WHERE stream = ? ORDER BY id", text(stream))
        return [json.loads(value) for (value,) in rows]

    def close(self):
        self._database.close()


class RollbackJournalExtra(Tables):
    """The default journal with synchronous=EXTRA: the directory is synced after the unlink that commits."""

    def __init__(self, root: Path):
        super().__init__(connect(root, "synchronous=EXTRA"))


class WriteAheadFull(Tables):
    """Write-ahead log with synchronous=FULL; the index of the log (-shm) is rebuilt from it after a crash."""

    tradestore_volatile = ("*-shm",)

    def __init__(self, root: Path):
        super().__init__(connect(root, "journal_mode=WAL", "synchronous=FULL"))
        sync_directory(root)  # the log's name too: SQLite syncs the directory as well, but ignores it when that fails


@contextmanager
def write_ahead_opened_by_with(root: Path):
    """The same, closed by leaving the context."""
    store = WriteAheadFull(root)
    try:
        yield store
    finally:
        store.close()


write_ahead_opened_by_with.tradestore_volatile = WriteAheadFull.tradestore_volatile
write_ahead_opened_by_with.tradestore_errors = ERRORS


class AsyncDocument:
    """One row that is replaced, through a thread per call."""

    def __init__(self, tables: Tables):
        self._tables = tables

    @whole
    async def save(self, data):
        await asyncio.to_thread(self._tables.put, "portfolio", data)

    async def load(self):
        return await asyncio.to_thread(self._tables.get, "portfolio")


@asynccontextmanager
async def async_document(root: Path):
    """A single document with synchronous=EXTRA, opened and closed by ``async with``."""
    tables = await asyncio.to_thread(RollbackJournalExtra, root)
    try:
        yield AsyncDocument(tables)
    finally:
        await asyncio.to_thread(tables.close)


async_document.tradestore_errors = ERRORS
