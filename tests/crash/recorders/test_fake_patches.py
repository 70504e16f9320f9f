"""Copies of functions that modules and classes keep: they are replaced too, whenever they were made."""

import os
import sys
from types import ModuleType

import pytest

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
