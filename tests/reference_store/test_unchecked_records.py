"""A record that nobody has checked is refused when it is saved: once acknowledged it could not be read again."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    FileDataStore,
    InvalidRecord,
    StoreError,
    StrategyLogStore,
    SyncJobStore,
    UnserialisableValue,
)
from reference_store.bot_models import StrategyLogEntry
from reference_store.models import Action, Decision, Event, FundamentalData, Job, Order, OrderResult
from tests.reference_store.trading import JANUARY

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ORDER = Order(strategy_name="v", symbol="AAPL", action=Action.BUY, quantity=1, order_type="MARKET")


class Timeless(datetime):
    """Says that it is a datetime, like pandas' NaT."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = datetime.__hash__

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return "NaT"


NEVER = Timeless(2026, 1, 5)
SAVES: dict[str, tuple[Any, Callable[[Path, Any], object]]] = {
    "event": (Event(type="fill", timestamp=NOON), lambda root, it: FileDataStore(root).write_event(it)),
    "company": (
        FundamentalData(symbol="AAPL", timestamp=NOON),
        lambda root, it: FileDataStore(root).write_fundamental("AAPL", it),
    ),
    "decision": (
        Decision(symbol="AAPL", action=Action.BUY),
        lambda root, it: FileDataStore(root).log_decision("v", it),
    ),
    "order": (ORDER, lambda root, it: FileDataStore(root).log_order("v", it, OrderResult(order_id=1, status="sent"))),
    "result": (OrderResult(order_id=1, status="sent"), lambda root, it: FileDataStore(root).log_order("v", ORDER, it)),
    "job": (Job(job_id="j", job_type="t"), lambda root, it: SyncJobStore(root).save(it)),
    "entry": (StrategyLogEntry(strategy="v", message="m"), lambda root, it: StrategyLogStore(root).append(it)),
}


@pytest.mark.parametrize(("record", "save"), SAVES.values(), ids=list(SAVES))
def test_control_the_same_records_are_stored_when_all_is_there(
    tmp_path: Path, record: Any, save: Callable[[Path, Any], object]
) -> None:
    save(tmp_path, record)
    save(tmp_path, type(record).model_construct(**dict(record)))


@pytest.mark.parametrize(("record", "save"), SAVES.values(), ids=list(SAVES))
def test_a_record_that_lacks_something_or_holds_something_else_is_refused(
    tmp_path: Path, record: Any, save: Callable[[Path, Any], object]
) -> None:
    kind, whole = type(record), dict(record)
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    for name in needed:
        with pytest.raises(InvalidRecord):
            save(tmp_path, kind.model_construct(**{other: whole[other] for other in whole if other != name}))
        with pytest.raises(InvalidRecord):
            save(tmp_path, kind.model_construct(**{**whole, name: {5}}))
    with pytest.raises(InvalidRecord):
        save(tmp_path, kind.model_construct())

    assert FileDataStore(tmp_path).read_events(JANUARY.replace(tzinfo=UTC), NOON) == []
    assert FileDataStore(tmp_path).read_decisions(datetime.now().astimezone().date()) == []


@pytest.mark.parametrize("what", ["event", "company", "job"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, what: str) -> None:
    record, save = SAVES[what]
    name = "created_at" if what == "job" else "timestamp"
    with pytest.raises(InvalidRecord, match=name):
        save(tmp_path, record.model_copy(update={name: NEVER}))


def test_what_json_does_not_have_is_no_result_of_a_job_in_other_words_either(tmp_path: Path) -> None:
    with pytest.raises(UnserialisableValue):
        SyncJobStore(tmp_path).save(Job(job_id="j", job_type="t", result=Fraction(1, 3)))


@pytest.mark.parametrize("progress", [2**53 + 1, Fraction(1, 2), True, "half", float("inf"), 10**400])
def test_progress_that_would_become_another_number_is_refused(tmp_path: Path, progress: Any) -> None:
    with SyncJobStore(tmp_path) as store:
        store.save(Job(job_id="j", job_type="t"))
        with pytest.raises(StoreError, match="progress"):
            store.update_progress("j", progress)
        assert store.get("j").progress == 0.0  # type: ignore[union-attr] # it is there
        assert store.update_progress("j", 2**53)
        assert store.get("j").progress == 2**53  # type: ignore[union-attr] # it is there
