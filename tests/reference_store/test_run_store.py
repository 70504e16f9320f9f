"""RunStore: ids, kinds, times, order, deletion, threads."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncRunStore,
    InvalidIdentifier,
    InvalidRecord,
    NewerRecord,
    RunStore,
    StoreClosed,
    StoreError,
    UnserialisableValue,
)
from reference_store.models import Run, Status

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path, clock=Clock())


def test_a_run_without_an_id_gets_one_of_its_own(store: RunStore) -> None:
    ids = {store.create_or_update_run(kind="backtest").run_id for _ in range(20)}

    assert len(ids) == 20
    assert all(store.get_run(run_id) is not None for run_id in ids)


def test_an_update_changes_what_is_given_and_nothing_else(store: RunStore, tmp_path: Path) -> None:
    made = store.create_or_update_run("r1", "backtest", params={"window": 20}, artifact_id="a-1")
    changed = store.create_or_update_run("r1", metrics={"pnl": 1.5})

    assert changed == made.model_copy(update={"metrics": {"pnl": 1.5}, "updated_at": changed.updated_at})
    assert changed.updated_at > made.updated_at
    assert RunStore(tmp_path).get_run("r1") == changed
    assert list(json.loads((tmp_path / "runs.json").read_text())) == ["runs", "updated_at", "_integrity"]


def test_times_follow_the_status(store: RunStore) -> None:
    pending = store.create_or_update_run("r1", "backtest", status="pending")
    assert (pending.started_at, pending.finished_at) == (None, None)
    running = store.create_or_update_run("r1", status="running")
    assert running.started_at == running.updated_at
    done = store.create_or_update_run("r1", status=Status.COMPLETED)
    assert (done.started_at, done.finished_at) == (running.started_at, done.updated_at)
    noted = store.create_or_update_run("r1", metrics={"pnl": 1.0})
    assert noted.finished_at == done.finished_at
    again = store.create_or_update_run("r1", status="running")
    assert (again.started_at, again.finished_at) == (running.started_at, None)


def test_runs_are_listed_by_their_last_update_also_at_equal_times(tmp_path: Path) -> None:
    store = RunStore(tmp_path, clock=lambda: START)
    for name in ("a", "b", "c", "a"):
        store.create_or_update_run(name, "backtest")

    assert [run.run_id for run in store.list_runs()] == ["a", "c", "b"]
    assert [run.run_id for run in store.list_runs(limit=1, offset=1)] == ["c"]


def test_runs_are_filtered_by_kind_and_status(store: RunStore) -> None:
    store.create_or_update_run("a", "Back-Test", status="failed")
    store.create_or_update_run("b", "backtest")
    store.create_or_update_run("c", "live")

    assert [run.run_id for run in store.list_runs(kind="BACKTEST")] == ["b", "a"]
    assert [run.run_id for run in store.list_runs("backtest", "failed")] == ["a"]
    with pytest.raises(InvalidRecord):
        store.list_runs(status="lost")
    with pytest.raises(InvalidRecord):
        store.list_runs(limit=-1)


KINDS = {"Back Test/../1": "backtest1", "x" * 99: "x" * 64, "İSTANBUL": "istanbul", "A_b-C": "abc"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_kept_as_lower_case_letters_and_digits(store: RunStore, kind: str) -> None:
    assert store.create_or_update_run(kind=kind).kind == KINDS[kind]


@pytest.mark.parametrize("kind", [None, "", "***", "日本", 7])
def test_a_run_without_a_usable_kind_is_refused(store: RunStore, tmp_path: Path, kind: Any) -> None:
    with pytest.raises(InvalidRecord):
        store.create_or_update_run("r1", kind)
    assert not (tmp_path / "runs.json").exists()


@pytest.mark.parametrize("identifier", ["", "../r", "r/1", "r\n", "-r", "r" * 300, 7, b"r"])
def test_ids_are_checked_against_allowlists_to_their_last_character(store: RunStore, identifier: Any) -> None:
    for call in (
        lambda: store.create_or_update_run(identifier, "backtest"),
        lambda: store.create_or_update_run("r1", "backtest", artifact_id=identifier),
        lambda: store.get_run(identifier),
        lambda: store.delete_run(identifier),
    ):
        with pytest.raises(InvalidIdentifier):
            call()


def test_a_value_that_json_cannot_give_back_is_refused_and_the_run_kept(store: RunStore) -> None:
    made = store.create_or_update_run("r1", "backtest", params={"a": 1})
    with pytest.raises(UnserialisableValue):
        store.create_or_update_run("r1", params={"a": float("nan")})
    assert store.get_run("r1") == made


def test_what_was_given_can_be_changed_without_changing_the_store(store: RunStore) -> None:
    params: dict[str, Any] = {"list": [1]}
    store.create_or_update_run("r1", "backtest", params=params)
    params["list"].append(2)

    found = store.get_run("r1")
    assert found is not None
    assert found.params == {"list": [1]}


def test_a_deleted_run_is_gone_and_stays_gone(store: RunStore, tmp_path: Path) -> None:
    store.create_or_update_run("r1", "backtest")
    store.create_or_update_run("r2", "backtest")

    assert store.delete_run("r1") is True
    assert store.delete_run("r1") is False
    assert store.get_run("r1") is None
    assert [run.run_id for run in RunStore(tmp_path).list_runs()] == ["r2"]


def test_threads_and_instances_lose_no_update(tmp_path: Path) -> None:
    shared = RunStore(tmp_path)

    def work(number: int) -> None:
        store = shared if number % 2 else RunStore(tmp_path)
        for turn in range(15):
            store.create_or_update_run(f"r{number}-{turn}", "backtest")
            store.create_or_update_run(f"r{number}-{turn}", status="completed")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(shared.list_runs(status="completed", limit=1000)) == 90


def test_a_closed_store_says_so(store: RunStore) -> None:
    store.close()
    with pytest.raises(StoreClosed):
        store.create_or_update_run("r1", "backtest")
    with pytest.raises(StoreClosed):
        store.list_runs()


def test_what_is_done_to_a_run_that_was_returned_does_not_reach_the_store(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for run in (
        store.create_or_update_run("r", "backtest", params={"legs": [{"weights": [1, 2]}]}),
        store.get_run("r"),
        store.list_runs()[0],
    ):
        assert run is not None
        run.params["legs"][0]["weights"].append(3)  # type: ignore[index,call-overload,union-attr]
        run.params["legs"].append({})  # type: ignore[union-attr]

    found = store.get_run("r")
    assert found is not None
    assert found.params == {"legs": [{"weights": [1, 2]}]}


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(0), timedelta(seconds=1)])
@pytest.mark.parametrize("reopened", [True, False])
def test_the_run_updated_last_is_listed_first_whatever_the_clock_says(
    tmp_path: Path, step: timedelta, reopened: bool
) -> None:
    times = iter([START + step * turn for turn in range(20)])
    store = RunStore(tmp_path, clock=lambda: next(times))
    for name in ("a", "b", "c", "a"):
        store.create_or_update_run(name, "backtest")
    if reopened:
        store.close()
        store = RunStore(tmp_path, clock=lambda: next(times))
    store.create_or_update_run("d", "backtest")
    store.update_run("b", lambda run: run)

    assert [run.run_id for run in store.list_runs()] == ["b", "d", "a", "c"]
    assert [run.run_id for run in store.list_runs(limit=2, offset=1)] == ["d", "a"]


def test_a_run_is_changed_under_the_lock_and_the_store_keeps_its_times(store: RunStore) -> None:
    made = store.create_or_update_run("r1", "backtest", params={"n": 0}, error="none yet")

    def done(run: Run) -> Run:
        return run.model_copy(
            update={"status": Status.COMPLETED, "params": {"n": 1}, "error": None, "created_at": START - timedelta(9)}
        )

    changed = store.update_run("r1", done)
    assert changed == store.get_run("r1")
    assert changed is not None
    assert (changed.status, changed.params, changed.error) == (Status.COMPLETED, {"n": 1}, None)
    assert (changed.created_at, changed.started_at) == (made.created_at, made.started_at)
    assert changed.finished_at == changed.updated_at > made.updated_at
    assert store.update_run("unknown", done) is None


def test_an_exception_of_the_function_leaves_the_run_as_it_was(store: RunStore) -> None:
    made = store.create_or_update_run("r1", "backtest")

    def fail(run: Run) -> Run:
        raise LookupError

    with pytest.raises(LookupError):
        store.update_run("r1", fail)
    for wrong in (lambda run: None, lambda run: run.model_copy(update={"run_id": "r2"})):
        with pytest.raises(StoreError):
            store.update_run("r1", wrong)
    assert store.list_runs() == [made]


def test_threads_that_change_one_run_lose_no_change(tmp_path: Path) -> None:
    stores = [RunStore(tmp_path), RunStore(tmp_path)]
    stores[0].create_or_update_run("r1", "backtest", metrics={"n": 0})

    def work(store: RunStore) -> None:
        for _ in range(15):
            store.update_run("r1", lambda run: run.model_copy(update={"metrics": {"n": run.metrics["n"] + 1}}))  # type: ignore[operator]

    threads = [threading.Thread(target=work, args=(stores[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stores[1].get_run("r1")
    assert found is not None
    assert found.metrics == {"n": 60}


def test_a_run_of_a_newer_version_is_kept_as_it_is_and_the_others_are_served(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        for name in ("r1", "strange", "r2"):
            store.create_or_update_run(name, "backtest")
    file = tmp_path / "runs.json"
    content = json.loads(file.read_text())
    content["runs"][1]["status"] = "paused"
    file.write_text(json.dumps(content))
    with RunStore(tmp_path) as store:
        store.reseal()
        assert [run.run_id for run in store.list_runs()] == ["r2", "r1"]
        for call in (
            lambda: store.get_run("strange"),
            lambda: store.create_or_update_run("strange", status="failed"),
            lambda: store.update_run("strange", lambda run: run),
        ):
            with pytest.raises(NewerRecord):
                call()
        store.create_or_update_run("r3", "backtest")
    assert content["runs"][1] in json.loads(file.read_text())["runs"]


def test_odd_arguments_are_refused_with_an_error_of_the_store(store: RunStore) -> None:
    for wrong in (
        lambda: store.create_or_update_run("r1", "backtest", status=[]),  # type: ignore[arg-type]
        lambda: store.create_or_update_run("r1", "backtest", params=[1]),  # type: ignore[arg-type]
        lambda: store.create_or_update_run("r1", "backtest", error=b"x"),  # type: ignore[arg-type]
        lambda: store.list_runs(kind=7),  # type: ignore[arg-type]
        lambda: store.list_runs(limit="5"),  # type: ignore[arg-type]
        lambda: store.update_run("r1", None),  # type: ignore[arg-type]
    ):
        with pytest.raises((StoreError, TypeError)):
            wrong()
    assert store.list_runs() == []


def test_the_asynchronous_face_keeps_the_same_promises(tmp_path: Path) -> None:
    async def use() -> None:
        async with AsyncRunStore(tmp_path) as store:
            made = await store.create_or_update_run("r1", "backtest", params={"n": 1})
            assert await store.get_run("r1") == made
            await asyncio.gather(*(store.create_or_update_run(f"r{n}", "backtest") for n in range(2, 30)))
            changed = await store.update_run("r1", lambda run: run.model_copy(update={"status": Status.FAILED}))
            assert (await store.list_runs(status="failed")) == [changed]
            assert (await store.list_runs(limit=1))[0].run_id == "r1"
            assert await store.delete_run("r1") is True
            with pytest.raises(InvalidRecord):
                await store.list_runs(limit=-1)
        with pytest.raises(StoreClosed):
            await store.get_run("r2")

    asyncio.run(use())
    assert len(json.loads((tmp_path / "runs.json").read_text())["runs"]) == 28
