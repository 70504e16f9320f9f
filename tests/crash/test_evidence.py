"""The whole pipeline on tiny stores: what is found, what is not, and what is left undecided."""

import json
import os
from functools import cache

import pytest

from pytest_tradestore import runner
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import crashes
from pytest_tradestore.crash import evidence as pipeline
from pytest_tradestore.crash import recovery
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.evidence import first_look, gather
from pytest_tradestore.crash.exploration import Explored
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.crash.tiny_stores import BareRename, Durable, Truncating

DOCUMENT = kit_named("document")


def evidence_of(target, *, deadline=5, **settings):
    store = StoreUnderTest("tiny", target, deadline=deadline)
    return gather(store, workload_for(DOCUMENT, frozenset()), Settings(recorder="fake", **settings))


@pytest.fixture(scope="module")
def durable():
    return evidence_of(Durable)


def test_a_sound_store_violates_nothing_and_everything_was_tried(durable):
    assert (dict(durable.violations), durable.undecided, durable.exhaustive) == ({}, "", True)


def test_what_was_done_is_counted(durable):
    effort = durable.effort

    assert effort.images > 10
    assert effort.crash_states > effort.images
    assert effort.operations > 20
    assert effort.total_seconds >= effort.store_seconds >= 0


@pytest.mark.parametrize(
    ("target", "violated"),
    [(Truncating, {"ATOM-1", "ATOM-2"}), (BareRename, {"ATOM-2", "DUR-2"})],
    ids=["truncates in place", "renames without syncing"],
)
def test_control_a_broken_one_violates_what_it_breaks(target, violated):
    assert set(evidence_of(target).violations) == violated


@pytest.fixture
def asked(monkeypatch):
    """The questions that are put to the store."""
    put, explore = [], pipeline.explore

    def counting(store, workload, questions, *more):
        put.extend(questions)
        return explore(store, workload, questions, *more)

    monkeypatch.setattr(pipeline, "explore", counting)
    return put


def looked_at_first(target):
    """What the first look shows, and what is found when it is gone on from there."""
    store, workload = StoreUnderTest("tiny", target, deadline=5), workload_for(DOCUMENT, frozenset())
    settings = Settings(recorder="fake")
    begun = first_look(store, workload, settings)
    return begun, gather(store, workload, settings, begun)


def told(evidence):
    return {
        requirement: [(v.state, v.breach.sentence, v.culprit, v.how_many) for v in violations]
        for requirement, violations in evidence.violations.items()
    }


@pytest.mark.parametrize("target", [Truncating, BareRename], ids=["truncates in place", "renames without syncing"])
def test_the_first_look_finds_what_the_whole_search_finds_and_nothing_is_asked_twice(target, asked):
    begun, found = looked_at_first(target)
    together = asked.copy()
    asked.clear()
    alone = evidence_of(target)

    assert begun.evidence is not None
    assert set(begun.evidence.violations) <= set(alone.violations)
    assert not begun.evidence.exhaustive
    assert told(found) == told(alone)
    assert found.effort.images == alone.effort.images
    assert (len(together), set(together)) == (len(asked), set(asked))


def test_control_nothing_is_found_first_in_a_sound_store_and_all_of_it_is_searched(durable):
    begun, found = looked_at_first(Durable)

    assert begun.evidence is None
    assert 0 < len(begun.answers) < durable.effort.images
    assert (dict(found.violations), found.exhaustive, found.effort.images) == ({}, True, durable.effort.images)


def test_a_violation_is_the_simplest_of_those_that_do_most_harm():
    violation = evidence_of(BareRename).violations["DUR-2"][0]

    assert violation.how_many > 1
    assert len(violation.state.lost) == 1
    assert violation.group.window == Window(2, 2)  # the first save has nothing to destroy yet


def test_a_replacement_without_fsync_is_not_atomic_on_ext4_either():
    """Its rename allocates the file that it puts over another one, and does not wait for what is in it."""
    violations = evidence_of(BareRename, model="ext4").violations

    assert set(violations) == {"ATOM-2", "DUR-2"}
    assert violations["ATOM-2"][0].image.files[0].content.strip(b"\0") == b""


def test_the_sound_store_violates_nothing_on_file_systems_that_keep_more(durable):
    for model in ("ext4", "xfs", "btrfs"):
        evidence = evidence_of(Durable, model=model)
        assert dict(evidence.violations) == {}
        assert evidence.effort.images <= durable.effort.images


def test_on_macos_an_fsync_is_not_enough():
    assert set(evidence_of(Durable, model="macos").violations) == {"ATOM-2", "DUR-2"}


class LeavesItsLock(Durable):
    """Opens once: it makes a file by which it knows that somebody has it open, and leaves that when it is closed."""

    def __init__(self, root):
        super().__init__(root)
        os.close(os.open(root / "lock", os.O_CREAT | os.O_EXCL))

    def close(self):
        """Nothing is given back."""


def test_a_store_that_cannot_be_opened_a_second_time_is_recorded_in_one_session_and_breaks_what_it_breaks():
    evidence = evidence_of(LeavesItsLock)

    assert evidence.undecided == ""
    assert "REC-1" in evidence.violations


def test_a_budget_that_cuts_the_search_is_said():
    assert evidence_of(BareRename).exhaustive is False


class Beside:
    """What a store also makes and never syncs, and nobody's data are in: losing it explains nothing."""

    def save(self, data):
        (self.file.parent / ".lock").touch()
        super().save(data)


class NotedBeside:
    def save(self, data):
        with open(self.file.parent / "saved.log", "a") as log:
            log.write("saved\n")
        super().save(data)


@cache
def causes(target):
    violations = evidence_of(target, budget=Budget.QUICK).violations
    told = {r: {str(v.culprit) for v in found} for r, found in violations.items()}
    told.pop("ATOM-4", None)  # what piles up is its own matter
    return told


@pytest.mark.parametrize("beside", [Beside, NotedBeside])
@pytest.mark.parametrize(
    ("store", "violated"), [(Durable, set()), (Truncating, {"ATOM-1", "ATOM-2"}), (BareRename, {"ATOM-2", "DUR-2"})]
)
def test_what_is_lost_beside_it_is_no_cause(beside, store, violated):
    class Both(beside, store):
        pass

    told = causes(Both)

    assert told == causes(store)
    assert set(told) == violated


class Trapped(Durable):
    """Works while it is recorded; after a crash that left a temporary file, ``trap`` is what a save does."""

    def __init__(self, root):
        super().__init__(root)
        self.trapped = self.staged.exists()

    def save(self, data):
        if self.trapped:
            self.trap()
        super().save(data)


def exits():
    os._exit(4)


def hangs():
    while True:
        os.sched_yield()


@pytest.mark.proof
@pytest.mark.parametrize(("trap", "how"), [(exits, "exited with status 4"), (hangs, "took longer than 2 s")])
def test_a_store_that_ends_its_process_at_the_next_update_breaks_rec_3(trap, how):
    class Ends(Trapped):
        def trap(self):
            trap()

    evidence = evidence_of(Ends, deadline=2)

    assert set(evidence.violations) == {"REC-3"}
    assert how in evidence.violations["REC-3"][0].breach.sentence


class Hangs(Durable):
    def __init__(self, root):
        super().__init__(root)
        if self.staged.exists():
            hangs()


@pytest.mark.proof
def test_a_store_that_hangs_at_every_crash_image_is_given_up_and_that_is_said():
    evidence = evidence_of(Hangs, deadline=1)

    assert set(evidence.violations) == {"REC-1"}
    assert not evidence.exhaustive
    assert "were not looked at" in evidence.given_up


class Recovers(Durable):
    """Takes away what a crash has left."""

    def __init__(self, root):
        super().__init__(root)
        self.staged.unlink(missing_ok=True)


def judged(requirement, target, *, deadline=5):
    store, bench = StoreUnderTest("tiny", target, deadline=deadline), Bench(Settings(recorder="fake"))
    (check,) = (check for check in crashes.checks(DOCUMENT) if check.requirement == requirement)
    return check.judge(bench, store)


@pytest.mark.proof
def test_of_a_store_that_is_given_up_it_is_not_said_that_it_recovers_from_nothing(monkeypatch):
    monkeypatch.setattr(runner, "HANGS", 2)
    result = judged("REC-2", Hangs, deadline=1)

    assert (result.verdict, result.exhaustive) == (Verdict.UNDECIDED, False)
    assert "crash images were not looked at" in result.reason


def test_crashes_of_a_recovery_that_were_not_looked_at_are_not_said_to_be_survived(monkeypatch):
    monkeypatch.setattr(recovery, "explore", lambda *asked: Explored((None,) * len(asked[2]), 0.0))
    result = judged("REC-2", Recovers)

    assert (result.verdict, result.exhaustive) == (Verdict.UNDECIDED, False)
    assert "crash images were not looked at" in result.reason


def test_control_where_they_were_looked_at_they_are():
    result = judged("REC-2", Recovers)

    assert result.verdict is Verdict.HOLDS
    assert result.checked["recoveries"] > 0


UNRECORDABLE = {
    "it refuses to open": ("__init__", ValueError("no licence"), "opening the store raised ValueError: no licence"),
    "it refuses to save": ("save", OSError("disk full"), "raised OSError: disk full"),
}


@pytest.mark.parametrize(("method", "error", "reason"), UNRECORDABLE.values(), ids=list(UNRECORDABLE))
def test_a_store_whose_workload_cannot_be_recorded_is_undecided_with_the_reason(method, error, reason):
    def refuse(*_):
        raise error

    evidence = evidence_of(type("Refuses", (Durable,), {method: refuse}))

    assert reason in evidence.undecided
    assert (dict(evidence.violations), evidence.effort.images) == ({}, 0)


def test_a_store_that_forgets_at_once_is_undecided_because_nothing_would_be_proved():
    class Forgets(Durable):
        def save(self, data):
            pass

    assert "does not see the change" in evidence_of(Forgets).undecided


def test_files_declared_volatile_are_tried_without_and_with_what_they_held_last():
    class Cached(Durable):
        """Keeps an index that it can do without; a damaged one it could not read."""

        tradestore_volatile = ("*.idx",)

        def save(self, data):
            super().save(data)
            (self.file.parent / "f.idx").write_text(json.dumps({"size": self.file.stat().st_size}))

        def load(self):
            index = self.file.parent / "f.idx"
            if index.exists():
                json.loads(index.read_text())
            return super().load()

    assert dict(evidence_of(Cached).violations) == {}
    undeclared = type("Undeclared", (Cached,), {"tradestore_volatile": ()})
    assert "ATOM-2" in evidence_of(undeclared).violations
