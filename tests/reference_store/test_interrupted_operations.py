"""Ctrl-C, or an alarm, anywhere in what is done to stores from outside their daily work: backups, restores, copies, ...

Each operation is interrupted before instructions of the package that are drawn at random. Afterwards what was kept is
all there, every lock is free, what counts as whole is whole, and the same operation made again comes to its end.
"""

import contextlib
import itertools
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from reference_store import (
    CorruptData,
    DocumentStore,
    FileDataStore,
    JournalStore,
    Migrations,
    RestoreUnfinished,
    RunStore,
    Schema,
    Step,
    SyncJobStore,
)
from reference_store.core import atomic
from reference_store.core.atomic import Directory
from reference_store.core.locking import LOCK_FILE
from reference_store.models import Action, Decision, Event, FundamentalData, Job
from reference_store.operations import exporting, moving, moving_ends
from reference_store.operations.backups import local
from reference_store.operations.backups.copying import copy
from reference_store.operations.backups.creating import create
from reference_store.operations.backups.generations import in_order
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.retention import Retention
from reference_store.operations.backups.tree import under_all_locks
from reference_store.operations.backups.verifying import verify
from reference_store.operations.evidence import restore_evidence
from reference_store.stores import record_log
from tests.reference_store.test_interruptions import PACKAGE, is_free
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars, flip

SIGNALLED = "raised by a signal's handler"
KINDS: list[type[BaseException]] = [KeyboardInterrupt, TimeoutError]
"""What is no Exception, and what the store could take for an error of the disk."""


@dataclass(frozen=True)
class Operation:
    """``call`` is made on what ``prepare`` has left; ``look`` says what is there.

    That is what it was or what it will be, or what ``between`` takes for a state on the way.
    """

    prepare: Callable[[Path], object]
    call: Callable[[Path], object]
    look: Callable[[Path], Any]
    between: Callable[[Any, Any, Any], bool] = field(default=lambda _seen, _before, _after: False)
    again: Callable[[Any, Any], bool] = field(default=lambda seen, after: bool(seen == after))
    """Whether what is there when it was made again is as it should be."""


# -- what is done ---------------------------------------------------------------------------------------------------


def put(root: Path, number: int) -> None:
    with DocumentStore(root / "data") as store:
        store.put("AAPL", {"n": number})
        store.put(f"only-{number}", {"n": number})
    with JournalStore(root / "data" / "logs") as logs:
        logs.append("trades", {"n": number})


def keys_of(store: DocumentStore) -> list[str]:
    return store.keys()


def seen(data: Path) -> object:
    with DocumentStore(data) as store, JournalStore(data / "logs") as logs:
        return [(key, store.get(key)) for key in keys_of(store)], [record["n"] for record in logs.read("trades")]


def vault_in(root: Path, name: str = "vault") -> LocalVault:
    return LocalVault(str(root / name), create=True)


def generations_in(root: Path, name: str = "vault") -> list[object]:
    """What each generation that can be listed gives back; a half one raises."""
    vault = vault_in(root, name)
    found: list[object] = []
    for each in in_order(vault.ids()):
        assert verify(vault, generation=each, seen=lambda scratch: found.append(seen(Path(scratch)))).is_sound
    return found


def backed_up(root: Path, **options: Any) -> object:
    return create(str(root / "data"), vault_in(root), **options)


def once_and_changed(root: Path) -> None:
    put(root, 1)
    backed_up(root)
    put(root, 2)


def twice(root: Path) -> None:
    once_and_changed(root)
    backed_up(root)


def restored(root: Path) -> object:
    try:
        return seen(root / "new") if (root / "new").exists() else "absent"
    except RestoreUnfinished:
        return "told"


def over(root: Path) -> object:
    try:
        return seen(root / "data")
    except RestoreUnfinished:
        return "told"


def first_document(document: dict[str, Any]) -> dict[str, Any]:
    return {"n": document["n"] + 100}


SCHEMA = Schema(migrations=Migrations("1.1", Step("1.0", "1.1", first_document)))


def older_documents(root: Path) -> None:
    with DocumentStore(root) as store:
        for number in range(3):
            store.put(f"K{number}", {"n": number})


def documents(root: Path) -> list[object]:
    with DocumentStore(root) as store:
        return [store.get(key) for key in keys_of(store)]


def migrate(root: Path) -> None:
    with DocumentStore(root, schema=SCHEMA) as store:
        assert not store.migrate().failed


def damaged_log(root: Path) -> None:
    with JournalStore(root) as store:
        for number in range(40):
            store.append("LOG", {"n": number})
    flip(root / "LOG.jsonl", 300)


def log_of(root: Path) -> object:
    with JournalStore(root) as store:
        try:
            return [record["n"] for record in store.read("LOG")]
        except CorruptData:
            return "damaged"


def salvage(root: Path) -> None:
    with JournalStore(root) as store:
        store.salvage("LOG")


def days(root: Path) -> None:
    with JournalStore(root) as store:
        for day in range(1, 5):
            store.append(f"2026-01-0{day}", {"n": day})


def prune_days(root: Path) -> None:
    with JournalStore(root) as store:
        store.prune("2026-01-04")


def streams(root: Path) -> dict[str, object]:
    with JournalStore(root) as store:
        return {stream: store.read(stream) for stream in store.streams()}


def trading(root: Path) -> None:
    with FileDataStore(root, clock=lambda: JANUARY) as store:
        store.write_bars("AAPL", bars(JANUARY, 40))
        store.write_bars_of_many({"AAPL": [bar(JANUARY + 60 * DAY)]})
        for day in range(4):
            at = JANUARY + day * DAY
            store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=at, employees=day))
            store.write_event(Event(type="split", timestamp=JANUARY + 20 * day * DAY, symbol="AAPL"))
        store.log_decision("a", Decision(symbol="AAPL", action=Action.BUY, target_weight=0.5, confidence=0.5))


def traded(root: Path) -> dict[str, object]:
    with FileDataStore(root, clock=lambda: JANUARY) as store:
        found: dict[str, object] = {
            "bars": [one.date for one in store.read_bars("AAPL", *ALWAYS)],
            "events": [event.timestamp for event in store.read_events(*ALWAYS)],
            "company": [store.read_fundamental("AAPL", as_of=JANUARY + day * DAY) for day in range(4)],
            "audit": [store.read_decisions(day) for day in store.days()],
        }
        return found


def on_trading(change: Callable[[FileDataStore], object]) -> Callable[[Path], None]:
    def call(root: Path) -> None:
        with FileDataStore(root, clock=lambda: JANUARY) as store:
            change(store)

    return call


def fewer_events(here: Any, before: Any, after: Any) -> bool:
    """Whole months go one after the other."""
    rest = {name: found for name, found in here.items() if name != "events"}
    return rest == {name: found for name, found in before.items() if name != "events"} and set(after["events"]) <= set(
        here["events"]
    ) <= set(before["events"])


def jobs(root: Path) -> None:
    with SyncJobStore(root) as store:
        for number in range(8):
            store.save(Job(job_id=f"j{number}", job_type="t", result={"n": 0}))


def saved_until_the_log_is_full(root: Path) -> None:
    with SyncJobStore(root) as store:
        for number in range(8, 30):
            store.save(Job(job_id=f"j{number}", job_type="t", result={"n": 1}))


def job_ids(root: Path) -> list[str]:
    with SyncJobStore(root) as store:
        return [job.job_id for job in store.list(limit=1000)]


def beginning(here: Any, before: Any, after: Any) -> bool:
    """What was acknowledged before, and as many as came to their end."""
    return len(before) <= len(here) and here == after[: len(here)]


def runs(root: Path) -> None:
    with RunStore(root) as store:
        for number in range(6):
            store.create_or_update_run(f"r{number}", "backtest")


def finished(root: Path) -> None:
    with RunStore(root) as store:
        for number in range(6):
            store.create_or_update_run(f"r{number}", status="completed")


def states_of_runs(root: Path) -> list[tuple[str, str]]:
    with RunStore(root) as store:
        return sorted((run.run_id, run.status) for run in store.list_runs())


def each_old_or_new(here: Any, before: Any, after: Any) -> bool:
    return len(here) == len(before) and all(
        one in (old, new) for one, old, new in zip(here, before, after, strict=True)
    )


def export(root: Path) -> None:
    with FileDataStore(root / "trading"):
        table = exporting.bars_table(str(root / "trading"), "AAPL")
        exporting.put(exporting.written(table, "csv"), str(root / "bars.csv"))


def before_an_export(root: Path) -> None:
    trading(root / "trading")
    (root / "bars.csv").write_text("the one before")


def copied(root: Path) -> None:
    for kind in ("documents", "journal"):
        there = root / "there" / kind
        there.mkdir(parents=True, exist_ok=True)
        place = str(root / "data" / "logs" if kind == "journal" else root / "data")
        source = moving_ends.part_of(place, kind, there=True)
        target = moving_ends.part_of(str(there), kind, there=False)
        assert not moving.copy(kind, source, target, lambda _done, _of: None).different


def there(root: Path) -> tuple[set[str], list[object]]:
    with DocumentStore(root / "there" / "documents") as store, JournalStore(root / "there" / "journal") as logs:
        return {f"{key} {store.get(key)}" for key in keys_of(store)}, [record["n"] for record in logs.read("trades")]


def with_evidence(root: Path) -> None:
    with DocumentStore(root) as store:
        store.put("K", {"n": 1})
        name = next(path.name for path in root.iterdir() if path.suffix == ".json")
        kept = (root / name).read_bytes()
        store.put("K", {"n": 2})
    (root / f".damaged-0123456789ab-{name}").write_bytes(kept)


def put_back(root: Path) -> None:
    restore_evidence(str(next(path for path in root.iterdir() if path.name.startswith(".damaged-0123456789ab"))))


OPERATIONS = {
    "backup": Operation(once_and_changed, backed_up, generations_in, again=lambda here, after: here[:2] == after),
    "backup-with-retention": Operation(
        once_and_changed,
        lambda root: backed_up(root, retention=Retention(generations=1)),
        generations_in,
        lambda here, before, after: here == before + after,
    ),
    "copy-of-a-vault": Operation(
        twice,
        lambda root: copy(vault_in(root), vault_in(root, "copy")),
        lambda root: (generations_in(root), generations_in(root, "copy")),
        lambda here, before, after: here[0] == before[0] and here[1] == after[1][: len(here[1])],
    ),
    "restore": Operation(
        twice,
        lambda root: restore(vault_in(root), str(root / "new"), over=True),
        restored,
        lambda here, _before, _after: here == "told" or here == ([], []),
    ),
    "restore-over": Operation(
        once_and_changed,
        lambda root: restore(vault_in(root), str(root / "data"), over=True),
        over,
        lambda here, _before, _after: here == "told",
    ),
    "migrate": Operation(older_documents, migrate, documents, each_old_or_new),
    "salvage": Operation(damaged_log, salvage, log_of),
    "prune": Operation(
        days,
        prune_days,
        streams,
        lambda here, before, after: {**here, **after} == here and {**before, **here} == before,
    ),
    "fold": Operation(trading, on_trading(lambda store: store.fold_bars()), traded),
    "delete-bars": Operation(
        trading, on_trading(lambda store: store.delete_bars("AAPL", JANUARY, JANUARY + DAY)), traded
    ),
    "prune-events": Operation(
        trading, on_trading(lambda store: store.prune_events("2026-03-01")), traded, fewer_events
    ),
    "prune-audit": Operation(trading, on_trading(lambda store: store.prune_audit("2999-01-01")), traded),
    "prune-fundamentals": Operation(
        trading, on_trading(lambda store: store.prune_fundamentals("AAPL", JANUARY + 2 * DAY)), traded
    ),
    "full-logs-of-jobs": Operation(jobs, saved_until_the_log_is_full, job_ids, beginning),
    "full-logs-of-runs": Operation(runs, finished, states_of_runs, each_old_or_new),
    "export": Operation(before_an_export, export, lambda root: (root / "bars.csv").read_bytes()),
    "copy": Operation(
        twice,
        copied,
        there,
        lambda here, _before, after: here[0] <= after[0] and here[1] == after[1][: len(here[1])],
    ),
    "evidence-put-back": Operation(with_evidence, put_back, documents),
}


# -- and interrupted ------------------------------------------------------------------------------------------------


def is_of_the_package(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(PACKAGE)


@contextlib.contextmanager
def interrupted(
    step: int, by: type[BaseException], counts: Callable[[FrameType], bool] = is_of_the_package
) -> Iterator[list[int]]:
    """Let a signal's handler raise before so many instructions in this thread; 0 counts them only.

    ``counts`` says of a frame whether its instructions count.
    """
    count = [0]

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise by(SIGNALLED)

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if not counts(frame):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count[0] += 1
            if count[0] == step:
                signal.raise_signal(signal.SIGALRM)
        return trace

    before = signal.signal(signal.SIGALRM, handler)
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(None)
        signal.signal(signal.SIGALRM, before)


def locks_below(root: Path) -> list[Path]:
    return [path.parent for path in root.rglob(LOCK_FILE)]


def tried(operation: Operation, root: Path, chance: random.Random, times: int) -> Iterator[str]:
    """Make the operation, interrupted at so many instructions, and yield what is wrong afterwards."""
    places = (root / str(number) for number in range(1 << 30))
    done = next(places)
    operation.prepare(done)
    before = operation.look(done)
    with interrupted(0, KeyboardInterrupt) as count:
        operation.call(done)
    after = operation.look(done)
    for _ in range(times):
        here, step, by = next(places), chance.randrange(1, count[0] + 1), chance.choice(KINDS)
        where = f"interrupted by {by.__name__} before instruction {step} of {count[0]}"
        operation.prepare(here)
        kept: BaseException | None = None
        try:
            with interrupted(step, by):
                operation.call(here)
        except by as error:
            kept = error  # with its traceback, as an interactive Python does: nothing in it stands for who holds a lock
            if str(error) != SIGNALLED:
                yield f"{where}: {error!r} came out"
        for place in locks_below(here):
            if not is_free(place):
                yield f"{where}: {place.relative_to(here)} is locked"
        found = operation.look(here)
        if found != after and (kept is None or (found != before and not operation.between(found, before, after))):
            yield f"{where}: {'said to be done, and ' if kept is None else ''}there is {found}"
        operation.call(here)
        if not operation.again(found := operation.look(here), after):
            yield f"{where}: made again, there is {found}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(atomic, "sync", lambda _descriptor: None)  # hundreds of writes, and no power loss
    monkeypatch.setattr(record_log, "SMALLEST", 1)
    return tmp_path


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_is_interrupted_has_happened_or_not_and_can_be_made_again(root: Path, name: str) -> None:
    assert list(tried(OPERATIONS[name], root, random.Random(name), 2)) == []


@pytest.mark.proof
@pytest.mark.parametrize("name", OPERATIONS)
def test_that_holds_at_many_instructions(root: Path, name: str) -> None:
    assert list(tried(OPERATIONS[name], root, random.Random(f"many of {name}"), 12)) == []


def test_the_locks_are_free_also_while_somebody_keeps_the_traceback(root: Path) -> None:
    """As an interactive Python does with the last one: what stands in it must not stand for who holds a lock."""
    once_and_changed(root)
    taken = [0]

    def working(_done: int, _of: int) -> None:
        taken[0] += 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as kept:
        restore(vault_in(root), str(root / "data"), over=True, progress=working)

    assert taken == [1]
    assert all(is_free(place) for place in locks_below(root))
    assert kept.value.__traceback__ is not None


def hold(vault: LocalVault) -> None:
    with vault.held():
        pass


def is_of_the_holding(frame: FrameType | None) -> bool:
    """Whether it is of ``hold``, or below it of the vault, or of what may stand between the two."""
    if frame is None or frame.f_code.co_filename not in (__file__, local.__file__, contextlib.__file__):
        return False
    while frame is not None and frame.f_code is not hold.__code__:
        frame = frame.f_back
    return frame is not None


def test_the_lock_of_a_vault_is_free_whichever_of_its_instructions_was_interrupted(root: Path) -> None:
    vault, kept = vault_in(root), list[KeyboardInterrupt]()
    for step in itertools.count(1):
        try:
            with interrupted(step, KeyboardInterrupt, is_of_the_holding):
                hold(vault)
            break
        except KeyboardInterrupt as error:
            kept.append(error)
        assert is_free(root / "vault"), step
    assert len(kept) > 20


def test_taking_all_locks_is_given_up_at_any_instruction(root: Path) -> None:
    once_and_changed(root)
    directory = Directory.open(str(root / "data"))
    kept: list[KeyboardInterrupt] = []
    for step in itertools.count(1, 37):
        try:
            with interrupted(step, KeyboardInterrupt):
                under_all_locks(directory, 5, lambda: None)
            break
        except KeyboardInterrupt as error:
            kept.append(error)
        assert all(is_free(place) for place in locks_below(root)), step
    assert len(kept) > 10
