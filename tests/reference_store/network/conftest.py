import itertools

import pytest

from tests.reference_store.bucket_server import Bucket, BucketServer
from tests.reference_store.network import buckets_on_loopback
from tests.reference_store.network.servers import Server

_schemas = (f"s{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def server():
    """One PostgreSQL for all tests that do it no harm."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def mortal():
    """One that the test may kill."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def schema():
    return next(_schemas)


@pytest.fixture
def database(server, schema):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
    from reference_store.postgres import Database

    with Database(server.conninfo, schema=schema) as database:
        yield database


@pytest.fixture
def bucket_server():
    with BucketServer(Bucket()) as server:
        yield server


@pytest.fixture
def bucket():
    """URL and options of a bucket on the suite's own server, in a process of its own."""
    with buckets_on_loopback.served_apart() as options:
        yield "s3://market/bars", options


@pytest.fixture
def moto():
    """The same on moto."""
    with buckets_on_loopback.moto("market") as options:
        yield "s3://market/bars", options


@pytest.fixture
def careless_bucket():
    """One that ignores conditions, as some test doubles do."""
    with BucketServer(Bucket(conditions=False)) as server:
        yield "s3://market/bars", buckets_on_loopback.options_for(server.url)
