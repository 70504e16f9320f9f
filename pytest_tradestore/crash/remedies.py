"""What to do about a crash that loses something: the requirement's remedy, or a nearer one where the loss tells it."""

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Name, Program, WriteThrough
from pytest_tradestore.crash.operations import Create, Kind, Rename, Sync, SyncAll, Truncate, Unlink
from pytest_tradestore.crash.states import CrashState
from pytest_tradestore.kits.kit import Kit

_DATABASE = b"SQLite format 3\0"
_BESIDE_A_DATABASE = ("-journal", "-wal", "-shm")
_TORN_RECORD = (
    "Mark where each record ends, with a newline or with its length and a checksum. When the log is opened, set an "
    "incomplete or unreadable last record aside and keep every record before it."
)
_IN_SQLITE = "In SQLite: PRAGMA synchronous = EXTRA, or PRAGMA journal_mode = WAL with PRAGMA synchronous = FULL."
_TOO_LATE = (
    "Write and fsync before the call returns, not later and not in another thread; and take nothing away when the "
    "store is opened."
)
_NEVER_SYNCED = (
    "Nothing is ever synced: fsync the file after each write, and the directory of each new file or directory, before "
    "the call returns."
)


def remedy_for(requirement: str, kit: Kit, program: Program, state: CrashState, image: DurableImage) -> str:
    """Return the remedy for this loss, or nothing where the one of the requirement says it best."""
    if requirement in ("ATOM-2", "DUR-2", "DUR-4") and state.lost and _is_a_database(image):
        return _IN_SQLITE
    if requirement in ("ATOM-1", "ATOM-2") and kit.log and _only_appends(program):
        return _TORN_RECORD
    if requirement == "DUR-2":
        return _of_lost_updates(program, state)
    return ""


def _is_a_database(image: DurableImage) -> bool:
    """Say whether a database of SQLite is all that there is: beside other files the loss may be theirs."""
    files = [f for f in image.files if f.kind is Kind.FILE and not f.path.endswith(_BESIDE_A_DATABASE)]
    return bool(files) and all(f.content.startswith(_DATABASE) for f in files)


def _only_appends(program: Program) -> bool:
    return not any(isinstance(step, (Rename, Truncate)) for step in program.steps)


def _of_lost_updates(program: Program, state: CrashState) -> str:
    if not state.lost:
        return _TOO_LATE
    renamed = {step.inode for step in program.steps if isinstance(step, Rename)}
    if not any(isinstance(step, (Sync, SyncAll, WriteThrough)) for step in program.steps):
        return "" if renamed else _NEVER_SYNCED
    needed: dict[str, None] = {}
    for m in state.lost:
        part = program.micros[m]
        if isinstance(part, Name):
            needed[_of_a_name(program, part)] = None
        elif part.inode in renamed:
            return ""  # a file that is renamed into place needs both syncs, and that is what the requirement says
        else:
            needed["the file after the write"] = None
    return f"fsync {' and '.join(needed)} before the call returns."


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
