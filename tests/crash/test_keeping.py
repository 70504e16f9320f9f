"""What is kept of a file beside its content, and which file is the newer one."""

from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.operations import Create, Kind, SetAttribute, SetMode, SetOwner, SetTime
from pytest_tradestore.crash.states import enumerate_states, image_of
from tests.crash.handmade import Story, contents


def images(story):
    program = lower(story.trace)
    groups = enumerate_states(program, STRICT, subsets_per_cut=256, images=1000).groups
    assert all(image_of(program, g.simplest).order == g.image.order for g in groups)
    return [g.image for g in groups]


def orders(story):
    """Which files are newer, of all images that hold the same in both."""
    return {image.order for image in images(story) if contents(image) == {"a": b"x", "b": b"x"}}


def two_files():
    return Story({"a": b"x", "b": b"x"})


def test_the_file_that_was_written_last_is_the_newest():
    story = two_files()
    story.write("b", b"x")
    story.fsync("b")
    story.write("a", b"x")
    story.fsync("a")

    assert images(story)[-1].order == (1, 0)


def test_one_that_is_replaced_is_as_new_as_what_replaces_it():
    story = two_files()
    story.create("t")
    story.write("t", b"x")
    story.rename("t", "a")
    story.write("b", b"y")

    assert {i.order for i in images(story) if contents(i) == {"a": b"x", "b": b"y"}} == {(0, 1)}


def test_control_a_rename_alone_makes_nothing_newer():
    story = Story({"t": b"x"})
    story.create("b")
    story.rename("t", "a")

    assert {i.order for i in images(story) if set(contents(i)) == {"a", "b"}} == {(0, 1)}


def test_a_change_that_is_lost_makes_a_file_no_newer():
    story = Story({"a": b"old", "b": b"old"})
    story.write("a", b"new")
    story.write("b", b"new")

    found = {(contents(i)["a"], contents(i)["b"]): i.order for i in images(story)}
    assert found[b"new", b"new"] == (0, 1)
    assert found[b"new", b"old"] == (1, 0)


def test_a_time_that_the_program_sets_counts():
    story = two_files()
    story.write("a", b"x")
    story.write("b", b"x")
    story._note(SetTime(story.inode("b"), 1))

    assert (1, 0) in orders(story)


def test_two_with_the_same_time_are_of_one_age():
    story = two_files()
    story._note(SetTime(story.inode("a"), 77))
    story._note(SetTime(story.inode("b"), 77))

    assert (0, 0) in orders(story)


def test_mode_owner_and_attributes_are_those_of_the_moment_of_the_crash():
    story = Story({"f": b""})
    f = story.inode("f")
    one, two = (("user.a", b"1"),), (("user.a", b"1"), ("user.b", b"2"))
    for operation in (
        SetMode(f, 0o600),
        SetOwner(f, -1, 7),
        SetAttribute(f, "user.a", b"1"),
        SetAttribute(f, "user.b", b"2"),
        SetAttribute(f, "user.a", None),
    ):
        story._note(operation)
    program = lower(story.trace)

    def kept(cut):
        (file,) = image_of(program, CrashState(Crash.POWER, cut)).files
        return file.mode, file.owner, file.attributes

    assert [kept(cut) for cut in range(1, 6)] == [
        (0o600, (-1, -1), ()),
        (0o600, (-1, 7), ()),
        (0o600, (-1, 7), one),
        (0o600, (-1, 7), two),
        (0o600, (-1, 7), two[1:]),
    ]


def test_control_what_was_never_set_is_what_it_was_created_with():
    story = Story()
    story._note(Create(story._new(), Kind.FILE, story._entry("f"), 0o604))

    (file,) = images(story)[-1].files
    assert (file.mode, file.owner, file.attributes) == (0o604, (-1, -1), ())
