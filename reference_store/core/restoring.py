"""The mark in a directory into which a restore was begun: until it is gone, files of two moments are in it.

It is made durable in every directory before the first file is replaced, and removed when all of them are. So whoever
opens a store after a restore that was killed is told, and never shown a mixture.
"""

from __future__ import annotations

import json

from reference_store.core.atomic import FILE_MODE, Directory
from reference_store.core.descriptors import TooLarge
from reference_store.core.directory import NotARegularFile
from reference_store.core.signals import let_out
from reference_store.errors import RestoreUnfinished

RESTORING = ".restoring"
_LARGEST = 1 << 14


def mark(directory: Directory, generation: str, vault: str) -> None:
    """Mark a directory, durably; raises OSError."""
    text = json.dumps({"generation": generation, "vault": vault}, ensure_ascii=True)
    directory.stage(RESTORING, text.encode(), FILE_MODE)
    directory.sync()  # before the first file is replaced


def unmark(directory: Directory) -> None:
    """Take the mark away again; not yet durable. Raises OSError."""
    directory.unlink(RESTORING)


def refuse_unfinished(directory: Directory) -> None:
    """Raise RestoreUnfinished if a restore into this directory was not finished."""
    if not directory.has(RESTORING):
        return
    told: dict[str, object] = {}
    try:
        found = directory.read(RESTORING, _LARGEST)
        if found is None:
            return  # it was finished meanwhile
        parsed = json.loads(found.data)
        told = parsed if isinstance(parsed, dict) else {}
    except (NotARegularFile, TooLarge, ValueError, RecursionError) as error:
        let_out(error)  # the mark is there, whatever it says
    raise RestoreUnfinished(directory.path, str(told.get("generation", "?")), str(told.get("vault", "?")))
