"""The remedy that a counterexample of a crash ends with: the nearest one where the loss tells it, else none."""

import pytest

from pytest_tradestore.causes import Culprit
from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.culprits import (
    EARLY,
    IN_PLACE,
    IN_THE_WAY,
    NAME_UNSYNCED,
    NOT_CUT_BACK,
    NOT_SHOWN,
    UNSYNCED,
)
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.lowering import Name
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.remedies import remedy_for
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.report.counterexample import render
from pytest_tradestore.requirements import BY_ID
from pytest_tradestore.verdict import Counterexample
from tests.crash.handmade import Story

DATABASE = b"SQLite format 3\0 and so on"


def created(*, synced=True):
    """A new file, and at will its content synced."""
    story = Story()
    story.create("log")
    story.write("log", b"record")
    if synced:
        story.fsync("log")
    return story


def made_a_directory():
    story = Story()
    story.mkdir("logs")
    story.create("logs/log")
    story.fsync("logs")
    return story


def renamed(*, synced=True):
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", b"new")
    if synced:
        story.fsync("t")
    story.rename("t", "f")
    return story


def unlinked():
    story = Story({"f": b"old"})
    story.fsync("f")
    story.unlink("f")
    return story


def written():
    """A file that was there is written after a sync."""
    story = Story({"log": b"old"})
    story.fsync("log")
    story.write("log", b"new", at=3)
    return story


def cut():
    story = Story({"log": b"old"})
    story.truncate("log", 1)
    story.write("log", b"new", at=1)
    return story


def names_of(story):
    return tuple(m for m, part in enumerate(story.program.micros) if isinstance(part, Name))


def parts_of(story):
    return tuple(m for m, part in enumerate(story.program.micros) if not isinstance(part, Name))


def remedy(fault, story, lost=(), contract="document", **files):
    (judged,) = (c for c in KITS if c.name == contract)
    image = DurableImage(tuple(ImageFile(path, Kind.FILE, 0o644, content) for path, content in files.items()))
    return remedy_for(Culprit(fault), judged, story.program, CrashState(Crash.POWER, 9, lost), image)


LOST_NAMES = {
    "a new file": (created, "fsync the directory of a new file before the call returns."),
    "a new directory": (
        made_a_directory,
        "fsync the parent of a new directory and the directory of a new file before the call returns.",
    ),
    "a rename": (renamed, "the directory after the rename before the call returns."),
    "an unlink": (unlinked, "fsync the directory after the unlink before the call returns."),
}


@pytest.mark.parametrize(("story", "expected"), LOST_NAMES.values(), ids=list(LOST_NAMES))
def test_a_lost_name_needs_its_directory(story, expected):
    made = story()

    assert remedy(NAME_UNSYNCED, made, names_of(made)).endswith(expected)


def test_control_lost_content_needs_its_file():
    made = written()

    assert remedy(UNSYNCED, made, parts_of(made)) == "fsync the file after the write before the call returns."


def test_where_nothing_is_lost_no_sync_is_missing():
    assert remedy(f"save {EARLY}", created()).startswith("Write and fsync before the call returns, not later")


def test_where_something_is_written_it_is_opening_that_has_to_show_it():
    assert remedy(f"save {NOT_SHOWN}", written()).startswith("Read, when the store is opened, what was written last")


def test_a_store_that_never_syncs_is_told_all_that_it_lacks():
    made = created(synced=False)

    assert remedy(NAME_UNSYNCED, made, names_of(made)).startswith("Nothing is ever synced: fsync the file after each")


@pytest.mark.parametrize("synced", [True, False])
def test_the_content_of_a_renamed_file_is_to_be_synced_before_the_rename(synced):
    made = renamed(synced=synced)

    assert remedy(UNSYNCED, made, parts_of(made)).startswith("fsync the temporary file before os.replace")


def test_control_where_no_file_is_renamed_nobody_is_told_of_a_temporary_one():
    for story in (created, written, cut):
        for fault in (UNSYNCED, NAME_UNSYNCED):
            assert "os.replace" not in remedy(fault, story(), parts_of(story()))


@pytest.mark.parametrize("contract", ["journal", "events", "audit"])
def test_a_torn_log_is_not_told_to_rename_but_to_mark_where_records_end(contract):
    assert remedy(IN_PLACE, created(), contract=contract).startswith("Mark where each record ends")


@pytest.mark.parametrize("story", [cut, renamed])
def test_control_one_that_is_cut_or_replaced_is(story):
    assert "os.replace" in remedy(IN_PLACE, story(), contract="journal")


def test_control_a_document_is_told_to_rename():
    told = remedy(IN_PLACE, created(), contract="document")
    assert "os.replace" in told
    assert told.index("os.replace") < told.index("fsync the directory"), "who renames, and no more, can lose the rename"


def test_only_a_log_is_told_to_cut_back_what_is_torn():
    """A document store with a lock in the way has nothing to cut back."""
    assert "cut a log back" in remedy(NOT_CUT_BACK, created(), contract="journal")
    assert "cut a log back" not in remedy(IN_THE_WAY, created())


def saved_twice():
    story = renamed()
    story.fsync("")
    story.create("t2")
    story.fsync("t2")
    story.rename("t2", "f")
    story.fsync("")
    return story


def test_where_a_temporary_file_is_back_the_remedy_speaks_of_temporary_files_and_not_of_locks():
    made = saved_twice()
    back = [m for m, part in enumerate(made.program.micros) if isinstance(part, Name) and part.until_commit]

    said = remedy(IN_THE_WAY, made, back[-1:])

    assert "never take a file with a temporary name for newer data" in said
    assert "lock" not in said


def test_control_of_anything_else_in_the_way_it_speaks_of_locks():
    assert "Use locks that the kernel releases" in remedy(IN_THE_WAY, saved_twice(), ())


@pytest.mark.parametrize("fault", [UNSYNCED, NAME_UNSYNCED, IN_PLACE])
def test_a_database_is_told_its_pragmas(fault):
    files = {"a.sqlite": DATABASE, "a.sqlite-wal": b"x"}

    assert "PRAGMA synchronous = EXTRA" in remedy(fault, written(), (0,), **files)


@pytest.mark.parametrize("files", [{"a.sqlite": DATABASE, "log": b"x"}, {"log": b"x"}, {}], ids=len)
def test_control_beside_other_files_the_loss_may_be_theirs(files):
    made = written()

    assert "PRAGMA" not in remedy(UNSYNCED, made, parts_of(made), **files)


def test_control_a_database_that_lost_nothing_has_the_wrong_transaction_not_the_wrong_pragma():
    assert "PRAGMA" not in remedy(f"put {EARLY}", written(), **{"a.sqlite": DATABASE})


def stored(content):
    story = Story()
    story.create("t")
    story.write("t", content)
    story.rename("t", "f")
    return story


def test_who_writes_parquet_is_told_that_its_writer_syncs_nothing():
    made = stored(b"PAR1 and columns")

    assert "pyarrow.parquet.write_table(table, file)" in remedy(UNSYNCED, made, parts_of(made))


def test_control_who_writes_something_else_is_not():
    made = stored(b"columns")

    assert "pyarrow" not in remedy(UNSYNCED, made, parts_of(made))


def test_who_uses_lmdb_is_told_what_it_leaves_unsynced():
    made = stored(bytes(16) + b"\xde\xc0\xef\xbe" + bytes(8))

    assert remedy(NAME_UNSYNCED, made, names_of(made)).startswith("LMDB syncs neither")


def test_control_where_nothing_is_lost_it_is_not_lmdb():
    assert "LMDB" not in remedy(IN_THE_WAY, stored(bytes(16) + b"\xde\xc0\xef\xbe" + bytes(8)))


def test_the_nearer_remedy_is_printed_in_the_place_of_that_of_the_requirement():
    text = render(Counterexample("a record is lost", remedy="Sync the log."), "DUR-2", 130)

    assert "Remedy:     Sync the log." in text
    assert BY_ID["DUR-2"].remedy not in text


def test_control_without_one_that_of_the_requirement_is():
    assert BY_ID["DUR-2"].remedy in render(Counterexample("a record is lost"), "DUR-2", 130)


def test_a_new_environment_of_lmdb_that_is_half_made_is_to_be_made_beside_and_renamed():
    told = remedy(IN_PLACE, stored(bytes(16) + b"\xde\xc0\xef\xbe" + bytes(8)), contract="documents")

    assert told.startswith("Making a new environment is not one step in LMDB")
    assert "os.rename" in told


def test_control_another_file_of_documents_is_to_be_written_beside():
    assert "temporary file" in remedy(IN_PLACE, stored(bytes(28)), contract="documents")
