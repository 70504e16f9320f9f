"""What a search still looks for, and what its executions show of the store even where nothing is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pytest_tradestore.race.execution import CANCELLING, Blow, Execution
from pytest_tradestore.race.judging import OPENING, Judge, RaceViolation, Signature, ViolationKind

_WAYS_TO_LOSE = 2
"""So many different losses are shown: one where what is left cannot be read, and one where something is missing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The kinds of wrong that are looked for, without what is ``known``; with ``one`` nothing but that."""

    wrongs: frozenset[ViolationKind] = frozenset(ViolationKind)
    known: frozenset[Signature] = frozenset()
    one: Signature | None = None

    def among(self, findings: Iterable[RaceViolation]) -> RaceViolation | None:
        """Return the first finding that is wanted."""
        found = (finding for finding in findings if finding.wrong in self.wrongs)
        if self.one is not None:
            return next((finding for finding in found if finding.signature == self.one), None)
        return next((finding for finding in found if finding.signature not in self.known), None)

    def only(self, finding: RaceViolation) -> "Wanted":
        """Return what is wanted while a finding is made smaller: it, and no other that could take its place."""
        return replace(self, wrongs=frozenset({finding.wrong}), one=finding.signature)

    def but(self, finding: RaceViolation) -> "Wanted":
        """Return what is wanted after a finding; what was lost may be lost in one other way."""
        known = self.known | {finding.signature}
        ways = sum(wrong is finding.wrong for wrong, _, _ in known)
        over = finding.wrong is not ViolationKind.LOST or ways >= _WAYS_TO_LOSE
        return replace(self, known=known, wrongs=self.wrongs - {finding.wrong} if over else self.wrongs)


@dataclass(frozen=True, slots=True)
class Shown:
    """What executions showed.

    ``overlapped``: in one of them two callers were served, or one that was interrupted, with an update; ``steered``:
    how many had a choice inside a call, or were interrupted there; ``struck``: in one of them it came to what was to
    happen to the first caller; ``refusal``: an error that a caller got; ``met``: which blows could matter to the store.
    """

    overlapped: bool = False
    steered: int = 0
    struck: bool = False
    refusal: str = ""
    met: frozenset[Blow] = frozenset()

    def __add__(self, other: "Shown") -> "Shown":
        return Shown(
            self.overlapped or other.overlapped,
            self.steered + other.steered,
            self.struck or other.struck,
            self.refusal or other.refusal,
            self.met | other.met,
        )


@dataclass(slots=True)
class Onlooker:
    """Judges the executions of one exploration. What it objects to first is from then on all that it objects to."""

    judge: Judge
    wanted: Wanted
    killed_at: int | None = None
    """Before which operation the first caller is to be killed, where that is a process."""
    shown: Shown = field(default_factory=Shown)

    def __call__(self, execution: Execution) -> str | None:
        self.shown += self._shown_by(execution)
        finding = self.finding(execution)
        if finding is None:
            return None
        self.wanted = self.wanted.only(finding)
        return finding.sentence

    def finding(self, execution: Execution) -> RaceViolation | None:
        """Return what is wrong with an execution, if that is wanted."""
        return self.wanted.among(self.judge.findings(execution))

    def _shown_by(self, execution: Execution) -> Shown:
        calls = [c for c in execution.history if c.actor >= 0 and c.call.method != OPENING]
        interrupted = any(c.interrupted for c in calls)
        refused = (c for c in calls if c.error and not c.broken_off)
        return Shown(
            self.judge.serves(execution) or interrupted,
            int(interrupted or len(execution.choices) > len(execution.history)),
            interrupted or self._killed(execution) or any(op.startswith(CANCELLING) for _, op in execution.choices),
            next((f"{completed.call.rendered} raised {completed.error}" for completed in refused), ""),
            execution.met,
        )

    def _killed(self, execution: Execution) -> bool:
        """Say whether the first process came as far as where it is to be killed."""
        return self.killed_at is not None and sum(actor == 0 for actor, _ in execution.choices) >= self.killed_at
