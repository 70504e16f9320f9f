"""The one judge: makes a result of what a family's evidence says about one requirement.

Families gather evidence and say what it means; which verdict follows is the same for all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample, Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True, slots=True)
class Grounds:
    """What evidence says about one requirement.

    ``example`` shows that it is violated, ``others`` that it is so by other root causes too; ``undecided`` says why
    nothing is known, ``not_asked`` why it has no meaning here. Without any of them it holds. ``shared`` names the
    evidence if other requirements are judged by it too.
    """

    example: Counterexample | None = None
    undecided: str = ""
    not_asked: str = ""
    remark: str = ""
    checked: Mapping[str, int] = field(default_factory=dict)
    exhaustive: bool = True
    shared: str = ""
    output: str = ""
    """What the store printed meanwhile, told unless the requirement holds."""
    others: tuple[Counterexample, ...] = ()
    portability: tuple[str, ...] = ()

    def verdict(self) -> tuple[Verdict, str]:
        """Return what follows, and the reason in a sentence."""
        if self.example is not None:
            return Verdict.VIOLATED, self.example.headline
        if self.undecided:
            return Verdict.UNDECIDED, self.undecided
        if self.not_asked:
            return Verdict.NOT_APPLICABLE, self.not_asked
        return Verdict.HOLDS, self.remark


def each_cause(examples: Iterable[Counterexample]) -> tuple[Counterexample, ...]:
    """Return the first counterexample of each root cause, the worst cause first; the others of a cause are notes.

    All of them name their cause.
    """
    found: dict[Culprit, list[Counterexample]] = {}
    for example in examples:
        found.setdefault(_cause(example).culprit, []).append(example)
    told = (replace(first, notes=(*first.notes, *_also(others))) for first, *others in found.values())
    return tuple(sorted(told, key=lambda example: _cause(example).harm))


_NOTED = 4
"""Other counterexamples of a cause that are told in a note each."""


def _also(others: Sequence[Counterexample]) -> Iterator[str]:
    headlines = tuple(dict.fromkeys(other.headline for other in others))
    yield from (f"also: {headline}" for headline in headlines[:_NOTED])
    if more := len(headlines[_NOTED:]):
        yield f"and {more} more like these"


def _cause(example: Counterexample) -> Cause:
    assert example.cause is not None, example.headline
    return example.cause


def judged(requirement: str, case: str, grounds: Grounds) -> Result:
    """Return the result that follows from these grounds."""
    verdict, reason = grounds.verdict()
    output = grounds.output if verdict is not Verdict.HOLDS else ""
    shared = grounds.shared if verdict is not Verdict.NOT_APPLICABLE else ""
    return Result(
        requirement,
        case,
        verdict,
        reason,
        grounds.checked,
        grounds.exhaustive,
        grounds.example,
        evidence=shared,
        output=output,
        others=grounds.others,
        portability=grounds.portability,
    )


_BETWEEN_MEMORIES = ("RACE-2", "RACE-3")
"""What one instance has to see of another, which it cannot where each has its data in memory alone."""


def as_seen(bench: "Bench", store: "StoreUnderTest", kit: Kit, requirement: str, judge: Callable[[], Result]) -> Result:
    """Judge what rests on seeing what a store does below its root; where nothing is to be seen, nothing holds.

    A store that keeps its data somewhere else is not judged at all: what is done to its root does not reach them.
    """
    from pytest_tradestore.examination import Place

    place = bench.place(store, kit)
    if place is Place.ELSEWHERE:
        reason = (
            "what it was given is not below its root, and the next process finds it all the same: nothing of what it "
            "does can be seen. Let the adapter keep its data in the directory that it is given"
        )
        return judged(requirement, kit.name, Grounds(undecided=reason))
    result = judge()
    if place is Place.NOWHERE and result.verdict is Verdict.HOLDS:
        reason = "it leaves nothing below its root, so that nothing of what it does was seen"
        return judged(requirement, kit.name, Grounds(undecided=reason))
    if place is Place.NOWHERE and result.counterexample is not None and requirement in _BETWEEN_MEMORIES:
        return _told_of_memory(result, result.counterexample)
    return result


def _told_of_memory(result: Result, first: Counterexample) -> Result:
    """Put down what several instances do not see of each other to what none of them writes: no lock mends that."""
    from pytest_tradestore.crash.culprits import EARLY
    from pytest_tradestore.crash.remedies import TOO_EARLY

    call = first.headline.partition("(")[0]
    cause = Cause(Culprit(f"{call} {EARLY}"), Harm.LOST, TOO_EARLY)
    return replace(result, counterexample=replace(first, cause=cause, remedy=TOO_EARLY), others=())


def check_by(
    requirement: str,
    kit: Kit,
    grounds: "Callable[[Bench, StoreUnderTest], Grounds]",
    claim: str = "",
    *,
    by_sight: bool = False,
    early: "Callable[[Bench, StoreUnderTest], Iterator[Result]] | None" = None,
) -> Check:
    """Return the check that judges a requirement by its grounds; a store that does not claim ``claim`` is not asked.

    ``by_sight``: it rests on seeing what the store does below its root. ``early`` is that of the check.
    """

    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        if claim and claim not in store.declarations.claims:
            return unclaimed(requirement, kit.name, claim, store.declarations)
        if not by_sight:
            return judged(requirement, kit.name, grounds(bench, store))
        return as_seen(bench, store, kit, requirement, lambda: judged(requirement, kit.name, grounds(bench, store)))

    return Check(requirement, kit.name, judge, early)
