"""Which stores the kill matrices run the suite on, and how it is run on one of them."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import Check
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample, Result, Step, Verdict
from tests import broken_stores
from tests.broken_stores import DECLARED, Broken
from tests.sound_stores import Sound

OF_THEIR_OWN = ("FAULT-", "CORR-", "RACE-")
"""Requirements with a matrix of their own: most of what a crash breaks a full disk breaks too, and so on."""

for _module in pkgutil.iter_modules(broken_stores.__path__, f"{broken_stores.__name__}."):
    importlib.import_module(_module.name)
DECLARED.sort(key=lambda row: row.store.__module__)  # whichever of them a test imported first


def _breaking(wanted: Callable[[str], bool]) -> tuple[Broken, ...]:
    rows = (row.breaking(wanted) for row in DECLARED)
    return tuple(row for row in rows if row.breaks)


BROKEN = _breaking(lambda id_: not id_.startswith(OF_THEIR_OWN))
FAILING, DAMAGING, RACING = (_breaking(lambda id_, of=of: id_.startswith(of)) for of in OF_THEIR_OWN)
"""What only errors, only damage and only concurrent callers break."""


def target_of(row: Broken | Sound) -> StoreUnderTest:
    """Return the store of a row as the suite is told of it."""
    return StoreUnderTest(row.name, row.store)


def judged(
    row: Broken | Sound,
    checks: Callable[[Kit], Iterable[Check]],
    *,
    budget: Budget = Budget.QUICK,
    **settings: Any,
) -> list[Result]:
    """Run the ``checks`` of each contract of the row on its store; of each that it offers where the row names none."""
    store, bench = target_of(row), Bench(Settings(budget=budget, **settings))
    named = row.contracts or [contract.name for contract in bench.examined(store).contracts]
    wanted = [kit for kit in store.kits if kit.name in named]
    return [check.judge(bench, store) for contract in wanted for check in checks(contract)]


def violated(results: Iterable[Result]) -> dict[str, str]:
    """Return what is violated, each with all that its counterexamples say; a step begins with what became of it."""
    said: dict[str, str] = {}
    for result in results:
        if result.verdict is Verdict.VIOLATED:
            said[result.requirement] = said.get(result.requirement, "") + "\n".join(_words_of(result.examples))
    return said


def _words_of(value: object) -> Iterator[str]:
    match value:
        case Counterexample():
            for field in fields(value):
                yield from _words_of(getattr(value, field.name))
        case Step():
            yield f"{value.fate.value} {value.text} {value.detail}"
        case tuple():
            for item in value:
                yield from _words_of(item)
        case _:
            yield str(value)


def undecided(results: Iterable[Result]) -> list[Result]:
    """Return what neither holds nor has no meaning for the store."""
    return [result for result in results if result.verdict not in (Verdict.HOLDS, Verdict.NOT_APPLICABLE)]


def named(rows: Iterable[Broken | Sound]) -> pytest.MarkDecorator:
    """Run a test with each row, under its name."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name, marks=marks_of(row)) for row in rows])


def marks_of(row: Broken | Sound) -> list[pytest.MarkDecorator]:
    """Return the marks of a row: deep is what others ask by its parts."""
    return [pytest.mark.deep] if isinstance(row, Sound) and row.made_of else []
