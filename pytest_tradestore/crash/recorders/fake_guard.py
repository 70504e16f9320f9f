"""What gets past the fake disk: native libraries, child processes and mappings, noticed so that nothing is guessed.

Python reports most real file-system calls as audit events. While a recording runs none of them may name a path under
the root; one that does came from code that the recorder could not stand in for.
"""

import os
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

ADVICE = "--tradestore-recorder=strace sees it."
_CHILDREN = {
    "subprocess.Popen": "subprocess",
    "os.posix_spawn": "os.posix_spawn",
    "os.spawn": "os.spawn",
    "os.exec": "os.exec",
    "os.system": "os.system",
    "os.startfile": "os.startfile",
}
_FORKS = ("os.fork", "os.forkpty")
_CONNECTS = {
    "sqlite3.connect": "sqlite3",
    "sqlite3.connect/handle": "sqlite3",
    "dbm.gnu.open": "dbm",
    "dbm.open": "dbm",
}
_CALLS = re.compile(r"open|(?:os|shutil|tempfile|pathlib|glob)\.\w+")
_OWN_CALLS = ("shutil.", "tempfile.", "pathlib.", "glob.", "os.walk", "os.fwalk")


class Guard:
    """Listens to audit events while a recording runs and says, one sentence each, what it could not see."""

    def __init__(self, is_inside: Callable[[str], bool], exists: Callable[[str], bool]) -> None:
        self._is_inside, self._exists = is_inside, exists
        self._sentences: dict[str, None] = {}
        self._paused = threading.local()

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(self._sentences)

    def say(self, sentence: str) -> None:
        """Add a sentence, once."""
        self._sentences.setdefault(f"{sentence} {ADVICE}")

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one audit event."""
        if getattr(self._paused, "now", False):
            return
        self._paused.now = True
        try:
            self._judge(event, arguments)
        finally:
            self._paused.now = False

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FORKS:
            self.say("A child process was forked; what it does to the store's files is not recorded.")
        elif event in _CHILDREN:
            named = [text for text in _texts(arguments) if self._names_root(text)]
            if named:
                self.say(f"{_CHILDREN[event]} started a program with {named[0]!r}; what it does there is not recorded.")
        elif event in _CONNECTS:
            path = next(_texts(arguments[:1]), "").removeprefix("file:").partition("?")[0]
            if path and self._lies_inside(path):
                self.say(f"{_CONNECTS[event]} opened {os.path.basename(path)!r} by its path, past the recorder.")
        elif _CALLS.fullmatch(event) and not event.startswith(_OWN_CALLS):
            for path in _texts(arguments[:2]):
                if self._lies_inside(path):
                    self.say(f"{event} reached {os.path.basename(path)!r} on the real disk, past the recorder.")

    def _names_root(self, text: str) -> bool:
        words = re.split(r"[\s='\":;,]+", text)
        return any(os.path.isabs(word) and (self._lies_inside(word) or self._exists(word)) for word in words)

    def _lies_inside(self, path: str) -> bool:
        return self._is_inside(os.path.join(os.getcwd(), path))


_listening: Guard | None = None
_installed = False


def listen(guard: Guard | None) -> None:
    """Let a guard hear every audit event from now on, or none. The hook itself stays: Python can take none out."""
    global _listening, _installed
    _listening = guard
    if guard is not None and not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    guard = _listening
    if guard is not None:
        guard.hear(event, arguments)


def _texts(values: Any) -> Any:
    """Yield every path or text among the values, also within lists of arguments."""
    for value in values:
        if isinstance(value, str | bytes | os.PathLike):
            yield os.fsdecode(value)
        elif isinstance(value, list | tuple):
            yield from _texts(value)


def fingerprint(root: str) -> dict[str, tuple[int, int, int]]:
    """Return what tells whether anything on the real disk below the root has changed."""
    found: dict[str, tuple[int, int, int]] = {}
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                found[os.path.relpath(entry.path, root)] = (status.st_ino, status.st_size, status.st_mtime_ns)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
    return found
