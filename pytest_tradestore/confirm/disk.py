"""A disk of which every write and every flush is known: one file of a FUSE file system, below a loop device.

The protocol is spoken here, as far as a loop device needs it, in a process of its own. What arrives and what is
answered is numbered in one order; a program that runs on the disk reads the number that comes next.
"""

import errno
import heapq
import mmap
import os
import pickle
import random
import select
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep

from pytest_tradestore.confirm import system

BLOCK = 4096
_LARGEST = 1 << 20
_IN_HEADER = 40


@dataclass(frozen=True, slots=True)
class Request:
    """A write (``data``) or a flush (None), with the numbers of its arrival and of its answer (None: not answered)."""

    offset: int
    data: bytes | None
    arrived: int
    answered: int | None


@dataclass(frozen=True, slots=True)
class Hesitation:
    """How a disk takes its time: the share of writes that are answered late, and the longest delay in seconds."""

    share: float = 0.0
    longest: float = 0.0
    seed: int = 0


class Clock:
    """The number of whatever comes next, counted in one process and read in others that were forked from its maker.

    It is set by one store of a word. ``struct.pack_into`` empties the place first: whoever reads just then is back at
    the beginning, and all that a power loss could have left until now counts as what it can leave from now on.
    """

    def __init__(self) -> None:
        self._word = memoryview(mmap.mmap(-1, BLOCK)).cast("Q")

    def now(self) -> int:
        """Return the number that comes next."""
        return self._word[0]

    def tick(self) -> int:
        """Return the number that has come, and go on."""
        number = self._word[0]
        self._word[0] = number + 1
        return number

    def restart(self) -> None:
        """Begin at 0 again."""
        self._word[0] = 0


class _Server:
    """Serves the file; lives in a process of its own."""

    def __init__(self, fuse: int, orders: int, file: int, clock: Clock) -> None:
        self.fuse, self.orders, self.file, self.clock = fuse, orders, file, clock
        self.size = os.fstat(file).st_size
        self.log: list[list[object]] | None = None
        self.late: list[tuple[float, int, list[object], int, bytes]] = []
        self.hesitation = Hesitation()
        self.random = random.Random(0)  # noqa: S311 - a reproducible choice, no secret

    def run(self) -> None:
        poll = select.poll()
        poll.register(self.fuse, select.POLLIN)
        poll.register(self.orders, select.POLLIN)
        while True:
            wait = max(0.0, (self.late[0][0] - monotonic()) * 1000) if self.late else None
            for descriptor, _ in poll.poll(wait):
                if not (self.serve_all() if descriptor == self.fuse else self.obey()):
                    return
            while self.late and self.late[0][0] <= monotonic():
                _, _, event, unique, payload = heapq.heappop(self.late)
                self.answer(event, unique, payload)

    def obey(self) -> bool:
        order = os.read(self.orders, 1 << 16)
        if not order:
            return False
        what = pickle.loads(order)  # noqa: S301 - from the process that started this one
        if isinstance(what, Hesitation):
            self.hesitation, self.random, self.log = what, random.Random(what.seed), []  # noqa: S311 - as above
            self.clock.restart()
            os.write(self.orders, b".")
        else:
            self.hesitation = Hesitation()
            out = pickle.dumps([Request(*event) for event in self.log or ()])  # type: ignore[arg-type]
            self.log = None
            os.write(self.orders, struct.pack("<Q", len(out)))
            view = memoryview(out)
            while view:
                view = view[os.write(self.orders, view[: 1 << 16]) :]
        return True

    def serve_all(self) -> bool:
        for _ in range(64):
            try:
                request = os.read(self.fuse, _LARGEST + 4096)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return False
                if error.errno not in (errno.EINTR, errno.ENOENT):
                    raise
            else:
                self.serve(request)
        return True

    def reply(self, unique: int, payload: bytes = b"", error: int = 0) -> None:
        with suppress(FileNotFoundError):  # whoever asked has been interrupted
            os.write(self.fuse, struct.pack("<IiQ", 16 + len(payload), -error, unique) + payload)

    def answer(self, event: list[object], unique: int, payload: bytes) -> None:
        event[3] = self.clock.tick()
        self.reply(unique, payload)

    def noted(self, offset: int, data: bytes | None, unique: int, payload: bytes) -> None:
        if self.log is None:
            self.reply(unique, payload)
            return
        event: list[object] = [offset, data, self.clock.tick(), None]
        self.log.append(event)
        if data is not None and self.random.random() < self.hesitation.share:
            when = monotonic() + self.random.random() * self.hesitation.longest
            heapq.heappush(self.late, (when, len(self.log), event, unique, payload))
        else:
            self.answer(event, unique, payload)

    def attributes(self, node: int) -> bytes:
        mode, size = (stat.S_IFDIR | 0o700, 0) if node == 1 else (stat.S_IFREG | 0o600, self.size)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, BLOCK, 0)

    def serve(self, request: bytes) -> None:
        _, operation, unique, node = struct.unpack_from("<IIQQ", request)
        match operation:
            case 1 if request[_IN_HEADER:].split(b"\0")[0] == b"disk":  # LOOKUP
                self.reply(unique, struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + self.attributes(2))
            case 1:
                self.reply(unique, error=errno.ENOENT)
            case 3:  # GETATTR
                self.reply(unique, struct.pack("<QII", 3600, 0, 0) + self.attributes(node))
            case 14:  # OPEN, past the page cache
                self.reply(unique, struct.pack("<QII", 0, 1, 0))
            case 15:  # READ
                _, offset, size = struct.unpack_from("<QQI", request, _IN_HEADER)
                self.reply(unique, os.pread(self.file, size, offset))
            case 16:  # WRITE
                _, offset, size = struct.unpack_from("<QQI", request, _IN_HEADER)
                data = request[_IN_HEADER + 40 : _IN_HEADER + 40 + size]
                os.pwrite(self.file, data, offset)
                self.noted(offset, data, unique, struct.pack("<II", size, 0))
            case 20:  # FSYNC: a flush
                self.noted(0, None, unique, b"")
            case 26:  # INIT
                _, minor, ahead, flags = struct.unpack_from("<IIII", request, _IN_HEADER)
                wanted = flags & (1 | 1 << 5 | 1 << 15 | 1 << 22)
                limits = struct.pack("<HHIIHHI", 64, 48, _LARGEST, 1, _LARGEST // BLOCK, 0, 0)
                self.reply(unique, struct.pack("<IIII", 7, min(minor, 38), ahead, wanted) + limits + bytes(28))
            case 17:  # STATFS
                self.reply(unique, struct.pack("<5Q3I", 1 << 20, 1 << 20, 1 << 20, 1, 1, BLOCK, 255, BLOCK) + bytes(28))
            case 18 | 25 | 29:  # RELEASE, FLUSH, RELEASEDIR
                self.reply(unique)
            case 2 | 36 | 42:  # FORGET, INTERRUPT, BATCH_FORGET are not answered
                pass
            case _:
                self.reply(unique, error=errno.ENOSYS)


class RecordedDisk:
    """The other end: a file in memory that holds what the disk holds, and the log of what it was asked."""

    def __init__(self, file: int, clock: Clock, orders: int, device: str) -> None:
        self.file, self.device = file, device
        self._clock, self._orders = clock, orders

    def now(self) -> int:
        """Return the number that the next arrival or answer will have."""
        return self._clock.now()

    def begin(self, hesitation: Hesitation) -> None:
        """Write down from now on what is asked."""
        os.write(self._orders, pickle.dumps(hesitation))
        os.read(self._orders, 1)

    def end(self) -> Sequence[Request]:
        """Stop writing down; return what was."""
        os.write(self._orders, pickle.dumps("end"))
        (size,) = struct.unpack("<Q", os.read(self._orders, 8))
        out = bytearray()
        while len(out) < size:
            out += os.read(self._orders, min(1 << 16, size - len(out)))
        found: Sequence[Request] = pickle.loads(out)  # noqa: S301 - from our own child process
        return found


@contextmanager
def recorded_disk(size: int, directory: str) -> Iterator[RecordedDisk]:
    """Make a recorded disk of ``size`` bytes; ``directory`` is for its mount point."""
    import socket

    place = f"{directory}/fuse"
    os.mkdir(place)
    clock = Clock()
    file = os.memfd_create("disk")
    os.truncate(file, size)
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    ours, theirs = socket.socketpair()
    system.mount("disk", place, "fuse", f"fd={fuse},rootmode=40000,user_id=0,group_id=0,max_read={_LARGEST}", 6)
    child = os.fork()
    if not child:
        try:
            system.end_with_parent()
            system.leave_mounts(place, directory)
            ours.close()
            _Server(fuse, theirs.fileno(), file, clock).run()
        finally:
            os._exit(0)
    os.close(fuse)
    theirs.close()
    try:
        with system.loop_device(f"{place}/disk", direct=True) as device:
            yield RecordedDisk(file, clock, ours.fileno(), device)
    finally:
        for _ in range(100):  # the loop device lets go of its file a little later
            try:
                system.unmount(place)
                break
            except OSError:
                sleep(0.02)
        ours.close()
        os.close(file)
        os.waitpid(child, 0)
