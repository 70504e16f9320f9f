"""The records: made as the stores' users make them, strict about what they are given, and lazily imported."""

# ruff: noqa: DTZ001 - naive times are among the cases

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from reference_store import CorruptData, InvalidRecord
from reference_store.core.records import from_json, to_json
from reference_store.models import Action, Decision, Event, FundamentalData, Job, Order, OrderResult, PriceBar, Status

NOON = datetime(2026, 1, 5, 12)
SECOND_OF_TWO = datetime(2026, 11, 1, 1, 30, fold=1)
ORDER: dict[str, Any] = {
    "strategy_name": "v",
    "symbol": "AAPL",
    "action": "BUY",
    "quantity": 100,
    "order_type": "MARKET",
}


def test_importing_the_package_imports_neither_pyarrow_nor_pydantic_nor_asyncio() -> None:
    program = "import reference_store, sys; print([m for m in ('pyarrow', 'pydantic', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_exported_name_can_be_imported() -> None:
    import reference_store

    assert all(getattr(reference_store, name) is not None for name in reference_store.__all__)


def test_a_bar_is_made_of_keyword_arguments_and_equals_another_of_the_same_values() -> None:
    fields: dict[str, Any] = {"symbol": "A", "date": datetime(2026, 1, 5), "open": 1.0, "high": 2.0, "low": 0.5}

    assert PriceBar(**fields, close=1.5, volume=10) == PriceBar(**fields, close=1.5, volume=10)
    assert PriceBar(**fields, close=1.5, volume=10) != PriceBar(**fields, close=1.5, volume=11)


@pytest.mark.parametrize("action", ["BUY", Action.BUY])
def test_an_action_is_given_as_a_member_or_as_its_text(action: Any) -> None:
    assert Order(**{**ORDER, "action": action}).action == "BUY"
    assert Decision(symbol="AAPL", action=action).action is Action.BUY


REFUSED = {
    "text-for-a-number": {"quantity": "100"},
    "a-bool-for-a-number": {"quantity": True},
    "not-finite": {"quantity": float("nan")},
    "unknown-action": {"action": "buy"},
    "misspelt-field": {"qty": 1},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=list(REFUSED))
def test_a_record_refuses_what_it_would_have_to_guess(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order(**{**ORDER, **fields})


ROUNDED: dict[str, Any] = {
    "decimal": Decimal("0.1000000000000000000001"),
    "int-that-no-float-holds": 2**53 + 1,
    "larger-than-any-float": 10**400,
    "fraction": Fraction(1, 3),
}


@pytest.mark.parametrize("value", ROUNDED.values(), ids=list(ROUNDED))
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (FundamentalData, "shares_outstanding"),
        (FundamentalData, "float_shares"),
        (Decision, "target_weight"),
        (Decision, "confidence"),
        (Order, "limit_price"),
        (Order, "stop_price"),
        (OrderResult, "fill_price"),
        (Job, "progress"),
    ],
)
def test_a_number_that_would_be_rounded_is_refused(kind: Any, field: str, value: Any) -> None:
    needed: dict[str, Any] = {**ORDER, "timestamp": NOON, "order_id": 1, "status": "pending", "job_id": "j"}
    needed["job_type"] = "b"
    given = {name: needed[name] for name, about in kind.model_fields.items() if about.is_required()}

    with pytest.raises(ValidationError, match=field):
        kind(**given, **{field: value})
    assert getattr(kind(**given, **{field: 2**53}), field) == 2**53  # control


@pytest.mark.parametrize("value", [Decimal("0.1"), Fraction(1, 3)])
def test_a_quantity_is_an_int_or_a_float_and_kept_as_it_is(value: Any) -> None:
    with pytest.raises(ValidationError):
        Order(**{**ORDER, "quantity": value})
    for kept in (2**53 + 1, 0.1, 10.0, 10):
        assert repr(Order(**{**ORDER, "quantity": kept}).quantity) == repr(kept)


def test_what_a_newer_version_has_added_does_not_hide_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    split = Event(type="split", timestamp=NOON)
    newer = {**to_json(split), "venue": "XNAS"}

    assert from_json(Event, newer, "2026-01", "2026-01.jsonl") == split
    assert "'venue'" in caplog.text
    with pytest.raises(CorruptData):
        from_json(Event, {"venue": "XNAS"}, "2026-01", "2026-01.jsonl")


@pytest.mark.parametrize(
    "record",
    [
        FundamentalData(symbol="AAPL", timestamp=SECOND_OF_TWO),
        Job(job_id="J", job_type="t", created_at=SECOND_OF_TWO),
    ],
    ids=["company data", "a job"],
)
def test_the_second_of_two_equal_hours_without_a_zone_is_refused_where_its_text_would_lose_it(record: Any) -> None:
    with pytest.raises(InvalidRecord, match="fold=1"):
        to_json(record)


def test_control_with_a_zone_it_is_kept() -> None:
    moment = SECOND_OF_TWO.replace(tzinfo=ZoneInfo("America/New_York"))
    found = to_json(FundamentalData(symbol="AAPL", timestamp=moment))["timestamp"]

    assert found == "2026-11-01T01:30:00-05:00"


def test_a_status_is_checked_on_assignment_too() -> None:
    job = Job(job_id="j", job_type="backtest")
    job.status = "completed"  # type: ignore[assignment] # its text is accepted

    assert job.status is Status.COMPLETED
    assert job.status.terminal
    with pytest.raises(ValidationError):
        job.status = "done"  # type: ignore[assignment]


@pytest.mark.parametrize(
    "record",
    [
        Event(type="split", timestamp=datetime(2026, 1, 5, 9, 30, 0, 7), symbol="A", data={"ratio": [2, 1], "x": None}),
        FundamentalData(symbol="A", timestamp=datetime(2026, 1, 5, tzinfo=UTC), employees=5, shares_outstanding=1e10),
        Order(**ORDER),
        OrderResult(order_id=123, status="filled", fill_price=150.25, fill_quantity=100),
        Job(job_id="j", job_type="b", result={"pnl": 1.5}),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_survives_the_way_to_json_and_back(record: Any) -> None:
    assert from_json(type(record), to_json(record), "key", "file") == record
