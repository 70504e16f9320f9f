"""A disk in memory whose every lasting change is noted: pyfakefs keeps the tree, this module its contents and journal.

Paths are absolute and known to lie on this disk; which paths those are is ``fake_namespace``'s decision.
"""

import errno
import os
import stat
import sys
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from pyfakefs import helpers
from pyfakefs.fake_file import FakeDirectory, FakeFile
from pyfakefs.fake_filesystem import FakeFilesystem

from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Rename,
    SetAttribute,
    SetMode,
    SetOwner,
    SetTime,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.recorders.fake_journal import Journal
from pytest_tradestore.crash.recorders.fake_nodes import OpenFile, StoredFile
from pytest_tradestore.crash.trace import NOBODYS, FrozenNode, Snapshot

_O_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_O_TMPFILE = getattr(os, "O_TMPFILE", 0)
_LONGEST_NAME = 255
_MOST_LINKS = 40


class _LeadsElsewhereError(FileNotFoundError):
    """A link led out of the root, to where this disk has nothing."""

    def __init__(self, asked: str, path: str) -> None:
        super().__init__(errno.ENOENT, os.strerror(errno.ENOENT), asked)
        self.path = path


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path leads: the directory it ends in, the name there, what has that name, and the path without links."""

    directory: Any
    name: str
    node: Any
    path: str


class Disk:
    """The tree in memory. All its methods that change something lasting note it in the journal, in the same step."""

    def __init__(self, root: str, initial: Snapshot, journal: Journal, block_size: int) -> None:
        self.root, self.journal, self.block_size = root, journal, block_size
        self.has_symlinks = False
        self.files = FakeFilesystem(path_separator=os.sep)
        self.files.umask = 0  # the process's own is applied here, as it is at each call
        self._next = max(initial.nodes) + 1
        self._device = 0xFA6E
        self._attributes: dict[Inode, dict[str, bytes]] = {}
        self.files.create_dir(root)
        self._plant(initial)

    def _plant(self, initial: Snapshot) -> None:
        made: dict[Inode, Any] = {}

        def plant(inode: Inode, node: FrozenNode, path: str) -> None:
            if inode in made:
                self._add(self._free(path), made[inode], path)
                return
            if node.kind is Kind.DIRECTORY:
                if inode != ROOT:
                    self._add(self._free(path), FakeDirectory("", node.mode, filesystem=self.files), path)
            elif node.kind is Kind.SYMLINK:
                self._add(self._free(path), self._symlink("", node.target), path)
            else:
                file = StoredFile("", node.mode, self.files, node.content)
                file.stat_result.st_mtime_ns = node.changed or file.stat_result.st_mtime_ns
                if node.owner != NOBODYS:
                    file.st_uid, file.st_gid = node.owner
                self._attributes[inode] = dict(node.attributes)
                self._add(self._free(path), file, path)
            made[inode] = planted = self.find(path, follow=False)
            planted.trace_inode = inode
            planted.st_mode = stat.S_IFMT(planted.st_mode) | node.mode
            for name, child in node.entries:
                plant(child, initial.nodes[child], os.path.join(path, name))

        plant(ROOT, initial.nodes[ROOT], self.root)

    # Finding things

    def exists(self, path: str) -> bool:
        """Whether the path has a name here, be it a dangling link's."""
        try:
            return self._walk(path, follow=False).node is not None
        except (OSError, ValueError):
            return False

    def find(self, path: str, *, follow: bool = True) -> Any:
        """Return the node at a path, or raise what the kernel would."""
        node = self._walk(path, follow=follow).node
        if node is None:
            _fail(errno.ENOENT, path)
        return node

    def follow(self, path: str) -> str:
        """Return the path that links lead to, as far as there are any."""
        try:
            return self._walk(path, follow=True).path if self.has_symlinks else path
        except _LeadsElsewhereError as elsewhere:
            return elsewhere.path
        except OSError:
            return path

    def _walk(self, path: str, *, follow: bool) -> Found:
        """Go down a path as the kernel does: what is asked of each part, and with which error it refuses."""
        _check_names(path)
        must_be_directory = path.endswith(os.sep)
        pending = [part for part in reversed(path.split(os.sep)) if part]
        way: list[tuple[str, Any]] = [("", self.files.root)]
        links = 0
        while pending:
            part, here = pending.pop(), way[-1][1]
            if not isinstance(here, FakeDirectory):
                _fail(errno.ENOTDIR, path)
            if not (helpers.is_root() or here.has_permission(helpers.PERM_EXE)):
                _fail(errno.EACCES, path)
            if part in (os.curdir, os.pardir):
                del way[max(1, len(way) - (part == os.pardir)) :]
                continue
            try:
                node: Any = here.get_entry(part)
            except KeyError:
                if links and not self._within(way):
                    rest = [each for each, _ in way[1:]] + [part, *reversed(pending)]
                    raise _LeadsElsewhereError(path, os.sep + os.sep.join(rest)) from None
                if pending:
                    _fail(errno.ENOENT, path)
                return Found(here, part, None, self._joined(way, part))
            if stat.S_ISLNK(node.st_mode) and (pending or follow or must_be_directory):
                links += 1
                if links > _MOST_LINKS:
                    _fail(errno.ELOOP, path)
                target = str(node.contents)
                if os.path.isabs(target):
                    del way[1:]
                pending.extend(each for each in reversed(target.split(os.sep)) if each)
                continue
            way.append((part, node))
        name, node = way[-1]
        if must_be_directory and not isinstance(node, FakeDirectory):
            _fail(errno.ENOTDIR, path)
        return Found(way[-2][1] if len(way) > 1 else node, name, node, self._joined(way[:-1], name))

    def _within(self, way: list[tuple[str, Any]]) -> bool:
        path = self._joined(way[:-1], way[-1][0])
        return path == self.root or path.startswith(self.root + os.sep)

    def _joined(self, way: list[tuple[str, Any]], name: str) -> str:
        return os.sep.join([*(each for each, _ in way), name]) or os.sep

    def inode(self, node: Any) -> Inode:
        """Return the number that stands for a node in the trace."""
        number: Inode | None = node.__dict__.get("trace_inode")
        if number is None:
            number = node.trace_inode = Inode(self._next)
            self._next += 1
        return number

    def status(self, node: Any) -> os.stat_result:
        """Return what stat gives for a node."""
        kept = node.stat_result
        size = len(node.content) if isinstance(node, StoredFile) else int(kept.st_size or 0)
        times = (kept.st_atime_ns, kept.st_mtime_ns, kept.st_ctime_ns)
        whole = (int(kept.st_mode), int(node.st_ino or 0), self._device, int(kept.st_nlink or 0))
        extra = {
            **dict(zip(("st_atime", "st_mtime", "st_ctime"), (ns / 1e9 for ns in times), strict=True)),
            **dict(zip(("st_atime_ns", "st_mtime_ns", "st_ctime_ns"), times, strict=True)),
            "st_blksize": self.block_size,
            "st_blocks": -(-size // 4096) * 8,
            "st_rdev": 0,
        }
        owners = (int(kept.st_uid), int(kept.st_gid))
        return os.stat_result((*whole, *owners, size, *(ns // 10**9 for ns in times)), extra)

    def names(self, path: str) -> list[str]:
        """List a directory, in an order that every run agrees on."""
        node = self.find(path)
        if not isinstance(node, FakeDirectory):
            _fail(errno.ENOTDIR, path)
        if not helpers.is_root() and not node.has_permission(helpers.PERM_READ):
            _fail(errno.EACCES, path)
        return sorted(node.entries)

    # Opening

    def open(self, path: str, flags: int, mode: int) -> OpenFile:
        """Open as open(2) does: creating, truncating and refusing by the same flags."""
        with self.journal.call():
            if _O_TMPFILE and flags & _O_TMPFILE == _O_TMPFILE:
                return OpenFile(self._create_unnamed(path, mode), path, flags)
            node = self._opened(path, flags, mode)
            return OpenFile(node, path, flags)

    def _opened(self, path: str, flags: int, mode: int) -> Any:
        exclusive = bool(flags & os.O_CREAT and flags & os.O_EXCL)
        found = self._walk(path, follow=not exclusive and not flags & _O_NOFOLLOW)
        node = found.node
        if node is None:
            if not flags & os.O_CREAT:
                _fail(errno.ENOENT, path)
            if path.endswith(os.sep):
                _fail(errno.EISDIR, path)
            return self._create(found, path, mode)
        if exclusive:
            _fail(errno.EEXIST, path)
        if stat.S_ISLNK(node.st_mode):
            _fail(errno.ELOOP, path)
        writing = flags & 3 != os.O_RDONLY
        if isinstance(node, FakeDirectory) and (writing or flags & os.O_CREAT):
            _fail(errno.EISDIR, path)
        if flags & _O_DIRECTORY and not isinstance(node, FakeDirectory):
            _fail(errno.ENOTDIR, path)
        needed = (helpers.PERM_WRITE if writing else 0) | (0 if flags & 3 == os.O_WRONLY else helpers.PERM_READ)
        if not helpers.is_root() and not node.has_permission(needed):
            _fail(errno.EACCES, path)
        if flags & os.O_TRUNC and writing:
            self.truncate(node, 0)
        return node

    def _create(self, found: Found, path: str, mode: int) -> StoredFile:
        file = StoredFile(found.name, mode & 0o7777 & ~process_umask(), self.files)
        self._add(found, file, path)
        self._note_creation(found, file, Kind.FILE)
        return file

    def _create_unnamed(self, path: str, mode: int) -> StoredFile:
        if not isinstance(self.find(path), FakeDirectory):
            _fail(errno.ENOTDIR, path)
        file = StoredFile("", mode & 0o7777 & ~process_umask(), self.files)
        self.files.last_ino += 1
        file.st_ino = self.files.last_ino
        self.journal.note(Create(self.inode(file), Kind.FILE, None, stat.S_IMODE(file.st_mode)))
        return file

    def adopt(self, content: bytes, mode: int) -> StoredFile:
        """Take in a file of the real disk, nameless and durable, so that it can be moved under the root."""
        with self.journal.call():
            file = StoredFile("", mode, self.files, content)
            self.files.last_ino += 1
            file.st_ino = self.files.last_ino
            self.journal.note(Create(self.inode(file), Kind.FILE, None, mode))
            if content:
                self.journal.note(Write(self.inode(file), 0, content, durable=True))
            return file

    # Contents

    def read(self, file: OpenFile, length: int, at: int | None = None) -> bytes:
        """Read from an offset, or from where the description stands, moving it on."""
        with self.journal.lock:
            if isinstance(file.node, FakeDirectory):
                _fail(errno.EISDIR)
            if not file.readable:
                _fail(errno.EBADF)
            start = file.offset if at is None else at
            data = bytes(file.node.content[start : start + length])
            if at is None:
                file.offset += len(data)
            return data

    def write(self, file: OpenFile, data: bytes, at: int | None = None, *, durable: bool = False) -> int:
        """Write at an offset, or where the description stands, or at the end if it was opened to append."""
        with self.journal.call():
            if isinstance(file.node, FakeDirectory) or not file.writable:
                _fail(errno.EBADF)
            appends = bool(file.flags & os.O_APPEND) and (at is None or sys.platform == "linux")
            offset = len(file.node.content) if appends else file.offset if at is None else at
            if not data:
                return 0
            content = file.node.content
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data
            file.node.changed()
            if at is None:
                file.offset = offset + len(data)
            self.journal.note(Write(self.inode(file.node), offset, data, durable or file.durable))
            return len(data)

    def truncate(self, node: Any, size: int) -> None:
        """Set the size of a regular file."""
        if size < 0:
            _fail(errno.EINVAL)
        with self.journal.call():
            if not isinstance(node, StoredFile):
                _fail(errno.EISDIR if isinstance(node, FakeDirectory) else errno.EINVAL)
            if len(node.content) == size:
                return  # nothing that a crash could take back
            del node.content[size:]
            node.content.extend(bytes(size - len(node.content)))
            node.changed()
            self.journal.note(Truncate(self.inode(node), size))

    def allocate(self, node: Any, size: int) -> None:
        """Set the size to at least ``size``."""
        with self.journal.call():
            if not isinstance(node, StoredFile):
                _fail(errno.ENODEV)
            node.content.extend(bytes(max(0, size - len(node.content))))
            node.changed()
            self.journal.note(Allocate(self.inode(node), size))

    def sync(self, node: Any, kind: SyncKind) -> None:
        """Note a sync of a file or of a directory."""
        self.journal.note(Sync(self.inode(node), kind))

    def sync_all(self) -> None:
        """Note a sync of everything."""
        self.journal.note(SyncAll())

    # Names

    def make_directory(self, path: str, mode: int) -> None:
        """mkdir."""
        with self.journal.call():
            found = self._free(path, may_end_in_separator=True)
            directory = FakeDirectory(found.name, mode & 0o7777 & ~process_umask(), filesystem=self.files)
            self._add(found, directory, path)
            self._note_creation(found, directory, Kind.DIRECTORY)

    def mirror_directory(self, path: str, mode: int) -> None:
        """Let a directory of the real disk, outside the root, exist here too; nobody asked: it is no operation."""
        with self.journal.lock:
            if not self.exists(path):
                self.files.create_dir(path, mode)

    def make_symlink(self, target: str, path: str) -> None:
        """symlink."""
        with self.journal.call():
            found = self._free(path)
            link = self._symlink(found.name, target)
            self._add(found, link, path)
            self._note_creation(found, link, Kind.SYMLINK, target)

    def _symlink(self, name: str, target: str) -> FakeFile:
        self.has_symlinks = True
        bits = stat.S_IFLNK | 0o777
        return FakeFile(name, bits, target, filesystem=self.files, encoding="utf-8", errors="surrogateescape")

    def link(self, source: str, path: str, *, follow: bool) -> None:
        """link."""
        with self.journal.call():
            self.link_node(self.find(source, follow=follow), path)

    def link_node(self, node: Any, path: str) -> None:
        """Give a node one more name; it may be one that has none yet."""
        with self.journal.call():
            found = self._free(path)
            if isinstance(node, FakeDirectory):
                _fail(errno.EPERM, path)
            self._add(found, node, path)
            self.journal.note(Link(self.inode(node), self._entry(found)))

    def unlink(self, path: str) -> None:
        """unlink."""
        with self.journal.call():
            found = self._taken(path)
            if isinstance(found.node, FakeDirectory):
                _fail(errno.EPERM if sys.platform == "darwin" else errno.EISDIR, path)
            self._remove(found, path)
            self.journal.note(Unlink(self.inode(found.node), self._entry(found)))

    def remove_directory(self, path: str) -> None:
        """rmdir."""
        with self.journal.call():
            found = self._taken(path)
            if not isinstance(found.node, FakeDirectory):
                _fail(errno.ENOTDIR, path)
            if found.node.entries:
                _fail(errno.ENOTEMPTY, path)
            self._remove(found, path)
            self.journal.note(Unlink(self.inode(found.node), self._entry(found)))

    def rename(self, source: str, target: str) -> None:
        """rename, replacing what stands at the target as rename(2) does."""
        with self.journal.call():
            old, new = self._walk(source, follow=False), self._walk(target, follow=False)
            if old.node is None:
                _fail(errno.ENOENT, source)
            is_directory = isinstance(old.node, FakeDirectory)
            if target.endswith(os.sep) and not is_directory:
                _fail(errno.ENOTDIR, target)
            if is_directory and new.directory.has_parent_object(old.node) and new.node is not old.node:
                _fail(errno.EINVAL, target)
            if (
                new.node is not None
                and isinstance(new.node, FakeDirectory)
                and old.directory.has_parent_object(new.node)
            ):
                _fail(errno.ENOTEMPTY, target)
            if new.node is old.node:
                return  # two names of one file: POSIX leaves both alone
            self._may_replace(old.node, new.node, target)
            if new.node is not None:
                self._remove(new, target)
            self._remove(old, source)
            old.node.name = new.name
            self._add(new, old.node, target)
            number = None if new.node is None else self.inode(new.node)
            self.journal.note(Rename(self.inode(old.node), self._entry(old), self._entry(new), number))

    def move_in(self, node: StoredFile, target: str) -> None:
        """Give a nameless node a name in one step, replacing what stands there."""
        with self.journal.call():
            new = self._walk(target, follow=False)
            self._may_replace(node, new.node, target)
            if new.node is not None:
                self._remove(new, target)
            self._add(new, node, target)
            number = None if new.node is None else self.inode(new.node)
            self.journal.note(Rename(self.inode(node), None, self._entry(new), number))

    def _may_replace(self, node: Any, standing: Any, path: str) -> None:
        if standing is None:
            return
        if isinstance(node, FakeDirectory) and not isinstance(standing, FakeDirectory):
            _fail(errno.ENOTDIR, path)
        if isinstance(standing, FakeDirectory) and not isinstance(node, FakeDirectory):
            _fail(errno.EISDIR, path)
        if isinstance(standing, FakeDirectory) and standing.entries:
            _fail(errno.ENOTEMPTY, path)

    def set_mode(self, node: Any, mode: int) -> None:
        """chmod."""
        with self.journal.call():
            node.st_mode = stat.S_IFMT(node.st_mode) | mode & 0o7777
            node.stat_result.st_ctime_ns = time.time_ns()
            self.journal.note(SetMode(self.inode(node), mode & 0o7777))

    def set_owner(self, node: Any, owner: int, group: int) -> None:
        """chown; -1 changes nothing."""
        with self.journal.call():
            node.st_uid = node.st_uid if owner == -1 else owner
            node.st_gid = node.st_gid if group == -1 else group
            self.journal.note(SetOwner(self.inode(node), owner, group))

    def set_times(self, node: Any, times: tuple[int, int] | None) -> None:
        """utime, with the times of access and change in nanoseconds; None is now."""
        with self.journal.call():
            node.stat_result.st_atime_ns, node.stat_result.st_mtime_ns = times or (time.time_ns(),) * 2
            self.journal.note(SetTime(self.inode(node), times[1] if times else None))

    def attributes(self, node: Any) -> dict[str, bytes]:
        """Return the extended attributes of a file."""
        return self._attributes.setdefault(self.inode(node), {})

    def set_attribute(self, node: Any, name: str, value: bytes | None) -> None:
        """Setxattr, or removexattr where there is no value."""
        with self.journal.call():
            known = self.attributes(node)
            if value is None:
                del known[name]
            else:
                known[name] = value
            self.journal.note(SetAttribute(self.inode(node), name, value))

    def _free(self, path: str, *, may_end_in_separator: bool = False) -> Found:
        """Find the place for a new name."""
        found = self._walk(path.rstrip(os.sep) or os.sep, follow=False)
        if found.node is not None:
            _fail(errno.EEXIST, path)
        if path.endswith(os.sep) and not may_end_in_separator:
            _fail(errno.ENOENT, path)
        return found

    def _taken(self, path: str) -> Found:
        """Find the name that is to go."""
        found = self._walk(path, follow=False)
        if found.node is None:
            _fail(errno.ENOENT, path)
        return found

    def _add(self, found: Found, node: Any, path: str) -> None:
        self._may_change(found.directory, path)
        node.name = found.name
        found.directory.add_entry(node)

    def _remove(self, found: Found, path: str) -> None:
        self._may_change(found.directory, path)
        found.directory.remove_entry(found.name, recursive=False)

    def _may_change(self, directory: Any, path: str) -> None:
        if not helpers.is_root() and not directory.has_permission(helpers.PERM_WRITE | helpers.PERM_EXE):
            _fail(errno.EACCES, path)
        directory.stat_result.st_mtime_ns = directory.stat_result.st_ctime_ns = time.time_ns()

    def _entry(self, found: Found) -> Entry:
        return Entry(self.inode(found.directory), found.name)

    def _note_creation(self, found: Found, node: Any, kind: Kind, target: str = "") -> None:
        mode = stat.S_IMODE(node.st_mode)
        self.journal.note(Create(self.inode(node), kind, self._entry(found), mode, target))

    def tree(self) -> list[tuple[str, Inode, Kind, int, bytes, str]]:
        """Everything below the root, names in order: path, inode, kind, mode, content, link target."""
        found: list[tuple[str, Inode, Kind, int, bytes, str]] = []

        def walk(directory: FakeDirectory, prefix: str) -> None:
            for name, node in sorted(directory.entries.items()):
                path, mode = f"{prefix}{name}", stat.S_IMODE(node.st_mode)
                if isinstance(node, FakeDirectory):
                    found.append((path, self.inode(node), Kind.DIRECTORY, mode, b"", ""))
                    walk(node, f"{path}/")
                elif stat.S_ISLNK(node.st_mode):
                    found.append((path, self.inode(node), Kind.SYMLINK, mode, b"", str(node.contents)))
                else:
                    found.append((path, self.inode(node), Kind.FILE, mode, node.byte_contents or b"", ""))

        walk(self.files.get_object(self.root), "")  # type: ignore[arg-type]
        return found


def process_umask() -> int:
    """Return the umask of this process; there is no call that only asks for it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _check_names(path: str) -> None:
    if "\0" in path:
        raise ValueError("embedded null byte")
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.split(os.sep)):
        _fail(errno.ENAMETOOLONG, path)


def _fail(number: int, path: str | None = None) -> NoReturn:
    if path is None:
        raise OSError(number, os.strerror(number))
    raise OSError(number, os.strerror(number), path)
