"""A data store as plans print it: Parquet, JSON and JSONL files, each written by its path; nothing renamed or synced.

The bars are word for word as printed, the other methods are filled in in the same spirit.
"""

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reference_store.models import Event, FundamentalData, PriceBar
from tests.broken_stores import NATIVE, breaks

# ruff: noqa: DTZ005, PERF401 - kept as printed


class FileDataStore:
    """File-based implementation of DataStore."""

    def __init__(self, base_path: str | Path):
        self.base_path = Path(base_path)
        self._ensure_directories()

    def _ensure_directories(self) -> None:
        """Create directory structure if it doesn't exist."""
        dirs = ["prices", "fundamentals", "events", "state", "audit/decisions", "audit/orders"]
        for d in dirs:
            (self.base_path / d).mkdir(parents=True, exist_ok=True)

    def write_bars(self, symbol: str, bars: list[PriceBar]) -> None:
        """Write price bars to Parquet file."""
        if not bars:
            return

        symbol_dir = self.base_path / "prices" / symbol
        symbol_dir.mkdir(parents=True, exist_ok=True)

        # Group bars by month
        bars_by_month: dict[str, list[PriceBar]] = {}
        for bar in bars:
            month_key = bar.date.strftime("%Y-%m")
            if month_key not in bars_by_month:
                bars_by_month[month_key] = []
            bars_by_month[month_key].append(bar)

        for month_key, month_bars in bars_by_month.items():
            file_path = symbol_dir / f"{month_key}.parquet"

            # Read existing data if file exists
            existing_bars = []
            if file_path.exists():
                existing_bars = self._read_parquet_bars(file_path)

            # Merge and dedupe by date
            all_bars = {b.date: b for b in existing_bars}
            for bar in month_bars:
                all_bars[bar.date] = bar

            # Sort and write
            sorted_bars = sorted(all_bars.values(), key=lambda b: b.date)
            self._write_parquet_bars(file_path, sorted_bars)

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Read price bars from Parquet files."""
        symbol_dir = self.base_path / "prices" / symbol
        if not symbol_dir.exists():
            return []

        all_bars = []
        for parquet_file in symbol_dir.glob("*.parquet"):
            bars = self._read_parquet_bars(parquet_file)
            all_bars.extend(bars)

        # Filter by date range
        filtered = [b for b in all_bars if start <= b.date <= end]
        return sorted(filtered, key=lambda b: b.date)

    def _write_parquet_bars(self, path: Path, bars: list[PriceBar]) -> None:
        """Write bars to a Parquet file."""
        table = pa.table(
            {
                "symbol": [b.symbol for b in bars],
                "date": [b.date for b in bars],
                "open": [b.open for b in bars],
                "high": [b.high for b in bars],
                "low": [b.low for b in bars],
                "close": [b.close for b in bars],
                "volume": [b.volume for b in bars],
            }
        )
        pq.write_table(table, path)

    def _read_parquet_bars(self, path: Path) -> list[PriceBar]:
        """Read bars from a Parquet file."""
        table = pq.read_table(path)
        bars = []
        for i in range(table.num_rows):
            bars.append(
                PriceBar(
                    symbol=table["symbol"][i].as_py(),
                    date=table["date"][i].as_py(),
                    open=table["open"][i].as_py(),
                    high=table["high"][i].as_py(),
                    low=table["low"][i].as_py(),
                    close=table["close"][i].as_py(),
                    volume=table["volume"][i].as_py(),
                )
            )
        return bars

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Write fundamental data to a JSON file named by its time."""
        symbol_dir = self.base_path / "fundamentals" / symbol
        symbol_dir.mkdir(parents=True, exist_ok=True)
        file_path = symbol_dir / f"{data.timestamp.isoformat()}.json"
        file_path.write_text(data.model_dump_json())

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Read the latest fundamental data."""
        symbol_dir = self.base_path / "fundamentals" / symbol
        found = [FundamentalData.model_validate_json(path.read_text()) for path in symbol_dir.glob("*.json")]
        known = [data for data in found if as_of is None or data.timestamp <= as_of]
        return max(known, key=lambda data: data.timestamp, default=None)

    def write_event(self, event: Event) -> None:
        """Append the event to the file of its day."""
        file_path = self.base_path / "events" / f"{event.timestamp:%Y-%m-%d}.jsonl"
        with open(file_path, "a") as f:
            f.write(event.model_dump_json() + "\n")

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Read the events of all days."""
        found = []
        for path in sorted((self.base_path / "events").glob("*.jsonl")):
            found += [Event.model_validate_json(line) for line in path.read_text().splitlines()]
        return [e for e in found if start <= e.timestamp <= end and (types is None or e.type in types)]

    def save_strategy_state(self, strategy_name: str, state: dict) -> None:
        """Write the state to a JSON file."""
        file_path = self.base_path / "state" / f"{strategy_name}.json"
        with open(file_path, "w") as f:
            json.dump(state, f, indent=2)

    def load_strategy_state(self, strategy_name: str) -> dict | None:
        """Load the state from its JSON file."""
        file_path = self.base_path / "state" / f"{strategy_name}.json"
        if not file_path.exists():
            return None
        with open(file_path) as f:
            return json.load(f)

    def log_decision(self, strategy_name: str, decision) -> None:
        """Append the decision to the file of the day."""
        self._log("decisions", {"strategy": strategy_name, **decision.model_dump(mode="json")})

    def log_order(self, strategy_name: str, order, result) -> None:
        """Append the order to the file of the day."""
        line = {
            "strategy": strategy_name,
            "order": order.model_dump(mode="json"),
            "result": result.model_dump(mode="json"),
        }
        self._log("orders", line)

    def _log(self, kind: str, line: dict) -> None:
        file_path = self.base_path / "audit" / kind / f"{datetime.now().strftime('%Y-%m-%d')}.jsonl"
        with open(file_path, "a") as f:
            f.write(json.dumps(line) + "\n")


class _Face:
    """One contract of the store, so that each can be judged by itself."""

    def __init__(self, root: Path):
        self._store = FileDataStore(root)


@breaks(
    "bars",
    recorders=NATIVE,
    ATOM_1="ArrowInvalid: Could not open Parquet input source",
    ATOM_2="ArrowInvalid: Could not open Parquet input source",
    ATOM_3="is half done: AAPL 2026-01 as after it",
    DATA_TIME="that of two times that a clock shows alike when summer time ends, each is its own",
    DUR_2="lost mkdir prices",
    NAME_1="the symbol '../../x' led out of the root",
    NAME_3="share data",
    NAME_5="was accepted and stands in the file system as it is",
    RACE_1="returned, but read_bars",
    RACE_2="returned, but read_bars",
)
class SeedBars(_Face):
    """bars written in place, month after month, never synced."""

    def write_bars(self, symbol, bars):
        self._store.write_bars(symbol, bars)

    def read_bars(self, symbol, start, end):
        return self._store.read_bars(symbol, start, end)


@breaks(
    "fundamentals",
    recorders=NATIVE,
    ATOM_1="AAPL latest cannot be read (ValidationError",
    ATOM_2="AAPL latest cannot be read (ValidationError",
    DUR_2="lost mkdir fundamentals",
    NAME_1="the symbol '../../x' led out of the root",
    NAME_3="share data",
    NAME_4="cannot be read",
    NAME_5="was accepted and stands in the file system as it is",
    RACE_4="beside write_fundamental('AAPL'",
)
class SeedFundamentals(_Face):
    """a new file for each publication, never synced."""

    def write_fundamental(self, symbol, data):
        self._store.write_fundamental(symbol, data)

    def read_fundamental(self, symbol, as_of=None):
        return self._store.read_fundamental(symbol, as_of)


@breaks(
    "events",
    recorders=NATIVE,
    ATOM_1="events cannot be read (ValidationError",
    ATOM_2="partly lost write events/2026-01-05.jsonl",
    DUR_2="lost mkdir events",
    DUR_3="events shows record 3 without record 1",
    NAME_4="the type 'AA\\x85PL' was accepted, and others cannot be read since then",
)
class SeedEvents(_Face):
    """appended, never synced."""

    def write_event(self, event):
        self._store.write_event(event)

    def read_events(self, start, end, types=None):
        return self._store.read_events(start, end, types)


@breaks(
    "state",
    recorders=NATIVE,
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
    DUR_2="lost mkdir state",
    NAME_1="the strategy name '../../x' led out of the root",
    NAME_3="share data",
    NAME_5="was accepted and stands in the file system as it is",
    RACE_1="JSONDecodeError: Extra data",
    RACE_2="JSONDecodeError: Extra data",
    RACE_4="JSONDecodeError",
)
class SeedState(_Face):
    """written in place, never synced."""

    def save_strategy_state(self, strategy_name, state):
        self._store.save_strategy_state(strategy_name, state)

    def load_strategy_state(self, strategy_name):
        return self._store.load_strategy_state(strategy_name)


@breaks(
    "audit",
    recorders=NATIVE,
    ATOM_2="partly lost write audit/decisions/",
    DUR_2="lost mkdir audit",
    REC_3="partly lost write audit/decisions/",
)
class SeedAudit(_Face):
    """appended, never synced; nothing cuts a torn line before the next one is glued to it."""

    def log_decision(self, strategy_name, decision):
        self._store.log_decision(strategy_name, decision)

    def log_order(self, strategy_name, order, result):
        self._store.log_order(strategy_name, order, result)
