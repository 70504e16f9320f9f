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
from tests.broken_stores.permissions import ChangesTheUmask, GivesRightsBack, MakesItItsOwn, PrivateInTheEnd
from tests.sound_stores.private import PrivateDocument

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

    assert [result.verdict for result in results.values()] == [Verdict.HOLDS] * 3
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


def rights_of(target):
    store, bench = StoreUnderTest("store", target), Bench(Settings())
    (check,) = (c for c in permissions.checks(CONTRACT["document"]) if c.requirement == "PERM-3")
    return check.judge(bench, store)


def test_a_file_goes_on_to_belong_to_whom_somebody_gave_it():
    result = rights_of(MakesItItsOwn)

    assert result.verdict is Verdict.VIOLATED
    assert "not kept by a replacement at portfolio.json" in str(result.counterexample.cause)


def test_control_who_gives_it_back_is_accused_of_nothing_and_what_could_not_be_asked_is_said():
    result = rights_of(PrivateDocument)

    assert (result.verdict, result.checked["files"]) == (Verdict.HOLDS, 2)
    assert (result.reason == "") == (os.geteuid() == 0)


class RefusesOthersFiles(PrivateDocument):
    """Trusts no file that is not its own."""

    def load(self):
        if self.file.exists() and self.file.stat().st_uid != os.geteuid():
            raise ValueError("somebody else's file")
        return super().load()

    def save(self, data):
        self.load()
        super().save(data)


def test_a_store_that_refuses_the_files_of_others_is_asked_for_all_but_the_owner():
    result = rights_of(RefusesOthersFiles)

    assert result.verdict is Verdict.HOLDS
    assert result.reason.startswith("not asked here: another owner")
