"""The catalogue: every requirement with its id, profile, sentence, why it matters, and the remedy in one line.

``docs/reference/requirements.md`` is generated from here.
"""

from dataclasses import dataclass
from enum import IntEnum


class Profile(IntEnum):
    """How much a store promises; each profile contains the ones below it."""

    BASIC = 1
    DURABLE = 2
    HARDENED = 3

    @property
    def label(self) -> str:
        return self.name.lower()


SPEC = "2026.1"
"""The edition of the requirements, for reports."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """``sentence`` completes "a conforming store ..."."""

    id: str
    profile: Profile
    sentence: str
    why: str
    remedy: str


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement(
        "ATOM-1",
        Profile.BASIC,
        "after a process crash at any point shows the state before or after each update, nothing else",
        "A program that is killed in the middle of a save leaves whatever the save had done so far. If that is an "
        "empty or half-written file, the portfolio is gone although the disk is fine.",
        "Write the new content to a temporary file in the same directory and rename it over the old one with os.replace; "
        "never open the real file for writing.",
    ),
    Requirement(
        "ATOM-2",
        Profile.DURABLE,
        "after power loss shows the state before or after each update, nothing else",
        "A disk may persist the rename before the content, so a renamed file that was never synced can be empty, "
        "short or full of zeros after a power cut.",
        "Call file.flush() and os.fsync(file.fileno()) on the temporary file before os.replace.",
    ),
    Requirement(
        "ATOM-3",
        Profile.DURABLE,
        "shows a call that changes several files whole or not at all, after any crash",
        "Half of a call is a state that nobody asked for: March without February, a trade without its position, "
        "a document that the list of keys does not know.",
        "Write all new files beside the old ones, then switch to them with one rename: of a manifest that names them, "
        "or of an intent record that recovery completes.",
    ),
    Requirement(
        "ATOM-4",
        Profile.BASIC,
        "never shows leftovers (temp files, partial files) as data, and does not let them grow without bound",
        "Each crash may leave a temporary file behind. Listed as data it is a phantom; never removed it fills the disk.",
        "Give temporary files a suffix that listings skip, and use one fixed name under a lock or remove stale ones when opening.",
    ),
    Requirement(
        "DUR-1",
        Profile.BASIC,
        "keeps every acknowledged update through a process crash",
        "A caller that was told 'saved' acts on it: it sends the order. Data that lived only in memory is gone with the process.",
        "Hand the data to the operating system (flush and close, or commit) before the call returns.",
    ),
    Requirement(
        "DUR-2",
        Profile.DURABLE,
        "keeps every acknowledged update through power loss",
        "The operating system keeps writes and renames in memory for up to half a minute. What was acknowledged in that "
        "time is undone by a power cut.",
        "fsync the file before the rename and fsync its directory after it, both before the call returns.",
    ),
    Requirement(
        "DUR-3",
        Profile.DURABLE,
        "never shows a later acknowledged update of a log without the earlier ones, nor one twice",
        "A log with a hole or a repeated order reads like a valid history of something that did not happen.",
        "fsync the log after each append, and number the records so that a hole or a repetition is noticed.",
    ),
    Requirement(
        "DUR-4",
        Profile.DURABLE,
        "does not bring deleted data back",
        "A deleted position or credential that returns after a crash is acted upon again.",
        "fsync the directory after the unlink, and remove backups of the key before or with it.",
    ),
    Requirement(
        "REC-1",
        Profile.BASIC,
        "reopens after every crash, within the deadline, stale locks and leftovers included",
        "A store that needs a person to delete a lock file after each crash is down until somebody wakes up.",
        "Use locks that the kernel releases (flock on a file that is never deleted), and let opening tolerate every leftover.",
    ),
    Requirement(
        "REC-2",
        Profile.DURABLE,
        "survives a crash during recovery",
        "Power that has failed once often fails again within a minute. A repair that is not itself safe turns a harmless "
        "crash into a loss.",
        "Make recovery idempotent and as careful as any update: build beside, sync, rename, sync the directory.",
    ),
    Requirement(
        "REC-3",
        Profile.BASIC,
        "accepts and keeps the next update after recovery",
        "A torn line at the end of a log swallows the next record that is appended to it: the loss comes after the crash, "
        "to data that was acknowledged.",
        "On opening, cut a log back to its last complete record before the next append, and sync that.",
    ),
    Requirement(
        "DATA-ROUNDTRIP",
        Profile.BASIC,
        "returns every JSON value that it accepts exactly as it was given",
        "A price that changes in its last digit, or an id that turns into a number, is wrong data without an error.",
        "Serialise with json.dumps(..., allow_nan=False) and UTF-8, and refuse what does not come back equal.",
    ),
    Requirement(
        "DATA-MISSING",
        Profile.BASIC,
        "reads what was never written as None, {} or []",
        "Absence is an ordinary answer; an exception or an invented default for it is not.",
        "Return None (or [] for a log) when there is no such file, and only then.",
    ),
    Requirement(
        "DATA-OVERWRITE",
        Profile.BASIC,
        "replaces a document as a whole, so that the last value wins and nothing of the old one is left",
        "A merge of the old and the new document is a state that nobody ever saved.",
        "Write the whole new document; do not update the old one in place.",
    ),
    Requirement(
        "DATA-DELETE",
        Profile.BASIC,
        "no longer shows a deleted key, and keeps all the others",
        "Deleting one instrument must not touch another, and must be final.",
        "Remove exactly the file of that key; never match by prefix or pattern.",
    ),
    Requirement(
        "DATA-KEYS",
        Profile.BASIC,
        "lists exactly the keys that it holds, each as it was given",
        "Code that walks over all keys must meet each of them once, and no file that is not one.",
        "Derive keys from file names by the exact inverse of the encoding that made them.",
    ),
    Requirement(
        "DATA-ORDER",
        Profile.BASIC,
        "returns the records of a log complete, once each, in the order of their appends, each stream by itself",
        "A log is a history; in another order, or with a record of another stream, it is a different one.",
        "Append under a lock, one record per line, one file per stream.",
    ),
    Requirement(
        "DATA-REOPEN",
        Profile.BASIC,
        "shows the same after closing and opening again",
        "A store that only remembers while it runs is a cache.",
        "Write everything before the call returns, and read from the files after opening.",
    ),
)

BY_ID = {requirement.id: requirement for requirement in REQUIREMENTS}
