"""Logs with many records, made without appending each of them, and how much of a log is read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reference_store.core import integrity, keys


def records(count: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"n": number, "note": "x" * (number % 50)} for number in range(first, first + count)]


def write_log(root: Path, count: int, stream: str = "S", group: int = 1) -> Path:
    """Write a log as a store does that appended ``records``, ``group`` at a time."""
    encoded = [integrity.encode_record(record) for record in records(count)]
    writes = [
        integrity.seal_records(encoded[begin : begin + group], stream, begin + 1) for begin in range(0, count, group)
    ]
    path = root / f"{keys.encode(stream)}.jsonl"
    path.write_bytes(b"".join(writes))
    return path


@contextmanager
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count the bytes that are read from files meanwhile."""
    seen: list[int] = []
    with monkeypatch.context() as patch:
        for name in ("read", "pread"):
            real = getattr(os, name)

            def counting(*arguments: Any, real: Any = real) -> bytes:
                data: bytes = real(*arguments)
                seen.append(len(data))
                return data

            patch.setattr(os, name, counting)
        yield seen
