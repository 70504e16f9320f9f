"""One requirement, several root causes: each is a finding of its own; what several requirements show is one."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import aliasing, data, leaks, names, permissions, root, unstorable
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores.trading_data import NewestFirst
from tests.sound_stores.files import encode, read_document, sync_directory


def replace_durably(path, text):
    staged = f"{path}.tmp"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(staged, path)
    sync_directory(path.parent)


class Sound:
    """A document, replaced whole."""

    def __init__(self, root):
        self.file = root / "state.json"

    def save(self, data):
        replace_durably(self.file, encode(data))

    def load(self):
        return read_document(self.file) or {}


class Leaking(Sound):
    """Loses a descriptor with each save and another one with each load."""

    def save(self, data):
        os.open(self.file.parent, os.O_RDONLY)
        super().save(data)

    def load(self):
        os.open(self.file.parent, os.O_RDONLY)
        return super().load()


class Straying(Sound):
    """Writes into the home directory, into the temporary one, and what follows from that is no third cause."""

    def save(self, data):
        (Path.home() / "touched").write_text("x")
        handle, name = tempfile.mkstemp()
        os.close(handle)
        Path(name).write_text("y")
        os.unlink(name)
        super().save(data)


class TooWide(Sound):
    """Makes a file that all may read, and opens another one to all."""

    def save(self, data):
        super().save(data)
        os.chmod(self.file, 0o644)
        lock = self.file.with_name("lock")
        lock.touch(0o600)
        os.chmod(lock, 0o666)


class Sharing(Sound):
    """Keeps what it is given, and hands it out."""

    def __init__(self, root):
        super().__init__(root)
        self.data = read_document(self.file) or {}

    def save(self, data):
        super().save(data)
        self.data = data

    def load(self):
        return self.data


class Taking(Sound):
    """Stores NaN as null without a word, and ends up with half a file where a value cannot be stored."""

    def save(self, data):
        if "nan" in repr(data).lower():
            data = {"nothing": None}
        with open(self.file, "w") as file:
            json.dump(data, file)


class Files:
    """A file for each key."""

    def __init__(self, root):
        self.root = root

    def _file(self, key):
        return self.root / (self._name(key) + ".json")

    def _name(self, key):
        return key.encode().hex() if len(key) < 100 else self._refuse(key)

    def _refuse(self, key):
        raise ValueError(f"too long: {len(key)} characters")

    def put(self, key, document):
        replace_durably(self._file(key), json.dumps(document))

    def get(self, key):
        return read_document(self._file(key))


class Sanitising(Files):
    """Replaces what is no letter, and cuts off what is long."""

    def _name(self, key):
        return "".join(c if c.isalnum() and c.isascii() else "_" for c in key)[:60]


class Cleaning(Files):
    """Takes '../' out once, which lets absolute paths pass, and makes '....//x' climb."""

    def _name(self, key):
        return key.replace("../", "")


def causes(store, kit, family, requirement):
    target = StoreUnderTest("several", store, claims=("private-files",))
    bench = Bench(Settings(recorder="fake", budget=Budget.QUICK))
    checks = [c for c in family.checks(kit_named(kit)) if c.requirement == requirement]
    return [str(example.cause.culprit) for check in checks for example in check.judge(bench, target).examples]


SEVERAL = {
    "two calls that leak": (
        Leaking,
        "document",
        leaks,
        "LEAK-1",
        ["file descriptors left behind at save()", "file descriptors left behind at reading"],
    ),
    "two files outside": (Straying, "document", root, "ROOT-1", ["made or changed outside", "made or changed outside"]),
    "two files that are too wide": (TooWide, "document", permissions, "PERM-1", ["too wide", "too wide"]),
    "what is kept, and what is handed out": (
        Sharing,
        "document",
        aliasing,
        "DATA-ALIAS",
        ["what save() was given", "what load() gave"],
    ),
    "two ways to meet what cannot be stored": (
        Taking,
        "document",
        unstorable,
        "FAULT-4",
        ["can no longer be read", "was accepted, and what is read is something else"],
    ),
    "two ways to share a place": (
        Sanitising,
        "documents",
        names,
        "NAME-3",
        ["characters that are replaced", "many characters"],
    ),
    "two ways out of the root": (
        Cleaning,
        "documents",
        names,
        "NAME-1",
        ["becomes a path as it is", "made into a path out of the root"],
    ),
}


@pytest.mark.parametrize(("store", "kit", "family", "requirement", "told"), SEVERAL.values(), ids=list(SEVERAL))
def test_each_root_cause_of_a_requirement_is_told(store, kit, family, requirement, told):
    found = causes(store, kit, family, requirement)

    assert len(found) == len(set(found)) == len(told), found
    assert all(any(words in one for one in found) for words in told), found


@pytest.mark.parametrize(("_", "kit", "family", "requirement", "told"), SEVERAL.values(), ids=list(SEVERAL))
def test_control_the_sound_store_has_none(_, kit, family, requirement, told):
    assert causes(Sound if kit == "document" else Files, kit, family, requirement) == []


def test_one_flaw_of_the_data_is_one_cause_whichever_requirements_it_breaks():
    asked = ("DATA-AUDIT-ORDER", "DATA-MODEL", "DATA-REOPEN")
    told = {one for requirement in asked for one in causes(NewestFirst, "audit", data, requirement)}

    assert len(told) == 1, told
