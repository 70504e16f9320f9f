"""A kit as a state machine of hypothesis, in a test module of one's own."""

from datetime import UTC

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from pytest_tradestore.kits.registry import kit_named
from tests.broken_stores.trading_data import KeepsBothBars
from tests.kits.test_kits_of_other_people import AccountKit, FileAccounts, FileQueue, QueueKit, TakesWithGet
from tests.sound_stores.trading import PlainBars, PlainEvents, PlainFundamentals, PlainJobs, PlainRuns, PlainStates

FEW = hypothesis.settings(max_examples=10, stateful_step_count=8, deadline=None, derandomize=True)

SOUND = {
    "queue": (QueueKit(), FileQueue),
    "account": (AccountKit(), FileAccounts),
    "bars": (kit_named("bars"), PlainBars),
    "fundamentals": (kit_named("fundamentals"), PlainFundamentals),
    "events": (kit_named("events"), PlainEvents),
    "state": (kit_named("state"), PlainStates),
    "jobs": (kit_named("jobs"), PlainJobs),
    "runs": (kit_named("runs"), PlainRuns),
}


@pytest.mark.parametrize(("kit", "target"), SOUND.values(), ids=list(SOUND))
def test_a_sound_store_passes(kit, target):
    run_state_machine_as_test(kit.state_machine(target), settings=FEW)


def test_times_may_have_a_zone():
    run_state_machine_as_test(kit_named("bars").state_machine(PlainBars, zone=UTC), settings=FEW)


@pytest.mark.parametrize(
    ("kit", "target"),
    [(QueueKit(), TakesWithGet), (kit_named("bars"), KeepsBothBars)],
    ids=["queue", "bars"],
)
def test_control_a_broken_one_fails_with_its_calls(kit, target):
    many = hypothesis.settings(
        FEW, max_examples=100, report_multiple_bugs=False, phases=(hypothesis.Phase.generate,), print_blob=False
    )
    with pytest.raises(AssertionError, match="found: ") as failed:
        run_state_machine_as_test(kit.state_machine(target), settings=many)

    assert kit.required[0] in str(failed.value)


def test_a_kit_without_steps_that_are_calls_has_no_machine():
    with pytest.raises(TypeError, match="AuditLogKit has no grammar whose steps are calls"):
        kit_named("audit").state_machine(PlainBars)
