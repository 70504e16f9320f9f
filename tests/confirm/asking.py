"""Stores on real file systems, for the tests: what their findings show there, and what sound ones show."""

from collections.abc import Iterator

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.confirm.needs import missing
from pytest_tradestore.confirm.sightings import shown
from pytest_tradestore.crash.where import where_possible
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Sighting
from tests.broken_stores import Broken
from tests.judging import BROKEN, target_of
from tests.sound_stores import Sound

FILESYSTEMS = ("ext4", "xfs", "btrfs")
CRASHES = ("ATOM-", "DUR-", "REC-")
CRASHING = tuple(row for every in BROKEN if (row := every.breaking(lambda id_: id_.startswith(CRASHES))).breaks)
"""The broken stores of the kill matrix with what crashes break in them."""


def skip_unless_asked(*filesystems: str) -> None:
    """Skip the test where these cannot be asked, and say what is missing."""
    if lacking := list(missing(filesystems)):
        pytest.skip(f"no real file system can be asked here: {', '.join(lacking)} missing")


def seen(row: Broken, *filesystems: str, **settings: object) -> dict[tuple[str, int], tuple[Sighting, ...]]:
    """Return what came of looking for each crash finding of a row: a requirement, and which of its causes."""
    return bench_of(row, *filesystems, **settings).sightings(target_of(row), kit_named(row.contract))


def bench_of(row: Broken, *filesystems: str, **settings: object) -> Bench:
    """Return where findings of a row are looked for on these file systems."""
    return Bench(Settings(budget=Budget.QUICK, confirm=filesystems, recorder=row.recorders[-1], **settings))


def possible(row: Broken) -> frozenset[str]:
    """Return which requirements of a row a crash can break on one of the file systems, by the models of their names."""
    bench, store = Bench(Settings(budget=Budget.QUICK, recorder=row.recorders[-1])), target_of(row)
    evidence = bench.crashes(store, kit_named(row.contract))
    program = evidence.program
    assert program is not None
    return frozenset(
        requirement
        for requirement, violations in evidence.violations.items()
        if any(v.second or not {*FILESYSTEMS}.isdisjoint(where_possible(program, v.losses)) for v in violations)
    )


def shown_by(row: Sound | Broken, filesystem: str) -> Iterator[tuple[str, frozenset[str], int]]:
    """Yield for each contract what a file system shows broken with nothing looked for, and in how many states."""
    bench, store = Bench(Settings(budget=Budget.QUICK, recorder=row.recorders[-1])), target_of(row)
    for kit in bench.examined(store).contracts:
        if not row.contracts or kit.name in row.contracts:
            evidence = bench.crashes(store, kit)
            if evidence.program is not None and not evidence.undecided:
                yield (kit.name, *shown(store, evidence, bench.settings, filesystem))


def named(rows: tuple[Broken, ...] | tuple[Sound, ...], *wanted: str) -> list[object]:
    """Return the rows of these stores as parameters of a test."""
    return [pytest.param(row, id=row.name) for row in rows if row.store.__name__ in wanted]
