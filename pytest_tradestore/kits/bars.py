"""The contract of price bars, sentence by sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, get_args, runtime_checkable
from zoneinfo import ZoneInfo

from pytest_tradestore.kits import times
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import OneOf, Several, Step, StepKind
from pytest_tradestore.kits.kit import ABSENT, REOPEN, Case, Concurrent, Kit, NotAskedError, Unstorable
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import Ask, Back, Slot, around, shown, time_of
from pytest_tradestore.kits.spec import Spec, Table, rows_by
from pytest_tradestore.observation import Absent, Seen, Value, canonical, counted
from pytest_tradestore.records import Records, field, plain, text_of
from pytest_tradestore.takes import Takes, Writing

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Bars(Protocol):
    """Price bars per symbol, one for each timestamp; a later one replaces an earlier one."""

    def write_bars(self, symbol: str, bars: list[Any]) -> Now[None]:
        """Add ``bars``, in whatever order they come."""

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> Now[list[Any]]:
        """Return the bars from ``start`` to ``end``, both included, in the order of their timestamps."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------

_MONTHS = {"2026-01": 1, "2026-02": 2, "2026-03": 3}
_ALL = "2026"
"""What is looked at of a symbol that takes new bars only after all others: there a month cannot change by itself."""
_APART = ("AAPL", "MSFT", "GOOG")
_TICKS = (0.0, 0.0001, 0.01, 0.05, 0.25, 1.0)
"""Steps of prices that are tried."""


def _recorded(make: Records, symbol: str, first: datetime, count: int, version: int, step: timedelta) -> Call:
    made = []
    for number in range(count):
        day = first + number * step
        price = 100.0 + version + day.day / 100 + day.hour / 7 + day.minute / 1000
        made.append(_made(make, symbol, day, (price, price + 2.5, price - 1.25, price + 1), 1000 + version))
    months = sorted({f"{first + number * step:%Y-%m}" for number in range(count)})
    told = f"{counted(count, 'bar')} of {' '.join(months)}, version {version}"
    return _writing(make, symbol, made, told, f"{symbol} {months[0] if make.takes.replaces else _ALL}")


def _made(make: Records, symbol: Any, when: datetime, prices: tuple[float, ...], volume: int) -> Any:
    """Return a bar of values that the store takes; prices are open, high, low, close."""
    series, _ = make.takes.series(symbol)
    return _bar_of(make, series, make.takes.time(when), volume, **_prices(make, *prices))


def _prices(make: Records, *prices: float) -> dict[str, float]:
    return dict(zip(("open", "high", "low", "close"), map(make.takes.price, prices), strict=True))


def _bar_of(make: Records, symbol: Any, when: datetime | int, volume: int, **prices: Any) -> Any:
    """Return a bar of these very prices, which the store may refuse."""
    return make.make_bar(symbol=symbol, date=make.takes.instant(when), volume=make.takes.volume(volume), **prices)


def _writing(make: Records, symbol: Any, bars: Sequence[Any], told: str, key: str = "") -> Call:
    """Return the call that writes bars; ``told`` is how a report shows them."""
    series, options = make.takes.series(symbol)
    named = "".join(f", {name}={value!r}" for name, value in options.items())
    return Call("write_bars", (series, list(bars)), key or symbol, f"write_bars({series!r}, {told}{named})", options)


def _reading(make: Records, symbol: Any, start: datetime | int, end: datetime | int, told: str = "") -> Call:
    """Return the call that reads the bars of a range; ``told`` is how a report shows it."""
    series, options = make.takes.series(symbol)
    named = "".join(f", {name}={value!r}" for name, value in options.items())
    rendered = f"read_bars({series!r}, {told}{named})" if told else ""
    bounds = map(make.takes.instant, (start, end))
    return Call("read_bars", (series, *bounds), symbol, rendered, options)


def _month(make: Records, key: str) -> Call:
    symbol, month = key.split(" ")
    first = datetime(2026, _MONTHS.get(month, 1), 1)
    end = datetime(2027, 1, 1) if month == _ALL else datetime(2026, _MONTHS[month] + 1, 1)
    last = end - timedelta(microseconds=1)
    return replace(_reading(make, symbol, make.takes.time(first), make.takes.time(last)), key=key)


def _bounds(call: Call) -> tuple[str, str]:
    _, start, end = call.arguments
    return canonical(plain(start)), canonical(plain(end))


_MANY = 40
"""Bars of one call, where there are many calls."""
_SYMBOL, _SLOT, _APART_BY = OneOf(("AAPL", "MSFT")), OneOf(range(6)), timedelta(hours=17)


class BarsKit(Kit):
    """Two symbols; one call over three months that overwrites part of the first; a month that grows over pages."""

    name = "bars"
    protocol = Bars
    required = ("write_bars", "read_bars")
    keyed = True
    several = True
    spec = Table("write_bars", "read_bars", rows_by("date"), _bounds)
    differs = "the bars read are not those that were written"
    named = "date"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        months = (*(f"AAPL {month}" for month in _MONTHS), "MSFT 2026-01")
        return tuple(_month(make, key) for key in (months if make.takes.replaces else (f"AAPL {_ALL}", f"MSFT {_ALL}")))

    def seen(self, look: Call, result: Any) -> Seen:
        return Value(f"[{', '.join(map(text_of, result))}]") if result else Absent()

    def takings(self) -> tuple[Takes, ...]:
        every = product((False, True), get_args(Writing), _TICKS, (False, True))
        return tuple(
            sorted(
                (Takes(aware, bars, tick, floats) for aware, bars, tick, floats in every),
                key=lambda t: (t.aware, t.float_volume, t.tick > 0, not t.replaces).count(True),
            )
        )

    def key_of(self, key: str) -> str:
        return key.partition(" ")[0]  # months of one symbol belong together

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        day = timedelta(days=1)
        yield _recorded(make, "AAPL", datetime(2026, 1, 5), 3, 1, day)
        yield _recorded(make, "MSFT", datetime(2026, 1, 5), 2, 2, day)
        if not make.takes.replaces:  # the same sizes, each after the one before it
            yield _recorded(make, "AAPL", datetime(2026, 1, 8), 45, 3, day)
            yield _recorded(make, "AAPL", datetime(2026, 2, 22), 320, 4, timedelta(minutes=30))
            yield _recorded(make, "AAPL", datetime(2026, 3, 2), 1, 5, day)
            return
        yield _recorded(make, "AAPL", datetime(2026, 1, 6), 60, 3, day)
        yield _recorded(make, "AAPL", datetime(2026, 2, 2), 320, 4, timedelta(minutes=30))
        yield _recorded(make, "AAPL", datetime(2026, 2, 3), 1, 5, day)

    def next_update(self, make: Records, key: str, version: int) -> Call:
        symbol, month = key.split(" ")
        late = datetime(2026, 4, 1) + timedelta(hours=version)
        when = datetime(2026, _MONTHS[month], 12) if month in _MONTHS else late
        return _recorded(make, symbol, when, 1, version, timedelta(days=1))

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        """Days of one symbol; where only later ones are taken, symbols, for of two days one would be refused."""

        def write(day: int, volume: int, symbol: str = "AAPL") -> Call:
            bar = _made(make, symbol, datetime(2026, 1, day), (100.0, 102.5, 98.75, 101.0), volume)
            return _writing(make, symbol, [bar], f"[bar of 2026-01-{day:02d}, volume {volume}]")

        def read(symbol: str) -> Call:
            start, end = map(make.takes.time, (datetime(2026, 1, 1), datetime(2026, 1, 31, 23, 59)))
            return _reading(make, symbol, start, end, "2026-01-01, 2026-01-31")

        if make.takes.bars == "later":
            return Concurrent(
                lambda number: write(5, 1000 + number, _APART[number % 3]),
                lambda number: write(10 + number, 2000 + number, _APART[(number + 1) % 2]),
                lambda number: read(_APART[number % 3]),
                lambda count: tuple(map(read, _APART[:count])),
            )
        again = 0 if make.takes.replaces else 10
        return Concurrent(
            lambda number: write(5 + number, 1000 + number),
            lambda number: write(5 + again + (number if again else 0), 2000 + number),
            lambda _: read("AAPL"),
            lambda _: (read("AAPL"),),
        )

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        """Return calls with many bars each, over two months."""
        apart = timedelta(minutes=30)
        days = [datetime(2026, 1, 1) + number * _MANY * apart for number in range(min(most, 3_000 // _MANY))]
        calls = [_recorded(make, "AAPL", day, _MANY, number, apart) for number, day in enumerate(days, 1)]
        start, end = map(make.takes.time, (datetime(2026, 1, 1), datetime(2026, 12, 31)))
        read = _reading(make, "AAPL", start, end, "2026-01-01, 2026-12-31")
        return [replace(call, key="AAPL") for call in calls], [read]

    def spec_of(self, key: str) -> Spec:
        return Table("write_bars", "read_bars", rows_by("date", "volume"), _bounds)

    def slots(self) -> tuple[Slot, ...]:
        return (Slot("symbol", _write_mark, _read_marks),)

    grammar = (
        StepKind("write", (_SYMBOL, Several((_SLOT, OneOf(range(1, 9))))), often=3),
        StepKind("read", (_SYMBOL, _SLOT, _SLOT), often=2),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        begin = visit.at(2026, 1, 29)  # three days and a half over the end of a month, two times on some of them
        match step:
            case ("write", symbol, rows):
                bars = [_bar(visit, symbol, begin + _APART_BY * slot, float(price)) for slot, price in rows]
                return _writing(visit.make, symbol, bars, _shown(bars))
            case (_, symbol, first, last):
                start, end = (begin + _APART_BY * slot for slot in sorted((first, last)))
                return _reading(visit.make, symbol, start, end)
        raise AssertionError("the grammar has no other steps")

    def answered(self, visit: "Visit", states: dict[str, Any], call: Call) -> "DataViolation | None":
        if call.method == "write_bars" and not visit.make.takes.replaces:
            times = [row.time for row in self.spec.rows(call.arguments[1])]
            last = max((row.time for row in states.get(call.key, ())), default="")
            if len(set(times)) < len(times) or any(time <= last for time in times):
                return None  # it says that it refuses these
        return super().answered(visit, states, call)

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return [_reading(visit.make, symbol, visit.at(*_FIRST), visit.at(*_LAST)) for symbol in ("AAPL", "MSFT")]

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-BARS-EXACT", _exact),
            Case("DATA-BARS-TIMESTAMPS", _timestamps),
            Case("DATA-BARS-DEDUPE", _deduplicated),
            Case("DATA-BARS-SORTED", _sorted),
            Case("DATA-BARS-RANGE", _range),
            Case("DATA-BARS-MONTHS", _months),
            Case("DATA-BARS-EMPTY", _empty),
            Case("DATA-BARS-MISSING", _missing),
            Case("DATA-BARS-SYMBOLS", _symbols),
            Case("DATA-REOPEN", _reopened),
            *times.cases(_TIMED),
        )

    def unstorable(self) -> Unstorable:
        """The last of many bars of one month has no price; that several months are written at once, nobody promised."""

        def bad(visit: "Visit", value: Any, name: str) -> Callable[[], None] | None:
            first = 0 if visit.make.takes.replaces else 1
            try:
                bars = [*(_priced(visit, number, 2.5) for number in range(first, 200)), _priced(visit, 200, value)]
            except Exception:
                return None
            told = f"[{200 - first} bars, and one with {name} for its price]"
            return lambda: visit.make_call(_writing(visit.make, "AAPL", bars, told))

        def good(visit: "Visit") -> None:
            _write(visit, "AAPL", _priced(visit, 0, 1.5), told="[a bar]")

        return Unstorable(
            good,
            bad,
            lambda visit: _read(visit, "AAPL", visit.at(2026, 1, 1), visit.at(2026, 12, 31)),
            lambda found: field(found[-1], "close") if len(found) == 201 else ABSENT,
            ("a set", "an object", "a complex number", "NaN", "infinity", "an object that raises when it is looked at"),
            plain,
        )


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(ask: Ask, symbol: Any, mark: int) -> Any:
    when = time_of(ask) if ask.make.takes.replaces else time_of(ask, mark)
    bar = _bar_of(ask.make, symbol, when, 1000 + mark, **_prices(ask.make, 100.5, 101.0, 99.75, 100.0))
    _, options = ask.make.takes.series("AAPL")
    return ask.call("write_bars", symbol, [bar], shown=f"write_bars({shown(symbol)}, [bar {mark}])", **options)


def _read_marks(ask: Ask, symbol: Any) -> Back:
    _, options = ask.make.takes.series("AAPL")
    bounds = map(ask.make.takes.instant, around(ask))
    found = list(ask.call("read_bars", symbol, *bounds, shown=f"read_bars({shown(symbol)}, ...)", **options) or ())
    if not ask.make.takes.replaces:
        found = found[-1:]  # a later mark stands beside the earlier ones
    marks = tuple(int(field(bar, "volume")) - 1000 for bar in found)
    return Back(marks, tuple(field(bar, "symbol") for bar in found), found)


# -- the data, sentence by sentence -------------------------------------------------------------------------------

_FIRST, _LAST = (1970, 1, 1), (2099, 12, 31)


def _priced(visit: "Visit", number: int, price: Any) -> Any:
    when = visit.at(2026, 1, 2) + timedelta(hours=3 * number)
    return _bar_of(visit.make, "AAPL", when, 100, open=1.5, high=2.5, low=0.5, close=price)


def _bar(visit: "Visit", symbol: str, when: datetime | int, price: float = 100.0, volume: int = 1000) -> Any:
    return _exactly(visit, symbol, when, visit.make.takes.price(price), volume)


def _exactly(visit: "Visit", symbol: str, when: datetime | int, price: float, volume: int) -> Any:
    """Return a bar of this very price, which the store may refuse."""
    series, _ = visit.make.takes.series(symbol)
    return _bar_of(visit.make, series, when, volume, open=price, high=price, low=price, close=price)


def _shown(bars: Sequence[Any]) -> str:
    """Return bars as a report writes them, the middle of many left out."""
    told = [f"bar({_day(field(b, 'date'))}, {field(b, 'close')!r}, {field(b, 'volume')!r})" for b in bars]
    return f"[{', '.join(told if len(told) <= 4 else [*told[:2], '…', told[-1]])}]"


def _day(when: Any) -> str:
    return repr(str(plain(when)).removesuffix("T00:00:00"))


def _write(visit: "Visit", symbol: str, *bars: Any, told: str = "") -> None:
    call = _writing(visit.make, symbol, bars, told or _shown(bars))
    visit.must(call.method, *call.arguments, shown=call.rendered, **call.options)


def _is_taken(visit: "Visit", symbol: str, bars: Sequence[Any], told: str = "") -> bool:
    call = _writing(visit.make, symbol, bars, told or _shown(bars))
    return visit.accepted(call.method, *call.arguments, shown=call.rendered, **call.options)


def _read(visit: "Visit", symbol: str, start: datetime | int | None = None, end: datetime | int | None = None) -> Any:
    found = visit.make_call(_reading(visit.make, symbol, start or visit.at(*_FIRST), end or visit.at(*_LAST)))
    return list(found) if isinstance(found, (list, tuple)) else found


def _exact(visit: "Visit") -> "DataViolation | None":
    """Write prices and volumes that are easily changed, each on a day of its own."""
    wanted: list[Any] = [plain(bar) for bar in (_bar(visit, "AAPL", visit.at(2026, 1, 2), 150.25, 1_000_000),)]
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 2), 150.25, 1_000_000))
    prices = (0.1 + 0.2, 1e-7, 1 / 3, 123456.789012345, 16777217.0, 5e-324, 1.7976931348623157e308, -37.63)
    volumes = (0, 1, 2**31, 2**32 + 1, 2**53 + 1, 2**63 - 1)
    values = [(price, 7) for price in prices] + [(150.25, volume) for volume in volumes]
    for day, (price, volume) in enumerate(values, 3):
        bar = _exactly(visit, "AAPL", visit.at(2026, 1, day), price, volume)
        told = plain(bar)
        if _is_taken(visit, "AAPL", [bar]):
            wanted.append(told)
    apart = _made(visit.make, "AAPL", visit.at(2026, 1, 30), (151.0, 153.5, 149.25, 152.0), 42)
    wanted.append(plain(apart))
    _write(visit, "AAPL", apart)
    sentence = "a bar is not read as it was written"
    if found := visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date"):
        return found
    visit.reopen()
    return visit.expect_records(f"after reopening {sentence}", _read(visit, "AAPL"), wanted, "date")


_NEW_YORK, _TOKYO = ZoneInfo("America/New_York"), timezone(timedelta(hours=9))
_MORNING = datetime(2026, 1, 31, 20, 30)
TIMESTAMPS: dict[str, tuple[datetime, ...]] = {
    "without a zone": (_MORNING, _MORNING + timedelta(hours=5)),
    "UTC": (_MORNING.replace(tzinfo=UTC), (_MORNING + timedelta(hours=5)).replace(tzinfo=UTC)),
    "a fixed offset": (_MORNING.replace(tzinfo=_TOKYO), (_MORNING + timedelta(hours=5)).replace(tzinfo=_TOKYO)),
    "New York": (_MORNING.replace(tzinfo=_NEW_YORK), _MORNING.replace(month=7, tzinfo=_NEW_YORK)),
    "two offsets": (_MORNING.replace(tzinfo=UTC), (_MORNING + timedelta(days=1)).replace(tzinfo=_TOKYO)),
    "microseconds": (_MORNING, _MORNING + timedelta(microseconds=1), _MORNING + timedelta(microseconds=999_999)),
    "microseconds in UTC": tuple(
        _MORNING.replace(tzinfo=UTC) + timedelta(microseconds=number) for number in (0, 1, 999_999)
    ),
    "before 1970": (datetime(1929, 10, 29), datetime(1969, 12, 31, 23, 59, 59)),
}
"""Times as they are given, those of one row for one symbol."""


_FINENESS = (
    "Keep whole microseconds, as an integer or in a column of that unit: a float of seconds rounds them, and a text "
    "without them cuts them off; or refuse times that are finer than what is kept."
)


def _timestamps(visit: "Visit") -> "DataViolation | None":
    taken: set[str] = set()
    rows: dict[str, Sequence[datetime | int]] = dict(TIMESTAMPS)
    if visit.make.takes.nanoseconds:
        first = visit.make.takes.instant(_MORNING)
        rows["nanoseconds"] = (first, first + 1, first + 999)
    for number, (name, moments) in enumerate(rows.items()):
        symbol = f"TS{number}"
        bars = [_bar(visit, symbol, when) for when in moments]
        wanted = [plain(bar) for bar in bars]
        if not _is_taken(visit, symbol, bars):
            continue
        taken.add(name)
        found = _read(visit, symbol, *_day_around(moments))
        if mismatch := visit.expect_records(f"a timestamp ({name}) is not kept as given", found, wanted, "date"):
            return replace(mismatch, remedy=_FINENESS if name.startswith("microseconds") else "")
    if not taken:
        return visit.mismatch("neither times without a zone nor times in UTC are taken", "refused", "one of them")
    if "nanoseconds" in taken:
        found = _read(visit, symbol, first + 1, first + 998)
        return visit.expect_records("a range is not exact to the nanosecond", found, wanted[1:2], "date")
    return None


def _day_around(moments: Sequence[Any]) -> tuple[Any, Any]:
    day = 86_400 * 10**9 if isinstance(moments[0], int) else timedelta(days=1)
    return min(moments) - day, max(moments) + day


def _deduplicated(visit: "Visit") -> "DataViolation | None":
    if not visit.make.takes.replaces:
        raise NotAskedError("it says that it takes no bars where there are others (tradestore_takes)")
    first, second = visit.at(2026, 1, 5), visit.at(2026, 1, 6)
    _write(visit, "AAPL", _bar(visit, "AAPL", first, 100.0), _bar(visit, "AAPL", second, 200.0))
    _write(visit, "AAPL", _bar(visit, "AAPL", first, 101.0))
    wanted = [_bar(visit, "AAPL", first, 101.0), _bar(visit, "AAPL", second, 200.0)]
    sentence = "of two bars with one timestamp the last written is not the only one read"
    if found := visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date"):
        return found
    _write(visit, "AAPL", *(_bar(visit, "AAPL", second, price) for price in (201.0, 203.0, 202.0)))
    wanted = [wanted[0], _bar(visit, "AAPL", second, 202.0)]
    return visit.expect_records(f"in one call, {sentence}", _read(visit, "AAPL"), wanted, "date")


def _sorted(visit: "Visit") -> "DataViolation | None":
    days = [visit.at(2026, 1, day) for day in (7, 5, 6)]
    _write(visit, "AAPL", *(_bar(visit, "AAPL", day) for day in days))
    wanted = [_bar(visit, "AAPL", day) for day in sorted(days)]
    if found := visit.expect_records(
        "bars written in one call are not read in order of time", _read(visit, "AAPL"), wanted, "date"
    ):
        return found
    if not visit.make.takes.replaces:
        return None
    days += [visit.at(2026, 1, 2), visit.at(2025, 12, 30), visit.at(2026, 2, 2), visit.at(2026, 1, 5, 12)]
    for day in days[3:]:
        _write(visit, "AAPL", _bar(visit, "AAPL", day))
    wanted = [_bar(visit, "AAPL", day) for day in sorted(days)]
    return visit.expect_records(
        "bars written later are not read in order of time", _read(visit, "AAPL"), wanted, "date"
    )


def _range(visit: "Visit") -> "DataViolation | None":
    times = [visit.at(2026, 1, day, 16) for day in (5, 6, 7, 8)]
    _write(visit, "AAPL", *(_bar(visit, "AAPL", when) for when in times))
    moment = timedelta(microseconds=1)
    for start, end in (
        (times[1], times[2]),
        (times[1] - moment, times[2] + moment),
        (times[1] + moment, times[2]),
        (times[1], times[2] - moment),
        (times[1], times[1]),
        (times[3] + moment, times[3] + timedelta(days=400)),
        (visit.at(2026, 1, 6), visit.at(2026, 1, 7)),
    ):
        wanted = [_bar(visit, "AAPL", when) for when in times if start <= when <= end]
        sentence = "the bars read are not those from start to end, both included"
        if found := visit.expect_records(sentence, _read(visit, "AAPL", start, end), wanted, "date"):
            return found
    return None


def _months(visit: "Visit") -> "DataViolation | None":
    days = [visit.at(2025, 11, 28) + timedelta(days=9 * number) for number in range(13)]
    _write(visit, "AAPL", *(_bar(visit, "AAPL", day) for day in days))
    wanted = [_bar(visit, "AAPL", day) for day in days]
    sentence = "a range over several months does not give the bars of all of them"
    if found := visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date"):
        return found
    start, end = visit.at(2025, 12, 31), visit.at(2026, 2, 10)
    inside = [_bar(visit, "AAPL", day) for day in days if start <= day <= end]
    if found := visit.expect_records(sentence, _read(visit, "AAPL", start, end), inside, "date"):
        return found
    if not visit.make.takes.replaces:
        return None
    _write(visit, "AAPL", _bar(visit, "AAPL", days[5], 7.0), _bar(visit, "AAPL", days[9], 8.0))
    wanted[5], wanted[9] = _bar(visit, "AAPL", days[5], 7.0), _bar(visit, "AAPL", days[9], 8.0)
    sentence = "after a write into existing months their other bars are not what they were"
    return visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date")


def _empty(visit: "Visit") -> "DataViolation | None":
    _write(visit, "MSFT")
    if found := visit.expect_records("after writing no bars some are read", _read(visit, "MSFT"), []):
        return found
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 5)))
    _write(visit, "AAPL")
    wanted = [_bar(visit, "AAPL", visit.at(2026, 1, 5))]
    return visit.expect_records("writing no bars changed those that were there", _read(visit, "AAPL"), wanted, "date")


def _missing(visit: "Visit") -> "DataViolation | None":
    sentence = "a symbol that was never written does not read as []"
    if found := visit.expect_records(sentence, _read(visit, "MISSING"), []):
        return found
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 5)))
    return visit.expect_records(sentence, _read(visit, "MISSING"), [])


def _symbols(visit: "Visit") -> "DataViolation | None":
    symbols = ("AAPL", "AAP", "AA", "BRK.B", "BRK", "BTC-USD")
    when = visit.at(2026, 1, 5)
    for number, symbol in enumerate(symbols):
        _write(visit, symbol, _bar(visit, symbol, when, 100.0 + number))
    for number, symbol in enumerate(symbols):
        wanted = [_bar(visit, symbol, when, 100.0 + number)]
        if found := visit.expect_records(f"{symbol} does not have its own bars", _read(visit, symbol), wanted, "date"):
            return found
    return _intervals(visit, when) if visit.make.takes.intervals else None


def _intervals(visit: "Visit", when: datetime) -> "DataViolation | None":
    """Write one bar of each interval of one symbol, all at one time; then read each, here and after reopening."""

    def read(interval: str) -> Any:
        bounds = map(visit.make.takes.instant, (visit.at(*_FIRST), visit.at(*_LAST)))
        return visit.call("read_bars", "TSLA", *bounds, interval=interval)

    bars = {
        interval: [_bar(visit, "TSLA", when, 200.0 + number)]
        for number, interval in enumerate(visit.make.takes.intervals)
    }
    for interval, written in bars.items():
        told = f"write_bars('TSLA', {_shown(written)}, interval={interval!r})"
        visit.must("write_bars", "TSLA", written, shown=told, interval=interval)
    for again in ("", " after reopening"):
        for interval, wanted in bars.items():
            sentence = f"TSLA in {interval} does not have its own bars{again}"
            if found := visit.expect_records(sentence, read(interval), wanted, "date"):
                return found
        if not again:
            visit.reopen()
    return None


def _timed_write(visit: "Visit", when: datetime, number: int) -> bool:
    bar = _made(visit.make, "AAPL", when, (100.0, 102.5, 98.75, 101.0), number)
    return _is_taken(visit, "AAPL", [bar], f"[bar {number} at {when.isoformat()}]")


def _timed_read(visit: "Visit", start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    found = _read(visit, "AAPL", start, end)
    return [
        (times.as_time(visit.make.takes.datetime_of(field(bar, "date"))), int(field(bar, "volume"))) for bar in found
    ]


_TIMED = times.Timed(_timed_write, _timed_read, replaces=True)


def _reopened(visit: "Visit") -> "DataViolation | None":
    days = (visit.at(2026, 1, 30), visit.at(2026, 2, 2))
    _write(visit, "AAPL", *(_bar(visit, "AAPL", day) for day in days))
    if visit.make.takes.replaces:
        _write(visit, "AAPL", _bar(visit, "AAPL", days[1], 3.5))
    before = plain(_read(visit, "AAPL"))
    visit.reopen()
    sentence = "after reopening the store shows something else"
    return visit.expect_records(sentence, _read(visit, "AAPL"), before, "date")
