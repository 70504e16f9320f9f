"""Documents in a bucket, by conditional puts, for those who have several machines and no server.

    store = BucketDocumentStore("s3://trading/state")
    store.update("positions", lambda found: {**(found or {}), "BTC": 1})

Needs the extra ``cloud``. What it cannot do stands at the store.
"""

try:
    import obstore as _obstore  # noqa: F401 - asked for here, so that what is missing is told once, in one sentence
except ImportError as _missing:
    raise ImportError("reference_store.bucket needs obstore: pip install 'pytest-tradestore[cloud]'") from _missing

from reference_store.bucket.aio import AsyncBucketDocumentStore
from reference_store.bucket.documents import BucketDocumentStore

__all__ = ["AsyncBucketDocumentStore", "BucketDocumentStore"]
