"""Where the contracts take identifiers: for each such place, how to write something under one, and to find it again.

Every write carries a number, its mark, by which it is known when it comes back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Protocol

from pytest_tradestore.names.nest import LEVEL
from pytest_tradestore.records import Records, field, page_of, plain

_FIRST = datetime(2026, 1, 5)  # noqa: DTZ001 - the zone is put on where a store wants one
_ALL = 100_000


class Ask(Protocol):
    """The way to an open store, as a slot uses it."""

    make: Records
    zone: tzinfo | None

    def call(self, method: str, *arguments: Any, shown: str, **options: Any) -> Any:
        """Call the store; ``shown`` is how a report writes the call. Whatever it raises is raised."""
        ...

    def has(self, method: str) -> bool:
        """Say whether the store has a method."""
        ...


@dataclass(frozen=True, slots=True)
class Back:
    """What reading gave: the marks of the records, the identifiers that they carry, and all of it as plain values."""

    marks: tuple[int, ...]
    names: tuple[Any, ...]
    content: Any


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for identifiers.

    ``read(ask, identifier)`` is given where the store can be asked by it; ``everything(ask)`` where its records carry
    it. ``names(ask)`` lists identifiers, or gives None where the store cannot. ``appends``: earlier marks stay.
    ``normalises``: the contract lets the store change the identifier. ``blank``: an empty one means "none given".
    ``read_several(ask, identifiers)`` is given where one call takes several and looks through all records anyway.
    """

    contract: str
    what: str
    write: Callable[[Ask, Any, int], Any]
    read: Callable[[Ask, Any], Back] | None = None
    everything: Callable[[Ask], list[Any] | None] | None = None
    names: Callable[[Ask], list[Any] | None] | None = None
    delete: Callable[[Ask, Any], bool] | None = None
    touch: Callable[[Ask, Any], Any] | None = None
    read_several: Callable[[Ask, Sequence[Any]], Back] | None = None
    appends: bool = False
    normalises: bool = False
    blank: bool = False
    symbols: bool = True
    """Whether what it takes are symbols and names, with dots; otherwise generated ids and kinds."""


def shown(identifier: Any, width: int = 60) -> str:
    """Return an identifier as a report writes it: in ASCII, escaped, cut when it is long."""
    text = ascii(str.__str__(identifier) if isinstance(identifier, str) else identifier)
    if LEVEL in text:
        return text  # a path of this run, which the report will call by a name
    return text if len(text) <= width else f"{text[: width - 20]}...' ({len(identifier):,} characters)"


def place_of(contract: str) -> Slot:
    """Return the first place of a contract where something can be written and read again, by identifier or not."""
    return _SLOTS[contract][0] if contract in _SLOTS else Slot(contract, "document", _save, _load)


def slots_of(contract: str) -> tuple[Slot, ...]:
    """Return the places for identifiers in a contract; none where it has only one document."""
    return _SLOTS.get(contract, ())


def _time(ask: Ask, mark: int = 0) -> datetime:
    return (_FIRST + timedelta(seconds=mark)).replace(tzinfo=ask.zone)


def _range(ask: Ask) -> tuple[datetime, datetime]:
    return _time(ask) - timedelta(days=1), _time(ask) + timedelta(days=20)


def _document(mark: int) -> dict[str, Any]:
    return {"mark": mark, "cash": 1000.25}


def _marked(value: Any) -> tuple[int, ...]:
    mark = field(value, "mark") if value else None
    return (mark,) if isinstance(mark, int) else ()


# -- documents, journal, state ------------------------------------------------------------------------------------


def _put(method: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        return ask.call(method, identifier, _document(mark), shown=f"{method}({shown(identifier)}, {{mark: {mark}}})")

    return write


def _get(method: str) -> Callable[[Ask, Any], Back]:
    def read(ask: Ask, identifier: Any) -> Back:
        found = ask.call(method, identifier, shown=f"{method}({shown(identifier)})")
        records = found if isinstance(found, list) else [found]
        return Back(tuple(mark for record in records for mark in _marked(record)), (), found)

    return read


def _remove(method: str) -> Callable[[Ask, Any], bool]:
    def delete(ask: Ask, identifier: Any) -> bool:
        if not ask.has(method):
            return False
        ask.call(method, identifier, shown=f"{method}({shown(identifier)})")
        return True

    return delete


def _keys(ask: Ask) -> list[Any] | None:
    return list(ask.call("keys", shown="keys()")) if ask.has("keys") else None


def _save(ask: Ask, _: Any, mark: int) -> Any:
    return ask.call("save", _document(mark), shown=f"save({{mark: {mark}}})")


def _load(ask: Ask, _: Any) -> Back:
    found = ask.call("load", shown="load()")
    return Back(_marked(found), (), found)


# -- bars, fundamentals, events -----------------------------------------------------------------------------------


def _write_bars(ask: Ask, symbol: Any, mark: int) -> Any:
    bar = ask.make.make_bar(
        symbol=symbol, date=_time(ask), open=100.5, high=101.0, low=99.75, close=100.0, volume=1000 + mark
    )
    return ask.call("write_bars", symbol, [bar], shown=f"write_bars({shown(symbol)}, [bar {mark}])")


def _read_bars(ask: Ask, symbol: Any) -> Back:
    found = list(ask.call("read_bars", symbol, *_range(ask), shown=f"read_bars({shown(symbol)}, ...)") or ())
    marks = tuple(int(field(bar, "volume")) - 1000 for bar in found)
    return Back(marks, tuple(field(bar, "symbol") for bar in found), found)


def _write_fundamental(ask: Ask, symbol: Any, mark: int) -> Any:
    data = ask.make.make_fundamental(
        symbol=symbol,
        timestamp=_time(ask, mark),
        company_name="A company",
        cik="0000320193",
        employees=mark,
        shares_outstanding=14776353000.0,
        float_shares=None,
        industry="Technology",
        category=None,
        subcategory=None,
        raw_xml="<filing/>",
    )
    return ask.call("write_fundamental", symbol, data, shown=f"write_fundamental({shown(symbol)}, data {mark})")


def _read_fundamental(ask: Ask, symbol: Any) -> Back:
    found = ask.call("read_fundamental", symbol, shown=f"read_fundamental({shown(symbol)})")
    if found is None or found == {}:
        return Back((), (), found)
    return Back((int(field(found, "employees")),), (field(found, "symbol"),), found)


def _write_event(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        fields = {"type": "earnings", "symbol": "AAPL"} | {which: identifier}
        event = ask.make.make_event(timestamp=_time(ask, mark), data={"mark": mark}, **fields)
        return ask.call("write_event", event, shown=f"write_event(event {mark} with {which}={shown(identifier)})")

    return write


def _read_events(ask: Ask, kind: Any) -> Back:
    return _read_events_of(ask, [kind])


def _read_events_of(ask: Ask, kinds: Sequence[Any]) -> Back:
    call = f"read_events(..., types=[{', '.join(map(shown, kinds))}])"
    found = list(ask.call("read_events", *_range(ask), list(kinds), shown=call) or ())
    marks = tuple(mark for event in found for mark in _marked(field(event, "data")))
    return Back(marks, tuple(field(event, "type") for event in found), found)


def _all_events(ask: Ask) -> list[Any]:
    return list(ask.call("read_events", *_range(ask), shown="read_events(...)") or ())


# -- audit log ----------------------------------------------------------------------------------------------------


def _decide(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        given = {"strategy": "momentum", "symbol": "AAPL"} | {which: identifier}
        decision = ask.make.make_decision(
            symbol=given["symbol"],
            action="BUY",
            target_weight=0.05,
            confidence=0.5,
            reasoning=f"mark {mark}.",
        )
        call = f"log_decision({shown(given['strategy'])}, decision {mark} about {shown(given['symbol'])})"
        return ask.call("log_decision", given["strategy"], decision, shown=call)

    return write


def _order(ask: Ask, strategy: Any, mark: int) -> Any:
    order = ask.make.make_order(strategy_name=strategy, symbol="AAPL", action="BUY", quantity=100, order_type="MARKET")
    result = ask.make.make_order_result(
        order_id=mark, status="filled", fill_price=150.25, fill_quantity=100, message=f"mark {mark}."
    )
    return ask.call("log_order", strategy, order, result, shown=f"log_order({shown(strategy)}, order {mark}, ...)")


def _lines(reader: str) -> Callable[[Ask], list[Any] | None]:
    def everything(ask: Ask) -> list[Any] | None:
        if not ask.has(reader):
            return None
        today = date.today()  # noqa: DTZ011 - the log is kept by the local day, and both sides of midnight are read
        days = (today + timedelta(days=number) for number in (-1, 0, 1))
        return [line for day in days for line in ask.call(reader, day, shown=f"{reader}(today)") or ()]

    return everything


# -- jobs and runs ------------------------------------------------------------------------------------------------


def _save_job(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        fields = {"job_id": f"job-{mark}", "job_type": "backtest"} | {which: identifier}
        job = ask.make.make_job(
            status="pending",
            created_at=(_FIRST + timedelta(seconds=mark)).replace(tzinfo=UTC),
            params={"mark": mark},
            **fields,
        )
        return ask.call("save", job, shown=f"save(job {mark} with {which}={shown(identifier)})")

    return write


def _get_job(ask: Ask, job_id: Any) -> Back:
    found = ask.call("get", job_id, shown=f"get({shown(job_id)})")
    if found is None or found == {}:
        return Back((), (), found)
    return Back(_marked(field(found, "params")), (field(found, "job_id"),), found)


def _all_jobs(ask: Ask) -> list[Any]:
    return page_of(ask.call("list", limit=_ALL, shown=f"list(limit={_ALL})"))


def _progress(ask: Ask, job_id: Any) -> Any:
    return ask.call("update_progress", job_id, 0.5, shown=f"update_progress({shown(job_id)}, 0.5)")


def _write_run(ask: Ask, run_id: Any, mark: int) -> Any:
    kind = f"mark{mark}"
    return ask.call("create_or_update_run", run_id, kind, shown=f"create_or_update_run({shown(run_id)}, '{kind}')")


def _write_kind(ask: Ask, kind: Any, mark: int) -> Any:
    run_id = f"run-{mark}"
    return ask.call("create_or_update_run", run_id, kind, shown=f"create_or_update_run('{run_id}', {shown(kind)})")


def _get_run(ask: Ask, run_id: Any) -> Back:
    found = ask.call("get_run", run_id, shown=f"get_run({shown(run_id)})")
    if found is None or found == {}:
        return Back((), (), found)
    kind = str(plain(field(found, "kind"))).removeprefix("mark")
    return Back((int(kind),) if kind.isdecimal() else (), (field(found, "run_id"),), found)


def _listed(everything: Callable[[Ask], list[Any]], name: str) -> Callable[[Ask], list[Any] | None]:
    return lambda ask: [field(record, name) for record in everything(ask)]


def _all_runs(ask: Ask) -> list[Any]:
    return page_of(ask.call("list_runs", limit=_ALL, shown=f"list_runs(limit={_ALL})"))


def _by_contract() -> Iterator[Slot]:
    yield Slot("documents", "key", _put("put"), _get("get"), names=_keys, delete=_remove("delete"))
    yield Slot("journal", "stream", _put("append"), _get("read"), appends=True)
    yield Slot("state", "strategy name", _put("save_strategy_state"), _get("load_strategy_state"))
    yield Slot("bars", "symbol", _write_bars, _read_bars)
    yield Slot("fundamentals", "symbol", _write_fundamental, _read_fundamental)
    several = _read_events_of
    kinds = _write_event("type")
    yield Slot("events", "type", kinds, _read_events, read_several=several, appends=True, symbols=False)
    yield Slot("events", "symbol", _write_event("symbol"), everything=_all_events)
    yield Slot("audit", "strategy name", _decide("strategy"), everything=_lines("read_decisions"), appends=True)
    yield Slot("audit", "symbol", _decide("symbol"), everything=_lines("read_decisions"), appends=True)
    yield Slot("audit", "strategy name of an order", _order, everything=_lines("read_orders"), appends=True)
    jobs = _listed(_all_jobs, "job_id")
    yield Slot("jobs", "job id", _save_job("job_id"), _get_job, names=jobs, touch=_progress, symbols=False)
    yield Slot("jobs", "job type", _save_job("job_type"), everything=_all_jobs, symbols=False)
    delete = _remove("delete_run")
    runs = _listed(_all_runs, "run_id")
    yield Slot("runs", "run id", _write_run, _get_run, names=runs, delete=delete, blank=True, symbols=False)
    yield Slot("runs", "kind", _write_kind, normalises=True, symbols=False)


_SLOTS: dict[str, tuple[Slot, ...]] = {}
for _slot in _by_contract():
    _SLOTS[_slot.contract] = (*_SLOTS.get(_slot.contract, ()), _slot)
