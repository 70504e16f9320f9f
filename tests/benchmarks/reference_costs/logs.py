"""Costs of logs: the first append after reopening, reading on, memory, and processes that share one stream."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from reference_store import FileDataStore, JournalStore
from reference_store.models import Event
from reference_store.stores.event_times import members
from tests.benchmarks.reference_costs.measure import (
    SQLITE,
    STORE,
    Chosen,
    Cost,
    costs,
    in_turn,
    peak_of,
    sqlite,
    table,
    unsynced,
)
from tests.benchmarks.reference_costs.values import FIRST, SECOND

RECORD = {"symbol": "BTC/USDT", "side": "buy", "amount": 0.01, "price": 64000.5, "meta": {"strategy": "momentum"}}
TEXT = json.dumps(RECORD)


def filled(root: Path, records: int) -> JournalStore:
    """A log of so many records; it was made in this process, which knows its end."""
    store = JournalStore(root, lock_timeout=600)
    with unsynced():
        for begin in range(0, records, 5000):
            number = min(5000, records - begin)
            for ticket in store.append_all("log", [store.checked("log", RECORD) for _ in range(number)]):
                ticket.outcome()
    return store


def lines(records: int) -> Iterator[tuple[object, ...]]:
    return ((number, TEXT) for number in range(records))


def append(chosen: Chosen) -> Iterator[list[Cost]]:
    """An append while the log is open, and the first one of a process that has opened it again."""
    for size in chosen.sizes(1_000, 100_000, 1_000_000):
        place = chosen.empty("log")
        store = filled(place / "log", size)
        database = table(place / "log.db", "n INTEGER PRIMARY KEY, record TEXT", lines(size))

        def insert(database: Any) -> None:
            database.execute("INSERT INTO t (record) VALUES (?)", (json.dumps(RECORD),))

        live = {STORE: lambda _, s=store: s.append("log", RECORD), SQLITE: lambda _, d=database: insert(d)}
        yield costs("append to an open log", size, in_turn(live, chosen.repeats * 4))

        def reopened(_: int, place: Path = place) -> None:
            again = JournalStore(place / "log", lock_timeout=600)
            again.append("log", RECORD)
            again.close()

        def reopened_database(_: int, place: Path = place) -> None:
            again = sqlite(place / "log.db")
            insert(again)
            again.close()

        sides = {STORE: reopened, SQLITE: reopened_database}
        yield costs("first append after reopening", size, in_turn(sides, chosen.repeats, warm=False))

        def last(_: int, store: JournalStore = store, size: int = size) -> None:
            store.read("log", since=size - 100, limit=100)

        def last_rows(_: int, database: Any = database, size: int = size) -> None:
            found = database.execute("SELECT record FROM t WHERE n >= ? ORDER BY n LIMIT 100", (size - 100,))
            for (record,) in found:
                json.loads(record)

        yield costs("read the last 100 of a log", size, in_turn({STORE: last, SQLITE: last_rows}, chosen.repeats))
        yield memory(place, size)


def memory(place: Path, size: int) -> list[Cost]:
    """Peak memory of reading all of a log in pages."""
    ours = (
        "from reference_store import JournalStore\nstore = JournalStore(sys.argv[1])\nbegin()\nsince = 0\n"
        "while page := store.read('log', since=since, limit=1000): since += len(page)\n"
    )
    theirs = (
        "import json, sqlite3\ndatabase = sqlite3.connect(sys.argv[1])\nbegin()\n"
        "for (record,) in database.execute('SELECT record FROM t ORDER BY n'): json.loads(record)\n"
    )
    peaks = {STORE: peak_of(ours, place / "log"), SQLITE: peak_of(theirs, place / "log.db")}
    return costs("memory of reading a log in pages", size, peaks, "MB")


def append_in_processes(chosen: Chosen) -> Iterator[list[Cost]]:
    """How many appends four processes get done on one stream, and the longest wait of one of them."""
    place = chosen.empty("shared")
    JournalStore(place / "log").append("log", RECORD)
    table(place / "log.db", "n INTEGER PRIMARY KEY, record TEXT", iter([])).close()
    rates: dict[str, list[float]] = {STORE: [], SQLITE: []}
    waits: dict[str, float] = {STORE: 0.0, SQLITE: 0.0}
    for _ in range(chosen.repeats):
        for side in rates:
            rate, wait = _together(place, side, 0.5 if chosen.quick else 1.5)
            rates[side].append(rate)
            waits[side] = max(waits[side], wait)
    medians = {side: sorted(found)[len(found) // 2] for side, found in rates.items()}
    yield costs("appends of 4 processes to one stream", 4, medians, "/s", less=False)
    yield costs("longest wait of 4 processes on one stream", 4, {s: w * 1000 for s, w in waits.items()})


def _together(place: Path, side: str, seconds: float) -> tuple[float, float]:
    context = multiprocessing.get_context("fork")
    begin, results = context.Barrier(4), context.SimpleQueue()
    processes = [context.Process(target=_append, args=(place, side, seconds, begin, results)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(count for count, _ in found) / seconds, max(wait for _, wait in found)


def _append(place: Path, side: str, seconds: float, begin: Any, results: Any) -> None:
    if side == STORE:
        store = JournalStore(place / "log", lock_timeout=60)

        def once() -> object:
            return store.append("log", RECORD)
    else:
        database = sqlite(place / "log.db")

        def once() -> object:
            return database.execute("INSERT INTO t (record) VALUES (?)", (json.dumps(RECORD),))

    begin.wait()
    count, longest, end = 0, 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        once()
        longest = max(longest, time.monotonic() - before)
        count += 1
    results.put((count, longest))


def events(chosen: Chosen) -> Iterator[list[Cost]]:
    """One minute out of the events of a day."""
    begin, end = FIRST + SECOND * 43_200, FIRST + SECOND * 43_259
    for size in chosen.sizes(1_000, 10_000, 100_000):
        place = chosen.empty("events")
        store = FileDataStore(place / "events")
        step = SECOND * 86_400 / size
        with unsynced():
            _write_events(store, size, step)
        rows = (((FIRST + number * step).isoformat(), "tick", json.dumps({"n": number})) for number in range(size))
        database = table(place / "events.db", "at TEXT, type TEXT, data TEXT", rows, "at")

        def ours(_: int, store: FileDataStore = store) -> None:
            store.read_events(begin, end)

        def theirs(_: int, database: Any = database) -> None:
            found = database.execute(
                "SELECT at, type, data FROM t WHERE at BETWEEN ? AND ?", (begin.isoformat(), end.isoformat())
            )
            for at, kind, data in found:
                Event(type=kind, timestamp=type(begin).fromisoformat(at), data=json.loads(data))

        yield costs("events of one minute of a day", size, in_turn({STORE: ours, SQLITE: theirs}, chosen.repeats))


def _write_events(store: FileDataStore, size: int, step: Any) -> None:
    """All in a few writes."""
    journal = store._events.journal
    for begin in range(0, size, 5000):
        events = (Event(type="tick", timestamp=FIRST + n * step, data={"n": n}) for n in range(begin, begin + 5000))
        found = [members(event) for event in islice(events, min(5000, size - begin))]
        for stream, records in groupby(found, key=itemgetter(0)):
            for ticket in journal.append_all(stream, [journal.checked(stream, record) for _, record in records]):
                ticket.outcome()
