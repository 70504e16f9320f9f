"""What a signal's handler raises comes out of a call as it is: it is no value's, no file's and no disk's fault."""

import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ValidationError

import reference_store
from reference_store import (
    CorruptData,
    DocumentStore,
    FileDataStore,
    InvalidRecord,
    JournalStore,
    MigrationError,
    Migrations,
    PortfolioStore,
    Schema,
    Step,
    StorageFailure,
    StrategyLogStore,
    StrategyStore,
    SyncJobStore,
    models,
)
from reference_store.bot_models import Holding, Portfolio, Strategy, StrategyLogEntry, Value
from reference_store.core import descriptors
from reference_store.core.signals import let_out
from reference_store.models import Event, Job, PriceBar
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import JANUARY, bar


class Alarm(Exception):
    """As an application's own time limit raises."""


KINDS: list[type[Exception]] = [Alarm, TimeoutError, ValueError]


def strike() -> None:
    """A signal comes here."""
    signal.raise_signal(signal.SIGALRM)


def raising(kind: type[Exception], _number: int, _frame: object) -> None:
    raise kind("time is over")


class Handler:
    """A handler that is an object."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def __call__(self, *_: object) -> None:
        raise self.kind("time is over")


def plain(kind: type[Exception]) -> Callable[..., None]:
    def handle(_number: int, _frame: object) -> None:
        raise kind("time is over")

    return handle


HANDLERS: dict[str, Callable[[type[Exception]], Callable[..., None]]] = {
    "a-function": plain,
    "a-partial": lambda kind: functools.partial(raising, kind),
    "an-object": Handler,
    "a-method": lambda kind: Handler(kind).__call__,
}


@pytest.fixture(params=list(HANDLERS))
def armed(request: pytest.FixtureRequest) -> Iterator[Callable[[type[Exception]], None]]:
    """Says what the handler of the signal raises from then on."""
    before = signal.getsignal(signal.SIGALRM)

    def install(kind: type[Exception]) -> None:
        signal.signal(signal.SIGALRM, HANDLERS[request.param](kind))

    yield install
    signal.signal(signal.SIGALRM, before)


class Struck:
    """Strikes, when it is armed, wherever the store calls it."""

    def __init__(self) -> None:
        self.armed = False

    def __call__(self, document: dict[str, Any]) -> dict[str, Any]:
        if self.armed:
            strike()
        return document


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_validator_it_is_neither_a_refusal_nor_damage_that_an_older_version_answers(
    tmp_path: Path, armed: Callable[[type[Exception]], None], kind: type[Exception]
) -> None:
    armed(kind)
    validate = Struck()
    store = DocumentStore(tmp_path, schema=Schema(validate))
    store.put("K", {"n": 1})
    store.put("K", {"n": 2})
    validate.armed = True

    with pytest.raises(kind, match="time is over"):
        store.get("K")
    with pytest.raises(kind, match="time is over"):
        store.put("K", {"n": 3})

    validate.armed = False
    assert store.get("K") == {"n": 2}
    assert not store.recoveries


@pytest.mark.parametrize("kind", KINDS)
def test_control_what_a_validator_raises_itself_is_a_refusal(
    tmp_path: Path, armed: Callable[[type[Exception]], None], kind: type[Exception]
) -> None:
    armed(kind)

    def refuse(_document: dict[str, Any]) -> None:
        raise kind("no")

    DocumentStore(tmp_path).put("K", {"n": 1})
    store = DocumentStore(tmp_path, schema=Schema(refuse))

    with pytest.raises(InvalidRecord):
        store.put("K", {"n": 2})
    with pytest.raises(CorruptData):
        store.get("K")


def test_in_a_step_of_a_migration(tmp_path: Path, armed: Callable[[type[Exception]], None]) -> None:
    armed(Alarm)
    DocumentStore(tmp_path).put("K", {"n": 1})
    step = Struck()
    store = DocumentStore(tmp_path, schema=Schema(migrations=Migrations("1.1", Step("1.0", "1.1", step))))
    step.armed = True

    with pytest.raises(Alarm):
        store.get("K")

    step.armed = False
    assert store.get("K") == {"n": 1, "version": "1.1"}


class Bars(list[PriceBar]):
    def __iter__(self) -> Iterator[PriceBar]:
        strike()
        return super().__iter__()


class Entry(StrategyLogEntry):
    def model_dump(self, **_: Any) -> dict[str, Any]:
        strike()
        return {}


def test_while_values_are_looked_at(tmp_path: Path, armed: Callable[[type[Exception]], None]) -> None:
    armed(Alarm)
    with pytest.raises(Alarm):
        FileDataStore(tmp_path).write_bars("AAPL", Bars())
    with pytest.raises(Alarm):
        FileDataStore(tmp_path).read_events(JANUARY, JANUARY, types=Bars())  # type: ignore[arg-type] # struck before
    armed(ValueError)
    with pytest.raises(ValueError, match="time is over"):
        StrategyLogStore(tmp_path).append(Entry(strategy="momentum", message="bought"))


@pytest.mark.parametrize("when", ["opening", "reading"])
def test_a_time_limit_is_no_failure_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, armed: Callable[[type[Exception]], None], when: str
) -> None:
    armed(TimeoutError)
    DocumentStore(tmp_path).put("K", {"n": 1})
    store, real, struck = DocumentStore(tmp_path), os.fstat, [False]

    def fstat(descriptor: int) -> os.stat_result:
        if not struck[0]:
            struck[0] = True
            strike()
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(TimeoutError, match="time is over"):
        DocumentStore(tmp_path) if when == "opening" else store.get("K")

    assert store.get("K") == {"n": 1}


def test_control_the_same_error_of_the_disk_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    fail_call(monkeypatch, "fstat", errno.ETIMEDOUT)

    with pytest.raises(StorageFailure):
        store.get("K")


def test_control_what_a_step_raises_itself_is_a_migration_that_failed(tmp_path: Path) -> None:
    def step(_document: dict[str, Any]) -> dict[str, Any]:
        raise Alarm

    DocumentStore(tmp_path).put("K", {"n": 1})
    with pytest.raises(MigrationError):
        DocumentStore(tmp_path, schema=Schema(migrations=Migrations("1.1", Step("1.0", "1.1", step)))).get("K")


PACKAGE = str(Path(reference_store.__file__).parent)
JOB = Job(job_id="J", job_type="t", params={"n": [1]}, progress=1)
ENTRY = StrategyLogEntry(strategy="momentum", message="bought", data={"n": [1, {"of": None}]})
STRUCK: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Any]]] = {
    "a-document": (DocumentStore, lambda store: store.get("K")),
    "a-log": (JournalStore, lambda store: store.read("S")),
    "bars": (FileDataStore, lambda store: store.read_bars("AAPL", JANUARY, JANUARY)),
    "events": (FileDataStore, lambda store: store.read_events(JANUARY, JANUARY)),
    "a-job": (SyncJobStore, lambda store: store.get("J")),
    "a-save": (SyncJobStore, lambda store: store.save(JOB)),
    "an-entry": (StrategyLogStore, lambda store: store.append(ENTRY)),
    "entries": (StrategyLogStore, lambda store: store.read("momentum")),
    "opening": (Path, DocumentStore),
}


def prepared(root: Path) -> None:
    """Put there what the calls above look for."""
    DocumentStore(root).put("K", {"n": 1})
    DocumentStore(root).put("K", {"n": 2})
    JournalStore(root).append("S", {"n": 1})
    FileDataStore(root).write_bars("AAPL", [bar(JANUARY, volume=0.5)])
    FileDataStore(root).write_event(Event(type="fill", timestamp=JANUARY, data={"n": 1}))
    with SyncJobStore(root) as jobs:
        jobs.save(JOB)
        jobs.update_progress("J", 0.5)
    StrategyLogStore(root).append(ENTRY)


def struck_at_each_line(call: Callable[[], Any]) -> Iterator[tuple[str, BaseException | None]]:
    """Make the call again and again, a signal coming at the first, second, ... line of the stores or of pydantic.

    Yields where, and what came out; ends when the call comes to its end.
    """
    number = 0
    while True:
        number += 1
        left, where, outcome = number, "", None

        def trace(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal left, where
            file = frame.f_code.co_filename
            if not file.startswith(PACKAGE) and f"{os.sep}pydantic{os.sep}" not in file:
                return None
            if event == "line" and left:
                left -= 1
                if not left:
                    where = f"{Path(file).name}:{frame.f_lineno}"
                    strike()
            return trace

        sys.settrace(trace)
        try:
            call()
        except BaseException as error:
            outcome = error
        finally:
            sys.settrace(None)
        if not where:
            return
        yield where, outcome


@pytest.mark.parametrize("kind", [ValueError, TypeError])
@pytest.mark.parametrize("what", STRUCK)
def test_wherever_it_strikes_it_comes_out_and_no_older_version_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(descriptors, "sync", lambda _descriptor: None)  # hundreds of calls, and no power loss
    prepared(tmp_path)
    opened, call = STRUCK[what]
    store = opened(tmp_path)
    before = signal.signal(signal.SIGALRM, plain(kind))
    try:
        swallowed = {
            where: outcome
            for where, outcome in struck_at_each_line(lambda: call(store))
            if type(outcome) is not kind or str(outcome) != "time is over"
        }
    finally:
        signal.signal(signal.SIGALRM, before)

    assert not swallowed
    call(store)
    assert DocumentStore(tmp_path).get("K") == {"n": 2}


@pytest.mark.parametrize("first", [1, "one"])
def test_what_pydantic_takes_for_a_value_that_does_not_fit(first: object) -> None:
    """Also where several values are refused, and the signal is not the first of them."""

    class Struck(BaseModel):
        first: int
        second: Annotated[int, BeforeValidator(lambda value: strike() or value)]
        third: Annotated[int, BeforeValidator(lambda value: strike() or value)]

    before = signal.signal(signal.SIGALRM, plain(ValueError))
    try:
        with pytest.raises(ValidationError) as refusal:
            Struck.model_validate({"first": first, "second": 2, "third": 3})
        with pytest.raises(ValueError, match=r"^time is over$"):
            let_out(refusal.value)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_pydantic_takes_for_a_value_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Ctrl-C and the end of a program too, whose handler is none of Python's."""

    def struck(*_: object) -> None:
        raise kind

    store = StrategyStore(tmp_path)
    monkeypatch.setattr(models, "_as_json", struck)
    with pytest.raises(kind):
        store.save(Strategy(strategy_id="S", name="any"))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_pydantic_forgets_of_a_record_inside_of_another(tmp_path: Path, kind: type[BaseException]) -> None:
    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        if frame.f_code.co_name == "_of_what_is_known":
            raise kind  # where a signal strikes
        return trace

    worth, held = Value(amount=1.0), {"BTC": Holding(amount=1.0)}
    portfolio, store = (
        Portfolio(portfolio_value_eur=worth, initial_value_eur=worth, holdings=held),
        PortfolioStore(tmp_path),
    )
    sys.settrace(trace)
    try:
        with pytest.raises(kind):
            store.save(portfolio)
    finally:
        sys.settrace(None)


def test_control_what_pydantic_refuses_itself_is_a_refusal() -> None:
    with pytest.raises(ValidationError) as refusal:
        Job(job_id="J", job_type="t", progress="half", params={"n": 1})  # type: ignore[arg-type] # refused
    let_out(refusal.value)
