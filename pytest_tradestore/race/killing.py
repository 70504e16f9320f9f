"""Where it is worth killing a process: not after an operation that left nothing behind.

Killed before such an operation or after it, a process leaves the same files and gives back the same locks.
"""

import os
import stat
from contextlib import suppress
from hashlib import sha256

from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.files import REAL_OPEN

LEAVE_NOTHING = frozenset(
    "access call fdatasync fstat fsync getxattr listdir listxattr lstat open pread preadv read readlink readv scandir "  # noqa: SIM905 - reads better
    "sleep stat statvfs".split()
)
"""First words of operations that change nothing: open among them is that for reading."""
_scandir = os.scandir


class Witness:
    """Looks on, in one execution, what each operation of a caller leaves behind."""

    def __init__(self, caller: int) -> None:
        self._caller = caller
        self._seen: list[tuple[str, str]] = []

    def look(self, actor: Actor, directory: str) -> None:
        """Note what there is in the directory, and what the actor is about to do."""
        if actor.caller == self._caller:
            self._seen.append((_print_of(directory), actor.pending.partition(" ")[0]))

    def places(self) -> tuple[int, ...]:
        """Return before which of the caller's operations, counted from 1, it is worth killing it.

        What an operation does by its name is believed only if the files agree: native code writes where it likes.
        """
        return tuple(
            at
            for at, (files, _) in enumerate(self._seen, 1)
            if at == 1 or files != self._seen[at - 2][0] or self._seen[at - 2][1] not in LEAVE_NOTHING
        )


def _print_of(directory: str) -> str:
    """Return a fingerprint of everything below a directory: names, kinds, modes and contents."""
    found = sha256()
    pending = [directory]
    while pending:
        with _scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                status = entry.stat(follow_symlinks=False)
                found.update(os.fsencode(entry.path))
                found.update(f"\0{status.st_ino} {status.st_mode} {status.st_size} ".encode())
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif stat.S_ISREG(status.st_mode):
                    with suppress(PermissionError), REAL_OPEN(entry.path, "rb") as file:
                        found.update(file.read())
    return found.hexdigest()
