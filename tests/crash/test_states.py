"""Which crash states there are, how they are grouped, counted and put in order."""

from itertools import pairwise

import pytest

from pytest_tradestore.crash import lowering
from pytest_tradestore.crash.crash_state import Crash, CrashState, Window, is_settled, windows
from pytest_tradestore.crash.lowering import PAGE, lower
from pytest_tradestore.crash.models import MODELS, STRICT, by_name
from pytest_tradestore.crash.states import enumerate_states, image_of, settled_states
from pytest_tradestore.crash.where import where_possible
from tests.crash.handmade import Story, contents, enumerated, found_of_process, page

# -- process crashes -------------------------------------------------------------------------------


def test_a_process_crash_keeps_an_exact_prefix():
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "f")

    assert found_of_process(story) == [
        {"f": b"old"},
        {"f": b"old", "t": b""},
        {"f": b"old", "t": b"new"},
        {"f": b"new"},
    ]


def test_control_a_power_loss_does_not():
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "f")

    found = enumerated(story)
    assert {"f": b""} in [contents(g.image) for g in found.groups if g.process is None]


def test_a_dying_process_can_cut_a_write_at_a_page():
    story = Story({"f": b""})
    story.write("f", page(b"n", 2) + b"end")

    assert [f["f"] for f in found_of_process(story)] == [b"", page(b"n"), page(b"n", 2), page(b"n", 2) + b"end"]


def test_control_a_write_within_one_page_is_whole_or_not_there():
    story = Story({"f": b"12345"})
    story.write("f", b"abc", at=1)

    assert [f["f"] for f in found_of_process(story)] == [b"12345", b"1abc5"]


def test_a_dying_process_can_stop_between_two_calls_that_were_joined():
    story = Story({"f": b""})
    story.append("f", b"one")
    story.append("f", b"two")

    assert [f["f"] for f in found_of_process(story)] == [b"", b"one", b"onetwo"]


def test_the_cuts_within_a_long_write_are_its_first_middle_and_last_pages():
    story = Story({"f": b""})
    story.write("f", page(b"n", 100))

    assert [len(f["f"]) // PAGE for f in found_of_process(story)] == [0, 1, 2, 50, 98, 99, 100]


# -- windows ---------------------------------------------------------------------------------------


def test_a_window_says_which_updates_had_been_called_and_which_had_returned():
    story = Story({"f": b""})
    story.invoke(0)
    story.acknowledge(0)
    story.invoke(1)
    story.write("f", b"x")
    story.acknowledge(1)

    found = windows(story.program)
    assert found == (Window(-1, -1), Window(-1, 0), Window(0, 0), Window(0, 1), Window(0, 1), Window(1, 1))
    assert [w.in_flight for w in found] == [False, True, False, True, True, False]


def test_one_image_before_and_after_an_acknowledgement_makes_two_groups():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.acknowledge(1)

    old = [g.window for g in enumerated(story).groups if contents(g.image) == {"f": b"old"}]
    assert old == [Window(-1, -1), Window(1, -1)]


def test_control_within_one_window_it_makes_one():
    story = Story({"f": b"old"})
    story.write("f", b"new")
    story.create("t")
    story.unlink("t")

    found = enumerated(story)
    assert len({g.image for g in found.groups}) == len(found.groups)


def test_losses_of_what_was_written_before_a_mark_fall_into_the_window_after_it():
    story = Story({"f": b"old"})
    story.invoke(1)
    story.write("f", b"new")
    story.acknowledge(1)

    lost = next(g for g in enumerated(story).groups if g.window.acknowledged == 1 and contents(g.image)["f"] == b"old")
    assert lost.power == CrashState(Crash.POWER, 3, (0,))


# -- after a rest: everything before the update in flight is on disk ---------------------------------


def never_synced():
    """Two saves of one file, by a temporary file and a rename, and no sync."""
    story = Story()
    for number, content in enumerate((b"one", b"two!"), 1):
        story.invoke(number)
        story.create("t")
        story.write("t", content)
        story.rename("t", "f")
        story.acknowledge(number)
    return lower(story.trace)


def settled_contents(model="strict", update=2):
    groups = settled_states(never_synced(), by_name(model), subsets_per_cut=64, images=1000)
    return [contents(g.image) for g in groups if g.window == Window(update - 1, update)]


@pytest.mark.parametrize("model", [model.name for model in MODELS])
def test_what_came_before_an_update_can_have_settled_although_nothing_was_synced(model):
    assert {f.get("f") for f in settled_contents(model)} >= {b"one", b"two!"}
    assert None not in {f.get("f") for f in settled_contents(model)}


def test_the_update_itself_is_lost_in_every_way_then():
    assert {b"", bytes(4)} <= {f["f"] for f in settled_contents()}


def test_control_otherwise_the_first_save_may_be_missing():
    groups = enumerate_states(never_synced(), STRICT, subsets_per_cut=64, images=1000).groups

    assert None in {contents(g.image).get("f") for g in groups if g.window == Window(1, 2)}


def test_a_state_by_itself_is_known_for_settled_when_it_is_seen_again():
    program = never_synced()
    groups = settled_states(program, STRICT, subsets_per_cut=64, images=1000)

    assert all(g.settled and is_settled(program, g.simplest) for g in groups)


def test_control_one_that_has_lost_something_earlier_is_not():
    program = never_synced()
    groups = enumerate_states(program, STRICT, subsets_per_cut=64, images=1000).groups

    assert not all(is_settled(program, g.simplest) for g in groups if g.window == Window(1, 2))


# -- groups and their order ------------------------------------------------------------------------


def sizeable():
    story = Story({"f": b"old", "g": b""})
    story.invoke(1)
    story.create("t")
    story.write("t", page(b"n", 2))
    story.write("g", page(b"g", 3))
    story.rename("t", "f")
    story.acknowledge(1)
    return story


def test_the_simplest_states_come_first():
    groups = enumerated(sizeable()).groups

    assert all(a.simplest.simplicity <= b.simplest.simplicity for a, b in pairwise(groups))
    assert groups[0].simplest == CrashState(Crash.PROCESS, 0)


def test_trailing_steps_of_which_nothing_arrived_count_as_never_issued():
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")

    without = next(g for g in enumerated(story).groups if contents(g.image) == {"f": b"old"})
    assert without.simplest == CrashState(Crash.PROCESS, 0)
    assert without.power == CrashState(Crash.POWER, 0)


def test_a_file_that_no_name_leads_to_is_not_varied():
    story = Story({"f": b"x"})
    inode = story.nameless()
    story.write(inode, page(b"n", 9))

    assert len(enumerated(story).groups) == 1


def test_images_that_differ_in_which_paths_are_links_of_one_file_differ():
    one, two = Story({"a": b"x"}), Story({"a": b"x", "b": b"x"})
    one.link("a", "b")

    (_, linked), (apart,) = enumerated(one).groups, enumerated(two).groups
    assert contents(linked.image) == contents(apart.image)
    assert linked.image != apart.image


# -- bounds ----------------------------------------------------------------------------------------


def many_losable():
    story = Story()
    for number in range(14):
        story.create(f"file-{number}")
    return story


@pytest.mark.proof
def test_a_search_that_is_cut_short_never_says_exhaustive():
    assert not enumerated(many_losable(), subsets_per_cut=4096).exhaustive
    assert not enumerated(many_losable(), images=10).exhaustive


@pytest.mark.proof
def test_control_with_room_enough_it_does():
    assert enumerated(many_losable(), subsets_per_cut=1 << 14).exhaustive


def test_a_file_too_large_to_vary_in_full_is_said_too():
    story = Story({"f": page(b"o", 30)})
    for number in range(14):
        story.write("f", b"n", at=2 * number * PAGE)

    assert not enumerated(story, subsets_per_cut=4096).exhaustive


def test_pages_that_were_taken_together_are_said_too():
    story = Story({"f": b""})
    story.write("f", page(b"n", 6))

    assert not enumerated(story).exhaustive


def test_control_once_they_are_durable_nothing_is_left_out():
    story = Story({"f": b""})
    story.write("f", page(b"n", 4))
    assert enumerated(story).exhaustive


@pytest.mark.proof
def test_a_log_of_many_unsynced_appends_is_searched_in_full_because_equal_pages_are_one():
    story = Story({"log": b""})
    for number in range(40):
        story.append("log", b"record %02d\n" % number)
        story.acknowledge(number)

    found = enumerated(story, subsets_per_cut=4096)
    assert found.exhaustive
    assert len({g.image for g in found.groups}) == 41 * 42 // 2


def test_a_sampled_search_still_tries_every_single_loss_every_lone_survivor_and_every_prefix():
    found = enumerated(many_losable(), subsets_per_cut=256)

    everything = {f"file-{n}" for n in range(14)}
    shown = [set(contents(g.image)) for g in found.groups]
    for n in range(14):
        assert everything - {f"file-{n}"} in shown
        assert {f"file-{n}"} in shown
        assert {f"file-{k}" for k in range(n)} in shown


def test_samples_are_the_same_for_the_same_seed_and_others_for_another():
    def sampled(seed):
        return [g.image for g in enumerated(many_losable(), subsets_per_cut=1024, seed=seed).groups]

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_a_bound_on_images_keeps_the_simplest_of_every_window_and_all_process_crashes_first():
    story = sizeable()
    kept = enumerated(story, images=12).groups
    everything = enumerated(story).groups

    assert len(kept) == 12
    assert {g.window for g in kept} == {g.window for g in everything}
    in_flight = Window(-1, 1)
    processes = [g for g in everything if g.process is not None and g.window == in_flight]
    assert len([g for g in kept if g.process is not None and g.window == in_flight]) >= min(4, len(processes))


def test_states_of_a_bounded_search_count_what_was_tried():
    found = enumerated(many_losable(), subsets_per_cut=256)

    assert found.states < 2**14


def test_a_hundred_unsynced_saves_are_searched_without_trying_every_subset():
    story = Story({"f": b"old"})
    for number in range(100):
        story.create("t")
        story.write("t", b"%d" % number)
        story.rename("t", "f")

    found = enumerated(story, subsets_per_cut=256, images=400)
    assert 100 < len(found.groups) <= 400
    assert not found.exhaustive


# -- one state -------------------------------------------------------------------------------------


def test_the_image_of_a_state_is_that_of_its_group():
    story = sizeable()
    program = story.program

    for group in enumerated(story).groups:
        assert image_of(program, group.simplest) == group.image


def test_a_state_that_died_inside_a_write_has_an_image_too():
    story = Story({"f": b""})
    story.write("f", page(b"n", 2))

    image = image_of(story.program, CrashState(Crash.PROCESS, 1, partial=PAGE))
    assert contents(image) == {"f": page(b"n")}


# -- where a state can happen ----------------------------------------------------------------------


def possible(story, path, content):
    """The models under which the file can hold ``content`` (None: not exist) once everything has returned."""
    groups = [
        g
        for g in enumerated(story).groups
        if g.window.acknowledged == 1 and contents(g.image).get(path) == content and g.power is not None
    ]
    assert groups
    return where_possible(story.program, [(g.power.cut, frozenset(g.power.lost)) for g in groups])


def replaced(then=lambda s: None):
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.fsync("t")
    story.rename("t", "f")
    then(story)
    story.acknowledge(1)
    return story


def test_a_rename_whose_directory_is_not_synced_is_lost_everywhere():
    assert possible(replaced(), "f", b"old") == ("strict", "ext4", "xfs", "btrfs", "macos")


def replaced_unsynced():
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "f")
    story.acknowledge(1)
    return story


def test_zeros_under_the_new_name_are_found_on_ext4_which_allocates_the_source_of_a_rename_without_writing_it():
    assert possible(replaced_unsynced(), "f", b"\0\0\0") == ("strict", "ext4", "macos")


def test_control_an_empty_file_under_the_new_name_is_found_on_the_others():
    assert possible(replaced_unsynced(), "f", b"") == ("strict", "xfs", "btrfs", "macos")


def take_lock_away(story):
    story.create("f.lock")
    story.unlink("f.lock")


def test_a_larger_loss_that_leaves_the_same_files_counts_for_a_journal_that_forbids_the_smallest():
    """The lock file is made and removed after the rename: only with both lost too are the names in order."""
    story = replaced(take_lock_away)
    smallest = (len(story.program.steps), frozenset({3}))

    assert not by_name("ext4").allows(story.program, *smallest)
    assert where_possible(story.program, [smallest]) == ("strict", "ext4", "xfs", "btrfs", "macos")


def test_control_where_no_larger_loss_leaves_the_same_files_the_journal_stays_out():
    story = replaced(lambda s: s.create("f.lock"))
    group = next(
        g
        for g in enumerated(story).groups
        if g.window.acknowledged == 1 and contents(g.image) == {"f": b"old", "t": b"new", "f.lock": b""}
    )

    # The log of btrfs is not in order with what was never logged: t has been.
    assert where_possible(story.program, [(group.power.cut, frozenset(group.power.lost))]) == (
        "strict",
        "btrfs",
        "macos",
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_state_a_model_finds_is_possible_there(model):
    story = replaced(take_lock_away)
    for group in enumerated(story, model).groups:
        if group.power is not None:
            assert model.name in where_possible(story.program, [(group.power.cut, frozenset(group.power.lost))])


# -- counts that are known -------------------------------------------------------------------------

SMALL_OLD = b"old value "
NINE_KB = b"n" * 9000


def saved(*, sync_file=True, sync_directory=True, writes=(NINE_KB,)):
    story = Story({"f": SMALL_OLD})
    story.create("t")
    for data in writes:
        story.append("t", data)
    if sync_file:
        story.fsync("t")
    story.rename("t", "f")
    if sync_directory:
        story.fsync("")
    story.acknowledge(1)
    return story


def saved_in_place():
    story = Story({"f": SMALL_OLD})
    story.truncate("f")
    story.write("f", NINE_KB)
    story.acknowledge(1)
    return story


KNOWN = {
    "fsync, rename, directory fsync": (saved(), 139, 17),
    "no directory fsync": (saved(sync_directory=False), 141, 17),
    "rename, no fsync at all": (saved(sync_file=False, sync_directory=False), 643, 31),
    "in place": (saved_in_place(), 259, 24),
}


@pytest.mark.parametrize(("story", "subsets", "images"), KNOWN.values(), ids=list(KNOWN))
def test_a_save_of_nine_kilobytes_has_the_known_number_of_states(story, subsets, images):
    """See docs/decisions/0001-counts-of-crash-states.md."""
    program = story.program
    found = enumerate_states(program, STRICT, subsets_per_cut=4096, images=1000)

    assert found.exhaustive
    assert found.states == subsets + len(program.steps) + 1
    assert len({group.image for group in found.groups}) == images


def test_joined_writes_are_what_keeps_the_number_small(monkeypatch):
    in_three = saved(writes=(NINE_KB[:1], NINE_KB[1:-1], NINE_KB[-1:]))
    joined = enumerated(in_three)
    monkeypatch.setattr(lowering, "_adjoins", lambda first, second: False)
    apart = enumerated(in_three)

    assert joined.states - len(in_three.trace.operations) + 2 == 139 + 1
    assert apart.states - (len(in_three.trace.operations) + 1) == 2579
