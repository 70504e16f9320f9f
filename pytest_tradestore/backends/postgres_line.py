"""Lines to PostgreSQL: a proxy on loopback in which each statement stops, and each answer can be spoilt.

What a client sends up to where it waits for an answer is one statement: a simple query, or Parse to Sync of the
extended protocol. Connecting is no statement. A statement that waits for a lock of another client is told from one that
is slow by asking the server who blocks it.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, create_connection, create_server, socket
from struct import unpack_from

from pytest_tradestore.backends import postgres_messages as wire
from pytest_tradestore.backends.declared import Address
from pytest_tradestore.backends.lines import BLOCKED, Asked, Blocked, Spoil, Waiting
from pytest_tradestore.backends.postgres_messages import Message
from pytest_tradestore.backends.postgres_server import Server
from pytest_tradestore.backends.postgres_sessions import Session, Sessions

_CHUNK = 1 << 16
_SOONEST, _LATEST = 0.002, 0.01
"""Seconds without an answer after which it is asked whether another client blocks the statement: at first, and last."""
_GIVEN_UP = 10.0
"""Seconds in which a server has given up a statement that waits for a lock, on any machine."""
_CODES = {Spoil.SERIALIZATION: "40001", Spoil.DEADLOCK: "40P01", Spoil.CANCELLED: "57014"}
_RAISE = "DO $$ BEGIN RAISE EXCEPTION '{0}' USING ERRCODE = '{1}'; END $$"
_MESSAGES = {
    Spoil.SERIALIZATION: "could not serialize access due to concurrent update",
    Spoil.DEADLOCK: "deadlock detected",
    Spoil.CANCELLED: "canceling statement due to user request",
}
_THERE = (
    "SELECT 'transaction', gid FROM pg_prepared_xacts WHERE database = current_database() UNION ALL "
    "SELECT 'schema', nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
)
_SWEPT = 50
"""Executions after which the server's catalogues are swept."""
_CATALOGUES = ("pg_class", "pg_attribute", "pg_depend", "pg_type", "pg_index", "pg_constraint", "pg_namespace")
_TABLES = (
    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
)
_MAY_WEAKEN = ("synchronous_commit", "set_config", "reset", "discard", "role", "authorization", "do ", "call ")
"""What a statement says that could change a session's ``synchronous_commit``."""
_ENDING = ("commit", "end", "rollback", "abort")


@dataclass(eq=False)
class _Connection:
    """One connection of a client, and ours to the server that belongs to it."""

    client: socket
    session: Session | None = None
    """The server's side, as soon as the client has said who it is."""
    from_client: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)
    greeted: bool = False
    ready: bool = False
    """Whether the server has let the client in."""
    pid: int = 0
    status: bytes = b"I"
    """I outside of a transaction, T in one, E in one that has failed."""
    group: list[Message] = field(default_factory=list)
    prepared: dict[bytes, str] = field(default_factory=dict)
    number: int = 0
    isolates: bool | None = None
    """Whether its transaction can fail to be serialised; None where that is not known."""
    to_cancel: bool = False
    """Whether the client has asked the server to give up the statement that waits."""
    doubtful: bool = True
    """Whether it may have given up a promise of the server since that was looked at."""
    held: bytearray | None = None
    """What the server has answered, while that is kept back."""
    owed: bool = False
    """Whether the server has not said yet that it is ready for the next statement."""
    doing: bool = False
    """Whether a statement was made of which the server is yet to be told that it is all."""
    bound: str = ""
    """The statement that is to be made next, where it was named before."""
    failed: bool = False
    """Whether the server passes over all that it is asked until it is told that this was all."""
    writing: bool = False
    """Whether what the client has asked for since the server was ready writes by its words."""
    before: object = None
    """How far transactions and sequences had come when the server was ready last."""

    @property
    def server(self) -> socket:
        assert self.session is not None, "statements come after the greeting"
        return self.session.server

    @property
    def ends(self) -> tuple[socket, ...]:
        return (self.client,) if self.session is None else (self.client, self.session.server)

    def send(self, messages: Sequence[Message]) -> None:
        """Let the server do what the client has asked for."""
        self.owed = True
        self.server.sendall(b"".join(message.sent for message in messages))


@dataclass(frozen=True, slots=True)
class _Statement:
    connection: _Connection
    group: tuple[Message, ...]
    text: str


class PostgresLine:
    """One client's way to a database."""

    def __init__(self, lines: "PostgresLines") -> None:
        self._lines = lines
        self._listener = create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[_Connection] = []
        self._asked: deque[_Statement] = deque()
        self._going: list[_Statement] = []
        """What was let through and waits for another client, or for another connection of this one."""
        self._accepted = 0
        self.weak = ""
        self.lasts = False
        self.curious = True

    def wait(self, link: socket) -> Asked | Blocked | None:
        while True:
            if self._going:
                return BLOCKED
            ends = [end for connection in self._connections for end in connection.ends]
            ready, _, _ = select([link, self._listener, *ends], [], [], 0 if self._asked else None)
            if link in ready:
                return None
            if self._asked:
                return self._as_asked(self._asked[0])
            self._hear(ready)

    def _hear(self, ready: Sequence[socket]) -> None:
        if self._listener in ready:
            self._accept()
        for connection in list(self._connections):
            if connection.client in ready:
                self._hear_client(connection)
            elif connection.session is not None and connection.server in ready:
                self._hear_server(connection)

    def listen(self, others: Sequence[socket], patience: float = 0.0) -> list[socket] | None:
        going = [statement.connection.server for statement in self._going]
        ends = [end for connection in self._connections for end in connection.ends]
        ready, _, _ = select([*others, self._listener, *ends], [], [], patience)
        self._hear([one for one in ready if one not in going])
        before = len(self._going)
        self.freed()
        if not ready and len(self._going) == before:
            return None
        return [one for one in ready if one in others]

    def waiting(self) -> list[Waiting]:
        blocked = self.blocked()  # what a client sends behind a statement that is not done is not done either
        there = ((statement.connection.number, statement) for statement in self._asked)
        return [Waiting(number, self._as_asked(one)) for number, one in there if number not in blocked]

    def is_connecting(self) -> bool:
        return any(not connection.ready for connection in self._connections)

    def blocked(self) -> frozenset[int]:
        return frozenset(statement.connection.number for statement in self._going)

    def answer_on(self, connection: int, *, hold: bool = False) -> str:
        at = next(at for at, one in enumerate(self._asked) if one.connection.number == connection)
        statement = self._asked[at]
        self._asked.rotate(-at)
        ending = statement.text.partition(" ")[0].lower() in _ENDING
        cancelled, statement.connection.to_cancel = statement.connection.to_cancel, False  # it is of this one alone
        if cancelled and not ending and statement.text:
            return self.answer(Spoil.CANCELLED)
        if hold:
            statement.connection.held = bytearray()
        return self.answer()

    def release(self) -> None:
        for connection in self._connections:
            if connection.held is not None:
                told, connection.held = bytes(connection.held), None
                with suppress(ConnectionError):
                    connection.client.sendall(told)

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        client.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._accepted += 1
        self._connections.append(_Connection(client, number=self._accepted))

    def _hear_client(self, connection: _Connection) -> None:
        data = _received(connection.client)
        if not data:
            return self._drop(connection)
        connection.from_client += data
        while not connection.greeted and (first := wire.first_taken(connection.from_client)) is not None:
            code, whole = first
            if code in (wire.SSL, wire.GSS):
                connection.client.sendall(b"N")
                continue
            if code == wire.CANCEL:
                self._cancel(whole)
                return self._drop(connection)
            self._greet(connection, whole)
        if connection.greeted and not connection.pid:
            connection.server.sendall(bytes(connection.from_client))  # an answer to what the server asks of who comes
            connection.from_client.clear()
            return None
        for message in wire.taken(connection.from_client):
            connection.group.append(message)
            if message.kind == wire.TERMINATE:
                return self._drop(connection, left=True)
            if message.kind in wire.ENDS:
                self._stop(connection)
        return None

    def _greet(self, connection: _Connection, asked: bytes) -> None:
        """Begin a session for a client, or give it one whose client has left."""
        connection.greeted, connection.session = True, self._lines.sessions.begun(asked)
        if connection.session.said:
            connection.pid, connection.ready, connection.doubtful = connection.session.pid, True, False
            with suppress(ConnectionError):
                connection.client.sendall(connection.session.said)

    def _cancel(self, whole: bytes) -> None:
        """Give up a statement that waits, here or on the server; what is done already it comes too late for.

        The server is told only where it has something to give up: else it might be whatever it is given next.
        """
        (pid,) = unpack_from(">I", whole, 8)
        for statement in self._asked:
            statement.connection.to_cancel |= statement.connection.pid == pid
        for statement in self._going:
            if statement.connection.pid == pid:
                with create_connection(("127.0.0.1", self._lines.server.port)) as server:
                    server.sendall(whole)
                    select([statement.connection.server], [], [], _GIVEN_UP)

    def _stop(self, connection: _Connection) -> None:
        group, connection.group = tuple(connection.group), []
        said = "; ".join(text for message in group if (text := wire.statement_in(message, connection.prepared)))
        self._lines.sessions.heard(said)
        if "isolation" in said.lower():
            connection.isolates = None
        behind = any(one.connection is connection for one in (*self._asked, *self._going))  # it did not wait
        if behind or connection.doing or wire.does_something(group):
            said = said if connection.doing else said or connection.bound
            connection.doing, connection.bound = group[-1].kind == wire.FLUSH, ""
            self._asked.append(_Statement(connection, group, said))
        else:  # nothing is done by it: what a statement means is asked before it is made
            connection.bound = said or connection.bound
            self._done(_Statement(connection, group, ""))

    def _hear_server(self, connection: _Connection) -> None:
        """Hand on what the server says of itself: what belongs to connecting, notifications, that it ends."""
        data = _received(connection.server)
        if not data:
            return self._drop(connection)
        greeting, session = not connection.ready, connection.session
        self._note(connection, data)
        if greeting and session is not None:
            session.said += data
            session.pid = connection.pid
        with suppress(ConnectionError):
            connection.client.sendall(data)
        return None

    def _note(self, connection: _Connection, data: bytes) -> list[Message]:
        connection.from_server += data
        messages = list(wire.taken(connection.from_server))
        for message in messages:
            if message.kind == wire.KEY:
                (connection.pid,) = unpack_from(">I", message.content)
            elif message.kind == wire.READY:
                connection.status, connection.ready, connection.owed = message.content, True, False
                connection.failed = False
                if message.content == b"I":
                    connection.isolates = None
            elif message.kind == wire.ERROR:
                connection.failed = True
        return messages

    def _as_asked(self, statement: _Statement) -> Asked:
        text = statement.text or {wire.SYNC: "sync", wire.COPY_DONE: "COPY ends"}.get(statement.group[-1].kind, "flush")
        told = wire.shown(text)
        first, writes = text.partition(" ")[0].lower(), wire.writes(text)
        spoils: tuple[Spoil, ...] = ()
        if self.curious and statement.text:
            spoils = (Spoil.REFUSED, Spoil.LOST, Spoil.SHUTDOWN)
            if writes or first in _ENDING:
                spoils += () if first in _ENDING else (Spoil.DEADLOCK,)
                spoils += (Spoil.SERIALIZATION,) if self._isolates(statement.connection) else ()
        return Asked(told, writes or first in ("commit", "end"), spoils)

    def _isolates(self, connection: _Connection) -> bool:
        if connection.isolates is None and not connection.owed and not connection.doing:
            connection.isolates = self._can_fail_to_serialise(connection)
        return connection.isolates is not False

    def answer(self, spoil: Spoil | None = None) -> str:
        statement = self._asked.popleft()
        connection = statement.connection
        self.lasts = False
        if spoil in (Spoil.REFUSED, Spoil.SHUTDOWN):
            if spoil is Spoil.SHUTDOWN:
                with suppress(ConnectionError):
                    connection.client.sendall(_shutdown())
            self._drop(connection)
            return "no answer" if spoil is Spoil.REFUSED else "57P01 terminating connection"
        if spoil in _CODES:
            return self._refused(statement, spoil)
        return self._done(statement, lost=spoil is Spoil.LOST)

    def _done(self, statement: _Statement, *, lost: bool = False) -> str:
        """Let the server do a statement, and note whether that outlasts the client: what no transaction holds does.

        Whether a statement that reads has written besides (by a function, a view, a rule) the server knows: it gives a
        number to each transaction that writes, and its sequences go on.
        """
        connection, text = statement.connection, statement.text
        if not self.curious:
            connection.send(statement.group)
            self.lasts = True  # for all that is known
            return self._followed(statement, lost=lost)
        writing = bool(text) and wire.writes(text)
        to_ask = not writing and not wire.is_of_the_session(text)
        if not connection.owed:
            connection.writing = False
            if to_ask and connection.status == b"I":
                connection.before = self._lines.how_far()
        connection.writing |= writing
        connection.send(statement.group)
        told = self._followed(statement, lost=lost)
        if not told or wire.may_commit(text):
            self.lasts = True  # it waits for another client, or another transaction may have begun in the same breath
        elif connection.status == b"I" and not connection.owed:
            self.lasts = connection.writing or (to_ask and connection.before != self._lines.how_far())
        return told

    def _refused(self, statement: _Statement, spoil: Spoil) -> str:
        """Let the server itself refuse the statement, so that its transaction is what it would be then."""
        connection, ending = statement.connection, statement.text.partition(" ")[0].lower() in _ENDING
        if spoil is Spoil.SERIALIZATION and not self._can_fail_to_serialise(connection):
            return self._done(statement)
        connection.server.sendall(wire.query(_RAISE.format(_MESSAGES[spoil], _CODES[spoil])))
        answer = self._whole_answer(connection)
        if ending:
            wire.asked_on(connection.server, "ROLLBACK")
            answer = answer[:-1] + b"I"
            connection.status = b"I"
        if statement.group[-1].kind == wire.FLUSH:  # the Sync that follows is answered by an end of its own
            answer = b"".join(m.sent for m in wire.taken(bytearray(answer)) if m.kind != wire.READY)
            connection.failed = True
        with suppress(ConnectionError):
            connection.client.sendall(answer)
        return f"{_CODES[spoil]} {_MESSAGES[spoil]}"

    def _can_fail_to_serialise(self, connection: _Connection) -> bool:
        if connection.status == b"E":
            return False
        rows = wire.asked_on(connection.server, "SHOW transaction_isolation")
        return bool(rows) and rows[0][0] in ("repeatable read", "serializable")

    def _whole_answer(self, connection: _Connection) -> bytes:
        whole = b""
        while True:
            data = _received(connection.server)
            if not data:
                return whole
            whole += data
            if any(message.kind == wire.READY for message in self._note(connection, data)):
                return whole

    def _followed(self, statement: _Statement, *, lost: bool = False) -> str:
        """Hand on the answer until it is whole; empty if the statement waits for another client."""
        connection, told, look = statement.connection, "", _SOONEST
        last, left = wire.ends_an_answer(statement.group) if statement.group[-1].kind == wire.FLUSH else (b"", -1)
        if not left or (left > 0 and connection.failed):
            return "sent"  # the server says nothing to it; after an error, nothing before it is told that this was all
        while True:
            if not select([connection.server], [], [], look)[0]:
                if self._lines.is_blocked(connection.pid):
                    self._going.append(statement)
                    return ""
                look = min(2 * look, _LATEST)
                continue
            data = _received(connection.server)
            messages = self._note(connection, data)
            for message in messages:
                if message.kind == wire.ERROR:
                    told = wire.words_of(message)
            ended = not data or any(m.kind in (wire.READY, wire.COPY_IN, wire.COPY_BOTH) for m in messages)
            if left > 0:
                left = max(0, left - sum(message.kind in last for message in messages))
                ended = ended or not left or connection.failed
            if ended and data and not connection.owed:  # it is asked on the same session, and ends what it is in
                self._look_at_promises(connection, statement.text)
            if lost and ended:
                self._drop(connection)
                return "no answer"
            if connection.held is not None:
                connection.held += data
            elif not lost:
                with suppress(ConnectionError):
                    connection.client.sendall(data)
            if ended:
                if not data:
                    self._drop(connection)
                return told or ("done" if left else "sent")

    def _look_at_promises(self, connection: _Connection, text: str) -> None:
        """Look what a session has promised, at its beginning and after whatever may have changed that."""
        connection.doubtful |= any(word in text.lower() for word in _MAY_WEAKEN)
        if connection.status == b"I" and connection.doubtful and not self.weak:
            connection.doubtful = False
            rows = wire.asked_on(connection.server, "SHOW synchronous_commit")
            if rows and rows[0][0] in ("off", "local"):
                self.weak = f"synchronous_commit is {rows[0][0]} in its session"

    def freed(self, patience: float = 0.0) -> bool:
        servers = [statement.connection.server for statement in self._going]
        answered = select(servers, [], [], patience)[0] if servers else []
        for statement in list(self._going):
            connection = statement.connection
            if connection.server in answered or not self._lines.is_blocked(connection.pid):
                self._going.remove(statement)
                self._followed(statement)
        return not self._going

    def let_go(self, patience: float) -> bool:
        if self.freed():
            return True
        in_a_ring = any(self._lines.is_in_a_ring(statement.connection.pid) for statement in self._going)
        return self.freed(_GIVEN_UP if in_a_ring else patience)

    def calm(self) -> None:
        """Nothing lasts here."""

    def cut(self) -> None:
        self._going, self._accepted = [], 0
        for connection in list(self._connections):
            if select([connection.client], [], [], 0)[0]:
                self._hear_client(connection)  # it may have taken its leave
        for connection in list(self._connections):
            self._drop(connection)

    def _drop(self, connection: _Connection, *, left: bool = False) -> None:
        """Be done with a client; ``left``: it has taken its leave, and did not die."""
        with suppress(OSError):
            connection.client.shutdown(SHUT_RDWR)  # a process that was forked meanwhile may have it, too
        connection.client.close()
        if connection in self._connections:
            self._connections.remove(connection)
        self._asked = deque(statement for statement in self._asked if statement.connection is not connection)
        self._going = [statement for statement in self._going if statement.connection is not connection]
        session, connection.session = connection.session, None
        if session is None:
            return
        looked_at = connection.ready and not connection.doubtful  # whoever has it next is not asked what it promises
        usable = left and looked_at and not connection.owed and not self.weak
        if usable and self._lines.sessions.keep(session, connection.status):
            return
        session.close()
        if connection.pid:
            self._lines.wait_for_end_of(connection.pid)

    def close(self) -> None:
        self.cut()
        self._listener.close()


def _received(connection: socket) -> bytes:
    with suppress(ConnectionError):
        return connection.recv(_CHUNK)
    return b""


def _shutdown() -> bytes:
    fields = ("SFATAL", "VFATAL", "C57P01", "Mterminating connection due to administrator command")
    return Message(wire.ERROR, b"".join(part.encode() + b"\0" for part in fields) + b"\0").sent


_LOCKED = "55P03 "
_HOW_FAR = """
PREPARE how_far AS SELECT pg_snapshot_xmax(pg_current_snapshot()), (
  SELECT string_agg(coalesce(pg_sequence_last_value(oid), 0)::text, ' ' ORDER BY oid)
  FROM pg_sequence JOIN pg_class ON oid = seqrelid WHERE relpersistence <> 't'
)
"""
"""A sequence goes on without a number of a transaction, in 31 of 32 times."""


class PostgresLines:
    """A database with a line for each client; it is empty at the beginning of each execution."""

    unit = "statements"

    def __init__(self, server: Server) -> None:
        self.server = server
        first = server.control()
        (row,) = first.ask("SELECT pg_backend_pid()")
        first.close()
        self._name = f"e{row[0]}"
        server.database(self._name)
        self._control = server.control(self._name)
        self._control.ask(_HOW_FAR)
        self.sessions = Sessions(server.port)
        self._lines: dict[int, PostgresLine] = {}
        self._begun = 0

    def begin(self) -> None:
        for line in self._lines.values():
            line.cut()
            line.weak = ""
        schemas = []
        for kind, name in self._control.ask(_THERE):
            if kind == "transaction":
                self._control.ask(f"ROLLBACK PREPARED '{name}'")
            else:
                schemas.append(f'DROP SCHEMA "{name}" CASCADE')
        self._control.ask("; ".join((*schemas, "CREATE SCHEMA public")))  # one transaction
        self._begun += 1
        if not self._begun % _SWEPT:
            for table in _CATALOGUES:  # nobody else takes away what dropped tables leave there
                self._control.ask(f"VACUUM {table}")

    def address(self, number: int, directory: Path) -> Address:
        return Address(directory, dsn=self.server.dsn(self._name, self.line(number).port))

    def line(self, number: int) -> PostgresLine:
        if number not in self._lines:
            self._lines[number] = PostgresLine(self)
        return self._lines[number]

    def is_blocked(self, pid: int) -> bool:
        """Say whether a session waits for what another one holds."""
        rows = self._control.ask(f"SELECT cardinality(pg_blocking_pids({pid}))")
        return bool(rows) and rows[0][0] != "0"

    def how_far(self) -> object:
        """Return how far the transactions that have written something and are over have come, and the sequences.

        Where a sequence is locked, because a client alters it, that is not known: what is returned equals nothing else.
        """
        try:
            return self._control.ask("SET LOCAL lock_timeout = 1; EXECUTE how_far")
        except RuntimeError as error:
            if not str(error).startswith(_LOCKED):
                raise
            return object()

    def is_in_a_ring(self, pid: int) -> bool:
        """Say whether a session waits for what another one holds that waits, by way of whomever, for this one."""
        ahead, seen = [str(pid)], {str(pid)}
        while ahead:
            for (other,) in self._control.ask(f"SELECT DISTINCT unnest(pg_blocking_pids({ahead.pop()}))"):
                if other == str(pid):
                    return True
                if other is not None and other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return False

    def wait_for_end_of(self, pid: int) -> None:
        """Wait until the server has seen that a session is over, and has given back what it held."""
        self._control.ask(f"SELECT pg_terminate_backend({pid})")
        while self._control.ask(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"):  # noqa: S608 - a number
            select([], [], [], 0.001)

    def things(self) -> tuple[str, ...]:
        found: list[str] = []
        for schema, table in self._control.ask(_TABLES):
            for (row,) in self._control.ask(f'SELECT left(t::text, 60) FROM "{schema}"."{table}" t'):  # noqa: S608 - as it is called
                found.append(f"{table}: {row}")
        return (*sorted(found), *self.leftovers())

    def leftovers(self) -> tuple[str, ...]:
        rows = self._control.ask("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        return tuple(f"a prepared transaction {gid}" for (gid,) in rows)

    def weak(self) -> str:
        return next((line.weak for line in self._lines.values() if line.weak), "")

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        self.sessions.close()
        self._control.close()
        last = self.server.control()
        with suppress(RuntimeError):
            last.ask(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
        last.close()
