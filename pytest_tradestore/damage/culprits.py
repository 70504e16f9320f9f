"""What a store does wrong with a damaged file, and with which sort of file: one reader reads all of a sort."""

from collections.abc import Iterable
from enum import Enum
from pathlib import PurePosixPath

from pytest_tradestore.causes import Cause, Culprit, Harm, role_of_path


class Flaw(Enum):
    """What a store makes of damage, worst first where they do the same harm."""

    BYTES_GONE = "damaged bytes thrown away"
    BACKUP_GONE = "backup replaced by what is damaged"
    ENDS = "damage that ends the process, or hangs it"
    STAND_IN = "backup not used"
    SPREADS = "damage that keeps from what is not damaged"
    SHOWN = "damage shown as data"
    ABSENCE = "damage taken for absence"
    FOREIGN = "file of another key taken for one's own"
    OLDER = "older version shown without a word"
    UNCLEAR = "damage told by an error that nobody expects"


_HARMS = {
    Flaw.BYTES_GONE: Harm.DESTROYED,
    Flaw.BACKUP_GONE: Harm.DESTROYED,
    Flaw.ENDS: Harm.UNREADABLE,
    Flaw.STAND_IN: Harm.UNREADABLE,
    Flaw.SPREADS: Harm.UNREADABLE,
}
_REMEDIES = {
    Flaw.BYTES_GONE: "Before an update replaces a file that cannot be read, rename it to a name of its own, and sync "
    "the directory; never delete it. In SQLite and LMDB, copy the database aside before it is made anew.",
    Flaw.BACKUP_GONE: "Make a file the backup only after it has been read and found good.",
    Flaw.STAND_IN: "Read the backup when the file is damaged, and log a warning.",
    Flaw.SPREADS: "Read each key from its own file when it is asked for; let opening and listing look at names only.",
    Flaw.ABSENCE: "Return nothing only on FileNotFoundError; a file that is there and does not parse is damage, and "
    "raises.",
    Flaw.UNCLEAR: "Catch what parsing raises (ValueError, RecursionError, KeyError, TypeError and the like) and raise "
    "one type that tradestore_errors lists.",
}
_MAPPED = (
    "The file is mapped and shorter than it should be: compare its size with os.fstat before it is mapped, or read it. "
    "No except clause catches SIGBUS."
)
_ENDED = "Check sizes, depths and counts before they are believed, and read in bounded time and memory."


def cause_of(flaw: Flaw, path: str, found: str, error: str = "", owners: Iterable[str] = ()) -> Cause:
    """Return the cause of a breach by a damaged file at ``path``, which holds what ``owners`` show.

    ``error`` is the type of what was raised, if any.
    """
    fault = f"{flaw.value}: {error}" if error else flaw.value
    remedy = _REMEDIES.get(flaw, "")
    if flaw is Flaw.ENDS:
        remedy = _MAPPED if "SIGBUS" in found else _ENDED
    return Cause(Culprit(fault, (sort_of(path, owners),)), _HARMS.get(flaw, Harm.WRONG), remedy)


def sort_of(path: str, owners: Iterable[str] = ()) -> str:
    """Return which files are read like the one at ``path``: those with its suffix, or named by a key as it is."""
    file = PurePosixPath(path)
    if file.suffix:
        return f"*{file.suffix}"
    key = max((owner for owner in owners if owner in file.name), key=len, default="")
    return role_of_path(file.name.replace(key, "KEY") if key else file.name)
