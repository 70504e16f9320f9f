"""The checks of modes: every moment of the workload, every umask, and files that somebody has made private."""

import os

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import permissions
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from reference_store import DocumentStore, JournalStore
from tests.broken_stores.permissions import ChangesTheUmask, GivesRightsBack, PrivateInTheEnd

CONTRACT = {kit.name: kit for kit in KITS}


@pytest.fixture(params=["strace", "fake"])
def judged(request):
    try:
        choose_recorder(request.param)
    except RuntimeError as reason:
        pytest.skip(f"the {request.param} recorder cannot be used here: {reason}")

    def judge(target, contract, **declared):
        store = StoreUnderTest("store", target, **declared)
        bench = Bench(Settings(recorder=request.param))
        return {check.requirement: check.judge(bench, store) for check in permissions.checks(CONTRACT[contract])}

    return judge


@pytest.mark.parametrize(("target", "contract"), [(DocumentStore, "documents"), (JournalStore, "journal")])
def test_the_reference_store_keeps_its_files_private(judged, target, contract):
    results = judged(target, contract)

    assert [result.verdict for result in results.values()] == [Verdict.HOLDS] * 2
    assert results["PERM-1"].checked["modes"] > 10


def test_a_mode_that_is_too_wide_for_a_moment_is_too_wide(judged):
    told = judged(PrivateInTheEnd, "document")["PERM-1"].counterexample

    assert told.headline == "'portfolio.json.tmp' has mode 0666 during save({version: 1}), with umask 000"
    assert told.allowed == ("no wider than 0640, at any moment and whatever the umask",)


def test_rights_that_somebody_has_taken_stay_taken(judged):
    results = judged(GivesRightsBack, "document")

    assert (results["PERM-1"].verdict, results["PERM-2"].verdict) == (Verdict.HOLDS, Verdict.VIOLATED)


def test_the_umask_belongs_to_the_process(judged):
    told = judged(ChangesTheUmask, "document")["PERM-2"].counterexample

    assert "the store changes the umask of the whole process" in told.headline


def test_who_claims_nothing_is_not_asked(judged):
    results = judged(ChangesTheUmask, "document", claims=(), disclaims=())

    assert {result.verdict for result in results.values()} == {Verdict.NOT_APPLICABLE}


def test_the_umask_of_the_suite_itself_stays(judged):
    before = os.umask(0o022)
    os.umask(before)
    judged(ChangesTheUmask, "document")
    after = os.umask(before)

    assert after == before
