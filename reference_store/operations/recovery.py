"""The procedures of the guideline for what is lost, but for the loss of everything, which is a restore.

They work on the files of the bot's stores where these stand, and take nothing away that was sound.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.parquet as pa_parquet  # type: ignore[import-untyped]

from reference_store.bot_models import Portfolio
from reference_store.core.directory import DIRECTORY
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidRecord, StorageFailure
from reference_store.operations.inspection import opened
from reference_store.performance_models import Snapshot
from reference_store.stores.bars.salvage import SalvagedMonth
from reference_store.stores.bot.performance import PerformanceStore
from reference_store.stores.bot.portfolio import PortfolioStore, Recovered
from reference_store.stores.bot.records import model_of
from reference_store.stores.data_store import FileDataStore
from reference_store.stores.single import single_files

PERFORMANCE = ("performance_config", "portfolio_snapshots", "performance_metrics", "performance_periods")


@dataclass(frozen=True, slots=True)
class Reinitialised:
    """What became of performance tracking: whether it was ``begun`` anew, and which damaged files were ``removed``."""

    begun: bool
    removed: tuple[str, ...]


def recover_portfolio(root: str, answer: bytes | None = None) -> Recovered:
    """Make the portfolio's file sound: from itself, its backup, or ``answer``, the JSON of what the exchange says.

    Raises RecoveryFailed, and InvalidRecord for an answer that is no portfolio.
    """
    opened(root)
    given = None if answer is None else _portfolio(answer)
    with PortfolioStore(root) as store:
        return store.recover(None if given is None else lambda: given)


def reinitialise_performance(root: str, now: datetime | None = None) -> Reinitialised:
    """Begin to track performance anew, from the portfolio as it is now, if what was tracked is lost or damaged.

    Damaged files stay as evidence; what is sound, or has a sound backup, stays as it is. Raises InvalidRecord if there
    is no portfolio, and CorruptData if that is damaged: recover it first.
    """
    opened(root)
    with PortfolioStore(root) as portfolios:
        portfolio = portfolios.load()
    if portfolio is None:
        raise InvalidRecord("the portfolio", "is not there: recover it first")
    removed = _without_damage(root)
    with PerformanceStore(root) as store:
        begun = store.config() is None
        seen = Snapshot(
            timestamp=datetime.now(UTC) if now is None else now,
            total_value_eur=portfolio.portfolio_value_eur.amount,
            portfolio_composition={name: held.amount for name, held in portfolio.holdings.items()},
        )
        store.start(seen)
        if begun and store.snapshots()[-1].timestamp < seen.timestamp:
            store.add_snapshot(seen)  # older ones are there still
    return Reinitialised(begun or bool(removed), tuple(removed))


def recover_history(root: str, symbol: str, loaded: str | None = None) -> tuple[list[SalvagedMonth], int]:
    """Make the bars of a symbol readable again, and add those of a CSV, Parquet or Arrow file that was loaded again.

    Returns what became of the damaged months, and how many bars were added. Raises InvalidRecord for a file that holds
    no bars, CorruptData when the manifest is damaged (see FileDataStore.reseal_bars), and StorageFailure.
    """
    opened(os.path.join(root, "prices"))
    table = None if loaded is None else _table(loaded)
    with FileDataStore(root) as store:
        report = store.salvage_bars(symbol)
        if table is not None:
            store.write_bars_table(symbol, table)
    return report, 0 if table is None else table.num_rows


def _portfolio(answer: bytes) -> Portfolio:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError) as error:
        let_out(error)
        raise InvalidRecord("the answer", "is no JSON") from error
    if not isinstance(document, dict):
        raise InvalidRecord("the answer", "is no JSON object")
    return model_of(Portfolio, document)


def _without_damage(root: str) -> list[str]:
    """Remove the files of performance tracking that neither can be read nor have a sound backup."""
    try:
        directory = os.open(os.path.join(root, "performance"), DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    except OSError as error:
        let_out(error)
        raise StorageFailure("recover", "performance", error) from error
    os.close(directory)
    removed = []
    for name in PERFORMANCE:
        files = single_files(os.path.join(root, "performance"), name, 10.0)
        try:
            files.read("recover", name)
        except CorruptData:
            files.remove("recover", name)  # which keeps what it removes as evidence
            removed.append(name)
        finally:
            files.root.close()
    return removed


def _table(path: str) -> pa.Table:
    try:
        if path.endswith(".parquet"):
            return pa_parquet.ParquetFile(path).read()
        if path.endswith((".arrow", ".feather")):
            with pa.memory_map(path) as source:
                return pa.ipc.open_file(source).read_all()
        return pa_csv.read_csv(path)
    except pa.ArrowInvalid as error:
        raise InvalidRecord("the file", "holds no table") from error
    except OSError as error:
        let_out(error)
        raise StorageFailure("read", path, error) from error
