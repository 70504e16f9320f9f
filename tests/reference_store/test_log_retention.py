"""Retention of logs and evidence: what was asked for goes, durably, and nothing else."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import (
    AsyncFileDataStore,
    AsyncJournalStore,
    CorruptData,
    FileDataStore,
    InvalidRecord,
    JournalStore,
    StorageFailure,
)
from reference_store.operations.log_retention import ended
from tests.reference_store.faults import fail_call, is_directory
from tests.reference_store.test_data_store import BUY, FILLED, ORDER, event
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, flip

EVER = datetime(9999, 1, 1, tzinfo=UTC)
STREAMS = [
    "2025-12", "2025-12-31", "2025-12Z", "2026-01", "2026-01-04", "2026-01-05", "2026-01Z",
    "2026-13", "2026-02-30", "orders", "2025", "x2025-01-01", "2025-01-01x", "0000-01",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path)


def test_logs_of_days_and_months_that_are_over_go_and_all_others_stay(store: JournalStore, tmp_path: Path) -> None:
    for stream in STREAMS:
        store.append(stream, {"of": stream})

    assert store.prune(date(2026, 1, 5)) == ["2025-12", "2025-12-31", "2025-12Z", "2026-01-04"]

    left = sorted({*STREAMS} - {"2025-12", "2025-12-31", "2025-12Z", "2026-01-04"})
    assert JournalStore(tmp_path).streams() == left
    assert [store.read(stream) for stream in left] == [[{"of": stream}] for stream in left]
    assert store.prune("2026-01-05") == []


@given(day=st.dates(date(1, 1, 2)), before=st.dates())
def test_a_day_is_over_when_the_day_before_which_is_pruned_comes_later(day: date, before: date) -> None:
    assert ended([day.isoformat()], before) == ([day.isoformat()] if day < before else [])
    month = day.isoformat()[:7]
    assert (ended([month], before) == [month]) is ((day.year, day.month) < (before.year, before.month))


def test_a_time_counts_as_its_day_and_in_utc_for_months_of_utc() -> None:
    late = datetime(2026, 1, 31, 23, tzinfo=timezone(timedelta(hours=-5)))

    assert ended(["2026-01Z", "2026-01", "2026-01-30", "2026-01-31"], late) == ["2026-01-30", "2026-01Z"]
    assert ended(["2026-01-31", "2026-01"], datetime(2026, 2, 1, tzinfo=UTC)) == ["2026-01", "2026-01-31"]


@pytest.mark.parametrize("wrong", [None, 5, "yesterday", "2026-1-5", b"2026-01-05", [], 20260105.0], ids=repr)
def test_what_is_no_day_prunes_nothing(store: JournalStore, wrong: Any) -> None:
    store.append("2020-01-01", {})

    with pytest.raises(InvalidRecord, match="before"):
        store.prune(wrong)
    assert store.streams() == ["2020-01-01"]


def test_a_removal_is_durable_before_the_next_one_begins(store: JournalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("2020-01-01", "2020-01-02"):
        store.append(stream, {})
    fail_call(monkeypatch, "fsync", when=is_directory)

    with pytest.raises(StorageFailure) as failure:
        store.prune("2026-01-01")
    assert failure.value.may_have_happened
    assert store.streams() == ["2020-01-02"]
    assert store.prune("2026-01-01") == ["2020-01-02"]


def test_a_deleted_log_is_gone_with_all_that_stands_beside_it_and_begins_anew(
    store: JournalStore, tmp_path: Path
) -> None:
    other = JournalStore(tmp_path)
    for writer in (store, other, store, other):
        writer.append("S", {})
    store.append("T", {})

    assert store.delete("S") is True
    assert store.delete("S") is False
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "T.jsonl"}
    other.append("S", {"n": 1})
    assert store.read("S") == [{"n": 1}]


def test_what_is_no_file_is_not_removed(store: JournalStore, tmp_path: Path) -> None:
    (tmp_path / "2020-01-01.jsonl").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_text("mine")

    for call in (lambda: store.delete("2020-01-01"), lambda: store.prune("2026-01-01")):
        with pytest.raises(CorruptData, match="not a regular file"):
            call()
    assert (tmp_path / "2020-01-01.jsonl").is_symlink()


def make_evidence(store: JournalStore, root: Path) -> None:
    for number in range(4):
        store.append("S", {"n": number})
    flip(root / "S.jsonl", 5)
    store.salvage("S")
    with (root / "S.jsonl").open("ab") as file:
        file.write(b'{"n": 4')
    JournalStore(root).append("S", {"n": 4})


def test_evidence_is_listed_and_goes_only_when_that_is_asked_for(store: JournalStore, tmp_path: Path) -> None:
    make_evidence(store, tmp_path)
    (tmp_path / ".damaged-by-somebody").mkdir()
    before, read = datetime.now(UTC) - DAY, store.read("S")
    found = store.evidence()
    assert min(one.size for one in found) == 7
    assert len(found) == 2
    assert all(before < one.since < datetime.now(UTC) + DAY for one in found)

    assert store.purge_evidence(before) == []
    assert store.evidence() == found
    assert store.purge_evidence(EVER) == [one.name for one in found]
    assert store.evidence() == []
    assert store.read("S") == read
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "S.jsonl", ".damaged-by-somebody"}
    make_evidence(JournalStore(tmp_path), tmp_path)
    assert len(store.purge_evidence()) == 2


@pytest.mark.parametrize("wrong", [JANUARY, date(2026, 1, 1), "2026-01-01", 5], ids=repr)
def test_what_is_no_time_with_a_zone_purges_nothing(store: JournalStore, tmp_path: Path, wrong: Any) -> None:
    make_evidence(store, tmp_path)

    with pytest.raises(InvalidRecord, match="before"):
        store.purge_evidence(wrong)
    assert len(store.evidence()) == 2


def test_events_and_audit_lines_are_pruned_by_whole_files(tmp_path: Path) -> None:
    days = [JANUARY + n * DAY for n in (0, 1, 1, 2)]
    store = FileDataStore(tmp_path, clock=lambda: days.pop(0).replace(tzinfo=UTC))
    for n in (0, 26, 27, 40):
        store.write_event(event(JANUARY + n * DAY, n=n))
    store.save_strategy_state("momentum", {"kept": True})
    store.log_decision("value", BUY)
    store.log_order("value", ORDER, FILLED)
    store.log_decision("value", BUY)
    store.log_order("value", ORDER, FILLED)
    all_days = [JANUARY.date() + n * DAY for n in range(3)]
    assert store.days() == all_days

    assert store.prune_events(date(2026, 2, 3)) == ["2026-01"]
    assert [found.data["n"] for found in store.read_events(*ALWAYS)] == [27, 40]
    assert store.prune_audit(all_days[1]) == [all_days[0]]
    assert store.days() == all_days[1:]
    assert len(store.read_decisions(all_days[1])) == len(store.read_orders(all_days[1])) == 1
    assert store.read_decisions(all_days[0]) == []
    assert store.load_strategy_state("momentum") == {"kept": True}
    assert store.prune_audit(date(2027, 1, 1)) == all_days[1:]
    assert store.days() == []


def test_damaged_logs_of_a_data_store_are_salvaged_in_one_call(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path, clock=lambda: JANUARY.replace(tzinfo=UTC))
    for n in range(5):
        store.write_event(event(JANUARY + n * DAY, n=n))
        store.log_decision("value", BUY)
        store.log_order("value", ORDER, FILLED)
    assert store.salvage_logs() == {}
    flip(tmp_path / "events" / "2026-01.jsonl", 5)
    flip(tmp_path / "audit" / "orders" / f"{JANUARY.date()}.jsonl", 5)
    with pytest.raises(CorruptData):
        store.read_events(*ALWAYS)

    reports = store.salvage_logs()

    assert {place: (report.kept, report.lost[0].last) for place, report in reports.items()} == {
        "audit/orders/2026-01-05.jsonl": (4, 1),
        "events/2026-01.jsonl": (4, 1),
    }
    assert [found.data["n"] for found in store.read_events(*ALWAYS)] == [1, 2, 3, 4]
    assert len(store.read_orders(JANUARY.date())) == 4
    assert len(store.purge_log_evidence(EVER)) == 2
    assert not [name for _root, _names, names in os.walk(tmp_path) for name in names if name.startswith(".damaged-")]


def test_a_line_of_a_newer_version_takes_no_other_lines_along(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path, clock=lambda: JANUARY.replace(tzinfo=UTC))
    store.log_decision("value", BUY)
    store._decisions.append(f"{JANUARY.date()}", {"logged_at": "2026-01-01", "remark": "of a newer version"})

    lines = store.read_decisions(JANUARY.date())

    assert [sorted(line) for line in lines] == [["decision", "logged_at", "strategy_name"], ["logged_at", "remark"]]


def test_control_lines_of_the_other_log_are_damage(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path, clock=lambda: JANUARY.replace(tzinfo=UTC))
    store.log_order("value", ORDER, FILLED)
    os.rename(
        tmp_path / "audit" / "orders" / f"{JANUARY.date()}.jsonl",
        tmp_path / "audit" / "decisions" / f"{JANUARY.date()}.jsonl",
    )

    with pytest.raises(CorruptData, match="no decision"):
        store.read_decisions(JANUARY.date())


def names_of(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith(("_", "tradestore_")) and callable(getattr(kind, name))}


def test_what_the_logs_offer_they_offer_in_asyncio_too(tmp_path: Path) -> None:
    assert names_of(JournalStore) - {"close", "append_all", "checked", "group", "looking"} <= names_of(
        AsyncJournalStore
    )
    assert names_of(FileDataStore) - {"close"} <= names_of(AsyncFileDataStore)

    async def use() -> list[Any]:
        found: list[Any]
        journal = AsyncJournalStore(tmp_path / "journal")
        for n in range(5):
            await journal.append("2026-01-05", {"n": n})
        flip(tmp_path / "journal" / "2026-01-05.jsonl", 5)
        report = await journal.salvage("2026-01-05")
        entries = [entry.number async for entry in journal.entries("2026-01-05", since=2)]
        found = [
            report.kept,
            entries,
            await journal.read("2026-01-05", since=3, limit=1),
            await journal.verify("2026-01-05"),
        ]
        found += [await journal.streams(), len(await journal.evidence()), len(await journal.purge_evidence())]
        found += [await journal.delete("2026-01-05"), await journal.prune("2026-01-06")]
        await journal.aclose()
        trading = AsyncFileDataStore(tmp_path / "trading", clock=lambda: JANUARY.replace(tzinfo=UTC))
        await trading.log_decision("value", BUY)
        await trading.write_event(event(JANUARY))
        found += [await trading.days(), await trading.salvage_logs(), await trading.purge_log_evidence()]
        found += [await trading.prune_events(date(2027, 1, 1)), await trading.prune_audit(date(2027, 1, 1))]
        await trading.aclose()
        return found

    assert asyncio.run(use()) == [
        4, [3, 4, 5], [{"n": 3}], 4, ["2026-01-05"], 1, 1, True, [],
        [JANUARY.date()], {}, [], ["2026-01"], [JANUARY.date()],
    ]  # fmt: skip


def test_entries_are_handed_out_to_tasks_a_part_at_a_time(tmp_path: Path) -> None:
    async def use() -> list[int]:
        journal = AsyncJournalStore(tmp_path)
        tickets = journal._store.append_all("S", [journal._store.checked("S", {"n": n}) for n in range(3000)])
        assert len(tickets) == 3000
        seen = []
        async for entry in journal.entries("S"):
            seen.append(entry.number)
            if len(seen) == 2500:
                break
        return seen

    assert asyncio.run(use()) == list(range(1, 2501))


CALLS: dict[str, Callable[[JournalStore], Any]] = {
    "salvage": lambda store: store.salvage("../S"),
    "delete": lambda store: store.delete("../S"),
    "verify": lambda store: store.verify("../S"),
    "entries": lambda store: store.entries("../S"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_an_identifier_that_climbs_is_refused_by_every_call(
    store: JournalStore, tmp_path: Path, call: Callable[[JournalStore], Any]
) -> None:
    from reference_store import InvalidIdentifier

    with pytest.raises(InvalidIdentifier):
        call(store)
    assert list(tmp_path.iterdir()) == []
