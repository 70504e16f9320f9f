"""A schedule of callers that share one client is the same whatever comes first: what they say, or what they ask."""

import os
import socket
import threading
from select import select

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import kind_of, programs_of
from pytest_tradestore.race.fair_locks import FairLock, fair_from
from pytest_tradestore.race.one_client import OneClientHarness
from pytest_tradestore.race.standing_still import _FUTEX, is_kept_by_a_lock, unavailable
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.network import bucket_stores as stores

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


def requests_first(line):
    listen = line.listen

    def listens(others, patience=0.0):
        return [] if listen((), 0.005) is not None else listen(others, patience)

    line.listen = listens


def words_first(line):
    listen = line.listen

    def listens(others, patience=0.0):
        return select(others, [], [], 0.0)[0] or listen(others, patience)

    line.listen = listens


class Alternating:
    """Lets somebody else go on wherever that is possible."""

    def choose(self, enabled, current):
        return next((actor for actor in enabled if actor is not current), enabled[0])


def choices(target, arranged):
    """Return every choice of the schedule in which threads that change one place take turns."""
    store = StoreUnderTest(target.__name__, target)
    examined = Bench(Settings(budget=Budget.QUICK)).examined(store)
    kit = examined.contracts[0]
    program = programs_of(store, kit, examined.methods, Setting.ONE_INSTANCE, kind_of(store, kit))[0]

    def task(channel):
        with Sandbox() as sandbox:
            harness = OneClientHarness(sandbox, store)
            arranged(harness._server.line(0))
            execution = harness.run(store, program, Alternating())
            harness.end()
        return execution.choices

    ending = run_isolated(task, 60)
    assert isinstance(ending, Finished)
    return ending.value


def test_a_request_is_somebodys_whether_it_or_the_end_of_the_call_before_is_heard_first():
    first = choices(stores.ChangesUnderALock, requests_first)

    assert first == choices(stores.ChangesUnderALock, words_first)
    assert {actor for actor, operation in first if operation.startswith("PUT")} == {0, 1}


def test_a_fair_lock_goes_to_who_has_waited_longest_and_not_to_who_is_quicker():
    lock, turns = FairLock(), []
    lock.acquire()

    def takes(number):
        with lock:
            turns.append(number)

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=takes, args=(number,), daemon=True))
        threads[-1].start()
        while len(lock._waiting) <= number:
            os.sched_yield()
    lock.release()
    with lock:  # who lets go cannot have it again before them
        turns.append("first")
    for thread in threads:
        thread.join()
    assert turns == [*range(8), "first"]


@pytest.mark.parametrize("made", [threading.Lock, threading.RLock])
def test_a_lock_that_there_is_becomes_a_fair_one_unless_somebody_holds_it(made):
    real = made()
    assert hasattr(fair_from(real, ""), "acquire")

    with real:
        assert fair_from(real, "") is None


def test_a_thread_that_waits_for_a_lock_is_told_from_one_that_waits_for_an_answer():
    lock, (ours, theirs) = threading.Lock(), socket.socketpair()
    lock.acquire()
    waits = {"lock": lock.acquire, "answer": lambda: theirs.recv(1)}
    threads = {name: threading.Thread(target=wait, daemon=True) for name, wait in waits.items()}
    with ours, theirs:
        for thread in threads.values():
            thread.start()
        kept = {name: is_kept(thread.native_id) for name, thread in threads.items()}
        lock.release()
        ours.send(b"x")
        for thread in threads.values():
            thread.join()

    assert kept == {"lock": True, "answer": False}


def is_kept(thread):
    """Say whether a thread that has come to wait for something waits for a lock.

    For its turn in the interpreter it waits by a lock too, on the way there; but never without a time.
    """
    for _ in range(1_000_000):
        with open(f"/proc/self/task/{thread}/syscall") as file:
            call, *arguments = file.read().split()
        if call not in ("running", "-1") and (call != _FUTEX or int(arguments[3], 16) == 0):
            break
        os.sched_yield()
    return is_kept_by_a_lock(os.getpid(), str(thread))
