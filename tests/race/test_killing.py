"""Where a process is killed: where it has left something behind since the last time, by name or in fact."""

import os

import pytest

from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.killing import Witness


def places(root, *operations):
    """Return the places in which a caller is to be killed that is about to do these, with what happens after each."""
    witness, actor = Witness(0), Actor(0, 0, "caller 0")
    for operation, happens in operations:
        actor.pending = operation
        witness.look(actor, os.fspath(root))
        happens()
    return witness.places()


def nothing():
    """Do nothing to any file."""


def test_a_process_is_killed_first_of_all_before_it_has_done_anything(tmp_path):
    assert places(tmp_path, ("stat a", nothing)) == (1,)


@pytest.mark.parametrize("reading", ["open a", "read a", "stat a", "scandir the root", "fsync a", "call get('a')"])
def test_killing_after_a_look_shows_nothing_that_killing_before_it_did_not(tmp_path, reading):
    assert places(tmp_path, (reading, nothing), ("write a", nothing)) == (1,)


@pytest.mark.parametrize(
    "effect", ["create a", "open(w) a", "replace a -> b", "flock .lock", "lockf .lock", "unlink a"]
)
def test_control_after_an_operation_that_may_leave_something_it_is_killed_again(tmp_path, effect):
    assert places(tmp_path, (effect, nothing), ("stat a", nothing)) == (1, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "made").write_text(""),
        lambda root: (root / "kept").write_text("other"),
        lambda root: (root / "kept").chmod(0o600),
        lambda root: (root / "kept").rename(root / "renamed"),
        lambda root: (root / "kept").unlink(),
        lambda root: (root / "inside").mkdir(),
    ],
    ids=["made", "written", "mode", "renamed", "removed", "directory"],
)
def test_what_native_code_does_between_two_looks_counts_too(tmp_path, change):
    (tmp_path / "kept").write_text("value")
    (tmp_path / "kept").chmod(0o644)

    assert places(tmp_path, ("stat a", lambda: change(tmp_path)), ("stat a", nothing), ("stat a", nothing)) == (1, 2)


def test_other_callers_are_not_looked_at(tmp_path):
    witness = Witness(0)
    witness.look(Actor(1, 1, "caller 1"), os.fspath(tmp_path))

    assert witness.places() == ()
