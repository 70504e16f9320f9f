"""A client of a store in a nest: calls it under watch, and says of each call how it ended."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum
from typing import Any

from pytest_tradestore.isolation import Channel
from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.nest import SECRET, Canaries
from pytest_tradestore.names.watching import Asked, Watch
from pytest_tradestore.observation import canonical
from pytest_tradestore.records import plain
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest


class How(Enum):
    """How a call ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    """It raised something that the store has not declared."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a call: what it returned, or what it raised, in words."""

    how: How
    value: Any = None
    error: str = ""
    kind: str = ""


class NestClient:
    """A store in a nest of its own; ``calls`` are those made since ``forget``."""

    def __init__(
        self,
        store: StoreUnderTest,
        canaries: Canaries,
        channel: Channel,
        watch: Watch,
        zone: tzinfo | None = None,
    ) -> None:
        self._store, self._channel, self._watch = store, channel, watch
        self.errors = store.declarations.errors
        self.make = store.records
        self.zone = zone
        self.nest, self.canaries = canaries.nest, canaries
        self.calls: list[str] = []
        self.count = 0
        self._bridge = Bridge()
        self._opened: OpenStore | None = None
        self._aim = ""

    @property
    def opened(self) -> OpenStore:
        if self._opened is None:
            self._step()
            with self._watch.during(self.nest):
                self._opened = self._store.open(self.nest.root, self._bridge)
        return self._opened

    def call(self, method: str, *arguments: Any, shown: str, **options: Any) -> Any:
        """Call the store; whatever it raises is raised."""
        opened = self.opened
        self._step()
        self.count += 1
        self.calls.append(shown)
        with self._watch.during(self.nest, self._aim):
            found = opened.call(method, *arguments, **options)
            return list(found) if hasattr(type(found), "__next__") else found

    def has(self, method: str) -> bool:
        return self.opened.has(method)

    @contextmanager
    def aiming_at(self, path: str) -> Iterator[None]:
        """Keep the store from ``path`` on the real system while the block runs."""
        self._aim = path
        try:
            yield
        finally:
            self._aim = ""

    def attempt(self, action: Callable[[], Any]) -> Ended:
        """Do something with the store and say how it ended."""
        try:
            return Ended(How.ACCEPTED, action())
        except self.errors as error:
            return Ended(How.REFUSED, None, self.nest.text(error), type(error).__name__)
        except Exception as error:  # whatever else it raises is the finding
            return Ended(How.UNCLEAR, None, self.nest.text(error), type(error).__name__)

    def write(self, slot: Slot, identifier: Any, mark: int) -> Ended:
        """Write something; a record that cannot even be made of the identifier counts as refused."""
        if not self.may_write(identifier):
            raise AssertionError(f"{identifier!a} is a place of the real system, and is only read")
        before = self.count
        ended = self.attempt(lambda: slot.write(self, identifier, mark))
        if self.count == before and ended.how is How.UNCLEAR:
            return Ended(How.REFUSED, None, ended.error, ended.kind)
        return ended

    def may_write(self, identifier: Any) -> bool:
        """Say whether the identifier is no path to a place of the real system: other nests are such places too."""
        if not isinstance(identifier, str) or not identifier.startswith("/"):
            return True
        return ("/" + os.path.normpath(identifier).lstrip("/")).startswith(f"{self.nest.top}/")

    def forget(self) -> None:
        """Begin the list of calls anew."""
        self.calls.clear()

    def reopen(self) -> None:
        """Close the store and open it again; whatever it raises is raised."""
        self.calls.append("close, reopen")
        self.close()
        _ = self.opened

    def leave(self) -> None:
        """Close the store, whatever it raises."""
        with suppress(Exception):
            self.close()
        with suppress(Exception):
            self._bridge.close()

    def interrupting(self, interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """While the block runs, call ``interrupt`` before each file-system call that may be one below the root."""
        return self._watch.interrupting(interrupt)

    def asked_outside(self) -> tuple[Asked, ...]:
        """Return the paths outside that were asked for since this was last called."""
        found = tuple(self._watch.asked)
        self._watch.asked.clear()
        return found

    def close(self) -> None:
        """Close the store if it is open; whatever it raises is raised. The next call opens it again."""
        if self._opened is not None:
            self._step()
            opened, self._opened = self._opened, None
            with self._watch.during(self.nest):
                opened.close()

    def _step(self) -> None:
        self._channel.step(self.count)


def shows_secret(value: Any) -> bool:
    """Say whether what a store returned holds the content of a canary."""
    try:
        return SECRET in canonical(plain(value))
    except Exception:  # records of whatever make
        return SECRET in repr(value)
