"""Do the files that crashes leave behind pile up? The same update is crashed again and again to find out."""

from dataclasses import dataclass

from pytest_tradestore.crash.crash_state import Crash, CrashState, Group, Window
from pytest_tradestore.crash.images import DurableImage, matches
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.operations import Create, Link, Rename
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import NotRecorded, Recorded, record
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.trace import Trace, replay
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Growth:
    """Each of ``counts`` crashes at the same place found more files than the one before it; ``images`` after each."""

    group: Group
    state: CrashState
    images: tuple[DurableImage, ...]
    counts: tuple[int, ...]
    newest: tuple[str, ...]
    """The files that the last round has added."""
    when_opened: bool = False
    """Whether opening the store is enough to add one, without any crash."""
    made_at: tuple[str, ...] = ()
    """The lines that ask for the files that the last round has added, where they are known."""


def growth(
    store: StoreUnderTest, workload: Workload, groups: tuple[Group, ...], recorder: Recorder, sandbox: Sandbox
) -> Growth | None:
    """Crash the second update over and over, each time on what the crash before left; None if that stays bounded.

    The crash is the first one that leaves most files; the store is opened, updated and crashed there ``ROUNDS`` times.
    What only the first rounds leave is bounded: a temporary file with a fixed name, or one that opening removes; and
    so is what an update that succeeds removes, and what as many updates leave that nothing disturbs: versions before.
    Files of an update that a reader sees after the crash are data, not leftovers.
    """
    volatile = store.declarations.volatile
    worst = _worst(groups, _second_update(groups), volatile)
    if worst is None or worst.process is None:
        return None
    images = [worst.image]
    counts = [_count(worst.image, volatile)]
    place = workload.updates[1].key
    seen = last = None
    for number in range(1, ROUNDS):
        updates = (workload.next_update(place, 50 + number),)
        recorded = record(store, workload, updates, recorder, sandbox, start=images[-1])
        if isinstance(recorded, NotRecorded) or recorded.trace.unseen:
            return None  # that the store does not come back is another requirement's finding
        if seen not in (None, recorded.history.states[0]):
            return None
        seen = recorded.history.states[0]
        found = enumerate_states(lower(recorded.trace), STRICT, subsets_per_cut=1, images=10_000)
        again = _worst(found.groups, Window(0, 1), volatile)
        if again is None or _count(again.image, volatile) <= counts[-1]:
            return None
        images.append(again.image)
        counts.append(_count(again.image, volatile))
        last = recorded
    after = tuple(workload.next_update(place, 50 + number) for number in range(1, ROUNDS + 1))
    cleared = _left_by(record(store, workload, after[-1:], recorder, sandbox, start=images[-1]), volatile)
    if cleared is None or cleared <= counts[0]:
        return None  # the next update that succeeds clears them away
    undisturbed = _left_by(record(store, workload, after, recorder, sandbox, start=images[0]), volatile)
    if undisturbed is not None and cleared <= undisturbed:
        return None  # it keeps some versions, and would have as many without any crash
    newest = tuple(sorted(set(images[-1].paths()) - set(images[-2].paths())))
    opened = _left_by(record(store, workload, (), recorder, sandbox, start=images[-1]), volatile)
    made_at = () if last is None else _made_at(last.trace, newest)
    return Growth(worst, worst.process, tuple(images), tuple(counts), newest, (opened or 0) > counts[-1], made_at)


def _made_at(trace: Trace, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that gave these paths their names."""
    names = {path.rpartition("/")[2] for path in paths}
    naming = [
        (operation.target if isinstance(operation, Rename) else operation.entry, operation.origin.location)
        for operation in trace.operations
        if isinstance(operation, (Create, Link, Rename))
    ]
    return tuple(dict.fromkeys(str(line) for entry, line in naming if line and entry and entry.name in names))


def _left_by(made: Recorded | NotRecorded, volatile: tuple[str, ...]) -> int | None:
    """Count the files that a recorded run leaves; None if it was not seen whole."""
    if isinstance(made, NotRecorded) or made.trace.unseen:
        return None
    return sum(not matches(path, volatile) for path, _ in replay(made.trace).walk())


def _second_update(groups: tuple[Group, ...]) -> Window:
    """Return the window in which the second update is in flight: a replacement, or a second record."""
    return Window(1, 2) if any(g.window == Window(1, 2) for g in groups) else Window(0, 1)


def _worst(groups: tuple[Group, ...], window: Window, volatile: tuple[str, ...]) -> Group | None:
    """Return the first process crash of the window among those that leave most files."""
    inside = [g for g in groups if g.window == window and g.process is not None and g.process.crash is Crash.PROCESS]
    return max(inside, key=lambda g: (_count(g.image, volatile), -g.simplest.cut), default=None)


def _count(image: DurableImage, volatile: tuple[str, ...]) -> int:
    return sum(not matches(path, volatile) for path in image.paths())
