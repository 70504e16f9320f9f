"""A fault and a crash at once: which faults are crashed in, and stores that survive both beside those that do not."""

import errno
import os

import pytest

from pytest_tradestore import runner
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import faults
from pytest_tradestore.crash.exploration import Explored
from pytest_tradestore.faults import lasting, seccomp, sync_crashes
from pytest_tradestore.faults.calls import Call, CallKind, Fault, Watched
from pytest_tradestore.faults.going_on import deeds_after, goes_on_as_ever
from pytest_tradestore.faults.trials import Trial
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.meanwhile import (
    AppendsToWhatItCannotRepair,
    BeginsAnewWhereRepairFails,
    RemembersWhatFailed,
    RemovesTheOldOneToRename,
    WritesInPlaceWhereItCannotRename,
)
from tests.sound_stores.files import cut_torn_tail, whole_lines, write_synced

STAGED, FILE = "a.tmp", "a.json"
CREATE, WRITE, SYNC = (Call(kind, STAGED) for kind in (CallKind.CREATE, CallKind.WRITE, CallKind.SYNC))
RENAME = Call(CallKind.RENAME, FILE)
SAVE = (CREATE, WRITE, SYNC, RENAME)
CANNOT_RENAME = Fault(CallKind.RENAME, FILE, 1, errno.EBUSY)


def trial_of(*calls, fault=CANNOT_RENAME):
    return Trial("save(1)", fault, Watched(calls, 1, False, ()))


def test_who_writes_over_the_file_itself_goes_on():
    over = (Call(CallKind.CREATE, FILE), Call(CallKind.WRITE, FILE))

    assert deeds_after(trial_of(*SAVE, *over)) == ((CallKind.CREATE, FILE), (CallKind.WRITE, FILE))


@pytest.mark.parametrize("rest", [(), (Call(CallKind.UNLINK, STAGED),)], ids=["raises", "tidies up"])
def test_control_who_raises_or_takes_away_what_it_has_made_does_not(rest):
    assert deeds_after(trial_of(*SAVE, *rest)) == ()


def test_who_takes_away_what_it_has_not_made_goes_on():
    assert deeds_after(trial_of(*SAVE, Call(CallKind.UNLINK, FILE))) == ((CallKind.UNLINK, FILE),)


def test_who_does_what_it_always_does_has_found_no_way_around():
    stale = Call(CallKind.UNLINK, STAGED)
    trial = trial_of(stale, *SAVE, fault=Fault(CallKind.UNLINK, STAGED, 1, errno.EACCES))

    assert goes_on_as_ever(trial, SAVE)
    assert not goes_on_as_ever(trial_of(*SAVE, RENAME), SAVE[:3])


class StagesAnew(RemovesTheOldOneToRename):
    """Where it cannot rename it stages again under another name, and renames that."""

    def _put(self, staged):
        try:
            os.replace(staged, self.file)
        except OSError:
            another = self.root / "portfolio.again"
            write_synced(another, staged.read_text("utf-8"))
            os.replace(another, self.file)
            staged.unlink()


class RaisesWhereItCannotRepair(AppendsToWhatItCannotRepair):
    def _repair(self, path):
        cut_torn_tail(path)


class LeavesWhatItCannotRepair(BeginsAnewWhereRepairFails):
    """Opens nevertheless, and lets the next append try again."""

    def __init__(self, root):
        self.root = root
        for path in root.glob("*.log"):
            content = path.read_bytes()
            good = whole_lines(content)[1]
            if good < len(content):
                try:
                    os.truncate(path, good)
                except OSError:
                    continue


class MarksWhatFailed(RemembersWhatFailed):
    """Takes the mark away only when the record is there."""

    def append(self, stream, record):
        mark = self.root / f"{stream}.writing"
        super().append(stream, record)
        mark.unlink(missing_ok=True)

    def _end(self, mark):
        pass


def judged(requirement, target, deadline=None):
    store, bench = StoreUnderTest("store", target, deadline=deadline), Bench(Settings(budget=Budget.QUICK))
    contract = bench.examined(store).contracts[0]
    assert contract in KITS
    (check,) = (check for check in faults.checks(contract) if check.requirement == requirement)
    return check.judge(bench, store)


together = pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not()))


@together
@pytest.mark.proof
@pytest.mark.parametrize(
    ("requirement", "broken", "sound"),
    [
        ("FAULT-6", WritesInPlaceWhereItCannotRename, StagesAnew),
        ("FAULT-6", RemovesTheOldOneToRename, StagesAnew),
        ("FAULT-6", AppendsToWhatItCannotRepair, RaisesWhereItCannotRepair),
        ("FAULT-6", BeginsAnewWhereRepairFails, LeavesWhatItCannotRepair),
        ("FAULT-5", RemembersWhatFailed, MarksWhatFailed),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_change_tells_a_store_that_loses_data_from_one_that_does_not(requirement, broken, sound):
    assert judged(requirement, broken).verdict is Verdict.VIOLATED
    assert judged(requirement, sound).verdict is Verdict.HOLDS


@pytest.mark.proof
@together
def test_without_its_control_no_crash_while_a_fault_lasts_is_blamed_on_the_fault(monkeypatch):
    explored, explore = [], lasting.explore

    def but_for_the_control(store, workload, questions, sandbox):
        explored.append(questions)
        if len(explored) == 1:
            return explore(store, workload, questions, sandbox)
        return Explored((None,) * len(questions), 0.0)

    monkeypatch.setattr(lasting, "explore", but_for_the_control)
    result = judged("FAULT-6", WritesInPlaceWhereItCannotRename)

    assert (result.verdict, len(explored)) == (Verdict.UNDECIDED, 2)
    assert "crash images were not looked at" in result.reason


@pytest.mark.proof
@together
def test_a_crash_while_a_fault_lasts_is_told_with_its_steps_and_can_be_replayed():
    result = judged("FAULT-6", WritesInPlaceWhereItCannotRename)
    told = result.counterexample

    assert "goes on although rename portfolio.json fails with" in told.headline
    assert "create portfolio.tmp" in [step.text for step in told.steps]
    assert "written in place" in str(told.cause)
    store = StoreUnderTest("store", WritesInPlaceWhereItCannotRename)
    again = replay(told.token, store, Bench(Settings(budget=Budget.QUICK)))
    assert [(id_, example.headline) for id_, example in again.violations] == [("FAULT-6", told.headline)]


class HangsAfterAFailedSync(StagesAnew):
    """Notes that a sync has failed, and never comes back from an opening that finds the note after a crash."""

    def __init__(self, root):
        super().__init__(root)
        while (root / "failed").exists():
            os.sched_yield()

    def save(self, data):
        try:
            super().save(data)
        except OSError as error:
            if error.errno == errno.EIO:
                (self.root / "failed").touch()
            raise


@pytest.fixture
def looked_at(monkeypatch):
    """How many questions each exploration after a failed sync was given, and how many of them were answered."""
    counts, explore = [], sync_crashes.explore

    def counting(*asked):
        explored = explore(*asked)
        counts.append((len(explored.answers), sum(answer is not None for answer in explored.answers)))
        return explored

    monkeypatch.setattr(sync_crashes, "explore", counting)
    return counts


@together
@pytest.mark.proof
def test_crash_images_that_a_hanging_store_was_not_asked_about_after_a_failed_sync_do_not_count(looked_at, monkeypatch):
    monkeypatch.setattr(runner, "HANGS", 2)
    result = judged("FAULT-2", HangsAfterAFailedSync, deadline=1)

    asked, answered = looked_at[0]
    assert answered < asked
    assert (result.checked["images"], result.exhaustive) == (answered, False)


@together
@pytest.mark.proof
@pytest.mark.parametrize(("requirement", "module"), [("FAULT-2", sync_crashes), ("FAULT-6", lasting)])
def test_where_no_crash_image_was_looked_at_nothing_is_said_to_hold(requirement, module, monkeypatch):
    monkeypatch.setattr(module, "explore", lambda *asked: Explored((None,) * len(asked[2]), 0.0))
    result = judged(requirement, StagesAnew)

    assert (result.verdict, result.checked["images"], result.exhaustive) == (Verdict.UNDECIDED, 0, False)
    assert "crash images were not looked at" in result.reason


@together
@pytest.mark.proof
@pytest.mark.parametrize("requirement", ["FAULT-2", "FAULT-6"])
def test_control_where_they_were_it_holds(requirement):
    result = judged(requirement, StagesAnew)

    assert result.verdict is Verdict.HOLDS
    assert result.checked["images"] > 0


def test_without_a_recorder_of_system_calls_nothing_is_said_to_hold():
    store = StoreUnderTest("store", StagesAnew)
    (contract,) = Bench(Settings()).examined(store).contracts
    (check,) = (check for check in faults.checks(contract) if check.requirement == "FAULT-6")

    result = check.judge(Bench(Settings(recorder="fake", budget=Budget.QUICK)), store)

    assert result.verdict is Verdict.UNDECIDED
    assert "Linux, seccomp and the strace recorder" in result.reason
