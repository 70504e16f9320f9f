"""The tests that the data store was first written for, as they were printed, with other import lines."""

# ruff: noqa
# fmt: off

# tests/unit/test_data_store_protocol.py
from typing import Protocol, runtime_checkable
import pytest


def test_data_store_is_protocol():
    from reference_store import DataStore

    assert hasattr(DataStore, '__protocol_attrs__') or hasattr(DataStore, '_is_protocol')


def test_file_data_store_implements_protocol():
    from reference_store import DataStore, FileDataStore

    store = FileDataStore(base_path="/tmp/test_store")
    assert isinstance(store, DataStore)

# tests/unit/test_file_data_store.py
from datetime import datetime
import tempfile
import pytest


@pytest.fixture
def temp_store():
    import tempfile
    from reference_store import FileDataStore

    with tempfile.TemporaryDirectory() as tmpdir:
        yield FileDataStore(base_path=tmpdir)


def test_write_and_read_bars(temp_store):
    from reference_store.models import PriceBar

    bars = [
        PriceBar(symbol="AAPL", date=datetime(2026, 1, 5), open=150.0, high=152.0, low=149.0, close=151.0, volume=1000000),
        PriceBar(symbol="AAPL", date=datetime(2026, 1, 6), open=151.0, high=153.0, low=150.0, close=152.0, volume=1100000),
    ]

    temp_store.write_bars("AAPL", bars)

    result = temp_store.read_bars("AAPL", datetime(2026, 1, 1), datetime(2026, 1, 31))

    assert len(result) == 2
    assert result[0].symbol == "AAPL"
    assert result[0].close == 151.0
    assert result[1].close == 152.0


def test_read_bars_with_date_filter(temp_store):
    from reference_store.models import PriceBar

    bars = [
        PriceBar(symbol="AAPL", date=datetime(2026, 1, 5), open=150.0, high=152.0, low=149.0, close=151.0, volume=1000000),
        PriceBar(symbol="AAPL", date=datetime(2026, 1, 10), open=151.0, high=153.0, low=150.0, close=152.0, volume=1100000),
        PriceBar(symbol="AAPL", date=datetime(2026, 1, 15), open=152.0, high=154.0, low=151.0, close=153.0, volume=1200000),
    ]

    temp_store.write_bars("AAPL", bars)

    result = temp_store.read_bars("AAPL", datetime(2026, 1, 8), datetime(2026, 1, 12))

    assert len(result) == 1
    assert result[0].date == datetime(2026, 1, 10)


def test_read_bars_empty_for_missing_symbol(temp_store):
    result = temp_store.read_bars("MISSING", datetime(2026, 1, 1), datetime(2026, 1, 31))
    assert result == []

def test_write_and_read_fundamental(temp_store):
    from reference_store.models import FundamentalData

    data = FundamentalData(
        symbol="AAPL",
        timestamp=datetime(2026, 1, 5, 10, 0, 0),
        company_name="Apple Inc",
        cik="0000320193",
        employees=166000,
        shares_outstanding=14776353000.0,
        float_shares=14525947723.0,
        industry="Technology",
        category="Computers",
        subcategory="Consumer Electronics",
        raw_xml="<test/>"
    )

    temp_store.write_fundamental("AAPL", data)

    result = temp_store.read_fundamental("AAPL")

    assert result is not None
    assert result.symbol == "AAPL"
    assert result.company_name == "Apple Inc"
    assert result.employees == 166000


def test_read_fundamental_returns_latest(temp_store):
    from reference_store.models import FundamentalData

    old_data = FundamentalData(
        symbol="AAPL", timestamp=datetime(2026, 1, 1),
        company_name="Apple Inc", cik="123", employees=160000,
        shares_outstanding=None, float_shares=None,
        industry=None, category=None, subcategory=None, raw_xml=""
    )

    new_data = FundamentalData(
        symbol="AAPL", timestamp=datetime(2026, 1, 5),
        company_name="Apple Inc", cik="123", employees=166000,
        shares_outstanding=None, float_shares=None,
        industry=None, category=None, subcategory=None, raw_xml=""
    )

    temp_store.write_fundamental("AAPL", old_data)
    temp_store.write_fundamental("AAPL", new_data)

    result = temp_store.read_fundamental("AAPL")
    assert result.employees == 166000


def test_read_fundamental_missing_returns_none(temp_store):
    result = temp_store.read_fundamental("MISSING")
    assert result is None

def test_save_and_load_strategy_state(temp_store):
    state = {
        "positions": {"AAPL": 100, "MSFT": 50},
        "cash": 10000.0,
        "last_updated": "2026-01-05T10:00:00"
    }

    temp_store.save_strategy_state("value_strategy", state)

    result = temp_store.load_strategy_state("value_strategy")

    assert result == state


def test_load_strategy_state_missing_returns_none(temp_store):
    result = temp_store.load_strategy_state("missing_strategy")
    assert result is None

def test_log_decision(temp_store):
    from reference_store.models import Decision, Action

    decision = Decision(
        symbol="AAPL",
        action=Action.BUY,
        target_weight=0.05,
        confidence=0.8,
        reasoning="Strong fundamentals"
    )

    temp_store.log_decision("value_strategy", decision)

    # Verify file exists and contains the decision
    log_file = temp_store.base_path / "audit" / "decisions" / f"{datetime.now().strftime('%Y-%m-%d')}.jsonl"
    assert log_file.exists()


def test_log_order(temp_store):
    from reference_store.models import Order, OrderResult

    order = Order(
        strategy_name="value_strategy",
        symbol="AAPL",
        action="BUY",
        quantity=100,
        order_type="MARKET"
    )

    result = OrderResult(
        order_id=123,
        status="filled",
        fill_price=150.25,
        fill_quantity=100,
        message=None
    )

    temp_store.log_order("value_strategy", order, result)

    log_file = temp_store.base_path / "audit" / "orders" / f"{datetime.now().strftime('%Y-%m-%d')}.jsonl"
    assert log_file.exists()
