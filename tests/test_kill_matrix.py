"""The kill matrix: every broken store is found out, for its own reason and no other; no sound store is accused.

The proofs ask each store with one recorder, half of the stores with either; the deep tests ask with the other one
(docs/decisions/0526). What a broken store breaks is looked for in few crash images first, and in all of a quick search
where these do not show it (0532).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

import pytest

from pytest_tradestore.conformance import Check, checks_for
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.verdict import Result
from tests.broken_stores import Broken
from tests.judging import BROKEN, OF_THEIR_OWN, Glance, judged, marks_of, undecided, violated
from tests.sound_stores import SOUND, Sound

pytestmark = pytest.mark.proof
ASKED_OF_ALL = ("DATA-ALIAS", "DATA-VOLUME", "DATA-TIME")
"""Asked of every contract in the same way, with the values that its other requirements are asked with: what is wrong of
one value is wrong of many. A store that breaks what is asked of values is asked those that it declares.
"""

CRASHES = ("ATOM", "DUR", "REC")
"""The families that are asked with a recorder, and so with each; the others are asked once of each store."""


def families(row: Broken | Sound) -> set[str]:
    """The families of requirements that a row is asked: a broken store those that it breaks, a sound one all.

    What a store that syncs nothing makes of identifiers says nothing that the sound stores do not say.
    """
    if isinstance(row, Sound):
        return {family_of(check) for kit in KITS for check in checks_for((kit,))}
    broken = {id_.partition("-")[0] for id_ in row.breaks}
    return broken | set(CRASHES) if broken & set(CRASHES) else broken


def family_of(check: Check) -> str:
    return check.requirement.partition("-")[0]


def recorders(row: Broken | Sound) -> tuple[str, ...]:
    """Each recorder that can see what the store does, first that of the proof; one where none has a part in it.

    Which comes first is drawn by the name, where nothing is asked but crashes; identifiers see more through strace.
    """
    asked, others = families(row) & set(CRASHES), families(row) - set(CRASHES)
    if not asked:
        return row.recorders[:1]
    turned = crc32(row.name.encode()) % 2 and (isinstance(row, Sound) or not others)
    return row.recorders[::-1] if turned else row.recorders


def cases(rows: Iterable[Broken | Sound]) -> pytest.MarkDecorator:
    """One case per store and recorder."""
    return pytest.mark.parametrize(
        ("row", "recorder"),
        [
            pytest.param(row, recorder, id=f"{row.name}-{recorder}", marks=[*marks_of(row), *again])
            for row in rows
            for recorder, again in zip(recorders(row), ([], [pytest.mark.deep]), strict=False)
        ],
    )


def is_asked(id_: str, row: Broken | Sound, recorder: str) -> bool:
    """Return whether this row is asked about the requirement with this recorder."""
    if isinstance(row, Broken) and id_ in ASKED_OF_ALL and id_ not in row.breaks:
        return False
    family = id_.partition("-")[0]
    return family in families(row) and (family in CRASHES or recorder == recorders(row)[0])


def results_of(
    row: Broken | Sound, recorder: str, asked: Callable[[str], bool] = lambda _: True, **settings: Any
) -> list[Result]:
    """Return what becomes of the requirements that a row is asked with a recorder, of those that are ``asked`` here."""
    try:
        choose_recorder(recorder)
    except RuntimeError as reason:
        pytest.skip(f"the {recorder} recorder cannot be used here: {reason}")

    def checks(kit: Kit) -> list[Check]:
        wanted = (check for check in checks_for((kit,)) if not check.requirement.startswith(OF_THEIR_OWN))
        return [check for check in wanted if is_asked(check.requirement, row, recorder) and asked(family_of(check))]

    return judged(row, checks, recorder=recorder, **settings)


@cases(BROKEN)
def test_a_broken_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row: Broken, recorder: str):
    expected = {id_: words for id_, words in row.breaks.items() if is_asked(id_, row, recorder)}

    others = violated(results_of(row, recorder, lambda family: family not in CRASHES))
    said = others | violated(results_of(row, recorder, CRASHES.__contains__, budget=Glance.CRASHES))
    if set(said) != set(expected) or missed(expected, said):
        said = others | violated(results_of(row, recorder, CRASHES.__contains__))

    assert set(said) == set(expected)
    assert missed(expected, said) == {}


def missed(expected: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """Return what is expected and not said in those words."""
    return {id_: words for id_, words in expected.items() if words not in said.get(id_, "")}


@cases(SOUND)
def test_a_sound_store_violates_nothing_and_leaves_nothing_undecided(row: Sound, recorder: str):
    results = results_of(row, recorder)

    assert undecided(results) == []
    assert all(r.checked.get("crash_states", 0) > 100 for r in results if r.requirement == "ATOM-2")
