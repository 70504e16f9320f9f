"""What happens to one caller in the middle of a call: a store that breaks by it, and its twin that does not.

The broken stores are those of the kill matrix, ``tests.broken_stores.races_struck``.
"""

import asyncio
import os
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import kind_of, programs_of
from pytest_tradestore.race.execution import KILLS, SIGNALS, Actors, Blow
from pytest_tradestore.race.interrupts import may_be_interrupted
from pytest_tradestore.race.programs import scenarios
from pytest_tradestore.race.searching import ONLY_IF_MET, Searching
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores import races_struck as broken
from tests.broken_stores.races import Table, replace_by_own_name
from tests.sound_stores.files import encode
from tests.sound_stores.plain_aiofiles import AsyncDocument


class ReleasesWhateverComes(broken.ReleasesOnExceptions):
    def save(self, data):
        with self._lock:
            replace_by_own_name(self.file, encode(data))


class WaitsForASecond(broken.ReleasesOnExceptions):
    """The same lock, for which nobody waits for ever: whoever comes later is refused for ever."""

    def save(self, data):
        if not self._lock.acquire(timeout=1):
            raise TimeoutError("the lock is held")
        try:
            replace_by_own_name(self.file, encode(data))
        except Exception:
            self._lock.release()
            raise
        self._lock.release()


class WaitsForASecondAndReleases(WaitsForASecond):
    def save(self, data):
        if not self._lock.acquire(timeout=1):
            raise TimeoutError("the lock is held")
        try:
            replace_by_own_name(self.file, encode(data))
        finally:
            self._lock.release()


class IsBusyNoLonger(broken.StaysBusy):
    def save(self, data):
        try:
            super().save(data)
        finally:
            self._busy = False


class LetsAnAlarmThrough(broken.LogsAnAlarm):
    save = broken.OneFileLocked.save


class SavesInOneJob(broken.ShieldsItsSave):
    async def _save(self, text):
        async with broken._LOCKS.setdefault(str(self.root), asyncio.Lock()):
            job = asyncio.get_running_loop().run_in_executor(None, replace_by_own_name, self.file, text)
            while not job.done():
                try:
                    await asyncio.shield(job)
                except asyncio.CancelledError:
                    continue  # the lock is given back when the job is over, and not before


class GivesUp(broken.GoesOnWithoutTheLock):
    @contextmanager
    def alone(self):
        if not self._lock.acquire(timeout=5):
            raise TimeoutError("another thread holds the lock")
        try:
            yield
        finally:
            self._lock.release()


class BreaksALockOfAQuarterOfAnHour(broken.BreaksALockOfSeconds):
    lease = 900.0


class OpensItsOwnDescriptor(broken.LocksOneDescriptor):
    def __init__(self, root):
        super().__init__(root)
        self._process = os.getpid()

    @contextmanager
    def alone(self):
        if self._process != os.getpid():
            self._process = os.getpid()
            self._descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        with super().alone():
            yield


class AsksWhenItsHolderBegan(broken.AsksWhetherItsHolderLives):
    def is_the_holder(self, number, begun):
        return broken.begun_of(number) == begun


PAIRS = {
    "ctrl-c": (broken.ReleasesOnExceptions, ReleasesWhateverComes, Setting.CANCELLED, Blow.CTRL_C),
    "ctrl-c in time": (WaitsForASecond, WaitsForASecondAndReleases, Setting.CANCELLED, Blow.CTRL_C),
    "alarm": (broken.LogsAnAlarm, LetsAnAlarmThrough, Setting.CANCELLED, Blow.ALARM),
    "busy": (broken.StaysBusy, IsBusyNoLonger, Setting.CANCELLED, Blow.CTRL_C),
    "all-tasks": (broken.ShieldsItsSave, SavesInOneJob, Setting.CANCELLED, Blow.ALL_CANCELLED),
    "slow-thread": (broken.GoesOnWithoutTheLock, GivesUp, Setting.ONE_INSTANCE, Blow.SLOW),
    "slow-process": (broken.BreaksALockOfSeconds, BreaksALockOfAQuarterOfAnHour, Setting.PROCESSES, Blow.SLOW),
    "inherited": (broken.LocksOneDescriptor, OpensItsOwnDescriptor, Setting.PROCESSES, None),
    "number": (
        broken.AsksWhetherItsHolderLives,
        AsksWhenItsHolderBegan,
        Setting.PROCESSES,
        Blow.KILLED_AND_SUCCEEDED,
    ),
}
pairs = pytest.mark.parametrize(("breaks", "holds", "setting", "blow"), PAIRS.values(), ids=list(PAIRS))


def searched(target, setting, blow):
    """Return what came of the programs in which this happens; None stands for those that inherit an instance."""
    store = StoreUnderTest(target.__name__, target)
    kit = kit_named("documents" if issubclass(target, Table) else "document")
    methods = frozenset(method for method in (*kit.required, *kit.optional) if hasattr(target, method))
    kind = kind_of(store, kit) if setting is not Setting.PROCESSES else Actors.PROCESSES
    known = programs_of(store, kit, methods, setting, kind)
    programs = tuple(p for p in known if p.blow is blow and p.inherited is (blow is None))
    assert programs

    def search(channel):
        with Sandbox() as sandbox:
            settings = Settings(budget=Budget.QUICK)
            searching = Searching(
                store, kit, setting, settings, sandbox, channel, interrupting=programs[0].blow in SIGNALS
            )
            return list(searching.through(programs, 0, ONLY_IF_MET))

    ending = run_isolated(search, 60)
    assert isinstance(ending, Finished), ending
    return ending.value


@pytest.mark.parametrize(
    ("breaks", "holds", "setting", "blow"),
    [
        # The kill matrix of races asks the same of those that it has.
        pytest.param(
            *row, id=name, marks=pytest.mark.deep if row[0].__module__ == broken.__name__ else pytest.mark.proof
        )
        for name, row in PAIRS.items()
    ],
)
def test_what_happens_to_one_caller_shows_what_is_wrong(breaks, holds, setting, blow):
    found = [example for one in searched(breaks, setting, blow) for _, example in one.found]

    assert found
    assert all("replayed 10/10" in example.notes[0] for example in found)


@pytest.mark.proof
@pairs
def test_control_its_twin_is_asked_the_same_and_holds(breaks, holds, setting, blow):
    results = searched(holds, setting, blow)

    assert [(one.found, one.trouble) for one in results if one.found or one.trouble] == []
    assert sum(one.search.executions for one in results) > 3


@pytest.mark.proof
def test_a_file_that_a_cancelled_job_was_to_close_is_closed_and_its_lock_free():
    results = searched(AsyncDocument, Setting.CANCELLED, Blow.ALL_CANCELLED)

    assert [one.found for one in results if one.found] == []
    assert all(one.shown.struck for one in results)


@pytest.mark.parametrize(
    "operation", ["write a", "fsync a", "replace a -> b", "sleep 1 s", "acquire the Lock", "flock a"]
)
def test_a_handler_may_raise_after_an_operation_and_instead_of_waiting(operation):
    assert may_be_interrupted(operation)


@pytest.mark.parametrize("operation", ["create .lock exclusively", "open a", "open(w) a", "mkdir d", "link a -> b"])
def test_control_it_is_not_asked_between_taking_something_and_knowing_that_one_has_it(operation):
    assert not may_be_interrupted(operation)


@pytest.mark.parametrize("blow", [*SIGNALS, Blow.SLOW, *KILLS])
def test_the_moment_of_a_blow_comes_with_one_more_update_when_all_is_over(blow):
    kit = kit_named("documents")
    (program, *_) = (scenario.program(Actors.THREADS, own_instances=False) for scenario in scenarios(kit, frozenset()))

    struck = replace(program, blow=blow).struck_at(0, 3)

    assert (struck.blow, struck.struck) == (blow, (0, 3))
    assert struck.observe == (*program.observe, *program.again, *program.observe)
