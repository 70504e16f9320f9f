"""Whatever a method of a store is given, what comes out of it is a StoreError, or a TypeError for a wrong type.

But what a caller's own function for an update raises comes out as it is: it is for nobody else.
"""

import asyncio
import ctypes
import datetime as dt
import functools
import inspect
import itertools
import os
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import reference_store
from reference_store import StoreError
from reference_store.models import Decision, Event, FundamentalData, Job, Order, OrderResult
from tests.reference_store.trading import JANUARY, bar

STORES = sorted(name for name in reference_store.__all__ if name.endswith("Store") and name != "DataStore")
stores = pytest.mark.parametrize(
    "name",
    # The asynchronous faces hand what they are given to the same stores.
    [pytest.param(name, marks=[pytest.mark.proof] if name.startswith("Async") else []) for name in STORES],
)


class Hostile:
    """Fails at whatever it is asked."""

    def _fail(self, *_: Any) -> Any:
        raise ArithmeticError("asked")

    __eq__ = __len__ = __iter__ = __bool__ = __float__ = __int__ = __index__ = __getitem__ = __contains__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __call__ = __fspath__ = _fail
    __hash__ = None  # type: ignore[assignment]


class Text(str):
    """Text that is more than text."""

    __slots__ = ()


def cyclic() -> Any:
    found: dict[str, Any] = {}
    found["self"] = [found]
    return found


def nested(depth: int) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"n": [found]}
    return found


def minus(hours: int) -> dt.timezone:
    return dt.timezone(dt.timedelta(hours=hours))


def foreign() -> dict[str, Any]:
    """Values of libraries that are there."""
    found: dict[str, Any] = {}
    try:
        import numpy as np
        import pandas as pd

        found |= {
            "NaT": pd.NaT,
            "NA": pd.NA,
            "pandas timestamp": pd.Timestamp("2026-01-05 09:30:00.000000001"),
            "numpy int": np.int64(3),
            "numpy float": np.float32(0.1),
            "numpy nan": np.float64("nan"),
            "numpy time": np.datetime64("2026-01-05"),
            "array": np.arange(3),
            "frame": pd.DataFrame({"date": [JANUARY], "close": [1.0]}),
            "empty frame": pd.DataFrame(),
            "series": pd.Series([1.0, float("nan")]),
        }
    except ImportError:
        pass
    try:
        import pyarrow as pa

        found |= {"table": pa.table({"date": [JANUARY], "close": [1.0]}), "arrow scalar": pa.scalar(1)}
    except ImportError:
        pass
    try:
        import polars as pl

        found["polars"] = pl.DataFrame({"date": [JANUARY], "close": [1.0]})
    except ImportError:
        pass
    return found


FAILING = "failing generator"
RAISED_BY_VALUES = "ArithmeticError: asked"
"""What comes out of the hostile values themselves when they are called, or looked at in a way that they refuse."""

VALUES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "true": lambda: True,
    "number": lambda: 7,
    "negative": lambda: -1,
    "huge": lambda: 2**5000,
    "as wide as a float": lambda: 10**308 * 9,
    "float": lambda: 0.5,
    "nan": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "decimal": lambda: Decimal("0.1"),
    "signalling": lambda: Decimal("sNaN"),
    "fraction": lambda: Fraction(1, 3),
    "complex": lambda: 1j,
    "empty text": lambda: "",
    "text": lambda: "anything",
    "more than text": lambda: Text("anything"),
    "surrogate": lambda: "\ud800",
    "nul": lambda: "a\0b",
    "long text": lambda: "x" * 100_000,
    "climbing": lambda: "../../elsewhere",
    "bytes": lambda: b"bytes",
    "list": list,
    "list of nothing": lambda: [None, float("nan")],
    "dict": dict,
    "dict of numbers": lambda: {1: 2, None: 3},
    "dict of dates": lambda: {"when": JANUARY},
    "dict of bars": lambda: {"AAPL": [None], 3: 4},
    "cyclic": cyclic,
    "deep": lambda: nested(5_000),
    "tuple": lambda: (1, 2),
    "set": lambda: {1},
    "generator": lambda: (number for number in range(3)),
    "generator of bars": lambda: (bar(JANUARY) for _ in range(3)),
    FAILING: lambda: (Hostile._fail(None) for _ in range(2)),
    "range": lambda: range(3),
    "iterator": lambda: iter([bar(JANUARY)]),
    "bars and more": lambda: [bar(JANUARY), "no bar"],
    "bar of huge numbers": lambda: [bar(JANUARY, volume=2**70)],
    "bar of nan": lambda: [bar(JANUARY, close=float("nan"))],
    "function": lambda: lambda *_: 1,
    "failing function": lambda: functools.partial(Hostile._fail, None),
    "class": lambda: dict,
    "object": object,
    "hostile": Hostile,
    "path": lambda: Path("anything"),
    "date": lambda: dt.date(2026, 1, 5),
    "first moment": lambda: dt.datetime(1, 1, 1),  # noqa: DTZ001 - naive
    "last moment": lambda: dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001 - naive
    "first aware moment": lambda: dt.datetime.min.replace(tzinfo=minus(14)),
    "last aware moment": lambda: dt.datetime.max.replace(tzinfo=minus(-14)),
    "aware moment": lambda: JANUARY.replace(tzinfo=dt.UTC),
    "time": lambda: dt.time(1),
    "duration": lambda: dt.timedelta.max,
    "event of the last moment": lambda: Event(type="x", timestamp=dt.datetime.max.replace(tzinfo=minus(-14))),
    "company of the first moment": lambda: FundamentalData(
        symbol="AAPL", timestamp=dt.datetime.min.replace(tzinfo=dt.UTC)
    ),
    "built without checks": lambda: Job.model_construct(job_id=object(), job_type=None, status="odd"),
    "event built without checks": lambda: Event.model_construct(type=1, timestamp="soon", data=cyclic()),
    **{name: lambda value=value: value for name, value in foreign().items()},
}

VALID: dict[str, Callable[[], Any]] = {
    "key": lambda: "K",
    "name": lambda: "momentum",
    "strategy_name": lambda: "momentum",
    "stream": lambda: "S",
    "symbol": lambda: "AAPL",
    "document": lambda: {"n": 1},
    "data": lambda: {"n": 1},
    "state": lambda: {"n": 1},
    "record": lambda: {"n": 1},
    "function": lambda: lambda found: found or {"n": 1},
    "loader": lambda: lambda: {"n": 1},
    "value": lambda: {"n": 1},
    "bars": lambda: [bar(JANUARY)],
    "table": lambda: None,
    "start": lambda: JANUARY,
    "end": lambda: JANUARY,
    "as_of": lambda: JANUARY,
    "day": lambda: "2026-01-05",
    "event": lambda: Event(type="x", timestamp=JANUARY),
    "decision": lambda: Decision(symbol="AAPL", action="BUY"),
    "order": lambda: Order(strategy_name="m", symbol="AAPL", action="BUY", quantity=1, order_type="market"),
    "result": lambda: OrderResult(order_id=1, status="filled"),
    "job": lambda: Job(job_id="job-1", job_type="backtest"),
    "job_id": lambda: "job-1",
    "run_id": lambda: "run-1",
    "kind": lambda: "backtest",
    "progress": lambda: 0.5,
    "days": lambda: 1,
    "limit": lambda: 10,
    "offset": lambda: 0,
    "since": lambda: 0,
}
OF_COMPANIES = {"data": lambda: FundamentalData(symbol="AAPL", timestamp=JANUARY)}
LEFT_OUT = {"close", "aclose"}
"""They take nothing, and the store would be closed for the others."""


def methods(store: Any) -> list[str]:
    return [
        name
        for name in dir(type(store))
        if not name.startswith("_") and name not in LEFT_OUT and callable(getattr(store, name))
    ]


def valid(method: str, parameter: str) -> Any:
    if "fundamental" in method and parameter in OF_COMPANIES:
        return OF_COMPANIES[parameter]()
    return VALID.get(parameter, lambda: None)()


class Caller:
    """Calls methods and constructors, waits for answers and reads a little of what is endless; notes what comes out."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.escaped: dict[str, str] = {}

    def call(self, told: str, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Return the answer, None where there was an error; an error that must not come out is noted."""
        try:
            return self._ended(function(**arguments))
        except (StoreError, TypeError):
            return None
        except Exception as error:
            self.escaped[told] = f"{type(error).__name__}: {str(error)[:100]}"
            return None

    def _ended(self, answer: Any) -> Any:
        if inspect.isawaitable(answer):

            async def waited() -> Any:
                return await answer

            return self._runner.run(waited())
        if inspect.isasyncgen(answer):

            async def few() -> list[Any]:
                return [found async for found, _ in _zip(answer, range(3))]

            return self._runner.run(few())
        return list(itertools.islice(answer, 3)) if isinstance(answer, Iterator) else answer


async def _zip(found: Any, numbers: range) -> Any:
    for number in numbers:
        try:
            yield await anext(found), number
        except StopAsyncIteration:
            return


def given(parameters: list[str], chance: random.Random) -> Iterator[dict[str, str]]:
    """Which parameters get which hostile value: each of them each value once, then many at a time."""
    for parameter in parameters:
        for name in VALUES:
            yield {parameter: name}
    if len(parameters) > 1:
        for _ in range(40):
            yield {parameter: chance.choice(list(VALUES)) for parameter in parameters}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where relative paths lead, without waiting for the disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return tmp_path


@stores
def test_whatever_a_method_is_given_a_store_error_or_a_type_error_comes_out(place: Path, name: str) -> None:
    store = getattr(reference_store, name)(place / "root")
    chance = random.Random(0)
    with asyncio.Runner() as runner:
        caller = Caller(runner)
        for method in methods(store):
            function = getattr(store, method)
            parameters = [
                parameter.name
                for parameter in inspect.signature(function).parameters.values()
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            ]
            needed = [
                parameter
                for parameter in parameters
                if inspect.signature(function).parameters[parameter].default is inspect.Parameter.empty
            ]
            for hostile in given(parameters, chance):
                arguments = {parameter: valid(method, parameter) for parameter in needed}
                arguments |= {parameter: VALUES[value]() for parameter, value in hostile.items()}
                told = f"{method}({', '.join(f'{parameter}={value}' for parameter, value in hostile.items())})"
                caller.call(told, function, **arguments)
                own = hostile.keys() & {"function", "loader"}
                if own and caller.escaped.get(told) == RAISED_BY_VALUES:
                    del caller.escaped[told]  # of that function, or of another value: then it comes again without it
                    caller.call(told, function, **arguments | {name: valid(method, name) for name in own})
                if FAILING in hostile.values() and caller.escaped.get(told) == RAISED_BY_VALUES:
                    del caller.escaped[told]  # by a generator of the caller's, in the midst of the call
        if hasattr(store, "aclose"):
            runner.run(store.aclose())

    assert caller.escaped == {}


@stores
def test_whatever_a_store_is_opened_with_a_store_error_or_a_type_error_comes_out(place: Path, name: str) -> None:
    kind = getattr(reference_store, name)
    root, *options = [parameter for parameter in inspect.signature(kind).parameters if parameter != "admit"]
    with asyncio.Runner() as runner:
        caller = Caller(runner)
        for number, hostile in enumerate([{root: value} for value in VALUES] + list(given(options, random.Random(0)))):
            arguments = {root: place / f"{number}"} | {option: VALUES[value]() for option, value in hostile.items()}
            if isinstance(arguments[root], int) or hostile.get(root) == "hostile":
                continue  # a descriptor of somebody else; an error of the caller's own __fspath__
            if {hostile.get("clock"), hostile.get("new_id")} & {"hostile", "failing function"}:
                continue  # what they raise is their owner's
            told = ", ".join(f"{option}={value}" for option, value in hostile.items())
            store = caller.call(told, kind, **arguments)
            if store is not None:
                for method in ("put", "append", "write_bars", "save", "load", "log_decision", "list_runs", "list"):
                    function = getattr(store, method, None)
                    if function is not None:
                        caller.call(f"{told}; {method}", function, **_needed(method, function))
                caller.call(f"{told}; close", getattr(store, "aclose", None) or store.close)

    assert caller.escaped == {}


def _needed(method: str, function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: valid(method, p.name) for p in parameters if p.default is inspect.Parameter.empty}


def test_control_a_method_that_lets_an_error_out_is_found(place: Path) -> None:
    class Careless:
        def put(self, key: str) -> int:
            return len(key) // 0

    with asyncio.Runner() as runner:
        caller = Caller(runner)
        caller.call("put", Careless().put, key="K")

    assert list(caller.escaped) == ["put"]


def in_a_mount_namespace(action: Callable[[Callable[[Path, Path], None]], None]) -> None:
    """Run ``action`` in a child that may mount one file over another; its mounts are gone with it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            private, bind = 1 << 18 | 1 << 14, 1 << 12
            if libc.unshare(0x20000) or libc.mount(None, b"/", None, private, None):
                os._exit(77)

            def mount(source: Path, target: Path) -> None:
                assert libc.mount(os.fsencode(source), os.fsencode(target), None, bind, None) == 0

            action(mount)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 77:
        pytest.skip("this process may not mount anything")
    assert code == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("first", [True, False], ids=["with nothing to keep", "with a version to keep"])
def test_a_file_that_is_mounted_by_itself_is_refused_with_what_to_do(tmp_path: Path, first: bool) -> None:
    root = tmp_path / "root"
    store = reference_store.DocumentStore(root)
    store.put("K", {"n": 1})
    outside = tmp_path / "outside.json"
    outside.write_bytes(b"{" if first else (root / "K.json").read_bytes())

    def save(mount: Callable[[Path, Path], None]) -> None:
        mount(outside, root / "K.json")
        with pytest.raises(reference_store.StorageFailure, match="mount its directory"):
            store.put("K", {"n": 2})
        assert first or store.get("K") == {"n": 1}
        with pytest.raises(reference_store.StorageFailure, match="mount its directory"):
            store.delete("K")

    in_a_mount_namespace(save)
    assert store.get("K") == {"n": 1}
