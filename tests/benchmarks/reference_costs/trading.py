"""Costs of bars and company data: one hour of many bars, the next bar, and a new version beside old ones."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reference_store import FileDataStore
from reference_store.models import FundamentalData
from tests.benchmarks.reference_costs.measure import (
    SQLITE,
    STORE,
    Chosen,
    Cost,
    NotThere,
    costs,
    in_turn,
    sqlite,
    table,
    unsynced,
)
from tests.benchmarks.reference_costs.values import FIRST, MINUTE, SECOND, bar

COLUMNS = "symbol TEXT, date TEXT, open REAL, high REAL, low REAL, close REAL, volume INTEGER"
MONTH = FIRST.replace(day=1)
DELTA, DUCKDB, REWRITING = "deltalake", "duckdb", "rewriting it"


def _rows(size: int, symbol: str = "AAPL", first: Any = MONTH) -> Iterator[tuple[object, ...]]:
    for number in range(size):
        b = bar(number, symbol, first)
        yield b.symbol, b.date.isoformat(), b.open, b.high, b.low, b.close, b.volume


def _written(place: Path, size: int, symbol: str = "AAPL") -> FileDataStore:
    store = FileDataStore(place, lock_timeout=600)
    with unsynced():
        for begin in range(0, size, 100_000):
            store.write_bars(symbol, [bar(n, symbol, MONTH) for n in range(begin, min(begin + 100_000, size))])
    return store


def one_hour(chosen: Chosen) -> Iterator[list[Cost]]:
    """One hour out of many bars of a minute."""
    for size in chosen.sizes(10_000, 100_000, 1_000_000):
        place = chosen.empty("bars")
        store = _written(place / "bars", size)
        database = table(place / "bars.db", COLUMNS, _rows(size), "symbol, date")
        begin = MONTH + size // 2 * MINUTE
        end = begin + 59 * MINUTE

        def theirs(_: int, database: Any = database, begin: Any = begin, end: Any = end) -> None:
            query = "SELECT * FROM t WHERE symbol = 'AAPL' AND date BETWEEN ? AND ?"
            found = [
                (type(begin).fromisoformat(row[1]), *row[2:])
                for row in database.execute(query, (begin.isoformat(), end.isoformat()))
            ]
            assert len(found) == 60

        def ours(_: int, store: FileDataStore = store, begin: Any = begin, end: Any = end) -> None:
            assert len(store.read_bars("AAPL", begin, end)) == 60

        yield costs("one hour of bars", size, in_turn({STORE: ours, SQLITE: theirs}, chosen.repeats))


def next_bar(chosen: Chosen) -> Iterator[list[Cost]]:
    """One bar more in a month of so many, against writing the month anew, deltalake's append and others."""
    for size in (10, 43_000):
        place = chosen.empty("next")
        store = _written(place / "bars", size)
        database = table(place / "bars.db", COLUMNS, _rows(size), "symbol, date")
        sides: dict[str, Callable[[int], object]] = {
            STORE: lambda turn, s=store, n=size: s.write_bars("AAPL", [bar(n + turn, "AAPL", MONTH)]),
            SQLITE: lambda turn, d=database, n=size: d.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", next(_rows(1, first=MONTH + (n + turn) * MINUTE))
            ),
            REWRITING: _rewriting(place / "month.parquet", size),
        }
        for name, make in ((DELTA, _delta), (DUCKDB, _duckdb)):
            try:
                sides[name] = make(place / name, size)
            except ImportError:
                continue
        yield costs("next bar of a month", size, in_turn(sides, chosen.repeats * 2))


def _table(size: int, first: Any = MONTH) -> pa.Table:
    names = [column.split()[0] for column in COLUMNS.split(", ")]
    rows = [
        (b.symbol, b.date, b.open, b.high, b.low, b.close, b.volume)
        for b in (bar(n, "AAPL", first) for n in range(size))
    ]
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def _rewriting(path: Path, size: int) -> Callable[[int], object]:
    """The month read, one bar added, and written anew, durably: what an append of one bar is measured against."""
    import os

    options = {"compression": "snappy", "write_page_checksum": True}
    pq.write_table(_table(size), path, **options)

    def again(turn: int) -> None:
        month = pq.ParquetFile(path, page_checksum_verification=True).read()
        staged = path.with_suffix(".new")
        pq.write_table(pa.concat_tables([month, _table(1, MONTH + (size + turn) * MINUTE)]), staged, **options)
        for place, change in ((staged, lambda: os.replace(staged, path)), (path.parent, lambda: None)):
            descriptor = os.open(place, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            change()

    return again


def _delta(path: Path, size: int) -> Callable[[int], object]:
    from deltalake import write_deltalake

    write_deltalake(str(path), _table(size))
    return lambda turn: write_deltalake(str(path), _table(1, MONTH + (size + turn) * MINUTE), mode="append")


def _duckdb(path: Path, size: int) -> Callable[[int], object]:
    import duckdb

    database = duckdb.connect(str(path))
    database.register("first", _table(size))
    database.execute("CREATE TABLE t AS SELECT * FROM first")

    def insert(turn: int) -> None:
        row = _table(1, MONTH + (size + turn) * MINUTE).to_pylist()[0]
        database.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", list(row.values()))

    return insert


def many_symbols(chosen: Chosen) -> Iterator[list[Cost]]:
    """The next bar of 100 symbols in one call, all or nothing, each into a month of a thousand."""
    place = chosen.empty("many")
    store = FileDataStore(place / "bars", lock_timeout=600)
    if not hasattr(store, "write_bars_of_many"):
        raise NotThere("write_bars_of_many")
    names = [f"S{number}" for number in range(100)]
    with unsynced():
        for name in names:
            store.write_bars(name, [bar(n, name, MONTH) for n in range(1_000)])
    rows = (row for name in names for row in _rows(1_000, name))
    database = table(place / "bars.db", COLUMNS, rows, "symbol, date")

    def ours(turn: int) -> None:
        store.write_bars_of_many({name: [bar(1_000 + turn, name, MONTH)] for name in names})

    def theirs(turn: int) -> None:
        database.execute("BEGIN")
        new = (next(_rows(1, name, MONTH + (1_000 + turn) * MINUTE)) for name in names)
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", new)
        database.execute("COMMIT")

    sides = {STORE: ours, SQLITE: theirs}
    yield costs("next bar of 100 symbols in one call", 100, in_turn(sides, chosen.repeats))


def companies(chosen: Chosen) -> Iterator[list[Cost]]:
    """A new version of company data of 200 KB, beside so many versions."""
    for size in chosen.sizes(1, 10, 100):
        place = chosen.empty("companies")
        store = FileDataStore(place / "store", lock_timeout=60)

        def version(number: int) -> FundamentalData:
            xml = f"<report n='{number}'>" + "0123456789abcdef" * 12_500 + "</report>"
            return FundamentalData(symbol="AAPL", timestamp=FIRST + number * SECOND, raw_xml=xml)

        with unsynced():
            for number in range(size):
                store.write_fundamental("AAPL", version(number))
        database = sqlite(place / "companies.db")
        database.execute("CREATE TABLE t (symbol TEXT, at TEXT, data TEXT, PRIMARY KEY (symbol, at))")

        def insert(number: int, database: Any = database) -> None:
            found = version(number)
            row = ("AAPL", found.timestamp.isoformat(), json.dumps(found.model_dump(mode="json")))
            database.execute("INSERT OR REPLACE INTO t VALUES (?, ?, ?)", row)

        for number in range(size):
            insert(number)
        sides = {
            STORE: lambda turn, s=store, n=size: s.write_fundamental("AAPL", version(n + turn)),
            SQLITE: lambda turn, i=insert, n=size: i(n + turn),
        }
        yield costs("new version of company data", size, in_turn(sides, chosen.repeats))
        latest = {
            STORE: lambda _, s=store: s.read_fundamental("AAPL"),
            SQLITE: lambda _, d=database: json.loads(
                d.execute("SELECT data FROM t WHERE symbol = 'AAPL' ORDER BY at DESC LIMIT 1").fetchone()[0]
            ),
        }
        yield costs("latest version of company data", size, in_turn(latest, chosen.repeats))
