"""Processes that write to one store until they are killed, and disturb themselves meanwhile.

Exceptions raised by signals come at random bytecodes of the main thread, all tasks of a loop are cancelled, loops end
and begin, processes fork while their threads are in the middle of something, and files may not grow beyond a limit.
What a call was told goes into the ledger; an error that no store may raise goes to ``report``.
"""

import asyncio
import faulthandler
import inspect
import logging
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reference_store import LockTimeout, StorageFailure, StoreError
from tests.stress.judge import is_expected, problems
from tests.stress.ledger import Ledgers, Writer
from tests.stress.parts import Part, Stressed

PATIENCE = 30.0
"""Seconds that a writer waits for a lock; that nobody gets it for so long is a finding, not load."""
FORKS = 6
"""Forked children of one process, each of which is a writer of its own."""


class Alarm(Exception):
    """Raised by a signal, as a test's time limit would be."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a round takes place: the root of the store, the ledgers and the file for what is found."""

    root: Path
    ledgers: Path
    findings: Path

    def report(self, sentence: str) -> None:
        """Note a finding; several processes may do so."""
        descriptor = os.open(self.findings, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, (sentence.rstrip() + "\n\0").encode())
        os.close(descriptor)


class Listening(logging.Handler):
    """Reports what the stores warn of in this process, and those that it forks, unless that is to be expected."""

    def __init__(self, place: Place) -> None:
        super().__init__(logging.WARNING)
        self._place = place

    def createLock(self) -> None:
        """Have none: an exception that a signal raises could leave it taken."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Do without the lock, which Python takes here from 3.13 on also where there is none."""
        if found := self.filter(record):
            self.emit(record)
        return bool(found)

    def emit(self, record: logging.LogRecord) -> None:
        """Report it."""
        if not is_expected(warning := record.getMessage()):
            self._place.report(f"a store warns: {warning}")

    def __enter__(self) -> None:
        logging.getLogger("reference_store").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("reference_store").removeHandler(self)


def parts_of(stressed: Stressed, store: Any) -> dict[str, Part]:
    """The parts that this version of the store has."""
    return {name: part for name, part in stressed.parts.items() if not part.needs or hasattr(store, part.needs)}


def outcome_of(place: Place, part: str, error: BaseException) -> str:
    """What a call that raised ``error`` has done; reports what is no error of a store."""
    if isinstance(error, StorageFailure):
        return "unknown" if error.may_have_happened else "refused"
    if isinstance(error, LockTimeout):
        place.report(f"{part}: a writer waited {PATIENCE:g} s for the lock")
        return "refused"
    text = "".join(traceback.format_exception(error))
    place.report(
        f"{part}: {'a store error that nothing explains' if isinstance(error, StoreError) else 'a bare error'}\n{text}"
    )
    return "unknown"


def write_in_threads(stressed: Stressed, place: Place, first: int, chance: random.Random, threads: int) -> None:
    """Write for ever in several threads; the main one is interrupted by signals and forks."""
    assert stressed.threads is not None
    store = stressed.threads(place.root, PATIENCE)
    for number in range(1, threads):
        own = random.Random(chance.random())
        threading.Thread(target=_write, args=(stressed, store, place, first + number, own), daemon=True).start()
    interrupted = _Interrupted(chance)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forked ones
    forks = 0
    ledger = Writer(place.ledgers, first)
    while True:
        with suppress(Alarm, KeyboardInterrupt), interrupted:  # the first one for what comes on the way out
            while True:
                _change(stressed, store, place, ledger, chance)
        if chance.random() < 0.05 and forks < FORKS:
            forks += 1
            if os.fork() == 0:
                _ended(partial(_few, stressed, store, place, first + threads + forks, chance))


def _ended(action: Callable[[], None]) -> None:
    try:
        action()
    finally:
        os._exit(0)


def write_few(stressed: Stressed, store: Any, place: Place, writer: int) -> None:
    """Change each part of the store once, after everybody else."""
    ledger = Writer(place.ledgers, writer)
    with asyncio.Runner() as runner:

        async def waited(found: Any) -> Any:
            return await found

        for name, part in parts_of(stressed, store).items():
            number = ledger.begin(name)
            try:
                found = part.change(store, writer, number)
                if inspect.isawaitable(found):
                    runner.run(waited(found))
                ledger.end(number, "acknowledged")
            except Exception as error:
                ledger.end(number, "unknown")
                place.report(f"{name}: cannot be written to at the end\n{''.join(traceback.format_exception(error))}")


def prepare(stressed: Stressed, place: Place) -> None:
    """Put there what the parts need."""
    open_store = stressed.tasks or stressed.threads
    assert open_store is not None
    with asyncio.Runner() as runner:

        async def waited(found: Any) -> Any:
            return await found

        store = open_store(place.root, PATIENCE)
        stressed.prepare(store, lambda found: runner.run(waited(found)) if inspect.isawaitable(found) else found)


def _few(stressed: Stressed, store: Any, place: Place, writer: int, chance: random.Random) -> None:
    ledger = Writer(place.ledgers, writer)
    for _ in range(10):
        _change(stressed, store, place, ledger, chance)


def _write(stressed: Stressed, store: Any, place: Place, writer: int, chance: random.Random) -> None:
    ledger = Writer(place.ledgers, writer)
    while True:
        _change(stressed, store, place, ledger, chance)


def _change(stressed: Stressed, store: Any, place: Place, ledger: Writer, chance: random.Random) -> None:
    name, part = chance.choice(list(parts_of(stressed, store).items()))
    number = ledger.begin(name)
    outcome = "unknown"
    try:
        part.change(store, ledger.writer, number)
        outcome = "acknowledged"
    except (Alarm, KeyboardInterrupt):
        raise
    except Exception as error:
        outcome = outcome_of(place, name, error)
    finally:
        ledger.end(number, outcome)


class _Interrupted:
    """A block that a signal ends at some bytecode, with an ordinary exception or as Ctrl-C does.

    It is raised twice at most: a third one on the way out, on a machine that is slow, would meet nobody who catches it.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._armed = chance, False
        self._kind: type[BaseException] = Alarm
        self._left = 0
        signal.signal(signal.SIGALRM, self._raise)
        sys.unraisablehook = lambda _: None  # raised in a finaliser, where nobody can catch it

    def _raise(self, *_: Any) -> None:
        if self._armed and self._left:
            self._left -= 1
            raise self._kind
        if not self._armed:
            signal.setitimer(signal.ITIMER_REAL, 0.001)  # too early: again

    def __enter__(self) -> None:
        self._kind = self._chance.choice([Alarm, KeyboardInterrupt])
        self._left = 2
        signal.setitimer(
            signal.ITIMER_REAL, self._chance.choice([0.0005, 0.005, 0.05, 0.3]) * self._chance.random(), 0.2
        )
        self._armed = True

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> bool:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        return kind in (Alarm, KeyboardInterrupt)


def write_cramped(stressed: Stressed, place: Place, first: int, chance: random.Random) -> None:
    """Write for ever in one thread or task; now and then no file may grow beyond a limit, as on a full disk."""
    open_store = stressed.threads or stressed.tasks
    assert open_store is not None
    store = open_store(place.root, PATIENCE)
    ledger = Writer(place.ledgers, first)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(change: Callable[[], Any]) -> Any:
        if chance.random() < 0.4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (chance.choice([0, 100, 3_000, 30_000]), hard))
        try:
            return change()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    with asyncio.Runner() as runner:

        async def waited(found: Any) -> Any:
            return await found

        def answer(found: Any) -> Any:
            return runner.run(waited(found)) if inspect.isawaitable(found) else found

        while True:
            name, part = chance.choice(list(parts_of(stressed, store).items()))
            number = ledger.begin(name)
            try:
                limited(lambda: answer(part.change(store, ledger.writer, number)))  # noqa: B023 - called at once
                outcome = "acknowledged"
            except Exception as error:
                outcome = outcome_of(place, name, error)
            ledger.end(number, outcome)


def write_in_tasks(stressed: Stressed, place: Place, first: int, chance: random.Random, tasks: int) -> None:
    """Write for ever in tasks, all of which are cancelled now and then; loops end, and the store stays."""
    assert stressed.tasks is not None
    store = stressed.tasks(place.root, PATIENCE)
    forks = 0
    ledgers = [Writer(place.ledgers, first + number) for number in range(tasks)]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asyncio.run(_session(stressed, store, place, ledgers, chance))
        if chance.random() < 0.5 and forks < FORKS:
            forks += 1
            if os.fork() == 0:
                ledger = Writer(place.ledgers, first + tasks + forks)
                _ended(lambda: asyncio.run(_task(stressed, store, place, ledger, chance, 10)))  # noqa: B023 - at once


async def _session(stressed: Stressed, store: Any, place: Place, ledgers: list[Writer], chance: random.Random) -> None:
    me = asyncio.current_task()
    end = time.monotonic() + chance.uniform(0.1, 1.5)
    while time.monotonic() < end:
        mine = [asyncio.create_task(_task(stressed, store, place, ledger, chance)) for ledger in ledgers]
        await asyncio.sleep(chance.choice([0.003, 0.03, 0.3]) * chance.random())
        for task in asyncio.all_tasks():  # also those that are not ours, as a handler of SIGTERM does
            if task is not me:
                task.cancel()
        await asyncio.wait(mine)


async def _task(
    stressed: Stressed, store: Any, place: Place, ledger: Writer, chance: random.Random, changes: int = 1 << 60
) -> None:
    for _ in range(changes):
        name, part = chance.choice(list(parts_of(stressed, store).items()))
        number = ledger.begin(name)
        outcome = "unknown"
        try:
            await part.change(store, ledger.writer, number)
            outcome = "acknowledged"
        except Exception as error:
            outcome = outcome_of(place, name, error)
        finally:
            ledger.end(number, outcome)


def read(stressed: Stressed, place: Place, chance: random.Random, threads: int) -> None:
    """Look at everything for ever, in several threads that share one store, and report what must not be seen."""
    store = (stressed.threads or stressed.tasks)(place.root, PATIENCE)  # type: ignore[misc]
    others = [
        threading.Thread(target=_look, args=(stressed, store, place, random.Random(chance.random())), daemon=True)
        for _ in range(threads - 1)
    ]
    for thread in others:
        thread.start()
    _look(stressed, store, place, chance)


def _look(stressed: Stressed, store: Any, place: Place, chance: random.Random) -> None:
    ledgers = Ledgers(place.ledgers)
    while True:
        look_once(stressed, store, place, ledgers, chance.choice(list(parts_of(stressed, store))), over=False)
        time.sleep(0.01 * chance.random())


def look_once(stressed: Stressed, store: Any, place: Place, ledgers: Ledgers, name: str, *, over: bool) -> None:
    """Look at one part of the store and report what is wrong with it."""
    part = parts_of(stressed, store)[name]
    before = time.monotonic()
    try:
        with asyncio.Runner() as runner:

            async def waited(found: Any) -> Any:
                return await found

            seen = part.look(store, lambda found: runner.run(waited(found)) if inspect.isawaitable(found) else found)
    except Exception as error:
        place.report(f"{name}: a reader met an error\n{''.join(traceback.format_exception(error))}")
        return
    if seen is None:
        return
    entries = [entry for entry in ledgers.look() if entry.part == name]
    for sentence in problems(part.kind, entries, before, seen, over=over, ordered=part.ordered)[:5]:
        place.report(f"{name}: {'at the end' if over else 'beside writers'}: {sentence}")


def start(action: Callable[[], None], errors: Path) -> int:
    """Run ``action`` in a child that ends with its parent; return its number. Its group has the same number."""
    parent = os.getpid()
    child = os.fork()
    if child:
        os.setpgid(child, child)  # the child may not have begun when it is to be killed with its group
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        _die_with(parent)
        where = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(where, 2)
        faulthandler.enable(where)
        action()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent has died, however that came."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
