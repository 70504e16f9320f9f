"""Calls that change names and descriptors: open, rename, link, unlink, mkdir, dup, chdir, clone, execve and others."""

import re

from pytest_tradestore.crash.operations import Create, Kind, Link, Rename, Unlink
from pytest_tradestore.crash.recorders.conversion import Bound, Conversion
from pytest_tradestore.crash.recorders.data_calls import Handler, set_size
from pytest_tradestore.crash.recorders.descriptors import Memory, OpenFile, Surroundings, Table, Task
from pytest_tradestore.crash.recorders.modelled_files import Node, OutOfOrderError, Place
from pytest_tradestore.crash.recorders.strace_log import flags_in, number_in, path_in

# opening


def _open(conversion: Conversion, bound: Bound) -> None:
    _opened(conversion, bound, 0, None, bound.call.arguments[1], _argument(bound, 2))


def _creat(conversion: Conversion, bound: Bound) -> None:
    _opened(conversion, bound, 0, None, "O_WRONLY|O_CREAT|O_TRUNC", _argument(bound, 1))


def _openat(conversion: Conversion, bound: Bound) -> None:
    _opened(conversion, bound, 1, 0, bound.call.arguments[2], _argument(bound, 3))


def _openat2(conversion: Conversion, bound: Bound) -> None:
    how = bound.call.arguments[2]
    flags = re.search(r"flags=([A-Z_|0-9a-zx]+)", how)
    mode = re.search(r"mode=(\d+)", how)
    if "RESOLVE_IN_ROOT" in how:
        raise OutOfOrderError("openat2 was asked to resolve a path in a root of its own")
    _opened(conversion, bound, 1, 0, flags[1] if flags else "", mode[1] if mode else "0")


def _argument(bound: Bound, index: int) -> str:
    return bound.call.arguments[index] if len(bound.call.arguments) > index else "0"


def _mode(bound: Bound, text: str) -> int:
    return (number_in(text) or 0) & 0o7777 & ~bound.task.surroundings.umask


def _opened(
    conversion: Conversion, bound: Bound, path_index: int, directory_index: int | None, flag_text: str, mode_text: str
) -> None:
    flags = flags_in(flag_text)
    exclusive = {"O_CREAT", "O_EXCL"} <= flags
    place = conversion.place(
        bound, path_index, directory_index, follow=not exclusive and not {"O_NOFOLLOW", "O_TMPFILE"} & flags
    )
    mode = _mode(bound, mode_text)
    if "O_TMPFILE" in flags:
        node = conversion.files.new(Kind.FILE, mode)
        conversion.emit(bound.call, Create, inode=node, kind=Kind.FILE, entry=None, mode=mode)
    elif place.name == "" or (place.node is not None and not exclusive):
        node = conversion.files.must_exist(place)
        if "O_TRUNC" in flags and node.kind is Kind.FILE:
            set_size(conversion, bound, node, 0)
    elif exclusive or "O_CREAT" in flags:
        _must_be_free(place)
        node = _create(conversion, bound, place, Kind.FILE, mode)
    else:
        node = conversion.files.must_exist(place)
    file = OpenFile(
        None if node.special else node,
        append="O_APPEND" in flags,
        durable=bool(flags & {"O_SYNC", "O_DSYNC"}),
        writable="O_RDWR" in flags,
    )
    conversion.open_descriptor(bound, bound.call.result, file, close_on_exec="O_CLOEXEC" in flags)


def _must_be_free(place: Place) -> None:
    if place.node is not None and place.node.number and place.name in place.directory.entries:
        known_only_from_disk = place.directory.on_disk is not None and place.node.before
        if not known_only_from_disk:
            raise OutOfOrderError(f"{place.name!r} exists already")


def _create(conversion: Conversion, bound: Bound, place: Place, kind: Kind, mode: int, target: str = "") -> Node:
    node = conversion.files.new(kind, mode, target)
    node.parent = place.directory if kind is Kind.DIRECTORY else None
    conversion.emit(
        bound.call, Create, inode=node, kind=kind, entry=(place.directory, place.name), mode=mode, target=target
    )
    conversion.files.attach(place.directory, place.name, node)
    return node


# names


def _make(conversion: Conversion, bound: Bound, place: Place, kind: Kind, mode: int, target: str = "") -> Node:
    if place.name == "":
        raise OutOfOrderError(f"{bound.call.name} was given a name that exists")
    _must_be_free(place)
    return _create(conversion, bound, place, kind, mode, target)


def _mkdir(conversion: Conversion, bound: Bound) -> None:
    place = conversion.place(bound, 0, follow=False)
    _make(conversion, bound, place, Kind.DIRECTORY, _mode(bound, _argument(bound, 1)))


def _mkdirat(conversion: Conversion, bound: Bound) -> None:
    place = conversion.place(bound, 1, 0, follow=False)
    _make(conversion, bound, place, Kind.DIRECTORY, _mode(bound, _argument(bound, 2)))


def _mknod(conversion: Conversion, bound: Bound) -> None:
    _make_special(conversion, bound, conversion.place(bound, 0, follow=False), _argument(bound, 1))


def _mknodat(conversion: Conversion, bound: Bound) -> None:
    _make_special(conversion, bound, conversion.place(bound, 1, 0, follow=False), _argument(bound, 2))


def _make_special(conversion: Conversion, bound: Bound, place: Place, mode: str) -> None:
    permissions = mode.rpartition("|")[2]
    node = _make(conversion, bound, place, Kind.FILE, _mode(bound, permissions))
    node.special = mode.startswith("S_IF") and not mode.startswith("S_IFREG")


def _symlink(conversion: Conversion, bound: Bound) -> None:
    _link_softly(conversion, bound, conversion.place(bound, 1, follow=False))


def _symlinkat(conversion: Conversion, bound: Bound) -> None:
    _link_softly(conversion, bound, conversion.place(bound, 2, 1, follow=False))


def _link_softly(conversion: Conversion, bound: Bound, place: Place) -> None:
    target = path_in(bound.call.arguments[0])
    if target is None:
        raise OutOfOrderError("the target of a symlink could not be read")
    _make(conversion, bound, place, Kind.SYMLINK, 0o777, target)


def _link(conversion: Conversion, bound: Bound) -> None:
    node = conversion.files.must_exist(conversion.place(bound, 0, follow=False))
    _one_more_name(conversion, bound, node, conversion.place(bound, 1, follow=False))


def _linkat(conversion: Conversion, bound: Bound) -> None:
    flags = flags_in(_argument(bound, 4))
    if "AT_EMPTY_PATH" in flags and bound.call.arguments[1] == '""':
        known = conversion.file(bound, 0).node
        if known is None:
            raise OutOfOrderError("linkat was given a descriptor whose file is not known")
        node = known
    else:
        node = conversion.files.must_exist(conversion.place(bound, 1, 0, follow="AT_SYMLINK_FOLLOW" in flags))
    _one_more_name(conversion, bound, node, conversion.place(bound, 3, 2, follow=False))


def _one_more_name(conversion: Conversion, bound: Bound, node: Node, place: Place) -> None:
    _must_be_free(place)
    conversion.emit(bound.call, Link, inode=node, entry=(place.directory, place.name))
    conversion.files.attach(place.directory, place.name, node)


def _unlink(conversion: Conversion, bound: Bound) -> None:
    _remove(conversion, bound, conversion.place(bound, 0, follow=False))


def _unlinkat(conversion: Conversion, bound: Bound) -> None:
    _remove(conversion, bound, conversion.place(bound, 1, 0, follow=False))


def _remove(conversion: Conversion, bound: Bound, place: Place) -> None:
    node = conversion.files.must_exist(place)
    removes_directory = bound.call.name == "rmdir" or "AT_REMOVEDIR" in flags_in(_argument(bound, 2))
    if removes_directory and node.kind is Kind.DIRECTORY and conversion.files.entries_of(node):
        raise OutOfOrderError(f"{place.name!r} is not empty")
    conversion.emit(bound.call, Unlink, inode=node, entry=(place.directory, place.name))
    conversion.files.detach(place.directory, place.name)


def _rename(conversion: Conversion, bound: Bound) -> None:
    source, target = conversion.place(bound, 0, follow=False), conversion.place(bound, 1, follow=False)
    _move(conversion, bound, source, target, frozenset())


def _renameat(conversion: Conversion, bound: Bound) -> None:
    source, target = conversion.place(bound, 1, 0, follow=False), conversion.place(bound, 3, 2, follow=False)
    _move(conversion, bound, source, target, flags_in(_argument(bound, 4)))


def _move(conversion: Conversion, bound: Bound, source: Place, target: Place, flags: frozenset[str]) -> None:
    files = conversion.files
    node = files.must_exist(source)
    exchange = "RENAME_EXCHANGE" in flags
    other = files.must_exist(target) if exchange else target.node
    if "RENAME_NOREPLACE" in flags:
        _must_be_free(target)
    if other is node:
        return  # two names of one file: POSIX says that nothing happens
    if not exchange and other is not None and other.kind is Kind.DIRECTORY and files.entries_of(other):
        raise OutOfOrderError(f"{target.name!r} is not empty")
    conversion.emit(
        bound.call,
        Rename,
        inode=node,
        source=(source.directory, source.name),
        target=(target.directory, target.name),
        replaced=other,
        exchange=exchange,
    )
    if exchange and other is not None:
        files.attach(source.directory, source.name, other)
    else:
        files.detach(source.directory, source.name)
    files.attach(target.directory, target.name, node)


# descriptors


def _dup(conversion: Conversion, bound: Bound) -> None:
    conversion.open_descriptor(bound, bound.call.result, conversion.file(bound, 0), close_on_exec=False)


def _dup2(conversion: Conversion, bound: Bound) -> None:
    if number_in(bound.call.arguments[0].partition("<")[0]) == bound.call.result:
        return  # onto itself: nothing changes, its flags neither
    closes = "O_CLOEXEC" in _argument(bound, 2)
    conversion.open_descriptor(bound, bound.call.result, conversion.file(bound, 0), close_on_exec=closes)


def _fcntl(conversion: Conversion, bound: Bound) -> None:
    command = _argument(bound, 1)
    file = bound.files.get(0)
    if file is None:
        return
    if command in ("F_DUPFD", "F_DUPFD_CLOEXEC"):
        conversion.open_descriptor(bound, bound.call.result, file, close_on_exec=command.endswith("CLOEXEC"))
    elif command == "F_SETFL":
        file.append = "O_APPEND" in flags_in(_argument(bound, 2))
    elif command == "F_SETFD":
        number = number_in(bound.call.arguments[0].partition("<")[0])
        descriptor = bound.task.table.descriptors.get(number) if number is not None else None
        if descriptor is not None:
            descriptor.close_on_exec = "FD_CLOEXEC" in _argument(bound, 2)


def close(_: Conversion, bound: Bound) -> None:
    """Free a descriptor; the number is free from the call's beginning on, so this is not left until it returns."""
    number = number_in(bound.call.arguments[0].partition("<")[0])
    if number is not None:
        bound.task.table.descriptors.pop(number, None)


def close_range(_: Conversion, bound: Bound) -> None:
    """Free many descriptors, or arrange that execve does."""
    first, last = (number_in(_argument(bound, index).partition("<")[0]) for index in (0, 1))
    if first is None or last is None:
        return
    flags = flags_in(_argument(bound, 2))
    if "CLOSE_RANGE_UNSHARE" in flags:
        bound.task.table = bound.task.table.copy()
    if "CLOSE_RANGE_CLOEXEC" in flags:
        for number, descriptor in bound.task.table.descriptors.items():
            if first <= number <= last:
                descriptor.close_on_exec = True
    else:
        bound.task.table.close_range(first, last)


# processes


def clone(conversion: Conversion, bound: Bound) -> None:
    """Give a new task its tables; done when the call begins, because the child may be seen before the call returns."""
    text = "" if bound.call.name in ("fork", "vfork") else ", ".join(bound.call.arguments)
    found = re.search(r"flags=([A-Z_|0-9a-zx]+)", text)
    flags = flags_in(found[1]) if found else frozenset[str]()
    parent = bound.task
    child = Task(
        parent.table if "CLONE_FILES" in flags else parent.table.copy(),
        parent.surroundings if "CLONE_FS" in flags else parent.surroundings.copy(),
        parent.memory if "CLONE_VM" in flags else Memory(list(parent.memory.mappings)),
    )
    if bound.call.result is not None and bound.call.result > 0:
        conversion.tasks[bound.call.result] = child


def _execve(_: Conversion, bound: Bound) -> None:
    table = bound.task.table.copy()  # no longer shared with anybody
    table.close_for_exec()
    bound.task.table = table
    bound.task.memory = Memory()


def _unshare(_: Conversion, bound: Bound) -> None:
    flags = flags_in(_argument(bound, 0))
    if "CLONE_FILES" in flags:
        bound.task.table = Table(dict(bound.task.table.copy().descriptors))
    if "CLONE_FS" in flags:
        bound.task.surroundings = bound.task.surroundings.copy()


def _chdir(conversion: Conversion, bound: Bound) -> None:
    _enter(bound.task.surroundings, conversion.files.must_exist(conversion.place(bound, 0)))


def _fchdir(conversion: Conversion, bound: Bound) -> None:
    node = conversion.file(bound, 0).node
    if node is not None:
        _enter(bound.task.surroundings, node)


def _enter(surroundings: Surroundings, node: Node) -> None:
    surroundings.directory = node


def _umask(_: Conversion, bound: Bound) -> None:
    bound.task.surroundings.umask = number_in(_argument(bound, 0)) or 0


def _other_root(conversion: Conversion, bound: Bound) -> None:
    conversion.not_seen(f"a process called {bound.call.name}, after which paths no longer mean what they meant before")


HANDLERS: dict[str, Handler] = {
    "open": _open,
    "creat": _creat,
    "openat": _openat,
    "openat2": _openat2,
    "mkdir": _mkdir,
    "mkdirat": _mkdirat,
    "mknod": _mknod,
    "mknodat": _mknodat,
    "symlink": _symlink,
    "symlinkat": _symlinkat,
    "link": _link,
    "linkat": _linkat,
    "unlink": _unlink,
    "rmdir": _unlink,
    "unlinkat": _unlinkat,
    "rename": _rename,
    **dict.fromkeys(("renameat", "renameat2"), _renameat),
    "dup": _dup,
    **dict.fromkeys(("dup2", "dup3"), _dup2),
    **dict.fromkeys(("fcntl", "fcntl64"), _fcntl),
    **dict.fromkeys(("execve", "execveat"), _execve),
    "unshare": _unshare,
    "chdir": _chdir,
    "fchdir": _fchdir,
    "umask": _umask,
    **dict.fromkeys(("chroot", "pivot_root", "mount", "umount2"), _other_root),
}

AT_THE_BEGINNING: dict[str, Handler] = {
    "close": close,
    "close_range": close_range,
    **dict.fromkeys(("clone", "clone3", "fork", "vfork"), clone),
}
"""Calls whose effect is there before they return."""
