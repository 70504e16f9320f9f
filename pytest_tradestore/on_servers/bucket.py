"""The bundled stores whose data is in a bucket, opened on the bucket that a run gives them."""

from typing import TypeVar

from pytest_tradestore.backends import Address, Bucket
from pytest_tradestore.on_servers import RETRIES, OnServer
from reference_store.bucket import AsyncBucketDocumentStore, BucketDocumentStore

S = TypeVar("S", BucketDocumentStore, AsyncBucketDocumentStore)


def _opened(store: type[S], address: Address) -> S:
    options = {
        "endpoint": address.endpoint,
        "access_key_id": "anybody",
        "secret_access_key": "anything",
        "region": "here",
        "virtual_hosted_style_request": "false",
        "allow_http": "true",
    }
    return store(f"s3://{address.bucket}/trading", storage_options=options, retry_for=RETRIES)


_CLAIMS = ("processes", "checksums")
documents = OnServer(lambda address: _opened(BucketDocumentStore, address), Bucket(), tradestore_claims=_CLAIMS)
documents_async = OnServer(
    lambda address: _opened(AsyncBucketDocumentStore, address), Bucket(), tradestore_claims=_CLAIMS
)
