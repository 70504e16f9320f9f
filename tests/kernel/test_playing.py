"""A trace that is played on a real file system leads to the tree that it says."""

import pytest

from pytest_tradestore.confirm.playing import Holding, Playing, prepare, unplayable
from pytest_tradestore.crash.images import DurableImage, read_image
from pytest_tradestore.crash.operations import SyncKind
from pytest_tradestore.crash.trace import replay
from tests.crash.handmade import Story
from tests.kernel.programs import left_behind, name_taken_again, patterns, random_program, timed
from tests.kernel.running import end_of

PROGRAMS = {
    program.name: program
    for program in [
        *patterns(),
        *(random_program(seed) for seed in range(40)),
        *(name_taken_again(seed) for seed in range(20)),
        *(left_behind(seed) for seed in range(20)),
    ]
}


@pytest.mark.parametrize("holding", Holding, ids=lambda holding: holding.value)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_a_program_does_what_its_trace_says(program, holding, tmp_path):
    prepare(program.trace.initial, str(tmp_path))
    for _ in Playing(program.trace.initial, program.trace.operations, str(tmp_path), holding).steps():
        pass

    assert DurableImage(tuple(read_image(tmp_path))) == end_of(program)


def test_control_up_to_an_operation_it_has_not_done_it(tmp_path):
    story = Story({"a": b"old"})
    story.unlink("a")
    prepare(story.initial, str(tmp_path))
    steps = Playing(story.initial, timed(story).operations, str(tmp_path), Holding.NOT).steps()
    next(steps)
    next(steps)
    assert (tmp_path / "a").exists()

    next(steps)
    assert not (tmp_path / "a").exists()


def test_every_program_has_calls_that_can_be_played_and_ends_where_its_story_does():
    for program in PROGRAMS.values():
        assert not unplayable(program.trace.operations)
        assert replay(program.trace).nodes


def test_control_a_failed_sync_cannot_be_played():
    story = Story({"a": b""})
    story.fsync("a", failed=True, kind=SyncKind.FSYNC)

    assert unplayable(story.trace.operations) == "a sync fails in it"
