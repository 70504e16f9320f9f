"""Each sync, rename and lock of the reference store is needed: without it a requirement, or a named test, is red.

What the suite can see is judged by the suite, on a copy of the package in which one line is changed. It records one run
of a store on a durable tree, so a sync that matters only when a killed process is followed by a power loss, or
only to a child forked in between, is not seen there: such a line has a test of its own, which is run on the copy.
"""

import faulthandler
import importlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import reference_store
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.judging import until_violated

PACKAGE = Path(reference_store.__file__).parent
REPOSITORY = PACKAGE.parent
OURS = ("reference_store", "pytest_tradestore", "tests")
"""The packages that a run with a changed copy loads anew; the suite has the record types of the store."""
DEADLINE = 600.0
"""Seconds after which a run of tests hangs."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """``line`` of ``module`` becomes ``instead``; then ``requirement`` is violated by ``store``, or ``test`` fails."""

    module: str
    line: str
    requirement: str = ""
    contract: str = "documents"
    store: str = "DocumentStore"
    instead: str = "pass"
    test: str = ""

    def __str__(self) -> str:
        return f"{self.module}: {' '.join(self.line.split())[:50]}"


def journal(line: str, requirement: str, module: str = "stores.journal", instead: str = "pass") -> Mutation:
    return Mutation(module, line, requirement, "journal", "JournalStore", instead)


def bars(line: str, requirement: str) -> Mutation:
    return Mutation("stores.bars.months", line, requirement, "bars", "FileDataStore")


def records(module: str, line: str, requirement: str) -> Mutation:
    return Mutation(module, line, requirement, "jobs", "SyncJobStore")


BY_REQUIREMENT = [
    Mutation("core.descriptors", "os.fsync(descriptor)", "DUR-2"),
    Mutation("core.atomic", "sync(self.descriptor)", "DUR-2"),
    Mutation("core.atomic", "sync(descriptor)", "ATOM-2"),
    Mutation("core.atomic", "self.sync()  # durability point", "DUR-2"),
    Mutation("core.document_files", "directory.pin()", "DUR-4"),
    Mutation("core.replacing", "directory.pin()  # durability point", "DUR-2"),
    journal("self.pin()\n\n    def stage", "DUR-2", "core.atomic", "pass\n\n    def stage"),
    Mutation("core.atomic", "self.sync()  # what will be stored below", "DUR-2", "state", "FileDataStore"),
    Mutation(
        "core.atomic", "os.rename(second, backup, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)", "CORR-3"
    ),
    Mutation("core.atomic", "self._link(name, second)", "ATOM-2", instead="self.move(name, second)"),
    Mutation("core.atomic", "self._link(name, evidence)", "CORR-2"),
    journal("sync(descriptor)  # durability point", "DUR-2"),
    journal("os.ftruncate(descriptor, length)", "REC-3"),
    journal("fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock", "RACE-3", "core.locking"),
    bars("directory.sync()  # before the manifest", "ATOM-2"),
    bars("keep_month(directory, symbol, month, file, inode)", "CORR-3"),
    records("stores.record_appending", "sync_data(descriptor)  # durability point: the line", "DUR-2"),
    records("core.descriptors", 'getattr(os, "fdatasync", sync)(descriptor)  # which', "DUR-2"),
]


def by_test(module: str, line: str, test: str, instead: str = "pass") -> Mutation:
    return Mutation(module, line, instead=instead, test=test)


PINS = "test_atomic.py::test_the_first_write_pins_the_names_of_directories_whose_maker_may_have_died"
KEEPS = "test_order_of_calls.py::test_the_remains_of_an_append_are_kept_and_cut_off_durably_before_the_next_one"
EVIDENCE = "test_order_of_calls.py::test_evidence_is_durable_before_anything_takes_its_place"
BEHIND = "test_journal.py::test_an_append_behind_unsynced_records_of_others_syncs_them_first"
UNTOLD = "test_long_logs.py::test_control_without_the_note_they_sync_what_others_wrote"
REPLACED = "test_long_logs.py::test_a_log_that_was_replaced_in_place_is_looked_at_anew"
GROUP = "test_long_logs.py::test_a_large_group_of_which_an_early_page_was_lost_is_dropped_from_there"
CUT = "test_events.py::test_sectors_that_are_gone_of_what_was_indexed_are_not_taken_for_an_interrupted_append"
INDEX = "test_events.py::test_a_damaged_index_changes_no_answer"
RESTORED = "test_events.py::test_an_index_of_a_log_that_was_restored_since_is_not_believed"
SALVAGED = "test_log_salvage.py::test_where_there_are_no_links_the_evidence_is_a_copy"
MEANWHILE = "test_log_salvage.py::test_a_log_that_somebody_else_has_salvaged_meanwhile_is_left_alone"
APPENDED = "test_log_salvage.py::test_what_is_appended_while_a_log_is_looked_at_is_kept"
FOR_GOOD = "test_log_retention.py::test_a_removal_is_durable_before_the_next_one_begins"
COPIED = "test_locking.py::test_a_copy_of_its_descriptor_does_not_keep_the_lock"
NAMELESS = "test_order_of_calls.py::test_a_lock_on_a_file_that_has_lost_its_name_does_not_count"
ARCHIVED = (
    "test_fundamentals.py::test_archives_are_durable_before_they_are_named_and_the_backup_goes_before_what_it_names"
)
LEFT = "test_fundamentals.py::test_what_pruning_leaves_of_an_archive_is_durable_before_it_is_named"
ANOTHER = "test_locking.py::test_who_waits_for_a_lock_file_that_is_replaced_takes_the_new_one"
OF_BARS = (
    "test_order_of_calls.py::test_the_first_write_pins_the_name_of_a_directory_of_bars_that_somebody_else_has_made"
)
MANIFEST = "test_order_of_calls.py::test_a_manifest_is_durable_before_what_it_names_replaces_anything"
JOINED = "test_bars.py::test_bars_come_back_sorted_whatever_their_order_and_join_months"
FINISHED = "test_bars.py::test_a_write_whose_last_sync_failed_is_finished_by_the_next_writer"

PINNED = "test_recent_bars.py::test_lines_are_cleared_away_only_when_the_manifest_that_has_them_in_months_is_pinned"
GONE = "test_bar_backups.py::test_deleted_bars_are_in_no_backup"
OVERLOOKED = "test_bar_backups.py::test_damage_that_an_open_store_has_overlooked_never_becomes_the_backup"
ROTATED = "test_bar_backups.py::test_what_was_damaged_before_a_crash_was_mended_never_becomes_the_backup"

NAMED = "if _is_the_lock_file(descriptor, directory):\n                    return opened\n            except "
ANY = NAMED.replace("_is_the_lock_file(descriptor, directory)", "True")
AGAIN = "test_record_file.py::test_lines_of_others_are_written_again_and_synced_before_one_is_added_behind_them"
BACK = "test_record_file.py::test_a_line_that_failed_is_taken_back_durably"
SEEN = (
    "test_record_file.py::"
    "test_a_line_that_a_reader_has_seen_before_it_failed_is_not_shown_any_more_and_not_written_behind"
)
CLOSING = "test_record_file.py::test_a_change_is_a_line_in_the_log_and_closing_brings_the_file_up_to_date"
LOST_LOG = "test_record_file.py::test_a_lost_log_is_damage_and_never_an_older_state"
CUT_LOG = "test_record_file.py::test_a_log_is_noticed_to_be_cut_wherever_it_is_cut"

WHOLE = "test_backups.py::test_no_crash_in_a_backup_leaves_a_generation_that_looks_whole_and_is_not"
MARKED = "test_backups.py::test_a_crash_in_a_restore_leaves_what_was_or_is_told_and_the_next_one_finishes_it"

BY_TEST = [
    by_test("core.restoring", "directory.sync()  # before the first file", MARKED),
    by_test("operations.backups.local", "self._generations.sync()  # from here on", WHOLE),
    by_test("operations.backups.local", "self._contents.sync()  # before a generation", WHOLE),
    by_test("operations.backups.restoring", "each.sync()  # all files", MARKED),
    by_test("operations.backups.restoring", "directories[path].sync()", MARKED),
    by_test("core.atomic", "self._parent.sync()", PINS),
    by_test("core.atomic", "above.sync()", PINS),
    by_test("core.atomic", "self.sync()  # before anything takes", EVIDENCE),
    by_test("core.atomic", "& mode, self.access(name))\n        self.sync()", KEEPS, "& mode, self.access(name))"),
    by_test("stores.journal", "sync(descriptor)\n            directory.sync()", BEHIND, "directory.sync()"),
    by_test("stores.journal", "directory.sync()", BEHIND),
    by_test("stores.journal", "sync(descriptor)  # before new bytes", KEEPS),
    by_test("stores.journal", " or not is_told(directory, file, about)", UNTOLD, ""),
    by_test("stores.journal", "_ends_so(log, known)", REPLACED, "True"),
    by_test("stores.journal_ends", "walk.first > anchor.sequence or _is_unbroken(", GROUP, "True or _is_unbroken("),
    by_test("operations.log_salvage", "directory.preserve(file, None, _pieces(log, 0, log.size))", SALVAGED, "None"),
    by_test("operations.log_salvage", "found[1].st_ino != inode", MEANWHILE, "False"),
    by_test("operations.log_salvage", "_sort(log, stream, file, sorting)\n        plan", APPENDED, "plan"),
    by_test("operations.log_retention", "directory.remove(file)", FOR_GOOD, "not directory.discard(file)"),
    by_test("stores.event_log", "if walk.sequence != part.number", CUT, "if False"),
    by_test("stores.time_index", "_sealed(stream, found.data[_DIGEST:]) != found.data", INDEX, "False"),
    by_test("stores.time_index", "index.is_about(log, inode) and _is_seen_in(", RESTORED, "True or _is_seen_in("),
    by_test("stores.record_appending", "sync_data(descriptor)  # before anything", AGAIN),
    by_test("stores.record_appending", "directory.sync()  # the log has its name", AGAIN),
    by_test("stores.record_appending", "sync_data(opened[0])", BACK),
    by_test("stores.record_reading", "if not data.startswith(view.mark)", SEEN, "if False"),
    by_test("stores.record_file", "directory.move(self._names.log, self._names.log_before)", CLOSING),
    by_test("stores.record_view", "if opened:\n            raise", LOST_LOG, "if False:\n            raise"),
    by_test("stores.record_log", "if len(data) != header.size", CUT_LOG, "if False"),
    by_test("core.locking", "fcntl.flock(opened[0], fcntl.LOCK_UN)", COPIED),
    by_test("core.locking", NAMED + "BlockingIOError", NAMELESS, ANY + "BlockingIOError"),
    by_test("core.locking", NAMED + "BaseException", ANOTHER, ANY + "BaseException"),
    by_test("stores.fundamental_files", "directory.sync()  # before the index", ARCHIVED),
    by_test("stores.fundamental_files", "directory.sync()  # the archives made here", LEFT),
    by_test("stores.bars.files", "root.sync()  # whoever made", OF_BARS),
    by_test("stores.bars.files", "directory.sync()  # whoever folded", PINNED),
    by_test("stores.bars.folding", "directory.sync()  # whoever folded", PINNED),
    by_test("stores.bars.months", "directory.sync()  # the manifest", MANIFEST),
    by_test("stores.bars.months", "directory.move(staged_name(month, file), file_name(month))", JOINED),
    by_test(
        "stores.bars.months", "_move(directory, symbol, month, file)\n        else", FINISHED, "pass\n        else"
    ),
    by_test("stores.bars.months", "directory.unlink(MANIFEST + BACKUP)  # pinned", GONE),
    by_test("stores.bars.months", "bar_manifest.parse(previous.data, symbol)  # what", OVERLOOKED),
    by_test("stores.bars.recent", "_parsed(previous.data, _WHO, {})  # what", OVERLOOKED),
    by_test(
        "stores.bars.backups", "if found is None or not before.is_content(found.data)", ROTATED, "if found is None"
    ),
]

NEEDED_BY_ALL = {
    # Without one of these no store works at all, or nothing is removed that was to be kept.
    # Without these nobody loses anything: waiting is only less fair, which no test with a verdict can tell in time.
    "core.locking": [
        "fcntl.flock(descriptor, fcntl.LOCK_EX)  # in the kernel's queue",
        "fcntl.flock(descriptor, fcntl.LOCK_EX)  # the turn",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the turn",
    ],
    "core.atomic": [
        "os.rename(staged, name,",
        "os.rename(name, target,",
        "self._link(name, second)",
        "os.link(name, second,",
    ],
    "core.group_commit": ["lock.acquire()"],
    # These are tried on a file of their own, to see whether the place can do them; no data depend on it.
    "operations.doctor": [
        'sync(made["file"])',
        "directory.sync()",
        'fcntl.flock(made["file"], fcntl.LOCK_EX | fcntl.LOCK_NB)',
        "fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "directory.move(name, second)",
    ],
}

_CALLS = re.compile(r"(?:sync|os\.rename|directory\.move|_link|os\.link|flock|lock\.acquire)\(")


def changed(source: str, mutation: Mutation) -> str:
    assert source.count(mutation.line) == 1, f"{mutation.line!r} stands {source.count(mutation.line)} times"
    comment = "  # " if "  # " in mutation.line else ""
    return source.replace(mutation.line, mutation.instead + comment)


def modules() -> list[tuple[str, str]]:
    """Return the name below the package and the source of each of its modules, sorted by name."""
    found = {".".join(file.relative_to(PACKAGE).with_suffix("").parts): file for file in PACKAGE.rglob("*.py")}
    return [(module, found[module].read_text(encoding="utf-8")) for module in sorted(found)]


def write(package: Path, module: str, source: str) -> None:
    """Write a module of the copy that begins at ``package``."""
    file = package.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


@pytest.mark.proof
@pytest.mark.parametrize("mutation", BY_REQUIREMENT, ids=str)
def test_without_it_the_suite_finds_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: Mutation
) -> None:
    name = f"mutant_{BY_REQUIREMENT.index(mutation)}"
    (tmp_path / name).mkdir()
    for module, source in modules():
        if module == mutation.module:
            source = changed(source, mutation)
        # The record types stay those that the suite makes.
        source = re.sub(r"(from |f\")reference_store(?!\.models)", rf"\1{name}", source)
        write(tmp_path / name, module, source)
    monkeypatch.syspath_prepend(tmp_path)
    store = StoreUnderTest("mutant", getattr(importlib.import_module(name), mutation.store))

    judged = until_violated(store, kit_named(mutation.contract), mutation.requirement, recorder="fake")

    assert [result.verdict for result in judged] == [Verdict.VIOLATED]


def outcome(place: Path, mutation: Mutation | None, tests: list[str]) -> str:
    """Return what pytest says of the tests when the package is the changed one.

    It runs in a fork of this process, in which what others have written is loaded already; ours is forgotten and
    loaded anew, from the copy.
    """
    package, said = place / "reference_store", place / "said.txt"
    shutil.copytree(PACKAGE, package)  # with what is compiled of the modules that stay as they are
    if mutation is not None:
        write(package, mutation.module, changed(dict(modules())[mutation.module], mutation))
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(place / "roots")]
    options += ["-o", f"pythonpath={place} {REPOSITORY}"]
    options += ["-o", "faulthandler_timeout=0"]
    chosen = [str(REPOSITORY / "tests" / "reference_store" / test) for test in tests]

    def run(channel: Channel) -> int:
        with said.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(REPOSITORY)
        # The thread that watches this test stays behind in the parent; a fork that ends it would wait for it for ever.
        faulthandler.cancel_dump_traceback_later = lambda: None
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        return int(pytest.main([*options, *chosen]))

    ending = run_isolated(run, DEADLINE)
    assert isinstance(ending, Finished), ending
    return said.read_text(encoding="utf-8")


@pytest.mark.proof
@pytest.mark.parametrize("mutation", BY_TEST, ids=str)
def test_without_it_a_test_fails(tmp_path: Path, mutation: Mutation) -> None:
    said = outcome(tmp_path, mutation, [mutation.test])

    assert f"FAILED tests/reference_store/{mutation.test}" in said, said
    assert "1 failed in" in said, said


@pytest.mark.proof
def test_control_with_all_of_them_the_tests_pass(tmp_path: Path) -> None:
    tests = sorted({mutation.test for mutation in BY_TEST})
    said = outcome(tmp_path, None, tests)

    assert f"{len(tests)} passed in" in said, said


def test_no_sync_rename_or_lock_is_left_out() -> None:
    left: list[str] = []
    for module, source in modules():
        for mutation in (*BY_REQUIREMENT, *BY_TEST):
            if mutation.module == module:
                source = source.replace(mutation.line, "")
        for line in NEEDED_BY_ALL.get(module, []):
            assert line in source or module == "core.atomic", line
            source = source.replace(line, "")
        left += [
            f"{module}: {line.strip()}"
            for line in source.splitlines()
            if _CALLS.search(line) and not line.lstrip().startswith(("def ", "#", '"'))
        ]

    assert not left, left
