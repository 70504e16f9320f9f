"""Whose fault a crash state is: told from what the program did, whatever the files look like afterwards."""

import pytest

from pytest_tradestore.causes import Culprit
from pytest_tradestore.crash.crash_state import Crash, CrashState, windows
from pytest_tradestore.crash.culprits import culprit_of, lost_earlier, torn_files
from pytest_tradestore.crash.oracle import Earlier, Family, History, OracleViolation
from pytest_tradestore.observation import Absent, Observation, Value
from tests.crash.handmade import Story, enumerated

PLACE = "AAPL"
STATES = tuple(Observation(((PLACE, seen),)) for seen in (Absent(), Value("1"), Value("2")))
HISTORY = History(STATES, ("", PLACE, PLACE), ("the opening", "put(1)", "put(2)"))


def replaced(story, *, synced=True, directory=True, staged="t"):
    story.create(staged)
    story.write(staged, b"new")
    if synced:
        story.fsync(staged)
    story.rename(staged, "f")
    if directory:
        story.fsync()


def in_place(story):
    story.truncate("f")
    story.write("f", b"new")
    story.fsync("f")


def synced_after(story):
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "f")
    story.fsync("f")
    story.fsync()


def removed_first(story):
    story.create("t")
    story.write("t", b"new")
    story.fsync("t")
    story.unlink("f")
    story.rename("t", "f")
    story.fsync()


def moved_away_first(story):
    story.create("t")
    story.write("t", b"new")
    story.fsync("t")
    story.rename("f", "f.bak")
    story.rename("t", "f")
    story.fsync()


def locked(story):
    story.create("lock")
    replaced(story)
    story.unlink("lock")


def updated(how):
    """A file that is there, and one update of it."""
    story = Story({"f": b"old"})
    story.invoke(1)
    how(story)
    story.acknowledge(1)
    return story


def culprits(story, *, wrong, family=Family.ATOMICITY, log=False, sentence="wrong"):
    """Return those of all states with an image that is ``wrong``."""
    found = {}
    for group in enumerated(story).groups:
        if wrong({f.path: f.content for f in group.image.files}):
            window = windows(story.program)[group.simplest.cut]
            breach = OracleViolation(family, sentence, PLACE)
            found[culprit_of(story.program, group.simplest, window, breach, HISTORY, log=log)] = None
    return list(found)


def torn(files):
    return files.get("f") not in (b"old", b"new")


TABLE = {
    "a file that is renamed and was never synced": (
        lambda s: replaced(s, synced=False),
        torn,
        Culprit("fsync missing", ("t",)),
    ),
    "one that is synced after the rename only": (synced_after, torn, Culprit("fsync comes too late", ("t", "f"))),
    "one that is written in place": (in_place, torn, Culprit("file written in place", ("f",))),
    "one that is removed before its replacement is there": (
        removed_first,
        torn,
        Culprit("file removed before its replacement is there", ("f",)),
    ),
    "one that is moved out of the way first": (
        moved_away_first,
        lambda files: "f" not in files,
        Culprit("file removed before its replacement is there", ("f",)),
    ),
}


@pytest.mark.parametrize(("how", "wrong", "expected"), TABLE.values(), ids=list(TABLE))
def test_one_culprit_whatever_the_image(how, wrong, expected):
    assert culprits(updated(how), wrong=wrong) == [expected]


def test_control_a_sound_replacement_is_never_torn():
    assert culprits(updated(replaced), wrong=torn) == []


def test_after_the_return_the_name_that_was_never_synced_is_at_fault():
    story = updated(lambda s: replaced(s, directory=False))

    found = culprits(story, wrong=lambda files: files.get("f") == b"old" and "t" in files, family=Family.DURABILITY)

    assert Culprit("fsync of the directory missing", ("f",)) in found


def test_a_lock_that_is_left_is_at_fault_where_nothing_else_has_changed():
    found = culprits(updated(locked), wrong=lambda files: "lock" in files, family=Family.REOPENING)

    assert found[0] == Culprit("something left in the way", ("lock",))


def test_control_a_torn_file_is_no_leftover():
    found = culprits(updated(in_place), wrong=torn, family=Family.REOPENING)

    assert found == [Culprit("file written in place", ("f",))]


def test_random_names_of_temporary_files_make_no_second_culprit():
    story = Story({"f": b"old"})
    for number, staged in enumerate(("f.3fa85f64c1d2", "f.77aa01b2c3d4"), 1):
        story.invoke(number)
        replaced(story, synced=False, staged=staged)
        story.acknowledge(number)

    assert culprits(story, wrong=torn) == [Culprit("fsync missing", ("f.*",))]


def test_what_returned_before_it_was_written_names_the_call():
    story = Story({"f": b"old"})
    story.invoke(1)
    story.acknowledge(1)

    found = culprits(story, wrong=lambda files: True, family=Family.DURABILITY)

    assert Culprit("put returns before anything is written") in found


def test_what_was_written_and_is_not_shown_by_the_next_opening_did_not_return_too_early():
    found = culprits(updated(replaced), wrong=lambda files: True, family=Family.DURABILITY)

    assert Culprit("put writes something that a store which is opened anew does not show") in found
    assert Culprit("put returns before anything is written") not in found


def test_closing_the_store_is_no_update_that_returned_before_anything_was_written():
    story = updated(replaced)
    story.invoke(2)
    replaced(story)
    story.acknowledge(2)
    story.invoke(3)
    story.acknowledge(3)

    found = culprits(story, wrong=lambda files: files == {"f": b"new"}, family=Family.DURABILITY)

    assert Culprit("put writes something that a store which is opened anew does not show") in found
    assert Culprit("put returns before anything is written") not in found


LOST = "the next update of AAPL returned but is lost after reopening"


def test_a_next_update_that_is_gone_again_meets_nothing_in_its_way_where_nothing_is_left():
    found = culprits(updated(replaced), wrong=lambda files: True, family=Family.NEXT_UPDATE, sentence=LOST)

    assert Culprit("update after a crash that a store which is opened anew does not show") in found


def test_control_where_something_is_left_that_is_in_its_way():
    left = culprits(updated(locked), wrong=lambda files: "lock" in files, family=Family.NEXT_UPDATE, sentence=LOST)

    assert {culprit.fault for culprit in left} == {"something left in the way"}


def test_a_file_is_torn_that_holds_what_no_update_left():
    story = updated(lambda s: replaced(s, synced=False))
    images = {bytes(next(f.content for f in g.image.files if f.path == "f")): g.image for g in enumerated(story).groups}

    assert torn_files(story.program, images[b"\0\0\0"], 1, 1) == ("f",)
    assert torn_files(story.program, images[b"old"], 1, 1) == torn_files(story.program, images[b"new"], 1, 1) == ()


def test_what_was_lost_of_an_earlier_update_is_told_apart():
    story = Story({"f": b"old"})
    for number in (1, 2):
        story.invoke(number)
        replaced(story, directory=False, staged=f"t{number}")
        story.acknowledge(number)
    program = story.program
    names = [m for m, part in enumerate(program.micros) if type(part).__name__ == "Name"]
    first, last = names[0], names[-1]
    window = windows(program)[len(program.steps)]

    def lost(*numbers):
        return lost_earlier(program, CrashState(Crash.POWER, len(program.steps), numbers), window)

    assert (lost(first), lost(first, last), lost(last), lost()) == (
        Earlier.ALL_THERE_IS,
        Earlier.SOMETHING,
        Earlier.NOTHING,
        Earlier.NOTHING,
    )


def rewritten(story):
    """What is there already, written once more in place."""
    story.truncate("f")
    story.write("f", b"old")
    story.fsync("f")


def test_a_file_that_is_written_in_place_is_the_culprit_also_where_what_is_written_is_what_it_held():
    assert culprits(updated(rewritten), wrong=lambda files: files.get("f") != b"old") == [
        Culprit("file written in place", ("f",))
    ]


def test_one_file_that_two_places_are_read_from_is_not_several_that_change_one_after_the_other():
    assert culprits(updated(in_place), wrong=torn, family=Family.BATCH) == [Culprit("file written in place", ("f",))]


def test_control_two_files_are():
    def both(story):
        story.write("f", b"new")
        story.write("g", b"new")

    story = Story({"f": b"old", "g": b"old"})
    story.invoke(1)
    both(story)
    story.acknowledge(1)

    found = culprits(story, wrong=lambda files: files == {"f": b"new", "g": b"old"}, family=Family.BATCH)
    assert Culprit("files changed one after the other", ("f", "g")) in found


def test_a_line_of_a_library_is_one_culprit_whoever_calls_it():
    put = Culprit("fsync missing", ("store.py:8 > library/files.py:20",))
    delete = Culprit("fsync missing", ("store.py:12 > library/files.py:20",))

    assert len({put, delete}) == 1
    assert str(put) == "fsync missing at store.py:8 > library/files.py:20"


@pytest.mark.parametrize(
    "other",
    [
        Culprit("fsync missing", ("store.py:8 > library/files.py:31",)),
        Culprit("fsync missing", ("store.py:8",)),
        Culprit("fsync of the directory missing", ("store.py:8 > library/files.py:20",)),
    ],
)
def test_control_another_line_or_another_fault_is_another_culprit(other):
    assert Culprit("fsync missing", ("store.py:8 > library/files.py:20",)) != other


def appended(story):
    """A log under a lock that only one can make."""
    story.create("lock")
    story.append("f", b"two\n")
    story.fsync("f")
    story.unlink("lock")


def refused(allowed=("the update succeeds",)):
    return OracleViolation(Family.NEXT_UPDATE, "the next update was refused", PLACE, "FileExistsError", allowed)


def culprits_of_a_log(how, breach, *, wrong):
    story = updated(how)
    found = {}
    for group in enumerated(story).groups:
        if wrong({f.path: f.content for f in group.image.files}):
            window = windows(story.program)[group.simplest.cut]
            found[culprit_of(story.program, group.simplest, window, breach, HISTORY, log=True)] = None
    return list(found)


def test_an_append_that_is_refused_for_a_lock_that_was_left_is_not_put_down_to_a_torn_record():
    found = culprits_of_a_log(appended, refused(), wrong=lambda files: "lock" in files)

    assert found == [Culprit("something left in the way", ("lock",))]


def test_control_one_that_is_gone_after_reopening_is_glued_to_the_torn_record():
    lost = refused(("the new value",))

    found = culprits_of_a_log(appended, lost, wrong=lambda files: files["f"] not in (b"old", b"two\n"))

    assert found == [Culprit("torn record that the next append is glued to", ("f",))]


def test_one_that_is_refused_for_the_torn_record_itself_is_stopped_by_it():
    torn = culprits_of_a_log(
        lambda story: story.append("f", b"two\n"),
        refused(),
        wrong=lambda files: files["f"] not in (b"old", b"oldtwo\n"),
    )

    assert torn == [Culprit("torn record that stops the next append", ("f",))]


def listing(*names):
    return OracleViolation(Family.LEFTOVERS, f"keys() lists {names}", "keys()", names=names)


def test_a_temporary_file_that_is_listed_is_one_cause_beside_a_lock_and_when_its_name_is_back():
    story = updated(locked)
    story.invoke(2)
    locked(story)
    story.acknowledge(2)
    found = {}
    for group in enumerated(story).groups:
        if "t" in {file.path for file in group.image.files}:
            window = windows(story.program)[group.simplest.cut]
            found[culprit_of(story.program, group.simplest, window, listing("t.json", "key.t"), HISTORY)] = None

    assert list(found) == [Culprit("leftover taken for data", ("t",))]


def test_control_what_is_listed_and_no_file_was_ever_called_is_told_by_what_was_lost():
    story = updated(lambda s: replaced(s, synced=False, directory=True))

    found = culprits(story, wrong=torn, family=Family.LEFTOVERS)

    assert found == [Culprit("fsync missing", ("t",))]
