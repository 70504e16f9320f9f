"""sqlite3 with settings under which an acknowledged transaction can be rolled back."""

from pathlib import Path

from tests.sound_stores.sqlite import Tables, connect


class RollbackJournalFull(Tables):
    """DUR-2, DUR-4: unlinking the journal commits, but its directory is not synced, so it can return."""

    def __init__(self, root: Path):
        super().__init__(connect(root, "synchronous=FULL"))


class WriteAheadNormal(Tables):
    """DUR-2, DUR-4: the log is synced only at checkpoints, so the last transactions are lost."""

    tradestore_volatile = ("*-shm",)

    def __init__(self, root: Path):
        super().__init__(connect(root, "journal_mode=WAL", "synchronous=NORMAL"))


class NeverSynced(Tables):
    """ATOM-2, DUR-2, DUR-4, REC-1, REC-2, REC-3: synchronous=OFF leaves the order of the writes to the kernel."""

    def __init__(self, root: Path):
        super().__init__(connect(root, "synchronous=OFF"))
