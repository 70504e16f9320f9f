"""Links that take the place of a file or directory for moments: a check before the use always comes too early.

First at each moment in turn, as far as Python's audit events tell the moments; then at any time, by a process that
does nothing else, which native libraries meet too. Runs the store's code: only in isolation.
"""

import ctypes
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count

from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.context import NEIGHBOUR, NOTHING_OUTSIDE, Context
from pytest_tradestore.names.flaws import LATE_LINK
from pytest_tradestore.names.ground import Ground, ground, remove
from pytest_tradestore.names.nest import Canaries

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_READS_PER_WRITE = 20
"""Writes are fewer: what only grows would be read ever more slowly."""
_MOST_MOMENTS = 40
"""File-system calls of one read or write before which the link comes."""


def try_exchanged(
    context: Context, slot: Slot, files: Sequence[str], directories: Sequence[str], operations: int
) -> None:
    """NAME-2: let a link come at each moment of a read and a write, then at any moment of ``operations`` of them."""
    for path in (*files, *directories):
        _at_each_moment(context, slot, path)
        if context.found:
            return
    raced = (*files[:1], *directories[:1])
    for path in raced:
        _at_any_moment(context, slot, path, operations // len(raced))
        if context.found:
            return


def _at_each_moment(context: Context, slot: Slot, path: str) -> None:
    """Exchange before the first call to the file system that opening makes, then before the second, and so on.

    The same for reading and for writing.
    """
    with ground(context, slot, path) as here:
        if not os.path.lexists(here.place):
            return
        client = here.client
        context.at(slot, NEIGHBOUR, f"while a link takes the place of {path!a} for moments")
        canaries = Canaries(client.nest)
        for doing in ("open", *(["read"] if slot.read else []), "write"):
            for number in range(1, _MOST_MOMENTS):
                client.attempt(client.close if doing == "open" else lambda: client.opened)
                client.forget()
                shown = False
                with _struck(here, number) as struck:
                    if doing == "open":
                        client.calls.append("opening the store")
                        client.attempt(lambda: client.opened)
                    elif doing == "read":
                        shown = here.shows(slot)
                    else:
                        client.attempt(lambda: slot.write(client, NEIGHBOUR, context.mark()))
                if not struck:
                    break
                context.checked["exchanges"] += 1
                if shown or (change := canaries.change()):
                    how = "returned what stands outside" if shown else f"has changed it: {change}"
                    _violation(context, here, path, f"{client.calls[-1]} {how}")
                    return


@contextmanager
def _struck(here: Ground, number: int) -> Iterator[list[bool]]:
    """Put the link in place before the file-system call of this number; afterwards what was there is there again.

    Gives a list that is empty as long as there was no such call.
    """
    calls, struck, place = count(1), [], str(here.place)

    def interrupt() -> None:
        if next(calls) == number and os.path.lexists(place):
            with suppress(OSError):  # nothing of ours may look like an error of the store's
                os.rename(place, here.beside)
                os.symlink(here.outside, place)
                struck.append(True)

    with here.client.interrupting(interrupt):
        yield struck
    if os.path.islink(place):
        os.unlink(place)
    if not os.path.lexists(place):
        with suppress(OSError):
            os.rename(here.beside, place)
    with suppress(OSError):
        remove(here.beside)


def _at_any_moment(context: Context, slot: Slot, path: str, operations: int) -> None:
    """Let another process exchange a file or directory and a link to outside, all the time, while the store works."""
    with ground(context, slot, path) as here:
        client, place = here.client, str(here.place)
        if not os.path.lexists(place) or not _can_exchange():
            return
        context.at(slot, NEIGHBOUR, f"while {path!a} and a link are exchanged")
        canaries = Canaries(client.nest)
        with _exchanging(place, here.beside, here.outside):
            for number in range(operations):
                if number % _READS_PER_WRITE == 0:
                    client.attempt(lambda: slot.write(client, NEIGHBOUR, context.mark()))
                elif here.shows(slot):
                    how = f"{client.calls[-1]} returned what stands outside, at operation {number + 1}"
                    _violation(context, here, path, how)
                    return
        context.checked["operations_in_a_race"] += operations
        if change := canaries.change(thorough=True):
            _violation(context, here, path, change)


def _violation(context: Context, here: Ground, path: str, how: str) -> None:
    here.client.calls[:] = here.client.calls[-1:]
    sentence = f"a link that takes the place of {path!a} for moments is followed: {how}"
    context.violation("NAME-2", LATE_LINK, sentence, here.client, how, NOTHING_OUTSIDE)


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
                        remove(link)
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
    return hasattr(os, "fork") and hasattr(ctypes.CDLL(None), "renameat2")
