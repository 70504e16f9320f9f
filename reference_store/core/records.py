"""Turns the records of ``models`` into JSON objects and back: datetimes as ISO strings, nothing lost on the way."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, shown

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

_log = logging.getLogger("reference_store")


def all_of(field: str, given: Iterable[T]) -> list[T]:
    """Return what a caller has given as a list that is the caller's no more.

    What an iterator of the caller's raises, a generator for instance, comes out as it is. Raises InvalidRecord, naming
    ``field``, for a collection that cannot be gone through.
    """
    if isinstance(given, Iterator):
        return list(given)
    try:
        return list(given)
    except Exception as error:
        let_out(error)
        raise InvalidRecord(field, f"cannot be gone through ({type(error).__name__})") from error


def to_json(record: BaseModel, *, fold_kept: bool = False) -> Document:
    """Return ``record`` as a JSON object whose members stand in the order of its fields.

    Datetimes keep their wall time, microseconds and offset from UTC; the name of a zone is not kept. Raises
    InvalidRecord for a time that ISO text cannot give back, such as one with nanoseconds, or the second one of a
    repeated hour without a zone, unless ``fold_kept`` says that the caller keeps that.
    """
    members: Document = dict(record)  # as they are: pydantic would make text of a Fraction, and ask Python on the way
    for name in _times(type(record)):
        moment = members.get(name)
        if moment is not None:
            members[name] = iso(moment, name)
            if moment.fold and not fold_kept and moment.utcoffset() is None:
                raise InvalidRecord(name, "has no zone and says fold=1, which its text would lose")
    return members


def iso(moment: datetime, field: str) -> str:
    """Return ``moment`` as ISO text; raises InvalidRecord, naming ``field``, when that would change it."""
    if moment != moment:  # NaT says that it is a datetime
        raise InvalidRecord(field, "is no time")
    text = moment.isoformat()
    if type(moment) is not datetime and datetime.fromisoformat(text) != moment:
        raise InvalidRecord(field, "is finer than a microsecond")
    return text


def from_json(kind: type[R], members: Document, identifier: str, file: str) -> R:
    """Return the record that ``members`` hold; raises CorruptData, naming ``file``, when they hold no such record.

    Members that this version does not know, because a newer one wrote them, are left out, and a warning says so:
    whoever writes the record again must not take what is returned for all of it.
    """
    unknown = members.keys() - kind.model_fields.keys()
    if unknown:
        _log.warning(
            "%s: a %s in %r has fields that this version does not know: %s",
            shown(identifier), kind.__name__, file, ", ".join(sorted(map(shown, unknown))),
        )  # fmt: skip
        members = {name: value for name, value in members.items() if name not in unknown}
    try:
        times = {name: datetime.fromisoformat(text) for name in _times(kind) if (text := members.get(name)) is not None}
        return kind.model_validate({**members, **times})
    except (ValidationError, TypeError, ValueError) as error:
        let_out(error)
        reason = f"it holds no {kind.__name__}"
        if isinstance(error, ValidationError):
            reason += f" (field {'.'.join(map(str, error.errors()[0]['loc']))})"
        raise CorruptData(identifier, file, reason) from None


def checked(kind: type[R], record: object) -> R:
    """Return a copy of ``record`` if it is one of this kind with all that it needs; raises InvalidRecord otherwise.

    One that was made with ``model_construct`` or ``model_copy(update=...)``, for example, has been checked by nobody.
    """
    return _valid(type(_of_kind(kind, record)), record)


def exactly(kind: type[R], record: object) -> R:
    """Return a copy of ``record`` as ``checked`` does; a kind of it that has more fields is refused, too."""
    return _valid(kind, _of_kind(kind, record))


def _of_kind(kind: type[R], record: object) -> R:
    if not isinstance(record, kind):
        raise InvalidRecord("the record", f"is of type {type(record).__name__}, not {kind.__name__}")
    return record


def _valid(kind: type[R], record: Any) -> R:
    try:
        return kind.model_validate(dict(record))
    except ValidationError as error:
        let_out(error)
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or kind.__name__
        # A rule of a model says itself what is wrong; its words come without what the record holds.
        raise InvalidRecord(where, f"is not what it has to be ({first['msg']})") from None


@cache
def _times(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields that hold datetimes."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if field.annotation is datetime or datetime in get_args(field.annotation)
    )


def instant(moment: datetime) -> datetime:
    """Return ``moment`` so that any two can be compared; a naive one is local time, as everywhere in Python."""
    return moment if moment.utcoffset() is not None else moment.astimezone()


def members_of(value: Any) -> Document:
    """Return ``value`` if it is a JSON object; raises TypeError otherwise."""
    if not isinstance(value, dict):
        raise TypeError
    return value
