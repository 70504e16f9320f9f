"""Removes what one execution left on the disk: done for each, so it is done by the plainest means."""

import os
from pathlib import Path

from pytest_tradestore.sandbox import remove_tree

_rmdir, _unlink, _scandir = os.rmdir, os.unlink, os.scandir


def remove(outer: str) -> None:
    """Remove an execution's directory, quickly where it is as simple as usual."""
    try:
        _clear(outer)
        _rmdir(outer)
    except OSError:
        remove_tree(Path(outer))


def _clear(directory: str) -> None:
    with _scandir(directory) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _clear(entry.path)
            _rmdir(entry.path)
        else:
            _unlink(entry.path)
