"""Which identifiers a store accepts, and the one file name that each of them gets.

The mapping is reversible, and stays injective on file systems that ignore case (macOS, Windows) or normalise Unicode.
An identifier is data, never a path: what looks like one climbing or starting anywhere is refused, and the separators
of ordinary symbols (``BTC/USDT``) are encoded.

The name of an identifier:

- ASCII letters, digits, ``-``, ``_`` and ``.`` stand for themselves; every other character becomes ``%XX`` for each
  byte of its UTF-8 form. So does ``.``, ``-`` or ``_`` at the beginning (hidden files, options, names that data set
  readers skip), ``.`` at the end and the first letter of a Windows device name.
- A *case marker* follows if there are lower-case letters: ``+`` alone when all letters are lower case, otherwise ``+``
  and a hexadecimal number with one bit for each letter, set for lower case, the first letter in the highest bit.

``AAPL`` -> ``AAPL``, ``BTC/USDT`` -> ``BTC%2FUSDT``, ``momentum`` -> ``momentum+``, ``BRKb.N`` -> ``BRKb.N+2``.

A name never begins with ``.``, ``-`` or ``_``: names of that kind are the store's own.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from reference_store.errors import InvalidIdentifier

LONGEST_NAME = 200
"""Bytes of an encoded name; NAME_MAX (255) less what backups and kept evidence add to it."""

_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789")}
)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_ESCAPES = [f"%{byte:02X}" for byte in range(256)]
_NAME = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+(?:\+[0-9a-f]*)?")
_PLAIN_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?)(\+[0-9a-f]*)?")
_UPPER, _LOWER = string.ascii_uppercase.encode(), string.ascii_lowercase.encode()
_BITS = bytes.maketrans(_UPPER + _LOWER, b"0" * 26 + b"1" * 26)
_NO_LETTERS = bytes(set(range(256)) - {*_UPPER, *_LOWER})
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SEPARATOR = re.compile(r"[\\/]")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All characters of these categories, which no version of Unicode adds to."""
_UNSAFE_CATEGORIES = {"Cc": "contains a control character", "Cs": "contains a lone surrogate"}
_UNSAFE_CATEGORIES |= {"Zl": "contains a line separator", "Zp": "contains a paragraph separator"}


def encode(identifier: str) -> str:
    """Return the file name (without a suffix) of ``identifier``.

    Raises InvalidIdentifier, before anything touches a disk, for what is not exactly a ``str`` (subclasses may print
    as something else), is empty or blank, holds control characters, line separators or lone surrogates, reads as a
    path that climbs, is absolute or ends in a separator, or is longer than a file name can be.
    """
    if type(identifier) is not str:
        raise InvalidIdentifier(identifier, "is not exactly a str")
    return _encoded(identifier)


def decode(name: str) -> str | None:
    """Return the identifier whose file name is ``name``, or None when no identifier has exactly this name."""
    plain = _PLAIN_NAME.fullmatch(name)
    if plain is not None:
        # Nothing in it is escaped and nothing would have to be, so it is its own identifier, whatever else it is.
        identifier, marker = plain[1], plain[2] or ""
        if len(name) <= LONGEST_NAME and identifier.partition(".")[0].upper() not in _DEVICES:
            return identifier if _case_marker(identifier) == marker else None
    if not _NAME.fullmatch(name):
        return None
    try:
        identifier = unquote_to_bytes(name.partition("+")[0]).decode("utf-8")
        return identifier if encode(identifier) == name else None
    except (UnicodeDecodeError, InvalidIdentifier):
        return None


def decode_all(files: Sequence[str], suffixes: tuple[str, ...] = ("",)) -> set[str]:
    """Return the identifiers that have a file: one of ``files`` is the name of it, followed by one of ``suffixes``.

    As ``decode`` says; ordinary names, of which there may be very many, are told by one look at all of them.
    """
    listing = f"/{'/'.join(files)}/"
    if max(map(len, files), default=0) > LONGEST_NAME or listing.count("/") != len(files) + 1:
        short = [name for name in files if len(name) <= LONGEST_NAME and "/" not in name]
        listing = f"/{'/'.join(short)}/"
    ordinary, other = _ordinary(suffixes)
    plain = ordinary.findall(listing)
    found = {name.replace("%2F", "/") for name in plain} if "%2F" in listing else set(plain)
    # Names that begin with a dot are of no identifier, and every directory of a store has some.
    if len(plain) + listing.count("/.") < len(files):
        for name in (*other.findall(listing), *(name for name in files if len(name) > LONGEST_NAME)):
            for suffix in suffixes:
                if name.endswith(suffix) and (identifier := decode(name[: len(name) - len(suffix)])) is not None:
                    found.add(identifier)
    return found


@lru_cache(maxsize=8)
def _ordinary(suffixes: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Names with letters of one case, between two ``/``, without marker and suffix; and all others but hidden ones.

    They have at most one escape, that of a ``/`` between two parts that cannot be taken for steps of a path, and begin
    with nothing that resembles a Windows device.
    """
    end = f"(?:{'|'.join(map(re.escape, suffixes))})/"
    no_device = "(?![CcPpAaNnLl][OoRrUuPp][NnXxLlMmTt][0-9]?(?:[.+]|/))"

    def name(letters: str, marker: str) -> str:
        part = f"[{letters}0-9][{letters}0-9._-]*(?<![._-])"
        return f"{part}(?:%2F{part})?(?={marker}{end})"

    either = f"{no_device}(?:{name('A-Z', '')}|(?=[^a-z/+]*[a-z]){name('a-z', '[+]')})"
    return re.compile(f"(?<=/){either}"), re.compile(f"(?<=/)(?!{either})[^/.][^/]*")


@lru_cache(maxsize=4096)
def _encoded(identifier: str) -> str:
    _refuse_unsafe(identifier)
    name = _escaped(identifier)
    if name[0] in ".-_" or identifier.partition(".")[0].upper() in _DEVICES:
        name = _ESCAPES[ord(name[0])] + name[1:]
    if name[-1] == ".":
        name = name[:-1] + _ESCAPES[ord(".")]
    name += _case_marker(identifier)
    if len(name) > LONGEST_NAME:
        raise InvalidIdentifier(identifier, f"takes {len(name)} bytes as a file name, {LONGEST_NAME} is the limit")
    return name


def _escaped(text: str) -> str:
    return _NOT_PLAIN.sub(lambda found: "".join([_ESCAPES[byte] for byte in found[0].encode("utf-8")]), text)


def _case_marker(identifier: str) -> str:
    # Other characters than these letters have a case too, and no mark.
    lower = identifier.encode("ascii", "ignore").translate(_BITS, _NO_LETTERS)
    if b"1" not in lower:
        return ""
    return f"+{int(lower, 2):x}" if b"0" in lower else "+"


def _refuse_unsafe(identifier: str) -> None:
    if not identifier or identifier.isspace():
        raise InvalidIdentifier(identifier, "is empty or blank")
    if len(identifier) > LONGEST_NAME:
        raise InvalidIdentifier(identifier, f"has more than {LONGEST_NAME} characters")
    if unsafe := _UNSAFE.search(identifier):
        raise InvalidIdentifier(identifier, _UNSAFE_CATEGORIES[unicodedata.category(unsafe[0])])
    # The compatibility form too: a layer that normalises after this check must not find a path in it.
    for form in dict.fromkeys((identifier, unicodedata.normalize("NFKC", identifier))):
        if reason := _path_meaning(form):
            raise InvalidIdentifier(identifier, reason)


def _path_meaning(text: str) -> str | None:
    """Say what ``text`` means to somebody who takes it for a path, or None when that is harmless.

    One leading ``/`` or ``./`` before a single component stays an identifier: futures are written like that.
    """
    if text in {".", ".."}:
        return "names a directory"
    if _DRIVE.match(text) or text.startswith("\\"):
        return "is an absolute Windows path"
    components = _SEPARATOR.split(text)
    if len(components) == 1:
        return None
    if components[0] == "" and len(components) > 2:
        return "is an absolute path"
    if components[0] in {"", "."} and len(components) == 2:
        components = components[1:]
    for component in components:
        if not component:
            return "has an empty path component"
        if not component.split(";")[0].strip(" ."):
            return "climbs or repeats directories"
    return None
