"""The contract of a single document: saved and loaded as a whole."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import BY_FUNCTION, THE_DOCUMENT, Dialect, described, ledger, small
from pytest_tradestore.kits.kit import LARGE, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.slots import Slot, get_only, put_only
from pytest_tradestore.kits.spec import Register
from pytest_tradestore.observation import Seen, document_seen
from pytest_tradestore.records import Records
from pytest_tradestore.takes import EVERYTHING, Takes

if TYPE_CHECKING:
    from pytest_tradestore.target import OpenStore


@runtime_checkable
class SingleDocument(Protocol):
    """One document, replaced as a whole; ``update(function)`` is optional.

    ``function(document) -> document`` is synchronous and runs under the store's lock; an exception leaves
    the old document.
    """

    def save(self, data: Document) -> Now[None]:
        """Replace the document."""

    def load(self) -> Now[Document | None]:
        """Return the document, ``{}`` or ``None`` when nothing was saved yet."""


_DIALECT = Dialect("save", "load", (), (None, {}), update="update")


class SingleDocumentKit(Kit):
    """One document; it takes no identifiers."""

    name = "document"
    protocol = SingleDocument
    required = ("save", "load")
    optional = ("update",)
    whole = replaces = True
    spec = Register("save", "load", updates="update")

    def update(self, number: int, size: int = 0) -> Call:
        made = ledger(number, size)
        return Call("save", (made,), THE_DOCUMENT, f"save({described(made)})")

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return (Call("load", (), THE_DOCUMENT),)

    def seen(self, look: Call, result: object) -> Seen:
        return document_seen(result)

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        yield from (self.update(1), self.update(2), self.update(3, LARGE), self.update(4, LARGE + 500), self.update(5))
        if BY_FUNCTION in methods:
            yield _DIALECT.change(make, 6)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        def save(number: int) -> Call:
            return Call("save", (small(number),), THE_DOCUMENT, f"save({{version: {number}}})")

        (load,) = self.looks(make, methods)
        change = partial(_DIALECT.change, make) if BY_FUNCTION in methods else None
        return Concurrent(save, save, lambda _: load, lambda _: (load,), change=change)

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        return _DIALECT.trying(methods)

    def place(self, takes: Takes = EVERYTHING) -> Slot:
        return Slot("document", put_only("save"), get_only("load"))

    def cases(self) -> Iterable[Case]:
        return _DIALECT.cases()

    def unstorable(self) -> Unstorable:
        return _DIALECT.unstorable()
