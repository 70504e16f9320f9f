"""The stores of a trading bot as the suite sees them: under a contract that it has, or under a kit of their own.

    pytest --tradestore-conformance --tradestore-store portfolio=tests.reference_store.conforming:BotPortfolio

Arbitrary documents travel in the member of a record that takes such; where there is none, a kit tells what calls do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_tradestore.kits import REOPEN, Call, Concurrent, Kit, OneOf, Spec, StepKind
from reference_store.bot_models import Holding, Portfolio, Value
from reference_store.stores.bot.faces import AsyncModelStore, ModelStore
from reference_store.stores.bot.portfolio import AsyncPortfolioStore, PortfolioStore

ASSETS = ("BTC", "ETH")


class HoldingsSpec(Spec):
    """How much there is of each asset: what was traded, added up; each trade counts."""

    initial = ()
    reads = ("holdings",)

    def apply(self, state: Any, call: Any) -> Any:
        match call:
            case Call("trade", (asset, amount)):
                held = dict(state or ())
                held[asset] = held.get(asset, 0) + amount
                held["trades"] = held.get("trades", 0) + 1
                return tuple(sorted(held.items())), held["trades"]
            case Call("holdings"):
                return state, dict(state)


class HoldingsKit(Kit):
    """``trade(asset, amount)`` says the how manyth trade it was, ``holdings()`` what there is."""

    name = "holdings"
    required = ("trade", "holdings")
    whole = True
    spec = HoldingsSpec()
    grammar = (
        StepKind("trade", (OneOf(ASSETS), OneOf((1, 2, 5)))),
        StepKind("holdings", ()),
        StepKind(REOPEN),
    )

    def update(self, number: int, size: int = 0) -> Call:
        return Call("trade", (ASSETS[number % 2], number + 1))

    def looks(self, make: Any, methods: Any) -> Any:
        return (Call("holdings"),)

    def concurrent(self, make: Any, methods: Any) -> Concurrent:
        look = Call("holdings")
        return Concurrent(
            lambda i: Call("trade", ("BTC", 1 + i)), lambda i: Call("trade", ("BTC", 10 + i)), lambda _: look,
            lambda _: (look,),
        )  # fmt: skip


def traded(present: Portfolio | None, asset: str, amount: int) -> Portfolio:
    worth = Value(amount=0.0)
    made = Portfolio(portfolio_value_eur=worth, initial_value_eur=worth) if present is None else present
    held = made.holdings.get(asset, Holding(amount=0.0))
    made.holdings[asset] = Holding(amount=held.amount + amount)
    made.trades_executed += 1
    return made


def shown(portfolio: Portfolio | None) -> dict[str, int]:
    if portfolio is None:
        return {}
    amounts = {asset: int(holding.amount) for asset, holding in sorted(portfolio.holdings.items())}
    return {**amounts, "trades": portfolio.trades_executed}


class Target:
    """A store of a bot, opened on a directory, with what it says about itself."""

    tradestore_errors = ModelStore.tradestore_errors
    tradestore_claims = ModelStore.tradestore_claims
    store: Callable[[Path], Any]

    def __init__(self, root: Path) -> None:
        self._store = type(self).store(root)

    def close(self) -> None:
        self._store.close()


class AsyncTarget:
    """The same for asyncio."""

    tradestore_errors = AsyncModelStore.tradestore_errors
    tradestore_claims = AsyncModelStore.tradestore_claims
    store: Callable[[Path], Any]

    def __init__(self, root: Path) -> None:
        self._store = type(self).store(root)

    async def aclose(self) -> None:
        await self._store.aclose()


class BotPortfolio(Target):
    tradestore_contracts = (HoldingsKit(),)
    store = PortfolioStore

    def trade(self, asset: str, amount: int) -> int:
        made: Portfolio = self._store.update(lambda present: traded(present, asset, amount))
        return made.trades_executed

    def holdings(self) -> dict[str, int]:
        return shown(self._store.load())


class AsyncBotPortfolio(AsyncTarget):
    tradestore_contracts = (HoldingsKit(),)
    store = AsyncPortfolioStore

    async def trade(self, asset: str, amount: int) -> int:
        made: Portfolio = await self._store.update(lambda present: traded(present, asset, amount))
        return made.trades_executed

    async def holdings(self) -> dict[str, int]:
        return shown(await self._store.load())


class CarelessPortfolio(BotPortfolio):
    """Somebody else may change it between loading and saving."""

    def trade(self, asset: str, amount: int) -> int:
        return int(self._store.reset(traded(self._store.load(), asset, amount)).trades_executed)
