"""Which faults are tried, given the calls that a store made: each kind of call on each kind of file, simplest first."""

import errno
from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_tradestore.faults.calls import Call, CallKind, Fault, Interrupt, Limit
from pytest_tradestore.faults.workbench import CAN_LIMIT

_EDQUOT = getattr(errno, "EDQUOT", errno.ENOSPC)

ERRORS: dict[CallKind, tuple[int, ...]] = {
    CallKind.OPEN: (errno.EMFILE, errno.EACCES, errno.EIO, errno.ENFILE),
    CallKind.CREATE: (errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.EROFS, _EDQUOT),
    CallKind.READ: (errno.EIO, errno.EINTR),
    CallKind.WRITE: (errno.ENOSPC, errno.EIO, _EDQUOT, errno.EINTR),
    CallKind.SYNC: (errno.EIO,),
    CallKind.CLOSE: (errno.EIO, errno.ENOSPC),
    CallKind.RENAME: (errno.EIO, errno.EACCES, errno.ENOSPC, errno.EXDEV, errno.EBUSY, errno.EROFS),
    CallKind.LINK: (errno.EIO, errno.ENOSPC, errno.EMLINK),
    CallKind.UNLINK: (errno.EACCES, errno.EIO, errno.EBUSY, errno.EROFS),
    CallKind.MKDIR: (errno.ENOSPC, errno.EACCES, errno.EROFS),
    CallKind.TRUNCATE: (errno.EIO,),
    CallKind.LIST: (errno.EIO,),
    CallKind.STAT: (errno.EIO, errno.EACCES),
    CallKind.LOCK: (errno.ENOLCK,),
}
"""With what each kind of call fails on real systems; the first of them is tried first.

No EINTR for fsync: Python itself calls it again then, and nothing has failed.
"""


def faults_for(calls: Sequence[Call]) -> Iterator[tuple[int, Fault]]:
    """Yield the faults worth trying in a program that made ``calls``, each with its rank: smaller ones come first."""
    numbers = Counter((call.kind, call.role) for call in calls)
    met: Counter[tuple[CallKind, str]] = Counter()
    for call in calls:
        met[call.kind, call.role] += 1
        nth, last = met[call.kind, call.role], numbers[call.kind, call.role]
        if nth not in (1, 2, last):
            continue
        if call.kind is CallKind.CLOSE and not call.dirty:
            continue  # what was synced before is safe, whatever close says
        for rank, error in enumerate(ERRORS[call.kind]):
            yield rank * 3 + (nth > 1), Fault(call.kind, call.role, nth, error)
        if call.kind is CallKind.WRITE:
            yield 1, Fault(call.kind, call.role, nth, errno.ENOSPC, partial=True)
            yield 2, Fault(call.kind, call.role, nth, 0, partial=True)
        if call.kind in (CallKind.WRITE, CallKind.SYNC) and nth == 1:
            yield 2, Fault(call.kind, call.role, nth, ERRORS[call.kind][0], lasting=True)


def interrupts(calls: Sequence[Call]) -> Iterator[tuple[int, Interrupt]]:
    """Yield the moments at which Ctrl-C is worth trying: a file is written and not yet in its place, or just so."""
    for kind in (CallKind.SYNC, CallKind.RENAME):
        for nth in range(1, min(2, sum(call.kind is kind for call in calls)) + 1):
            yield 2, Interrupt(kind, nth)


def limits() -> Iterator[tuple[int, Limit]]:
    """Yield what the system itself can be made to refuse, without any privileges."""
    if CAN_LIMIT:
        yield 1, Limit("RLIMIT_FSIZE", 10)
        yield 2, Limit("RLIMIT_FSIZE", 9000)
        yield 1, Limit("RLIMIT_NOFILE", 0)
        yield 2, Limit("RLIMIT_NOFILE", 1)
