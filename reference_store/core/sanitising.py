"""Takes out of what is logged what must not stand in a log: keys, passwords, tokens.

By the words of the guideline in the names of members, at any depth, and by the same words in texts (``api_key=...``,
``"token": "..."``, ``Authorization: Bearer ...``, a password in an address). A secret that stands alone in a text, with
no such word before it, cannot be known from another word: it stays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from reference_store.core.signals import let_out

REDACTED = "[REDACTED]"
SENSITIVE = ("api_key", "secret", "private_key", "password", "passphrase", "token", "credential", "auth")
"""The guideline's words (its ``api_secret`` is a ``secret``), and the passphrase that exchanges ask for. Members
whose name has one of these in it, in whatever case, with or without the stroke, are taken out."""
_DEEPEST = 50
_WORDS = tuple(word.replace("_", "") for word in SENSITIVE)
_IN_NAME = "|".join(re.escape(word).replace("_", "[ _-]?") for word in SENSITIVE)
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|(?:Bearer|Basic|Token)\s+[^\s,;&"']+|[^\s,;&"'}\])]+)"""
# Begins with the word itself, and its parts are bounded: a long text takes time in proportion to its length.
_ASSIGNED = re.compile(rf"""((?:{_IN_NAME})[\w-]{{0,64}}["']?\s{{0,8}}[:=]\s{{0,8}})({_VALUE})""", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE)


def is_sensitive(name: object) -> bool:
    """Whether a member of this name is taken out."""
    plain = re.sub(r"[^a-z0-9]", "", str(name).lower())
    return any(word in plain for word in _WORDS)


def sanitize_for_logging(value: Any) -> Any:
    """Return ``value`` as it may be logged: mappings, lists, tuples and sets at any depth, texts, and exceptions.

    The value itself is not changed. What is nested deeper than 50 levels, itself included, is left out.
    """
    return _sanitised(value, 0)


def _sanitised(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "[...]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray):
        return _text(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {
            _sanitised(name, depth + 1) if isinstance(name, str) else name: (
                REDACTED if is_sensitive(name) else _sanitised(item, depth + 1)
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = [_sanitised(item, depth + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, BaseException):
        return _text(f"{type(value).__name__}: {value}")
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(str(value))


def _text(text: str) -> str:
    text = _IN_ADDRESS.sub(rf"\1:{REDACTED}@", text)
    text = _ASSIGNED.sub(_redacted, text)
    return _BEARER.sub(rf"\1 {REDACTED}", text)


def _redacted(found: re.Match[str]) -> str:
    quote = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote}{REDACTED}{quote}"


class Sanitising(logging.Filter):
    """A filter for handlers: what they write, tracebacks included, goes through ``sanitize_for_logging`` first."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take out of a record what must not be logged; never says no."""
        arguments = record.args
        if isinstance(arguments, Mapping):
            record.args = sanitize_for_logging(arguments)
        elif arguments:
            record.args = tuple(
                argument if isinstance(argument, int | float) else sanitize_for_logging(argument)
                for argument in arguments
            )
        try:
            record.msg, record.args = _text(record.getMessage()), None
        except (TypeError, ValueError) as error:
            let_out(error)
            record.msg, record.args = _text(str(record.msg)), None  # the arguments do not fit: left out
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _text(record.exc_text)
        return True
