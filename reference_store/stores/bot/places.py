"""The directories of a bot's stores below its data directory, none of them entered through a link."""

from __future__ import annotations

import os
from pathlib import Path

from reference_store.core.atomic import Directory
from reference_store.core.signals import let_out
from reference_store.errors import StorageFailure, StoreError


def below(root: str | Path, name: str) -> Directory:
    """Open the directory ``name`` of ``root``, and make what is missing, durably; raises StorageFailure.

    Links in ``root`` itself are followed, for whoever opens the store has named it.
    """
    try:
        return within(Directory.open(os.fspath(root)), name)
    except OSError as error:
        let_out(error)
        if isinstance(error, StoreError):
            raise
        raise StorageFailure("open", name, error) from error


def within(directory: Directory, name: str) -> Directory:
    """Open the directory ``name`` in one that is open; see ``below``."""
    try:
        return directory.child(name, create=True)
    except OSError as error:
        let_out(error)
        raise StorageFailure("open", name, error) from error
