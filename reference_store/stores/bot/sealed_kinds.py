"""Which files of a bot bear a seal of their own form, and who can say whether it is sound.

Whoever looks at a directory asks by the name of a file; what reads Parquet is imported only where there is such a file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from reference_store.core.sealed_files import BACKUP
from reference_store.errors import InvalidIdentifier
from reference_store.stores.bot.file_names import HistoricalName
from reference_store.stores.bot.report_files import report_key

_FORMS = "reference_store.stores.bot."


@dataclass(frozen=True, slots=True)
class SealedKind:
    """``what`` a file is, and the ``key`` of its content; ``check(file, data)`` raises CorruptData."""

    what: str
    key: str
    check: Callable[[str, bytes], object]


def sealed_kind(file: str) -> SealedKind | None:
    """Return what a file, or a backup, of this name is; None for a document, a log, or a file of another make."""
    key = file.removesuffix(BACKUP)
    if key.endswith(".json"):  # a document as any other, and of those there are many
        return None
    if key.endswith(".parquet"):
        with suppress(InvalidIdentifier):
            return SealedKind("historical", key, partial(_checked, "historical_files", str(HistoricalName.parse(key))))
    elif report_key(key) is not None:
        return SealedKind("report", key, partial(_checked, "report_files", key))
    return None


def _checked(form: str, key: str, file: str, data: bytes) -> object:
    found: object = import_module(_FORMS + form).FORM.unsealed(key, file, data)
    return found
