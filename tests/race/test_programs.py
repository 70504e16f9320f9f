"""The programs that callers are made to run: what happened one after the other passes, what was forgotten does not."""

import importlib
from dataclasses import replace

import pytest

from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.race.execution import Completed, Ending, Execution
from pytest_tradestore.race.judging import Judge, ViolationKind
from pytest_tradestore.race.programs import scenarios
from pytest_tradestore.target import Bridge, open_store

STORES = {
    "document": "reference_store:SingleDocumentStore",
    "documents": "reference_store:DocumentStore",
    "journal": "reference_store:JournalStore",
    "bars": "reference_store:FileDataStore",
    "fundamentals": "reference_store:FileDataStore",
    "events": "reference_store:FileDataStore",
    "state": "reference_store:FileDataStore",
    "audit": "reference_store:FileDataStore",
    "jobs": "reference_store:JobStore",
    "runs": "reference_store:RunStore",
}


@pytest.fixture(params=KITS, ids=lambda contract: contract.name)
def played(request, tmp_path):
    """Plays the scenarios of a contract on the reference store, one caller after the other."""
    contract, bridge = request.param, Bridge()
    module, _, name = STORES[contract.name].partition(":")
    target = getattr(importlib.import_module(module), name)

    def play():
        methods = {m for m in (*contract.required, *contract.optional) if hasattr(target, m)}
        for number, scenario in enumerate(scenarios(contract, frozenset(methods))):
            root = tmp_path / str(number)
            root.mkdir()
            history, position = [], 0
            with open_store(target, root, bridge) as store:
                turns = [(-1, scenario.prepare), *enumerate(scenario.actors), (-1, scenario.observe)]
                for actor, call in ((actor, call) for actor, calls in turns for call in calls):
                    result = call.make(store)
                    history.append(Completed(actor, call, position, position + 1, result))
                    position += 2
            yield scenario, Execution(tuple(history), (), (), Ending.FINISHED)

    yield contract, play
    bridge.close()


def test_callers_one_after_the_other_are_explained(played):
    contract, play = played
    judge = Judge(contract)

    assert [(s.name, f.sentence) for s, execution in play() for f in judge.findings(execution)] == []


def test_control_each_update_that_is_forgotten_shows(played):
    """Leaves the last reads as they were before an update, as a store does that lost it."""
    contract, play = played
    judge = Judge(contract)
    for scenario, execution in play():
        last = [c for c in execution.history if c.actor < 0 and c.call in scenario.observe]
        blind = tuple(replace(c, result=None) if c in last else c for c in execution.history)
        if any(c.result for c in last if c.call.method != "keys"):
            finding, *_ = judge.findings(replace(execution, history=blind))
            assert finding.wrong is ViolationKind.LOST, scenario.name
            assert "then gives" in finding.sentence
            assert finding.allowed


def test_every_update_has_a_value_of_its_own(played):
    _, play = played
    for scenario, _ in play():
        shown = [call.rendered for calls in (scenario.prepare, *scenario.actors) for call in calls]
        writes = [text for text in shown if not text.startswith(("get", "read", "load", "keys", "list", "delete"))]
        assert len(writes) == len(set(writes))
