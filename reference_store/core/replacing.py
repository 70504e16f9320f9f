"""Several files replaced at once: each is whole and old or new after any crash, and they share their syncs.

One sync of the directory does for all. The files are handed to the medium together, and waited for side by side: a
file system with a journal then has one commit to make for them, and a disk one cache to empty, not one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from reference_store.core.atomic import FILE_MODE, Directory, NotPinned
from reference_store.core.descriptors import hand_over
from reference_store.core.directory import Found
from reference_store.core.side_by_side import side_by_side

_AT_ONCE = 32
"""So many files are open at once."""
_SIDE_BY_SIDE = 3
"""From so many files on, waiting for all at the same time is worth the threads."""


@dataclass(slots=True)
class Replacement:
    """``data`` as the new content of ``name``; see Directory.replace for ``previous`` and ``backup``.

    ``mode`` is how wide it may be. ``error`` is what stood in its way: an OSError with the old content in place, or
    NotPinned.
    """

    name: str
    data: bytes
    previous: Found | None
    backup: str
    mode: int = FILE_MODE
    error: OSError | NotPinned | None = None


def replace_all(directory: Directory, files: Sequence[Replacement]) -> None:
    """Replace the files, durably; ``error`` of each says what became of it."""
    staged: list[tuple[Replacement, str]] = []
    for first in range(0, len(files), _AT_ONCE):
        staged += _staged(directory, files[first : first + _AT_ONCE])
    exchanged: list[Replacement] = []
    for file, name in staged:
        try:
            directory.exchange(name, file.name, file.previous, file.backup)
            exchanged.append(file)
        except OSError as error:
            file.error = error
    if exchanged:
        try:
            directory.pin()  # durability point of them all
        except NotPinned as error:
            for file in exchanged:
                file.error = error


def _staged(directory: Directory, files: Sequence[Replacement]) -> list[tuple[Replacement, str]]:
    """Write the new content of each file under a name of its own, durably; returns those that could be written."""
    written: list[tuple[Replacement, str, int]] = []
    for file in files:
        try:
            # Without ``previous`` a damaged file can have this name still: what takes its place is for the same people.
            like = directory.access(file.name) if file.previous is None else file.previous.access
            written.append((file, *directory.written(file.data, file.mode, like)))
        except OSError as error:
            file.error = error
    if len(written) > 1:
        for _, _, descriptor in written:
            hand_over(descriptor)
    settle = partial(_settle, directory)
    if len(written) < _SIDE_BY_SIDE:
        for each in written:
            settle(*each)
    else:
        side_by_side([partial(settle, *each) for each in written])
    return [(file, name) for file, name, _ in written if file.error is None]


def _settle(directory: Directory, file: Replacement, name: str, descriptor: int) -> None:
    try:
        directory.settle(name, descriptor)
    except OSError as error:
        file.error = error
