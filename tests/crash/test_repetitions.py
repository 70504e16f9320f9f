"""What is not looked at twice, and what is: two images are alike only if nobody can have told one from the other."""

import json
import os
from pathlib import Path

import pytest

from pytest_tradestore.crash.exploration import Question, explore
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.crash.repetitions import fingerprint, notes_reading
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.document import THE_DOCUMENT
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.observation import Value
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

WORKLOAD = workload_for(kit_named("document"), frozenset())
SAVED = json.dumps({"version": 1}).encode()


def image(**files):
    """An image of files in the root, each changed after the one before it."""
    return DurableImage(
        tuple(
            ImageFile(name, Kind.FILE, 0o644, content, inode=Inode(number), changed=number)
            for number, (name, content) in enumerate(files.items(), 1)
        )
    )


class Sweeping:
    """A store that clears away a temporary file when it saves; what it does with one before that is up to subclasses.

    Each opening is noted in ``diary``, a file outside of the root.
    """

    diary: Path

    def __init__(self, root: Path):
        self.root = root
        with open(self.diary, "a") as diary:
            diary.write("opened\n")
        self.temporary = root / "temporary"
        if self.temporary.exists():
            self.look()

    def look(self):
        pass

    def save(self, data):
        self.temporary.unlink(missing_ok=True)
        (self.root / "saved").write_text(json.dumps(data))

    def load(self):
        return json.loads((self.root / "saved").read_text())


class Reading(Sweeping):
    """One that reads the temporary file."""

    def look(self):
        self.temporary.read_bytes()


class ReadingThroughAnotherName(Sweeping):
    """One that links the temporary file and reads it under that name, which is gone afterwards."""

    def look(self):
        os.link(self.temporary, self.root / "linked")
        (self.root / "linked").read_bytes()
        (self.root / "linked").unlink()


class Measuring(Sweeping):
    """One that takes the size of the temporary file for an answer."""

    def load(self):
        return super().load() | {"size": self.temporary.stat().st_size if self.temporary.exists() else None}


@pytest.fixture
def openings(tmp_path):
    """Explore images, and say how often the store was opened for that, and what was seen first."""

    def count(target, *images):
        diary = tmp_path / "diary"
        diary.write_text("")
        store = StoreUnderTest("acme", type("Noting", (target,), {"diary": diary}))
        with Sandbox() as sandbox:
            if not notes_reading(sandbox.path):
                pytest.skip("the file system of the sandbox does not keep when a file was read")
            explored = explore(store, WORKLOAD, [Question(i, THE_DOCUMENT) for i in images], sandbox)
        assert explored.complete
        assert all(answer.failed is None for answer in explored.answers)
        return len(diary.read_text().split()), [answer.seen.at(THE_DOCUMENT) for answer in explored.answers]

    return count


TORN = tuple(image(saved=SAVED, temporary=content) for content in (b"whole....", b"who\0\0\0\0\0\0", b"\0" * 9))


def test_images_that_differ_only_in_what_nobody_reads_are_looked_at_once(openings):
    count, seen = openings(Sweeping, *TORN)

    assert count == 2  # once before the next update, and once after it
    assert seen == [Value('{"version": 1}')] * 3


@pytest.mark.parametrize("target", [Reading, ReadingThroughAnotherName])
def test_control_each_is_looked_at_where_it_is_read(openings, target):
    count, _ = openings(target, *TORN)

    assert count == 3 + 1  # what the next update leaves is the same


def test_control_files_of_different_sizes_are_told_apart_without_reading(openings):
    _, seen = openings(Measuring, *(image(saved=SAVED, temporary=b"x" * size) for size in (1, 2, 3)))

    assert [json.loads(value.text)["size"] for value in seen] == [1, 2, 3]


def test_what_the_next_update_leaves_is_opened_once(openings):
    count, _ = openings(Sweeping, image(saved=SAVED), image(saved=b'{"version": 2}'), image(saved=b'{"version": 3}'))

    assert count == 3 + 1


def test_control_it_is_opened_each_time_where_it_differs(openings):
    class Keeping(Sweeping):
        def save(self, data):
            (self.root / "before").write_bytes((self.root / "saved").read_bytes())
            super().save(data)

    count, _ = openings(Keeping, image(saved=SAVED), image(saved=b'{"version": 2}'), image(saved=b'{"version": 3}'))

    assert count == 3 + 3


def written(root, *files):
    """Write files one after the other, each newer than the last."""
    root.mkdir()
    for number, (name, content) in enumerate(files):
        (root / name).write_bytes(content)
        os.utime(root / name, (1_000 + number, 1_000 + number))
    return str(root)


def test_trees_with_the_same_files_have_one_fingerprint(tmp_path):
    one = written(tmp_path / "one", ("a", b"1"), ("b", b"2"))
    other = written(tmp_path / "other", ("a", b"1"), ("b", b"2"))

    assert fingerprint(one) == fingerprint(other) is not None


@pytest.mark.parametrize(
    "change",
    {
        "content": lambda root: (root / "b").write_bytes(b"3"),
        "name": lambda root: (root / "b").rename(root / "c"),
        "mode": lambda root: (root / "b").chmod(0o400),
        "order-of-changes": lambda root: os.utime(root / "a", (5_000, 5_000)),
        "a-directory": lambda root: (root / "d").mkdir(),
        "a-link-of-the-same-file": lambda root: ((root / "b").unlink(), os.link(root / "a", root / "b")),
    }.items(),
    ids=lambda row: row[0],
)
def test_control_trees_that_can_be_told_apart_have_two(tmp_path, change):
    one = written(tmp_path / "one", ("a", b"1"), ("b", b"1"))
    other = written(tmp_path / "other", ("a", b"1"), ("b", b"1"))
    change[1](tmp_path / "other")

    assert fingerprint(one) != fingerprint(other)


def test_looking_at_a_tree_is_not_noted_as_reading_it(tmp_path):
    root = written(tmp_path / "one", ("a", b"1"))
    before = os.stat(f"{root}/a").st_atime_ns

    fingerprint(root)

    assert os.stat(f"{root}/a").st_atime_ns == before
