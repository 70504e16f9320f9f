"""Which statements have done what is still there when their client dies: the server is asked, not the words."""

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from tests.network.clients_of_postgres import lines, made_by

__all__ = ["lines"]
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")

TABLES = """
CREATE TABLE t (n int);
INSERT INTO t VALUES (0);
CREATE SEQUENCE numbers;
CREATE FUNCTION noted() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO t VALUES (1) RETURNING n';
CREATE FUNCTION told() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';
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
