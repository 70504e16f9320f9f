"""What can befall a statement: a serialisation failure only where the isolation level of its transaction has one."""

import socket
import threading
from contextlib import closing
from struct import pack, unpack
from urllib.parse import urlsplit

import pytest

from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, psycopg

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


def spoils_of_writes(lines, directory, begins):
    """Return what can befall each of two statements that write, in a transaction that begins so and outside of one."""
    dsn, line, found = lines.address(0, directory).dsn, lines.line(0), []
    ours, theirs = socket.socketpair()

    def work():
        with theirs, closing(psycopg.connect(dsn, autocommit=True)) as connection:
            for statement in (begins, "CREATE TABLE a (n int)", "COMMIT", "CREATE TABLE b (n int)"):
                connection.execute(statement)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with ours:
        while (asked := line.wait(ours)) is not None:
            if asked.text.startswith("CREATE"):
                found.append(Spoil.SERIALIZATION in asked.spoils)
            line.answer()
        thread.join()
    line.cut()
    return found


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_keeps_its_view_can_fail_to_be_serialised(lines, tmp_path, level):
    assert spoils_of_writes(lines, tmp_path, f"BEGIN ISOLATION LEVEL {level}") == [True, False]


def test_control_one_that_sees_what_was_committed_meanwhile_cannot(lines, tmp_path):
    assert spoils_of_writes(lines, tmp_path, "BEGIN ISOLATION LEVEL READ COMMITTED") == [False, False]


def message(kind, content=b""):
    return kind + pack(">I", len(content) + 4) + content


def kinds_of_messages(received, until):
    """Return the kinds of the messages that come, up to and with the first after which ``until`` is true of them."""
    kinds = b""
    while not until(kinds):
        kind, length = unpack(">cI", received.read(5))
        received.read(length - 4)
        kinds += kind
    return kinds


def answers_to_a_flushed_statement(lines, directory, spoil):
    """Return the kinds of what a client hears that sends Execute to Flush, then Sync, then asks for something else."""
    address, line, heard = urlsplit(lines.address(0, directory).dsn), lines.line(0), []
    ours, theirs = socket.socketpair()

    def work():
        with theirs, socket.create_connection((address.hostname, address.port)) as client:
            received = client.makefile("rb")
            names = b"user\0%b\0database\0%b\0\0" % (address.username.encode(), address.path[1:].encode())
            client.sendall(pack(">II", len(names) + 8, 196608) + names)
            kinds_of_messages(received, lambda kinds: kinds.endswith(b"Z"))
            parse, bind = message(b"P", b"\0CREATE TABLE a (n int)\0\0\0"), message(b"B", b"\0\0" + bytes(6))
            client.sendall(parse + bind + message(b"E", b"\0" + bytes(4)) + message(b"H") + message(b"S"))
            first = kinds_of_messages(received, lambda kinds: b"Z" in kinds)
            client.sendall(message(b"Q", b"SELECT 1\0"))
            heard.append(first + kinds_of_messages(received, lambda kinds: kinds.endswith(b"Z") and b"D" in kinds))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with ours:
        while (asked := line.wait(ours)) is not None:
            line.answer(spoil if asked.text.startswith("CREATE") else None)
        thread.join()
    line.cut()
    return heard[0].replace(b"N", b"").replace(b"S", b"")


def test_a_refused_statement_that_ends_in_a_flush_is_followed_by_one_end_when_the_client_syncs(lines, tmp_path):
    heard = answers_to_a_flushed_statement(lines, tmp_path, Spoil.DEADLOCK)

    assert heard.lstrip(b"12") == b"EZ" + b"TDCZ"


def test_control_one_that_is_done_is_answered_in_the_same_order(lines, tmp_path):
    assert answers_to_a_flushed_statement(lines, tmp_path, None).lstrip(b"12") == b"CZ" + b"TDCZ"
