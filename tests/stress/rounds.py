"""Rounds of stress for one store: who runs, who is killed, and what is found."""

import ctypes
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.stress.all_stores import STORES
from tests.stress.ledger import Ledgers
from tests.stress.parts import WRITERS, Stressed
from tests.stress.writers import (
    Listening,
    Place,
    look_once,
    parts_of,
    prepare,
    read,
    start,
    write_cramped,
    write_few,
    write_in_tasks,
    write_in_threads,
)

THREADS, TASKS, READERS = 3, 4, 3
WRITERS_OF_A_PROCESS = 20
PROCESSES = WRITERS // WRITERS_OF_A_PROCESS - 1
"""So many are begun in a round at most; the last number is of who writes at the end."""
STUCK = 40.0
"""Seconds without an acknowledged change, or for a look at the end, after which it hangs; what is found has stacks."""
ROOM = 8 << 20
"""Bytes of the file system that is full again and again."""


@dataclass(slots=True)
class Said:
    """What the stress of one store has shown."""

    store: str
    rounds: int = 0
    kills: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.rounds:
            return f"{self.store}: not there"
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        parts = ", ".join(f"{count} {name}" for name, count in sorted(self.parts.items()))
        found = "\n".join(f"  {finding}" for finding in self.findings) or "  nothing is lost, doubled, hidden or late"
        return f"{self.store}: {self.rounds} rounds, {self.kills} kills; {outcomes}; acknowledged: {parts}\n{found}"


def stress(store: str, place: Path, seconds: float, of_a_round: float, seed: int) -> Said:
    """Run rounds for ``seconds``, at least one, below ``place``; stop at the first round that finds something."""
    said = Said(store)
    if not _has_parts(STORES[store], place / "empty"):
        return said
    end = time.monotonic() + seconds
    while not said.findings and (not said.rounds or time.monotonic() < end):
        chance = random.Random(f"{seed} {store} {said.rounds}")
        below = place / f"{said.rounds}"
        below.mkdir()
        full = said.rounds % 3 == 2 and os.geteuid() == 0
        if full:
            _in_a_mount(below, partial(_round, store, below, of_a_round, chance))
        else:
            _round(store, below, of_a_round, chance)
        said.rounds += 1
        _read_back(below, said, f"store {store}, seed {seed}, round {said.rounds - 1}")
        shutil.rmtree(below)
    return said


def _has_parts(stressed: Stressed, root: Path) -> bool:
    open_store = stressed.threads or stressed.tasks
    return open_store is not None and bool(parts_of(stressed, open_store(root, 1.0)))


def _read_back(below: Path, said: Said, where: str) -> None:
    entries = Ledgers(below / "ledgers").look()
    said.outcomes.update(entry.outcome for entry in entries)
    said.parts.update(entry.part for entry in entries if entry.outcome == "acknowledged")
    if (below / "kills").exists():
        said.kills += int((below / "kills").read_text())
    if (below / "findings").exists():
        told = Counter((below / "findings").read_text().split("\0")[:-1])
        said.findings += [f"{where}: {text.strip()}" + f" ({n} times)" * (n > 1) for text, n in told.most_common(8)]


def _in_a_mount(below: Path, action: Callable[[], None]) -> None:
    """Run ``action`` in a child with a small file system at ``root`` that is gone with the child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        (below / "root").mkdir()
        private, new_namespace = 1 << 18 | 1 << 14, 0x20000
        if libc.unshare(new_namespace) == 0 and libc.mount(None, b"/", None, private, None) == 0:
            options = f"size={ROOM}".encode()
            libc.mount(b"tmpfs", os.fsencode(below / "root"), b"tmpfs", 0, options)
        action()
    finally:
        os._exit(0)


def _round(name: str, below: Path, seconds: float, chance: random.Random) -> None:
    place = Place(below / "root", below / "ledgers", below / "findings")
    place.ledgers.mkdir()
    with Listening(place):
        _disturbed(STORES[name], place, below, seconds, chance)


def _disturbed(stressed: Stressed, place: Place, below: Path, seconds: float, chance: random.Random) -> None:
    mounted = place.root.is_mount()
    running: dict[int, Callable[[int], Callable[[], None]]] = {}
    begun = 0

    def begin(kind: Callable[[int], Callable[[], None]]) -> None:
        nonlocal begun
        running[start(kind(begun * WRITERS_OF_A_PROCESS), below / f"errors-{begun}")] = kind
        begun += 1

    os.waitpid(start(partial(prepare, stressed, place), below / "errors-prepare"), 0)
    for kind in _kinds(stressed, place, chance):
        begin(kind)
    kills, ledgers = 0, Ledgers(place.ledgers)
    end, progress, seen = time.monotonic() + seconds, time.monotonic(), 0
    # At the end, when nobody has got anywhere for a while: find out whether it hangs or is only slow. Once somebody has
    # it is over; a machine that is busy may take longer than that while for every look, and would never come to an end.
    # Nor does a round go on when all numbers of writers are given: what another one writes nobody would look for.
    # It is not over, though, while it is open whether it hangs: then nobody is killed any more.
    while ((now := time.monotonic()) < end and begun < PROCESSES) or progress < min(end, now - 1):
        time.sleep(chance.uniform(0.02, 0.6))
        acknowledged = sum(entry.outcome == "acknowledged" for entry in ledgers.look())
        if acknowledged != seen:
            progress, seen = time.monotonic(), acknowledged
        elif time.monotonic() - progress > STUCK:
            break
        if mounted:
            _fill(place.root, chance)
        if begun >= PROCESSES:
            continue
        victim = chance.choice(list(running))
        ended = os.waitpid(victim, os.WNOHANG)[0] != 0
        if ended:
            place.report(f"a process ended by itself\n{_errors(below)}")
        _kill(victim, reap=not ended)
        kills += 1
        begin(running.pop(victim))
    if time.monotonic() - progress > STUCK:
        for child in running:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGABRT)
        time.sleep(1)
        place.report(f"nobody came any further for {STUCK:g} s\n{_errors(below)}")
    for child in running:
        _kill(child)
    with suppress(FileNotFoundError):
        os.unlink(place.root / "filler")
    (below / "kills").write_text(str(kills))
    looking = start(partial(_look_at_all, stressed, place), below / "errors-end")
    deadline = time.monotonic() + STUCK
    while os.waitpid(looking, os.WNOHANG)[0] == 0:
        time.sleep(0.02)
        if time.monotonic() > deadline:
            os.killpg(looking, signal.SIGABRT)  # it says where its threads stand
            deadline += STUCK
    if errors := _errors(below, "errors-end"):
        place.report(f"at the end: {errors}")


def _kinds(stressed: Stressed, place: Place, chance: random.Random) -> list[Callable[[int], Callable[[], None]]]:
    """What processes there are: each says, for its first writer, what it does."""

    def own() -> random.Random:
        return random.Random(chance.random())

    def threads(first: int) -> Callable[[], None]:
        return partial(write_in_threads, stressed, place, first, own(), THREADS)

    def tasks(first: int) -> Callable[[], None]:
        return partial(write_in_tasks, stressed, place, first, own(), TASKS)

    def cramped(first: int) -> Callable[[], None]:
        return partial(write_cramped, stressed, place, first, own())

    def reader(_first: int) -> Callable[[], None]:
        return partial(read, stressed, place, own(), READERS)

    in_threads = [threads] if stressed.threads else []
    in_tasks = [tasks] if stressed.tasks else []
    return [*(in_threads or in_tasks), *(in_tasks or in_threads), *(in_threads + in_tasks)[:1], cramped, reader]


def _kill(child: int, *, reap: bool = True) -> None:
    """Kill a process and those that it has forked."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if reap:
        os.waitpid(child, 0)


def _fill(root: Path, chance: random.Random) -> None:
    """Leave no, little or all room on the file system."""
    filler = os.open(root / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(filler, 0)
        space = os.fstatvfs(filler)
        left = chance.choice([0, 1, 20, 1_000_000])
        if (length := (space.f_bavail - left) * space.f_bsize) > 0:
            os.posix_fallocate(filler, 0, length)
    except OSError:
        pass  # others were faster
    finally:
        os.close(filler)


def _look_at_all(stressed: Stressed, place: Place) -> None:
    """What a new process finds, and that it can write: nobody who was killed has left the root unusable."""
    open_store = stressed.threads or stressed.tasks
    assert open_store is not None
    ledgers = Ledgers(place.ledgers)
    store = open_store(place.root, 10.0)
    for name in parts_of(stressed, store):
        look_once(stressed, store, place, ledgers, name, over=True)
    write_few(stressed, store, place, WRITERS - 1)
    for name in parts_of(stressed, store):
        look_once(stressed, store, place, ledgers, name, over=True)


def _errors(below: Path, name: str = "errors-*") -> str:
    return "\n".join(text for file in sorted(below.glob(name)) if (text := file.read_text(errors="replace")))[-3_000:]


if sys.platform != "linux":  # pragma: no cover
    raise SystemExit("the stress program needs Linux: process groups, mounts and limits as it has them")
