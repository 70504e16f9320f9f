"""What a listing gives while others are about: it is read in pieces, and from a place that may be another's too."""

import os

import pytest

from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Program
from pytest_tradestore.race.search import run_schedules
from pytest_tradestore.target import StoreUnderTest
from tests.race.running import save

NAMES = ["a", "b", "c"]
LIST = Call("names", (), "", "names()")
TWO_LIST = Program(((LIST,), (LIST,)))
ONE_LISTS = Program(((save(1),), (LIST,)))


class Directory:
    """Three files, of which a save replaces the second."""

    def __init__(self, root):
        self.root = root
        for name in NAMES:
            (root / name).touch()
        self.opened = os.open(root, os.O_RDONLY)

    def names(self):
        return os.listdir(self.root)

    def save(self, data):
        (self.root / "new").write_text(str(data))
        os.replace(self.root / "new", self.root / "b")

    def load(self):
        return {}


class ListsByItsNumber(Directory):
    def names(self):
        return os.listdir(self.opened)


class ScansByItsNumber(Directory):
    def names(self):
        with os.scandir(self.opened) as entries:
            return [entry.name for entry in entries]


class ListsByACopy(Directory):
    def names(self):
        copy = os.dup(self.opened)
        try:
            return os.listdir(copy)
        finally:
            os.close(copy)


class ListsByANewNumber(Directory):
    def names(self):
        own = os.open(self.root, os.O_RDONLY)
        try:
            return os.listdir(own)
        finally:
            os.close(own)


class Scans(Directory):
    def names(self):
        with os.scandir(self.root) as entries:
            return [entry.name for entry in entries]


class Walks(Directory):
    def names(self):
        return [name for _, _, names in os.walk(self.root) for name in names]


class Globs(Directory):
    def names(self):
        return [path.name for path in self.root.glob("?")]


class WritesInPlace(Directory):
    def save(self, data):
        (self.root / "b").write_text(str(data))


class WritesAnother(Directory):
    def save(self, data):
        (self.root / "d").write_text(str(data))
        (self.root / "d").unlink()


def lists_otherwise(execution):
    """Say which listing is not the three names, each once, whatever else there may be meanwhile."""
    for call in execution.history:
        if call.call is LIST and (call.error or sorted(set(call.result) & set(NAMES)) != NAMES or _twice(call.result)):
            return f"{call.error or sorted(call.result)}"
    return None


def _twice(names):
    return len(set(names)) < len(names)


def found(store, program):
    return run_schedules(StoreUnderTest("directory", store), program, budget=60, seed=0, judge=lists_otherwise)


@pytest.mark.parametrize("store", [ListsByItsNumber, ScansByItsNumber, ListsByACopy])
def test_who_lists_through_one_open_directory_takes_from_the_other(store):
    assert found(store, TWO_LIST).sentence


@pytest.mark.parametrize("store", [Directory, Scans, Walks, Globs, ListsByANewNumber])
def test_control_who_opens_it_anew_reads_all_of_it(store):
    assert not found(store, TWO_LIST).sentence


@pytest.mark.parametrize("store", [Directory, Scans, Walks, Globs, ListsByANewNumber, ListsByItsNumber])
def test_a_name_that_is_given_to_another_file_meanwhile_is_passed_over(store):
    result = found(store, ONE_LISTS)

    assert result.sentence == "['a', 'c']"
    assert "passes over b" in [step.note for step in result.found.steps]


@pytest.mark.parametrize("store", [WritesInPlace, WritesAnother])
def test_control_a_name_that_stays_with_its_file_is_listed(store):
    assert not found(store, ONE_LISTS).sentence
