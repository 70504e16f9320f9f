"""A lock that its holder left behind has to be free again within the hour: leases are locks, too.

One of less than ten minutes is taken from a holder that is merely slow, see ``tests.race.test_blows``.
"""

import os
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.races import Table
from tests.judging import until_violated

pytestmark = pytest.mark.proof


class Leased(Table):
    """Takes a lock file that is older than its lease for one of a dead process; waits for any other."""

    tradestore_claims = ("processes",)
    lease = 1800.0

    @contextmanager
    def alone(self):
        lock, until = self.root / "jobs.lock", time.monotonic() + 5
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                break
            except FileExistsError:
                with suppress(FileNotFoundError):  # just given back
                    if self.age_of(lock) > self.lease:
                        os.rename(lock, f"{lock}.of-the-dead")
                        continue
                if time.monotonic() > until:
                    raise TimeoutError("another process holds jobs.lock") from None
                time.sleep(0.01)
        try:
            yield
        finally:
            lock.unlink()

    def age_of(self, lock):
        return time.time() - lock.stat().st_mtime


class LeasedForADay(Leased):
    lease = 86_400.0


class LeasedByTheCalendar(Leased):
    def age_of(self, lock):
        return (datetime.now(UTC) - datetime.fromtimestamp(lock.stat().st_mtime, UTC)).total_seconds()


def judged(target):
    check = next(check for check in races.checks(kit_named("documents")) if check.requirement == "RACE-3")
    return check.judge(Bench(Settings(budget=Budget.QUICK)), StoreUnderTest("leased", target))


@pytest.mark.parametrize("store", [Leased, LeasedByTheCalendar])
def test_a_lease_that_ends_within_the_hour_holds(store):
    result = judged(store)

    assert (result.verdict, result.reason[:7]) == (Verdict.HOLDS, "sampled")


def test_control_one_of_a_day_keeps_everybody_out():
    words = "with nobody else there, after"

    (result,) = until_violated(StoreUnderTest("leased", LeasedForADay), kit_named("documents"), "RACE-3")

    assert result.verdict is Verdict.VIOLATED
    assert words in result.reason
