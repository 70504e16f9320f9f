"""The health of a bot's directory: what is there, what is wrong with it, and from where on that is a problem."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reference_store import InvalidRecord, PerformanceStore, PortfolioStore, StorageFailure
from reference_store.bot_models import Holding, Portfolio, Value
from reference_store.operations.command_line import COMMAND
from reference_store.operations.health import Thresholds, health
from reference_store.performance_models import Snapshot

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def filled(root: Path) -> Path:
    worth = Value(amount=1.0)
    with PortfolioStore(root) as store:
        for _ in range(2):
            store.save(Portfolio(portfolio_value_eur=worth, initial_value_eur=worth))
    with PerformanceStore(root, clock=lambda: NOW) as performance:
        performance.start(Snapshot(timestamp=NOW - timedelta(days=10), total_value_eur=1.0))
        performance.add_snapshot(Snapshot(timestamp=NOW - timedelta(days=1), total_value_eur=1.0))
    os.utime(root / "portfolio.json", (NOW.timestamp() - 60,) * 2)
    return root


def test_a_sound_directory_has_facts_and_no_problems(tmp_path: Path) -> None:
    root = filled(tmp_path)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    found = health(str(root), NOW)

    assert found.problems == ()
    assert (found.portfolio_file_exists, found.portfolio_age_seconds, found.backup_status) == (True, 60.0, "sound")
    assert found.portfolio_file_size == (root / "portfolio.json").stat().st_size
    assert (found.performance_snapshots_count, found.oldest_snapshot_age_days) == (2, 10.0)
    assert found.newest_snapshot_age_seconds == 86400.0
    assert (found.files_damaged, found.files_evidence) == (0, 0)
    assert found.disk_usage_bytes >= found.portfolio_file_size
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


LIMITS = {"portfolio_age": 60.0, "snapshot_age": 86400.0, "evidence": 0.0, "disk_usage": 1e9}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_a_problem_when_it_is_exceeded_and_not_before(tmp_path: Path, name: str) -> None:
    root = filled(tmp_path)
    (root / ".damaged-0123456789ab-x.json").write_text("{")
    at = LIMITS[name] if name != "evidence" else 1.0

    assert health(str(root), NOW, Thresholds(**{name: at})).problems == ()
    lower = Thresholds(**{name: 0.5 if name == "disk_usage" else at - 1})
    (problem,) = health(str(root), NOW, lower).problems
    assert "is the limit" in problem


def harmed(root: Path, harm: str) -> None:
    file = root / "portfolio.json"
    match harm:
        case "gone":
            file.unlink()
        case "damaged":
            file.write_bytes(b"{")
        case "backup":
            (root / "portfolio.json.bak").write_bytes(b"{")
        case "grown":
            with PortfolioStore(root) as store:
                holdings = {f"A{n}": Holding(amount=1.0) for n in range(100)}
                worth = Value(amount=1.0)
                store.save(Portfolio(portfolio_value_eur=worth, initial_value_eur=worth, holdings=holdings))
        case "snapshots":
            (root / "performance" / "portfolio_snapshots.json").write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("gone", "portfolio.json is not there"),
        ("damaged", "portfolio.json is damaged"),
        ("backup", "portfolio.json.bak is damaged"),
        ("grown", "its backup"),
        ("snapshots", "performance/portfolio_snapshots.json is damaged"),
    ],
)
def test_what_is_wrong_is_a_problem_whatever_the_limits(tmp_path: Path, harm: str, words: str) -> None:
    root = filled(tmp_path)
    harmed(root, harm)

    found = health(str(root), NOW)

    assert any(words in problem for problem in found.problems), found.problems
    assert found.backup_status == ("damaged" if harm == "backup" else "sound")
    assert (found.performance_snapshots_count is None) is (harm == "snapshots")


def tradestore(*words: object) -> Any:
    return CliRunner().invoke(COMMAND, ["health", *map(str, words)])


def test_the_command_prints_it_and_its_status_is_for_monitoring(tmp_path: Path) -> None:
    root = filled(tmp_path)

    assert tradestore(root).exit_code == 0
    assert json.loads(tradestore(root, "--json").output)["performance_snapshots_count"] == 2
    metrics = tradestore(root, "--open-metrics").output.splitlines()
    assert metrics[-1] == "# EOF"
    assert "tradestore_performance_snapshots_count 2.0" in metrics
    assert "tradestore_problems 0.0" in metrics
    late = tradestore(root, "--snapshot-age", 1)
    assert (late.exit_code, "problem: " in late.output) == (1, True)
    assert tradestore(root, "--snapshot-age", "soon").exit_code == 2
    assert tradestore(root / "nowhere").output.count("Error: ") == 1


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord):
        health(str(tmp_path), datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point
    with pytest.raises(StorageFailure):
        health(str(tmp_path / "nowhere"))
    assert health(str(tmp_path)).problems == ("portfolio.json is not there",)
