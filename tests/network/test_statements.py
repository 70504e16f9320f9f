"""Where clients of PostgreSQL stop, what is told of it, and what of it is still there when they have died."""

import os
import socket
import threading
from contextlib import closing

import pytest

from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.backends.postgres_messages import Message, taken
from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, made_by, psycopg

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")

TABLES = """
CREATE TABLE t (n int);
INSERT INTO t VALUES (0);
CREATE SEQUENCE numbers;
CREATE FUNCTION noted() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO t VALUES (1) RETURNING n';
CREATE FUNCTION told() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';
CREATE FUNCTION numbered() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''numbers'')';
CREATE VIEW noting AS SELECT noted() AS n;
CREATE VIEW telling AS SELECT told() AS n;
"""


def lasting(lines, directory, *statements):
    """Return of each statement whether it was told to outlast its client."""

    def client(connection):
        for statement in statements:
            connection.execute(statement)

    made_by(lines, directory, lambda connection: connection.execute(TABLES))
    lasted = []
    made_by(lines, directory, client, lambda line: lasted.append(line.lasts))
    return lasted


LASTING = [
    "INSERT INTO t VALUES (1)",
    "CREATE TABLE another (n int)",
    "SELECT noted()",
    "SELECT n FROM noting",
    "SELECT nextval('numbers')",
    "SET lock_timeout = 1; DELETE FROM t",
    "WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone",
    "BEGIN; SELECT noted(); COMMIT",
]
GONE = [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "SET synchronous_commit = on; SET lock_timeout = 1000",
    "SELECT n FROM t WHERE n IN (1, 2)",
    "SELECT told()",
    "SELECT n FROM telling",
    "SHOW fsync",
]


@pytest.mark.parametrize("statement", LASTING)
def test_what_has_written_outlasts_its_session(lines, tmp_path, statement):
    assert lasting(lines, tmp_path, statement) == [True]


def test_a_number_that_a_function_has_taken_is_taken_for_good_also_where_the_server_wrote_none_down(lines, tmp_path):
    assert lasting(lines, tmp_path, *["SELECT numbered()"] * 3) == [True] * 3


def test_nobody_waits_for_a_sequence_that_another_client_alters(lines, tmp_path):
    made_by(lines, tmp_path, lambda connection: connection.execute(TABLES))
    lasted = []
    with closing(lines.server.control(lines._name)) as another:
        another.ask("BEGIN; ALTER SEQUENCE numbers INCREMENT 2")
        made_by(lines, tmp_path, lambda one: one.execute("SELECT told()"), lambda line: lasted.append(line.lasts))

    assert lasted == [True]  # for all that is known


def test_control_whatever_else_goes_wrong_is_told(lines):
    lines._control.ask("DEALLOCATE how_far")

    with pytest.raises(RuntimeError, match="does not exist"):
        lines.how_far()


@pytest.mark.parametrize("statement", GONE)
def test_control_what_has_only_read_is_gone_with_its_session(lines, tmp_path, statement):
    assert lasting(lines, tmp_path, statement) == [False]


def test_a_transaction_that_is_followed_by_another_in_the_same_breath_has_been_committed(lines, tmp_path):
    statements = ("BEGIN", "SELECT n FROM noting", "COMMIT AND CHAIN", "SELECT n FROM noting", "ROLLBACK AND CHAIN")

    assert lasting(lines, tmp_path, *statements) == [False, False, True, False, False]
    assert made_by(lines, tmp_path, lambda connection: connection.execute("SELECT sum(n) FROM t").fetchone()) == (1,)


def test_a_prepared_transaction_belongs_to_nobody(lines, tmp_path):
    statements = ("BEGIN", "INSERT INTO t VALUES (1)", "PREPARE TRANSACTION 'one'", "ROLLBACK PREPARED 'one'")

    assert lasting(lines, tmp_path, *statements) == [False, False, True, True]


def test_what_is_copied_in_outlasts_its_session_when_all_of_it_is_there(lines, tmp_path):
    def client(connection):
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write_row((2,))

    made_by(lines, tmp_path, lambda connection: connection.execute(TABLES))
    lasted = []
    made_by(lines, tmp_path, client, lambda line: lasted.append(line.lasts))

    assert lasted == [False, True]


@pytest.mark.parametrize(("asked", "lasts"), [("SELECT n FROM telling", False), ("SELECT n FROM noting", True)])
def test_a_statement_that_comes_in_pieces_is_one(lines, tmp_path, asked, lasts):
    def client(connection):
        with connection.pipeline() as pipeline:
            connection.execute("SELECT 1")
            connection.execute(asked)
            pipeline.sync()

    made_by(lines, tmp_path, lambda connection: connection.execute(TABLES))
    lasted = []
    made_by(lines, tmp_path, client, lambda line: lasted.append(line.lasts))

    assert any(lasted) is lasts


def asked_of(lines, directory, messages):
    """Return what is told of a client that sends these messages, group by group, and waits for what each ends with."""
    asked = []

    def client(connection):
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
            wire.setblocking(True)
            for group, last in messages:
                wire.sendall(b"".join(message.sent for message in group))
                received = bytearray()
                while not any(message.kind == last for message in taken(received)):
                    received += wire.recv(4096)

    made_by(lines, directory, lambda connection: connection.execute("CREATE TABLE t (n int)"))
    made_by(lines, directory, client, before=lambda told: asked.append(told.text))
    return asked


PARSED = [Message(b"P", b"\0INSERT INTO t VALUES (1)\0\0\0"), Message(b"D", b"S\0"), Message(b"H", b"")]
BOUND = [Message(b"B", b"\0\0\0\0\0\0\0\0"), Message(b"H", b"")]
EXECUTED_AT_ONCE = [BOUND[0], Message(b"E", b"\0\0\0\0\0"), Message(b"S", b"")]
EXECUTED, SYNC = [Message(b"E", b"\0\0\0\0\0"), Message(b"H", b"")], [Message(b"S", b"")]


def test_a_client_stops_where_something_is_done_and_not_where_it_asks_what_that_means(lines, tmp_path):
    messages = [(PARSED, b"n"), (SYNC, b"Z"), (BOUND, b"2"), (EXECUTED, b"C"), (SYNC, b"Z")]

    assert asked_of(lines, tmp_path, messages) == ["INSERT INTO t VALUES (1)", "sync"]
    assert made_by(lines, tmp_path, lambda connection: connection.execute("SELECT n FROM t").fetchall()) == [(1,)]


def test_what_a_client_asks_without_waiting_is_done_in_its_order(lines, tmp_path):
    both = [*PARSED[:1], *EXECUTED_AT_ONCE, *PARSED]

    assert asked_of(lines, tmp_path, [(both, b"n"), (SYNC, b"Z")]) == ["INSERT INTO t VALUES (1)", "flush", "sync"]


def test_what_is_sent_behind_a_statement_that_waits_for_another_client_waits_with_it(lines, tmp_path):
    made_by(lines, tmp_path, lambda connection: connection.execute("CREATE TABLE t (n int PRIMARY KEY)"))
    holder = lines.server.control(lines.address(0, tmp_path).dsn.rpartition("/")[2])
    holder.ask("BEGIN")
    holder.ask("INSERT INTO t VALUES (1)")
    line = lines.line(0)
    connected = []
    dsn = lines.address(0, tmp_path).dsn
    thread = threading.Thread(target=lambda: connected.append(psycopg.connect(dsn, autocommit=True)), daemon=True)
    thread.start()
    while not connected:
        line.listen((), 0.01)
    (client,) = connected
    with closing(holder), closing(client), socket.socket(fileno=os.dup(client.pgconn.socket)) as wire:
        wire.setblocking(True)
        wire.sendall(b"".join(message.sent for message in [*PARSED, *BOUND, *EXECUTED, *SYNC]))
        while not line.waiting():
            line.listen((), 0.01)
        (first,) = {one.connection for one in line.waiting()}
        assert line.answer_on(first) == "" and line.blocked() == {first}
        line.listen((), 0.01)
        assert line.waiting() == []
        holder.ask("ROLLBACK")
        while line.blocked():
            line.listen((), 0.01)
        assert [one.asked.text for one in line.waiting()] == ["sync"]
        line.answer_on(first)


def test_a_client_that_flushes_after_an_error_is_told_nothing_and_waits_for_nothing(lines, tmp_path):
    nowhere = "INSERT INTO nowhere VALUES (1)"
    wrong = [Message(b"P", f"\0{nowhere}\0\0\0".encode()), Message(b"H", b"")]

    assert asked_of(lines, tmp_path, [(wrong, b"E"), ([*BOUND, *EXECUTED, *SYNC], b"Z")]) == [nowhere, "sync"]


def test_a_long_value_that_a_library_has_written_into_a_statement_is_told_cut(lines, tmp_path):
    def client(connection):
        connection.execute("CREATE TABLE u (t text)")
        connection.execute(f"INSERT INTO u VALUES ('{'x' * 14_000}'), ('it''s')")

    asked = []
    made_by(lines, tmp_path, client, before=lambda told: asked.append(told.text))

    assert asked[1].startswith("INSERT INTO u VALUES ('xxx") and asked[1].endswith("…'), ('it''s')")
    assert len(asked[1]) < 100


@pytest.mark.parametrize("word", ["COMMIT", "COMMIT;", "commit ; "])
def test_a_commit_is_one_however_it_is_written(lines, tmp_path, word):
    asked = []

    def client(connection):
        for statement in ("BEGIN", "CREATE TABLE w (n int)", word):
            connection.execute(statement)

    made_by(lines, tmp_path, client, before=asked.append)

    assert asked[-1].writes and Spoil.DEADLOCK not in asked[-1].spoils
