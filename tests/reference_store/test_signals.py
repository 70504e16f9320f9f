"""What a signal's handler raises comes out of a call as it is: it is no value's, no file's and no disk's fault."""

import errno
import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    CorruptData,
    DocumentStore,
    FileDataStore,
    InvalidRecord,
    MigrationError,
    Migrations,
    Schema,
    Step,
    StorageFailure,
    StrategyLogStore,
)
from reference_store.bot_models import StrategyLogEntry
from reference_store.models import PriceBar
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import JANUARY


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
