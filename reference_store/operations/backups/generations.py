"""What a generation is: every file of a directory at one moment, as facts, and as the sealed document that is kept.

Contents are called by their SHA-256; a generation says which file had which. What is read is believed in nothing: a
path that would lead out of the directory that is restored is damage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from reference_store.core import integrity, strict_json
from reference_store.core.atomic import TEMPORARY
from reference_store.core.locking import LOCK_FILE
from reference_store.core.restoring import RESTORING
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidRecord, NewerRecord

FORMAT = 1
_ID = re.compile(r"([0-9]{6,12})-([0-9]{8}T[0-9]{6}Z)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MODES = 0o777
Row: TypeAlias = "list[Any]"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its ``size`` in bytes, the ``digest`` of what it holds, its ``mode``, and when it was changed (ns)."""

    size: int
    digest: str
    mode: int
    changed: int


@dataclass(frozen=True, slots=True)
class Generation:
    """The files of ``source`` as they were at ``made``, by their paths below it, and its ``directories``.

    ``damaged`` are those that were damaged then, and were kept as they were. ``skipped`` are links, pipes and what else
    is no file, or has a name that is no text. ``note`` says what it was made for,
    ``before_restore`` that a restore was going to replace it: nobody shall take it for the last backup.
    """

    id: str
    made: datetime
    source: str
    note: str
    directories: Mapping[str, int]
    files: Mapping[str, Entry]
    damaged: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    before_restore: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.files.values())


def is_id(name: str) -> bool:
    """Whether a generation can be called so."""
    return _ID.fullmatch(name) is not None


def is_digest(name: str) -> bool:
    """Whether a content can be called so."""
    return _DIGEST.fullmatch(name) is not None


def is_left_out(name: str) -> bool:
    """Whether a file of this name is of no use elsewhere: locks, marks, and what dead writers left."""
    return name in (LOCK_FILE, RESTORING) or name.startswith(TEMPORARY)


def next_id(ids: list[str], now: datetime) -> str:
    """The id of the generation after all of ``ids``: numbers order them, whatever clocks say."""
    number = max((int(each.partition("-")[0]) for each in ids), default=0) + 1
    return f"{number:06d}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def in_order(ids: list[str]) -> list[str]:
    """The ids, the oldest generation first."""
    return sorted(ids, key=lambda each: (int(each.partition("-")[0]), each))


def encoded(generation: Generation) -> bytes:
    """Return the generation as a sealed document; raises UnserialisableValue for what is no text."""
    content = {
        "format": FORMAT,
        "made": generation.made.isoformat(),
        "source": generation.source,
        "note": generation.note,
        "before_restore": generation.before_restore,
        "damaged": list(generation.damaged),
        "skipped": list(generation.skipped),
        "directories": dict(generation.directories),
        "files": {path: [e.size, e.digest, e.mode, e.changed] for path, e in generation.files.items()},
    }
    return integrity.seal_document(strict_json.encode(content), generation.id, 1)


def decoded(data: bytes, name: str) -> Generation:
    """Return the generation ``name``; raises CorruptData unless it is whole and leads nowhere else, and NewerRecord."""
    file = f"{name}.json"
    content = integrity.unseal_document(data, name, file).content
    if content.get("format") != FORMAT:
        raise NewerRecord(name, file, "it is of another format")
    try:
        made = datetime.fromisoformat(content["made"])
        files = {path: _entry(row) for path, row in content["files"].items()}
        directories = {path: _number(mode) & _MODES for path, mode in content["directories"].items()}
        texts = [content["source"], content["note"], *content["damaged"], *content["skipped"]]
        if made.utcoffset() is None or not all(isinstance(text, str) for text in texts):
            raise ValueError
        before_restore = content["before_restore"] is True
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        let_out(error)
        raise CorruptData(name, file, "it is no list of files") from None
    for path in (*files, *(path for path in directories if path)):
        _refuse_path(path, name, file)
    for path in files:
        if path.rpartition("/")[0] not in directories:
            raise CorruptData(name, file, "it has a file in a directory that it has not")
        if path in directories:
            raise CorruptData(name, file, "it has a file and a directory of one name")
    return Generation(
        name, made, content["source"], content["note"], directories, files,
        tuple(content["damaged"]), tuple(content["skipped"]), before_restore,
    )  # fmt: skip


def checked_time(now: object, name: str) -> datetime:
    """Return a time as it is; raises InvalidRecord for one without a zone, or none at all."""
    if not isinstance(now, datetime) or now != now or now.utcoffset() is None:
        raise InvalidRecord(name, "is no datetime with a time zone")
    return now


def _entry(row: Row) -> Entry:
    size, digest, mode, changed = row
    if not isinstance(digest, str) or not is_digest(digest):
        raise ValueError
    return Entry(_number(size), digest, _number(mode) & _MODES, _number(changed))


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value


def _refuse_path(path: str, name: str, file: str) -> None:
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts) or is_left_out(parts[-1]):
        raise CorruptData(name, file, "it has a path that no file of a store can have")
