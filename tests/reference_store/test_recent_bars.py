"""Bars that wait beside their months: one moment with them for readers, all or none over symbols, folded in later."""

import asyncio
import errno
import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reference_store import AsyncFileDataStore, CorruptData, FileDataStore, InvalidRecord, StorageFailure
from reference_store.models import PriceBar
from reference_store.stores.bars import files
from reference_store.stores.bars.snapshots import Snapshots
from tests.reference_store.faults import fail_call
from tests.reference_store.test_atomic import calls_of
from tests.reference_store.trading import ALWAYS, ALWAYS_UTC, DAY, JANUARY, bar, bars, flip, tree

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileDataStore:
    """A store for which a month with two bars is large."""
    monkeypatch.setattr(files, "LARGE", 2)
    return FileDataStore(tmp_path)


def month(root: Path, symbol: str = "AAPL") -> list[float]:
    """What a program finds that reads only the month file."""
    found: list[float] = pq.read_table(root / "prices" / symbol / "2026-01.parquet").column("close").to_pylist()
    return found


def closes(root: Path, symbol: str = "AAPL") -> list[float]:
    return [found.close for found in FileDataStore(root).read_bars(symbol, *ALWAYS)]


def waiting(root: Path) -> Path:
    return root / "prices" / ".recent.jsonl"


def begun(store: FileDataStore) -> None:
    """A month of two bars, and one more that waits."""
    store.write_bars("AAPL", [bar(JANUARY, 1.0), bar(JANUARY + DAY, 2.0)])
    store.write_bars("AAPL", [bar(JANUARY + 2 * DAY, 3.0)])  # from here on the manifest relies on recent bars
    store.write_bars("AAPL", [bar(JANUARY + 3 * DAY, 4.0)])


def test_a_few_bars_into_a_large_month_wait_and_are_read_with_it(store: FileDataStore, tmp_path: Path) -> None:
    begun(store)
    store.write_bars("AAPL", [bar(JANUARY + DAY, 5.0)])

    assert month(tmp_path) == [1.0, 2.0, 3.0]
    for reader in (store, FileDataStore(tmp_path)):
        assert [b.close for b in reader.read_bars("AAPL", *ALWAYS)] == [1.0, 5.0, 3.0, 4.0]
        assert [b.close for b in reader.read_bars("AAPL", JANUARY + DAY, JANUARY + DAY)] == [5.0]
        assert reader.read_bars_table("AAPL", JANUARY + 3 * DAY, ALWAYS[1]).column("close").to_pylist() == [4.0]
    store.fold_bars()
    assert month(tmp_path) == closes(tmp_path) == [1.0, 5.0, 3.0, 4.0]


def test_many_bars_take_along_what_waits_and_outdated_ones_never_come_back(
    store: FileDataStore, tmp_path: Path
) -> None:
    begun(store)
    store.write_bars("AAPL", [bar(JANUARY + n * DAY, 7.0) for n in range(files.FEW + 1)])
    assert closes(tmp_path) == [7.0] * (files.FEW + 1)

    store.write_bars("AAPL", [bar(JANUARY, 8.0)])
    store.fold_bars()
    assert closes(tmp_path) == [8.0] + [7.0] * files.FEW


def test_bars_that_many_took_along_never_come_back_with_the_next_ones_and_those_of_another_symbol_folded(
    store: FileDataStore, tmp_path: Path
) -> None:
    store.write_bars_of_many({s: [bar(JANUARY, 1.0, symbol=s)] for s in ("AAPL", "MSFT")})
    store.write_bars("AAPL", bars(JANUARY, files.FEW + 1, 2.0))
    store.write_bars_of_many({s: [bar(JANUARY - DAY, 3.0, symbol=s)] for s in ("AAPL", "MSFT")})

    store.delete_bars("MSFT", JANUARY, JANUARY)
    assert closes(tmp_path)[:2] == [3.0, 2.0]


@pytest.mark.parametrize("making_room", ["fold of another symbol", "too many lines"])
@pytest.mark.parametrize("manifest", ["sound", "damaged"])
def test_lines_in_months_already_never_count_again_when_those_of_another_symbol_are_cleared_away(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, making_room: str, manifest: str
) -> None:
    store.write_bars_of_many({s: [bar(JANUARY, 1.0, symbol=s)] for s in ("AAPL", "MSFT")})
    with monkeypatch.context() as patch:  # the month gets a newer bar of this date, the outdated line stays
        patch.setattr(files, "LARGE", 1000)
        fail_call(patch, "rename", errno.EIO, when=lambda *names: ".recent.jsonl" in names)
        store.write_bars("AAPL", [bar(JANUARY, 2.0)])
    store.write_bars_of_many({s: [bar(JANUARY + DAY, 3.0, symbol=s)] for s in ("AAPL", "MSFT")})
    place = tmp_path / "prices" / "AAPL" / ".manifest.json"
    sound = place.read_bytes()
    if manifest == "damaged":
        flip(place, 30)

    if making_room == "too many lines":
        monkeypatch.setattr(files, "OUTGROWN", 100)
        for day in range(2, 6):
            store.write_bars("MSFT", [bar(JANUARY + day * DAY, symbol="MSFT")])
    else:
        store.delete_bars("MSFT", JANUARY, JANUARY)

    if manifest == "damaged":
        place.write_bytes(sound)
    for opened in (store, FileDataStore(tmp_path)):
        assert [b.close for b in opened.read_bars("AAPL", *ALWAYS)] == [2.0, 3.0]
    store.fold_bars()
    assert month(tmp_path) == closes(tmp_path) == [2.0, 3.0]


def test_what_is_taken_along_is_cleared_away_so_that_a_lost_manifest_brings_nothing_outdated_back(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(store)
    monkeypatch.setattr(files, "LARGE", 1000)
    store.write_bars("AAPL", [bar(JANUARY + 3 * DAY, 5.0)])
    flip(tmp_path / "prices" / "AAPL" / ".manifest.json", 30)

    store.reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0, 2.0, 3.0, 5.0]


def test_lines_are_cleared_away_only_when_the_manifest_that_has_them_in_months_is_pinned(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(store)
    with monkeypatch.context() as patch:  # it died when the manifest was visible, and not durable yet
        fail_call(patch, "rename", errno.EIO, when=lambda *names: ".recent.jsonl" in names)
        with pytest.raises(StorageFailure):
            store.fold_bars()
    root = tmp_path.with_name(tmp_path.name + "-too")
    shutil.copytree(tmp_path, root)
    seen = calls_of(monkeypatch, "rename", "fsync")

    FileDataStore(tmp_path).fold_bars()
    assert seen.index("fsync directory") < seen.index("rename")
    seen.clear()
    FileDataStore(root).write_bars("AAPL", bars(JANUARY, files.FEW + 1))
    assert seen.index("fsync directory") < seen.index("rename")


@pytest.mark.parametrize("cleared", [True, False])
def test_a_reader_between_whose_two_looks_bars_are_written_and_folded_is_told_of_no_damage(
    store: FileDataStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cleared: bool,
) -> None:
    begun(store)
    for look in ("take", "standing"):
        real, left = getattr(Snapshots, look), [True]

        def late(*args: Any, real: Any = real, left: list[bool] = left, **options: Any) -> Any:
            if left and left.pop():
                store.write_bars("AAPL", [bar(JANUARY + 4 * DAY, 5.0)])
                with monkeypatch.context() as patch:
                    if not cleared:
                        fail_call(patch, "rename", errno.EIO, when=lambda *names: ".recent.jsonl" in names)
                    with nullcontext() if cleared else pytest.raises(StorageFailure):
                        store.fold_bars()
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Snapshots, look, late)
            reader = FileDataStore(tmp_path)
            if look == "take":
                assert [b.close for b in reader.read_bars("AAPL", *ALWAYS)] == [1.0, 2.0, 3.0, 4.0, 5.0]
            else:
                assert reader.months("AAPL") == ["2026-01"]
    assert "damaged" not in caplog.text


def test_a_reader_who_comes_when_the_first_bars_are_written_is_told_of_no_damage(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, left = Snapshots.take, [True]

    def late(*args: Any, **options: Any) -> Any:
        if left and left.pop():
            for day in (0, 1):
                store.write_bars_of_many({"AAPL": [bar(JANUARY + day * DAY)]})
        return real(*args, **options)

    store.write_bars("AAPL", [bar(JANUARY - DAY)])
    monkeypatch.setattr(Snapshots, "take", late)
    assert closes(tmp_path)[:1] == [1.0]
    assert "damaged" not in caplog.text


def test_the_next_bar_of_many_symbols_is_one_file_and_all_or_none(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols = [f"S{n}" for n in range(20)]
    store.write_bars_of_many({symbol: [bar(JANUARY, symbol=symbol)] for symbol in symbols})
    assert all(closes(tmp_path, symbol) == [1.0] for symbol in symbols)
    seen = calls_of(monkeypatch, "rename", "fsync")

    store.write_bars_of_many({symbol: [bar(JANUARY + DAY, 2.0, symbol=symbol)] for symbol in symbols})

    assert seen == ["fsync", "rename", "rename", "fsync directory"]  # the first one keeps the file before
    assert all(closes(tmp_path, symbol) == [1.0, 2.0] for symbol in symbols)
    store.write_bars_of_many({})


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename", "fchmod", "close"])
# A directory that is let go of is closed without code that could swallow a failure, so Python tells of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_fault_anywhere_leaves_the_bars_of_all_symbols_or_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for at in range(1, 60):
        root = tmp_path / str(at)
        store = FileDataStore(root)
        store.write_bars("AAPL", [bar(JANUARY)])
        with monkeypatch.context() as patch:
            calls = fail_call(patch, call, errno.EIO, at=at)
            try:
                store.write_bars_of_many({s: [bar(JANUARY + DAY, 2.0, symbol=s)] for s in ("AAPL", "MSFT", "TSLA")})
                expected = [True]
            except StorageFailure as failure:
                expected = [True, False] if failure.may_have_happened else [False]
        for opened in (store, FileDataStore(root)):
            there = {2.0 in [b.close for b in opened.read_bars(s, *ALWAYS)] for s in ("AAPL", "MSFT", "TSLA")}
            assert len(there) == 1, (call, at)
            assert there.pop() in expected, (call, at)
        if calls[0] < at:
            return
    pytest.fail("the calls did not come to an end")


def test_one_bad_bar_refuses_those_of_all_symbols_and_says_whose_it_is(store: FileDataStore, tmp_path: Path) -> None:
    begun(store)
    before = tree(tmp_path)

    for wrong in ([bar(JANUARY, -1.0, symbol="MSFT")], bar(JANUARY), None):
        with pytest.raises(InvalidRecord):
            store.write_bars_of_many({"AAPL": [bar(JANUARY, 9.0)], "MSFT": wrong})  # type: ignore[dict-item] # the case
    with pytest.raises(InvalidRecord, match="'MSFT'"):
        store.write_bars_of_many({"AAPL": [bar(JANUARY, 9.0)], "MSFT": [bar(JANUARY, -1.0, symbol="MSFT")]})
    with pytest.raises(InvalidRecord, match="mapping"):
        store.write_bars_of_many([bar(JANUARY)])  # type: ignore[arg-type] # the case
    assert tree(tmp_path) == before


def test_dates_with_and_without_zones_do_not_mix_among_recent_bars(store: FileDataStore) -> None:
    aware = bar(JANUARY.replace(tzinfo=UTC))
    store.write_bars_of_many({"AAPL": [aware]})
    assert store.read_bars("AAPL", *ALWAYS_UTC) == [aware]
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_bars("AAPL", *ALWAYS)
    for naive in (lambda b: store.write_bars("AAPL", [b]), lambda b: store.write_bars_of_many({"AAPL": [b]})):
        with pytest.raises(InvalidRecord, match="time zone"):
            naive(bar(JANUARY))
    store.fold_bars()
    assert store.read_bars("AAPL", *ALWAYS_UTC) == [aware]


def test_values_zones_and_types_survive_the_wait(store: FileDataStore, tmp_path: Path) -> None:
    zone = ALWAYS_UTC[0].tzinfo
    made = [
        bar(datetime(2026, 1, 5, tzinfo=zone), 0.1 + 0.2, open=-0.0, low=0.0, high=5e-324, volume=2**63 - 1),
        bar(datetime(2026, 1, 6, tzinfo=zone).astimezone(), 1e308, volume=0.5),
    ]
    store.write_bars_of_many({"AAPL": made})

    for _ in range(2):
        found = FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS_UTC)
        assert [repr((b.open, b.close, b.high, b.volume)) for b in found] == [
            repr((b.open, b.close, b.high, b.volume)) for b in made
        ]
        assert [str(b.date) for b in found] == [str(b.date) for b in made]
        store.fold_bars()


@pytest.mark.parametrize("damage", ["lost", "emptied", "cut", "one-bit", "older"])
def test_damaged_recent_bars_are_told_of_where_they_matter_and_given_up_only_on_request(
    store: FileDataStore, tmp_path: Path, damage: str
) -> None:
    store.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])
    begun(store)
    older = waiting(tmp_path).read_bytes()
    store.fold_bars()
    store.write_bars("AAPL", [bar(JANUARY + 9 * DAY, 9.0)])
    store.fold_bars()
    store.write_bars("AAPL", [bar(JANUARY + 10 * DAY, 10.0)])
    sound = waiting(tmp_path).read_bytes()
    match damage:
        case "lost":
            waiting(tmp_path).unlink()
        case "emptied":
            waiting(tmp_path).write_bytes(b"")
        case "cut":
            waiting(tmp_path).write_bytes(sound[: sound.index(b"\n") + 1])
        case "one-bit":
            flip(waiting(tmp_path), 30)
        case "older":
            waiting(tmp_path).write_bytes(older)

    waiting(tmp_path).with_name(".recent.jsonl.bak").write_bytes(b"")
    remembered = [] if damage == "one-bit" else [store]  # it knows what it has read, and that is not damaged
    for opened in (*remembered, FileDataStore(tmp_path)):
        with pytest.raises(CorruptData, match="recent"):
            opened.read_bars("AAPL", *ALWAYS)
        with pytest.raises(CorruptData, match="recent"):
            opened.write_bars("AAPL", [bar(JANUARY, 3.0)])
        assert len(opened.read_bars("MSFT", *ALWAYS)) == 1  # it has never had any
        opened.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])
    waiting(tmp_path).write_bytes(sound)
    assert closes(tmp_path)[-2:] == [9.0, 10.0]


@pytest.mark.parametrize("damage", ["lost", "one-bit"])
def test_a_symbol_whose_recent_bars_are_given_up_can_be_written_again(
    store: FileDataStore, tmp_path: Path, damage: str
) -> None:
    begun(store)
    if damage == "lost":
        waiting(tmp_path).unlink()
    else:
        flip(waiting(tmp_path), 30)

    store.reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0, 2.0, 3.0]
    for day in (10, 11, 12):
        store.write_bars("AAPL", [bar(JANUARY + day * DAY, float(day))])
    assert closes(tmp_path) == [1.0, 2.0, 3.0, 10.0, 11.0, 12.0]


def waiting_symbols(store: FileDataStore) -> None:
    """Two symbols of which nothing is in months yet."""
    for day in range(2):
        store.write_bars_of_many({symbol: [bar(JANUARY + day * DAY, symbol=symbol)] for symbol in ("AAPL", "MSFT")})


LOOKS = {
    "read": lambda store: store.read_bars("MSFT", *ALWAYS),
    "months": lambda store: store.months("MSFT"),
    "write": lambda store: store.write_bars("MSFT", [bar(JANUARY + 5 * DAY, symbol="MSFT")]),
    "write-of-many": lambda store: store.write_bars_of_many({"MSFT": [bar(JANUARY + 5 * DAY, symbol="MSFT")]}),
    "fold": lambda store: store.fold_bars(),
    "delete": lambda store: store.delete_bars("MSFT", JANUARY, JANUARY),
    "salvage": lambda store: store.salvage_bars("MSFT"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_manifest_that_is_lost_while_all_bars_of_its_symbol_wait_is_damage_and_no_empty_symbol(
    store: FileDataStore, tmp_path: Path, look: Callable[[FileDataStore], object]
) -> None:
    waiting_symbols(store)
    (tmp_path / "prices" / "MSFT" / ".manifest.json").unlink()

    with pytest.raises(CorruptData, match="manifest"):
        look(FileDataStore(tmp_path))

    assert len(closes(tmp_path)) == 2, "the other symbol is as it was"
    FileDataStore(tmp_path).reseal_bars("MSFT")
    assert len(closes(tmp_path, "MSFT")) == 2
    store.write_bars_of_many({"MSFT": [bar(JANUARY + 5 * DAY, symbol="MSFT")]})
    assert len(closes(tmp_path, "MSFT")) == 3


def test_control_a_symbol_whose_directory_was_taken_away_is_none_and_begins_anew(
    store: FileDataStore, tmp_path: Path
) -> None:
    waiting_symbols(store)
    shutil.rmtree(tmp_path / "prices" / "MSFT")

    assert closes(tmp_path, "MSFT") == []
    store.write_bars_of_many({"MSFT": [bar(JANUARY + 5 * DAY, symbol="MSFT")]})
    assert len(closes(tmp_path, "MSFT")) == 1
    assert len(closes(tmp_path)) == 2


@pytest.mark.parametrize("write", ["write", "write-of-many"])
def test_a_symbol_whose_directory_was_taken_away_is_written_again_also_after_a_write_that_failed(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """What was left of its bars is gone before there is a directory again: without a manifest that would be damage."""
    waiting_symbols(store)
    shutil.rmtree(tmp_path / "prices" / "MSFT")
    with monkeypatch.context() as patch:
        fail_call(patch, "rename", errno.ENOSPC, when=lambda *names: ".manifest.json" in names)
        with pytest.raises(StorageFailure):
            LOOKS[write](store)

    assert closes(tmp_path, "MSFT") == []
    LOOKS[write](FileDataStore(tmp_path))
    assert len(closes(tmp_path, "MSFT")) == 1
    assert len(closes(tmp_path)) == 2


def test_control_resealing_gives_up_nothing_that_is_sound(store: FileDataStore, tmp_path: Path) -> None:
    begun(store)
    store.reseal_bars("AAPL")
    assert closes(tmp_path) == [1.0, 2.0, 3.0, 4.0]


def test_a_crash_between_folding_and_clearing_away_brings_nothing_back(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(store)
    with monkeypatch.context() as patch:
        fail_call(patch, "rename", errno.EIO, when=lambda *names: ".recent.jsonl" in names)
        with pytest.raises(StorageFailure):
            store.fold_bars()
    assert month(tmp_path) == closes(tmp_path) == [1.0, 2.0, 3.0, 4.0]

    monkeypatch.setattr(files, "LARGE", 1000)
    FileDataStore(tmp_path).write_bars("AAPL", [bar(JANUARY + 3 * DAY, 5.0)])
    monkeypatch.setattr(files, "LARGE", 2)
    FileDataStore(tmp_path).write_bars_of_many({"MSFT": [bar(JANUARY, symbol="MSFT")]})
    FileDataStore(tmp_path).fold_bars()
    assert month(tmp_path) == closes(tmp_path) == [1.0, 2.0, 3.0, 5.0]


def test_what_outgrows_its_bound_is_folded_and_a_failure_of_that_is_none_of_the_write(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun(store)
    monkeypatch.setattr(files, "OUTGROWN", 2_000)
    sizes = []
    for day in range(4, 40):
        store.write_bars_of_many({s: [bar(JANUARY + day * DAY, float(day), symbol=s)] for s in ("AAPL", "MSFT")})
        sizes.append(waiting(tmp_path).stat().st_size)
    assert max(sizes) < 3_000
    assert closes(tmp_path)[4:] == closes(tmp_path, "MSFT") == [float(day) for day in range(4, 40)]

    flip(tmp_path / "prices" / "AAPL" / "2026-01.parquet", 400)
    flip(tmp_path / "prices" / "AAPL" / "2026-02.parquet", 400)
    for day in range(30, 50):
        store.write_bars("AAPL", [bar(JANUARY + day * DAY)] * 1)
    assert "stay where they are" in caplog.text


def test_deleting_reaches_recent_bars_too(store: FileDataStore, tmp_path: Path) -> None:
    begun(store)

    assert store.delete_bars("AAPL", JANUARY + DAY, JANUARY + 3 * DAY) == 3
    assert month(tmp_path) == closes(tmp_path) == [1.0]
    assert store.months("AAPL") == ["2026-01"]


def test_months_and_symbols_have_those_of_recent_bars(store: FileDataStore) -> None:
    store.write_bars_of_many({"AAPL": [bar(JANUARY), bar(JANUARY + 40 * DAY)], "MSFT": [bar(JANUARY, symbol="MSFT")]})

    assert store.symbols() == ["AAPL", "MSFT"]
    assert [store.months(symbol) for symbol in ("AAPL", "MSFT", "TSLA")] == [["2026-01", "2026-02"], ["2026-01"], []]


def test_the_asyncio_face_does_the_same(tmp_path: Path) -> None:
    async def use() -> None:
        store = AsyncFileDataStore(tmp_path)
        await store.write_bars_of_many({"AAPL": [bar(JANUARY), bar(JANUARY + DAY)]})
        await store.write_bars_table("AAPL", await store.read_bars_table("AAPL", JANUARY, JANUARY))
        await store.fold_bars()
        assert await store.symbols() == ["AAPL"]
        assert await store.months("AAPL") == ["2026-01"]
        assert await store.delete_bars("AAPL", JANUARY, JANUARY) == 1
        assert [b.date for b in await store.read_bars("AAPL", *ALWAYS)] == [JANUARY + DAY]
        await store.save_strategy_state("a", {"n": 1})
        assert await store.strategies() == ["a"]
        assert await store.delete_state("a") is True
        assert await store.strategies() == []
        await store.aclose()

    asyncio.run(use())


def test_states_are_listed_and_deleted_with_their_backups(store: FileDataStore, tmp_path: Path) -> None:
    for name in ("b", "a", "a"):
        store.save_strategy_state(name, {"n": 1})

    assert store.strategies() == ["a", "b"]
    assert (store.delete_state("a"), store.delete_state("a")) == (True, False)
    assert FileDataStore(tmp_path).strategies() == ["b"]
    assert store.load_strategy_state("a") is None


symbols = st.sampled_from(("AAPL", "MSFT"))
days = st.lists(st.integers(0, 40), max_size=6)


class Bars(RuleBasedStateMachine):
    """Two symbols, written alone and together, folded, deleted, resealed and reopened, against dictionaries by date."""

    root: Path
    count = 0

    @initialize()
    def open(self) -> None:
        Bars.count += 1
        self.path = self.root / str(Bars.count)
        self.store = FileDataStore(self.path)
        self.model: dict[str, dict[datetime, PriceBar]] = {"AAPL": {}, "MSFT": {}}

    def made(self, symbol: str, days: list[int], close: float) -> list[PriceBar]:
        found = [bar(JANUARY + day * DAY, close, symbol=symbol) for day in days]
        self.model[symbol] |= {b.date: b for b in found}
        return found

    @rule(
        symbol=st.sampled_from(("AAPL", "MSFT")), days=st.lists(st.integers(0, 40), max_size=6), close=st.floats(0, 9)
    )
    def write(self, symbol: str, days: list[int], close: float) -> None:
        self.store.write_bars(symbol, self.made(symbol, days, close))

    @rule(days=days, close=st.floats(0, 9))
    def write_both(self, days: list[int], close: float) -> None:
        self.store.write_bars_of_many({symbol: self.made(symbol, days, close) for symbol in self.model})

    @rule(symbol=symbols, first=st.integers(0, 40), count=st.integers(-1, 30))
    def delete(self, symbol: str, first: int, count: int) -> None:
        start, end = JANUARY + first * DAY, JANUARY + (first + count) * DAY
        gone = [date for date in self.model[symbol] if start <= date <= end]
        assert self.store.delete_bars(symbol, start, end) == len(gone)
        for date in gone:
            del self.model[symbol][date]

    @rule(symbol=symbols, days=days, close=st.floats(0, 9))
    def write_and_clear_nothing_away(self, symbol: str, days: list[int], close: float) -> None:
        made = self.made(symbol, days, close)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "LARGE", 1000)
            fail_call(patch, "rename", errno.EIO, when=lambda *names: ".recent.jsonl" in names)
            with suppress(StorageFailure):  # what has to be cleared away before it stands in the way
                self.store.write_bars(symbol, made)
                return
        self.store.write_bars(symbol, made)

    @rule(symbol=symbols)
    def reseal(self, symbol: str) -> None:
        if self.model[symbol]:
            self.store.reseal_bars(symbol)

    @rule()
    def fold(self) -> None:
        self.store.fold_bars()

    @rule()
    def reopen(self) -> None:
        self.store = FileDataStore(self.path)

    @invariant()
    def all_is_there(self) -> None:
        for symbol, known in self.model.items():
            assert self.store.read_bars(symbol, *ALWAYS) == [known[date] for date in sorted(known)]
            assert self.store.months(symbol) == sorted({f"{date:%Y-%m}" for date in known})


def test_recent_bars_and_months_behave_like_one_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGE", 3)
    monkeypatch.setattr(files, "FEW", 4)
    monkeypatch.setattr(files, "OUTGROWN", 2_500)
    Bars.root = tmp_path
    run_state_machine_as_test(  # type: ignore[no-untyped-call] # of hypothesis
        Bars, settings=settings(max_examples=15, stateful_step_count=12, deadline=None, phases=[Phase.generate])
    )
