"""The stores on PostgreSQL, for more than one machine: the methods, records and errors of the file stores.

    with Database("postgresql://trader@db.example/trading") as database:
        store = PostgresDocumentStore(database)
        store.put("BTC/USDT", {"amount": 0.01})

One schema of a database stands for one directory of files. Every call is a transaction of its own, unless it is made
inside ``database.transaction()``. Needs the extra ``postgres``.
"""

try:
    import psycopg as _psycopg  # noqa: F401 - asked for here, so that what is missing is told once and in one sentence
    import psycopg_pool as _psycopg_pool  # noqa: F401 - as above
except ImportError as _missing:
    raise ImportError(
        "reference_store.postgres needs psycopg and its pool: pip install 'pytest-tradestore[postgres]'"
    ) from _missing

from reference_store.postgres.aio_data_store import AsyncPostgresDataStore
from reference_store.postgres.aio_database import AsyncDatabase
from reference_store.postgres.aio_journal import AsyncPostgresJournalStore
from reference_store.postgres.aio_record_stores import AsyncPostgresJobStore, AsyncPostgresRunStore
from reference_store.postgres.aio_stores import AsyncPostgresDocumentStore, AsyncPostgresSingleDocumentStore
from reference_store.postgres.data_store import PostgresDataStore
from reference_store.postgres.database import Database
from reference_store.postgres.failures import DatabaseFailure, UnsafeServer
from reference_store.postgres.journal import PostgresJournalStore
from reference_store.postgres.record_stores import PostgresJobStore, PostgresRunStore
from reference_store.postgres.stores import PostgresDocumentStore, PostgresSingleDocumentStore

__all__ = [
    "AsyncDatabase",
    "AsyncPostgresDataStore",
    "AsyncPostgresDocumentStore",
    "AsyncPostgresJobStore",
    "AsyncPostgresJournalStore",
    "AsyncPostgresRunStore",
    "AsyncPostgresSingleDocumentStore",
    "Database",
    "DatabaseFailure",
    "PostgresDataStore",
    "PostgresDocumentStore",
    "PostgresJobStore",
    "PostgresJournalStore",
    "PostgresRunStore",
    "PostgresSingleDocumentStore",
    "UnsafeServer",
]
