"""How the tests of the strace recorder run a program, and what must be true of every trace."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.crash.trace import Trace, Tree, replay, snapshot_of

T = TypeVar("T")

_REASON = StraceRecorder().unavailable()
needs_strace = pytest.mark.skipif(_REASON is not None, reason=f"strace is not usable here: {_REASON}")


def contents(tree: Tree) -> dict[str, tuple[str, bytes, str]]:
    """Return what a reader finds: path to kind, content, symlink target."""
    nodes = tree.nodes
    return {
        path: (nodes[inode].kind.value, bytes(nodes[inode].content), nodes[inode].target) for path, inode in tree.walk()
    }


def trace_of_program(root: Path, program: Callable[[], object], volatile: Sequence[str] = ()) -> Trace:
    """Record a program."""
    with StraceRecorder().record(root, volatile=volatile) as recording:
        program()
    return recording.trace


def seen(root: Path, program: Callable[[], object], volatile: Sequence[str] = ()) -> Trace:
    """Record a program of which everything must be seen: the trace leads to what is on the disk."""
    trace = trace_of_program(root, program, volatile)
    assert trace.unseen == ()
    assert contents(replay(trace)) == contents(Tree(snapshot_of(root.resolve())[0]))
    return trace


def kinds(trace: Trace) -> list[str]:
    return [type(operation).__name__ for operation in trace.operations]


def only(trace: Trace, kind: type[T]) -> list[T]:
    return [operation for operation in trace.operations if isinstance(operation, kind)]
