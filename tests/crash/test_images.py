"""Durable images: when two are one, and that what is written to disk is what the image says."""

import os
import stat
from dataclasses import replace

import pytest

from pytest_tradestore.crash.images import LONG_AGO, DurableImage, ImageFile, matches, read_image
from pytest_tradestore.crash.operations import Inode, Kind


def a_file(path, content=b"", inode=1, mode=0o644):
    return ImageFile(path, Kind.FILE, mode, content, "", Inode(inode))


def a_directory(path, inode=9, mode=0o755):
    return ImageFile(path, Kind.DIRECTORY, mode, inode=Inode(inode))


def a_link(path, target, inode=8):
    return ImageFile(path, Kind.SYMLINK, 0o777, target=target, inode=Inode(inode))


EVERYTHING = DurableImage(
    (
        a_file("a", b"one", 1, 0o600),
        a_directory("d", 2, 0o750),
        a_file("d/a", b"one", 1, 0o600),
        a_file("d/b", b"\0" * 5000, 3),
        a_link("l", "d/b", 4),
    )
)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_an_image_is_on_disk_what_it_says(tmp_path, mask):
    before = os.umask(mask)
    try:
        EVERYTHING.write(tmp_path)
    finally:
        os.umask(before)

    found = DurableImage(tuple(read_image(tmp_path)))
    assert found == EVERYTHING
    assert [stat.filemode(f.mode)[1:] for f in found.files[:2]] == ["rw-------", "rwxr-x---"]


def test_hard_links_are_hard_links_again(tmp_path):
    EVERYTHING.write(tmp_path)

    assert os.path.samefile(tmp_path / "a", tmp_path / "d" / "a")
    assert not os.path.samefile(tmp_path / "a", tmp_path / "d" / "b")


def test_a_directory_that_nobody_may_enter_can_still_be_filled(tmp_path):
    DurableImage((a_directory("d", 2, 0o000), a_file("d/f", b"x"))).write(tmp_path)

    assert (tmp_path / "d" / "f").read_bytes() == b"x"


def test_a_file_that_was_changed_later_is_newer_by_a_second_at_least_and_old_all_the_same(tmp_path):
    times = {"a": 7, "b": 5, "c": 9, "d": 7}
    image = DurableImage(
        tuple(replace(a_file(name, b"", n), changed=time) for n, (name, time) in enumerate(times.items()))
    )

    image.write(tmp_path)

    assert {n: (tmp_path / n).stat().st_mtime - LONG_AGO for n in times} == {"a": 1, "b": 0, "c": 2, "d": 1}
    assert image.order == (1, 0, 2, 1)


def test_the_change_times_that_nobody_can_set_are_in_the_same_order(tmp_path):
    (tmp_path / "try").touch()
    tried = [(os.stat(tmp_path / "try").st_ctime_ns, os.utime(tmp_path / "try")) for _ in range(9)]
    if len(dict(tried)) < len(tried):
        pytest.skip("the kernel gives changes within one tick the same time here")
    times = {"a": 7, "b": 5, "c": 9, "d": 6}
    files = (replace(a_file(name, b"", n), changed=time) for n, (name, time) in enumerate(times.items()))

    DurableImage(tuple(files)).write(tmp_path)

    assert sorted(times, key=lambda name: (tmp_path / name).stat().st_ctime_ns) == ["b", "d", "a", "c"]


def test_owner_group_and_attributes_are_on_disk_what_the_image_says(tmp_path):
    try:
        os.setxattr(tmp_path, "user.try", b"")
    except OSError as reason:
        pytest.skip(f"no extended attributes here: {reason}")
    owner = (os.geteuid(), os.getgroups()[-1] if os.getgroups() else os.getegid())
    file = replace(a_file("a"), owner=owner, attributes=(("user.sum", b"\0\xff"),))

    DurableImage((file,)).write(tmp_path)

    assert os.getxattr(tmp_path / "a", "user.sum") == b"\0\xff"
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == owner


def test_files_look_old_so_that_leftovers_are_found_as_after_a_night(tmp_path):
    EVERYTHING.write(tmp_path)

    assert (tmp_path / "a").stat().st_mtime == LONG_AGO


def test_a_directory_with_two_names_is_written_twice_with_its_files_linked(tmp_path):
    twice = DurableImage((a_directory("d", 2), a_file("d/f", b"x"), a_directory("e", 2), a_file("e/f", b"x")))
    twice.write(tmp_path)

    assert os.path.samefile(tmp_path / "d" / "f", tmp_path / "e" / "f")


EQUAL = {
    "other inode numbers": ((a_file("a", b"x", 1), a_file("b", b"x", 2)), (a_file("a", b"x", 7), a_file("b", b"x", 5))),
    "another mode": ((a_file("a", mode=0o600),), (a_file("a", mode=0o644),)),
}
DIFFERENT = {
    "another content": ((a_file("a", b"x"),), (a_file("a", b"y"),)),
    "another name": ((a_file("a"),), (a_file("b"),)),
    "a link instead of a copy": (
        (a_file("a", b"x", 1), a_file("b", b"x", 1)),
        (a_file("a", b"x"), a_file("b", b"x", 2)),
    ),
    "a directory instead of a file": ((a_file("a"),), (a_directory("a"),)),
    "another target": ((a_link("l", "a"),), (a_link("l", "b"),)),
    "one file more": ((a_file("a"),), (a_file("a"), a_file("b", inode=2))),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=list(EQUAL))
def test_a_reader_could_not_tell_these_apart(one, other):
    assert DurableImage(one) == DurableImage(other)
    assert hash(DurableImage(one)) == hash(DurableImage(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_control_these_a_reader_could(one, other):
    assert DurableImage(one) != DurableImage(other)


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a.idx", "*.idx", True),
        ("d/e/a.idx", "*.idx", True),
        ("d/a.idx", "d/*.idx", True),
        ("e/a.idx", "d/*.idx", False),
        ("a.IDX", "*.idx", False),
        ("a.idx.bak", "*.idx", False),
    ],
)
def test_a_glob_without_a_slash_matches_in_any_directory_and_one_with_a_slash_only_there(path, glob, expected):
    assert matches(path, (glob,)) is expected


def test_an_image_can_be_taken_without_its_volatile_files_or_with_what_they_held_last():
    image = DurableImage((a_file("data", b"x", 1), a_file("data.idx", b"half", 2)))

    assert image.without(("*.idx",)).paths() == ("data",)
    assert image.with_last_content(("*.idx",), {"data.idx": b"whole"}).files[1].content == b"whole"
    assert image.with_last_content(("*.idx",), {}) == image
