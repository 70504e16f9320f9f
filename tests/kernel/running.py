"""Programs run together on a recorded disk, and what each power loss would have left of every one of them.

A recording: the disk is made, the programs' trees are prepared and settled; then their calls are played, interleaved
at random, while a schedule lets pages be written and journals be committed between them. Afterwards each loss is laid
over the disk as it was before, mounted, so that the file system recovers, and read.
"""

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter

from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind, Mark, Moment
from pytest_tradestore.crash.states import Window
from pytest_tradestore.crash.trace import replay
from tests.kernel import system
from tests.kernel.losses import Loss
from tests.kernel.playing import Playing, prepare
from tests.kernel.programs import Program
from tests.kernel.recorded import Hesitation, RecordedDisk, Request, recorded_disk

SCHEDULES = ("calls only", "journal", "pages", "pages and journal")
_CHUNK = 1 << 16
_LOOKS = {"ext4": "", "xfs": "nouuid", "btrfs": ""}


class Extents:
    """What a disk holds, without its zeros; ``file`` is a descriptor of a file in memory."""

    def __init__(self, file: int) -> None:
        self._size = os.fstat(file).st_size
        self._parts: list[tuple[int, bytes]] = []
        at = 0
        while at < self._size:
            try:
                start = os.lseek(file, at, os.SEEK_DATA)
            except OSError:  # nothing but a hole from here on
                break
            at = os.lseek(file, start, os.SEEK_HOLE)
            for begin in range(start, at, _CHUNK):
                chunk = os.pread(file, min(_CHUNK, at - begin), begin)
                if chunk.count(0) != len(chunk):
                    self._parts.append((begin, chunk))

    def restore(self, file: int) -> None:
        """Make a file hold this, and zeros elsewhere."""
        os.truncate(file, 0)
        os.truncate(file, self._size)
        for at, chunk in self._parts:
            os.pwrite(file, chunk, at)


@dataclass
class Clocked:
    """A program with the window that it was in from each number of the disk's clock on."""

    program: Program
    since: list[tuple[int, Window]]

    def windows(self, loss: Loss) -> Iterator[Window]:
        """Yield the windows in which the program can have been when the power went."""
        ends = [since for since, _ in self.since[1:]] + [1 << 62]
        for (since, window), end in zip(self.since, ends, strict=True):
            if max(since, loss.first) <= min(end, loss.last):
                yield window


@dataclass
class Times:
    """Seconds spent, and states looked at."""

    recording: float = 0.0
    laying: float = 0.0
    mounting: float = 0.0
    reading: float = 0.0
    unmounting: float = 0.0
    judging: float = 0.0
    states: int = 0


class Bench:
    """A file system to run programs on: one disk that is recorded, and one to lay losses on."""

    def __init__(self, filesystem: str, directory: str, disk: RecordedDisk, view: tuple[int, str]) -> None:
        self.filesystem, self._disk = filesystem, disk
        self._file, self._device = view
        self._top = f"{directory}/top"
        os.mkdir(self._top)
        subprocess.run(
            [*system.MAKE[filesystem], f"/proc/self/fd/{self._file}"],
            check=True,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._file],
        )
        self._fresh = Extents(self._file)
        self.times = Times()

    def record(
        self, programs: Sequence[Program], schedule: str, options: str, rng: random.Random
    ) -> tuple[Extents, Sequence[Request], list[Clocked]]:
        """Run programs; return the disk before, what it was asked, and when each program was where."""
        began = perf_counter()
        self._fresh.restore(self._file)
        roots = [f"{self._top}/{number}" for number in range(len(programs))]
        with self._mounted(self._device, options):
            for program, root in zip(programs, roots, strict=True):
                os.mkdir(root)
                prepare(program.trace.initial, root)
            with open(f"{self._top}/other", "wb"):
                pass
        Extents(self._file).restore(self._disk.file)
        system.forget_cached(self._disk.device)
        with self._mounted(self._disk.device, options):
            system.sync_filesystem(self._top)
            before = Extents(self._disk.file)  # mounting has marked it as in use: only so will it recover
            hesitation = Hesitation(0.4, 0.01, rng.randrange(1 << 30)) if rng.random() < 0.4 else Hesitation()
            self._disk.begin(hesitation)
            clocked = self._play(programs, roots, schedule, rng)
            for program, root in zip(programs, roots, strict=True):
                if _image(root) != _end_of(program):
                    raise RuntimeError(f"{program.name} did not do on {self.filesystem} what its trace says")
            if rng.random() < 0.7:
                system.sync_filesystem(self._top)
            log = self._disk.end()
        self.times.recording += perf_counter() - began
        return before, log, clocked

    @contextmanager
    def _mounted(self, device: str, options: str, flags: int = 0) -> Iterator[None]:
        system.mount(device, self._top, self.filesystem, options, flags)
        try:
            yield
        finally:
            system.unmount(self._top)

    def _play(self, programs: Sequence[Program], roots: list[str], schedule: str, rng: random.Random) -> list[Clocked]:
        clocked = [Clocked(program, [(0, Window(-1, -1))]) for program in programs]
        playing = [Playing(p.trace, root, holds=rng.random() < 0.5) for p, root in zip(programs, roots, strict=True)]
        waiting = [(n, p.steps()) for n, p in enumerate(playing)]
        width = rng.choice((1, 2, 4, len(programs)))
        active = [waiting.pop(0) for _ in range(min(width, len(waiting)))]
        try:
            while active:
                at = rng.randrange(len(active)) if rng.random() < 0.5 else 0
                number, steps = active[at]
                operation = next(steps, None)
                if operation is None:
                    active.pop(at)
                    if waiting:
                        active.append(waiting.pop(0))
                elif isinstance(operation, Mark):
                    _note(clocked[number].since, operation, self._disk.now())
                else:
                    self._between(schedule, roots[number], rng)
        finally:
            for played in playing:
                played.close()
        return clocked

    def _between(self, schedule: str, root: str, rng: random.Random) -> None:
        """Let the kernel do between two calls what it does at times of its own."""
        slow = self.filesystem == "btrfs"
        if "pages" in schedule and rng.random() < 0.35:
            files = [os.path.join(d, f) for d, _, names in os.walk(root) for f in names]
            if files:
                start, length = rng.choice(((0, 0), (0, 0), (0, 4096), (4096, 4096), (8192, 4096)))
                with suppress(OSError):
                    system.write_back(rng.choice(files), start, length, wait=rng.random() < 0.5)
        if "journal" in schedule and rng.random() < (0.08 if slow else 0.25):
            self._commit(rng)

    def _commit(self, rng: random.Random) -> None:
        if self.filesystem == "btrfs" and rng.random() < 0.5:
            system.begin_transaction_commit(self._top)
            return
        other = os.open(f"{self._top}/other", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(other, b".")
            os.fsync(other)
        finally:
            os.close(other)

    def left(
        self, before: Extents, log: Sequence[Request], losses: Sequence[Loss], count: int
    ) -> Iterator[tuple[Loss, list[DurableImage | None]]]:
        """Yield for each loss what is left of ``count`` programs; None for one that cannot be read."""
        for loss in losses:
            began = perf_counter()
            system.forget_cached(self._device)
            before.restore(self._file)
            for n in loss.arrived:
                request = log[n]
                assert request.data is not None
                os.pwrite(self._file, request.data, request.offset)
            laid = perf_counter()
            system.mount(self._device, self._top, self.filesystem, _LOOKS[self.filesystem], system.READ_ONLY)
            mounted = perf_counter()
            try:
                images = [_image(f"{self._top}/{number}") for number in range(count)]
                read = perf_counter()
            finally:
                system.unmount(self._top)
            done = perf_counter()
            times = self.times
            times.laying += laid - began
            times.mounting += mounted - laid
            times.reading += read - mounted
            times.unmounting += done - read
            times.states += 1
            yield loss, images


def _end_of(program: Program) -> DurableImage:
    """Return the tree that a program leads to when nothing is lost."""
    tree = replay(program.trace)
    nodes = tree.nodes
    return DurableImage(
        tuple(
            ImageFile(path, nodes[inode].kind, 0o644, bytes(nodes[inode].content), nodes[inode].target, inode)
            for path, inode in tree.walk()
        )
    )


def _note(since: list[tuple[int, Window]], mark: Mark, now: int) -> None:
    last = since[-1][1]
    if mark.moment is Moment.INVOKED:
        since.append((now, Window(last.acknowledged, mark.update)))
    else:
        since.append((now, Window(mark.update, last.invoked)))


def _image(root: str) -> DurableImage | None:
    """Read a tree, names in order and parents first; None where the file system refuses."""
    files: list[ImageFile] = []
    known: dict[int, Inode] = {}

    def walk(directory: str, prefix: str) -> None:
        for entry in sorted(os.scandir(directory), key=lambda e: e.name):
            inode = known.setdefault(entry.inode(), Inode(len(known)))
            path = prefix + entry.name
            if entry.is_symlink():
                files.append(ImageFile(path, Kind.SYMLINK, 0o777, b"", os.readlink(entry.path), inode))
            elif entry.is_dir():
                files.append(ImageFile(path, Kind.DIRECTORY, 0o755, b"", "", inode))
                walk(entry.path, path + "/")
            else:
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    content = os.read(descriptor, 1 << 20)
                finally:
                    os.close(descriptor)
                files.append(ImageFile(path, Kind.FILE, 0o644, content, "", inode))

    try:
        walk(root, "")
    except OSError:
        return None
    return DurableImage(tuple(files))


@contextmanager
def bench(filesystem: str, directory: str) -> Iterator[Bench]:
    """Make a bench in ``directory``; the caller has mounts of its own."""
    size = system.SIZES[filesystem]
    with ExitStack() as stack:
        disk = stack.enter_context(recorded_disk(size, directory))
        file = os.memfd_create("view")
        stack.callback(os.close, file)
        os.truncate(file, size)
        device = stack.enter_context(system.loop_device(f"/proc/self/fd/{file}", direct=False))
        yield Bench(filesystem, directory, disk, (file, device))
