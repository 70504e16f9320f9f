"""Small random programs of file calls, to be run on a real disk and on the fake one: both must answer the same."""

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.trace import Node, Tree, snapshot_of

NAMES = ("a", "b", "d", "d/a", "d/e", "d/e/a", "l", "missing/a", "a/below")
Step = tuple[str, tuple[Any, ...]]
Listing = dict[str, tuple[str, bytes, str]]


@dataclass
class Machine:
    """Runs steps and remembers what they answered; descriptors are told by how many were opened before."""

    root: str
    opened: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def at(self, name: str) -> str:
        return os.path.join(self.root, name)

    def run(self, steps: list[Step]) -> list[Any]:
        for name, arguments in steps:
            try:
                self.answers.append((name, getattr(self, name)(*arguments)))
            except (OSError, ValueError) as error:
                self.answers.append((name, type(error).__name__, getattr(error, "errno", None)))
        for file in self.opened:
            if isinstance(file, int):
                os.close(file)
            else:
                file.close()
        return self.answers

    def any_open(self, at: int, kind: type) -> Any:
        files = [file for file in self.opened if isinstance(file, kind)]
        if not files:
            raise ValueError("nothing is open")
        return files[at % len(files)]

    def open_text(self, name: str, mode: str, buffering: int) -> None:
        self.opened.append(open(self.at(name), mode, buffering, encoding="utf-8"))  # noqa: SIM115

    def open_bytes(self, name: str, mode: str, buffering: int) -> None:
        self.opened.append(open(self.at(name), mode + "b", buffering))  # noqa: SIM115

    def object_write(self, at: int, size: int) -> int:
        file = self.any_open(at, io.IOBase)
        letters = (b"abcdefg\n" * (size // 8 + 1))[:size]
        return int(file.write(letters.decode() if isinstance(file, io.TextIOBase) else letters))

    def object_flush(self, at: int) -> None:
        self.any_open(at, io.IOBase).flush()

    def object_seek(self, at: int, to: int) -> int:
        return int(self.any_open(at, io.IOBase).seek(to))

    def object_read(self, at: int, size: int) -> Any:
        return self.any_open(at, io.IOBase).read(size)

    def object_truncate(self, at: int, size: int | None) -> int:
        return int(self.any_open(at, io.IOBase).truncate(size))

    def object_sync(self, at: int) -> None:
        os.fsync(self.any_open(at, io.IOBase).fileno())

    def object_facts(self, at: int) -> Any:
        file = self.any_open(at, io.IOBase)
        kinds = [isinstance(file, kind) for kind in (io.TextIOWrapper, io.BufferedIOBase, io.RawIOBase, io.FileIO)]
        return kinds, file.mode, file.readable(), file.writable(), file.seekable(), file.isatty()

    def object_close(self, at: int) -> None:
        file = self.any_open(at, io.IOBase)
        self.opened.remove(file)
        file.close()

    def os_open(self, name: str, flags: int, mode: int) -> None:
        self.opened.append(os.open(self.at(name), flags, mode))

    def os_write(self, at: int, data: bytes) -> int:
        return os.write(self.any_open(at, int), data)

    def os_writev(self, at: int, data: bytes) -> int:
        return os.writev(self.any_open(at, int), [data, data])

    def os_pwrite(self, at: int, data: bytes, offset: int) -> int:
        return os.pwrite(self.any_open(at, int), data, offset)

    def os_read(self, at: int, size: int) -> bytes:
        return os.read(self.any_open(at, int), size)

    def os_pread(self, at: int, size: int, offset: int) -> bytes:
        return os.pread(self.any_open(at, int), size, offset)

    def os_lseek(self, at: int, offset: int, whence: int) -> int:
        file = self.any_open(at, int)
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise ValueError("where a directory ends is each file system's own affair")
        return os.lseek(file, offset, whence)

    def os_ftruncate(self, at: int, size: int) -> None:
        os.ftruncate(self.any_open(at, int), size)

    def os_fallocate(self, at: int, offset: int, size: int) -> None:
        os.posix_fallocate(self.any_open(at, int), offset, size)

    def os_fsync(self, at: int) -> None:
        os.fsync(self.any_open(at, int))

    def os_fchmod(self, at: int, mode: int) -> None:
        os.fchmod(self.any_open(at, int), mode)

    def os_dup(self, at: int) -> None:
        self.opened.append(os.dup(self.any_open(at, int)))

    def os_sendfile(self, to: int, source: int, offset: int | None, size: int) -> int:
        return os.sendfile(self.any_open(to, int), self.any_open(source, int), offset, size)

    def os_close(self, at: int) -> None:
        file = self.any_open(at, int)
        self.opened.remove(file)
        os.close(file)

    def fdopen(self, at: int, mode: str) -> None:
        file = self.any_open(at, int)
        self.opened.append(os.fdopen(os.dup(file), mode))

    def below_descriptor(self, at: int, name: str) -> None:
        os.mkdir(name, 0o755, dir_fd=self.any_open(at, int))

    def mkdir(self, name: str, mode: int) -> None:
        os.mkdir(self.at(name), mode)

    def makedirs(self, name: str) -> None:
        os.makedirs(self.at(name), exist_ok=True)

    def rmdir(self, name: str) -> None:
        os.rmdir(self.at(name))

    def unlink(self, name: str) -> None:
        os.unlink(self.at(name))

    def rename(self, name: str, to: str) -> None:
        os.rename(self.at(name), self.at(to))

    def link(self, name: str, to: str) -> None:
        os.link(self.at(name), self.at(to))

    def symlink(self, target: str, to: str) -> None:
        os.symlink(target, self.at(to))

    def readlink(self, name: str) -> str:
        return os.readlink(self.at(name))

    def truncate(self, name: str, size: int) -> None:
        os.truncate(self.at(name), size)

    def chmod(self, name: str, mode: int) -> None:
        os.chmod(self.at(name), mode)

    def listdir(self, name: str) -> list[str]:
        return sorted(os.listdir(self.at(name)))

    def scandir(self, name: str) -> Any:
        with os.scandir(self.at(name)) as entries:
            return sorted((each.name, each.is_dir(), each.is_file(), each.is_symlink()) for each in entries)

    def stat(self, name: str, follow: bool) -> Any:
        status = os.stat(self.at(name), follow_symlinks=follow)
        links = status.st_nlink if stat.S_ISREG(status.st_mode) else None
        return status.st_mode, links, status.st_size if stat.S_ISREG(status.st_mode) else None

    def text(self, name: str, text: str) -> int:
        return Path(self.at(name)).write_text(text, encoding="utf-8")

    def read_text(self, name: str) -> str:
        return Path(self.at(name)).read_text(encoding="utf-8")


def listing(tree: Tree) -> Listing:
    """Say what a tree holds, in values that can be compared."""
    nodes = ((path, tree.nodes[inode]) for path, inode in tree.walk())
    return {path: (f"{node.kind.value} {_mode(node):o}", bytes(node.content), node.target) for path, node in nodes}


def _mode(node: Node) -> int:
    return 0 if node.kind is Kind.SYMLINK else node.mode


def real_listing(root: Path) -> Listing:
    """Say what a real directory holds, in the same values."""
    return listing(Tree(snapshot_of(root)[0]))


def steps() -> st.SearchStrategy[list[Step]]:
    """Programs of up to 25 steps that mostly make sense."""
    name, at = st.sampled_from(NAMES), st.integers(0, 3)
    size = st.sampled_from((0, 1, 100, 4095, 4096, 4097, 8191, 8192, 8193, 20000))
    data = st.binary(min_size=0, max_size=12)
    small, mode = st.integers(0, 9000), st.sampled_from((0o600, 0o644, 0o777))
    flags = st.sampled_from(
        (
            os.O_RDONLY,
            os.O_RDWR,
            os.O_RDWR | os.O_CREAT,
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL,
            os.O_RDWR | os.O_CREAT | os.O_APPEND,
            os.O_RDONLY | os.O_DIRECTORY,
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
            os.O_WRONLY | os.O_DSYNC,
        )
    )
    modes = st.sampled_from(("r", "w", "a", "x", "r+", "w+", "a+", "x+"))
    kinds: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
        "open_text": (name, modes, st.sampled_from((-1, 1, 64, 5000))),
        "open_bytes": (name, modes, st.sampled_from((-1, 0, 64, 5000))),
        "object_write": (at, size),
        "object_flush": (at,),
        "object_seek": (at, small),
        "object_read": (at, st.integers(-1, 9000)),
        "object_truncate": (at, st.none() | small),
        "object_sync": (at,),
        "object_facts": (at,),
        "object_close": (at,),
        "os_open": (name, flags, mode),
        "os_write": (at, data),
        "os_writev": (at, data),
        "os_pwrite": (at, data, small),
        "os_read": (at, small),
        "os_pread": (at, small, small),
        "os_lseek": (at, st.integers(-50, 9000), st.integers(0, 2)),
        "os_ftruncate": (at, small),
        "os_fallocate": (at, small, st.integers(1, 9000)),
        "os_fsync": (at,),
        "os_fchmod": (at, mode),
        "os_dup": (at,),
        "os_sendfile": (at, at, st.none() | small, small),
        "os_close": (at,),
        "fdopen": (at, st.sampled_from(("rb", "wb", "ab", "r", "w"))),
        "below_descriptor": (at, st.sampled_from(("new", "a"))),
        "mkdir": (name, mode),
        "makedirs": (name,),
        "rmdir": (name,),
        "unlink": (name,),
        "rename": (name, name),
        "link": (name, name),
        "symlink": (st.sampled_from(("a", "d", "nowhere", "l", "d/e")), name),
        "readlink": (name,),
        "truncate": (name, small),
        "chmod": (name, mode),
        "listdir": (st.sampled_from(("", "d", "a", "l")),),
        "scandir": (st.sampled_from(("", "d", "l")),),
        "stat": (name, st.booleans()),
        "text": (name, st.text("abc\n", max_size=9)),
        "read_text": (name,),
    }
    one: Callable[[str], st.SearchStrategy[Step]] = lambda kind: st.tuples(st.just(kind), st.tuples(*kinds[kind]))  # noqa: E731
    return st.lists(st.sampled_from(sorted(kinds)).flatmap(one), max_size=25)
