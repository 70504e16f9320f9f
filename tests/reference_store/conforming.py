"""The stores of a trading bot as the suite sees them: under a contract that it has, or under a kit of their own.

    pytest --tradestore-conformance --tradestore-store portfolio=tests.reference_store.conforming:BotPortfolio

Arbitrary documents travel in the member of a record that takes such; where there is none, a kit tells what calls do.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from pytest_tradestore.kits import REOPEN, UNSAID, Call, Concurrent, Kit, OneOf, Spec, StepKind
from reference_store import (
    AsyncCacheStore,
    AsyncPaperTradingStore,
    AsyncPortfolioStore,
    AsyncStockStateStore,
    AsyncStrategyLogStore,
    AsyncStrategyStore,
    AsyncTaskStore,
    CacheStore,
    PaperTradingStore,
    PortfolioStore,
    StockStateStore,
    StrategyLogStore,
    StrategyStore,
    TaskStore,
    UnserialisableValue,
)
from reference_store.bot_models import (
    Holding,
    PaperFill,
    PaperOrder,
    PaperTrading,
    Portfolio,
    StockState,
    Strategy,
    StrategyLogEntry,
    Task,
    Value,
)
from reference_store.stores.bot.faces import AsyncModelStore, ModelStore
from reference_store.stores.bot.paper_trading import _place

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


ABSENT = {"": "no document yet"}
"""What a record begins with that is made by an update."""


def changed(target: Any, key: str, function: Callable[[Any], Any], record: Any) -> Any:
    """The record with what ``function`` makes of its document, of None where there was none."""
    document = target.document(record)
    made = function(None if document == ABSENT else document)
    if not isinstance(made, dict):
        raise UnserialisableValue("no document, which")
    return target.record(key, made)


class _Documents(Target):
    """Documents by key, in the member of a record that takes any."""

    def record(self, key: str, document: Any) -> Any:
        raise NotImplementedError

    def document(self, record: Any) -> Any:
        raise NotImplementedError

    def put(self, key: str, document: dict[str, Any]) -> None:
        self._store.save(self.record(key, document))

    def get(self, key: str) -> Any:
        found = self._store.get(key)
        return None if found is None else self.document(found)

    def delete(self, key: str) -> bool:
        return bool(self._store.delete(key))

    def keys(self) -> list[str]:
        return list(self._store.ids())

    def update(self, key: str, function: Callable[[Any], Any]) -> Any:
        changing = partial(changed, self, key, function)
        return self.document(self._store.update(key, changing, self.record(key, ABSENT)))


class _AsyncDocuments(AsyncTarget):
    def record(self, key: str, document: Any) -> Any:
        raise NotImplementedError

    def document(self, record: Any) -> Any:
        raise NotImplementedError

    async def put(self, key: str, document: dict[str, Any]) -> None:
        await self._store.save(self.record(key, document))

    async def get(self, key: str) -> Any:
        found = await self._store.get(key)
        return None if found is None else self.document(found)

    async def delete(self, key: str) -> bool:
        return bool(await self._store.delete(key))

    async def keys(self) -> list[str]:
        return list(await self._store.ids())

    async def update(self, key: str, function: Callable[[Any], Any]) -> Any:
        changing = partial(changed, self, key, function)
        return self.document(await self._store.update(key, changing, self.record(key, ABSENT)))


class _AsStrategy:
    def record(self, key: str, document: Any) -> Strategy:
        return Strategy(strategy_id=key, name="any", parameters=document)

    def document(self, record: Strategy) -> Any:
        return record.parameters


class _AsTask:
    def record(self, key: str, document: Any) -> Task:
        return Task(task_id=key, action="any", params=document)

    def document(self, record: Task) -> Any:
        return record.params


class _AsState:
    def record(self, key: str, document: Any) -> StockState:
        return StockState(symbol=key, data=document)

    def document(self, record: StockState) -> Any:
        return record.data


class BotStrategies(_AsStrategy, _Documents):
    store = StrategyStore


class AsyncBotStrategies(_AsStrategy, _AsyncDocuments):
    store = AsyncStrategyStore


class BotTasks(_AsTask, _Documents):
    store = TaskStore


class AsyncBotTasks(_AsTask, _AsyncDocuments):
    store = AsyncTaskStore


class BotStockState(_AsState, _Documents):
    store = StockStateStore


class AsyncBotStockState(_AsState, _AsyncDocuments):
    store = AsyncStockStateStore


def entry(stream: str, record: dict[str, Any]) -> StrategyLogEntry:
    return StrategyLogEntry(strategy=stream, message="any", data=record)


class BotStrategyLog(Target):
    tradestore_claims = StrategyLogStore.tradestore_claims
    store = StrategyLogStore

    def append(self, stream: str, record: dict[str, Any]) -> None:
        self._store.append(entry(stream, record))

    def read(self, stream: str) -> list[Any]:
        return [found.data for found in self._store.read(stream)]


class AsyncBotStrategyLog(AsyncTarget):
    tradestore_claims = AsyncStrategyLogStore.tradestore_claims
    store = AsyncStrategyLogStore

    async def append(self, stream: str, record: dict[str, Any]) -> None:
        await self._store.append(entry(stream, record))

    async def read(self, stream: str) -> list[Any]:
        return [found.data for found in await self._store.read(stream)]


class FillsSpec(Spec):
    """What a fill leaves of the cash, and what there is of its symbol; the same fill counts once."""

    initial = ()
    reads = ("book",)

    def apply(self, state: Any, call: Any) -> Any:
        done = dict(state or ())
        match call:
            case Call("buy", (fill, quantity)):
                done.setdefault(f"fill-{fill}", quantity)
                return tuple(sorted(done.items())), UNSAID
            case Call("book"):
                return state, {**done, "cash": 1_000_000 - 2 * sum(done.values())} if done else {}


class FillsKit(HoldingsKit):
    """``buy(fill, quantity)`` orders and fills at a price of 2, ``book()`` says what came of it."""

    name = "fills"
    required = ("buy", "book")
    spec = FillsSpec()
    grammar = (StepKind("buy", (OneOf((1, 2, 3)), OneOf((5,)))), StepKind("book", ()), StepKind(REOPEN))

    def update(self, number: int, size: int = 0) -> Call:
        return Call("buy", (100 + number, number + 1))

    def looks(self, make: Any, methods: Any) -> Any:
        return (Call("book"),)

    def concurrent(self, make: Any, methods: Any) -> Concurrent:
        look = Call("book")
        return Concurrent(
            lambda i: Call("buy", (1 + i, 1 + i)), lambda i: Call("buy", (10 + i, 10 + i)), lambda _: look,
            lambda _: (look,),
        )  # fmt: skip


def bought(fill: int, quantity: int) -> tuple[PaperOrder, PaperFill]:
    """A fill, and the order that it is the only one of."""
    about = {"order_id": f"order-{fill}", "symbol": "BTC", "side": "BUY", "quantity": quantity}
    return PaperOrder(**about), PaperFill(fill_id=f"fill-{fill}", price=Decimal(2), **about)


def book(found: PaperTrading | None) -> dict[str, int]:
    if found is None or not found.fills:
        return {}
    held = found.positions["BTC"].quantity
    fills = {fill.fill_id: int(fill.quantity) for fill in found.fills}
    assert held == sum(fills.values())
    return {**fills, "cash": int(found.account.cash)}


class BotPaper(Target):
    tradestore_contracts = (FillsKit(),)
    store = PaperTradingStore

    def buy(self, fill: int, quantity: int) -> None:
        self._store.open_account(1_000_000)
        self._store.execute(*bought(fill, quantity))

    def book(self) -> dict[str, int]:
        return book(self._store.load())


class AsyncBotPaper(AsyncTarget):
    tradestore_contracts = (FillsKit(),)
    store = AsyncPaperTradingStore

    async def buy(self, fill: int, quantity: int) -> None:
        await self._store.open_account(1_000_000)
        await self._store.execute(*bought(fill, quantity))

    async def book(self) -> dict[str, int]:
        return book(await self._store.load())


class BotCache(CacheStore):
    """It has the methods of the contract itself."""


class AsyncBotCache(AsyncCacheStore):
    """The same for asyncio."""


class CarelessPortfolio(BotPortfolio):
    """Somebody else may change it between loading and saving."""

    def trade(self, asset: str, amount: int) -> int:
        return int(self._store.reset(traded(self._store.load(), asset, amount)).trades_executed)


class CarelessPaper(BotPaper):
    """Stores the book that it has read, and the new fill: those that others do meanwhile are lost."""

    def buy(self, fill: int, quantity: int) -> None:
        self._store.open_account(1_000_000)
        read, (order, done) = self._store._book, bought(fill, quantity)
        present = self._store.load()
        assert present is not None
        if all(each.fill_id != done.fill_id for each in present.fills):
            _place(present, order)
            read._do(present, done)
            self._store._done(read._models.doing("execute", "paper_trading", lambda _: (present, None)))
