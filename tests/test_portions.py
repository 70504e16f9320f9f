"""Checks that rest on the same evidence are judged by one process, and the others wait for nobody."""

from dataclasses import replace

import pytest

from pytest_tradestore.conformance import Check, checks_for
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.portions import Asked, early, key_of, portions_of
from pytest_tradestore.report.records import StoreFacts
from pytest_tradestore.target import StoreUnderTest

STORE = StoreUnderTest("orders", dict)


def asked(*rows, contracts=("documents",)):
    facts = StoreFacts("tradestore/orders", "orders", contracts, (), ())
    return [
        Asked(Check(requirement, case, None), STORE, facts) for requirement, _, case in (r.partition(" ") for r in rows)
    ]


def portions(*rows, **more):
    made = portions_of(asked(*rows, **more), lambda one: one.check.requirement)
    return {portion.name: [result for _, result in portion.do()] for portion in made}


def test_what_is_judged_by_the_same_evidence_is_one_portion():
    assert portions("ATOM-1 documents", "FAULT-1 documents", "DUR-2 documents", "REC-3 documents") == {
        "crashes of orders": ["ATOM-1", "DUR-2", "REC-3"],
        "faults of orders": ["FAULT-1"],
    }


def test_what_is_known_early_of_a_portion_comes_before_its_results_and_is_asked_for_once():
    key = ("tradestore/orders", "DUR-2[documents]")
    as_ever = asked("ATOM-1 documents", "DUR-2 documents")
    looking = [replace(one, check=replace(one.check, early=lambda *_: iter(()))) for one in as_ever]

    def known(rows):
        (portion,) = portions_of(rows, lambda one: one.check.requirement, lambda one: iter([(key, one)]))
        return [(found == early(key), value) for found, value in portion.do()]

    assert known(looking) == [(True, looking[0]), (False, "ATOM-1"), (False, "DUR-2")]
    assert known(as_ever) == [(False, "ATOM-1"), (False, "DUR-2")]


def test_control_what_is_not_is_several():
    assert list(portions("FAULT-1 documents", "FAULT-4 documents", "NAME-1 documents", "NAME-2 documents")) == [
        "faults of orders",
        "values that cannot be stored of orders",
        "identifiers of orders",
        "planted links of orders",
    ]


def test_each_contract_has_portions_of_its_own_and_says_so():
    assert list(portions("ATOM-1 bars", "ATOM-1 events", contracts=("bars", "events"))) == [
        "crashes of bars in orders",
        "crashes of events in orders",
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("RACE-1", "RACE-2", "RACE-4", "RACE-5"), [["RACE-1"], ["RACE-2"]]),
        (("RACE-1", "RACE-4"), [["RACE-1", "RACE-4"]]),
        (("RACE-2", "RACE-5"), [["RACE-2", "RACE-5"]]),
        (("RACE-4", "RACE-5"), [["RACE-4", "RACE-5"]]),
    ],
)
def test_what_two_searches_decide_together_is_left_to_whoever_has_both(rows, expected):
    assert list(portions(*(f"{row} documents" for row in rows)).values()) == expected


def test_every_check_there_is_belongs_to_one_portion_or_rests_on_two():
    facts = StoreFacts("tradestore/orders", "orders", tuple(kit.name for kit in KITS), (), ())
    everything = [Asked(check, STORE, facts) for check in checks_for(KITS)]

    keys = [key for portion in portions_of(everything, lambda one: None) for key in portion.keys]

    assert len(keys) == len(set(keys))
    left = {key_of(facts, one.check) for one in everything} - set(keys)
    assert {check.partition("[")[0] for _, check in left} == {"RACE-4", "RACE-5"}
