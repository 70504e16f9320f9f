"""JSON that gives back what was put in, or refuses: text to value and value to text.

Python's ``json`` turns non-string keys into strings, tuples into lists and accepts NaN and duplicate keys; each of
them would be a silent change of data. Here they are errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, NoReturn

from reference_store.core.signals import let_out
from reference_store.errors import UnserialisableValue

DEEPEST = 200
"""Levels of nesting that a document may have, so that it can be read back from any place in a program."""

Document = dict[str, Any]

# Raw control characters cannot stand inside a JSON string, so that these separators can be found again for the layout.
_MARK, _TOP = "\x02", "\x03"
BETWEEN_OBJECTS = ",\n    "
"""What stands between two objects of a list in a readable file."""
_LINES_BEHIND = 3
"""Lines that end behind a list: the member behind it, the seal, and the object."""


def _encoder(separator: str) -> Callable[[object], str]:
    """A compact encoder that is set up once; ``JSONEncoder.encode`` sets itself up anew for each value."""
    ordinary = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(separator, ": "))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return ordinary.encode
    # Without markers: a value that contains itself ends at the limit of recursion.
    fast = make(None, ordinary.default, encode_basestring, None, ordinary.key_separator, separator, False, False, False)
    return lambda value: "".join(fast(value, 0))


_encode_marked = _encoder(_MARK)
_encode = _encoder(", ")
_decode_first = json.JSONDecoder().raw_decode


def _decode(text: str) -> Any:
    """Return the value that ``text`` holds from its first character to its last; raises ValueError."""
    value, end = _decode_first(text)
    if end != len(text):
        raise ValueError("more than JSON")
    return value


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])')


class Malformed(ValueError):  # noqa: N818 - says what is the case
    """Bytes that are not strict JSON of an object; the message says why and shows none of them."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as text; ``canonical`` is what ``json.dumps(document, ensure_ascii=False)`` gives.

    ``content`` is a copy of the document, read back from that text; ``layout`` is the text for people and diffs, one
    line for each key and nested container, but for its end. It is empty for a document that only ever makes a line.
    """

    canonical: str
    content: Document
    layout: str = ""

    def readable(self, last: str) -> str:
        """The document for people, with one more member ``last``."""
        return f"{self.layout}  {last}\n}}\n"


def encode(document: object) -> Encoded:
    """Return ``document`` as text after checking that the text reads back equal to it.

    Raises UnserialisableValue for anything but a dict, and for values inside it that JSON cannot give back: tuples,
    sets, keys that are not strings, NaN and infinities, lone surrogates, integers beyond Python's digit limit and
    nesting deeper than DEEPEST.
    """
    if not isinstance(document, dict):
        raise UnserialisableValue(f"a {type(document).__name__} where a dict is needed")
    marked: list[str] = []

    def canonical() -> str:
        marked.extend([f"{_encode_marked(key)}: {_member(item)}" for key, item in document.items()])
        return "{" + _MARK.join(marked).replace(_MARK, ", ") + "}"

    text, content = _faithful(document, canonical)
    return Encoded(text, content, _layout(marked))


def encode_line(document: object) -> Encoded:
    """Return ``document`` as ``encode`` does, for a place on one line."""
    if not isinstance(document, dict):
        raise UnserialisableValue(f"a {type(document).__name__} where a dict is needed")
    return Encoded(*_faithful(document, lambda: _encode(document)))


def text_of(content: Document) -> str:
    """Return the text of a document that is known to be faithful: made of what ``encode`` or ``decode`` gave."""
    return _encode(content)


def copy_of(text: str) -> Document:
    """Return a new copy of the document whose canonical text this is."""
    copied: Document = _decode(text)
    return copied


def _faithful(document: Document, canonical: Callable[[], str]) -> tuple[str, Document]:
    """Return the canonical text of ``document``, and what it reads back as."""
    try:
        text = canonical()
        text.encode("utf-8")
        content: Document = _decode(text)
        if text.count("[") + text.count("{") > DEEPEST and _is_deep(content):
            raise UnserialisableValue(f"nesting deeper than {DEEPEST} levels")
        faithful = content == document
    except RecursionError:
        raise UnserialisableValue(f"nesting deeper than {DEEPEST} levels, or a value that contains itself") from None
    except UnserialisableValue:
        raise
    except (TypeError, ValueError) as error:
        let_out(error)
        faithful = False
    if not faithful:
        _explain(document)
    return text, content


def _layout(marked: Sequence[str]) -> str:
    if not marked:
        return "{\n"
    text = _TOP.join(marked)
    if _MARK in text:
        text = text.replace("}" + _MARK, "},\n    ").replace("]" + _MARK, "],\n    ").replace(_MARK, ", ")
    return "{\n  " + text.replace(_TOP, ",\n  ") + ",\n"


def flattened(text: str) -> str:
    """Return ``text`` on one line if it stands as ``readable`` makes it; any other text comes back as it may."""
    text = text.removesuffix("\n")
    if not (text.startswith("{\n  ") and text.endswith("\n}")):
        return text
    # A line break cannot stand inside a JSON string.
    return "{" + text[4:-2].replace(BETWEEN_OBJECTS, ", ").replace(",\n  ", ", ") + "}"


def listing(name: str, items: Sequence[str], last: str) -> Encoded:
    """Return the object whose member ``name`` is the list of ``items``, canonical texts of objects, before ``last``."""
    return Encoded(
        f'{{"{name}": [{", ".join(items)}], {last}}}',
        {},
        f'{{\n  "{name}": [{BETWEEN_OBJECTS.join(items)}],\n  {last},\n',
    )


def listed(text: str, name: str, behind: str) -> list[str] | None:
    """Return the texts of the objects in the list ``name`` if ``text`` stands as ``listing`` makes it, None if not.

    ``behind`` is the member behind the list. The texts are parts of ``text``, and are not looked at: whoever parses
    each of them to its end knows that it was one.
    """
    begin = f'{{\n  "{name}": ['
    body, end, rest = text.rpartition(f'],\n  "{behind}": ')
    if not (end and body.startswith(begin) and rest.count("\n") <= _LINES_BEHIND):
        return None
    items = body[len(begin) :].split(BETWEEN_OBJECTS)
    # Nothing else breaks a line: a line break cannot stand inside a JSON string.
    if body.count("\n") != len(items):
        return None
    return items if items != [""] else []


def decode(raw: bytes) -> tuple[Document, str]:
    """Return the object that ``raw`` holds, and its canonical text.

    Raises Malformed for what is not UTF-8, not JSON, not an object, has duplicate keys, numbers that are not finite
    or too long, lone surrogates, or nesting deeper than DEEPEST.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("it is not UTF-8 text") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_finite)
        if type(value) is not dict:
            raise Malformed("it does not hold a JSON object")
        canonical = _encode(value)
        canonical.encode("utf-8")
    except RecursionError:
        if _deeper_than_allowed(text):
            raise Malformed(f"it is nested deeper than {DEEPEST} levels") from None
        raise  # the caller's own stack is used up: the bytes are not to blame
    except json.JSONDecodeError as error:
        # Raised anew: the original carries the whole text.
        raise Malformed(f"it is not JSON (line {error.lineno}, column {error.colno})") from None
    except UnicodeEncodeError:
        raise Malformed("it holds half of a surrogate pair") from None
    except Malformed:
        raise
    except ValueError as error:
        let_out(error)
        raise Malformed("it holds a number that is not finite or too long") from None
    return value, canonical


def _member(item: object) -> str:
    # The encoder sets itself up anew for all but text; numbers at the top level are common, and faster like this.
    if type(item) is int or (type(item) is float and isfinite(item)):
        return repr(item)
    return _encode_marked(item)


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a key stands twice in one object")
    return members


def _not_finite(_name: str) -> NoReturn:
    raise Malformed("it holds a number that is not finite or too long")


def _is_deep(content: Document) -> bool:
    """Whether what was decoded is nested too deep: by levels, far quicker than looking for brackets in the text."""
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        level = [
            each
            for value in level
            for each in (value.values() if type(value) is dict else value)
            if type(each) is dict or type(each) is list
        ]
        if not level:
            return False
    return True


def _deeper_than_allowed(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        if match.lastindex == 1:
            depth += 1
            if depth > DEEPEST:
                return True
        elif match.lastindex == 2:
            depth -= 1
    return False


def _explain(document: object) -> NoReturn:
    """Find the value that does not survive the way to JSON and back; only its kind goes into the message."""
    pending: list[tuple[object, tuple[str | int, ...]]] = [(document, ())]
    while pending:
        value, path = pending.pop()
        if len(path) > DEEPEST:
            raise UnserialisableValue(f"nesting deeper than {DEEPEST} levels, or a value that contains itself")
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise UnserialisableValue(f"a key of type {type(key).__name__}", path)
                _refuse_scalar(key, path)
                pending.append((item, (*path, key)))
        elif isinstance(value, list):
            pending.extend((item, (*path, index)) for index, item in enumerate(value))
        else:
            _refuse_scalar(value, path)
    raise UnserialisableValue("a value that does not read back equal to itself")


def _refuse_scalar(value: object, path: tuple[str | int, ...]) -> None:
    if not (value is None or isinstance(value, str | int | float)):
        raise UnserialisableValue(f"a value of type {type(value).__name__}", path)
    try:
        text = _encode(value)
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnserialisableValue("text with half of a surrogate pair", path) from None
    except ValueError as error:
        let_out(error)
        raise UnserialisableValue("a number that is not finite or too long", path) from None
