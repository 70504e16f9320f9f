"""Writes reports to files."""

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.json_report import json_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.settings import Settings

_FORMATS = {"json": json_of, "html": html_of}


def write_report(kind: str, path: Path, settings: Settings, recorder: str, records: Sequence[StoreRecord]) -> None:
    """Write the report of one format to ``path``; a reader of that file never sees half of it."""
    text = _FORMATS[kind](settings, recorder, records)
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
