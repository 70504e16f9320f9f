"""Reopens the store on every durable image, looks at it, makes one more update and opens it again.

It reports what it saw; the oracle judges.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.repetitions import AsSeenBefore, fingerprint, notes_reading, unread
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel, Finished, Hung, Sent
from pytest_tradestore.observation import Observation
from pytest_tradestore.runner import Runner, ended_how, so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

_BATCH = 50
_MISSES = 24
"""Comparisons in vain, after which no further one is made."""


class Phase(Enum):
    """What the store was asked to do when it failed."""

    OPENING = "reopening"
    READING = "reading after reopening"
    UPDATING = "the next update"
    CLOSING = "closing after the next update"
    OPENING_AGAIN = "reopening after the next update"
    READING_AGAIN = "reading after the next update"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one image showed: ``seen`` after reopening, ``after`` one more update, ``later`` after reopening again.

    A store that failed on the way says in ``failed`` where and in ``how`` with what; what comes later is None.
    ``fatal`` when it did not even fail in order: it hung, or ended its process. ``wrote`` is what reopening changed
    on disk: pairs of "new", "gone" or "changed" and a path.
    """

    seen: Observation | None = None
    after: Observation | None = None
    later: Observation | None = None
    failed: Phase | None = None
    how: str = ""
    fatal: bool = False
    wrote: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """An image to look at, and the place where the next update is made."""

    image: DurableImage
    place: str
    beside: tuple[object, ...] = field(init=False)
    """What stands beside the content of its files, and which are newer than which: a reader may go by that."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "beside", self.image.beside)


@dataclass(frozen=True, slots=True)
class Explored:
    """``answers`` belong to the questions in order, None where the search was given up before; times are in seconds."""

    answers: tuple[Inspection | None, ...]
    in_store: float
    output: str = ""

    @property
    def complete(self) -> bool:
        return all(answer is not None for answer in self.answers)


def explore(
    store: StoreUnderTest,
    workload: Workload,
    questions: Sequence[Question],
    sandbox: Sandbox,
    sections: Mapping[Question, object] | None = None,
) -> Explored:
    """Put every question to the store, in as few processes as its behaviour allows.

    A store that hangs costs a deadline each time: the questions of the same one of ``sections`` are then left out, and
    when the runner gives up, all that remain.
    """
    answers: list[Inspection | None] = [None] * len(questions)
    in_store = spent = 0.0
    output = ""
    declared = store.declarations
    section_of = [(sections or {}).get(question) for question in questions]
    pending = list(range(len(questions)))

    def ask(todo: Sequence[int], channel: Channel) -> float:
        inspector = _Inspector(store, workload, declared.errors, channel, sandbox.path)
        batch: list[tuple[int, Inspection]] = []
        for number in todo:
            # Of this process alone: one that died before has left its own behind.
            root = sandbox.path / f"image-{os.getpid()}-{number}" / "store"
            batch.append((number, inspector.inspect(number, questions[number], root)))
            if len(batch) >= _BATCH:
                channel.send((batch, inspector.in_store))
                batch = []
        channel.send((batch, inspector.in_store))
        inspector.close()
        return inspector.in_store

    for event in Runner(declared.deadline).through(lambda: partial(ask, tuple(pending)) if pending else None):
        if isinstance(event, Sent):
            batch, spent = event.value
            for number, inspection in batch:
                answers[number] = inspection
            continue
        if isinstance(event, Finished):
            spent = event.value
        else:
            number, phase = divmod(event.step, len(Phase))
            if number in pending:
                answers[number] = Inspection(failed=tuple(Phase)[phase], how=ended_how(event), fatal=True)
                if isinstance(event, Hung) and sections:
                    pending[:] = [n for n in pending if section_of[n] != section_of[number]]
        output = output or event.output
        in_store, spent = in_store + spent, 0.0
        pending[:] = [n for n in pending if answers[n] is None]
    return Explored(tuple(answers), in_store, output)


def given_up(answers: Collection[Inspection | None]) -> str:
    """Say why some images were not looked at; empty where all were."""
    unanswered = sum(answer is None for answer in answers)
    if not unanswered:
        return ""
    how = tuple(dict.fromkeys(answer.how for answer in answers if answer is not None and answer.fatal))
    return f"the store {so_often(how)}, so that {unanswered:,} of {len(answers):,} crash images were not looked at"


def looked_at(answers: Mapping[Question, Inspection | None]) -> int:
    """Return how many images there are answers about."""
    return len({question.image for question, answer in answers.items() if answer is not None})


class _Inspector:
    """Lives in the isolated process; keeps one event loop for all images."""

    def __init__(
        self,
        store: StoreUnderTest,
        workload: Workload,
        errors: tuple[type[BaseException], ...],
        channel: Channel,
        directory: Path,
    ) -> None:
        self.store = store
        self.workload = workload
        self.errors = errors
        self.channel = channel
        self.bridge = Bridge()
        self._known: AsSeenBefore[Inspection] | None = AsSeenBefore() if notes_reading(directory) else None
        self._later: dict[bytes, Observation] = {}
        """What the last look showed, by what the update before it had left."""
        self._spared = self._has_spared = False

    def _is_worth_it(self) -> bool:
        """Say whether what is left is still compared: a store that writes the time of day never leaves the same."""
        return self._has_spared or len(self._later) < _MISSES

    def inspect(self, number: int, question: Question, root: Path) -> Inspection:
        """Look at an image, unless one has been looked at that is the same in all that was read of it."""
        if self._known is None:
            return self._inspect(number, question, root, None)
        known = self._known.find(question.image, question.place)
        if known is not None:
            return known
        held: dict[str, int] = {}
        try:
            found = self._inspect(number, question, root, held)
            # Where the last look was not taken, because files like these have been seen, nobody knows what it reads.
            never = unread(held, question.image.stamps, gone=self._spared)
        finally:
            for descriptor in held.values():
                with suppress(OSError):
                    os.close(descriptor)
        self._known.keep(question.image, question.place, never, found)
        return found

    def _inspect(self, number: int, question: Question, root: Path, held: dict[str, int] | None) -> Inspection:
        self._spared = False
        os.mkdir(root.parent)
        os.mkdir(root)
        question.image.write(root, held)
        seen = after = None
        wrote: tuple[tuple[str, str], ...] = ()
        phase = Phase.OPENING
        opened: OpenStore | None = None
        try:
            self._begin(number, phase)
            opened = self.store.open(root, self.bridge)
            self._begin(number, phase := Phase.READING)
            seen = self.workload.observe(opened, self.errors)
            wrote = _differences(question.image, str(root))
            self._begin(number, phase := Phase.UPDATING)
            update = self.workload.next_update(question.place, 90)
            update.make(opened)
            after = self.workload.observe(opened, self.errors)
            self._begin(number, phase := Phase.CLOSING)
            closing, opened = opened, None
            closing.close()
            self.channel.rest()
            left = fingerprint(str(root)) if self._is_worth_it() else None
            if left is not None and left in self._later:
                self._spared = self._has_spared = True
                return Inspection(seen, after, self._later[left], wrote=wrote)
            self._begin(number, phase := Phase.OPENING_AGAIN)
            opened = self.store.open(root, self.bridge)
            self._begin(number, phase := Phase.READING_AGAIN)
            later = self.workload.observe(opened, self.errors)
            if left is not None:
                self._later[left] = later
            return Inspection(seen, after, later, wrote=wrote)
        except Exception as error:  # whatever the store raises is the answer
            return Inspection(seen, after, failed=phase, how=_told(error, root), wrote=wrote)
        finally:
            if opened is not None:
                with suppress(Exception):  # it has been judged; what it does when left no longer matters
                    opened.close()
            _remove(str(root.parent))

    @property
    def in_store(self) -> float:
        return self.bridge.seconds

    def _begin(self, number: int, phase: Phase) -> None:
        self.channel.step(number * len(Phase) + _ORDER[phase])

    def close(self) -> None:
        self.bridge.close()


_ORDER = {phase: number for number, phase in enumerate(Phase)}


def _told(error: Exception, root: Path) -> str:
    message = str(error).replace(str(root), "<root>")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _differences(image: DurableImage, root: str) -> tuple[tuple[str, str], ...]:
    """Return what is no longer on disk as the image left it; its files carry time stamps of long ago."""
    stamps = image.stamps
    left = {file.path: file for file in image.files}
    found: list[tuple[str, str]] = []

    def walk(prefix: str) -> None:
        for entry in os.scandir(f"{root}/{prefix}"):
            path = prefix + entry.name
            file = left.pop(path, None)
            if file is None:
                found.append(("new", path))
            if entry.is_dir(follow_symlinks=False):
                walk(path + "/")
            elif path in stamps and file is not None and entry.stat(follow_symlinks=False).st_mtime != stamps[path]:
                found.append(("changed", path))

    walk("")
    found += [("gone", path) for path in left]
    return tuple(sorted(found))


def _remove(directory: str) -> None:
    """Remove a small tree quickly; what resists is left to the sandbox."""
    with suppress(OSError):
        for entry in list(os.scandir(directory)):
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
        os.rmdir(directory)
