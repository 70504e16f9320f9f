"""Sessions with a server that are given to one client after the other: a new one costs a process.

Only one whose client has said goodbye is given on, after ``DISCARD ALL``: one whose client died ends, as it does
without us. Where a store looks at sessions itself, or changes what new ones begin with, none is given on any more.
"""

from contextlib import suppress
from dataclasses import dataclass
from select import select
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, create_connection, socket

from pytest_tradestore.backends import postgres_messages as wire

_MOST = 12
_LOOKS = (
    "pg_stat",
    "pg_locks",
    "_pid",
    "_backend",
    "inet_client",
    "pg_blocking",
    "pg_signal",
    "alter role",
    "alter user",
    "alter database",
    "load ",
)
"""What a statement says that looks at sessions, or changes what those begin with that come later."""


@dataclass(eq=False, slots=True)
class Session:
    """The server's side of a connection: what it was begun with, and what the server has said until it was ready."""

    server: socket
    asked: bytes
    said: bytes = b""
    pid: int = 0

    def close(self) -> None:
        with suppress(OSError):
            self.server.shutdown(SHUT_RDWR)  # a process that was forked meanwhile may have it, too
        self.server.close()


class Sessions:
    """Those that nobody uses."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Session] = []
        self._given_on = True

    def begun(self, asked: bytes) -> Session:
        """Return a session that begins so: one that nobody uses, which has its answer already, or a new one."""
        for session in [session for session in self._free if session.asked == asked]:
            self._free.remove(session)
            if not select([session.server], [], [], 0)[0]:
                return session
            session.close()  # the server has said something meanwhile: that it has ended it
        server = create_connection(("127.0.0.1", self._port))
        server.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        server.sendall(asked)
        return Session(server, asked)

    def keep(self, session: Session, status: bytes) -> bool:
        """Take one back whose client is done with it, and which is ready; False if it has to end."""
        if not self._given_on or not session.said or len(self._free) >= _MOST:
            return False
        words = (*(("ROLLBACK",) if status != b"I" else ()), "DISCARD ALL")
        if not all(wire.is_done_on(session.server, word) for word in words):
            return False
        self._free.append(session)
        return True

    def heard(self, statement: str) -> None:
        """Give none on any more where a statement could tell one that was from one that is new."""
        if self._given_on and any(word in statement.lower() for word in _LOOKS):
            self._given_on = False
            self.close()

    def close(self) -> None:
        """End all that nobody uses."""
        for session in self._free:
            session.close()
        self._free.clear()
