"""The contract of fundamentals, sentence by sentence."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import times
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import LARGE, REOPEN, Case, Concurrent, Kit
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import Ask, Back, Slot, shown, time_of
from pytest_tradestore.kits.spec import Spec, State, Table, rows_by
from pytest_tradestore.observation import canonical
from pytest_tradestore.records import Records, field, plain

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Fundamentals(Protocol):
    """Company data as published over time."""

    def write_fundamental(self, symbol: str, data: Any) -> Now[None]:
        """Add what was published at ``data.timestamp``."""

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> Now[Any]:
        """Return the latest data, or the latest up to ``as_of``; ``None`` when there is none."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------


def _filing(make: Records, symbol: str, when: datetime, employees: int, name: str, xml: str = "<filing/>") -> Any:
    return make.make_fundamental(
        symbol=symbol,
        timestamp=when,
        company_name=name,
        cik="0000320193",
        employees=employees,
        shares_outstanding=14776353000.0,
        float_shares=None,
        industry="Technology",
        category=None,
        subcategory=None,
        raw_xml=xml,
    )


def _published(make: Records, symbol: str, key: str, day: int, employees: int, xml: str = "<filing/>") -> Call:
    data = _filing(make, symbol, make.takes.time(datetime(2026, 1, day)), employees, f"{symbol} Inc", xml)
    size = f", raw_xml: {len(xml):,} bytes" if len(xml) > 100 else ""
    told = f"write_fundamental({symbol!r}, {{timestamp: 2026-01-{day:02d}, employees: {employees}{size}}})"
    return Call("write_fundamental", (symbol, data), key, told)


def _bounds(call: Call) -> tuple[str, str]:
    return "", canonical(plain(call.arguments[1])) if len(call.arguments) > 1 else "\U0010ffff"


class _Published(Table):
    """Whether the second of one time replaces the first is not said."""

    def says(self, state: State, call: Call) -> bool:
        times = {row.time for row in state}
        return call.method != self.writes or all(row.time not in times for row in self.rows(call.arguments[-1]))


_SYMBOL, _SLOT, _APART_BY = OneOf(("AAPL", "MSFT")), OneOf(range(8)), timedelta(hours=7)


class FundamentalsKit(Kit):
    """Published in order, out of order, and with a long filing attached."""

    name = "fundamentals"
    protocol = Fundamentals
    required = ("write_fundamental", "read_fundamental")
    keyed = True
    several = True
    spec = _Published("write_fundamental", "read_fundamental", rows_by("timestamp"), _bounds, latest=True)
    differs = "what is read is not what was published last"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return (
            Call("read_fundamental", ("AAPL",), "AAPL latest"),
            Call("read_fundamental", ("AAPL", make.takes.time(datetime(2026, 1, 4))), "AAPL as of 2026-01-04"),
            Call("read_fundamental", ("MSFT",), "MSFT latest"),
        )

    def key_of(self, key: str) -> str:
        return key.partition(" ")[0]  # what was published over time belongs together

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        long = "<filing>" + "revenue 1,234.56; " * (LARGE // 18) + "</filing>"
        yield _published(make, "AAPL", "AAPL latest", 2, 1)
        yield _published(make, "AAPL", "AAPL latest", 5, 2)
        yield _published(make, "MSFT", "MSFT latest", 3, 3)
        yield _published(make, "AAPL", "AAPL latest", 3, 4, long)
        yield _published(make, "AAPL", "AAPL latest", 9, 5)

    def next_update(self, make: Records, key: str, version: int) -> Call:
        symbol = key.split(" ")[0]
        return _published(make, symbol, f"{symbol} latest", 20 + version % 10, version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        """No day twice. Each is looked for at noon of its own day, so that the loss of any shows."""

        def read(number: int) -> Call:
            told = f"read_fundamental('AAPL', 2026-01-{5 + number:02d}T12)"
            noon = make.takes.time(datetime(2026, 1, 5 + number, 12))
            return Call("read_fundamental", ("AAPL", noon), "AAPL", told)

        def publish(number: int) -> Call:
            return _published(make, "AAPL", "AAPL", 5 + number, 100 + number)

        days = tuple(map(read, range(3)))
        return Concurrent(publish, publish, read, lambda _: days)

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        """One symbol over the years, an hour apart, and another one in between; read as of a moment here and there."""
        begin = make.takes.time(datetime(2020, 1, 1))

        def publish(number: int) -> Call:
            symbol = "MSFT" if number % 10 == 0 else "AAPL"
            data = _filing(make, symbol, begin + timedelta(hours=number), number, f"{symbol} Inc")
            return Call("write_fundamental", (symbol, data), symbol, f"write_fundamental({symbol!r}, data {number})")

        def read(symbol: str, hours: int) -> Call:
            told = f"read_fundamental({symbol!r}, as of {hours:,} hours later)"
            return Call("read_fundamental", (symbol, begin + timedelta(hours=hours)), symbol, told)

        reads = [
            read(symbol, hours) for symbol in ("AAPL", "MSFT") for hours in (0, 1, 15, 55, 105, 255, 505, 1005, most)
        ]
        latest = [Call("read_fundamental", (symbol,), symbol) for symbol in ("AAPL", "MSFT")]
        return [publish(number) for number in range(1, most + 1)], [*latest, *reads]

    def spec_of(self, key: str) -> Spec:
        return Table("write_fundamental", "read_fundamental", rows_by("timestamp", "employees"), _bounds, latest=True)

    def slots(self) -> tuple[Slot, ...]:
        return (Slot("symbol", _write_mark, _read_mark),)

    grammar = (
        StepKind("write", (_SYMBOL, _SLOT, OneOf(range(1, 9))), often=3),
        StepKind("read", (_SYMBOL,)),
        StepKind("as of", (_SYMBOL, _SLOT), often=2),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        begin = visit.at(2026, 1, 30)  # two days over the end of a month, three times on each
        match step:
            case ("write", symbol, slot, employees):
                data = _data(visit, begin + _APART_BY * slot, employees, symbol)
                return Call("write_fundamental", (symbol, data), symbol, _shown(data, symbol))
            case ("as of", symbol, slot):
                return Call("read_fundamental", (symbol, begin + _APART_BY * slot), symbol)
        return Call("read_fundamental", (step[1],), step[1])

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return [Call("read_fundamental", (symbol,), symbol) for symbol in ("AAPL", "MSFT")]

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-FUNDAMENTALS-EXACT", _exact),
            Case("DATA-FUNDAMENTALS-LATEST", _latest),
            Case("DATA-FUNDAMENTALS-AS-OF", _as_of),
            Case("DATA-FUNDAMENTALS-MISSING", _missing),
            Case("DATA-REOPEN", _reopened),
            *times.cases_of_latest(times.Latest(_timed_write, _timed_read)),
        )


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(ask: Ask, symbol: Any, mark: int) -> Any:
    data = _filing(ask.make, symbol, time_of(ask, mark), mark, "A company")
    return ask.call("write_fundamental", symbol, data, shown=f"write_fundamental({shown(symbol)}, data {mark})")


def _read_mark(ask: Ask, symbol: Any) -> Back:
    found = ask.call("read_fundamental", symbol, shown=f"read_fundamental({shown(symbol)})")
    if found is None or found == {}:
        return Back((), (), found)
    return Back((int(field(found, "employees")),), (field(found, "symbol"),), found)


# -- the data, sentence by sentence -------------------------------------------------------------------------------


def _data(visit: "Visit", when: datetime, employees: int, symbol: str = "AAPL", **other: Any) -> Any:
    fields: dict[str, Any] = {
        "company_name": f"{symbol} Inc",
        "cik": "0000320193",
        "shares_outstanding": None,
        "float_shares": None,
        "industry": None,
        "category": None,
        "subcategory": None,
        "raw_xml": "",
    }
    return visit.make.make_fundamental(symbol=symbol, timestamp=when, employees=employees, **(fields | other))


def _write(visit: "Visit", data: Any, symbol: str = "AAPL") -> None:
    visit.must("write_fundamental", symbol, data, shown=_shown(data, symbol))


def _shown(data: Any, symbol: str) -> str:
    when = str(plain(field(data, "timestamp"))).removesuffix("T00:00:00")
    return f"write_fundamental({symbol!r}, data({when!r}, employees={field(data, 'employees')}))"


def _read(visit: "Visit", *as_of: datetime, symbol: str = "AAPL") -> Any:
    return visit.call("read_fundamental", symbol, *as_of)


def _exact(visit: "Visit") -> "DataViolation | None":
    others: tuple[dict[str, Any], ...] = (
        {
            "shares_outstanding": 14776353000.0,
            "float_shares": 14525947723.0,
            "industry": "Technology",
            "category": "Computers",
            "subcategory": "Consumer Electronics",
            "raw_xml": "<test/>",
        },
        {},
        {"company_name": "Société Générale \U0001f680", "cik": "0000000001", "industry": "", "category": "NA"},
        {"float_shares": 0.1 + 0.2, "raw_xml": "<a>\n\t\"'&amp;\\</a>\r\n" * 500},
    )
    for day, other in enumerate(others, 5):
        data = _data(visit, visit.at(2026, 1, day, 10), 166000 + day, **other)
        wanted = plain(data)
        _write(visit, data)
        if found := visit.expect_records("fundamentals are not read as they were written", _read(visit), wanted):
            return found
    return None


def _three(visit: "Visit") -> list[Any]:
    """Write what was published on three days, the newest neither first nor last; return it in order of time."""
    made = [_data(visit, visit.at(2026, 1, day), 1000 + day) for day in (5, 9, 2)]
    for data in made:
        _write(visit, data)
    return [plain(data) for data in (made[2], made[0], made[1])]


def _latest(visit: "Visit") -> "DataViolation | None":
    _write(visit, _data(visit, visit.at(2026, 1, 1), 160000))
    newer = _data(visit, visit.at(2026, 1, 2), 166000)
    _write(visit, newer)
    sentence = "what is read is not the latest by its timestamp"
    if found := visit.expect_records(sentence, _read(visit), newer):
        return found
    _, _, newest = _three(visit)
    if found := visit.expect_records(f"written out of order, {sentence}", _read(visit), newest):
        return found
    evening = _within_a_day(visit)[-1]
    return visit.expect_records(f"of several on one day, {sentence}", _read(visit), evening)


def _within_a_day(visit: "Visit") -> list[Any]:
    """Write what was published three times on one day, the latest in the middle; return it in order of time."""
    hours = ((16, 5), (20, 30), (8, 30))
    made = [_data(visit, visit.at(2026, 1, 12, *time), 2000 + number) for number, time in enumerate(hours)]
    for data in made:
        _write(visit, data)
    return [plain(made[number]) for number in (2, 0, 1)]


def _as_of(visit: "Visit") -> "DataViolation | None":
    oldest, middle, newest = _three(visit)
    sentence = "what is read is not the latest up to that time"
    moment = timedelta(microseconds=1)
    for when, wanted in (
        (visit.at(2026, 1, 5), middle),
        (visit.at(2026, 1, 5) - moment, oldest),
        (visit.at(2026, 1, 7), middle),
        (visit.at(2026, 1, 2), oldest),
        (visit.at(2026, 1, 9), newest),
        (visit.at(2027, 1, 1), newest),
        (visit.at(2026, 1, 1), None),
    ):
        if found := visit.expect_records(sentence, _read(visit, when), wanted):
            return found
    morning, afternoon, evening = _within_a_day(visit)
    for when, wanted in (
        (visit.at(2026, 1, 12, 12), morning),
        (visit.at(2026, 1, 12, 16, 5), afternoon),
        (visit.at(2026, 1, 12, 23), evening),
        (visit.at(2026, 1, 12, 8), newest),
    ):
        if found := visit.expect_records(f"of several on one day, {sentence}", _read(visit, when), wanted):
            return found
    return None


def _timed_write(visit: "Visit", when: datetime, number: int) -> bool:
    data = _data(visit, when, number)
    return visit.accepted("write_fundamental", "AAPL", data, shown=_shown(data, "AAPL"))


def _timed_read(visit: "Visit", as_of: datetime) -> tuple[datetime, int] | None:
    found = _read(visit, as_of)
    if found is None or found == {}:
        return None
    return times.as_time(field(found, "timestamp")), int(field(found, "employees"))


def _missing(visit: "Visit") -> "DataViolation | None":
    sentence = "a symbol without fundamentals does not read as None"
    if found := visit.expect_records(sentence, _read(visit), None):
        return found
    _write(visit, _data(visit, visit.at(2026, 1, 5), 1, "MSFT"), "MSFT")
    if found := visit.expect_records(sentence, _read(visit), None):
        return found
    return visit.expect_records(sentence, _read(visit, visit.at(2026, 1, 5)), None)


def _reopened(visit: "Visit") -> "DataViolation | None":
    _three(visit)
    before = [plain(_read(visit)), plain(_read(visit, visit.at(2026, 1, 4)))]
    visit.reopen()
    after = [_read(visit), _read(visit, visit.at(2026, 1, 4))]
    return visit.expect_records("after reopening the store shows something else", after, before, "timestamp")
