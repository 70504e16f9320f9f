"""Which steps met: told from the steps of an execution, the same for whatever came of it."""

import errno
from dataclasses import replace

import pytest

from pytest_tradestore.causes import Culprit, Harm
from pytest_tradestore.crash.operations import Location
from pytest_tradestore.race.culprits import cause_of
from pytest_tradestore.race.execution import Ending, Execution, Program, Step
from pytest_tradestore.race.judging import RaceViolation, ViolationKind
from pytest_tradestore.race.listings import PASSED_OVER
from pytest_tradestore.race.slowness import SLOW


def execution(*steps, ending=Ending.FINISHED):
    told = tuple(
        Step(actor, operation, Location("store.py", line, "put") if line else None) for actor, operation, line in steps
    )
    return Execution((), told, (), ending)


def asked(*statements):
    """Return an execution whose steps are requests of a server; each is told with its caller."""
    return Execution((), tuple(Step(actor, text, asked=True) for actor, text in statements), (), Ending.FINISHED)


UPDATE = execution(
    (0, "call put", 0),
    (0, "read a", 3),
    (0, "write a.tmp", 5),
    (1, "write a.tmp", 5),
    (1, "replace a.tmp", 6),
    (0, "replace a.tmp", 6),
)


def test_a_lost_update_lies_between_what_was_read_and_what_is_made_of_it():
    cause = cause_of(UPDATE, RaceViolation(ViolationKind.LOST, "AAPL is gone", "nothing"))

    assert cause.culprit == Culprit("another caller comes between the steps", ("store.py:3", "store.py:6"))
    assert cause.harm is Harm.LOST


def test_the_last_that_an_update_makes_is_no_sync_and_no_look():
    steps = [(s.actor, s.operation, s.location and s.location.line) for s in UPDATE.steps]
    synced = execution(*steps, (0, "open .", 7), (0, "fsync .", 8), (0, "close .", 9))
    finding = RaceViolation(ViolationKind.LOST, "AAPL is gone", "nothing")

    assert cause_of(synced, finding).culprit == cause_of(UPDATE, finding).culprit


def test_control_another_change_of_it_is():
    steps = [(s.actor, s.operation, s.location and s.location.line) for s in UPDATE.steps]
    more = execution(*steps, (0, "unlink a.bak", 7), (0, "fsync .", 8))

    assert (
        cause_of(more, RaceViolation(ViolationKind.LOST, "AAPL is gone", "nothing")).culprit.places[1] == "store.py:7"
    )


OPENED = (
    (0, "open the store", 1),
    (0, "mkdir .", 1),
    (1, "open the store", 1),
    (1, "stat .", 1),
    (1, "return open the store", 0),
    (0, "mkdir .", 2),
    (0, "return open the store", 0),
)
"""Two callers that open the store, one while the other does."""


def test_what_goes_wrong_once_the_store_is_open_does_not_lie_in_its_opening():
    finding = RaceViolation(ViolationKind.TORN, "get raises", "ValueError")
    opened_first = execution(*OPENED, *((s.actor, s.operation, s.location and s.location.line) for s in UPDATE.steps))

    assert cause_of(opened_first, finding).culprit == cause_of(UPDATE, finding).culprit


def test_what_takes_long_is_the_step_and_not_what_is_said_of_it():
    finding = RaceViolation(ViolationKind.TORN, "get raises", "ValueError")
    told = [(s.actor, s.operation, s.location and s.location.line) for s in UPDATE.steps]
    slow = (0, f"{SLOW} takes ten minutes to replace a.tmp", None)

    assert cause_of(execution(*told[:3], slow, *told[3:]), finding).culprit == cause_of(UPDATE, finding).culprit


def test_who_misses_what_a_listing_has_passed_over_is_told_to_lock_it():
    over = Step(0, "listdir ., the rest", Location("store.py", 7, "keys"), f"{PASSED_OVER}a")
    finding = RaceViolation(ViolationKind.TORN, "keys() gives []", "[]")
    missing = replace(UPDATE, steps=(*UPDATE.steps, over))

    assert "List while you hold the lock" in cause_of(missing, finding, Program(())).remedy
    assert "List while you hold the lock" not in cause_of(UPDATE, finding, Program(())).remedy


def test_control_where_nothing_else_met_it_lies_in_the_opening():
    finding = RaceViolation(ViolationKind.TORN, "get raises", "ValueError")

    assert cause_of(execution(*OPENED), finding).culprit.places == ("store.py:1", "store.py:2")


def test_another_failure_lies_where_the_caller_was_switched_away_from():
    cause = cause_of(
        UPDATE,
        RaceViolation(ViolationKind.REFUSED, "put raised", "FileNotFoundError", about="put raises FileNotFoundError"),
    )

    assert cause.culprit.places == ("store.py:5", "store.py:6")


def test_where_nothing_can_be_read_all_is_lost():
    cause = cause_of(
        UPDATE, RaceViolation(ViolationKind.LOST, "get raises", "ValueError", about="get raises ValueError")
    )

    assert cause.harm is Harm.UNREADABLE


def test_what_fails_alone_is_no_meeting_and_no_lock_helps():
    cause = cause_of(
        UPDATE,
        RaceViolation(ViolationKind.REFUSED, "it raised", "KeyError", about="delete raises KeyError", alone=True),
    )

    assert cause.culprit == Culprit("call that fails without any other caller: delete raises KeyError")
    assert "lock" not in cause.remedy


def test_a_store_that_only_one_thread_may_use_is_told_of_threads():
    found = "ProgrammingError: SQLite objects created in a thread can only be used in that same thread"
    cause = cause_of(UPDATE, RaceViolation(ViolationKind.TORN, "it raised", found, about="get raises", alone=True))

    assert "check_same_thread=False" in cause.remedy


def test_a_rename_across_file_systems_is_not_told_to_take_a_lock():
    found = f"OSError: [Errno {errno.EXDEV}] Invalid cross-device link"

    assert (
        "temporary files in the directory"
        in cause_of(UPDATE, RaceViolation(ViolationKind.REFUSED, "it raised", found)).remedy
    )


def test_control_other_refusals_have_the_remedy_of_their_requirement():
    assert cause_of(UPDATE, RaceViolation(ViolationKind.REFUSED, "it raised", "KeyError: 'a'")).remedy == ""


def test_a_deadlock_names_the_locks():
    steps = ((0, "acquire a", 3), (1, "acquire b", 8), (0, "acquire b", 4), (1, "acquire a", 9))

    cause = cause_of(
        execution(*steps, ending=Ending.DEADLOCK), RaceViolation(ViolationKind.STUCK, "they wait for ever", "")
    )

    assert (cause.culprit.places, cause.harm) == (("store.py:4", "store.py:9"), Harm.UNREADABLE)


def test_where_no_line_is_known_the_file_tells():
    bare = execution((0, "read a.12345678", 0), (1, "write a", 0), (0, "write b", 0))

    assert cause_of(bare, RaceViolation(ViolationKind.TORN, "it is torn", "x")).culprit.places == ("a.*", "b")


STALE = RaceViolation(ViolationKind.TORN, "load() gives nothing, and no order explains that", "load() -> nothing")
WRITTEN = ((0, "call save(1)", 0), (0, "write a.tmp", 5), (0, "rename a.tmp a", 6), (0, "return save(1)", 0))
SEVERAL = Program((), own_instances=True)


def test_a_read_that_looks_at_no_file_met_nobody_and_is_answered_from_memory():
    cause = cause_of(execution(*WRITTEN, (1, "call load()", 0), (1, "return load()", 0)), STALE, SEVERAL)

    assert cause.culprit == Culprit("read that is answered from the memory of one instance")
    assert "lock" not in cause.remedy


@pytest.mark.parametrize("program", [SEVERAL, Program(())], ids=["who looks", "who shares the memory"])
def test_control_who_looks_at_the_file_or_shares_the_memory_has_met_others(program):
    looks = ((1, "read a", 9),) if program.own_instances else ()
    steps = ((1, "call load()", 0), *looks, *WRITTEN, (1, "return load()", 0))

    assert cause_of(execution(*steps), STALE, program).culprit.fault == "another caller comes between the steps"


def test_a_statement_tells_itself_where_no_line_is_known():
    steps = asked((0, "SELECT n FROM totals"), (1, "COMMIT"), (0, "COMMIT"))

    assert cause_of(steps, RaceViolation(ViolationKind.TORN, "it is torn", "x")).culprit.places == (
        "SELECT n FROM totals",
        "COMMIT",
    )


def test_a_lost_update_lies_between_what_was_read_and_written_and_not_where_a_transaction_begins():
    read, written = "SELECT n FROM totals", "UPDATE totals SET n = 2"
    steps = asked(
        *((0, statement) for statement in (";", "BEGIN", read)),
        *((1, statement) for statement in ("BEGIN", read, written, "COMMIT")),
        *((0, statement) for statement in (written, "COMMIT")),
    )

    assert cause_of(steps, RaceViolation(ViolationKind.LOST, "it is lost", "x")).culprit.places == (
        read,
        "UPDATE totals SET n = ?",
    )


def test_statements_that_differ_in_what_a_call_gave_are_one():
    places = [
        cause_of(
            asked((0, "SELECT cash FROM accounts"), (1, "COMMIT"), (0, update)),
            RaceViolation(ViolationKind.LOST, "cash is gone", "10"),
        ).culprit.places
        for update in (
            "UPDATE accounts SET cash = 9 WHERE id = 12",
            "UPDATE accounts SET cash = 10.5 WHERE id = 4",
            "UPDATE accounts SET cash = 'a''b' WHERE id = 12345",
        )
    ]

    assert places == [("SELECT cash FROM accounts", "UPDATE accounts SET cash = ? WHERE id =…")] * 3


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ("DELETE doc/00000001", "doc/*"),
        ("delete from t", None),
        ("create table t (a int)", None),
        ("call settle()", None),
        ("VACUUM t", None),
    ],
)
def test_requests_are_told_by_what_they_are_about_and_statements_whole_however_they_are_written(operation, place):
    steps = asked((0, "GET all/00000002"), (1, "PUT all/00000002"), (0, operation))
    finding = RaceViolation(ViolationKind.LOST, "doc is gone", "1")

    assert cause_of(steps, finding).culprit.places[1] == (place or operation)


def test_control_a_step_of_a_file_that_is_called_as_a_statement_is_told_by_its_file():
    finding = RaceViolation(ViolationKind.LOST, "doc is gone", "1")

    assert cause_of(execution((0, "read t", 0), (1, "write t", 0), (0, "create t.db", 0)), finding).culprit.places == (
        "t",
        "t.db",
    )


def test_a_transaction_is_begun_in_small_letters_as_well():
    steps = asked((0, "begin"), (0, "select n from t"), (1, "commit"), (0, "update t set n = 2"), (0, "commit"))
    finding = RaceViolation(ViolationKind.LOST, "n is gone", "1")

    assert cause_of(steps, finding).culprit.places == ("select n from t", "update t set n = ?")
