"""``flock`` and its relatives: the kernel decides, a model says beforehand who would have to wait.

A lock is always asked for without waiting. Who is refused is blocked until somebody lets go; whom the model would
refuse is not even tried, until nobody else can go on and the kernel is asked.
"""

import _thread
import errno
import os
from typing import Any

from pytest_tradestore.race.actors import Holder
from pytest_tradestore.race.flocks import File
from pytest_tradestore.race.in_force import Stopping, running

try:
    import fcntl as fcntl
except ImportError:  # there are no such locks on this system
    fcntl = None  # type: ignore[assignment]

_ident, _fstat, _open, _close, _dup = _thread.get_ident, os.fstat, os.open, os.close, os.dup


class _Held:
    """A lock on a file, for reports: who holds it."""

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder


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
        number, flocks = _number(fd), actor.in_force.flocks
        if operation & fcntl.LOCK_UN:
            _flock(fd, operation)
            return flocks.let_go(number)
        name = actor.in_force.names.name(number)
        exclusive = bool(operation & fcntl.LOCK_EX)
        status = _fstat(number)
        file = (status.st_dev, status.st_ino)
        if operation & fcntl.LOCK_NB:
            actor.reach(f"try flock {name}")
            _flock(fd, operation)
        elif not _flock_when_free(actor, number, file, exclusive, operation, name or "a file"):
            return None
        return flocks.took(number, file, exclusive, actor)

    def _flock_when_free(actor: Stopping, number: int, file: File, exclusive: bool, operation: int, name: str) -> bool:
        """Take the lock; False if the descriptor was closed meanwhile, and the lock is given back already.

        Who waits in the kernel waits for what was open then, whatever becomes of the number.
        """
        flocks = actor.in_force.flocks
        times, waiting = flocks.times_closed(number), _dup(number)
        try:
            _flock_waiting(actor, number, waiting, file, exclusive, operation, name)
        finally:
            _close(waiting)
        if flocks.times_closed(number) == times:
            return True
        flocks.releases += 1
        flocks.freed += 1
        return False

    def _flock_waiting(
        actor: Stopping, number: int, waiting: int, file: File, exclusive: bool, operation: int, name: str
    ) -> None:
        flocks = actor.in_force.flocks
        refused = -1  # how many releases there had been when the kernel refused
        probing = True

        def ready() -> bool:
            held.holder = flocks.other(number, file, exclusive)
            return held.holder is None and flocks.releases != refused

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
            refused, probing = flocks.releases, modelled

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
        flocks = actor.in_force.flocks
        flocks.loose = True
        if cmd & fcntl.LOCK_UN:
            _lockf(fd, cmd, len, start, whence)
            flocks.releases += 1
            flocks.freed += 1
            return None
        name = actor.in_force.names.name(_number(fd))
        if cmd & fcntl.LOCK_NB:
            actor.reach(f"try lockf {name}")
            return _lockf(fd, cmd, len, start, whence)
        return _retried(actor, f"lockf {name}", lambda: _lockf(fd, cmd | fcntl.LOCK_NB, len, start, whence))

    def fcntl_call(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        actor = running.get(_ident())
        if actor is None or not (cmd in _WAITING or cmd in _TRYING):
            return _fcntl(fd, cmd, arg)
        flocks = actor.in_force.flocks
        flocks.loose = True
        name = actor.in_force.names.name(_number(fd))
        if cmd in _TRYING:
            actor.reach(f"fcntl lock {name}")
            result = _fcntl(fd, cmd, arg)
        else:
            result = _retried(actor, f"fcntl lock {name}", lambda: _fcntl(fd, _WAITING[cmd], arg))
        flocks.releases += 1  # it may have been an unlock
        flocks.freed += 1
        return result

    def _retried(actor: Stopping, operation: str, attempt: Any) -> Any:
        """Make an attempt now and after each release, until it is not refused."""
        flocks, refused = actor.in_force.flocks, -1
        while True:
            actor.reach(operation, lambda: flocks.releases != refused)  # noqa: B023 - asked before it changes
            try:
                return attempt()
            except OSError as error:
                if not _refused(error):
                    raise
            refused = flocks.releases
