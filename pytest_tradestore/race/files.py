"""Files whose system calls are switch points: a raw file below CPython's own buffered and text classes."""

import _thread
import io
import os
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.buffering import checked, over
from pytest_tradestore.race.actors import Holder
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.in_force import InForce, Stopping, running

_FileIO, REAL_OPEN, _ident = io.FileIO, io.open, _thread.get_ident
_lstat, _fsdecode = os.lstat, os.fsdecode
_SHOWN = 120


def content(data: Any) -> str:
    """Return bytes as a report shows them."""
    text = bytes(data).decode("utf-8", "backslashreplace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(data)} bytes)"


def content_of(path: Any) -> str:
    """Return what a file holds now, as a report shows it."""
    try:
        with _FileIO(path, "r") as file:
            return content(file.readall() or b"")
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def is_there(path: Any, directory: int | None = None) -> bool:
    """Say whether there is something at a path, a link too."""
    try:
        _lstat(path, dir_fd=directory)
    except (OSError, ValueError):
        return False
    return True


def stamp_directory_of(path: Any, clock: Clock, directory: int | None = None) -> None:
    """Give the directory, in which a name came or went, the virtual time."""
    if isinstance(path, int) or path is None:
        return
    above = os.path.dirname(_fsdecode(path))
    if above or directory is None:
        clock.stamp(above or ".", directory)
    else:
        clock.stamp(directory)


class SwitchingRaw(io.FileIO):
    """An unbuffered file that stops before each of its system calls that another actor could notice."""

    def __init__(self, actor: Stopping, file: Any, mode: str, closefd: bool, opener: Any) -> None:
        self._in_force: InForce = actor.in_force
        names, clock = actor.in_force.names, actor.in_force.clock
        self._called = names.name(file) or "a file"
        makes = False
        if not isinstance(file, int) and opener is None:
            plain = mode.replace("b", "")
            actor.reach(f"open {self._called}" if plain == "r" else f"open({plain}) {self._called}")
            makes = "r" not in mode and ("x" in mode or not is_there(file))
        super().__init__(file, mode, closefd, opener)
        if not isinstance(file, int):
            names.of_number[self.fileno()] = self._called
            if makes or "w" in mode:
                clock.stamp(self.fileno())
            if makes:
                stamp_directory_of(file, clock)

    def _reach(self, operation: str) -> Stopping | None:
        actor = running.get(_ident())
        if actor is not None and not self.closed:
            actor.reach(f"{operation} {self._called}")
            return actor if actor.watched else None
        return None

    def readinto(self, buffer: Any, /) -> int:
        actor = self._reach("read")
        size = super().readinto(buffer)
        if actor is not None:
            actor.did(content(memoryview(buffer).cast("B")[:size]))
        return size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        actor = self._reach("read")
        data = super().read(size)
        if actor is not None:
            actor.did(content(data))
        return data

    def readall(self) -> bytes:
        actor = self._reach("read")
        data = super().readall()
        if actor is not None:
            actor.did(content(data or b""))
        return data

    def write(self, data: Any, /) -> int:
        actor = self._reach("write")
        size = super().write(data)
        self._in_force.clock.stamp(self.fileno())
        if actor is not None:
            actor.did(content_of_number(self.fileno()))
        return size

    def truncate(self, size: int | None = None, /) -> int:
        self._reach("truncate")
        return super().truncate(size)

    def close(self) -> None:
        if not self.closed and self.closefd:
            number = self.fileno()
            try:
                super().close()
            finally:
                self._in_force.names.of_number.pop(number, None)
                self._in_force.flocks.closed(number)
        else:
            super().close()


class _OneAtATime:
    """The lock inside CPython's buffered files, made visible: who comes second waits where it can be seen."""

    holder: Holder | None = None

    def _alone(self, method: Callable[..., Any], *arguments: Any) -> Any:
        actor = running.get(_ident())
        if actor is None or self.holder is actor:
            return method(*arguments)
        while self.holder is not None:
            actor.reach("wait for a file object", ready=lambda: self.holder is None, waits_on=self)
        self.holder = actor
        try:
            return method(*arguments)
        finally:
            self.holder = None


class SwitchingWriter(_OneAtATime, io.BufferedWriter):
    def write(self, data: Any, /) -> int:
        return int(self._alone(super().write, data))

    def flush(self) -> None:
        self._alone(super().flush)


class SwitchingReader(_OneAtATime, io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        return self._alone(super().read, size)  # type: ignore[no-any-return]

    def read1(self, size: int = -1, /) -> bytes:
        return self._alone(super().read1, size)  # type: ignore[no-any-return]

    def readinto(self, buffer: Any, /) -> int:
        return int(self._alone(super().readinto, buffer))

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._alone(super().readline, size)  # type: ignore[no-any-return]


class SwitchingRandom(_OneAtATime, io.BufferedRandom):
    def read(self, size: int | None = -1, /) -> bytes:
        return self._alone(super().read, size)  # type: ignore[no-any-return]

    def write(self, data: Any, /) -> int:
        return int(self._alone(super().write, data))

    def flush(self) -> None:
        self._alone(super().flush)


def switching_open(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[Any, int], int] | None = None,
) -> Any:
    """Open as the builtin does, for an actor with switch points."""
    actor = running.get(_ident())
    if actor is None or actor.in_force.names.name(file) is None:
        return REAL_OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
    file = checked(file, mode, buffering, encoding, errors, newline, closefd)
    raw = SwitchingRaw(actor, file, mode.replace("b", "").replace("t", ""), closefd, opener)
    return over(
        raw, mode, buffering, encoding, errors, newline,
        reader=SwitchingReader, writer=SwitchingWriter, random=SwitchingRandom,
    )  # fmt: skip


class _FileIOMeta(type):
    """Lets ``io.FileIO`` stay the type of every raw file, though what it makes may be a switching one."""

    def __call__(cls, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> Any:
        actor = running.get(_ident())
        if actor is None or actor.in_force.names.name(file) is None:
            return _FileIO(file, mode, closefd, opener)
        return SwitchingRaw(actor, file, mode, closefd, opener)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _FileIO)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _FileIO)


class FileIOByActor(metaclass=_FileIOMeta):
    """What stands at ``io.FileIO``."""


def content_of_number(number: int) -> str:
    """Return what the file of a descriptor holds now."""
    return content_of(f"/proc/self/fd/{number}")
