"""What a place is called, and the part of a kind that is there: files, PostgreSQL, a Delta table, a bucket.

``DIRECTORY`` is a root of files; ``postgresql://...`` a database, with ``#schema`` behind it if it is another one than
``tradestore``; ``delta:PATH`` or ``delta:s3://...`` a table of bars; ``s3://...``, ``gs://...`` or ``az://...``
documents in a bucket, and for bars a table there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from reference_store.core import integrity
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.operations.inspection import opened
from reference_store.operations.moving import Part
from reference_store.operations.moving_parts import Bars, Documents, Logs, Records
from reference_store.stores.journal import JournalStore
from reference_store.stores.record_index import Draft, Entry, entry_of_checked

KINDS = ("documents", "journal", "jobs", "runs", "state", "fundamentals", "events", "decisions", "orders", "bars")
_LOGS = {"journal": "", "events": "events", "decisions": "audit/decisions", "orders": "audit/orders"}
_ALL = 2**62


def part_of(place: str, kind: str, *, there: bool) -> Part:
    """Return the part of a kind at a place, which has to be ``there`` or is made.

    Raises InvalidRecord for a place that does not keep this kind, ImportError for one whose extra is missing, and what
    the stores raise.
    """
    if kind not in KINDS:
        raise InvalidRecord("kind", f"is none of {', '.join(KINDS)}")
    scheme, colon, rest = place.partition(":")
    if scheme in ("postgresql", "postgres") and colon:
        return _in_postgres(place, kind)
    if kind == "bars" and colon and (scheme == "delta" or rest.startswith("//")):
        from reference_store.lake import LakeBarStore

        lake = LakeBarStore(rest if scheme == "delta" else place)
        return Bars(lake, lake.close)
    if colon and rest.startswith("//"):
        if kind not in ("documents", "state"):
            raise InvalidRecord("kind", "is not kept in buckets: these keep documents and state, and bars")
        from reference_store.bucket import BucketDocumentStore

        bucket = BucketDocumentStore(place)
        return Documents(bucket, bucket.close)
    if scheme == "delta" and colon:
        raise InvalidRecord("kind", "is not kept in a Delta table: that keeps bars")
    return _in_files(place, kind, there=there)


def _in_files(root: str, kind: str, *, there: bool) -> Part:
    from reference_store.stores.data_store import FileDataStore
    from reference_store.stores.documents import DocumentStore

    if there:
        opened(root)  # nothing is made where somebody has mistyped
    if kind == "documents":
        documents = DocumentStore(root)
        return Documents(documents, documents.close)
    if kind == "journal":
        return _file_logs(JournalStore(root), lambda: None)
    if kind in ("jobs", "runs"):
        return _file_records(root, kind)
    data = FileDataStore(root)
    if kind == "bars":
        return Bars(data, data.close)
    if kind == "state":
        return Documents(
            _Methods(keys=data.strategies, get=data.load_strategy_state, put=data.save_strategy_state), data.close
        )
    if kind == "fundamentals":
        return _fundamentals(
            lambda: data._fundamentals.keys("copy"),
            partial(data._fundamentals.versions, "copy"),
            data.write_fundamental,
            data.close,
        )
    logs = {"events": data._events.journal, "decisions": data._decisions, "orders": data._orders}
    return _file_logs(logs[kind], data.close)


def _file_logs(journal: JournalStore, close: Callable[[], None]) -> Part:
    def append(stream: str, records: list[Document]) -> None:
        for ticket in journal.append_all(stream, [journal.checked(stream, record) for record in records]):
            if ticket.error is not None:
                raise ticket.error

    def let_go() -> None:
        journal.close()
        close()

    return Logs(journal, append, let_go)


def _file_records(root: str, kind: str) -> Part:
    from reference_store.stores import job_records, run_records
    from reference_store.stores.record_file import RecordFile

    form = job_records.FORM if kind == "jobs" else run_records.FORM
    file = RecordFile(root, form, 10.0, job_records.utc_now)
    return _records(
        form.id_name,
        lambda: file.read("copy", lambda index: list(index.entries.values())),
        lambda name: file.read("copy", lambda index: index.entries.get(name)),
        lambda _, change: file.commit(change),
        file.close,
    )


def _in_postgres(place: str, kind: str) -> Part:
    from reference_store.postgres import Database, PostgresDataStore, PostgresDocumentStore, PostgresJournalStore
    from reference_store.postgres.log_programs import Timed
    from reference_store.postgres.record_programs import RecordPrograms
    from reference_store.stores import job_records, run_records
    from reference_store.stores.event_times import instant, time_in

    if kind == "bars":
        raise InvalidRecord("kind", "is not kept in a database: copy bars to delta:PATH or a bucket")
    url, _, schema = place.partition("#")
    database = Database(url, schema=schema or "tradestore")
    if kind in ("documents", "state"):
        return Documents(PostgresDocumentStore(database, place=kind), database.close)
    if kind in ("jobs", "runs"):
        form = job_records.FORM if kind == "jobs" else run_records.FORM
        programs = RecordPrograms(kind, form)
        return _records(
            form.id_name,
            lambda: database.read("copy", kind, lambda: programs.page((None, None), _ALL, 0)),
            lambda name: database.read("copy", name, lambda: programs.get(name)),
            lambda name, change: database.write("copy", name, lambda: programs.change_one(name, change)),
            database.close,
        )
    if kind == "fundamentals":
        data = PostgresDataStore(database)
        logs = PostgresJournalStore(database, place=kind)
        return _fundamentals(logs.streams, data.fundamental_versions, data.write_fundamental, database.close)
    journal = PostgresJournalStore(database, place=_LOGS[kind] or kind)

    def append(stream: str, records: list[Document]) -> None:
        if kind != "events":
            journal.append_all(stream, records)
            return
        for record in records:
            moment = time_in(record)
            if moment is None:
                raise InvalidRecord("timestamp", "is none")
            journal.append(stream, record, Timed(instant(moment), str(record.get("type"))))

    return Logs(journal, append, database.close)


def _records(
    id_name: str,
    listed: Callable[[], list[Entry]],
    found: Callable[[str], Entry | None],
    commit: Callable[[str, Callable[[Draft], None]], object],
    close: Callable[[], None],
) -> Part:
    def put(name: str, record: Document) -> None:
        entry = entry_of_checked(integrity.encode_record(record).content)
        commit(name, lambda draft: draft.put(name, entry))

    def get(name: str) -> Document | None:
        entry = found(name)
        return None if entry is None else entry.copy()

    return Records(id_name, lambda: [entry.copy() for entry in listed()], get, put, close)


def _fundamentals(
    symbols: Callable[[], list[str]],
    versions: Callable[[str], list[Document]],
    write: Callable[[str, Any], None],
    close: Callable[[], None],
) -> Part:
    from reference_store.core.records import from_json
    from reference_store.models import FundamentalData

    def entries(symbol: str) -> Iterator[Any]:
        return (_Methods(record=version) for version in versions(symbol))

    def append(symbol: str, records: list[Document]) -> None:
        for record in records:
            write(symbol, from_json(FundamentalData, record, symbol, symbol))

    return Logs(_Methods(streams=symbols, entries=entries), append, close)


class _Methods:
    """A store made of functions that are called otherwise elsewhere."""

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods)
