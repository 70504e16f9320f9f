"""What is written back and committed while a program is played, so that a crash state can come about."""

from pytest_tradestore.confirm.steering import crowded, operations_of, steered, unsteered
from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.lowering import Data, Name, lower
from pytest_tradestore.crash.operations import Create, Rename, Write
from tests.crash.handmade import Story
from tests.kernel.programs import patterns, random_program


def replaced():
    """A file is replaced by a temporary one without a sync."""
    story = Story({"a": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "a")
    return story.program


def lost_of(program, kind):
    return tuple(m for m, part in enumerate(program.micros) if isinstance(part, kind))


def test_names_that_are_kept_without_their_data_are_committed_and_no_page_is_written():
    program = replaced()
    strokes = steered(program, CrashState(Crash.POWER, 3, lost_of(program, Data)))

    assert [stroke.pages for stroke in strokes] == [(), (), ()]
    assert strokes[-1].commits


def test_data_that_is_kept_without_its_name_is_written_and_nothing_is_committed_after_the_name_is_lost():
    program = replaced()
    strokes = steered(program, CrashState(Crash.POWER, 3, lost_of(program, Name)[1:]))

    assert [bool(stroke.pages) for stroke in strokes] == [False, True, False]
    assert not strokes[-1].commits


def test_control_where_nothing_is_lost_all_is_written_and_committed_once():
    strokes = steered(replaced(), CrashState(Crash.POWER, 3))

    assert [stroke.commits for stroke in strokes] == [False, False, True]
    assert strokes[1].pages


def test_nothing_is_done_after_the_crash():
    assert [type(stroke.operation) for stroke in steered(replaced(), CrashState(Crash.POWER, 2))] == [Create, Write]


def test_unsteered_the_kernel_is_left_alone_or_made_to_write_after_each_operation():
    program = replaced()
    quiet, busy = unsteered(program, pages=False, commits=False), unsteered(program, pages=True, commits=True)

    assert not any(stroke.pages or stroke.commits for stroke in quiet)
    assert [stroke.commits for stroke in busy] == [True, True, True]
    assert [type(stroke.operation) for stroke in busy] == [Create, Write, Rename]


def test_a_crowd_of_names_follows_what_is_made_and_not_what_takes_a_name_away():
    assert [stroke.crowds for stroke in crowded(replaced())] == [True, False, False]


def test_every_operation_of_a_trace_is_played_whatever_was_joined_when_it_was_taken_apart():
    for program in [*patterns(), *(random_program(seed) for seed in range(200))]:
        written = [o for o in program.trace.operations if not isinstance(o, Write) or o.data]

        assert list(operations_of(lower(program.trace))) == written
