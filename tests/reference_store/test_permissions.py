"""Who may read what: the guideline's table, whatever the umask, and what on a disk is wider."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_store import (
    ComponentLog,
    DocumentStore,
    HistoricalStore,
    InvalidIdentifier,
    InvalidRecord,
    JournalStore,
    ReportStore,
    SingleDocumentStore,
    StorageFailure,
)
from reference_store.core.permissions import TooWide, too_wide
from tests.reference_store.test_historical import HOURS, bars


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("bot", logging.INFO, __file__, 1, message, None, None)


def logged(root: Path, *messages: str, component: str = "supervisor", largest: int = 10 << 20, kept: int = 5) -> None:
    handler = ComponentLog(root, component, largest=largest, kept=kept)
    for message in messages:
        handler.handle(record(message))
    handler.close()


def test_directories_data_logs_and_sensitive_files_have_the_modes_of_the_table(tmp_path: Path) -> None:
    root = tmp_path / "bot"
    SingleDocumentStore(root / "data", "portfolio").save({"n": 1})
    SingleDocumentStore(root / "data", "credentials", sensitive=True).save({"n": 1})
    HistoricalStore(root / "data").write(HOURS, bars(HOURS, 1))
    report = ReportStore(root / "reports").write("daily", "x")
    logged(root / "logs", "started")

    assert {mode(place) for place in (root, root / "data", root / "data" / "historical", root / "logs")} == {0o750}
    data = (root / "data" / "portfolio.json", root / "data" / "historical" / str(HOURS), root / "reports" / str(report))
    assert {mode(file) for file in data} == {0o640}
    assert mode(root / "logs" / "supervisor.log") == 0o644
    assert mode(root / "data" / "credentials.json") == 0o600
    assert too_wide(os.fspath(root)) == []


@pytest.mark.parametrize("sensitive", [True, False])
def test_everything_of_a_sensitive_store_is_for_its_owner_alone(tmp_path: Path, sensitive: bool) -> None:
    store = DocumentStore(tmp_path / "root", sensitive=sensitive)
    for number in range(3):
        store.put("K", {"n": number})
    (tmp_path / "root" / "K.json").write_bytes(b"{")
    store.put("K", {"n": 4})
    store.reseal("K")

    files = [file for file in (tmp_path / "root").iterdir() if "K.json" in file.name]
    assert len(files) == 3, "the document, its backup, the evidence"
    assert {mode(file) for file in files} == ({0o600} if sensitive else {0o640})


def test_what_is_wider_than_the_table_is_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    JournalStore(root).append("S", {"n": 1})
    os.chmod(root / "S.jsonl", 0o644)
    (root / "open").mkdir()
    os.chmod(root / "open", 0o777)
    (root / "bot.log").touch()
    os.chmod(root / "bot.log", 0o644)
    (root / "link").symlink_to("/etc/passwd")

    assert too_wide(os.fspath(root)) == [TooWide("S.jsonl", 0o644, 0o640), TooWide("open/", 0o777, 0o750)]
    with pytest.raises(StorageFailure):
        too_wide(os.fspath(tmp_path / "nowhere"))


def test_a_log_is_rotated_and_every_part_may_be_read_by_all(tmp_path: Path) -> None:
    logged(tmp_path / "logs", *(f"line {number}" for number in range(20)), largest=200, kept=2)

    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["supervisor.log", "supervisor.log.1", "supervisor.log.2"]
    assert {mode(tmp_path / "logs" / name) for name in names} == {0o644}
    assert "line 19" in (tmp_path / "logs" / "supervisor.log").read_text()


def test_a_log_is_added_to_and_has_no_secrets(tmp_path: Path) -> None:
    logged(tmp_path, "started")
    logged(tmp_path, "token=abc in use")

    lines = (tmp_path / "supervisor.log").read_text().splitlines()
    assert [line.partition("bot: ")[2] for line in lines] == ["started", "token=[REDACTED] in use"]


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "supervisor.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageFailure):
        logged(tmp_path, "started")
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_no_component_and_no_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidIdentifier):
        logged(tmp_path, component="../up")
    with pytest.raises(InvalidRecord):
        logged(tmp_path, largest=0)
    with pytest.raises(InvalidRecord):
        logged(tmp_path, kept=0)
