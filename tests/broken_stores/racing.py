"""The registry of stores that only concurrent callers break; what each of them breaks among the race requirements."""

from tests.broken_stores import Broken

_HERE = "tests.broken_stores"

_DATA, _JOBS = f"{_HERE}.seed_data_store", f"{_HERE}.seed_persistence"

RACING = (
    Broken(
        "no-lock",
        f"{_HERE}.races:NoLock",
        "documents",
        {"RACE-1": "put('MSFT', {version: 1}) returned, but get('MSFT') then gives nothing", "RACE-2": "returned, but"},
    ),
    Broken(
        "save-locked-only",
        f"{_HERE}.races:SaveLockedOnly",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but"},
    ),
    Broken("lock-per-instance", f"{_HERE}.races:LockPerInstance", "documents", {"RACE-2": "returned, but"}),
    Broken(
        "fixed-temporary",
        f"{_HERE}.races:FixedTemporary",
        "document",
        {"RACE-1": "JSONDecodeError", "RACE-2": "JSONDecodeError", "RACE-4": "JSONDecodeError"},
    ),
    Broken(
        "shared-temporary",
        f"{_HERE}.races:SharedTemporary",
        "document",
        {"RACE-1": "raised FileNotFoundError", "RACE-2": "raised FileNotFoundError"},
    ),
    Broken(
        "makes-its-directory",
        f"{_HERE}.races:MakesItsDirectory",
        "documents",
        {"RACE-2": "opening the store raised FileExistsError"},
    ),
    Broken(
        "reads-while-writing", f"{_HERE}.races:ReadsWhileWriting", "document", {"RACE-4": "beside save({version: 1})"}
    ),
    Broken("removes-before-rename", f"{_HERE}.races:RemovesBeforeRename", "document", {"RACE-4": "gives nothing"}),
    Broken(
        "memory-first",
        f"{_HERE}.races:MemoryFirst",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but", "RACE-4": "no order of the calls explains that"},
    ),
    Broken("lock-order", f"{_HERE}.races:LockOrder", "documents", {"RACE-5": "wait for ever"}),
    Broken(
        "locks-the-data-file",
        f"{_HERE}.races:LocksTheDataFile",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but"},
    ),
    Broken(
        "unlinks-its-lock",
        f"{_HERE}.races:UnlinksItsLock",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but"},
    ),
    Broken(
        "forgetful-journal",
        f"{_HERE}.races:ForgetfulJournal",
        "journal",
        {"RACE-1": "then gives 1 record", "RACE-2": "then gives 1 record"},
    ),
    Broken(
        "async-no-lock",
        f"{_HERE}.races_async:AsyncNoLock",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but", "RACE-6": "returned, but"},
        variant="aiofiles",
    ),
    Broken(
        "async-lock-per-instance",
        f"{_HERE}.races_async:AsyncLockPerInstance",
        "documents",
        {"RACE-2": "returned, but", "RACE-6": "is cancelled at its await"},
        variant="aiofiles",
    ),
    Broken(
        "lazy-lock",
        f"{_HERE}.races_async:LazyLock",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but", "RACE-6": "returned, but"},
        variant="aiofiles",
    ),
    Broken(
        "async-fixed-temporary",
        f"{_HERE}.races_async:AsyncFixedTemporary",
        "document",
        {
            "RACE-1": "JSONDecodeError",
            "RACE-2": "JSONDecodeError",
            "RACE-4": "JSONDecodeError",
            "RACE-6": "JSONDecodeError",
        },
        variant="aiofiles",
    ),
    Broken(
        "thread-lock-across-await",
        f"{_HERE}.races_async:ThreadLockAcrossAwait",
        "documents",
        {"RACE-2": "returned, but", "RACE-5": "wait for ever", "RACE-6": "returned, but"},
        variant="aiofiles",
    ),
    Broken(
        "releases-when-cancelled",
        f"{_HERE}.races_async:ReleasesWhenCancelled",
        "document",
        {"RACE-6": "returned, but load() then gives"},
        variant="async",
    ),
    Broken(
        "deletes-late",
        f"{_HERE}.races_async:DeletesLate",
        "documents",
        {"RACE-6": "returned, but keys() then gives []"},
        variant="aiofiles",
    ),
    Broken(
        "keeps-its-lock-when-cancelled",
        f"{_HERE}.races_async:KeepsItsLockWhenCancelled",
        "document",
        {"RACE-6": "waits for ever"},
        variant="async",
    ),
    Broken(
        "keeps-its-lock-and-times-out",
        f"{_HERE}.races_async:KeepsItsLockAndTimesOut",
        "document",
        {"RACE-6": "raised TimeoutError with nobody else there, after"},
        variant="async",
    ),
    Broken(
        "loads-on-first-use",
        f"{_HERE}.races_async:LoadsOnFirstUse",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but", "RACE-6": "returned, but"},
        variant="aiofiles",
    ),
    Broken(
        "one-process-only",
        f"{_HERE}.races_processes:OneProcessOnly",
        "documents",
        {"RACE-3": "returned, but"},
    ),
    Broken(
        "dropped-by-closing",
        f"{_HERE}.races_processes:DroppedByClosing",
        "documents",
        {"RACE-3": "returned, but"},
    ),
    Broken(
        "processes-swap-the-locked-file",
        f"{_HERE}.races_processes:ProcessesSwapTheLockedFile",
        "documents",
        {"RACE-3": "returned, but"},
    ),
    Broken(
        "lock-file-by-existence",
        f"{_HERE}.races_processes:LockFileByExistence",
        "documents",
        {"RACE-3": "killed"},
    ),
    Broken(
        "select-then-insert",
        f"{_HERE}.races_processes:SelectThenInsert",
        "documents",
        {"RACE-2": "returned, but", "RACE-3": "returned, but"},
    ),
    Broken(
        "lock-file-with-a-timeout",
        f"{_HERE}.races_processes:LockFileWithATimeout",
        "documents",
        {"RACE-3": "with nobody else there, after"},
    ),
    Broken(
        "seed-jobs",
        f"{_JOBS}:SeedJobStore",
        "jobs",
        {"RACE-1": "then gives nothing", "RACE-2": "then gives nothing", "RACE-6": "because of another caller"},
        variant="async",
    ),
    Broken("seed-runs", f"{_JOBS}:SeedRunStore", "runs", {"RACE-2": "then gives nothing"}),
    Broken(
        "seed-bars",
        f"{_DATA}:SeedBars",
        "bars",
        {"RACE-1": "returned, but read_bars", "RACE-2": "returned, but read_bars"},
    ),
    Broken(
        "seed-fundamentals", f"{_DATA}:SeedFundamentals", "fundamentals", {"RACE-4": "beside write_fundamental('AAPL'"}
    ),
    Broken(
        "seed-state",
        f"{_DATA}:SeedState",
        "state",
        {"RACE-1": "JSONDecodeError: Extra data", "RACE-2": "JSONDecodeError: Extra data", "RACE-4": "JSONDecodeError"},
    ),
    Broken(
        "rewritten-audit",
        f"{_HERE}.races:RewrittenAudit",
        "audit",
        {"RACE-1": "the lines of decisions/*.jsonl then gives", "RACE-2": "the lines of decisions/*.jsonl then gives"},
    ),
    Broken(
        "unlocked-orders",
        f"{_HERE}.races:UnlockedOrders",
        "audit",
        {"RACE-1": "read_orders", "RACE-2": "read_orders"},
    ),
    Broken(
        "takes-its-lock-twice", f"{_HERE}.races:TakesItsLockTwice", "documents", {"RACE-5": "which it holds itself"}
    ),
    Broken(
        "posix-lock-between-threads",
        f"{_HERE}.races:PosixLockBetweenThreads",
        "documents",
        {"RACE-1": "returned, but", "RACE-2": "returned, but"},
    ),
    Broken(
        "async-reads-while-writing",
        f"{_HERE}.races_async:AsyncReadsWhileWriting",
        "document",
        {"RACE-4": "JSONDecodeError"},
        variant="aiofiles",
    ),
    Broken(
        "shared-temporary-name",
        f"{_HERE}.races_processes:SharedTemporaryName",
        "documents",
        {"RACE-3": "JSONDecodeError"},
    ),
    Broken(
        "reads-anothers-writing",
        f"{_HERE}.races_processes:ReadsAnothersWriting",
        "document",
        {"RACE-3": "JSONDecodeError", "RACE-4": "JSONDecodeError"},
    ),
    Broken(
        "processes-unlink-their-lock",
        f"{_HERE}.races_processes:ProcessesUnlinkTheirLock",
        "documents",
        {"RACE-3": "returned, but"},
    ),
)

TEN = {
    "lost update": {
        "threads": ("no-lock", "save-locked-only", "lock-per-instance"),
        "tasks": ("async-no-lock", "async-lock-per-instance"),
        "processes": ("one-process-only", "select-then-insert"),
    },
    "fixed temporary name": {
        "threads": ("fixed-temporary", "shared-temporary"),
        "tasks": ("async-fixed-temporary",),
        "processes": ("shared-temporary-name",),
    },
    "torn read": {
        "threads": ("reads-while-writing", "removes-before-rename"),
        "tasks": ("async-reads-while-writing",),
        "processes": ("reads-anothers-writing",),
    },
    "lock made lazily across an await": {"tasks": ("lazy-lock",)},
    "read-modify-write in memory": {"threads": ("memory-first",), "tasks": ("loads-on-first-use", "seed-jobs")},
    "deadlock": {
        "threads": ("lock-order", "takes-its-lock-twice"),
        "tasks": ("thread-lock-across-await", "keeps-its-lock-when-cancelled"),
        "processes": ("lock-file-by-existence",),
    },
    "cancelled write that lands late": {"tasks": ("releases-when-cancelled",)},
    "flock on a file that is replaced": {
        "threads": ("locks-the-data-file",),
        "processes": ("processes-swap-the-locked-file",),
    },
    "lock file removed on release": {"threads": ("unlinks-its-lock",), "processes": ("processes-unlink-their-lock",)},
    "POSIX lock dropped": {"threads": ("posix-lock-between-threads",), "processes": ("dropped-by-closing",)},
}
"""The ten patterns that must always be found, by who the callers are, and the stores that show them."""
