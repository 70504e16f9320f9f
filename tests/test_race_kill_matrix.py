"""The kill matrix of races: each pattern is found, for its own reason and no other; no sound store is accused."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.race.timeline import MOST_LINES
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.ten_patterns import TEN
from tests.judging import RACING, judged, named, target_of, undecided
from tests.sound_stores import SOUND

pytestmark = pytest.mark.proof


def text_of(example):
    """Return everything that a counterexample says, in one line."""
    return " ".join([example.headline, *example.found, *example.notes, *(step.text for step in example.steps)])


@named(RACING)
def test_a_racing_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    violated = {
        result.requirement: result
        for result in judged(row, races.checks, budget=Budget.NORMAL)
        if result.verdict is Verdict.VIOLATED
    }

    assert set(violated) == set(row.breaks)
    for id_, words in row.breaks.items():
        example = next(example for example in violated[id_].examples if words in text_of(example))
        assert "replayed 10/10" in example.notes[0]
        assert 0 < len(example.steps) <= MOST_LINES
        again = replay(example.token, target_of(row), Bench(Settings()))
        assert (id_, example.headline) in [(found, told.headline) for found, told in again.violations]


def test_each_of_the_ten_patterns_is_among_them_for_whoever_the_callers_can_be():
    known = {row.name for row in RACING}

    assert len(TEN) == 10
    assert {name for kinds in TEN.values() for names in kinds.values() for name in names} <= known


@named(SOUND)
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
    first, second = ([r.counterexample for r in judged(row, races.checks) if r.counterexample] for _ in range(2))

    assert first
    assert first == second
