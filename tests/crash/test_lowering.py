"""What an operation is taken apart into, and which writes are taken as one."""

import pytest

from pytest_tradestore.crash.lowering import PAGE, Data, Extent, Name, Size, WriteThrough, pieces
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
        (10, 9 * PAGE + 1, [(10, PAGE), (PAGE, 9 * PAGE), (9 * PAGE, 9 * PAGE + 1)]),
    ],
)
def test_an_extent_splits_at_page_boundaries_only(offset, end, expected):
    assert list(pieces(offset, end)) == expected


def test_data_is_the_whole_page_as_memory_held_it_after_the_write():
    story = Story({"f": b"old"})
    story.write("f", b"X", at=1)
    story.truncate("f", 2)
    story.write("f", b"Y", at=0)

    first, second = (p for p in parts_of(story) if isinstance(p, Data))
    assert first.content == b"oXd".ljust(PAGE, b"\0")
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


def test_a_truncation_sets_the_size_exactly_and_an_allocation_at_least():
    story = Story({"f": b"12345"})
    story.truncate("f", 2)
    story.allocate("f", 9)

    assert [(p.size, p.exact) for p in parts_of(story)] == [(2, True), (9, False)]


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
