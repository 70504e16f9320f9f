"""Copies of functions that modules and classes keep: they are replaced too, whenever they were made."""

import os
import sys
import threading
from functools import partial
from types import ModuleType

import pytest

from pytest_tradestore.crash.recorders import fake_patches
from pytest_tradestore.crash.recorders.fake_patches import Patches, look_around


@pytest.fixture
def library(monkeypatch):
    """A module with a class that keeps no function for itself, and that has been looked at."""
    module = ModuleType("a_library")
    module.File = type("File", (), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    look_around()
    return module


@pytest.fixture
def replaced():
    """Put stand-ins in the place of a function of ``os`` and of its copies, and return what they are."""
    patches = Patches()

    def stand_in(*arguments):
        raise AssertionError("nobody calls it")

    def replace():
        patches.replace(os, "fsync", stand_in)
        patches.spread()
        return stand_in

    yield replace
    patches.restore()


def test_a_function_that_a_class_keeps_after_it_was_looked_at_is_replaced(library, replaced):
    library.File.sync = staticmethod(os.fsync)

    assert replaced() is library.File.sync


def test_so_is_one_that_a_module_keeps(library, replaced):
    library.sync = os.fsync

    assert replaced() is library.sync


def test_control_what_only_looks_alike_stays(library, replaced):
    library.File.sync = staticmethod(lambda number: None)
    kept = library.File.sync
    replaced()

    assert library.File.sync is kept


def test_a_module_that_is_loaded_when_it_is_asked_for_something_is_asked_for_nothing(monkeypatch):
    class Lazy(ModuleType):
        def __getattr__(self, name):
            raise ModuleNotFoundError(f"install something for {name}")

    lazy = Lazy("a_lazy_library")
    monkeypatch.setitem(sys.modules, lazy.__name__, lazy)

    look_around()


@pytest.fixture
def looked_through(library, monkeypatch):
    """The modules that are looked through from now on, by name."""
    names, look = [], fake_patches._look

    def noting(module, sought):
        names.append(module.__name__)
        return look(module, sought)

    monkeypatch.setattr(fake_patches, "_look", noting)
    return names


def test_for_a_hook_that_a_run_of_pytest_sets_nobody_looks_through_all_modules(looked_through, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", partial(print))
    look_around()

    assert "a_library" not in looked_through


def test_control_for_a_function_to_be_replaced_somebody_does(looked_through, monkeypatch):
    monkeypatch.setattr(threading, "a_function_of_its_own", lambda: None, raising=False)
    look_around()

    assert "a_library" in looked_through
