"""Where both recorders work they must say the same of the same program: the same operations, the same tree."""

import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from pytest_tradestore.crash.operations import Entry, Inode, Operation, Truncate, Write
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.crash.trace import Trace, Tree, replay
from tests.crash.recorders.fake_programs import Machine, steps
from tests.properties.file_programs import ACTIONS, COPIES, Program, Step, programs, run

_REASON = StraceRecorder().unavailable()
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(_REASON is not None, reason=f"strace is not usable here: {_REASON}"),
]


def recorded(recorder: Recorder, earlier: Program, program: Program) -> Trace:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        run(earlier, root)
        with recorder.record(root) as recording:
            run(program, root)
        return recording.trace


def normalised(operations: Iterable[Operation]) -> list[Operation]:
    """Number inodes in the order of their first appearance and join writes that go on where the last one ended."""
    numbers: dict[Inode, Inode] = {}
    result: list[Operation] = []
    for operation in operations:
        changed: dict[str, Any] = {
            field.name: _renumbered(getattr(operation, field.name), field.name, numbers) for field in fields(operation)
        }
        renamed: Operation = replace(operation, **changed)
        last = result[-1] if result else None
        if isinstance(last, Write) and isinstance(renamed, Write) and _goes_on(last, renamed):
            result[-1] = replace(last, data=last.data + renamed.data)
        else:
            result.append(renamed)
    return result


def _goes_on(last: Write, write: Write) -> bool:
    same = (last.inode, last.durable) == (write.inode, write.durable)
    return same and last.offset + len(last.data) == write.offset


def _renumbered(value: object, name: str, numbers: dict[Inode, Inode]) -> object:
    if isinstance(value, Entry):
        return Entry(numbers.setdefault(value.directory, Inode(len(numbers))), value.name)
    if name in ("inode", "replaced") and isinstance(value, int):
        return numbers.setdefault(Inode(value), Inode(len(numbers)))
    return value


def tree(replayed: Tree) -> dict[str, object]:
    nodes = replayed.nodes
    return {
        path: (nodes[i].kind, bytes(nodes[i].content), nodes[i].target, nodes[i].mode) for path, i in replayed.walk()
    }


def both(earlier: Program, program: Program) -> tuple[Trace, Trace]:
    fake, strace = recorded(FakeRecorder(), earlier, program), recorded(StraceRecorder(), earlier, program)
    assert fake.unseen == strace.unseen == ()
    return fake, strace


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(program=(Step("open"), Step("write", data=b"x" * 9000), Step("rename", "a", "b"), Step("sync")))
@given(program=programs((*ACTIONS, *COPIES)))
def test_a_program_on_an_empty_root_gives_the_same_operations(program: Program) -> None:
    fake, strace = both((), program)

    assert normalised(fake.operations) == normalised(strace.operations)
    assert tree(replay(fake)) == tree(replay(strace))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(earlier=programs(max_size=15), program=programs((*ACTIONS, *COPIES), max_size=15))
def test_a_program_on_a_root_that_holds_something_does_too(earlier: Program, program: Program) -> None:
    fake, strace = both(earlier, program)

    assert normalised(fake.operations) == normalised(strace.operations)
    assert tree(replay(fake)) == tree(replay(strace))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def test_a_program_of_many_kinds_of_calls_does_too(program: list[tuple[str, tuple[object, ...]]]) -> None:
    traces = []
    for recorder in (FakeRecorder(), StraceRecorder()):
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as directory:
            warnings.simplefilter("ignore")
            with recorder.record(Path(directory)) as recording:
                Machine(directory).run(program)
        assert recording.trace.unseen == ()
        traces.append(recording.trace)

    assert normalised(traces[0].operations) == normalised(traces[1].operations)


SPOILED: dict[str, Callable[[list[Operation]], list[Operation]]] = {
    "an-operation-less": lambda found: found[:-1],
    "another-order": lambda found: [*found[2:], *found[:2]],
    "another-offset": lambda found: [
        replace(operation, offset=operation.offset + 1) if isinstance(operation, Write) else operation
        for operation in found
    ],
    "one-too-many": lambda found: [*found, Truncate(Inode(0), 0)],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=list(SPOILED))
def test_control_a_recording_that_is_spoiled_does_not_agree(
    spoil: Callable[[list[Operation]], list[Operation]],
) -> None:
    program = (Step("open"), Step("write", data=b"one"), Step("sync"), Step("rename", "a", "b"))
    fake, strace = both((), program)

    assert normalised(spoil(list(fake.operations))) != normalised(strace.operations)


@pytest.mark.parametrize("size", [10, 4096, 8192, 8193, 50000])
@pytest.mark.parametrize("piece", [7, 4000, 8192, 20000])
def test_buffered_writes_are_cut_at_the_same_places(size: int, piece: int) -> None:
    def save(root: Path) -> None:
        with open(root / "text", "w") as text, open(root / "bytes", "wb") as plain:
            for at in range(0, size, piece):
                text.write("x" * min(piece, size - at))
                plain.write(b"y" * min(piece, size - at))

    traces = []
    for recorder in (FakeRecorder(), StraceRecorder()):
        with tempfile.TemporaryDirectory() as directory, recorder.record(Path(directory)) as recording:
            save(Path(directory))
        traces.append(recording.trace)

    assert traces[0].operations == traces[1].operations
