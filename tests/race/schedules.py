"""Prints a fingerprint of each schedule that a search runs, and of what came of it: ``python -m tests.race.schedules``.

For a store as ``module:class``, a contract, a setting, and how many schedules each program gets.
"""

import importlib
import sys

from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import kind_of, programs_of
from pytest_tradestore.race.execution import SIGNALS, Actors
from pytest_tradestore.race.processes import ProcessHarness
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.tokens import token_of
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

AT = 3
"""Where something happens to the first caller, in programs in which something does."""


def schedules(store, contract, setting, budget):
    """Return what is run of each program of the contract: per execution its token, its ending, and its answers."""
    kit = next(kit for kit in store.kits if kit.name == contract)
    methods = frozenset(name for name in dir(store.target) if not name.startswith("_"))
    kind = Actors.PROCESSES if setting is Setting.PROCESSES else kind_of(store, kit)
    programs = programs_of(store, kit, methods, setting, kind)
    if setting is Setting.CANCELLED or kind is Actors.PROCESSES:
        programs = tuple(
            p if p.blow is None and setting is not Setting.CANCELLED else p.struck_at(0, AT) for p in programs
        )
    seen = []

    def note(execution):
        answers = [(c.actor, c.call.rendered, c.invoked, c.returned, c.error) for c in execution.history]
        seen.append(f"{token_of(execution.turns, execution.choices)} {execution.ending.value} {answers}")

    def task(channel):
        with Sandbox() as sandbox:
            if kind is Actors.PROCESSES:
                harness = ProcessHarness(sandbox, store)
            else:
                harness = Harness(sandbox, interrupting=any(p.blow in SIGNALS for p in programs))
            for program in programs:
                harness.explore(store, program, budget=budget, seed=5, judge=note, channel=channel)
            if kind is Actors.PROCESSES:
                harness.end()
        return seen

    ending = run_isolated(task, 20)
    assert isinstance(ending, Finished), ending
    return ending.value


def main(target, contract, setting, budget):
    module, _, name = target.partition(":")
    store = StoreUnderTest("again", getattr(importlib.import_module(module), name))
    print(*schedules(store, contract, Setting[setting], int(budget)), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
