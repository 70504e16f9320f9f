"""Who has which file open, and where in it: the descriptor tables of the recorded processes.

A descriptor names an *open file*, which holds the position and the flags. Descriptors made by dup or inherited by a
child share one open file; threads share a whole table.
"""

import ctypes
import os
import platform
import stat
from dataclasses import dataclass, field

from pytest_tradestore.crash.recorders.modelled_files import Node

_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272}
_KCMP_FILE = 0


@dataclass(eq=False, slots=True)
class OpenFile:
    """One opening of a file. ``node`` is None for pipes, sockets and devices, ``position`` where it is not known."""

    node: Node | None
    position: int | None = 0
    append: bool = False
    durable: bool = False
    """Opened with O_SYNC or O_DSYNC."""
    opening_seen: bool = True
    writable: bool = True


@dataclass(slots=True)
class Descriptor:
    file: OpenFile
    close_on_exec: bool = False


@dataclass(eq=False, slots=True)
class Table:
    """The descriptors of one process."""

    descriptors: dict[int, Descriptor] = field(default_factory=dict)

    def copy(self) -> "Table":
        return Table({number: Descriptor(d.file, d.close_on_exec) for number, d in self.descriptors.items()})

    def close_for_exec(self) -> None:
        self.descriptors = {number: d for number, d in self.descriptors.items() if not d.close_on_exec}

    def close_range(self, first: int, last: int) -> None:
        self.descriptors = {number: d for number, d in self.descriptors.items() if not first <= number <= last}


@dataclass(eq=False, slots=True)
class Surroundings:
    """What relative paths and new files depend on."""

    directory: Node
    umask: int

    def copy(self) -> "Surroundings":
        return Surroundings(self.directory, self.umask)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A shared mapping of a file, which could become writable later."""

    start: int
    end: int
    node: Node


@dataclass(eq=False, slots=True)
class Memory:
    mappings: list[Mapping] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Task:
    """A thread; what it shares with other threads it holds by reference."""

    table: Table
    surroundings: Surroundings
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class OpenedBefore:
    """A descriptor that was open when the recording began."""

    number: int
    identity: tuple[int, int]
    kind: int
    path: str
    position: int
    flags: int
    twin: tuple[int, int] | None
    """(process, number) of an earlier descriptor for the same opening."""


@dataclass(frozen=True, slots=True)
class ProcessBefore:
    """A process as it was when the recording began."""

    process: int
    tasks: tuple[int, ...]
    directory: str
    umask: int
    descriptors: tuple[OpenedBefore, ...]
    shared_mappings: tuple[tuple[int, int], ...] = ()
    """(st_dev, st_ino) of files mapped shared and writable."""


def processes_before(processes: tuple[int, ...]) -> tuple[ProcessBefore, ...]:
    """Read the descriptors and working directory of running processes; one that has ended is left out.

    What they have mapped is asked for apart, by ``shared_mappings``: it takes longer than all the rest.
    """
    found: list[ProcessBefore] = []
    earlier: dict[tuple[tuple[int, int], int, int], list[tuple[int, int]]] = {}
    for process in processes:
        try:
            found.append(_process_before(process, earlier))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return tuple(found)


def _process_before(
    process: int, earlier: dict[tuple[tuple[int, int], int, int], list[tuple[int, int]]]
) -> ProcessBefore:
    descriptors: list[OpenedBefore] = []
    for number in sorted(int(name) for name in os.listdir(f"/proc/{process}/fd")):
        try:
            status = os.stat(f"/proc/{process}/fd/{number}")
            path = os.readlink(f"/proc/{process}/fd/{number}")
            told = _text(f"/proc/{process}/fdinfo/{number}").splitlines()
            facts = dict(line.split(b":\t", 1) for line in told if b":\t" in line)  # an epoll has others
        except FileNotFoundError:
            continue  # the descriptor of the listing itself, or closed by another thread meanwhile
        identity = (status.st_dev, status.st_ino)
        position, flags = int(facts.get(b"pos", b"0")), int(facts.get(b"flags", b"0"), 8)
        twin = None
        if stat.S_ISREG(status.st_mode):
            same = earlier.setdefault((identity, position, flags), [])
            twin = next((other for other in same if _same_opening(process, number, *other)), None)
            same.append((process, number))
        kind = stat.S_IFMT(status.st_mode)
        descriptors.append(OpenedBefore(number, identity, kind, path, position, flags, twin))
    return ProcessBefore(
        process,
        tuple(sorted(int(name) for name in os.listdir(f"/proc/{process}/task"))),
        os.readlink(f"/proc/{process}/cwd"),
        _umask(process),
        tuple(descriptors),
    )


def _text(path: str) -> bytes:
    """Read a small file of the system with as few calls as can be: this process may be traced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def _umask(process: int) -> int:
    for line in _text(f"/proc/{process}/status").splitlines():
        if line.startswith(b"Umask:"):
            return int(line.split()[1], 8)
    return 0o022


def shared_mappings(process: int) -> tuple[tuple[int, int], ...]:
    """Return (st_dev, st_ino) of the files that a process has mapped shared and writable; none if it has ended."""
    found = []
    try:
        with open(f"/proc/{process}/maps", "rb") as file:
            for line in file:
                _, permissions, _, device, inode, *_ = line.split(maxsplit=5)
                if permissions[1:2] == b"w" and permissions[3:4] == b"s" and inode != b"0":
                    major, minor = device.split(b":")
                    found.append((os.makedev(int(major, 16), int(minor, 16)), int(inode)))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ()
    return tuple(found)


def _same_opening(process: int, number: int, other_process: int, other_number: int) -> bool:
    """Ask the kernel whether two descriptors share one opening; where it cannot be asked they count as different."""
    call = _KCMP.get(platform.machine())
    if call is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_long(n) for n in (call, process, other_process, _KCMP_FILE, number, other_number)]
    return int(libc.syscall(*arguments)) == 0
