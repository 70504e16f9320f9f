"""A statement of PostgreSQL that its client asks the server to give up, before it is let through."""

import threading
from contextlib import closing

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, psycopg

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


def told_when_cancelled(lines, directory, statement):
    """Return what the server says to a statement that is cancelled while it waits, and to the next one."""
    line, dsn, told, connections = lines.line(0), lines.address(0, directory).dsn, [], []

    def work():
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            connections.append(connection)
            connection.execute("BEGIN")
            for one in (statement, "SELECT 1"):
                try:
                    connection.execute(one)
                    told.append("done")
                except psycopg.Error as error:
                    told.append(error.sqlstate)
                    connection.execute("ROLLBACK")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        line.listen([], 0.01)
        for waiting in line.waiting():
            if waiting.asked.text == statement:
                cancelling = threading.Thread(target=connections[0].cancel_safe, daemon=True)
                cancelling.start()
                while cancelling.is_alive():
                    line.listen([], 0.01)
            line.answer_on(waiting.connection)
    line.cut()
    return told


def test_a_statement_is_given_up_and_the_next_one_is_not(lines, tmp_path):
    assert told_when_cancelled(lines, tmp_path, "SELECT 2") == ["57014", "done"]


def test_a_commit_is_done_all_the_same_and_no_other_statement_is_given_up_for_it(lines, tmp_path):
    assert told_when_cancelled(lines, tmp_path, "COMMIT") == ["done", "done"]
