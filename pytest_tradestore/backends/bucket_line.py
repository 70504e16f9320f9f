"""Lines to a bucket: each client has a port of its own, on which requests stop one by one."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, create_server, socket

from pytest_tradestore.backends import http_messages
from pytest_tradestore.backends.declared import Address
from pytest_tradestore.backends.lines import Asked, Spoil, Waiting
from pytest_tradestore.backends.objects import Objects, Request, Response, error, unfinished

NAME = "tradestore"
_SPOILS = (Spoil.REFUSED, Spoil.LOST, Spoil.UNAVAILABLE, Spoil.FAILED_DONE, Spoil.THROTTLED, Spoil.EXPIRED, Spoil.TWICE)
_OF_READS = (Spoil.REFUSED, Spoil.UNAVAILABLE, Spoil.THROTTLED, Spoil.EXPIRED)
_ANSWERS = {
    Spoil.UNAVAILABLE: error(503, "ServiceUnavailable"),
    Spoil.FAILED_DONE: error(500, "InternalError"),
    Spoil.CONFLICT: error(409, "ConditionalRequestConflict"),
    Spoil.THROTTLED: error(503, "SlowDown"),
    Spoil.EXPIRED: error(400, "ExpiredToken"),
}
_THROTTLED = 3
"""Requests in a row that are told to come later."""
_CHUNK = 1 << 16


class BucketLine:
    """One client's way to a bucket."""

    def __init__(self, lines: "BucketLines") -> None:
        self._lines = lines
        self._listener = create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._received: dict[socket, bytearray] = {}
        self._numbers: dict[socket, int] = {}
        self._accepted = 0
        self._asked: deque[tuple[socket, Request]] = deque()
        self._held: list[tuple[socket, bytes]] = []
        self._throttled = 0
        self.lasts = False
        self.curious = True

    def wait(self, link: socket) -> Asked | None:
        while True:
            ready, _, _ = select([link, self._listener, *self._received], [], [], 0 if self._asked else None)
            if link in ready:
                return None
            if self._asked:
                return _asked(self._asked[0][1])
            for connection in ready:
                self._read(connection)

    def _read(self, connection: socket) -> None:
        if connection is self._listener:
            accepted = self._listener.accept()[0]
            accepted.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            self._received[accepted] = bytearray()
            self._accepted += 1
            self._numbers[accepted] = self._accepted
            return
        try:
            data = connection.recv(_CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            self._drop(connection)
            return
        received = self._received[connection]
        received += data
        if http_messages.waits_for_leave(received):
            connection.sendall(http_messages.CONTINUE)
        while (request := http_messages.taken(received)) is not None:
            self._asked.append((connection, request))

    def listen(self, others: Sequence[socket], patience: float = 0.0) -> list[socket] | None:
        ready, _, _ = select([*others, self._listener, *self._received], [], [], patience)
        for connection in ready:
            if connection not in others:
                self._read(connection)
        return [one for one in ready if one in others] if ready else None

    def waiting(self) -> list[Waiting]:
        return [Waiting(self._numbers[connection], _asked(request)) for connection, request in self._asked]

    def is_connecting(self) -> bool:
        return False

    def blocked(self) -> frozenset[int]:
        return frozenset()  # nothing blocks here

    def answer_on(self, connection: int, *, hold: bool = False) -> str:
        at = next(at for at, (asking, _) in enumerate(self._asked) if self._numbers[asking] == connection)
        (asking, request) = self._asked[at]
        if not hold:
            self._asked.rotate(-at)
            return self.answer()
        del self._asked[at]
        response = self._lines.done(request)
        self._held.append((asking, http_messages.told(response, request.method)))
        return str(response)

    def release(self) -> None:
        for asking, told in self._held:
            if asking in self._received:
                with suppress(ConnectionError):
                    asking.sendall(told)
        self._held.clear()

    def answer(self, spoil: Spoil | None = None) -> str:
        connection, request = self._asked.popleft()
        if spoil is Spoil.THROTTLED:
            self._throttled = _THROTTLED
        if self._throttled and spoil is None:
            spoil = Spoil.THROTTLED
        self._throttled = max(0, self._throttled - 1)
        response: Response | None = None
        self.lasts = False
        if spoil is None or spoil.done:
            response = self._lines.done(request)
            self.lasts = request.writes and response.status < 300
        if spoil is Spoil.TWICE:
            response = self._lines.done(request)
        response = _ANSWERS.get(spoil, response) if spoil is not None else response
        if spoil in (Spoil.REFUSED, Spoil.LOST) or response is None:
            self._drop(connection)
            return "no answer"
        with suppress(ConnectionError):
            connection.sendall(http_messages.told(response, request.method))
        return str(response)

    def freed(self, patience: float = 0.0) -> bool:  # noqa: ARG002 - nothing blocks here
        return True

    def let_go(self, patience: float) -> bool:  # noqa: ARG002 - as above
        return True

    def calm(self) -> None:
        self._throttled = 0

    def cut(self) -> None:
        self._held.clear()
        for connection in list(self._received):
            self._drop(connection)
        self._accepted = 0
        self._throttled = 0

    def _drop(self, connection: socket) -> None:
        with suppress(OSError):
            connection.shutdown(SHUT_RDWR)  # a process that was forked meanwhile may have it, too
        connection.close()
        self._received.pop(connection, None)
        self._numbers.pop(connection, None)
        self._asked = deque(entry for entry in self._asked if entry[0] is not connection)

    def close(self) -> None:
        self.cut()
        self._listener.close()


def _asked(request: Request) -> Asked:
    spoils = _SPOILS if request.writes else _OF_READS
    if request.writes and request.condition:
        spoils = (*spoils, Spoil.CONFLICT)
    return Asked(str(request), request.writes, spoils)


class BucketLines:
    """A bucket with a line for each client; the bucket is a new one in each execution."""

    unit = "requests"

    def __init__(self) -> None:
        self.objects = Objects()
        self._lines: dict[int, BucketLine] = {}

    def begin(self) -> None:
        self.objects = Objects()
        for line in self._lines.values():
            line.cut()

    def address(self, number: int, directory: Path) -> Address:
        return Address(directory, endpoint=f"http://127.0.0.1:{self.line(number).port}", bucket=NAME)

    def line(self, number: int) -> BucketLine:
        if number not in self._lines:
            self._lines[number] = BucketLine(self)
        return self._lines[number]

    def done(self, request: Request) -> Response:
        """Do one request."""
        return self.objects.answer(request)

    def things(self) -> tuple[str, ...]:
        uploads = (f"{unfinished(u.key)} ({name})" for name, u in self.objects.uploads.items())
        return (*sorted(self.objects.objects), *uploads)

    def leftovers(self) -> tuple[str, ...]:
        return tuple(unfinished(upload.key) for upload in self.objects.uploads.values())

    def weak(self) -> str:
        return ""

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self._lines.clear()
