"""One fault at a time against an open store, and all that can be seen of it afterwards; others judge.

Runs the store's own code: only ever inside an isolated process.
"""

import contextlib
import gc
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from pytest_tradestore.crash.images import THE_ROOT, DurableImage, matches, read_image
from pytest_tradestore.crash.observation import Failed, Observation, Seen
from pytest_tradestore.crash.workloads import Update, Workload
from pytest_tradestore.faults.calls import Fault, Limit, Refusal, Watched, role_of
from pytest_tradestore.faults.timeless import timeless, timeless_at
from pytest_tradestore.sandbox import remove_tree
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest, open_store

NEXT_VERSION = 90
_ROUNDS = 3
_NOTHING_WATCHED = Watched((), 0, False, ())


class Injecting(Protocol):
    """Whoever can refuse calls of this process."""

    def arm(self, root: str, fault: Fault | None) -> None: ...

    def disarm(self) -> Watched: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is done while the fault strikes: an update, a look at a ``place``, or the opening when there is neither.

    ``image`` is what the store finds, ``before`` what it shows of that.
    """

    name: str
    image: DurableImage
    before: Observation
    update: Update | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened. ``raised`` is what the caller got, nothing if the call returned.

    ``seen`` is what the same instance shows afterwards, ``fresh`` what another one shows that opens a copy of the
    files, ``after`` what it shows after one more update without a fault, ``later`` the same after reopening.
    ``stuck`` says where the store no longer worked and with what. ``descriptors`` counts those open below the root at
    the end, ``files`` are the roles of what lies there, ``growing`` those of which there is one more each time.
    """

    subject: str
    refusal: Refusal | None
    watched: Watched = _NOTHING_WATCHED
    raised: str = ""
    seen: Observation | None = None
    fresh: Observation | None = None
    after: Observation | None = None
    later: Observation | None = None
    stuck: str = ""
    descriptors: int = 0
    files: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    value: Seen | None = None
    again: Seen | None = None
    ended: str = ""
    """How the process ended in the middle of it, if it did; ``afterwards`` says that it was after the struck call."""
    afterwards: bool = False

    @property
    def struck(self) -> bool:
        """Whether the fault came into play."""
        return self.watched.hits > 0 or (isinstance(self.refusal, Limit) and bool(self.raised))


@dataclass
class Bench:
    """Where trials are made: a store, its workload, a place for roots, and whoever refuses calls."""

    store: StoreUnderTest
    workload: Workload
    directory: Path
    injecting: Injecting | None
    step: Callable[[bool], None]
    """Says that the next step of the store begins, and whether that is after the fault has struck."""
    bridge: Bridge = field(default_factory=Bridge)
    afterwards: bool = False
    _count: int = 0

    def fresh_root(self, image: DurableImage) -> Path:
        """Return a new root that holds ``image``."""
        self._count += 1
        root = self.directory / f"{os.getpid()}-{self._count}" / "store"
        os.makedirs(root)
        image.write(root)
        return root

    def begin(self) -> None:
        """Say that the next step of the store begins."""
        self.step(self.afterwards)

    def open(self, root: Path) -> OpenStore:
        self.begin()
        return open_store(self.store.target, root, self.bridge)

    def observe(self, opened: OpenStore) -> Observation:
        """Return what the store shows, with the times of this run left out: two runs have to be comparable."""
        self.begin()
        return timeless(self.workload.observe(opened, self.store.declarations.errors))

    def image_of(self, root: Path) -> DurableImage:
        """Return what lies below a root, volatile files left out."""
        return image_below(root, self.store.declarations.volatile)

    @contextmanager
    def refusing(self, root: Path, refusal: Refusal | None, into: list[Watched]) -> Iterator[None]:
        """Let ``refusal`` happen inside the block; what was watched is put ``into`` the list."""
        if isinstance(refusal, Limit):
            with _limited(refusal):
                yield
            into.append(_NOTHING_WATCHED)
        elif self.injecting is None:
            yield
            into.append(_NOTHING_WATCHED)
        else:
            self.injecting.arm(str(root), refusal)
            try:
                yield
            finally:
                into.append(self.injecting.disarm())

    def close(self) -> None:
        self.bridge.close()


def image_below(root: Path, volatile: tuple[str, ...]) -> DurableImage:
    """Return what lies below a root; links into it stay links into it wherever it is written."""
    base = str(root)
    return DurableImage(
        tuple(
            replace(file, target=file.target.replace(base, THE_ROOT)) if file.target else file
            for file in read_image(root)
            if not matches(file.path, volatile)
        )
    )


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
        remove_tree(root.parent)


def advanced(bench: Bench, image: DurableImage, update: Update) -> DurableImage:
    """Return what ``update`` makes of the files of ``image``, with the store closed afterwards."""
    root = bench.fresh_root(image)
    try:
        opened = bench.open(root)
        update.apply(opened)
        opened.close()
        return bench.image_of(root)
    finally:
        remove_tree(root.parent)


def _update(
    bench: Bench, subject: Subject, update: Update, refusal: Refusal | None, root: Path, control: Trial | None
) -> Trial:
    opened = bench.open(root)
    try:
        trial = _struck(bench, subject, refusal, root, lambda: update.apply(opened))
        trial = replace(trial, seen=bench.observe(opened), fresh=_fresh(bench, root))
        trial, opened = _goes_on(bench, trial, update, root, opened, control)
    finally:
        with suppress(Exception):
            opened.close()
    trial = replace(trial, files=_files(bench, root))
    if control is not None and (extra := _excess(trial.files, control.files)) and trial.struck:
        trial = replace(trial, growing=_growing(bench, update, refusal, root, extra))
    return trial


def _goes_on(
    bench: Bench, trial: Trial, update: Update, root: Path, opened: OpenStore, control: Trial | None
) -> tuple[Trial, OpenStore]:
    """Make the next update on the same instance, on a new one if it no longer takes any, and reopen."""
    following = bench.workload.next_update(update.place, NEXT_VERSION)
    stuck = ""
    try:
        bench.begin()
        following.apply(opened)
    except Exception as error:  # an instance may say that it is of no use any more; a new one may not
        stuck = _told(opened, error)
    after = bench.observe(opened) if not stuck else None
    trial = replace(trial, after=after, descriptors=_open_below(root, control))
    try:
        bench.begin()
        opened.close()
    except Exception as error:
        return replace(trial, stuck=f"closing raised {_told(opened, error)}"), opened
    try:
        opened = bench.open(root)
        if stuck:
            bench.begin()
            following.apply(opened)
            after = bench.observe(opened)
            opened.close()
            opened = bench.open(root)
        return replace(trial, after=after, later=bench.observe(opened)), opened
    except Exception as error:
        return replace(trial, stuck=f"{type(error).__name__}: {str(error).replace(str(root), '<root>')}"), opened


def _growing(
    bench: Bench, update: Update, refusal: Refusal | None, root: Path, extra: tuple[str, ...]
) -> tuple[str, ...]:
    """Return which of the roles in ``extra`` get one more file with every round of the same fault and a good update."""
    counts = [_files(bench, root)]
    for _ in range(_ROUNDS - 1):
        opened = bench.open(root)
        with bench.refusing(root, refusal, []), suppress(Exception):
            update.apply(opened)
        with suppress(Exception):
            bench.workload.next_update(update.place, NEXT_VERSION).apply(opened)
        with suppress(Exception):
            opened.close()
        with suppress(Exception):
            bench.open(root).close()
        counts.append(_files(bench, root))
    return tuple(
        role
        for role in dict.fromkeys(extra)
        if all(earlier.count(role) < now.count(role) for earlier, now in pairwise(counts))
    )


def _fresh(bench: Bench, root: Path) -> Observation:
    """Return what another process would see now: an instance that opens a copy of the files."""
    copy = bench.fresh_root(bench.image_of(root))
    try:
        opened = bench.open(copy)
        try:
            return bench.observe(opened)
        finally:
            with suppress(Exception):
                opened.close()
    except Exception as error:
        failed = Failed(type(error).__name__, str(error).replace(str(copy), "<root>"), declared=False)
        return Observation(tuple((place, failed) for place in bench.workload.place_names))
    finally:
        remove_tree(copy.parent)


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
        return replace(trial, value=values[0] if values else None, again=seen.at(subject.place), seen=seen)
    finally:
        with suppress(Exception):
            opened.close()


def _opening(bench: Bench, subject: Subject, refusal: Refusal | None, root: Path) -> Trial:
    made: list[OpenStore] = []
    trial = _struck(bench, subject, refusal, root, lambda: made.append(bench.open(root)))
    try:
        if made:
            trial = replace(trial, seen=bench.observe(made[0]))
            with suppress(Exception):
                made[0].close()
        made[:] = [bench.open(root)]
        return replace(trial, later=bench.observe(made[0]))
    except Exception as error:
        return replace(trial, stuck=f"{type(error).__name__}: {str(error).replace(str(root), '<root>')}")
    finally:
        for opened in made:
            with suppress(Exception):
                opened.close()


def _struck(bench: Bench, subject: Subject, refusal: Refusal | None, root: Path, act: Callable[[], object]) -> Trial:
    watched: list[Watched] = []
    raised = ""
    bench.begin()
    with bench.refusing(root, refusal, watched):
        try:
            act()
        except Exception as error:  # whatever the caller gets is the answer
            raised = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
    bench.afterwards = True
    return Trial(subject.name, refusal, watched[0], raised)


def _told(opened: OpenStore, error: Exception) -> str:
    return f"{type(error).__name__}: {opened.told(error)}"


@contextmanager
def _limited(limit: Limit) -> Iterator[None]:
    number = getattr(resource, limit.resource)
    soft, hard = resource.getrlimit(number)
    value = limit.value
    if limit.resource == "RLIMIT_NOFILE":
        value += _lowest_free()
    resource.setrlimit(number, (min(value, hard) if hard >= 0 else value, hard))
    try:
        yield
    finally:
        resource.setrlimit(number, (soft, hard))


def _lowest_free() -> int:
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


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


def _files(bench: Bench, root: Path) -> tuple[str, ...]:
    """Return the roles of all files below the root, volatile ones left out."""
    found = []
    volatile = bench.store.declarations.volatile
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if not matches(os.path.relpath(path, root), volatile):
                found.append(role_of(path, str(root)) or name)
    return tuple(sorted(found))


def _excess(files: tuple[str, ...], control: tuple[str, ...]) -> tuple[str, ...]:
    left = list(control)
    extra = []
    for role in files:
        if role in left:
            left.remove(role)
        else:
            extra.append(role)
    return tuple(extra)
