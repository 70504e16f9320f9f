"""Whole files or none, durable on return: the one place where these stores write to a disk.

A directory is pinned by its descriptor and no name in it is followed if it is a link, so that nothing planted or
swapped in the meantime can lead a write out of it. Locking is the caller's business: at most one writer
works in a directory at a time, which also makes every temporary file found under the lock a leftover of a dead one.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeAlias

from reference_store.core.access import Access, give, give_directory
from reference_store.core.descriptors import sync, write_all
from reference_store.core.directory import DIRECTORY, Found, OpenDirectory
from reference_store.core.signals import let_out
from reference_store.core.system import flags, refuse_where_promises_cannot_be_kept

FILE_MODE = 0o640
SENSITIVE_MODE = 0o600
LOG_MODE = 0o644
DIRECTORY_MODE = 0o750
TEMPORARY = ".tmp-"
DAMAGED = ".damaged-"
OLDER = ".version-"
"""Prefixes of the store's own names; encoded identifiers never begin with a dot."""

Content: TypeAlias = bytes | Iterable[bytes]
"""What a file is to hold, whole or in pieces: a large one need not be in memory."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags("O_NOFOLLOW")
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class NotPinned(Exception):  # noqa: N818 - says what is the case
    """The new state is visible, but the sync of the directory failed: a power loss may undo it."""

    def __init__(self, cause: OSError) -> None:
        self.cause = cause
        super().__init__()


class Directory(OpenDirectory):
    """A directory in which files are made and replaced, whole or not at all."""

    def __init__(self, descriptor: int, path: str, parent: Directory | None = None, *, made: bool = False) -> None:
        super().__init__(descriptor, path)
        self._parent, self._made = parent, made

    @classmethod
    def open(cls, path: str) -> Directory:
        """Open ``path``, creating what is missing of it durably; links in ``path`` are resolved here, once."""
        refuse_where_promises_cannot_be_kept()
        try:
            return cls(os.open(path, DIRECTORY), path)
        except FileNotFoundError:
            parent, name = os.path.split(os.path.abspath(path))
            if not name or os.path.islink(path):
                raise
        except ValueError as error:  # no text that the system has as a path
            let_out(error)
            raise OSError(errno.EINVAL, f"it is no path: {error}") from None
        return cls.open(parent).child(name, create=True)

    def child(self, name: str, *, create: bool = False) -> Directory:
        """Open the directory ``name`` in this one, never through a link; ``create`` makes it, durably, if need be."""
        path = f"{self.path}/{name}"
        try:
            return Directory(self._open(name), path, self)
        except FileNotFoundError:
            if not create:
                raise
        try:
            os.mkdir(name, DIRECTORY_MODE, dir_fd=self.descriptor)
        except FileExistsError:  # somebody else was faster
            return Directory(self._open(name), path, self)
        made = Directory(self._open(name), path, self, made=True)
        give_directory(made.descriptor, DIRECTORY_MODE, self.descriptor)
        self.sync()  # what will be stored below is only as durable as this name
        return made

    def pin_name(self) -> None:
        """Pin the names that lead here: whoever made this directory may have died before it had done that."""
        if self._made:
            return  # here, and then it was synced
        if self._parent is not None:
            self._parent.sync()
            self._parent.pin_name()
            return
        try:
            above = Directory(os.open("..", DIRECTORY, dir_fd=self.descriptor), "..")
        except PermissionError:
            return  # in a directory that is not ours, a root is made by others, who answer for its name
        above.sync()

    def replace(
        self, name: str, data: Content, previous: Found | None, backup: str | None = None, mode: int = FILE_MODE
    ) -> None:
        """Make ``data`` the content of ``name``: after any crash the old or the new file is there, whole.

        ``previous`` is the file as it was read under the lock, whose owner, group, access list and narrower mode are
        kept; with ``backup`` it stays under that name. There is no moment at which ``name`` or an existing backup is
        missing. On return the new content outlives a power loss.

        Raises OSError with the old content in place, or NotPinned when only the last step failed.
        """
        # Without ``previous`` a damaged file can have this name still: what takes its place is for the same people.
        staged = self._stage(data, mode, self.access(name) if previous is None else previous.access)
        self.exchange(staged, name, previous, backup)
        self.pin()

    def stage(self, name: str, data: bytes, mode: int, like: Access | None = None) -> None:
        """Write ``data`` to ``name``, durably but for the name itself: a ``sync`` of the directory pins that.

        ``like`` is of the file that it is going to replace. Raises OSError; whatever had this name is then still there.
        """
        self._copy(data, name, mode, like)

    def move(self, name: str, target: str) -> None:
        """Give the file ``name`` the name ``target``, in one step and in place of what had it; not yet durable."""
        os.rename(name, target, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def discard(self, name: str) -> None:
        """Remove a file of no use any more if that is possible; never raises OSError."""
        self._discard(name)

    def remove(self, name: str) -> bool:
        """Remove ``name``, durably; says whether it was there. Raises OSError, or NotPinned as ``replace`` does."""
        if not self.unlink(name):
            return False
        self.pin()
        return True

    def unlink(self, name: str) -> bool:
        """Remove ``name``, and say whether it was there; not yet durable. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def preserve(self, name: str, data: bytes | None, pieces: Content | None = None, kind: str = DAMAGED) -> str:
        """Keep ``name``, which is damaged or of another ``kind``, under a second name, durably, and return that name.

        ``data`` is what it holds, None if it is no regular file, or a large one that has these ``pieces``. The same
        evidence is kept once, however often a crash makes this run again.
        """
        inode = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_ino
        mark = f"inode{inode}" if data is None else hashlib.sha256(data).hexdigest()[:12]
        evidence = f"{kind}{mark}-{name}"
        try:
            self._link(name, evidence)
        except FileExistsError:
            pass
        except OSError as error:
            content = pieces if data is None else data
            if error.errno not in _NO_LINKS or content is None:
                raise
            self._copy(content, evidence, FILE_MODE, self.access(name))
        self.sync()  # before anything takes the damaged file's place
        return evidence

    def keep_bytes(self, name: str, data: bytes, mode: int) -> str:
        """Keep ``data``, cut off ``name``, as evidence in a file of its own, durably, and return that file's name.

        It is for nobody but those who may read ``name``, and no wider than ``mode``.
        """
        evidence = f"{DAMAGED}{hashlib.sha256(data).hexdigest()[:12]}-{name}"
        self._copy(data, evidence, FILE_MODE & mode, self.access(name))
        self.sync()
        return evidence

    def sweep(self) -> int:
        """Remove the temporary files of dead writers and say how many; the caller holds the lock."""
        leftovers = [name for name in self.names() if name.startswith(TEMPORARY)]
        for name in leftovers:
            self._discard(name)
        return len(leftovers)

    def sync(self) -> None:
        """Pin the names in this directory."""
        sync(self.descriptor)

    def pin(self) -> None:
        """Pin the names in this directory, behind a change that is visible already; raises NotPinned."""
        try:
            self.sync()  # durability point: from here on the names outlive a power loss
        except OSError as error:
            raise NotPinned(error) from error

    def _stage(self, data: Content, mode: int, like: Access | None) -> str:
        """Write ``data`` to a temporary file that is durable, and closed without an error, on return."""
        staged, descriptor = self.written(data, mode, like)
        self.settle(staged, descriptor)
        return staged

    def written(self, data: Content, mode: int, like: Access | None) -> tuple[str, int]:
        """Write ``data`` to a temporary file and return its name and its descriptor, which ``settle`` takes."""
        staged = _temporary_name()
        descriptor = os.open(staged, _CREATE, 0o600, dir_fd=self.descriptor)
        try:
            for piece in (data,) if isinstance(data, bytes) else data:
                write_all(descriptor, piece)
            give(descriptor, mode, like, self.descriptor)  # before the sync, which then pins it too
        except BaseException:
            os.close(descriptor)
            self._discard(staged)
            raise
        return staged, descriptor

    def settle(self, staged: str, descriptor: int) -> None:
        """Make a temporary file durable, and close it; raises OSError, and then the file is gone."""
        try:
            try:
                # A failed sync is final: the kernel may have marked the pages clean. The file is discarded below.
                sync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            self._discard(staged)
            raise

    def exchange(self, staged: str, name: str, previous: Found | None, backup: str | None) -> None:
        """Give ``staged`` the name ``name``, and ``previous``, which had it, that of ``backup``; not yet durable.

        Raises OSError with the old content in place, and then the staged file is gone.
        """
        try:
            if previous is not None and backup is not None:
                self._keep(name, previous, backup)
            # Linearization point: readers switch here, from one whole file to another.
            os.rename(staged, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            self._discard(staged)
            raise

    def _keep(self, name: str, previous: Found, backup: str) -> None:
        if previous.links > 1 and self._same_file(previous.inode, backup):
            return  # a crash came between keeping and replacing; renaming one link over another would do nothing
        if not self.name_too(name, backup):
            self._copy(previous.data, backup, FILE_MODE, previous.access)

    def name_too(self, name: str, backup: str) -> bool:
        """Let the file ``name`` have the name ``backup`` too, in place of what had that; not yet durable.

        False where the file system has no second names; a file that has it already is no business of this. Raises
        OSError.
        """
        second = _temporary_name()
        try:
            self._link(name, second)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
        try:
            os.rename(second, backup, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            self._discard(second)
            raise
        return True

    def _copy(self, data: Content, name: str, mode: int, like: Access | None) -> None:
        staged = self._stage(data, mode, like)
        try:
            os.rename(staged, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            self._discard(staged)
            raise

    def _link(self, name: str, second: str) -> None:
        # follow_symlinks=False is not the default, and a planted link must not give its target a name in here.
        os.link(name, second, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor, follow_symlinks=False)

    def _same_file(self, inode: int, name: str) -> bool:
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_ino == inode
        except FileNotFoundError:
            return False

    def _discard(self, name: str) -> None:
        # Housekeeping must not hide the error that led here; what stays is swept when the store is opened.
        with suppress(OSError):
            os.unlink(name, dir_fd=self.descriptor)


def _temporary_name() -> str:
    return f"{TEMPORARY}{os.urandom(8).hex()}"
