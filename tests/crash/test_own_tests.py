"""The fixture for crashes in people's own tests: the printed example runs, and what cannot be judged is told."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_tradestore.errors import TargetError

TOP = Path(__file__).parents[2]


class Note:
    """A text in a file, written in place and never synced."""

    def __init__(self, root):
        self.file = root / "note.txt"

    def write(self, text):
        self.file.write_text(text)

    def read(self):
        return self.file.read_text() if self.file.exists() else None


class AsyncNote(Note):
    async def write(self, text):
        self.file.write_text(text)

    async def read(self):
        return self.file.read_text() if self.file.exists() else None


class HangsOnHalfANote(Note):
    def read(self):
        if (found := super().read()) == "":
            time.sleep(60)
        return found


def test_the_documented_example_runs():
    example = TOP / "docs" / "examples" / "test_crashes_of_my_own.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", TOP / "pyproject.toml", example]

    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


@pytest.mark.parametrize("target", [Note, AsyncNote])
def test_what_a_crash_leaves_is_told_for_each_point(tradestore_crash, target):
    outcomes = list(tradestore_crash(target).outcomes(lambda note: note.write("bought"), read=lambda note: note.read()))

    found = {(outcome.returned, outcome.under_way, outcome.power_loss, outcome.found) for outcome in outcomes}
    assert {(0, False, False, None), (0, True, False, ""), (1, False, False, "bought")} <= found
    assert {(1, False, True, None), (1, False, True, ""), (1, False, True, "\0" * 6)} <= found


def test_what_was_done_before_is_on_the_disk_for_good(tradestore_crash):
    crashes = tradestore_crash(Note)
    outcomes = list(crashes.outcomes(before=lambda note: note.write("kept"), read=Note.read))

    assert {outcome.found for outcome in outcomes} == {"kept"}


def test_a_failing_claim_shows_the_steps_and_the_simplest_crash(tradestore_crash):
    with pytest.raises(AssertionError) as raised:
        tradestore_crash(Note).check(
            lambda note: note.write("bought"), read=Note.read, holds=lambda outcome: outcome.found in (None, "bought")
        )

    told = str(raised.value)
    assert told.startswith("what is found does not hold after a process crash during action 1")
    assert "create note.txt" in told and "CRASH" in told and "Found:      ''" in told


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda note: note.sell("AAPL"), "action 1 raised AttributeError"),
        (lambda note: time.sleep(60), "action 1 took longer than 1 s"),
    ],
    ids=["raises", "hangs"],
)
def test_actions_that_do_not_work_without_a_crash_are_no_outcome(tradestore_crash, act, words):
    with pytest.raises(TargetError, match=f"without any crash, {words}"):
        tradestore_crash(Note, deadline=1).check(act, read=Note.read, holds=lambda outcome: True)


def test_an_object_that_hangs_after_a_crash_is_told_as_an_outcome(tradestore_crash):
    crashes = tradestore_crash(HangsOnHalfANote, deadline=1)
    outcomes = list(crashes.outcomes(lambda note: note.write("bought"), read=HangsOnHalfANote.read))

    hung = [outcome for outcome in outcomes if outcome.raised]
    assert {outcome.raised for outcome in hung} == {"took longer than 1 s"}
    assert any(outcome.found == "bought" for outcome in outcomes)
