"""The contract of price bars, sentence by sentence."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.programs import OneOf, Several, Step, StepKind, from_programs
from pytest_tradestore.conformance.values import same
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, Visit, check
from pytest_tradestore.records import field, plain

_FIRST, _LAST = (1970, 1, 1), (2099, 12, 31)


def checks() -> tuple[Check, ...]:
    """Return the checks of the contract."""
    return (
        check("DATA-BARS-EXACT", "bars", _exact),
        check("DATA-BARS-TIMESTAMPS", "bars", _timestamps),
        check("DATA-BARS-DEDUPE", "bars", _deduplicated),
        check("DATA-BARS-SORTED", "bars", _sorted),
        check("DATA-BARS-RANGE", "bars", _range),
        check("DATA-BARS-MONTHS", "bars", _months),
        check("DATA-BARS-EMPTY", "bars", _empty),
        check("DATA-BARS-MISSING", "bars", _missing),
        check("DATA-BARS-SYMBOLS", "bars", _symbols),
        check("DATA-REOPEN", "bars", _reopened),
        check("DATA-MODEL", f"bars-{SAMPLED}", from_programs(_play, GRAMMAR)),
    )


def _bar(visit: Visit, symbol: str, when: datetime, price: float = 100.0, volume: int = 1000) -> Any:
    return visit.make.make_bar(symbol=symbol, date=when, open=price, high=price, low=price, close=price, volume=volume)


def _shown(bars: Sequence[Any]) -> str:
    """Return bars as a report writes them, the middle of many left out."""
    told = [f"bar({_day(field(b, 'date'))}, {field(b, 'close')!r}, {field(b, 'volume')!r})" for b in bars]
    return f"[{', '.join(told if len(told) <= 4 else [*told[:2], '…', told[-1]])}]"


def _day(when: Any) -> str:
    return repr(str(plain(when)).removesuffix("T00:00:00"))


def _write(visit: Visit, symbol: str, *bars: Any) -> None:
    visit.must("write_bars", symbol, list(bars), shown=f"write_bars({symbol!r}, {_shown(bars)})")


def _read(visit: Visit, symbol: str, start: datetime | None = None, end: datetime | None = None) -> Any:
    found = visit.call("read_bars", symbol, start or visit.at(*_FIRST), end or visit.at(*_LAST))
    return list(found) if isinstance(found, (list, tuple)) else found


def _exact(visit: Visit) -> Mismatch | None:
    """Write prices and volumes that are easily changed, each on a day of its own."""
    wanted: list[Any] = [plain(bar) for bar in (_bar(visit, "AAPL", visit.at(2026, 1, 2), 150.25, 1_000_000),)]
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 2), 150.25, 1_000_000))
    prices = (0.1 + 0.2, 1e-7, 1 / 3, 123456.789012345, 16777217.0, 5e-324, 1.7976931348623157e308, -37.63)
    volumes = (0, 1, 2**31, 2**32 + 1, 2**53 + 1, 2**63 - 1)
    values = [(price, 7) for price in prices] + [(150.25, volume) for volume in volumes]
    for day, (price, volume) in enumerate(values, 3):
        bar = _bar(visit, "AAPL", visit.at(2026, 1, day), price, volume)
        told = plain(bar)
        if visit.accepted("write_bars", "AAPL", [bar], shown=f"write_bars('AAPL', {_shown([bar])})"):
            wanted.append(told)
    apart = visit.make.make_bar(
        symbol="AAPL", date=visit.at(2026, 1, 30), open=151.0, high=153.5, low=149.25, close=152.0, volume=42
    )
    wanted.append(plain(apart))
    _write(visit, "AAPL", apart)
    sentence = "a bar is not read as it was written"
    if found := visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date"):
        return found
    visit.reopen()
    return visit.expect_records(f"after reopening {sentence}", _read(visit, "AAPL"), wanted, "date")


_NEW_YORK, _TOKYO = ZoneInfo("America/New_York"), timezone(timedelta(hours=9))
_MORNING = datetime(2026, 1, 31, 20, 30)  # noqa: DTZ001 - the time without a zone is one of the cases
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
    "before 1970": (datetime(1929, 10, 29), datetime(1969, 12, 31, 23, 59, 59)),  # noqa: DTZ001 - as above
}
"""Times as they are given, those of one row for one symbol."""


def _timestamps(visit: Visit) -> Mismatch | None:
    taken: set[bool] = set()
    for number, (name, times) in enumerate(TIMESTAMPS.items()):
        symbol = f"TS{number}"
        bars = [_bar(visit, symbol, when) for when in times]
        wanted = [plain(bar) for bar in bars]
        if not visit.accepted("write_bars", symbol, bars, shown=f"write_bars({symbol!r}, {_shown(bars)})"):
            continue
        taken.add(times[0].tzinfo is None)
        found = _read(visit, symbol, min(times) - timedelta(days=1), max(times) + timedelta(days=1))
        if mismatch := visit.expect_records(f"a timestamp ({name}) is not kept as given", found, wanted, "date"):
            return mismatch
    if not taken:
        return visit.mismatch("neither times without a zone nor times in UTC are taken", "refused", "one of them")
    return None


def _deduplicated(visit: Visit) -> Mismatch | None:
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


def _sorted(visit: Visit) -> Mismatch | None:
    days = [visit.at(2026, 1, day) for day in (7, 5, 6)]
    _write(visit, "AAPL", *(_bar(visit, "AAPL", day) for day in days))
    wanted = [_bar(visit, "AAPL", day) for day in sorted(days)]
    if found := visit.expect_records(
        "bars written in one call are not read in order of time", _read(visit, "AAPL"), wanted, "date"
    ):
        return found
    days += [visit.at(2026, 1, 2), visit.at(2025, 12, 30), visit.at(2026, 2, 2), visit.at(2026, 1, 5, 12)]
    for day in days[3:]:
        _write(visit, "AAPL", _bar(visit, "AAPL", day))
    wanted = [_bar(visit, "AAPL", day) for day in sorted(days)]
    return visit.expect_records(
        "bars written later are not read in order of time", _read(visit, "AAPL"), wanted, "date"
    )


def _range(visit: Visit) -> Mismatch | None:
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


def _months(visit: Visit) -> Mismatch | None:
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
    _write(visit, "AAPL", _bar(visit, "AAPL", days[5], 7.0), _bar(visit, "AAPL", days[9], 8.0))
    wanted[5], wanted[9] = _bar(visit, "AAPL", days[5], 7.0), _bar(visit, "AAPL", days[9], 8.0)
    sentence = "after a write into existing months their other bars are not what they were"
    return visit.expect_records(sentence, _read(visit, "AAPL"), wanted, "date")


def _empty(visit: Visit) -> Mismatch | None:
    _write(visit, "MSFT")
    if found := visit.expect_records("after writing no bars some are read", _read(visit, "MSFT"), []):
        return found
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 5)))
    _write(visit, "AAPL")
    wanted = [_bar(visit, "AAPL", visit.at(2026, 1, 5))]
    return visit.expect_records("writing no bars changed those that were there", _read(visit, "AAPL"), wanted, "date")


def _missing(visit: Visit) -> Mismatch | None:
    sentence = "a symbol that was never written does not read as []"
    if found := visit.expect_records(sentence, _read(visit, "MISSING"), []):
        return found
    _write(visit, "AAPL", _bar(visit, "AAPL", visit.at(2026, 1, 5)))
    return visit.expect_records(sentence, _read(visit, "MISSING"), [])


def _symbols(visit: Visit) -> Mismatch | None:
    symbols = ("AAPL", "AAP", "AA", "BRK.B", "BRK", "BTC-USD")
    when = visit.at(2026, 1, 5)
    for number, symbol in enumerate(symbols):
        _write(visit, symbol, _bar(visit, symbol, when, 100.0 + number))
    for number, symbol in enumerate(symbols):
        wanted = [_bar(visit, symbol, when, 100.0 + number)]
        if found := visit.expect_records(f"{symbol} does not have its own bars", _read(visit, symbol), wanted, "date"):
            return found
    return None


def _reopened(visit: Visit) -> Mismatch | None:
    days = (visit.at(2026, 1, 30), visit.at(2026, 2, 2))
    _write(visit, "AAPL", *(_bar(visit, "AAPL", day) for day in days))
    _write(visit, "AAPL", _bar(visit, "AAPL", days[1], 3.5))
    before = plain(_read(visit, "AAPL"))
    visit.reopen()
    sentence = "after reopening the store shows something else"
    return visit.expect_records(sentence, _read(visit, "AAPL"), before, "date")


# -- generated programs -------------------------------------------------------------------------------------------


def _play(visit: Visit, program: Sequence[Step]) -> Mismatch | None:
    model: dict[str, dict[datetime, Any]] = {"AAPL": {}, "MSFT": {}}
    begin = visit.at(2026, 1, 29)  # six days over the end of a month

    def wrong(symbol: str, start: datetime, end: datetime) -> Mismatch | None:
        wanted = [bar for when, bar in sorted(model[symbol].items()) if start <= when <= end]
        found = plain(_read(visit, symbol, start, end))
        if same(found, wanted):
            return None
        return visit.expect("the bars read are not those that were written", found, wanted, "date")

    for step in program:
        match step:
            case ("write", symbol, bars):
                times = [begin + timedelta(days=day) for day, _ in bars]
                made = [_bar(visit, symbol, when, float(price)) for when, (_, price) in zip(times, bars, strict=True)]
                model[symbol].update((when, plain(bar)) for when, bar in zip(times, made, strict=True))
                _write(visit, symbol, *made)
            case ("read", symbol, first, last):
                days = sorted((first, last))
                if mismatch := wrong(symbol, *(begin + timedelta(days=day) for day in days)):
                    return mismatch
            case _:
                visit.reopen()
    for symbol in model:
        if mismatch := wrong(symbol, visit.at(*_FIRST), visit.at(*_LAST)):
            return mismatch
    return None


_SYMBOL, _DAY = OneOf(("AAPL", "MSFT")), OneOf(range(6))
GRAMMAR = (
    StepKind("write", (_SYMBOL, Several((_DAY, OneOf(range(1, 9))))), often=3),
    StepKind("read", (_SYMBOL, _DAY, _DAY), often=2),
    StepKind("reopen"),
)
