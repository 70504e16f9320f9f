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
    Broken(
        "in-place-document",
        f"{_HERE}.in_place:InPlaceDocument",
        "document",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
        },
    ),
    Broken(
        "in-place-document-aiofiles",
        f"{_HERE}.in_place:InPlaceDocumentAiofiles",
        "document",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
        },
        variant="aiofiles",
    ),
    Broken(
        "in-place-documents",
        f"{_HERE}.in_place:InPlaceDocuments",
        "documents",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
            "DUR-2": "lost create AAPL.json",
        },
    ),
    Broken(
        "in-place-documents-aiofiles",
        f"{_HERE}.in_place:InPlaceDocumentsAiofiles",
        "documents",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
            "DUR-2": "lost create AAPL.json",
        },
        variant="aiofiles",
    ),
    Broken(
        "pickled-document",
        f"{_HERE}.in_place:PickledDocument",
        "document",
        {
            "ATOM-1": "EOFError: Ran out of input",
            "ATOM-2": "EOFError: Ran out of input",
            "DUR-2": "lost create state.pickle",
        },
    ),
    Broken(
        "shelved-documents",
        f"{_HERE}.in_place:ShelvedDocuments",
        "documents",
        {
            "ATOM-2": "lost create shelf.dat",
            "DUR-1": "had returned and is lost",
            "DUR-2": "lost create shelf.dat",
            "REC-1": "partly lost write shelf.dir",
        },
        recorders=NATIVE,
    ),
    Broken(
        "stale-tail-document",
        f"{_HERE}.in_place:StaleTailDocument",
        "document",
        {"ATOM-1": "partly lost write portfolio.json", "ATOM-2": "partly lost write portfolio.json"},
    ),
    Broken(
        "rewritten-journal",
        f"{_HERE}.in_place:RewrittenJournal",
        "journal",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
        },
    ),
    Broken(
        "rename-without-sync",
        f"{_HERE}.unsynced:RenameWithoutSync",
        "document",
        {"ATOM-2": "partly lost write portfolio.tmp", "DUR-2": "partly lost write portfolio.tmp"},
    ),
    Broken(
        "rename-without-sync-aiofiles",
        f"{_HERE}.unsynced:RenameWithoutSyncAiofiles",
        "document",
        {"ATOM-2": "partly lost write portfolio.json.tmp", "DUR-2": "partly lost write portfolio.json.tmp"},
        variant="aiofiles",
    ),
    Broken(
        "flush-is-not-sync",
        f"{_HERE}.unsynced:FlushIsNotSync",
        "documents",
        {"ATOM-2": "partly lost write AAPL.json.tmp", "DUR-2": "partly lost write AAPL.json.tmp"},
    ),
    Broken(
        "flush-is-not-sync-aiofiles",
        f"{_HERE}.unsynced:FlushIsNotSyncAiofiles",
        "documents",
        {"ATOM-2": "partly lost write AAPL.json.tmp", "DUR-2": "partly lost write AAPL.json.tmp"},
        variant="aiofiles",
    ),
    Broken(
        "jobs-file",
        f"{_HERE}.unsynced:JobsFile",
        "documents",
        {"ATOM-2": "partly lost write jobs.tmp", "DUR-2": "partly lost write jobs.tmp"},
        variant="async",
    ),
    Broken(
        "guideline-store",
        f"{_HERE}.described:GuidelineStore",
        "document",
        {"DUR-2": "partly lost write my_data.json.tmp"},
        variant="aiofiles",
    ),
    Broken(
        "recovering-store",
        f"{_HERE}.described:RecoveringStore",
        "document",
        {"ATOM-4": "leaves one more file that nothing removes", "DUR-2": "lost rename"},
    ),
    Broken(
        "sync-after-rename",
        f"{_HERE}.late_sync:SyncAfterRename",
        "document",
        {"ATOM-2": "partly lost write portfolio.tmp"},
    ),
    Broken(
        "sync-after-rename-aiofiles",
        f"{_HERE}.late_sync:SyncAfterRenameAiofiles",
        "document",
        {"ATOM-2": "partly lost write portfolio.tmp"},
        variant="aiofiles",
    ),
    Broken(
        "sync-before-flush",
        f"{_HERE}.late_sync:SyncBeforeFlush",
        "document",
        {"ATOM-2": "partly lost write portfolio.tmp", "DUR-2": "partly lost write portfolio.tmp"},
    ),
    Broken(
        "sync-before-flush-aiofiles",
        f"{_HERE}.late_sync:SyncBeforeFlushAiofiles",
        "document",
        {"ATOM-2": "partly lost write portfolio.tmp", "DUR-2": "partly lost write portfolio.tmp"},
        variant="aiofiles",
    ),
    Broken(
        "sync-flag-set-too-late",
        f"{_HERE}.late_sync:SyncFlagSetTooLate",
        "documents",
        {"ATOM-2": "partly lost write AAPL.json.tmp", "DUR-2": "partly lost write AAPL.json.tmp"},
    ),
    Broken(
        "no-directory-sync",
        f"{_HERE}.directories:NoDirectorySync",
        "document",
        {"DUR-2": "lost rename portfolio.json.tmp -> portfolio.json"},
    ),
    Broken(
        "no-directory-sync-aiofiles",
        f"{_HERE}.directories:NoDirectorySyncAiofiles",
        "document",
        {"DUR-2": "lost rename portfolio.json.tmp -> portfolio.json"},
        variant="aiofiles",
    ),
    Broken(
        "data-synced-not-the-name",
        f"{_HERE}.directories:DataSyncedNotTheName",
        "document",
        {"DUR-2": "lost rename portfolio.tmp -> portfolio.json"},
    ),
    Broken("unsynced-parent", f"{_HERE}.directories:UnsyncedParent", "documents", {"DUR-2": "lost mkdir documents"}),
    Broken(
        "unsynced-parent-async",
        f"{_HERE}.directories:UnsyncedParentAsync",
        "documents",
        {"DUR-2": "lost mkdir documents"},
        variant="async",
    ),
    Broken("unsynced-delete", f"{_HERE}.directories:UnsyncedDelete", "documents", {"DUR-4": "lost unlink MSFT.json"}),
    Broken(
        "unsynced-delete-aiofiles",
        f"{_HERE}.directories:UnsyncedDeleteAiofiles",
        "documents",
        {"DUR-4": "lost unlink MSFT.json"},
        variant="aiofiles",
    ),
    Broken(
        "swapped-directories",
        f"{_HERE}.directories:SwappedDirectories",
        "document",
        {
            "ATOM-1": "the document is missing: neither its state before save({version: 2})",
            "ATOM-2": "the document is missing: neither its state before save({version: 2})",
        },
    ),
    Broken(
        "empty-versions",
        f"{_HERE}.directories:EmptyVersions",
        "document",
        {"ATOM-2": "lost create staged/portfolio.json", "DUR-2": "lost create staged/portfolio.json"},
    ),
    Broken(
        "backup-first",
        f"{_HERE}.gaps:BackupFirst",
        "document",
        {
            "ATOM-1": "the document is missing: neither its state before save({version: 2})",
            "ATOM-2": "the document is missing: neither its state before save({version: 2})",
        },
    ),
    Broken(
        "backup-first-aiofiles",
        f"{_HERE}.gaps:BackupFirstAiofiles",
        "document",
        {
            "ATOM-1": "the document is missing: neither its state before save({version: 2})",
            "ATOM-2": "the document is missing: neither its state before save({version: 2})",
        },
        variant="aiofiles",
    ),
    Broken(
        "remove-then-rename",
        f"{_HERE}.gaps:RemoveThenRename",
        "documents",
        {
            "ATOM-1": "AAPL is missing: neither its state before put('AAPL', {version: 2})",
            "ATOM-2": "AAPL is missing: neither its state before put('AAPL', {version: 2})",
        },
    ),
    Broken(
        "link-swap",
        f"{_HERE}.gaps:LinkSwap",
        "document",
        {
            "ATOM-1": "the document is missing: neither its state before save({version: 2})",
            "ATOM-2": "the document is missing: neither its state before save({version: 2})",
        },
    ),
    Broken("glued-journal", f"{_HERE}.logs:GluedJournal", "journal", {"REC-3": "partly lost write orders+.json"}),
    Broken(
        "glued-journal-aiofiles",
        f"{_HERE}.logs:GluedJournalAiofiles",
        "journal",
        {"REC-3": "partly lost write orders+.json"},
        variant="aiofiles",
    ),
    Broken(
        "torn-journal",
        f"{_HERE}.logs:TornJournal",
        "journal",
        {"ATOM-1": "partly lost write orders+.json", "ATOM-2": "partly lost write orders+.json"},
    ),
    Broken("unsynced-journal", f"{_HERE}.logs:UnsyncedJournal", "journal", {"DUR-2": "partly lost write orders+.json"}),
    Broken(
        "unsynced-journal-aiofiles",
        f"{_HERE}.logs:UnsyncedJournalAiofiles",
        "journal",
        {"DUR-2": "partly lost write orders+.json"},
        variant="aiofiles",
    ),
    Broken(
        "skipping-journal",
        f"{_HERE}.logs:SkippingJournal",
        "journal",
        {"DUR-2": "lost create orders+.json", "DUR-3": "partly lost write orders+.json"},
    ),
    Broken("unsynced-creation", f"{_HERE}.logs:UnsyncedCreation", "journal", {"DUR-2": "lost create orders+.json"}),
    Broken(
        "unsynced-creation-aiofiles",
        f"{_HERE}.logs:UnsyncedCreationAiofiles",
        "journal",
        {"DUR-2": "lost create orders+.json"},
        variant="aiofiles",
    ),
    Broken(
        "buffered-journal",
        f"{_HERE}.logs:BufferedJournal",
        "journal",
        {
            "ATOM-2": "partly lost write orders+.json",
            "DUR-1": "has lost 1 acknowledged record",
            "DUR-2": "has lost 1 acknowledged record",
        },
    ),
    Broken(
        "twice-replayed-journal",
        f"{_HERE}.logs:TwiceReplayedJournal",
        "journal",
        {"DUR-3": "shows a record twice", "REC-2": "shows a record twice"},
    ),
    Broken(
        "manifest-first",
        f"{_HERE}.ordering:ManifestFirst",
        "documents",
        {"ATOM-2": "lost create AAPL.json.a", "DUR-2": "partly lost write AAPL.json.a"},
    ),
    Broken(
        "manifest-first-aiofiles",
        f"{_HERE}.ordering:ManifestFirstAiofiles",
        "documents",
        {"ATOM-2": "lost create AAPL.json.a", "DUR-2": "partly lost write AAPL.json.a"},
        variant="aiofiles",
    ),
    Broken(
        "index-first",
        f"{_HERE}.ordering:IndexFirst",
        "documents",
        {"ATOM-3": "is half done: keys() as after it, AAPL as before it"},
    ),
    Broken(
        "counter-apart",
        f"{_HERE}.ordering:CounterApart",
        "journal",
        {"ATOM-2": "lost create orders+.json", "REC-3": "partly lost write orders+.json"},
    ),
    Broken(
        "promotes-temporary",
        f"{_HERE}.recovery:PromotesTemporary",
        "document",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
        },
    ),
    Broken(
        "promotes-temporary-aiofiles",
        f"{_HERE}.recovery:PromotesTemporaryAiofiles",
        "document",
        {
            "ATOM-1": "JSONDecodeError: Expecting value: line 1 column 1",
            "ATOM-2": "JSONDecodeError: Expecting value: line 1 column 1",
        },
        variant="aiofiles",
    ),
    Broken(
        "resurrecting-backup",
        f"{_HERE}.recovery:ResurrectingBackup",
        "documents",
        {"DUR-4": "lost unlink backups/MSFT.json"},
    ),
    Broken(
        "repairs-in-place",
        f"{_HERE}.recovery:RepairsInPlace",
        "journal",
        {"REC-2": "after a crash while it recovered, orders holds no records"},
    ),
    Broken(
        "exclusive-temporary",
        f"{_HERE}.recovery:ExclusiveTemporary",
        "documents",
        {"REC-3": "the next update of AAPL was refused"},
    ),
    Broken(
        "exclusive-temporary-aiofiles",
        f"{_HERE}.recovery:ExclusiveTemporaryAiofiles",
        "documents",
        {"REC-3": "the next update of AAPL was refused"},
        variant="aiofiles",
    ),
    Broken(
        "refuses-leftovers",
        f"{_HERE}.recovery:RefusesLeftovers",
        "document",
        {"REC-1": "the store is in an unknown state"},
    ),
    Broken(
        "raises-on-left-lock",
        f"{_HERE}.locks:RaisesOnLeftLock",
        "document",
        {"REC-1": "another process is using this store"},
    ),
    Broken(
        "waits-for-left-lock", f"{_HERE}.locks:WaitsForLeftLock", "document", {"REC-1": "reopening took longer than"}
    ),
    Broken("exits-on-left-lock", f"{_HERE}.locks:ExitsOnLeftLock", "document", {"REC-1": "exited with status 1"}),
    Broken(
        "opens-then-refuses",
        f"{_HERE}.locks:OpensThenRefuses",
        "document",
        {"REC-3": "the next update of the document was refused"},
    ),
    Broken(
        "opens-then-refuses-async",
        f"{_HERE}.locks:OpensThenRefusesAsync",
        "document",
        {"REC-3": "the next update of the document was refused"},
        variant="async",
    ),
    Broken(
        "write-behind-journal",
        f"{_HERE}.memory:WriteBehindJournal",
        "journal",
        {"DUR-1": "has lost 1 acknowledged record", "DUR-2": "has lost 1 acknowledged record"},
    ),
    Broken(
        "flushed-at-close",
        f"{_HERE}.memory:FlushedAtClose",
        "documents",
        {"DUR-1": "had returned and is lost", "DUR-2": "had returned and is lost"},
    ),
    Broken(
        "flushed-at-close-async",
        f"{_HERE}.memory:FlushedAtCloseAsync",
        "documents",
        {"DUR-1": "had returned and is lost", "DUR-2": "had returned and is lost"},
        variant="async",
    ),
    Broken(
        "every-third-update",
        f"{_HERE}.memory:EveryThirdUpdate",
        "document",
        {"DUR-1": "had returned and is lost", "DUR-2": "had returned and is lost"},
    ),
    Broken(
        "only-remembers",
        f"{_HERE}.memory:OnlyRemembers",
        "documents",
        {
            "DATA-REOPEN": "after reopening the store shows something else",
            "DATA-ROUNDTRIP": "what is read after reopening is not what was written",
            "DUR-1": "had returned and is lost",
            "DUR-2": "had returned and is lost",
            "REC-2": "after a crash while it recovered, the next update of AAPL returned but is lost",
            "REC-3": "the next update of AAPL returned but is lost",
        },
    ),
    Broken(
        "lists-temporaries", f"{_HERE}.leftovers:ListsTemporaries", "documents", {"ATOM-4": "lists 'AAPL.json.tmp'"}
    ),
    Broken(
        "lists-temporaries-async",
        f"{_HERE}.leftovers:ListsTemporariesAsync",
        "documents",
        {"ATOM-4": "lists 'AAPL.json.tmp'"},
        variant="async",
    ),
    Broken(
        "random-temporaries",
        f"{_HERE}.leftovers:RandomTemporaries",
        "document",
        {"ATOM-4": "leaves one more file that nothing removes"},
    ),
    Broken(
        "random-temporaries-aiofiles",
        f"{_HERE}.leftovers:RandomTemporariesAiofiles",
        "document",
        {"ATOM-4": "leaves one more file that nothing removes"},
        variant="aiofiles",
    ),
    Broken(
        "sqlite-full",
        f"{_HERE}.databases:RollbackJournalFull",
        "documents",
        {"DUR-2": "lost unlink store.sqlite-journal", "DUR-4": "lost unlink store.sqlite-journal"},
        recorders=NATIVE,
    ),
    Broken(
        "sqlite-wal-normal",
        f"{_HERE}.databases:WriteAheadNormal",
        "documents",
        {"DUR-2": "partly lost write store.sqlite-wal", "DUR-4": "partly lost write store.sqlite-wal"},
        recorders=NATIVE,
    ),
    Broken(
        "sqlite-off",
        f"{_HERE}.databases:NeverSynced",
        "documents",
        {
            "ATOM-2": "partly lost write store.sqlite",
            "DUR-2": "partly lost write store.sqlite",
            "DUR-4": "partly lost write store.sqlite",
            "REC-1": "reopening raised DatabaseError: database disk image is malformed",
            "REC-2": "partly lost write store.sqlite",
            "REC-3": "partly lost write store.sqlite",
        },
        recorders=NATIVE,
    ),
    Broken(
        "rounded-floats",
        f"{_HERE}.data:RoundedFloats",
        "document",
        {"DATA-ROUNDTRIP": "what is read is not what was written"},
    ),
    Broken(
        "float-numbers",
        f"{_HERE}.data:FloatNumbers",
        "document",
        {"DATA-ROUNDTRIP": "what is read is not what was written"},
    ),
    Broken(
        "latin-text", f"{_HERE}.data:LatinText", "documents", {"DATA-ROUNDTRIP": "what is read is not what was written"}
    ),
    Broken(
        "drops-empty-fields",
        f"{_HERE}.data:DropsEmptyFields",
        "documents",
        {"DATA-ROUNDTRIP": "what is read is not what was written"},
    ),
    Broken("invents-default", f"{_HERE}.data:InventsDefault", "document", {"DATA-MISSING": "reads as something"}),
    Broken(
        "raises-key-error",
        f"{_HERE}.data:RaisesKeyError",
        "documents",
        {"DATA-DELETE": "raised KeyError", "DATA-MISSING": "raised KeyError"},
    ),
    Broken(
        "merges-documents",
        f"{_HERE}.data:MergesDocuments",
        "documents",
        {"DATA-OVERWRITE": "after an overwrite the new document is not what is read"},
    ),
    Broken(
        "merges-document",
        f"{_HERE}.data:MergesDocument",
        "document",
        {
            "DATA-OVERWRITE": "after an overwrite the new document is not what is read",
            "DATA-ROUNDTRIP": "what is read is not what was written",
        },
    ),
    Broken(
        "first-wins",
        f"{_HERE}.data:FirstWins",
        "documents",
        {"DATA-OVERWRITE": "after an overwrite the new document is not what is read"},
    ),
    Broken(
        "deletes-by-prefix",
        f"{_HERE}.data:DeletesByPrefix",
        "documents",
        {"DATA-DELETE": "deleting one key changed 'AAPL2'", "NAME-3": "deleting other keys has changed"},
    ),
    Broken(
        "deletes-by-emptying",
        f"{_HERE}.data:DeletesByEmptying",
        "documents",
        {
            "DATA-DELETE": "a deleted key is still read",
            "DATA-KEYS": "the keys listed after a deletion are not the ones left",
        },
    ),
    Broken(
        "folds-keys",
        f"{_HERE}.data:FoldsKeys",
        "documents",
        {"DATA-KEYS": "the keys listed are not the keys written"},
    ),
    Broken(
        "hides-dotted-keys",
        f"{_HERE}.data:HidesDottedKeys",
        "documents",
        {"DATA-KEYS": "the keys listed are not the keys written", "NAME-4": "is not listed as it was given"},
    ),
    Broken(
        "newest-first", f"{_HERE}.data:NewestFirst", "journal", {"DATA-ORDER": "the log is not the records appended"}
    ),
    Broken(
        "drops-duplicates",
        f"{_HERE}.data:DropsDuplicates",
        "journal",
        {"DATA-ORDER": "the log is not the records appended"},
    ),
    Broken(
        "shares-one-file",
        f"{_HERE}.data:SharesOneFile",
        "journal",
        {
            "DATA-MISSING": "reads as something",
            "DATA-ORDER": "the log is not the records appended",
        },
    ),
    Broken(
        "keeps-the-last-few",
        f"{_HERE}.data:KeepsTheLastFew",
        "journal",
        {
            "DATA-ORDER": "the log is not the records appended",
            "REC-3": "the next append to orders has destroyed records",
        },
    ),
    Broken(
        "starts-afresh",
        f"{_HERE}.data:StartsAfresh",
        "document",
        {
            "DATA-REOPEN": "after reopening the store shows something else",
            "DATA-ROUNDTRIP": "what is read after reopening is not what was written",
            "DUR-1": "had returned and is lost",
            "DUR-2": "had returned and is lost",
            "REC-2": "after a crash while it recovered, the next update of the document returned but is lost",
            "REC-3": "the next update of the document returned but is lost",
        },
    ),
    Broken(
        "caches-keys",
        f"{_HERE}.data:CachesKeys",
        "documents",
        {
            "ATOM-3": "is half done: AAPL as after it, keys() as before it",
            "DATA-KEYS": "the keys listed after reopening are not the keys written",
            "DUR-1": "had returned and is lost",
            "DUR-2": "had returned and is lost",
            "REC-2": "after a crash while it recovered, the next update of AAPL returned but is lost after reopening",
            "REC-3": "the next update of AAPL returned but is lost after reopening",
        },
    ),
    Broken(
        "joins-keys",
        f"{_HERE}.names:Joined",
        "documents",
        {
            "NAME-1": "the key '../x' led out of the root: ../x.json was",
            "NAME-3": "the keys 'a/../x' and 'x' share data",
            "NAME-4": "the key 'BTC/USDT' is not listed as it was given",
            "NAME-5": "was accepted and stands in the file system",
        },
    ),
    Broken(
        "looks-where-keys-begin",
        f"{_HERE}.names:StartsWith",
        "documents",
        {
            "NAME-1": "the key '../store-evil/x' led out of the root",
            "NAME-3": "the keys 'a/../x' and 'x' share data",
            "NAME-4": "the key 'BTC/USDT' is not listed as it was given",
            "NAME-5": "was accepted and stands in the file system",
        },
    ),
    Broken(
        "strips-keys",
        f"{_HERE}.names:Stripped",
        "documents",
        {
            "NAME-1": "the key '....//x' led out of the root: ../x.json was",
            "NAME-3": "the keys '../x' and 'x' share data",
            "NAME-4": "the key 'BTC/USDT' is not listed as it was given",
            "NAME-5": "was accepted and stands in the file system",
        },
    ),
    Broken(
        "replaces-separators",
        f"{_HERE}.names:Replaced",
        "documents",
        {
            "NAME-3": "the keys 'BTC/USDT' and 'BTC\\\\USDT' share data",
            "NAME-4": "is not listed as it was given",
            "NAME-5": "the key 'AAPL\\n' was accepted and stands in the file system",
        },
    ),
    Broken(
        "joins-keys-safely",
        f"{_HERE}.names:SafelyJoined",
        "documents",
        {
            "NAME-3": "the keys 'a/../x' and 'x' share data",
            "NAME-4": "the key 'BTC/USDT' is not listed as it was given",
            "NAME-5": "was accepted and stands in the file system",
        },
    ),
    Broken(
        "secures-keys",
        f"{_HERE}.names:Secured",
        "documents",
        {"NAME-3": "share data", "NAME-4": "the key '^GSPC' is not listed as it was given"},
    ),
    Broken(
        "matches-keys",
        f"{_HERE}.names:Matched",
        "documents",
        {"NAME-5": "the key 'AAPL\\n' was accepted and stands in the file system as it is"},
    ),
    Broken(
        "refuses-long-ids",
        f"{_HERE}.names:RefusesLongOnes",
        "documents",
        {"NAME-6": "as ordinary as they come, was refused"},
    ),
    Broken(
        "creates-before-it-refuses",
        f"{_HERE}.names:CreatesBeforeItRefuses",
        "documents",
        {"NAME-5": "the key '^GSPC' was refused, but not without effect: 'documents/new.staged' was"},
    ),
    Broken(
        "peeks-outside",
        f"{_HERE}.names:PeeksOutside",
        "documents",
        {"NAME-1": "get('../x') returned what stands in a file outside"},
    ),
    Broken(
        "decodes-twice",
        f"{_HERE}.names:DecodesTwice",
        "documents",
        {"NAME-4": "is listed, which nobody has written"},
    ),
    Broken(
        "as-the-umask-says",
        f"{_HERE}.permissions:AsTheUmaskSays",
        "document",
        {"PERM-1": "'portfolio.json.tmp' has mode 0666 during save({version: 1}), with umask 000"},
    ),
    Broken(
        "private-only-in-the-end",
        f"{_HERE}.permissions:PrivateInTheEnd",
        "document",
        {"PERM-1": "'portfolio.json.tmp' has mode 0666 during save({version: 1}), with umask 000"},
    ),
    Broken(
        "makes-directories-for-all",
        f"{_HERE}.permissions:DirectoriesForAll",
        "documents",
        {"PERM-1": "'data' has mode 0777 during opening the store, with umask 000"},
    ),
    Broken(
        "puts-aside-for-all",
        f"{_HERE}.permissions:PutsAsideForAll",
        "document",
        {"PERM-1": "'portfolio.json.damaged' has mode 0666 during save({version: 1}), with umask 000"},
    ),
    Broken(
        "gives-rights-back",
        f"{_HERE}.permissions:GivesRightsBack",
        "document",
        {"PERM-2": "'portfolio.json' has mode 0640 during save({version: 1}), with umask 022"},
    ),
    Broken(
        "changes-the-umask",
        f"{_HERE}.permissions:ChangesTheUmask",
        "document",
        {"PERM-2": "the store changes the umask of the whole process: os.umask(0o077) during save({version: 1})"},
    ),
    Broken(
        "follows-links",
        f"{_HERE}.planted:FollowsLinks",
        "document",
        {"NAME-2": "a link to a file outside in the place of 'portfolio.json' is followed"},
    ),
    Broken(
        "looks-before-it-opens",
        f"{_HERE}.planted:LooksBeforeItOpens",
        "document",
        {"NAME-2": "a link that takes the place of 'portfolio.json' for moments is followed"},
    ),
    Broken(
        "resolves-before-it-opens",
        f"{_HERE}.planted:ResolvesBeforeItOpens",
        "document",
        {"NAME-2": "a link that takes the place of 'portfolio.json' for moments is followed"},
    ),
    Broken(
        "follows-linked-directories",
        f"{_HERE}.planted:FollowsLinkedDirectories",
        "documents",
        {"NAME-2": "a link to a directory outside in the place of 'data"},
    ),
    Broken(
        "looks-at-directories-first",
        f"{_HERE}.planted:LooksAtDirectoriesFirst",
        "documents",
        {"NAME-2": "a link that takes the place of 'data' for moments is followed"},
    ),
    Broken(
        "lists-what-it-finds",
        f"{_HERE}.planted:ListsWhatItFinds",
        "documents",
        {"NAME-4": "with a file of somebody else in the root, '\\udcff.json', '\\udcff' is listed"},
    ),
    Broken(
        "writes-through-its-temporary-file",
        f"{_HERE}.planted:WritesThroughItsTemporaryFile",
        "document",
        {"NAME-2": "a link to a file outside in the place of 'portfolio.json.tmp' is followed"},
    ),
    Broken(
        "writes-into-files",
        f"{_HERE}.planted:WritesIntoFiles",
        "document",
        {
            "ATOM-1": "JSONDecodeError",
            "ATOM-2": "JSONDecodeError",
            "NAME-2": "a hard link to a file outside in the place of 'portfolio.json' is followed",
        },
    ),
)

from tests.broken_stores.trading_rows import TRADING  # noqa: E402 - the rows are made of the class above

BROKEN = (*BROKEN, *TRADING)
