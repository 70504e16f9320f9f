"""How many schedules a second: ``python -m tests.benchmarks.bench_schedules [--frontrun PROGRAM]``.

Two callers increment a number in a small JSON document on tmpfs; then it is read. Random walks, so that nothing is
found out and then left out. The same increments without any scheduler are the floor: the ratio says what steering
costs. With ``--frontrun`` the program ``frontrun`` of another environment runs its strategies on the same stores.

A busy machine spoils rates, not ratios: slices of steered and bare executions alternate, and processor time is shown
beside wall time. Under each line stands where the time of a schedule goes (``schedule_profile``), of other schedules
than those that are timed.
"""

import argparse
import asyncio
import inspect
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Actors, Program
from pytest_tradestore.race.processes import ProcessHarness
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.strategies import RandomWalk
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.benchmarks import small_stores
from tests.benchmarks.schedule_profile import Shares, judged, of_processes, of_threads_and_tasks

INCREMENT, LOAD = Call("increment", (), "", "increment()"), Call("load", (), "", "load()")
THREADS = ("ByReplace", "ByPathlib")
TASKS = ("InMemory", "InOneJob", "ByAiofiles")
PROCESSES = ("ByReplace",)
PROFILED = 200
"""Schedules of which it is told where their time goes."""
Figures = tuple[float, float, float, float, str]


def measured(name: str, rounds: int, size: int) -> Figures:
    """Return wall and processor seconds of one schedule, wall seconds of a bare execution, choices, and a profile."""
    kind = Actors.THREADS if name in THREADS else Actors.TASKS
    make = getattr(small_stores, name)
    program = Program(((INCREMENT,), (INCREMENT,)), observe=(LOAD,), kind=kind)

    def task(channel: Channel) -> Figures:
        with Sandbox() as sandbox:
            bare = [slice_of(lambda at: without_scheduler(make, sandbox, at), size) for _ in range(rounds)]
            harness, strategy = Harness(sandbox), RandomWalk(1)
            under_test, choices = StoreUnderTest(name, make), 0

            def one(_at: int) -> None:
                nonlocal choices
                strategy.begin()
                choices += len(harness.run(under_test, program, strategy).choices)

            steered = []
            for turn in range(rounds):
                channel.step(turn)
                steered.append(slice_of(one, size))
            channel.step(rounds)
            profile = profiled(harness, under_test, program, of_threads_and_tasks)
        wall, spent = (statistics.median(values) for values in zip(*steered, strict=True))
        return wall, spent, statistics.median(w for w, _ in bare), choices / rounds / size, profile

    ending = run_isolated(task, 120)
    assert isinstance(ending, Finished), ending
    return ending.value  # type: ignore[no-any-return]


def measured_in_processes(name: str, rounds: int, size: int) -> Figures:
    """Return the same of callers that are processes; processor seconds are those of all of them."""
    make = getattr(small_stores, name)
    program = Program(((INCREMENT,), (INCREMENT,)), observe=(LOAD,), kind=Actors.PROCESSES)

    def task(channel: Channel) -> Figures:
        with Sandbox() as sandbox:
            bare = [slice_of(lambda at: without_scheduler(make, sandbox, at), size)[0] for _ in range(rounds)]
            under_test, strategy = StoreUnderTest(name, make), RandomWalk(1)
            harness, choices, before = ProcessHarness(sandbox, under_test), 0, sum(os.times()[:4])

            def one(_at: int) -> None:
                nonlocal choices
                strategy.begin()
                choices += len(harness.run(under_test, program, strategy).choices)

            wall = []
            for turn in range(rounds):
                channel.step(turn)
                wall.append(slice_of(one, size)[0])
            harness.close()
            made = rounds * size
            spent = (sum(os.times()[:4]) - before) / made
            channel.step(rounds)
            profile = profiled(harness, under_test, program, of_processes)
            harness.close()
        return statistics.median(wall), spent, statistics.median(bare), choices / made, profile

    ending = run_isolated(task, 120)
    assert isinstance(ending, Finished), ending
    return ending.value  # type: ignore[no-any-return]


def profiled(harness: Harness, store: StoreUnderTest, program: Program, watch: Callable[[Shares], None]) -> str:
    """Return where the time of a schedule goes, its judgement with it. The harness gives no rates afterwards."""
    shares, strategy = Shares(), RandomWalk(1)
    watch(shares)
    judge = judged(shares)
    for _ in range(PROFILED):
        strategy.begin()
        with shares.on("set-up"):
            execution = harness.run(store, program, strategy)
        judge(execution)
    return shares.told()


def slice_of(one: Callable[[int], None], size: int) -> tuple[float, float]:
    begun, spent = time.perf_counter(), time.process_time()
    for at in range(size):
        one(at)
    return (time.perf_counter() - begun) / size, (time.process_time() - spent) / size


def without_scheduler(make: Callable[[str], Any], sandbox: Sandbox, at: int) -> None:
    """Make the same calls, one after the other, as a program would: in a thread pool where they are awaited."""
    root = sandbox.fresh_root()
    store = make(os.fspath(root))
    if inspect.iscoroutinefunction(store.increment):

        async def both() -> None:
            await asyncio.gather(store.increment(), store.increment())
            await store.load()

        asyncio.run(both())
    else:
        store.increment()
        store.increment()
        store.load()
    sandbox.discard(root)
    del at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="slices; the median of them is shown")
    parser.add_argument("--slice", type=int, default=200, help="executions in a slice")
    parser.add_argument("--frontrun", help="the program frontrun of an environment that has it")
    chosen = parser.parse_args()
    rates = {}
    print(f"{'store':<12}{'a second':>10}{'per CPU s':>11}{'choices':>9}{'x bare':>8}")
    for name in (*THREADS, *TASKS):
        wall, spent, bare, choices, profile = measured(name, chosen.rounds, chosen.slice)
        rates[name] = 1 / wall
        print(f"{name:<12}{1 / wall:>10,.0f}{1 / spent:>11,.0f}{choices:>9.1f}{wall / bare:>8.2f}")
        print(f"  {profile}")
    for name in PROCESSES:
        wall, spent, bare, choices, profile = measured_in_processes(name, chosen.rounds, chosen.slice)
        print(f"{name:<12}{1 / wall:>10,.0f}{1 / spent:>11,.0f}{choices:>9.1f}{wall / bare:>8.2f}  in processes")
        print(f"  {profile}")
    if chosen.frontrun:
        compare(chosen.frontrun, rates)


def compare(program: str, rates: dict[str, float]) -> None:
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frontrun_figures.py")
    python = os.path.join(os.path.dirname(os.path.abspath(program)), "python")
    run = subprocess.run([program, python, script], capture_output=True, text=True, check=True)
    figures = json.loads(run.stdout.strip().splitlines()[-1])
    print("\nfrontrun, two increments that lose one another")
    for name, verdict in figures["dpor"].items():
        said = "holds" if verdict["holds"] else "race"
        print(f"  dpor    {name:<12} says {said:<6} after {verdict['executions']} executions")
    for name, rate in figures["random"].items():
        times = rates[name] / rate["rate"]
        print(f"  random  {name:<12} {rate['rate']:>6.0f} a second; {times:.1f} times as many here")


if __name__ == "__main__":
    main()
