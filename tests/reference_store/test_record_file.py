"""Records in one file with a log of changes beside it: what every crash, loss and damage of one of the files leaves.

The logs are made small here, so that a few changes fill one.
"""

import asyncio
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.faults import seccomp
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from reference_store import CorruptData, JobStore, RunStore, SingleDocumentStore, StorageFailure, SyncJobStore
from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.models import Job
from reference_store.stores import record_log
from tests.reference_store.faults import fail_call
from tests.reference_store.test_atomic import calls_of
from tests.reference_store.trading import flip

FILE, BACKUP = "jobs.json", "jobs.json.bak"
LOG, LOG_BEFORE = ".jobs.changes.jsonl", ".jobs.changes.jsonl.bak"


@pytest.fixture
def _small_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_log, "SMALLEST", 1)


def job(name: str, **fields: Any) -> Job:
    return Job(**{"job_id": name, "job_type": "backtest", **fields})


def ids(store: SyncJobStore) -> list[str]:
    return [found.job_id for found in store.list(limit=1_000_000)]


def shown(root: Path) -> list[str]:
    """What a reader sees who was not there before."""
    store = SyncJobStore(root)
    try:
        return ids(store)
    finally:
        store.close()


def filled(root: Path, count: int, *, closed: bool = False) -> list[str]:
    """Save jobs, close the store or leave it as a killed program does, and return their names."""
    store = SyncJobStore(root)
    names = [f"j{number}" for number in range(count)]
    for name in names:
        store.save(job(name))
    if closed:
        store.close()
    return names


def in_file(root: Path) -> list[str]:
    return [found["job_id"] for found in json.loads((root / FILE).read_text())["jobs"]]


# -- what is kept where ---------------------------------------------------------------------------------------------


def test_a_change_is_a_line_in_the_log_and_closing_brings_the_file_up_to_date(tmp_path: Path) -> None:
    store = SyncJobStore(tmp_path)
    for number in range(5):
        store.save(job(f"j{number}"))

    assert in_file(tmp_path) == ["j0"]  # what the first change of a program writes at once
    assert shown(tmp_path) == [f"j{number}" for number in range(5)]
    store.close()
    assert in_file(tmp_path) == [f"j{number}" for number in range(5)]
    assert not (tmp_path / LOG).exists()


def test_control_a_store_that_only_reads_changes_no_file_when_it_is_closed(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()}

    assert len(shown(tmp_path)) == 5
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()} == before


def test_one_change_of_one_program_leaves_no_log(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    assert in_file(tmp_path) == ["j0"]
    assert not (tmp_path / LOG).exists()


def test_a_full_log_is_written_into_the_file_and_the_log_stays_bounded(tmp_path: Path) -> None:
    store = SyncJobStore(tmp_path)
    largest = 0
    for number in range(600):
        store.save(job(f"j{number % 100}", message="x" * 50))
        largest = max(largest, (tmp_path / LOG).stat().st_size if number > 1 else 0)

    assert largest <= 2 * max((tmp_path / FILE).stat().st_size, record_log.SMALLEST)
    assert len(in_file(tmp_path)) == 100
    assert shown(tmp_path) == ids(store) == [f"j{number}" for number in range(100)]


@pytest.mark.usefixtures("_small_logs")
def test_nobody_adds_to_a_log_that_the_file_has_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody slow knows the records as they were when a log began, and looks when the file has all of that log."""
    busy, slow = SyncJobStore(tmp_path), SyncJobStore(tmp_path)
    begun, saved, full = list[str](), list[str](), list[str]()
    replace = Directory.replace

    def replaced(directory: Directory, name: str, *given: Any) -> None:
        if name == LOG and LOG_BEFORE in given:
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            begun.append(name)
        replace(directory, name, *given)

    monkeypatch.setattr(Directory, "replace", replaced)
    while len(begun) < 2:
        ids(slow)
        saved.append(f"j{len(saved)}")
        busy.save(job(saved[-1]))
    full.append("disk")
    with pytest.raises(StorageFailure):
        busy.save(job("large", message="x" * 10_000))  # there is no room for it in the log
    full.clear()

    slow.save(job("slow"))

    assert ids(slow) == shown(tmp_path) == [*saved, "slow"]


@pytest.mark.parametrize("comes", ["before", "after"])
def test_a_log_stays_where_the_file_says_that_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """What a signal's handler raises may be an OSError, such as TimeoutError: it says nothing of how far a call got."""
    names = filled(tmp_path, 1, closed=True)
    exchange = Directory.exchange

    def exchanged(directory: Directory, staged: str, name: str, *given: Any) -> None:
        if name == FILE and comes == "before":
            raise TimeoutError
        exchange(directory, staged, name, *given)
        if name == FILE:
            raise TimeoutError

    store = SyncJobStore(tmp_path)
    store.save(job("j1"))  # at once, without a log
    monkeypatch.setattr(Directory, "exchange", exchanged)
    with pytest.raises((TimeoutError, StorageFailure)):
        store.save(job("j2"))
    monkeypatch.undo()

    assert (tmp_path / LOG).exists() == (comes == "after")
    assert shown(tmp_path) == [*names, "j1", *["j2"] * (comes == "after")]


def test_records_of_version_0_1_0_are_read_and_kept(tmp_path: Path) -> None:
    # The file as 0.1.0 has sealed it, and the version before.
    old = SyncJobStore(tmp_path / "made")
    old.save(job("j0"))
    (tmp_path / "old").mkdir()
    shutil.copy(tmp_path / "made" / FILE, tmp_path / "old" / FILE)
    shutil.copy(tmp_path / "made" / FILE, tmp_path / "old" / BACKUP)
    assert "claimed_by" not in (tmp_path / "old" / FILE).read_text()

    store = SyncJobStore(tmp_path / "old")
    assert ids(store) == ["j0"]
    store.save(job("j1"))
    store.save(job("j2"))
    assert shown(tmp_path / "old") == ["j0", "j1", "j2"]


# -- every crash ------------------------------------------------------------------------------------------------------

CRASHES = ("ATOM-1", "ATOM-2", "ATOM-4", "DUR-1", "DUR-2", "DUR-4", "REC-1", "REC-2", "REC-3", "FAULT-1", "FAULT-2")


@pytest.mark.proof
@pytest.mark.parametrize(("contract", "store"), [("jobs", SyncJobStore), ("jobs", JobStore), ("runs", RunStore)])
@pytest.mark.usefixtures("_small_logs")
def test_no_crash_and_no_fault_harms_a_store_whose_log_is_full_again_and_again(contract: str, store: Any) -> None:
    bench = Bench(Settings(recorder="fake", budget=Budget.QUICK))
    with_strace = Bench(Settings(budget=Budget.QUICK))
    under_test = StoreUnderTest("small", store)
    contracts = tuple(known for known in KITS if known.name == contract)

    judged = {
        check.requirement: check.judge(with_strace if check.requirement == "FAULT-2" else bench, under_test)
        for check in checks_for(contracts)
        if check.requirement in CRASHES
    }

    assert set(judged) == set(CRASHES)
    wrong = {name: result.reason for name, result in judged.items() if result.verdict is not Verdict.HOLDS}
    if seccomp.why_not() is not None:  # what is undecided then says so
        wrong.pop("FAULT-2", None)
    assert wrong == {}


class Killed(BaseException):
    """What stands in for a crash between two steps."""


def steps(root: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[SyncJobStore], None]) -> Iterator[Path]:
    """Yield a copy of the root as it is before each call that renames, links or removes a file, and at the end."""
    copies: list[Path] = []

    def copied(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with monkeypatch.context() as patch:
                for each, original in originals.items():
                    patch.setattr(os, each, original)
                copies.append(root.parent / f"crash-{len(copies)}")
                shutil.copytree(root, copies[-1])
            return real(*args, **kwargs)

        return call

    originals = {name: getattr(os, name) for name in ("rename", "link", "unlink")}
    store = SyncJobStore(root)
    with monkeypatch.context() as patch:
        for name in originals:
            patch.setattr(os, name, copied(name))
        work(store)
    yield from copies
    yield root


@pytest.mark.usefixtures("_small_logs")
def test_between_any_two_steps_each_acknowledged_job_is_there_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    acknowledged = 0
    states: dict[str, int] = {}

    def work(store: SyncJobStore) -> None:
        nonlocal acknowledged
        for number in range(12):
            store.save(job(f"j{number}"))
            acknowledged = number + 1
            copies = [path.name for path in tmp_path.glob("crash-*") if path.name not in states]
            states.update(dict.fromkeys(copies, acknowledged))
        store.close()

    for copy in steps(root, monkeypatch, work):
        least = states.get(copy.name, acknowledged)
        found = shown(copy)
        assert found == [f"j{number}" for number in range(len(found))]
        # The copy was made before the save that came back next.
        assert least - 1 <= len(found) <= least, copy.name
        store = SyncJobStore(copy)
        store.save(job("next"))
        store.save(job("last"))
        assert ids(store) == shown(copy) == [*found, "next", "last"]
        store.close()
        assert in_file(copy) == [*found, "next", "last"]


# -- lost, restored and damaged files ---------------------------------------------------------------------------------


OTHERWISE: dict[str, Callable[[str], str]] = {
    "as-written": lambda text: text,
    "on-one-line": lambda text: json.dumps(json.loads(text)),
    "indented": lambda text: json.dumps(json.loads(text), indent=4),
    "a-record-on-several-lines": lambda text: text.replace('", "status"', '",\n    "status"'),
    "records-on-one-line": lambda text: text.replace("},\n    {", "}, {"),
}


@pytest.mark.parametrize("stands", OTHERWISE.values(), ids=list(OTHERWISE))
def test_a_sealed_file_is_read_however_its_lines_are_broken(tmp_path: Path, stands: Callable[[str], str]) -> None:
    """What is between the members of an object is free; how the store writes it is only read faster."""
    store = SyncJobStore(tmp_path)
    jobs = [job(f"j{number}", params={"a": [{"b": "},\n    {", "c": "]"}], "n": number}) for number in range(5)]
    for each in jobs:
        store.save(each)
    store.close()
    path = tmp_path / FILE
    path.write_text(stands(path.read_text()))

    with SyncJobStore(tmp_path) as again:
        assert again.list() == jobs
        again.save(job("next"))
        again.save(job("last"))
        assert shown(tmp_path) == [*(each.job_id for each in jobs), "next", "last"]
    assert shown(tmp_path) == [*(each.job_id for each in jobs), "next", "last"]


def test_a_file_as_the_store_writes_it_is_read_without_decoding_it_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SyncJobStore(tmp_path) as store:
        for number in range(3):
            store.save(Job(job_id=f"j{number}", job_type="t", result={"text": "},\n    {"}))
    whole: list[bytes] = []
    decode = integrity.unseal_document
    monkeypatch.setattr(
        integrity, "unseal_document", lambda data, *about: (whole.append(data), decode(data, *about))[1]
    )
    with SyncJobStore(tmp_path) as store:
        assert [job.result for job in store.list()] == [{"text": "},\n    {"}] * 3
        assert whole == [], "reading it is what a store of many records pays for when it is opened"

    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("\n  ", "\n    "))
    with SyncJobStore(tmp_path) as store:  # control: edited, it is read all the same, as a whole
        assert len(store.list()) == 3
        assert len(whole) > 0


def test_control_a_sealed_file_with_another_value_is_not_read(tmp_path: Path) -> None:
    filled(tmp_path, 5, closed=True)
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("j3", "j9"))
    (tmp_path / BACKUP).unlink()

    with pytest.raises(CorruptData):
        shown(tmp_path)


def test_a_lost_log_is_damage_and_never_an_older_state(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    (tmp_path / LOG).unlink()

    store = SyncJobStore(tmp_path)
    for call in (lambda: store.list(), lambda: store.save(job("j9")), lambda: store.cleanup(1)):
        with pytest.raises(CorruptData, match=r"changes\.jsonl"):
            call()
    assert in_file(tmp_path) == ["j0"]


def test_control_after_closing_the_file_is_complete_by_itself(tmp_path: Path) -> None:
    names = filled(tmp_path / "here", 5, closed=True)
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "here" / FILE, tmp_path / "copy" / FILE)

    assert shown(tmp_path / "copy") == names


def test_an_older_file_restored_beside_the_log_is_damage(tmp_path: Path) -> None:
    filled(tmp_path, 3, closed=True)
    old = (tmp_path / FILE).read_bytes()
    store = SyncJobStore(tmp_path)
    for name in ("j3", "j4", "j5", "j6"):
        store.save(job(name))
    (tmp_path / FILE).write_bytes(old)

    with pytest.raises(CorruptData):
        shown(tmp_path)


@pytest.mark.usefixtures("_small_logs")
def test_an_older_log_restored_beside_the_file_is_damage(tmp_path: Path) -> None:
    store = SyncJobStore(tmp_path)
    store.save(job("j0"))
    store.save(job("j1"))
    old = (tmp_path / LOG).read_bytes()
    for number in range(2, 12):
        store.save(job(f"j{number}"))
    assert len(in_file(tmp_path)) > 2
    (tmp_path / LOG).write_bytes(old)

    with pytest.raises(CorruptData):
        shown(tmp_path)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("damage", ["flipped", "emptied", "gone"])
@pytest.mark.parametrize("count", [2, 3, 9, 10, 11, 12])
@pytest.mark.usefixtures("_small_logs")
def test_a_damaged_or_lost_file_is_put_together_from_the_others_without_loss(
    tmp_path: Path, count: int, damage: str, closed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    names = filled(tmp_path, count, closed=closed)
    file = tmp_path / FILE
    if damage == "flipped":
        flip(file, 30)
    elif damage == "emptied":
        file.write_bytes(b"")
    else:
        file.unlink()

    with caplog.at_level(logging.WARNING):
        assert shown(tmp_path) == names
    assert "is damaged" in caplog.text
    store = SyncJobStore(tmp_path)
    store.save(job("next"))
    store.save(job("last"))
    assert shown(tmp_path) == [*names, "next", "last"]
    flip(file, 30)
    assert shown(tmp_path) == [*names, "next", "last"]


def test_a_store_that_has_lost_the_file_and_the_version_before_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    filled(tmp_path, 5, closed=True)
    (tmp_path / FILE).unlink()
    (tmp_path / BACKUP).unlink()

    with pytest.raises(CorruptData):
        shown(tmp_path)


def test_a_log_is_noticed_to_be_cut_wherever_it_is_cut(tmp_path: Path) -> None:
    filled(tmp_path, 6)
    whole = (tmp_path / LOG).read_bytes()
    lines = [position + 1 for position, byte in enumerate(whole) if byte == 10]
    for length in [0, 1, *lines, lines[-1] - 1, lines[-1] + 1, len(whole) - 1]:
        (tmp_path / LOG).write_bytes(whole[:length])
        with pytest.raises(CorruptData):
            shown(tmp_path)
    (tmp_path / LOG).write_bytes(whole)
    assert len(shown(tmp_path)) == 6


def test_no_flipped_bit_of_a_log_changes_what_is_shown(tmp_path: Path) -> None:
    names = filled(tmp_path, 4)
    whole = (tmp_path / LOG).read_bytes()
    filled_to = len(whole.rstrip(b"\0"))
    for position in range(0, filled_to, 3):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        (tmp_path / LOG).write_bytes(changed)
        try:
            assert shown(tmp_path) == names
        except CorruptData:
            continue


def test_what_a_crash_left_of_a_line_is_not_shown_and_not_in_the_way(tmp_path: Path) -> None:
    names = filled(tmp_path, 4)
    whole = (tmp_path / LOG).read_bytes()
    end = len(whole.rstrip(b"\0"))
    store = SyncJobStore(tmp_path)
    store.save(job("torn", message="x" * 3000))
    line = (tmp_path / LOG).read_bytes().rstrip(b"\0")[end:]
    for what in ("beginning", "all but the end", "a hole at the beginning", "a hole inside"):
        sector = (-end) % 512
        left = {
            "beginning": line[:700],
            "all but the end": line[: len(line) - 90],
            "a hole at the beginning": bytes(sector) + line[sector:],
            "a hole inside": line[:sector] + bytes(512) + line[sector + 512 :],
        }[what]
        (tmp_path / LOG).write_bytes((whole[:end] + left).ljust(len(whole), b"\0"))
        assert shown(tmp_path) == names, what
        writer = SyncJobStore(tmp_path)
        for _ in range(2):
            names.append(f"after-{len(names)}")
            writer.save(job(names[-1]))
            assert shown(tmp_path) == names, what
        whole = (tmp_path / LOG).read_bytes()
        end = len(whole.rstrip(b"\0"))


# -- others at work -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_logs")
def test_each_of_several_instances_sees_what_the_others_have_changed_whichever_closes(tmp_path: Path) -> None:
    stores = [SyncJobStore(tmp_path) for _ in range(3)]
    names: list[str] = []
    for turn in range(40):
        stores[turn % 3].save(job(f"j{turn}"))
        names.append(f"j{turn}")
        if turn % 7 == 0:
            stores[turn % 3].delete(names.pop(0))
        for store in stores:
            assert ids(store) == names
        if turn % 11 == 10:
            stores[turn % 3].close()
            stores[turn % 3] = SyncJobStore(tmp_path)
    assert shown(tmp_path) == names


def test_a_line_that_could_not_be_synced_is_taken_back_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = SyncJobStore(tmp_path), SyncJobStore(tmp_path)
    for number in range(3):
        store.save(job(f"j{number}"))
    assert ids(other) == ["j0", "j1", "j2"]
    with monkeypatch.context() as patch:
        fail_call(patch, "fdatasync", at=1)
        with pytest.raises(StorageFailure):
            store.save(job("lost"))
    for each in (store, other):
        assert ids(each) == ["j0", "j1", "j2"]
    other.save(job("j3"))
    store.save(job("j4"))
    assert ids(store) == ids(other) == shown(tmp_path) == ["j0", "j1", "j2", "j3", "j4"]


def test_a_line_that_a_reader_has_seen_before_it_failed_is_not_shown_any_more_and_not_written_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, reader, writer = SyncJobStore(tmp_path), SyncJobStore(tmp_path), SyncJobStore(tmp_path)
    for number in range(3):
        store.save(job(f"j{number}"))
    seen: list[list[str]] = []

    def fail(_descriptor: int) -> None:
        monkeypatch.undo()
        seen.extend([ids(reader), ids(writer)])
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(StorageFailure):
        store.save(job("lost"))

    assert seen == [["j0", "j1", "j2", "lost"]] * 2
    assert ids(reader) == ["j0", "j1", "j2"]
    writer.save(job("j3"))
    assert ids(reader) == ids(store) == shown(tmp_path) == ["j0", "j1", "j2", "j3"]


def test_lines_of_others_are_written_again_and_synced_before_one_is_added_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 4)
    store = SyncJobStore(tmp_path)
    seen = calls_of(monkeypatch, "write", "fdatasync", "fsync")

    store.save(job("j4"))
    store.save(job("j5"))

    others = ["write", "fdatasync", "fsync directory"]  # they may have died before, or have seen a sync fail
    assert seen == [*others, "write", "fdatasync", "write", "fdatasync"]


def test_a_line_that_failed_is_taken_back_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SyncJobStore(tmp_path)
    for number in range(3):
        store.save(job(f"j{number}"))
    seen = calls_of(monkeypatch, "write", "fdatasync")
    fail_call(monkeypatch, "fdatasync", at=1)

    with pytest.raises(StorageFailure):
        store.save(job("lost"))

    assert seen == ["write", "write", "fdatasync"]  # the first sync failed before it was noted


@pytest.mark.parametrize("failures", [1, 2], ids=["control-taken-back-durably", "not-durably"])
def test_a_line_that_a_power_loss_can_bring_back_is_not_called_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    store = SyncJobStore(tmp_path)
    for number in range(3):
        store.save(job(f"j{number}"))
    for _ in range(failures):
        fail_call(monkeypatch, "fdatasync")

    with pytest.raises(StorageFailure) as failure:
        store.save(job("lost"))

    assert failure.value.may_have_happened is (failures == 2)
    assert store.get("lost") is None


# -- edits by hand ---------------------------------------------------------------------------------------------------


def edit(root: Path, old: str, new: str) -> None:
    text = (root / FILE).read_text()
    assert old in text
    (root / FILE).write_text(text.replace(old, new))


def test_an_edit_is_accepted_by_reseal_and_what_the_log_has_beyond_it_is_kept(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    edit(tmp_path, '"job_type": "backtest"', '"job_type": "edited"')
    with SyncJobStore(tmp_path) as store:
        store.reseal()
        assert [(found.job_id, found.job_type) for found in store.list()] == [
            ("j0", "edited"), ("j1", "backtest"), ("j2", "backtest"),
        ]  # fmt: skip
        store.save(job("j3"))
        store.save(job("j4"))
    assert in_file(tmp_path) == ["j0", "j1", "j2", "j3", "j4"]


def test_control_an_edit_without_reseal_is_not_shown(tmp_path: Path) -> None:
    names = filled(tmp_path, 3, closed=True)
    edit(tmp_path, '"job_type": "backtest"', '"job_type": "edited"')
    with SyncJobStore(tmp_path) as store:
        assert [found.job_type for found in store.list()] == ["backtest"] * len(names)  # put together from the others


def test_reseal_leaves_a_damaged_log_as_evidence_and_goes_on_from_the_file(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    flip(tmp_path / LOG, 400)
    damaged = (tmp_path / LOG).read_bytes()
    with SyncJobStore(tmp_path) as store:
        with pytest.raises(CorruptData):
            store.list()
        store.reseal()
        assert ids(store) == ["j0"]
    assert damaged in [path.read_bytes() for path in tmp_path.glob(".damaged-*")]


def test_a_file_that_was_resealed_as_a_document_is_taken_over(tmp_path: Path) -> None:
    filled(tmp_path, 3, closed=True)
    edit(tmp_path, '"job_type": "backtest"', '"job_type": "edited"')
    SingleDocumentStore(tmp_path, "jobs").reseal()

    with SyncJobStore(tmp_path) as store:
        assert [found.job_type for found in store.list()] == ["edited"] * 3
        store.save(job("j3"))
        store.save(job("j4"))
    assert shown(tmp_path) == ["j0", "j1", "j2", "j3", "j4"]


def test_what_the_log_has_is_kept_when_the_file_is_resealed_as_a_document(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    edit(tmp_path, '"job_type": "backtest"', '"job_type": "edited"')
    SingleDocumentStore(tmp_path, "jobs").reseal()

    with SyncJobStore(tmp_path) as store:
        assert [found.job_type for found in store.list()] == ["edited", "backtest", "backtest"]
    with RunStore(tmp_path) as runs:
        runs.create_or_update_run("r1", "backtest")
        runs.create_or_update_run("r2", "backtest")
        runs.create_or_update_run("r1", status="failed")
        SingleDocumentStore(tmp_path, "runs").reseal()
        assert [run.run_id for run in runs.list_runs()] == ["r1", "r2"]


def test_both_faces_keep_the_same_files(tmp_path: Path) -> None:
    async def use() -> None:
        async with JobStore(tmp_path) as store:
            await store.save(job("j0"))
            await store.save(job("j1"))

    asyncio.run(use())
    with SyncJobStore(tmp_path) as store:
        assert ids(store) == ["j0", "j1"]
