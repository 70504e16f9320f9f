"""The bundled stores whose data is on PostgreSQL, opened on the schema that a run gives them."""

from collections.abc import Callable
from typing import Any

from pytest_tradestore.backends import Address, Postgres
from pytest_tradestore.on_servers import RETRIES, OnServer
from reference_store import postgres as stores


class _OnDatabase:
    """Gives a store its database, and closes both."""

    def __init__(self, make: Callable[[stores.Database], Any], address: Address) -> None:
        self._database = stores.Database(address.dsn, retry_for=RETRIES, max_size=4)
        self._store = make(self._database)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_store"], name)

    def close(self) -> None:
        self._store.close()
        self._database.close()


class _OnAsyncDatabase:
    """The same for an event loop."""

    def __init__(self, make: Callable[[stores.AsyncDatabase], Any], address: Address) -> None:
        self._database = stores.AsyncDatabase(address.dsn, retry_for=RETRIES, max_size=4)
        self._store = make(self._database)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_store"], name)

    async def aclose(self) -> None:
        await self._store.aclose()
        await self._database.aclose()


def _opened(make: Callable[[stores.Database], Any]) -> OnServer:
    return OnServer(
        lambda address: _OnDatabase(make, address), Postgres(), tradestore_claims=("processes", "checksums")
    )


def _awaited(make: Callable[[stores.AsyncDatabase], Any]) -> OnServer:
    return OnServer(
        lambda address: _OnAsyncDatabase(make, address), Postgres(), tradestore_claims=("processes", "checksums")
    )


document = _opened(stores.PostgresSingleDocumentStore)
documents = _opened(stores.PostgresDocumentStore)
journal = _opened(stores.PostgresJournalStore)
jobs = _opened(stores.PostgresJobStore)
runs = _opened(stores.PostgresRunStore)
data = _opened(stores.PostgresDataStore)
document_async = _awaited(stores.AsyncPostgresSingleDocumentStore)
documents_async = _awaited(stores.AsyncPostgresDocumentStore)
journal_async = _awaited(stores.AsyncPostgresJournalStore)
jobs_async = _awaited(stores.AsyncPostgresJobStore)
runs_async = _awaited(stores.AsyncPostgresRunStore)
data_async = _awaited(stores.AsyncPostgresDataStore)
