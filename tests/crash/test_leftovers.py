"""Do leftovers pile up? Only what every crash adds to does; what is swept, or has a fixed name, does not."""

import os
import uuid

import pytest

from pytest_tradestore.crash.leftovers import ROUNDS, growth
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recording import record
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.crash.tiny_stores import Durable

WORKLOAD = workload_for(kit_named("document"), frozenset())


def growth_of(target):
    store = StoreUnderTest("tiny", target)
    recorder = FakeRecorder()
    with Sandbox() as sandbox:
        recorded = record(store, WORKLOAD, WORKLOAD.updates[:2], recorder, sandbox)
        found = enumerate_states(lower(recorded.trace), STRICT, subsets_per_cut=256, images=400)
        return growth(store, WORKLOAD, found.groups, recorder, sandbox)


class RandomNames(Durable):
    """A new temporary name for every save; what a crash leaves stays."""

    def save(self, data):
        self.staged = self.file.parent / f"t-{uuid.uuid4().hex}"
        super().save(data)


class Swept(RandomNames):
    """The same, but opening removes what is left."""

    def __init__(self, root):
        super().__init__(root)
        for left in root.glob("t-*"):
            os.unlink(left)


class SweptAfterSaving(RandomNames):
    """The same, but every save that succeeds removes what earlier ones have left."""

    def save(self, data):
        super().save(data)
        for left in self.file.parent.glob("t-*"):
            os.unlink(left)


class KeepsVersions(Durable):
    """Keeps the five versions before the newest one, and none beyond them."""

    def save(self, data):
        directory = self.file.parent
        if self.file.exists():
            kept = sorted(directory.glob("before-*"))
            number = int(kept[-1].name.partition("-")[2]) + 1 if kept else 0
            os.link(self.file, directory / f"before-{number:06}")
        super().save(data)
        for old in sorted(directory.glob("before-*"))[:-5]:
            os.unlink(old)


class KeepsVersionsAndLeavesMore(RandomNames, KeepsVersions):
    """The same, and beside them what each crash leaves."""


def test_what_crashes_leave_beside_versions_that_are_kept_piles_up():
    grown = growth_of(KeepsVersionsAndLeavesMore)

    assert any(name.startswith("t-") for name in grown.newest)


def test_random_temporary_names_that_nothing_removes_pile_up():
    grown = growth_of(RandomNames)

    assert len(grown.counts) == len(grown.images) == ROUNDS
    assert list(grown.counts) == sorted(set(grown.counts))
    assert all(name.startswith("t-") for name in grown.newest)


class LogsEachOpening(Durable):
    """One more file with each opening, made elsewhere than what a save writes."""

    def __init__(self, root):
        super().__init__(root)
        (root / f"session-{uuid.uuid4().hex}").touch()


@pytest.mark.parametrize(
    ("target", "module", "when_opened"),
    [(RandomNames, "tests/crash/tiny_stores.py", False), (LogsEachOpening, "tests/crash/test_leftovers.py", True)],
)
def test_the_line_that_makes_what_is_left_is_to_blame_and_no_other_that_was_cut_short(target, module, when_opened):
    grown = growth_of(target)

    assert grown.when_opened is when_opened
    assert [place.partition(":")[0] for place in grown.made_at] == [module]


@pytest.mark.parametrize(
    "target",
    [Durable, Swept, SweptAfterSaving, KeepsVersions],
    ids=["fixed name", "swept at opening", "swept after saving", "versions before"],
)
def test_control_what_stays_bounded_does_not(target):
    assert growth_of(target) is None
