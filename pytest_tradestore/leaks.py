"""What calls that succeed leave behind: descriptors, threads, processes, temporary files, some more with each round.

First nothing is there, and is looked for; then the workload is repeated on one open store, and then a store that can be
closed is opened and closed again and again.
What a store keeps for good (a lock, a pool of threads, a file of each key) is there after the first rounds and then
grows no more; what it loses with a call grows with every one.
"""

import gc
import os
import re
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, repeat
from pathlib import Path

from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel
from pytest_tradestore.runner import finished
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

_SETTLING = 3
"""Rounds after which a store has what it keeps for good."""
_ROUNDS, _CALLS = 5, 48
"""Counted are at least so many rounds, and at least so many calls: more than any pool of threads grows to."""
_MOST_ROUNDS = 40
"""Rounds in which what grows by one each time outgrows every pool."""
_OPENINGS = 5
_FEWEST = {"file descriptors": 1, "temporary files": 1, "processes": 5, "threads": 33}
"""Growth in all that is a leak; an executor may have up to 32 threads and takes its time to start them."""
_TEMPORARY = re.compile(r"(?i)te?mp|\.part|\.(new|swp|staged|staging|lock|lck|incomplete)$|~$|^\.#")

OPENING = "opening and closing the store"
IN_VAIN = "reading what is not there"
_READING = "reading"
_OF_READING = ("file descriptors", "temporary files")
"""What a look at nothing is asked for; threads of a pool begin with the first calls, whatever these find."""

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Leak:
    """What grew in every round: ``each`` of ``what`` a round at least; ``call`` is the one that it was seen after."""

    what: str
    each: int
    call: str
    calls: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def method(self) -> str:
        """Which method the call is one of."""
        return _method_of(self.call)

    def __str__(self) -> str:
        return f"{self.call} leaves {self.what} behind: {', '.join(map(str, self.counts))} after one round and the next"


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found in how many ``calls``; ``undecided`` says why nothing could be."""

    found: tuple[Leak, ...] = ()
    calls: int = 0
    undecided: str = ""


def gather(store: StoreUnderTest, workload: Workload) -> Leaks:
    """Repeat the workload in a process of its own and say what grows."""
    with Sandbox() as sandbox:
        root, temporary = sandbox.fresh_root(), sandbox.fresh_root()

        def rounds(channel: Channel) -> "Leaks | str":
            gc.freeze()  # what was there before is not looked at again each time that is cleared away
            os.environ["TMPDIR"], tempfile.tempdir = str(temporary), str(temporary)
            return _repeated(store, workload, root, temporary, channel)

        found = finished(rounds, store.declarations.deadline)
    return Leaks(undecided=found) if isinstance(found, str) else found


def _repeated(store: StoreUnderTest, workload: Workload, root: Path, temporary: Path, channel: Channel) -> Leaks | str:
    bridge = Bridge()
    step = "opening the store"
    try:
        channel.step(0)
        opened = store.open(root, bridge)
        empty = _read_in_vain(store, workload, opened, root, temporary)
        for number, update in enumerate(workload.updates, 1):
            step = update.rendered
            channel.step(number)
            update.make(opened)
    except Exception as error:  # whatever the store raises, it has not done what it was asked for
        return f"{step} raised {type(error).__name__}: {str(error).replace(str(root), '<root>')}"
    rounds = _SETTLING + max(_ROUNDS, -(-_CALLS // max(len(workload.updates), 1)))
    counted = []
    for _ in range(rounds):
        _round(workload, store, opened, channel)
        counted.append(_counts(root, temporary))
    counted = counted[_SETTLING - 1 :]
    while any(map(_may_grow_on, _FEWEST, repeat(counted))) and len(counted) <= _MOST_ROUNDS:
        _round(workload, store, opened, channel)
        counted.append(_counts(root, temporary))
        rounds += 1
    looks: list[Counts] = []
    last = counted[-1]
    if suspects := [what for what in _FEWEST if _grows(what, counted)]:
        _round(workload, store, opened, channel, lambda: looks.append(_counts(root, temporary)))
    channel.step(0)
    opened.close()
    reopened = [] if suspects or not opened.can_be_closed else _opened_again(store, workload, root, temporary, channel)
    bridge.close()
    shown = tuple(update.rendered for update in workload.updates)
    found = []
    for what in suspects:
        numbers = tuple(counts[what] for counts in counted[:4])
        each = min(after[what] - before[what] for before, after in pairwise(counted))
        for call, number in _leaking(what, [last, *looks], shown).items():
            found.append(Leak(what, each, call, shown[: number + 1], numbers))
    for what in _OF_READING:
        if _grows_at_all(what, empty) and not any(one.what == what and one.method == _READING for one in found):
            numbers = tuple(counts[what] for counts in empty[:4])
            found.append(Leak(what, numbers[1] - numbers[0], IN_VAIN, (IN_VAIN,), numbers))
    for what in _FEWEST:
        if reopened and _grows_at_all(what, reopened):
            numbers = tuple(counts[what] for counts in reopened[:4])
            found.append(Leak(what, numbers[1] - numbers[0], OPENING, (*shown, OPENING), numbers))
    return Leaks(tuple(found), rounds * len(shown) + len(reopened))


def _read_in_vain(
    store: StoreUnderTest, workload: Workload, opened: OpenStore, root: Path, temporary: Path
) -> list[Counts]:
    """Look at a store in which nothing is yet, again and again; return what there is after each round but the first."""
    counted = []
    for _ in range(_SETTLING + max(_ROUNDS, -(-_CALLS // max(len(workload.looks), 1)))):
        workload.observe(opened, store.declarations.errors)
        counted.append(_counts(root, temporary))
    return counted[_SETTLING - 1 :]


def _opened_again(
    store: StoreUnderTest, workload: Workload, root: Path, temporary: Path, channel: Channel
) -> list[Counts]:
    """Open the store, look at it and close it, several times; return what there is after each but the first two."""
    counted = []
    for _ in range(2 + _OPENINGS):
        bridge = Bridge()
        channel.step(0)
        try:
            again = store.open(root, bridge)
            workload.observe(again, store.declarations.errors)
            again.close()
        except Exception:
            return []  # that it cannot be opened again is for others to say
        bridge.close()
        counted.append(_counts(root, temporary))
    return counted[2:]


def _grows_at_all(what: str, counted: list[Counts]) -> bool:
    return all(after[what] > before[what] for before, after in pairwise(counted))


def _leaking(what: str, looks: list[Counts], shown: tuple[str, ...]) -> dict[str, int]:
    """Return the calls after which there was more than before, one for each method, with their numbers.

    Threads end when they please: of those the first call alone says anything.
    """
    grown = [number for number, (before, after) in enumerate(pairwise(looks)) if after[what] > before[what]]
    grown = (grown or [len(looks) - 2])[: 1 if what == "threads" else None]
    found: dict[str, tuple[str, int]] = {}
    for number in grown:
        call = shown[number] if number < len(shown) else _READING
        found.setdefault(_method_of(call), (call, number))
    return dict(found.values())


def _method_of(call: str) -> str:
    return f"{call.partition('(')[0]}()" if "(" in call else call


def _round(
    workload: Workload,
    store: StoreUnderTest,
    opened: OpenStore,
    channel: Channel,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Make all updates once more and read; what is refused now (a job that is there already) gives nothing to count."""
    for number, update in enumerate(workload.updates, 1):
        channel.step(number)
        try:
            update.make(opened)
        except Exception:  # noqa: S112 - said by the requirements that ask for it
            continue
        finally:
            look()
    channel.step(0)
    workload.observe(opened, store.declarations.errors)
    look()


def _grows(what: str, counted: list[Counts]) -> bool:
    steps = [after[what] - before[what] for before, after in pairwise(counted)]
    return all(step > 0 for step in steps) and sum(steps) >= _FEWEST[what]


def _may_grow_on(what: str, counted: list[Counts]) -> bool:
    """Say whether it has grown in every round, and not by as much yet as a pool could not."""
    return _grows_at_all(what, counted) and not _grows(what, counted)


def _counts(root: Path, temporary: Path) -> Counts:
    gc.collect()  # what Python has merely not cleared away yet is not left behind
    named = [name for _, folders, files in os.walk(root) for name in (*folders, *files) if _TEMPORARY.search(name)]
    lost = [name for _, folders, files in os.walk(temporary) for name in (*folders, *files)]
    return {
        "file descriptors": len(os.listdir("/dev/fd")),
        "processes": _children(),
        "threads": max(threading.active_count(), _native_threads()),
        "temporary files": len(named) + len(lost),
    }


def _children() -> int:
    """Count the processes that this one has started, those included that have ended and nobody has waited for."""
    found = 0
    with suppress(OSError):  # only Linux has this
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError):
                found += len(Path(f"/proc/self/task/{thread}/children").read_text("ascii").split())
    return found


def _native_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # only Linux has this
        return 0
