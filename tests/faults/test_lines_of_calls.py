"""Which line of the store asked for the call that failed."""

import json
import os

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import faults
from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.calls import Call, CallKind
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import StepStatus

pytestmark = pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not()))


class Careless:
    """Renames, and says nothing when that fails."""

    def __init__(self, root):
        self.file = root / "state.json"

    def save(self, data):
        staged = f"{self.file}.tmp"
        with open(staged, "w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.rename(staged, self.file)
        except OSError:
            os.unlink(staged)
        directory = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


def test_each_call_of_a_counterexample_has_its_line_and_the_one_that_failed_is_marked():
    bench, store = Bench(Settings(budget=Budget.QUICK)), StoreUnderTest("careless", Careless)
    check = next(c for c in faults.checks(kit_named("document")) if c.requirement == "FAULT-1")
    examples = check.judge(bench, store).examples
    steps = [step for example in examples for step in example.steps]

    (failed,) = {(step.text, step.source) for step in steps if step.fate is StepStatus.FAILED and "rename" in step.text}
    assert failed == ("rename state.json", "os.rename(staged, self.file)")
    assert all("test_lines_of_calls.py:" in step.location for step in steps)


def test_control_a_line_makes_no_two_calls_of_one():
    one, other = Call(CallKind.SYNC, "f"), Call(CallKind.SYNC, "f", thread=7, time=1, place="store.py:41")

    assert one == other
    assert len({one, other}) == 1
