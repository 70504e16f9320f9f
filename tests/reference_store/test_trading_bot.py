"""The bot of the examples, killed again and again: what it was told is done is there, once, and the files are sound."""

import asyncio
import importlib.util
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from reference_store import FileDataStore, PaperTradingStore, PerformanceStore, PortfolioStore, SyncJobStore

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "trading_bot.py"
FORKS = multiprocessing.get_context("fork")
LAST = 10_000
STEPS = ("bar", "decision", "fill", "order", "portfolio", "snapshot", "job")
Told = list[tuple[str, int]]

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def bot() -> Any:
    spec = importlib.util.spec_from_file_location("trading_bot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def killed(bot: Any, root: Path, after: int, chance: random.Random, run: Callable[..., Any] | None = None) -> Told:
    """Start the bot, end it at random behind the step number ``after``, and return what it has told until then."""
    here, there = FORKS.Pipe(duplex=False)
    child = FORKS.Process(target=_run, args=(run or bot.run, root, here, there))
    child.start()
    there.close()
    told: Told = []
    while len(told) < after:
        told.append(here.recv())
    here.poll(chance.random() / 200)  # somewhere in the next step
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    told += _rest(here)
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    return told


def _run(run: Callable[..., Any], root: Path, here: Connection, there: Connection) -> None:
    here.close()  # so that the pipe breaks, and this ends, when the test does
    asyncio.run(run(root, LAST, lambda step, tick: there.send((step, tick))))


def _rest(here: Connection) -> Iterator[tuple[str, int]]:
    while True:
        try:
            yield here.recv()
        except (EOFError, OSError):
            return


def found(bot: Any, root: Path) -> dict[str, Counter[int]]:
    """How often each step of each tick is there."""
    day, last = bot.START.date(), bot.START + timedelta(days=30)
    with FileDataStore(root) as data, PaperTradingStore(root) as paper, SyncJobStore(root) as jobs:
        book, completed = paper.load(), jobs.list(status="completed", limit=LAST)
        bars = data.read_bars("BTC", bot.START, last)
        decisions, orders = data.read_decisions(day), data.read_orders(day)
    with PortfolioStore(root) as account, PerformanceStore(root, clock=lambda: bot.START) as performance:
        portfolio, snapshots = account.load(), performance.snapshots()
    fills = [] if book is None else book.fills
    saved = 0 if portfolio is None else portfolio.trades_executed
    assert saved <= len(fills) <= saved + 1, "one fill at most is not in the portfolio yet"
    minutes = [(each.timestamp - bot.START) // timedelta(minutes=1) for each in snapshots]
    return {
        "bar": Counter(int(bar.volume) for bar in bars),
        "decision": Counter(_tick(line["decision"]["reasoning"]) for line in decisions),
        "fill": Counter(_tick(fill.fill_id) for fill in fills),
        "order": Counter(_tick(line["result"]["order_id"]) for line in orders),
        "portfolio": Counter(range(saved)),
        "snapshot": Counter(set(minutes)),
        "job": Counter(_tick(job.job_id) for job in completed),
    }


def _tick(name: str) -> int:
    return int(name.removeprefix("tick-"))


def wrong(bot: Any, root: Path, told: Told) -> list[str]:
    """What was told and is not there, and what is there twice."""
    there = found(bot, root)
    lost = [f"{step} {tick} is lost" for step, tick in told if not there[step][tick]]
    return lost + [f"{step} {tick} counts {n} times" for step in STEPS for tick, n in there[step].items() if n > 1]


def complaint(root: Path) -> str:
    """What ``tradestore verify`` says of the directory if it is not content."""
    testing = pytest.importorskip("click.testing")
    command = pytest.importorskip("reference_store.operations.command_line").COMMAND
    done = testing.CliRunner().invoke(command, ["verify", os.fspath(root)])
    return "" if done.exit_code == 0 else str(done.output)


def kill_again_and_again(
    bot: Any, root: Path, times: int, run: Callable[..., Any] | None = None, seed: int = 0
) -> list[str]:
    chance, told = random.Random(seed), list[tuple[str, int]]()
    for number in range(times):
        told += killed(bot, root, chance.randrange(1, 12), chance, run)
        if said := complaint(root):
            return [f"after kill {number}: {said}"]
    return wrong(bot, root, told)  # what was lost stays lost, and what is there twice stays so


def test_a_bot_that_is_killed_twice_loses_and_doubles_nothing(tmp_path: Path, bot: Any) -> None:
    assert kill_again_and_again(bot, tmp_path, 2) == []


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(10))
def test_a_bot_that_is_killed_a_hundred_times_loses_and_doubles_nothing(tmp_path: Path, bot: Any, seed: int) -> None:
    assert kill_again_and_again(bot, tmp_path, 10, seed=seed) == []


def test_control_a_bot_that_does_not_look_before_it_logs_doubles(tmp_path: Path, bot: Any) -> None:
    async def careless(root: Path, ticks: int, done: Callable[[str, int], None]) -> None:
        async with bot.stores.AsyncFileDataStore(root, clock=lambda: bot.START) as data:
            decision = bot.Decision(symbol="BTC", action="BUY", reasoning="tick-0")
            await data.log_decision("momentum", decision)
            for _ in range(ticks):
                done("decision", 0)

    assert kill_again_and_again(bot, tmp_path, 2, careless) == ["decision 0 counts 2 times"]


def test_control_a_bot_that_tells_too_early_loses(tmp_path: Path, bot: Any) -> None:
    async def hasty(root: Path, ticks: int, done: Callable[[str, int], None]) -> None:
        for tick in range(ticks):
            done("fill", tick)

    assert "fill 0 is lost" in kill_again_and_again(bot, tmp_path, 1, hasty)


def test_the_bot_has_sixty_lines() -> None:
    code = [line for line in EXAMPLE.read_text("utf-8").splitlines() if line.strip()]
    assert len(code) <= 60
