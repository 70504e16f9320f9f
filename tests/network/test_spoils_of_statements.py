"""What can befall a statement: a serialisation failure only where the isolation level of its transaction has one."""

import socket
import threading
from contextlib import closing

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
