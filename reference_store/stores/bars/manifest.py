"""Which month files of a symbol belong together: their digests and time spans, sealed, in one small file.

The manifest decides what a reader sees. It names the content of each month by its digest; the bytes with that digest
are in the month's file or, for as long as nobody has moved them there, in a staged file beside it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any

from reference_store.core import integrity
from reference_store.core.records import members_of
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData

MANIFEST = ".manifest.json"
STAGED = ".staged-"
SUFFIX = ".parquet"
BACKUP = ".bak"
"""What the name of a file ends with that holds the version before."""
MONTH_FILE = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))\.parquet")


@dataclass(frozen=True, slots=True)
class MonthFile:
    """The content of one month: SHA-256, size (bytes), bars, and the first and last date in microseconds since 1970.

    ``footer`` is the SHA-256 of the end of the file, which says where in it what stands; files of 0.1.0 have none here.
    ``generation`` is that of the manifest that named it first, 0 if that was not noted. ``before`` is what the month
    had until then, which is its backup; None if it had nothing, or if that must not come back.
    """

    sha256: str
    size: int
    rows: int
    first: int
    last: int
    footer: str = ""
    generation: int = 0
    before: MonthFile | None = None

    def is_content(self, data: bytes) -> bool:
        """Whether ``data`` is this content, bit for bit."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """The months of a symbol; ``aware`` says whether its dates have time zones.

    ``recent`` says that bars of it may wait in the file of recent bars, which must be there then; those with a number
    up to ``folded`` are in the months already. The files of the months ``removed`` are of no use any more.
    """

    generation: int
    aware: bool
    months: dict[str, MonthFile]
    folded: int = 0
    recent: bool = False
    removed: tuple[str, ...] = ()

    def overlapping(self, first: int, last: int) -> list[str]:
        """The months with bars from ``first`` to ``last``, as far as their spans tell, in order."""
        return [
            month
            for month, file in sorted(self.months.items())
            if file.rows and file.first <= last and file.last >= first
        ]


def describe(
    data: bytes, rows: int, first: int, last: int, generation: int, before: MonthFile | None = None
) -> MonthFile:
    """Return what the manifest of ``generation`` says about a month file of these bytes that replaces ``before``."""
    older = None if before is None else replace(before, before=None)
    sha256, footer = hashlib.sha256(data).hexdigest(), footer_digest(data)
    return MonthFile(sha256, len(data), rows, first, last, footer, generation, older)


def footer_digest(data: bytes) -> str:
    """The SHA-256 of the footer of a Parquet file, with its length and the mark behind it; empty if there is none."""
    length = int.from_bytes(data[-8:-4], "little") + 8
    return hashlib.sha256(data[-length:]).hexdigest() if 8 < length <= len(data) else ""


def file_name(month: str) -> str:
    """The name of a month's file."""
    return month + SUFFIX


def staged_name(month: str, file: MonthFile) -> str:
    """The name under which the content of a month waits until it is moved into its place."""
    return f"{STAGED}{month}-{file.sha256[:16]}"


def dump(manifest: Manifest, symbol: str) -> bytes:
    """Return the bytes of a manifest, sealed for ``symbol``."""
    months: Document = {month: _entry(file) for month, file in sorted(manifest.months.items())}
    content: Document = {"symbol": symbol, "dates": "aware" if manifest.aware else "naive", "months": months}
    if manifest.recent:
        content["recent"] = True
    if manifest.folded:
        content["folded"] = manifest.folded
    if manifest.removed:
        content["removed"] = list(manifest.removed)
    return integrity.seal_document(integrity.encode(content), symbol, manifest.generation)


def parse(data: bytes, symbol: str) -> Manifest:
    """Return the manifest that ``data`` holds; raises CorruptData unless it is sealed for ``symbol``."""
    found = integrity.unseal_document(data, symbol, MANIFEST)
    try:
        months = {month: _month_file(file) for month, file in members_of(found.content["months"]).items()}
        aware = {"aware": True, "naive": False}[found.content["dates"]]
        folded, removed = found.content.get("folded", 0), found.content.get("removed", [])
        if type(folded) is not int or not all(type(month) is str for month in removed):
            raise TypeError
    except (KeyError, TypeError) as error:
        let_out(error)
        raise CorruptData(symbol, MANIFEST, "it is not a list of month files") from None
    recent = found.content.get("recent") is True
    return Manifest(found.number, aware, months, folded, recent, tuple(removed))


def _entry(file: MonthFile) -> Document:
    entry: Document = {
        "sha256": file.sha256,
        "bytes": file.size,
        "rows": file.rows,
        "first": file.first,
        "last": file.last,
    }
    if file.footer:
        entry["footer"] = file.footer
    if file.generation:
        entry["generation"] = file.generation
    if file.before is not None:
        entry["before"] = _entry(file.before)
    return entry


def _month_file(about: Any) -> MonthFile:
    sha256, footer = about["sha256"], about.get("footer", "")
    size, rows, first, last = (about[name] for name in ("bytes", "rows", "first", "last"))
    if type(sha256) is not str or type(footer) is not str:
        raise TypeError
    if any(type(number) is not int for number in (size, rows, first, last)):
        raise TypeError
    generation, before = about.get("generation", 0), about.get("before")
    if type(generation) is not int:
        raise TypeError
    older = None if before is None else _month_file(before)
    return MonthFile(sha256, size, rows, first, last, footer, generation, older)
