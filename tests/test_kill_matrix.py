"""The kill matrix: every broken store is found out, for its own reason and no other; no sound store is accused."""

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import fields

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.contracts import CONTRACTS
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample, Result, Step, Verdict
from tests.broken_stores import BROKEN, Broken
from tests.sound_stores import SOUND, Sound

pytestmark = pytest.mark.proof
KNOWN: dict[str, str] = {}
"""Stores on which the suite is known to be wrong, and how; their tests fail as soon as it no longer is."""


def cases(rows: Iterable[Broken | Sound]) -> pytest.MarkDecorator:
    """One case per store and recorder that can see it."""
    return pytest.mark.parametrize(
        ("row", "recorder"),
        [
            pytest.param(
                row,
                recorder,
                id=f"{row.name}-{recorder}",
                marks=[pytest.mark.xfail(reason=KNOWN[row.name])] if row.name in KNOWN else [],
            )
            for row in rows
            for recorder in row.recorders
        ],
    )


def is_checked(requirement: str, row: Broken | Sound, recorder: str) -> bool:
    """The data contract and identifiers are checked without a crash: once per store is enough."""
    return not requirement.startswith(("DATA-", "NAME-", "PERM-")) or recorder == row.recorders[0]


def has_a_matrix_of_its_own(requirement: str) -> bool:
    """Most of what a crash breaks a full disk breaks too: faults, damage and races have stores of their own."""
    return requirement.startswith(("FAULT-", "CORR-", "RACE-"))


def judged(row: Broken | Sound, recorder: str) -> list[Result]:
    """Run the checks of the row's contracts on its store."""
    try:
        choose_recorder(recorder)
    except RuntimeError as reason:
        pytest.skip(f"the {recorder} recorder cannot be used here: {reason}")
    module, _, name = row.target.partition(":")
    store = StoreUnderTest(row.name, getattr(importlib.import_module(module), name))
    bench = Bench(Settings(recorder=recorder, budget=Budget.QUICK))
    wanted = row.contracts if isinstance(row, Sound) else (row.contract,)
    return [
        check.judge(bench, store)
        for check in checks_for(tuple(contract for contract in CONTRACTS if contract.name in wanted))
        if is_checked(check.requirement, row, recorder) and not has_a_matrix_of_its_own(check.requirement)
    ]


def words_of(value: object) -> Iterator[str]:
    """Yield all that a counterexample says; a step begins with what became of it."""
    match value:
        case Counterexample():
            for field in fields(value):
                yield from words_of(getattr(value, field.name))
        case Step():
            yield f"{value.fate.value} {value.text} {value.detail}"
        case tuple():
            for item in value:
                yield from words_of(item)
        case _:
            yield str(value)


@cases(BROKEN)
def test_a_broken_store_violates_just_what_it_breaks_and_the_counterexample_says_why(row: Broken, recorder: str):
    expected = {id_: words for id_, words in row.breaks.items() if is_checked(id_, row, recorder)}

    said: dict[str, str] = {}
    for result in judged(row, recorder):
        if result.verdict is Verdict.VIOLATED:
            said[result.requirement] = said.get(result.requirement, "") + "\n".join(words_of(result.counterexample))

    assert set(said) == set(expected)
    assert {id_: words for id_, words in expected.items() if words not in said[id_]} == {}


@cases(SOUND)
def test_a_sound_store_violates_nothing_and_leaves_nothing_undecided(row: Sound, recorder: str):
    results = judged(row, recorder)

    assert [r for r in results if r.verdict not in (Verdict.HOLDS, Verdict.NOT_APPLICABLE)] == []
    assert all(r.checked.get("crash_states", 0) > 100 for r in results if r.requirement == "ATOM-2")
