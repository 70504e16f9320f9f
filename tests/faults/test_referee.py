"""Which call a fault strikes, and by what name a file is known from run to run."""

import errno

import pytest

from pytest_tradestore.faults.calls import Call, CallKind, Decision, Fault, FaultInjector, Limit, role_of
from pytest_tradestore.faults.plans import ERRORS, faults_for

WRITE, RENAME = Call(CallKind.WRITE, "a.tmp"), Call(CallKind.RENAME, "a")

ROLES = {
    "a file": ("/r/data/AAPL.json", "data/AAPL.json"),
    "the root": ("/r", "the root"),
    "random digits": ("/r/.tmp-0f3a99c1d2e4", ".tmp-*"),
    "what tempfile draws": ("/r/tmpab12_9zq.json", "tmp*.json"),
    "a UUID": ("/r/3f2b8c1e-7d64-4a0e-9c55-0d2f6f1f9b11.tmp", "*.tmp"),
    "a process id": ("/r/state.json.48213", "state.json.*"),
    "a file without a name": ("/r/#1234567 (deleted)", "#*"),
    "a month": ("/r/AAPL/2026-01.parquet", "AAPL/2026-01.parquet"),
    "a neighbour": ("/r-beside/x", None),
    "elsewhere": ("/etc/passwd", None),
}


@pytest.mark.parametrize(("path", "role"), ROLES.values(), ids=list(ROLES))
def test_the_role_of_a_file_is_the_same_in_every_run(path, role):
    assert role_of(path, "/r") == role


def decisions(fault, *calls):
    referee = FaultInjector("/r", fault)
    return [referee.decide(call) for call in calls]


def test_only_the_nth_call_of_its_kind_and_role_fails():
    fault = Fault(CallKind.WRITE, "a.tmp", 2, errno.ENOSPC)
    other = Call(CallKind.WRITE, "b.tmp")

    assert decisions(fault, WRITE, other, RENAME, WRITE, WRITE) == [
        *[Decision.HAPPENS] * 3,
        errno.ENOSPC,
        Decision.HAPPENS,
    ]


def test_a_lasting_fault_strikes_every_later_call_of_its_kind():
    fault = Fault(CallKind.WRITE, "a.tmp", 1, errno.ENOSPC, lasting=True)

    assert decisions(fault, WRITE, RENAME, Call(CallKind.WRITE, "b")) == [errno.ENOSPC, Decision.HAPPENS, errno.ENOSPC]


def test_a_short_write_takes_half_and_the_next_one_fails():
    fault = Fault(CallKind.WRITE, "a.tmp", 1, errno.ENOSPC, partial=True)

    assert decisions(fault, WRITE, WRITE, WRITE) == [Decision.HALF, errno.ENOSPC, Decision.HAPPENS]


def test_control_without_an_error_only_the_short_write_happens():
    assert decisions(Fault(CallKind.WRITE, "a.tmp", 1, 0, partial=True), WRITE, WRITE) == [
        Decision.HALF,
        Decision.HAPPENS,
    ]


def test_every_kind_of_call_has_an_error_that_real_systems_give():
    assert set(ERRORS) == set(CallKind)


def test_each_call_of_a_program_can_fail_and_the_commonest_error_comes_first():
    planned = list(faults_for([WRITE, RENAME]))

    assert {fault.kind for _, fault in planned} == {CallKind.WRITE, CallKind.RENAME}
    assert min(planned, key=lambda row: row[0])[1] == Fault(CallKind.WRITE, "a.tmp", 1, errno.ENOSPC)


def test_closing_a_file_whose_writes_were_synced_is_not_worth_a_fault():
    assert list(faults_for([Call(CallKind.CLOSE, "a")])) == []


def test_control_closing_one_with_writes_that_were_not_is():
    assert [fault.error for _, fault in faults_for([Call(CallKind.CLOSE, "a", dirty=True)])] == [
        errno.EIO,
        errno.ENOSPC,
    ]


def test_a_fault_says_what_fails_in_the_words_of_a_report():
    assert str(Fault(CallKind.SYNC, "a", 2, errno.EIO, lasting=True)) == (
        "fsync a (call 2) fails with EIO, and every fsync after it"
    )
    assert str(Limit("RLIMIT_FSIZE", 9000)) == "no file may grow beyond 9,000 bytes (RLIMIT_FSIZE)"
