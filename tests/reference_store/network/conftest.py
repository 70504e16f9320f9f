import itertools

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")

from tests.reference_store.network.servers import Server

_schemas = (f"s{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One PostgreSQL for all tests that do it no harm."""
    server = Server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture
def mortal(tmp_path):
    """One that the test may kill."""
    server = Server(tmp_path / "postgres")
    yield server
    server.stop()


@pytest.fixture
def schema():
    return next(_schemas)


@pytest.fixture
def database(server, schema):
    from reference_store.postgres import Database

    with Database(server.conninfo, schema=schema) as database:
        yield database
