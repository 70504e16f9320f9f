"""``flock`` and its relatives: the kernel decides, a model says beforehand who would have to wait.

A lock is always asked for without waiting. Who is refused is blocked until somebody lets go; whom the model would
refuse is not even tried, until nobody else can go on and the kernel is asked.
"""

import _thread
import errno
import os
from typing import Any

from pytest_tradestore.race.actors import Stopping, running
from pytest_tradestore.race.paths import NAMES

try:
    import fcntl as fcntl
except ImportError:  # there are no such locks on this system
    fcntl = None  # type: ignore[assignment]

_ident, _fstat, _open, _close, _dup = _thread.get_ident, os.fstat, os.open, os.close, os.dup
File = tuple[int, int]


class _Held:
    """A lock on a file, for reports: who holds it."""

    def __init__(self, holder: Stopping | None) -> None:
        self.holder = holder


class Flocks:
    """Which descriptors hold a flock on which file, as far as it was seen."""

    def __init__(self) -> None:
        self._held: dict[File, dict[int, tuple[bool, Stopping]]] = {}
        self._file_of: dict[int, File] = {}
        self._closed: dict[int, int] = {}
        self.releases = 0
        """Grows whenever a lock may have been let go."""
        self.freed = 0
        """Grows whenever another process may get a lock: to close a file that holds none frees none."""
        self.loose = False
        """Whether closing any file may free a lock: locks of POSIX are dropped so, and duplicates are not followed."""

    def begin(self) -> None:
        """Start anew: what an earlier execution held is closed."""
        self._held.clear()
        self._file_of.clear()
        self._closed.clear()
        self.loose = False

    def closed(self, number: int) -> None:
        """Note that a descriptor was closed."""
        self._closed[number] = self.times_closed(number) + 1
        self.releases += 1
        self.freed += self.loose
        if self._file_of:
            self.let_go(number)

    def times_closed(self, number: int) -> int:
        """Return how often a descriptor of this number was closed: one that comes after that is another."""
        return self._closed.get(number, 0)

    def let_go(self, number: int) -> None:
        self.releases += 1
        file = self._file_of.pop(number, None)
        if file is not None:
            self.freed += 1
            self._held[file].pop(number, None)

    def took(self, number: int, file: File, exclusive: bool, actor: Stopping) -> None:
        self._file_of[number] = file
        self._held.setdefault(file, {})[number] = (exclusive, actor)

    def other(self, number: int, file: File, exclusive: bool) -> Stopping | None:
        """Return who holds what this request would have to wait for."""
        for other, (theirs, actor) in self._held.get(file, {}).items():
            if other != number and (exclusive or theirs):
                return actor
        return None


FLOCKS = Flocks()
"""Of this process: one execution runs at a time."""


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


def _refused(error: OSError) -> bool:
    return error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


if fcntl is not None:
    _flock, _lockf, _fcntl = fcntl.flock, fcntl.lockf, fcntl.fcntl
    _WAITING = {
        getattr(fcntl, waits): getattr(fcntl, tries)
        for waits, tries in (("F_SETLKW", "F_SETLK"), ("F_OFD_SETLKW", "F_OFD_SETLK"))
        if hasattr(fcntl, waits)
    }
    _TRYING = frozenset(_WAITING.values())

    def flock(fd: Any, operation: int, /) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return _flock(fd, operation)
        number = _number(fd)
        if operation & fcntl.LOCK_UN:
            _flock(fd, operation)
            return FLOCKS.let_go(number)
        name = NAMES.name(number)
        exclusive = bool(operation & fcntl.LOCK_EX)
        status = _fstat(number)
        file = (status.st_dev, status.st_ino)
        if operation & fcntl.LOCK_NB:
            actor.reach(f"try flock {name}")
            _flock(fd, operation)
        elif not _flock_when_free(actor, number, file, exclusive, operation, name or "a file"):
            return None
        return FLOCKS.took(number, file, exclusive, actor)

    def _flock_when_free(actor: Stopping, number: int, file: File, exclusive: bool, operation: int, name: str) -> bool:
        """Take the lock; False if the descriptor was closed meanwhile, and the lock is given back already.

        Who waits in the kernel waits for what was open then, whatever becomes of the number.
        """
        times, waiting = FLOCKS.times_closed(number), _dup(number)
        try:
            _flock_waiting(actor, number, waiting, file, exclusive, operation, name)
        finally:
            _close(waiting)
        if FLOCKS.times_closed(number) == times:
            return True
        FLOCKS.releases += 1
        FLOCKS.freed += 1
        return False

    def _flock_waiting(
        actor: Stopping, number: int, waiting: int, file: File, exclusive: bool, operation: int, name: str
    ) -> None:
        refused = -1  # how many releases there had been when the kernel refused
        probing = True

        def ready() -> bool:
            held.holder = FLOCKS.other(number, file, exclusive)
            return held.holder is None and FLOCKS.releases != refused

        def probe() -> bool:
            return probing and _is_free(waiting, operation)

        held = _Held(None)
        while True:
            actor.reach(f"flock {name}", ready, probe=probe, waits_on=held)
            modelled = held.holder is None
            try:
                _flock(waiting, operation | fcntl.LOCK_NB)
                return
            except OSError as error:
                if not _refused(error):
                    raise
            refused, probing = FLOCKS.releases, modelled

    def _is_free(number: int, operation: int) -> bool:
        """Ask the kernel whether nobody else holds the lock, without taking it for longer than that."""
        try:
            again = _open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            _flock(again, operation | fcntl.LOCK_NB)
            return True
        except OSError:
            return False
        finally:
            _close(again)

    def lockf(fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> Any:  # noqa: A002 - as in fcntl
        actor = running.get(_ident())
        if actor is None:
            return _lockf(fd, cmd, len, start, whence)
        FLOCKS.loose = True
        if cmd & fcntl.LOCK_UN:
            _lockf(fd, cmd, len, start, whence)
            FLOCKS.releases += 1
            FLOCKS.freed += 1
            return None
        name = NAMES.name(_number(fd))
        if cmd & fcntl.LOCK_NB:
            actor.reach(f"try lockf {name}")
            return _lockf(fd, cmd, len, start, whence)
        return _retried(actor, f"lockf {name}", lambda: _lockf(fd, cmd | fcntl.LOCK_NB, len, start, whence))

    def fcntl_call(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        actor = running.get(_ident())
        if actor is None or not (cmd in _WAITING or cmd in _TRYING):
            return _fcntl(fd, cmd, arg)
        FLOCKS.loose = True
        name = NAMES.name(_number(fd))
        if cmd in _TRYING:
            actor.reach(f"fcntl lock {name}")
            result = _fcntl(fd, cmd, arg)
        else:
            result = _retried(actor, f"fcntl lock {name}", lambda: _fcntl(fd, _WAITING[cmd], arg))
        FLOCKS.releases += 1  # it may have been an unlock
        FLOCKS.freed += 1
        return result

    def _retried(actor: Stopping, operation: str, attempt: Any) -> Any:
        """Make an attempt now and after each release, until it is not refused."""
        refused = -1
        while True:
            actor.reach(operation, lambda: FLOCKS.releases != refused)  # noqa: B023 - asked before it changes
            try:
                return attempt()
            except OSError as error:
                if not _refused(error):
                    raise
            refused = FLOCKS.releases
