"""The fixtures for people's own tests, and the example that documents them."""

import shutil
from pathlib import Path

import pytest

from pytest_tradestore.faults import seccomp

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "test_faults_and_damage_of_my_own.py"
needs_injection = pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not()))


class Counter:
    def __init__(self, root):
        self.file = root / "count"

    def save(self, text):
        self.file.write_text(text)

    def load(self):
        return self.file.read_text() if self.file.exists() else ""


class AsyncCounter(Counter):
    async def save(self, text):
        super().save(text)

    async def load(self):
        return super().load()


@needs_injection
def test_the_documented_example_runs(pytester):
    shutil.copy(EXAMPLE, pytester.path)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly", EXAMPLE.name)

    result.assert_outcomes(passed=5)


@needs_injection
@pytest.mark.parametrize("kind", [Counter, AsyncCounter])
def test_every_call_fails_once_and_what_was_found_is_told(tradestore_faults, kind):
    found = tradestore_faults(kind).outcomes(lambda counter: counter.save("new"), read=kind.load)

    assert {outcome.fault for outcome in found} >= {
        "open for writing count fails with EROFS",
        "write count fails with ENOSPC",
        "close count fails with EIO",
    }
    assert all(outcome.raised or outcome.found == "new" for outcome in found if "takes half" not in outcome.fault)


@needs_injection
def test_an_action_that_fails_by_itself_is_no_finding(tradestore_faults):
    with pytest.raises(RuntimeError, match="without any fault: AttributeError"):
        tradestore_faults(Counter).outcomes(lambda counter: counter.no_such_method(), read=Counter.load)


def test_each_damage_is_told_with_what_was_read(tradestore_damage):
    found = tradestore_damage(Counter, flips=10).outcomes(lambda counter: counter.save("123"), read=Counter.load)

    emptied = next(outcome for outcome in found if outcome.damage == "count is emptied")
    assert (emptied.found, emptied.intact, emptied.is_silent) == ("", "123", True)
    assert any(outcome.raised.startswith("UnicodeDecodeError") for outcome in found)


def test_the_same_seed_gives_the_same_damages(tradestore_damage):
    first, second = (
        tradestore_damage(Counter, seed=5).outcomes(lambda counter: counter.save("123"), read=Counter.load)
        for _ in range(2)
    )

    assert first == second
