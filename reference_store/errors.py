"""What can go wrong in a store, as types: programs read the attributes, people read the sentence.

No message prints what a document holds, and identifiers appear escaped, so that a log line cannot be forged with one.
"""

# ruff: noqa: N818 - an error is called by what is the case

from __future__ import annotations

import errno

_SHOWN = 80


def shown(value: object) -> str:
    """``value`` as it may appear in a message: escaped by ``repr`` and cut to a bounded length."""
    if isinstance(value, str):
        text = repr(str.__str__(value)[: _SHOWN + 1])
        return text if len(value) <= _SHOWN else f"{text[:_SHOWN]}...' ({len(value)} characters)"
    return f"a value of type {type(value).__name__}"


def hint_for(error: OSError) -> str:
    """What to do about an error whose own words do not tell, as the end of a sentence; empty for all others."""
    if error.errno in (errno.EXDEV, errno.EBUSY):
        return ": is a single file mounted there? A file that is replaced cannot be a mount: mount its directory"
    return ""


class TradingError(Exception):
    """Anything that this package raises on purpose."""


class StoreError(TradingError):
    """A store refused, or could not do, what it was asked for."""


class InvalidIdentifier(StoreError, ValueError):
    """An identifier that no store here accepts; nothing on the disk was touched.

    ``identifier`` is what was given, ``reason`` why it was refused.
    """

    def __init__(self, identifier: object, reason: str) -> None:
        self.identifier, self.reason = identifier, reason
        super().__init__(f"identifier {shown(identifier)} {reason}; choose another identifier")


class UnserialisableValue(StoreError, ValueError, TypeError):
    """A value that JSON would not give back equal to what was put in; the stored version was not touched.

    ``reason`` says what kind of value it is, ``path`` where it stands: the keys and indices that lead to it.
    """

    def __init__(self, reason: str, path: tuple[str | int, ...] = ()) -> None:
        self.reason, self.path = reason, path
        where = f" at depth {len(path)} (see the attribute path)" if path else ""
        super().__init__(f"cannot be stored: {reason}{where}; convert it to plain JSON values first")


class InvalidRecord(StoreError, ValueError, TypeError):
    """A record, or a bound of a query, that the store does not take; nothing on the disk was touched.

    ``field`` is the attribute or argument that is at fault, ``reason`` why, ``position`` its index in what was given.
    """

    def __init__(self, field: str, reason: str, position: int | None = None) -> None:
        self.field, self.reason, self.position = field, reason, position
        where = "" if position is None else f" of record {position}"
        super().__init__(f"{field}{where} {reason}; nothing was stored: correct it and try again")


class CorruptData(StoreError, ValueError):
    """Stored bytes that are not what was acknowledged, and no backup could stand in for them.

    ``identifier`` is the key or stream, ``file`` the file's name in the root, ``reason`` what is wrong with it and
    ``line`` the number of the damaged line of a journal. The bytes are left where they are.
    """

    def __init__(self, identifier: str, file: str, reason: str, line: int | None = None) -> None:
        self.identifier, self.file, self.reason, self.line = identifier, file, reason, line
        place = f"line {line} of file" if line is not None else "file"
        edited = "" if line is not None else ", or check an edit made by hand and reseal it"
        super().__init__(
            f"{shown(identifier)}: {place} {file!r} is damaged: {reason}; the bytes were left as they are: "
            f"restore the file from a backup{edited}"
        )


class NewerRecord(StoreError, ValueError):
    """A record that this version does not understand: a newer one wrote it, or somebody edited it by hand.

    It is kept as it is. ``identifier`` is its id, ``file`` the file's name in the root, ``reason`` what is strange.
    """

    def __init__(self, identifier: str, file: str, reason: str) -> None:
        self.identifier, self.file, self.reason = identifier, file, reason
        super().__init__(
            f"{shown(identifier)} in {file!r} is not understood: {reason}; it is kept as it is: "
            "read it with the version that wrote it, or delete it"
        )


class MigrationError(StoreError):
    """A document of an older version that cannot be brought up to the current one; it is kept as it is.

    ``identifier`` is its key, ``file`` its file's name in the root, ``start`` and ``end`` are the versions between
    which it failed, and ``reason`` says why; what a step has raised is the ``__cause__``.
    """

    def __init__(self, identifier: str, file: str, start: str, end: str, reason: str) -> None:
        self.identifier, self.file, self.start, self.end, self.reason = identifier, file, start, end, reason
        super().__init__(
            f"{shown(identifier)} in {file!r} could not be migrated from version {start} to {end}: {reason}; "
            "it is kept as it is: correct the step, and read it again"
        )


class RecoveryFailed(StoreError):
    """A document that could not be had from its file, its backup or the caller's fallback; nothing was changed.

    ``identifier`` is its name and ``reason`` what was wrong with each; the last error is the ``__cause__``.
    """

    def __init__(self, identifier: str, reason: str) -> None:
        self.identifier, self.reason = identifier, reason
        super().__init__(
            f"{shown(identifier)} could not be recovered: {reason}; restore the file from a backup, "
            "or recover it with a fallback that answers"
        )


class RestoreUnfinished(StoreError):
    """A restore into this directory was begun and did not come to its end: files of two moments are in it.

    ``root`` is the directory, ``generation`` what was being restored and ``vault`` where from. Nothing was touched.
    """

    def __init__(self, root: str, generation: str, vault: str) -> None:
        self.root, self.generation, self.vault = root, generation, vault
        super().__init__(
            f"a restore of generation {generation} from {vault!r} into {root!r} was not finished; "
            "run it again: tradestore backup restore --over --generation GENERATION VAULT DIRECTORY"
        )


class NoSuchGeneration(StoreError, LookupError):
    """A vault has no such backup; ``vault`` is its name, ``asked`` what was asked for."""

    def __init__(self, vault: str, asked: str) -> None:
        self.vault, self.asked = vault, asked
        super().__init__(
            f"{vault!r} has no such generation: {shown(asked)}; list those that it has: tradestore backup list"
        )


class DamagedBackup(StoreError):
    """A generation that cannot be restored as it was; nothing was changed.

    ``generation`` is its id, ``vault`` where it is, and ``files`` the paths whose contents are gone or damaged.
    """

    def __init__(self, generation: str, vault: str, files: tuple[str, ...]) -> None:
        self.generation, self.vault, self.files = generation, vault, files
        super().__init__(
            f"generation {generation} in {vault!r} is damaged: the contents of {len(files)} files are gone or not what "
            f"they were, of {shown(files[0])} for one; restore another generation, and make a new one"
        )


class LockTimeout(StoreError, TimeoutError):
    """Another writer held the root's lock for longer than this store waits; nothing was changed.

    ``waited`` is the time that was allowed, in seconds; ``root`` the directory.
    """

    def __init__(self, root: str, waited: float) -> None:
        self.root, self.waited = root, waited
        super().__init__(
            f"the lock of {root!r} was not free within {waited:g} s; "
            "find the process that holds it, or open the store with a larger lock_timeout"
        )


class JournalFull(StoreError, ValueError):
    """A log has no room for a record; nothing was appended, and all that is there stays readable.

    ``stream`` is the log, ``size`` what it would have had with the record and ``limit`` what it may have, in bytes.
    """

    def __init__(self, stream: str, size: int, limit: int) -> None:
        self.stream, self.size, self.limit = stream, size, limit
        super().__init__(
            f"log {shown(stream)} would have {size} bytes with this record, {limit} is the limit; "
            "begin a new stream, for each day or month"
        )


class VersionConflict(StoreError):
    """A document is not, or not any more, of the generation that was expected; nothing was changed.

    ``identifier`` is the key, ``expected`` what was asked for and ``found`` the generation that is there; 0 stands for
    a document that is not there.
    """

    def __init__(self, identifier: str, expected: int, found: int) -> None:
        self.identifier, self.expected, self.found = identifier, expected, found
        super().__init__(
            f"{shown(identifier)} has generation {found}, not {expected} as expected: somebody has changed it; "
            "read it again, with its generation, and decide anew"
        )


class CalledInside(StoreError, RuntimeError):
    """A call that could never come to its turn: it was made inside a call on the same root; nothing was touched.

    That is, by the function given to ``update``, or by a signal's handler while the call that it interrupted was going
    on. ``root`` is the directory.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__(
            f"this call was made inside another one on {root!r}, by the function given to update or by a signal's "
            "handler; note there what is to be done, and call again when the other one has returned"
        )


class PositionLost(StoreError, LookupError):
    """A log ends before the record behind which it was to be read on: it is not the log that was read then.

    It was removed and began anew, an older copy was put in its place, or what was read at its end was the append of
    somebody who was never told that it had happened. ``position`` is where ``stream`` was to be read on, ``last`` the
    number of its last record.
    """

    def __init__(self, stream: str, position: int, last: int) -> None:
        self.stream, self.position, self.last = stream, position, last
        super().__init__(
            f"log {shown(stream)} ends with record {last}, before record {position} behind which it was to be read on; "
            "find out whether it was removed or restored, and go on from a number that it has"
        )


class StoreClosed(StoreError, ValueError):
    """The store was closed before this call; ``operation`` is what was asked for."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(f"{operation} on a closed store; open the store again")


class StorageFailure(StoreError, OSError):
    """The operating system refused an operation; ``errno`` is kept and the original error is the ``__cause__``.

    ``operation`` is the store's method, ``identifier`` what it was about, ``may_have_happened`` whether the update can
    be there nevertheless: it is visible already, but nobody can say whether a power loss would keep it.
    """

    def __init__(self, operation: str, identifier: str, cause: OSError, *, may_have_happened: bool = False) -> None:
        self.operation, self.identifier, self.may_have_happened = operation, identifier, may_have_happened
        super().__init__(cause.errno, cause.strerror or type(cause).__name__)
        self._sentence = (
            f"{operation} of {shown(identifier)} failed: {cause.strerror or type(cause).__name__}"
            f" (errno {cause.errno}){hint_for(cause)}; "
            + (
                "the update is visible but may not outlive a power loss: read the value and write it again"
                if may_have_happened
                else "the state before the call is kept: remove the cause and try again"
            )
        )

    def __str__(self) -> str:
        return self._sentence
