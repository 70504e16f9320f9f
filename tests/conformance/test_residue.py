"""What calls that succeed leave behind, and what a store does outside of its root; beside the matrix of them."""

import os
import tempfile
import threading

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import leaks, root
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.residue import (
    DraftsInTheTemporaryDirectory,
    LosesADescriptorWithEachSave,
    RemembersTheLastStoreAtHome,
)
from tests.sound_stores.plain import PlainDocument
from tests.sound_stores.residue import DraftsBesideTheFile, KeepsADescriptorAndAPool

DOCUMENT = next(kit for kit in KITS if kit.name == "document")


def judged(family, target):
    (check,) = family.checks(DOCUMENT)
    return check.judge(Bench(Settings(recorder="fake")), StoreUnderTest("store", target))


def test_a_descriptor_lost_with_each_save_is_counted_and_the_save_is_named():
    result = judged(leaks, LosesADescriptorWithEachSave)

    assert result.counterexample.headline == "save({version: 1}) succeeds and leaves file descriptors behind"
    assert result.counterexample.found[0].startswith("file descriptors: ")


class LocksEachSave(PlainDocument):
    """A lock file of its own for each save, which nobody removes."""

    def save(self, data):
        (self.root / f"save-{os.urandom(4).hex()}.lock").touch()
        super().save(data)


class KeepsItsLock(PlainDocument):
    """One lock file, which stays."""

    def save(self, data):
        (self.root / "save.lock").touch()
        super().save(data)


def test_a_lock_file_left_by_each_save_is_counted():
    assert "leaves temporary files behind" in judged(leaks, LocksEachSave).reason


class LooksForItInVain(PlainDocument):
    """Opens its directory to see whether there is a file; where there is none, that stays open."""

    def load(self):
        directory = os.open(self.root, os.O_RDONLY)
        if "portfolio.json" not in os.listdir(directory):
            return {}
        os.close(directory)
        return super().load()


class LooksAndCloses(LooksForItInVain):
    def load(self):
        directory = os.open(self.root, os.O_RDONLY)
        os.close(directory)
        return PlainDocument.load(self)


def test_what_is_left_by_looking_for_what_is_not_there_is_counted():
    result = judged(leaks, LooksForItInVain)

    assert [str(one.cause.culprit) for one in result.examples] == [
        "file descriptors left behind at reading what is not there"
    ]


def test_control_who_closes_what_it_looks_through_leaves_nothing():
    assert judged(leaks, LooksAndCloses).verdict is Verdict.HOLDS


class StartsAThreadToRead(PlainDocument):
    """A thread for each look, which never ends."""

    def load(self):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return super().load()


class ReadsInAPool(PlainDocument):
    """One thread more for each look, up to as many as an executor of a large machine has."""

    def __init__(self, root):
        super().__init__(root)
        self._pool = []

    def load(self):
        if len(self._pool) < 32:
            self._pool.append(threading.Thread(target=threading.Event().wait, daemon=True))
            self._pool[-1].start()
        return super().load()


def test_a_thread_lost_with_each_look_is_counted_however_seldom_it_is_looked():
    assert judged(leaks, StartsAThreadToRead).counterexample.headline == "reading succeeds and leaves threads behind"


@pytest.mark.parametrize(
    "target", [PlainDocument, KeepsADescriptorAndAPool, DraftsBesideTheFile, KeepsItsLock, ReadsInAPool]
)
@pytest.mark.parametrize("family", [leaks, root])
def test_control_what_is_kept_for_good_and_what_is_renamed_is_no_leak_and_is_not_outside(family, target):
    result = judged(family, target)

    assert (result.verdict, result.reason) in {
        (Verdict.HOLDS, ""),
        (Verdict.HOLDS, "there is no second file system here to put the temporary directory on"),
    }
    assert sum(result.checked.values()) > 10


def test_what_python_code_changes_outside_is_shown_with_its_line():
    told = judged(root, DraftsInTheTemporaryDirectory).counterexample

    (step,) = told.steps
    assert step.location.startswith("residue.py:")
    assert "NamedTemporaryFile" in step.source


def test_what_no_event_names_is_seen_where_it_appears():
    told = judged(root, RemembersTheLastStoreAtHome).counterexample

    assert told.headline.endswith("something in the home directory, outside of its root")
    assert told.steps == ()


class NeedsTheSameFileSystem(PlainDocument):
    """Nothing of it is outside, but it will not work where the temporary directory is elsewhere."""

    def save(self, data):
        if os.stat(tempfile.gettempdir()).st_dev != os.stat(self.root).st_dev:
            raise OSError("the temporary directory is on another device")
        super().save(data)


def test_a_store_that_needs_the_temporary_directory_on_its_file_system_is_found_where_there_are_two():
    result = judged(root, NeedsTheSameFileSystem)

    if result.verdict is Verdict.HOLDS:
        assert result.reason.startswith("there is no second file system")
    else:
        assert "where the temporary directory is on another file system" in result.counterexample.headline


class RefusesAll:
    def __init__(self, _root):
        pass

    def save(self, data):
        raise ValueError("not today")

    def load(self):
        return {}


@pytest.mark.parametrize("family", [leaks, root])
def test_a_store_that_refuses_everything_is_undecided_and_not_held(family):
    result = judged(family, RefusesAll)

    assert result.verdict is Verdict.UNDECIDED
    assert "save({version: 1}) raised ValueError: not today" in result.reason
