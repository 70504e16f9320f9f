"""A vault in a directory: ``contents/<sha256>`` and ``generations/<id>.json``, for nobody but their owner.

A content gets its name when it is durable and was read back as it was given; a generation is made, in one step, when
all of its contents have their names, durably. So a crash leaves contents without a generation, and nothing else.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from reference_store.core.atomic import Directory
from reference_store.core.descriptors import TooLarge, hand_over
from reference_store.core.directory import NotARegularFile
from reference_store.core.document_files import SUFFIX
from reference_store.core.root import LOCK_TIMEOUT, Borrowed, Root, as_failure
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, NoSuchGeneration, StorageFailure
from reference_store.operations.backups.generations import is_digest, is_id
from reference_store.operations.backups.tree import digest_of, pieces_of
from reference_store.operations.backups.vault import ContentChanged, Pieces

_CONTENTS, _GENERATIONS = "contents", "generations"
_MODE = 0o600
_LARGEST = 1 << 30
"""Bytes of the document of a generation."""
_AT_ONCE, _BYTES = 128, 64 << 20
"""So many files, of so many bytes together, are written before they are waited for."""


class _Holding:
    """The lock of a vault, lent to the frame of a ``with`` statement; no generator stands in between (see Borrowed)."""

    def __init__(self, lock: Borrowed, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._lock, self._begin, self._end = lock, begin, end

    def __enter__(self) -> None:
        frame = sys._getframe(1)
        if frame.f_globals.get("__name__") == "contextlib":
            raise TypeError("a vault is held by a with statement of its own, for as long as that goes on")
        self._lock.enter(frame)
        try:
            self._begin()
        except BaseException as error:
            self._lock.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._end()
        finally:
            self._lock.__exit__(kind, error, at)


class LocalVault:
    """Generations in a directory, which is created, durably, if ``create`` says so; others are kept out for a time.

    ``lock_timeout`` is in seconds. Raises StorageFailure if there is no such directory.
    """

    def __init__(self, path: str, *, create: bool = False, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.name = self.path = path
        try:
            if not create:
                os.stat(os.path.join(path, _GENERATIONS))
            self._root = Root(path, lock_timeout)
            directory = Directory.open(path)
            self._contents = directory.child(_CONTENTS, create=create)
            self._generations = directory.child(_GENERATIONS, create=create)
        except (OSError, ValueError) as error:
            cause = error if isinstance(error, OSError) else OSError(errno.EINVAL, "it is no path")
            raise as_failure("open", path, cause) from error
        self._written: list[tuple[str, str, int, int]] = []  # digest, temporary name, descriptor, size

    def held(self) -> AbstractContextManager[None]:
        """Exclude all others who make, check or restore generations here; raises LockTimeout."""
        return _Holding(self._root.borrowing("backup", self.path), self._sweep, self._let_go)

    def _sweep(self) -> None:
        self._contents.sweep()
        self._generations.sweep()

    def ids(self) -> list[str]:
        """The generations, in no order."""
        names = (name.removesuffix(SUFFIX) for name in self._generations.names() if name.endswith(SUFFIX))
        return [name for name in names if is_id(name)]

    def read(self, name: str) -> bytes:
        """The sealed document of a generation; raises NoSuchGeneration, and CorruptData for what is no file."""
        try:
            found = self._generations.read(name + SUFFIX, _LARGEST) if is_id(name) else None
        except (NotARegularFile, TooLarge):
            raise CorruptData(name, name + SUFFIX, "it is no file of a generation") from None
        if found is None:
            raise NoSuchGeneration(self.name, name)
        return found.data

    def publish(self, name: str, data: bytes) -> bool:
        """Make a generation, durably; False if there is one of this name."""
        if self._generations.has(name + SUFFIX):
            return False
        self._generations.stage(name + SUFFIX, data, _MODE)
        self._generations.sync()  # from here on there is this generation
        return True

    def forget(self, name: str) -> None:
        """Remove a generation, durably: before its contents go."""
        self._generations.remove(name + SUFFIX)

    def contents(self) -> Mapping[str, int]:
        """Digests and sizes (bytes) of what is there."""
        found = {}
        for name in self._contents.names():  # by a descriptor of its own: another thread may be listing, too
            if is_digest(name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    about = os.stat(name, dir_fd=self._contents.descriptor, follow_symlinks=False)
                    found[name] = about.st_size
        return found

    def is_sound(self, digest: str, size: int) -> bool:
        """Whether a content is what it was, read from the disk."""
        try:
            opened = self._contents.open_regular(digest, os.O_RDONLY)
        except (OSError, NotARegularFile) as error:
            let_out(error)
            return False
        if opened is None:
            return False
        try:
            hand_over(opened[0])
            return opened[1].st_size == size and digest_of(opened[0], size) == digest
        except OSError as error:
            let_out(error)
            return False
        finally:
            os.close(opened[0])

    def put(self, digest: str, size: int, pieces: Pieces) -> None:
        """Write a content; raises ContentChanged if it has not this digest. Counts from ``settle`` on."""
        found = hashlib.sha256()

        def seen() -> Iterator[bytes]:
            for piece in pieces():
                found.update(piece)
                yield piece

        staged, descriptor = self._contents.written(seen(), _MODE, None)
        self._written.append((digest, staged, descriptor, size))
        if found.hexdigest() != digest:
            os.close(self._written.pop()[2])
            self._contents.discard(staged)
            raise ContentChanged
        if len(self._written) >= _AT_ONCE or sum(each[3] for each in self._written) >= _BYTES:
            self._settle()

    def settle(self) -> None:
        """Wait until all that was put is durable; raises StorageFailure if it does not read back as it was given."""
        self._settle()
        self._contents.sync()  # before a generation says that they are there

    def _settle(self) -> None:
        if len(self._written) > 1:
            for _, _, descriptor, _ in self._written:
                hand_over(descriptor)
        while self._written:
            digest, staged, descriptor, size = self._written.pop()
            self._contents.settle(staged, descriptor)
            if not self._reads_back(staged, digest, size):
                self._contents.discard(staged)
                cause = OSError(errno.EIO, "what was written does not read back as it was given")
                raise StorageFailure("backup", self.path, cause)
            self._contents.move(staged, digest)

    def _reads_back(self, staged: str, digest: str, size: int) -> bool:
        opened = self._contents.open_regular(staged, os.O_RDONLY)
        if opened is None:
            return False
        try:
            hand_over(opened[0])  # so that it is the disk that is asked
            return opened[1].st_size == size and digest_of(opened[0], size) == digest
        finally:
            os.close(opened[0])

    def pieces(self, digest: str, size: int) -> Iterator[bytes]:
        """Read a content; raises OSError if it is not there."""
        try:
            opened = self._contents.open_regular(digest, os.O_RDONLY)
        except NotARegularFile:
            opened = None
        if opened is None:
            raise OSError(errno.ENOENT, "the content is gone")
        try:
            yield from pieces_of(opened[0], size + 1)
        finally:
            os.close(opened[0])

    def doubt(self, digests: Collection[str]) -> None:
        """Do nothing: a content that is there is read before it is relied on."""

    def discard(self, digests: Collection[str]) -> None:
        """Remove contents that no generation needs; what a crash leaves of that is of no harm."""
        for digest in digests:
            self._contents.discard(digest)

    def _let_go(self) -> None:
        """Clear away what was put and never settled."""
        while self._written:
            _, staged, descriptor, _ = self._written.pop()
            with suppress(OSError):
                os.close(descriptor)
            self._contents.discard(staged)
