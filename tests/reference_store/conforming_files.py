"""A bot's historical data, reports, dashboard and performance as the suite sees them: numbers, in large files.

pytest --tradestore-conformance --tradestore-store history=tests.reference_store.conforming_files:BotHistory
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_tradestore.kits import REOPEN, UNSAID, Call, Concurrent, Kit, OneOf, Spec, StepKind
from reference_store import (
    AsyncBacktestStore,
    AsyncDashboardStore,
    AsyncHistoricalStore,
    AsyncPerformanceStore,
    AsyncReportStore,
    BacktestStore,
    DashboardStore,
    HistoricalStore,
    PerformanceStore,
    ReportStore,
)
from reference_store.dashboard_models import LatestBacktest
from reference_store.models import PriceBar
from reference_store.performance_models import PerformanceConfig, Snapshot, Snapshots
from reference_store.stores.bot.file_names import Granularity, HistoricalName, ReportKind, ReportName
from tests.reference_store.conforming import AsyncTarget, HoldingsKit, Target

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


class NumbersSpec(Spec):
    """What is under a name: the number that was put last, and what was counted up since."""

    initial = None
    reads = ("shown",)

    def apply(self, state: Any, call: Any) -> Any:
        match call:
            case Call("put", (_, number, _)):
                return number, UNSAID
            case Call("count", (_, step)):
                return (state or 0) + step, (state or 0) + step
            case Call("shown"):
                return state, state


class NumbersKit(Kit):
    """``put(name, number, size)``, ``count(name, step)`` and ``shown(name)``; the size is of the file alone."""

    name = "numbers"
    required = ("put", "count", "shown")
    keyed = whole = replaces = True
    spec = NumbersSpec()

    def __init__(self, *names: str) -> None:
        self.names = names
        known = OneOf(names)
        self.grammar = (
            StepKind("put", (known, OneOf(range(1, 9)), OneOf((0,)))),
            StepKind("count", (known, OneOf((1, 2)))),
            StepKind("shown", (known,)),
            StepKind(REOPEN),
        )

    def update(self, number: int, size: int = 0) -> Call:
        return self._of(number, "put", 100 + number, size)

    def next_update(self, make: Any, key: str, version: int) -> Call:
        return Call("put", (key, 100 + version, 0), key)

    def call(self, visit: Any, step: Any) -> Call:
        method, *arguments = step
        return Call(method, tuple(arguments), arguments[0])

    def last_calls(self, visit: Any) -> Any:
        return self._looks(len(self.names))

    def looks(self, make: Any, methods: Any) -> Any:
        return self._looks(len(self.names))

    def concurrent(self, make: Any, methods: Any) -> Concurrent:
        return Concurrent(
            lambda i: self._of(i, "count", 1 + i), lambda i: self._of(0, "count", 10 + i),
            lambda i: self._of(i, "shown"), lambda count: self._looks(min(count, len(self.names))),
        )  # fmt: skip

    def _looks(self, count: int) -> tuple[Call, ...]:
        return tuple(self._of(number, "shown") for number in range(count))

    def _of(self, number: int, method: str, *arguments: int) -> Call:
        name = self.names[number % len(self.names)]
        return Call(method, (name, *arguments), name)


def hours(asset: str) -> HistoricalName:
    return HistoricalName(asset, "EUR", Granularity.HOUR, "9000d")


def priced(asset: str, number: int, size: int = 0) -> list[PriceBar]:
    """Bars whose last close is the number; with a size, so many that they take about that many bytes."""
    return [
        PriceBar(f"{asset}-EUR", MOMENT + timedelta(hours=hour), 0.1 + hour, hour + 999.0, 0.0, float(number), hour)
        for hour in range(1 + size // 16)
    ]


def price(found: list[PriceBar]) -> int | None:
    return int(found[-1].close) if found else None


class BotHistory(Target):
    tradestore_contracts = (NumbersKit("BTC", "ETH"),)
    store = HistoricalStore

    def put(self, asset: str, number: int, size: int) -> None:
        self._store.write(hours(asset), priced(asset, number, size))

    def count(self, asset: str, step: int) -> int | None:
        return price(self._store.update(hours(asset), lambda there: priced(asset, (price(there) or 0) + step)))

    def shown(self, asset: str) -> int | None:
        return price(self._store.read(hours(asset)))


class AsyncBotHistory(AsyncTarget):
    tradestore_contracts = (NumbersKit("BTC", "ETH"),)
    store = AsyncHistoricalStore

    async def put(self, asset: str, number: int, size: int) -> None:
        await self._store.write(hours(asset), priced(asset, number, size))

    async def count(self, asset: str, step: int) -> int | None:
        return price(await self._store.update(hours(asset), lambda there: priced(asset, (price(there) or 0) + step)))

    async def shown(self, asset: str) -> int | None:
        return price(await self._store.read(hours(asset)))


def report_of(what: str) -> ReportName:
    return ReportName(what, MOMENT, ReportKind.ANALYSIS if what == "analysis" else ReportKind.REPORT)


def told(what: str, number: int, size: int = 0) -> Any:
    return {"n": number, "text": "x" * size} if what == "analysis" else f"{number}\n{'x' * size}"


def number_in(found: Any) -> int | None:
    if found is None:
        return None
    return int(found["n"]) if isinstance(found, dict) else int(found.partition("\n")[0])


class BotReports(Target):
    tradestore_contracts = (NumbersKit("daily", "analysis"),)
    store = ReportStore

    def put(self, what: str, number: int, size: int) -> None:
        write = self._store.write_analysis if what == "analysis" else self._store.write
        write(what, told(what, number, size), MOMENT)

    def count(self, what: str, step: int) -> int | None:
        return number_in(self._store.update(report_of(what), lambda there: told(what, (number_in(there) or 0) + step)))

    def shown(self, what: str) -> int | None:
        return number_in(self._store.read(report_of(what)))


class AsyncBotReports(AsyncTarget):
    tradestore_contracts = (NumbersKit("daily", "analysis"),)
    store = AsyncReportStore

    async def put(self, what: str, number: int, size: int) -> None:
        write = self._store.write_analysis if what == "analysis" else self._store.write
        await write(what, told(what, number, size), MOMENT)

    async def count(self, what: str, step: int) -> int | None:
        name = report_of(what)
        return number_in(await self._store.update(name, lambda there: told(what, (number_in(there) or 0) + step)))

    async def shown(self, what: str) -> int | None:
        return number_in(await self._store.read(report_of(what)))


class BotBacktests(BotReports):
    store = BacktestStore


class AsyncBotBacktests(AsyncBotReports):
    store = AsyncBacktestStore


def backtest(number: int, size: int = 0) -> LatestBacktest:
    return LatestBacktest(
        generated_at=MOMENT, strategy="any", start=MOMENT, end=MOMENT, trades=number, parameters={"text": "x" * size}
    )


def trades(found: LatestBacktest | None) -> int:
    return 0 if found is None else found.trades


class BotDashboard(Target):
    tradestore_contracts = (NumbersKit("latest"),)
    store = DashboardStore

    def put(self, _name: str, number: int, size: int) -> None:
        self._store.publish(backtest(number, size))

    def count(self, _name: str, step: int) -> int:
        return trades(self._store.update(lambda there: backtest(trades(there) + step)))

    def shown(self, _name: str) -> int | None:
        return trades(self._store.latest_backtest()) or None


class AsyncBotDashboard(AsyncTarget):
    tradestore_contracts = (NumbersKit("latest"),)
    store = AsyncDashboardStore

    async def put(self, _name: str, number: int, size: int) -> None:
        await self._store.publish(backtest(number, size))

    async def count(self, _name: str, step: int) -> int:
        return trades(await self._store.update(lambda there: backtest(trades(there) + step)))

    async def shown(self, _name: str) -> int | None:
        return trades(await self._store.latest_backtest()) or None


class TrackedSpec(Spec):
    """The numbers of the snapshots that were taken; the same one counts once."""

    initial = ()
    reads = ("tracked",)

    def apply(self, state: Any, call: Any) -> Any:
        match call:
            case Call("snap", (number,)):
                return tuple(sorted({*(state or ()), number})), UNSAID
            case Call("tracked"):
                return state, list(state or ())


class TrackedKit(HoldingsKit):
    """``snap(number)`` adds a snapshot, every third one of a reset; ``tracked()`` says which there are."""

    name = "tracked"
    required = ("snap", "tracked")
    spec = TrackedSpec()
    grammar = (StepKind("snap", (OneOf(range(1, 7)),)), StepKind("tracked", ()), StepKind(REOPEN))

    def update(self, number: int, size: int = 0) -> Call:
        return Call("snap", (100 + number,))

    def looks(self, make: Any, methods: Any) -> Any:
        return (Call("tracked"),)

    def concurrent(self, make: Any, methods: Any) -> Concurrent:
        look = Call("tracked")
        return Concurrent(
            lambda i: Call("snap", (1 + i,)), lambda i: Call("snap", (10 + i,)), lambda _: look, lambda _: (look,)
        )


def seen_at(number: int) -> Snapshot:
    return Snapshot(timestamp=MOMENT + timedelta(minutes=number), total_value_eur=float(number))


def later() -> datetime:
    return MOMENT + timedelta(days=7)


def is_reset(number: int) -> bool:
    return number > 100 and number % 3 == 0  # those that come in order


def numbers(config: PerformanceConfig | None, found: list[Snapshot]) -> list[int]:
    """All but the first one, with which tracking begins."""
    there = [int(each.total_value_eur) for each in found]
    resets = {int(each.snapshot.total_value_eur) for each in config.performance_reset_history} if config else set()
    if not resets <= set(there):
        raise AssertionError("a reset without its snapshot")
    return [number for number in there if number]


class BotPerformance(Target):
    tradestore_contracts = (TrackedKit(),)

    def __init__(self, root: Path) -> None:
        self._store = PerformanceStore(root, clock=later)

    def snap(self, number: int) -> None:
        self._store.start(seen_at(0))
        if is_reset(number):
            self._store.reset(seen_at(number))
        else:
            self._store.add_snapshot(seen_at(number))

    def tracked(self) -> list[int]:
        config = self._store.config()
        return numbers(config, self._store.snapshots())


class AsyncBotPerformance(AsyncTarget):
    tradestore_contracts = (TrackedKit(),)

    def __init__(self, root: Path) -> None:
        self._store = AsyncPerformanceStore(root, clock=later)

    async def snap(self, number: int) -> None:
        await self._store.start(seen_at(0))
        if is_reset(number):
            await self._store.reset(seen_at(number))
        else:
            await self._store.add_snapshot(seen_at(number))

    async def tracked(self) -> list[int]:
        config = await self._store.config()
        return numbers(config, await self._store.snapshots())


class BareHistory(BotHistory):
    """Writes a file as people do: by its path, and in place."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._root = root

    def put(self, asset: str, number: int, size: int) -> None:
        super().put(asset, number, size)
        file = self._root / "historical" / str(hours(asset))
        file.write_bytes(file.read_bytes())


class CarelessReports(BotReports):
    """Somebody else may change a report between reading and writing."""

    def count(self, what: str, step: int) -> int | None:
        made = (self.shown(what) or 0) + step
        self.put(what, made, 0)
        return made


class CarelessPerformance(BotPerformance):
    """Stores all the snapshots that it has read, and the new one: those that others take meanwhile are lost."""

    def snap(self, number: int) -> None:
        self._store.start(seen_at(0))
        made = Snapshots(snapshots=[*self._store.snapshots(), seen_at(number)])
        made.snapshots.sort(key=lambda each: each.timestamp)
        models = self._store._tracking._snapshots
        self._store._done(models.doing("add", "portfolio_snapshots", lambda _: (made, None)))
