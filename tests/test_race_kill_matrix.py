"""The kill matrix of races: each pattern is found, for its own reason and no other; no sound store is accused.

The proofs search for what a store breaks as long as the smallest budget lets them, and on where that did not find it;
the deep tests search each store in full, for all requirements (docs/decisions/0527).
"""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.race.timeline import MOST_LINES
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.ten_patterns import TEN
from tests.judging import RACING, judged, marks_of, named, target_of, undecided
from tests.sound_stores import SOUND

pytestmark = pytest.mark.proof
LOCKED_AS = {
    "whatever-json-takes": "plain-document",
    "fdatasync-document": "plain-document",
    "kept-backup-document": "plain-document",
    "private-document": "private-documents",
    "paired-documents": "plain-documents",
    "updating-states": "updating-documents",
    "async-with-document": "async-document",
    "sqlite-wal-with": "sqlite-wal",
}
"""Sound stores that differ from another one in what they sync, keep or name, and lock around the same steps as it."""


def text_of(example):
    """Return everything that a counterexample says, in one line."""
    return " ".join([example.headline, *example.found, *example.notes, *(step.text for step in example.steps)])


def assert_told(row, results):
    """Each requirement that a store breaks is violated, no other, and the counterexample can be seen again."""
    broken = {result.requirement: result for result in results if result.verdict is Verdict.VIOLATED}
    assert set(broken) == set(row.breaks)
    for id_, words in row.breaks.items():
        example = next(example for example in broken[id_].examples if words in text_of(example))
        assert "replayed 10/10" in example.notes[0]
        assert 0 < len(example.steps) <= MOST_LINES
        again = replay(example.token, target_of(row), Bench(Settings()))
        assert (id_, example.headline) in [(found, told.headline) for found, told in again.violations]


TWO_SETTINGS = {"RACE-1", "RACE-2", "RACE-4", "RACE-5"}
"""Answered by the same searches: of one instance, and of several."""


def asked(row):
    """What a store breaks, and what the searches that show it answer too."""
    broken = set(row.breaks)
    both = broken & {"RACE-4", "RACE-5"} or broken >= {"RACE-1", "RACE-2"}
    return broken | TWO_SETTINGS if both else broken


def checks_of(requirements):
    return lambda kit: [check for check in races.checks(kit) if check.requirement in requirements]


@named(RACING)
def test_a_racing_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    results = judged(row, checks_of(asked(row)))
    told = {(result.requirement, text_of(example)) for result in results for example in result.examples}
    missed = {id_ for id_, words in row.breaks.items() if not any(of == id_ and words in text for of, text in told)}
    if missed:
        more = judged(row, checks_of(missed), budget=Budget.NORMAL)
        results = [result for result in results if result.requirement not in missed] + more

    assert_told(row, results)


@pytest.mark.deep
@named(RACING)
def test_searched_in_full_it_violates_the_same(row):
    assert_told(row, judged(row, races.checks, budget=Budget.NORMAL))


def test_each_of_the_ten_patterns_is_among_them_for_whoever_the_callers_can_be():
    known = {row.name for row in RACING}

    assert len(TEN) == 10
    assert {name for kinds in TEN.values() for names in kinds.values() for name in names} <= known


def test_of_stores_that_lock_alike_one_is_asked():
    asked = {row.name for row in SOUND if not row.made_of} - set(LOCKED_AS)

    assert set(LOCKED_AS) <= {row.name for row in SOUND}
    assert set(LOCKED_AS.values()) <= asked


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.name, marks=[pytest.mark.deep] if row.name in LOCKED_AS else marks_of(row))
        for row in SOUND
    ],
)
def test_a_sound_store_holds_whoever_calls_it_and_says_how_much_was_tried(row):
    results = judged(row, races.checks)

    assert undecided(results) == []
    for result in results:
        if result.verdict is Verdict.HOLDS:
            assert result.checked["schedules"] > (30 if result.requirement != "RACE-6" else 0)
            assert result.reason.startswith(("exhausted: ", "sampled: "))
            assert result.exhaustive is ("sampled" not in result.reason)


@pytest.mark.parametrize("name", ["locks-the-data-file", "lazy-lock", "one-process-only"])
def test_the_same_seed_gives_the_same_schedule(name):
    row = next(row for row in RACING if row.name == name)
    first, second = (judged(row, checks_of(sorted(row.breaks)[:1])) for _ in range(2))

    assert first[0].counterexample
    assert first[0].counterexample == second[0].counterexample
