"""The bundled stores whose data is on a server, as the suite opens them: with waits that are short.

They need the extras of ``reference_store`` that they are of; what is missing is told when one is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.backends import Address, Backend, Bucket, Postgres
from reference_store.errors import StoreError

_RETRIES = 5.0
"""Seconds for which a store tries again: a fault of the suite is over after three requests."""


@dataclass(frozen=True)
class OnServer:
    """A store that opens by an address; what it declares are attributes, as of any target."""

    opening: Callable[[Address], Any]
    tradestore_backend: Backend
    tradestore_errors: tuple[type[Exception], ...] = (StoreError,)
    tradestore_claims: tuple[str, ...] = ("processes", "checksums")

    def __call__(self, address: Address) -> Any:
        return self.opening(address)


class _OnDatabase:
    """Gives a store its database, and closes both."""

    def __init__(self, name: str, address: Address) -> None:
        import reference_store.postgres as stores

        self._database = stores.Database(address.dsn, retry_for=_RETRIES, max_size=4)
        self._store = getattr(stores, name)(self._database)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_store"], name)

    def close(self) -> None:
        self._store.close()
        self._database.close()


def _on_postgres(name: str) -> OnServer:
    return OnServer(lambda address: _OnDatabase(name, address), Postgres(), tradestore_claims=("processes",))


postgres_document = _on_postgres("PostgresSingleDocumentStore")
postgres_documents = _on_postgres("PostgresDocumentStore")
postgres_journal = _on_postgres("PostgresJournalStore")
postgres_jobs = _on_postgres("PostgresJobStore")
postgres_runs = _on_postgres("PostgresRunStore")
postgres_data = _on_postgres("PostgresDataStore")


def _documents_in_a_bucket(address: Address) -> Any:
    from reference_store.bucket import BucketDocumentStore

    options = {
        "endpoint": address.endpoint,
        "access_key_id": "anybody",
        "secret_access_key": "anything",
        "region": "here",
        "virtual_hosted_style_request": "false",
        "allow_http": "true",
    }
    return BucketDocumentStore(f"s3://{address.bucket}/trading", storage_options=options, retry_for=_RETRIES)


bucket_documents = OnServer(_documents_in_a_bucket, Bucket())
