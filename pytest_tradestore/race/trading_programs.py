"""How the trading contracts say what concurrent callers do: places that share a month, a table or a log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_tradestore.race.audit_programs import audit
from pytest_tradestore.race.execution import Call
from pytest_tradestore.race.programs import Vocabulary, shown, value
from pytest_tradestore.records import Records


def _bars(_: frozenset[str], make: Records) -> Vocabulary:
    def bar(day: int, volume: int) -> Any:
        price: dict[str, Any] = {"open": 100.0, "high": 102.5, "low": 98.75, "close": 101.0, "volume": volume}
        return make.make_bar(symbol="AAPL", date=datetime(2026, 1, day), **price)

    def write(day: int, volume: int) -> Call:
        text = f"write_bars('AAPL', [bar of 2026-01-{day:02d}, volume {volume}])"
        return Call("write_bars", ("AAPL", [bar(day, volume)]), "AAPL", text)

    month = (datetime(2026, 1, 1), datetime(2026, 1, 31, 23, 59))
    read = Call("read_bars", ("AAPL", *month), "AAPL", "read_bars('AAPL', 2026-01-01, 2026-01-31)")
    return Vocabulary(
        lambda number: write(5 + number, 1000 + number),
        lambda number: write(5, 2000 + number),
        lambda _: read,
        lambda _: (read,),
    )


def _fundamentals(_: frozenset[str], make: Records) -> Vocabulary:
    def write(day: int, employees: int) -> Call:
        data = make.make_fundamental(
            symbol="AAPL",
            timestamp=datetime(2026, 1, day),
            company_name="AAPL Inc",
            cik="0000320193",
            employees=employees,
            shares_outstanding=14776353000.0,
            float_shares=None,
            industry="Technology",
            category=None,
            subcategory=None,
            raw_xml="<filing/>",
        )
        text = f"write_fundamental('AAPL', {{timestamp: 2026-01-{day:02d}, employees: {employees}}})"
        return Call("write_fundamental", ("AAPL", data), "AAPL", text)

    def read(day: int) -> Call:
        when = datetime(2026, 1, day, 12)
        return Call("read_fundamental", ("AAPL", when), "AAPL", f"read_fundamental('AAPL', 2026-01-{day:02d}T12)")

    def publish(number: int) -> Call:
        return write(5 + number, 100 + number)

    # No day twice: which of two filings of one moment is the latest, nobody has said. Each is looked for at noon of its
    # own day, so that the loss of any shows.
    days = tuple(read(5 + number) for number in range(3))
    return Vocabulary(publish, publish, lambda number: read(5 + number), lambda _: days)


def _events(_: frozenset[str], make: Records) -> Vocabulary:
    def write(number: int) -> Call:
        event = make.make_event(
            timestamp=datetime(2026, 1, 5, 9, 30, number),
            type="earnings",
            symbol="AAPL",
            data={"number": number, "text": "beat" * (1 + number % 3)},
        )
        return Call("write_event", (event,), "events", f"write_event({{number: {number}}})")

    days = (datetime(2026, 1, 1), datetime(2026, 1, 31))
    read = Call("read_events", days, "events", "read_events(2026-01-01, 2026-01-31)")
    return Vocabulary(write, write, lambda _: read, lambda _: (read,))


def _state(_: frozenset[str], __: Records) -> Vocabulary:
    names = ("momentum", "value", "carry")

    def save(name: str, number: int) -> Call:
        text = f"save_strategy_state({name!r}, {shown(number)})"
        return Call("save_strategy_state", (name, value(number)), name, text)

    def load(number: int) -> Call:
        return Call("load_strategy_state", (names[number],), names[number], f"load_strategy_state({names[number]!r})")

    return Vocabulary(
        lambda number: save(names[number], number),
        lambda number: save(names[0], 10 + number),
        load,
        lambda count: tuple(load(i) for i in range(count)),
    )


def _jobs(_: frozenset[str], make: Records) -> Vocabulary:
    def save(name: str, version: int) -> Call:
        job = make.make_job(
            job_id=name,
            job_type="backtest",
            status="running",
            created_at=datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(minutes=version),
            params={"version": version, "note": "sweep" * (version % 3)},
        )
        return Call("save", (job,), name, f"save({{job_id: {name!r}, version: {version}}})")

    def get(number: int) -> Call:
        return Call("get", (f"job-{number}",), f"job-{number}", f"get('job-{number}')")

    return Vocabulary(
        lambda number: save(f"job-{number}", number),
        lambda number: save("job-0", 10 + number),
        get,
        lambda count: tuple(get(i) for i in range(count)),
    )


def _runs(_: frozenset[str], __: Records) -> Vocabulary:
    def write(number: int, kind: str) -> Call:
        name = f"run-{number}"
        return Call("create_or_update_run", (name, kind), name, f"create_or_update_run({name!r}, {kind!r})")

    def get(number: int) -> Call:
        return Call("get_run", (f"run-{number}",), f"run-{number}", f"get_run('run-{number}')")

    return Vocabulary(
        lambda number: write(number, f"kind{number}"),
        lambda number: write(0, f"kind1{number}"),
        get,
        lambda count: tuple(get(i) for i in range(count)),
        Call("delete_run", ("run-0",), "run-0", "delete_run('run-0')"),
    )


TRADING: dict[str, Callable[[frozenset[str], Records], Vocabulary | None]] = {
    "bars": _bars,
    "fundamentals": _fundamentals,
    "events": _events,
    "state": _state,
    "audit": audit,
    "jobs": _jobs,
    "runs": _runs,
}
