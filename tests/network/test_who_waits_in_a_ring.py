"""Clients of PostgreSQL that wait for each other: one of them is ended by the server, and no clock decides that."""

import socket
from contextlib import closing
from threading import Thread

import pytest

from pytest_tradestore.backends.lines import BLOCKED
from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, psycopg

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


class Client:
    """A client in a thread that takes these locks in one transaction, one after the other."""

    def __init__(self, lines, number, directory, locks):
        self.line, self.told, self._locks = lines.line(number), [], locks
        self._dsn = lines.address(number, directory).dsn
        self.link, self._theirs = socket.socketpair()
        Thread(target=self._work, daemon=True).start()

    def _work(self):
        with closing(psycopg.connect(self._dsn, autocommit=True)) as connection, self._theirs:
            try:
                # The server looks for rings only then: who does not wait for it finds none yet.
                connection.execute("BEGIN; SET LOCAL deadlock_timeout = 300")
                for lock in self._locks:
                    connection.execute(f"SELECT pg_advisory_xact_lock({lock})")
                    self.told.append(lock)
                connection.execute("COMMIT")
            except psycopg.Error as error:
                self.told.append(error.sqlstate)

    def goes_on(self, statements=1):
        """Let so many statements be done; say whether the last one waits for somebody else."""
        for _ in range(statements):
            self.line.wait(self.link)
            self.line.answer()
        return self.line.wait(self.link) is BLOCKED

    def leaves(self):
        """Let whatever it still asks for be done."""
        while self.line.wait(self.link) is not None:
            self.line.answer()
        self.link.close()


def test_two_that_wait_for_each_other_are_let_go_by_the_server(lines, tmp_path):
    first, second = Client(lines, 0, tmp_path, (1, 2)), Client(lines, 1, tmp_path, (2, 1))
    first.goes_on(2)
    second.goes_on(2)

    assert first.goes_on()
    second.goes_on()
    assert first.line.let_go(0.0)
    assert second.line.let_go(0.0)
    first.leaves()
    second.leaves()
    assert sorted((first.told[-1], second.told[-1]), key=str) in ([1, "40P01"], [2, "40P01"])


def test_control_who_waits_for_one_that_does_nothing_is_not(lines, tmp_path):
    first, second = Client(lines, 0, tmp_path, (1,)), Client(lines, 1, tmp_path, (1,))
    first.goes_on(2)

    assert second.goes_on(2)
    assert not second.line.let_go(0.0)
    first.goes_on()
    assert second.line.let_go(0.0)
    first.leaves()
    second.leaves()
