"""Plain files that only owner and group can read, opened without following what somebody has planted in the root."""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.sound_stores.files import encode, file_name, key_of

_NO_LINK = os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of a store, by a file that is no link."""
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class PrivateDocument:
    """One JSON file, readable for its group at most, and never more widely than the file that it replaces."""

    tradestore_claims = ("private-files",)

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        text = encode(data).encode()
        with locked(self.root):
            self._replace(text)

    def load(self):
        with directory(self.root) as here:
            return read(here, self.file.name)

    def _replace(self, text):
        with directory(self.root) as here:
            replace(here, self.file.name, text, self._create, self._mode)

    def _create(self, name, here):
        return create(name, here)

    def _mode(self, name, here):
        return mode(name, here)


class PrivateDocuments:
    """One JSON file per key, in a directory two levels below the root, each level made and opened by itself."""

    tradestore_claims = ("private-files",)

    def __init__(self, root: Path):
        self.root = root
        with locked(root), directory(root) as here:
            self._make("data", here)
            with directory("data", here) as data:
                self._make("documents", data)

    def put(self, key, document):
        text = encode(document).encode()
        with locked(self.root), self._documents() as here:
            replace(here, file_name(key), text, create, mode)

    def get(self, key):
        with self._documents() as here:
            return read(here, file_name(key))

    def delete(self, key):
        with locked(self.root), self._documents() as here:
            remove(here, file_name(key))
            os.fsync(here)

    def keys(self):
        with locked(self.root), self._documents() as here:
            return [key_of(name) for name in sorted(os.listdir(here)) if is_own(name)]

    @contextmanager
    def _documents(self):
        with directory(self.root) as root, directory("data", root) as data, directory("documents", data) as here:
            yield here

    def _make(self, name, here):
        with suppress(FileExistsError):
            os.mkdir(name, 0o750, dir_fd=here)
        os.fsync(here)


@contextmanager
def directory(name: str | Path, inside: int | None = None) -> Iterator[int]:
    """Open a directory that is no link."""
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_own(name: str) -> bool:
    """Say whether a file name is what one of our keys becomes: others leave files, too."""
    try:
        return name.endswith(".json") and file_name(key_of(name)) == name
    except ValueError:
        return False


def create(name: str, here: int) -> int:
    """Make a file that is new and private."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=here)


def mode(name: str, here: int) -> int:
    """Return the mode for a file that replaces ``name``."""
    try:
        found = os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return 0o640
    return 0o640 & found.st_mode if stat.S_ISREG(found.st_mode) else 0o600


def keep_rights(descriptor: int, name: str, here: int) -> None:
    """Give a file the owner, the group and the access list of the one that it will replace, as far as we may."""
    try:
        old = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=here)
    except OSError:
        return  # there is none, or it is nothing of ours
    try:
        found = os.fstat(old)
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(PermissionError):
                os.fchown(descriptor, found.st_uid, found.st_gid)
        with suppress(OSError):
            os.setxattr(descriptor, "system.posix_acl_access", os.getxattr(old, "system.posix_acl_access"))
    finally:
        os.close(old)


def remove(here: int, name: str) -> None:
    """Remove a file, which need not exist."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=here)


def replace(here: int, name: str, text: bytes, create, mode, *, fresh: bool = True, keep=keep_rights) -> None:
    """Replace a file: whole or not at all, durable on return; ``fresh``: by way of a file that was not there.

    ``keep`` gives it what the old one had beside its mode.
    """
    staged = f"{name}.tmp"
    if fresh:
        remove(here, staged)
    descriptor = create(staged, here)
    with open(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        keep(descriptor, name, here)
        os.fchmod(descriptor, mode(name, here))
        os.fsync(descriptor)
    os.replace(staged, name, src_dir_fd=here, dst_dir_fd=here)
    os.fsync(here)


def read(here: int, name: str):
    """Return the document in a file, None if there is none; raises ValueError for what is no document of ours."""
    try:
        descriptor = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=here)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{name!r} is not a file of ours")
        try:
            return json.loads(file.read())
        except RecursionError:
            raise ValueError("the document is nested too deeply") from None
