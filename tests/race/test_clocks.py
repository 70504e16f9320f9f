"""Whichever clock a store looks at, it sees the virtual time; what it changes is stamped with that."""

import os
import sys
import time
from datetime import UTC, date, datetime
from time import monotonic as copied

import pytest

from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.search import Harness
from pytest_tradestore.records import Records
from pytest_tradestore.sandbox import Sandbox
from tests.race.test_interposition import Doing, executed

COARSE = 5
"""The number of CLOCK_REALTIME_COARSE."""


class HasOne:
    """Keeps a clock as many classes do, so that tests can give another."""

    now = time.monotonic


WHOLE = "%Y-%m-%d %H:%M:%S"
CLOCKS = {
    "time": lambda: time.time(),
    "time-ns": lambda: time.time_ns() / 1e9,
    "monotonic": lambda: time.monotonic(),
    "copied": lambda: copied(),
    "of-a-class": lambda: HasOne().now(),
    "perf-counter-ns": lambda: time.perf_counter_ns() / 1e9,
    "realtime": lambda: time.clock_gettime(time.CLOCK_REALTIME),
    "since-boot": lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9,
    "local": lambda: time.mktime(time.localtime()),
    "utc-by-none": lambda: time.mktime(time.gmtime(None)),
    "text": lambda: time.mktime(time.strptime(time.ctime())),
    "formatted": lambda: time.mktime(time.strptime(time.strftime(WHOLE), WHOLE)),
    "datetime": lambda: datetime.now().timestamp(),  # noqa: DTZ005 - one of those that are written
    "datetime-utc": lambda: datetime.now(tz=UTC).timestamp(),
    "datetime-today": lambda: datetime.today().timestamp(),  # noqa: DTZ002 - as above
    "utcnow": lambda: datetime.utcnow().timestamp(),  # noqa: DTZ003 - as above
}
if sys.platform == "linux":
    CLOCKS["coarse"] = lambda: time.clock_gettime_ns(COARSE) / 1e9
WORKED = {
    "process": lambda: time.process_time(),
    "thread-ns": lambda: time.thread_time_ns() / 1e9,
    "by-number": lambda: time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID),
}


def given(do):
    """Return what a function of a root gives to who calls it under the scheduler."""

    class Store(Doing):
        def do(self):
            return do(self.root)

    done = executed(Store).history[0]
    assert not done.error, done.error
    return done.result


def passed(look, seconds):
    def do(_root):
        before = look()
        time.sleep(seconds)
        return look() - before

    return given(do)


@pytest.mark.parametrize("look", CLOCKS.values(), ids=list(CLOCKS))
def test_a_clock_says_that_somebody_has_slept(look):
    assert passed(look, 7) == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize("look", WORKED.values(), ids=list(WORKED))
def test_control_processor_time_does_not_pass_while_somebody_sleeps(look):
    assert 0 < passed(look, 7) < 0.1


def test_a_day_ends_when_somebody_sleeps_for_so_long():
    def do(_root):
        before = date.today()  # noqa: DTZ011 - as above
        time.sleep(89_999)  # some days have an hour more
        return (date.today() - before).days  # noqa: DTZ011 - as above

    assert given(do) == 1


@pytest.mark.parametrize("seconds", [600, 3600])
@pytest.mark.parametrize("now", [date(2026, 3, 5), date(2026, 7, 31)], ids=str)
def test_no_day_ends_while_somebody_is_merely_slow(now, seconds, monkeypatch):
    midnight = datetime(now.year, now.month, now.day).timestamp()  # noqa: DTZ001 - the local one
    monkeypatch.setattr("pytest_tradestore.race.clock.REAL_TIME", lambda: midnight - 1)
    clock = Clock()
    clock.advance(seconds)

    assert midnight - 2 * 3600 <= clock.wall() < midnight


def test_after_midnight_it_is_still_the_day_that_callers_ask_for(monkeypatch):
    monkeypatch.setattr("pytest_tradestore.race.clock.REAL_TIME", lambda: time.time() + 86_400)
    reads = kit_named("audit").concurrent(Records(), frozenset({"read_decisions", "read_orders"})).last(1)

    assert {read.arguments for read in reads} == {(date.fromtimestamp(Clock().wall()),)}  # noqa: DTZ012 - as above


def test_control_outside_of_executions_the_time_is_the_real_one():
    def task(_channel):
        with Sandbox() as sandbox:
            Harness(sandbox)
            (sandbox.path / "now").touch()
            return [abs(CLOCKS[name]() - os.stat(sandbox.path / "now").st_mtime) for name in ("time", "datetime-utc")]

    ending = run_isolated(task, 20)

    assert isinstance(ending, Finished)
    assert max(ending.value) < 60


def writes(root):
    with open(root / "a", "w") as file:
        file.write("x")


CHANGES = {
    "a-new-file": lambda root: writes(root),
    "a-new-descriptor": lambda root: os.close(os.open(root / "a", os.O_CREAT | os.O_WRONLY)),
    "a-directory": lambda root: os.mkdir("a", dir_fd=os.open(root, os.O_RDONLY)),
    "a-link": lambda root: os.link(root / "old", root / "a"),
    "a-symbolic-link": lambda root: os.symlink("old", root / "a"),
    "moved": lambda root: os.rename(root / "old", root / "a"),
    "gone": lambda root: os.unlink("old", dir_fd=os.open(root, os.O_RDONLY)),
}


def stamped(change, *, before):
    """Return by how much the directory is younger than what was done in it before: ``before`` says for how long."""

    def do(root):
        (root / "old").touch()
        was = root.stat().st_mtime
        time.sleep(before)
        change(root)
        return root.stat().st_mtime - was

    return given(do)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_directory_is_as_old_as_the_last_name_that_came_or_went(change):
    assert stamped(change, before=5) == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("change", [CHANGES["a-new-file"], CHANGES["gone"]], ids=["a-new-file", "gone"])
def test_control_what_is_done_at_once_cannot_be_told_apart(change):
    assert stamped(change, before=0) == 0


def test_control_a_file_that_was_there_leaves_the_directory_as_old_as_it_is():
    assert stamped(lambda root: os.close(os.open(root / "old", os.O_CREAT | os.O_WRONLY)), before=5) == 0


def test_threads_are_named_alike_in_every_execution():
    import threading

    def do(_root):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        return thread.name

    class Store(Doing):
        def do(self):
            return [do(self.root), do(self.root)]

    def task(_channel):
        from pytest_tradestore.race.execution import Program
        from pytest_tradestore.race.strategies import RandomWalk
        from pytest_tradestore.target import StoreUnderTest
        from tests.race.running import LOAD
        from tests.race.test_interposition import DO

        names = []
        with Sandbox() as sandbox:
            harness = Harness(sandbox)
            for _ in range(2):
                strategy = RandomWalk(0)
                strategy.begin()
                program = Program(((DO,), (DO,)), observe=(LOAD,))
                execution = harness.run(StoreUnderTest("x", Store), program, strategy, detailed=True)
                names.append([call.result for call in execution.history])
        return names

    ending = run_isolated(task, 20)

    assert isinstance(ending, Finished), ending
    first, second = ending.value
    assert first == second
    assert sorted(first[0] + first[1]) == [f"Thread-{number} (int)" for number in range(1, 5)]
