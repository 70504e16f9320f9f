"""Strategies, tasks, the state of stocks and the strategy log: records by id, checked, and changed under the lock."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reference_store import (
    AsyncStockStateStore,
    AsyncStrategyLogStore,
    AsyncStrategyStore,
    AsyncTaskStore,
    CorruptData,
    DocumentStore,
    InvalidIdentifier,
    InvalidRecord,
    JournalStore,
    NewerRecord,
    StockStateStore,
    StorageFailure,
    StrategyLogStore,
    StrategyStore,
    TaskStore,
)
from reference_store.bot_models import StockState, Strategy, StrategyLogEntry, Task
from reference_store.stores.bot.records import document_of, model_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], Callable[..., Any], str]] = {
    "strategies": (StrategyStore, AsyncStrategyStore, lambda key, **more: Strategy(strategy_id=key, name="any", **more),
                   "parameters"),
    "tasks": (TaskStore, AsyncTaskStore, lambda key, **more: Task(task_id=key, action="any", **more), "params"),
    "stock_state": (StockStateStore, AsyncStockStateStore, lambda key, **more: StockState(symbol=key, **more), "data"),
}  # fmt: skip
each_kind = pytest.mark.parametrize("kind", list(KINDS))


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@each_kind
def test_a_record_comes_back_with_its_times_from_a_readable_file(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    store = opened(tmp_path, clock=Clock())  # type: ignore[call-arg] # all of them take one
    first = store.save(made("AAPL", **{member: {"n": 1}}))
    second = store.save(made("AAPL", **{member: {"n": 2}}))

    assert (first.created_at, second.created_at) == (NOON + timedelta(seconds=1),) * 2
    assert second.updated_at == NOON + timedelta(seconds=2)
    assert opened(tmp_path).get("AAPL") == second
    assert '"n": 2' in (tmp_path / kind / "AAPL.json").read_text()
    assert opened(tmp_path).get("MSFT") is None
    assert store.ids() == ["AAPL"]
    assert (store.delete("AAPL"), store.delete("AAPL"), store.get("AAPL")) == (True, False, None)


@each_kind
def test_no_change_of_threads_is_lost_and_a_record_that_is_not_there_is_not_made(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    stores = [opened(tmp_path), opened(tmp_path)]
    stores[0].save(made("AAPL", **{member: {"n": 0}}))

    def increment(record: Any) -> Any:
        getattr(record, member)["n"] += 1
        return record

    threads = [threading.Thread(target=stores[n % 2].update, args=("AAPL", increment)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert getattr(stores[0].get("AAPL"), member) == {"n": 8}
    assert stores[0].update("MSFT", increment) is None
    assert stores[0].ids() == ["AAPL"]


@each_kind
def test_tasks_have_the_same(tmp_path: Path, kind: str) -> None:
    _, opened, made, member = KINDS[kind]

    async def program() -> None:
        async with opened(tmp_path) as store:
            saved = await store.save(made("AAPL", **{member: {"n": 1}}))
            assert await store.get("AAPL") == saved

            def increment(record: Any) -> Any:
                getattr(record, member)["n"] += 1
                return record

            await asyncio.gather(*(store.update("AAPL", increment) for _ in range(5)))
            assert getattr(await store.get("AAPL"), member) == {"n": 6}
            assert await store.ids() == ["AAPL"]
            assert (await store.migrate()).current == ("AAPL",)
            assert await store.delete("AAPL") is True

    asyncio.run(program())


@each_kind
def test_what_is_no_record_is_refused(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    store = opened(tmp_path)
    store.save(made("AAPL", **{member: {"n": 1}}))

    def renamed(record: Any) -> Any:
        return made("MSFT")

    for wrong in (None, {"n": 1}, made("AAPL").model_copy(update={member: [1]})):
        with pytest.raises(InvalidRecord):
            store.save(wrong)
    with pytest.raises(InvalidIdentifier):
        store.save(made("../AAPL"))
    for function in (renamed, lambda _: 7, None):
        with pytest.raises(InvalidRecord):
            store.update("AAPL", function)
    assert getattr(store.get("AAPL"), member) == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == [kind]


@each_kind
def test_damage_is_answered_from_the_backup_and_a_newer_record_takes_no_other_along(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    store = opened(tmp_path)
    for n in (1, 2):
        store.save(made("AAPL", **{member: {"n": n}}))
        store.save(made("MSFT"))
    (tmp_path / kind / "AAPL.json").write_bytes(b"{")
    plain = DocumentStore(tmp_path / kind)
    plain.put("NEW", {"version": "2.0", "of": "tomorrow"})

    assert getattr(store.get("AAPL"), member) == {"n": 1}
    assert len(store.recoveries) == 1
    with pytest.raises(NewerRecord):
        store.get("NEW")
    with pytest.raises(NewerRecord):
        store.save(made("NEW"))
    if kind != "stock_state":
        assert len(store.list()) == 2
    assert plain.get("NEW") == {"version": "2.0", "of": "tomorrow"}


STRANGE = {
    "a member": {"owner": "of a later version"},
    "a word": {"status": "blocked"},
    "both": {"owner": 1, "status": "blocked"},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=list(STRANGE))
@each_kind
def test_a_record_with_what_only_a_newer_version_knows_is_not_taken_for_damage_and_takes_no_other_along(
    tmp_path: Path, kind: str, strange: dict[str, Any]
) -> None:
    opened, _, made, _ = KINDS[kind]
    store = opened(tmp_path)
    for key in ("AAPL", "MSFT"):
        store.save(made(key))
    plain = DocumentStore(tmp_path / kind)
    newer = {**(plain.get("AAPL") or {}), **strange}
    plain.put("AAPL", newer)

    for call in (
        lambda: store.get("AAPL"),
        lambda: store.save(made("AAPL")),
        lambda: store.update("AAPL", lambda record: record),
    ):
        with pytest.raises(NewerRecord, match="kept as it is"):
            call()
    assert plain.get("AAPL") == newer
    assert store.recoveries == ()
    assert store.get("MSFT") is not None
    if kind != "stock_state":
        assert len(store.list()) == 1


@each_kind
def test_control_a_member_that_is_known_and_wrong_is_damage(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    store = opened(tmp_path)
    store.save(made("AAPL"))
    plain = DocumentStore(tmp_path / kind)
    plain.put("AAPL", {**(plain.get("AAPL") or {}), member: 7, "owner": "of a later version"})

    assert store.get("AAPL") is not None
    assert len(store.recoveries) == 1


@each_kind
def test_a_number_that_is_too_long_to_be_read_again_is_refused(tmp_path: Path, kind: str) -> None:
    opened, _, made, member = KINDS[kind]
    with pytest.raises(InvalidRecord):
        opened(tmp_path).save(made("AAPL", **{member: {"n": 10**5000}}))


@each_kind
def test_a_key_that_is_no_text_is_refused_and_not_changed(kind: str) -> None:
    _, _, made, member = KINDS[kind]
    with pytest.raises(ValidationError, match="unicode"):
        made("AAPL", **{member: {"\ud800": 1}})


@each_kind
def test_a_record_that_stands_under_another_id_is_damage(tmp_path: Path, kind: str) -> None:
    opened, _, made, _ = KINDS[kind]
    store = opened(tmp_path)
    store.save(made("AAPL"))
    plain = DocumentStore(tmp_path / kind)
    plain.put("MSFT", plain.get("AAPL") or {})

    with pytest.raises(CorruptData, match="another id"):
        store.get("MSFT")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)

moments = st.datetimes().map(lambda moment: moment.replace(fold=0)) | st.datetimes(timezones=st.timezones())


@given(st.dictionaries(st.text(max_size=3), values, max_size=3), moments)
def test_every_record_survives_the_way_into_a_document_and_back(data: dict[str, Any], moment: datetime) -> None:
    for record in (
        StockState(symbol="AAPL", fetched_at={"bars": moment}, data=data),
        Strategy(strategy_id="s", name="s", parameters=data, created_at=moment),
        StrategyLogEntry(strategy="s", message="m", at=moment, data=data),
    ):
        again = model_of(type(record), document_of(type(record), record))
        assert document_of(type(record), again) == document_of(type(record), record)
    assert repr(again.data) == repr(data)


def test_a_time_that_its_text_would_not_give_back_is_refused() -> None:
    with pytest.raises(ValidationError):
        StrategyLogEntry(strategy="s", message="m", at=datetime(2026, 1, 5, fold=1))  # noqa: DTZ001 - that is the point


@each_kind
def test_a_planted_link_is_not_followed_to_another_directory(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / kind).symlink_to(elsewhere)

    with pytest.raises(StorageFailure):
        KINDS[kind][0](tmp_path / "data")
    assert list(elsewhere.iterdir()) == []


# Listings and what each kind has of its own


def test_strategies_are_listed_by_status_in_pages(tmp_path: Path) -> None:
    store = StrategyStore(tmp_path)
    for n in range(5):
        store.save(Strategy(strategy_id=f"s{n}", name="any", status="active" if n % 2 else "draft"))

    assert [each.strategy_id for each in store.list()] == ["s0", "s1", "s2", "s3", "s4"]
    assert [each.strategy_id for each in store.list("active")] == ["s1", "s3"]
    assert [each.strategy_id for each in store.list(limit=2, offset=1)] == ["s1", "s2"]
    assert store.list(limit=0) == []
    for wrong in ({"status": "asleep"}, {"limit": -1}, {"offset": True}):
        with pytest.raises(InvalidRecord):
            store.list(**wrong)  # type: ignore[arg-type] # that is the point


def test_a_due_task_is_begun_once_and_ends_in_one_of_three_ways(tmp_path: Path) -> None:
    store = TaskStore(tmp_path)
    for n, hours in enumerate((0, -1, 1)):
        store.save(Task(task_id=f"t{n}", action="fetch", due_at=NOON + timedelta(hours=hours)))
    store.save(Task(task_id="whenever", action="fetch"))

    assert [task.task_id for task in store.due(NOON)] == ["t1", "t0"]
    begun: list[object] = []
    threads = [threading.Thread(target=lambda: begun.append(store.begin("t1", NOON))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (mine,) = [task for task in begun if task is not None]
    assert isinstance(mine, Task)
    assert (mine.status, mine.attempts, mine.last_run_at) == ("running", 1, NOON)
    assert store.begin("t2", NOON) is None

    later = NOON + timedelta(days=1)
    again = store.end("t1", error="no answer", due_at=later)
    assert again is not None
    assert (again.status, again.error, again.due_at) == ("waiting", "no answer", later)
    assert store.end("t1", result={}) is None, "it is not running"
    assert store.begin("t0", NOON) is not None
    done = store.end("t0", result={"bars": 390})
    assert done is not None
    assert (done.status, done.result) == ("completed", {"bars": 390})
    assert [task.task_id for task in store.list("waiting")] == ["t1", "t2", "whenever"]
    with pytest.raises(InvalidRecord):
        store.due(datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point


def test_a_task_that_cannot_be_kept_at_its_end_stays_running(tmp_path: Path) -> None:
    store = TaskStore(tmp_path)
    store.save(Task(task_id="t", action="fetch", due_at=NOON))
    store.begin("t", NOON)

    with pytest.raises(InvalidRecord):
        store.end("t", result={"when": NOON})
    with pytest.raises(InvalidRecord):
        store.end("t", due_at=datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point
    found = store.get("t")
    assert found is not None
    assert found.status == "running"


def test_when_something_was_fetched_of_a_stock_never_goes_back(tmp_path: Path) -> None:
    store = StockStateStore(tmp_path)
    store.fetched("BTC/USDT", "bars", NOON)
    store.fetched("BTC/USDT", "news", NOON + timedelta(hours=1))
    state = store.fetched("BTC/USDT", "bars", NOON - timedelta(hours=1))

    assert state.fetched_at == {"bars": NOON, "news": NOON + timedelta(hours=1)}
    assert StockStateStore(tmp_path).get("BTC/USDT") == state
    with pytest.raises(InvalidRecord):
        store.fetched("BTC/USDT", "bars", datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidRecord):
        store.fetched("BTC/USDT", "bars", "today")  # type: ignore[arg-type] # that is the point


def test_a_strategy_log_keeps_what_was_seen_in_order_and_by_strategy(tmp_path: Path) -> None:
    store = StrategyLogStore(tmp_path, clock=lambda: NOON)
    store.append(StrategyLogEntry(strategy="momentum", message="began"))
    store.append(StrategyLogEntry(strategy="momentum", message="bought", symbol="AAPL", level="warning", data={"n": 1}))

    async def program() -> list[StrategyLogEntry]:
        async with AsyncStrategyLogStore(tmp_path) as other:
            await other.append(StrategyLogEntry(strategy="value", message="slept", at=NOON))
            assert await other.strategies() == ["momentum", "value"]
            return await other.read("momentum", since=1)

    found = store.read("momentum")
    assert [(entry.message, entry.at) for entry in found] == [("began", NOON), ("bought", NOON)]
    assert asyncio.run(program()) == found[1:]
    assert store.read("momentum", limit=1) == found[:1]
    assert store.delete("value") is True
    with pytest.raises(InvalidRecord):
        store.append({"strategy": "momentum", "message": "sold"})  # type: ignore[arg-type] # that is the point
    with pytest.raises(InvalidIdentifier):
        store.append(StrategyLogEntry(strategy="../x", message="climbed"))


def test_entries_of_a_newer_version_take_no_others_along(tmp_path: Path) -> None:
    store = StrategyLogStore(tmp_path)
    store.append(StrategyLogEntry(strategy="momentum", message="first"))
    plain = JournalStore(tmp_path / "strategy_log")
    (entry,) = plain.read("momentum")
    plain.append("momentum", {**entry, "message": "with more", "trace": "t-1"})
    plain.append("momentum", {**entry, "message": "in another word", "level": "alarm"})
    store.append(StrategyLogEntry(strategy="momentum", message="last"))

    assert [found.message for found in store.read("momentum")] == ["first", "with more", "last"]


def test_a_line_that_is_no_entry_is_damage(tmp_path: Path) -> None:
    JournalStore(tmp_path / "strategy_log").append("momentum", {"message": 7})

    with pytest.raises(CorruptData, match="is no entry"):
        StrategyLogStore(tmp_path).read("momentum")


def test_a_record_that_is_not_there_yet_is_begun_by_an_update(tmp_path: Path) -> None:
    with StockStateStore(tmp_path) as store:

        def count(state: StockState) -> StockState:
            state.data["n"] = state.data.get("n", 0) + 1
            return state

        assert store.update("AAPL", count) is None
        for _ in range(2):
            store.update("AAPL", count, StockState(symbol="AAPL"))
        found = store.get("AAPL")
        assert found is not None
        assert found.data == {"n": 2}
        with pytest.raises(InvalidRecord, match="another id"):
            store.update("AAPL", count, StockState(symbol="MSFT"))
