"""Broken stores: one defect each. The suite must find it, for its own reason, and must find nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BOTH = ("strace", "fake")
NATIVE = ("strace",)
"""For stores whose operations only system calls show: native libraries, and modules that bind ``os`` early."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A store with one defect.

    ``breaks``: every requirement that the defect violates, each with words that its counterexample has to contain;
    ``recorders``: which of them can see it; ``variant``: whether its methods are awaited.
    """

    name: str
    target: str
    contract: str
    breaks: Mapping[str, str]
    variant: Literal["sync", "aiofiles", "async"] = "sync"
    recorders: tuple[str, ...] = BOTH


_HERE = "tests.broken_stores"

BROKEN = (
    Broken("in-place-document", f"{_HERE}.in_place:InPlaceDocument", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken(
        "in-place-document-aiofiles",
        f"{_HERE}.in_place:InPlaceDocumentAiofiles",
        "document",
        {"ATOM-1": "", "ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken(
        "in-place-documents",
        f"{_HERE}.in_place:InPlaceDocuments",
        "documents",
        {"ATOM-1": "", "ATOM-2": "", "DUR-2": ""},
    ),
    Broken(
        "in-place-documents-aiofiles",
        f"{_HERE}.in_place:InPlaceDocumentsAiofiles",
        "documents",
        {"ATOM-1": "", "ATOM-2": "", "DUR-2": ""},
        variant="aiofiles",
    ),
    Broken(
        "pickled-document", f"{_HERE}.in_place:PickledDocument", "document", {"ATOM-1": "", "ATOM-2": "", "DUR-2": ""}
    ),
    Broken(
        "shelved-documents",
        f"{_HERE}.in_place:ShelvedDocuments",
        "documents",
        {"ATOM-1": "", "ATOM-2": "", "DUR-1": "", "DUR-2": ""},
        recorders=NATIVE,
    ),
    Broken("stale-tail-document", f"{_HERE}.in_place:StaleTailDocument", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("rewritten-journal", f"{_HERE}.in_place:RewrittenJournal", "journal", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("rename-without-sync", f"{_HERE}.unsynced:RenameWithoutSync", "document", {"ATOM-2": "", "DUR-2": ""}),
    Broken(
        "rename-without-sync-aiofiles",
        f"{_HERE}.unsynced:RenameWithoutSyncAiofiles",
        "document",
        {"ATOM-2": "", "DUR-2": ""},
        variant="aiofiles",
    ),
    Broken("flush-is-not-sync", f"{_HERE}.unsynced:FlushIsNotSync", "documents", {"ATOM-2": ""}),
    Broken(
        "flush-is-not-sync-aiofiles",
        f"{_HERE}.unsynced:FlushIsNotSyncAiofiles",
        "documents",
        {"ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("jobs-file", f"{_HERE}.unsynced:JobsFile", "documents", {"ATOM-2": "", "DUR-2": ""}, variant="async"),
    Broken(
        "guideline-store",
        f"{_HERE}.described:GuidelineStore",
        "document",
        {"ATOM-2": "", "DUR-2": ""},
        variant="aiofiles",
    ),
    Broken("recovering-store", f"{_HERE}.described:RecoveringStore", "document", {"ATOM-4": "", "DUR-2": ""}),
    Broken("sync-after-rename", f"{_HERE}.late_sync:SyncAfterRename", "document", {"ATOM-2": ""}),
    Broken(
        "sync-after-rename-aiofiles",
        f"{_HERE}.late_sync:SyncAfterRenameAiofiles",
        "document",
        {"ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("sync-before-flush", f"{_HERE}.late_sync:SyncBeforeFlush", "document", {"ATOM-2": ""}),
    Broken(
        "sync-before-flush-aiofiles",
        f"{_HERE}.late_sync:SyncBeforeFlushAiofiles",
        "document",
        {"ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("sync-flag-set-too-late", f"{_HERE}.late_sync:SyncFlagSetTooLate", "documents", {"ATOM-2": ""}),
    Broken("no-directory-sync", f"{_HERE}.directories:NoDirectorySync", "document", {"DUR-2": ""}),
    Broken(
        "no-directory-sync-aiofiles",
        f"{_HERE}.directories:NoDirectorySyncAiofiles",
        "document",
        {"DUR-2": ""},
        variant="aiofiles",
    ),
    Broken("data-synced-not-the-name", f"{_HERE}.directories:DataSyncedNotTheName", "document", {"DUR-2": ""}),
    Broken("unsynced-parent", f"{_HERE}.directories:UnsyncedParent", "documents", {"DUR-2": ""}),
    Broken(
        "unsynced-parent-async", f"{_HERE}.directories:UnsyncedParentAsync", "documents", {"DUR-2": ""}, variant="async"
    ),
    Broken("unsynced-delete", f"{_HERE}.directories:UnsyncedDelete", "documents", {"DUR-4": ""}),
    Broken(
        "unsynced-delete-aiofiles",
        f"{_HERE}.directories:UnsyncedDeleteAiofiles",
        "documents",
        {"DUR-4": ""},
        variant="aiofiles",
    ),
    Broken("swapped-directories", f"{_HERE}.directories:SwappedDirectories", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("empty-versions", f"{_HERE}.directories:EmptyVersions", "document", {"ATOM-2": ""}),
    Broken("backup-first", f"{_HERE}.gaps:BackupFirst", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken(
        "backup-first-aiofiles",
        f"{_HERE}.gaps:BackupFirstAiofiles",
        "document",
        {"ATOM-1": "", "ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("remove-then-rename", f"{_HERE}.gaps:RemoveThenRename", "documents", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("link-swap", f"{_HERE}.gaps:LinkSwap", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("glued-journal", f"{_HERE}.logs:GluedJournal", "journal", {"REC-3": ""}),
    Broken(
        "glued-journal-aiofiles", f"{_HERE}.logs:GluedJournalAiofiles", "journal", {"REC-3": ""}, variant="aiofiles"
    ),
    Broken("torn-journal", f"{_HERE}.logs:TornJournal", "journal", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("unsynced-journal", f"{_HERE}.logs:UnsyncedJournal", "journal", {"DUR-2": ""}),
    Broken(
        "unsynced-journal-aiofiles",
        f"{_HERE}.logs:UnsyncedJournalAiofiles",
        "journal",
        {"DUR-2": ""},
        variant="aiofiles",
    ),
    Broken("skipping-journal", f"{_HERE}.logs:SkippingJournal", "journal", {"DUR-2": "", "DUR-3": ""}),
    Broken("unsynced-creation", f"{_HERE}.logs:UnsyncedCreation", "journal", {"DUR-2": ""}),
    Broken(
        "unsynced-creation-aiofiles",
        f"{_HERE}.logs:UnsyncedCreationAiofiles",
        "journal",
        {"DUR-2": ""},
        variant="aiofiles",
    ),
    Broken("buffered-journal", f"{_HERE}.logs:BufferedJournal", "journal", {"DUR-1": "", "DUR-2": ""}),
    Broken("twice-replayed-journal", f"{_HERE}.logs:TwiceReplayedJournal", "journal", {"DUR-3": ""}),
    Broken("manifest-first", f"{_HERE}.ordering:ManifestFirst", "documents", {"ATOM-2": ""}),
    Broken(
        "manifest-first-aiofiles",
        f"{_HERE}.ordering:ManifestFirstAiofiles",
        "documents",
        {"ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("index-first", f"{_HERE}.ordering:IndexFirst", "documents", {"ATOM-1": "", "ATOM-2": ""}),
    Broken("counter-apart", f"{_HERE}.ordering:CounterApart", "journal", {"ATOM-2": ""}),
    Broken("promotes-temporary", f"{_HERE}.recovery:PromotesTemporary", "document", {"ATOM-1": "", "ATOM-2": ""}),
    Broken(
        "promotes-temporary-aiofiles",
        f"{_HERE}.recovery:PromotesTemporaryAiofiles",
        "document",
        {"ATOM-1": "", "ATOM-2": ""},
        variant="aiofiles",
    ),
    Broken("resurrecting-backup", f"{_HERE}.recovery:ResurrectingBackup", "documents", {"DUR-4": ""}),
    Broken("exclusive-temporary", f"{_HERE}.recovery:ExclusiveTemporary", "documents", {"REC-3": ""}),
    Broken(
        "exclusive-temporary-aiofiles",
        f"{_HERE}.recovery:ExclusiveTemporaryAiofiles",
        "documents",
        {"REC-3": ""},
        variant="aiofiles",
    ),
    Broken("refuses-leftovers", f"{_HERE}.recovery:RefusesLeftovers", "document", {"REC-1": ""}),
    Broken("raises-on-left-lock", f"{_HERE}.locks:RaisesOnLeftLock", "document", {"REC-1": ""}),
    Broken("waits-for-left-lock", f"{_HERE}.locks:WaitsForLeftLock", "document", {"REC-1": ""}),
    Broken("exits-on-left-lock", f"{_HERE}.locks:ExitsOnLeftLock", "document", {"REC-1": ""}),
    Broken("opens-then-refuses", f"{_HERE}.locks:OpensThenRefuses", "document", {"REC-3": ""}),
    Broken(
        "opens-then-refuses-async", f"{_HERE}.locks:OpensThenRefusesAsync", "document", {"REC-3": ""}, variant="async"
    ),
    Broken("write-behind-journal", f"{_HERE}.memory:WriteBehindJournal", "journal", {"DUR-1": "", "DUR-2": ""}),
    Broken("flushed-at-close", f"{_HERE}.memory:FlushedAtClose", "documents", {"DUR-1": "", "DUR-2": ""}),
    Broken(
        "flushed-at-close-async",
        f"{_HERE}.memory:FlushedAtCloseAsync",
        "documents",
        {"DUR-1": "", "DUR-2": ""},
        variant="async",
    ),
    Broken("every-third-update", f"{_HERE}.memory:EveryThirdUpdate", "document", {"DUR-1": "", "DUR-2": ""}),
    Broken(
        "only-remembers",
        f"{_HERE}.memory:OnlyRemembers",
        "documents",
        {"DATA-REOPEN": "", "DUR-1": "", "DUR-2": "", "REC-3": ""},
    ),
    Broken("lists-temporaries", f"{_HERE}.leftovers:ListsTemporaries", "documents", {"ATOM-4": ""}),
    Broken(
        "lists-temporaries-async",
        f"{_HERE}.leftovers:ListsTemporariesAsync",
        "documents",
        {"ATOM-4": ""},
        variant="async",
    ),
    Broken("random-temporaries", f"{_HERE}.leftovers:RandomTemporaries", "document", {"ATOM-4": ""}),
    Broken(
        "random-temporaries-aiofiles",
        f"{_HERE}.leftovers:RandomTemporariesAiofiles",
        "document",
        {"ATOM-4": ""},
        variant="aiofiles",
    ),
    Broken(
        "sqlite-full",
        f"{_HERE}.databases:RollbackJournalFull",
        "documents",
        {"DUR-2": "", "DUR-4": ""},
        recorders=NATIVE,
    ),
    Broken(
        "sqlite-wal-normal",
        f"{_HERE}.databases:WriteAheadNormal",
        "documents",
        {"DUR-2": "", "DUR-4": ""},
        recorders=NATIVE,
    ),
    Broken(
        "sqlite-off",
        f"{_HERE}.databases:NeverSynced",
        "documents",
        {"ATOM-2": "", "DUR-2": "", "DUR-4": ""},
        recorders=NATIVE,
    ),
    Broken("rounded-floats", f"{_HERE}.data:RoundedFloats", "document", {"DATA-ROUNDTRIP": ""}),
    Broken("float-numbers", f"{_HERE}.data:FloatNumbers", "document", {"DATA-ROUNDTRIP": ""}),
    Broken("latin-text", f"{_HERE}.data:LatinText", "documents", {"DATA-ROUNDTRIP": ""}),
    Broken("drops-empty-fields", f"{_HERE}.data:DropsEmptyFields", "documents", {"DATA-ROUNDTRIP": ""}),
    Broken("invents-default", f"{_HERE}.data:InventsDefault", "document", {"DATA-MISSING": ""}),
    Broken("raises-key-error", f"{_HERE}.data:RaisesKeyError", "documents", {"DATA-MISSING": ""}),
    Broken("merges-documents", f"{_HERE}.data:MergesDocuments", "documents", {"DATA-OVERWRITE": ""}),
    Broken("merges-document", f"{_HERE}.data:MergesDocument", "document", {"DATA-OVERWRITE": ""}),
    Broken("first-wins", f"{_HERE}.data:FirstWins", "documents", {"DATA-OVERWRITE": ""}),
    Broken("deletes-by-prefix", f"{_HERE}.data:DeletesByPrefix", "documents", {"DATA-DELETE": ""}),
    Broken("deletes-by-emptying", f"{_HERE}.data:DeletesByEmptying", "documents", {"DATA-DELETE": ""}),
    Broken("folds-keys", f"{_HERE}.data:FoldsKeys", "documents", {"DATA-KEYS": ""}),
    Broken("hides-dotted-keys", f"{_HERE}.data:HidesDottedKeys", "documents", {"DATA-KEYS": ""}),
    Broken("newest-first", f"{_HERE}.data:NewestFirst", "journal", {"DATA-ORDER": ""}),
    Broken("drops-duplicates", f"{_HERE}.data:DropsDuplicates", "journal", {"DATA-ORDER": ""}),
    Broken("shares-one-file", f"{_HERE}.data:SharesOneFile", "journal", {"DATA-ORDER": ""}),
    Broken("keeps-the-last-few", f"{_HERE}.data:KeepsTheLastFew", "journal", {"DATA-ORDER": ""}),
    Broken(
        "starts-afresh",
        f"{_HERE}.data:StartsAfresh",
        "document",
        {"DATA-REOPEN": "", "DUR-1": "", "DUR-2": "", "REC-3": ""},
    ),
    Broken("caches-keys", f"{_HERE}.data:CachesKeys", "documents", {"DATA-REOPEN": "", "DUR-1": "", "DUR-2": ""}),
)
