"""The tables of a schema, and how those of an older version become so: forward only, one after the other.

Opening a database does it, in one transaction under a lock, so that of several programs that open it at the same time
one does. What a newer version has made is refused.
"""

from __future__ import annotations

import logging

from reference_store.errors import NewerRecord
from reference_store.postgres.failures import UnsafeServer
from reference_store.postgres.statements import Ask, Program, alone

_NAMES = 'text COLLATE "C" NOT NULL'
_ROW = "body text NOT NULL, digest text NOT NULL"

VERSIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE SEQUENCE {s}.numbers",
        "CREATE TABLE {s}.done (nonce uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
        f"CREATE TABLE {{s}}.documents (place {_NAMES}, key {_NAMES}, generation bigint NOT NULL, {_ROW},"
        " PRIMARY KEY (place, key))",
        f"CREATE TABLE {{s}}.kept (place {_NAMES}, key {_NAMES}, generation bigint NOT NULL, {_ROW},"
        " reason text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
        f"CREATE TABLE {{s}}.logs (place {_NAMES}, stream {_NAMES}, last bigint NOT NULL, PRIMARY KEY (place, stream))",
        f"CREATE TABLE {{s}}.records (place {_NAMES}, stream {_NAMES}, number bigint NOT NULL, moment bigint,"
        f" kind text, {_ROW}, PRIMARY KEY (place, stream, number))",
        "CREATE INDEX records_by_time ON {s}.records (place, moment) WHERE moment IS NOT NULL",
        "CREATE INDEX records_of_one_by_time ON {s}.records (place, stream, moment, number) WHERE moment IS NOT NULL",
        f"CREATE TABLE {{s}}.items (place {_NAMES}, id {_NAMES}, generation bigint NOT NULL, rank bigint NOT NULL,"
        f" one text, other text, {_ROW}, PRIMARY KEY (place, id))",
        "CREATE INDEX items_in_order ON {s}.items (place, rank) WHERE one IS NOT NULL",
        "CREATE INDEX items_by_one ON {s}.items (place, one, rank) WHERE one IS NOT NULL",
        "CREATE INDEX items_by_other ON {s}.items (place, other, rank) WHERE one IS NOT NULL",
    ),
)
"""What makes each version of the one before."""

_FIRST = (
    "CREATE SCHEMA IF NOT EXISTS {s}",
    "CREATE TABLE {s}.version (number int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
)
_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")
_log = logging.getLogger("reference_store")


def prepare(schema: str, durability: str) -> Program[None]:
    """Look whether the server keeps what it acknowledges, and bring the tables up to this version.

    Raises UnsafeServer, unless ``durability`` is ``warn`` or ``ignore``, and NewerRecord.
    """
    if durability != "ignore":
        [values] = yield Ask(f"SELECT {', '.join(f'current_setting({setting!r})' for setting in _SETTINGS)}")
        for setting, value in zip(_SETTINGS, values, strict=True):
            if value == "off":
                unsafe = UnsafeServer(setting, value)
                if durability == "require":
                    raise unsafe
                _log.warning("%s", unsafe)
    yield alone("", "tables")
    [(there,)] = yield Ask("SELECT to_regclass('{s}.version') IS NOT NULL")
    version = 0
    if there:
        [(version,)] = yield Ask("SELECT max(number) FROM {s}.version")
    if version > len(VERSIONS):
        raise NewerRecord(schema, "version", f"its tables are of version {version}, {len(VERSIONS)} is known here")
    for number, statements in enumerate(VERSIONS[version:], version + 1):
        made = f"INSERT INTO {{s}}.version (number) VALUES ({number})"
        # Several in one message: each of its own would be waited for, and nothing comes back of any.
        yield Ask("; ".join((*(() if number > 1 else _FIRST), *statements, made)))


FORGET = Ask("DELETE FROM {s}.done WHERE at < now() - interval '1 day'")
"""Nobody asks for a nonce that long after: attempts end within an hour."""
