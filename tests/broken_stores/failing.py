"""The registry of stores that only errors break; what each of them breaks among the fault requirements."""

from tests.broken_stores import Broken

_HERE = "tests.broken_stores.faults"

FAILING = (
    Broken(
        "swallows-sync-errors",
        f"{_HERE}:SwallowsSyncErrors",
        "document",
        {"FAULT-2": "returned after fsync portfolio.json.tmp had failed, and"},
    ),
    Broken(
        "retries-the-sync",
        f"{_HERE}:RetriesTheSync",
        "document",
        {"FAULT-2": "a failed fsync marks the pages clean"},
    ),
    Broken(
        "logs-the-error",
        f"{_HERE}:LogsTheError",
        "document",
        {"FAULT-1": "fails with ENOSPC, and the document is as before it", "FAULT-2": "a power loss"},
    ),
    Broken("full-disk-in-place", f"{_HERE}:FullDiskInPlace", "document", {"FAULT-1": "the document cannot be read"}),
    Broken("takes-short-writes", f"{_HERE}:TakesShortWrites", "document", {"FAULT-1": "takes half of the bytes"}),
    Broken("swallows-close-errors", f"{_HERE}:SwallowsCloseErrors", "document", {"FAULT-1": "returned although close"}),
    Broken(
        "read-error-is-absence",
        f"{_HERE}:ReadErrorIsAbsence",
        "document",
        {"FAULT-3": "reading the document gives nothing when open portfolio.json fails with EMFILE"},
    ),
    Broken(
        "exists-hides-errors",
        f"{_HERE}:ExistsHidesErrors",
        "document",
        {"FAULT-3": "gives nothing when stat portfolio.json fails with EIO"},
    ),
    Broken(
        "read-error-is-damage",
        f"{_HERE}:ReadErrorIsDamage",
        "document",
        {"FAULT-3": "the error was taken for damage"},
    ),
    Broken(
        "starts-again-on-read-errors",
        f"{_HERE}:StartsAgainOnReadErrors",
        "documents",
        {"FAULT-3": "is gone"},
    ),
    Broken(
        "walks-over-errors",
        f"{_HERE}:WalksOverErrors",
        "documents",
        {"FAULT-3": "reading keys() gives something else when open the root fails with EMFILE"},
    ),
    Broken("leaks-descriptors", f"{_HERE}:LeaksDescriptors", "document", {"FAULT-5": "1 more file descriptor open"}),
    Broken("leaks-its-lock", f"{_HERE}:LeaksItsLock", "document", {"FAULT-5": "took longer than 0.6 s"}),
    Broken("leaves-its-lock-file", f"{_HERE}:LeavesItsLockFile", "document", {"FAULT-5": "FileExistsError"}),
    Broken("leaves-temporaries", f"{_HERE}:LeavesTemporaries", "document", {"FAULT-5": "*.staged behind each time"}),
    Broken(
        "forgets-ctrl-c",
        f"{_HERE}:ForgetsCtrlC",
        "document",
        {"FAULT-5": "*.staged behind each time that Ctrl-C comes after fsync"},
    ),
    Broken(
        "glues-after-a-failed-append",
        f"{_HERE}:GluesAfterAFailedAppend",
        "journal",
        {"FAULT-5": "the next update of orders returned but is"},
    ),
    Broken(
        "serialises-into-the-file",
        f"{_HERE}:SerialisesIntoTheFile",
        "document",
        {"FAULT-1": "the document cannot be read", "FAULT-4": "was refused, and the value before it"},
    ),
    Broken(
        "makes-text-of-it", f"{_HERE}:MakesTextOfIt", "document", {"FAULT-4": "a set was accepted, and what is read"}
    ),
    Broken("skips-what-fails", f"{_HERE}:SkipsWhatFails", "document", {"FAULT-4": "was accepted, and what is read"}),
)
