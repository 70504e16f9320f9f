"""What stands beside the content of a file is what a crash has left of it: digests in attributes, modes, owners."""

import hashlib
import os

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import crashes
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.faults.reopening import Left
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.bases import OneFile
from tests.broken_stores.kept import LocksByTheMode, SealsInAnAttribute
from tests.sound_stores.files import encode, sync_directory, sync_file, write_synced

DOCUMENT = next(kit for kit in KITS if kit.name == "document")


def violated(target):
    store, bench = StoreUnderTest("store", target), Bench(Settings(budget=Budget.QUICK))
    results = [check.judge(bench, store) for check in crashes.checks(DOCUMENT)]
    assert Verdict.UNDECIDED not in {result.verdict for result in results}
    return {result.requirement for result in results if result.verdict is Verdict.VIOLATED}


class SealsBeforeTheRename(SealsInAnAttribute):
    def save(self, data):
        staged, text = self.root / "portfolio.tmp", encode(data)
        write_synced(staged, text)
        os.setxattr(staged, "user.digest", hashlib.sha256(text.encode()).digest())
        sync_file(staged)
        os.replace(staged, self.file)
        sync_directory(self.root)


class MarksTheNewFileByItsMode(LocksByTheMode):
    """Its files are read-only but while they are written; readers take no other."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        staged.unlink(missing_ok=True)
        write_synced(staged, encode(data))
        os.chmod(staged, 0o400)
        sync_file(staged)
        os.replace(staged, self.file)
        sync_directory(self.root)

    def load(self):
        if self.file.exists() and self.file.stat().st_mode & 0o200:
            raise ValueError("the document is being written")
        return super(LocksByTheMode, self).load()


@pytest.mark.parametrize(("broken", "also"), [(SealsInAnAttribute, set()), (LocksByTheMode, {"REC-3"})])
def test_what_is_beside_the_content_too_late_is_found_and_nothing_else_is(broken, also):
    """A temporary file that btrfs brings back has the mode of the file that it had been."""
    assert violated(broken) == {"ATOM-1", "ATOM-2"} | also


@pytest.mark.parametrize("sound", [SealsBeforeTheRename, MarksTheNewFileByItsMode])
def test_control_what_is_there_before_the_rename_is_accused_of_nothing(sound):
    assert violated(sound) == set()


ANOTHER = 65_534
"""An account that is not the one the tests run as."""


class LendsTheFileOut(OneFile):
    """gives the old file to another account while it is replaced, and readers go by that."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        staged.unlink(missing_ok=True)  # it may be an old one that is back, of the other account
        if self.file.exists():
            os.chown(self.file, ANOTHER, ANOTHER)
        write_synced(staged, encode(data))
        os.replace(staged, self.file)
        sync_directory(self.root)

    def load(self):
        if self.file.exists() and self.file.stat().st_uid == ANOTHER:
            raise ValueError("another account is writing the document")
        return super().load()


class HandsTheNewFileOver(LendsTheFileOut):
    """Each file is given to another account before it is in its place; readers take no other."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        write_synced(staged, encode(data))
        os.chown(staged, ANOTHER, ANOTHER)
        sync_file(staged)
        os.replace(staged, self.file)
        sync_directory(self.root)

    def load(self):
        if self.file.exists() and self.file.stat().st_gid != ANOTHER:
            raise ValueError("the document is of somebody else")
        return super(LendsTheFileOut, self).load()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files to another account, which only root may")


@as_root
def test_a_file_that_belongs_to_another_account_after_a_crash_is_found_and_nothing_else_is():
    assert violated(LendsTheFileOut) == {"ATOM-1", "ATOM-2"}


@as_root
def test_control_a_file_that_was_given_away_before_the_rename_is_accused_of_nothing():
    assert violated(HandsTheNewFileOver) == set()


def image(mode=0o644, **other):
    return DurableImage((ImageFile("a", Kind.FILE, mode, b"x", **other),))


@pytest.mark.parametrize("other", [{"mode": 0o400}, {"owner": (5, 5)}, {"attributes": (("user.a", b"1"),)}])
def test_files_that_differ_beside_their_content_are_looked_at_each(other):
    assert image() == image(**other)
    assert Left(image()) != Left(image(**other))


def test_control_one_set_of_files_is_looked_at_once():
    assert Left(image()) == Left(image())
