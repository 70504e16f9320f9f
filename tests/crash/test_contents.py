"""What became of a directory, path by path, with the bytes near the first difference."""

import pytest

from pytest_tradestore.crash.contents import MOST_PATHS, changes_between
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.verdict import PathSeen


def image(**contents):
    files = (
        ImageFile(path, Kind.FILE, 0o600, content, inode=Inode(n)) for n, (path, content) in enumerate(contents.items())
    )
    return DurableImage(tuple(files))


def test_a_file_that_is_as_it_was_has_no_bytes_to_show():
    (change,) = changes_between(image(f=b"same"), image(f=b"same"))

    assert not change.differs
    assert (change.bytes_before, change.bytes_after) == ("", "")


def test_a_file_that_was_emptied_shows_what_it_held():
    (change,) = changes_between(image(f=b"held"), image(f=b""))

    assert change.differs
    assert (change.before, change.after) == (PathSeen("file", 4, "4 bytes: held"), PathSeen("file", 0, "empty"))
    assert (change.offset, bytes.fromhex(change.bytes_before), change.bytes_after) == (0, b"held", "")


def test_of_a_long_file_the_bytes_around_the_first_difference_are_shown():
    held = b"x" * 5000
    (change,) = changes_between(image(f=held), image(f=held[:4096] + bytes(904)))

    before, after = bytes.fromhex(change.bytes_before), bytes.fromhex(change.bytes_after)
    assert change.offset + before.index(b"x" * 17) <= 4096
    assert after == b"x" * (4096 - change.offset) + bytes(len(after) - (4096 - change.offset))
    assert 0 < len(after) <= 64


@pytest.mark.parametrize(("before", "after"), [({"f": b"1"}, {}), ({}, {"f": b"1"})], ids=["gone", "new"])
def test_a_path_that_is_on_one_side_only_says_so(before, after):
    (change,) = changes_between(image(**before), image(**after))

    assert (change.before is None, change.after is None) == (not before, not after)
    assert change.differs


def test_of_a_large_directory_what_changed_is_among_what_is_told():
    many = {f"a{n:03}": b"" for n in range(2 * MOST_PATHS)}
    changes = changes_between(image(**many, z=b"1"), image(**many))

    assert len(changes) == MOST_PATHS
    assert [change.path for change in changes if change.differs] == ["z"]
    assert [change.path for change in changes] == sorted(change.path for change in changes)
