"""The contract of fundamentals, sentence by sentence."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.programs import OneOf, Step, StepKind, from_programs
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, Visit, check
from pytest_tradestore.records import field, plain


def checks() -> tuple[Check, ...]:
    """Return the checks of the contract."""
    return (
        check("DATA-FUNDAMENTALS-EXACT", "fundamentals", _exact),
        check("DATA-FUNDAMENTALS-LATEST", "fundamentals", _latest),
        check("DATA-FUNDAMENTALS-AS-OF", "fundamentals", _as_of),
        check("DATA-FUNDAMENTALS-MISSING", "fundamentals", _missing),
        check("DATA-REOPEN", "fundamentals", _reopened),
        check("DATA-MODEL", f"fundamentals-{SAMPLED}", from_programs(_play, GRAMMAR)),
    )


def _data(visit: Visit, when: datetime, employees: int, symbol: str = "AAPL", **other: Any) -> Any:
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


def _write(visit: Visit, data: Any, symbol: str = "AAPL") -> None:
    when = str(plain(field(data, "timestamp"))).removesuffix("T00:00:00")
    shown = f"write_fundamental({symbol!r}, data({when!r}, employees={field(data, 'employees')}))"
    visit.must("write_fundamental", symbol, data, shown=shown)


def _read(visit: Visit, *as_of: datetime, symbol: str = "AAPL") -> Any:
    return visit.call("read_fundamental", symbol, *as_of)


def _exact(visit: Visit) -> Mismatch | None:
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


def _three(visit: Visit) -> list[Any]:
    """Write what was published on three days, the newest neither first nor last; return it in order of time."""
    made = [_data(visit, visit.at(2026, 1, day), 1000 + day) for day in (5, 9, 2)]
    for data in made:
        _write(visit, data)
    return [plain(data) for data in (made[2], made[0], made[1])]


def _latest(visit: Visit) -> Mismatch | None:
    _write(visit, _data(visit, visit.at(2026, 1, 1), 160000))
    newer = _data(visit, visit.at(2026, 1, 2), 166000)
    _write(visit, newer)
    sentence = "what is read is not the latest by its timestamp"
    if found := visit.expect_records(sentence, _read(visit), newer):
        return found
    _, _, newest = _three(visit)
    return visit.expect_records(f"written out of order, {sentence}", _read(visit), newest)


def _as_of(visit: Visit) -> Mismatch | None:
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
    return None


def _missing(visit: Visit) -> Mismatch | None:
    sentence = "a symbol without fundamentals does not read as None"
    if found := visit.expect_records(sentence, _read(visit), None):
        return found
    _write(visit, _data(visit, visit.at(2026, 1, 5), 1, "MSFT"), "MSFT")
    if found := visit.expect_records(sentence, _read(visit), None):
        return found
    return visit.expect_records(sentence, _read(visit, visit.at(2026, 1, 5)), None)


def _reopened(visit: Visit) -> Mismatch | None:
    _three(visit)
    before = [plain(_read(visit)), plain(_read(visit, visit.at(2026, 1, 4)))]
    visit.reopen()
    after = [_read(visit), _read(visit, visit.at(2026, 1, 4))]
    return visit.expect_records("after reopening the store shows something else", after, before, "timestamp")


# -- generated programs -------------------------------------------------------------------------------------------


def _play(visit: Visit, program: Sequence[Step]) -> Mismatch | None:
    model: dict[str, dict[datetime, Any]] = {"AAPL": {}, "MSFT": {}}
    begin = visit.at(2026, 1, 28)

    def wrong(symbol: str, *as_of: datetime) -> Mismatch | None:
        known = [data for when, data in sorted(model[symbol].items()) if not as_of or when <= as_of[0]]
        found = _read(visit, *as_of, symbol=symbol)
        return visit.expect_records("what is read is not what was published last", found, known[-1] if known else None)

    for step in program:
        mismatch = None
        match step:
            case ("write", symbol, day, employees):
                when = begin + timedelta(days=day)
                if when not in model[symbol]:  # whether the second of one time replaces the first is not said
                    data = _data(visit, when, employees, symbol)
                    model[symbol][when] = plain(data)
                    _write(visit, data, symbol)
            case ("read", symbol):
                mismatch = wrong(symbol)
            case ("as of", symbol, day):
                mismatch = wrong(symbol, begin + timedelta(days=day))
            case _:
                visit.reopen()
        if mismatch:
            return mismatch
    return wrong("AAPL") or wrong("MSFT")


_SYMBOL, _DAY = OneOf(("AAPL", "MSFT")), OneOf(range(8))
GRAMMAR = (
    StepKind("write", (_SYMBOL, _DAY, OneOf(range(1, 9))), often=3),
    StepKind("read", (_SYMBOL,)),
    StepKind("as of", (_SYMBOL, _DAY), often=2),
    StepKind("reopen"),
)
