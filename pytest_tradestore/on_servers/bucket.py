"""That in a bucket."""

from pytest_tradestore.backends import Address, Bucket
from pytest_tradestore.on_servers import RETRIES, OnServer
from reference_store.bucket import BucketDocumentStore


def _opened(address: Address) -> BucketDocumentStore:
    options = {
        "endpoint": address.endpoint,
        "access_key_id": "anybody",
        "secret_access_key": "anything",
        "region": "here",
        "virtual_hosted_style_request": "false",
        "allow_http": "true",
    }
    return BucketDocumentStore(f"s3://{address.bucket}/trading", storage_options=options, retry_for=RETRIES)


documents = OnServer(_opened, Bucket(), tradestore_claims=("processes", "checksums"))
