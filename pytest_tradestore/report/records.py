"""What is known of each store at the end of a run, and its JSON form, in which it travels between processes.

Facts only: what they amount to is for ``report.summary``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.requirements import Profile, Requirement, adopt
from pytest_tradestore.verdict import (
    Change,
    Counterexample,
    PathSeen,
    Result,
    Sighting,
    Step,
    StepKind,
    StepStatus,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A store as it presented itself; ``id`` begins the ids of its items, ``checks`` lists all there are for it."""

    id: str
    name: str
    contracts: tuple[str, ...]
    claims: tuple[str, ...]
    checks: tuple[str, ...]
    methods: tuple[str, ...] = ()
    output: str = ""
    requirements: tuple[tuple[Any, ...], ...] = ()
    """What its team asks beyond the catalogue, as plain values."""
    troubles: tuple[tuple[str, str, str, str], ...] = ()
    """Contracts of which nothing is asked, because not even ordinary use works: with the sentence, the remedy, and the
    store's traceback."""
    takes: tuple[Any, ...] = ()
    """The values that it was found to take, as plain values; empty where it declares them, or takes all."""
    deadline: float = 0.0
    """Seconds for one step of it, as found out; 0 where it declares them."""
    imports: tuple[str, ...] = ()
    """Modules of others that ordinary use of it imports."""

    def trouble_of(self, case: str) -> tuple[str, str, str, str] | None:
        """Return why a case is not asked, if it is of a contract that does not work."""
        for trouble in self.troubles:
            if case == trouble[0] or case.startswith(f"{trouble[0]}-"):
                return tuple(trouble)  # type: ignore[return-value] # a list, where it came from JSON
        return None


@dataclass
class StoreRecord:
    """A store and what was found out about it: a result, or the sentence of an error of ours, per check."""

    facts: StoreFacts
    results: dict[str, Result] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """What the item of one check hands over: a result, or an error of ours.

    ``facts`` come along only where the process that collects the notes did not examine the store itself.
    """

    store: str
    check: str
    result: Result | None = None
    error: str = ""
    facts: StoreFacts | None = None

    def to_json(self) -> str:
        return json.dumps(
            {
                "store": self.store,
                "check": self.check,
                "result": None if self.result is None else result_to_dict(self.result),
                "error": self.error,
                "facts": None if self.facts is None else asdict(self.facts),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Note":
        read = json.loads(text)
        return cls(
            read["store"],
            read["check"],
            None if read["result"] is None else result_from_dict(read["result"]),
            read["error"],
            None if read["facts"] is None else facts_from_dict(read["facts"]),
        )


def check_id(requirement: str, case: str) -> str:
    """Return the last part of an item's id."""
    return f"{requirement}[{case}]"


def facts_from_dict(read: Mapping[str, Any]) -> StoreFacts:
    """Return what ``asdict`` was made of; requirements of a team's own are known from then on."""
    facts = StoreFacts(**_frozen(read))
    for id_, profile, sentence, why, remedy in facts.requirements:
        adopt(Requirement(id_, Profile(profile), sentence, why, remedy))
    return facts


def _frozen(read: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}


def result_to_dict(result: Result) -> dict[str, Any]:
    """Return ``result`` in the form of the JSON report."""
    example = result.counterexample
    return {
        "id": result.requirement,
        "case": result.case,
        "verdict": result.verdict.value,
        "reason": result.reason,
        "checked": dict(result.checked),
        "exhaustive": result.exhaustive,
        "counterexample": None if example is None else _example_to_dict(example),
        "evidence": result.evidence,
        "unclaimed": result.unclaimed,
        "output": result.output,
        "portability": list(result.portability),
        "others": [_example_to_dict(other) for other in result.others],
        "seconds": result.seconds,
    }


def result_from_dict(read: Mapping[str, Any]) -> Result:
    example = read["counterexample"]
    return Result(
        read["id"],
        read["case"],
        Verdict(read["verdict"]),
        read["reason"],
        read["checked"],
        read["exhaustive"],
        None if example is None else _example_from_dict(example),
        read.get("evidence", ""),
        read.get("unclaimed", ""),
        read.get("output", ""),
        tuple(_example_from_dict(other) for other in read.get("others", ())),
        tuple(read.get("portability", ())),
        read.get("seconds", 0.0),
    )


def _example_to_dict(example: Counterexample) -> dict[str, Any]:
    steps = [asdict(step) | {"fate": step.fate.value, "kind": step.kind.value} for step in example.steps]
    return asdict(example) | {"steps": steps, "cause": None if example.cause is None else cause_to_dict(example.cause)}


def cause_to_dict(cause: Cause) -> dict[str, Any]:
    """Return ``cause`` in the form of the JSON report."""
    culprit = cause.culprit
    harm = cause.harm.name.lower()
    return {"fault": culprit.fault, "places": list(culprit.places), "harm": harm, "remedy": cause.remedy}


def _cause_from_dict(read: Mapping[str, Any]) -> Cause:
    return Cause(Culprit(read["fault"], tuple(read["places"])), Harm[read["harm"].upper()], read["remedy"])


def _example_from_dict(read: Mapping[str, Any]) -> Counterexample:
    steps = tuple(map(_step_from_dict, read["steps"]))
    sightings = tuple(Sighting(**one) for one in read.get("sightings", ()))
    cause = None if read.get("cause") is None else _cause_from_dict(read["cause"])
    changes = tuple(map(_change_from_dict, read.get("changes", ())))
    made = {"steps": steps, "sightings": sightings, "cause": cause, "changes": changes}
    return Counterexample(**(_frozen(read) | made))


def _step_from_dict(read: Mapping[str, Any]) -> Step:
    kind = read.get("kind", StepKind.CRASH.value if read["text"] == "CRASH" else StepKind.OPERATION.value)
    return Step(**({**read} | {"fate": StepStatus(read["fate"]), "kind": StepKind(kind)}))


def _change_from_dict(read: Mapping[str, Any]) -> Change:
    sides = {side: None if read[side] is None else PathSeen(**read[side]) for side in ("before", "after")}
    return Change(**({**read} | sides))
