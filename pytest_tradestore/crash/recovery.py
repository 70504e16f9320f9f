"""Crashes the recovery itself: where reopening a crash image wrote anything, that is recorded and crashed once more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath

from pytest_tradestore.crash.crash_state import CrashState, Group
from pytest_tradestore.crash.exploration import Inspection, Question, explore, given_up
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import PersistenceModel
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import NotRecorded, record_reopenings
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Limits
from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True, slots=True)
class Recovery:
    """A reopening that wrote something, recorded: what it did on the image of ``group``."""

    group: Group
    start: DurableImage
    program: Program
    history: History


@dataclass(frozen=True, slots=True)
class SecondCrash:
    """One crash during a recovery: ``state`` of ``recovery.program``, and what the store showed after it."""

    recovery: Recovery
    state: CrashState
    image: DurableImage
    inspection: Inspection


@dataclass(frozen=True, slots=True)
class SecondCrashes:
    """Those that were looked at; ``given_up`` says why others were not."""

    crashes: tuple[SecondCrash, ...]
    given_up: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image whose reopening wrote something."""

    group: Group
    question: Question
    inspection: Inspection


def telling(candidates: Sequence[Candidate], count: int) -> tuple[Candidate, ...]:
    """Pick at most ``count`` candidates: one of each kind of recovery first, with something to lose where there is
    such a one; then one of each kind for every update that was in flight, and then the others in turn."""
    by_kind: dict[tuple[object, ...], list[Candidate]] = {}
    first: dict[tuple[object, ...], Candidate] = {}
    seen: set[DurableImage] = set()
    for candidate in candidates:
        if candidate.question.image not in seen:
            seen.add(candidate.question.image)
            kind = _kind(candidate)
            if not _has_something_to_lose(first.setdefault(kind, candidate)):
                first[kind] = candidate if _has_something_to_lose(candidate) else first[kind]
            by_kind.setdefault((candidate.group.window, *kind), []).append(candidate)
    in_turn = (candidate for rank in zip_longest(*by_kind.values()) for candidate in rank if candidate is not None)
    picked = {id(candidate): candidate for candidate in (*first.values(), *in_turn)}
    return tuple(picked.values())[:count]


def _has_something_to_lose(candidate: Candidate) -> bool:
    """Say whether an update had been acknowledged; the opening, number 0, is none."""
    return candidate.group.window.acknowledged > 0


def _kind(candidate: Candidate) -> tuple[object, ...]:
    """Return what a recovery did, with names that may be random reduced to their endings."""
    return tuple(sorted((how, PurePosixPath(path).suffix) for how, path in candidate.inspection.wrote))


def crash_recoveries(
    store: StoreUnderTest,
    workload: Workload,
    candidates: Sequence[Candidate],
    recorder: Recorder,
    model: PersistenceModel,
    limits: Limits,
    sandbox: Sandbox,
    known: Mapping[Question, Inspection | None],
) -> SecondCrashes:
    """Record the recovery of each candidate, crash it everywhere, reopen, and return what was seen.

    ``known`` are answers that need not be asked for again: a recovery often passes through images of the first crash.
    """
    crashes: list[tuple[Recovery, CrashState, Question]] = []
    starts = [candidate.question.image for candidate in candidates]
    recordings = record_reopenings(store, workload, starts, recorder, sandbox)
    for candidate, recorded in zip(candidates, recordings, strict=True):
        if isinstance(recorded, NotRecorded) or recorded.trace.unseen:
            continue  # that it does not reopen has been seen, and is another requirement's finding
        program = lower(without_volatile(recorded.trace, store.declarations.volatile))
        recovery = Recovery(candidate.group, candidate.question.image, program, recorded.history)
        found = enumerate_states(
            program, model, subsets_per_cut=limits.subsets_per_cut, images=limits.images_per_recovery
        )
        crashes += [
            (recovery, group.simplest, Question(group.image, candidate.question.place))
            for group in found.groups
            if group.image != candidate.question.image
        ]
    asked = list(dict.fromkeys(question for _, _, question in crashes if question not in known))
    answers = {**known, **dict(zip(asked, explore(store, workload, asked, sandbox).answers, strict=True))}
    seen = [
        SecondCrash(recovery, state, question.image, inspection)
        for recovery, state, question in crashes
        if (inspection := answers[question]) is not None
    ]
    return SecondCrashes(tuple(seen), given_up([answers[question] for question in asked]))
