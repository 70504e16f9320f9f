"""Logs that grow long: what an append and a read look at, what they tell, and where a log ends."""

import errno
import os
import shutil
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_store import CorruptData, InvalidRecord, JournalFull, JournalStore, StorageFailure, UnserialisableValue
from reference_store.core import integrity
from reference_store.stores import journal
from reference_store.stores.journal_ends import FAR, NEAR
from reference_store.stores.journal_handover import PREFIX
from reference_store.stores.recent import Recent
from tests.reference_store.faults import fail_call
from tests.reference_store.long_logs import bytes_read, records, write_log
from tests.reference_store.trading import flip

WRITTEN_BY_0_1_0 = Path(__file__).parent / "written_by_0_1_0"
NEXT = {"next": True}


@pytest.mark.parametrize("group", [1, 7, 500], ids=["alone", "sevens", "five-hundreds"])
def test_the_first_append_to_a_long_log_reads_its_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    path = write_log(tmp_path, 6000, group=group)
    with bytes_read(monkeypatch) as seen:
        JournalStore(tmp_path).append("S", NEXT)

    assert sum(seen) < 16 * NEAR < path.stat().st_size
    assert JournalStore(tmp_path).read("S") == [*records(6000), NEXT]


@pytest.mark.parametrize("group", [1, 7, 500], ids=["alone", "sevens", "five-hundreds"])
def test_the_next_append_to_a_log_to_which_others_have_added_much_reads_its_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """All writers of the root wait meanwhile: who appends once a day is no different from who begins."""
    store = JournalStore(tmp_path)
    for record in records(2):  # of the first one, with which the log is made, no end is remembered
        store.append("S", record)
    encoded = [integrity.encode_record(record) for record in records(6000, 3)]
    with (tmp_path / "S.jsonl").open("ab") as file:
        for begin in range(0, 6000, group):
            file.write(integrity.seal_records(encoded[begin : begin + group], "S", begin + 3))
    with bytes_read(monkeypatch) as seen:
        store.append("S", NEXT)

    assert sum(seen) < 16 * NEAR < (tmp_path / "S.jsonl").stat().st_size
    store.append("S", NEXT)
    assert JournalStore(tmp_path).read("S") == [*records(6002), NEXT, NEXT]


def test_control_a_little_that_others_have_added_is_gone_through_whole(tmp_path: Path) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    one.append("S", NEXT)
    one.append("S", NEXT)
    for _ in range(100):
        other.append_all("S", [other.checked("S", NEXT)] * 4)
    path = tmp_path / "S.jsonl"
    assert 2 * NEAR < path.stat().st_size < FAR
    flip(path, 500)

    with pytest.raises(CorruptData):
        one.append("S", NEXT)


def test_damage_far_before_the_end_does_not_hold_up_appends_and_every_read_of_it_tells(tmp_path: Path) -> None:
    path = write_log(tmp_path, 2000)
    flip(path, 5000)
    store = JournalStore(tmp_path)

    store.append("S", NEXT)

    for look in (store.read, store.verify):
        with pytest.raises(CorruptData, match="line"):
            look("S")
    assert store.read("S", since=1990) == [*records(10, 1991), NEXT]


def test_a_record_larger_than_what_is_looked_at_holds_up_nobody_who_knew_the_end_before_it(tmp_path: Path) -> None:
    path = write_log(tmp_path, 2000)
    store = JournalStore(tmp_path)
    store.append("S", NEXT)
    flip(path, 5000)
    JournalStore(tmp_path).append("S", {"text": "x" * (5 * FAR)})

    store.append("S", NEXT)

    assert store.read("S", since=2002) == [NEXT]


@pytest.mark.parametrize("before_the_end", [10, 200, 9000])
def test_control_damage_near_the_end_stops_the_first_append(tmp_path: Path, before_the_end: int) -> None:
    path = write_log(tmp_path, 2000)
    flip(path, path.stat().st_size - before_the_end)
    damaged = path.read_bytes()

    with pytest.raises(CorruptData):
        JournalStore(tmp_path).append("S", NEXT)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("kept", [1, 60, -3])
def test_an_append_to_a_long_log_that_was_cut_short_is_dropped(tmp_path: Path, kept: int) -> None:
    path = write_log(tmp_path, 2001)
    *sound, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(sound) + last[:kept])

    JournalStore(tmp_path).append("S", NEXT)

    assert JournalStore(tmp_path).read("S") == [*records(2000), NEXT]


def test_a_large_group_of_which_an_early_page_was_lost_is_dropped_from_there(tmp_path: Path) -> None:
    before = write_log(tmp_path, 1000).read_bytes()
    path = write_log(tmp_path, 3000, group=2000)  # the lines from 2001 on were one write
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    sound = b"".join(lines[:2000])
    page = (len(sound) // 4096 + 2) * 4096
    path.write_bytes(whole[:page] + bytes(4096) + whole[page + 4096 :])
    expected = whole[:page].count(b"\n")
    assert len(whole) - page > 2 * NEAR
    assert before  # the log was long before that write

    store = JournalStore(tmp_path)
    assert store.read("S") == records(expected)
    store.append("S", NEXT)

    assert JournalStore(tmp_path).read("S") == [*records(expected), NEXT]


def test_control_the_same_page_lost_of_records_that_were_appended_alone_is_damage(tmp_path: Path) -> None:
    path = write_log(tmp_path, 3000)
    whole = path.read_bytes()
    page = len(whole) // 8192 * 4096
    path.write_bytes(whole[:page] + bytes(4096) + whole[page + 4096 :])

    with pytest.raises(CorruptData):
        JournalStore(tmp_path).read("S")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    count=st.integers(1, 900),
    group=st.sampled_from([1, 3, 400]),
    since=st.integers(0, 1000),
    limit=st.none() | st.integers(0, 1000),
)
def test_a_part_is_what_the_whole_has_there(
    tmp_path: Path, count: int, group: int, since: int, limit: int | None
) -> None:
    write_log(tmp_path, count, group=group)
    store = JournalStore(tmp_path)
    whole = records(count)[since:]

    assert store.read("S", since=since, limit=limit) == (whole if limit is None else whole[:limit])
    assert [(entry.number, entry.record) for entry in store.entries("S", since)] == list(enumerate(whole, since + 1))


def test_reading_on_from_a_number_reads_neither_what_is_before_nor_what_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(tmp_path, 20_000)
    store = JournalStore(tmp_path)
    with bytes_read(monkeypatch) as seen:
        assert store.read("S", since=13_000, limit=3) == records(3, 13_001)

    assert sum(seen) < path.stat().st_size / 4


def test_going_through_a_log_keeps_a_part_of_it_in_memory(tmp_path: Path) -> None:
    path = write_log(tmp_path, 20_000)
    store = JournalStore(tmp_path)
    tracemalloc.start()
    try:
        assert sum(1 for _entry in store.entries("S")) == store.verify("S") == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < path.stat().st_size


@pytest.mark.parametrize("wrong", [-1, 1.0, "1", True, None])
def test_what_is_no_number_is_refused(tmp_path: Path, wrong: object) -> None:
    store = JournalStore(tmp_path)
    store.append("S", NEXT)

    with pytest.raises(InvalidRecord, match="since"):
        store.read("S", since=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="since"):
        store.entries("S", since=wrong)  # type: ignore[arg-type]
    if wrong is not None:
        with pytest.raises(InvalidRecord, match="limit"):
            store.read("S", limit=wrong)  # type: ignore[arg-type]


def test_a_reader_who_is_overtaken_by_a_cut_and_an_append_reads_what_is_there(tmp_path: Path) -> None:
    path = write_log(tmp_path, 4000)
    with path.open("ab") as file:
        file.write(b'{"n": 4001, "note": "' + b"y" * 300_000)
    reading = JournalStore(tmp_path).entries("S")
    begun = [next(reading) for _ in range(10)]

    for number in range(3000):  # over what the reader was told to be the end
        if number == 0:
            JournalStore(tmp_path).append("S", NEXT)
            store = JournalStore(tmp_path)
            store.append_all("S", [store.checked("S", NEXT)] * 2999)
    rest = [entry.record for entry in reading]

    assert [entry.record for entry in begun] + rest[:3990] == records(4000)
    assert all(record == NEXT for record in rest[3990:])


def test_a_log_is_never_acknowledged_beyond_what_it_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LARGEST", 2000)
    store = JournalStore(tmp_path)
    accepted = 0
    with pytest.raises(JournalFull, match="new stream") as full:
        while True:
            store.append("S", {"n": accepted})
            accepted += 1

    assert (full.value.stream, full.value.limit) == ("S", 2000)
    assert (tmp_path / "S.jsonl").stat().st_size <= 2000 < full.value.size
    assert JournalStore(tmp_path).read("S") == [{"n": n} for n in range(accepted)]
    with pytest.raises(JournalFull):
        JournalStore(tmp_path).append("S", NEXT)
    store.append("T", NEXT)


def test_a_record_for_which_there_is_no_room_does_not_take_others_of_its_group_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 2000)
    store = JournalStore(tmp_path)
    small, large = store.checked("S", {"n": 1}), store.checked("S", {"n": "x" * 1900})
    for stream in ("S", "S"):  # a new log, and one that is there
        tickets = store.append_all(stream, [small, large, small])

        assert [type(ticket.error) for ticket in tickets] == [type(None), JournalFull, type(None)]
    assert store.read("S") == [{"n": 1}] * 4


def test_nothing_of_a_log_is_created_by_a_record_for_which_it_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 100)
    with pytest.raises(JournalFull):
        JournalStore(tmp_path).append("S", NEXT)

    assert JournalStore(tmp_path).streams() == []


def test_a_record_that_is_too_long_is_refused_before_it_meets_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LONGEST", 100)
    store = JournalStore(tmp_path)
    store.append("S", {"n": "é" * 44})

    with pytest.raises(UnserialisableValue, match="100 is the limit"):
        store.append("S", {"n": "é" * 50})


def test_control_a_log_larger_than_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path, 100)
    monkeypatch.setattr(journal, "LARGEST", 100)

    assert JournalStore(tmp_path).read("S") == records(100)


def test_a_full_memory_forgets_one_thing_at_a_time() -> None:
    memory: Recent[int] = Recent(3)
    for number, key in enumerate("abc"):
        memory.put(key, number)
    assert memory.get("a") == 0

    memory.put("d", 3)

    assert [memory.get(key) for key in "abcd"] == [0, None, 2, 3]
    assert len(memory) == 3


def test_many_streams_cost_an_append_no_more_than_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JournalStore(tmp_path)
    monkeypatch.setattr(store, "_tails", Recent(3))
    for _round in range(2):
        for number in range(5):
            store.append(f"S{number}", {"n": number})
    with bytes_read(monkeypatch) as seen:
        store.append("S4", {"n": 0})  # remembered
        store.append("S0", {"n": 0})  # forgotten

    assert sum(seen) < NEAR
    assert [len(store.read(f"S{number}")) for number in range(5)] == [3, 2, 2, 2, 3]


def test_a_log_that_was_replaced_in_place_is_looked_at_anew(tmp_path: Path) -> None:
    store = JournalStore(tmp_path)
    for number in (1, 2, 3):
        store.append("S", {"n": number})
    path = tmp_path / "S.jsonl"
    inode, other = path.stat().st_ino, tmp_path / "other"
    other.mkdir()
    longer = JournalStore(other)
    for number in range(9):
        longer.append("S", {"longer": number})
    path.write_bytes((other / "S.jsonl").read_bytes())
    assert path.stat().st_ino == inode

    store.append("S", {"longer": 9})

    assert JournalStore(tmp_path).read("S") == [{"longer": number} for number in range(10)]


def test_writers_who_take_turns_sync_what_they_append_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for store in (one, other, one, other):
        store.append("S", {})
    calls = fail_call(monkeypatch, "fsync", at=99)

    for store in (one, other, one):
        store.append("S", {})

    assert calls == [3]


def test_control_without_the_note_they_sync_what_others_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for store in (one, other, one, other):
        store.append("S", {})
    (tmp_path / f"{PREFIX}S.jsonl").unlink()
    calls = fail_call(monkeypatch, "fsync", at=99)

    one.append("S", {})

    assert calls == [3]


def test_what_a_writer_left_that_died_before_its_sync_is_synced_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for store in (one, other, one, other):
        store.append("S", {})
    with monkeypatch.context() as patch:
        fail_call(patch, "fsync")
        fail_call(patch, "ftruncate")
        with pytest.raises(StorageFailure):
            other.append("S", {"unsynced": True})
    calls = fail_call(monkeypatch, "fsync", at=99)

    one.append("S", {})

    assert calls == [3]


@pytest.mark.parametrize("plant", ["link", "second-name", "pipe", "nonsense"])
def test_a_planted_note_is_neither_believed_nor_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for store in (one, other):
        store.append("S", {})
    note, victim = tmp_path / f"{PREFIX}S.jsonl", tmp_path / "victim"
    note.unlink(missing_ok=True)
    victim.write_bytes(b"mine")
    {
        "link": lambda: note.symlink_to(victim),
        "second-name": lambda: os.link(victim, note),
        "pipe": lambda: os.mkfifo(note),
        "nonsense": lambda: note.write_bytes(b"x" * 256),
    }[plant]()
    calls = fail_call(monkeypatch, "fsync", at=99)

    one.append("S", {})

    assert calls == [3]
    assert victim.read_bytes() == b"mine"


def test_threads_and_instances_that_append_to_one_log_number_every_record_once(tmp_path: Path) -> None:
    stores = [JournalStore(tmp_path) for _ in range(3)]

    def work(number: int) -> None:
        for turn in range(15):
            stores[number % 3].append("S", {"worker": number, "turn": turn})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = JournalStore(tmp_path).read("S")
    assert [[record["turn"] for record in found if record["worker"] == number] for number in range(6)] == [
        list(range(15))
    ] * 6


def test_a_failed_note_is_no_failed_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for store in (one, other):
        store.append("S", {})
    fail_call(monkeypatch, "pwrite", errno.ENOSPC)

    one.append("S", {})
    other.append("S", {})

    assert one.read("S") == [{}] * 4


def test_logs_that_0_1_0_wrote_are_read_and_continued(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    shutil.copytree(WRITTEN_BY_0_1_0 / "journal", root)
    store = JournalStore(root)

    assert store.streams() == ["BTC/USDT", "orders"]
    assert [record["n"] for record in store.read("orders")] == list(range(1, 11))
    assert store.read("BTC/USDT") == [{}]
    for stream in store.streams():
        before = store.read(stream)
        store.append(stream, NEXT)
        assert JournalStore(root).read(stream) == [*before, NEXT]
