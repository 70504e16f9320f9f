"""What was decided about one requirement for one store, and the evidence for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pytest_tradestore.causes import Cause


class Verdict(Enum):
    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    WAIVED = "WAIVED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    UNDECIDED = "UNDECIDED"


class StepStatus(Enum):
    """What became of one step of the recorded workload in a crash state."""

    PERSISTED = "persisted"
    LOST = "lost"
    PARTLY = "partly lost"
    NOT_ISSUED = "not issued"
    FAILED = "failed"
    NOTE = "note"


class StepKind(Enum):
    """What a line of a counterexample stands for, for those who draw it."""

    OPERATION = "operation"
    CALLED = "called"
    RETURNED = "returned"
    CRASH = "crash"
    SWITCH = "switch"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a counterexample: an operation or a note, its source line, and what became of it.

    ``actor`` is the caller that made it, where there are several (-1: none of them, a switch).
    """

    number: int
    fate: StepStatus
    text: str
    location: str = ""
    source: str = ""
    detail: str = ""
    actor: int = -1
    kind: StepKind = StepKind.OPERATION


@dataclass(frozen=True, slots=True)
class PathSeen:
    """One path of a directory: what it is, how many bytes it has, and what these are, in a line."""

    kind: str
    size: int
    told: str


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one path; None where there is none.

    Where the bytes of a file differ, ``offset`` is the first place near which they do, and ``bytes_before`` and
    ``bytes_after`` are a few from there on, as hexadecimal digits.
    """

    path: str
    before: PathSeen | None
    after: PathSeen | None
    differs: bool = True
    offset: int = 0
    bytes_before: str = ""
    bytes_after: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What came of asking one real file system for a finding.

    ``seen`` in one of ``states`` that power losses had left there; not seen is no proof that it cannot happen. ``kept``
    is where the block log lies, ``unasked`` says why the question was not put.
    """

    filesystem: str
    kernel: str
    seen: bool = False
    states: int = 0
    kept: str = ""
    unasked: str = ""

    def __str__(self) -> str:
        if self.unasked:
            return f"not asked of {self.filesystem}: {self.unasked}"
        if not self.seen:
            return f"not seen on {self.filesystem} in {self.states:,} states ({self.kernel})"
        where = f", block log in {self.kept}" if self.kept else ""
        return f"seen on {self.filesystem} ({self.kernel}){where}"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """One way in which a requirement is violated, complete enough to be understood and replayed without the program.

    ``headline`` is one sentence; ``crash`` names the kind of crash and where it falls; ``workload`` the calls made;
    ``found`` and ``allowed`` what a reader saw and could have seen; ``image`` the files on disk after the crash;
    ``filesystems`` where it can happen; ``token`` what ``--tradestore-replay`` takes; ``how_many`` in how many
    distinct states it was seen; ``actors`` names the callers where several ran side by side; ``remedy`` what to do,
    where that is nearer than the remedy of the requirement, and ``why`` it matters, likewise; ``sightings`` tell
    where it was looked for on real file systems; ``cause`` says what is at fault, where that is known; ``changes``
    compares the directory as it was at ``since`` with what was left of it.
    """

    headline: str
    crash: str = ""
    workload: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    found: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    token: str = ""
    how_many: int = 1
    actors: tuple[str, ...] = ()
    remedy: str = ""
    sightings: tuple[Sighting, ...] = ()
    cause: Cause | None = None
    since: str = ""
    changes: tuple[Change, ...] = ()
    why: str = ""


JOINT = " + "
SEVERAL_INSTANCES = "several instances"
"""What a store that claims to be opened once at a time does not claim."""


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one requirement in one case.

    ``reason`` is a sentence for everything that is not HOLDS; ``checked`` counts what was tried (``crash_states``,
    ``images``, ``values``, ...); ``exhaustive`` is False when a bound cut the search.
    """

    requirement: str
    case: str
    verdict: Verdict
    reason: str = ""
    checked: Mapping[str, int] = field(default_factory=dict)
    exhaustive: bool = True
    counterexample: Counterexample | None = None
    """The one that does most harm."""
    evidence: str = ""
    """Names what was looked at where several requirements are judged by the same; empty when it is this result's own.

    Several names are joined by ``JOINT``.
    """
    unclaimed: str = ""
    """The capability that the store does not claim and that would have this asked, or ``SEVERAL_INSTANCES``.

    Such a result is NOT_APPLICABLE.
    """
    output: str = ""
    """What the store printed meanwhile, where that may help to understand the verdict."""
    others: tuple[Counterexample, ...] = ()
    """Those of the other root causes of the violation, worst first."""
    portability: tuple[str, ...] = ()
    """What can happen only on platforms that the store is not used on: worth a note, and no violation."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took to decide; evidence that several requirements share counts for the one that was asked first."""

    @property
    def examples(self) -> tuple[Counterexample, ...]:
        """One counterexample for each root cause, worst first."""
        return (*(() if self.counterexample is None else (self.counterexample,)), *self.others)
