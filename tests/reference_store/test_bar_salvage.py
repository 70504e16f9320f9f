"""A damaged month: what can be vouched for is kept, the rest stays as evidence, and the report says what is lost."""

# ruff: noqa: DTZ001 - naive times are the ordinary case

import errno
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reference_store import CorruptData, FileDataStore, StorageFailure
from reference_store.stores.bars import parquet
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import ALWAYS, JANUARY, bar, bars, flip, tree

GROUP = 50
MADE = bars(datetime(2026, 1, 1), 4 * GROUP, step=timedelta(minutes=1))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileDataStore:
    """A store with a month of four row groups, and one of a single bar."""
    monkeypatch.setattr(parquet, "ROWS_IN_GROUP", GROUP)
    made = FileDataStore(tmp_path)
    made.write_bars("AAPL", MADE)
    made.write_bars("AAPL", [bar(datetime(2026, 2, 1), 7.0)])
    return made


def month(root: Path) -> Path:
    return root / "prices" / "AAPL" / "2026-01.parquet"


def test_the_row_groups_that_are_sound_are_kept_and_the_file_stays_as_evidence(
    store: FileDataStore, tmp_path: Path
) -> None:
    flip(month(tmp_path), 300)
    damaged = month(tmp_path).read_bytes()
    with pytest.raises(CorruptData):
        store.read_bars("AAPL", *ALWAYS)

    (report,) = store.salvage_bars("AAPL")

    assert (report.month, report.kept, report.lost) == ("2026-01", 3 * GROUP, GROUP)
    assert report.evidence is not None
    assert (month(tmp_path).parent / report.evidence).read_bytes() == damaged
    found = FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)
    assert found == [*MADE[GROUP:], bar(datetime(2026, 2, 1), 7.0)]
    store.write_bars("AAPL", MADE[:3])
    assert len(store.read_bars("AAPL", *ALWAYS)) == 3 * GROUP + 4


def test_whatever_bit_is_flipped_no_value_is_kept_that_was_not_written(store: FileDataStore, tmp_path: Path) -> None:
    sound = tree(tmp_path)
    length = len(month(tmp_path).read_bytes())
    for position in range(4, length, 97):
        flip(month(tmp_path), position)
        (report,) = store.salvage_bars("AAPL")
        found = FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)[:-1]
        assert report.kept == len(found) == 4 * GROUP - report.lost
        assert all(b in MADE for b in found)
        for name, data in sound.items():
            (tmp_path / name).write_bytes(data)
        for left in month(tmp_path).parent.glob(".damaged-*"):
            left.unlink()


@pytest.mark.parametrize("damage", ["lost", "emptied", "cut", "older"])
def test_what_cannot_be_vouched_for_is_lost_and_said_to_be(store: FileDataStore, tmp_path: Path, damage: str) -> None:
    older = month(tmp_path).read_bytes()
    store.write_bars("AAPL", [bar(MADE[-1].date + timedelta(minutes=1))])
    store.write_bars("AAPL", [bar(MADE[-1].date + timedelta(minutes=1), 2.0)])
    month(tmp_path).with_name("2026-01.parquet.bak").unlink()
    match damage:
        case "lost":
            month(tmp_path).unlink()
        case "emptied":
            month(tmp_path).write_bytes(b"")
        case "cut":
            month(tmp_path).write_bytes(older[:-20])
        case "older":
            month(tmp_path).write_bytes(older)

    (report,) = store.salvage_bars("AAPL")

    assert (report.kept, report.lost) == (0, 4 * GROUP + 1)
    assert (report.evidence is None) is (damage == "lost")
    assert store.read_bars("AAPL", *ALWAYS) == [bar(datetime(2026, 2, 1), 7.0)]
    assert store.months("AAPL") == ["2026-02"]


def test_salvaging_what_is_sound_changes_nothing_also_a_second_time(store: FileDataStore, tmp_path: Path) -> None:
    before = tree(tmp_path)
    assert store.salvage_bars("AAPL") == store.salvage_bars("MSFT") == []
    assert tree(tmp_path) == before

    flip(month(tmp_path), 300)
    store.salvage_bars("AAPL")
    after = tree(tmp_path)
    assert store.salvage_bars("AAPL") == []
    assert tree(tmp_path) == after


@pytest.mark.parametrize("call", ["link", "write", "fsync", "rename"])
def test_a_fault_anywhere_leaves_the_damage_or_what_is_salvaged_and_the_evidence(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    flip(month(tmp_path), 300)
    damaged = month(tmp_path).read_bytes()
    for at in range(1, 20):
        with monkeypatch.context() as patch:
            calls = fail_call(patch, call, errno.EIO, at=at)
            try:
                store.salvage_bars("AAPL")
                break
            except StorageFailure:
                pass
        assert damaged in tree(tmp_path).values()
        assert calls[0] >= at
    store.salvage_bars("AAPL")

    assert len(store.read_bars("AAPL", *ALWAYS)) == 3 * GROUP + 1
    assert damaged in tree(tmp_path).values()


def test_recent_bars_of_a_damaged_month_are_there_after_it_is_salvaged(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars_of_many({"AAPL": [bar(JANUARY, 9.0)]})
    flip(month(tmp_path), 300)

    store.salvage_bars("AAPL")

    assert 9.0 in [b.close for b in store.read_bars("AAPL", *ALWAYS)]
    store.fold_bars()
    assert len(FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)) == 3 * GROUP + 2
