"""Canaries tell every change around a root, and nothing of what happens in it."""

import os
from pathlib import Path

import pytest

from pytest_tradestore.names.corpus import CORPUS, filled, generated
from pytest_tradestore.names.nest import DEPTH, Canaries, Nest
from pytest_tradestore.names.watching import Watch


@pytest.fixture
def nest(tmp_path):
    made = Nest.build(tmp_path / "nest")
    yield made
    made.remove()


def test_what_happens_in_the_root_is_nobodys_business(nest):
    canaries = Canaries(nest)
    (nest.root / "a").mkdir()
    (nest.root / "a" / "x.json").write_text("{}")

    assert canaries.change(thorough=True) == ""


CHANGES = {
    "created": (lambda out: (out / "new").write_text(""), "new was created"),
    "directory-created": (lambda out: (out / "new").mkdir(), "new was created"),
    "removed": (lambda out: (out / "x").unlink(), "x was removed"),
    "written": (lambda out: (out / "x.json").write_text("{}"), "was written to"),
    "replaced": (lambda out: os.replace(out / "secret", out / "victim"), "secret was removed"),
    "mode": (lambda out: (out / "victim").chmod(0o400), "the mode of"),
    "time": (lambda out: os.utime(out / "victim", (1, 1)), "was written to"),
    "came-and-went": (lambda out: ((out / "new").write_text(""), (out / "new").unlink()), "created and removed again"),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=list(CHANGES))
def test_a_change_outside_is_told(nest, change, words):
    canaries = Canaries(nest)
    change(nest.out)

    assert words in canaries.change()


def test_a_change_that_hides_itself_is_told_by_who_looks_at_the_bytes(nest):
    canaries = Canaries(nest)
    victim = nest.out / "victim"
    before = victim.stat()
    victim.write_bytes(victim.read_bytes()[::-1])
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert canaries.change() == ""
    assert "times set back" in canaries.change(thorough=True)


def test_every_climb_of_the_corpus_ends_inside_the_sandbox(nest):
    for row in (*CORPUS, *generated()):
        value = filled(row.value, str(nest.root), str(nest.out))
        if row.read_only or "\0" in value:
            continue
        ends = os.path.normpath(os.path.join(nest.root, value)).replace("//", "/")
        assert ends.startswith(str(nest.top)), row
    assert DEPTH >= 16


def test_paths_around_the_root_are_noted_and_those_aimed_at_are_refused(nest):
    watch = Watch()
    with watch.during(nest, "/nowhere-of-this-name/x"):
        (nest.out / "x").read_text()
        for call in (
            lambda: Path("/nowhere-of-this-name/x.json").write_text(""),
            lambda: os.mkdir("/nowhere-of-this-name"),
            lambda: os.rename("/nowhere-of-this-name", nest.root / "a"),
        ):
            with pytest.raises(PermissionError):
                call()

    noted = ["/nowhere-of-this-name/x.json", "/nowhere-of-this-name", "/nowhere-of-this-name"]
    assert [asked.path for asked in watch.asked] == [str(nest.out / "x"), *noted]


def test_control_the_way_to_the_root_and_all_else_are_not_noted(nest):
    watch = Watch()
    with watch.during(nest):
        (nest.root / "a").write_text("")
        os.listdir(nest.root.parent)
        Path(os.devnull).read_bytes()
        with pytest.raises(FileNotFoundError):
            Path("/nowhere-of-this-name/x.json").read_bytes()
    (nest.out / "x").read_text()

    assert watch.asked == []


def test_calls_below_the_root_can_be_interrupted_and_what_is_done_then_cannot(nest):
    watch, done = Watch(), []

    def interrupt():
        done.append(sorted(os.listdir(nest.root)))

    with watch.during(nest), watch.interrupting(interrupt):
        (nest.root / "a").write_text("")
        os.rename(nest.root / "a", nest.root / "b")
        (nest.out / "x").read_text()
    (nest.root / "c").write_text("")

    assert done == [[], ["a"]]
