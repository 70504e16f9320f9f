"""The ten patterns of races that must be found whoever the callers are, and the stores that show them."""

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
    "read-modify-write in memory": {"threads": ("memory-first",), "tasks": ("loads-on-first-use", "seed-job-store")},
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
"""By pattern and by who the callers are: names of stores."""
