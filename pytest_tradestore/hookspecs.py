"""The hook by which a project names its stores at run time."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_tradestore.target import StoreUnderTest


def pytest_tradestore_stores(config: pytest.Config) -> "Iterable[StoreUnderTest]":  # type: ignore[empty-body]
    """Return the stores to check, in addition to those of the configuration file.

    Called once per run with ``--tradestore-conformance``, unless ``--tradestore-store`` names the stores. Like any hook
    that pytest calls before collection it is seen only in plugins and in initial ``conftest.py`` files. Mark it
    ``@pytest.hookimpl(optionalhook=True)``, so that the project's tests also run where this plugin is not installed.
    """
