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
from pytest_tradestore.faults.calls import InjectedFault, Limit, Watched, role_of
from pytest_tradestore.faults.workbench import NOTHING_WATCHED, FaultClient
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
    refusal: InjectedFault | None
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


def attempt(
    client: FaultClient, subject: Subject, refusal: InjectedFault | None, control: Trial | None = None
) -> Trial:
    """Make one trial; ``control`` is the same without a fault, to compare what is left over."""
    root = client.fresh_root(subject.image)
    client.afterwards = False
    try:
        if subject.update is not None:
            return _update(client, subject, subject.update, refusal, root, control)
        if subject.place:
            return _look(client, subject, refusal, root)
        return _opening(client, subject, refusal, root)
    finally:
        client.discard(root)


def advanced(client: FaultClient, image: DurableImage, update: Call) -> DurableImage:
    """Return what ``update`` makes of the files of ``image``, with the store closed afterwards."""
    root = client.fresh_root(image)
    try:
        opened = client.open(root)
        update.make(opened)
        opened.close()
        return client.image_of(root)
    finally:
        client.discard(root)


def _update(
    client: FaultClient,
    subject: Subject,
    update: Call,
    refusal: InjectedFault | None,
    root: Path,
    control: Trial | None,
) -> Trial:
    opened = client.open(root)
    try:
        trial = _struck(client, subject, refusal, root, lambda: update.make(opened))
        # Copied first: a look can make the store write what it still holds, and nobody else would have seen that.
        trial = replace(trial, left=client.image_of(root), key=update.key)
        trial = replace(trial, seen=client.observe(opened))
        trial, opened = _goes_on(client, trial, update, root, opened, control)
    finally:
        with suppress(Exception):
            opened.close()
    last = client.image_of(root)
    trial = replace(trial, last=last, files=_roles(last, root))
    if control is not None and (extra := _excess(trial.files, control.files)) and trial.struck:
        trial = replace(trial, growing=_growing(client, update, refusal, root, extra))
    return trial


def _goes_on(
    client: FaultClient, trial: Trial, update: Call, root: Path, opened: OpenStore, control: Trial | None
) -> tuple[Trial, OpenStore]:
    """Make the next update on the same instance, on a new one if it no longer takes any, and reopen."""
    following = client.workload.next_update(update.key, NEXT_VERSION)
    stuck = ""
    try:
        client.step()
        following.make(opened)
    except Exception as error:  # an instance may say that it is of no use any more; a new one may not
        stuck = _told(opened, error)
    after = client.observe(opened) if not stuck else None
    trial = replace(trial, after=after, descriptors=_open_below(root, control))
    try:
        client.step()
        opened.close()
    except Exception as error:
        return replace(trial, stuck=f"closing raised {_told(opened, error)}"), opened
    try:
        opened = client.open(root)  # here, where a lock that is still held stands in the way
        if stuck:
            client.step()
            following.make(opened)
            after = client.observe(opened)
        return replace(trial, after=after), opened
    except Exception as error:
        return replace(trial, stuck=f"{type(error).__name__}: {str(error).replace(str(root), '<root>')}"), opened


def _growing(
    client: FaultClient, update: Call, refusal: InjectedFault | None, root: Path, extra: tuple[str, ...]
) -> tuple[str, ...]:
    """Return which of the roles in ``extra`` get one more file with every round of the same fault and a good update."""
    counts = [_roles(client.image_of(root), root)]
    for _ in range(_ROUNDS - 1):
        opened = client.open(root)
        with client.refusing(root, refusal, []), suppress(Exception, KeyboardInterrupt):
            update.make(opened)
        with suppress(Exception):
            client.workload.next_update(update.key, NEXT_VERSION).make(opened)
        with suppress(Exception):
            opened.close()
        with suppress(Exception):
            client.open(root).close()
        counts.append(_roles(client.image_of(root), root))
    return tuple(
        role
        for role in dict.fromkeys(extra)
        if all(earlier.count(role) < now.count(role) for earlier, now in pairwise(counts))
    )


def _look(client: FaultClient, subject: Subject, refusal: InjectedFault | None, root: Path) -> Trial:
    opened = client.open(root)
    try:
        values: list[Seen] = []
        trial = _struck(
            client,
            subject,
            refusal,
            root,
            lambda: values.append(timeless_at(client.workload.look(opened, subject.place))),
        )
        seen = client.observe(opened)
        again = seen.at(subject.place)
        left = client.image_of(root) if isinstance(again, Failed) else None  # is it the files, or this instance alone?
        return replace(trial, value=values[0] if values else None, again=again, seen=seen, left=left)
    finally:
        with suppress(Exception):
            opened.close()


def _opening(client: FaultClient, subject: Subject, refusal: InjectedFault | None, root: Path) -> Trial:
    made: list[OpenStore] = []
    trial = _struck(client, subject, refusal, root, lambda: made.append(client.open(root)))
    for opened in made:
        try:
            trial = replace(trial, seen=client.observe(opened))
        finally:
            with suppress(Exception):
                opened.close()
    return replace(trial, last=client.image_of(root))


def _struck(
    client: FaultClient, subject: Subject, refusal: InjectedFault | None, root: Path, act: Callable[[], object]
) -> Trial:
    watched: list[Watched] = []
    raised = ""
    client.step()
    with client.refusing(root, refusal, watched):
        try:
            act()
        except (Exception, KeyboardInterrupt) as error:  # whatever the caller gets is the answer
            raised = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
    client.afterwards = True
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
