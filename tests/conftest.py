"""What holds for every test: examples are drawn the same way in each run, and nobody leaves the working directory."""

import gc
import os
import sys
from collections.abc import Generator

import hypothesis
import pytest

from tests.large_pages import collapse

# A busy machine takes as long as it takes, and a test that fails has to fail again.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Under ``-n`` a worker that has nothing left takes from another one, so that all of them end together.

    The checks of the suite have a distribution of their own.
    """
    shared = getattr(config.option, "numprocesses", None) and config.option.dist == "no"
    if shared and not config.getoption("tradestore_conformance", False):
        config.option.dist = "worksteal"


def pytest_collection_finish() -> None:
    """Look no more through what is there for all tests: modules and items, some millions of objects.

    Each search for garbage among them took the better part of a second, in whichever test it fell; and so did each
    search for functions to be replaced, in a process of some test's. What tests make later is searched as ever.
    """
    copies = sys.modules.get("pytest_tradestore.crash.recorders.fake_patches")
    if copies is not None:
        copies.look_around()
    gc.collect()
    gc.freeze()
    collapse()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """After each module put together again what its tests have written to while a process had a copy of it.

    By then none of its fixtures stands in for the file system any more.
    """
    done = yield
    if nextitem is not None and nextitem.path != item.path:
        collapse()
    return done


@pytest.fixture(autouse=True)
def working_directory():
    """Fail the test that moves, not those after it."""
    before = os.getcwd()
    yield
    try:
        assert os.getcwd() == before
    finally:
        os.chdir(before)
