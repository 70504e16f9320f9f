"""A report as a file: a text with its seal in the last line, or the result of an analysis as sealed JSON.

Every byte of a text comes back: the seal stands behind a line feed of its own.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from reference_store.core import integrity
from reference_store.core.sealed_files import Form
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidIdentifier, InvalidRecord, UnserialisableValue
from reference_store.stores.bot.file_names import ReportName

Report: TypeAlias = str | Document
"""A text, or the result of an analysis."""
PERFORMANCE = "performance_report.md"
"""The report of backtests, which has no time in its name."""
_JSON = ".json"
_SEAL, _SEAL_MD = "\n_integrity: sha256 {}\n", "\n<!-- _integrity: sha256 {} -->\n"
_DIGEST = 64


def _line(key: str) -> str:
    return _SEAL_MD if key.endswith(".md") else _SEAL


def _digest(key: str, text: bytes) -> str:
    return hashlib.sha256(f"report {key}\n".encode() + text).hexdigest()


def _sealed(key: str, report: Report) -> bytes:
    if key.endswith(_JSON):
        return integrity.seal_document(integrity.encode(report), key.removesuffix(_JSON), 1)
    if type(report) is not str:
        raise InvalidRecord("the report", f"is of type {type(report).__name__}, not str")
    try:
        text = report.encode()
    except UnicodeEncodeError:
        raise UnserialisableValue("a text with a lone surrogate") from None
    return text + _line(key).format(_digest(key, text)).encode()


def _unsealed(key: str, file: str, data: bytes) -> Report:
    if key.endswith(_JSON):
        return integrity.unseal_document(data, key.removesuffix(_JSON), file).content
    end = len(_line(key).format("0" * _DIGEST))
    text = data[:-end]
    if len(data) < end or data[-end:] != _line(key).format(_digest(key, text)).encode():
        raise CorruptData(key, file, "its last line is no seal that vouches for it")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise CorruptData(key, file, "it is no text") from None


def adopt(key: str, data: bytes) -> Report:
    """Return the report that a file is which somebody has edited: what stands before its last seal, or all of it."""
    if key.endswith(_JSON):
        resealed = integrity.reseal(data, key.removesuffix(_JSON), key, 1)
        return integrity.unseal_document(resealed, key.removesuffix(_JSON), key).content
    begin, end = (part.encode() for part in _line(key).split("{}"))
    text = data[: data.rindex(begin)] if data.endswith(end) and begin in data else data
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise CorruptData(key, key, "it is no text") from None


def report_key(file: str) -> str | None:
    """The key of a file of a report, its name; None for a file of another make."""
    if file == PERFORMANCE:
        return file
    try:
        return str(ReportName.parse(file))
    except InvalidIdentifier:
        return None


FORM: Form[Report] = Form(_sealed, _unsealed)
