"""The contracts that a store may offer, and how they are recognised: by the methods that it has.

Sync and async methods are both accepted everywhere; a missing key reads as ``None``, ``{}`` or ``[]``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

T = TypeVar("T")
Now: TypeAlias = T | Awaitable[T]
"""The value itself from a synchronous store, something to await from an asynchronous one."""

Document: TypeAlias = dict[str, Any]
"""A JSON object: string keys, and values that JSON has."""


@runtime_checkable
class SingleDocument(Protocol):
    """One document, replaced as a whole."""

    def save(self, data: Document) -> Now[None]:
        """Replace the document."""

    def load(self) -> Now[Document | None]:
        """Return the document, ``{}`` or ``None`` when nothing was saved yet."""


@runtime_checkable
class Documents(Protocol):
    """Documents under keys; ``delete(key)`` and ``keys()`` are optional."""

    def put(self, key: str, document: Document) -> Now[None]:
        """Store ``document`` under ``key``, replacing what was there."""

    def get(self, key: str) -> Now[Document | None]:
        """Return the document under ``key``, ``None`` or ``{}`` when there is none."""


@runtime_checkable
class Journal(Protocol):
    """Append-only logs, one per stream."""

    def append(self, stream: str, record: Document) -> Now[None]:
        """Add ``record`` at the end of ``stream``."""

    def read(self, stream: str) -> Now[list[Document]]:
        """Return the records of ``stream`` in the order in which they were appended, ``[]`` when there are none."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract: its name in reports and node ids, its required and optional methods."""

    name: str
    protocol: type
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def offered_by(self, store: object) -> bool:
        """Say whether ``store`` has every required method."""
        return all(callable(getattr(store, method, None)) for method in self.required)


CONTRACTS = (
    Contract("document", SingleDocument, ("save", "load")),
    Contract("documents", Documents, ("put", "get"), ("delete", "keys")),
    Contract("journal", Journal, ("append", "read")),
)


def contracts_of(store: object) -> tuple[Contract, ...]:
    """Return the contracts that ``store`` offers, in the order of ``CONTRACTS``."""
    return tuple(contract for contract in CONTRACTS if contract.offered_by(store))


def nearest_contract(store: object) -> str:
    """Say in one sentence what ``store`` would need to offer a contract: for the message when it offers none."""
    needs = "; ".join(f"{c.protocol.__name__} needs {', '.join(f'{m}()' for m in c.required)}" for c in CONTRACTS)
    public = sorted(name for name in dir(store) if not name.startswith("_") and callable(getattr(store, name, None)))
    has = ", ".join(f"{name}()" for name in public[:8]) or "no public methods"
    return f"it has {has}. {needs}"
