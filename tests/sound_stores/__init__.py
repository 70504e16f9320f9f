"""Sound stores: correct ones of different make, on which the suite must raise no alarm."""

import pkgutil
from dataclasses import dataclass
from typing import Any, Literal

BOTH = ("strace", "fake")
NATIVE = ("strace",)
"""For stores whose operations only system calls show: native libraries, and modules that bind ``os`` early."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A store that keeps every requirement of its contracts, or of all that it offers where none is named.

    ``recorders``: which of them can see all that it does. ``made_of``: other sound stores, which are asked of the same
    contracts and of the same way of keeping or calling, apart; then the proofs do not ask it both together once more.
    """

    name: str
    target: str
    contracts: tuple[str, ...]
    variant: Literal["sync", "async"] = "sync"
    recorders: tuple[str, ...] = BOTH
    made_of: tuple[str, ...] = ()

    @property
    def store(self) -> Any:
        return pkgutil.resolve_name(self.target)


DATA = ("bars", "fundamentals", "events", "state", "audit")
"""The contracts whose sum is a DataStore."""
PLAIN = ("plain-bars", "plain-fundamentals", "plain-events", "plain-states", "plain-audit")
AWAITED = ("async-document", "async-documents", "async-journal")

SOUND = (
    Sound("plain-document", "tests.sound_stores.plain:PlainDocument", ("document",)),
    Sound("whatever-json-takes", "tests.sound_stores.plain:WhateverJsonTakes", ("document",)),
    Sound("two-slots", "tests.sound_stores.plain:TwoSlots", ("document",)),
    Sound("plain-documents", "tests.sound_stores.plain:PlainDocuments", ("documents",)),
    Sound("swept-documents", "tests.sound_stores.plain:SweptDocuments", ("documents",)),
    Sound("one-file-documents", "tests.sound_stores.plain:OneFileDocuments", ("documents",)),
    Sound("paired-documents", "tests.sound_stores.keyed:PairedDocuments", ("documents",)),
    Sound("updating-document", "tests.sound_stores.updating:UpdatingDocument", ("document",)),
    Sound("updating-documents", "tests.sound_stores.updating:UpdatingDocuments", ("documents",)),
    Sound("updating-states", "tests.sound_stores.updating:UpdatingStates", ("state",)),
    Sound("plain-journal", "tests.sound_stores.plain:PlainJournal", ("journal",)),
    Sound("fdatasync-document", "tests.sound_stores.plain:DataSyncedDocument", ("document",)),
    Sound("kept-backup-document", "tests.sound_stores.plain:KeptBackupDocument", ("document",)),
    Sound("newest-by-its-time", "tests.sound_stores.plain:NewestByItsTime", ("document",)),
    Sound("keeps-a-pool", "tests.sound_stores.residue:KeepsADescriptorAndAPool", ("document",)),
    Sound("drafts-beside-the-file", "tests.sound_stores.residue:DraftsBesideTheFile", ("document",)),
    Sound("private-document", "tests.sound_stores.private:PrivateDocument", ("document",)),
    Sound("private-documents", "tests.sound_stores.private:PrivateDocuments", ("documents",)),
    Sound("async-document", "tests.sound_stores.plain_aiofiles:AsyncDocument", ("document",), "async"),
    Sound("async-with-document", "tests.sound_stores.plain_aiofiles:async_document", ("document",), "async"),
    Sound("async-documents", "tests.sound_stores.plain_aiofiles:AsyncDocuments", ("documents",), "async"),
    Sound("async-journal", "tests.sound_stores.plain_aiofiles:AsyncJournal", ("journal",), "async"),
    Sound("o-dsync-journal", "tests.sound_stores.linux:SynchronousJournal", ("journal",)),
    Sound("o-tmpfile-document", "tests.sound_stores.linux:UnnamedTemporary", ("document",), recorders=NATIVE),
    Sound("sqlite-extra", "tests.sound_stores.sqlite:RollbackJournalExtra", ("documents", "journal"), recorders=NATIVE),
    Sound("sqlite-wal", "tests.sound_stores.sqlite:WriteAheadFull", ("documents", "journal"), recorders=NATIVE),
    Sound(
        "sqlite-wal-with",
        "tests.sound_stores.sqlite:write_ahead_opened_by_with",
        ("documents", "journal"),
        recorders=NATIVE,
    ),
    Sound(
        "sqlite-extra-async-with",
        "tests.sound_stores.sqlite:async_document",
        ("document",),
        "async",
        recorders=NATIVE,
    ),
    Sound("plain-cache", "tests.sound_stores.caches:PlainCache", ("cache",)),
    Sound("small-cache", "tests.sound_stores.caches:SmallCache", ("cache",)),
    Sound("plain-bars", "tests.sound_stores.trading:PlainBars", ("bars",)),
    Sound("month-by-month-bars", "tests.sound_stores.trading:MonthByMonth", ("bars",)),
    Sound("plain-fundamentals", "tests.sound_stores.trading:PlainFundamentals", ("fundamentals",)),
    Sound("plain-events", "tests.sound_stores.trading:PlainEvents", ("events",)),
    Sound("plain-states", "tests.sound_stores.trading:PlainStates", ("state",)),
    Sound("plain-audit", "tests.sound_stores.trading:PlainAudit", ("audit",)),
    Sound("plain-jobs", "tests.sound_stores.trading:PlainJobs", ("jobs",)),
    Sound("plain-runs", "tests.sound_stores.trading:PlainRuns", ("runs",)),
    Sound(
        "async-data",
        "tests.sound_stores.trading_async:AwaitedData",
        DATA,
        "async",
        recorders=NATIVE,
        made_of=(*PLAIN, *AWAITED),
    ),
    Sound(
        "async-jobs",
        "tests.sound_stores.trading_async:AwaitedJobs",
        ("jobs",),
        "async",
        made_of=("plain-jobs", *AWAITED),
    ),
    Sound(
        "async-runs",
        "tests.sound_stores.trading_async:AwaitedRuns",
        ("runs",),
        "async",
        made_of=("plain-runs", *AWAITED),
    ),
    Sound(
        "sqlite-data",
        "tests.sound_stores.trading_sqlite:Data",
        DATA,
        recorders=NATIVE,
        made_of=(*PLAIN, "sqlite-extra", "sqlite-wal"),
    ),
    Sound(
        "sqlite-jobs",
        "tests.sound_stores.trading_sqlite:Jobs",
        ("jobs",),
        recorders=NATIVE,
        made_of=("plain-jobs", "sqlite-extra"),
    ),
    Sound(
        "sqlite-runs",
        "tests.sound_stores.trading_sqlite:Runs",
        ("runs",),
        recorders=NATIVE,
        made_of=("plain-runs", "sqlite-extra"),
    ),
    Sound("filelock-table", "tests.sound_stores.guarded:FilelockTable", ("documents",), recorders=NATIVE),
    Sound("immediate-table", "tests.sound_stores.guarded:Immediate", ("documents",), recorders=NATIVE),
)
