"""Where the system cannot be asked to refuse, Python's own functions are: the same stores are found out."""

import errno
import os
from zlib import crc32

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import faults
from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.calls import CallKind, Fault
from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.faults import TakesBackWithoutSync
from tests.judging import FAILING, judged, named, undecided
from tests.sound_stores import SOUND
from tests.sound_stores.plain import PlainDocument

PURE = [row for row in SOUND if "sqlite" not in row.target]
NEEDS_THE_SYSTEM = "FAULT-6"
"""A call that goes on failing while the store is recorded takes the help of the system: else it is undecided."""
FOUND = [row for row in FAILING if "fake" in row.recorders and set(row.breaks) != {NEEDS_THE_SYSTEM}]


def is_drawn(row):
    """Half of the sound stores, by their names, are asked by the proofs; with the system's help all of them are."""
    return crc32(row.name.encode()) % 2 and not row.made_of


@pytest.fixture(autouse=True)
def _no_help_from_the_system(monkeypatch):
    monkeypatch.setattr(seccomp, "why_not", lambda: "not here")


@pytest.mark.proof
@named(FOUND)
def test_a_store_that_fails_badly_is_found_out(row):
    found = {r.requirement for r in judged(row, faults.checks) if r.verdict is Verdict.VIOLATED}

    assert found == set(row.breaks) - {NEEDS_THE_SYSTEM}


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name, marks=pytest.mark.proof if is_drawn(row) else pytest.mark.deep) for row in PURE],
)
def test_a_sound_store_is_accused_of_nothing_and_the_search_is_called_bounded(row):
    results = judged(row, faults.checks)

    assert {r.requirement for r in undecided(results)} <= {NEEDS_THE_SYSTEM, "FAULT-2"}
    assert not any(r.verdict is Verdict.HOLDS for r in results if r.requirement == NEEDS_THE_SYSTEM)
    assert not any(r.exhaustive for r in results if r.requirement == "FAULT-1")


def after_failed_syncs(target):
    store, bench = StoreUnderTest("it", target), Bench(Settings(budget=Budget.QUICK))
    (kit,) = bench.examined(store).contracts
    (check,) = (check for check in faults.checks(kit) if check.requirement == "FAULT-2")
    return check.judge(bench, store)


def test_what_a_power_loss_brings_back_is_not_seen_and_so_it_does_not_hold():
    result = after_failed_syncs(TakesBackWithoutSync)

    assert result.verdict is Verdict.UNDECIDED
    assert "raises when fsync" in result.reason
    assert "what a power loss leaves after that was not seen: this takes Linux, seccomp and" in result.reason


def test_control_where_only_a_temporary_file_was_not_synced_it_holds_and_says_what_was_asked():
    result = after_failed_syncs(PlainDocument)

    assert result.verdict is Verdict.HOLDS
    assert result.reason.startswith("asked of what a call does whose fsync fails; no power loss after it")


def test_a_call_fails_and_the_next_one_does_not(tmp_path):
    def task(channel):
        from pytest_tradestore.faults.standins import StandIns

        stand_ins = StandIns()
        stand_ins.arm(str(tmp_path), Fault(CallKind.SYNC, "a", 1, errno.EIO))
        found = []
        for _ in range(2):
            with open(tmp_path / "a", "w") as file:
                file.write("x")
                file.flush()
                try:
                    os.fsync(file.fileno())
                    found.append(None)
                except OSError as error:
                    found.append(error.errno)
        return found, [str(call) for call in stand_ins.disarm().calls]

    match run_isolated(task, 10):
        case Finished((found, calls)):
            assert found == [errno.EIO, None]
            assert calls == ["open for writing a", "write a", "fsync a", "close a"] * 2
        case other:
            pytest.fail(str(other))
