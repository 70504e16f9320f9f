"""What each persistence model lets a power loss take: each rule with its control."""

import pytest

from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.lowering import PAGE
from pytest_tradestore.crash.models import MODELS, STRICT, by_name, names
from pytest_tradestore.crash.operations import SyncKind
from tests.crash.handmade import DIRECTORY, Story, contents, enumerated, found_after, found_anytime, page

# -- strict: syncs and what they pin ---------------------------------------------------------------


def test_an_fsync_pins_data_and_size_of_its_file():
    story = Story({"f": b""})
    story.write("f", b"new")
    story.fsync("f")

    assert found_after(story) == [{"f": b"new"}]


def test_control_without_it_both_can_be_lost():
    story = Story({"f": b""})
    story.write("f", b"new")

    assert {f["f"] for f in found_after(story)} == {b"", b"\0\0\0", b"new"}


def test_control_an_fsync_of_another_file_pins_nothing_of_this_one():
    story = Story({"f": b"", "g": b""})
    story.write("f", b"new")
    story.fsync("g")

    assert {f["f"] for f in found_after(story)} == {b"", b"\0\0\0", b"new"}


def test_an_fdatasync_pins_data_and_the_size_needed_to_read_it():
    story = Story({"f": b""})
    story.write("f", b"new")
    story.fdatasync("f")

    assert found_after(story) == [{"f": b"new"}]


def test_control_what_is_written_after_the_sync_is_not_pinned():
    story = Story({"f": b""})
    story.write("f", b"new")
    story.fdatasync("f")
    story.write("f", b"N")

    assert {f["f"] for f in found_after(story)} == {b"new", b"New"}


def test_a_directory_sync_pins_the_names_in_that_directory():
    story = Story({"d": DIRECTORY})
    story.create("d/f")
    story.fsync("d")

    assert found_after(story) == [{"d": DIRECTORY, "d/f": b""}]


@pytest.mark.parametrize("other", ["", "e"], ids=["its parent", "its sibling"])
def test_control_the_sync_of_another_directory_does_not(other):
    story = Story({"d": DIRECTORY, "e": DIRECTORY})
    story.create("d/f")
    story.fsync(other)

    assert {"d": DIRECTORY, "e": DIRECTORY} in found_after(story)


def test_a_new_directory_needs_its_parent_synced():
    story = Story()
    story.mkdir("d")
    story.create("d/f")
    story.fsync("d/f")
    story.fsync("d")
    assert {} in found_after(story)

    story.fsync("")
    assert found_after(story) == [{"d": DIRECTORY, "d/f": b""}]


def test_creating_and_syncing_a_file_does_not_pin_its_name():
    story = Story()
    story.create("f")
    story.write("f", b"new")
    story.fsync("f")
    assert sorted(map(sorted, found_after(story))) == [[], ["f"]]

    story.fsync("")
    assert found_after(story) == [{"f": b"new"}]


def test_a_directory_sync_pins_no_content():
    story = Story()
    story.create("f")
    story.write("f", b"new")
    story.fsync("")

    assert {f["f"] for f in found_after(story)} == {b"", b"\0\0\0", b"new"}


def test_a_rename_is_atomic_both_names_change_or_neither_does():
    story = Story({"f": b"old", "t": b"new"})
    story.rename("t", "f")

    found = found_after(story)
    assert len(found) == 2
    assert {"f": b"old", "t": b"new"} in found
    assert {"f": b"new"} in found


def test_control_a_link_and_an_unlink_can_be_lost_one_by_one():
    story = Story({"t": b"new"})
    story.link("t", "f")
    story.unlink("t")

    found = found_after(story)
    assert {} in found
    assert {"t": b"new", "f": b"new"} in found


def moved_between_directories(*synced):
    story = Story({"a/f": b"x", "b": DIRECTORY})
    story.rename("a/f", "b/f")
    for directory in synced:
        story.fsync(directory)
    return story


BEFORE = {"a": DIRECTORY, "a/f": b"x", "b": DIRECTORY}
BOTH_NAMES = BEFORE | {"b/f": b"x"}
MOVED = {"a": DIRECTORY, "b": DIRECTORY, "b/f": b"x"}


@pytest.mark.parametrize("synced", [("a", "b"), ("b", "a")], ids=["source first", "target first"])
def test_a_rename_between_directories_is_whole_once_both_are_synced(synced):
    assert found_after(moved_between_directories(*synced)) == [MOVED]


def test_control_after_a_sync_of_the_target_alone_both_names_can_be_there():
    """Seen on btrfs: rename(d/a, e/a), fsync(e)."""
    found = found_after(moved_between_directories("b"))

    assert sorted(found, key=len) == [MOVED, BOTH_NAMES]
    assert BOTH_NAMES in found_after(moved_between_directories("b"), by_name("btrfs"))


def test_control_after_a_sync_of_the_source_alone_it_can_be_lost_but_the_file_never_is():
    found = found_after(moved_between_directories("a"))

    assert BEFORE in found
    assert all("a/f" in f or "b/f" in f for f in found)


def test_a_rename_whose_predecessor_is_lost_leaves_what_that_had_replaced():
    """Seen on btrfs: t written and synced, rename(t, a) over an old file, rename(a, b); somebody else syncs."""
    story = Story({"a": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.fsync("t")
    story.rename("t", "a")
    story.rename("a", "b")

    for model in ("strict", "btrfs"):
        assert {"a": b"old", "b": b"new"} in found_after(story, by_name(model)), model


def test_control_once_the_first_rename_is_durable_it_does_not():
    story = Story({"a": b"old", "t": b"new"})
    story.rename("t", "a")
    story.fsync("")
    story.rename("a", "b")

    assert sorted(map(sorted, found_after(story))) == [["a"], ["b"]]


def test_a_second_rename_out_of_a_directory_can_bring_a_removal_that_its_first_new_name_has_not_come_with():
    """Seen on btrfs: d/t synced, rename(d/t, x) over an old file, fsync(d), rename(x, d/a)."""
    story = Story({"d/t": b"new", "x": b"old"})
    story.write("d/t", b"NEW")
    story.fsync("d/t")
    story.rename("d/t", "x")
    story.fsync("d")
    story.rename("x", "d/a")

    for model in ("strict", "btrfs"):
        assert {"d": DIRECTORY, "d/a": b"NEW", "x": b"old"} in found_after(story, by_name(model)), model


def replaced_after_a_rename(*, settled):
    story = Story({"d/b": b"synced", "t": b"other"})
    story.write("d/b", b"SYNCED")
    story.fdatasync("d/b")
    story.rename("d/b", "d/a")
    if settled:
        story.fsync("d")
        story.write("t", b"OTHER")
        story.fsync("t")
    story.rename("t", "d/a")
    return story


def test_a_file_that_is_replaced_takes_its_earlier_name_along_before_the_one_that_replaces_it_has_come():
    """Seen on btrfs: d/b synced, rename(d/b, d/a), rename(t, d/a): t is where it was, and d is empty."""
    for model in ("strict", "btrfs"):
        found = found_after(replaced_after_a_rename(settled=False), by_name(model))
        assert {"d": DIRECTORY, "t": b"other"} in found, model


def test_control_once_the_first_rename_is_durable_one_of_the_two_is_there():
    for model in ("strict", "btrfs"):
        found = found_after(replaced_after_a_rename(settled=True), by_name(model))
        assert all("d/a" in f for f in found), model


def test_both_names_can_be_there_also_after_a_second_rename():
    """Seen on btrfs: rename(d/f, e/f), rename(e/f, e/g), fsync(e)."""
    story = Story({"d/f": b"x", "e": DIRECTORY})
    story.rename("d/f", "e/f")
    story.rename("e/f", "e/g")
    story.fsync("e")

    for model in ("strict", "btrfs"):
        found = found_after(story, by_name(model))
        assert {"d": DIRECTORY, "d/f": b"x", "e": DIRECTORY, "e/g": b"x"} in found, model
        assert all("d/f" in f or "e/g" in f for f in found), model


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_in_one_journal_a_rename_between_directories_is_one(model):
    for synced in ((), ("a",), ("b",)):
        assert BOTH_NAMES not in found_anytime(moved_between_directories(*synced), by_name(model))


def test_a_size_without_its_data_reads_as_zeros():
    story = Story({"f": b"ab"})
    story.append("f", b"cd")

    assert {"f": b"ab\0\0"} in found_after(story)


def test_lost_data_of_an_overwrite_reads_as_the_old_bytes():
    story = Story({"f": page(b"o", 2)})
    story.write("f", page(b"n", 2))

    assert {f["f"] for f in found_after(story)} == {
        a + b for a in (page(b"o"), page(b"n")) for b in (page(b"o"), page(b"n"))
    }


def test_of_two_writes_to_one_page_the_later_one_never_arrives_without_the_earlier_ones_bytes():
    story = Story({"f": b"...."})
    story.write("f", b"1", at=0)
    story.acknowledge()
    story.write("f", b"2", at=3)

    assert {f["f"] for f in found_after(story)} == {b"....", b"1...", b"1..2"}


def test_control_in_two_pages_it_does():
    story = Story({"f": page(b".", 2)})
    story.write("f", b"1", at=0)
    story.acknowledge()
    story.write("f", b"2", at=2 * PAGE - 1)

    assert {(f["f"][0], f["f"][-1]) for f in found_after(story)} == {(a, b) for a in b".1" for b in b".2"}


def test_a_lost_truncation_leaves_the_old_size():
    story = Story({"f": b"old and long"})
    story.truncate("f", 3)

    assert {f["f"] for f in found_after(story)} == {b"old", b"old and long", b"old".ljust(12, b"\0")}


def test_the_zeroed_rest_of_the_page_that_a_truncation_ends_in_can_come_before_it():
    """Seen on ext4, XFS and btrfs: 5,000 bytes, truncate(100), power loss."""
    story = Story({"f": b"o" * 5000})
    story.truncate("f", 100)

    early = (b"o" * 100).ljust(PAGE, b"\0") + b"o" * 904
    for model in MODELS:
        assert early in {f["f"] for f in found_after(story, model)}, model.name


def test_it_can_be_lost_and_then_stale_bytes_are_back_when_the_file_grows():
    """Seen on btrfs: truncate(100); truncate(6000)."""
    story = Story({"f": b"o" * 5000})
    story.truncate("f", 100)
    story.truncate("f", 6000)

    stale = page(b"o").ljust(6000, b"\0")
    assert stale in {f["f"] for f in found_after(story)}
    assert stale in {f["f"] for f in found_after(story, by_name("btrfs"))}


def test_control_a_truncation_to_the_end_of_a_page_leaves_nothing_behind():
    story = Story({"f": page(b"o", 2)})
    story.truncate("f", PAGE)
    story.truncate("f", 2 * PAGE)

    assert {f["f"] for f in found_after(story)} == {page(b"o"), page(b"o", 2), page(b"o") + page(b"\0")}


def test_a_new_length_can_lie_over_the_old_bytes():
    """Seen on btrfs, whose log holds the size and not the extents: `a` rewritten, renamed, its directory synced."""
    story = Story({"a": page(b"o")})
    story.create("t")
    story.truncate("a")
    story.write("a", b"n" * 100)
    story.rename("a", "b")
    story.fsync("")

    assert b"o" * 100 in {f["b"] for f in found_after(story)}
    assert b"o" * 100 in {f["b"] for f in found_after(story, by_name("btrfs"))}


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_where_truncations_are_in_one_journal_with_sizes_it_cannot(model):
    story = Story({"a": page(b"o")})
    story.truncate("a")
    story.write("a", b"n" * 100)

    assert b"o" * 100 not in {f["a"] for f in found_after(story, by_name(model))}


def test_a_truncation_is_pinned_by_a_sync_and_what_it_cut_off_does_not_come_back_when_the_file_grows():
    story = Story({"f": b"secret"})
    story.truncate("f", 1)
    story.fsync("f")
    story.truncate("f", 6)

    assert {f["f"] for f in found_after(story)} == {b"s", b"s\0\0\0\0\0"}


# -- strict: failing syncs -------------------------------------------------------------------------


def test_a_failed_fsync_pins_nothing():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.fsync("f", failed=True)

    assert {"f": b"old"} in found_after(story)


@pytest.mark.parametrize("again", [lambda s: s.fsync("f"), lambda s: s.sync()], ids=["fsync", "sync"])
def test_a_failed_fsync_marks_the_pages_clean_so_that_a_later_one_does_not_bring_them_back(again):
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.fsync("f", failed=True)
    again(story)

    assert {"f": b"old"} in found_after(story)


def test_control_a_page_that_is_written_again_is_pinned_by_a_later_fsync():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.fsync("f", failed=True)
    story.write("f", b"n")
    story.fsync("f")

    assert found_after(story) == [{"f": b"new"}]


def test_a_failed_fsync_gives_up_data_only_the_size_can_still_be_synced():
    story = Story({"f": b""})
    story.write("f", b"new")
    story.fsync("f", failed=True)
    story.fsync("f")

    assert {f["f"] for f in found_after(story)} == {b"\0\0\0", b"new"}


def test_a_failed_fsync_of_another_file_gives_up_nothing_here():
    story = Story({"f": b"old", "g": b""})
    story.write("f", b"new")
    story.fsync("g", failed=True)
    story.fsync("f")

    assert {f["f"] for f in found_after(story)} == {b"new"}


def test_what_an_earlier_fsync_has_pinned_a_failed_one_does_not_give_up():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.fsync("f")
    story.fsync("f", failed=True)

    assert found_after(story) == [{"f": b"new"}]


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_a_sync_of_a_file_can_take_away_the_name_that_another_has_replaced_without_the_other(model):
    """Seen on btrfs: g linked to b, d/a renamed over b, g synced: no b, and the other file is still d/a."""
    story = Story({"b": b"one", "d/a": b"two"})
    story.link("b", "g")
    story.fsync("")
    story.rename("d/a", "b")
    story.fsync("g")

    assert {"d": DIRECTORY, "d/a": b"two", "g": b"one"} in found_after(story, by_name(model))


@pytest.mark.parametrize("between", [lambda s: None, lambda s: s.fsync("")], ids=["not synced", "directory synced"])
def test_control_the_name_is_never_missing_without_that_sync_or_once_the_directory_was_synced(between):
    story = Story({"b": b"one", "t": b"two"})
    story.link("b", "g")
    story.rename("t", "b")
    between(story)
    if len(story.operations) > 2:
        story.fsync("g")

    assert all("b" in files for files in found_anytime(story))


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_a_journal_has_both_or_neither(model):
    story = Story({"b": b"one", "d/a": b"two"})
    story.link("b", "g")
    story.rename("d/a", "b")
    story.fsync("g")

    assert all("b" in files for files in found_anytime(story, by_name(model)))


# -- strict: synchronous writes, sync and syncfs ---------------------------------------------------


def test_a_synchronous_write_pins_itself():
    story = Story({"f": b""})
    story.write("f", page(b"n", 2), durable=True)

    assert found_after(story) == [{"f": page(b"n", 2)}]


def test_while_it_is_in_flight_it_can_be_lost_in_part():
    story = Story({"f": b""})
    story.write("f", page(b"n", 2), durable=True)

    assert {"f": page(b"\0") + page(b"n")} in found_anytime(story)


def test_a_synchronous_write_does_not_pin_other_pages():
    story = Story({"f": page(b"o", 2)})
    story.write("f", b"X", at=0)
    story.write("f", b"Y", at=PAGE, durable=True)

    assert {(f["f"][0], f["f"][PAGE]) for f in found_after(story)} == {(b"o"[0], b"Y"[0]), (b"X"[0], b"Y"[0])}


@pytest.mark.parametrize("enlarge", [Story.allocate, Story.truncate], ids=["allocated", "truncated up"])
def test_a_synchronous_write_pins_the_size_that_was_set_for_it_before(enlarge):
    story = Story({"log": b""})
    enlarge(story, "log", PAGE)
    story.write("log", b"record", durable=True)

    assert found_after(story) == [{"log": b"record".ljust(PAGE, b"\0")}]


@pytest.mark.parametrize("model", ["strict", "ext4", "xfs"])
def test_a_synchronous_write_does_not_pin_the_size_of_an_earlier_one_that_waits_for_its_data(model):
    """Seen: 100 bytes, 8,192 written at 4,096, then 100 at 0 with RWF_DSYNC: 100 bytes on ext4, 4,096 on XFS."""
    story = Story({"f": b"o" * 100})
    story.write("f", page(b"d", 2), at=PAGE)
    story.write("f", b"H" * 100, durable=True)

    sizes = {len(f["f"]) for f in found_after(story, by_name(model))}
    assert {100, PAGE} <= sizes
    assert all(f["f"].startswith(b"H" * 100) for f in found_after(story, by_name(model)))


@pytest.mark.parametrize("model", ["strict", "ext4"])
def test_a_synchronous_write_within_a_size_that_waits_for_its_data_pins_no_size_at_all(model):
    """Seen on ext4: cut to 50 bytes, 5 written at 5,000, then 3,000 at 0 with RWF_DSYNC: 50 bytes of the new ones."""
    story = Story({"f": b"o" * 50})
    story.write("f", b"2" * 5, at=5000)
    story.write("f", b"3" * 3000, durable=True)

    assert {"f": b"3" * 50} in found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["xfs", "btrfs"])
def test_control_elsewhere_it_reaches_what_it_wrote(model):
    story = Story({"f": b"o" * 50})
    story.write("f", b"2" * 5, at=5000)
    story.write("f", b"3" * 3000, durable=True)

    assert min(len(f["f"]) for f in found_after(story, by_name(model))) >= 3000


def test_control_one_that_makes_the_file_longer_pins_its_own():
    story = Story({"f": b"o" * 100})
    story.write("f", page(b"d"), at=PAGE)
    story.write("f", page(b"H"), at=2 * PAGE, durable=True)

    assert {len(f["f"]) for f in found_after(story)} == {3 * PAGE}


def test_control_the_size_of_another_file_it_does_not():
    story = Story({"log": b"", "other": b""})
    story.allocate("other", 3)
    story.write("log", b"record", durable=True)

    assert {f["other"] for f in found_after(story)} == {b"", b"\0\0\0"}


def test_sync_pins_everything_issued_before_it():
    story = Story({"f": b"", "d": DIRECTORY})
    story.write("f", b"new")
    story.create("d/g")
    story.sync()

    assert found_after(story) == [{"d": DIRECTORY, "d/g": b"", "f": b"new"}]


def test_control_nothing_after_it():
    story = Story({"f": b""})
    story.sync()
    story.write("f", b"new")

    assert {"f": b""} in found_after(story)


# -- strict: calls that overlap in time ------------------------------------------------------------

SYNCS = {
    "fsync": lambda s, **when: s.fsync("f", **when),
    "fdatasync": lambda s, **when: s.fdatasync("f", **when),
    "sync": lambda s, **when: s.sync(**when),
}


@pytest.mark.parametrize("sync", SYNCS.values(), ids=list(SYNCS))
def test_a_sync_that_began_before_a_write_returned_does_not_pin_it(sync):
    story = Story({"f": b"old"})
    story.write("f", b"new", start=1, end=3)
    sync(story, start=2, end=4)

    assert {f["f"] for f in found_after(story)} == {b"old", b"new"}


@pytest.mark.parametrize("sync", SYNCS.values(), ids=list(SYNCS))
def test_control_one_that_began_afterwards_does(sync):
    story = Story({"f": b"old"})
    story.write("f", b"new", start=1, end=2)
    sync(story, start=3, end=4)

    assert found_after(story) == [{"f": b"new"}]


def test_a_directory_sync_that_overlaps_a_rename_does_not_pin_it():
    story = Story({"f": b"old", "t": b"new"})
    story.rename("t", "f", start=1, end=3)
    story.fsync("", start=2, end=4)
    assert {"f": b"old", "t": b"new"} in found_after(story)

    story.fsync("", start=5, end=6)
    assert found_after(story) == [{"f": b"new"}]


# -- names -----------------------------------------------------------------------------------------


def test_a_write_through_one_hard_link_is_seen_through_the_other_in_every_state():
    story = Story({"f": b"old"})
    story.link("f", "f.bak")
    story.write("f.bak", b"new")

    assert all(found.get("f.bak", found["f"]) == found["f"] for found in found_after(story))


def test_renaming_over_a_hard_link_leaves_the_other_name_its_old_content():
    story = Story({"f": b"old", "t": b"new"})
    story.link("f", "f.bak")
    story.rename("t", "f")
    story.fsync("")

    assert found_after(story) == [{"f": b"new", "f.bak": b"old"}]


def test_control_an_unsynced_link_can_be_lost_while_the_rename_survives():
    story = Story({"f": b"old", "t": b"new"})
    story.link("f", "f.bak")
    story.rename("t", "f")

    assert {"f": b"new"} in found_after(story)


def test_a_file_without_a_name_appears_only_once_its_link_does():
    story = Story()
    inode = story.nameless()
    story.write(inode, b"new")
    story.fsync(inode)
    assert found_anytime(story) == [{}]

    story.link(inode, "f")
    assert sorted(map(sorted, found_after(story))) == [[], ["f"]]


def test_renaming_a_directory_takes_everything_below_it_along():
    story = Story({"v1/a": b"1", "v1/b": b"2"})
    story.rename("v1", "current")

    found = found_after(story)
    assert sorted(map(sorted, found)) == [["current", "current/a", "current/b"], ["v1", "v1/a", "v1/b"]]


def test_names_made_in_a_directory_before_it_was_renamed_are_lost_one_by_one_unless_it_was_synced():
    story = Story()
    story.mkdir("new")
    story.create("new/a")
    story.rename("new", "current")
    story.fsync("")
    assert {"current": DIRECTORY} in found_after(story)

    story.fsync("current")
    assert found_after(story) == [{"current": DIRECTORY, "current/a": b""}]


def test_an_exchange_swaps_both_names_or_none():
    story = Story({"a": b"1", "b": b"2"})
    story.rename("a", "b", exchange=True)

    found = found_after(story)
    assert len(found) == 2
    assert {"a": b"2", "b": b"1"} in found


def test_a_file_that_was_unlinked_while_open_is_gone_or_back_with_what_was_synced_since_or_without():
    story = Story({"f": b"old"})
    inode = story.inode("f")
    story.unlink("f")
    story.write(inode, b"new")
    story.fsync(inode)

    assert {f.get("f") for f in found_after(story)} == {None, b"new", b"old"}
    assert {f.get("f") for f in found_after(story, by_name("ext4"))} == {None, b"new"}


def test_a_name_made_again_after_an_unlink_is_the_old_file_the_new_one_or_missing():
    story = Story({"f": b"old"})
    story.unlink("f")
    story.create("f")

    found = found_after(story)
    assert sorted(f.get("f", b"missing") for f in found) == [b"", b"missing", b"old"]


# -- what a reader can find after a crash, file system by file system ------------------------------

NEW = b"A" * PAGE + b"B" * PAGE + b"C" * 100
OLD = b"o" * (PAGE + 50)


def kind_of(content):
    """The word for a content in the table of what a reader can find."""
    if content is None:
        return "missing"
    if content == OLD:
        return "old"
    if content == NEW:
        return "new"
    if content == b"":
        return "empty"
    if NEW.startswith(content):
        return "prefix"
    if not content.strip(b"\0"):
        return "zeros"
    if all(a in (b, 0) for a, b in zip(content, NEW, strict=False)):
        return "hole"
    return "mixture"


def truncated_in_place():
    story = Story({"f": OLD})
    story.truncate("f")
    story.write("f", NEW)
    return story


def renamed(old, *, sync_file=False, sync_directory=False):
    story = Story({"f": OLD} if old else {})
    story.create("t")
    story.write("t", NEW)
    if sync_file:
        story.fsync("t")
    story.rename("t", "f")
    if sync_directory:
        story.fsync("")
    return story


PATTERNS = {
    "in place": truncated_in_place,
    "replace": lambda: renamed(True),
    "first save": lambda: renamed(False),
    "replace, file synced": lambda: renamed(True, sync_file=True),
    "first save, file synced": lambda: renamed(False, sync_file=True),
    "replace, all synced": lambda: renamed(True, sync_file=True, sync_directory=True),
    "first save, all synced": lambda: renamed(False, sync_file=True, sync_directory=True),
}

EVERYTHING = {"empty", "prefix", "zeros", "hole", "new"}
TABLE = {
    "ext4": {
        "in place": {"old", *EVERYTHING},
        "replace": {"old", "zeros", "hole", "new"},
        "first save": {"missing", *EVERYTHING},
    },
    "xfs": {
        "in place": {"old", "empty", "prefix", "hole", "new"},
        "replace": {"old", "empty", "prefix", "hole", "new"},
        "first save": {"missing", "empty", "prefix", "hole", "new"},
    },
    "btrfs": {
        "in place": {"old", "empty", "prefix", "hole", "new"},
        "replace": {"old", "empty", "prefix", "hole", "new"},
        "first save": {"missing", "empty", "prefix", "hole", "new"},
    },
    "strict": {
        "in place": {"old", "mixture", *EVERYTHING},
        "replace": {"old", *EVERYTHING},
        "first save": {"missing", *EVERYTHING},
    },
}
FOR_ALL = {
    "replace, file synced": {"old", "new"},
    "first save, file synced": {"missing", "new"},
    "replace, all synced": {"new"},
    "first save, all synced": {"new"},
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("model", TABLE)
def test_a_reader_finds_what_the_table_says(model, pattern):
    found = found_after(PATTERNS[pattern](), by_name(model))

    assert {kind_of(f.get("f")) for f in found} == (TABLE[model] | FOR_ALL)[pattern]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_model_allows_less_than_strict_except_macos_which_allows_more(pattern):
    def images(model):
        return {frozenset(found.items()) for found in found_anytime(PATTERNS[pattern](), model)}

    strict = images(STRICT)
    for model in MODELS:
        if model.name == "macos":
            assert images(model) >= strict
        else:
            assert images(model) <= strict


def test_on_macos_an_fsync_keeps_nothing():
    found = found_after(PATTERNS["replace, all synced"](), by_name("macos"))

    assert {kind_of(f.get("f")) for f in found} == {"old", *EVERYTHING}


def test_control_a_full_fsync_does_and_takes_along_what_an_fsync_had_handed_to_the_drive():
    story = renamed(True, sync_file=True)
    story.fsync("", kind=SyncKind.FULL)

    assert found_after(story, by_name("macos")) == [{"f": NEW}]


def test_a_full_fsync_does_not_reach_what_no_fsync_has_handed_over():
    story = renamed(True)
    story.fsync("", kind=SyncKind.FULL)

    assert {kind_of(f["f"]) for f in found_after(story, by_name("macos"))} == EVERYTHING


def test_on_macos_sync_only_asks():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.sync()

    assert {"f": b"old"} in found_after(story, by_name("macos"))


# -- what only some file systems do: each rule as it was seen on Linux 6.18 ------------------------


@pytest.mark.parametrize("model", ["strict", "ext4"])
def test_space_allocated_below_a_size_that_waits_for_its_data_can_be_all_that_there_is(model):
    """Seen on ext4: 3,000 bytes written, posix_fallocate of 100: 100 zeros."""
    story = Story({"f": b""})
    story.write("f", b"n" * 3000)
    story.allocate("f", 100)

    assert bytes(100) in {f["f"] for f in found_after(story, by_name(model))}


def test_control_once_the_size_is_synced_it_stays():
    story = Story({"f": b""})
    story.write("f", b"n" * 3000)
    story.fsync("f")
    story.allocate("f", 100)

    assert found_after(story) == [{"f": b"n" * 3000}]


def appended_within_a_page():
    story = Story({"log": b"1" * 3000})
    story.append("log", b"2" * 500)
    return {f["log"] for f in found_after(story, by_name("ext4"))}


def test_on_ext4_an_append_within_the_last_block_can_show_zeros():
    assert b"1" * 3000 + bytes(500) in appended_within_a_page()


def test_control_it_never_shows_the_new_bytes_in_part():
    assert appended_within_a_page() == {b"1" * 3000, b"1" * 3000 + bytes(500), b"1" * 3000 + b"2" * 500}


@pytest.mark.parametrize("model", ["xfs", "btrfs"])
def test_control_elsewhere_the_size_comes_with_its_page(model):
    story = Story({"log": b"1" * 3000})
    story.append("log", b"2" * 500)

    assert b"1" * 3000 + bytes(500) not in {f["log"] for f in found_after(story, by_name(model))}


def test_on_xfs_an_earlier_page_can_be_missing_under_a_size_that_came_with_a_later_one():
    story = Story({"log": b"1" * 3000})
    story.append("log", b"2" * 3000)

    found = {f["log"] for f in found_after(story, by_name("xfs"))}
    assert b"1" * 3000 + bytes(1096) + b"2" * 1904 in found
    assert b"1" * 3000 + b"2" * 1096 + bytes(1904) not in found


def test_on_ext4_a_rename_over_a_file_brings_the_sizes_of_its_source_and_not_its_data():
    found = {kind_of(f["f"]) for f in found_after(renamed(True, sync_directory=True), by_name("ext4"))}

    assert found == {"zeros", "hole", "new"}


def test_and_nothing_of_what_was_overwritten_in_its_place():
    story = Story({"f": b"old", "t": page(b"t", 2)})
    story.write("t", page(b"n", 2))
    story.rename("t", "f")

    assert page(b"t", 2) in {f["f"] for f in found_after(story, by_name("ext4"))}


def synced_after_the_rename(sync):
    story = renamed(True, sync_file=True)
    sync(story, "f")
    return {kind_of(f["f"]) for f in found_after(story, by_name("ext4"))}


def test_on_ext4_an_fdatasync_does_not_commit_the_rename_of_its_file():
    assert synced_after_the_rename(Story.fdatasync) == {"old", "new"}


def test_control_an_fsync_does():
    assert synced_after_the_rename(Story.fsync) == {"new"}


def test_control_so_does_an_fdatasync_on_xfs():
    story = renamed(True, sync_file=True)
    story.fdatasync("f")

    assert {kind_of(f["f"]) for f in found_after(story, by_name("xfs"))} == {"new"}


IN_PLACE = {
    "fdatasync": lambda s: (s.write("f", page(b"n")), s.fdatasync("f")),
    "fsync": lambda s: (s.write("f", page(b"n")), s.fsync("f")),
    "O_DSYNC": lambda s: s.write("f", page(b"n"), durable=True),
}


@pytest.mark.parametrize("overwrite", IN_PLACE.values(), ids=list(IN_PLACE))
@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_a_synced_overwrite_in_place_commits_no_name_of_another_file(model, overwrite):
    story = Story({"f": page(b"o")})
    story.create("g")
    overwrite(story)

    assert {"f": page(b"n")} in found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_a_synced_append_does(model):
    story = Story({"f": page(b"o")})
    story.create("g")
    story.append("f", b"n")
    story.fdatasync("f")

    assert found_after(story, by_name(model)) == [{"f": page(b"o") + b"n", "g": b""}]


def truncated_and_written_again(model, size):
    story = Story({"f": page(b"o", 3)})
    story.truncate("f", size)
    story.append("f", page(b"n"))
    return {f["f"] for f in found_after(story, by_name(model))}


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_new_data_can_arrive_under_the_old_size_in_the_page_that_a_truncation_ended_in(model):
    early = b"o" * 100 + b"n" * (PAGE - 100) + page(b"o", 2)

    assert early in truncated_and_written_again(model, 100)


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_in_a_page_that_the_truncation_took_away_it_cannot(model):
    assert page(b"n") + page(b"o", 2) not in truncated_and_written_again(model, 0)


# -- names in order, and the log of btrfs ----------------------------------------------------------


@pytest.mark.parametrize("model", ["ext4", "xfs", "btrfs"])
def test_a_journal_keeps_names_in_order(model):
    story = Story()
    story.create("first")
    story.create("second")

    assert sorted(map(sorted, found_after(story, by_name(model)))) == [[], ["first"], ["first", "second"]]


def test_control_posix_does_not():
    story = Story()
    story.create("first")
    story.create("second")

    assert {"second": b""} in found_after(story)


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_an_fsync_commits_the_names_before_the_last_change_of_its_file(model):
    story = Story({"log": b""})
    story.create("first")
    story.write("log", b"x")
    story.fsync("log")

    assert found_after(story, by_name(model)) == [{"first": b"", "log": b"x"}]


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_an_fsync_of_a_file_that_did_not_change_commits_nothing(model):
    story = Story({"log": b""})
    story.create("first")
    story.fsync("log")

    assert {"log": b""} in found_after(story, by_name(model))


def test_on_btrfs_an_fsync_brings_the_new_directories_on_the_way_to_its_file():
    story = Story()
    story.mkdir("d")
    story.create("d/f")
    story.fsync("d/f")

    assert found_after(story, by_name("btrfs")) == [{"d": DIRECTORY, "d/f": b""}]


def test_on_btrfs_an_fsync_brings_no_name_of_another_file():
    story = Story()
    story.create("other")
    story.create("f")
    story.fsync("f")

    assert {"f": b""} in found_after(story, by_name("btrfs"))


def renamed_after_an_unlink(sync):
    """B1: unlink(y); t written and synced; rename(t, x); somebody else syncs."""
    story = Story({"x": b"o", "y": b"Y"})
    story.unlink("y")
    story.create("t")
    sync(story)
    story.rename("t", "x")
    return found_after(story, by_name("btrfs"))


LOGGING = {
    "fsync": lambda s: (s.write("t", b"n"), s.fsync("t")),
    "fdatasync": lambda s: (s.write("t", b"n"), s.fdatasync("t")),
    "O_DSYNC": lambda s: s.write("t", b"n", durable=True),
}


@pytest.mark.parametrize("sync", LOGGING.values(), ids=list(LOGGING))
def test_on_btrfs_the_rename_of_what_was_logged_can_come_before_an_older_name(sync):
    assert {"x": b"n", "y": b"Y"} in renamed_after_an_unlink(sync)


def test_control_what_was_never_logged_cannot():
    assert all("y" not in f for f in renamed_after_an_unlink(lambda s: s.write("t", b"n")) if f["x"] != b"o")


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_nor_can_it_in_one_journal(model):
    story = Story({"x": b"o", "y": b"Y"})
    story.unlink("y")
    story.create("t")
    story.fsync("t")
    story.rename("t", "x")

    assert all("y" not in f for f in found_after(story, by_name(model)))


def test_on_btrfs_an_fsync_of_a_new_file_does_not_bring_the_rename_of_its_old_directory():
    story = Story({"d/a": b"o"})
    story.rename("d", "e")
    story.create("e/b")
    story.fsync("e/b")

    assert {"d": DIRECTORY, "d/a": b"o", "d/b": b""} in found_after(story, by_name("btrfs"))


def saved_twice(*, sync_directory):
    story = Story()
    for content in (b"first", b"second"):
        story.create("t")
        story.write("t", content)
        if content == b"first":
            story.fsync("t")
        story.rename("t", "a")
        if sync_directory and content == b"first":
            story.fsync("")
    return found_after(story, by_name("btrfs"))


def test_on_btrfs_a_synced_file_is_gone_when_an_unsynced_one_replaces_it_and_no_directory_was_synced():
    """Seen: t written, synced, renamed to a; t written, renamed to a; another file is synced: neither a nor t."""
    assert {} in saved_twice(sync_directory=False)


def test_control_once_the_directory_was_synced_there_is_one_of_the_two():
    assert all("a" in f for f in saved_twice(sync_directory=True))


def test_on_btrfs_a_size_comes_with_some_data_be_it_earlier():
    story = Story({"f": b""})
    story.append("f", page(b"1"))
    story.create("other")
    story.append("f", page(b"2"))

    found = {f["f"] for f in found_after(story, by_name("btrfs"))}
    assert page(b"1") + page(b"\0") in found
    assert page(b"\0", 2) not in found


def test_pages_given_up_by_a_failed_fsync_can_be_missing_under_a_size_on_every_model():
    for model in MODELS:
        story = Story({"f": b""})
        story.write("f", b"new")
        story.fsync("f", failed=True)
        story.fsync("f")

        assert b"\0\0\0" in {f["f"] for f in found_after(story, model)}, model.name


def test_strict_is_named_first():
    assert names()[0] == "strict"
    assert [by_name(name).name for name in names()] == list(names())


def test_control_there_is_no_model_of_another_name():
    with pytest.raises(KeyError):
        by_name("fat32")


def test_on_btrfs_a_link_of_a_synced_file_brings_the_new_directory_that_it_lies_in_ahead_of_older_names():
    """Seen: a symlink, then a directory, then a file without a name, synced and linked into it: no symlink."""
    story = Story()
    story.symlink("s", "d")
    story.mkdir("g")
    inode = story.nameless()
    story.write(inode, b"new")
    story.fsync(inode)
    story.link(inode, "g/b")

    assert {"g": DIRECTORY, "g/b": b"new"} in found_after(story, by_name("btrfs"))


def test_control_a_directory_that_nothing_synced_lies_in_is_not_brought():
    story = Story()
    story.symlink("s", "d")
    story.mkdir("g")
    story.create("g/b")

    assert all("s" in files for files in found_after(story, by_name("btrfs")) if "g" in files)


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_what_is_renamed_from_another_directory_over_a_synced_file_can_take_it_away_and_not_arrive(model):
    """Seen on btrfs: t synced, d/a renamed over it: no t, and the other file is still d/a."""
    story = Story({"t": b"old", "d/a": b"new"})
    story.fsync("t")
    story.rename("d/a", "t")

    assert {"d": DIRECTORY, "d/a": b"new"} in found_after(story, by_name(model))


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.rename("d/a", "t"),
        lambda s: (s.fsync("t"), s.rename("s", "t")),
        lambda s: (s.fsync("t"), s.fsync(""), s.rename("d/a", "t")),
        lambda s: (s.fsync("t"), s.rename("d/a", "t"), s.fsync("")),
    ],
    ids=["not synced", "same directory", "directory synced before", "directory synced after"],
)
def test_control_otherwise_the_name_is_never_missing(make):
    story = Story({"t": b"old", "d/a": b"new", "s": b"new"})
    make(story)

    assert all("t" in files for files in found_after(story))


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_nor_on_a_file_system_with_one_journal(model):
    story = Story({"t": b"old", "d/a": b"new"})
    story.fsync("t")
    story.rename("d/a", "t")

    assert all("t" in files for files in found_anytime(story, by_name(model)))


LEFT = {
    "unlinked": lambda s: s.unlink("b"),
    "renamed": lambda s: s.rename("b", "x"),
    "renamed into another directory": lambda s: s.rename("b", "d/x"),
    "replaced": lambda s: s.rename("s", "b"),
}


def made_anew(leave, then, *, directory_synced=False, sync=lambda s: s.fsync("b")):
    """A file leaves the name b; a new one is given it and is synced; what ``then`` does follows."""
    story = Story({"b": b"old", "s": b"s", "d": DIRECTORY, "other": b""})
    leave(story)
    if "b" in dict(story._tree.walk()):
        story.unlink("b")
    if directory_synced:
        story.fsync("")
        story.fsync("d")
    story.create("b")
    story.write("b", b"new")
    sync(story)
    then(story)
    return story


@pytest.mark.parametrize("moved", ["g", "d/g"], ids=["same directory", "another directory"])
@pytest.mark.parametrize("leave", LEFT.values(), ids=list(LEFT))
def test_on_btrfs_an_old_file_can_be_back_under_a_name_that_a_newer_synced_one_has_been_renamed_from(leave, moved):
    """Seen: unlink(b), or a rename; b made anew and synced, renamed to g: g is there, and b is what it was before."""
    story = made_anew(leave, lambda s: s.rename("b", moved))

    found = found_after(story, by_name("btrfs"))
    assert any(f.get("b") == b"old" and f.get(moved) == b"new" for f in found)
    assert any(f.get("b") == b"new" for f in found)


def test_also_after_it_was_synced_by_its_new_name():
    story = made_anew(LEFT["unlinked"], lambda s: (s.rename("b", "g"), s.fsync("g")))

    assert any(f.get("b") == b"old" for f in found_after(story, by_name("btrfs")))


def test_control_not_as_long_as_the_rename_has_not_arrived():
    for leave in LEFT.values():
        story = made_anew(leave, lambda s: s.rename("b", "g"))

        found = found_after(story, by_name("btrfs"))
        assert all(f["b"] == b"new" for f in found if f.get("g") != b"new")


def test_control_nor_where_the_directory_was_synced_in_between_or_afterwards():
    for leave in LEFT.values():
        between = made_anew(leave, lambda s: s.rename("b", "g"), directory_synced=True)
        afterwards = made_anew(leave, lambda s: (s.rename("b", "g"), s.fsync(""), s.fsync("d")))

        for story in (between, afterwards):
            assert all(f.get("b") != b"old" for f in found_after(story, by_name("btrfs")))


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_nor_in_one_journal(model):
    story = made_anew(LEFT["unlinked"], lambda s: s.rename("b", "g"))

    assert all(f.get("b") != b"old" for f in found_after(story, by_name(model)))


def test_on_btrfs_a_synced_name_stays_until_it_is_removed():
    story = Story()
    story.create("f")
    story.fsync("f")
    story.acknowledge(1)
    story.invoke(2)
    story.unlink("f")

    found = [group for group in enumerated(story, by_name("btrfs")).groups if group.power is not None]
    assert [contents(g.image) for g in found if g.window == Window(1, -1)] == [{"f": b""}]
    assert {} in [contents(g.image) for g in found if g.window == Window(1, 2)]


def written_without_a_name(*, model, sync=lambda s, inode: s.write(inode, b"2" * 100, durable=True)):
    """What a reader finds after a was written, replaced by t, and written again through what was still open."""
    story = Story({"a": b"o" * 100, "t": b"t", "b": b""})
    inode = story.inode("a")
    story.write("a", b"1" * 100, durable=True)
    story.rename("t", "a")
    sync(story, inode)
    story.write("b", b"b", durable=True)
    return {f["a"] for f in found_after(story, by_name(model))}


WITHOUT_A_NAME = {
    "O_DSYNC": lambda s, inode: s.write(inode, b"2" * 100, durable=True),
    "fsync": lambda s, inode: (s.write(inode, b"2" * 100), s.fsync(inode)),
}


@pytest.mark.parametrize("sync", WITHOUT_A_NAME.values(), ids=list(WITHOUT_A_NAME))
@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_a_file_that_has_lost_its_last_name_can_be_back_without_what_was_synced_since(model, sync):
    """Seen on btrfs: a written with O_DSYNC, d/b renamed over it, a written again: a is as it was before the rename."""
    assert written_without_a_name(model=model, sync=sync) >= {b"1" * 100, b"2" * 100, b"t"}


@pytest.mark.parametrize("sync", WITHOUT_A_NAME.values(), ids=list(WITHOUT_A_NAME))
@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_nor_does_it_keep_then_what_it_was_synced_to_while_it_had_its_name(model, sync):
    """Seen on btrfs: 100 bytes made 4,197 and synced, replaced, written and synced again: the 100 bytes are back."""
    assert b"o" * 100 in written_without_a_name(model=model, sync=sync)


@pytest.mark.parametrize("model", ["strict", "btrfs"])
@pytest.mark.parametrize(
    "between",
    [lambda s, inode: None, lambda s, inode: s.write(inode, b"2" * 100), lambda s, inode: (s.sync(), s.fsync(inode))],
    ids=["nothing", "a write without a sync", "a sync of everything"],
)
def test_control_it_keeps_that_until_it_is_synced_without_a_name(model, between):
    assert b"o" * 100 not in written_without_a_name(model=model, sync=between)


@pytest.mark.parametrize("model", ["ext4", "xfs"])
def test_control_in_one_journal_what_was_synced_is_there(model):
    assert written_without_a_name(model=model) <= {b"2" * 100, b"t"}


def in_a_new_directory(*, then=lambda s, inode: None):
    """What a reader finds after e/b was made, e/b/a written, synced and renamed over d/b; and after what follows."""
    story = Story({"d/b": b"o" * 100, "e": DIRECTORY})
    replaced = story.inode("d/b")
    story.mkdir("e/b")
    story.create("e/b/a")
    story.write("e/b/a", b"2" * 100)
    story.fsync("e/b/a")
    story.rename("e/b/a", "d/b")
    then(story, replaced)
    return found_after(story, by_name("btrfs"))


def test_on_btrfs_a_sync_without_a_name_takes_along_the_new_directory_that_another_sync_had_brought():
    """Seen: no e/b, and d/b as it was before."""
    found = in_a_new_directory(then=lambda s, inode: (s.write(inode, b"3" * 100), s.fdatasync(inode)))

    assert any("e/b" not in tree and tree["d/b"][:1] == b"o" for tree in found)


def test_control_without_it_the_directory_stays():
    assert all("e/b" in tree for tree in in_a_new_directory())


def moved(*, model="btrfs", between=lambda s: None, then=lambda s: None, synced_first=True, to="e/t"):
    """The trees that can be left once t was written in d, moved, and both directories were synced; and what follows."""
    story = Story({"d": DIRECTORY, "e": DIRECTORY})
    story.create("d/t")
    story.write("d/t", b"1" * 100)
    if synced_first:
        story.fsync("d/t")
    between(story)
    story.rename("d/t", to)
    story.fsync("d")
    story.fsync("e")
    then(story)
    return found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_a_name_that_was_made_and_moved_away_can_be_back_although_its_directory_was_synced(model):
    """Seen on btrfs where 300 files were made before the rename: both names, of one file."""
    assert any({"d/t", "e/t"} <= set(tree) for tree in moved(model=model))


@pytest.mark.parametrize(
    "safe",
    [
        {"between": lambda s: s.fsync("d")},
        {"then": lambda s: s.sync()},
        {"synced_first": False},
        {"to": "d/x"},
        {"model": "ext4"},
        {"model": "xfs"},
    ],
    ids=["its-directory-was-synced-before", "everything-is-synced", "never-synced", "same-directory", "ext4", "xfs"],
)
def test_control_it_is_gone_where_the_log_knows_of_it(safe):
    found = moved(**safe)

    assert found and all("d/t" not in tree for tree in found)


def unlinked(*, last_too=True, model="btrfs"):
    """The trees left once one of two names was unlinked and the directory synced, and then the other was unlinked."""
    story = Story({"d": DIRECTORY})
    file = story.nameless()
    story.write(file, b"1" * 100)
    story.fsync(file)
    story.link(file, "d/t")
    story.link(file, "d/a")
    story.fsync(file)
    story.unlink("d/t")
    story.fsync("d")
    if last_too:
        story.unlink("d/a")
    return found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_an_unlinked_name_can_be_back_once_the_file_has_lost_its_other_name_there(model):
    """Seen on btrfs: d/t is back, d/a is not."""
    assert any("d/t" in tree and "d/a" not in tree for tree in unlinked(model=model))


@pytest.mark.parametrize(
    "safe", [{"last_too": False}, {"model": "ext4"}, {"model": "xfs"}], ids=["kept", "ext4", "xfs"]
)
def test_control_as_long_as_it_has_another_name_there_the_first_is_gone(safe):
    found = unlinked(**safe)

    assert found and all("d/t" not in tree for tree in found)


def saved(*, model="btrfs", times=2, name="t", sync=True, between=lambda s: None):
    """The trees left once a was saved by way of temporary files in its directory, which was synced each time."""
    story = Story({"o": b"o"})
    for time in range(1, times + 1):
        temporary = name.format(time)
        story.create(temporary)
        story.write(temporary, str(time).encode())
        if sync:
            story.fsync(temporary)
        between(story)
        story.rename(temporary, "a")
        story.fsync("")
    return found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["strict", "btrfs"])
@pytest.mark.parametrize("name", ["t", "t{}"], ids=["the same name again", "another name"])
def test_a_temporary_file_can_be_back_once_the_file_that_it_became_is_replaced(model, name):
    """Seen on btrfs: a is new, and t is there with what the first save wrote."""
    assert {"o": b"o", "a": b"2", name.format(1): b"1"} in saved(model=model, name=name)


def test_also_where_it_was_never_synced_itself():
    """Seen on btrfs: t is there, and empty."""
    assert any(tree["a"] == b"2" and tree.get("t") == b"" for tree in saved(sync=False) if "a" in tree)


@pytest.mark.parametrize(
    "safe",
    [
        {"times": 1},
        {"between": lambda s: s.fsync("")},
        {"between": lambda s: s.sync()},
        {"model": "ext4"},
        {"model": "xfs"},
    ],
    ids=["not-replaced", "directory-synced-before-the-rename", "everything-synced", "ext4", "xfs"],
)
def test_control_it_is_gone_as_long_as_it_has_its_new_name_or_where_it_was_no_new_name_any_more(safe):
    found = saved(**safe)

    assert found and all("t" not in tree for tree in found)


def test_names_that_two_syncs_of_a_directory_have_forgotten_are_never_back_together():
    """Only the first sync of a directory in a transaction forgets, and no log outlives its transaction."""
    back = {frozenset(tree) - {"o", "a"} for tree in saved(times=4, name="t{}")}

    assert back == {frozenset(), frozenset({"t1"}), frozenset({"t2"}), frozenset({"t3"})}


def test_control_those_of_one_sync_can_be():
    story = Story({"a": b"a", "b": b"b"})
    for name in "ab":
        story.create(f"t{name}")
        story.write(f"t{name}", b"1")
        story.fsync(f"t{name}")
    for name in "ab":
        story.rename(f"t{name}", name)
    story.fsync("")
    for name in "ab":
        story.unlink(name)
    story.fsync("")

    assert {"ta": b"1", "tb": b"1"} in found_after(story, by_name("btrfs"))


def published(
    *,
    model="btrfs",
    make=lambda s: (s.create("d/a"), s.write("d/a", b"a"), s.fsync("d/a"), s.fsync("d")),
    then=lambda s: None,
    anew=lambda s: None,
):
    """The trees left while s/t is renamed over d/a, which is new, and nothing has been synced since."""
    story = Story({"s/t": b"t", "d": DIRECTORY, "e/a": b"old"})
    make(story)
    anew(story)
    story.rename("s/t", "d/a")
    then(story)
    return found_after(story, by_name(model))


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_what_is_replaced_from_another_directory_can_be_gone_where_the_log_knows_only_its_own_directory(model):
    """Seen on btrfs: a file is made, its directory synced, one from elsewhere renamed over it: d/a is gone."""
    assert any("d/a" not in tree and "s/t" in tree for tree in published(model=model))


@pytest.mark.parametrize(
    "safe",
    [
        {"make": lambda s: (s.rename("e/a", "d/a"), s.fsync("d"), s.sync(), s.create("d/b"), s.fsync("d"))},
        {"then": lambda s: s.fsync("d")},
        {"anew": lambda s: (s.write("s/t", b"2"), s.fsync("s/t"))},
        {"anew": lambda s: s.sync()},
        {"model": "ext4"},
        {"model": "xfs"},
    ],
    ids=["not-new", "synced-afterwards", "written-and-synced-since", "everything-synced", "ext4", "xfs"],
)
def test_control_the_rename_is_whole_where_the_log_knows_what_it_moves_or_not_what_it_replaces(safe):
    found = published(**safe)

    assert found and all("d/a" in tree for tree in found)


def test_on_xfs_a_sync_of_a_directory_commits_nothing_of_another_that_its_file_was_moved_to_before():
    """Seen: d/b moved to t, then to b; fsync(d) commits the first of them only."""
    story = Story({"d/b": b"b", "d/a": b"a"})
    story.rename("d/b", "t")
    story.fsync("d")
    story.rename("t", "b")
    story.fsync("d")

    assert {frozenset(tree) for tree in found_after(story, by_name("xfs"))} == {
        frozenset({"d", "d/a", "t"}),
        frozenset({"d", "d/a", "b"}),
    }


def test_control_a_sync_of_the_one_that_it_was_moved_in_does():
    story = Story({"d/b": b"b", "d/a": b"a"})
    story.rename("d/b", "t")
    story.rename("t", "b")
    story.fsync("")

    assert {frozenset(tree) for tree in found_after(story, by_name("xfs"))} == {frozenset({"d", "d/a", "b"})}


def test_control_a_file_whose_only_name_was_unlinked_is_gone():
    story = Story({"d": DIRECTORY})
    story.create("d/t")
    story.write("d/t", b"1" * 100)
    story.fsync("d/t")
    story.unlink("d/t")
    story.fsync("d")

    assert all("d/t" not in tree for tree in found_after(story, by_name("strict")))


@pytest.mark.parametrize("model", ["strict", "btrfs"])
def test_control_of_a_file_that_never_had_a_name_a_sync_keeps_the_content(model):
    story = Story()
    inode = story.nameless()
    story.write(inode, b"new")
    story.fsync(inode)
    story.link(inode, "a")
    story.fsync("")

    assert found_after(story, by_name(model)) == [{"a": b"new"}]


def test_control_and_so_it_does_under_another_name():
    story = Story({"a": b"o" * 100, "t": b"t"})
    inode = story.inode("a")
    story.link("a", "c")
    story.rename("t", "a")
    story.write(inode, b"2" * 100)
    story.fsync(inode)

    assert all(f.get("c", b"2" * 100) == b"2" * 100 for f in found_after(story))
