"""What each persistence model lets a power loss take: each rule with its control."""

import pytest

from pytest_tradestore.crash.lowering import PAGE
from pytest_tradestore.crash.models import MODELS, STRICT, by_name, names
from pytest_tradestore.crash.operations import SyncKind
from tests.crash.handmade import DIRECTORY, Story, found_after, found_anytime, page

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


@pytest.mark.parametrize("synced", ["a", "b"])
def test_a_rename_between_directories_is_whole_whichever_of_the_two_is_synced(synced):
    story = Story({"a/f": b"x", "b": DIRECTORY})
    story.rename("a/f", "b/f")
    story.fsync(synced)

    assert found_after(story) == [{"a": DIRECTORY, "b": DIRECTORY, "b/f": b"x"}]


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

    assert {f["f"] for f in found_after(story)} == {b"old", b"old and long"}


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


def test_a_file_that_was_unlinked_while_open_is_gone_or_back_whatever_was_written_to_it():
    story = Story({"f": b"old"})
    inode = story.inode("f")
    story.unlink("f")
    story.write(inode, b"new")
    story.fsync(inode)

    assert {frozenset(f.items()) for f in found_after(story)} == {frozenset(), frozenset({("f", b"new")})}


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
        "in place": {"old", "empty", "prefix", "new"},
        "replace": {"old", "new"},
        "first save": {"missing", "empty", "prefix", "new"},
    },
    "xfs": {
        "in place": {"old", "empty", "prefix", "new"},
        "replace": {"old", "empty", "prefix", "new"},
        "first save": {"missing", "empty", "prefix", "new"},
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
