"""The directories of a bot's stores below its data directory, none of them entered through a link.

What is given instead of a directory, a place in a database for example, says itself what is below it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reference_store.core.atomic import Directory
from reference_store.core.elsewhere import Elsewhere
from reference_store.core.signals import let_out
from reference_store.errors import StorageFailure, StoreError


def below(root: str | Path | Elsewhere, name: str) -> Any:
    """Open the directory ``name`` of ``root``, and make what is missing, durably; raises StorageFailure.

    Links in ``root`` itself are followed, for whoever opens the store has named it.
    """
    if isinstance(root, Elsewhere):
        return root.below(name)
    try:
        return within(Directory.open(os.fspath(root)), name)
    except OSError as error:
        let_out(error)
        if isinstance(error, StoreError):
            raise
        raise StorageFailure("open", name, error) from error


def within(directory: Any, name: str) -> Any:
    """Open the directory ``name`` in one that is open; see ``below``."""
    if isinstance(directory, Elsewhere):
        return directory.below(name)
    try:
        return directory.child(name, create=True)
    except OSError as error:
        let_out(error)
        raise StorageFailure("open", name, error) from error
