"""Crashes in people's own tests: what their object does to the disk, and what is there after a crash at each point.

This is what the fixture ``tradestore_crash`` hands out; the suite itself does not come here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_tradestore.crash.explanation import crash_in_words, described_image, described_steps, shortened_steps
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.observation import Observation
from pytest_tradestore.crash.operations import Moment
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recording import choose_recorder, movable
from pytest_tradestore.crash.states import Crash, Group, enumerate_states
from pytest_tradestore.crash.trace import Trace
from pytest_tradestore.crash.where import where_possible
from pytest_tradestore.errors import TargetError
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, run_isolated, stream_isolated
from pytest_tradestore.report.counterexample import render
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget
from pytest_tradestore.target import DEADLINE, Bridge
from pytest_tradestore.verdict import Counterexample

Act = Callable[[Any], Any]
_WIDTH = 110
_MOST_HANGS = 5


@dataclass(frozen=True, slots=True)
class CrashOutcome:
    """What one crash leaves.

    ``returned`` actions had returned before it and ``called`` had been called, so that the last one was under way if
    they differ. ``found`` is what ``read`` gave on a new object, None where it, or making the object, raised:
    ``raised`` is the text of that. ``crash`` says in words when it happened, and ``power_loss`` whether it takes one.
    """

    crash: str
    power_loss: bool
    returned: int
    called: int
    found: Any
    raised: str
    told: Counterexample = field(repr=False)

    @property
    def under_way(self) -> bool:
        """Whether an action had been called and had not returned."""
        return self.called > self.returned


class CrashFound(AssertionError):  # noqa: N818 - a finding about the code under test, not an error of ours
    """A crash after which something does not hold; its text shows the steps, and which of them were lost."""

    def __init__(self, outcome: CrashOutcome, why: str) -> None:
        self.outcome = outcome
        told = replace(outcome.told, headline=why or f"what is found does not hold after a {outcome.crash}")
        super().__init__(render(told, "", _WIDTH).replace(" VIOLATED: ", "", 1))


class Crashes:
    """Records what your object does to the files below its directory, and crashes it at each point.

    ``target(root)`` makes the object, and makes it again after each crash. ``model`` says what a power loss may undo,
    ``recorder`` how the recording is made, ``images`` how many different states of the disk are looked at most.
    """

    def __init__(
        self,
        target: Callable[[Path], Any],
        *,
        model: str = "strict",
        recorder: str = "auto",
        images: int = 2000,
        seed: int = 0,
        deadline: float = DEADLINE,
    ) -> None:
        self._target, self._model, self._recorder = target, by_name(model), recorder
        self._images, self._seed, self._deadline = images, seed, deadline

    def check(
        self,
        *acts: Act,
        read: Act,
        holds: Callable[[CrashOutcome], bool | None],
        before: Act | None = None,
    ) -> int:
        """Let ``holds(outcome)`` say what has to be true after every crash; return how many there were.

        It fails by returning False or by an AssertionError. Raises CrashFound for the simplest crash that fails.
        """
        tried = 0
        for outcome in self.outcomes(*acts, read=read, before=before):
            tried += 1
            try:
                held = holds(outcome)
            except AssertionError as error:
                raise CrashFound(outcome, str(error)) from error
            if held is False:
                raise CrashFound(outcome, "")
        return tried

    def outcomes(self, *acts: Act, read: Act, before: Act | None = None) -> Iterator[CrashOutcome]:
        """Yield what each crash leaves while the object is made and the actions are done on it, simplest first.

        What ``before(object)`` did is on the disk for good. Each crash state is a directory of its own, on which the
        object is made anew and ``read`` looks; what it returns has to be picklable. Raises TargetError where the
        actions raise, hang, or do something that no recorder can follow.
        """
        with Sandbox() as sandbox:
            trace = self._recorded(acts, before, sandbox)
            program = lower(trace)
            limits = Budget.NORMAL.value
            found = enumerate_states(
                program, self._model, subsets_per_cut=limits.subsets_per_cut, images=self._images, seed=self._seed
            )
            images = list(dict.fromkeys(group.image for group in found.groups))
            answers = self._answers(images, read, sandbox)
        names = ("opening", *(f"action {number}" for number in range(1, len(acts) + 1)))
        history = History((Observation(()),) * len(names), ("",) * len(names), names)
        for group in found.groups:
            yield _outcome(program, group, history, answers[group.image])

    def _recorded(self, acts: Sequence[Act], before: Act | None, sandbox: Sandbox) -> Trace:
        recorder, _ = choose_recorder(self._recorder)
        root = sandbox.fresh_root()

        def run(channel: Channel) -> Trace | str:
            bridge = Bridge()
            step = 0

            def closed(opened: Any) -> None:
                if callable(close := getattr(opened, "close", None)):
                    bridge.settle(close())

            try:
                if before is not None:
                    channel.step(0)
                    opened = bridge.settle(self._target(root))
                    bridge.settle(before(opened))
                    closed(opened)
                with recorder.record(root) as recording:
                    for step, act in enumerate((None, *acts)):
                        channel.step(step)
                        recording.mark(Moment.INVOKED, step)
                        if act is None:
                            opened = bridge.settle(self._target(root))
                        else:
                            bridge.settle(act(opened))
                        recording.mark(Moment.ACKNOWLEDGED, step)
                closed(opened)
            except Exception as error:
                return f"{_name(step)} raised {type(error).__name__}: {error}".replace(str(root), "<root>")
            unseen = "; ".join(recording.trace.unseen)
            return (
                f"the {recorder.name} recorder did not see everything: {unseen}"
                if unseen
                else movable(recording.trace, str(root))
            )

        match run_isolated(run, self._deadline):
            case Finished(Trace() as trace):
                return trace
            case Finished(problem):
                raise TargetError(f"without any crash, {problem}")
            case Hung(step, seconds):
                raise TargetError(f"without any crash, {_name(step)} took longer than {seconds:g} s")
            case Died(step, how):
                raise TargetError(f"without any crash, {_name(step)} ended the process: {how}")
        raise AssertionError("every ending is matched")

    def _answers(self, images: list[DurableImage], read: Act, sandbox: Sandbox) -> dict[DurableImage, tuple[Any, str]]:
        """Make the object on each image and read; what was found, or the text of what was raised."""
        answers: dict[DurableImage, tuple[Any, str]] = {}
        hangs = 0
        while pending := [number for number, image in enumerate(images) if image not in answers]:

            def look(channel: Channel, pending: list[int] = pending, hangs: int = hangs) -> None:
                bridge = Bridge()
                for number in pending:
                    root = sandbox.path / f"image-{number}-{hangs}" / "store"
                    root.mkdir(parents=True)
                    images[number].write(root)
                    channel.step(number)
                    channel.send((number, self._answer(root, read, bridge)))
                    sandbox.discard(root)

            for event in stream_isolated(look, self._deadline):
                match event:
                    case Sent((number, answer)):
                        answers[images[number]] = answer
                    case Hung(number, seconds):
                        hangs += 1
                        answers[images[number]] = (None, f"took longer than {seconds:g} s")
                    case Died(number, how):
                        hangs += 1
                        answers[images[number]] = (None, f"the process ended: {how}")
            if hangs >= _MOST_HANGS:
                raise TargetError(f"after {hangs} crashes the object hung or ended its process; nothing more was tried")
        return answers

    def _answer(self, root: Path, read: Act, bridge: Bridge) -> tuple[Any, str]:
        opened = None
        try:
            opened = bridge.settle(self._target(root))
            return bridge.settle(read(opened)), ""
        except Exception as error:  # what it raises is the outcome
            return None, f"{type(error).__name__}: {error}".replace(str(root), "<root>")
        finally:
            with suppress(Exception):
                if callable(close := getattr(opened, "close", None)):
                    bridge.settle(close())


def _name(step: int) -> str:
    return f"action {step}" if step else "making the object"


def _outcome(program: Program, group: Group, history: History, answer: tuple[Any, str]) -> CrashOutcome:
    state = group.simplest
    found, raised = answer
    power = state.crash is Crash.POWER
    crash = crash_in_words(program, state, history, power)
    where = where_possible(program, ((state.cut, frozenset(state.lost)),)) if state.lost else ("every file system",)
    told = Counterexample(
        "",
        crash,
        steps=tuple(shortened_steps(tuple(described_steps(program, state, history)), state, program)),
        found=(raised or repr(found),),
        image=described_image(group.image),
        filesystems=where,
    )
    last = history.last
    returned, called = max(0, group.window.acknowledged), min(max(0, group.window.invoked), last)
    return CrashOutcome(crash, power, returned, called, found, raised, told)
