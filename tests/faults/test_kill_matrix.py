"""The kill matrix of faults: each broken store is found, for its own reason and no other; no sound one is accused.

The reference stores are asked by the first command of the README, which tries more faults, and which the gate runs.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for, faults
from pytest_tradestore.faults import seccomp
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store
from pytest_tradestore.verdict import Verdict
from tests.judging import BROKEN, FAILING, judged, named, undecided
from tests.sound_stores import SOUND
from tests.sound_stores.files import encode, locked, write_synced
from tests.sound_stores.plain import PlainDocument
from tests.sound_stores.trading import PlainJobs

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not())),
]


@named(FAILING)
def test_a_store_that_fails_badly_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    violated = {r.requirement: r for r in judged(row, faults.checks) if r.verdict is Verdict.VIOLATED}

    assert set(violated) == set(row.breaks)
    for id_, words in row.breaks.items():
        said = (
            " ".join([told.headline, *told.found, *told.allowed, *told.notes, *told.workload])
            for told in violated[id_].examples
        )
        assert any(words in text for text in said)


@named(FAILING)
def test_control_it_keeps_what_it_is_given_while_nothing_fails(row, tmp_path):
    bridge = Bridge()
    with open_store(row.store, tmp_path, bridge) as store:
        write, read, place = {
            "document": ("save", "load", ()),
            "documents": ("put", "get", ("AAPL",)),
            "journal": ("append", "read", ("orders",)),
        }[row.contract]
        assert not store.call(read, *place)
        store.call(write, *place, {"version": 1})
        store.call(write, *place, {"version": 2, "note": "x" * 5000})
        found = store.call(read, *place)
    bridge.close()
    assert (found[-1] if isinstance(found, list) else found) == {"version": 2, "note": "x" * 5000}


@pytest.mark.parametrize("name", ["sqlite-full", "no-directory-sync"])
def test_what_a_power_loss_takes_anyway_is_not_blamed_on_a_failed_sync_but_on_what_takes_it(name):
    """A rename or an unlink that is never synced: what it did is undone whether or not a sync has failed."""
    (row,) = (row for row in BROKEN if row.name == name)

    results = judged(row, lambda kit: of("DUR-2", "FAULT-2", kit))

    after_a_crash, after_a_failed_sync = (result.counterexample for result in results)
    assert after_a_failed_sync.headline.endswith("; so it does where no fsync fails")
    assert after_a_failed_sync.cause.culprit == after_a_crash.cause.culprit
    assert after_a_failed_sync.remedy == after_a_crash.remedy


class GoesOnWhereItCannotSync(PlainDocument):
    """Goes on where a file cannot be synced, and never syncs the directory in which it is given its name."""

    def save(self, data):
        staged = self.file.with_suffix(".tmp")
        with locked(self.root), open(staged, "w") as file:
            file.write(encode(data))
            file.flush()
            with suppress(OSError):
                os.fsync(file.fileno())
            os.replace(staged, self.file)


class RaisesWhereItCannotSync(PlainDocument):
    """Only never syncs the directory."""

    def save(self, data):
        with locked(self.root):
            write_synced(self.file.with_suffix(".tmp"), encode(data))
            os.replace(self.file.with_suffix(".tmp"), self.file)


@pytest.mark.parametrize(
    ("target", "torn"),
    [(GoesOnWhereItCannotSync, [True]), (RaisesWhereItCannotSync, [])],
)
def test_what_nobody_wrote_is_put_down_to_the_failed_sync_though_without_it_the_update_may_be_lost_too(target, torn):
    """A rename that is never synced shows the old document; a torn one comes of the file that was not synced."""
    store, bench = StoreUnderTest("document", target), Bench(Settings(budget=Budget.QUICK))

    lost, after_a_failed_sync = (check.judge(bench, store) for check in of("DUR-2", "FAULT-2", kit_named("document")))

    assert lost.verdict is Verdict.VIOLATED
    blamed = [one for one in after_a_failed_sync.examples if "no fsync fails" not in one.headline]
    assert ["JSONDecodeError" in one.found[0] for one in blamed] == torn


class SyncsADirectoryThatItCanOpen(PlainDocument):
    """Leaves a directory that it cannot open unsynced, as SQLite does."""

    def save(self, data):
        text = encode(data)
        with locked(self.root):
            write_synced(self.file.with_suffix(".tmp"), text)
            os.replace(self.file.with_suffix(".tmp"), self.file)
            try:
                directory = os.open(self.root, os.O_RDONLY)
            except OSError:
                return
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            SyncsADirectoryThatItCanOpen,
            "where open the root fails with EMFILE, save({version: 1}) leaves out its fsync the root and returns: "
            "a power loss may take that back",
        ),
        (PlainDocument, ""),
    ],
)
def test_a_sync_that_is_left_out_where_nothing_can_be_opened_is_told_and_is_no_violation(target, told):
    store, bench = StoreUnderTest("document", target), Bench(Settings(budget=Budget.QUICK))
    (check,) = (check for check in faults.checks(kit_named("document")) if check.requirement == "FAULT-2")

    result = check.judge(bench, store)

    assert (result.verdict, result.reason) == (Verdict.HOLDS, told)


def of(first, second, kit):
    return [check for check in checks_for((kit,)) if check.requirement in (first, second)]


class RemovesOnlyWhatIsOld(PlainJobs):
    """Writes nothing where nothing is old, and says how many jobs were."""

    def cleanup(self, days):
        before = datetime.now(UTC) - timedelta(days=days)
        with locked(self.root):
            jobs = self._all()
            old = [name for name, fields in jobs.items() if self._over(fields, before)]
            if old:
                self._replace({name: fields for name, fields in jobs.items() if name not in old})
        return len(old)


def test_who_is_asked_twice_to_remove_what_is_old_has_nothing_to_sync_the_second_time():
    store, bench = StoreUnderTest("jobs", RemovesOnlyWhatIsOld), Bench(Settings(budget=Budget.QUICK))

    (result,) = (check.judge(bench, store) for check in of("FAULT-2", "", kit_named("jobs")))

    assert result.verdict is Verdict.HOLDS


@named(SOUND)
def test_a_sound_store_is_accused_of_nothing(row):
    results = judged(row, faults.checks)

    assert undecided(results) == []
    assert all(r.checked["faults"] >= 30 for r in results if r.requirement in ("FAULT-1", "FAULT-3", "FAULT-5"))


def test_every_fault_requirement_is_broken_by_some_store():
    assert {id_ for row in FAILING for id_ in row.breaks} == {f"FAULT-{number}" for number in range(1, 7)}
