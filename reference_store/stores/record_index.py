"""Records in memory, in order, found by id or page by page, and the changes that one write makes to them.

``Index`` keeps for each pair of facets (status and type of a job, kind and status of a run) the places of its records
in order, so that a page costs what it holds and not what the store holds. ``Draft`` collects what the callers of one
write want without touching the index: it takes the changes over when they are durable. Nothing here knows of files.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from reference_store.core import integrity, strict_json
from reference_store.core.strict_json import Document

Pair: TypeAlias = tuple[str, str]
Facets: TypeAlias = tuple[str | None, str | None]
"""What is asked for; None stands for any."""


class Entry:
    """One record: the ``text`` that stands for it in the file, and its ``content`` to look at but not to change.

    Without a ``content`` it is made of the text when somebody looks at it: of many thousand records few ever are.
    ``identifier`` and ``rank`` are its place in an index. ``size`` counts the bytes that it takes in the file,
    ``understood`` says that it has been found to be a whole record. ``progress`` is what was reported about this very
    record, and is nowhere but here.
    """

    __slots__ = ("_content", "facets", "identifier", "progress", "rank", "size", "text", "understood")

    def __init__(self, content: Document | None, text: str) -> None:
        self._content, self.text = content, text
        self.size = (len(text) if text.isascii() else len(text.encode())) + len(strict_json.BETWEEN_OBJECTS)
        self.facets: Pair | None = None
        self.identifier = ""
        self.rank = 0
        self.progress: float | None = None
        self.understood = False

    @property
    def content(self) -> Document:
        """The record, to look at."""
        if self._content is None:
            self._content = strict_json.copy_of(self.text)
        return self._content

    def copy(self) -> Document:
        """The content, for somebody who may change it."""
        return strict_json.copy_of(self.text)


def entry(content: Document) -> Entry:
    """Return a record ready to be stored, independent of what is done to ``content`` later.

    Raises UnserialisableValue for what JSON would not give back equal.
    """
    encoded = integrity.encode_record(content)
    return Entry(encoded.content, encoded.canonical)


def entry_of_checked(content: Document) -> Entry:
    """Return a record whose members are those of other records or have been checked one by one."""
    return Entry(content, strict_json.text_of(content))


@dataclass(frozen=True, slots=True)
class Form:
    """What the records of one file are like.

    ``name`` is the file and its list, ``id_name`` the member with the id. ``facets`` gives the pair under which a
    record is listed, None for one that this version does not understand: it is kept, and not listed. With
    ``latest_last`` a record goes to the end whenever it is changed; otherwise it keeps its place.
    """

    name: str
    id_name: str
    facets: Callable[[Document], Pair | None]
    latest_last: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """``entry`` becomes the record ``identifier``, or nothing does if it is None."""

    identifier: str
    entry: Entry | None


_LAST = 1 << 62
"""Behind all ranks."""


class Index:
    """The records of a file in their order."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.entries: dict[str, Entry] = {}
        self.size = 0
        self._by_rank: dict[int, Entry] = {}
        self._ranks: dict[Facets, list[int]] = {}
        self._lists: dict[Pair, tuple[list[int], ...]] = {}
        self._next = 0

    def page(self, facets: Facets, limit: int, offset: int, *, latest_first: bool = False) -> list[Entry]:
        """Return the records under ``facets`` in order, or from the end, at most ``limit`` from ``offset`` on."""
        ranks = self._ranks.get(facets, [])
        if latest_first:
            end = len(ranks) - offset
            chosen = ranks[max(end - limit, 0) : end][::-1] if end > 0 else []
        else:
            chosen = ranks[offset : offset + limit]
        return [self._by_rank[rank] for rank in chosen]

    def each(self, facets: Facets) -> Iterator[Entry]:
        """Yield the records under ``facets`` in order; the index must not change meanwhile."""
        return (self._by_rank[rank] for rank in self._ranks.get(facets, ()))

    def make(self, operations: Iterable[Operation]) -> None:
        """Make the operations, in this order."""
        for operation in operations:
            if operation.entry is None:
                self._remove(operation.identifier)
            else:
                self.put(operation.identifier, operation.entry)

    def fill(self, texts: Iterable[str]) -> bool:
        """Put records into the empty index, in order; False where a text is no record with an id of its own.

        What is parsed of a text is let go of: of many thousand records few are ever looked at.
        """
        entries, by_rank, facets_of, id_name = self.entries, self._by_rank, self._form.facets, self._form.id_name
        for rank, text in enumerate(texts):
            record = strict_json.copy_of(text)
            identifier = record.get(id_name) if type(record) is dict else None
            if type(identifier) is not str or identifier in entries:
                return False
            new = entries[identifier] = by_rank[rank] = Entry(None, text)
            new.identifier, new.facets, new.rank = identifier, facets_of(record), rank
            self.size += new.size
            if new.facets is not None:
                for ranks in self._lists.get(new.facets) or self._lists_of(new.facets):
                    ranks.append(rank)
        self._next = len(entries)
        return True

    def put(self, identifier: str, new: Entry) -> None:
        """Let ``new`` be the record ``identifier``."""
        new.identifier, new.facets = identifier, self._form.facets(new.content)
        old = self.entries.get(identifier)
        if old is not None and self._form.latest_last:
            self._remove(identifier)
            old = None
        if old is None:
            new.rank = self._next
            self._next += 1
            self._list(new)
        else:
            new.rank = old.rank
            self.size -= old.size
            if old.facets != new.facets:
                self._unlist(old)
                self._list(new)
        self.size += new.size
        self.entries[identifier] = new
        self._by_rank[new.rank] = new

    def set_aside(self, found: Entry) -> None:
        """Keep a record that turned out not to be understood, and list it no more."""
        if self._by_rank.get(found.rank) is found:
            self._unlist(found)
            found.facets = None

    def _remove(self, identifier: str) -> None:
        old = self.entries.pop(identifier, None)
        if old is None:
            return
        del self._by_rank[old.rank]
        self.size -= old.size
        self._unlist(old)

    def _list(self, new: Entry) -> None:
        for ranks in () if new.facets is None else self._lists_of(new.facets):
            if not ranks or ranks[-1] < new.rank:
                ranks.append(new.rank)
            else:
                insort(ranks, new.rank)

    def _lists_of(self, pair: Pair) -> tuple[list[int], ...]:
        """The places of all records that are listed together with one of this pair."""
        found = self._lists.get(pair)
        if found is None:
            found = self._lists[pair] = tuple(self._ranks.setdefault(facets, []) for facets in _all_of(pair))
        return found

    def _unlist(self, old: Entry) -> None:
        for facets in _all_of(old.facets):
            ranks = self._ranks[facets]
            del ranks[bisect_left(ranks, old.rank)]


def merged(form: Form, entries: Mapping[str, Entry], operations: Iterable[Operation]) -> list[Entry]:
    """Return the records, in order, as the operations leave them."""
    after = dict(entries)
    for operation in operations:
        if operation.entry is None or form.latest_last:
            after.pop(operation.identifier, None)
        if operation.entry is not None:
            after[operation.identifier] = operation.entry
    return list(after.values())


def digest(entries: Iterable[Entry]) -> str:
    """Return what tells these records, in this order, from any others."""
    return hashlib.sha256("\n".join([found.text for found in entries]).encode()).hexdigest()


def _all_of(pair: Pair | None) -> tuple[Facets, ...]:
    """The facets under which a record is listed."""
    if pair is None:
        return ()
    one, other = pair
    return ((None, None), (one, None), (None, other), (one, other))


class Draft:
    """The records as they will be after a write that is being put together.

    ``attempt`` makes the changes of one caller: all that it does, or, when it raises, nothing.
    """

    def __init__(self, index: Index, form: Form) -> None:
        self._index, self._form = index, form
        self._changed: dict[str, Entry | None] = {}
        self.operations: list[Operation] = []
        self.size = index.size

    def attempt(self, change: Change, check: Callable[[Draft], None]) -> Any:
        """Make ``change`` and return its result; what it raises, or ``check`` afterwards, leaves no trace of it."""
        count, size = len(self.operations), self.size
        try:
            result = change(self)
            check(self)
        except BaseException:
            del self.operations[count:]
            self.size = size
            # Rare, and simple: what the callers before had changed is gathered again.
            self._changed = {made.identifier: made.entry for made in self.operations}
            raise
        return result

    def get(self, identifier: str) -> Entry | None:
        """Return the record, None if there is none."""
        if identifier in self._changed:
            return self._changed[identifier]
        return self._index.entries.get(identifier)

    def put(self, identifier: str, new: Entry) -> None:
        """Let ``new`` be the record ``identifier``."""
        self._note(identifier, new)

    def remove(self, identifier: str) -> bool:
        """Remove the record and say whether it was there."""
        if self.get(identifier) is None:
            return False
        self._note(identifier, None)
        return True

    def set_aside(self, found: Entry) -> None:
        """Keep a record that turned out not to be understood, and list it no more; no change is needed for that."""
        self._index.set_aside(found)

    def each(self, facets: Facets) -> Iterator[Entry]:
        """Yield the records under ``facets``, those first that this write has not changed; in order otherwise."""
        for found in self._index.each(facets):
            if found.identifier not in self._changed:
                yield found
        for changed in list(self._changed.values()):
            if changed is not None and facets in _all_of(self._form.facets(changed.content)):
                yield changed

    def first(self, facets: Facets) -> Entry | None:
        """Return the first record under ``facets``, None if there is none."""

        unchanged = (f for f in self._index.each(facets) if f.identifier not in self._changed)
        found = next(unchanged, None)
        best = (found.rank, found) if found is not None else None
        for identifier, changed in self._changed.items():
            if changed is not None and facets in _all_of(self._form.facets(changed.content)):
                before = self._index.entries.get(identifier)
                rank = before.rank if before is not None else _LAST
                if best is None or rank < best[0]:
                    best = rank, changed
        return None if best is None else best[1]

    def _note(self, identifier: str, new: Entry | None) -> None:
        old = self.get(identifier)
        self.size += (new.size if new is not None else 0) - (old.size if old is not None else 0)
        self._changed[identifier] = new
        self.operations.append(Operation(identifier, new))


Change: TypeAlias = Callable[[Draft], Any]
"""What one caller wants of the records; it returns its result, or raises."""
