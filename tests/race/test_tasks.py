"""Callers that are tasks: the loop is one actor, each of its jobs another; cancellation comes at any await."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import aiofiles
import pytest

from pytest_tradestore.isolation import run_isolated
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Actors, Program
from pytest_tradestore.race.search import Harness, run_schedules
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.race import patterns
from tests.race.running import INCREMENT, LOAD, cancelled_save, increments, save, search
from tests.race.test_interposition import DO, executed

TWO = Program(((DO,), (DO,)), observe=(LOAD,), kind=Actors.TASKS)


class Doing:
    """An async store with one call, ``do``; it comes with what every store must have."""

    def __init__(self, root):
        self.root = root

    async def save(self, data):
        raise NotImplementedError

    async def load(self):
        return None

    async def do(self):
        raise NotImplementedError


class AsyncInOneJob(patterns.AsyncCounter):
    """The whole update is one job, without a lock: correct if jobs were atomic, which they are not."""

    def __init__(self, root):
        super().__init__(root)
        self.inner = patterns.NoTempShared(root)

    async def increment(self):
        return await asyncio.to_thread(self.inner.increment)


def test_jobs_are_not_atomic():
    assert "lost update" in search(AsyncInOneJob, increments(AsyncInOneJob)).sentence


def test_control_a_pool_of_one_worker_makes_them_so():
    class AsyncInOneWorker(AsyncInOneJob):
        def __init__(self, root):
            super().__init__(root)
            self.pool = ThreadPoolExecutor(1)

        async def increment(self):
            return await asyncio.get_running_loop().run_in_executor(self.pool, self.inner.increment)

    assert search(AsyncInOneWorker, increments(AsyncInOneWorker)).sentence == ""


def test_control_a_pool_of_two_workers_does_not():
    class AsyncInTwoWorkers(AsyncInOneJob):
        def __init__(self, root):
            super().__init__(root)
            self.pool = ThreadPoolExecutor(2)

        async def increment(self):
            return await asyncio.get_running_loop().run_in_executor(self.pool, self.inner.increment)

    assert "lost update" in search(AsyncInTwoWorkers, increments(AsyncInTwoWorkers)).sentence


def test_the_worker_of_a_pool_stays_the_same_thread():
    class AsyncStore(Doing):
        async def do(self):
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(1) as pool:
                seen = [await loop.run_in_executor(pool, threading.get_ident) for _ in range(3)]
            assert len(set(seen)) == 1

    assert search(AsyncStore, TWO, budget=50).sentence == ""


def test_between_two_awaits_nobody_else_runs_on_the_loop():
    class AsyncStore(patterns.AsyncCounter):
        async def increment(self):
            await asyncio.sleep(0)
            return patterns.Counter.increment(patterns.OwnTempCounter(self.root))

        def __init__(self, root):
            super().__init__(root)
            self.root = root

    result = search(AsyncStore, increments(AsyncStore), budget=500)

    assert (result.sentence, result.search.exhausted) == ("", True)


def test_callbacks_are_run_in_the_order_in_which_they_were_asked_for():
    class AsyncStore(Doing):
        async def do(self):
            order, loop = [], asyncio.get_running_loop()
            done = asyncio.Event()
            for number in range(3):
                loop.call_soon(order.append, number)
            loop.call_soon(done.set)
            await done.wait()
            assert order == [0, 1, 2]

    assert search(AsyncStore, TWO, budget=100).sentence == ""


def test_a_call_that_begins_later_is_tried_too():
    class AsyncStore(patterns.AsyncCounter):
        """Correct when both begin together, because the first to come is the first to be served."""

        busy = None

        async def increment(self):
            if self.busy is None:
                self.busy = asyncio.get_running_loop().create_future()
                result = await super().increment()
                self.busy.set_result(None)
                return result
            if not self.busy.done():
                await self.busy
                return await super().increment()
            return 1

    assert "lost update: [1, 1]" in search(AsyncStore, increments(AsyncStore)).sentence


def test_sleeping_and_timeouts_are_virtual():
    class AsyncStore(Doing):
        async def do(self):
            began = time.monotonic()
            await asyncio.sleep(3600)
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 60)
            except TimeoutError:
                return round(time.monotonic() - began)

    began = time.monotonic()
    result = search(AsyncStore, TWO, budget=20)

    assert (result.sentence, result.search.uncontrolled) == ("", ())
    assert time.monotonic() - began < 60


def test_aiofiles_is_seen_down_to_its_system_calls():
    class AsyncStore(Doing):
        async def do(self):
            async with aiofiles.open(self.root / f"{id(asyncio.current_task())}", "w") as file:
                await file.write("1")
                await file.flush()

        async def load(self):
            assert all(os.path.getsize(self.root / name) == 1 for name in os.listdir(self.root))

    result = search(AsyncStore, TWO, budget=50)

    assert (result.sentence, result.search.uncontrolled) == ("", ())


class AsyncUnderneath:
    """A synchronous store over an event loop in a thread of its own."""

    def __init__(self, root):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.inner = patterns.AsyncLocked(root)

    def wait(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result()

    def increment(self):
        return self.wait(self.inner.increment())

    def save(self, data):
        self.wait(self.inner.save(data))

    def load(self):
        return self.wait(self.inner.load())

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def test_an_event_loop_of_the_stores_own_is_controlled():
    threads = Program(((INCREMENT,), (INCREMENT,)), observe=(LOAD,))

    result = search(AsyncUnderneath, threads, budget=200)

    assert (result.sentence, result.search.uncontrolled, result.trouble) == ("", (), "")


def test_control_and_its_races_are_found():
    class Racy(AsyncUnderneath):
        def __init__(self, root):
            super().__init__(root)
            self.inner = patterns.AsyncCounter(root)

    threads = Program(((INCREMENT,), (INCREMENT,)), observe=(LOAD,))

    assert "lost update" in search(Racy, threads, budget=200).sentence


def test_a_task_in_the_background_neither_ends_nor_blocks_anything():
    class AsyncStore(Doing):
        task = None

        async def do(self):
            if self.task is None:
                self.task = asyncio.ensure_future(self.flush())
            await asyncio.sleep(0)

        async def flush(self):
            while True:
                await asyncio.sleep(1)

    result = search(AsyncStore, TWO, budget=50)

    assert (result.sentence, result.trouble) == ("", "")


# Cancellation


def cancelled_calls(store, at):
    """Return the errors of the saves of the first schedule in which one ended with an error."""

    def judge(execution):
        return " ".join(call.error for call in execution.history if call.call.method == "save" and call.error) or None

    return run_schedules(StoreUnderTest("x", store), cancelled_save(store, at), budget=60, seed=0, judge=judge).sentence


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_caller_is_cancelled_while_it_stands_at_the_await_that_was_asked_for(at):
    class AsyncStore(Doing):
        async def save(self, data):
            for _ in range(3):
                await asyncio.sleep(0)

    assert cancelled_calls(AsyncStore, at) == "CancelledError"


def test_control_at_an_await_that_it_does_not_come_to_nobody_is_cancelled():
    class AsyncStore(Doing):
        async def save(self, data):
            for _ in range(3):
                await asyncio.sleep(0)

    assert cancelled_calls(AsyncStore, 4) == ""


def test_a_job_whose_caller_was_cancelled_goes_on():
    class AsyncStore(Doing):
        async def save(self, data):
            await asyncio.to_thread(os.mkdir, self.root / str(data["n"]))

        async def load(self):
            return sorted(os.listdir(self.root))

    found = set()

    def judge(execution):
        first = next(call for call in execution.history if call.call.method == "save" and call.actor == 0)
        found.add((bool(first.error), "1" in execution.history[-1].result))
        return

    def task(channel):
        with Sandbox() as sandbox:
            Harness(sandbox).explore(
                StoreUnderTest("x", AsyncStore), cancelled_save(AsyncStore, 1), budget=200, seed=0, judge=judge
            )
        return found

    assert run_isolated(task, 30).value == {(False, True), (True, True), (True, False)}


def test_a_cancelled_caller_that_leaves_its_lock_held_is_a_deadlock():
    class AsyncStore(patterns.AsyncWhole):
        async def save(self, data):
            await self.lock.acquire()
            await asyncio.to_thread(self.inner.save, data)
            self.lock.release()

    result = search(AsyncStore, cancelled_save(AsyncStore, 1))

    assert "deadlock: caller 1 waits in" in result.sentence


@pytest.mark.proof
def test_control_with_a_context_manager_it_is_given_back():
    sentences = [search(patterns.AsyncShielded, cancelled_save(patterns.AsyncShielded, at)).sentence for at in (1, 2)]

    assert sentences == ["", ""]


def test_a_sync_store_is_called_by_tasks_as_it_is():
    call = Call("save", ({"n": 1},), "", "save(1)")
    program = Program(((call,), (save(2),)), observe=(LOAD,), kind=Actors.TASKS)

    assert search(patterns.OwnTemp, program, budget=50).sentence == ""


def test_steps_of_jobs_are_those_of_the_caller_that_gave_them_away():
    class Sync:
        def __init__(self, root):
            self.inner = patterns.AsyncCounter(root)

        def do(self):
            return asyncio.run(self.inner.increment())

        save = load = do

    steps = [step for step in executed(Sync).steps if step.operation.startswith("replace")]

    assert steps[0].actor == 0
    assert steps[0].location is not None
