"""Events: exact ranges whatever the order of writes, little read for a small range, and times at all the odd places."""

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_store import AsyncFileDataStore, CorruptData, FileDataStore, InvalidRecord, StoreError
from reference_store.core import integrity
from reference_store.models import Event
from reference_store.stores import event_log
from reference_store.stores.event_times import members
from reference_store.stores.time_index import PREFIX
from tests.reference_store.long_logs import bytes_read
from tests.reference_store.trading import ALWAYS, JANUARY, flip

SECOND = timedelta(seconds=1)
NEW_YORK = ZoneInfo("America/New_York")
WRITTEN_BY_0_1_0 = Path(__file__).parent / "written_by_0_1_0"


def event(timestamp: datetime, kind: str = "fill", **data: Any) -> Event:
    return Event(type=kind, timestamp=timestamp, symbol="AAPL", data=data)


def write_month(root: Path, seconds: list[int]) -> Path:
    """Write a log of events at these seconds of January as a store does that appended them one by one."""
    (root / "events").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, second in enumerate(seconds, 1):
        month, record = members(event(JANUARY + second * SECOND, n=number))
        lines.append(integrity.seal_records([integrity.encode_record(record)], month, number))
    path = root / "events" / "2026-01.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def numbers(store: FileDataStore, first: int, last: int) -> list[Any]:
    return [found.data["n"] for found in store.read_events(JANUARY + first * SECOND, JANUARY + last * SECOND)]


def expected(seconds: list[int], first: int, last: int) -> list[int]:
    inside = [(second, number) for number, second in enumerate(seconds, 1) if first <= second <= last]
    return [number for _second, number in sorted(inside)]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "BLOCK", 3)
    monkeypatch.setattr(event_log, "KEEP_FROM", 1)


times = st.lists(st.integers(0, 40), min_size=1, max_size=60)


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seconds=times | times.map(sorted), later=times, ranges=st.lists(st.tuples(st.integers(-1, 41), st.integers(-1, 41)))
)
def test_a_range_is_exact_whatever_the_order_of_writes_and_however_much_is_indexed(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[int], later: list[int], ranges: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    path = write_month(root, seconds)
    store = FileDataStore(root)
    for first, last in [(0, 40), *ranges]:
        assert numbers(store, first, last) == expected(seconds, first, last)
    both, before = seconds + later, path.read_bytes()
    assert write_month(root, both).read_bytes().startswith(before)
    for again in (store, FileDataStore(root)):
        for first, last in [*ranges, (0, 40)]:
            assert numbers(again, first, last) == expected(both, first, last)


def test_a_small_range_reads_little_of_a_long_month_also_after_reopening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "KEEP_FROM", 1000)
    path = write_month(tmp_path, list(range(6000)))
    store = FileDataStore(tmp_path)
    assert len(numbers(store, 0, 5999)) == 6000
    for opened in (store, FileDataStore(tmp_path)):
        with bytes_read(monkeypatch) as seen:
            assert numbers(opened, 3000, 3005) == list(range(3001, 3007))
        assert sum(seen) < path.stat().st_size / 5


def test_control_without_its_index_all_of_the_month_is_read_and_the_index_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "KEEP_FROM", 1000)
    path = write_month(tmp_path, list(range(6000)))
    numbers(FileDataStore(tmp_path), 0, 0)
    index = path.parent / f"{PREFIX}2026-01.jsonl"
    index.unlink()

    with bytes_read(monkeypatch) as seen:
        assert numbers(FileDataStore(tmp_path), 3000, 3001) == [3001, 3002]

    assert sum(seen) >= path.stat().st_size
    assert index.exists()


@pytest.mark.usefixtures("small_blocks")
def test_a_damaged_index_changes_no_answer(tmp_path: Path) -> None:
    seconds = [(7 * number) % 31 for number in range(60)]
    path = write_month(tmp_path, seconds)
    numbers(FileDataStore(tmp_path), 0, 40)
    index = path.parent / f"{PREFIX}2026-01.jsonl"
    sound = index.read_bytes()
    for place in range(0, len(sound), 7):
        index.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        assert numbers(FileDataStore(tmp_path), 10, 12) == expected(seconds, 10, 12)
        index.write_bytes(sound[:place])
        assert numbers(FileDataStore(tmp_path), 10, 12) == expected(seconds, 10, 12)


@pytest.mark.usefixtures("small_blocks")
def test_an_index_of_a_log_that_was_restored_since_is_not_believed(tmp_path: Path) -> None:
    path = write_month(tmp_path, [5] * 40)
    numbers(FileDataStore(tmp_path), 0, 40)

    for restored in ([9] * 7, [9] * 60):
        write_month(tmp_path, restored)
        assert path.exists()
        assert numbers(FileDataStore(tmp_path), 9, 9) == list(range(1, len(restored) + 1))
        assert numbers(FileDataStore(tmp_path), 5, 5) == []


@pytest.mark.usefixtures("small_blocks")
def test_damage_is_told_by_the_ranges_that_need_it_and_leaves_the_others_alone(tmp_path: Path) -> None:
    path = write_month(tmp_path, list(range(40)))
    store = FileDataStore(tmp_path)
    assert len(numbers(store, 0, 40)) == 40
    flip(path, path.stat().st_size // 2)

    for opened in (store, FileDataStore(tmp_path)):
        assert numbers(opened, 0, 10) == list(range(1, 12))
        assert numbers(opened, 30, 40) == list(range(31, 41))
        with pytest.raises(CorruptData):
            numbers(opened, 15, 25)


@pytest.mark.usefixtures("small_blocks")
def test_sectors_that_are_gone_of_what_was_indexed_are_not_taken_for_an_interrupted_append(
    tmp_path: Path,
) -> None:
    for count in range(39, 400, 3):  # until a sector begins in the last line
        whole = write_month(tmp_path, list(range(count))).read_bytes()
        sector = (len(whole) - 80) // 512 * 512
        if sector > whole.rindex(b"\n", 0, len(whole) - 1):
            break
    store = FileDataStore(tmp_path)
    assert len(numbers(store, 0, count)) == count
    begin = (len(whole) // 2 // 512 + 1) * 512
    (tmp_path / "events" / "2026-01.jsonl").write_bytes(whole[:begin] + bytes(sector - begin) + whole[sector:])

    with pytest.raises(CorruptData):
        numbers(store, 0, count)


TYPES: dict[str, tuple[Any, list[str]]] = {
    "a-text-is-one-type": ("fill-or-kill", ["fill-or-kill"]),
    "a-part-of-it-is-none": ("fill", ["fill"]),
    "a-list": (["or", "fill"], ["fill"]),
    "a-generator": ((kind for kind in ("kill", "fill", "fill-or-kill")), ["fill", "fill-or-kill"]),
    "a-set": ({"fill-or-kill"}, ["fill-or-kill"]),
    "none-of-them": ([], []),
    "all": (None, ["fill", "fill-or-kill"]),
    "an-empty-text": ("", []),
}


@pytest.mark.parametrize(("types", "found"), TYPES.values(), ids=list(TYPES))
def test_types_are_compared_whole(tmp_path: Path, types: Any, found: list[str]) -> None:
    store = FileDataStore(tmp_path)
    for kind in ("fill", "fill-or-kill"):
        store.write_event(event(JANUARY, kind))
        store.write_event(event(JANUARY + 40 * 86_400 * SECOND, kind))

    assert sorted({one.type for one in store.read_events(*ALWAYS, types=types)}) == found


@pytest.mark.parametrize("types", [5, [5], [None], [b"fill"], b"fill", {"fill": 1, 2: 3}, [["fill"]]], ids=repr)
def test_what_is_no_list_of_types_is_refused(tmp_path: Path, types: Any) -> None:
    store = FileDataStore(tmp_path)
    store.write_event(event(JANUARY))

    with pytest.raises(InvalidRecord, match="types"):
        store.read_events(*ALWAYS, types=types)


def wall(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, fold=fold, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc]  # few ints, no zone


ODD_TIMES: dict[str, datetime] = {
    "first-of-the-calendar": wall(1, 1, 1),
    "last-of-the-calendar": wall(9999, 12, 31, 23, 59, 59, 999_999),
    "first-in-utc": datetime(1, 1, 1, tzinfo=UTC),
    "last-in-utc": datetime.max.replace(tzinfo=UTC),
    "first-west": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-5))),
    "last-east": datetime.max.replace(tzinfo=timezone(timedelta(hours=14))),
    "offset-with-microseconds": datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=1, microseconds=7))),
    "first-of-the-repeated-hour": datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK),
    "second-of-the-repeated-hour": datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK),
    "an-hour-that-does-not-exist": datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK),
    "second-on-a-wall": wall(2026, 11, 1, 1, 30, fold=1),
    "unknown-on-a-wall": wall(2026, 3, 8, 2, 30),
}


@pytest.mark.parametrize("moment", ODD_TIMES.values(), ids=list(ODD_TIMES))
def test_a_time_comes_back_as_it_was_given_and_is_found_at_its_instant(tmp_path: Path, moment: datetime) -> None:
    store = FileDataStore(tmp_path)
    store.write_event(event(moment))

    (found,) = FileDataStore(tmp_path).read_events(moment, moment)

    assert found.timestamp.replace(tzinfo=None) == moment.replace(tzinfo=None)
    assert found.timestamp.utcoffset() == moment.utcoffset()
    assert (found.timestamp.fold if moment.tzinfo is None else 0) == (moment.fold if moment.tzinfo is None else 0)


def test_the_two_times_of_a_repeated_hour_are_two_instants(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    first, second = (datetime(2026, 11, 1, 1, 30, fold=fold, tzinfo=NEW_YORK) for fold in (0, 1))
    for n, moment in enumerate((second, first)):
        store.write_event(event(moment, n=n))

    assert [found.data["n"] for found in store.read_events(first, second)] == [1, 0]
    assert [found.data["n"] for found in store.read_events(second, second)] == [0]
    assert [found.data["n"] for found in store.read_events(first, first)] == [1]


def test_one_instant_in_two_zones_is_found_from_either(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    here = datetime(2026, 1, 31, 23, 30, tzinfo=NEW_YORK)
    for n, moment in enumerate((here, here.astimezone(UTC))):
        store.write_event(event(moment, n=n))

    for moment in (here, here.astimezone(UTC), here.astimezone(ZoneInfo("Asia/Kathmandu"))):
        assert [found.data["n"] for found in store.read_events(moment, moment)] == [0, 1]


EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)])
def test_an_event_outside_the_calendar_of_utc_is_refused_and_a_range_may_end_there(
    tmp_path: Path, moment: datetime
) -> None:
    store = FileDataStore(tmp_path)
    with pytest.raises(InvalidRecord, match="years 1 to 9999"):
        store.write_event(event(moment))
    store.write_event(event(datetime(2026, 1, 1, tzinfo=UTC)))

    everything = datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)
    assert len(store.read_events(*everything)) == 1
    assert store.read_events(moment, moment) == []


NO_TIMES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "text": lambda: "2026-01-01",
    "a-date": lambda: JANUARY.date(),
    "a-number": lambda: 5.0,
    "a-generator": lambda: (moment for moment in [JANUARY]),
    "not-a-time-of-pandas": lambda: import_module("pandas").NaT,
}


@pytest.mark.parametrize("make", NO_TIMES.values(), ids=list(NO_TIMES))
def test_what_is_no_time_is_refused_wherever_it_is_given(tmp_path: Path, make: Callable[[], Any]) -> None:
    try:
        wrong = make()
    except ImportError:
        pytest.skip("a time of pandas: it is not installed")
    store = FileDataStore(tmp_path)
    store.write_event(event(JANUARY))
    built = Event.model_construct(type="fill", timestamp=wrong, symbol=None, data={})

    for call in (
        lambda: store.read_events(wrong, JANUARY),
        lambda: store.read_events(JANUARY, wrong),
        lambda: store.write_event(built),
        lambda: store.write_event(wrong),
        lambda: asyncio.run(AsyncFileDataStore(tmp_path).write_event(built)),
    ):
        with pytest.raises(InvalidRecord):
            call()
    assert len(store.read_events(*ALWAYS)) == 1


def append_raw(root: Path, record: dict[str, Any], month: str = "2026-01") -> None:
    """Append what another version of the store could have written."""
    journal = FileDataStore(root)._events.journal
    journal.append(month, record)


def test_a_field_of_a_newer_version_takes_nothing_along(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    store.write_event(event(JANUARY, n=1))
    append_raw(tmp_path, {**members(event(JANUARY + SECOND, n=2))[1], "venue": "XNAS"})
    store.write_event(event(JANUARY + 2 * SECOND, n=3))

    assert [found.data["n"] for found in store.read_events(*ALWAYS)] == [1, 2, 3]
    line = (tmp_path / "events" / "2026-01.jsonl").read_text().splitlines()[1]
    assert json.loads(line)["venue"] == "XNAS"


def test_control_a_known_field_that_is_something_else_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    store.write_event(event(JANUARY, n=1))
    append_raw(tmp_path, {**members(event(JANUARY + SECOND))[1], "symbol": ["AAPL", "MSFT"]})

    assert numbers(store, 0, 0) == [1]
    with pytest.raises(CorruptData, match="symbol"):
        store.read_events(*ALWAYS)


def test_events_that_0_1_0_wrote_are_read_and_continued(tmp_path: Path) -> None:
    root = tmp_path / "trading"
    shutil.copytree(WRITTEN_BY_0_1_0 / "trading", root)
    store = FileDataStore(root)
    everything = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    assert [found.data["n"] for found in store.read_events(*everything)] == [1, 2, 40]
    store.write_event(event(datetime(2026, 1, 20, tzinfo=UTC), n=3))
    assert [found.data["n"] for found in FileDataStore(root).read_events(*everything)] == [1, 2, 3, 40]
    assert [line["strategy_name"] for line in store.read_decisions("2026-01-05")] == ["value"]
    assert [line["result"]["order_id"] for line in store.read_orders("2026-01-05")] == [123]


def test_an_index_that_cannot_be_written_is_no_failed_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_store.core.atomic import Directory

    monkeypatch.setattr(event_log, "KEEP_FROM", 1)

    def refused(*_arguments: Any) -> None:
        raise OSError(30, "Read-only file system")

    write_month(tmp_path, list(range(40)))
    store = FileDataStore(tmp_path)
    monkeypatch.setattr(Directory, "replace", refused)

    assert numbers(store, 3, 4) == [4, 5]
    with pytest.raises(StoreError):
        store.write_event(event(JANUARY + 40 * 86_400 * SECOND))
