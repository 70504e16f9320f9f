"""The files of logs: how they are called, and how one is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.directory import NotARegularFile
from reference_store.errors import CorruptData
from reference_store.stores.journal_lines import LogFile

SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Look:
    """A log that is open for reading, the directory that it is in, its file name and its inode."""

    directory: Directory
    file: str
    inode: int
    log: LogFile


def streams_in(names: Iterable[str]) -> list[str]:
    """The logs among the names of files, sorted by code point."""
    return sorted(keys.decode_all(list(names), (SUFFIX,)))


def opened_log(directory: Directory, stream: str, file: str, flags: int) -> tuple[int, os.stat_result] | None:
    """Open a log: return its descriptor and status, None if there is none; raises CorruptData for no regular file."""
    try:
        return directory.open_regular(file, flags)
    except NotARegularFile:
        raise CorruptData(stream, file, "it is not a regular file") from None
