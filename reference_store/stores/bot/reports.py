"""Reports of a bot and results of its analyses, each in a file that is called by what it is and when it was made."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.closing import AsyncClosing, Closing
from reference_store.core.document_files import Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.sealed_files import SealedFiles
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidIdentifier, InvalidRecord, StorageFailure, StoreError
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.bot.file_names import ReportKind, ReportName, words
from reference_store.stores.bot.places import below
from reference_store.stores.bot.report_files import FORM, PERFORMANCE, Report, adopt, report_key
from reference_store.stores.documents import CLAIMS
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock, now_of

BACKTESTS = "backtest_results"


class _Reports:
    """The files of one directory, and what is read of them and written to them."""

    def __init__(self, place: Directory, lock_timeout: float, clock: Clock) -> None:
        self.files: SealedFiles[Report] = SealedFiles(place, lock_timeout, FORM, lambda key: key, report_key)
        self._clock = clock

    def named(self, what: str, at: datetime | None, kind: ReportKind) -> ReportName:
        when = now_of(self._clock) if at is None else at
        return ReportName(what, when.replace(microsecond=0) if isinstance(when, datetime) else when, kind)

    def save(self, name: ReportName, report: Report) -> ReportName:
        self.files.put("save", _key(name), report)
        return name

    def load(self, name: ReportName) -> Report | None:
        return self.files.read("load", _key(name))

    def update(self, name: ReportName, function: Callable[[Report | None], Report]) -> Report:
        return self.files.update("update", _key(name), function)

    def names(self, what: str | None, kind: str | None) -> list[ReportName]:
        if kind is not None and kind not in set(ReportKind):
            raise InvalidRecord("kind", f"is none of {', '.join(ReportKind)}")
        wanted = None if what is None else words(what)
        found = [ReportName.parse(key) for key in self.files.keys("names") if key != PERFORMANCE]
        chosen = [
            name for name in found if (wanted is None or name.what == wanted) and (kind is None or name.kind == kind)
        ]
        return sorted(chosen, key=lambda name: (name.at, name.what, name.kind))

    def delete(self, name: ReportName) -> bool:
        return self.files.remove("delete", _key(name))

    def reseal(self, name: ReportName) -> None:
        key = _key(name)
        self.files.reseal("reseal", key, lambda data: adopt(key, data))

    def older(self, days: float) -> list[ReportName]:
        if type(days) not in (int, float) or not days >= 0:
            raise InvalidRecord("days", "is no number from 0 on")
        now = now_of(self._clock)
        try:
            before = now.astimezone(UTC) - timedelta(days=days)
        except (OverflowError, ValueError) as error:  # before the beginning of the calendar
            let_out(error)
            return []
        return [name for name in self.names(None, None) if name.at < before]


def _key(name: object) -> str:
    if not isinstance(name, ReportName):
        raise InvalidIdentifier(name, "is no ReportName")
    return str(name)


def _place(root: str | Path, area: str | None) -> Directory:
    if area is not None:
        place: Directory = below(root, words(area))
        return place
    path = os.fspath(root)
    try:
        return Directory.open(path)
    except OSError as error:
        let_out(error)
        raise StorageFailure("open", path, error) from error


class ReportStore(Closing, Reopened):
    """Reports in ``<root>``, or in ``<root>/<area>``: ``ReportStore("reports", "daily_health")``.

    A text is ``{report_type}_{timestamp}.txt``, the result of an analysis ``{analysis_type}_{timestamp}.json``. A file
    is replaced whole, durably, with the version before in ``.bak``; its seal is its last line, or the last member.
    ``clock`` gives the time of a report that says none.

    Raises InvalidIdentifier for what is no name, InvalidRecord, UnserialisableValue for what is no report, CorruptData
    when neither file nor backup is sound, LockTimeout, StorageFailure, and StoreClosed after ``close``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(
        self,
        root: str | Path,
        area: str | None = None,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
    ) -> None:
        self._reports = _Reports(_place(root, area), lock_timeout, clock)

    def write(self, report_type: str, text: str, at: datetime | None = None) -> ReportName:
        """Store a text as a report of now, or of ``at``, and return its name; one of the same second is replaced."""
        return self._reports.save(self._reports.named(report_type, at, ReportKind.REPORT), text)

    def write_analysis(self, analysis_type: str, result: Document, at: datetime | None = None) -> ReportName:
        """Store the result of an analysis of now, or of ``at``, and return its name."""
        return self._reports.save(self._reports.named(analysis_type, at, ReportKind.ANALYSIS), result)

    def read(self, name: ReportName) -> Report | None:
        """Return a report, or the result of an analysis; None if there is none of this name."""
        return self._reports.load(name)

    def update(self, name: ReportName, function: Callable[[Report | None], Report]) -> Report:
        """Store what ``function`` makes of a report, of None if there is none; see DocumentStore.update."""
        return self._reports.update(name, function)

    def names(self, what: str | None = None, kind: str | None = None) -> builtins.list[ReportName]:
        """Return the names by time; of one type, or one kind (``txt``, ``json``), if that is given."""
        return self._reports.names(what, kind)

    def delete(self, name: ReportName) -> bool:
        """Remove a report for good, and say whether there was one."""
        return self._reports.delete(name)

    def prune(self, days: float) -> int:
        """Remove the reports that are older than so many days, and say how many they were."""
        return sum(self.delete(name) for name in self._reports.older(days))

    def reseal(self, name: ReportName) -> None:
        """Accept a file as it stands, after an edit by hand; raises CorruptData for what is none."""
        self._reports.reseal(name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return tuple(self._reports.files.recoveries)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._reports.files.root.close()


class AsyncReportStore(AsyncClosing, Reopened):
    """ReportStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(
        self,
        root: str | Path,
        area: str | None = None,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
    ) -> None:
        self._reports = _Reports(_place(root, area), lock_timeout, clock)

    async def write(self, report_type: str, text: str, at: datetime | None = None) -> ReportName:
        """Store a text as a report; see ReportStore.write."""
        return await whole(self._reports.save, self._reports.named(report_type, at, ReportKind.REPORT), text)

    async def write_analysis(self, analysis_type: str, result: Document, at: datetime | None = None) -> ReportName:
        """Store the result of an analysis; see ReportStore.write_analysis."""
        name = self._reports.named(analysis_type, at, ReportKind.ANALYSIS)
        return await whole(self._reports.save, name, integrity.encode(result).content)

    async def read(self, name: ReportName) -> Report | None:
        """Return a report, or the result of an analysis; see ReportStore.read."""
        return await reading(self._reports.load, name)

    async def update(self, name: ReportName, function: Callable[[Report | None], Report]) -> Report:
        """Store what ``function``, called in a thread, makes of a report; see ReportStore.update."""
        return await whole(self._reports.update, name, function)

    async def names(self, what: str | None = None, kind: str | None = None) -> builtins.list[ReportName]:
        """Return the names by time; see ReportStore.names."""
        return await whole(self._reports.names, what, kind)

    async def delete(self, name: ReportName) -> bool:
        """Remove a report for good, and say whether there was one."""
        return await whole(self._reports.delete, name)

    async def prune(self, days: float) -> int:
        """Remove the reports that are older than so many days, and say how many they were."""
        older = await whole(self._reports.older, days)
        return sum([await self.delete(name) for name in older])

    async def reseal(self, name: ReportName) -> None:
        """Accept a file as it stands, after an edit by hand; see ReportStore.reseal."""
        await whole(self._reports.reseal, name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return tuple(self._reports.files.recoveries)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._reports.files.root.close()


class BacktestStore(ReportStore):
    """Results of backtests in ``<root>/backtest_results/``, and the report on them in ``performance_report.md``."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        super().__init__(root, BACKTESTS, lock_timeout=lock_timeout, clock=clock)

    def write_performance(self, text: str) -> None:
        """Store the report on the performance of strategies, in place of the one before."""
        self._reports.files.put("write_performance", PERFORMANCE, text)

    def read_performance(self) -> str | None:
        """Return that report, None if there is none."""
        found = self._reports.files.read("read_performance", PERFORMANCE)
        assert found is None or isinstance(found, str), "its form is that of a text"
        return found


class AsyncBacktestStore(AsyncReportStore):
    """BacktestStore for asyncio; see there."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        super().__init__(root, BACKTESTS, lock_timeout=lock_timeout, clock=clock)

    async def write_performance(self, text: str) -> None:
        """Store the report on the performance of strategies; see BacktestStore.write_performance."""
        await whole(self._reports.files.put, "write_performance", PERFORMANCE, text)

    async def read_performance(self) -> str | None:
        """Return that report, None if there is none."""
        found = await reading(self._reports.files.read, "read_performance", PERFORMANCE)
        assert found is None or isinstance(found, str), "its form is that of a text"
        return found
