"""One fault at a time against an open store, and all that can be seen of it afterwards; others judge.

Runs the store's own code: only ever inside an isolated process.
"""

import contextlib
import gc
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.crash.timeless import timeless_at
from pytest_tradestore.faults.calls import Limit, Refusal, Watched, role_of
from pytest_tradestore.faults.workbench import NOTHING_WATCHED, Bench
from pytest_tradestore.kits.call import Call
from pytest_tradestore.observation import Failed, Observation, Seen
from pytest_tradestore.target import OpenStore

NEXT_VERSION = 90
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What is done while the fault strikes: an update, a look at a ``place``, or the opening when there is neither.

    ``image`` is what the store finds, ``before`` what it shows of that.
    """

    name: str
    image: DurableImage
    before: Observation
    update: Call | None = None
    place: str = ""

    @property
    def is_large(self) -> bool:
        """Whether the update takes more pages than are written again with the next one."""
        return self.update is not None and len(repr(self.update.arguments)) > _LARGE


_LARGE = 2 * 4096


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened. ``raised`` is what the caller got, nothing if the call returned.

    ``seen`` is what the same instance shows afterwards, ``after`` the same after one more update without a fault.
    ``left`` are the files at the first of these moments, ``last`` those at the end; ``fresh`` and ``later`` are what
    another process shows that opens them, once somebody has looked.
    ``stuck`` says where the store no longer worked and with what. ``descriptors`` counts those open below the root at
    the end, ``files`` are the roles of what lies there, ``growing`` those of which there is one more each time.
    """

    subject: str
    refusal: Refusal | None
    watched: Watched = NOTHING_WATCHED
    raised: str = ""
    seen: Observation | None = None
    left: DurableImage | None = None
    fresh: Observation | None = None
    after: Observation | None = None
    last: DurableImage | None = None
    later: Observation | None = None
    stuck: str = ""
    descriptors: int = 0
    files: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    value: Seen | None = None
    again: Seen | None = None
    without: Observation | None = None
    """What another process shows where the content of the file whose close failed has never arrived."""
    key: str = ""
    """What the struck update was about."""
    next_refused: str = ""
    """With what another process was refused that made the next update instead of this one."""
    next_after: Observation | None = None
    """What that process saw then, and ``next_later`` what is seen when it is over."""
    next_later: Observation | None = None
    ended: str = ""
    """How the process ended in the middle of it, if it did; ``afterwards`` says that it was after the struck call."""
    afterwards: bool = False

    @property
    def struck(self) -> bool:
        """Whether the fault came into play."""
        return self.watched.hits > 0 or (isinstance(self.refusal, Limit) and bool(self.raised))


def attempt(bench: Bench, subject: Subject, refusal: Refusal | None, control: Trial | None = None) -> Trial:
    """Make one trial; ``control`` is the same without a fault, to compare what is left over."""
    root = bench.fresh_root(subject.image)
    bench.afterwards = False
    try:
        if subject.update is not None:
            return _update(bench, subject, subject.update, refusal, root, control)
        if subject.place:
            return _look(bench, subject, refusal, root)
        return _opening(bench, subject, refusal, root)
    finally:
        bench.discard(root)


def advanced(bench: Bench, image: DurableImage, update: Call) -> DurableImage:
    """Return what ``update`` makes of the files of ``image``, with the store closed afterwards."""
    root = bench.fresh_root(image)
    try:
        opened = bench.open(root)
        update.make(opened)
        opened.close()
        return bench.image_of(root)
    finally:
        bench.discard(root)


def _update(
    bench: Bench, subject: Subject, update: Call, refusal: Refusal | None, root: Path, control: Trial | None
) -> Trial:
    opened = bench.open(root)
    try:
        trial = _struck(bench, subject, refusal, root, lambda: update.make(opened))
        # Copied first: a look can make the store write what it still holds, and nobody else would have seen that.
        trial = replace(trial, left=bench.image_of(root), key=update.key)
        trial = replace(trial, seen=bench.observe(opened))
        trial, opened = _goes_on(bench, trial, update, root, opened, control)
    finally:
        with suppress(Exception):
            opened.close()
    last = bench.image_of(root)
    trial = replace(trial, last=last, files=_roles(last, root))
    if control is not None and (extra := _excess(trial.files, control.files)) and trial.struck:
        trial = replace(trial, growing=_growing(bench, update, refusal, root, extra))
    return trial


def _goes_on(
    bench: Bench, trial: Trial, update: Call, root: Path, opened: OpenStore, control: Trial | None
) -> tuple[Trial, OpenStore]:
    """Make the next update on the same instance, on a new one if it no longer takes any, and reopen."""
    following = bench.workload.next_update(update.key, NEXT_VERSION)
    stuck = ""
    try:
        bench.step()
        following.make(opened)
    except Exception as error:  # an instance may say that it is of no use any more; a new one may not
        stuck = _told(opened, error)
    after = bench.observe(opened) if not stuck else None
    trial = replace(trial, after=after, descriptors=_open_below(root, control))
    try:
        bench.step()
        opened.close()
    except Exception as error:
        return replace(trial, stuck=f"closing raised {_told(opened, error)}"), opened
    try:
        opened = bench.open(root)  # here, where a lock that is still held stands in the way
        if stuck:
            bench.step()
            following.make(opened)
            after = bench.observe(opened)
        return replace(trial, after=after), opened
    except Exception as error:
        return replace(trial, stuck=f"{type(error).__name__}: {str(error).replace(str(root), '<root>')}"), opened


def _growing(
    bench: Bench, update: Call, refusal: Refusal | None, root: Path, extra: tuple[str, ...]
) -> tuple[str, ...]:
    """Return which of the roles in ``extra`` get one more file with every round of the same fault and a good update."""
    counts = [_roles(bench.image_of(root), root)]
    for _ in range(_ROUNDS - 1):
        opened = bench.open(root)
        with bench.refusing(root, refusal, []), suppress(Exception, KeyboardInterrupt):
            update.make(opened)
        with suppress(Exception):
            bench.workload.next_update(update.key, NEXT_VERSION).make(opened)
        with suppress(Exception):
            opened.close()
        with suppress(Exception):
            bench.open(root).close()
        counts.append(_roles(bench.image_of(root), root))
    return tuple(
        role
        for role in dict.fromkeys(extra)
        if all(earlier.count(role) < now.count(role) for earlier, now in pairwise(counts))
    )


def _look(bench: Bench, subject: Subject, refusal: Refusal | None, root: Path) -> Trial:
    opened = bench.open(root)
    try:
        values: list[Seen] = []
        trial = _struck(
            bench,
            subject,
            refusal,
            root,
            lambda: values.append(timeless_at(bench.workload.look(opened, subject.place))),
        )
        seen = bench.observe(opened)
        again = seen.at(subject.place)
        left = bench.image_of(root) if isinstance(again, Failed) else None  # is it the files, or this instance alone?
        return replace(trial, value=values[0] if values else None, again=again, seen=seen, left=left)
    finally:
        with suppress(Exception):
            opened.close()


def _opening(bench: Bench, subject: Subject, refusal: Refusal | None, root: Path) -> Trial:
    made: list[OpenStore] = []
    trial = _struck(bench, subject, refusal, root, lambda: made.append(bench.open(root)))
    for opened in made:
        try:
            trial = replace(trial, seen=bench.observe(opened))
        finally:
            with suppress(Exception):
                opened.close()
    return replace(trial, last=bench.image_of(root))


def _struck(bench: Bench, subject: Subject, refusal: Refusal | None, root: Path, act: Callable[[], object]) -> Trial:
    watched: list[Watched] = []
    raised = ""
    bench.step()
    with bench.refusing(root, refusal, watched):
        try:
            act()
        except (Exception, KeyboardInterrupt) as error:  # whatever the caller gets is the answer
            raised = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
    bench.afterwards = True
    return Trial(subject.name, refusal, watched[0], raised)


def _told(opened: OpenStore, error: Exception) -> str:
    return f"{type(error).__name__}: {opened.told(error)}"


def _descriptors(root: Path) -> list[str]:
    """Return the paths below the root that this process has open."""
    base, found = os.path.realpath(root), []
    with contextlib.suppress(OSError):
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{number}")
                if path == base or path.startswith(base + "/"):
                    found.append(path)
    return found


def _open_below(root: Path, control: Trial | None) -> int:
    """Count them; what Python has merely not cleared away yet does not count as left open."""
    found = len(_descriptors(root))
    if control is None or found > control.descriptors:
        gc.collect()
        found = len(_descriptors(root))
    return found


def _roles(image: DurableImage, root: Path) -> tuple[str, ...]:
    """Return the roles of all files of an image."""
    base = str(root)
    files = (f.path for f in image.files if f.kind is not FileKind.DIRECTORY)
    return tuple(sorted(role_of(f"{base}/{path}", base) or path for path in files))


def _excess(files: tuple[str, ...], control: tuple[str, ...]) -> tuple[str, ...]:
    left = list(control)
    extra = []
    for role in files:
        if role in left:
            left.remove(role)
        else:
            extra.append(role)
    return tuple(extra)
