"""Volatile files: their content is not varied, their names are, and nothing else is taken out."""

from pytest_tradestore.crash.operations import Create, Write
from pytest_tradestore.crash.volatile import volatile_inodes, without_volatile
from tests.crash.handmade import DIRECTORY, Story


def story():
    story = Story({"old.idx": b"0", "d": DIRECTORY})
    story.create("data")
    story.write("data", b"value")
    story.create("new.idx")
    story.write("new.idx", b"index")
    story.write("old.idx", b"1")
    story.fsync("new.idx")
    return story


def test_what_is_written_to_a_volatile_file_is_left_out():
    trace = without_volatile(story().trace, ("*.idx",)).operations

    assert [o.data for o in trace if isinstance(o, Write)] == [b"value"]


def test_its_name_stays_so_that_it_may_or_may_not_be_there():
    trace = without_volatile(story().trace, ("*.idx",)).operations

    assert [o.entry.name for o in trace if isinstance(o, Create)] == ["data", "new.idx"]


def test_control_without_a_glob_or_a_match_the_trace_is_the_same():
    trace = story().trace

    assert without_volatile(trace, ()) is trace
    assert without_volatile(trace, ("*.shm",)) is trace


def test_a_file_counts_that_had_a_matching_name_at_any_time():
    renamed = Story()
    renamed.create("t")
    renamed.write("t", b"before")
    renamed.rename("t", "f.idx")
    renamed.rename("f.idx", "g")

    assert volatile_inodes(renamed.trace, ("*.idx",)) == {renamed.inode("g")}


def test_a_glob_with_a_directory_matches_there_only():
    both = Story({"d": DIRECTORY})
    both.create("f.idx")
    inode = both.create("d/f.idx")

    assert volatile_inodes(both.trace, ("d/*.idx",)) >= {both.inode("d/f.idx")}
    assert both.inode("f.idx") not in volatile_inodes(both.trace, ("d/*.idx",))
    assert inode is not None
