"""Requirements about errors: what a store does when a call to the system fails, or a value cannot be stored.

One run of every fault worth trying is the evidence for three of them; failed syncs are crashed after in a second one.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.values import same
from pytest_tradestore.conformance.visit import Mismatch, Visit, check
from pytest_tradestore.contracts import Contract
from pytest_tradestore.tries import Sort, TryToken, fingerprint
from pytest_tradestore.verdict import Counterexample, Fate, Result, Step, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.faults.evidence import FaultEvidence, FaultViolation
    from pytest_tradestore.faults.sync_crashes import SyncEvidence
    from pytest_tradestore.target import StoreUnderTest

_STEPS_SHOWN = 24


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return the fault checks of one contract."""
    made = [_of_trials(requirement, contract) for requirement in ("FAULT-1", "FAULT-3", "FAULT-5")]
    made.insert(1, _of_syncs(contract))
    if contract.name in _WRITING:
        made.insert(3, check("FAULT-4", contract.name, _refused_values(*_WRITING[contract.name])))
    return tuple(made)


def _of_trials(requirement: str, contract: Contract) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        evidence = bench.faults(store, contract)
        checked = {"faults": evidence.struck}
        shared = f"faults of {contract.name}"
        if violation := evidence.violations.get(requirement):
            told = counterexample(store.name, contract, violation)
            reason = violation.breach.sentence
            return Result(
                requirement, contract.name, Verdict.VIOLATED, reason, checked, evidence.exhaustive, told, shared
            )
        if reason := evidence.undecided or evidence.given_up or _powerless(evidence):
            return Result(requirement, contract.name, Verdict.UNDECIDED, reason, checked, exhaustive=False)
        return Result(requirement, contract.name, Verdict.HOLDS, "", checked, evidence.exhaustive, evidence=shared)

    return Check(requirement, contract.name, judge)


def _powerless(evidence: "FaultEvidence") -> str:
    return "" if evidence.struck else "none of the faults came into play"


def counterexample(store: str, contract: Contract, violation: "FaultViolation") -> Counterexample:
    """Tell of one fault and what the store made of it."""
    trial, breach = violation.trial, violation.breach
    first = max(0, len(violation.calls) - _STEPS_SHOWN)
    steps = tuple(Step(number, Fate.NOTE, str(call)) for number, call in enumerate(violation.calls[first:], first + 1))
    outcome = f"the caller got {trial.raised}" if trial.raised else "the caller got no error"
    return Counterexample(
        breach.sentence,
        workload=violation.done,
        steps=steps,
        found=(breach.found,),
        allowed=breach.allowed,
        notes=(
            f"the fault: {trial.refusal}; {outcome}",
            *((f"seen with {violation.how_many} different faults",) if violation.how_many > 1 else ()),
        ),
        token=str(TryToken(store, contract.name, Sort.FAULT, fingerprint(trial.subject, trial.refusal))),
    )


def _of_syncs(contract: Contract) -> Check:
    requirement = "FAULT-2"

    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        if "power-loss" not in store.declarations.claims:
            return Result(requirement, contract.name, Verdict.NOT_APPLICABLE, "the store disclaims power-loss")
        evidence = bench.failed_syncs(store, contract)
        checked = {"failed_syncs": evidence.recordings, "images": evidence.images}
        if evidence.breach is not None:
            told = after_failed_sync(store.name, contract, evidence)
            return Result(
                requirement, contract.name, Verdict.VIOLATED, told.headline, checked, evidence.exhaustive, told
            )
        if evidence.undecided:
            return Result(requirement, contract.name, Verdict.UNDECIDED, evidence.undecided, exhaustive=False)
        if not evidence.recordings:
            reason = "no update of it calls fsync, so there is none that could fail"
            return Result(requirement, contract.name, Verdict.NOT_APPLICABLE, reason)
        return Result(requirement, contract.name, Verdict.HOLDS, "", checked, evidence.exhaustive)

    return Check(requirement, contract.name, judge)


def after_failed_sync(store: str, contract: Contract, evidence: "SyncEvidence") -> Counterexample:
    """Tell of a failed sync and what a power loss leaves after it."""
    assert evidence.breach is not None
    image = evidence.image
    files = tuple(f"{f.path}: {len(f.content):,} bytes" for f in image.files if f.kind.value == "file") if image else ()
    return Counterexample(
        evidence.breach.sentence,
        crash=f"power loss, after {evidence.acknowledged} had returned" if image else "",
        workload=(
            evidence.subject,
            f"({evidence.fault})",
            *(("the next update", "power loss", "reopen") if image else ()),
        ),
        image=files,
        found=(evidence.breach.found,),
        allowed=evidence.breach.allowed,
        notes=("a failed fsync marks the pages clean: the next one on them succeeds without having written them",),
        how_many=evidence.how_many,
        token=str(TryToken(store, contract.name, Sort.SYNC, fingerprint(evidence.subject, evidence.fault))),
    )


# Values that cannot be stored

_WRITING: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "document": ("save", "load", ()),
    "documents": ("put", "get", ("AAPL",)),
    "journal": ("append", "read", ("orders",)),
    "state": ("save_strategy_state", "load_strategy_state", ("momentum",)),
}


class _Raising:
    """Fails when anybody looks at it closely."""

    def __str__(self) -> str:
        raise RuntimeError("this value cannot be shown")

    __repr__ = __str__

    def __reduce__(self) -> Any:
        raise RuntimeError("this value cannot be copied")


def _half_way() -> Any:
    yield 1
    raise RuntimeError("this generator ends half way")


def _itself() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


HOPELESS: dict[str, Callable[[], Any]] = {
    "a set": lambda: {1, 2},
    "an object": object,
    "bytes": lambda: b"\xff\xfe",
    "a complex number": lambda: 1j,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "half of a surrogate pair": lambda: "\ud800",
    "a number as a key": lambda: {1: "one"},
    "None as a key": lambda: {None: "nothing"},
    "a pair as a key": lambda: {(1, 2): "pair"},
    "a list that contains itself": _itself,
    "an object that raises when it is looked at": _Raising,
    "a generator that raises half way": _half_way,
}
"""Values that JSON does not have, or has by another name; each is tried after a long text, at the end of a document."""


def _refused_values(write: str, read: str, place: tuple[str, ...]) -> Callable[[Visit], Mismatch | None]:
    def program(visit: Visit) -> Mismatch | None:
        for name, make in HOPELESS.items():
            visit.fresh()
            if found := _one_value(visit, name, make, write, read, place):
                return found
        return None

    return program


def _one_value(
    visit: Visit, name: str, make: Callable[[], Any], write: str, read: str, place: tuple[str, ...]
) -> Mismatch | None:
    good = {"version": 1, "cash": 1.5, "positions": {"AAPL": 100}}
    visit.must(write, *place, good)
    before = visit.call(read, *place)
    bad = {"version": 2, "notes": "x" * 20_000, "value": make()}
    shown = f"{write}({', '.join(map(repr, place))}{', ' if place else ''}{{version: 2, notes: ..., value: {name}}})"
    visit.checked["values"] += 1
    try:
        visit.call(write, *place, bad, shown=shown)
    except Exception:  # a refusal, by whichever exception: what counts is that the caller knows
        visit.checked["refused"] += 1
        try:
            kept = visit.call(read, *place)
        except Exception as error:
            told = f"{type(error).__name__}: {visit.opened.told(error)}"
            return visit.mismatch(
                f"{name} was refused, and the value before it can no longer be read", told, str(before)
            )
        if not same(kept, before):
            return visit.expect(f"{name} was refused, and the value before it is no longer what is read", kept, before)
        visit.reopen()
        kept = visit.call(read, *place)
        return visit.expect(
            f"{name} was refused, and after reopening the value before it is not what is read", kept, before
        )
    found = visit.call(read, *place)
    newest = found[-1] if write == "append" and isinstance(found, list) and found else found
    value = newest.get("value") if isinstance(newest, dict) else None
    if isinstance(newest, dict) and "value" in newest and _alike(value, make()):
        return None
    return visit.mismatch(
        f"{name} was accepted, and what is read is something else",
        _shown(value),
        f"{name}, or an error when it is written",
    )


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and wanted != wanted:
        return isinstance(found, float) and found != found
    if isinstance(wanted, (_Raising, list)) or type(wanted) is object or hasattr(wanted, "send"):
        return type(found) is type(wanted)
    if isinstance(wanted, dict):
        return isinstance(found, dict) and list(found.items()) in (list(wanted.items()), list(_as_json(wanted).items()))
    return type(found) is type(wanted) and bool(found == wanted)


def _as_json(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return what Python's json makes of keys that are no text: it writes 1 as "1", by its documentation."""
    return {json.dumps(key) if key is None or isinstance(key, int) else key: item for key, item in value.items()}


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.200}" if not isinstance(value, _Raising) else "an object"
    except Exception:
        return f"a {type(value).__name__}"
