"""Bars: what a store accepts, what comes back, and what a reader sees when something goes wrong."""

# ruff: noqa: DTZ001 - naive times are among the cases

import errno
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_store import CorruptData, FileDataStore, StorageFailure, StoreError
from reference_store.core.atomic import Directory
from tests.reference_store.faults import fail_call, is_directory
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars, flip, tree

QUARTER = 80
"""Days from the fifth of January that reach into March."""


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


def month_file(root: Path, month: str = "2026-01") -> Path:
    return root / "prices" / "AAPL" / f"{month}.parquet"


def test_bars_come_back_sorted_whatever_their_order_and_join_months(store: FileDataStore, tmp_path: Path) -> None:
    made = bars(JANUARY, QUARTER)
    store.write_bars("AAPL", made[40:] + made[:40][::-1])

    assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS) == made
    assert sorted(path.name for path in (tmp_path / "prices" / "AAPL").glob("*")) == [
        ".manifest.json", "2026-01.parquet", "2026-02.parquet", "2026-03.parquet",
    ]  # fmt: skip


def test_the_last_write_for_a_date_wins_also_within_one_call(store: FileDataStore) -> None:
    store.write_bars("AAPL", bars(JANUARY, 5))
    store.write_bars("AAPL", [bar(JANUARY + 2 * DAY, 7.0), bar(JANUARY + 9 * DAY, 8.0), bar(JANUARY + 2 * DAY, 9.0)])

    closes = {found.date: found.close for found in store.read_bars("AAPL", *ALWAYS)}
    assert len(closes) == 6
    assert closes[JANUARY + 2 * DAY] == 9.0
    assert closes[JANUARY + 9 * DAY] == 8.0
    assert closes[JANUARY] == 1.0


def test_ranges_include_both_ends_to_the_microsecond(store: FileDataStore) -> None:
    microsecond = timedelta(microseconds=1)
    made = bars(JANUARY, 4, step=microsecond)
    store.write_bars("AAPL", made)

    assert store.read_bars("AAPL", JANUARY + microsecond, JANUARY + 2 * microsecond) == made[1:3]
    assert store.read_bars("AAPL", JANUARY + DAY, JANUARY) == []


def test_a_range_inside_a_month_of_many_row_groups_is_exact(store: FileDataStore) -> None:
    made = bars(datetime(2026, 1, 1), 70_000, step=timedelta(seconds=30))
    store.write_bars("AAPL", made)

    with pq.ParquetFile(month_file(store.base_path)) as file:
        assert file.num_row_groups > 1
    assert store.read_bars("AAPL", made[32_760].date, made[32_780].date) == made[32_760:32_781]
    assert store.read_bars_table("AAPL", made[-1].date, ALWAYS[1]).num_rows == 1


def test_empty_input_does_nothing_and_a_missing_symbol_has_no_bars(store: FileDataStore, tmp_path: Path) -> None:
    store.write_bars("AAPL", [])

    assert store.read_bars("AAPL", *ALWAYS) == []
    assert store.read_bars_table("AAPL", *ALWAYS).num_rows == 0
    assert list((tmp_path / "prices").iterdir()) == []


FAULTS = ["open", "write", "fsync", "rename", "fchmod", "close"]


@pytest.mark.parametrize("call", FAULTS)
# A directory that is let go of is closed without code that could swallow a failure, so Python tells of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_fault_at_any_call_of_a_write_over_months_leaves_all_of_it_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before, update = bars(JANUARY, QUARTER), bars(JANUARY + 20 * DAY, 40, close=9.0)
    both = sorted({b.date: b for b in before + update}.values(), key=lambda b: b.date)
    for at in range(1, 30):
        root = tmp_path / str(at)
        store = FileDataStore(root)
        store.write_bars("AAPL", before)
        with monkeypatch.context() as patch:
            calls = fail_call(patch, call, errno.EIO, at=at)
            try:
                store.write_bars("AAPL", update)
                expected = [both]
            except StorageFailure as failure:
                expected = [both] if failure.may_have_happened else [before]
        assert store.read_bars("AAPL", *ALWAYS) in expected, (call, at)
        assert FileDataStore(root).read_bars("AAPL", *ALWAYS) in expected, (call, at)
        store.write_bars("AAPL", update)
        assert store.read_bars("AAPL", *ALWAYS) == both
        assert not [name for name in tree(root) if ".staged-" in name or ".tmp-" in name]
        if calls[0] < at:
            return
    pytest.fail("the calls did not come to an end")


def test_a_write_whose_last_sync_failed_is_finished_by_the_next_writer(
    store: FileDataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars("AAPL", bars(JANUARY, 3))
    with monkeypatch.context() as patch:
        fail_call(patch, "fsync", at=2, when=is_directory)
        with pytest.raises(StorageFailure) as failure:
            store.write_bars("AAPL", bars(JANUARY, 3, close=5.0))
    assert failure.value.may_have_happened
    names = os.listdir(store.base_path / "prices" / "AAPL")
    assert any(name.startswith(".staged-") for name in names)  # not moved: what it would replace may come back

    store.write_bars("AAPL", [bar(JANUARY + DAY, 6.0)])
    assert [b.close for b in store.read_bars("AAPL", *ALWAYS)] == [5.0, 6.0, 5.0 + 2 / 128]
    assert not any(name.startswith(".staged-") for name in os.listdir(store.base_path / "prices" / "AAPL"))


def damage_cases() -> dict[str, Any]:
    def removed(path: Path) -> None:
        path.unlink()

    return {
        "emptied": lambda path: path.write_bytes(b""),
        "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
        "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "lost": removed,
        "one-bit": lambda path: flip(path, 300),
        "made-a-directory": lambda path: (path.unlink(), path.mkdir()),
    }


@pytest.mark.parametrize("target", ["2026-02.parquet", ".manifest.json"])
@pytest.mark.parametrize("damage", damage_cases().values(), ids=list(damage_cases()))
def test_damage_is_an_error_that_other_symbols_do_not_feel(
    store: FileDataStore, tmp_path: Path, damage: Any, target: str
) -> None:
    store.write_bars("AAPL", bars(JANUARY, QUARTER))
    store.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])
    damage(tmp_path / "prices" / "AAPL" / target)
    after = tree(tmp_path)

    for reader in (store, FileDataStore(tmp_path)):
        with pytest.raises(CorruptData):
            reader.read_bars("AAPL", *ALWAYS)
        with pytest.raises(CorruptData):
            reader.write_bars("AAPL", bars(JANUARY + 30 * DAY, 1))
        assert len(reader.read_bars("MSFT", *ALWAYS)) == 1
    assert tree(tmp_path) == after


def test_control_undamaged_months_of_a_damaged_symbol_are_still_served(store: FileDataStore, tmp_path: Path) -> None:
    store.write_bars("AAPL", bars(JANUARY, QUARTER))
    flip(month_file(tmp_path, "2026-02"), 100)

    assert len(store.read_bars("AAPL", JANUARY, JANUARY + 10 * DAY)) == 11


def test_every_flipped_bit_is_noticed(store: FileDataStore, tmp_path: Path) -> None:
    store.write_bars("AAPL", bars(JANUARY, 20))
    path = month_file(tmp_path)
    sound = path.read_bytes()
    for position in range(0, len(sound), 7):
        flip(path, position)
        with pytest.raises(CorruptData):
            store.read_bars("AAPL", *ALWAYS)
        path.write_bytes(sound)
    assert len(store.read_bars("AAPL", *ALWAYS)) == 20


def test_an_older_file_of_the_same_month_and_one_of_another_symbol_are_noticed(
    store: FileDataStore, tmp_path: Path
) -> None:
    store.write_bars("AAPL", bars(JANUARY, 5))
    older = month_file(tmp_path).read_bytes()
    store.write_bars("AAPL", bars(JANUARY, 5, close=3.0))
    month_file(tmp_path).unlink()
    month_file(tmp_path).write_bytes(older)
    (tmp_path / "prices" / "AAPL" / "2026-01.parquet.bak").unlink()
    assert store.read_bars("AAPL", *ALWAYS) == bars(JANUARY, 5)
    assert len(store.recoveries) == 1  # it is the version before, and that is said

    store.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])
    for name in ("2026-01.parquet", ".manifest.json"):
        (tmp_path / "prices" / "AAPL" / f"{name}.bak").unlink(missing_ok=True)
        (tmp_path / "prices" / "AAPL" / name).write_bytes((tmp_path / "prices" / "MSFT" / name).read_bytes())
    with pytest.raises(CorruptData):
        store.read_bars("AAPL", *ALWAYS)


def test_a_planted_link_is_not_followed(store: FileDataStore, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "prices" / "AAPL").symlink_to(outside)

    with pytest.raises(StoreError):
        store.write_bars("AAPL", bars(JANUARY, 1))
    assert list(outside.iterdir()) == []
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "prices").symlink_to(outside)
    with pytest.raises(StoreError):
        FileDataStore(tmp_path / "second")


def test_month_files_of_another_program_are_adopted_on_request_only(store: FileDataStore, tmp_path: Path) -> None:
    made = bars(JANUARY, QUARTER)
    directory = tmp_path / "prices" / "AAPL"
    directory.mkdir()
    table = FileDataStore(tmp_path / "other")
    table.write_bars("AAPL", made)
    for month in ("2026-01", "2026-02", "2026-03"):
        with pq.ParquetFile(month_file(tmp_path / "other", month)) as file:
            pq.write_table(file.read().replace_schema_metadata(None), directory / f"{month}.parquet")
    with pytest.raises(CorruptData, match="manifest"):
        store.read_bars("AAPL", *ALWAYS)

    store.reseal_bars("AAPL")

    assert store.read_bars("AAPL", *ALWAYS) == made
    store.write_bars("AAPL", [bar(JANUARY, 5.0)])
    assert store.read_bars("AAPL", *ALWAYS)[1:] == made[1:]


@pytest.mark.parametrize("symbol", ["../evil", "/etc/passwd", "", "a\0b", None])
def test_a_refused_symbol_touches_nothing(store: FileDataStore, tmp_path: Path, symbol: Any) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="identifier"):
        store.write_bars(symbol, bars(JANUARY, 1))
    with pytest.raises(ValueError, match="identifier"):
        store.read_bars(symbol, *ALWAYS)
    assert sorted(tmp_path.rglob("*")) == before


def test_readers_during_writes_see_each_write_whole(store: FileDataStore, tmp_path: Path) -> None:
    store.write_bars("AAPL", bars(JANUARY, QUARTER, close=0.0))
    done = threading.Event()
    mixed: list[set[float]] = []
    errors: list[BaseException] = []

    def read() -> None:
        reader = FileDataStore(tmp_path)
        try:
            while not done.is_set():
                found = {b.close - number / 128 for number, b in enumerate(reader.read_bars("AAPL", *ALWAYS))}
                if len(found) != 1:
                    mixed.append(found)
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 25):
        store.write_bars("AAPL", bars(JANUARY, QUARTER, close=float(version)))
    done.set()
    for reader in readers:
        reader.join()

    assert errors == []
    assert mixed == []


def test_concurrent_writers_of_one_symbol_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        mine = FileDataStore(tmp_path)
        for turn in range(5):
            mine.write_bars("AAPL", [bar(JANUARY + timedelta(minutes=number * 5 + turn), float(number))])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)) == 20


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = FileDataStore(tmp_path / "store")
        store.write_bars("AAPL", bars(JANUARY, QUARTER))
        os.chmod(month_file(tmp_path / "store"), 0o600)
        store.write_bars("AAPL", bars(JANUARY, 1))
    finally:
        os.umask(before)

    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o777 & ~(0o750 if path.is_dir() else 0o640) == 0, path
    assert month_file(tmp_path / "store").stat().st_mode & 0o777 == 0o600


def unmoved(monkeypatch: pytest.MonkeyPatch, code: int = errno.EIO) -> None:
    """Make every move of staged content into its place fail."""

    def fails(*_arguments: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Directory, "move", fails)


def closes(root: Path) -> list[float]:
    return [found.close for found in FileDataStore(root).read_bars("AAPL", *ALWAYS)]


def evidence(root: Path) -> list[Path]:
    return sorted((root / "prices" / "AAPL").glob(".damaged-*"))


def test_resealing_settles_first_what_was_acknowledged_and_could_not_be_moved(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, 1.0)])
    with monkeypatch.context() as patch:
        unmoved(patch)
        store.write_bars("AAPL", [bar(JANUARY + DAY, 2.0), bar(JANUARY + 40 * DAY, 3.0)])
    assert closes(tmp_path) == [1.0, 2.0, 3.0]

    store.reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0, 2.0, 3.0]
    store.write_bars("AAPL", [bar(JANUARY + 2 * DAY, 4.0)])
    assert closes(tmp_path) == [1.0, 2.0, 4.0, 3.0]


def test_an_edit_of_what_was_to_be_replaced_stays_as_evidence(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, 1.0)])
    with monkeypatch.context() as patch:
        unmoved(patch)
        store.write_bars("AAPL", [bar(JANUARY, 2.0)])
    month_file(tmp_path).write_bytes(b"edited")

    store.reseal_bars("AAPL")

    assert closes(tmp_path) == [2.0]
    assert [file.read_bytes() for file in evidence(tmp_path)] == [b"edited"]


def test_resealing_that_cannot_settle_changes_nothing(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, 1.0)])
    with monkeypatch.context() as patch:
        unmoved(patch)
        store.write_bars("AAPL", [bar(JANUARY + DAY, 2.0)])
        with pytest.raises(StorageFailure):
            store.reseal_bars("AAPL")

    assert closes(tmp_path) == [1.0, 2.0]
    store.reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0, 2.0]


def test_what_a_damaged_manifest_may_have_named_stays_as_evidence(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, 1.0)])
    with monkeypatch.context() as patch:
        unmoved(patch)
        store.write_bars("AAPL", [bar(JANUARY + DAY, 2.0)])
    flip(tmp_path / "prices" / "AAPL" / ".manifest.json", 30)
    (staged,) = [path.read_bytes() for path in (tmp_path / "prices" / "AAPL").glob(".staged-*")]
    manifest = (tmp_path / "prices" / "AAPL" / ".manifest.json").read_bytes()

    store.reseal_bars("AAPL")
    store.write_bars("AAPL", [bar(JANUARY + 2 * DAY, 3.0)])

    assert closes(tmp_path) == [1.0, 3.0]
    assert {file.read_bytes() for file in evidence(tmp_path)} == {staged, manifest}


def test_a_month_file_with_values_that_no_write_would_take_is_not_vouched_for(
    store: FileDataStore, tmp_path: Path
) -> None:
    FileDataStore(tmp_path, negative_prices=True).write_bars("AAPL", [bar(JANUARY, low=-1.0)])
    store.reseal_bars("AAPL")  # vouched for already
    with pq.ParquetFile(month_file(tmp_path)) as file:
        pq.write_table(file.read().replace_schema_metadata(None), month_file(tmp_path))

    with pytest.raises(CorruptData, match="below zero"):
        store.reseal_bars("AAPL")
    FileDataStore(tmp_path, negative_prices=True).reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0]


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV])
def test_a_file_that_is_a_mount_is_told_of(
    store: FileDataStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    with monkeypatch.context() as patch:
        unmoved(patch, code)
        store.write_bars("AAPL", [bar(JANUARY)])
        assert "mount its directory" in caplog.text
        with pytest.raises(StorageFailure, match="mount its directory"):
            store.write_bars("AAPL", [bar(JANUARY)])
    with monkeypatch.context() as patch:
        fail_call(patch, "rename", code, when=lambda *names: ".manifest.json" in names)
        with pytest.raises(StorageFailure, match="mount its directory"):
            store.write_bars("AAPL", [bar(JANUARY)])
    with monkeypatch.context() as patch:
        fail_call(patch, "rename", errno.EIO, when=lambda *names: ".manifest.json" in names)
        with pytest.raises(StorageFailure) as control:
            store.write_bars("AAPL", [bar(JANUARY)])
    assert "mount" not in str(control.value)
