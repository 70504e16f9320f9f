"""The entries of a bot's cache: what of them may be read now, and the changes that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from reference_store.cache_models import BotStartup, CacheEntry, LatestDecisions, RecentDecision
from reference_store.core import strict_json
from reference_store.core.document_changes import Change
from reference_store.core.numbers import Inexact, exact_float
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, StoreError
from reference_store.stores.bot.cache_files import CacheFiles, cache_stem
from reference_store.stores.bot.faces import Doing, Models
from reference_store.stores.bot.places import below
from reference_store.stores.bot.records import document_of, model_of, read_as, schema_of
from reference_store.stores.record_file import Clock, now_of

M = TypeVar("M", bound=BaseModel)
DIRECTORY = "cache"
STARTUP, DECISIONS = "bot_startup", "latest_decisions"
LATEST = 100
"""Decisions that are kept."""
_SESSION = (STARTUP, DECISIONS)
"""They stay until they are replaced."""


class Entries:
    """The entries, and the changes that are made of them."""

    def __init__(self, root: str | Path, ttl: float, entries: int, lock_timeout: float, clock: Clock) -> None:
        self._ttl, self._clock = _seconds(ttl), clock
        if type(entries) is not int or entries < 1:
            raise InvalidRecord("max_entries", "is no whole number from 1 on")
        self._entries, self._puts_left = entries, 0
        self.files = CacheFiles(below(root, DIRECTORY), lock_timeout, schema_of(CacheEntry), entries)
        self._models = Models(self.files, CacheEntry)

    def get(self, key: str) -> Document | None:
        found = self.files.read_again("get", key)
        return None if found is None else self._value(read_as(CacheEntry, found))

    def typed(self, key: str, model: type[M]) -> M | None:
        value = self.get(key)
        try:
            return None if value is None else model_of(model, value)
        except InvalidRecord as error:
            raise CorruptData(key, f"{key}.json", f"its {error.field} {error.reason}") from error

    def keys(self) -> list[str]:
        return self.files.keys("keys")

    def putting(self, key: str, value: Any, ttl: float | None, expected: int | None = None) -> Change:
        cache_stem(key)  # refused before anything else is asked of it
        entry = self._entry(key, value, self._ttl if ttl is None else _seconds(ttl))
        return self.files.change("put", key, document_of(CacheEntry, entry), expected)

    def updating(
        self, operation: str, key: str, function: Callable[[Document | None], Document], ttl: float | None
    ) -> Doing[Document]:
        cache_stem(key)
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")
        seconds = self._ttl if ttl is None else _seconds(ttl)

        def update(present: CacheEntry | None) -> tuple[CacheEntry, Document]:
            made = self._entry(key, function(None if present is None else self._value(present)), seconds)
            return made, made.value

        return self._models.doing(operation, key, update)

    def starting(self, startup: BotStartup) -> Change:
        return self.putting(STARTUP, document_of(BotStartup, startup), None)

    def deciding(self, decision: RecentDecision) -> Doing[Document]:
        given = model_of(RecentDecision, document_of(RecentDecision, decision))

        def add(present: Document | None) -> Document:
            latest = LatestDecisions() if present is None else model_of(LatestDecisions, present)
            kept = [*latest.decisions, given][-LATEST:]
            return document_of(LatestDecisions, LatestDecisions(decisions=kept))

        return self.updating("decided", DECISIONS, add, None)

    def generation(self, key: str) -> int | None:
        """The generation that a value which is loaded now is to take the place of; None if anything may be there."""
        try:
            return self.files.read_generation("get_or_load", key)
        except CorruptData:
            return None

    def had(self, key: str) -> Document | None:
        """What is there, nothing where that is damaged."""
        with suppress(CorruptData):
            return self.get(key)
        return None

    def is_time_to_tidy(self) -> bool:
        """Whether it is time to look how many entries there are: at the first put, and every now and then."""
        self._puts_left -= 1
        if self._puts_left >= 0:
            return False
        self._puts_left = self._entries // 10
        return True

    def over(self) -> list[Change]:
        """The removals of the entries whose time is over; one that is put in the place of such an entry stays."""
        return self._superfluous(None)

    def superfluous(self) -> list[Change]:
        """The same, and of those of which it is over next where there are too many."""
        return self._superfluous(self._entries)

    def _superfluous(self, most: int | None) -> list[Change]:
        kept: list[tuple[datetime, str, int]] = []
        over: list[tuple[str, int]] = []
        for key in self.keys():
            if key in _SESSION:
                continue
            try:
                content, generation = self.files.read_versioned("prune", key)
                found = None if content is None else model_of(CacheEntry, content)
            except StoreError:
                continue  # whoever reads it is told
            if found is None or found.expires_at is None:
                continue
            # The time of now: one that was put since the first was read is not of a clock that is ahead.
            if found.is_over(now_of(self._clock)):
                over.append((key, generation))
            else:
                kept.append((found.expires_at, key, generation))
        many = 0 if most is None else max(len(kept) - most, 0)
        gone = over + [(key, generation) for _, key, generation in sorted(kept)[:many]]
        return [self.files.removal_of("delete", key, generation) for key, generation in gone]

    def _entry(self, key: str, value: object, seconds: float) -> CacheEntry:
        now, copied = now_of(self._clock), strict_json.encode(value).content
        try:
            return CacheEntry.of(copied, now, None if key in _SESSION else seconds)
        except ValueError as error:
            let_out(error)
            raise InvalidRecord("the time to live, or the clock,", "says no time with a zone") from error

    def _value(self, entry: CacheEntry) -> Document | None:
        return None if entry.is_over(now_of(self._clock)) else entry.value


def _seconds(ttl: object) -> float:
    try:
        found = exact_float(ttl)
    except Inexact as error:
        raise InvalidRecord("ttl", f"{error}, and no number of seconds") from None
    if not 0 < found < float("inf"):
        raise InvalidRecord("ttl", "is no number of seconds above 0")
    return found


def loaded(change: Change) -> Document:
    """Return the value that a change puts there."""
    assert change.encoded is not None
    value: Document = change.encoded.content["value"]
    return value


def called(loader: Callable[[], Any]) -> Any:
    """Return what a loader returns; raises InvalidRecord for what is none."""
    if not callable(loader):
        raise InvalidRecord("loader", "cannot be called")
    return loader()
