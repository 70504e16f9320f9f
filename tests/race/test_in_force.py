"""Nothing of an execution stays in the process: what is in force in it is made for it, given to it and ends with it."""

import importlib
import pkgutil
from collections import ChainMap, deque
from dataclasses import is_dataclass
from enum import Enum

import pytest

from pytest_tradestore import race
from pytest_tradestore.race import in_force
from pytest_tradestore.race.in_force import execution

MODULES = [importlib.import_module(f"{race.__name__}.{each.name}") for each in pkgutil.iter_modules(race.__path__)]


def kept(modules):
    """Return what modules keep that can change: objects of our own classes, and collections that begin empty."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if can_change(value) and not name.startswith("__")
    }


def can_change(value):
    kind = type(value)
    if isinstance(value, (dict, list, set, deque, ChainMap)):
        return not value
    ours = kind.__module__.startswith(race.__name__)
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen
    return ours and not frozen and not issubclass(kind, (Enum, type)) and bool(vars(value))


def test_the_modules_of_races_keep_nothing_but_who_runs_in_which_thread():
    assert kept([in_force]) == {"in_force.running"}
    assert [name for name in kept(MODULES) if not name.endswith(".running")] == []


def test_control_a_clock_that_a_module_keeps_is_seen(tmp_path, monkeypatch):
    with execution(str(tmp_path)) as begun:
        monkeypatch.setattr(race.clocks, "CLOCK", begun.clock, raising=False)

    assert "clocks.CLOCK" in kept(MODULES)


def test_an_execution_has_a_clock_names_and_locks_of_its_own(tmp_path):
    with execution(str(tmp_path)) as first:
        first.clock.advance(600)
        first.names.of_number[7] = "a"
        first.flocks.took(7, (1, 1), exclusive=True, actor=None)
        drawn = first.chance.drawn(4)
    with execution(str(tmp_path)) as second:
        assert second.clock.now == 0
        assert second.names.name(7) == "a file"
        assert second.flocks.other(8, (1, 1), exclusive=True) is None
        assert second.chance.drawn(4) == drawn != second.chance.drawn(4)


def test_what_held_a_lock_is_let_go_when_the_execution_ends(tmp_path):
    with pytest.raises(KeyError), execution(str(tmp_path)) as begun:
        begun.flocks.took(7, (1, 1), exclusive=True, actor=object())
        raise KeyError

    assert not begun.flocks._held
