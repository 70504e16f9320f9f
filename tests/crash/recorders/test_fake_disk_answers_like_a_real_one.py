"""The same random program on a real disk and on the fake one: same answers, same tree, and a trace that leads to it."""

import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.trace import replay
from tests.crash.recorders.fake_programs import Machine, Step, listing, real_listing, steps

pytestmark = pytest.mark.proof


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def test_a_program_gets_the_same_answers_and_leaves_the_same_tree(program: list[Step]) -> None:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as real, tempfile.TemporaryDirectory() as recorded:
        warnings.simplefilter("ignore")
        expected = Machine(real).run(program)
        with FakeRecorder().record(Path(recorded)) as recording:
            answers = Machine(recorded).run(program)

        assert answers == expected
        assert listing(replay(recording.trace)) == real_listing(Path(real))
        assert recording.trace.unseen == ()
        assert not list(Path(recorded).iterdir())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def test_a_program_gives_the_same_operations_each_time(program: list[Step]) -> None:
    traces = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as root:
        warnings.simplefilter("ignore")
        for _ in range(2):
            with FakeRecorder().record(Path(root)) as recording:
                Machine(root).run(program)
            traces.append(recording.trace)

    assert traces[0].operations == traces[1].operations
    assert [o.origin for o in traces[0].operations] == [o.origin for o in traces[1].operations]
