"""Finds out whether a file store can lose or corrupt data: a conformance suite for pytest.

What is exported here is loaded on first use: every pytest run on the machine imports this package.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tradestore.backends import Address, Bucket, Postgres
    from pytest_tradestore.collection import conformance_suite
    from pytest_tradestore.target import StoreUnderTest

__all__ = ["Address", "Bucket", "Postgres", "StoreUnderTest", "conformance_suite"]

_WHERE = {
    "Address": "pytest_tradestore.backends",
    "Bucket": "pytest_tradestore.backends",
    "Postgres": "pytest_tradestore.backends",
    "StoreUnderTest": "pytest_tradestore.target",
    "conformance_suite": "pytest_tradestore.collection",
}

if not os.path.isdir(os.path.join(__path__[0], "conformance")):
    # A checkout on the path instead of an installation: there the suite lies beside this package, not in it.
    __path__.append(os.path.dirname(__path__[0]))


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
