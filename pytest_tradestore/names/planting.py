"""Plants links, pipes and directories where a store has its files, and lets it read and write there.

The store's files are found by looking. What a link leads to is a sound file of the same make with other content, so
that a store which follows the link shows that content, or changes it. Runs the store's code: only in isolation.
"""

import ctypes
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_tradestore.names.context import NEIGHBOUR, NOTHING_OUTSIDE, Context
from pytest_tradestore.names.findings import Findings
from pytest_tradestore.names.nest import Canaries, Nest, age
from pytest_tradestore.names.session import How, Session
from pytest_tradestore.names.slots import Slot
from pytest_tradestore.names.tree import paths_of

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_READS_PER_WRITE = 20
"""Writes are fewer: what only grows would be read ever more slowly."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What is put in the place of a file or directory; ``outside`` holds what it would lead to."""

    what: str
    put: Callable[[str, str], None]
    """Called with the path in the root and the path outside, where a copy of another store's file stands."""


def _link(path: str, outside: str) -> None:
    _remove(path)
    os.symlink(outside, path)


def _dangling(path: str, outside: str) -> None:
    _remove(path)
    os.symlink(outside + "-new", path)


def _hard_link(path: str, outside: str) -> None:
    _remove(path)
    os.link(outside, path)


def _pipe(path: str, _: str) -> None:
    _remove(path)
    os.mkfifo(path)


def _directory(path: str, _: str) -> None:
    _remove(path)
    os.mkdir(path)


def _loop(path: str, _: str) -> None:
    _remove(path)
    os.symlink(os.path.basename(path), path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


LINK = Plant("a link to a file outside", _link)
FILES = (
    LINK,
    Plant("a link to a file outside that does not exist", _dangling),
    Plant("a link to itself", _loop),
    Plant("a pipe", _pipe),
    Plant("a directory", _directory),
)
HARD_LINK = Plant("a hard link to a file outside", _hard_link)
LINKED_DIRECTORY = Plant("a link to a directory outside", _link)


def try_planted(context: Context, slot: Slot, operations: int) -> Findings:
    """NAME-2: each plant in the place of each file and directory; then links that come and go during ``operations``.

    Ends with the first finding: what comes after it may well hang.
    """
    files, directories = _places(context, slot)
    plants = [(path, plant) for plant in FILES for path in files]
    plants += [(path, HARD_LINK) for path in files if not slot.appends]
    plants += [(path, LINKED_DIRECTORY) for path in directories]
    for path, plant in plants:
        _try(context, slot, path, plant)
        if context.found:
            break
    raced = (*files[:1], *directories[:1]) if not context.found else ()
    for path in raced:
        _swapped(context, slot, path, operations // len(raced))
    return Findings(tuple(context.found), dict(context.checked))


def _places(context: Context, slot: Slot) -> tuple[list[str], list[str]]:
    """Return the regular files of a store that has been written to, and its directories; what is written first."""
    with context.session() as session:
        _fill(context, slot, session)
        paths = sorted(paths_of(session.nest.root), key=lambda path: ("lock" in path, path))
        modes = {path: os.lstat(session.nest.root / path).st_mode for path in paths}
    files = [path for path, mode in modes.items() if stat.S_ISREG(mode)]
    return files, [path for path, mode in modes.items() if stat.S_ISDIR(mode)]


def _fill(context: Context, slot: Slot, session: Session) -> int:
    """Write twice, so that there is a backup where the store keeps one; return the mark that counts."""
    mark = 0
    for _ in range(2):
        mark = context.mark()
        session.write(slot, NEIGHBOUR, mark)
    session.attempt(session.close)
    return mark


@contextmanager
def _planted(context: Context, slot: Slot, path: str) -> Iterator[tuple[Session, str, int]]:
    """Give a filled store, the place outside with another store's file of that name, and the mark that it holds."""
    with context.session() as other:
        strange = _fill(context, slot, other)
        kept = other.nest.root / path
        with context.session() as session:
            _fill(context, slot, session)
            outside = str(session.nest.out / "planted")
            if os.path.lexists(kept):
                (shutil.copytree if kept.is_dir() else shutil.copy2)(kept, outside)
            else:
                Path(outside).write_bytes(b"{}")
            try:
                yield session, outside, strange
            finally:
                for leftover in (outside, f"{outside}-new", _beside(session.nest)):
                    with suppress(OSError):
                        _remove(leftover)
                age(session.nest.out)


def _try(context: Context, slot: Slot, path: str, plant: Plant) -> None:
    with _planted(context, slot, path) as (session, outside, strange):
        place = session.nest.root / path
        if not os.path.lexists(place):
            return
        context.at(slot, NEIGHBOUR, f"with {plant.what} in the place of {path!a}")
        plant.put(str(place), outside)
        canaries = Canaries(session.nest)
        context.checked["plants"] += 1
        session.forget()
        session.calls.append(f"{plant.what} takes the place of {path!a}")
        if plant is not HARD_LINK and _shows(session, slot, strange):
            _violation(context, session, plant, path, f"{session.calls[-1]} returned what stands outside")
            return
        for call in (
            lambda: slot.write(session, NEIGHBOUR, context.mark()),
            lambda: slot.names(session) if slot.names else None,
            lambda: slot.delete(session, NEIGHBOUR) if slot.delete else None,
            session.close,
        ):
            session.attempt(call)
            if change := canaries.change():
                _violation(context, session, plant, path, f"{session.calls[-1]}: {change}")
                return


def _violation(context: Context, session: Session, plant: Plant, path: str, how: str) -> None:
    sentence = f"{plant.what} in the place of {path!a} is followed: {how}"
    context.violation("NAME-2", sentence, session, how, NOTHING_OUTSIDE)


def _swapped(context: Context, slot: Slot, path: str, operations: int) -> None:
    """Let another process exchange a file or directory and a link to outside, all the time, while the store works."""
    with _planted(context, slot, path) as (session, outside, strange):
        place = str(session.nest.root / path)
        if not os.path.lexists(place) or not _can_exchange():
            return
        context.at(slot, NEIGHBOUR, f"while {path!a} and a link are exchanged")
        link = _beside(session.nest)
        canaries = Canaries(session.nest)
        with _exchanging(place, link, outside):
            for number in range(operations):
                if number % _READS_PER_WRITE == 0:
                    session.attempt(lambda: slot.write(session, NEIGHBOUR, context.mark()))
                elif _shows(session, slot, strange):
                    session.calls[:] = session.calls[-1:]
                    how = f"{session.calls[-1]} returned what stands outside, at operation {number + 1}"
                    sentence = f"a link that takes the place of {path!a} for moments is followed: {how}"
                    context.violation("NAME-2", sentence, session, how, NOTHING_OUTSIDE)
                    return
        context.checked["operations_in_a_race"] += operations
        if change := canaries.change(thorough=True):
            session.calls[:] = session.calls[-1:]
            sentence = f"a link that takes the place of {path!a} for moments is followed: {change}"
            context.violation("NAME-2", sentence, session, change, NOTHING_OUTSIDE)


def _shows(session: Session, slot: Slot, mark: int) -> bool:
    """Say whether a read shows what stands outside."""
    if slot.read is None:
        return False
    ended = session.attempt(lambda: slot.read(session, NEIGHBOUR))  # type: ignore[misc]
    return ended.how is How.ACCEPTED and mark in ended.value.marks


def _beside(nest: Nest) -> str:
    """Return where a link waits for its turn in the root."""
    return f"{nest.top}-exchanged"


@contextmanager
def _exchanging(place: str, link: str, outside: str) -> Iterator[None]:
    """Let a process exchange what is at ``place`` and a link to ``outside``, there and back, while the block runs."""
    child = os.fork()
    if child == 0:
        exchange = ctypes.CDLL(None).renameat2
        names = _AT_FDCWD, os.fsencode(place), _AT_FDCWD, os.fsencode(link), _RENAME_EXCHANGE
        try:
            while True:
                if not os.path.islink(link):  # the store has replaced the link, as it should
                    with suppress(OSError):
                        _remove(link)
                    os.symlink(outside, link)
                exchange(*names)
                exchange(*names)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _can_exchange() -> bool:
    return hasattr(ctypes.CDLL(None), "renameat2")
