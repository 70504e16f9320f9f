"""Costs of documents: one put, many threads, all keys, and room on the disk."""

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from reference_store import DocumentStore
from reference_store.core import document_changes, integrity
from reference_store.core import keys as codec
from reference_store.core.side_by_side import side_by_side
from tests.benchmarks.reference_costs.measure import (
    SQLITE,
    STORE,
    Chosen,
    Cost,
    costs,
    in_turn,
    sqlite,
    table,
)

DOCUMENT = {"last": 64000.5, "volume": 12.5, "bid": 63999.0, "ask": 64001.0}
TEXT = json.dumps(DOCUMENT).encode() * 3
"""About as much as the file of a document."""
BARE = "eight files alone"
COLUMNS = "key TEXT PRIMARY KEY, document TEXT"


def documents(chosen: Chosen) -> Iterator[list[Cost]]:
    """A put, all keys and the room on the disk, by the number of documents."""
    # Two sizes close to each other, on both sides of 4,096, show a cliff at the size of a cache.
    for size in chosen.sizes(1_000, 4_000, 5_000, 20_000, 100_000):
        place = chosen.empty("documents")
        store = DocumentStore(place / "documents")
        _fill(place / "documents", size)
        rows = ((f"K{number}", json.dumps(DOCUMENT)) for number in range(size))
        database = table(place / "documents.db", COLUMNS, rows)

        def put(turn: int, store: DocumentStore = store, size: int = size) -> None:
            store.put(f"K{turn * 7919 % size}", DOCUMENT)

        def upsert(turn: int, database: object = database, size: int = size) -> None:
            row = (f"K{turn * 7919 % size}", json.dumps(DOCUMENT))
            database.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", row)  # type: ignore[attr-defined]

        yield costs("put of a document", size, in_turn({STORE: put, SQLITE: upsert}, chosen.repeats * 4))

        def keys(_: int, store: DocumentStore = store, size: int = size) -> None:
            assert len(store.keys()) == size

        def selected(_: int, database: object = database) -> None:
            [key for (key,) in database.execute("SELECT key FROM t ORDER BY key")]  # type: ignore[attr-defined]

        def bare(_: int, place: Path = place) -> None:
            sorted(name[:-5] for name in os.listdir(place / "documents") if name.endswith(".json"))

        sides = {STORE: keys, SQLITE: selected, "listing and sorting alone": bare}
        yield costs("keys()", size, in_turn(sides, chosen.repeats))

        def keys_after_a_put(turn: int, store: DocumentStore = store, size: int = size) -> None:
            keys(turn, store, size)

        sides[STORE] = keys_after_a_put
        yield costs("keys() after a put", size, in_turn(sides, chosen.repeats, before=put))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        room = {STORE: _room(place / "documents"), SQLITE: _room(place / "documents.db")}
        yield costs("room of documents on the disk", size, room, "MB")


def _fill(root: Path, size: int) -> None:
    """Put documents there as the store writes them, without waiting for the disk."""
    for number in range(size):
        key = f"K{number}"
        data = integrity.seal_document(document_changes.encoded(key, DOCUMENT), key, 1)
        (root / f"{codec.encode(key)}.json").write_bytes(data)


def _room(place: Path) -> float:
    files = [place] if place.is_file() else [place, *place.rglob("*")]
    return sum(file.stat().st_blocks for file in files) * 512 / 1e6


def threads(chosen: Chosen) -> Iterator[list[Cost]]:
    """How many puts eight threads get done, each on keys of its own."""
    place = chosen.empty("threads")
    store = DocumentStore(place / "documents", lock_timeout=60)
    table(place / "documents.db", COLUMNS, iter([])).close()

    def puts(number: int) -> Callable[[int], object]:
        return lambda turn: store.put(f"{number}-{turn % 10}", DOCUMENT)

    def upserts(number: int) -> Callable[[int], object]:
        database = sqlite(place / "documents.db")
        text = "INSERT OR REPLACE INTO t VALUES (?, ?)"
        return lambda turn: database.execute(text, (f"{number}-{turn % 10}", json.dumps(DOCUMENT)))

    rates: dict[str, list[float]] = {STORE: [], SQLITE: []}
    for _ in range(chosen.repeats):
        for side, make in ((STORE, puts), (SQLITE, upserts)):
            rates[side].append(_rate([make(number) for number in range(8)], 0.5 if chosen.quick else 1.5))
        rates.setdefault(BARE, []).append(_bare(place / "documents", 0.5 if chosen.quick else 1.5))
    medians = {side: sorted(found)[len(found) // 2] for side, found in rates.items()}
    yield costs("puts of 8 threads on different keys", 8, medians, "/s", less=False)


def _bare(root: Path, seconds: float) -> float:
    """How many files a second can be replaced, eight at a time and durably, with the previous ones kept."""
    count, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir=root.parent) as place:
        directory = os.open(place, os.O_RDONLY)
        while time.monotonic() < end:
            staged = []
            for number in range(8):
                descriptor = os.open(f"{place}/{number}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
                os.write(descriptor, TEXT)
                staged.append(descriptor)
            side_by_side([partial(os.fsync, descriptor) for descriptor in staged])
            for number, descriptor in enumerate(staged):
                os.close(descriptor)
                if count:
                    os.link(f"{place}/{number}", f"{place}/{number}.second")
                    os.rename(f"{place}/{number}.second", f"{place}/{number}.bak")
                os.rename(f"{place}/{number}.new", f"{place}/{number}")
            os.fsync(directory)
            count += 8
        os.close(directory)
    return count / seconds


def _rate(actions: list[Callable[[int], object]], seconds: float) -> float:
    counts: list[int] = []
    end = time.monotonic() + seconds

    def work(action: Callable[[int], object]) -> None:
        count = 0
        while time.monotonic() < end:
            action(count)
            count += 1
        counts.append(count)

    found = [threading.Thread(target=work, args=(action,)) for action in actions]
    for thread in found:
        thread.start()
    for thread in found:
        thread.join()
    return sum(counts) / seconds
