"""Versions of company data: any number of them, answered as of any time, and removed only when somebody says so."""

import json
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_store import CorruptData, DocumentStore, FileDataStore, InvalidRecord
from reference_store.models import FundamentalData
from tests.reference_store.test_atomic import calls_of
from tests.reference_store.trading import DAY, JANUARY, flip

LONG = "x" * 100_000
"""Three of these outgrow the file of the newest versions."""


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


def version(day: int, employees: int | None = None, text: str = LONG) -> FundamentalData:
    number = day if employees is None else employees
    return FundamentalData(symbol="AAPL", timestamp=JANUARY + day * DAY, employees=number, raw_xml=text)


def employees(store: FileDataStore, day: int | None = None) -> int | None:
    found = store.read_fundamental("AAPL", None if day is None else JANUARY + day * DAY)
    return found.employees if found else None


def readable(root: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads((root / "fundamentals" / "AAPL.json").read_text())
    return found


def archives(root: Path) -> list[Path]:
    return sorted((root / "fundamentals").glob(".versions-*"))


def test_any_number_of_versions_is_answered_as_of_any_time(store: FileDataStore, tmp_path: Path) -> None:
    for day in range(0, 40, 2):
        store.write_fundamental("AAPL", version(day))

    for reader in (store, FileDataStore(tmp_path)):
        assert employees(reader) == 38
        assert [employees(reader, day) for day in range(-1, 40)] == [None] + [day // 2 * 2 for day in range(40)]


def test_the_readable_file_keeps_the_newest_versions_and_does_not_grow(store: FileDataStore, tmp_path: Path) -> None:
    sizes = []
    for day in range(30):
        store.write_fundamental("AAPL", version(day))
        sizes.append((tmp_path / "fundamentals" / "AAPL.json").stat().st_size)
        assert readable(tmp_path)["versions"][-1]["employees"] == day

    assert max(sizes) < 400_000
    assert DocumentStore(tmp_path / "fundamentals").keys() == ["AAPL"]


def test_the_version_with_the_latest_timestamp_stays_readable_behind_corrections_of_older_ones(
    store: FileDataStore, tmp_path: Path
) -> None:
    store.write_fundamental("AAPL", version(50, text="short"))
    for day in range(10):
        store.write_fundamental("AAPL", version(day))

    assert 50 in [found["employees"] for found in readable(tmp_path)["versions"]]
    assert employees(store) == 50
    assert employees(store, 4) == 4


def test_a_version_as_large_as_the_bound_leaves_no_room_and_nothing_is_lost(store: FileDataStore) -> None:
    for day in range(4):
        store.write_fundamental("AAPL", version(day, text="x" * 400_000))
    store.write_fundamental("AAPL", version(1, 11))

    assert [employees(store, day) for day in (None, 0, 1, 2, 3)] == [3, 0, 11, 2, 3]


def test_a_file_of_all_versions_as_the_first_release_wrote_it_is_taken_over(
    store: FileDataStore, tmp_path: Path
) -> None:
    old = FileDataStore(tmp_path / "old")
    old.write_fundamental("AAPL", version(0))
    content = readable(tmp_path / "old")
    content.pop("_integrity")
    content["versions"] = [
        {**content["versions"][0], "timestamp": str(JANUARY + n * DAY), "employees": n} for n in range(30)
    ]
    (tmp_path / "fundamentals" / "AAPL.json").write_text(json.dumps(content))
    DocumentStore(tmp_path / "fundamentals").reseal("AAPL")
    assert employees(store, 7) == 7

    store.write_fundamental("AAPL", version(40))

    assert [employees(FileDataStore(tmp_path), day) for day in (0, 7, 29, 39, 40)] == [0, 7, 29, 29, 40]
    assert (tmp_path / "fundamentals" / "AAPL.json").stat().st_size < 400_000


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=14), st.integers(0, 10))
def test_whatever_the_order_the_latest_counts_and_pruning_changes_no_answer_from_its_time_on(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], before: int
) -> None:
    store = FileDataStore(tmp_path_factory.mktemp("store"))
    for number, day in enumerate(days):
        store.write_fundamental("AAPL", version(day, number))

    def expected(as_of: int) -> int | None:
        known = [(day, number) for number, day in enumerate(days) if day <= as_of]
        return max(known)[1] if known else None

    assert [employees(store, day) for day in range(-1, 11)] == [expected(day) for day in range(-1, 11)]
    in_force = max([day for day in days if day <= before], default=-1)
    removed = store.prune_fundamentals("AAPL", JANUARY + before * DAY)
    assert removed == len([day for day in days if day < in_force]) or days[-1] < in_force
    assert [employees(store, day) for day in range(before, 11)] == [expected(day) for day in range(before, 11)]
    assert store.prune_fundamentals("AAPL", JANUARY + before * DAY) == 0


def test_pruned_versions_leave_nothing_behind(store: FileDataStore, tmp_path: Path) -> None:
    for day in range(20):
        store.write_fundamental("AAPL", version(day, text=f"secret-{day:02d}" + LONG))
    used = len(archives(tmp_path))

    assert store.prune_fundamentals("AAPL", JANUARY + 15 * DAY) == 15

    assert 0 < len(archives(tmp_path)) < used
    left = b"".join(path.read_bytes() for path in (tmp_path / "fundamentals").iterdir())
    assert [f"secret-{day:02d}".encode() in left for day in range(20)] == [False] * 15 + [True] * 5
    assert employees(store, 14) is None
    assert employees(store, 15) == 15
    assert store.prune_fundamentals("MSFT", JANUARY) == 0
    with pytest.raises(InvalidRecord, match="before"):
        store.prune_fundamentals("AAPL", JANUARY.replace(tzinfo=UTC))


def test_a_damaged_lost_or_exchanged_archive_is_told_of_and_the_others_are_served(
    store: FileDataStore, tmp_path: Path
) -> None:
    for day in range(20):
        store.write_fundamental("AAPL", version(day))
    for other in archives(tmp_path)[1:]:
        sound, damaged = other.read_bytes(), 0
        exchanged = archives(tmp_path)[0].read_bytes()
        for damage in (lambda file: flip(file, 5_000), Path.unlink, lambda file, by=exchanged: file.write_bytes(by)):
            damage(other)
            answers = []
            for day in range(20):
                try:
                    answers.append(employees(store, day) == day)
                except CorruptData:
                    damaged += 1
            assert all(answers)
            assert len(answers) > 10
            assert employees(store) == 19
            other.write_bytes(sound)
        assert damaged >= 3


def test_archives_are_durable_before_they_are_named_and_the_backup_goes_before_what_it_names(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(2):
        store.write_fundamental("AAPL", version(day))
    seen = calls_of(monkeypatch, "rename", "fsync", "link", "unlink")
    store.write_fundamental("AAPL", version(2))

    archive, replaced = ["fsync", "rename", "fsync directory"], ["fsync", "link", "rename", "rename", "fsync directory"]
    assert seen == [*archive, *replaced]
    store.write_fundamental("AAPL", version(3))
    seen.clear()
    store.prune_fundamentals("AAPL", JANUARY + 3 * DAY)
    backup = seen.index("unlink")
    assert seen[backup - 2 : backup + 2] == ["rename", "fsync directory", "unlink", "fsync directory"]
    assert set(seen[backup + 2 :]) == {"unlink"}


def test_what_pruning_leaves_of_an_archive_is_durable_before_it_is_named(
    store: FileDataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(8):
        store.write_fundamental("AAPL", version(day, text="x" * 80_000))
    seen = calls_of(monkeypatch, "rename", "fsync")

    store.prune_fundamentals("AAPL", JANUARY + DAY)

    archive, replaced = ["fsync", "rename", "fsync directory"], ["fsync", "rename", "fsync directory"]
    assert seen == [*archive, *replaced, "fsync directory"]  # the last of them pins that the backup is gone
    assert [employees(store, day) for day in (0, 1, 2)] == [None, 1, 2]


def test_a_reader_whose_archives_are_pruned_meanwhile_begins_again(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(12):
        store.write_fundamental("AAPL", version(day))
    real, turns = store._fundamentals.read, []

    def read_and_prune(operation: str, symbol: str) -> object:
        found = real(operation, symbol)
        if not turns:
            turns.append(FileDataStore(tmp_path).prune_fundamentals("AAPL", JANUARY + 8 * DAY))
        return found

    monkeypatch.setattr(store._fundamentals, "read", read_and_prune)
    assert employees(store, 3) is None
    assert turns == [8]


def test_a_version_of_a_newer_release_does_not_hide_the_others(store: FileDataStore, tmp_path: Path) -> None:
    store.write_fundamental("AAPL", version(1, text=""))
    store.write_fundamental("AAPL", version(2, text=""))
    content = readable(tmp_path)
    content["versions"][1]["ceo"] = "somebody"
    (tmp_path / "fundamentals" / "AAPL.json").write_text(json.dumps(content))
    DocumentStore(tmp_path / "fundamentals").reseal("AAPL")

    assert (employees(store, 1), employees(store, 2)) == (1, 2)
    store.write_fundamental("AAPL", version(3, text=""))
    assert readable(tmp_path)["versions"][1]["ceo"] == "somebody"  # kept for those who know what it is
