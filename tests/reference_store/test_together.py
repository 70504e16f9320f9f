"""Updates of one file that meet share a write: each is acknowledged, and a crash of it is told from damage."""

import asyncio
import errno
import gc
import itertools
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncDocumentStore,
    AsyncFileDataStore,
    AsyncJournalStore,
    AsyncSingleDocumentStore,
    CorruptData,
    DocumentStore,
    FileDataStore,
    InvalidRecord,
    JournalStore,
    RunStore,
    SingleDocumentStore,
)
from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.by_key import ByKey
from reference_store.core.group_commit import GroupCommit
from reference_store.core.locking import RootLock
from reference_store.models import Action, Decision, FundamentalData
from reference_store.stores.journal_lines import LogFile, Walk
from tests.reference_store.faults import is_directory, syncs
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar

WRITERS = 16
PAGE = 4096


@contextmanager
def nobody_writes(root: Path) -> Iterator[None]:
    """Hold the lock of the root, so that writers gather behind it."""
    directory = Directory.open(str(root))
    lock = RootLock(directory.descriptor)
    lock.acquire(directory.descriptor, str(root), 10)
    try:
        yield
    finally:
        lock.release()


def gathered(root: Path, commits: GroupCommit[Any], calls: list[Callable[[], Any]]) -> list[Any]:
    """Make all ``calls``, in this order, while the first one waits for the lock; return what they returned."""
    results: list[Any] = [None] * len(calls)

    def call(number: int) -> None:
        results[number] = calls[number]()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(calls))]
    with nobody_writes(root):
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(commits._waiting) < number:
                pass
    for thread in threads:
        thread.join()
    return results


def test_puts_of_one_key_share_a_write_and_the_last_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": -1})
    seen = syncs(monkeypatch)

    gathered(tmp_path, store._files._commits["K"], [lambda n=n: store.put("K", {"n": n}) for n in range(WRITERS)])

    assert seen == ["file", "directory"]
    assert store.get("K") == {"n": WRITERS - 1}
    assert b'"n": -1' in (tmp_path / "K.json.bak").read_bytes()


def test_saves_of_a_single_document_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SingleDocumentStore(tmp_path)
    store.save({"n": -1})
    seen = syncs(monkeypatch)

    gathered(tmp_path, store._files._commits["data"], [lambda n=n: store.save({"n": n}) for n in range(WRITERS)])

    assert seen == ["file", "directory"]
    assert store.load() == {"n": WRITERS - 1}


def test_control_puts_that_do_not_meet_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DocumentStore(tmp_path)
    store.put("0", {})
    seen = syncs(monkeypatch)

    for key in "ABC":
        store.put(key, {})

    assert seen == ["file", "directory"] * 3


def test_removals_and_puts_that_meet_keep_their_order(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 0})

    def put(number: int) -> Callable[[], None]:
        return lambda: store.put("K", {"n": number})

    def remove() -> bool:
        return store.delete("K")

    calls = [put(1), put(2), remove, remove, put(3), remove, put(4), put(5)]
    results = gathered(tmp_path, store._files._commits["K"], calls)

    assert results == [None, None, True, False, None, True, None, None]
    assert store.get("K") == {"n": 5}
    assert not (tmp_path / "K.json.bak").exists()  # what was deleted is not kept


def test_appends_to_one_stream_share_a_sync_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JournalStore(tmp_path)
    store.append("S", {"n": -1})
    store.append("S", {"n": -1})
    seen = syncs(monkeypatch)

    gathered(tmp_path, store._commits["S"], [lambda n=n: store.append("S", {"n": n}) for n in range(WRITERS)])

    assert seen == ["file"]
    assert JournalStore(tmp_path).read("S") == [{"n": n} for n in (-1, -1, *range(WRITERS))]


def test_a_refused_value_concerns_nobody_else(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    refused: list[Exception] = []

    def bad() -> None:
        with pytest.raises(ValueError, match="not finite"):
            store.put("K", {"n": float("nan")})
        refused.append(ValueError())

    commits = store._files._commits["K"]
    with nobody_writes(tmp_path):
        good = threading.Thread(target=store.put, args=("K", {"n": 1}))
        good.start()
        while not commits._waiting:
            pass
        bad()  # does not even wait
    good.join()

    assert refused
    assert store.get("K") == {"n": 1}


def test_updates_of_tasks_share_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        documents, single = AsyncDocumentStore(tmp_path / "documents"), AsyncSingleDocumentStore(tmp_path / "single")
        journal, trading = AsyncJournalStore(tmp_path / "journal"), AsyncFileDataStore(tmp_path / "trading")
        decision = Decision(symbol="AAPL", action=Action.BUY, target_weight=0.05, confidence=0.8, reasoning="cheap")
        ways: list[Callable[[int], Any]] = [
            lambda n: documents.put("K", {"n": n}),
            lambda n: single.save({"n": n}),
            lambda n: journal.append("S", {"n": n}),
            lambda n: trading.save_strategy_state("momentum", {"n": n}),
            lambda n: trading.log_decision("momentum", decision),
        ]
        for way in ways:
            await way(-1)
            seen = syncs(monkeypatch)
            await asyncio.gather(*map(way, range(WRITERS)))
            monkeypatch.undo()
            # At most the first one alone, then all that came meanwhile; a log is synced once more when it is new.
            assert seen.count("file") <= 3, seen

        assert await documents.get("K") == await single.load() == {"n": WRITERS - 1}
        assert await trading.load_strategy_state("momentum") == {"n": WRITERS - 1}
        assert await journal.read("S") == [{"n": n} for n in range(-1, WRITERS)]
        assert trading._store._decisions.streams()

    asyncio.run(program())


def test_tasks_that_put_and_remove_keep_their_order(tmp_path: Path) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        calls = [store.put("K", {"n": 1}), store.delete("K"), store.delete("K"), store.put("K", {"n": 2})]
        assert await asyncio.gather(*calls) == [None, True, False, None]
        assert await store.get("K") == {"n": 2}

    asyncio.run(program())


def test_what_is_done_to_a_document_after_the_call_does_not_count(tmp_path: Path) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        first, document = asyncio.ensure_future(store.put("K", {})), {"n": 1}
        second = asyncio.ensure_future(store.put("K", document))
        await asyncio.sleep(0)
        document["n"] = 2
        await asyncio.gather(first, second)
        assert await store.get("K") == {"n": 1}

    asyncio.run(program())


def lines(records: list[dict[str, Any]], first: int) -> bytes:
    return integrity.seal_records([integrity.encode(record) for record in records], "S", first)


def scan(image: bytes) -> list[Any]:
    """Return the records of a log that holds these bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(image)
        file.flush()
        return [entry.record for entry in Walk(LogFile(file.fileno(), len(image)), "S", "S.jsonl")]


def torn(before: bytes, after: bytes) -> Iterator[bytes]:
    """What a power loss can leave of a file that grew from ``before`` to ``after`` in one write."""
    sizes = {*range(-(-len(before) // PAGE) * PAGE, len(after), PAGE), len(after)}
    for size in sorted(sizes):
        pages = range(len(before) // PAGE, -(-size // PAGE))
        for lost in itertools.product((False, True), repeat=len(pages)):
            image = bytearray(after[:size])
            for page, is_lost in zip(pages, lost, strict=True):
                start, end = page * PAGE, min((page + 1) * PAGE, size)
                if is_lost:
                    image[start:end] = before[start:end].ljust(end - start, b"\x00")
            yield bytes(image)


@pytest.mark.parametrize("sizes", [[10] * 60, [3000] * 4, [9000, 10, 5000], [10, 20_000, 10]], ids=str)
def test_whatever_a_crash_leaves_of_appends_that_met_is_not_damage_and_shows_the_first_of_them(
    sizes: list[int],
) -> None:
    sound = [{"n": 0}, {"n": 1, "text": "x" * 5000}]
    before = lines(sound[:1], 1) + lines(sound[1:], 2)
    together = [{"n": number, "text": "y" * size} for number, size in enumerate(sizes, 2)]
    shown = {len(found) for found in every(before, before + lines(together, 3), [*sound, *together])}

    assert min(shown) == 2
    assert max(shown) == 2 + len(together)


def every(before: bytes, after: bytes, records: list[dict[str, Any]]) -> Iterator[Any]:
    for image in torn(before, after):
        found = scan(image)
        assert found == records[: len(found)]
        assert len(found) >= 2
        yield found


def test_control_the_same_loss_among_records_that_were_written_one_by_one_is_damage() -> None:
    records = [{"n": number, "text": "y" * 3000} for number in range(8)]
    whole = b"".join(lines([record], number) for number, record in enumerate(records, 1))
    holed = whole[: 2 * PAGE] + bytes(PAGE) + whole[3 * PAGE :]

    with pytest.raises(CorruptData):
        scan(holed)


def test_control_a_loss_before_the_last_records_that_were_written_together_is_damage() -> None:
    alone = b"".join(lines([{"n": number, "text": "y" * 3000}], number) for number in range(1, 6))
    whole = alone + lines([{"n": 6}, {"n": 7}], 6)
    holed = whole[: 2 * PAGE] + bytes(PAGE) + whole[3 * PAGE :]

    with pytest.raises(CorruptData):
        scan(holed)


@pytest.mark.parametrize("gone", [1, 2])
def test_control_a_record_taken_out_of_those_written_together_is_damage(gone: int) -> None:
    found = lines([{"n": number} for number in range(1, 6)], 1).splitlines(keepends=True)
    del found[gone]

    with pytest.raises(CorruptData):
        scan(b"".join(found))


def test_control_no_flipped_bit_in_records_written_together_changes_what_is_read() -> None:
    records = [{"n": number} for number in range(3)]
    raw = lines(records, 1)
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        try:
            found = scan(bytes(flipped))
        except CorruptData:
            continue
        assert found == records[: len(found)]
        assert place // 8 >= raw.rindex(b"\n", 0, -1) or found == records


def test_what_writes_for_a_key_is_forgotten_with_its_last_user() -> None:
    made: ByKey[GroupCommit[Any]] = ByKey(lambda key: GroupCommit(lambda first, take: None, 1, key))
    first = made["A"]

    assert made["A"] is first
    assert made["B"] is not first
    gone = weakref.ref(first)
    del first
    assert gone() is None
    for number in range(1000):
        assert made[f"K{number}"] is not None
    assert len(made._made) < 100  # nor does it keep the names of all that there were


def test_a_child_forked_during_a_write_does_not_wait_for_it(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path, lock_timeout=20)
    commits = store._files._commits["K"]
    with nobody_writes(tmp_path):
        writer = threading.Thread(target=store.put, args=("K", {"n": 1}))
        writer.start()
        while not commits._waiting:
            pass
        child = os.fork()
        if child == 0:
            try:
                inherited = store._files._commits["K"]
                os._exit(1 if inherited._waiting or inherited.writer._post.locked() else 0)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.join()

    assert store.get("K") == {"n": 1}


def test_bars_and_company_data_of_one_symbol_share_a_write_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", [bar(JANUARY)])
    store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=JANUARY))
    seen = syncs(monkeypatch)

    gathered(
        tmp_path / "prices",
        store._bars._commits["AAPL"],
        [lambda n=n: store.write_bars("AAPL", [bar(JANUARY + n * DAY, float(n))]) for n in range(WRITERS)],
    )
    gathered(
        tmp_path / "fundamentals",
        store._fundamentals._additions["AAPL"],
        [
            lambda n=n: store.write_fundamental(
                "AAPL", FundamentalData(symbol="AAPL", timestamp=JANUARY + n * DAY, employees=n)
            )
            for n in range(WRITERS)
        ],
    )

    assert seen.count("file") == 3  # a month, its manifest, and all versions of the company's data
    assert [found.close for found in store.read_bars("AAPL", *ALWAYS)] == [float(n) for n in range(WRITERS)]
    for n in range(WRITERS):
        found = store.read_fundamental("AAPL", JANUARY + n * DAY)
        assert found is not None
        assert found.employees == n


def test_bars_for_a_damaged_month_do_not_keep_others_from_being_written(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    february = JANUARY + 31 * DAY
    store.write_bars("AAPL", [bar(JANUARY), bar(february)])
    (tmp_path / "prices" / "AAPL" / "2026-01.parquet").write_bytes(b"")

    def write(day: datetime) -> Callable[[], str]:
        def attempt() -> str:
            try:
                store.write_bars("AAPL", [bar(day + DAY)])
            except CorruptData:
                return "refused"
            return "written"

        return attempt

    days = [february, february, JANUARY, february]
    results = gathered(tmp_path / "prices", store._bars._commits["AAPL"], [write(day) for day in days])

    assert results == ["written", "written", "refused", "written"]
    assert len(store.read_bars("AAPL", february, ALWAYS[1])) == 2


@pytest.mark.parametrize("first", ["naive", "aware"])
def test_times_with_and_without_zones_that_meet_do_not_mix(tmp_path: Path, first: str) -> None:
    store = FileDataStore(tmp_path)
    kinds = {"naive": JANUARY, "aware": JANUARY.replace(tzinfo=UTC)}

    def write(kind: str) -> str:
        try:
            store.write_bars("AAPL", [bar(kinds[kind])])
        except InvalidRecord:
            return "refused"
        return kind

    other = next(kind for kind in kinds if kind != first)
    calls = [partial(write, first), partial(write, other), partial(write, first)]
    results = gathered(tmp_path / "prices", store._bars._commits["AAPL"], calls)

    assert results == [first, "refused", first]


@pytest.mark.parametrize(
    "use",
    [
        lambda root: DocumentStore(root).put("K", {}),
        lambda root: JournalStore(root).append("S", {}),
        lambda root: RunStore(root).create_or_update_run(kind="backtest"),
        lambda root: FileDataStore(root).write_bars("AAPL", [bar(JANUARY)]),
        lambda root: asyncio.run(AsyncDocumentStore(root).put("K", {})),
    ],
    ids=["documents", "journal", "runs", "trading", "tasks"],
)
def test_a_store_that_nobody_has_any_more_holds_no_descriptor(tmp_path: Path, use: Callable[[Path], Any]) -> None:
    def held() -> list[str]:
        found = []
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return [path for path in found if path.startswith(str(tmp_path))]

    gc.disable()
    try:
        use(tmp_path)
        assert held() == []
    finally:
        gc.enable()
    store = DocumentStore(tmp_path)
    assert held() == [str(tmp_path)]  # control
    store.close()


def puts_that_meet(root: Path, keys: str) -> list[BaseException | None]:
    """Put a document under each key, all in one write; return what each of the puts raised."""
    store = DocumentStore(root)
    store.put("first", {})

    def put(key: str) -> BaseException | None:
        try:
            store.put(key, {"key": key})
        except BaseException as error:
            return error
        return None

    return gathered(root, store._files.group, [partial(put, key) for key in keys])


def test_puts_of_different_keys_that_meet_wait_for_the_disk_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_wait, real = threading.Barrier(5), os.fsync

    def sync(descriptor: int) -> None:
        if not is_directory(descriptor) and b'"key"' in Path(f"/proc/self/fd/{descriptor}").read_bytes():
            all_wait.wait(100)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)

    assert puts_that_meet(tmp_path, "ABCDE") == [None] * 5
    assert DocumentStore(tmp_path).keys() == [*"ABCDE", "first"]


def test_control_where_there_are_no_more_threads_they_are_synced_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, start = syncs(monkeypatch), threading.Thread.start

    def refused(self: threading.Thread) -> None:
        if self.name == "reference_store wait":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refused)

    assert puts_that_meet(tmp_path, "ABCDE") == [None] * 5
    assert seen[-6:] == ["file"] * 5 + ["directory"]


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "I/O error"), MemoryError()], ids=["the-disk-s", "another"])
def test_a_sync_that_fails_beside_others_acknowledges_nothing_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    real = os.fsync

    def failing(descriptor: int) -> None:
        if not is_directory(descriptor) and b'"key": "C"' in Path(f"/proc/self/fd/{descriptor}").read_bytes():
            raise failure
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)

    raised = dict(zip("ABCDE", puts_that_meet(tmp_path, "ABCDE"), strict=True))

    assert {key for key, error in raised.items() if error is not None} == {"C"}
    assert DocumentStore(tmp_path).keys() == [*"ABDE", "first"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".tmp-")]
