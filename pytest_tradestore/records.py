"""The records that contracts speak of (bars, events, jobs, ...): how they are made for a store, and taken apart again.

A store may have record types of its own: it then says ``make_bar(**fields)`` and the like; without that the types of
``reference_store.models`` are used.
"""

import dataclasses
import enum
import functools
import inspect
import operator
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from typing import Any, cast

from pytest_tradestore.observation import canonical
from pytest_tradestore.takes import EVERYTHING, Takes

MAKERS = {
    "make_bar": "PriceBar",
    "make_fundamental": "FundamentalData",
    "make_event": "Event",
    "make_decision": "Decision",
    "make_order": "Order",
    "make_order_result": "OrderResult",
    "make_job": "Job",
}
"""What an adapter may say, and the type of ``reference_store.models`` that stands in for it."""

Make = Callable[..., Any]


class Records:
    """Makes records by the store's own makers, else by the reference types (imported when first needed).

    ``takes`` says which values the store takes; whoever chooses values asks it.
    """

    def __init__(self, own: Mapping[str, Make] | None = None, takes: Takes = EVERYTHING) -> None:
        self._own = dict(own or {})
        self.takes = takes

    def __getattr__(self, name: str) -> Make:
        if name not in MAKERS:
            raise AttributeError(name)
        if name in self._own:
            return self._own[name]
        from reference_store import models

        made: Make = getattr(models, MAKERS[name])
        return made


def takes_fields(make: Any, maker: str) -> bool:
    """Whether ``make`` can be called with the fields of a record, as ``maker`` is; what does not show it may be."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return True
    fields, kinds = _fields_of(maker), {each.kind for each in parameters}
    named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    if any(each.default is each.empty and each.name not in fields for each in named):
        return False
    return inspect.Parameter.VAR_KEYWORD in kinds or sum(each.name in fields for each in named) > 1


def _fields_of(maker: str) -> set[str]:
    from reference_store import models

    return set(inspect.signature(getattr(models, MAKERS[maker])).parameters)


_AS_THEY_ARE = frozenset((str, int, float, bool, type(None)))


def plain(record: Any) -> Any:
    """Return a record as JSON-like values: a dictionary of its fields, times as ISO text, enumerations by value."""
    kind = type(record)
    if kind in _AS_THEY_ARE:  # most values are; bars are looked at by the thousand
        return record
    if kind is datetime:
        return record.isoformat()
    if names := _dataclass_fields(cast(Hashable, kind)):
        return {name: value if type(value := getattr(record, name)) in _AS_THEY_ARE else plain(value) for name in names}
    if isinstance(record, (str, bool, int, float)):
        return record.value if isinstance(record, enum.Enum) else record
    if isinstance(record, enum.Enum):
        return plain(record.value)
    if isinstance(record, (datetime, date)):
        return record.isoformat()
    if isinstance(record, Mapping):
        return {str(plain(key)): plain(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)) and not hasattr(record, "_fields"):
        return [plain(item) for item in record]
    if hasattr(kind, "dtype") and hasattr(kind, "item") and getattr(record, "ndim", None) == 0:
        item = record.item()  # a number of numpy is the number, as it is when it is compared; some have none in Python
        return plain(item) if type(item) is not kind else repr(item)
    fields = fields_of(record)
    return fields if fields is None else {name: plain(value) for name, value in fields.items()}


_KEPT = frozenset((*_AS_THEY_ARE, datetime))
_MOST_TEXTS = 20_000
_texts: dict[Hashable, str] = {}


def text_of(record: Any) -> str:
    """Return a record as canonical JSON text; the same bars are looked at by the thousand, and taken apart once."""
    known = _told_apart(record)
    if known is None:
        return canonical(plain(record))
    text = _texts.get(known)
    if text is None:
        if len(_texts) >= _MOST_TEXTS:
            _texts.clear()
        text = _texts[known] = canonical(plain(record))
    return text


def _told_apart(record: Any) -> Hashable | None:
    """Return what equals only that of a record with the same text, None where equal values may have another one."""
    kind = type(record)
    values_of = _getter(cast(Hashable, kind))
    if values_of is None:
        return None
    values = values_of(record)
    types = tuple(map(type, values))
    if not _KEPT.issuperset(types) or 0 in values:  # 0.0 equals -0.0
        return None
    if any(type(value) is datetime and value.tzinfo is not None for value in values):
        return None  # one moment has a text in every zone
    return kind, values, types


@functools.lru_cache(maxsize=256)
def _getter(kind: Hashable) -> Callable[[Any], tuple[Any, ...]] | None:
    names = _dataclass_fields(kind)
    return operator.attrgetter(*names) if len(names) > 1 else None


@functools.lru_cache(maxsize=256)
def _dataclass_fields(kind: Hashable) -> tuple[str, ...]:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return ()


def fields_of(record: Any) -> dict[str, Any] | None:
    """Return the fields of a record of whatever make, None for something that has none."""
    if isinstance(record, Mapping):
        return {str(key): value for key, value in record.items()}
    if names := _dataclass_fields(cast(Hashable, type(record))):
        return {name: getattr(record, name) for name in names}
    if hasattr(type(record), "model_fields"):
        return {name: getattr(record, name) for name in type(record).model_fields}
    if hasattr(record, "_asdict"):
        named: dict[str, Any] = record._asdict()
        return named
    slots = [name for kind in type(record).__mro__ for name in getattr(kind, "__slots__", ())]
    found = {name: getattr(record, name) for name in slots if not name.startswith("_") and hasattr(record, name)}
    found.update({name: value for name, value in getattr(record, "__dict__", {}).items() if not name.startswith("_")})
    return found or {"value": str(record)}


def field(record: Any, name: str) -> Any:
    """Return one field of a record that may be an object or a mapping; None when it has no such field."""
    if isinstance(record, Mapping):
        return record.get(name)
    return getattr(record, name, None)


def page_of(found: Any) -> list[Any]:
    """Return the records of a listing: a list, or a pair of a list and a total count."""
    if isinstance(found, tuple) and found and isinstance(found[0], (list, tuple)) and not hasattr(found, "_fields"):
        return list(found[0])
    return list(found or ())
