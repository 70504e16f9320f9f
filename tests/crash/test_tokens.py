"""Replay tokens: read back what was written, refuse everything else, notice another program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.tokens import CrashToken, fingerprint, parse
from pytest_tradestore.errors import ReplayError
from tests.crash.handmade import Story

STATES = st.builds(
    CrashState,
    st.sampled_from(Crash),
    st.integers(0, 500),
    st.sets(st.integers(0, 300), max_size=40).map(lambda lost: tuple(sorted(lost))),
    st.none() | st.integers(0, 1 << 40),
)
WORDS = st.text("abcXYZ-_.0123", min_size=1, max_size=12)


@given(store=WORDS, case=WORDS, state=STATES)
def test_a_token_reads_back_as_the_state_that_it_names(store, case, state):
    token = CrashToken(store, case, state, "1a2b3c4d")

    assert parse(str(token)) == token
    assert parse(f"  {token}\n") == token
    assert not set(str(token)) & set(" \t'\"$*?[]{}()<>|&;\\")


def test_consecutive_losses_are_written_as_a_range():
    token = CrashToken("acme", "documents", CrashState(Crash.POWER, 40, (1, 2, 3, 7, 9, 10)), "1a2b3c4d")

    assert str(token) == "acme/documents/p40/1-3.7.9-10/1a2b3c4d"


def test_a_process_that_died_inside_a_write_says_how_far_it_got():
    token = CrashToken("acme", "documents", CrashState(Crash.PROCESS, 4, partial=4096), "1a2b3c4d")

    assert str(token) == "acme/documents/c4+4096/-/1a2b3c4d"


NO_TOKENS = {
    "nothing": "",
    "a word": "nonsense",
    "a part missing": "acme/documents/p40/1-3",
    "an unknown kind of crash": "acme/documents/x40/-/1a2b3c4d",
    "no cut": "acme/documents/p/-/1a2b3c4d",
    "a short fingerprint": "acme/documents/p40/-/1a2b",
    "a range without an end": "acme/documents/p40/3-/1a2b3c4d",
    "a range that begins nowhere": "acme/documents/p40/-3/1a2b3c4d",
    "two dots": "acme/documents/p40/1..3/1a2b3c4d",
    "a range for ever": "acme/documents/p40/1-99999999999/1a2b3c4d",
    "a backward range": "acme/documents/p40/9-3/1a2b3c4d",
    "ranges out of order": "acme/documents/p40/5-9.7/1a2b3c4d",
}


@pytest.mark.parametrize("text", NO_TOKENS.values(), ids=list(NO_TOKENS))
def test_what_is_no_token_is_refused_by_name(text):
    with pytest.raises(ReplayError, match="is not a replay token"):
        parse(text)


def saved(**changes):
    story = Story({"f": b"old"})
    story.create("t")
    story.write("t", changes.get("data", b"new"), durable=changes.get("durable", False))
    story.fsync("t", failed=changes.get("failed", False))
    story.rename("t", changes.get("name", "f"))
    return fingerprint(story.program)


@pytest.mark.parametrize("change", [{"data": b"longer"}, {"name": "g"}], ids=["other bytes", "another name"])
def test_names_and_sizes_do_not_change_the_fingerprint(change):
    assert saved(**change) == saved()


@pytest.mark.parametrize("change", [{"failed": True}, {"durable": True}], ids=["failed sync", "synchronous write"])
def test_control_another_kind_of_step_does(change):
    assert saved(**change) != saved()
