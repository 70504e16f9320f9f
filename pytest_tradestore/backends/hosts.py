"""The servers of a run: one process for each kind, started before it is needed, gone with the run.

They serve whoever opens a store without stepping its requests; each directory has a place of its own there, the same
whenever the store is opened on it again. Where requests are stepped, ``lines`` are used instead.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from select import select
from socket import IPPROTO_TCP, TCP_NODELAY, create_server, socket, socketpair

from pytest_tradestore.backends import http_messages
from pytest_tradestore.backends.bucket_line import BucketLines
from pytest_tradestore.backends.declared import Address, Backend
from pytest_tradestore.backends.lines import Lines
from pytest_tradestore.backends.objects import Objects
from pytest_tradestore.backends.postgres_line import PostgresLines
from pytest_tradestore.backends.postgres_server import Server, start
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.isolation import end_with_parent

_CHUNK = 1 << 16
_bucket_ports: list[int] = []
_databases: list[Server] = []
_given: dict[str, Address] = {}
_held: list[socket] = []
"""Our ends of links to the processes of servers: they end when it is closed, however that comes about."""


def ready(backend: Backend | None) -> None:
    """See to it that the server runs; to be called before a process is forked that opens the store.

    Raises ConfigurationError if it cannot be started here.
    """
    if backend is None:
        return
    if backend.kind == "bucket" and not _bucket_ports:
        listener = create_server(("127.0.0.1", 0), backlog=128)
        _bucket_ports.append(listener.getsockname()[1])
        _apart(lambda link: _serve(listener, link))
        listener.close()
    elif backend.kind == "postgres" and not _databases:
        try:
            _databases.append(start(_apart))
        except RuntimeError as reason:
            raise ConfigurationError(f"tradestore_backend = Postgres() cannot be used: {reason}") from None


def lines_to(backend: Backend) -> Lines:
    """Return lines to a server of this kind. Raises ConfigurationError if it cannot be started here."""
    if backend.kind == "bucket":
        return BucketLines()
    ready(backend)
    return PostgresLines(_databases[0])


def databases() -> list[Server]:
    """Return the PostgreSQL server of this run, if there is one."""
    return _databases


def give(directory: str, address: Address) -> None:
    """Have the store in ``directory`` opened at this address, in this process."""
    _given.clear()
    _given[directory] = address


def address_of(backend: Backend, directory: Path) -> Address:
    """Return where the store of a directory is: a place that is as new as the directory."""
    given = _given.get(os.fspath(directory))
    if given is not None:
        return given
    ready(backend)
    found = os.stat(directory)
    name = sha256(f"{directory} {found.st_dev} {found.st_ino}".encode()).hexdigest()[:24]
    if backend.kind == "bucket":
        return Address(directory, endpoint=f"http://127.0.0.1:{_bucket_ports[0]}", bucket=f"t{name}")
    return Address(directory, dsn=_databases[0].database(f"t{name}"))


def _apart(work: Callable[[socket], None]) -> int:
    """Do the work in a process of its own; return its number.

    It is to end when its link is closed, and is sent SIGTERM (Linux) when the thread ends that asked for it.
    """
    ours, theirs = socketpair()
    parent = os.getpid()
    child = os.fork()
    if child:
        theirs.close()
        os.set_inheritable(ours.fileno(), False)
        _held.append(ours)
        return child
    try:
        ours.close()
        for held in _held:
            held.close()
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # Whoever was forked from us holds the link, too, and may outlive us.
        end_with_parent(parent, signal.SIGTERM)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        with suppress(Exception):
            work(theirs)
    finally:
        os._exit(0)


def _serve(listener: socket, link: socket) -> None:
    """Serve buckets, made when they are first asked for, until the link is closed."""
    buckets: dict[str, Objects] = {}
    received: dict[socket, bytearray] = {}
    while True:
        ready, _, _ = select([link, listener, *received], [], [])
        if link in ready:
            return
        for connection in ready:
            if connection is listener:
                accepted = listener.accept()[0]
                accepted.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                received[accepted] = bytearray()
                continue
            data = b""
            with suppress(ConnectionError):
                data = connection.recv(_CHUNK)
            if not data:
                connection.close()
                del received[connection]
                continue
            so_far = received[connection]
            so_far += data
            with suppress(ConnectionError):
                if http_messages.waits_for_leave(so_far):
                    connection.sendall(http_messages.CONTINUE)
                while (request := http_messages.taken(so_far)) is not None:
                    answer = buckets.setdefault(request.bucket, Objects()).answer(request)
                    connection.sendall(http_messages.told(answer, request.method))
