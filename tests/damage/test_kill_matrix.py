"""The kill matrix of damage: each broken store is found, for its own reason and no other; the reference stores hold."""

import pytest

from pytest_tradestore.configuration import OTHER_FACES
from pytest_tradestore.conformance import damage
from pytest_tradestore.verdict import Verdict
from tests.judging import DAMAGING, judged, named, undecided
from tests.sound_stores import SOUND, Sound

pytestmark = pytest.mark.proof
REFERENCES = [Sound(*spec.split("="), ()) for spec in OTHER_FACES]
"""The other ones are asked by the first command of the README, which damages more, and which the gate runs."""
SPARED = ("CORR-1", "CORR-3", "CORR-5", "CORR-7")
"""What no sound store may be accused of."""
KEEPS_NO_EVIDENCE = "a save replaces what is there unread, or cuts a torn end off; the damaged bytes are lost"
EMPTY_IS_NEW = "SQLite takes a database of no bytes for a new one"
WEAK = {
    "CORR-2": {
        KEEPS_NO_EVIDENCE: (
            *("plain-document", "plain-documents", "swept-documents", "plain-journal", "fdatasync-document"),
            *("whatever-json-takes", "private-document", "private-documents", "o-dsync-journal", "o-tmpfile-document"),
            *("async-document", "async-with-document", "async-documents", "async-journal"),
            *("plain-events", "plain-states", "plain-audit", "async-data", "keeps-a-pool", "drafts-beside-the-file"),
            *("updating-document", "updating-documents", "updating-states", "paired-documents", "two-slots"),
        )
    },
    "CORR-6": {
        EMPTY_IS_NEW: (
            *("sqlite-extra", "sqlite-wal", "sqlite-wal-with", "sqlite-extra-async-with", "immediate-table"),
            *("sqlite-data", "sqlite-jobs", "sqlite-runs"),
        )
    },
}
"""What sound stores truly break of the profile hardened, which they do not claim; and why."""


@named(DAMAGING)
def test_a_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    violated = {r.requirement: r for r in judged(row, damage.checks) if r.verdict is Verdict.VIOLATED}

    assert set(violated) == set(row.breaks)
    for id_, words in row.breaks.items():
        said = (" ".join([e.headline, *e.found, *e.allowed, *e.workload]) for e in violated[id_].examples)
        assert any(words in text for text in said)


@named(REFERENCES)
def test_the_reference_stores_hold_every_requirement_about_damage(row):
    results = judged(row, damage.checks)

    assert undecided(results) == []
    assert all(r.checked["damaged_images"] >= 100 for r in results if r.verdict is Verdict.HOLDS)
    assert {"CORR-1", "CORR-2", "CORR-4", "CORR-6"} <= {r.requirement for r in results if r.verdict is Verdict.HOLDS}


@named(SOUND)
def test_a_sound_store_is_accused_of_what_it_really_does_and_nothing_else(row):
    results = judged(row, damage.checks)
    weak = {id_ for id_, reasons in WEAK.items() if any(row.name in names for names in reasons.values())}

    assert {r.requirement for r in results if r.verdict is Verdict.VIOLATED} == weak
    assert [r for r in results if r.verdict is Verdict.UNDECIDED] == []


def test_what_sound_stores_are_weak_in_is_none_of_what_they_are_spared():
    assert not set(WEAK) & set(SPARED)


def test_every_requirement_about_damage_is_broken_by_some_store():
    assert {id_ for row in DAMAGING for id_ in row.breaks} == {f"CORR-{number}" for number in range(1, 8)}
