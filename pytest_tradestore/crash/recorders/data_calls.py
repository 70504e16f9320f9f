"""Calls that change or move through the content of files: writes, truncate, fallocate, copies, syncs, mappings."""

import os
import re
import stat
from collections.abc import Callable

from pytest_tradestore.crash.operations import (
    Allocate,
    Kind,
    SetAttribute,
    SetMode,
    SetOwner,
    SetTime,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Write,
)
from pytest_tradestore.crash.recorders.conversion import Bound, Conversion
from pytest_tradestore.crash.recorders.descriptors import Mapping, OpenFile
from pytest_tradestore.crash.recorders.modelled_files import Node, OutOfOrderError
from pytest_tradestore.crash.recorders.strace_log import flags_in, number_in, string_in, vector_in

Handler = Callable[[Conversion, Bound], None]

_CURRENT = (-1, 2**64 - 1)  # "at the position of the descriptor", as strace prints it


def _result(bound: Bound) -> int:
    return bound.call.result or 0


def _number(bound: Bound, index: int) -> int:
    number = number_in(bound.call.arguments[index])
    if number is None:
        raise OutOfOrderError(
            f"{bound.call.name} was given {bound.call.arguments[index][:40]!r}, which is not understood"
        )
    return number


# writes


def write_target(conversion: Conversion, bound: Bound) -> tuple[Node, int, bytes] | None:
    """Return what a write would change if it took its effect now: file, offset, bytes; None for no kept file."""
    call = bound.call
    file = conversion.file(bound, 0)
    node = file.node
    if node is None or node.kind is not Kind.FILE or node.special or _result(bound) <= 0:
        return None
    flags = flags_in(call.arguments[4]) if call.name == "pwritev2" and len(call.arguments) > 4 else frozenset[str]()
    offset = None
    if call.name in ("pwrite64", "pwritev", "pwritev2"):
        offset = _number(bound, 3)
    appends = (file.append and "RWF_NOAPPEND" not in flags) or "RWF_APPEND" in flags
    if node.content is None:
        start = -1
    elif appends:
        start = len(node.content)
    elif offset is not None and offset not in _CURRENT:
        start = offset
    elif file.position is None:
        start = -1
    else:
        start = file.position
    argument = call.arguments[1]
    data = vector_in(argument) if call.name in ("writev", "pwritev", "pwritev2") else string_in(argument)
    if data is None or len(data) < _result(bound):
        if node.inside or node.content is not None:
            conversion.not_seen(
                f"{conversion.path_of(node)} was written in one piece that is too large to record; "
                "write it in smaller pieces"
            )
        data = bytes(_result(bound))
    return node, start, data[: _result(bound)]


def _write(conversion: Conversion, bound: Bound) -> None:
    file = conversion.file(bound, 0)
    target = write_target(conversion, bound)
    if target is None:
        _advance(bound, file)
        return
    node, start, data = target
    flags = frozenset[str]()
    if bound.call.name == "pwritev2" and len(bound.call.arguments) > 4:
        flags = flags_in(bound.call.arguments[4])
    durable = file.durable or bool(flags & {"RWF_SYNC", "RWF_DSYNC"})
    _check_opening(conversion, file, start)
    put(conversion, bound, node, start, data, durable=durable)
    moves = bound.call.name in ("write", "writev") or _number(bound, 3) in _CURRENT
    if moves:
        file.position = start + len(data) if start >= 0 else None


def _advance(bound: Bound, file: OpenFile) -> None:
    if bound.call.name in ("write", "writev") and file.position is not None:
        file.position += _result(bound)


def _check_opening(conversion: Conversion, file: OpenFile, start: int) -> None:
    node = file.node
    if node is None or node.content is None:
        return
    if start < 0 or not file.opening_seen:
        conversion.not_seen(
            f"{conversion.path_of(node)} was written through a descriptor whose opening was not seen, "
            "one that came from a process that is not recorded; open it inside the recording"
        )


def put(conversion: Conversion, bound: Bound, node: Node, start: int, data: bytes, *, durable: bool = False) -> None:
    """Let bytes arrive in a file."""
    if node.content is None or start < 0:
        node.changed = True
        return
    if not data:
        return
    if len(node.content) < start:
        node.content.extend(bytes(start - len(node.content)))
    node.content[start : start + len(data)] = data
    conversion.emit(bound.call, Write, inode=node, offset=start, data=data, durable=durable)


# positions


def _read(_: Conversion, bound: Bound) -> None:
    file = bound.files.get(0)
    if file is None or file.position is None:
        return
    if bound.call.name == "preadv2" and _number(bound, 3) not in _CURRENT:
        return
    file.position += _result(bound)


def _lseek(_: Conversion, bound: Bound) -> None:
    file = bound.files.get(0)
    if file is not None:
        file.position = _result(bound)


# sizes


def _truncate(conversion: Conversion, bound: Bound) -> None:
    node = conversion.files.must_exist(conversion.place(bound, 0))
    set_size(conversion, bound, node, _number(bound, 1))


def _ftruncate(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is not None:
        set_size(conversion, bound, node, _number(bound, 1))


def set_size(conversion: Conversion, bound: Bound, node: Node, size: int) -> None:
    """Cut a file or let it grow; nothing is recorded where the size stays what it is."""
    if node.content is None:
        node.changed = size > 0
        if size == 0 and node.kind is Kind.FILE:
            node.content = bytearray()  # from here on it is known, whatever it held before
        return
    if node.kind is not Kind.FILE or node.special or len(node.content) == size:
        return
    del node.content[size:]
    node.content.extend(bytes(size - len(node.content)))
    conversion.emit(bound.call, Truncate, inode=node, size=size)


def _fallocate(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is None:
        return
    if node.content is None:
        node.changed = True
        return
    flags = flags_in(bound.call.arguments[1]) - {"0"}
    offset, length = _number(bound, 2), _number(bound, 3)
    if flags & {"FALLOC_FL_COLLAPSE_RANGE", "FALLOC_FL_INSERT_RANGE"} or flags - {
        "FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_PUNCH_HOLE",
        "FALLOC_FL_ZERO_RANGE",
        "FALLOC_FL_UNSHARE_RANGE",
    }:
        conversion.not_seen(
            f"{conversion.path_of(node)} was reshaped by fallocate({bound.call.arguments[1]}), "
            "which has no counterpart among the operations that a crash can lose"
        )
        return
    end = offset + length
    if flags & {"FALLOC_FL_PUNCH_HOLE", "FALLOC_FL_ZERO_RANGE"}:
        if "FALLOC_FL_KEEP_SIZE" in flags:
            end = min(end, len(node.content))
        put(conversion, bound, node, offset, bytes(max(0, end - offset)))
    elif "FALLOC_FL_KEEP_SIZE" not in flags and len(node.content) < end:
        node.content.extend(bytes(end - len(node.content)))
        conversion.emit(bound.call, Allocate, inode=node, size=end)


# copies inside the kernel


def _copy_file_range(conversion: Conversion, bound: Bound) -> None:
    _copy(conversion, bound, source=0, source_offset=1, target=2, target_offset=3)


def _splice(conversion: Conversion, bound: Bound) -> None:
    _copy(conversion, bound, source=0, source_offset=1, target=2, target_offset=3)


def _sendfile(conversion: Conversion, bound: Bound) -> None:
    _copy(conversion, bound, source=1, source_offset=2, target=0, target_offset=None)


def _copy(
    conversion: Conversion, bound: Bound, *, source: int, source_offset: int, target: int, target_offset: int | None
) -> None:
    count = _result(bound)
    from_file, to_file = conversion.file(bound, source), conversion.file(bound, target)
    start, to = _offset(bound, source_offset, from_file), _offset(bound, target_offset, to_file)
    node = to_file.node
    if to_file.append and node is not None and node.content is not None:
        to = len(node.content)
    # both are known before either moves, because both can be one open file
    _move(bound, source_offset, from_file, start + count if start >= 0 else None)
    _move(bound, target_offset, to_file, to + count if to >= 0 else None)
    if node is None or node.kind is not Kind.FILE or node.special or count == 0:
        return
    data = content_of(conversion, from_file, start, count)
    overlapping = from_file.node is node and abs(start - to) < count and start != to
    if data is None or overlapping:
        if node.inside or node.content is not None:
            _unknown_source(conversion, bound, node)
        put(conversion, bound, node, to, bytes(count), durable=to_file.durable)
        return
    _check_opening(conversion, to_file, to)
    put(conversion, bound, node, to, data, durable=to_file.durable)


def _offset(bound: Bound, index: int | None, file: OpenFile) -> int:
    if index is not None and bound.call.arguments[index] != "NULL":
        return _number(bound, index)
    return -1 if file.position is None else file.position


def _move(bound: Bound, index: int | None, file: OpenFile, position: int | None) -> None:
    if index is None or bound.call.arguments[index] == "NULL":
        file.position = position


def content_of(conversion: Conversion, file: OpenFile, start: int, count: int) -> bytes | None:
    """Return what a copy took from a file: as modelled, else from the disk if the file was left alone since."""
    node = file.node
    if node is None or node.special or start < 0:
        return None
    if node.content is not None:
        data = bytes(node.content[start : start + count])
        return data if len(data) == count else None
    known = left_alone(node, conversion.began)
    return None if known is None or len(known) < start + count else known[start : start + count]


def left_alone(node: Node, began: int) -> bytes | None:
    """Return the content of a file outside the root if nobody changed it since the recording began."""
    if node.changed or node.on_disk is None or node.kind is not Kind.FILE:
        return None
    try:
        with open(node.on_disk, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns >= began:
                return None
            return file.read()
    except OSError:
        return None


def _unknown_source(conversion: Conversion, bound: Bound, node: Node) -> None:
    conversion.not_seen(
        f"{conversion.path_of(node)} was filled by {bound.call.name} from a source whose content is not known then; "
        "write the data instead"
    )


def _ioctl(conversion: Conversion, bound: Bound) -> None:
    request = bound.call.arguments[1] if len(bound.call.arguments) > 1 else ""
    if request in ("FICLONE", "BTRFS_IOC_CLONE"):
        _clone_file(conversion, bound)
    elif request in ("FICLONERANGE", "BTRFS_IOC_CLONE_RANGE"):
        _clone_range(conversion, bound)


def _clone_file(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is None:
        return
    source = conversion.file(bound, 2)
    data: bytes | None = None
    if source.node is not None:
        known = source.node.content
        data = bytes(known) if known is not None else left_alone(source.node, conversion.began)
    if data is None:
        if node.inside or node.content is not None:
            _unknown_source(conversion, bound, node)
        return
    put(conversion, bound, node, 0, data)
    set_size(conversion, bound, node, len(data))


def _clone_range(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is None:
        return
    fields = dict(
        part.split("=", 1) for part in ", ".join(bound.call.arguments[2:]).strip("{}").split(", ") if "=" in part
    )
    number = number_in(fields.get("src_fd", "").partition("<")[0])
    source = bound.task.table.descriptors.get(number) if number is not None else None
    start, length, to = (number_in(fields.get(name, "")) for name in ("src_offset", "src_length", "dest_offset"))
    if source is None or source.file.node is None or start is None or length is None or to is None:
        _unknown_source(conversion, bound, node)
        return
    if length == 0 and source.file.node.content is not None:
        length = len(source.file.node.content) - start  # zero means "to the end"
    data = content_of(conversion, source.file, start, length)
    if data is None:
        _unknown_source(conversion, bound, node)
    else:
        put(conversion, bound, node, to, data)


# durability and modes


def _fsync(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is None:
        return
    kind = SyncKind.FDATASYNC if bound.call.name == "fdatasync" else SyncKind.FSYNC
    conversion.emit(bound.call, Sync, inode=node, kind=kind, failed=bound.call.failed)


def _sync(conversion: Conversion, bound: Bound) -> None:
    conversion.emit(bound.call, SyncAll)


def _chmod(conversion: Conversion, bound: Bound) -> None:
    _set_mode(conversion, bound, conversion.files.must_exist(conversion.place(bound, 0)), 1)


def _fchmod(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is not None:
        _set_mode(conversion, bound, node, 1)


def _fchmodat(conversion: Conversion, bound: Bound) -> None:
    flags = flags_in(bound.call.arguments[3]) if len(bound.call.arguments) > 3 else frozenset[str]()
    if "AT_EMPTY_PATH" in flags and bound.call.arguments[1] == '""':
        _fchmod(conversion, bound)
        return
    place = conversion.place(bound, 1, 0, follow="AT_SYMLINK_NOFOLLOW" not in flags)
    _set_mode(conversion, bound, conversion.files.must_exist(place), 2)


def _set_mode(conversion: Conversion, bound: Bound, node: Node, index: int) -> None:
    mode = number_in(bound.call.arguments[index])
    if mode is None:
        raise OutOfOrderError(f"{bound.call.name} was given a mode that could not be read")
    node.mode = mode
    conversion.emit(bound.call, SetMode, inode=node, mode=mode)


# what is kept beside the content


def _chown(conversion: Conversion, bound: Bound) -> None:
    follow = bound.call.name not in ("lchown", "lchown32")
    _set_owner(conversion, bound, conversion.files.must_exist(conversion.place(bound, 0, follow=follow)), 1)


def _fchown(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is not None:
        _set_owner(conversion, bound, node, 1)


def _fchownat(conversion: Conversion, bound: Bound) -> None:
    flags = flags_in(bound.call.arguments[4])
    if "AT_EMPTY_PATH" in flags and bound.call.arguments[1] == '""':
        node = conversion.file(bound, 0).node
    else:
        place = conversion.place(bound, 1, 0, follow="AT_SYMLINK_NOFOLLOW" not in flags)
        node = conversion.files.must_exist(place)
    if node is not None:
        _set_owner(conversion, bound, node, 2)


def _set_owner(conversion: Conversion, bound: Bound, node: Node, index: int) -> None:
    owner, group = (number_in(bound.call.arguments[at]) for at in (index, index + 1))
    unchanged = (None, -1, 2**32 - 1)
    conversion.emit(
        bound.call,
        SetOwner,
        inode=node,
        owner=-1 if owner in unchanged else owner,
        group=-1 if group in unchanged else group,
    )


def _attribute(conversion: Conversion, bound: Bound) -> None:
    arguments = bound.call.arguments
    if bound.call.name.startswith("f"):
        node = conversion.file(bound, 0).node
    else:
        follow = not bound.call.name.startswith("l")
        node = conversion.files.must_exist(conversion.place(bound, 0, follow=follow))
    name = string_in(arguments[1])
    if node is None or name is None or not name.startswith(b"user."):
        return
    value = None
    if "set" in bound.call.name:
        value = string_in(arguments[2])
        if value is None:
            raise OutOfOrderError(f"{bound.call.name} was given a value that could not be read")
    conversion.emit(bound.call, SetAttribute, inode=node, name=os.fsdecode(name), value=value)


_SECONDS = re.compile(r"tv_sec=(-?\d+), tv_nsec=(\d+)")


def _utimensat(conversion: Conversion, bound: Bound) -> None:
    arguments = bound.call.arguments
    if arguments[1] == "NULL":
        node = conversion.file(bound, 0).node
    else:
        flags = flags_in(arguments[3]) if len(arguments) > 3 else frozenset[str]()
        node = conversion.files.must_exist(conversion.place(bound, 1, 0, follow="AT_SYMLINK_NOFOLLOW" not in flags))
    if node is None or arguments[2].rstrip("]").endswith("UTIME_OMIT"):
        return
    times = _SECONDS.findall(arguments[2])
    given = len(times) == 2 or (len(times) == 1 and arguments[2].startswith("[UTIME_"))
    time = int(times[-1][0]) * 10**9 + int(times[-1][1]) if given else None
    conversion.emit(bound.call, SetTime, inode=node, time=time)


# what cannot be seen


def _mmap(conversion: Conversion, bound: Bound) -> None:
    flags = flags_in(bound.call.arguments[3])
    file = bound.files.get(4)
    if not flags & {"MAP_SHARED", "MAP_SHARED_VALIDATE"} or file is None or file.node is None or not file.writable:
        return
    start = _result(bound)
    bound.task.memory.mappings.append(Mapping(start, start + _number(bound, 1), file.node))
    if "PROT_WRITE" in flags_in(bound.call.arguments[2]):
        mapped(conversion, file.node)


def _mprotect(conversion: Conversion, bound: Bound) -> None:
    if "PROT_WRITE" not in flags_in(bound.call.arguments[2]):
        return
    start = _number(bound, 0)
    end = start + _number(bound, 1)
    for mapping in bound.task.memory.mappings:
        if mapping.start < end and start < mapping.end:
            mapped(conversion, mapping.node)


def _munmap(_: Conversion, bound: Bound) -> None:
    start = _number(bound, 0)
    end = start + _number(bound, 1)
    memory = bound.task.memory
    memory.mappings = [m for m in memory.mappings if not (start <= m.start and m.end <= end)]


def _mremap(_: Conversion, bound: Bound) -> None:
    old, size, new = _number(bound, 0), _number(bound, 2), _result(bound)
    memory = bound.task.memory
    memory.mappings += [Mapping(new, new + size, m.node) for m in memory.mappings if m.start <= old < m.end]


def mapped(conversion: Conversion, node: Node) -> None:
    """Say that a file can be changed through memory, unless nobody cares for its content."""
    if node.special or node.kind is not Kind.FILE:
        return
    conversion.mapped.append((node, conversion.path_of(node)))


def _io_uring(conversion: Conversion, _: Bound) -> None:
    conversion.not_seen(
        "the program uses io_uring, whose reads and writes no recorder sees; switch it off for the conformance run"
    )


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2"), _write),
    **dict.fromkeys(("read", "readv", "preadv2"), _read),
    "lseek": _lseek,
    "_llseek": _lseek,
    **dict.fromkeys(("truncate", "truncate64"), _truncate),
    **dict.fromkeys(("ftruncate", "ftruncate64"), _ftruncate),
    "fallocate": _fallocate,
    "copy_file_range": _copy_file_range,
    "splice": _splice,
    **dict.fromkeys(("sendfile", "sendfile64"), _sendfile),
    "ioctl": _ioctl,
    **dict.fromkeys(("fsync", "fdatasync"), _fsync),
    **dict.fromkeys(("sync", "syncfs"), _sync),
    "chmod": _chmod,
    "fchmod": _fchmod,
    **dict.fromkeys(("fchmodat", "fchmodat2"), _fchmodat),
    **dict.fromkeys(("chown", "lchown"), _chown),
    "fchown": _fchown,
    "fchownat": _fchownat,
    **dict.fromkeys(("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"), _attribute),
    "utimensat": _utimensat,
    "mmap": _mmap,
    "mprotect": _mprotect,
    "munmap": _munmap,
    "mremap": _mremap,
    "io_uring_setup": _io_uring,
}
