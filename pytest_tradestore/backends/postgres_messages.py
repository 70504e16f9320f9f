"""Version 3 of PostgreSQL's protocol, as far as one has to know it to see each statement go by, and to ask one's own.

Messages are one byte that says what they are, a length, and their content; the first of a connection has no such byte.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from socket import create_connection, socket

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
READY, ERROR, ROW, KEY, COPY_IN, COPY_BOTH = b"Z", b"E", b"D", b"K", b"G", b"W"
QUERY, PARSE, BIND, EXECUTE, SYNC, FLUSH, TERMINATE, COPY_DONE, COPY_FAIL = (
    b"Q", b"P", b"B", b"E", b"S", b"H", b"X", b"c", b"f",
)  # fmt: skip
ENDS = (QUERY, SYNC, FLUSH, TERMINATE, COPY_DONE, COPY_FAIL)
"""What a client sends last before it waits for an answer."""
DESCRIBE, CLOSE = b"D", b"C"
_WHOLE = {PARSE: b"1", BIND: b"2", CLOSE: b"3", DESCRIBE: b"Tn", EXECUTE: b"CIsGHW"}
"""What the server says last to each message of the extended protocol, unless that is an error."""
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_LONG, _MOST = 40, 300
"""Characters of a literal, and of a statement, of which a report shows no more."""
_SPACE = re.compile(r"\s+")
_READS = re.compile(
    r"(select|show|fetch|values|table|begin|start|commit|end|rollback|abort|set|deallocate|close)\b", re.IGNORECASE
)
_WRITING_SELECT = re.compile(
    r"\b(nextval|setval|insert|update|delete|pg_advisory|into|lo_\w+|for\s+update)\b", re.IGNORECASE
)

_OF_THE_SESSION = re.compile(r"(set|show|begin|start|savepoint|release|deallocate|close)\b[^;]*$", re.IGNORECASE)
"""What is gone with the session or the transaction, and belongs to nobody else."""
_COMMITTING = re.compile(r"\s*(commit|end|(prepare|commit|rollback)\s+(transaction|prepared))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    kind: bytes
    content: bytes

    @property
    def sent(self) -> bytes:
        return self.kind + struct.pack(">I", len(self.content) + 4) + self.content


def taken(received: bytearray) -> Iterator[Message]:
    """Take all whole messages out of ``received``."""
    while len(received) >= 5:
        (length,) = struct.unpack_from(">I", received, 1)
        if len(received) < 1 + length:
            return
        message = Message(bytes(received[:1]), bytes(received[5 : 1 + length]))
        del received[: 1 + length]
        yield message


def first_taken(received: bytearray) -> tuple[int, bytes] | None:
    """Take the first message of a connection, which has no kind: its code, and all of it."""
    if len(received) < 8:
        return None
    length, code = struct.unpack_from(">II", received)
    if len(received) < length:
        return None
    whole = bytes(received[:length])
    del received[:length]
    return code, whole


def statement_in(message: Message, prepared: dict[bytes, str]) -> str:
    """Return the statement that a message asks for, empty where it asks for none; prepared ones are remembered."""
    if message.kind == QUERY:
        return _text(message.content)
    if message.kind == PARSE:
        name, _, rest = message.content.partition(b"\0")
        prepared[name] = _text(rest.partition(b"\0")[0])
    if message.kind == BIND:
        name = message.content.partition(b"\0")[2].partition(b"\0")[0]
        return prepared.get(name, "a prepared statement")
    return ""


def _text(content: bytes) -> str:
    said = _SPACE.sub(" ", content.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")).strip()
    return said.rstrip("; ") or said


def shown(statement: str) -> str:
    """Return a statement as a report shows it: some libraries write values of any length into it."""
    told = _LITERAL.sub(lambda found: found[0] if len(found[0]) <= _LONG else f"{found[0][:_LONG]}…'", statement)
    return told if len(told) <= _MOST else f"{told[:_MOST]}…"


def does_something(group: "tuple[Message, ...]") -> bool:
    """Say whether a client asks for anything to be done, and not only what a statement means that is to come."""
    return any(message.kind in (QUERY, EXECUTE, COPY_DONE, COPY_FAIL) for message in group)


def ends_an_answer(group: "tuple[Message, ...]") -> tuple[bytes, int]:
    """Return what the server says last to what is flushed, as kinds of messages, and how often it says one of them.

    Nothing, and never, where it says nothing to it.
    """
    asked = [message.kind for message in group if message.kind in _WHOLE]
    return (_WHOLE[asked[-1]], asked.count(asked[-1])) if asked else (b"", 0)


def writes(statement: str) -> bool:
    """Say whether a statement may change anything; if in doubt, it may."""
    return not _READS.match(statement) or bool(_WRITING_SELECT.search(statement))


def is_of_the_session(statement: str) -> bool:
    """Say whether a statement leaves nothing behind that outlasts its session; if in doubt, it may."""
    return bool(_OF_THE_SESSION.match(statement))


def may_commit(statement: str) -> bool:
    """Say whether a statement may end a transaction so that it counts, though another has begun when it is done.

    One that was prepared counts however it ends: it belonged to no session.
    """
    return any(_COMMITTING.match(part) for part in statement.split(";"))


def query(statement: str) -> bytes:
    """Return what asks for one statement."""
    return Message(QUERY, statement.encode() + b"\0").sent


def words_of(error: Message) -> str:
    """Return what an error message of the server says."""
    fields = {part[:1]: part[1:].decode("utf-8", "backslashreplace") for part in error.content.split(b"\0") if part}
    return f"{fields.get(b'C', '')} {fields.get(b'M', '')}".strip()


class Control:
    """A connection of our own, for questions that no client sees."""

    def __init__(self, port: int, user: str, database: str) -> None:
        self._socket = create_connection(("127.0.0.1", port))
        told = b"".join(part.encode() + b"\0" for part in ("user", user, "database", database)) + b"\0"
        self._socket.sendall(struct.pack(">II", len(told) + 8, 196608) + told)
        self._received = bytearray()
        self._answers()

    def ask(self, statement: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a statement. Raises RuntimeError with the server's words if it refuses it."""
        self._socket.sendall(query(statement))
        return self._answers()

    def _answers(self) -> list[tuple[str | None, ...]]:
        rows: list[tuple[str | None, ...]] = []
        refused = ""
        while True:
            for message in taken(self._received):
                if message.kind == ROW:
                    rows.append(_row(message.content))
                elif message.kind == ERROR:
                    refused = words_of(message)
                elif message.kind == READY:
                    if refused:
                        raise RuntimeError(refused)
                    return rows
            data = self._socket.recv(1 << 16)
            if not data:
                raise RuntimeError(refused or "the server has closed the connection")
            self._received += data

    def close(self) -> None:
        self._socket.close()


def asked_on(connection: socket, statement: str) -> list[tuple[str | None, ...]]:
    """Ask one statement on a connection that is ready for one; what is wrong with it is no rows."""
    connection.sendall(query(statement))
    received, rows = bytearray(), []
    while True:
        data = connection.recv(1 << 16)
        if not data:
            return []
        received += data
        for message in taken(received):
            if message.kind == ROW:
                rows.append(_row(message.content))
            elif message.kind == READY:
                return rows


def is_done_on(connection: socket, statement: str) -> bool:
    """Do a statement on a connection that is ready for one; False if the server refuses it, or is gone."""
    received, done = bytearray(), True
    try:
        connection.sendall(query(statement))
        while data := connection.recv(1 << 16):
            received += data
            for message in taken(received):
                if message.kind == ERROR:
                    done = False
                elif message.kind == READY:
                    return done and message.content == b"I"
    except ConnectionError:
        pass
    return False


def _row(content: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack_from(">H", content)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from(">i", content, at)
        at += 4
        values.append(None if length < 0 else content[at : at + length].decode())
        at += max(0, length)
    return tuple(values)
