"""Workloads of the trading contracts: where files are shared, grow, or are changed several at a time."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pytest_tradestore.contracts import Contract
from pytest_tradestore.crash.observation import (
    Absent,
    Names,
    Records,
    Seen,
    Value,
    canonical,
    counted,
    document_seen,
)
from pytest_tradestore.crash.workloads import LARGE, Update, Workload, ledger
from pytest_tradestore.records import Records as RecordMaker
from pytest_tradestore.records import field, page_of, plain
from pytest_tradestore.target import OpenStore

Look = Callable[[OpenStore, str], Seen]


def _value(record: Any) -> Seen:
    return Absent() if record is None or record == {} else Value(canonical(plain(record)))


def _items(records: Any) -> Seen:
    return Records(tuple(canonical(plain(record)) for record in (records or ())))


# -- bars ---------------------------------------------------------------------------------------------------------

_MONTHS = {"2026-01": 1, "2026-02": 2, "2026-03": 3}


def bars(contract: Contract, _: frozenset[str], make: RecordMaker) -> Workload:
    """Two symbols; one call over three months that overwrites part of the first; a month that grows over pages."""

    def bar(symbol: str, day: datetime, version: int) -> Any:
        price = 100.0 + version + day.day / 100 + day.hour / 7 + day.minute / 1000
        return make.make_bar(
            symbol=symbol,
            date=day,
            open=price,
            high=price + 2.5,
            low=price - 1.25,
            close=price + 1,
            volume=1000 + version,
        )

    def write(symbol: str, first: datetime, count: int, version: int, step: timedelta = timedelta(days=1)) -> Update:
        made = [bar(symbol, first + number * step, version) for number in range(count)]
        months = sorted({f"{field(b, 'date'):%Y-%m}" for b in made})
        shown = f"write_bars({symbol!r}, {counted(count, 'bar')} of {' '.join(months)}, version {version})"
        return Update("write_bars", (symbol, made), f"{symbol} {months[0]}", shown)

    updates = (
        write("AAPL", datetime(2026, 1, 5), 3, 1),
        write("MSFT", datetime(2026, 1, 5), 2, 2),
        write("AAPL", datetime(2026, 1, 6), 60, 3),
        write("AAPL", datetime(2026, 2, 2), 320, 4, timedelta(minutes=30)),
        write("AAPL", datetime(2026, 2, 3), 1, 5),
    )
    places = (*(f"AAPL {month}" for month in _MONTHS), "MSFT 2026-01")

    def look(store: OpenStore, place: str) -> Seen:
        symbol, month = place.split(" ")
        first = datetime(2026, _MONTHS[month], 1)
        last = datetime(2026, _MONTHS[month] + 1, 1) - timedelta(microseconds=1)
        found = store.call("read_bars", symbol, first, last)
        return Value(canonical([plain(b) for b in found])) if found else Absent()

    def again(place: str, version: int) -> Update:
        symbol, month = place.split(" ")
        return write(symbol, datetime(2026, _MONTHS[month], 12), 1, version)

    return Workload(contract, updates, places, look, again)


# -- fundamentals -------------------------------------------------------------------------------------------------


def fundamentals(contract: Contract, _: frozenset[str], make: RecordMaker) -> Workload:
    """Published in order, out of order, and with a long filing attached."""

    def write(symbol: str, day: int, employees: int, xml: str = "<filing/>") -> Update:
        data = make.make_fundamental(
            symbol=symbol,
            timestamp=datetime(2026, 1, day),
            company_name=f"{symbol} Inc",
            cik="0000320193",
            employees=employees,
            shares_outstanding=14776353000.0,
            float_shares=None,
            industry="Technology",
            category=None,
            subcategory=None,
            raw_xml=xml,
        )
        size = f", raw_xml: {len(xml):,} bytes" if len(xml) > 100 else ""
        shown = f"write_fundamental({symbol!r}, {{timestamp: 2026-01-{day:02d}, employees: {employees}{size}}})"
        return Update("write_fundamental", (symbol, data), f"{symbol} latest", shown)

    long = "<filing>" + "revenue 1,234.56; " * (LARGE // 18) + "</filing>"
    updates = (
        write("AAPL", 2, 1),
        write("AAPL", 5, 2),
        write("MSFT", 3, 3),
        write("AAPL", 3, 4, long),
        write("AAPL", 9, 5),
    )
    middle = datetime(2026, 1, 4)

    def look(store: OpenStore, place: str) -> Seen:
        symbol, _, when = place.partition(" ")
        if when == "latest":
            return _value(store.call("read_fundamental", symbol))
        return _value(store.call("read_fundamental", symbol, middle))

    def again(place: str, version: int) -> Update:
        return write(place.split(" ")[0], 20 + version % 10, version)

    return Workload(contract, updates, ("AAPL latest", "AAPL as of 2026-01-04", "MSFT latest"), look, again)


# -- events -------------------------------------------------------------------------------------------------------


def events(contract: Contract, _: frozenset[str], make: RecordMaker) -> Workload:
    """Two days, out of order, one with a long text.

    Events are looked at in the order in which they were written, in whatever order the store returns them: it is the
    log of what happened, and one without an earlier one has a hole.
    """

    def write(number: int, day: int, size: int = 0) -> Update:
        data = {"number": number, "text": ("guidance raised; " * (size // 17)) if size else "beat"}
        event = make.make_event(
            timestamp=datetime(2026, 1, day, 9, 30, number % 60), type="earnings", symbol="AAPL", data=data
        )
        long = f", {size:,} bytes" if size else ""
        return Update("write_event", (event,), "events", f"write_event({{number: {number}, day: {day}{long}}})")

    def look(store: OpenStore, _: str) -> Seen:
        found = store.call("read_events", datetime(2026, 1, 1), datetime(2026, 1, 31))
        return _items(sorted(found or (), key=_number))

    updates = (write(1, 5), write(2, 5), write(3, 6), write(4, 5, LARGE), write(5, 6), write(6, 5, 5000))
    return Workload(contract, updates, ("events",), look, lambda _, version: write(version, 7))


def _number(event: Any) -> tuple[int, str]:
    """Return the place of an event among those written; what nobody wrote comes last."""
    data = plain(field(event, "data"))
    number = data.get("number") if isinstance(data, dict) else None
    return (number, "") if isinstance(number, int) else (1 << 30, canonical(plain(event)))


# -- strategy state -----------------------------------------------------------------------------------------------


def state(contract: Contract, _: frozenset[str], __: RecordMaker) -> Workload:
    """As for documents: two strategies, a state that grows over pages and shrinks."""

    def save(name: str, version: int, size: int = 0) -> Update:
        document = ledger(version, size)
        notes = f", notes: {size:,} bytes" if size else ""
        shown = f"save_strategy_state({name!r}, {{version: {version}{notes}}})"
        return Update("save_strategy_state", (name, document), name, shown)

    updates = (
        save("momentum", 1),
        save("momentum", 2),
        save("value", 3, LARGE),
        save("momentum", 4, LARGE),
        save("momentum", 5),
    )

    def look(store: OpenStore, place: str) -> Seen:
        return document_seen(store.call("load_strategy_state", place))

    return Workload(contract, updates, ("momentum", "value"), look, save)


# -- audit log ----------------------------------------------------------------------------------------------------


def audit(contract: Contract, methods: frozenset[str], make: RecordMaker) -> Workload:
    """The first and second decision of the day, an order between them, and a reasoning over several pages."""

    def decide(number: int, size: int = 0) -> Update:
        reasoning = f"reason {number}: " + ("strong fundamentals " * (size // 20) if size else "strong")
        decision = make.make_decision(
            symbol="AAPL", action="BUY", target_weight=0.05, confidence=number / 128, reasoning=reasoning
        )
        long = f", reasoning: {len(reasoning):,} bytes" if size else ""
        return Update("log_decision", ("momentum", decision), "decisions", f"log_decision({{number: {number}{long}}})")

    def order(number: int) -> Update:
        asked = make.make_order(
            strategy_name="momentum", symbol="AAPL", action="BUY", quantity=100 + number, order_type="MARKET"
        )
        result = make.make_order_result(
            order_id=number, status="filled", fill_price=150.25, fill_quantity=100 + number, message=None
        )
        return Update("log_order", ("momentum", asked, result), "orders", f"log_order({{order_id: {number}}})")

    def look(store: OpenStore, place: str) -> Seen:
        reader = f"read_{place}"
        if reader in methods:
            today = date.today()  # noqa: DTZ011 - the log is kept by the local day, and both sides of midnight are read
            days = (today - timedelta(days=1), today, today + timedelta(days=1))
            return _items([record for day in days for record in store.call(reader, day) or ()])
        return lines_of(store, place)

    updates = (decide(1), decide(2), order(3), decide(4, LARGE), order(5), decide(6, 5000))
    return Workload(
        contract,
        updates,
        ("decisions", "orders"),
        look,
        lambda place, version: decide(version) if place == "decisions" else order(version),
    )


def lines_of(store: OpenStore, place: str) -> Seen:
    """Read a log that its store cannot read back: the lines of its JSONL files, as anybody would.

    What is left of a line that was cut off at the very end is not one yet; any other that is no JSON stops a reader.
    """
    found: list[str] = []
    for path in sorted(store.root.glob(f"**/{place}/*.jsonl")):
        *lines, last = path.read_bytes().split(b"\n")
        found += [_line(line) for line in lines if line]
        with suppress(ValueError):
            found += [_line(last)] if last else []
    return Records(tuple(found))


def _line(line: bytes) -> str:
    """Return the record of a line; a checksum or the like may stand before it."""
    try:
        return canonical(json.loads(line[max(0, line.find(b"{")) :]))
    except ValueError:
        raise ValueError(f"a line is no JSON: {line[:40]!r}, {len(line):,} bytes") from None


# -- jobs and runs ------------------------------------------------------------------------------------------------

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def jobs(contract: Contract, _: frozenset[str], make: RecordMaker) -> Workload:
    """A job changed in a file with several, until the file covers pages; old jobs cleaned up."""

    def save(name: str, status: str, version: int, size: int = 0, finished: datetime | None = None) -> Update:
        job = make.make_job(
            job_id=name,
            job_type="backtest",
            status=status,
            created_at=_LONG_AGO + timedelta(minutes=version),
            finished_at=finished,
            params={"version": version, "note": "parameter sweep; " * (size // 17)},
        )
        long = f", {size:,} bytes" if size else ""
        return Update("save", (job,), name, f"save({{job_id: {name!r}, status: {status!r}, version: {version}{long}}})")

    names = ("job-1", "job-2", "job-3", "job-4")
    updates = (
        save("job-1", "pending", 1),
        save("job-2", "completed", 2, 6000, _LONG_AGO),
        save("job-3", "pending", 3, LARGE),
        save("job-1", "running", 4),
        Update("cleanup", (30,), "job-2", "cleanup(30)"),
        save("job-4", "pending", 5),
    )

    def look(store: OpenStore, place: str) -> Seen:
        if place == "list()":
            return Names(tuple(sorted(str(field(job, "job_id")) for job in page_of(store.call("list")))))
        return _value(store.call("get", place))

    return Workload(
        contract,
        updates,
        (*names, "list()"),
        look,
        lambda place, version: save(place, "running", version),
        listing="list()",
    )


def runs(contract: Contract, _: frozenset[str], __: RecordMaker) -> Workload:
    """Runs created, updated, finished and deleted."""

    def write(name: str, status: str) -> Update:
        shown = f"create_or_update_run({name!r}, 'backtest', status={status!r})"
        return Update("create_or_update_run", (name, "backtest"), name, shown, {"status": status})

    names = ("run-1", "run-2", "run-3")
    updates = (
        write("run-1", "pending"),
        write("run-2", "pending"),
        write("run-1", "running"),
        write("run-3", "pending"),
        Update("delete_run", ("run-2",), "run-2", "delete_run('run-2')"),
        write("run-1", "completed"),
    )

    def look(store: OpenStore, place: str) -> Seen:
        if place == "list_runs()":
            return Names(tuple(sorted(str(field(run, "run_id")) for run in page_of(store.call("list_runs")))))
        return _value(store.call("get_run", place))

    def again(place: str, _: int) -> Update:
        return write(place, "failed")

    return Workload(contract, updates, (*names, "list_runs()"), look, again, listing="list_runs()")


TRADING: dict[str, Callable[[Contract, frozenset[str], RecordMaker], Workload]] = {
    "bars": bars,
    "fundamentals": fundamentals,
    "events": events,
    "state": state,
    "audit": audit,
    "jobs": jobs,
    "runs": runs,
}
