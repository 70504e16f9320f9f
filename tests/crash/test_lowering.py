"""What an operation is taken apart into, and which writes are taken as one."""

import pytest

from pytest_tradestore.crash.lowering import PAGE, Data, Extent, Name, Sets, Size, WriteThrough, lower, pieces
from tests.crash.handmade import Story, page


def parts_of(story):
    return story.program.micros


def extents_of(story):
    return [step for step in story.program.steps if isinstance(step, Extent)]


def test_a_write_beyond_the_end_becomes_data_and_size_for_its_first_page_its_last_and_what_lies_between():
    story = Story({"f": b""})
    story.write("f", b"x" * (4 * PAGE + 10))

    assert [(type(p), p.end if isinstance(p, Data) else p.size) for p in parts_of(story)] == [
        (Data, PAGE),
        (Size, PAGE),
        (Data, 4 * PAGE),
        (Size, 4 * PAGE),
        (Data, 4 * PAGE + 10),
        (Size, 4 * PAGE + 10),
    ]


def test_control_an_overwrite_sets_no_size():
    story = Story({"f": page(b"o", 5)})
    story.write("f", b"x" * (4 * PAGE + 10))

    assert [type(p) for p in parts_of(story)] == [Data, Data, Data]


@pytest.mark.parametrize(
    ("offset", "end", "expected"),
    [
        (0, 1, [(0, 1)]),
        (0, PAGE, [(0, PAGE)]),
        (0, PAGE + 1, [(0, PAGE), (PAGE, PAGE + 1)]),
        (PAGE - 1, PAGE + 1, [(PAGE - 1, PAGE), (PAGE, PAGE + 1)]),
        (10, 3 * PAGE, [(10, PAGE), (PAGE, 2 * PAGE), (2 * PAGE, 3 * PAGE)]),
        (0, 4 * PAGE, [(0, PAGE), (PAGE, 2 * PAGE), (2 * PAGE, 3 * PAGE), (3 * PAGE, 4 * PAGE)]),
        (10, 9 * PAGE + 1, [(10, PAGE), (PAGE, 9 * PAGE), (9 * PAGE, 9 * PAGE + 1)]),
    ],
)
def test_an_extent_splits_at_page_boundaries_only(offset, end, expected):
    assert list(pieces(offset, end)) == expected


def test_pages_taken_together_say_so():
    story = Story({"f": b""})
    story.write("f", b"x" * (4 * PAGE + 10))

    assert [p.joined for p in parts_of(story) if isinstance(p, Data)] == [False, True, False]


def test_and_so_does_a_page_of_several_calls():
    story = Story({"f": b""})
    story.append("f", b"one")
    story.append("f", page(b"2"))

    assert [p.joined for p in parts_of(story) if isinstance(p, Data)] == [True, False]


def test_control_calls_that_end_where_pages_end_do_not():
    story = Story({"f": b""})
    story.append("f", page(b"1"))
    story.append("f", page(b"2"))

    assert [p.joined for p in parts_of(story) if isinstance(p, Data)] == [False, False]


def test_control_lowered_for_a_judge_every_page_is_apart():
    story = Story({"f": b""})
    story.write("f", page(b"x", 9))

    story.append("f", b"end")
    story.append("f", b"!")

    apart = lower(story.trace, apart=True)
    assert [p.joined for p in apart.micros if isinstance(p, Data)] == [False] * 11
    assert [len(step.ends) for step in apart.steps] == [1, 1, 1]


def test_data_is_the_whole_page_as_memory_held_it_after_the_write():
    story = Story({"f": b"old"})
    story.write("f", b"X", at=1)
    story.truncate("f", 2)
    story.write("f", b"Y", at=0)

    first, rest, second = (p for p in parts_of(story) if isinstance(p, Data))
    assert first.content == b"oXd".ljust(PAGE, b"\0")
    assert rest.content == b"oX".ljust(PAGE, b"\0")
    assert second.content == b"YX".ljust(PAGE, b"\0")


def test_a_gap_that_a_write_jumps_over_reads_as_zeros():
    story = Story({"f": b"ab"})
    story.write("f", b"z", at=5)

    assert next(p for p in parts_of(story) if isinstance(p, Data)).content[:6] == b"ab\0\0\0z"


def test_adjacent_writes_become_one_extent_that_remembers_where_each_call_ended():
    story = Story({"f": b""})
    for piece in (b"one", b"two!", b"3"):
        story.append("f", piece)

    (extent,) = extents_of(story)
    assert (extent.write.data, extent.ends) == (b"onetwo!3", (3, 7, 8))


@pytest.mark.parametrize(
    "between",
    [
        lambda s: s.acknowledge(),
        lambda s: s.fsync("f"),
        lambda s: s.create("other"),
        lambda s: s.write("g", b"elsewhere"),
        lambda s: s.chmod("f", 0o600),
    ],
    ids=["a mark", "a sync", "a new file", "a write to another file", "a chmod"],
)
def test_control_anything_between_two_writes_keeps_them_apart(between):
    story = Story({"f": b"", "g": b""})
    story.append("f", b"one")
    between(story)
    story.append("f", b"two")

    assert [e.write.data for e in extents_of(story) if e.write.inode == story.inode("f")] == [b"one", b"two"]


@pytest.mark.parametrize("at", [1, 2, 4], ids=["overlapping", "overlapping by one", "after a gap"])
def test_control_writes_that_do_not_adjoin_stay_apart(at):
    story = Story({"f": b""})
    story.write("f", b"abc")
    story.write("f", b"def", at=at)

    assert len(extents_of(story)) == 2


def test_a_sync_that_began_between_the_returns_of_two_writes_keeps_them_apart():
    story = Story({"f": b""})
    story.append("f", b"one", start=1, end=2)
    story.append("f", b"two", start=4, end=5)
    story.fsync("f", start=3, end=6)

    assert len(extents_of(story)) == 2


def test_control_a_sync_that_began_after_both_does_not():
    story = Story({"f": b""})
    story.append("f", b"one", start=1, end=2)
    story.append("f", b"two", start=3, end=4)
    story.fsync("f", start=5, end=6)

    assert len(extents_of(story)) == 1


def test_a_synchronous_write_is_followed_by_its_return_and_never_joined():
    story = Story({"f": b""})
    story.append("f", b"one", durable=True)
    story.append("f", b"two", durable=True)

    program = story.program
    assert [type(s) for s in program.steps] == [Extent, WriteThrough, Extent, WriteThrough]
    assert [(s.first, s.last) for s in program.steps if isinstance(s, WriteThrough)] == [(0, 1), (2, 3)]


def test_an_empty_write_is_nothing():
    story = Story({"f": b"x"})
    story.write("f", b"", at=100)

    assert story.program.steps == ()


def sizes_of(story):
    return [(p.size, p.sets) for p in parts_of(story) if isinstance(p, Size)]


def test_a_truncation_cuts_an_allocation_and_a_truncation_upwards_only_set_the_end():
    story = Story({"f": b"12345"})
    story.truncate("f", 2)
    story.allocate("f", 9)
    story.truncate("f", 12)

    assert sizes_of(story) == [(2, Sets.CUT), (9, Sets.END), (12, Sets.END)]


def test_a_truncation_inside_a_page_also_writes_the_zeroed_rest_of_that_page():
    story = Story({"f": page(b"o", 2)})
    story.truncate("f", PAGE + 100)

    (rest,) = (p for p in parts_of(story) if isinstance(p, Data))
    assert (rest.offset, rest.content) == (PAGE, (b"o" * 100).ljust(PAGE, b"\0"))


@pytest.mark.parametrize("size", [0, PAGE, 3 * PAGE], ids=["to nothing", "at a page", "upwards"])
def test_control_one_at_the_end_of_a_page_or_upwards_writes_nothing(size):
    story = Story({"f": page(b"o", 2)})
    story.truncate("f", size)

    assert not [p for p in parts_of(story) if isinstance(p, Data)]


def test_a_gap_that_begins_inside_a_page_lets_the_size_stop_at_the_end_of_that_page():
    story = Story({"f": b"o" * 100})
    story.write("f", page(b"d"), at=PAGE)

    assert sizes_of(story) == [(PAGE, Sets.LEAST), (2 * PAGE, Sets.END)]


def test_control_without_a_gap_there_is_no_such_size():
    story = Story({"f": page(b"o")})
    story.write("f", page(b"d"), at=PAGE)

    assert sizes_of(story) == [(2 * PAGE, Sets.END)]


def overwritten_below_a_new_size(story, between=lambda _: None):
    story.write("f", page(b"d"), at=2 * PAGE)
    between(story)
    story.write("f", b"x")
    return sizes_of(story)


def test_while_a_size_waits_for_its_data_writing_back_an_earlier_page_moves_it_to_the_end_of_that_page():
    assert overwritten_below_a_new_size(Story({"f": b""})) == [(3 * PAGE, Sets.END), (PAGE, Sets.LEAST)]


@pytest.mark.parametrize("settle", [lambda s: s.fsync("f"), lambda s: s.sync()], ids=["fsync", "sync"])
def test_control_once_the_size_was_synced_there_is_none(settle):
    assert overwritten_below_a_new_size(Story({"f": b""}), settle) == [(3 * PAGE, Sets.END)]


def test_a_synchronous_write_below_a_waiting_size_carries_a_size_of_its_own():
    story = Story({"f": b"o" * 100})
    story.write("f", page(b"d"), at=2 * PAGE)
    story.write("f", b"H" * 100, durable=True)

    through = story.program.steps[-1]
    assert [type(p) for p in parts_of(story)[through.first : through.last + 1]] == [Data, Size]
    assert sizes_of(story)[-2:] == [(PAGE, Sets.LEAST), (100, Sets.LEAST)]


def test_control_neither_is_anything_where_the_size_stays():
    story = Story({"f": b"12345"})
    story.truncate("f", 5)
    story.allocate("f", 3)

    assert parts_of(story) == ()


def test_a_rename_is_one_name_with_both_its_changes():
    story = Story({"f": b"old", "t": b"new"})
    story.rename("t", "f")

    (name,) = parts_of(story)
    assert isinstance(name, Name)
    assert {(entry.name, inode) for entry, inode in name.changes} == {("t", None), ("f", story.inode("f"))}


def test_a_rename_between_directories_is_the_new_name_and_then_the_whole():
    story = Story({"a/f": b"x", "b": None})
    story.rename("a/f", "b/f")

    half, whole = parts_of(story)
    assert (half.half, [entry.directory for entry, _ in half.changes]) == (True, [story.inode("b")])
    assert (whole.half, len(whole.changes)) == (False, 2)


def removed_by(name):
    return [entry.name for entry, inode in name.changes if inode is None]


def renamed_twice(between=lambda _: None):
    story = Story({"t": b"new", "a": b"old"})
    story.rename("t", "a")
    between(story)
    story.rename("a", "b")
    return parts_of(story)[1:]


def test_a_second_rename_of_a_file_can_take_along_the_removal_of_its_first_name():
    half, whole = renamed_twice()

    assert (half.half, removed_by(half)) == (True, ["a"])
    assert (whole.half, removed_by(whole)) == (False, ["t", "a"])


@pytest.mark.parametrize("settle", [lambda s: s.fsync(""), lambda s: s.sync()], ids=["directory", "all"])
def test_control_not_once_that_is_durable(settle):
    (whole,) = renamed_twice(settle)

    assert removed_by(whole) == ["a"]


def test_an_exchange_is_one_name_too_and_removes_nothing():
    story = Story({"a": b"1", "b": b"2"})
    a, b = story.inode("a"), story.inode("b")
    story.rename("a", "b", exchange=True)

    (name,) = parts_of(story)
    assert {(entry.name, inode) for entry, inode in name.changes} == {("a", b), ("b", a)}


def test_a_file_made_without_a_name_has_nothing_to_lose_until_it_is_linked():
    story = Story()
    inode = story.nameless()
    assert parts_of(story) == ()

    story.link(inode, "f")
    assert [type(p) for p in parts_of(story)] == [Name]


def test_every_step_knows_how_many_parts_were_issued_before_it():
    story = Story({"f": b""})
    story.create("t")
    story.write("t", b"x" * (PAGE + 1))
    story.fsync("t")
    story.rename("t", "f")

    assert story.program.starts == (0, 1, 5, 5, 6)
