"""A line: one client's way to the server. Each request that comes over it stops until it is let through, or spoilt.

A line knows nothing of schedulers and crashes; it says what waits, and does with it what it is told. One thread serves
all lines: what a client asks lies in its socket until somebody looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from socket import socket
from typing import Protocol

from pytest_tradestore.backends.declared import Address


class Spoil(Enum):
    """What can go wrong with a request, in words that follow "when"."""

    REFUSED = "the connection broke before the request was done"
    LOST = "the request was done and the answer was lost"
    UNAVAILABLE = "the server answered 503, and had done nothing"
    FAILED_DONE = "the server answered 500, and had done it"
    CONFLICT = "the server answered 409 because of another request, and had done nothing"
    THROTTLED = "the server answered 503 SlowDown to this request and the next two"
    EXPIRED = "the server answered that the token has expired"
    TWICE = "the request was done twice, as by a proxy that repeats it, and the second answer was given"
    SERIALIZATION = "the transaction could not be serialised (40001)"
    DEADLOCK = "a deadlock was detected (40P01)"
    CANCELLED = "the statement was given up because its client asked for that (57014)"
    SHUTDOWN = "the server ended the connection (57P01) before the statement was done"

    @property
    def done(self) -> bool:
        """Whether the request has had its effect all the same."""
        return self in (Spoil.LOST, Spoil.FAILED_DONE, Spoil.TWICE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits: in words, whether it may change anything, and which spoils can befall it."""

    text: str
    writes: bool
    spoils: tuple[Spoil, ...] = ()


class Blocked:
    """Stands in the place of a request: what was let through waits for another client, as for a lock of a row."""


BLOCKED = Blocked()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, on which of its client's connections (numbered in their order from 1 on)."""

    connection: int
    asked: Asked


class Line(Protocol):
    """One client's way to the server."""

    def wait(self, link: socket) -> Asked | Blocked | None:
        """Wait until the client asks something; None as soon as ``link``, by which it tells the rest, can be read."""

    lasts: bool
    """Whether what was answered last has done, or may have done, what is still there when its client has died."""

    curious: bool
    """Whether anybody wants to know that, and what can befall a request: it may have to be asked for."""

    def answer(self, spoil: Spoil | None = None) -> str:
        """Do what waits, as it should be or spoilt, and return what the client was told; empty while it is blocked."""

    def freed(self, patience: float = 0.0) -> bool:
        """Say whether what was blocked has gone on by now, or does within so many seconds."""

    def let_go(self, patience: float) -> bool:
        """Say whether what was blocked goes on though no client does anything.

        Of those that wait for each other, in a ring, the server ends one, whenever that is; anything else has so many
        seconds.
        """

    def listen(self, others: Sequence[socket], patience: float = 0.0) -> list[socket] | None:
        """Take in, for at most so many seconds, what the client asks and what the server says to what was blocked.

        Return which of ``others`` can be read; None where nothing has come from anybody. For clients that have several
        requests under way, of which ``waiting`` names those that are yet to be done, in their order, and ``blocked``
        those that were let through and wait for another one.
        """

    def waiting(self) -> "list[Waiting]": ...

    def is_connecting(self) -> bool:
        """Say whether a connection is being made, for which client and server talk without any request."""

    def blocked(self) -> frozenset[int]:
        """Return the connections whose requests wait for another client's, or for another request of this one."""

    def answer_on(self, connection: int, *, hold: bool = False) -> str:
        """Do what waits on a connection, and return what the client is told; ``hold``: when ``release`` is called."""

    def release(self) -> None:
        """Let all answers that are held go to the client."""

    def calm(self) -> None:
        """Let a spoil that lasts for several requests be over."""

    def cut(self) -> None:
        """Let the server see that the client is gone; when this returns it holds nothing of it any more."""

    def close(self) -> None: ...


class Lines(Protocol):
    """A server with a line for each client, and an empty place for each execution."""

    unit: str
    """What one request is called, in the plural: requests, statements."""

    def begin(self) -> None:
        """Begin an execution: what the one before it left is gone."""

    def address(self, number: int, directory: Path) -> Address:
        """Return what client ``number`` opens the store with."""

    def line(self, number: int) -> Line: ...

    def things(self) -> tuple[str, ...]:
        """Name all that there is: objects and uploads, or rows, by their tables."""

    def leftovers(self) -> tuple[str, ...]:
        """Name what was begun and never ended, and what no client is there for: uploads, sessions in a transaction."""

    def weak(self) -> str:
        """Say in a sentence which of the server's promises the store has given up, if it has given up one."""

    def close(self) -> None: ...
