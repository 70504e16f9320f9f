"""Each pattern of lock races is found, again and again alike; with the right lock it is not, and that is exhaustive."""

import pytest

from tests.race import patterns
from tests.race.running import cancelled_save, increments, saves_and_a_read, search

PATTERNS = {
    "lost-update-without-a-lock": (patterns.NoTempShared, increments, False, "lost update"),
    "lost-update-with-a-lock-around-the-save": (patterns.LockedSaveOnly, increments, False, "lost update"),
    "lost-update-with-a-lock-per-instance": (patterns.LockedOwnTemp, increments, True, "lost update"),
    "fixed-temporary-name": (patterns.FixedTemp, saves_and_a_read, False, "raised FileNotFoundError"),
    "torn-read": (patterns.InPlace, saves_and_a_read, False, "load() raised JSONDecodeError"),
    "lock-made-lazily-across-an-await": (patterns.AsyncLazyLock, increments, False, "lost update"),
    "read-modify-write-in-memory": (patterns.InMemory, increments, False, "lost update"),
    "lock-order": (patterns.LockOrder, increments, False, "waits to acquire the Lock of LockOrder.__init__ (one)"),
    "lock-taken-again": (patterns.Reentry, increments, False, "which it holds itself"),
    "lock-of-threads-across-an-await": (patterns.AsyncThreadLock, increments, False, "that stops the event loop"),
    "flock-on-a-file-that-is-replaced": (patterns.FlockOnData, increments, True, "lost update"),
    "posix-lock-between-threads": (patterns.Lockf, increments, True, "lost update"),
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=list(PATTERNS))
def test_the_pattern_is_found_and_happens_again_ten_times_out_of_ten(pattern):
    store, program, own, words = pattern

    result = search(store, program(store, own=own))

    assert words in result.sentence
    assert result.repeated == 10
    assert result.found.preemptions <= 1


CURED = {
    "one-lock": (patterns.Locked, increments, False),
    "a-temporary-name-for-each-save": (patterns.OwnTemp, saves_and_a_read, False),
    "one-lock-of-tasks": (patterns.AsyncLocked, increments, False),
    "a-lock-in-memory": (patterns.InMemoryLocked, increments, False),
    "a-lock-file-that-stays": (patterns.FlockBeside, increments, True),
}


@pytest.mark.proof
@pytest.mark.parametrize("cured", CURED.values(), ids=list(CURED))
def test_control_with_the_right_lock_every_schedule_with_two_preemptions_is_run_and_holds(cured):
    store, program, own = cured

    result = search(store, program(store, own=own), budget=2000)

    assert (result.sentence, result.search.exhausted, result.search.bound) == ("", True, 2)


@pytest.mark.proof
def test_a_lock_file_that_is_removed_on_release_lets_two_in():
    result = search(patterns.LockFileRemoved, increments(patterns.LockFileRemoved, callers=3, own=True))

    assert "lost update" in result.sentence or "FileNotFoundError" in result.sentence
    assert result.repeated == 10


@pytest.mark.proof
def test_control_three_callers_of_a_lock_file_that_stays_lose_nothing():
    result = search(patterns.FlockBeside, increments(patterns.FlockBeside, callers=3, own=True), budget=300)

    assert (result.sentence, result.search.uncontrolled) == ("", ())


@pytest.mark.proof
def test_a_cancelled_save_that_lands_late_is_found_at_some_await():
    store = patterns.AsyncWhole

    found = [search(store, cancelled_save(store, at)).sentence for at in (1, 2)]

    assert "late write: a cancelled save undid a newer one" in found


@pytest.mark.parametrize("store", [patterns.AsyncWhole, patterns.AsyncWholeWithALockInside, patterns.AsyncOwnThreads])
def test_a_late_save_is_found_at_once_whatever_threads_it_lands_from(store):
    found = [search(store, cancelled_save(store, at), budget=2).sentence for at in (1, 2)]

    assert "late write: a cancelled save undid a newer one" in found


@pytest.mark.proof
def test_control_a_shielded_save_that_keeps_its_lock_cannot_land_late():
    store = patterns.AsyncShielded

    assert [search(store, cancelled_save(store, at)).sentence for at in (1, 2)] == ["", ""]


def test_the_schedule_that_is_reported_has_no_turn_that_could_be_left_out():
    result = search(patterns.FixedTemp, saves_and_a_read(patterns.FixedTemp))

    assert result.found.preemptions == 1
    assert [step.operation for step in result.found.steps if step.operation.startswith("replace")] == [
        "replace doc.tmp -> doc.json"
    ] * 2
