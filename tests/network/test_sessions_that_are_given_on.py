"""A session of PostgreSQL whose client has left is the next one's, as good as new; one whose client died ends."""

import os
import socket

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, made_by

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


def leaves(connection):
    connection.execute("SET lock_timeout = 77")
    connection.execute("CREATE TEMP TABLE mine (n int)")
    connection.execute("PREPARE one AS SELECT 1")
    connection.execute("SELECT pg_advisory_lock(1)")
    connection.execute("BEGIN")
    pid = connection.info.backend_pid
    connection.close()
    return pid


def pings(connection):
    pid = connection.info.backend_pid
    connection.close()
    return pid


def dies(connection):
    pid = connection.info.backend_pid
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)  # without a word, as the kernel ends it
    connection.close()
    return pid


def looks(connection):
    with connection:
        return connection.execute("SELECT count(*) FROM pg_stat_activity").fetchone()


def finds(connection):
    with connection:
        asked = (
            "SHOW lock_timeout",
            "SELECT to_regclass('pg_temp.mine')",
            "SELECT count(*) FROM pg_prepared_statements",
            "SELECT pg_try_advisory_lock(1)",
        )
        return connection.info.backend_pid, [connection.execute(statement).fetchone()[0] for statement in asked]


AS_NEW = ["0", None, 0, True]


def test_a_client_gets_the_session_of_one_that_has_left_and_sees_nothing_of_it(lines, tmp_path):
    before = made_by(lines, tmp_path, leaves)

    assert made_by(lines, tmp_path, finds) == (before, AS_NEW)


def test_control_the_session_of_one_that_died_ends_with_it(lines, tmp_path):
    before = made_by(lines, tmp_path, dies)
    pid, found = made_by(lines, tmp_path, finds)

    assert pid != before
    assert found == AS_NEW


def test_a_session_of_which_nobody_has_heard_what_it_promises_is_not_given_on(lines, tmp_path):
    before = made_by(lines, tmp_path, pings)
    pid, found = made_by(lines, tmp_path, finds)

    assert pid != before
    assert found == AS_NEW


def test_control_who_could_tell_a_session_that_was_used_gets_a_new_one(lines, tmp_path):
    before = made_by(lines, tmp_path, leaves)
    made_by(lines, tmp_path, looks)
    pid, found = made_by(lines, tmp_path, finds)

    assert pid != before
    assert found == AS_NEW


def test_a_session_that_the_server_has_ended_meanwhile_is_nobodys(lines, tmp_path):
    before = made_by(lines, tmp_path, leaves)
    lines.wait_for_end_of(before)
    pid, found = made_by(lines, tmp_path, finds)

    assert pid != before
    assert found == AS_NEW
