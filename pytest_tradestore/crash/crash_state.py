"""What one crash state is, in which window of a workload it falls, and which states are told together.

Which of them are possible, and what each leaves, is answered in ``states``.
"""

from dataclasses import dataclass
from enum import Enum

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program
from pytest_tradestore.crash.operations import Mark, MarkKind


class Crash(Enum):
    PROCESS = "process crash"
    POWER = "power loss"


Simplicity = tuple[int, int, bool, tuple[int, ...], int]
WHOLE = 1 << 62
"""What stands in a simplicity for no partial write: a process that dies inside a write dies earlier than after it."""


@dataclass(frozen=True, slots=True)
class CrashState:
    """A cut in the trace plus what was lost.

    ``cut`` steps were issued; ``lost`` are the micro-operations among them that never reached the disk. For a process
    that dies inside a write ``partial`` is the file offset that the write got to, and ``cut`` counts the write.
    """

    crash: Crash
    cut: int
    lost: tuple[int, ...] = ()
    partial: int | None = None

    @property
    def simplicity(self) -> Simplicity:
        """Earlier cuts before later ones, fewer losses before more, a process crash before a power loss."""
        partial = WHOLE if self.partial is None else self.partial
        return (self.cut, len(self.lost), self.crash is Crash.POWER, self.lost, partial)


@dataclass(frozen=True, slots=True)
class Window:
    """Where in the workload a crash falls: ``acknowledged`` updates have returned, ``invoked`` were called."""

    acknowledged: int
    invoked: int

    @property
    def in_flight(self) -> bool:
        return self.invoked > self.acknowledged


@dataclass(frozen=True, slots=True)
class Group:
    """All states of one window that give the same image: the simplest one of each kind stands for them.

    ``settled`` where everything that came before the update in flight is on disk, as after half a minute of rest.
    """

    window: Window
    image: DurableImage
    process: CrashState | None
    power: CrashState | None
    settled: bool = False

    @property
    def simplest(self) -> CrashState:
        return min((s for s in (self.process, self.power) if s is not None), key=lambda s: s.simplicity)


def windows(program: Program) -> tuple[Window, ...]:
    """Return for each cut (one more than there are steps) the window in which it falls."""
    acknowledged = invoked = -1
    found = [Window(-1, -1)]
    for step in program.steps:
        if isinstance(step, Mark):
            if step.moment is MarkKind.INVOKED:
                invoked = step.update
            else:
                acknowledged = step.update
        found.append(Window(acknowledged, invoked))
    return tuple(found)


def is_settled(program: Program, state: CrashState) -> bool:
    """Say whether a power loss takes nothing but what belongs to the update in flight, the opening aside."""
    window = windows(program)[state.cut]
    if state.crash is Crash.PROCESS or not window.in_flight or window.invoked < 1:
        return False
    invoked = next(n for n, s in enumerate(program.steps) if s == Mark(MarkKind.INVOKED, window.invoked))
    return all(m >= program.starts[invoked] for m in state.lost)


def state_of(simplicity: Simplicity) -> CrashState:
    """Return the state that is of this simplicity: there is only one."""
    cut, _, power, lost, partial = simplicity
    return CrashState(Crash.POWER if power else Crash.PROCESS, cut, lost, None if partial == WHOLE else partial)
