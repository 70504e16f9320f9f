"""Clients of PostgreSQL whose statements are let through one by one, for tests of the lines that they come over."""

import socket
import threading
from contextlib import closing

import pytest

from pytest_tradestore.backends import Postgres
from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.backends.lines import Asked

psycopg = pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")


@pytest.fixture
def lines():
    lines = lines_to(Postgres())
    lines.begin()
    yield lines
    lines.close()


def made_by(lines, directory, client, after=lambda _: None, before=lambda _: None):
    """Return what a client makes of a connection, while each statement is let through.

    ``before`` is told what each asks, and ``after`` when it is done.
    """
    found = []
    ours, theirs = socket.socketpair()
    dsn = lines.address(0, directory).dsn

    def work():
        try:
            with closing(psycopg.connect(dsn, autocommit=True)) as connection:
                found.append(client(connection))
        finally:
            theirs.close()

    thread = threading.Thread(target=work, daemon=True)
    with ours:
        thread.start()
        line = lines.line(0)
        while isinstance(asked := line.wait(ours), Asked):
            before(asked)
            line.answer()
            after(line)
        thread.join()
        line.cut()
    return found[0]
