"""A real file system on a disk that is written down, and what each power loss would have left on it.

A recording: the disk is made, the trees that programs begin with are prepared and settled, and then somebody plays.
Afterwards each loss is laid over the disk as it was before, mounted, so that the file system recovers, and read. What
is played, and what the kernel is made to write meanwhile, is the caller's business, and so is what the trees mean.
"""

import os
import stat
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter, process_time

from pytest_tradestore.confirm import system
from pytest_tradestore.confirm.disk import Hesitation, RecordedDisk, Request, recorded_disk
from pytest_tradestore.confirm.losses import Loss
from pytest_tradestore.confirm.needs import MAKE
from pytest_tradestore.confirm.playing import prepare
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.images import THE_ROOT, DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind, Mark, MarkKind
from pytest_tradestore.crash.trace import Snapshot, attributes_of

_CHUNK = 1 << 16
_LOOKS = {"ext4": "", "xfs": "nouuid", "btrfs": ""}
_NEVER = 1 << 62
_CROWD = 200
"""More names than btrfs lets wait in memory (128) before it begins to put them into trees."""


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


@dataclass(frozen=True)
class Recording:
    """The disk as it was before, and what it was asked from then on."""

    before: Extents
    log: Sequence[Request]


class Course:
    """In which window of its workload a program was, from which number of the disk's clock on."""

    def __init__(self) -> None:
        self._since: list[tuple[int, Window]] = [(0, Window(-1, -1))]

    @property
    def window(self) -> Window:
        """The window that the program is in now."""
        return self._since[-1][1]

    def note(self, mark: Mark, now: int) -> None:
        """Take note that a call began or returned.

        Raises RuntimeError where the clock has gone back: what was left before would count as left afterwards.
        """
        before, last = self._since[-1]
        if now < before:
            raise RuntimeError(f"the clock of the recorded disk went back from {before} to {now}")
        if mark.moment is MarkKind.INVOKED:
            self._since.append((now, Window(last.acknowledged, mark.update)))
        else:
            self._since.append((now, Window(mark.update, last.invoked)))

    def windows(self, loss: Loss) -> Iterator[Window]:
        """Yield the windows in which the program can have been when the power went."""
        ends = [since for since, _ in self._since[1:]] + [_NEVER]
        for (since, window), end in zip(self._since, ends, strict=True):
            if max(since, loss.first) <= min(end, loss.last):
                yield window


class Times:
    """What was spent on each part of the work, in seconds of the clock and of processor time, and states looked at.

    Processor time is that of this process, the kernel's work for it included, but not that of the recorded disk.
    """

    def __init__(self) -> None:
        self.clock: defaultdict[str, float] = defaultdict(float)
        self.processor: defaultdict[str, float] = defaultdict(float)
        self.states = 0

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is spent until the end of the block."""
        clock, processor = perf_counter(), process_time()
        try:
            yield
        finally:
            self.clock[part] += perf_counter() - clock
            self.processor[part] += process_time() - processor

    def add(self, other: "Times") -> None:
        """Count what somebody else spent, too."""
        for part in other.clock:
            self.clock[part] += other.clock[part]
            self.processor[part] += other.processor[part]
        self.states += other.states


class Rig:
    """One file system with two disks: one that is recorded, and one to lay losses on."""

    def __init__(self, filesystem: str, directory: str, disk: RecordedDisk, view: tuple[int, str]) -> None:
        self.filesystem, self._disk = filesystem, disk
        self._file, self._device = view
        self.top = f"{directory}/top"
        os.mkdir(self.top)
        self.times = Times()
        self.unmountable = 0
        self._crowds = 0
        with self.times.of("making"):
            _made(filesystem, self._file)
        self._fresh = Extents(self._file)

    def now(self) -> int:
        """Return the number that the disk's clock shows."""
        return self._disk.now()

    def record(
        self,
        trees: Sequence[Snapshot],
        play: Callable[[Sequence[str]], None],
        options: str = "",
        hesitation: Hesitation = Hesitation(),  # noqa: B008 - frozen
        flags: int = 0,
    ) -> Recording:
        """Prepare ``trees``, each below a root of its own, let ``play`` go on from there, and write down what it asks.

        ``play`` is given the roots, and has closed all files when it returns.
        """
        with self.times.of("recording"):
            return self._recorded(trees, play, options, hesitation, flags)

    def _recorded(
        self,
        trees: Sequence[Snapshot],
        play: Callable[[Sequence[str]], None],
        options: str,
        hesitation: Hesitation,
        flags: int,
    ) -> Recording:
        self._fresh.restore(self._file)
        roots = [f"{self.top}/{number}" for number in range(len(trees))]
        system.forget_cached(self._device)
        with self._mounted(self._device, options):
            for tree, root in zip(trees, roots, strict=True):
                os.mkdir(root)
                prepare(tree, root)
            with open(f"{self.top}/other", "wb"):
                pass
        Extents(self._file).restore(self._disk.file)
        system.forget_cached(self._disk.device)
        with self._mounted(self._disk.device, options, flags):
            system.sync_filesystem(self.top)
            before = Extents(self._disk.file)  # mounting has marked it as in use: only so will it recover
            self._disk.begin(hesitation)
            try:
                play(roots)
            finally:
                log = self._disk.end()
        return Recording(before, log)

    def commit(self, *, whole: bool) -> None:
        """Let the file system commit its journal; with ``whole`` a transaction of btrfs, not its log of one file."""
        if whole and self.filesystem == "btrfs":
            system.begin_transaction_commit(self.top)
            return
        other = os.open(f"{self.top}/other", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(other, b".")
            os.fsync(other)
        finally:
            os.close(other)

    def crowd(self) -> None:
        """Make so many names that btrfs puts those that wait in memory into trees (``btrfs_balance_delayed_items``)."""
        self._crowds += 1
        directory = f"{self.top}/crowd-{self._crowds}"
        os.mkdir(directory)
        for number in range(_CROWD):
            os.close(os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))

    @contextmanager
    def _mounted(self, device: str, options: str, flags: int = 0) -> Iterator[None]:
        system.mount(device, self.top, self.filesystem, options, flags)
        try:
            yield
        finally:
            system.unmount(self.top)

    def left(
        self, recording: Recording, losses: Sequence[Loss], count: int
    ) -> Iterator[tuple[Loss, list[DurableImage | None]]]:
        """Yield for each loss what is left of ``count`` trees; None for one that cannot be read.

        None of them can where the file system cannot be mounted: its own recovery fails. Such are counted.
        """
        for loss in losses:
            with self.times.of("laying"):
                self.lay(recording, loss)
            self.times.states += 1
            try:
                with self.times.of("mounting"):
                    system.mount(self._device, self.top, self.filesystem, _LOOKS[self.filesystem], system.READ_ONLY)
            except OSError:  # seen on btrfs: "Failed to recover log tree", an object already exists
                self.unmountable += 1
                yield loss, [None] * count
                continue
            try:
                with self.times.of("reading"):
                    images = [read_tree(f"{self.top}/{number}") for number in range(count)]
            finally:
                with self.times.of("unmounting"):
                    system.unmount(self.top)
            yield loss, images

    def lay(self, recording: Recording, loss: Loss) -> None:
        """Make the second disk what a loss left of the first, before any file system has looked at it."""
        system.forget_cached(self._device)
        recording.before.restore(self._file)
        for n in loss.arrived:
            request = recording.log[n]
            assert request.data is not None
            os.pwrite(self._file, request.data, request.offset)


def _made(filesystem: str, file: int) -> None:
    try:
        subprocess.run(  # noqa: S603 - a fixed command on a file of ours
            [*MAKE[filesystem], f"/proc/self/fd/{file}"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[file],
        )
    except subprocess.CalledProcessError as error:
        raise OSError(f"{MAKE[filesystem][0]}: {error.stderr.decode(errors='replace').strip()}") from None


def read_tree(root: str) -> DurableImage | None:
    """Read a tree, names in order and parents first; None where the file system refuses."""
    files: list[ImageFile] = []
    known: dict[int, Inode] = {}

    def walk(directory: str, prefix: str) -> None:
        for entry in sorted(os.scandir(directory), key=lambda e: e.name):
            found = entry.stat(follow_symlinks=False)
            inode, mode = known.setdefault(found.st_ino, Inode(len(known))), stat.S_IMODE(found.st_mode)
            path = prefix + entry.name
            if stat.S_ISLNK(found.st_mode):
                files.append(
                    ImageFile(path, Kind.SYMLINK, mode, b"", os.readlink(entry.path).replace(root, THE_ROOT), inode)
                )
            elif stat.S_ISDIR(found.st_mode):
                files.append(ImageFile(path, Kind.DIRECTORY, mode, b"", "", inode))
                walk(entry.path, path + "/")
            else:
                owner, changed = (found.st_uid, found.st_gid), found.st_mtime_ns
                content, attributes = _content(entry.path, found.st_size), attributes_of(entry.path)
                files.append(ImageFile(path, Kind.FILE, mode, content, "", inode, owner, attributes, changed))

    try:
        walk(root, "")
    except OSError:
        return None
    return DurableImage(tuple(files))


def _content(path: str, size: int) -> bytes:
    if not size:
        return b""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)  # an ordinary file gives all of it at once
    finally:
        os.close(descriptor)


@contextmanager
def rig(filesystem: str, directory: str) -> Iterator[Rig]:
    """Make a rig in ``directory``; the caller has mounts of its own, and covers that place with one in memory."""
    size = system.SIZES[filesystem]
    with ExitStack() as stack:
        disk = stack.enter_context(recorded_disk(size, directory))
        file = os.memfd_create("view")
        stack.callback(os.close, file)
        os.truncate(file, size)
        device = stack.enter_context(system.loop_device(f"/proc/self/fd/{file}", direct=False))
        yield Rig(filesystem, directory, disk, (file, device))
