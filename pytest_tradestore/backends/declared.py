"""What a store that keeps its data on a server says of it, and what it is told when it is opened. Facts only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is to be opened: what its target is called with in place of a directory.

    Two addresses of one place differ in the port where several callers are let run one request at a time: each has
    one of its own.
    """

    directory: Path
    """An empty directory of this execution, for what a store keeps on disk besides: a cache, say."""
    endpoint: str = ""
    """The URL of a bucket server, ``http://127.0.0.1:PORT``; requests are path-style, and any credentials will do."""
    bucket: str = ""
    """The name of the bucket, which exists and is empty at first."""
    dsn: str = ""
    """What ``psycopg.connect`` takes: ``postgresql://USER@127.0.0.1:PORT/DATABASE``, a database that is empty at
    first."""

    @property
    def port(self) -> int:
        """The port of the server on 127.0.0.1."""
        return urlsplit(self.endpoint or self.dsn).port or 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as S3 and the XML interface of Google Cloud Storage have it, served by the suite on loopback.

    Conditions (``If-Match``, ``If-None-Match``, ``x-goog-if-generation-match``) hold as they do there: each request is
    done whole and by itself, and what was answered is seen by all who ask later.
    """

    kind: Literal["bucket"] = field(default="bucket", init=False)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server of this machine's own version, started by the suite on loopback.

    The suite needs ``initdb`` and ``postgres``: on the path, or where Debian puts them. It runs with
    ``fsync`` and ``synchronous_commit`` on, as one does that keeps what it confirms, and is never crashed.
    """

    kind: Literal["postgres"] = field(default="postgres", init=False)


Backend = Bucket | Postgres
"""What ``StoreUnderTest(backend=...)`` and ``tradestore_backend`` take."""
