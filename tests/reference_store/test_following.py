"""Reading on in a log that grows: everything once, in order, whoever appended it, and only what is new is read."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import AsyncJournalStore, CorruptData, InvalidIdentifier, InvalidRecord, JournalStore, PositionLost
from tests.reference_store.long_logs import bytes_read, records, write_log
from tests.reference_store.trading import flip


def seen_by(follower: Any, limit: int = 1000) -> list[int]:
    return [entry.number for entry in follower.read(limit)]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["append", "group", "read", "reopen", "torn"]), st.integers(1, 5)), max_size=25
    )
)
def test_every_record_is_handed_out_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    writer, follower = JournalStore(root), JournalStore(root).follow("S")
    count, seen = 0, []
    for step, number in steps:
        match step:
            case "append":
                writer.append("S", {"n": count + 1})
                count += 1
            case "group":
                writer.append_all("S", [writer.checked("S", {"n": count + n + 1}) for n in range(number)])
                count += number
            case "read":
                seen += follower.read(number)
            case "reopen":
                follower = JournalStore(root).follow("S", follower.position)
            case "torn" if count:
                with (root / "S.jsonl").open("ab") as file:
                    file.write(b'{"n": 99'[:number])
                writer = JournalStore(root)
    seen += follower.read()

    assert [(entry.number, entry.record) for entry in seen] == [(n, {"n": n}) for n in range(1, count + 1)]
    assert follower.read() == []
    assert follower.position == count


def test_a_look_at_the_end_reads_what_is_new_and_not_what_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(tmp_path, 20_000)
    writer, follower = JournalStore(tmp_path), JournalStore(tmp_path).follow("S", 19_990)
    assert seen_by(follower) == list(range(19_991, 20_001))
    writer.append("S", {})
    with bytes_read(monkeypatch) as seen:
        assert seen_by(follower) == [20_001]
        assert seen_by(follower) == []

    assert sum(seen) < 1000 < path.stat().st_size


def test_who_stops_in_the_middle_goes_on_there(tmp_path: Path) -> None:
    write_log(tmp_path, 30)
    follower = JournalStore(tmp_path).follow("S")
    for entry in follower:
        if entry.number == 7:
            break

    assert follower.position == 7
    assert seen_by(follower, 3) == [8, 9, 10]
    assert seen_by(JournalStore(tmp_path).follow("S", follower.position)) == list(range(11, 31))


APPENDING = """
import sys
from reference_store import JournalStore
store = JournalStore(sys.argv[1])
for n in range(20):
    store.append("S", {"n": n})
"""


def test_an_iteration_follows_what_another_process_appends_until_it_is_closed(tmp_path: Path) -> None:
    follower = JournalStore(tmp_path).follow("S", pause=0.001)
    seen: list[Any] = []

    def follow() -> None:
        for entry in follower:
            seen.append(entry.record["n"])
            if len(seen) == 20:
                everything.set()

    everything = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    subprocess.run([sys.executable, "-c", APPENDING, str(tmp_path)], check=True)
    everything.wait()
    follower.close()
    thread.join()

    assert seen == list(range(20))


def test_tasks_follow_a_log_too(tmp_path: Path) -> None:
    async def use() -> list[int]:
        journal = AsyncJournalStore(tmp_path)
        follower, seen = journal.follow("S", pause=0), []

        async def follow() -> None:
            async for entry in follower:
                seen.append(entry.number)
                if entry.number == 10:
                    follower.close()

        following = asyncio.ensure_future(follow())
        for n in range(10):
            await journal.append("S", {"n": n})
        await following
        assert follower.position == 10
        assert await follower.read() == []
        return seen

    assert asyncio.run(use()) == list(range(1, 11))


def test_a_follower_is_told_when_its_place_is_gone(tmp_path: Path) -> None:
    store = JournalStore(tmp_path)
    for n in range(5):
        store.append("S", {"n": n})
    follower = store.follow("S")
    assert seen_by(follower) == [1, 2, 3, 4, 5]
    store.delete("S")
    assert follower.read() == []
    store.append("S", {"n": 0})

    for look in (follower, store.follow("S", 5)):
        with pytest.raises(PositionLost, match="record 1, before record 5") as lost:
            look.read()
    assert (lost.value.stream, lost.value.position, lost.value.last) == ("S", 5, 1)


def test_a_follower_goes_on_behind_a_salvage(tmp_path: Path) -> None:
    path = write_log(tmp_path, 40)
    store = JournalStore(tmp_path)
    follower = store.follow("S")
    assert len(follower.read(30)) == 30
    flip(path, path.stat().st_size - 1000)
    with pytest.raises(CorruptData):
        follower.read()

    (lost,) = store.salvage("S").lost
    store.append("S", {})

    assert seen_by(follower) == [n for n in range(31, 42) if not lost.first <= n <= lost.last]


def test_what_is_no_place_is_refused(tmp_path: Path) -> None:
    store = JournalStore(tmp_path)
    with pytest.raises(InvalidIdentifier):
        store.follow("../S")
    with pytest.raises(InvalidRecord, match="since"):
        store.follow("S", since=-1)
    for pause in (-1, float("nan"), "1"):
        with pytest.raises(InvalidRecord, match="pause"):
            store.follow("S", pause=pause)  # type: ignore[arg-type]


def test_control_records_of_the_followed_log_are_what_was_written(tmp_path: Path) -> None:
    write_log(tmp_path, 12)

    assert [entry.record for entry in JournalStore(tmp_path).follow("S").read()] == records(12)
