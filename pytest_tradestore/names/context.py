"""What the trials of one contract share: nests, marks, what is skipped, and the findings that they collect."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.isolation import Channel
from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.client import Ended, NestClient
from pytest_tradestore.names.corpus import Identifier, filled
from pytest_tradestore.names.findings import NameViolation
from pytest_tradestore.names.flaws import UNDECLARED, harm_of
from pytest_tradestore.names.nest import Canaries, Nest
from pytest_tradestore.names.watching import Asked, Watch
from pytest_tradestore.observation import shortened
from pytest_tradestore.target import StoreUnderTest

NEIGHBOUR = "AAPL"
"""What is in the store beside the identifier that is looked at."""
NOTHING_OUTSIDE = "nothing outside of the root is read or changed"


@dataclass(frozen=True, slots=True)
class Tried:
    """How one row fared when it was alone with a neighbour."""

    row: Identifier
    ended: Ended
    escaped: bool = False


@dataclass(frozen=True, slots=True)
class Habits:
    """What a store does with the most ordinary identifiers already; that is not held against hostile ones.

    ``undeclared``: pairs of a kind of call and an error that it raises for what is absent.
    """

    reads: bool = True
    survives: bool = True
    overwrites: bool = True
    lists: bool = True
    lists_reopened: bool = True
    deletes: bool = True
    undeclared: frozenset[tuple[str, str]] = frozenset()


class Context:
    """Collects what the trials of one contract find; ``skipped`` are values that an earlier run hung or died on."""

    def __init__(
        self,
        store: StoreUnderTest,
        sandbox: Path,
        channel: Channel,
        *,
        skipped: frozenset[tuple[str, str]] = frozenset(),
        use_strace: bool = False,
    ) -> None:
        self.store = store
        self.use_strace = use_strace
        self.zone: tzinfo | None = None
        self.found: list[NameViolation] = []
        self.checked: Counter[str] = Counter()
        declared = store.identifiers or getattr(store.target, "tradestore_identifiers", None)
        self.opaque, self.strict = declared == "opaque", declared == "strict"
        self._sandbox, self._channel, self._skipped = sandbox, channel, skipped
        self._watch = Watch()
        self._nests = self._mark = 0
        self._spare: list[Canaries] = []

    @contextmanager
    def client(self) -> Iterator[NestClient]:
        """Give a store in a nest of its own; the process's home and working directory are canaries there."""
        client = self.enter()
        try:
            yield client
        finally:
            self.leave(client)

    def enter(self) -> NestClient:
        """As ``client``, for who has to leave it by ``leave``."""
        client = NestClient(self.store, self._canaries(), self._channel, self._watch, self.zone)
        os.environ["HOME"] = str(client.nest.home)
        os.chdir(client.nest.cwd)
        return client

    def leave(self, client: NestClient) -> None:
        self.checked["calls"] += client.count
        os.chdir(self._sandbox)
        client.leave()
        if client.canaries.change(thorough=True):
            client.nest.remove()
        else:
            self._spare.append(client.canaries)

    def _canaries(self) -> Canaries:
        """Return canaries around an empty root where none has been: those of an earlier nest, if they are untouched.

        Making sixty files and looking at them takes longer than most of what is done in a nest.
        """
        self._nests += 1
        top = self._sandbox / f"nest-{self._nests}"
        if not self._spare:
            return Canaries(Nest.build(top))
        canaries = self._spare.pop()
        return canaries.moved(canaries.nest.renewed(top))

    def mark(self) -> int:
        """Return a number that nothing was written with before."""
        self._mark += 1
        return self._mark

    def at(self, slot: Slot, value: Any, doing: str) -> None:
        """Say what is tried next, for the case that nothing is ever heard again."""
        self._channel.send((slot.what, value if isinstance(value, str) else repr(value), doing))

    def skips(self, slot: Slot, value: Any) -> bool:
        """Say whether a value is not tried: it stopped the store before, or means "none given"."""
        named = value if isinstance(value, str) else repr(value)
        return (slot.what, named) in self._skipped or (slot.blank and not value)

    def violation(
        self,
        requirement: str,
        flaw: str,
        sentence: str,
        client: NestClient,
        found: str,
        allowed: str,
        *,
        harm: Harm | None = None,
        **more: Any,
    ) -> None:
        """Note that a requirement is violated, and by which flaw, after the calls that the client remembers."""
        calls = tuple(client.nest.text(call) for call in client.calls[-8:])
        told = [client.nest.text(text) for text in (sentence, found, allowed)]
        cause = Cause(Culprit(flaw), harm or harm_of(requirement, flaw))
        self.found.append(NameViolation(requirement, cause, told[0], calls, told[1], told[2], **more))

    def unclear(self, slot: Slot, ended: Ended, client: NestClient) -> None:
        """Note an error that is none of the store's own."""
        last = client.calls[-1] if client.calls else "the call"
        sentence = f"{last} raised {ended.kind}, which is none of the errors that the store declares"
        declared = ", ".join(error.__name__ for error in self.store.declarations.errors)
        allowed = f"one of {declared}, or the {slot.what} is accepted"
        self.violation("NAME-5", f"{UNDECLARED}: {ended.kind}", sentence, client, told(ended), allowed)


def told(ended: Ended) -> str:
    """Return what was raised in one line."""
    return f"{ended.kind}: {shortened(ended.error, 150)}"


def asked_for(asked: Asked, nest: Nest) -> str:
    """Return in words which path outside a store asked for."""
    return f"{nest.told(asked.path)} was asked for ({asked.by})"


def value_of(row: Identifier, client: NestClient) -> str:
    """Return the value of a row with the paths of the client's nest in it."""
    return filled(row.value, str(client.nest.root), str(client.nest.out))
