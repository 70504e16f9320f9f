"""Does a bucket keep the conditions on which commits rest? Asked once, when a table in it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from reference_store.errors import InvalidRecord


def keeps_conditions(uri: str, name: str, options: Mapping[str, str] | None) -> None:
    """Raise InvalidRecord for a bucket that makes an object which is there already; StorageFailure if it is silent.

    A local path needs no look. Without obstore none is possible, which is told.
    """
    if not urlsplit(uri).netloc:
        return
    try:
        from reference_store.bucket.objects import Bucket, split_options
    except ImportError as missing:
        raise InvalidRecord(
            "place",
            "is a bucket, and obstore, which looks whether it keeps conditions, is not installed: "
            "pip install 'pytest-tradestore[lake]', or open it with probe=False",
        ) from missing
    Bucket(uri, name, *split_options(options)).probe("place")
