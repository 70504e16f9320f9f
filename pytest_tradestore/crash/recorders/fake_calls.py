"""What stands in for the functions of ``os`` and ``fcntl``: each goes to the fake disk or on to the real function.

Names and arguments are those of the functions that they replace, so each is found by its name.
"""

import errno
import os
import re
import stat as stat_module
import sys
from types import SimpleNamespace
from typing import Any

from pytest_tradestore.crash.operations import SyncKind
from pytest_tradestore.crash.recorders.fake_descriptors import Descriptors
from pytest_tradestore.crash.recorders.fake_disk import Disk
from pytest_tradestore.crash.recorders.fake_listing import FakeDirEntry, FakeScandir
from pytest_tradestore.crash.recorders.fake_namespace import Namespace
from pytest_tradestore.crash.recorders.fake_nodes import OpenFile

_OWN_DESCRIPTOR = re.compile(r"/(?:proc/(?:self|\d+|thread-self)/fd|dev/fd)/(\d+)")
_DURABLE = getattr(os, "RWF_SYNC", 0) | getattr(os, "RWF_DSYNC", 0)
_APPEND = getattr(os, "RWF_APPEND", 0)


class Calls:
    """The functions themselves. ``real`` holds what they stand in for."""

    def __init__(self, disk: Disk, names: Namespace, descriptors: Descriptors, real: SimpleNamespace) -> None:
        self.disk, self.names, self.descriptors, self._real = disk, names, descriptors, real
        self.arrived: list[str] = []
        """Files that somebody else wrote to the real disk meanwhile and that were then moved under the root."""

    def bad_descriptor(self) -> OSError:
        return OSError(errno.EBADF, os.strerror(errno.EBADF))

    # Descriptors

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        unnamed = getattr(os, "O_TMPFILE", 0)
        creates = bool(flags & os.O_CREAT) or bool(unnamed and flags & unnamed == unnamed)
        where, there = self.names.place(path, dir_fd, creates=creates, follow=not flags & getattr(os, "O_NOFOLLOW", 0))
        if where is None:
            return int(self._real.open(there, flags, mode, dir_fd=dir_fd))
        return self.open_fake(where, flags, mode)

    def open_fake(self, where: str, flags: int, mode: int) -> int:
        """Open a path of the fake disk."""
        return self.descriptors.add(self.disk.open(where, flags, mode))

    def close(self, fd: int) -> None:
        if self.descriptors.get(fd) is None:
            return self._real.close(fd)  # type: ignore[no-any-return]
        return self.descriptors.close(fd)

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        for number in range(fd_low, min(fd_high, 65536)):
            try:
                self.close(number)
            except OSError:
                continue

    def read(self, fd: int, length: int, /) -> bytes:
        file = self.descriptors.get(fd)
        return self._real.read(fd, length) if file is None else self.disk.read(file, length)

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        file = self.descriptors.get(fd)
        return self._real.pread(fd, length, offset) if file is None else self.disk.read(file, length, offset)

    def readv(self, fd: int, buffers: Any, /) -> int:
        file = self.descriptors.get(fd)
        return self._real.readv(fd, buffers) if file is None else self._scatter(file, buffers, None)

    def preadv(self, fd: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
        file = self.descriptors.get(fd)
        return self._real.preadv(fd, buffers, offset, flags) if file is None else self._scatter(file, buffers, offset)

    def readinto(self, fd: int, buffer: Any, /) -> int:
        file = self.descriptors.get(fd)
        return self._real.readinto(fd, buffer) if file is None else self._scatter(file, [buffer], None)

    def _scatter(self, file: OpenFile, buffers: Any, offset: int | None) -> int:
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data = self.disk.read(file, sum(map(len, views)), offset)
        rest = data
        for view in views:
            view[: len(rest)] = rest[: len(view)]
            rest = rest[len(view) :]
        return len(data)

    def write(self, fd: int, data: Any, /) -> int:
        file = self.descriptors.get(fd)
        return self._real.write(fd, data) if file is None else self.disk.write(file, memoryview(data).tobytes())

    def pwrite(self, fd: int, data: Any, offset: int, /) -> int:
        file = self.descriptors.get(fd)
        if file is None:
            return int(self._real.pwrite(fd, data, offset))
        return self.disk.write(file, memoryview(data).tobytes(), offset)

    def writev(self, fd: int, buffers: Any, /) -> int:
        file = self.descriptors.get(fd)
        if file is None:
            return int(self._real.writev(fd, buffers))
        return self.disk.write(file, b"".join(memoryview(part).tobytes() for part in buffers))

    def pwritev(self, fd: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
        file = self.descriptors.get(fd)
        if file is None:
            return int(self._real.pwritev(fd, buffers, offset, flags))
        data = b"".join(memoryview(part).tobytes() for part in buffers)
        with self.disk.journal.call():
            at = self.disk.status(file.node).st_size if flags & _APPEND else offset
            return self.disk.write(file, data, at, durable=bool(flags & _DURABLE))

    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        file = self.descriptors.get(fd)
        if file is None:
            return int(self._real.lseek(fd, position, whence))
        with self.disk.journal.lock:
            size = self.disk.status(file.node).st_size
            if whence == getattr(os, "SEEK_DATA", -1) or whence == getattr(os, "SEEK_HOLE", -1):
                if position >= size:
                    raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
                base = 0 if whence == os.SEEK_DATA else size - position
            elif whence in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
                base = {os.SEEK_SET: 0, os.SEEK_CUR: file.offset, os.SEEK_END: size}[whence]
            else:
                base = -1 - abs(position)
            if base + position < 0:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            file.offset = base + position
            return file.offset

    def dup(self, fd: int, /) -> int:
        file = self.descriptors.get(fd)
        return self._real.dup(fd) if file is None else self.descriptors.add(file)

    def dup2(self, fd: int, fd2: int, inheritable: bool = True) -> int:
        if fd == fd2:
            return fd
        if self.descriptors.get(fd) is not None:
            self.descriptors.duplicate_onto(fd, fd2, inheritable)
            return fd2
        if self.descriptors.get(fd2) is not None:
            self.descriptors.close(fd2)
        return int(self._real.dup2(fd, fd2, inheritable))

    def sendfile(self, out_fd: int, in_fd: int, offset: int | None, count: int, *rest: Any, **more: Any) -> int:
        source, target = self.descriptors.get(in_fd), self.descriptors.get(out_fd)
        if source is None and target is None:
            return int(self._real.sendfile(out_fd, in_fd, offset, count, *rest, **more))
        if sys.platform != "linux":
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        self._must_take_copies(in_fd, out_fd, errno.EINVAL)
        return self._copy(in_fd, out_fd, count, offset, None)

    def copy_file_range(
        self, src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None
    ) -> int:
        if self.descriptors.get(src) is None and self.descriptors.get(dst) is None:
            return int(self._real.copy_file_range(src, dst, count, offset_src, offset_dst))
        if self.descriptors.get(src) is None or self.descriptors.get(dst) is None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        self._must_take_copies(src, dst, errno.EBADF)
        return self._copy(src, dst, count, offset_src, offset_dst)

    def _must_take_copies(self, src: int, dst: int, to_appending: int) -> None:
        """Refuse what the kernel refuses: it copies between files only, and not to the end of one."""
        source, target = self.descriptors.get(src), self.descriptors.get(dst)
        if (source is not None and not source.readable) or (target is not None and not target.writable):
            raise self.bad_descriptor()
        if any(file is not None and stat_module.S_ISDIR(file.node.st_mode) for file in (source, target)):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if target is not None and target.flags & os.O_APPEND:
            raise OSError(to_appending, os.strerror(to_appending))

    def _copy(self, src: int, dst: int, count: int, offset_src: int | None, offset_dst: int | None) -> int:
        with self.disk.journal.call():
            data = self.read(src, count) if offset_src is None else self.pread(src, count, offset_src)
            if not data:
                return 0
            return self.write(dst, data) if offset_dst is None else self.pwrite(dst, data, offset_dst)

    def ftruncate(self, fd: int, length: int, /) -> None:
        file = self.descriptors.get(fd)
        if file is None:
            return self._real.ftruncate(fd, length)  # type: ignore[no-any-return]
        if not file.writable:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self.disk.truncate(file.node, length)

    def posix_fallocate(self, fd: int, offset: int, length: int, /) -> None:
        file = self.descriptors.get(fd)
        if file is None:
            return self._real.posix_fallocate(fd, offset, length)  # type: ignore[no-any-return]
        if not file.writable:
            raise self.bad_descriptor()
        return self.disk.allocate(file.node, offset + length)

    def posix_fadvise(self, fd: int, offset: int, length: int, advice: int, /) -> None:
        if self.descriptors.get(fd) is None:
            self._real.posix_fadvise(fd, offset, length, advice)

    def fsync(self, fd: Any) -> None:
        self._sync(fd, SyncKind.FSYNC)

    def fdatasync(self, fd: Any) -> None:
        self._sync(fd, SyncKind.FDATASYNC)

    def _sync(self, fd: Any, kind: SyncKind) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        file = self.descriptors.get(number)
        if file is None:
            getattr(self._real, kind.value)(number)
        else:
            self.disk.sync(file.node, kind)

    def sync(self) -> None:
        self.disk.sync_all()

    def fstat(self, fd: int) -> os.stat_result:
        file = self.descriptors.get(fd)
        return self._real.fstat(fd) if file is None else self.disk.status(file.node)

    def isatty(self, fd: int, /) -> bool:
        return False if self.descriptors.get(fd) is not None else bool(self._real.isatty(fd))

    def lockf(self, fd: int, command: int, length: int, /) -> None:
        if self.descriptors.get(fd) is None:  # POSIX locks stand between processes, and here is only one
            self._real.lockf(fd, command, length)

    # fcntl

    def flock(self, fd: Any, operation: int, /) -> None:
        import fcntl

        number = fd if isinstance(fd, int) else fd.fileno()
        file = self.descriptors.get(number)
        if file is None:
            self._real.flock(number, operation)
        elif operation & fcntl.LOCK_UN:
            self.descriptors.unlock(file)
        else:
            shared, wait = bool(operation & fcntl.LOCK_SH), not operation & fcntl.LOCK_NB
            self.descriptors.lock(file, shared=shared, wait=wait)

    def fcntl_lockf(self, fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> Any:  # noqa: A002
        number = fd if isinstance(fd, int) else fd.fileno()
        if self.descriptors.get(number) is None:
            return self._real.fcntl_lockf(number, cmd, len, start, whence)
        return None

    def fcntl(self, fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        import fcntl

        number = fd if isinstance(fd, int) else fd.fileno()
        file = self.descriptors.get(number)
        if file is None:
            return self._real.fcntl(number, cmd, arg)
        if cmd == getattr(fcntl, "F_FULLFSYNC", None):
            self.disk.sync(file.node, SyncKind.FULL)
            return 0
        if cmd == getattr(fcntl, "F_BARRIERFSYNC", None):
            self.disk.sync(file.node, SyncKind.FSYNC)
            return 0
        if cmd in (fcntl.F_DUPFD, getattr(fcntl, "F_DUPFD_CLOEXEC", None)):
            return self.descriptors.add(file)
        if cmd == fcntl.F_GETFL:
            return file.flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
        if cmd == fcntl.F_SETFL:
            changeable = os.O_APPEND | os.O_NONBLOCK
            file.flags = file.flags & ~changeable | arg & changeable
            return 0
        if cmd in (fcntl.F_GETFD, fcntl.F_SETFD):
            return self._real.fcntl(number, cmd, arg)
        return arg if isinstance(arg, bytes) else 0

    # Reading the tree

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        node, there = self._node(path, dir_fd, follow=follow_symlinks)
        if node is None:
            return self._real.stat(there, dir_fd=dir_fd, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        return self.disk.status(node)

    def lstat(self, path: Any, *, dir_fd: int | None = None) -> os.stat_result:
        node, there = (None, path) if isinstance(path, int) else self._node(path, dir_fd, follow=False)
        return self._real.lstat(there, dir_fd=dir_fd) if node is None else self.disk.status(node)

    def access(
        self,
        path: Any,
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        try:
            node, there = self._node(path, dir_fd, follow=follow_symlinks)
        except (OSError, ValueError):
            return False
        if node is None:
            options = {"dir_fd": dir_fd, "effective_ids": effective_ids, "follow_symlinks": follow_symlinks}
            return bool(self._real.access(there, mode, **options))
        bits = node.st_mode
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            return not mode & os.X_OK or stat_module.S_ISDIR(bits) or bool(bits & 0o111)
        return bool(node.has_permission(mode << 6)) if mode else True

    def listdir(self, path: Any = None) -> list[Any]:
        where, there = self._directory(path)
        if where is None:
            return self._real.listdir(there)  # type: ignore[no-any-return]
        names = self._listed(where)
        return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names

    def scandir(self, path: Any = None) -> Any:
        where, there = self._directory(path)
        if where is None:
            return self._real.scandir(there)
        shown = "." if path is None else path if isinstance(path, int) else os.fspath(path)
        entries = [FakeDirEntry(self.stat, shown, where, name) for name in self._listed(where)]
        return FakeScandir(iter(entries))

    def _directory(self, path: Any) -> tuple[str | None, Any]:
        if isinstance(path, int):
            file = self.descriptors.get(path)
            return (None, path) if file is None else (str(file.node.path), None)
        where, there = self.names.place("." if path is None else path)
        if where is None and path is None:
            return None, self.names.directory
        if where is not None and self.disk.has_symlinks:
            where = self.disk.follow(where)
        return where, there

    def _listed(self, where: str) -> list[str]:
        return sorted({*self.disk.names(where), *self.names.real_names(where)})

    def readlink(self, path: Any, *, dir_fd: int | None = None) -> Any:
        where, there = self.names.place(path, dir_fd, follow=False)
        if where is None:
            return self._real.readlink(there, dir_fd=dir_fd)
        node = self.disk.find(where, follow=False)
        if not stat_module.S_ISLNK(node.st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        target = str(node.contents)
        return os.fsencode(target) if isinstance(path, bytes) else target

    def statvfs(self, path: Any) -> Any:
        node, there = self._node(path, None, follow=True)
        return self._real.statvfs(there if node is None else os.sep)

    def fstatvfs(self, fd: int, /) -> Any:
        return self._real.fstatvfs(fd) if self.descriptors.get(fd) is None else self._real.statvfs(os.sep)

    def _node(self, path: Any, dir_fd: int | None, *, follow: bool) -> tuple[Any, Any]:
        """Return (node, None) for a path or descriptor of the fake disk, else (None, the path to hand on)."""
        if isinstance(path, int):
            file = self.descriptors.get(path)
            return (None, path) if file is None else (file.node, None)
        where, there = self.names.place(path, dir_fd, follow=follow)
        if where is None:
            return None, there
        return self.disk.find(where, follow=follow), None

    # Changing the tree

    def truncate(self, path: Any, length: int) -> None:
        if isinstance(path, int):
            return self.ftruncate(path, length)
        node, there = self._node(path, None, follow=True)
        if node is None:
            return self._real.truncate(there, length)  # type: ignore[no-any-return]
        return self.disk.truncate(node, length)

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        where, there = self.names.place(path, dir_fd, creates=True, follow=False)
        if where is None:
            return self._real.mkdir(there, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return self.disk.make_directory(where, mode)

    def mknod(self, path: Any, mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None) -> None:
        where, there = self.names.place(path, dir_fd, creates=True, follow=False)
        if where is None:
            return self._real.mknod(there, mode, device, dir_fd=dir_fd)  # type: ignore[no-any-return]
        if stat_module.S_IFMT(mode) not in (0, stat_module.S_IFREG):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), path)
        self.disk.open(where, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        return None

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        where, there = self.names.place(path, dir_fd, follow=False)
        if where is None:
            return self._real.rmdir(there, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return self.disk.remove_directory(where)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        where, there = self.names.place(path, dir_fd, follow=False)
        if where is None:
            return self._real.unlink(there, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return self.disk.unlink(where)

    remove = unlink

    def rename(self, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        source, real_source = self.names.place(src, src_dir_fd, follow=False)
        target, real_target = self.names.place(dst, dst_dir_fd, creates=source is not None, follow=False)
        if source is None and target is None:
            return self._real.rename(real_source, real_target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)  # type: ignore[no-any-return]
        if source is None:
            return self._move_in(real_source, src_dir_fd, target)
        if target is None:  # onto a file of the real disk outside the root, which stays as it is
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), src, None, dst)
        try:
            self.disk.rename(source, target)
        except OSError as error:
            raise OSError(error.errno, error.strerror, src, None, dst) from None
        return None

    replace = rename

    def _move_in(self, path: Any, dir_fd: int | None, target: str) -> None:
        status = self._real.lstat(path, dir_fd=dir_fd)
        if not stat_module.S_ISREG(status.st_mode):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        number = self._real.open(path, os.O_RDONLY, dir_fd=dir_fd)
        try:
            content = bytearray()
            while part := self._real.read(number, 1 << 20):
                content += part
        finally:
            self._real.close(number)
        self.disk.move_in(self.disk.adopt(bytes(content), stat_module.S_IMODE(status.st_mode)), target)
        self._real.unlink(path, dir_fd=dir_fd)
        self.arrived.append(os.fsdecode(path))

    def link(
        self,
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        own = _OWN_DESCRIPTOR.fullmatch(os.fsdecode(src))
        unnamed = self.descriptors.get(int(own[1])) if own else None
        if unnamed is not None:
            target, _ = self.names.place(dst, dst_dir_fd, creates=True, follow=False)
            if target is None:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), src, None, dst)
            return self.disk.link_node(unnamed.node, target)
        # link(2) leaves a symbolic link alone; Python calls it unless a dir_fd makes it take linkat
        follow = follow_symlinks and (sys.platform != "linux" or src_dir_fd is not None or dst_dir_fd is not None)
        source, real_source = self.names.place(src, src_dir_fd, follow=follow)
        target, real_target = self.names.place(dst, dst_dir_fd, creates=source is not None, follow=False)
        if source is None and target is None:
            options = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd, "follow_symlinks": follow_symlinks}
            return self._real.link(real_source, real_target, **options)  # type: ignore[no-any-return]
        if source is None or target is None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), src, None, dst)
        try:
            self.disk.link(source, target, follow=follow)
        except OSError as error:
            raise OSError(error.errno, error.strerror, src, None, dst) from None
        return None

    def symlink(self, src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: int | None = None) -> None:
        where, there = self.names.place(dst, dir_fd, creates=True, follow=False)
        if where is None:
            return self._real.symlink(src, there, target_is_directory, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return self.disk.make_symlink(os.fsdecode(src), where)

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        node, there = self._node(path, dir_fd, follow=follow_symlinks)
        if node is None:
            self._real.chmod(there, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        else:
            self.disk.set_mode(node, mode)

    def fchmod(self, fd: int, mode: int) -> None:
        file = self.descriptors.get(fd)
        if file is None:
            self._real.fchmod(fd, mode)
        else:
            self.disk.set_mode(file.node, mode)

    def lchmod(self, path: Any, mode: int) -> None:
        self.chmod(path, mode, follow_symlinks=False)

    def chown(self, path: Any, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        node, there = self._node(path, dir_fd, follow=follow_symlinks)
        if node is None:
            self._real.chown(there, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
            return
        self.disk.set_owner(node, uid, gid)

    def lchown(self, path: Any, uid: int, gid: int) -> None:
        self.chown(path, uid, gid, follow_symlinks=False)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        self.chown(fd, uid, gid)

    def utime(
        self,
        path: Any,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        node, there = self._node(path, dir_fd, follow=follow_symlinks)
        if node is None:
            options: dict[str, Any] = {"dir_fd": dir_fd, "follow_symlinks": follow_symlinks}
            self._real.utime(there, **options, **({"times": times} if ns is None else {"ns": ns}))
            return
        if ns is None and times is not None:
            ns = (round(times[0] * 1e9), round(times[1] * 1e9))
        self.disk.set_times(node, ns)

    def getxattr(self, path: Any, attribute: Any, *, follow_symlinks: bool = True) -> Any:
        return self._attribute("getxattr", path, (attribute,), follow_symlinks)

    def setxattr(self, path: Any, attribute: Any, value: Any, flags: int = 0, *, follow_symlinks: bool = True) -> Any:
        return self._attribute("setxattr", path, (attribute, value, flags), follow_symlinks)

    def removexattr(self, path: Any, attribute: Any, *, follow_symlinks: bool = True) -> Any:
        return self._attribute("removexattr", path, (attribute,), follow_symlinks)

    def listxattr(self, path: Any = None, *, follow_symlinks: bool = True) -> list[str]:
        node, there = self._node("." if path is None else path, None, follow=follow_symlinks)
        if node is not None:
            return sorted(self.disk.attributes(node))
        return list(self._real.listxattr(there, follow_symlinks=follow_symlinks))

    def _attribute(self, name: str, path: Any, rest: tuple[Any, ...], follow: bool) -> Any:
        node, there = self._node(path, None, follow=follow)
        if node is None:
            return getattr(self._real, name)(there, *rest, follow_symlinks=follow)
        attribute = os.fsdecode(rest[0])
        if not attribute.startswith("user."):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
        known = self.disk.attributes(node)
        flags = rest[2] if name == "setxattr" else 0
        if attribute in known and flags & os.XATTR_CREATE:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        if attribute not in known and (name != "setxattr" or flags & os.XATTR_REPLACE):
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), path)
        if name == "getxattr":
            return known[attribute]
        self.disk.set_attribute(node, attribute, bytes(rest[1]) if name == "setxattr" else None)
        return None

    # Working directory

    def chdir(self, path: Any) -> None:
        where, there = self._directory(path)
        if where is None:
            self._real.chdir(there)
            self.names.directory = None
        else:
            self.disk.names(where)  # refuses what is no directory
            self.names.directory = where

    def fchdir(self, fd: int) -> None:
        self.chdir(fd)

    def getcwd(self) -> str:
        return self.names.directory or str(self._real.getcwd())

    def getcwdb(self) -> bytes:
        return os.fsencode(self.getcwd())
