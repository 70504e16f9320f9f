"""What a store asks of the system, as far as it can be refused; and one refusal.

A call is known by its kind and by the role of the file: the path below the root without what differs from run to run.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from pytest_tradestore.causes import role_of_path


class CallKind(Enum):
    """Kinds of calls; the words are those of reports."""

    OPEN = "open"
    CREATE = "open for writing"
    READ = "read"
    WRITE = "write"
    SYNC = "fsync"
    CLOSE = "close"
    RENAME = "rename"
    LINK = "link"
    UNLINK = "unlink"
    MKDIR = "mkdir"
    TRUNCATE = "truncate"
    LIST = "list"
    STAT = "stat"
    LOCK = "lock"


READING = frozenset({CallKind.OPEN, CallKind.READ, CallKind.LIST, CallKind.STAT})
"""Calls that only ask: when they fail nobody knows what is there."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a file below the root; ``dirty`` when it closes a file with writes that were never synced.

    ``thread`` is the system's number of the thread that made it, ``time`` when that was, in nanoseconds. ``place`` is
    the line that asked for it, and ``source`` what stands there, where that is known.
    """

    kind: CallKind
    role: str
    dirty: bool = False
    thread: int = field(default=0, compare=False)
    time: int = field(default=0, compare=False)
    place: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.role}"


@dataclass(frozen=True, slots=True)
class Fault:
    """The ``nth`` call of this kind and role (from 1) fails with ``error``.

    With ``lasting`` so do all calls of its kind after it. With ``partial`` a write takes half of what it is given and
    says so; what fails then is the next one, or none if ``error`` is 0.
    """

    kind: CallKind
    role: str
    nth: int
    error: int
    lasting: bool = False
    partial: bool = False

    @property
    def is_across_devices(self) -> bool:
        """Whether a rename fails because it would lead to another file system."""
        return self.error == errno.EXDEV

    def __str__(self) -> str:
        which = f"{self.kind.value} {self.role}" + (f" (call {self.nth})" if self.nth > 1 else "")
        name = errno.errorcode.get(self.error, str(self.error))
        if self.partial:
            return f"{which} takes half of the bytes" + (f", and the next one fails with {name}" if self.error else "")
        return f"{which} fails with {name}" + (f", and every {self.kind.value} after it" if self.lasting else "")


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the process instead of an injected error: the system itself refuses.

    ``resource`` is ``RLIMIT_FSIZE`` (``value``: bytes that any file may have) or ``RLIMIT_NOFILE`` (files that can
    still be opened).
    """

    resource: str
    value: int

    def __str__(self) -> str:
        if self.resource == "RLIMIT_FSIZE":
            return f"no file may grow beyond {self.value:,} bytes (RLIMIT_FSIZE)"
        return f"{self.value or 'no'} more files can be opened (RLIMIT_NOFILE)"


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C, which comes when the ``nth`` call of this kind (fsync or rename) that Python itself makes is done."""

    kind: CallKind
    nth: int

    def __str__(self) -> str:
        which = f"{self.kind.value} (call {self.nth})" if self.nth > 1 else self.kind.value
        return f"Ctrl-C comes after {which}"


InjectedFault = Fault | Limit | Interrupt


def role_of(path: str, root: str) -> str | None:
    """Return the role of the file at ``path``, None if it does not lie below ``root``."""
    path = path.removesuffix(" (deleted)")
    if path == root:
        return "the root"
    if not path.startswith(root + "/"):
        return None
    return role_of_path(path[len(root) + 1 :])


def failing_calls(calls: Sequence[Call], refusal: InjectedFault | None) -> frozenset[int]:
    """Return which of ``calls``, counted from 1, a fault struck; none for what is no call of its own."""
    if not isinstance(refusal, Fault):
        return frozenset()
    struck: list[int] = []
    halved: list[int] = []  # told where the store gave up at once, so that no next one failed
    count = 0
    for number, call in enumerate(calls, 1):
        if call.kind is not refusal.kind:
            continue
        if struck and refusal.lasting:
            struck.append(number)
        elif call.role == refusal.role:
            count += 1
            if count == refusal.nth + (refusal.partial and refusal.error != 0):
                struck.append(number)
            elif count == refusal.nth:
                halved.append(number)
    return frozenset(struck or halved)


def is_left_short(calls: Sequence[Call], refusal: InjectedFault | None) -> bool:
    """Say whether a write took half of what it was given, and nothing that came after it failed."""
    if not isinstance(refusal, Fault) or not refusal.partial:
        return False
    of_it = [call for call in calls if (call.kind, call.role) == (refusal.kind, refusal.role)]
    return refusal.error == 0 or len(of_it) <= refusal.nth


class Decision(Enum):
    """What becomes of a call that does not simply fail with an error."""

    HAPPENS = "happens"
    HALF = "takes half"


class FaultInjector:
    """Decides about calls as they come, and notes them; pure, so that whoever intercepts calls can ask it."""

    def __init__(self, root: str, fault: Fault | None) -> None:
        self.root, self.fault = root, fault
        self.calls: list[Call] = []
        self.hits = 0
        self.synced_since = False
        self._count = 0
        self._next_fails = False

    def decide(self, call: Call) -> Decision | int:
        """Return what becomes of a call; a number is the error that it fails with."""
        self.calls.append(call)
        fault = self.fault
        if fault is None:
            return Decision.HAPPENS
        if call.kind is CallKind.SYNC and self.hits and fault.kind is not CallKind.SYNC:
            self.synced_since = True
        if call.kind is not fault.kind:
            return Decision.HAPPENS
        if self.hits and fault.lasting:
            return self._hit()
        if call.role != fault.role:
            return Decision.HAPPENS
        if self._next_fails:
            self._next_fails = False
            return self._hit()
        self._count += 1
        if self._count != fault.nth:
            return Decision.HAPPENS
        if fault.partial:
            self._next_fails = bool(fault.error)
            self.hits += 1
            return Decision.HALF
        return self._hit()

    def _hit(self) -> int:
        assert self.fault is not None
        self.hits += 1
        return self.fault.error


@dataclass(frozen=True, slots=True)
class Watched:
    """What happened while calls were watched: the calls, how often the fault struck, and whether a sync came after.

    ``unclosed`` are descriptors whose close was refused: the system would have closed them nevertheless.
    """

    calls: tuple[Call, ...]
    hits: int
    synced_since: bool
    unclosed: tuple[int, ...]
