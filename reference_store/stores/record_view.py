"""Which state a file of records and the logs beside it stand for; reads bytes, touches no disk.

The file is sealed either as *closed*: it is complete by itself; or as *open*: a change log belongs to it, and without
that log nobody can say what is missing. A log goes on from the file with its base number and digest. It counts no more
when the file already has its last write. Any other pair is no state that this store leaves behind, at any moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from reference_store.core import integrity, strict_json
from reference_store.core.integrity import Unsealed
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData
from reference_store.stores import record_log
from reference_store.stores.record_identity import identity_of
from reference_store.stores.record_index import Entry, Form, Index, digest
from reference_store.stores.record_log import Header

UPDATED_AT = "updated_at"
"""The member of a file that says when it was written."""
TAIL = 160
"""Bytes at the end of a file that differ whenever its seal does."""
MARK = 96
"""Bytes at the end of a line that differ whenever its seal does."""


@dataclass(frozen=True, slots=True)
class Names:
    """The files of one store of records."""

    file: str
    backup: str
    log: str
    log_before: str


def names_of(form: Form) -> Names:
    """Return the names of the files."""
    return Names(
        f"{form.name}.json", f"{form.name}.json.bak", f".{form.name}.changes.jsonl", f".{form.name}.changes.jsonl.bak"
    )


@dataclass(slots=True)
class View:
    """The records after the write ``number``, and the files that say so.

    ``digest`` is SHA-256 of the file, ``tail`` its size and end, ``opened`` how it is sealed; ``sound`` is False when
    it is damaged or lost and the records were put together from other files. ``header`` is the log that is there,
    ``counts`` says whether its lines go on from the file. The next line goes to ``end``, after ``mark``, if ``clean``.
    Up to ``pinned`` this instance has synced the log itself.
    """

    index: Index
    number: int
    digest: bytes = b""
    tail: tuple[int, bytes] | None = None
    opened: bool = False
    sound: bool = True
    header: Header | None = None
    counts: bool = False
    end: int = 0
    mark: bytes = b""
    clean: bool = False
    pinned: int = 0


def view_of(form: Form, file: bytes, log: bytes | None) -> View:
    """Return what the file and its log, if there is one, say together; raises CorruptData."""
    names = names_of(form)
    index, number, opened = _read(form, file, names.file, likely_open=log is not None)
    view = View(index, number, hashlib.sha256(file).digest(), tail_of(file), opened)
    if log is None:
        if opened:
            raise CorruptData(form.name, names.log, "it is missing, and has changes that the file lacks")
        return view
    header, lines = record_log.whole(log, form, names.log)
    view.header = header
    if header.base == view.number and header.holds == digest(view.index.entries.values()):
        for operations in lines.writes:
            view.index.make(operations)
        view.number, view.end, view.clean, view.counts = lines.number, lines.end, lines.clean, True
        view.mark = log[max(lines.end - MARK, 0) : lines.end]
    elif not (header.base < view.number == lines.number or (not opened and lines.number <= view.number)):
        raise CorruptData(form.name, names.log, f"it does not go on from the {names.file!r} that is there")
    return view


def rebuilt(form: Form, backup: bytes, log_before: bytes | None, log: bytes | None) -> tuple[View, bool]:
    """Return the records as the version before and the logs give them, and whether nothing is missing from them.

    Raises CorruptData when they do not give what was there last, and it is not just the version before that is left.
    """
    names = names_of(form)
    content, _ = _unsealed(form, backup, names.backup, likely_open=log is not None or log_before is not None)
    view = View(index_of(form, content.content, names.backup), content.number, sound=False)
    complete = False
    for file, data in ((names.log_before, log_before), (names.log, log)):
        if data is None:
            continue
        try:
            header, lines = record_log.whole(data, form, file)
        except CorruptData:
            if data is log:
                raise
            continue  # of no use
        if header.base == view.number and header.holds == digest(view.index.entries.values()):
            for operations in lines.writes:
                view.index.make(operations)
            view.number = lines.number
            complete = True
        elif data is log and lines.number > view.number:
            raise CorruptData(form.name, file, "what it goes on from is damaged or lost")
        if data is log:
            view.header = header
    return view, complete


def edited(form: Form, file: bytes, log: bytes | None) -> tuple[Index, int, bool]:
    """Return the records of a file whose seal does not count, the last write that it has, and whether the log was used.

    What the log has got since the file was written is made on top of it. Raises CorruptData as ``index_of`` does.
    """
    names = names_of(form)
    try:
        content, _ = strict_json.decode(file)
    except strict_json.Malformed as error:
        raise CorruptData(form.name, names.file, str(error)) from None
    seal = content.pop(integrity.RESERVED, None)
    number = seal.get("generation") if isinstance(seal, dict) else None
    index = index_of(form, content, names.file)
    if log is None:
        return index, number if type(number) is int else 0, False
    try:
        header, lines = record_log.whole(log, form, names.log)
    except CorruptData:
        return index, number if type(number) is int else 0, False
    number = header.base if type(number) is not int else number
    used = header.base <= number <= lines.number
    for operations in lines.writes[number - header.base :] if used else ():
        index.make(operations)
    return index, max(number, lines.number), used


def number_of(form: Form, file: bytes) -> int:
    """Return the write that a file has last; raises CorruptData."""
    return _unsealed(form, file, names_of(form).file, likely_open=True)[0].number


def index_of(form: Form, content: Document, file: str) -> Index:
    """Return the records of a file; raises CorruptData when it holds no list of them."""
    index = Index(form)
    records = content.get(form.name)
    for record in records if isinstance(records, list) else [None]:
        identifier = record.get(form.id_name) if isinstance(record, dict) else None
        if not isinstance(record, dict) or type(identifier) is not str or identifier in index.entries:
            raise CorruptData(form.name, file, "it holds no list of records with ids of their own")
        index.put(identifier, Entry(record, strict_json.text_of(record)))
    return index


def _read(form: Form, data: bytes, file: str, *, likely_open: bool) -> tuple[Index, int, bool]:
    """Return the records of a file, its number, and whether it is an open one; raises CorruptData."""
    for opened in (likely_open, not likely_open):
        found = integrity.text_and_number(data, identity_of(form.name, opened=opened))
        index = None if found is None else _index_as_written(form, found[0])
        if found is not None and index is not None:
            return index, found[1], opened
    content, opened = _unsealed(form, data, file, likely_open=likely_open)
    return index_of(form, content.content, file), content.number, opened


def _index_as_written(form: Form, text: str) -> Index | None:
    """Return the records of a file that stands as this store writes it, whose texts are there already; None if not."""
    items, index = strict_json.listed(text, form.name, UPDATED_AT), Index(form)
    try:
        return index if items is not None and index.fill(items) else None
    except (ValueError, RecursionError) as error:
        let_out(error)
        return None


def sealed(form: Form, entries: Iterable[Entry], updated_at: str, number: int, *, opened: bool) -> bytes:
    """Return the file with these records: put together from their texts, only changed ones were encoded anew."""
    encoded = strict_json.listing(form.name, [found.text for found in entries], f'"{UPDATED_AT}": "{updated_at}"')
    return integrity.seal_document(encoded, identity_of(form.name, opened=opened), number)


def is_sound(form: Form, file: bytes) -> bool:
    """Say whether the file is one that this store has written, whatever it holds."""
    try:
        _unsealed(form, file, form.name, likely_open=True)
    except CorruptData:
        return False
    return True


def tail_of(data: bytes) -> tuple[int, bytes]:
    """Return what tells one version of a file from another."""
    return len(data), data[-TAIL:]


def _unsealed(form: Form, data: bytes, file: str, *, likely_open: bool) -> tuple[Unsealed, bool]:
    for opened in (likely_open, not likely_open):
        try:
            return integrity.unseal_document(data, identity_of(form.name, opened=opened), file), opened
        except CorruptData as error:
            damage = error
    raise damage
