"""The kill matrix of races: each pattern is found, for its own reason and no other; no sound store is accused.

The proofs search until a store has violated what it breaks, by whichever program; with the larger budget and smaller
programs where that is not in the words that it declares. The deep tests search each store in full, for all requirements
(docs/decisions/0527, 0532).
"""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.race.timeline import MOST_LINES
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.ten_patterns import TEN
from tests.judging import RACING, judged, marks_of, named, raced, target_of, text_of, undecided
from tests.sound_stores import SOUND

pytestmark = pytest.mark.proof
LOCKED_AS = {
    "whatever-json-takes": "plain-document",
    "fdatasync-document": "plain-document",
    "kept-backup-document": "plain-document",
    "o-tmpfile-document": "plain-document",
    "drafts-beside-the-file": "plain-document",
    "swept-documents": "plain-documents",
    "private-document": "private-documents",
    "paired-documents": "plain-documents",
    "updating-states": "updating-documents",
    "async-with-document": "async-document",
    "sqlite-wal-with": "sqlite-wal",
}
"""Sound stores that differ from another one in what they sync, keep or name, and lock around the same steps as it."""


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


@named(RACING)
def test_a_racing_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    store, kit = target_of(row), kit_named(row.contract)
    results = raced(store, kit, row.breaks, shrinking=False)
    told = {(result.requirement, text_of(example)) for result in results for example in result.examples}
    missed = {
        id_: words for id_, words in row.breaks.items() if not any(of == id_ and words in text for of, text in told)
    }
    if missed:
        more = {result.requirement: result for result in raced(store, kit, missed, Budget.NORMAL)}
        results = [more[result.requirement] if result.requirement in missed else result for result in results]

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
    id_ = min(row.breaks)
    first, second = (raced(target_of(row), kit_named(row.contract), {id_: row.breaks[id_]}) for _ in range(2))

    assert [result.counterexample for result in first if result.requirement == id_] != [None]
    assert [result.counterexample for result in first] == [result.counterexample for result in second]
