"""File operations done right: what the sound stores are made of, and the broken ones but for their one defect."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zlib import crc32


def file_name(key: str) -> str:
    """Return the file name of a key; no dot of the key is left in it, so that no key looks like a suffix.

    What stands after the plus says which letters are lower-case ones: file systems may ignore that.
    """
    if type(key) is not str:
        raise TypeError(f"a key is text, not {type(key).__name__}")
    lower = "".join(str(int(letter.islower())) for letter in key if letter.isascii() and letter.isalpha())
    case = "" if "1" not in lower else "+" if "0" not in lower else f"+{int(lower, 2):x}"
    name = quote(key, safe="").replace(".", "%2E") + case + ".json"
    if len(name) > 200:  # what is put behind it must fit into a file name, too
        raise ValueError(f"a key of {len(key)} characters is too long")
    return name


def key_of(name: str) -> str:
    """Return the key that ``file_name`` made ``name`` from."""
    return unquote(name.removesuffix(".json").partition("+")[0])


def encode(document: dict[str, Any]) -> str:
    """Return the document as JSON; raises ValueError for what would not come back equal."""
    text = json.dumps(document, allow_nan=False)
    if json.loads(text) != document:
        raise ValueError("this document would not come back from JSON as it was given")
    return text


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: str | Path) -> None:
    """Make a file durable as it is, with what is known of it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory that survives power loss; it may exist already, left by a crash before its parent was synced."""
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def write_synced(path: str | Path, text: str) -> None:
    """Write a file and make its content durable, though not yet its name."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, text: str) -> None:
    """Replace a file: whole or not at all, durable on return."""
    staged = f"{path}.tmp"
    write_synced(staged, text)
    os.replace(staged, path)
    sync_directory(path.parent)


def remove_durably(path: Path) -> None:
    """Remove a file, which need not exist, so that it does not come back."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the document in a file, None if there is no such file; raises ValueError if it is damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of a store: between threads, instances and processes, and released by the kernel in a crash."""
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def log_line(record: dict[str, Any]) -> bytes:
    """Return one line of a log: a checksum, the record, a newline."""
    text = encode(record).encode()
    return b"%08x %s\n" % (crc32(text), text)


def whole_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the records of a log and how many bytes they take.

    What is not whole at the very end is a torn append and left out. Raises ValueError for damage anywhere else.
    """
    records: list[dict[str, Any]] = []
    good = 0
    for line in content.splitlines(keepends=True):
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if line.endswith(b"\n") and checksum == b"%08x" % crc32(text):
            records.append(json.loads(text))
            good += len(line)
        elif good + len(line) < len(content):
            raise ValueError(f"the log is damaged at byte {good}")
    return records, good


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the records of a log, none if there is no such file."""
    try:
        return whole_lines(path.read_bytes())[0]
    except FileNotFoundError:
        return []


def cut_torn_tail(path: Path) -> None:
    """Make a log end with its last whole record, and both the log and its name durable, before anything is appended."""
    with open(path, "a+b") as log:
        log.seek(0)
        log.truncate(whole_lines(log.read())[1])
        os.fsync(log.fileno())
    sync_directory(path.parent)


def append_synced(path: Path, line: bytes) -> None:
    """Append to a log that exists, durable on return."""
    with open(path, "ab") as log:
        log.write(line)
        log.flush()
        os.fsync(log.fileno())


def append_or_take_back(path: Path, line: bytes) -> None:
    """Append to a log that exists, durable on return; what fails is cut off again.

    What a failed fsync has not written no later one writes: behind the next record there would be a hole.
    """
    size = os.stat(path).st_size
    try:
        append_synced(path, line)
    except OSError:
        take_back(path, size)
        raise


def take_back(path: Path, size: int) -> None:
    """Cut a log back to ``size`` bytes, durable on return."""
    with open(path, "r+b") as log:
        log.truncate(size)
        os.fsync(log.fileno())
