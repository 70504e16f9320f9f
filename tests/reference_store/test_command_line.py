"""The command ``tradestore``: it says what is damaged, mends what it is told to, has a sentence for bad input."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reference_store import (
    DocumentStore,
    FileDataStore,
    JournalStore,
    PortfolioStore,
    RunStore,
    SingleDocumentStore,
    SyncJobStore,
    TaskStore,
)
from reference_store.bot_models import Portfolio, Task, Value
from reference_store.models import Event, FundamentalData, Job, PriceBar
from reference_store.operations.command_line import COMMAND

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def tradestore(*words: object) -> Result:
    done = CliRunner().invoke(COMMAND, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def filled(root: Path) -> Path:
    """A directory with something of every make in it."""
    with DocumentStore(root / "documents") as keyed:
        for key in ("AAPL", "BRKb.N", "BTC/USDT:USDT", "42", "CON"):
            keyed.put(key, {"n": 1})
            keyed.put(key, {"n": 2})
    with SingleDocumentStore(root, "2026") as single:
        single.save({"n": 1})
    with JournalStore(root / "logs") as logs:
        for n in range(3):
            logs.append("2026-01-05", {"n": n})
    with PortfolioStore(root) as portfolio:
        portfolio.save(Portfolio(portfolio_value_eur=Value(amount=1.0), initial_value_eur=Value(amount=1.0)))
    with TaskStore(root) as tasks:
        tasks.save(Task(task_id="fetch", action="fetch"))
    with SyncJobStore(root) as jobs, RunStore(root) as runs:
        jobs.save(Job(job_id="j", job_type="backtest"))
        runs.create_or_update_run("r", "backtest")
    with FileDataStore(root / "trading") as data:
        bars = [PriceBar(symbol="AAPL", date=NOON, open=1.0, high=2.0, low=1.0, close=2.0, volume=3)]
        data.write_bars("AAPL", bars)
        data.write_event(Event(type="split", timestamp=NOON))
        data.save_strategy_state("momentum", {"n": 1})
        data.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=NOON))
    return root


def checked(root: Path) -> list[Path]:
    """The files that are vouched for by a seal, or by a digest."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and (path.suffix in (".json", ".jsonl", ".parquet") or path.name.endswith(".json.bak"))
        and (not path.name.startswith(".") or path.name == ".manifest.json")
    )  # fmt: skip


def test_a_sound_directory_is_sound_and_left_as_it_is(tmp_path: Path) -> None:
    root = filled(tmp_path)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    done = tradestore("verify", root)

    assert (done.exit_code, "damaged" in done.output) == (0, False), done.output
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert len(checked(root)) > 15


@pytest.mark.parametrize("harm", ["flipped", "emptied", "cut"])
def test_whichever_file_is_damaged_is_told(tmp_path: Path, harm: str) -> None:
    root = filled(tmp_path)
    for path in checked(root):
        data = path.read_bytes()
        at = data.index(b'"', len(data) // 3) + 1 if path.suffix != ".parquet" else len(data) // 2
        made = {"flipped": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], "emptied": b"", "cut": data[: at - 1]}
        path.write_bytes(made[harm])

        done = tradestore("verify", "--json", root)

        told = json.loads(done.output)
        if harm == "cut" and path.suffix == ".jsonl":
            assert done.exit_code == 0 or len(told["problems"]) == 1, "it may be an append that was cut short"
        else:
            assert done.exit_code == 1, path
            assert [each["file"] for each in told["problems"]] == [str(path.relative_to(root))]
        path.write_bytes(data)


def test_a_file_that_is_gone_beside_its_backup_is_told(tmp_path: Path) -> None:
    root = filled(tmp_path)
    (root / "documents" / "AAPL.json").unlink()
    (root / "trading" / "prices" / "AAPL" / "2026-01.parquet").unlink()

    done = tradestore("verify", root)

    assert done.exit_code == 1
    assert "documents/AAPL.json: damaged: it is missing" in done.output
    assert "2026-01.parquet: damaged: it is missing" in done.output


def test_what_a_file_holds_is_printed_without_its_seal(tmp_path: Path) -> None:
    root = filled(tmp_path)

    assert json.loads(tradestore("cat", root / "documents" / "AAPL.json").output) == {"n": 2}
    assert json.loads(tradestore("cat", root / "documents" / "AAPL.json.bak").output) == {"n": 1}
    assert json.loads(tradestore("cat", root / "2026+.json").output) == {"n": 1}
    lines = tradestore("cat", root / "logs" / "2026-01-05.jsonl").output.splitlines()
    assert [json.loads(line) for line in lines] == [{"number": n + 1, "record": {"n": n}} for n in range(3)]
    (root / "documents" / "AAPL.json").write_bytes(b"{}")
    assert tradestore("cat", root / "documents" / "AAPL.json").exit_code == 1


@pytest.mark.parametrize("name", ["documents/AAPL.json", "documents/42.json", "2026+.json"])
def test_an_edit_by_hand_is_resealed(tmp_path: Path, name: str) -> None:
    file = filled(tmp_path) / name
    file.write_text(file.read_text().replace('"n": ', '"n": 7'))
    assert tradestore("verify", tmp_path).exit_code == 1

    assert tradestore("reseal", file).exit_code == 0
    assert tradestore("verify", tmp_path).exit_code == 0
    assert str(json.loads(tradestore("cat", file).output)["n"]).startswith("7")


def test_a_damaged_log_is_salvaged_and_its_evidence_listed_and_purged(tmp_path: Path) -> None:
    log = filled(tmp_path) / "logs" / "2026-01-05.jsonl"
    log.write_bytes(b"#" + log.read_bytes()[1:])

    report = json.loads(tradestore("salvage", "--json", log).output)
    assert (report["kept"], report["lost"]) == (2, [{"first": 1, "last": 1}])
    (listed,) = json.loads(tradestore("evidence", "list", "--json", tmp_path).output)
    assert listed["file"] == f"logs/{report['evidence']}"
    assert tradestore("evidence", "purge", tmp_path, "--before", "2000-01-01").output == "0 removed\n"
    assert tradestore("evidence", "purge", tmp_path, "--before", "2100-01-01").output == "1 removed\n"
    assert tradestore("evidence", "list", tmp_path).output == ""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("verify", "{root}/nowhere"), 1),
        (("verify", "{root}/2026+.json"), 1),
        (("verify",), 2),
        (("cat", "{root}/documents"), 1),
        (("cat", "{root}/nowhere.json"), 1),
        (("cat", "{root}/nowhere.jsonl"), 1),
        (("cat", "{root}/x+.jsonl+"), 1),
        (("reseal", "{root}/nowhere.json"), 1),
        (("reseal", "{root}/documents"), 1),
        (("salvage", "{root}/2026+.json"), 1),
        (("salvage", "{root}/logs/nowhere.jsonl"), 1),
        (("evidence", "list", "{root}/nowhere"), 1),
        (("evidence", "purge", "{root}"), 2),
        (("evidence", "purge", "{root}", "--before", "soon"), 2),
        (("mend",), 2),
    ],
)
def test_bad_input_has_one_sentence_and_a_status(tmp_path: Path, words: tuple[str, ...], status: int) -> None:
    root = filled(tmp_path)
    before = sorted(root.rglob("*"))

    done = tradestore(*(word.format(root=root) for word in words))

    assert done.exit_code == status, done.output
    assert done.output.count("Error: ") == 1
    assert "Traceback" not in done.output
    assert sorted(root.rglob("*")) == before


def test_what_the_system_refuses_is_a_sentence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = filled(tmp_path)

    def refused(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("reference_store.operations.command_line.regular", refused)
    monkeypatch.setattr("reference_store.operations.inspection.regular", refused)

    assert tradestore("cat", root / "2026+.json").output == "Error: Permission denied\n"
    done = tradestore("verify", root)
    assert done.exit_code == 1
    assert "2026+.json: unreadable: Permission denied" in done.output


def test_a_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J.json").write_text("{")

    assert "\x1b" not in tradestore("verify", tmp_path).output
    assert "\x1b" not in tradestore("cat", tmp_path / "\x1b[2J.json").output


def test_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    filled(tmp_path / "elsewhere")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "AAPL.json").symlink_to(tmp_path / "elsewhere" / "documents" / "AAPL.json")

    found: dict[str, Any] = json.loads(tradestore("verify", "--json", root).output)
    assert found["counts"]["sound"] == 0
    assert [each["file"] for each in found["problems"]] == ["AAPL.json"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_file_of_jobs_that_has_a_log_of_changes_is_sound_while_its_store_is_open(tmp_path: Path, count: int) -> None:
    with SyncJobStore(tmp_path) as store:
        for number in range(count):
            store.save(Job(job_id=f"job-{number}", job_type="backtest"))

        assert tradestore("verify", tmp_path).exit_code == 0


@pytest.mark.parametrize("command", ["health", "no-such-command"])
def test_a_command_after_which_threads_of_arrow_may_go_on_ends_with_its_own_words_and_status(
    tmp_path: Path, command: str
) -> None:
    """As one does that has read a table; what would come at the end of the interpreter does not come."""
    (tmp_path / "data").mkdir()
    program = (
        "import atexit, sys, types; atexit.register(print, 'taken down');"
        "print('begun', end=' '); print('begun', end=' ', file=sys.stderr);"
        "from reference_store.operations.command_line import main; words = sys.argv[2:];"
        "sys.modules.update({'deltalake': types.ModuleType('deltalake')} if sys.argv[1] == 'table' else {});"
        "sys.argv[1:] = words; main()"
    )

    def ran(kind: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", program, kind, command, "data"]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        return subprocess.run(words, cwd=tmp_path, env=buffered, capture_output=True, text=True, check=False)

    with_table, without = ran("table"), ran("files")

    assert (with_table.returncode, with_table.stderr) == (without.returncode, without.stderr)
    assert with_table.stdout + "taken down\n" == without.stdout
