"""sqlite3 with settings under which an acknowledged transaction can be rolled back."""

from pathlib import Path

from tests.broken_stores import NATIVE, breaks
from tests.sound_stores.sqlite import Tables, connect


@breaks(
    "documents",
    name="sqlite-full",
    recorders=NATIVE,
    DUR_2="lost unlink store.sqlite-journal",
    DUR_4="lost unlink store.sqlite-journal",
)
class RollbackJournalFull(Tables):
    """unlinking the journal commits, but its directory is not synced, so it can return."""

    def __init__(self, root: Path):
        super().__init__(connect(root, "synchronous=FULL"))


@breaks(
    "documents",
    name="sqlite-wal-normal",
    recorders=NATIVE,
    DUR_2="partly lost write store.sqlite-wal",
    DUR_4="partly lost write store.sqlite-wal",
)
class WriteAheadNormal(Tables):
    """the log is synced only at checkpoints, so the last transactions are lost."""

    tradestore_volatile = ("*-shm",)

    def __init__(self, root: Path):
        super().__init__(connect(root, "journal_mode=WAL", "synchronous=NORMAL"))


@breaks(
    "documents",
    name="sqlite-off",
    recorders=NATIVE,
    ATOM_2="partly lost write store.sqlite",
    DUR_2="partly lost write store.sqlite",
    DUR_4="partly lost write store.sqlite",
    REC_1="reopening raised DatabaseError: database disk image is malformed",
    REC_2="partly lost write store.sqlite",
    REC_3="partly lost write store.sqlite",
)
class NeverSynced(Tables):
    """synchronous=OFF leaves the order of the writes to the kernel."""

    def __init__(self, root: Path):
        super().__init__(connect(root, "synchronous=OFF"))
