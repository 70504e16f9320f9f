"""The stores that the suite is tested with: what they declare exists, and no requirement is without one.

That they keep their contract while nothing goes wrong is what the kill matrix finds: a store breaks just what it says.
"""

from collections import Counter

from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.registry import KITS, ON_REQUEST
from pytest_tradestore.requirements import BY_ID
from tests.broken_stores import DECLARED, breaks
from tests.judging import DAMAGING, FAILING, RACING
from tests.sound_stores import SOUND

GENERIC = tuple(kit for kit in KITS if kit.name in ("document", "documents", "journal"))
"""The contracts that any store can offer, whatever it is about."""


def test_no_two_stores_share_a_name_and_none_is_declared_twice():
    for values in ([row.name for row in (*DECLARED, *SOUND)], [row.store for row in (*DECLARED, *SOUND)]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_what_they_declare_exists():
    names = {kit.name for kit in (*KITS, *ON_REQUEST)}

    assert [row.name for row in (*DECLARED, *SOUND) if not set(row.contracts) <= names] == []
    assert [row.name for row in DECLARED if not row.breaks or not set(row.breaks) <= set(BY_ID)] == []
    assert [row.name for row in (*DECLARED, *SOUND) if not set(row.recorders) <= {"strace", "fake"}] == []


def test_what_breaks_in_a_process_crash_breaks_in_a_power_loss_too():
    for weak, strong in (("ATOM-1", "ATOM-2"), ("DUR-1", "DUR-2")):
        assert [row.name for row in DECLARED if weak in row.breaks and strong not in row.breaks] == []


def test_every_requirement_of_documents_and_logs_is_broken_by_at_least_one_store():
    checked = {check.requirement for check in checks_for(GENERIC)}

    assert checked - {id_ for row in DECLARED for id_ in row.breaks} == set()


def test_each_matrix_of_its_own_has_its_stores():
    assert min(len(FAILING), len(DAMAGING), len(RACING)) >= 20


def test_there_are_sound_stores_of_documents_and_logs_in_both_variants():
    there_are = {(contract, row.variant) for row in SOUND for contract in row.contracts}

    assert {(contract.name, variant) for contract in GENERIC for variant in ("sync", "async")} <= there_are


def test_what_the_proofs_leave_to_the_deep_tests_they_ask_by_its_parts():
    asked = {row.name: row for row in SOUND if not row.made_of}

    for row in SOUND:
        if row.made_of:
            contracts = {contract for name in row.made_of for contract in asked[name].contracts}
            assert set(row.contracts) <= contracts
            assert row.variant in {asked[name].variant for name in row.made_of}


def test_the_name_of_a_store_is_that_of_its_class():
    declared = len(DECLARED)
    try:

        @breaks("documents", DUR_2="lost rename")
        class O2LosesIt:
            pass

        assert (DECLARED[-1].name, DECLARED[-1].breaks) == ("o2-loses-it", {"DUR-2": "lost rename"})
    finally:
        del DECLARED[declared:]
