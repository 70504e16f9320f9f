"""The kinds of what is copied, as parts of stores: each takes a store of whatever place and knows only its methods."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.models import PriceBar
from reference_store.stores.bars.zones import names_of, zone

_AT_ONCE = 500


class Documents:
    """Documents by key."""

    grows = False

    def __init__(self, store: Any, close: Callable[[], None]) -> None:
        self._store, self.close = store, close

    def names(self) -> list[str]:
        found: list[str] = self._store.keys()
        return found

    def read(self, name: str) -> Iterator[Document]:
        found = self._store.get(name)
        if found is not None:
            yield found

    def write(self, name: str, since: int, source: Iterator[Document]) -> None:  # noqa: ARG002 - replaced whole
        for document in source:
            self._store.put(name, document)


class Logs:
    """Logs by stream; ``append`` adds records to one."""

    grows = True

    def __init__(self, store: Any, append: Callable[[str, list[Document]], object], close: Callable[[], None]) -> None:
        self._store, self._append, self.close = store, append, close

    def names(self) -> list[str]:
        found: list[str] = self._store.streams()
        return found

    def read(self, name: str) -> Iterator[Document]:
        return (entry.record for entry in self._store.entries(name))

    def write(self, name: str, since: int, source: Iterator[Document]) -> None:  # noqa: ARG002 - the end is known
        some: list[Document] = []
        for record in source:
            some.append(record)
            if len(some) == _AT_ONCE:
                self._append(name, some)
                some = []
        if some:
            self._append(name, some)


class Records:
    """Jobs or runs, in their order: ``listed`` gives all of them, ``put`` stores one as it is."""

    grows = False

    def __init__(
        self,
        id_name: str,
        listed: Callable[[], list[Document]],
        found: Callable[[str], Document | None],
        put: Callable[[str, Document], object],
        close: Callable[[], None],
    ) -> None:
        self._id, self._listed, self._found, self._put, self.close = id_name, listed, found, put, close

    def names(self) -> list[str]:
        return [record[self._id] for record in self._listed()]

    def read(self, name: str) -> Iterator[Document]:
        found = self._found(name)
        if found is not None:
            yield found

    def write(self, name: str, since: int, source: Iterator[Document]) -> None:  # noqa: ARG002 - replaced whole
        for record in source:
            self._put(name, record)


class Bars:
    """Bars by symbol and month, the name being ``<month> <symbol>``."""

    grows = False

    def __init__(self, store: Any, close: Callable[[], None]) -> None:
        self._store, self.close = store, close

    def names(self) -> list[str]:
        return [f"{month} {symbol}" for symbol in self._store.symbols() for month in self._store.months(symbol)]

    def read(self, name: str) -> Iterator[Document]:
        for bar in self._bars(name):
            members: Document = {field: getattr(bar, field) for field in ("open", "high", "low", "close", "volume")}
            there = None if bar.date.tzinfo is None else names_of([bar.date])[0]
            yield {"date": bar.date.isoformat(), "zone": there, **members}

    def write(self, name: str, since: int, source: Iterator[Document]) -> None:  # noqa: ARG002 - merged by date
        symbol = name.partition(" ")[2]
        self._store.write_bars(symbol, [_bar(symbol, each) for each in source])

    def _bars(self, name: str) -> list[PriceBar]:
        month, _, symbol = name.partition(" ")
        year, number = int(month[:4]), int(month[5:])
        first = datetime(year, number, 1)  # noqa: DTZ001 - bars may have no zone
        last = first + timedelta(days=monthrange(year, number)[1]) - timedelta(microseconds=1)
        try:
            found: list[PriceBar] = self._store.read_bars(symbol, first, last)
        except InvalidRecord:
            found = self._store.read_bars(symbol, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
        return found


def _bar(symbol: str, found: Document) -> PriceBar:
    date = datetime.fromisoformat(found["date"])
    if found["zone"] is not None:
        date = date.astimezone(zone(found["zone"]))
    return PriceBar(symbol, date, found["open"], found["high"], found["low"], found["close"], found["volume"])
