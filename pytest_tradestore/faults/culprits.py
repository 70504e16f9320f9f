"""What is at fault when a store meets an error badly: what it does wrong, and the file whose call had failed.

One handler that swallows errors swallows those of every call that it surrounds; so a culprit is told by the file, not
by the call or the number of the error.
"""

from enum import Enum

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.faults.calls import Fault, InjectedFault, Interrupt, Limit


class Flaw(Enum):
    """What a store does wrong when a call fails."""

    SWALLOWED = "error swallowed"
    SHORT = "short write taken for a whole one"
    NOT_UNDONE = "failed update that leaves the old value damaged"
    HALF = "failed update that stays half done"
    MEMORY_AHEAD = "failed update that stays in memory"
    ABSENCE = "read error taken for absence"
    DAMAGE = "read error taken for damage"
    STUCK = "fault that is gone and still stops the store"
    NEXT_LOST = "update after a fault that is not kept"
    DESCRIPTOR = "descriptor left open"
    LITTER = "file left behind"
    TRUSTED = "failed fsync taken for one that worked"
    COMES_BACK = "refused update that a power loss brings back"
    ANYWAY = "update that a power loss takes also where no fsync fails"
    ENDS = "fault that ends the process, or hangs it"
    REPAIR = "repair that fails and takes along what was there"


_REMEDIES = {
    Flaw.SWALLOWED: "Let every OSError out of the call, or raise an error of your own from it; logging it is not "
    "enough, because the caller takes the return for success.",
    Flaw.SHORT: "os.write, os.pwrite and a file that was opened with buffering=0 may write less than they are given, "
    "and say how much: write the rest in a loop, or let a buffered file do that, and flush it.",
    Flaw.NOT_UNDONE: "Write to a temporary file, remove that when anything fails, and leave the old file alone until "
    "os.replace; no fallback may write into the old file.",
    Flaw.HALF: "Write all new files beside the old ones and make them count by one rename at the end; take back what "
    "is written already when a later step fails.",
    Flaw.MEMORY_AHEAD: "Change what is kept in memory after the last step on the disk has succeeded, or read it anew "
    "after a failure.",
    Flaw.ABSENCE: "Treat FileNotFoundError alone as absence, and let every other OSError out; avoid os.path.exists, "
    "which hides them.",
    Flaw.DAMAGE: "Only what has been read and does not parse is damage: let OSError out, before anything is moved "
    "away, deleted or written anew.",
    Flaw.STUCK: "Release locks and close files in finally or by with, so that a failed call leaves none behind; "
    "what it had begun to write must not stop the next one either: build it beside, and rename it when it is whole.",
    Flaw.NEXT_LOST: "After a failure bring file and memory back to the last good state before the next update: cut a "
    "torn append off, and forget what was not written.",
    Flaw.DESCRIPTOR: "Open files by with, or close them in finally; what os.open or tempfile.mkstemp gives has to be "
    "closed by hand also when the next line raises.",
    Flaw.LITTER: "Remove the temporary file when an update fails, in finally or on BaseException: Ctrl-C is no "
    "Exception.",
    Flaw.REPAIR: "Let a repair that fails leave everything as it has found it, and raise; move or remove nothing "
    "before what replaces it is on the disk.",
    Flaw.TRUSTED: "Raise when fsync fails, and write all of it once more into a new file before anything is "
    "acknowledged; the same descriptor says that all is well from then on. Where a second try finds the name there, or "
    "gone, already, sync the directory all the same.",
    Flaw.ANYWAY: "See to it that a power loss takes nothing that was acknowledged while every fsync succeeds.",
    Flaw.COMES_BACK: "Make what takes the update back as durable as an update: fsync the file after the cut, and the "
    "directory after a name was removed, and raise if that fails too.",
    Flaw.ENDS: "Let the error out as an exception, and wait for nothing without a limit.",
}
_ACROSS = (
    "The two lie on different file systems: make temporary files in the directory of the file that they will replace."
)


def cause_of(flaw: Flaw, harm: Harm, refusal: InjectedFault | None, left: str = "", key: str = "") -> Cause:
    """Return the cause of a breach that ``refusal`` has shown.

    ``left`` is what it leaves behind, if that is what is wrong; ``key`` is what the call was about, which the names of
    files may begin with.
    """
    where = left or _where(refusal)
    return Cause(Culprit(flaw.value, (where.replace(key, "KEY") if key else where,)), harm, remedy_for(flaw, refusal))


def remedy_for(flaw: Flaw, refusal: InjectedFault | None) -> str:
    """Return what to do about a flaw."""
    across = isinstance(refusal, Fault) and refusal.is_across_devices
    return _ACROSS if across and flaw in (Flaw.NOT_UNDONE, Flaw.HALF) else _REMEDIES[flaw]


def _where(refusal: InjectedFault | None) -> str:
    match refusal:
        case Fault(_, role):
            return role
        case Limit(resource):
            return "any write" if resource == "RLIMIT_FSIZE" else "any open"
        case Interrupt():
            return "Ctrl-C"
        case _:
            return "the call"
