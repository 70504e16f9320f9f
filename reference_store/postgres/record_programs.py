"""What is done to jobs and runs, as programs: the rows that a change can be about are locked, and it is made there.

The changes themselves are those of the file stores (``job_records``, ``run_records``): they see the locked rows as a
``Draft`` and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from reference_store.core import strict_json
from reference_store.core.signals import let_out
from reference_store.errors import NewerRecord, shown
from reference_store.postgres.statements import NUMBER, Ask, Program, Row, alone, seal, vouched
from reference_store.stores.record_index import Change, Draft, Entry, Facets, Form, Index, Operation

_ROW = "id, generation, rank, body, digest"
_MOST = 2**62
_log = logging.getLogger("reference_store")
T = TypeVar("T")


class RecordPrograms:
    """The records of one ``place``, of the kind that ``form`` says."""

    def __init__(self, place: str, form: Form) -> None:
        self.place, self._form = place, form
        self.progress: dict[str, tuple[int, float]] = {}
        """What was reported about a record of a generation, and is nowhere but here."""

    def get(self, identifier: str) -> Program[Entry | None]:
        """Return the record, None if there is none."""
        rows = yield Ask(f"SELECT {_ROW} FROM {{s}}.items WHERE place = %s AND id = %s", (self.place, identifier))
        return self._entry(rows[0]) if rows else None

    def page(self, facets: Facets, limit: int, offset: int, *, latest_first: bool = False) -> Program[list[Entry]]:
        """Return the records under ``facets`` in order, or from the end, at most ``limit`` from ``offset`` on."""
        where, values = _under(facets)
        order = "rank DESC" if latest_first else "rank"
        rows = yield Ask(
            f"SELECT {_ROW} FROM {{s}}.items WHERE place = %s AND {where} ORDER BY {order} LIMIT %s OFFSET %s",
            (self.place, *values, min(limit, _MOST), min(offset, _MOST)),
        )
        return list(map(self._entry, rows))

    def report(self, identifier: str, progress: float) -> Program[bool]:
        """Note a progress, in memory, and say whether there is such a record."""
        rows = yield Ask("SELECT generation FROM {s}.items WHERE place = %s AND id = %s", (self.place, identifier))
        if rows:
            self.progress[identifier] = rows[0][0], progress
        else:
            self.progress.pop(identifier, None)
        return bool(rows)

    def change_one(self, identifier: str, change: Change) -> Program[Any]:
        """Make a change that is about one record, whether it is there or not."""
        yield alone(self.place, identifier)
        rows = yield Ask(
            f"SELECT {_ROW} FROM {{s}}.items WHERE place = %s AND id = %s FOR UPDATE", (self.place, identifier)
        )
        return (yield from self._made(rows, change))

    def change_first(self, facets: Facets, change: Change) -> Program[Any]:
        """Make a change of the first record under ``facets`` that nobody else has locked; it may be of none.

        Those that others have locked are waited for only when there is no other. One that the change does not
        understand is passed over.
        """
        where, values = _under(facets)
        strange: list[str] = []
        while True:
            ask = (
                f"SELECT {_ROW} FROM {{s}}.items WHERE place = %s AND {where} AND NOT id = ANY(%s)"
                " ORDER BY rank LIMIT 1 FOR UPDATE"
            )
            given = (self.place, *values, strange)
            rows = yield Ask(f"{ask} SKIP LOCKED", given)
            if not rows:
                rows = yield Ask(ask, given)
            draft = self._draft(rows)
            result = change(draft)
            if draft.operations or not rows:
                yield from self._written(draft.operations, rows)
                return result
            strange.append(rows[0][0])

    def change_all(self, one: Sequence[str], change: Change) -> Program[Any]:
        """Make a change of the records of which the first facet is one of these."""
        rows = yield Ask(
            f"SELECT {_ROW} FROM {{s}}.items WHERE place = %s AND one = ANY(%s) ORDER BY id FOR UPDATE",
            (self.place, list(one)),
        )
        return (yield from self._made(rows, change))

    def _made(self, rows: list[Row], change: Change) -> Program[Any]:
        draft = self._draft(rows)
        result = change(draft)
        yield from self._written(draft.operations, rows)
        return result

    def _draft(self, rows: list[Row]) -> Draft:
        index = Index(self._form)
        for row in rows:
            index.put(row[0], self._entry(row))
        return Draft(index, self._form)

    def _written(self, operations: Sequence[Operation], rows: list[Row]) -> Program[None]:
        ranks = {row[0]: row[2] for row in rows}
        for made in operations:
            if made.entry is None:
                yield Ask("DELETE FROM {s}.items WHERE place = %s AND id = %s", (self.place, made.identifier))
                continue
            [(number,)] = yield Ask(f"SELECT {NUMBER}")
            rank = number if self._form.latest_last else ranks.get(made.identifier, number)
            one, other = self._form.facets(made.entry.content) or (None, None)
            digest = seal("item", self.place, f"{made.identifier}\n{rank} {one} {other}", number, made.entry.text)
            yield Ask(
                "INSERT INTO {s}.items (place, id, generation, rank, one, other, body, digest)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (place, id) DO UPDATE SET"
                " generation = EXCLUDED.generation, rank = EXCLUDED.rank, one = EXCLUDED.one, other = EXCLUDED.other,"
                " body = EXCLUDED.body, digest = EXCLUDED.digest",
                (self.place, made.identifier, number, rank, one, other, made.entry.text, digest),
            )

    def _entry(self, row: Row) -> Entry:
        identifier, generation, rank, body, digest = row
        text = vouched_item(self.place, self._form, identifier, generation, rank, body, digest)
        entry = Entry(strict_json.copy_of(text), text)
        known = self.progress.get(identifier)
        if known is not None and known[0] == generation:
            entry.progress = known[1]
        return entry


def vouched_item(place: str, form: Form, identifier: str, generation: int, rank: int, body: str, digest: str) -> str:
    """Return the text of a record if its seal vouches for it; raises CorruptData."""
    try:
        content = strict_json.copy_of(body)
    except (ValueError, RecursionError) as error:  # whatever it is, no seal of ours is about it
        let_out(error)
        content = None
    one, other = (form.facets(content) if isinstance(content, dict) else None) or (None, None)
    return vouched("item", place, f"{identifier}\n{rank} {one} {other}", generation, body, digest)


def _under(facets: Facets) -> tuple[str, tuple[str, ...]]:
    given = [(name, value) for name, value in zip(("one", "other"), facets, strict=True) if value is not None]
    return " AND ".join(["one IS NOT NULL", *(f"{name} = %s" for name, _ in given)]), tuple(v for _, v in given)


def understood(entries: Sequence[Entry], record_of: Callable[[Entry], T]) -> list[T]:
    """Return the records; one that a newer version has written is passed over, and the log says so."""
    found = []
    for entry in entries:
        try:
            found.append(record_of(entry))
        except NewerRecord as newer:
            _log.warning("%s is not listed: %s", shown(newer.identifier), newer.reason)
    return found
