"""What a store may answer an update with because others are there, and what is a lost update however loud it is."""

import json

import pytest

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.race.execution import Completed, Ending, Execution
from pytest_tradestore.race.judging import Judge, ViolationKind
from pytest_tradestore.race.refusals import is_an_answer, told

DEFAULT = (ValueError, OSError)


class Conflict(ValueError):
    """What a store may raise when somebody else was first."""


class DocumentLocked(ValueError):
    """An error whose name tells."""


def answers(error, declared=DEFAULT):
    return is_an_answer(error, f"{type(error).__name__}: {error}", declared)


NOT_NOW = {
    "a-lock-that-was-waited-for": TimeoutError("no lock within 5 s"),
    "a-lock-that-was-not-waited-for": BlockingIOError(11, "Resource temporarily unavailable"),
    "an-error-of-no-particular-type": OSError("the directory is locked by another process"),
    "a-type-whose-name-tells": DocumentLocked("AAPL"),
}
NONE = {
    "a-temporary-file-that-another-has-renamed": FileNotFoundError(2, "No such file or directory"),
    "a-directory-that-another-has-made": FileExistsError(17, "File exists"),
    "a-file-that-another-has-half-written": json.JSONDecodeError("Expecting value", "", 0),
    "a-type-that-nobody-declared": KeyError("AAPL"),
    "a-type-that-counts-by-default-alone": Conflict("somebody was first"),
}


@pytest.mark.parametrize("error", NOT_NOW.values(), ids=list(NOT_NOW))
def test_who_says_not_now_has_answered(error):
    assert answers(error)


@pytest.mark.parametrize("error", NONE.values(), ids=list(NONE))
def test_control_what_only_happens_to_an_update_is_no_answer(error):
    assert not answers(error)


def test_a_type_that_the_store_names_itself_is_an_answer():
    assert answers(Conflict("somebody was first"), (*DEFAULT, Conflict))


def test_control_waiting_in_vain_is_no_answer_where_the_store_does_not_declare_it():
    assert not answers(TimeoutError("no lock within 5 s"), (Conflict,))


DOCUMENT = KITS[0]
LOAD = Call("load", (), "the document", "load()")


def save(number):
    return Call("save", ({"version": number},), "the document", f"save({number})")


def findings(*history, ending=Ending.FINISHED):
    return Judge(DOCUMENT).findings(Execution(history, (), (), ending))


def test_an_update_that_is_refused_when_all_others_are_gone_is_refused_for_good():
    killed = Completed(0, save(1), 0, None, killed=True)
    refused = Completed(-1, save(9), 2, 3, None, "TimeoutError: no lock within 5 s")

    (found,) = findings(killed, refused)

    assert found.wrong is ViolationKind.REFUSED
    assert (
        found.sentence
        == "save(9) raised TimeoutError: no lock within 5 s with nobody else there, after save(1) was killed"
    )


def test_control_beside_others_it_may_be_refused():
    beside = Completed(0, save(1), 0, 5, None)
    refused = Completed(1, save(2), 2, 3, None, "TimeoutError: no lock within 5 s")

    assert findings(beside, refused) == ()


def test_a_lost_update_is_told_before_a_refused_one():
    lost = Completed(0, save(1), 0, 1), Completed(-1, LOAD, 6, 7, {})
    refused = Completed(1, save(2), 2, 3, None, "FileNotFoundError: doc.tmp", undeclared=True)

    assert [found.wrong for found in findings(lost[0], refused, lost[1])] == [ViolationKind.LOST]


def test_who_was_killed_is_not_said_to_wait():
    killed, waiting = Completed(0, save(1), 0, None, killed=True), Completed(1, save(2), 1, None)

    (found,) = findings(killed, waiting, ending=Ending.DEADLOCK)

    assert found.sentence == "save(2) waits for ever"


def test_an_update_that_did_not_return_is_not_said_to_have_returned():
    killed, load = Completed(0, save(1), 0, None, killed=True), Completed(-1, LOAD, 2, 3, {"version": 7})

    (found,) = findings(killed, load)

    assert found.sentence == 'save(1) began and did not return, but load() then gives {"version": 7}'


def failed(error, invoked=0):
    return Completed(0, save(1), invoked, invoked + 2, None, error, undeclared=True)


def test_an_update_that_fails_beside_another_is_said_to_fail_because_of_it():
    (found,) = findings(failed("FileNotFoundError: doc.tmp", 2), Completed(1, save(2), 1, 9))

    assert found.sentence.endswith("because of another caller")


def test_control_one_that_fails_before_anybody_else_has_begun_is_not():
    (found,) = findings(failed("KeyError: 'AAPL'"), Completed(1, save(2), 5, 9))

    assert found.sentence.endswith("before any other caller began")


def test_a_store_that_is_bound_to_a_thread_is_told_what_to_disclaim():
    (found,) = findings(failed("ProgrammingError: created in another thread"), Completed(1, save(2), 5, 9))

    assert found.sentence.endswith("has to disclaim 'threads'")


OF_A_THREAD = "ProgrammingError: created in another thread"


def test_who_fails_like_one_who_was_alone_does_not_fail_because_of_others():
    later = Completed(1, save(2), 5, 9, None, OF_A_THREAD, undeclared=True)

    (found,) = findings(failed(OF_A_THREAD), later)

    assert found.sentence.startswith("save(1) raised")
    assert found.alone


def test_a_reader_who_fails_like_one_who_was_alone_has_seen_nothing_torn():
    reader = Completed(1, LOAD, 5, 9, None, OF_A_THREAD, undeclared=True)

    _, torn = findings(failed(OF_A_THREAD), reader)

    assert (torn.wrong, torn.alone) == (ViolationKind.TORN, True)
    assert "before any other caller began" in torn.sentence


def test_control_a_reader_who_fails_beside_a_writer_has():
    (torn,) = findings(Completed(0, save(1), 0, 9), Completed(1, LOAD, 5, 8, None, "ValueError: ...", undeclared=True))

    assert not torn.alone
    assert "beside save(1)" in torn.sentence


def test_an_update_that_is_put_off_by_an_undeclared_error_is_told_how_to_declare_it():
    locked = failed("OperationalError: database is locked", 2)

    (found,) = findings(locked, Completed(1, save(2), 1, 9))

    assert found.sentence.endswith("because of another caller: an answer, were its type in tradestore_errors")


def test_an_error_is_told_without_what_differs_between_two_runs():
    error = RuntimeError("/tmp/x/doc.json was made in thread 140340568619904")

    assert told(error, "/tmp/x") == "RuntimeError: <root>/doc.json was made in thread #"
