"""A trading bot that may be killed at any moment: run it again, and it goes on where it was, and nothing counts twice.

Each step has an id that is made of the tick it belongs to, so one that may have happened is simply done again.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import reference_store as stores
from reference_store.bot_models import Holding, PaperFill, PaperOrder, PaperTrading, Portfolio, Value
from reference_store.models import Decision, Job, Order, OrderResult, PriceBar
from reference_store.performance_models import Snapshot

START = datetime(2026, 1, 5, tzinfo=UTC)
WHAT = {"symbol": "BTC", "quantity": 1}


def portfolio_of(book: PaperTrading) -> Portfolio:
    cash, count = float(book.account.cash), len(book.fills)
    worth, begun = Value(amount=cash + 2 * count), Value(amount=1e6)
    held = {"EUR": Holding(amount=cash), "BTC": Holding(amount=count, last_price_eur=2.0)}
    return Portfolio(portfolio_value_eur=worth, initial_value_eur=begun, trades_executed=count, holdings=held)


async def run(root: Path, ticks: int, done: Callable[[str, int], None] = print) -> None:
    async with AsyncExitStack() as opened:
        data = await opened.enter_async_context(stores.AsyncFileDataStore(root, clock=lambda: START))
        paper = await opened.enter_async_context(stores.AsyncPaperTradingStore(root))
        account = await opened.enter_async_context(stores.AsyncPortfolioStore(root))
        performance = await opened.enter_async_context(stores.AsyncPerformanceStore(root, clock=lambda: START))
        jobs = await opened.enter_async_context(stores.JobStore(root))
        await paper.open_account(1_000_000)
        await performance.start(Snapshot(timestamp=START, total_value_eur=1e6))
        for tick in range(len(await jobs.list(status="completed", limit=ticks)), ticks):
            now, name = START + timedelta(minutes=tick), f"tick-{tick}"
            if await jobs.get(name) is None:
                await jobs.save(Job(job_id=name, job_type="tick", status="running"))
            await data.write_bars("BTC", [PriceBar("BTC", now, 2.0, 2.5, 1.5, 2.0, tick)])
            done("bar", tick)
            if name not in [line["decision"]["reasoning"] for line in await data.read_decisions(START.date())]:
                await data.log_decision("momentum", Decision(symbol="BTC", action="BUY", reasoning=name))
            done("decision", tick)
            fill = PaperFill(fill_id=name, order_id=name, side="BUY", price=2, **WHAT)
            await paper.execute(PaperOrder(order_id=name, side="BUY", **WHAT), fill)
            done("fill", tick)
            if name not in [line["result"]["order_id"] for line in await data.read_orders(START.date())]:
                order = Order(strategy_name="momentum", action="BUY", order_type="market", **WHAT)
                await data.log_order("momentum", order, OrderResult(order_id=name, status="filled"))
            done("order", tick)
            saved = await account.save(portfolio_of(await paper.load()))
            done("portfolio", tick)
            await performance.add_snapshot(Snapshot(timestamp=now, total_value_eur=saved.portfolio_value_eur.amount))
            done("snapshot", tick)
            await jobs.update_job(name, lambda job: job.model_copy(update={"status": "completed"}))
            done("job", tick)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), 1000))
