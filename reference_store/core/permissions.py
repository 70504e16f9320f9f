"""Who may read and write what a bot keeps: the guideline's table, and what on a disk is wider than it says.

The modes are those of new files and directories, whatever the umask; a narrower mode stays when a file is replaced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from reference_store.core.atomic import DIRECTORY_MODE, FILE_MODE, LOG_MODE, SENSITIVE_MODE
from reference_store.core.directory import DIRECTORY, OpenDirectory
from reference_store.core.signals import let_out
from reference_store.errors import StorageFailure


class Allowed(IntEnum):
    """The guideline's table."""

    DIRECTORY = DIRECTORY_MODE
    DATA = FILE_MODE
    LOG = LOG_MODE
    SENSITIVE = SENSITIVE_MODE


@dataclass(frozen=True, slots=True)
class TooWide:
    """A file or directory, by its path below the root, whose ``mode`` allows more than it may be ``allowed``."""

    file: str
    mode: int
    allowed: int


def allowed_for(name: str, *, is_directory: bool = False) -> int:
    """The widest mode of what has this name: logs may be read by all, what only its owner may read says so itself."""
    if is_directory:
        return Allowed.DIRECTORY
    stem, _, last = name.rpartition(".")
    return Allowed.LOG if last == "log" or (last.isdecimal() and stem.endswith(".log")) else Allowed.DATA


def too_wide(root: str) -> list[TooWide]:
    """Return what below ``root`` more people may read or write than the table says, sorted; links are not followed.

    Raises StorageFailure if there is no such directory, or it cannot be looked at.
    """
    try:
        directory = OpenDirectory(os.open(root, DIRECTORY), root)
        return sorted(_too_wide(directory, ""), key=lambda found: found.file)
    except (OSError, ValueError) as error:
        let_out(error)
        cause = error if isinstance(error, OSError) else OSError(22, "it is no path")
        raise StorageFailure("look at", root, cause) from error


def _too_wide(directory: OpenDirectory, path: str) -> Iterator[TooWide]:
    mode = stat.S_IMODE(os.fstat(directory.descriptor).st_mode)
    if mode & 0o777 & ~Allowed.DIRECTORY:
        yield TooWide(path or ".", mode, Allowed.DIRECTORY)
    for name in directory.names():
        try:
            about = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(about.st_mode):
            below = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory.descriptor)
            yield from _too_wide(OpenDirectory(below, name), f"{path}{name}/")
        elif stat.S_ISREG(about.st_mode):
            allowed = allowed_for(name)
            if stat.S_IMODE(about.st_mode) & 0o7777 & ~allowed:
                yield TooWide(path + name, stat.S_IMODE(about.st_mode), allowed)
