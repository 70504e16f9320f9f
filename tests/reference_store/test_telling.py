"""Every operation on data is told in the log, with facts and without secrets, and costs nobody who does not listen."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncDocumentStore,
    CorruptData,
    DocumentStore,
    FileDataStore,
    HistoricalStore,
    JournalStore,
    PortfolioStore,
    ReportStore,
    RunStore,
    SyncJobStore,
)
from reference_store.core.telling import JsonLines
from reference_store.models import FundamentalData, Job
from tests.reference_store.conforming import traded
from tests.reference_store.test_historical import HOURS, bars
from tests.reference_store.trading import ALWAYS, JANUARY, bar

DATA = "reference_store.data"


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=DATA)


def told(caplog: pytest.LogCaptureFixture, level: int | None = None) -> list[tuple[str, str, str]]:
    """Operation, identifier and outcome of each record."""
    facts: list[Any] = [
        record.__dict__["tradestore"]
        for record in caplog.records
        if record.name == DATA and level in (None, record.levelno)
    ]
    return [(each["operation"], each["identifier"], each["outcome"]) for each in facts]


def test_reads_are_told_at_debug_and_changes_at_info(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    store.get("K")
    store.delete("K")

    assert told(caplog, logging.INFO) == [("put", "'K'", "done"), ("delete", "'K'", "done")]
    assert told(caplog, logging.DEBUG) == [("get", "'K'", "done")]
    facts = caplog.records[-1].__dict__["tradestore"]
    assert (facts["root"], facts["seconds"] >= 0) == (os.fspath(tmp_path), True)


CHANGES = {
    "append": lambda root: JournalStore(root).append("S", {"n": 1}),
    "update": lambda root: SyncJobStore(root).save(Job(job_id="j", job_type="t")),
    "update of runs": lambda root: RunStore(root).create_or_update_run("r", kind="k"),
    "write_bars": lambda root: FileDataStore(root).write_bars("AAPL", [bar(JANUARY)]),
    "write_fundamental": lambda root: FileDataStore(root).write_fundamental(
        "AAPL", FundamentalData(symbol="AAPL", timestamp=JANUARY)
    ),
    "save": lambda root: PortfolioStore(root).save(traded(None, "BTC", 1)),
    "write": lambda root: HistoricalStore(root).write(HOURS, bars(HOURS, 1)),
    "save of a report": lambda root: ReportStore(root).write("daily", "text"),
}


@pytest.mark.parametrize("operation", CHANGES)
def test_each_store_tells_of_its_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture, operation: str) -> None:
    CHANGES[operation](tmp_path)

    found = [(name, outcome) for name, _, outcome in told(caplog, logging.INFO)]
    names = {"write": "put", "save of a report": "put"}
    assert (operation.partition(" of ")[0], "done") in found, (found, names)


def test_changes_that_are_written_together_are_told_one_by_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        async with AsyncDocumentStore(tmp_path) as store:
            await asyncio.gather(*(store.put(f"K{number}", {"n": number}) for number in range(5)))

    asyncio.run(use())
    assert sorted(told(caplog, logging.INFO)) == [("put", f"'K{number}'", "done") for number in range(5)]


def test_what_fails_is_told_with_its_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    (tmp_path / "K.json").write_bytes(b"{")
    with pytest.raises(CorruptData):
        store.get("K")
    with pytest.raises(CorruptData):
        store.update("K", lambda document: {})

    assert ("get", "'K'", "CorruptData") in told(caplog, logging.DEBUG)
    assert ("update", "'K'", "CorruptData") in told(caplog, logging.INFO)


def test_what_a_document_holds_is_not_told_and_an_identifier_is_sanitised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DocumentStore(tmp_path).put("token=abcdef", {"n": "a thing to hide"})
    FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)

    everything = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name == DATA)
    assert "[REDACTED]" in everything
    assert "abcdef" not in everything
    assert "to hide" not in everything


def test_a_handler_that_fails_is_in_no_way_of_the_data(tmp_path: Path) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ArithmeticError

    handler = Failing()
    logging.getLogger(DATA).addHandler(handler)
    try:
        store = DocumentStore(tmp_path)
        store.put("K", {"n": 1})
        assert store.get("K") == {"n": 1}
    finally:
        logging.getLogger(DATA).removeHandler(handler)


def test_control_nothing_is_told_to_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger=DATA)
    DocumentStore(tmp_path).put("K", {"n": 1})

    assert told(caplog) == []


def test_a_line_of_json_has_the_facts_and_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    DocumentStore(tmp_path).put("K", {"n": 1})
    (record,) = [record for record in caplog.records if record.name == DATA]
    line = json.loads(JsonLines().format(record))

    assert (line["operation"], line["outcome"], line["level"]) == ("put", "done", "INFO")
    try:
        raise ValueError("password=abc")
    except ValueError:
        failed = logging.LogRecord("bot", logging.ERROR, "", 1, "token=%s", ("abc",), None)
        failed.exc_info = __import__("sys").exc_info()
    line = json.loads(JsonLines().format(failed))
    assert line["message"] == "token=[REDACTED]"
    assert "abc" not in line["error"]
