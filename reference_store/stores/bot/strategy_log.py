"""What strategies did and saw: one log for each strategy in ``strategy_log/``, appended to and never rewritten."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from reference_store.bot_models import StrategyLogEntry
from reference_store.core.closing import AsyncClosing, Closing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, StoreError, shown
from reference_store.operations.log_salvage import SalvageReport
from reference_store.stores.aio import reading
from reference_store.stores.aio_journal import AsyncJournalStore
from reference_store.stores.bot.places import below
from reference_store.stores.bot.records import Unknown, document_of, model_of
from reference_store.stores.job_records import utc_now
from reference_store.stores.journal import JournalStore
from reference_store.stores.record_file import Clock, now_of

DIRECTORY = "strategy_log"
_log = logging.getLogger("reference_store")


def _record(entry: StrategyLogEntry, clock: Clock) -> Document:
    given = model_of(StrategyLogEntry, document_of(StrategyLogEntry, entry))
    return document_of(StrategyLogEntry, given.model_copy(update={"at": given.at or now_of(clock)}))


def _entries(strategy: str, records: Iterable[Document]) -> list[StrategyLogEntry]:
    """The entries; what a newer version has added to one is left out, one that is not understood without it too."""
    found = []
    strange: set[str] = set()
    for record in records:
        unknown = record.keys() - StrategyLogEntry.model_fields.keys()
        strange |= unknown
        try:
            known = {name: value for name, value in record.items() if name not in unknown} if unknown else record
            found.append(model_of(StrategyLogEntry, known))
        except Unknown as newer:
            _log.warning("%s: an entry is passed over: its %s %s", shown(strategy), newer.field, newer.reason)
        except InvalidRecord as error:
            raise CorruptData(
                strategy, DIRECTORY, f"a record of it is no entry: {error.field} {error.reason}"
            ) from error
    if strange:
        told = ", ".join(sorted(map(shown, strange)))
        _log.warning("%s: entries have members that this version does not know: %s", shown(strategy), told)
    return found


class StrategyLogStore(Closing, Reopened):
    """Logs by strategy in ``<root>/strategy_log/``; errors and promises are those of JournalStore.

    ``clock`` gives ``at`` to entries that have none.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = JournalStore.tradestore_claims

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._journal, self._clock = JournalStore(below(root, DIRECTORY), lock_timeout=lock_timeout), clock

    def append(self, entry: StrategyLogEntry) -> None:
        """Add an entry to the log of its strategy, durably."""
        record = _record(entry, self._clock)
        self._journal.append(entry.strategy, record)

    def read(self, strategy: str, since: int = 0, limit: int | None = None) -> list[StrategyLogEntry]:
        """Return the entries of a strategy behind number ``since``, at most ``limit``, in their order."""
        return _entries(strategy, self._journal.read(strategy, since, limit))

    def strategies(self) -> list[str]:
        """Return the strategies that have a log, sorted."""
        return self._journal.streams()

    def salvage(self, strategy: str) -> SalvageReport:
        """Make a damaged log readable again, and say what is lost; see JournalStore.salvage."""
        return self._journal.salvage(strategy)

    def delete(self, strategy: str) -> bool:
        """Remove the log of a strategy for good, and say whether there was one."""
        return self._journal.delete(strategy)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._journal.close()


class AsyncStrategyLogStore(AsyncClosing, Reopened):
    """StrategyLogStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = AsyncJournalStore.tradestore_claims

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._journal, self._clock = AsyncJournalStore(below(root, DIRECTORY), lock_timeout=lock_timeout), clock

    async def append(self, entry: StrategyLogEntry) -> None:
        """Add an entry to the log of its strategy, durably."""
        record = _record(entry, self._clock)
        await self._journal.append(entry.strategy, record)

    async def read(self, strategy: str, since: int = 0, limit: int | None = None) -> list[StrategyLogEntry]:
        """Return the entries of a strategy; see StrategyLogStore.read."""
        return await reading(_entries, strategy, await self._journal.read(strategy, since, limit))

    async def strategies(self) -> list[str]:
        """Return the strategies that have a log, sorted."""
        return await self._journal.streams()

    async def salvage(self, strategy: str) -> SalvageReport:
        """Make a damaged log readable again, and say what is lost."""
        return await self._journal.salvage(strategy)

    async def delete(self, strategy: str) -> bool:
        """Remove the log of a strategy for good, and say whether there was one."""
        return await self._journal.delete(strategy)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        await self._journal.aclose()
