"""What the rig asks of Linux: mounts that nobody else sees, loop devices that go with their process."""

import ctypes
import fcntl
import os
import shutil
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep

from pytest_tradestore.crash.operations import SyncKind

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x20000
_PRIVATE_BELOW = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC
_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE, _BLKFLSBUF = 0x4C0A, 0x4C82, 0x1261
_AUTOCLEAR, _DIRECT_IO = 4, 16
READ_ONLY = 1

MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
    "btrfs": ("mkfs.btrfs", "-q", "-f", "-K"),
}
PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}
SIZES = {"ext4": 48 << 20, "xfs": 304 << 20, "btrfs": 128 << 20}
"""Bytes of a disk: little more than what each mkfs insists on."""


def missing(filesystems: tuple[str, ...]) -> Iterator[str]:
    """Yield what this machine lacks for running programs on these file systems, a phrase each."""
    if os.geteuid():
        yield "root"
        return
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            yield device
        elif not _opens(device):
            yield f"permission to open {device}"
    for name in filesystems:
        if shutil.which(MAKE[name][0]) is None:
            yield f"{MAKE[name][0]} (package {PACKAGES[name]})"
    if not os.path.isdir("/media"):
        yield "/media"
    if not _may_unshare():
        yield "permission for mount namespaces of its own (CAP_SYS_ADMIN)"


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _may_unshare() -> bool:
    child = os.fork()
    if not child:
        os._exit(0 if _LIBC.unshare(_CLONE_NEWNS) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def private_mounts() -> None:
    """Let every mount of this process be its own: it is gone when the process is, and nobody copies it meanwhile."""
    _checked(_LIBC.unshare(_CLONE_NEWNS), "unshare")
    _checked(_LIBC.mount(b"none", b"/", None, ctypes.c_ulong(_PRIVATE_BELOW), None), "making mounts private")


def mount(source: str, target: str, kind: str, options: str = "", flags: int = 0) -> None:
    """Mount. Raises OSError."""
    _checked(
        _LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {kind} {options}",
    )


def unmount(target: str) -> None:
    """Unmount; a file system that is still being let go of is waited for. Raises OSError."""
    for _ in range(100):
        if _LIBC.umount2(target.encode(), 0) == 0:
            return
        if ctypes.get_errno() != 16:  # EBUSY
            break
        sleep(0.02)
    _checked(-1, f"umount {target}")


@contextmanager
def loop_device(path: str, *, direct: bool) -> Iterator[str]:
    """Attach a file to a loop device, which the kernel takes away when the last process that uses it ends."""
    backing = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        name, device = _attach(backing, direct)
    finally:
        os.close(backing)
    try:
        yield name
    finally:
        os.close(device)


def _attach(backing: int, direct: bool) -> tuple[str, int]:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(50):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            name = f"/dev/loop{number}"
            with suppress(FileExistsError):
                os.mknod(name, stat.S_IFBLK | 0o600, os.makedev(7, number))
            device = os.open(name, os.O_RDWR | os.O_CLOEXEC)
            flags = _AUTOCLEAR | (_DIRECT_IO if direct else 0)
            config = struct.pack("<II", backing, 0) + struct.pack("<QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, flags)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, config.ljust(8 + 232 + 64, b"\0"))
            except OSError:  # somebody else was faster
                os.close(device)
                continue
            return name, device
    finally:
        os.close(control)
    raise OSError("no loop device is free")


def forget_cached(device: str) -> None:
    """Write out and drop what the kernel has cached of a device, whose content changes behind its back."""
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _BLKFLSBUF)
    finally:
        os.close(descriptor)


def sync_filesystem(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_LIBC.syncfs(descriptor), "syncfs")
    finally:
        os.close(descriptor)


def write_back(path: str, start: int, length: int, *, wait: bool) -> None:
    """Let pages of a file be written, as the kernel does at a time of its own."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = 7 if wait else 2
        _LIBC.sync_file_range(descriptor, ctypes.c_longlong(start), ctypes.c_longlong(length), flags)
    finally:
        os.close(descriptor)


def begin_transaction_commit(path: str) -> None:
    """Let btrfs commit, without asking for anybody's data."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        transaction = bytearray(8)
        fcntl.ioctl(descriptor, 0x80089418, transaction)
        fcntl.ioctl(descriptor, 0x40089416, bytes(transaction))
    finally:
        os.close(descriptor)


def end_with_parent() -> None:
    """Let the kernel end this process when the one that started it ends, however that is."""
    _LIBC.prctl(1, 9)


SYNC = {SyncKind.FSYNC: os.fsync, SyncKind.FDATASYNC: os.fdatasync, SyncKind.FULL: os.fsync}
