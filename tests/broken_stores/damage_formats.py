"""Stores that trust a format, or a checksum of the wrong thing, to notice damage."""

import csv
import gzip
import io
import json
import os
import sqlite3
import zlib
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from reference_store.models import PriceBar
from tests.broken_stores import breaks
from tests.broken_stores.damage import SetsAside
from tests.sound_stores.files import append_synced, encode, file_name, replace_durably, sync_directory


@breaks(
    "documents",
    CORR_6="AAPL.json is gone, AAPL shows that without a word, though MANIFEST has its digest",
    CORR_7="replaced by an older version of itself, AAPL shows that without a word",
)
class NeverAsksItsManifest(SetsAside):
    """keeps the digest of every file in a manifest, and looks at it only when somebody complains."""

    tradestore_claims = ("checksums",)

    def text(self, key, document):
        text = encode([key, document])
        return f"{crc32(text.encode()):08x} {text}"

    def read(self, path, key):
        try:
            checksum, _, text = path.read_bytes().partition(b" ")
        except FileNotFoundError:
            return None
        if checksum != b"%08x" % crc32(text):
            raise ValueError("the checksum does not fit")
        owner, document = json.loads(text)
        if owner != key:
            raise ValueError("the file belongs to another key")
        return document

    def put(self, key, document):
        super().put(key, document)
        digests = {
            name: sha256((self.root / name).read_bytes()).hexdigest()
            for name in sorted(os.listdir(self.root))
            if name.endswith(".json")
        }
        replace_durably(self.root / "MANIFEST", encode(digests))


@breaks("journal", CORR_1="orders.log is without line 4 of 6")
class UnnumberedLines:
    """every line has its checksum, and none says which line it is."""

    tradestore_claims = ("checksums",)

    def __init__(self, root: Path):
        self.root = root

    def append(self, stream, record):
        path = self.root / f"{stream}.log"
        if not path.exists():
            replace_durably(path, f"{stream}\n")
        text = encode(record).encode()
        append_synced(path, b"%08x %s\n" % (crc32(stream.encode() + text), text))

    def read(self, stream):
        try:
            head, *lines = (self.root / f"{stream}.log").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        if head != stream.encode():
            raise ValueError("the log belongs to another stream")
        records = []
        for number, line in enumerate(lines):
            checksum, _, text = line.partition(b" ")
            if checksum == b"%08x" % crc32(head + text):
                records.append(json.loads(text))
            elif number < len(lines) - 1:
                raise ValueError("the log is damaged")
        return records


_PRICES = ("open", "high", "low", "close")


class _MonthFiles:
    """One file of bars per symbol, replaced as a whole."""

    tradestore_claims: tuple[str, ...] = ()

    def __init__(self, root: Path):
        self.root = root

    def path(self, symbol):
        return self.root / file_name(symbol)

    def write_bars(self, symbol, bars):
        known = {bar.date: bar for bar in (*self._all(symbol), *bars)}
        self._replace(symbol, [known[date] for date in sorted(known)])

    def read_bars(self, symbol, start, end):
        return [bar for bar in self._all(symbol) if start <= bar.date <= end]

    def _all(self, symbol):
        try:
            return self._decoded(self.path(symbol).read_bytes())
        except FileNotFoundError:
            return []


@breaks("bars", CORR_1="MSFT.json is cut off", CORR_6="reads as if nothing had ever been stored")
class TableOfText(_MonthFiles):
    """bars as CSV: what was cut off is not missed, and half a number is a number."""

    def _replace(self, symbol, bars):
        text = io.StringIO()
        rows = csv.writer(text)
        for bar in bars:
            prices = [repr(getattr(bar, name)) for name in _PRICES]
            rows.writerow([bar.symbol, bar.date.isoformat(), *prices, bar.volume])
        replace_durably(self.path(symbol), text.getvalue())

    def _decoded(self, content):
        rows = list(csv.reader(io.StringIO(content.decode())))
        if any(len(row) != len(_PRICES) + 3 for row in rows):
            raise ValueError("a row has too few columns")
        return [
            PriceBar(symbol, datetime.fromisoformat(date), *map(float, prices), volume=int(volume))
            for symbol, date, *prices, volume in rows
        ]


@breaks(
    "bars",
    CORR_1="given its columns open and high in each other's place",
    CORR_4="replaced by 20,000,000 empty rows, packed, reading took longer than 2 s",
    CORR_7="shows what belongs to another key",
)
class WritesPageChecksums(_MonthFiles):
    """Parquet with page checksums, which nobody looks at unless told to."""

    tradestore_claims = ("checksums",)
    tradestore_errors = (ValueError, OSError, pa.ArrowException)
    tradestore_deadline = 2

    def _replace(self, symbol, bars):
        path = self.path(symbol)
        staged = path.with_suffix(".tmp")
        table = pa.Table.from_pylist([asdict(bar) for bar in bars])
        with open(staged, "wb") as file:
            pq.write_table(table, file, write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
        sync_directory(self.root)

    def _decoded(self, content):
        rows = pq.read_table(io.BytesIO(content), use_threads=False).to_pylist()
        try:
            return [PriceBar(**row) for row in rows]
        except TypeError as error:
            raise ValueError("these are no bars") from error


@breaks(
    "documents",
    CORR_1="store.sqlite is changed in bit",
    CORR_2="the next update destroys the damaged bytes",
    CORR_6="store.sqlite is emptied",
)
class ThinksThatDatabasesCheck:
    """claims checksums because it keeps everything in SQLite, whose pages have none."""

    tradestore_claims = ("checksums",)
    tradestore_errors = (ValueError, OSError, sqlite3.Error)

    def __init__(self, root: Path):
        self.database = sqlite3.connect(root / "store.sqlite", isolation_level=None)
        self.database.execute("PRAGMA synchronous=EXTRA")
        self.database.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value TEXT)")

    def put(self, key, document):
        self.database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (key, encode(document)))

    def get(self, key):
        row = self.database.execute("SELECT value FROM documents WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def close(self):
        self.database.close()


@breaks("documents", CORR_4="replaced by 2 GiB of zeros, packed, reading AAPL raises MemoryError")
class UnpacksWhateverComes(SetsAside):
    """reads packed documents without asking how large they will be."""

    tradestore_errors = (ValueError, OSError, EOFError)

    def put(self, key, document):
        path = self.path(key)
        staged = path.with_suffix(".tmp")
        try:
            self.read(path, key)
        except (ValueError, OSError, EOFError):
            os.replace(path, f"{path}.damaged-{crc32(path.read_bytes()):08x}")
        with open(staged, "wb") as file:
            file.write(gzip.compress(encode(document).encode(), mtime=0))
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
        sync_directory(self.root)

    def read(self, path, key):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if not content:
            raise ValueError("the file is empty")
        try:
            return json.loads(gzip.decompress(content))
        except zlib.error as error:
            raise ValueError("the file is damaged") from error
        except RecursionError as error:
            raise ValueError("the document is nested too deeply") from error
