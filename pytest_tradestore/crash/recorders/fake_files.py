"""File objects over the fake disk: a raw file below CPython's own buffered and text classes.

So it is CPython that decides when buffered data becomes a write, and how it is cut, exactly as on a real disk.
"""

import io
import os
import sys
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pytest_tradestore.crash.recorders.buffering import checked, is_mode, over
from pytest_tradestore.crash.recorders.fake_calls import Calls
from pytest_tradestore.crash.recorders.fake_nodes import OpenFile

_REAL_FILE_IO = io.FileIO


class JournaledRaw(_REAL_FILE_IO):
    """An unbuffered file of the fake disk; a FileIO also for those who ask (aiofiles chooses its wrapper by that)."""

    def __init__(self, calls: Calls, number: int, mode: str, closefd: bool, name: Any) -> None:
        plain = mode.replace("b", "").replace("t", "").replace("a", "w").replace("x", "w")
        super().__init__(number, plain, closefd=False)
        self._calls, self._number, self._closes, self._mode = calls, number, closefd, mode
        self.name = name
        self._blksize = buffer_size(calls.disk.block_size)

    @property
    def closefd(self) -> bool:
        return self._closes

    @property
    def mode(self) -> str:  # type: ignore[override]
        plus = "+" if "+" in self._mode else ""
        if "x" in self._mode:
            return f"xb{plus}"
        if "a" in self._mode:
            return f"ab{plus}"
        return "rb+" if plus else "wb" if "w" in self._mode else "rb"

    def _file(self) -> OpenFile:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        file = self._calls.descriptors.get(self._number)
        if file is None:
            raise self._calls.bad_descriptor()
        return file

    def readinto(self, buffer: Any) -> int:
        self._must(self.readable(), "reading")
        view = memoryview(buffer).cast("B")
        data = self._calls.disk.read(self._file(), len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        self._must(self.readable(), "reading")
        return self._calls.disk.read(self._file(), size)

    def readall(self) -> bytes:
        self._must(self.readable(), "reading")
        file = self._file()
        return self._calls.disk.read(file, max(0, self._calls.disk.status(file.node).st_size - file.offset))

    def write(self, data: Any) -> int:
        self._must(self.writable(), "writing")
        if self._calls.descriptors.over:  # what a forgotten buffer holds when the recording ends was never on a disk
            return memoryview(data).nbytes
        return self._calls.disk.write(self._file(), memoryview(data).tobytes())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._file()
        return self._calls.lseek(self._number, offset, whence)

    def tell(self) -> int:
        return self._file().offset

    def truncate(self, size: int | None = None) -> int:
        self._must(self.writable(), "writing")
        wanted = self.tell() if size is None else size
        self._calls.ftruncate(self._number, wanted)
        return wanted

    def seekable(self) -> bool:
        self._file()
        return True

    def isatty(self) -> bool:
        self._file()
        return False

    def close(self) -> None:
        if self.closed:
            return
        try:
            super().close()
        finally:
            if self._closes and self._calls.descriptors.get(self._number) is not None:
                self._calls.close(self._number)

    def __del__(self) -> None:
        if not self.closed and self._closes:
            warnings.warn(f"unclosed file {self!r}", ResourceWarning, stacklevel=2, source=self)
        self.close()

    def _must(self, can: bool, what: str) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not can:
            raise io.UnsupportedOperation(f"File not open for {what}")


def buffer_size(block_size: int) -> int:
    """Return the size of the buffer that CPython would choose on a file system with such blocks."""
    if sys.version_info >= (3, 14):
        return max(min(block_size, 8192 * 1024), io.DEFAULT_BUFFER_SIZE)
    return block_size if block_size > 1 else io.DEFAULT_BUFFER_SIZE


class Opening:
    """What stands in for ``open`` and ``io.FileIO`` while a recording runs."""

    def __init__(self, calls: Calls, real: SimpleNamespace) -> None:
        self._calls, self._real = calls, real

    def open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[Any, int], int] | None = None,
    ) -> Any:
        """Open as the builtin does, on whichever disk the path lies."""
        rest = (buffering, encoding, errors, newline, closefd)
        number, flags = file if isinstance(file, int) else None, _flags(mode) or 0
        if number is None and opener is not None:
            file = checked(file, mode, *rest)
            number = opener(file, flags)
            if self._calls.descriptors.get(number) is None:
                return self._real.io_open(file, mode, *rest, lambda _path, _flags: number)
        elif number is None:
            where, there = self._calls.names.place(os.fspath(file), creates=bool(flags & os.O_CREAT))
            if where is None:
                return self._real.io_open(there, mode, *rest)
            file = checked(file, mode, *rest)
            number = self._calls.open_fake(where, flags, 0o666)
        elif self._calls.descriptors.get(number) is None:
            return self._real.io_open(file, mode, *rest)
        else:
            file = checked(file, mode, *rest)
        return self._over(number, file, mode, *rest)

    def _over(
        self,
        number: int,
        name: Any,
        mode: str,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        closefd: bool,
    ) -> Any:
        opened = not isinstance(name, int)
        if os.path.isdir(number):
            if opened:
                self._calls.close(number)
            raise IsADirectoryError(21, "Is a directory", name)
        raw = JournaledRaw(self._calls, number, mode, closefd, name)
        if "a" in mode:
            raw.seek(0, os.SEEK_END)
        return over(raw, mode, buffering, encoding, errors, newline)

    def file_io(self) -> type:
        """Return the class that takes the place of ``io.FileIO``: it makes a raw fake file where the path is one."""
        opening, real = self, self._real.FileIO

        class FileIOByPath(type):
            def __call__(cls, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> Any:
                fake = opening._calls.descriptors.get(file)
                if isinstance(file, int) and fake is None:
                    return real(file, mode, closefd, opener)
                if not isinstance(file, int) and opener is None:
                    flags = _flags(mode.replace("b", "") + "b")
                    if flags is None:  # let the class say what is wrong with the mode
                        return real(file, mode, closefd)
                    where = opening._calls.names.place(os.fspath(file), creates=bool(flags & os.O_CREAT))[0]
                    if where is None:
                        return real(file, mode, closefd)
                return opening.open(file, mode.replace("b", "") + "b", 0, closefd=closefd, opener=opener)

            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, real)

            def __subclasscheck__(cls, subclass: type) -> bool:
                return issubclass(subclass, real)

        return FileIOByPath("FileIO", (), {"__doc__": real.__doc__})


def _flags(mode: Any) -> int | None:
    """Return the flags for open(2) that CPython derives from a mode, or None for a mode that it would refuse."""
    if not is_mode(mode):
        return None
    access = os.O_RDWR if "+" in mode else os.O_RDONLY if "r" in mode else os.O_WRONLY
    kinds = {"r": 0, "w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND, "x": os.O_CREAT | os.O_EXCL}
    kind = next(kinds[letter] for letter in mode if letter in kinds)
    return access | kind | getattr(os, "O_CLOEXEC", 0)
