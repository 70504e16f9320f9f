"""A damaged month, manifest or file of recent bars is answered from the version before it, and that is said."""

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reference_store import AsyncFileDataStore, CorruptData, FileDataStore, StorageFailure
from reference_store.stores.bars import files, parquet
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars, flip, tree

FIRST, SECOND, THIRD = bar(JANUARY, 1.0), bar(JANUARY + DAY, 2.0), bar(JANUARY + 2 * DAY, 2.25)
FEBRUARY = bar(JANUARY + 30 * DAY, 1.5)
MONTH, MANIFEST, RECENT = "AAPL/2026-01.parquet", "AAPL/.manifest.json", ".recent.jsonl"

Damage = Callable[[Path], None]
DAMAGES: dict[str, Damage] = {
    "one-bit": lambda path: flip(path, 40),
    "emptied": lambda path: replaced(path, b""),
    "cut": lambda path: replaced(path, path.read_bytes()[:-30]),
    "lost": lambda path: path.unlink(),
}


def replaced(path: Path, data: bytes) -> None:
    """Give a file another content, and leave its other names alone."""
    path.unlink()
    path.write_bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    """Three writes into one month, and one into the next."""
    made = FileDataStore(tmp_path)
    for written in (FIRST, FEBRUARY, SECOND, THIRD):
        made.write_bars("AAPL", [written])
    return made


def place(root: Path, name: str) -> Path:
    return root / "prices" / name


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("file", [MONTH, MANIFEST])
def test_a_damaged_file_is_answered_from_the_version_before_and_that_is_said(
    store: FileDataStore, tmp_path: Path, file: str, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    damage(place(tmp_path, file))
    before = tree(tmp_path)

    opened = FileDataStore(tmp_path)
    assert opened.read_bars("AAPL", *ALWAYS) == [FIRST, SECOND, FEBRUARY]
    assert opened.months("AAPL") == ["2026-01", "2026-02"]
    (first, *_) = opened.recoveries
    assert (first.key, first.file, first.generation) == ("AAPL", file.partition("/")[2], 3)
    assert "answered from the backup of generation 3" in caplog.text
    assert tree(tmp_path) == before  # looking changes nothing
    with pytest.raises(CorruptData):
        opened.write_bars("AAPL", [THIRD])  # nothing is written on top of less than was acknowledged
    assert set(before.values()) <= set(tree(tmp_path).values())


def test_control_where_nothing_is_damaged_nothing_is_said(
    store: FileDataStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS) == [FIRST, SECOND, THIRD, FEBRUARY]
    assert store.recoveries == ()
    assert caplog.text == ""


def test_damage_that_an_open_store_has_overlooked_never_becomes_the_backup(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGE", 2)
    for day in (3, 4, 5):
        store.write_bars("AAPL", [bar(JANUARY + day * DAY)])
    for name in (MANIFEST, RECENT):
        damaged, kept = place(tmp_path, name), place(tmp_path, f"{name}.bak").read_bytes()
        sound = damaged.read_bytes()
        flip(damaged, 40)  # an open store knows a file by its end
        with pytest.raises(CorruptData):
            store.write_bars("AAPL", [bar(JANUARY), FEBRUARY] if name is MANIFEST else [bar(JANUARY + 6 * DAY)])
        assert place(tmp_path, f"{name}.bak").read_bytes() == kept
        replaced(damaged, sound)


def test_what_was_damaged_before_a_crash_was_mended_never_becomes_the_backup(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = place(tmp_path, f"{MONTH}.bak").read_bytes()
    with monkeypatch.context() as patch:
        fail_call(patch, "link", errno.EIO, at=2)  # of the month: its new content stays where it was staged
        store.write_bars("AAPL", [bar(JANUARY, 1.25)])
    flip(place(tmp_path, MONTH), 40)
    store.write_bars("AAPL", [FEBRUARY])
    assert store.read_bars("AAPL", *ALWAYS) == [bar(JANUARY, 1.25), SECOND, THIRD, FEBRUARY]
    assert place(tmp_path, f"{MONTH}.bak").read_bytes() == kept


def test_other_months_are_as_they_were_written_last(store: FileDataStore, tmp_path: Path) -> None:
    flip(place(tmp_path, MONTH), 40)
    store.write_bars("AAPL", [bar(FEBRUARY.date, 2.5)])

    assert [b.close for b in store.read_bars("AAPL", *ALWAYS)] == [1.0, 2.0, 2.5]
    assert [found.file for found in store.recoveries] == ["2026-01.parquet"]


@pytest.mark.parametrize("file", [MONTH, MANIFEST])
def test_when_the_backup_is_damaged_too_that_is_an_error(store: FileDataStore, tmp_path: Path, file: str) -> None:
    for name in (file, f"{file}.bak"):
        flip(place(tmp_path, name), 40)
    with pytest.raises(CorruptData):
        FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)


def test_a_backup_of_another_symbol_or_an_older_time_is_none(store: FileDataStore, tmp_path: Path) -> None:
    older = place(tmp_path, f"{MONTH}.bak").read_bytes()
    store.write_bars("AAPL", [bar(JANUARY, 1.25)])
    for foreign in (older, b""):
        replaced(place(tmp_path, f"{MONTH}.bak"), foreign)
        replaced(place(tmp_path, MONTH), b"")
        with pytest.raises(CorruptData):
            FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)


def test_keeping_the_version_before_copies_nothing_and_syncs_nothing(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", [FIRST])
    inode = place(tmp_path, MONTH).stat().st_ino
    store.write_bars("AAPL", [SECOND])
    assert place(tmp_path, f"{MONTH}.bak").stat().st_ino == inode


def test_where_there_are_no_links_a_copy_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: FileDataStore
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    store.write_bars("AAPL", [bar(JANUARY, 1.75)])
    replaced(place(tmp_path, MONTH), b"")
    assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS) == [FIRST, SECOND, THIRD, FEBRUARY]


@pytest.mark.parametrize("call", ["link", "rename", "unlink", "open", "write", "fsync"])
def test_whatever_call_fails_a_damaged_month_is_answered_from_a_version_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for at in range(1, 40):
        root = tmp_path / str(at)
        store = FileDataStore(root)
        store.write_bars("AAPL", [FIRST])
        store.write_bars("AAPL", [SECOND])
        with monkeypatch.context() as patch:
            calls = fail_call(patch, call, errno.ENOSPC, at=at)
            with_third = [True]
            try:
                store.write_bars("AAPL", [THIRD])
            except StorageFailure as failure:
                with_third = [True, False] if failure.may_have_happened else [False]
        found = FileDataStore(root).read_bars("AAPL", *ALWAYS)
        assert found[:2] == [FIRST, SECOND]
        assert (len(found) == 3) in with_third
        FileDataStore(root).write_bars("AAPL", [bar(JANUARY + 3 * DAY)])  # finishes what was left
        assert not list(place(root, "AAPL").glob(".[ts]*"))
        replaced(place(root, MONTH), b"")
        assert FileDataStore(root).read_bars("AAPL", *ALWAYS) == found
        if calls[0] < at:
            return
    pytest.fail("the calls did not come to an end")


def test_deleted_bars_are_in_no_backup(store: FileDataStore, tmp_path: Path) -> None:
    store.delete_bars("AAPL", THIRD.date, THIRD.date)
    for name in (MONTH, MANIFEST):
        kept = place(tmp_path, name).read_bytes()
        replaced(place(tmp_path, name), b"")
        with pytest.raises(CorruptData):
            FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)
        replaced(place(tmp_path, name), kept)
    store.delete_bars("AAPL", *ALWAYS)
    store.write_bars("AAPL", [FEBRUARY])
    assert not list(place(tmp_path, "AAPL").glob("*.parquet.bak"))


@pytest.mark.parametrize("waits", [True, False], ids=["still-waiting", "folded-before"])
def test_deleted_bars_are_in_no_backup_of_the_recent_ones_either(tmp_path: Path, *, waits: bool) -> None:
    store = FileDataStore(tmp_path)
    others = {"MSFT": [bar(JANUARY, 3.5, symbol="MSFT")]} if waits else {}
    for day in range(2):
        store.write_bars_of_many({"AAPL": [bar(JANUARY + day * DAY, 1234.5)], **others})
    if not waits:
        store.fold_bars()
    recent = [place(tmp_path, RECENT), place(tmp_path, RECENT + ".bak")]
    assert any(b"1234.5" in path.read_bytes() for path in recent), "control: they are there before"

    assert store.delete_bars("AAPL", JANUARY, JANUARY) == 1

    assert not any(b"1234.5" in path.read_bytes() for path in recent)
    assert store.read_bars("AAPL", *ALWAYS) == [bar(JANUARY + DAY, 1234.5)]
    replaced(recent[0], b"")  # and what the backup is for, it still does
    assert FileDataStore(tmp_path).read_bars("MSFT", *ALWAYS) == others.get("MSFT", [])


def test_a_salvage_takes_from_the_backup_what_the_month_has_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROWS_IN_GROUP", 50)
    made = bars(JANUARY, 200, step=timedelta(minutes=1))
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", made[:120])
    store.write_bars("AAPL", made[120:])
    flip(place(tmp_path, MONTH), 300)  # in the first group

    (report,) = store.salvage_bars("AAPL")

    assert (report.kept, report.lost, report.older) == (200, 0, 50)
    assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS) == made
    store.write_bars("AAPL", [bar(JANUARY + DAY)])


def test_an_edit_that_is_vouched_for_keeps_the_backup(store: FileDataStore, tmp_path: Path) -> None:
    foreign = FileDataStore(tmp_path / "other")
    foreign.write_bars("AAPL", [bar(JANUARY, 0.75)])
    replaced(place(tmp_path, MONTH), place(tmp_path / "other", MONTH).read_bytes())
    store.reseal_bars("AAPL")
    assert store.read_bars("AAPL", *ALWAYS) == [bar(JANUARY, 0.75), FEBRUARY]

    replaced(place(tmp_path, MONTH), b"")
    assert store.read_bars("AAPL", *ALWAYS) == [FIRST, SECOND, FEBRUARY]


def test_a_manifest_that_is_vouched_for_anew_goes_on_counting(store: FileDataStore, tmp_path: Path) -> None:
    replaced(place(tmp_path, MANIFEST), b"")
    store.reseal_bars("AAPL")
    store.write_bars("AAPL", [bar(JANUARY, 1.75)])
    replaced(place(tmp_path, MANIFEST), b"")
    opened = FileDataStore(tmp_path)
    assert opened.read_bars("AAPL", *ALWAYS) == [FIRST, SECOND, THIRD, FEBRUARY]
    assert opened.recoveries[0].generation == 5


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileDataStore:
    """A month of two bars, and two more that wait."""
    monkeypatch.setattr(files, "LARGE", 2)
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", [FIRST, SECOND])
    for day in (2, 3, 4):
        store.write_bars("AAPL", [bar(JANUARY + day * DAY, 1.0 + day / 8)])
    return store


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_recent_bars_are_answered_from_the_version_before_and_that_is_said(
    waiting: FileDataStore, tmp_path: Path, damage: Damage
) -> None:
    damage(place(tmp_path, RECENT))
    opened = FileDataStore(tmp_path)
    assert [b.close for b in opened.read_bars("AAPL", *ALWAYS)] == [1.0, 2.0, 1.25, 1.375]
    assert [found.file for found in opened.recoveries] == [RECENT]
    with pytest.raises(CorruptData):
        opened.write_bars("AAPL", [bar(JANUARY + 5 * DAY)])

    opened.salvage_bars("AAPL")
    assert [b.close for b in opened.read_bars("AAPL", *ALWAYS)][:4] == [1.0, 2.0, 1.25, 1.375]
    opened.write_bars("AAPL", [bar(JANUARY + 5 * DAY, 2.0)])
    assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)[-1].close == 2.0


def test_a_salvage_of_recent_bars_keeps_each_line_that_is_sound(waiting: FileDataStore, tmp_path: Path) -> None:
    path = place(tmp_path, RECENT)
    flip(path, path.read_bytes().index(b"\n") - 3)  # the first line
    waiting.write_bars_of_many({"MSFT": []})
    FileDataStore(tmp_path).salvage_bars("AAPL")
    assert [b.close for b in FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)] == [1.0, 2.0, 1.25, 1.375, 1.5]
    assert list(path.parent.glob(".damaged-*"))


def test_recent_bars_that_are_older_than_the_months_say_are_damaged(waiting: FileDataStore, tmp_path: Path) -> None:
    older = place(tmp_path, RECENT).read_bytes()
    waiting.fold_bars()
    waiting.write_bars("AAPL", [bar(JANUARY + 5 * DAY, 2.0)])
    waiting.fold_bars()
    replaced(place(tmp_path, RECENT), older)
    opened = FileDataStore(tmp_path)
    expected = [1.0, 2.0, 1.25, 1.375, 1.5, 2.0]
    assert [b.close for b in opened.read_bars("AAPL", *ALWAYS)] == expected
    assert opened.recoveries
    opened.salvage_bars("AAPL")
    opened.write_bars("AAPL", [bar(JANUARY + 6 * DAY, 2.25)])
    assert [b.close for b in FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)] == [*expected, 2.25]


def test_a_lost_file_of_recent_bars_is_not_begun_anew_for_another_symbol(
    waiting: FileDataStore, tmp_path: Path
) -> None:
    place(tmp_path, RECENT).unlink()
    for opened in (waiting, FileDataStore(tmp_path)):
        with pytest.raises(CorruptData):
            opened.write_bars_of_many({"MSFT": [bar(JANUARY, symbol="MSFT")]})
    with pytest.raises(CorruptData):
        FileDataStore(tmp_path).fold_bars()


def test_the_older_manifest_has_nothing_of_what_came_after_it(waiting: FileDataStore, tmp_path: Path) -> None:
    waiting.fold_bars()
    waiting.write_bars("AAPL", [bar(JANUARY + 5 * DAY, 2.0)])
    replaced(place(tmp_path, MANIFEST), b"")
    assert [b.close for b in FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)] == [1.0, 2.0, 1.25]


async def _closes(store: AsyncFileDataStore) -> list[float]:
    return [b.close for b in await store.read_bars("AAPL", *ALWAYS)]


def test_the_asyncio_face_says_so_too(store: FileDataStore, tmp_path: Path) -> None:
    replaced(place(tmp_path, MONTH), b"")
    opened = AsyncFileDataStore(tmp_path)
    assert asyncio.run(_closes(opened)) == [1.0, 2.0, 1.5]
    assert [found.file for found in opened.recoveries] == ["2026-01.parquet"]


def test_states_and_company_data_are_among_what_was_answered_from_backups(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    for n in (1, 2):
        store.save_strategy_state("a", {"n": n})
    (path,) = (p for p in (tmp_path / "state").glob("*.json"))
    replaced(path, b"")
    assert store.load_strategy_state("a") == {"n": 1}
    assert [found.key for found in store.recoveries] == ["a"]
