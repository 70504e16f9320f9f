"""What the rig asks of Linux: mounts that nobody else sees, loop devices that go with their process.

Nothing here is imported on other systems; ``needs`` says beforehand what is missing.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any

from pytest_tradestore.crash.operations import SyncKind

try:
    import fcntl
except ImportError:  # nothing here is used where there is none
    fcntl = None  # type: ignore[assignment] # as said above

_LIBC: Any = ctypes.CDLL(None, use_errno=True) if hasattr(os, "fork") else None
_CLONE_NEWNS = 0x20000
_PRIVATE_BELOW = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC
_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE, _BLKFLSBUF = 0x4C0A, 0x4C82, 0x1261
_AUTOCLEAR, _DIRECT_IO = 4, 16
READ_ONLY, NO_ACCESS_TIMES = 1, 1024

SIZES = {"ext4": 48 << 20, "xfs": 304 << 20, "btrfs": 128 << 20}
"""Bytes of a disk: little more than what each mkfs insists on."""


def may_unshare() -> bool:
    """Say whether a process may have mounts of its own."""
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


def leave_mounts(*places: str) -> None:
    """Let this process see these mounts no more, and none that the others make: they end without waiting for it.

    What serves a mount must not be the last to hold others that lie above it: its end would wait for its own answers.
    """
    private_mounts()
    for place in places:
        _checked(_LIBC.umount2(place.encode(), 2), f"umount {place}")  # MNT_DETACH


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
def memory_at(place: str) -> Iterator[None]:
    """Cover a directory with a file system in memory while inside; only this process sees it."""
    mount("tmpfs", place, "tmpfs")
    try:
        yield
    finally:
        unmount(place)


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


SYNC = {SyncKind.FSYNC: os.fsync, SyncKind.FDATASYNC: getattr(os, "fdatasync", os.fsync), SyncKind.FULL: os.fsync}
