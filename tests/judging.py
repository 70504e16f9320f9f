"""Which stores the kill matrices run the suite on, and how it is run on one of them."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from enum import Enum
from typing import Any

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import Check, checks_for, races
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import RaceEvidence, gather
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample, Result, Step, Verdict
from tests import broken_stores
from tests.broken_stores import DECLARED, Broken
from tests.sound_stores import Sound

CRASHES = ("ATOM-", "DUR-", "REC-")
"""Families that are asked with a recorder."""
OF_THEIR_OWN = ("FAULT-", "CORR-", "RACE-")
"""Requirements with a matrix of their own: most of what a crash breaks a full disk breaks too, and so on."""


class Glance(Enum):
    """A budget for what shows itself soon. It is for crashes; other families know the budgets of a run alone."""

    CRASHES = replace(
        Budget.QUICK.value, subsets_per_cut=64, images_per_workload=80, recoveries=1, images_per_recovery=20
    )


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
    budget: Budget | Glance = Budget.QUICK,
    **settings: Any,
) -> list[Result]:
    """Run the ``checks`` of each contract of the row on its store; of each that it offers where the row names none."""
    store, bench = target_of(row), Bench(Settings(budget=budget, **settings))
    named = row.contracts or [contract.name for contract in bench.examined(store).contracts]
    wanted = [kit for kit in store.kits if kit.name in named]
    return [check.judge(bench, store) for contract in wanted for check in checks(contract)]


def raced(
    store: StoreUnderTest,
    kit: Kit,
    breaks: Mapping[str, str],
    budget: Budget = Budget.QUICK,
    *,
    shrinking: bool = True,
    **settings: Any,
) -> list[Result]:
    """Search the races of a store until it has violated what it ``breaks`` in those words, and no further.

    Asked is all that the searches answer which that takes; what they did not come to is undecided.
    """
    bench, missing = Bench(Settings(budget=budget, **settings)), dict(breaks)
    searched = {setting for id_ in breaks for setting in races.settings_of(id_)}

    def is_looked_for(setting: Setting) -> bool:
        return any(setting in races.settings_of(id_) for id_ in missing)

    def is_enough(found: RaceEvidence) -> bool:
        for wrong, examples in found.violations.items():
            id_ = races.requirement_of(found.setting, wrong)
            if id_ in missing and any(missing[id_] in text_of(example) for example in examples):
                del missing[id_]
        return not is_looked_for(found.setting)

    for setting in (setting for setting in Setting if setting in searched):
        found = RaceEvidence(setting, undecided="what is looked for was found elsewhere")
        if is_looked_for(setting):
            offered = bench.offered(store, kit)
            found = gather(store, kit, offered, setting, bench.settings, is_enough, shrinking=shrinking)
        bench.adopt_races({(store.name, kit.name, setting): found})
    checks = (check for check in races.checks(kit) if searched.issuperset(races.settings_of(check.requirement)))
    return [check.judge(bench, store) for check in checks]


def until_violated(store: StoreUnderTest, kit: Kit, requirement: str, words: str = "", **settings: Any) -> list[Result]:
    """Ask a store about one requirement that it breaks, no longer than it takes to show it in those ``words``.

    Without words whatever program shows it will do, and is not made smaller.
    """
    if requirement.startswith("RACE-"):
        found = raced(store, kit, {requirement: words}, shrinking=bool(words), **settings)
        return [result for result in found if result.requirement == requirement]
    checks = [check for check in checks_for((kit,)) if check.requirement == requirement]
    if requirement.startswith(CRASHES):
        bench = Bench(Settings(budget=Glance.CRASHES, **settings))  # type: ignore[arg-type]
        found = [check.judge(bench, store) for check in checks]
        if requirement in (said := violated(found)) and words in said[requirement]:
            return found
    bench = Bench(Settings(budget=Budget.QUICK, **settings))
    return [check.judge(bench, store) for check in checks]


def text_of(example: Counterexample) -> str:
    """Return everything that a counterexample of a race says, in one line."""
    return " ".join([example.headline, *example.found, *example.notes, *(step.text for step in example.steps)])


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
