"""The calls of stores that put, get and delete values under keys, whatever kind of key: documents, caches."""

from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import described, ledger, small
from pytest_tradestore.kits.protocol import Document
from pytest_tradestore.observation import key_seen

KEYS = ("AAPL", "MSFT", "TSLA")


def put(key: Any, value: Document, told: str) -> Call:
    """Return the call that stores a value; ``told`` is how a report shows it."""
    return Call("put", (key, value), key_seen(key), f"put({key!r}, {told})")


def recorded(key: Any, version: int, size: int = 0) -> Call:
    """Return one call of a workload."""
    value = ledger(version, size)
    return put(key, value, described(value))


def raced(key: Any, number: int) -> Call:
    """Return one call of a caller among others."""
    return put(key, small(number), f"{{version: {number}}}")


def get(key: Any) -> Call:
    return Call("get", (key,), key_seen(key))


def delete(key: Any) -> Call:
    return Call("delete", (key,), key_seen(key))
