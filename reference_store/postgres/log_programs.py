"""What is done to logs, as programs: records are numbered without a gap, in the order of their transactions.

The row of a log counts its records. An append adds to it first, and so waits for all appends to this log that are under
way: a record that shows never shows without all before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_store.core import integrity, keys, strict_json
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, InvalidRecord, UnserialisableValue
from reference_store.operations.log_retention import ended
from reference_store.postgres.statements import Ask, Program, alone, seal, vouched
from reference_store.stores.journal import LONGEST
from reference_store.stores.journal_lines import Entry

AT_ONCE = 1000
"""Records that are in memory at a time."""
NOT_THERE = -(2**62)
"""The moment of a record that only tells of what kind a stream is."""
_COUNTED = "RETURNING last"


@dataclass(frozen=True, slots=True)
class Timed:
    """What a record is found by besides its number: microseconds since 1970, and its kind."""

    moment: int
    kind: str


@dataclass(frozen=True, slots=True)
class Part:
    """Some records of a log that had ``last`` ones then; no log is a log of none."""

    last: int
    entries: list[Entry]


Admit = Callable[[str, list[str]], None]
"""Asked with a new stream and all that there are, before it begins; raises if it must not."""


class LogPrograms:
    """The logs of one ``place``."""

    def __init__(self, place: str, admit: Admit | None = None) -> None:
        self.place, self._admit = place, admit

    def checked(self, stream: str, record: object) -> Encoded:
        """Return ``record`` as it will be appended; raises InvalidIdentifier and UnserialisableValue."""
        keys.encode(stream)
        encoded = integrity.encode_record(record)
        if len(encoded.canonical) > LONGEST // 4 and (size := len(encoded.canonical.encode())) > LONGEST:
            raise UnserialisableValue(f"a record of {size} bytes, {LONGEST} is the limit")
        return encoded

    def append(self, stream: str, records: Sequence[Encoded], timed: Timed | None = None) -> Program[int]:
        """Add records that were checked; return the number of the last one."""
        last = yield from self._counted(stream, len(records))
        moment, kind = (None, None) if timed is None else (timed.moment, timed.kind)
        for number, record in enumerate(records, last - len(records) + 1):
            digest = self._seal(stream, number, moment, kind, record.canonical)
            yield Ask(
                "INSERT INTO {s}.records (place, stream, number, moment, kind, body, digest)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (self.place, stream, number, moment, kind, record.canonical, digest),
            )
        return last

    def _counted(self, stream: str, more: int) -> Program[int]:
        rows = yield Ask(
            f"UPDATE {{s}}.logs SET last = last + %s WHERE place = %s AND stream = %s {_COUNTED}",
            (more, self.place, stream),
        )
        if not rows:
            yield alone(self.place, "")  # of several that begin a stream, one asks at a time
            if self._admit is not None:
                self._admit(stream, (yield from self.streams()))
            rows = yield Ask(
                "INSERT INTO {s}.logs (place, stream, last) VALUES (%s, %s, %s)"
                f" ON CONFLICT (place, stream) DO UPDATE SET last = logs.last + EXCLUDED.last {_COUNTED}",
                (self.place, stream, more),
            )
        last: int = rows[0][0]
        return last

    def part(self, stream: str, since: int, limit: int) -> Program[Part | None]:
        """Return records behind number ``since``, at most ``limit``; None if there is no such log.

        Raises CorruptData for a record that is missing or not what was appended.
        """
        rows = yield Ask(
            "SELECT l.last, r.number, r.moment, r.kind, r.body, r.digest FROM {s}.logs l LEFT JOIN {s}.records r"
            " ON r.place = l.place AND r.stream = l.stream AND r.number > %s WHERE l.place = %s AND l.stream = %s"
            " ORDER BY r.number LIMIT %s",
            (since, self.place, stream, limit),
        )
        if not rows:
            return None
        last: int = rows[0][0]
        entries = [self.entry(stream, *row[1:]) for row in rows if row[1] is not None]
        for place, entry in enumerate(entries, since + 1):
            if entry.number != place:
                raise CorruptData(
                    stream, self.place, f"record {entry.number} stands where record {place} belongs", place
                )
        if len(entries) < min(limit, last - since):
            raise CorruptData(stream, self.place, "it ends before a record that was there", since + len(entries) + 1)
        return Part(last, entries)

    def between(self, first: int, last: int, kinds: Sequence[str] | None) -> Program[list[tuple[str, Entry]]]:
        """Return records by moment, with their streams, of these kinds if any are given."""
        of_kinds, values = ("", ()) if kinds is None else (" AND kind = ANY(%s)", (list(kinds),))
        rows = yield Ask(
            "SELECT stream, number, moment, kind, body, digest FROM {s}.records WHERE place = %s"
            f" AND moment BETWEEN %s AND %s{of_kinds} ORDER BY moment, stream, number",
            (self.place, first, last, *values),
        )
        return [(row[0], self.entry(row[0], *row[1:])) for row in rows]

    def by_moment(self, stream: str) -> Program[list[Document]]:
        """Return all records of a stream by moment."""
        rows = yield Ask(
            "SELECT number, moment, kind, body, digest FROM {s}.records WHERE place = %s AND stream = %s"
            " ORDER BY moment, number",
            (self.place, stream),
        )
        return [self.entry(stream, *row).record for row in rows]

    def latest(self, stream: str, until: int | None) -> Program[tuple[int, Entry, str] | None]:
        """Return the record with the latest moment, not after ``until``, with its moment and kind.

        Of equal ones the last. Where there is none, any of the stream, with NOT_THERE as its moment, tells its kind.
        """
        columns, of = "number, moment, kind, body, digest", "WHERE place = %s AND stream = %s AND moment IS NOT NULL"
        rows = yield Ask(
            f"SELECT {columns} FROM {{s}}.records {of} AND moment <= %s ORDER BY moment DESC, number DESC LIMIT 1",
            (self.place, stream, 2**62 if until is None else until),
        )
        is_in = bool(rows)
        if not rows:
            rows = yield Ask(f"SELECT {columns} FROM {{s}}.records {of} LIMIT 1", (self.place, stream))
        if not rows:
            return None
        number, moment, kind, body, digest = rows[0]
        return (moment if is_in else NOT_THERE), self.entry(stream, number, moment, kind, body, digest), kind

    def another_kind(self, stream: str, kind: str) -> Program[bool]:
        """Whether the stream has a record of another kind than this."""
        rows = yield Ask(
            "SELECT 1 FROM {s}.records WHERE place = %s AND stream = %s AND kind <> %s LIMIT 1",
            (self.place, stream, kind),
        )
        return bool(rows)

    def drop_before(self, stream: str, moment: int) -> Program[int]:
        """Remove the records with an earlier moment, and say how many."""
        rows = yield Ask(
            "DELETE FROM {s}.records WHERE place = %s AND stream = %s AND moment < %s RETURNING 1",
            (self.place, stream, moment),
        )
        return len(rows)

    def streams(self) -> Program[list[str]]:
        """Return all streams, sorted by code point."""
        rows = yield Ask("SELECT stream FROM {s}.logs WHERE place = %s ORDER BY stream", (self.place,))
        return [stream for (stream,) in rows]

    def remove(self, streams: Sequence[str]) -> Program[list[str]]:
        """Remove logs for good; return those that were there."""
        rows = yield Ask(
            "DELETE FROM {s}.logs WHERE place = %s AND stream = ANY(%s) RETURNING stream", (self.place, list(streams))
        )
        gone = sorted(stream for (stream,) in rows)
        yield Ask("DELETE FROM {s}.records WHERE place = %s AND stream = ANY(%s)", (self.place, gone))
        return gone

    def prune(self, before: object) -> Program[list[str]]:
        """Remove the logs of days and months that were over; see JournalStore.prune."""
        ended([], before)  # refused before anything is asked
        return self._prune(before)

    def _prune(self, before: object) -> Program[list[str]]:
        return (yield from self.remove(ended((yield from self.streams()), before)))

    def entry(self, stream: str, number: int, moment: int | None, kind: str | None, body: str, digest: str) -> Entry:
        """The record of a row; raises CorruptData unless its seal vouches for it."""
        vouched("record", self.place, f"{stream}\n{moment} {kind}", number, body, digest)
        return Entry(number, strict_json.copy_of(body))

    def _seal(self, stream: str, number: int, moment: int | None, kind: str | None, body: str) -> str:
        return seal("record", self.place, f"{stream}\n{moment} {kind}", number, body)


def count(name: str, number: object) -> None:
    """Raise InvalidRecord unless ``number`` is one from 0 on."""
    if type(number) is not int or number < 0:
        raise InvalidRecord(name, "is not an int from 0 on")


def whole_part(limit: int | None, have: int) -> int:
    """How many records the next part has at most."""
    return AT_ONCE if limit is None else min(AT_ONCE, limit - have)
