"""A root deep inside a sandbox, with canaries around it at every level: who leaves it is seen, and harms nobody.

The deepest climb of the corpus ends inside the sandbox, absolute paths point at canaries, and so does ``HOME``.
"""

import json
import os
import stat
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from pytest_tradestore.kits.slots import LEVEL
from pytest_tradestore.sandbox import remove_tree

DEPTH = 18
"""Directories between the sandbox and the root; identifiers climb at most 12 levels."""
SECRET = "this-stood-outside-of-the-root"  # noqa: S105 - not one that anybody keeps
"""What every canary holds: a store that shows it has read where it must not."""
_CANARY = json.dumps({"secret": SECRET, "mark": -1}).encode()
_NAMES = ("x", "x.json", "x.jsonl")
_LONG_AGO = 1_000_000_000 * 10**9
_NEVER_WAITS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
"""Opens what has taken the place of a file without following or waiting for it, as far as the system can."""


@dataclass(frozen=True, slots=True)
class _State:
    kind: int
    mode: int
    inode: int
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Nest:
    """``top`` holds everything, ``root`` is the store's; ``out``, ``home`` and ``cwd`` are canary directories."""

    top: Path
    root: Path
    out: Path
    home: Path
    cwd: Path

    @classmethod
    def _at(cls, top: Path) -> "Nest":
        deepest = top.joinpath(*(f"{LEVEL}{level:02}" for level in range(DEPTH)))
        return cls(top, deepest / "store", top / "out", top / "home", top / "cwd")

    @classmethod
    def build(cls, top: Path) -> "Nest":
        """Make a nest in ``top``, which must not exist."""
        nest = cls._at(top)
        os.makedirs(nest.root)
        around = (nest.root.with_name("store-evil"), nest.out, nest.home, nest.cwd)
        for directory in around:
            directory.mkdir()
        levels = [nest.root.parents[number] for number in range(DEPTH + 1)]
        for directory in (*levels, *around):
            _plant(directory)
        for name in ("victim", "secret"):
            (nest.out / name).write_bytes(_CANARY)
        nest._age()
        return nest

    def renewed(self, top: Path) -> "Nest":
        """Return the same canaries around an empty root, by other paths: stores may remember what lay under a path."""
        remove_tree(self.root)
        os.rename(self.top, top)
        nest = self._at(top)
        nest.root.mkdir()
        age(nest.root.parent)
        return nest

    def _age(self) -> None:
        """Give all canaries an old time: clocks of file systems tick slowly, and no change may fall into one tick."""
        for directory, _, names in os.walk(self.top, topdown=False):
            for name in (*names, ""):
                if directory != str(self.root):
                    age(os.path.join(directory, name))

    def remove(self) -> None:
        """Take everything away again."""
        remove_tree(self.top)

    def within(self, path: str) -> bool:
        """Say whether a normalised path lies in the root."""
        root = str(self.root)
        return path == root or path.startswith(root + "/")

    def around(self, path: str) -> bool:
        """Say whether a normalised path is a canary's: in the sandbox, not in the root and not on the way to it.

        Libraries look into their user's home and their working directory for things of their own.
        """
        if path == str(self.cwd) or (path.startswith(str(self.home)) and not path.startswith(f"{self.home}/x")):
            return False
        return path.startswith(f"{self.top}/") and not self.within(path) and not f"{self.root}/".startswith(f"{path}/")

    def told(self, path: str) -> str:
        """Return a path as a report shows it, relative to the root."""
        return os.path.relpath(path, self.root) if path.startswith(f"{self.top}/") else path

    def text(self, value: object) -> str:
        """Return ``value`` as text in which the directories of this run have names."""
        said = str(value)
        for directory, name in ((self.root, "<root>"), (self.out, "<outside>"), (self.top, "<sandbox>")):
            said = said.replace(str(directory), name)
        return said


def age(path: str | Path) -> None:
    """Give something an old time."""
    os.utime(path, ns=(_LONG_AGO, _LONG_AGO))


def _plant(directory: Path) -> None:
    for name in _NAMES:
        path = directory / name
        path.write_bytes(_CANARY)
        path.chmod(0o644)


class Canaries:
    """What was around a root when this was made, and what has changed since.

    Paths are relative to the top of the nest, so that what is known stays true when the nest is moved.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self._before = self._states()
        self._contents = self._bytes()

    def moved(self, nest: Nest) -> "Canaries":
        """Return the same for the nest in its new place."""
        moved = copy(self)
        moved.nest = nest
        return moved

    def change(self, *, thorough: bool = False) -> str:
        """Say in words what has changed first, by path; empty when nothing has.

        ``thorough`` also compares every byte, for a change that has hidden itself.
        """
        if not self._untouched() and (said := self._compared()):
            return said
        if thorough and self._bytes() != self._contents:
            return "the bytes of a file outside were changed, and its times set back"
        return ""

    def _compared(self) -> str:
        now = self._states()
        for path in sorted({*now, *self._before}):
            was, found = self._before.get(path), now.get(path)
            if was == found:
                continue
            told = self.nest.told(self._whole(path))
            if was is None and found is not None:
                return f"{told} was created"
            if found is None or was is None:
                return f"{told} was removed"
            if (was.kind, was.inode) != (found.kind, found.inode):
                return f"{told} was replaced"
            if was.kind == stat.S_IFDIR and was.mode == found.mode:
                continue  # its entries say what happened; if they are the same again, something came and went
            if was.mode != found.mode:
                return f"the mode of {told} was changed from {was.mode:04o} to {found.mode:04o}"
            return f"{told} was written to"
        for path, was in self._before.items():
            if now[path] != was:
                return f"something was created and removed again in {self.nest.told(self._whole(path))}"
        return ""

    def _whole(self, path: str) -> str:
        return os.path.join(self.nest.top, path) if path else str(self.nest.top)

    def _untouched(self) -> bool:
        """Say whether all that was there is as it was; what is new shows in the time of its directory."""
        top = f"{self.nest.top}/"
        try:
            return all(_state(os.lstat(top + path)) == state for path, state in self._before.items())
        except OSError:
            return False

    def _states(self) -> dict[str, _State]:
        found: dict[str, _State] = {}
        pending = [""]
        root = str(self.nest.root)
        while pending:
            directory = pending.pop()
            found[directory] = _state(os.lstat(self._whole(directory)))
            with os.scandir(self._whole(directory)) as entries:
                for entry in entries:
                    if entry.path == root:
                        continue
                    path = os.path.join(directory, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)
                    else:
                        found[path] = _state(entry.stat(follow_symlinks=False))
        return found

    def _bytes(self) -> dict[str, bytes]:
        contents = {}
        for path, state in self._before.items():
            if state.kind == stat.S_IFREG:
                with suppress(OSError):
                    contents[path] = _content(self._whole(path), state.size)
        return contents


def _content(path: str, size: int) -> bytes:
    """Return what a canary holds, and a byte more if there is more; never waits, whatever has taken its place."""
    descriptor = os.open(path, os.O_RDONLY | _NEVER_WAITS)
    try:
        return os.read(descriptor, size + 1)
    finally:
        os.close(descriptor)


def _state(found: os.stat_result) -> _State:
    mode = found.st_mode
    return _State(stat.S_IFMT(mode), stat.S_IMODE(mode), found.st_ino, found.st_size, found.st_mtime_ns)
