"""What is done to the stores of a trading bot and how they are looked at: as in ``parts``, for those made of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from reference_store.bot_models import Holding, PaperOrder, Portfolio, Side, StrategyLogEntry, Task, Value
from tests.stress.parts import ALL, Answer, Part, Stressed, of_text, opened, pair


def _of_name(name: str) -> tuple[int, int]:
    writer, number = name.split("-")
    return int(writer), int(number)


def _more(writer: int, number: int) -> Callable[[Portfolio | None], Portfolio]:
    """A function for ``update``: the portfolio with one holding more."""

    def more(portfolio: Portfolio | None) -> Portfolio:
        found = portfolio or Portfolio(portfolio_value_eur=Value(amount=1.0), initial_value_eur=Value(amount=1.0))
        return found.model_copy(update={"holdings": {**found.holdings, f"{writer}-{number}": Holding(amount=1.0)}})

    return more


PORTFOLIO = {
    "updated": Part(
        "all",
        lambda s, w, n: s.update(_more(w, n)),
        lambda s, ended: [] if (found := ended(s.load())) is None else list(map(_of_name, found.holdings)),
        ordered=True,
    ),
}

TASKS = {
    "tasks": Part(
        "last",
        lambda s, w, n: s.save(Task(task_id=f"own-{w}", action="check", params={"writer": w, "number": n})),
        lambda s, ended: [pair(task.params) for task in ended(s.list(**ALL))],
    ),
}

STRATEGY_LOG = {
    "entries": Part(
        "all",
        lambda s, w, n: s.append(StrategyLogEntry(strategy="momentum", message=f"{w} {n}")),
        lambda s, ended: [of_text(entry.message) for entry in ended(s.read("momentum"))],
        ordered=True,
    ),
}


def _order(writer: int, number: int) -> PaperOrder:
    return PaperOrder(
        order_id=f"{writer}-{number}",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type="limit",
        limit_price=Decimal(1),
    )


def _open_account(store: Any, ended: Answer) -> None:
    ended(store.open_account(10**12))


PAPER_TRADING = {
    "orders": Part(
        "all",
        lambda s, w, n: s.place_order(_order(w, n)),
        lambda s, ended: [_of_name(order) for order in ended(s.load()).orders],
        ordered=True,
    ),
}

BOT_STORES = {
    "portfolio": Stressed(opened("PortfolioStore"), opened("AsyncPortfolioStore"), PORTFOLIO),
    "tasks": Stressed(opened("TaskStore"), opened("AsyncTaskStore"), TASKS),
    "strategy-log": Stressed(opened("StrategyLogStore"), opened("AsyncStrategyLogStore"), STRATEGY_LOG),
    "paper-trading": Stressed(
        opened("PaperTradingStore"), opened("AsyncPaperTradingStore"), PAPER_TRADING, _open_account
    ),
}
