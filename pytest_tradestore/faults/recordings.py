"""Records what a store does while a call fails, with whoever refuses calls and the recorder at work at once.

What a crash makes of a recording is for others to say. Runs the store's own code in processes that end with it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from pytest_tradestore.crash.client import make_root
from pytest_tradestore.crash.operations import MarkKind, Sync
from pytest_tradestore.crash.recorders.base import Recorder, Recording, Recordings
from pytest_tradestore.crash.trace import Trace
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Fault
from pytest_tradestore.faults.trials import NEXT_VERSION, Subject
from pytest_tradestore.faults.workbench import Injecting
from pytest_tradestore.isolation import Channel, Died, Hung, Sent
from pytest_tradestore.observation import Observation
from pytest_tradestore.runner import Runner
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest

_STEPS = 10
"""Numbers of steps that belong to one recording."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be recorded: an update, or an opening, while ``fault`` lasts (or none).

    With ``further`` also what the caller sees before and after, and the next update when the fault is gone; ``again``:
    that is the same one once more, as whoever was refused tries it.

    ``after`` is what is seen after it where nothing fails, for whoever judges the recording.
    """

    subject: Subject
    fault: Fault | None
    further: bool = False
    after: Observation | None = None
    again: bool = False

    @property
    def following(self) -> str:
        """What the update is called that is made when the fault is gone."""
        assert self.subject.update is not None
        return f"{self.subject.name} once more" if self.again else f"the next update of {self.subject.update.key}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded; ``raised`` by the update and by the next one, ``states`` before, between and after them."""

    row: Row
    trace: Trace
    states: tuple[Observation, ...]
    raised: tuple[str, str]
    struck: bool

    @property
    def subject(self) -> Subject:
        return self.row.subject

    @property
    def fault(self) -> Fault | None:
        return self.row.fault

    @property
    def failing_line(self) -> str:
        """The line that asks for the first sync which failed; nothing where none did, or none is known."""
        failed = (o.origin.location for o in self.trace.operations if isinstance(o, Sync) and o.failed)
        return str(next(failed, None) or "")


def recorded(
    store: StoreUnderTest, workload: Workload, rows: Sequence[Row], recorder: Recorder, sandbox: Sandbox
) -> tuple[list[Recorded], tuple[str, ...]]:
    """Record each row, in one process if the store lets us; say too how those ended that are missing."""
    done: dict[int, Recorded | None] = {}

    def left() -> list[int]:
        return [number for number in range(len(rows)) if number not in done]

    def task(channel: Channel) -> None:
        from pytest_tradestore.faults.supervisor import Injector

        store.load()
        injector, bridge = Injector(), Bridge()
        # One attachment for all, until a row has ended the process: then each by itself.
        for part in [left()] if not done else [[number] for number in left()]:
            made: list[tuple[int, Callable[[], Recorded]]] = []
            with recorder.several() as recordings:
                for number in part:
                    begin = partial(_begin, channel, count(number * _STEPS))
                    room = _Room(store, workload, injector, bridge, recordings, begin)
                    root = sandbox.path / f"row-{os.getpid()}-{number}" / "store"
                    made.append((number, room.record(rows[number], root)))
                    channel.rest()
            for number, finished in made:
                channel.send((number, finished()))

    runner = Runner(store.declarations.deadline)
    for event in runner.through(lambda: task if left() else None):
        match event:
            case Sent((number, found)):
                done[number] = found
            case Hung(step) | Died(step):
                if numbers := left():
                    done[step // _STEPS if step // _STEPS in numbers else numbers[0]] = None
    return [found for _, found in sorted(done.items()) if found is not None], runner.ways


def _begin(channel: Channel, steps: Iterator[int]) -> None:
    channel.step(next(steps))


@dataclass(frozen=True)
class _Room:
    """Where one row is recorded; inside an isolated process."""

    store: StoreUnderTest
    workload: Workload
    injector: Injecting
    bridge: Bridge
    recordings: Recordings
    step: Callable[[], None]

    def record(self, row: Row, root: Path) -> Callable[[], Recorded]:
        """Record it; what is returned gives the recording once the recorder has ended."""
        self.injector.apart(make_root, root, row.subject.image)
        self.step()
        with self.recordings.record(root, volatile=self.store.declarations.volatile) as recording:
            made = (self._updated if row.subject.update is not None else self._opened)(row, root, recording)
        raised, states, struck = made
        return lambda: Recorded(row, recording.trace, tuple(states), raised, struck)

    def _opened(self, row: Row, root: Path, recording: Recording) -> tuple[tuple[str, str], list[Observation], bool]:
        """Open the store while the fault lasts."""
        recording.mark(MarkKind.INVOKED, 0)
        self.injector.arm(str(root), row.fault)
        raised = ""
        try:
            self.store.open(root, self.bridge)
        except Exception as error:
            raised = f"{type(error).__name__}: {str(error).replace(str(root), '<root>')}"
        struck = self.injector.disarm().hits > 0
        if not raised:
            recording.mark(MarkKind.ACKNOWLEDGED, 0)
        return (raised, ""), [], struck

    def _updated(self, row: Row, root: Path, recording: Recording) -> tuple[tuple[str, str], list[Observation], bool]:
        """Make the update while the fault lasts; and the next one when it is gone, if that is asked for."""
        errors, update = self.store.declarations.errors, row.subject.update
        assert update is not None
        raised, states = ["", ""], []
        recording.mark(MarkKind.INVOKED, 0)
        opened = self.store.open(root, self.bridge)
        recording.mark(MarkKind.ACKNOWLEDGED, 0)
        if row.further:
            states.append(self.workload.observe(opened, errors))
        self.step()
        recording.mark(MarkKind.INVOKED, 1)
        self.injector.arm(str(root), row.fault)
        try:
            update.make(opened)
        except Exception as error:
            raised[0] = f"{type(error).__name__}: {opened.told(error)}"
        struck = self.injector.disarm().hits > 0
        if not raised[0]:
            recording.mark(MarkKind.ACKNOWLEDGED, 1)
        if row.further:
            states.append(self.workload.observe(opened, errors))
            self.step()
            recording.mark(MarkKind.INVOKED, 2)
            try:
                (update if row.again else self.workload.next_update(update.key, NEXT_VERSION)).make(opened)
            except Exception as error:
                raised[1] = f"{type(error).__name__}: {opened.told(error)}"
            else:
                recording.mark(MarkKind.ACKNOWLEDGED, 2)
            states.append(self.workload.observe(opened, errors))
        return (raised[0], raised[1]), states, struck
