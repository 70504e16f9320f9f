"""Which file systems can be asked, and what a machine lacks for it."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence

MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
    "btrfs": ("mkfs.btrfs", "-q", "-f", "-K"),
}
PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}


def missing(filesystems: Sequence[str]) -> Iterator[str]:
    """Yield what this machine lacks for asking these file systems, a phrase each."""
    if sys.platform != "linux":
        yield "Linux"
        return
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
    from pytest_tradestore.confirm.system import may_unshare

    if not may_unshare():
        yield "permission for mounts of its own (CAP_SYS_ADMIN)"


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True
