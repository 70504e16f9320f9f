"""Whatever a program does to its files, the strace recorder's trace leads to what is on the disk."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.crash.trace import Tree, replay, snapshot_of
from tests.properties.file_programs import ACTIONS, COPIES, Program, programs, run

_REASON = StraceRecorder().unavailable()
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(_REASON is not None, reason=f"strace is not usable here: {_REASON}"),
]


def tree(replayed: Tree) -> dict[str, object]:
    nodes = replayed.nodes
    return {
        path: (nodes[i].kind, bytes(nodes[i].content), nodes[i].target, nodes[i].mode) for path, i in replayed.walk()
    }


@settings(max_examples=250, deadline=None)
@given(program=programs((*ACTIONS, *COPIES)))
def test_the_trace_of_any_program_leads_to_what_is_on_the_disk(program: Program) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with StraceRecorder().record(root) as recording:
            run(program, root)
        trace = recording.trace

        assert trace.unseen == ()
        assert tree(replay(trace)) == tree(Tree(snapshot_of(root)[0]))


@settings(max_examples=120, deadline=None)
@given(earlier=programs(max_size=15), program=programs((*ACTIONS, *COPIES), max_size=15))
def test_the_trace_of_a_program_on_a_root_that_is_not_empty_does_too(earlier: Program, program: Program) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        run(earlier, root)
        with StraceRecorder().record(root) as recording:
            run(program, root)
        trace = recording.trace

        assert trace.unseen == ()
        assert tree(replay(trace)) == tree(Tree(snapshot_of(root)[0]))
