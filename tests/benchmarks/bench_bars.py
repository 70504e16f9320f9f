"""What bars cost beside bare pyarrow and other stores: ``python -m tests.benchmarks.bench_bars [--rounds N]``.

Four tasks: read a month of minute bars, add a day to that month durably, read a million bars as a table and as objects.
All ways of a task alternate in one run; the figure is the median of the ratios of neighbouring slices. Stores that are
not installed are named and left out: ArcticDB and deltalake may need an environment of their own, with this file.

The bare ways use pyarrow as carefully as it can be used: they read with page checksum verification; they write with
page checksums to a buffer, then temp file, fsync, rename, fsync of the directory. They hash nothing, lock nothing and
know one file only.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from itertools import starmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reference_store import FileDataStore
from reference_store.models import PriceBar

Way = Callable[[int], object]
MINUTE = timedelta(minutes=1)
COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")


def bars(first: datetime, count: int, seed: int = 0) -> list[PriceBar]:
    """Minute bars of a random walk in cents, different for every seed."""
    price, state, made = 15_000, seed * 2654435761 % 2**32 + 1, []
    for number in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        price += (state >> 16) % 21 - 10
        o, c = price / 100, (price + (state >> 8) % 11 - 5) / 100
        made.append(PriceBar("AAPL", first + number * MINUTE, o, max(o, c) + 0.01, min(o, c) - 0.02, c, state % 50_000))
    return made


def days() -> list[list[PriceBar]]:
    """The day that is added, with other prices each time."""
    return [bars(DAY, DAY_LENGTH, turn) for turn in range(16)]


def table_of(made: list[PriceBar]) -> pa.Table:
    return pa.table({name: [getattr(bar, name) for bar in made] for name in COLUMNS})


def publish(directory: int, name: str, data: Any) -> None:
    """Replace a file, durably, with the bare calls."""
    staged = os.open(f".{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=directory)
    os.write(staged, data)
    os.fsync(staged)
    os.close(staged)
    os.rename(f".{name}", name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def bare_merge(root: Path) -> Way:
    """Read the month, add the day, sort, let the later of two bars count, and replace the file."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    path = root / "month.parquet"
    made = days()

    def add(turn: int) -> None:
        new = table_of(made[turn % len(made)])
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            old = file.read()
        old = old.filter(pc.invert(pc.is_in(old.column("date"), value_set=new.column("date"))))
        sink = pa.BufferOutputStream()
        pq.write_table(pa.concat_tables([old, new]).sort_by("date"), sink, write_page_checksum=True)
        publish(directory, "month.parquet", sink.getvalue())

    return add


def sqlite(root: Path, made: list[PriceBar]) -> sqlite3.Connection:
    connection = sqlite3.connect(root / "bars.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=EXTRA")
    connection.execute(
        "CREATE TABLE bars (symbol TEXT, date INTEGER, open REAL, high REAL, low REAL, close REAL, volume INTEGER,"
        " PRIMARY KEY (symbol, date)) WITHOUT ROWID"
    )
    sqlite_add(connection, made)
    return connection


def sqlite_add(connection: sqlite3.Connection, made: list[PriceBar]) -> None:
    origin = datetime(1970, 1, 1)  # noqa: DTZ001 - naive bars
    rows = [
        (b.symbol, (b.date - origin) // timedelta(microseconds=1), b.open, b.high, b.low, b.close, b.volume)
        for b in made
    ]
    connection.execute("BEGIN")
    connection.executemany("INSERT OR REPLACE INTO bars VALUES (?,?,?,?,?,?,?)", rows)
    connection.execute("COMMIT")


def sqlite_objects(connection: sqlite3.Connection) -> list[PriceBar]:
    origin = datetime(1970, 1, 1)  # noqa: DTZ001 - naive bars
    return [
        PriceBar(symbol, origin + timedelta(0, 0, date), *values)
        for symbol, date, *values in connection.execute("SELECT * FROM bars ORDER BY date")
    ]


def deltalake(root: Path, made: list[PriceBar]) -> dict[str, Way]:
    """Its ways by task; raises ImportError when it is not installed."""
    delta = import_module("deltalake")
    path = str(root / "delta")
    delta.write_deltalake(path, table_of(made))
    made = days()

    def add(turn: int) -> object:
        new = table_of(made[turn % len(made)])
        merge = delta.DeltaTable(path).merge(new, "t.date = s.date", source_alias="s", target_alias="t")
        return merge.when_matched_update_all().when_not_matched_insert_all().execute()

    read: Way = lambda _: pa.table(delta.DeltaTable(path).to_pyarrow_table())  # noqa: E731
    return {"read": read, "add": add, "table": read}


def arcticdb(root: Path, made: list[PriceBar]) -> dict[str, Way]:
    """Its ways by task; raises ImportError when it is not installed."""
    arctic = import_module("arcticdb").Arctic(f"lmdb://{root / 'arctic'}")
    library = arctic.create_library("bars")
    frame = lambda made: table_of(made).to_pandas().set_index("date")  # noqa: E731
    library.write("AAPL", frame(made))
    new = days()
    read: Way = lambda _: library.read("AAPL").data  # noqa: E731
    return {"read": read, "add": lambda turn: library.update("AAPL", frame(new[turn % len(new)])), "table": read}


OTHERS = {"deltalake": deltalake, "arcticdb": arcticdb}
MONTH, DAY, MONTH_LENGTH, DAY_LENGTH = datetime(2026, 1, 5), datetime(2026, 1, 20), 8_190, 390  # noqa: DTZ001
MILLION = 1_000_000


def alternate(ways: dict[str, Way], rounds: int, calls: int) -> dict[str, list[float]]:
    """Seconds per call of each way, in alternating slices; the first slice warms up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            begun = time.perf_counter()
            for call in range(calls):
                way(turn * calls + call)
            taken[name].append((time.perf_counter() - begun) / calls)
    return {name: slices[1:] for name, slices in taken.items()}


def report(task: str, taken: dict[str, list[float]], ours: str, limits: dict[str, float]) -> None:
    print(f"\n{task}")
    print(f"  {ours:44} {statistics.median(taken[ours]) * 1e3:9.2f} ms")
    for name, slices in taken.items():
        if name != ours:
            ratio = statistics.median(own / other for own, other in zip(taken[ours], slices, strict=True))
            wanted = f"   (reach: <= {limits[name]})" if name in limits else ""
            print(f"  {name:44} {statistics.median(slices) * 1e3:9.2f} ms   we take {ratio:5.2f} x its time{wanted}")


def month(root: Path, rounds: int) -> None:
    made = bars(MONTH, MONTH_LENGTH)
    store = FileDataStore(root / "store")
    store.write_bars("AAPL", made)
    pq.write_table(table_of(made), root / "month.parquet", write_page_checksum=True)
    own = root / "store" / "prices" / "AAPL" / "2026-01.parquet"
    start, end = MONTH, MONTH + 31 * 24 * 60 * MINUTE

    def read_bare(path: Path) -> pa.Table:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()

    connection = sqlite(root, made)
    reads: dict[str, Way] = {
        "read_bars_table": lambda _: store.read_bars_table("AAPL", start, end),
        "ParquetFile.read, our file": lambda _: read_bare(own),
        "ParquetFile.read, pyarrow's default file": lambda _: read_bare(root / "month.parquet"),
        "sqlite3 tuples": lambda _: connection.execute("SELECT * FROM bars ORDER BY date").fetchall(),
    }
    new = days()
    adds: dict[str, Way] = {
        "write_bars": lambda turn: store.write_bars("AAPL", new[turn % len(new)]),
        "pyarrow merge+replace+fsync+page checksums": bare_merge(root),
        "sqlite3 synchronous=EXTRA": lambda turn: sqlite_add(connection, new[turn % len(new)]),
    }
    for name, other in OTHERS.items():
        try:
            ways = other(root, made)
        except ImportError:
            print(f"{name} is not installed here: not measured")
            continue
        reads[name], adds[name] = ways["read"], ways["add"]
    limits = {"ParquetFile.read, our file": 1.2, "ParquetFile.read, pyarrow's default file": 1.2}
    report(f"a month of {MONTH_LENGTH:,} bars read", alternate(reads, rounds, 20), "read_bars_table", limits)
    limits = {"pyarrow merge+replace+fsync+page checksums": 1.1}
    report(f"a day of {DAY_LENGTH} bars into that month, durable", alternate(adds, rounds, 5), "write_bars", limits)
    connection.close()


def million(root: Path, rounds: int) -> None:
    first = datetime(2024, 1, 1)  # noqa: DTZ001 - naive bars
    made = bars(first, MILLION)
    store = FileDataStore(root / "store")
    store.write_bars("AAPL", made)
    pq.write_table(table_of(made), root / "bars.parquet", write_page_checksum=True)
    connection = sqlite(root, made)
    del made
    end = first + MILLION * MINUTE

    def bare(_: int) -> pa.Table:
        with pq.ParquetFile(root / "bars.parquet", page_checksum_verification=True) as file:
            return file.read()

    def bare_objects(turn: int) -> list[PriceBar]:
        return list(starmap(PriceBar, zip(*(bare(turn).column(name).to_pylist() for name in COLUMNS), strict=True)))

    months = len(list((root / "store" / "prices" / "AAPL").glob("*.parquet")))
    tables: dict[str, Way] = {
        f"read_bars_table, {months} files": lambda _: store.read_bars_table("AAPL", first, end),
        "ParquetFile.read, 1 file": bare,
    }
    objects: dict[str, Way] = {
        f"read_bars, {months} files": lambda _: store.read_bars("AAPL", first, end),
        "ParquetFile.read + to_pylist + PriceBar": bare_objects,
        "sqlite3 + PriceBar": lambda _: sqlite_objects(connection),
    }
    report("a million bars as a table", alternate(tables, rounds, 1), next(iter(tables)), {})
    report("a million bars as objects", alternate(objects, max(rounds // 4, 2), 1), next(iter(objects)), {})
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="slices of each way")
    parser.add_argument("--directory", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--task", choices=("month", "million", "all"), default="all")
    chosen = parser.parse_args()
    for name, task in (("month", month), ("million", million)):
        if chosen.task in (name, "all"):
            with tempfile.TemporaryDirectory(dir=chosen.directory) as root:
                task(Path(root), chosen.rounds)


if __name__ == "__main__":
    main()
