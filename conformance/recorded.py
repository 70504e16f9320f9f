"""What a store did to its files during some calls: seen by a recorder, or where none can, by looking at the files."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tradestore.crash.operations import Kind, Mark, MarkKind, Operation, Rename, Truncate, Unlink, Write
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.trace import Trace, Tree, replay

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import Visit

Inside = Callable[[int], AbstractContextManager[None]]
"""Marks what is done inside its block as call number so and so."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A recording of calls, or the reason in ``unseen`` why there is none that could be relied on."""

    trace: Trace | None
    unseen: str = ""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Everything that was done to files."""
        return self.trace.operations if self.trace else ()

    def during(self, number: int) -> tuple[Operation, ...]:
        """Return the operations that were done inside call ``number``."""
        inside: list[Operation] = []
        now = False
        for operation in self.operations:
            if isinstance(operation, Mark) and operation.update == number:
                now = operation.moment is MarkKind.INVOKED
            elif now and not isinstance(operation, Mark):
                inside.append(operation)
        return tuple(inside)

    def holding(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the files that hold any of the texts at the end, by path, with their contents."""
        assert self.trace is not None
        end = replay(self.trace)
        nodes = ((path, end.nodes[inode]) for path, inode in end.walk())
        found = {path: bytes(node.content) for path, node in nodes if node.kind is Kind.FILE}
        return {path: content for path, content in found.items() if any(t.encode() in content for t in texts)}

    def rewriting(self, paths: Collection[str]) -> str:
        """Say in a sentence how one of the files was first shortened, written below its end, replaced or removed."""
        assert self.trace is not None
        tree = Tree(self.trace.initial)
        for operation in self.operations:
            names = {inode: path for path, inode in tree.walk() if path in paths}
            size = len(tree.nodes[operation.inode].content) if isinstance(operation, (Write, Truncate)) else 0
            match operation:
                case Truncate(inode, shorter) if inode in names and shorter < size:
                    return f"{names[inode]} was cut from {size:,} to {shorter:,} bytes"
                case Write(inode, offset, data) if inode in names and offset < size:
                    return f"{names[inode]} held {size:,} bytes when {len(data):,} bytes were written at {offset:,}"
                case Rename(_, _, _, replaced) if replaced in names and tree.nodes[replaced].content:
                    return f"{names[replaced]} was replaced by another file"
                case Unlink(inode, _) if inode in names and tree.nodes[inode].content:
                    return f"{names[inode]} was removed"
            tree.apply(operation)
        return ""


def watched(visit: "Visit", calls: Callable[[Inside], None]) -> Watched:
    """Make ``calls`` on the visit's store while a recorder watches; they are given what marks some of them.

    The store must not have been opened before. What the calls raise is raised.
    """
    try:
        recorder, _ = choose_recorder(visit.settings.recorder)
        with recorder.record(visit.root, volatile=visit.volatile) as recording:

            @contextmanager
            def inside(number: int) -> Iterator[None]:
                recording.mark(MarkKind.INVOKED, number)
                yield
                recording.mark(MarkKind.ACKNOWLEDGED, number)

            calls(inside)
            visit.close()
    except RuntimeError as reason:
        return Watched(None, str(reason))
    trace = recording.trace
    return Watched(None, "; ".join(trace.unseen)) if trace.unseen else Watched(trace)


def files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files under a root with their states, by relative path."""
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(directory, name)
            yield os.path.relpath(path, root), os.lstat(path)


def fingerprint(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Return what changes whenever a file is written, replaced, made or removed."""
    return {path: (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in files(root)}
