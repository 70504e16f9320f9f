"""The names under a root and what stands behind each: to see what a call has created, changed or removed."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

Tree = Mapping[str, str]
"""By path relative to the root: its kind, and for a file a digest of its content."""


def tree_of(root: Path) -> Tree:
    """Read a tree without following links."""
    return {path: _content(entry) for path, entry in _walk(root)}


def paths_of(root: Path) -> frozenset[str]:
    """Return the paths in a tree, relative to it."""
    return frozenset(path for path, _ in _walk(root))


def _walk(root: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    pending = [""]
    while pending:
        inside = pending.pop()
        try:
            entries = os.scandir(os.path.join(root, inside))
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                path = os.path.join(inside, entry.name)
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)


def _content(entry: "os.DirEntry[str]") -> str:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        return "directory"
    if not stat.S_ISREG(mode):
        return f"kind {stat.S_IFMT(mode):o}"
    with open(entry.path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def changed(before: Tree, after: Tree, volatile: Sequence[str] = ()) -> str:
    """Say what is different first, by path; empty when nothing is. The content of lock files is nobody's data."""
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path) or any(fnmatch(path, pattern) for pattern in volatile):
            continue
        if path not in before:
            return f"{path!a} was created"
        if path not in after:
            return f"{path!a} was removed"
        if "lock" not in os.path.basename(path).lower():
            return f"{path!a} was changed"
    return ""
