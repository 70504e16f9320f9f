"""A bot's cache in ``cache/``: values that can be had again, each for a time, and two files of the guideline.

What is read was put last, by whatever process, and its time is not over; or there is nothing. A damaged entry is never
answered from an older one.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable
from pathlib import Path
from typing import Any, ClassVar

from reference_store.cache_models import BotStartup, LatestDecisions, RecentDecision
from reference_store.core.document_changes import Change
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError, VersionConflict
from reference_store.stores.aio import _whole as whole
from reference_store.stores.bot.cache_entries import DECISIONS, STARTUP, Entries, called, loaded
from reference_store.stores.bot.faces import AsyncModelStore, ModelStore
from reference_store.stores.documents import CLAIMS
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock

TIME_TO_LIVE = 300.0
"""Seconds that a value may be read, if nothing else is said."""
ENTRIES = 1000
_OF_CACHES = tuple(claim for claim in CLAIMS if claim != "backup")


class CacheStore(ModelStore):
    """Values by key in ``<root>/cache/``, one readable file each, for ``ttl`` seconds: the guideline's five minutes.

    A key of the form ``purpose_context`` in small letters has the file of that name; any other identifier may be a key,
    too. What was put last is read, by whatever process, or nothing. There are about ``max_entries`` at most: where
    there are more, those go whose time is over, then those of which it is over next. ``bot_startup`` and
    ``latest_decisions`` stay until they are replaced. ``clock`` gives the time, with a zone.

    Raises InvalidRecord for what is no value or time to live, UnserialisableValue, CorruptData for a damaged entry,
    InvalidIdentifier, LockTimeout, StorageFailure, and StoreClosed after ``close``.
    """

    tradestore_contracts: ClassVar[tuple[str, ...]] = ("cache",)
    tradestore_claims: ClassVar[tuple[str, ...]] = _OF_CACHES

    def __init__(
        self,
        root: str | Path,
        *,
        ttl: float = TIME_TO_LIVE,
        max_entries: int = ENTRIES,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
    ) -> None:
        self._cache = Entries(root, ttl, max_entries, lock_timeout, clock)
        super().__init__(self._cache.files)

    def put(self, key: str, value: Document, ttl: float | None = None) -> None:
        """Keep ``value`` under ``key`` for ``ttl`` seconds, in place of what was there; durable on return."""
        self._put(self._cache.putting(key, value, ttl))

    def get(self, key: str) -> Document | None:
        """Return the value put last, None if there is none or its time is over."""
        return self._cache.get(key)

    def get_or_load(self, key: str, loader: Callable[[], Document], ttl: float | None = None) -> Document:
        """Return the value, or else what ``loader`` returns, which is then kept.

        The loader is called under no lock and may take its time. What somebody else has put meanwhile stays, and is
        returned: it is the newer one. A damaged entry is loaded anew.
        """
        found = self._cache.had(key)
        if found is not None:
            return found
        expected = self._cache.generation(key)
        change = self._cache.putting(key, called(loader), ttl, expected)
        try:
            self._put(change)
        except VersionConflict:
            return loaded(change) if (newer := self._cache.had(key)) is None else newer
        return loaded(change)

    def update(self, key: str, function: Callable[[Document | None], Document], ttl: float | None = None) -> Document:
        """Keep what ``function`` makes of the value, None if there is none, and return it; see DocumentStore.update."""
        doing = self._cache.updating("update", key, function, ttl)
        made: Document = self._done(doing)
        self._tidy()
        return made

    def delete(self, key: str) -> bool:
        """Remove the entry, and say whether there was one, over or not."""
        return self._files.remove("delete", key)

    def keys(self) -> builtins.list[str]:
        """Return the keys that have a file, sorted; the time of some may be over."""
        return self._cache.keys()

    def prune(self) -> int:
        """Remove the entries whose time is over, and say how many they were."""
        return sum(self._files.group.commit(removal) for removal in self._cache.over())

    def started(self, startup: BotStartup) -> None:
        """Note how the bot was started, in ``bot_startup.json``."""
        self._put(self._cache.starting(startup))

    def startup(self) -> BotStartup | None:
        """Return how the bot was started last, None if that was never noted."""
        return self._cache.typed(STARTUP, BotStartup)

    def decided(self, decision: RecentDecision) -> None:
        """Add a decision to ``latest_decisions.json``, which keeps the last hundred."""
        self._done(self._cache.deciding(decision))

    def latest_decisions(self) -> builtins.list[RecentDecision]:
        """Return the last decisions, the newest last."""
        found = self._cache.typed(DECISIONS, LatestDecisions)
        return [] if found is None else found.decisions

    def _put(self, change: Change) -> None:
        self._files.group.commit(change)
        self._tidy()

    def _tidy(self) -> None:
        if self._cache.is_time_to_tidy():
            with suppress(StoreError):  # no matter of the put before, which has happened
                for removal in self._cache.superfluous():
                    self._files.group.commit(removal)


class AsyncCacheStore(AsyncModelStore):
    """CacheStore for asyncio; see there."""

    tradestore_contracts: ClassVar[tuple[str, ...]] = ("cache",)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *_OF_CACHES)

    def __init__(
        self,
        root: str | Path,
        *,
        ttl: float = TIME_TO_LIVE,
        max_entries: int = ENTRIES,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
    ) -> None:
        self._cache = Entries(root, ttl, max_entries, lock_timeout, clock)
        super().__init__(self._cache.files)

    async def put(self, key: str, value: Document, ttl: float | None = None) -> None:
        """Keep ``value`` under ``key`` for ``ttl`` seconds; see CacheStore.put."""
        await self._put(self._cache.putting(key, value, ttl))

    async def get(self, key: str) -> Document | None:
        """Return the value put last; see CacheStore.get."""
        return await self._read(self._cache.get, key)

    async def get_or_load(
        self, key: str, loader: Callable[[], Document | Awaitable[Document]], ttl: float | None = None
    ) -> Document:
        """Return the value, or else what ``loader`` returns, which may be a coroutine function.

        See CacheStore.get_or_load.
        """
        found = await self._read(self._cache.had, key)
        if found is not None:
            return found
        expected = await self._read(self._cache.generation, key)
        given: Any = called(loader)
        change = self._cache.putting(key, await given if isawaitable(given) else given, ttl, expected)
        try:
            await self._put(change)
        except VersionConflict:
            newer = await self._read(self._cache.had, key)
            return loaded(change) if newer is None else newer
        return loaded(change)

    async def update(
        self, key: str, function: Callable[[Document | None], Document], ttl: float | None = None
    ) -> Document:
        """Keep what ``function``, called in a thread, makes of the value; see CacheStore.update."""
        made: Document = await self._done(self._cache.updating("update", key, function, ttl))
        await self._tidy()
        return made

    async def delete(self, key: str) -> bool:
        """Remove the entry, and say whether there was one."""
        removed: bool = await self._commits.commit(self._files.removal("delete", key))
        return removed

    async def keys(self) -> builtins.list[str]:
        """Return the keys that have a file; see CacheStore.keys."""
        return await whole(self._cache.keys)

    async def prune(self) -> int:
        """Remove the entries whose time is over, and say how many they were."""
        over = await whole(self._cache.over)
        return sum([await self._commits.commit(removal) for removal in over])

    async def started(self, startup: BotStartup) -> None:
        """Note how the bot was started; see CacheStore.started."""
        await self._put(self._cache.starting(startup))

    async def startup(self) -> BotStartup | None:
        """Return how the bot was started last; see CacheStore.startup."""
        return await self._read(self._cache.typed, STARTUP, BotStartup)

    async def decided(self, decision: RecentDecision) -> None:
        """Add a decision to the latest ones; see CacheStore.decided."""
        await self._done(self._cache.deciding(decision))

    async def latest_decisions(self) -> builtins.list[RecentDecision]:
        """Return the last decisions, the newest last."""
        found = await self._read(self._cache.typed, DECISIONS, LatestDecisions)
        return [] if found is None else found.decisions

    async def _put(self, change: Change) -> None:
        await self._commits.commit(change)
        await self._tidy()

    async def _tidy(self) -> None:
        if self._cache.is_time_to_tidy():
            with suppress(StoreError):  # no matter of the put before, which has happened
                for removal in await whole(self._cache.superfluous):
                    await self._commits.commit(removal)
