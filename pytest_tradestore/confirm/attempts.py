"""One file system is asked: programs are played on it as attempts want, the power is cut, and what is left is told.

It runs in a process of its own with mounts of its own, which are gone when it is, however it ends; loop devices clear
themselves. What trees mean is not known here.
"""

import mmap
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_tradestore.confirm import system
from pytest_tradestore.confirm.losses import Loss, Losses
from pytest_tradestore.confirm.playing import Holding, Playing
from pytest_tradestore.confirm.rig import Course, Recording, Rig, read_tree, rig
from pytest_tradestore.confirm.steering import Stroke, operations_of
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program
from pytest_tradestore.crash.operations import Mark
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, stream_isolated

_LOSSES = 32
_DEADLINE = 120.0


@dataclass(frozen=True)
class Attempt:
    """A program, as far as ``strokes`` go; ``wants`` are the findings that it may show.

    With ``alive`` also what a process that dies leaves is told: the tree after each operation.
    """

    program: Program
    strokes: Sequence[Stroke]
    wants: frozenset[tuple[str, int]]
    alive: bool = False


@dataclass(frozen=True)
class Left:
    """A tree that a crash in ``window`` left: a power loss with ``loss``, the end of the process without."""

    window: Window
    image: DurableImage
    loss: Loss | None = None


@dataclass(frozen=True)
class Told:
    """What was new in one attempt, and how many states were looked at; the recording where it was asked for."""

    attempt: int
    left: Sequence[Left]
    states: int
    recording: Recording | None


class Settled:
    """Which attempts need not be made any more; said by the one process, read by the other."""

    def __init__(self, count: int) -> None:
        self._flags = mmap.mmap(-1, max(1, count))

    def say(self, attempt: int) -> None:
        self._flags[attempt] = 1

    def __contains__(self, attempt: int) -> bool:
        return bool(self._flags[attempt])


def asked(
    filesystem: str, attempts: Sequence[Attempt], settled: Settled, place: str, seed: int, *, recordings: bool
) -> Iterator[Told | str]:
    """Make the attempts in turn and yield what each has left; last a sentence, where something went wrong.

    ``place`` is an empty directory; it is covered while this runs.
    """

    def ask(channel: Channel) -> str:
        system.end_with_parent()
        os.umask(0)  # modes are those that the trace says
        rng = random.Random(seed)  # noqa: S311 - a reproducible choice, no secret
        try:
            system.private_mounts()
            with system.memory_at(place), rig(filesystem, place) as running:
                known: set[tuple[Program, Window, DurableImage, bool]] = set()
                for number, attempt in enumerate(attempts):
                    if number not in settled:
                        channel.step(number)
                        channel.send(_attempt(running, number, attempt, known, rng, channel, recordings=recordings))
        except OSError as error:
            return f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        return ""

    for event in stream_isolated(ask, _DEADLINE):
        match event:
            case Sent(value):
                yield value
            case Finished(sentence):
                if sentence:
                    yield sentence
            case Hung(_, seconds):
                yield f"it took longer than {seconds:g} s"
            case Died(_, how):
                yield f"the process that asked it ended: {how}"


def _attempt(
    running: Rig,
    number: int,
    attempt: Attempt,
    known: set[tuple[Program, Window, DurableImage, bool]],
    rng: random.Random,
    channel: Channel,
    *,
    recordings: bool,
) -> Told:
    left: list[Left] = []
    course = Course()

    def add(window: Window, image: DurableImage, loss: Loss | None) -> None:
        key = (attempt.program, window, image, loss is None)
        if key not in known:
            known.add(key)
            left.append(Left(window, image, loss))

    def look(root: str) -> None:
        if attempt.alive and (image := read_tree(root)) is not None:
            add(course.window, image, None)

    def play(roots: Sequence[str]) -> None:
        played(running, attempt, roots[0], course, look)

    recording = running.record([attempt.program.initial], play, flags=system.NO_ACCESS_TIMES)  # looking changes nothing
    losses = sorted(Losses(recording.log).some(1 << 10, rng), key=lambda loss: -loss.first)
    if len(losses) > _LOSSES:  # the latest are what was steered for; of the others some
        losses = [*losses[: _LOSSES // 2], *rng.sample(losses[_LOSSES // 2 :], _LOSSES // 2)]
    for loss, images in running.left(recording, losses, 1):
        channel.step(number)
        if images[0] is not None:
            for window in course.windows(loss):
                add(window, images[0], loss)
    return Told(number, left, len(losses), recording if recordings else None)


def played(running: Rig, attempt: Attempt, root: str, course: Course, look: Callable[[str], None]) -> None:
    """Play an attempt: each operation, and after it what is to be written; then ``look`` is called."""
    program = attempt.program
    playing = Playing(program.initial, operations_of(program), root, Holding.IN_CALL)
    done: Stroke | None = None
    strokes = iter(attempt.strokes)
    try:
        for operation in playing.steps():
            if done is not None:
                _write(running, playing, done)
                look(root)
            done = next(strokes, None)
            if done is None:
                break
            if isinstance(operation, Mark):
                course.note(operation, running.now())
        else:
            if done is not None:
                _write(running, playing, done)
                look(root)
    finally:
        playing.close()


def _write(running: Rig, playing: Playing, stroke: Stroke) -> None:
    for inode, start, length in stroke.pages:
        playing.write_back(inode, start, length)
    if stroke.commits:
        running.commit(whole=True)
    if stroke.crowds:
        running.crowd()
