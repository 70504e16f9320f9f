"""The kill matrix: every broken store is found out, for its own reason and no other; no sound store is accused."""

from collections.abc import Iterable

import pytest

from pytest_tradestore.conformance import Check, checks_for
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Result
from tests.broken_stores import Broken
from tests.judging import BROKEN, OF_THEIR_OWN, judged, undecided, violated
from tests.sound_stores import SOUND, Sound

pytestmark = pytest.mark.proof
ASKED_OF_ALL = ("DATA-ALIAS", "DATA-VOLUME", "DATA-TIME")
"""Asked of every contract in the same way, with the values that its other requirements are asked with."""


def cases(rows: Iterable[Broken | Sound]) -> pytest.MarkDecorator:
    """One case per store and recorder that can see it."""
    return pytest.mark.parametrize(
        ("row", "recorder"),
        [pytest.param(row, recorder, id=f"{row.name}-{recorder}") for row in rows for recorder in row.recorders],
    )


def is_checked(requirement: str, row: Broken | Sound, recorder: str) -> bool:
    """The data contract and identifiers are checked without a crash: once per store is enough."""
    return not requirement.startswith(("DATA-", "NAME-", "PERM-", "LEAK-", "ROOT-")) or recorder == row.recorders[0]


def results_of(row: Broken | Sound, recorder: str) -> list[Result]:
    try:
        choose_recorder(recorder)
    except RuntimeError as reason:
        pytest.skip(f"the {recorder} recorder cannot be used here: {reason}")

    def checks(kit: Kit) -> list[Check]:
        wanted = (check for check in checks_for((kit,)) if not check.requirement.startswith(OF_THEIR_OWN))
        return [check for check in wanted if is_checked(check.requirement, row, recorder)]

    return judged(row, checks, recorder=recorder)


@cases(BROKEN)
def test_a_broken_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row: Broken, recorder: str):
    expected = {id_: words for id_, words in row.breaks.items() if is_checked(id_, row, recorder)}

    said = violated(results_of(row, recorder))
    if any(id_.startswith("DATA-") for id_ in row.breaks):  # what is wrong of one value is wrong of many
        said = {id_: words for id_, words in said.items() if id_ in expected or id_ not in ASKED_OF_ALL}

    assert set(said) == set(expected)
    assert {id_: words for id_, words in expected.items() if words not in said[id_]} == {}


@cases(SOUND)
def test_a_sound_store_violates_nothing_and_leaves_nothing_undecided(row: Sound, recorder: str):
    results = results_of(row, recorder)

    assert undecided(results) == []
    assert all(r.checked.get("crash_states", 0) > 100 for r in results if r.requirement == "ATOM-2")
