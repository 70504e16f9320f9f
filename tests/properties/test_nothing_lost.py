"""The image in which nothing is lost is the tree that the program has made, whatever it did with its names."""

import pytest

from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.states import image_of
from pytest_tradestore.crash.trace import replay
from tests.crash.handmade import Story
from tests.kernel.programs import patterns, random_program


def left_whole(trace, *, apart):
    program = lower(trace, apart=apart)
    image = image_of(program, CrashState(Crash.POWER, len(program.steps)))
    return [(f.path, f.content) for f in image.files]


def made(trace):
    tree = replay(trace)
    return [(path, bytes(tree.nodes[inode].content)) for path, inode in tree.walk()]


@pytest.mark.parametrize("apart", [False, True], ids=["joined", "apart"])
def test_nothing_is_missing_of_a_program_of_which_nothing_was_lost(apart):
    programs = [*patterns(), *(random_program(seed) for seed in range(400))]

    assert [p.name for p in programs if sorted(left_whole(p.trace, apart=apart)) != sorted(made(p.trace))] == []


def test_a_name_that_was_given_back_stays_when_the_file_loses_another_one():
    story = Story({"d/f": b"x"})
    story.rename("d/f", "g")
    story.link("g", "d/f")
    story.unlink("g")

    assert left_whole(story.trace, apart=False) == [("d", b""), ("d/f", b"x")]


def test_a_name_that_a_rename_gave_back_stays_when_the_file_is_renamed_again():
    story = Story({"a": b"x"})
    story.rename("a", "b")
    story.link("b", "a")
    story.rename("b", "c")

    assert left_whole(story.trace, apart=False) == [("a", b"x"), ("c", b"x")]


def test_control_what_was_removed_is_gone():
    story = Story({"a": b"x"})
    story.rename("a", "b")
    story.unlink("b")

    assert left_whole(story.trace, apart=False) == []
