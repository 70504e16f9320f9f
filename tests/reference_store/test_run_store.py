"""RunStore: ids, kinds, times, order, deletion, threads."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_store import InvalidIdentifier, InvalidRecord, RunStore, StoreClosed, UnserialisableValue
from reference_store.models import Status

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
