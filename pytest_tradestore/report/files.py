"""Writes reports to files."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_tradestore.report.badge import badge_of
from pytest_tradestore.report.comparison import Earlier
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.json_report import json_of
from pytest_tradestore.report.markdown import markdown_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.sarif import sarif_of
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.settings import Settings


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report is made of: how, when and where the run was made, what it found, and the project's directory."""

    settings: Settings
    recorder: str
    records: Sequence[StoreRecord]
    project: Path
    around: Surroundings = field(default_factory=Surroundings)
    earlier: Earlier | None = None


_FORMATS: dict[str, Callable[[Reported], str]] = {
    "json": lambda run: json_of(run.settings, run.recorder, run.records, run.around),
    "html": lambda run: html_of(run.settings, run.recorder, run.records, run.around, run.earlier),
    "sarif": lambda run: sarif_of(run.settings, run.recorder, run.records, run.project),
    "markdown": lambda run: markdown_of(run.settings, run.recorder, run.records),
    "badge": lambda run: badge_of(run.settings, run.records),
}

KINDS = tuple(_FORMATS)


def write_report(kind: str, path: Path, run: Reported) -> None:
    """Write the report of one format to ``path``; a reader of that file never sees half of it."""
    text = _FORMATS[kind](run)
    encoded = text.encode("utf-8", "backslashreplace")  # a name may hold half a surrogate pair
    if path.exists() and not path.is_file():
        path.write_bytes(encoded)  # a device or a pipe
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(encoded)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
