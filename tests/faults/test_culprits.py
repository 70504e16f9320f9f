"""What a store does wrong when a call fails, once for each cause, the worst first; and which call it was."""

import errno
from dataclasses import replace

import pytest

from pytest_tradestore.causes import Harm
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.faults.calls import Call, CallKind, Fault, Limit, Watched, failing_calls
from pytest_tradestore.faults.culprits import Flaw, remedy_for
from pytest_tradestore.faults.judging import FaultBreach, breaches, causes_of
from pytest_tradestore.faults.reopening import emptied_by
from pytest_tradestore.faults.trials import Subject, Trial
from pytest_tradestore.kits.call import Call as Update
from pytest_tradestore.observation import Failed, Observation, Value

RENAME = Fault(CallKind.RENAME, "a.tmp", 1, errno.EIO)
OLD, NEW = (Observation((("AAPL", Value(text)),)) for text in ("old", "new"))
SAVE = Subject("save(1)", DurableImage(()), OLD, Update("save", (1,), "AAPL"))


def trial_of(refusal, **seen):
    return Trial("save(1)", refusal, Watched((), 1, False, ()), **seen)


def causes(*rows):
    found = [
        (trial_of(fault), FaultBreach("FAULT-5", "it is so", flaw=flaw, harm=harm, left=left), key)
        for fault, flaw, harm, left, key in (row if len(row) == 5 else (*row, "") for row in rows)
    ]
    return [(str(cause.culprit), how_many) for _, _, cause, how_many in causes_of(found)["FAULT-5"]]


def test_the_worst_cause_comes_first_whatever_was_tried_first():
    assert causes(
        (RENAME, Flaw.LITTER, Harm.LEFTOVER, "a.*.tmp"),
        (replace(RENAME, role="a"), Flaw.DAMAGE, Harm.DESTROYED, ""),
    ) == [("read error taken for damage at a", 1), ("file left behind at a.*.tmp", 1)]


def test_the_number_of_the_error_makes_no_other_cause():
    rows = [(replace(RENAME, error=error), Flaw.SWALLOWED, Harm.LOST, "") for error in (errno.EIO, errno.ENOSPC)]

    assert causes(*rows) == [("error swallowed at a.tmp", 2)]


def test_one_file_that_is_left_is_one_cause_whatever_had_failed():
    rows = [(fault, Flaw.LITTER, Harm.LEFTOVER, "a.*.tmp") for fault in (RENAME, Limit("RLIMIT_FSIZE", 10))]

    assert causes(*rows) == [("file left behind at a.*.tmp", 2)]


WRITE = Fault(CallKind.WRITE, "a", 1, errno.ENOSPC)
TOO_LARGE = Limit("RLIMIT_FSIZE", 10)


@pytest.mark.parametrize("harm", [Harm.DESTROYED, Harm.WRONG])
def test_a_limit_of_the_process_shows_the_same_as_the_call_that_it_makes_fail(harm):
    rows = [(TOO_LARGE, Flaw.NOT_UNDONE, harm, ""), (WRITE, Flaw.NOT_UNDONE, Harm.LOST, "")]

    assert causes(*rows) == causes(*reversed(rows)) == [("failed update that leaves the old value damaged at a", 2)]


def test_control_alone_or_beside_another_call_it_is_a_cause_of_its_own():
    limited = (TOO_LARGE, Flaw.NOT_UNDONE, Harm.DESTROYED, "")

    assert causes(limited) == [("failed update that leaves the old value damaged at any write", 1)]
    assert len(causes(limited, (RENAME, Flaw.NOT_UNDONE, Harm.LOST, ""))) == 2


HALVED = replace(WRITE, error=0, partial=True)
THEN_FULL = replace(HALVED, error=errno.ENOSPC)
WRITTEN = Call(CallKind.WRITE, "a")


def of_a_save(refusal, *calls):
    """What is said of a save that returned, and after which the document is as before it."""
    trial = Trial("save(1)", refusal, Watched(calls, 1, False, ()), seen=OLD, fresh=OLD)
    return next(breaches(trial, trial_of(None, seen=NEW, fresh=NEW), SAVE)).flaw


@pytest.mark.parametrize(("refusal", "writes"), [(HALVED, 1), (HALVED, 2), (THEN_FULL, 1)])
def test_a_write_that_is_cut_short_and_not_gone_on_with_is_no_error_that_was_swallowed(refusal, writes):
    flaw = of_a_save(refusal, *[WRITTEN] * writes)

    assert flaw is Flaw.SHORT
    assert "write the rest" in remedy_for(flaw, refusal)


def test_control_where_a_write_fails_its_error_was_swallowed():
    assert of_a_save(THEN_FULL, WRITTEN, WRITTEN) is of_a_save(WRITE, WRITTEN) is Flaw.SWALLOWED


def test_a_limit_of_the_process_that_cuts_a_write_short_is_no_cause_of_its_own():
    rows = [(HALVED, Flaw.SHORT, Harm.LOST, ""), (TOO_LARGE, Flaw.SWALLOWED, Harm.LOST, "")]

    assert causes(*rows) == [("short write taken for a whole one at a", 2)]


def test_control_another_file_is_another_cause():
    rows = [(RENAME, Flaw.LITTER, Harm.LEFTOVER, left) for left in ("a.*.tmp", "b.*.tmp")]

    assert len(causes(*rows)) == 2


def test_the_files_of_two_keys_are_one_cause():
    rows = [(replace(RENAME, role=f"{key}.json"), Flaw.SWALLOWED, Harm.LOST, "", key) for key in ("AAPL", "MSFT")]

    assert causes(*rows) == [("error swallowed at KEY.json", 2)]


def test_a_rename_across_file_systems_is_told_where_to_make_its_temporary_files():
    across = replace(RENAME, error=errno.EXDEV)

    assert "in the directory of the file that they will replace" in remedy_for(Flaw.NOT_UNDONE, across)
    assert "lock" not in remedy_for(Flaw.NOT_UNDONE, across)


def test_control_another_error_of_it_is_told_to_leave_the_old_file_alone():
    assert "leave the old file alone" in remedy_for(Flaw.NOT_UNDONE, RENAME)


LOOK = Subject("reading AAPL", DurableImage(()), OLD, place="AAPL")
UNREADABLE = Observation((("AAPL", Failed("RuntimeError", "there is a reader already", declared=False)),))


def after_a_look(fresh):
    refused = Fault(CallKind.UNLINK, "reading.lock", 1, errno.EACCES)
    trial = trial_of(refused, raised="OSError", again=UNREADABLE.at("AAPL"), seen=UNREADABLE, fresh=fresh)
    return [(breach.requirement, breach.flaw) for breach in breaches(trial, None, LOOK)]


def test_what_another_process_can_read_is_not_damaged_but_this_instance_is_stuck():
    assert after_a_look(OLD) == [("FAULT-5", Flaw.STUCK)]


def test_control_what_nobody_can_read_any_more_was_taken_for_damage():
    assert after_a_look(UNREADABLE) == [("FAULT-3", Flaw.DAMAGE)]


CLOSE = Fault(CallKind.CLOSE, "count", 1, errno.EIO)


def requirements(without):
    trial = trial_of(CLOSE, seen=NEW, fresh=NEW, after=NEW, later=NEW, without=without)
    return {breach.requirement for breach in breaches(trial, trial, SAVE)}


def test_a_close_that_fails_unheard_is_a_breach_where_readers_need_the_file():
    assert "FAULT-1" in requirements(OLD)


def test_control_nobody_is_accused_of_a_file_that_nothing_depends_on():
    assert "FAULT-1" not in requirements(NEW)


def test_what_a_failed_close_may_lose_is_the_content_of_its_file():
    files = tuple(ImageFile(path, Kind.FILE, 0o644, b"x") for path in ("a", "count"))
    trial = trial_of(CLOSE, left=DurableImage(files))

    assert [(f.path, f.content) for f in emptied_by(trial).files] == [("a", b"x"), ("count", b"")]
    assert emptied_by(replace(trial, refusal=RENAME)) is None


CALLS = tuple(
    Call(kind, "a") for kind in (CallKind.OPEN, CallKind.WRITE, CallKind.WRITE, CallKind.SYNC, CallKind.WRITE)
)
STRUCK = {
    "the first of its kind": (Fault(CallKind.WRITE, "a", 1, errno.EIO), {2}),
    "the second": (Fault(CallKind.WRITE, "a", 2, errno.EIO), {3}),
    "it and all after it": (Fault(CallKind.WRITE, "a", 2, errno.EIO, lasting=True), {3, 5}),
    "half of it, and then the next": (Fault(CallKind.WRITE, "a", 1, errno.ENOSPC, partial=True), {3}),
    "half of it, where there is no next": (Fault(CallKind.WRITE, "a", 3, errno.ENOSPC, partial=True), {5}),
    "half of it alone": (Fault(CallKind.WRITE, "a", 1, 0, partial=True), {2}),
    "none of another file": (Fault(CallKind.WRITE, "b", 1, errno.EIO), set()),
    "no call of its own": (Limit("RLIMIT_FSIZE", 10), set()),
}


@pytest.mark.parametrize(("refusal", "expected"), STRUCK.values(), ids=list(STRUCK))
def test_the_call_that_failed_is_known(refusal, expected):
    assert failing_calls(CALLS, refusal) == expected


READ = Fault(CallKind.OPEN, "a", 1, errno.EMFILE)


def of_an_update(refusal, raised=""):
    """What an update breaks that leaves something else than it should, by (requirement, flaw)."""
    wrong = Observation((("AAPL", Value("wrong")),))
    seen = {"seen": wrong, "fresh": wrong, "after": wrong, "later": wrong}
    trial, control = trial_of(refusal, raised=raised, **seen), trial_of(None, seen=NEW, fresh=NEW, after=NEW, later=NEW)
    return next((breach.requirement, breach.flaw) for breach in breaches(trial, control, SAVE))


def test_an_update_that_goes_on_with_what_it_could_not_read_has_not_failed_it_took_an_error_for_absence():
    assert of_an_update(READ) == ("FAULT-3", Flaw.ABSENCE)


@pytest.mark.parametrize(("refusal", "raised"), [(READ, "OSError"), (WRITE, ""), (RENAME, "")])
def test_control_one_that_raises_or_could_not_write_has_left_the_old_value_damaged(refusal, raised):
    assert of_an_update(refusal, raised)[1] is Flaw.NOT_UNDONE


@pytest.mark.parametrize(("kind", "flaw"), [(CallKind.STAT, Flaw.ABSENCE), (CallKind.READ, Flaw.DAMAGE)])
def test_who_could_not_even_look_has_taken_nothing_for_damage(kind, flaw):
    trial = trial_of(replace(READ, kind=kind), seen=UNREADABLE, later=UNREADABLE)
    opening = Subject("opening the store", DurableImage(()), OLD)

    assert [breach.flaw for breach in breaches(trial, None, opening)] == [flaw]


@pytest.mark.parametrize("other", [WRITE, TOO_LARGE])
def test_what_memory_shows_before_the_disk_has_it_is_one_cause_whichever_step_fails(other):
    def of(refusal):
        trial = trial_of(refusal, raised="OSError", seen=NEW, fresh=OLD, after=NEW, later=NEW)
        control = trial_of(None, seen=NEW, fresh=NEW, after=NEW, later=NEW)
        return [(trial, breach, "") for breach in breaches(trial, control, SAVE) if breach.flaw is Flaw.MEMORY_AHEAD]

    (found,) = causes_of(of(RENAME) + of(other))["FAULT-1"]

    assert str(found[2].culprit) == "failed update that stays in memory at save()"
