"""Who may read and write a file: kept when it is replaced, as far as the process may, and never for more people.

Owner, group and POSIX access list are facts of the file that is replaced; how wide a new file may be is its caller's
decision. A process that may not give a file to the group it had gives its own group no more than everybody has.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_OF_FILE, _OF_NEW_FILES = "system.posix_acl_access", "system.posix_acl_default"
_HEADER, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_USER, _GROUP, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20
"""The tags of the entries that the bits of a mode stand for; where there is a mask, it takes the place of the group."""
_MAY_NOT = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}
"""An ordinary user, an id that this user namespace has no name for, a file system without owners or access lists."""


@dataclass(frozen=True, slots=True)
class Access:
    """Mode, owner, group and access list (as the kernel hands it out, None without one) of a file."""

    mode: int
    owner: int
    group: int
    acl: bytes | None = None


def access_of(descriptor: int, about: os.stat_result) -> Access:
    """Return who may do what with an open file, of which ``about`` is the status."""
    return Access(stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid, _acl(descriptor, _OF_FILE))


def give(descriptor: int, mode: int, like: Access | None, directory: int) -> None:
    """Give a file that only its owner could open so far to those who may read and write it.

    ``mode`` is how wide it may be. ``like`` is the file that it replaces: it keeps the owner, the group and the access
    list of that one, with the permissions that the list gives to its users and groups. Without ``like`` the file gets
    what a plain create with ``mode`` in ``directory`` gives. Raises OSError when the system fails, not when the process
    may not.
    """
    if like is None:
        os.fchmod(descriptor, mode & _created_in(directory))  # said outright, whatever the umask
        return
    about = os.fstat(descriptor)
    kept = about.st_gid == like.group or _chown(descriptor, -1, like.group)
    mode &= like.mode
    of_group = mode >> 3 if like.acl is None else mode >> 3 & _of_group(like.acl)
    mode = mode & 0o707 | (of_group if kept else of_group & like.mode & 7) << 3
    limits = {_USER: mode >> 6, _GROUP: 7 if kept else like.mode, _OTHER: mode}
    if like.acl is not None and _set_acl(descriptor, _limited(like.acl, limits)):
        mode = mode & 0o707 | like.mode & 0o070  # these bits are the mask of the list
    elif _acl(descriptor, _OF_FILE) is not None:
        os.removexattr(descriptor, _OF_FILE)  # of the directory: the file before was not for those on it
    os.fchmod(descriptor, mode)
    # Last: once the file is another's, this process may have no say about it.
    if about.st_uid != like.owner:
        _chown(descriptor, like.owner, -1)


def give_directory(descriptor: int, mode: int, parent: int) -> None:
    """Set how wide a new directory is that was made with ``mode``, whatever the umask; a setgid bit that came with it
    stays, and what the access list for new files of ``parent`` does not allow is not given.
    """
    found = stat.S_IMODE(os.fstat(descriptor).st_mode)
    wanted = mode & _created_in(parent) | found & stat.S_ISGID
    if found != wanted:  # where it is right already, a change could take the setgid bit of a group of others away
        os.fchmod(descriptor, wanted)


def _created_in(directory: int) -> int:
    """The widest mode that the access list for new files of ``directory`` allows; all of it without one."""
    default = _acl(directory, _OF_NEW_FILES)
    return 0o777 if default is None else _mode_of(default)


def _acl(descriptor: int, name: str) -> bytes | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(descriptor, name)
    except OSError as error:
        if error.errno in _MAY_NOT or error.errno == errno.ENODATA:
            return None
        raise


def _set_acl(descriptor: int, acl: bytes) -> bool:
    try:
        os.setxattr(descriptor, _OF_FILE, acl)
    except OSError as error:
        if error.errno in _MAY_NOT:
            return False
        raise
    return True


def _chown(descriptor: int, owner: int, group: int) -> bool:
    try:
        os.fchown(descriptor, owner, group)
    except OSError as error:
        if error.errno in _MAY_NOT:
            return False
        raise
    return True


def _entries(acl: bytes) -> Iterator[tuple[int, int, int]]:
    return _ENTRY.iter_unpack(acl[_HEADER.size :])


def _limited(acl: bytes, limits: dict[int, int]) -> bytes:
    """The list with the permissions of some tags cut to ``limits``."""
    entries = (_ENTRY.pack(tag, bits & (limits.get(tag, 7) & 7), who) for tag, bits, who in _entries(acl))
    return acl[: _HEADER.size] + b"".join(entries)


def _bits(acl: bytes) -> dict[int, int]:
    return {tag: bits for tag, bits, _ in _entries(acl) if tag in (_USER, _GROUP, _MASK, _OTHER)}


def _of_group(acl: bytes) -> int:
    """What the group itself may, which the mode does not say where there is a list."""
    bits = _bits(acl)
    return bits.get(_GROUP, 0) & bits.get(_MASK, 7)


def _mode_of(acl: bytes) -> int:
    bits = _bits(acl)
    return bits.get(_USER, 7) << 6 | bits.get(_MASK, bits.get(_GROUP, 0)) << 3 | bits.get(_OTHER, 0)
