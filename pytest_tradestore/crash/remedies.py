"""What to do about the culprit of a crash: one remedy for each fault, in the words of what the store is made with."""

from collections.abc import Sequence

from pytest_tradestore.causes import Culprit
from pytest_tradestore.crash.crash_state import CrashState
from pytest_tradestore.crash.culprits import (
    EARLY,
    FORGOTTEN,
    GAP,
    IN_PLACE,
    IN_THE_WAY,
    LISTED,
    NAME_UNSYNCED,
    NOT_CUT_BACK,
    NOT_SHOWN,
    ONE_BY_ONE,
    PILING_UP,
    STOPPED_BY,
    TOO_LATE,
    UNSYNCED,
)
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Extent, Name, Program, WriteThrough
from pytest_tradestore.crash.operations import Create, Kind, Mark, Rename, Sync, SyncAll, Truncate, Unlink
from pytest_tradestore.kits.kit import Kit

_SQLITE, _PARQUET = b"SQLite format 3\0", b"PAR1"
_LMDB = b"\xde\xc0\xef\xbe"
"""Where the magic number of LMDB's first page is, 16 bytes into it."""
_BESIDE_A_DATABASE = ("-journal", "-wal", "-shm")
_TORN_RECORD = (
    "Mark where each record ends, with a newline or with its length and a checksum. When the log is opened, set an "
    "incomplete or unreadable last record aside and keep every record before it."
)
_IN_SQLITE = "In SQLite: PRAGMA synchronous = EXTRA, or PRAGMA journal_mode = WAL with PRAGMA synchronous = FULL."
_IN_LMDB = (
    "LMDB syncs neither the directory of a new environment nor its first pages: after the first lmdb.open(path), "
    "env.sync(True) and fsync the directory, both before anything is acknowledged. Leave sync and metasync True: "
    "without either a power loss takes transactions that were committed."
)
_NEW_IN_LMDB = (
    "Making a new environment is not one step in LMDB: make it in a directory beside, with lmdb.open(new) and "
    "env.sync(True), fsync that directory, and os.rename it to where the environment is opened from."
)
_IN_PARQUET = {
    UNSYNCED: "pandas and pyarrow sync nothing: write the table to a file object of yours (file = open(staged, 'wb'); "
    "pyarrow.parquet.write_table(table, file)), then file.flush() and os.fsync(file.fileno()), then os.replace.",
    IN_PLACE: "Never write a Parquet file under its own name: write the table to a temporary file in the same "
    "directory, fsync that, os.replace it over the old one, and fsync the directory.",
}
_IN_AIOFILES = (
    "aiofiles syncs nothing: await file.flush(), then await asyncio.to_thread(os.fsync, file.fileno()), "
    "{before} the call returns."
)
_NEVER_SYNCED = (
    "Nothing is ever synced: fsync the file after each write, and the directory of each new file or directory, before "
    "the call returns."
)
_OF_FAULTS = {
    TOO_LATE: "Call file.flush() and os.fsync(file.fileno()) before the step that makes the file count, not after it: "
    "before os.replace, before the old file is removed, before the entry that names it is written.",
    IN_PLACE: "Write the new content to a temporary file in the same directory, fsync it, rename it over the old one "
    "with os.replace, and fsync the directory; never open the real file for writing.",
    GAP: "Leave the old file where it is until os.replace puts the new one over it, in one step: no unlink, and no "
    "rename out of the way, before it. A backup is a link beside it.",
    ONE_BY_ONE: "Write all new files beside the old ones, then switch to them with one rename: of a manifest that "
    "names them, or of an intent record that recovery completes.",
    IN_THE_WAY: "Use locks that the kernel releases (flock on a file that is never deleted), and let opening, reading "
    "and writing tolerate what an interrupted update leaves.",
    NOT_CUT_BACK: "On opening, cut a log back to its last complete record before the next append, and sync that.",
    STOPPED_BY: "Cut a log back to its last complete record when it is opened or before the next append, and sync it: "
    "a crash during an append leaves an incomplete one.",
    LISTED: "Give temporary files a suffix that listings skip.",
    PILING_UP: "Use one fixed name for the temporary file under a lock, or remove stale ones when the store is opened.",
}
_NOT_SHOWN = (
    "Read, when the store is opened, what was written last, all of it, and take nothing away then; write what waits in "
    "memory before the call returns, not with the next one and not only in close()."
)
_BACK_AGAIN = (
    "A name that was taken away can be there again after a crash, with what it held or as a second name of the "
    "published file (btrfs, although its directory was synced): never take a file with a temporary name for newer "
    "data; write each new version beside the file that it replaces, under a new name, or remove what has that name "
    "first."
)
TOO_EARLY = (
    "Write and fsync before the call returns, not later, not in another thread and not only in close(); a library that "
    "buffers has a flush() or commit() for its adapter to call. Take nothing away when the store is opened."
)


def remedy_for(culprit: Culprit, kit: Kit, program: Program, state: CrashState, image: DurableImage) -> str:
    """Return what to do about a culprit; nothing where only the requirement knows."""
    if state.lost and _is_a_database(image):
        return _IN_SQLITE
    if any(content[16:20] == _LMDB for content in _contents(program)):
        if state.lost:
            return _IN_LMDB
        if culprit.fault == IN_PLACE:
            return _NEW_IN_LMDB
    if culprit.fault.endswith((EARLY, NOT_SHOWN)) or culprit.fault == FORGOTTEN:
        return TOO_EARLY if culprit.fault.endswith(EARLY) else _NOT_SHOWN
    if culprit.fault == IN_THE_WAY and any(_is_back(program, m) for m in state.lost):
        return _BACK_AGAIN
    if culprit.fault == IN_PLACE and kit.log and _only_appends(program):
        return _TORN_RECORD
    if culprit.fault in _IN_PARQUET and any(content.startswith(_PARQUET) for content in _contents(program)):
        return _IN_PARQUET[culprit.fault]
    if UNSYNCED in culprit.fault or NAME_UNSYNCED in culprit.fault:
        return _of_missing_syncs(program, state)
    return _OF_FAULTS.get(culprit.fault, "")


def _is_back(program: Program, m: int) -> bool:
    """Say whether to lose this lets a name come back that was taken away."""
    part = program.micros[m]
    return isinstance(part, Name) and part.until_commit and not part.half


def _is_a_database(image: DurableImage) -> bool:
    """Say whether a database of SQLite is all that there is: beside other files the loss may be theirs."""
    files = [f for f in image.files if f.kind is Kind.FILE and not f.path.endswith(_BESIDE_A_DATABASE)]
    return bool(files) and all(f.content.startswith(_SQLITE) for f in files)


def _contents(program: Program) -> Sequence[bytes]:
    return [step.write.data[:64] for step in program.steps if isinstance(step, Extent) and not step.write.offset]


def _only_appends(program: Program) -> bool:
    return not any(isinstance(step, (Rename, Truncate)) for step in program.steps)


def _of_missing_syncs(program: Program, state: CrashState) -> str:
    """Say which syncs are missing for what was lost."""
    renamed = {step.inode for step in program.steps if isinstance(step, Rename)}
    if not renamed and not any(isinstance(step, (Sync, SyncAll, WriteThrough)) for step in program.steps):
        return _NEVER_SYNCED
    needed: dict[str, None] = {}
    for m in state.lost:
        part = program.micros[m]
        if isinstance(part, Name):
            needed[_of_a_name(program, part)] = None
        elif part.inode in renamed:
            needed["the temporary file before os.replace (file.flush(); os.fsync(file.fileno()))"] = None
        else:
            needed["the file after the write"] = None
    before = "" if all("before os.replace" in what for what in needed) else " before the call returns"
    if any("aiofiles" in line for line in _lines(program)) and any("file" in what[:24] for what in needed):
        return _IN_AIOFILES.format(before="before os.replace and before" if renamed else "before")
    return f"fsync {' and '.join(needed)}{before}."


def _lines(program: Program) -> Sequence[str]:
    return [
        origin.location.text
        for step in program.steps
        if not isinstance(step, (WriteThrough, Mark))
        and (origin := step.write.origin if isinstance(step, Extent) else step.origin).location is not None
    ]


def _of_a_name(program: Program, part: Name) -> str:
    match program.steps[part.operation]:
        case Create(_, Kind.DIRECTORY):
            return "the parent of a new directory"
        case Rename():
            return "the directory after the rename"
        case Unlink():
            return "the directory after the unlink"
        case _:
            return "the directory of a new file"
