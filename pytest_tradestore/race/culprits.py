"""Which two steps of the store met: the one after which a caller was switched away from, and the one it went on with.

What lies between the two is not one step, though the store takes it for one. Where no line is known, the file tells.
"""

import errno
import re
from dataclasses import replace

from pytest_tradestore.causes import Cause, Culprit, Harm, role_of_path
from pytest_tradestore.race.execution import CANCELLING, INTERRUPTING, Blow, Ending, Execution, Program, Step
from pytest_tradestore.race.judging import RaceViolation, ViolationKind
from pytest_tradestore.race.listings import PASSED_OVER
from pytest_tradestore.race.slowness import SLOW

BETWEEN = "another caller comes between the steps"
DEADLOCK = "locks that wait for each other"
ALONE = "call that fails without any other caller"
FROM_MEMORY = "read that is answered from the memory of one instance"

_HARM = {
    ViolationKind.LOST: Harm.LOST,
    ViolationKind.REFUSED: Harm.WRONG,
    ViolationKind.TORN: Harm.WRONG,
    ViolationKind.STUCK: Harm.UNREADABLE,
}
_PASSING = ("call", "return", "fail", "acquire", "release", "begin", "start", "line", "wait", "sleep")
"""Steps in which nothing of the store's is read or changed."""
_CHANGING_NOTHING = (
    *("open", "read", "readall", "pread", "readv", "close", "stat", "lstat", "fstat", "access", "listdir", "scandir"),
    *("fsync", "fdatasync", "sync", "flock", "lockf", "fcntl", "chmod", "fchmod"),
)
"""Steps after which others find nothing else: no update is made by them, and a timeline leaves most of them out."""
_OF_SESSIONS = frozenset(
    (";", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SET", "SHOW", "SAVEPOINT", "RELEASE", "DEALLOCATE", "SYNC")
)
"""What a client says of its session and its transactions: nothing is read by it, and nothing written."""
_HTTP = frozenset(("GET", "PUT", "POST", "HEAD", "LIST"))
_STATEMENT = 40
"""How much of a statement is told, which is known by the word that it begins with."""
_GIVEN = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+(?:\.\d+)?\b")
"""What a client has written into a statement itself: texts and numbers, which another call gives otherwise."""
_OPENING = "open the store"
_OF_ITSELF = (
    "The call raises this when it is alone, too: see to that first, in what it does for a key that is not there or for "
    "what it is given."
)
_OF_ANOTHER_THREAD = (
    "Let any thread use it: sqlite3.connect(..., check_same_thread=False) with one lock around each call, or a "
    "connection for each thread (threading.local). Where only the thread may that has opened it, say so: "
    "tradestore_disclaims = ('threads',)."
)
_ACROSS = (
    "Make temporary files in the directory of the file that they will replace: a rename cannot leave its file system."
)


_IN_PIECES = (
    "List while you hold the lock that writers take, or keep the names in a file of their own: a directory is read in "
    "pieces, and a name that is given to another file meanwhile may be in none of them."
)
PASSING_OVER = ("btrfs", "tmpfs")
"""The file systems that have been seen to pass over the name of a file that is replaced during a listing."""


_OF_BLOWS = {
    Blow.CTRL_C: (
        "Release locks and undo what is half done in a finally clause or a with statement: KeyboardInterrupt is no "
        "Exception, and comes at any moment."
    ),
    Blow.ALARM: (
        "Let exceptions out that you do not know: a handler of a signal may raise them in the middle of any call. "
        "Clean up in a finally clause."
    ),
    Blow.ALL_CANCELLED: (
        "Do a whole update in one executor job: when a program ends, asyncio.run cancels every task, "
        "also a shielded one, but no thread."
    ),
    Blow.SLOW: (
        "Never go on without a lock, nor take it from a holder that may only be slow: raise when it cannot be had in "
        "time, and use flock, which the kernel gives back when its holder dies."
    ),
    Blow.KILLED_AND_SUCCEEDED: (
        "Use flock, which the kernel gives back when its holder dies; where a lock file has the number of its holder, "
        "write down with it when that process began, and compare both."
    ),
}
_LOOK_AGAIN = (
    "Look at the file in each read, or compare its inode, size and time with those of what is in memory; where only "
    "one instance may be open on a directory, say so: tradestore_claims = ('single-instance',)."
)
_INHERITED = (
    "A descriptor that is inherited through fork shares its lock with the parent's: open the lock file anew for each "
    "update, or when os.getpid() is no longer that of the opening (os.register_at_fork)."
)


def cause_of(execution: Execution, finding: RaceViolation, program: Program | None = None) -> Cause:
    """Return what is at fault for a finding in an execution that is told with its steps; what remedies it, where that
    follows from what ``program`` lets happen to a caller."""
    cause = _cause_of(execution, finding)
    blow = None if program is None or program.struck is None else program.blow
    if finding.alone or cause.remedy or program is None:
        return cause
    if passed_over(execution, finding):
        return replace(cause, remedy=_IN_PIECES)
    if program.own_instances and _looks_at_nothing(execution, finding):
        return Cause(Culprit(FROM_MEMORY), cause.harm, _LOOK_AGAIN)
    if program.inherited:
        return replace(cause, remedy=_INHERITED)
    if blow not in _OF_BLOWS:
        return cause
    struck = next((at for at, s in enumerate(execution.steps) if s.operation.startswith((INTERRUPTING, CANCELLING))), 0)
    if not struck:
        return replace(cause, remedy=_OF_BLOWS[blow])
    places = _places([step for step in execution.steps[:struck] if step.actor == 0][-1:])
    return replace(cause, culprit=Culprit(f"call that is {blow.value} after a step", places), remedy=_OF_BLOWS[blow])


def passed_over(execution: Execution, finding: RaceViolation) -> bool:
    """Say whether a reader missed what a listing passed over."""
    return finding.wrong is ViolationKind.TORN and any(step.note.startswith(PASSED_OVER) for step in execution.steps)


def _looks_at_nothing(execution: Execution, finding: RaceViolation) -> bool:
    """Say whether the reader gave what no order explains without a look at any file: then no steps have met."""
    call, given, _ = finding.found.partition(" -> ")
    if finding.wrong is not ViolationKind.TORN or not given:
        return False
    began: set[int] = set()
    met = False
    for step in execution.steps:
        if step.actor >= 0 and step.operation == f"call {call}":
            began.add(step.actor)
            met = True
        elif step.operation == f"return {call}":
            began.discard(step.actor)
        elif step.actor in began and not _passes(step):
            return False
    return met


def _cause_of(execution: Execution, finding: RaceViolation) -> Cause:
    if execution.ending is Ending.DEADLOCK:
        waiting = [step for step in execution.steps if step.operation.split(" ")[0] in ("acquire", "flock", "lockf")]
        return Cause(Culprit(DEADLOCK, _places(waiting[-2:])), Harm.UNREADABLE)
    if finding.alone:
        remedy = _OF_ANOTHER_THREAD if "thread" in finding.found.lower() else _OF_ITSELF
        return Cause(Culprit(f"{ALONE}: {finding.about}"), Harm.WRONG, remedy)
    harm = Harm.UNREADABLE if finding.wrong is ViolationKind.LOST and finding.about else _HARM[finding.wrong]
    across = f"[Errno {errno.EXDEV}]" in finding.found
    whole = finding.wrong is ViolationKind.LOST and not finding.about
    return Cause(Culprit(BETWEEN, _places(_met(execution.steps, whole=whole))), harm, _ACROSS if across else "")


def _met(steps: tuple[Step, ...], *, whole: bool) -> list[Step]:
    """Return the steps of one caller before and after the first switch that came between two of its own.

    With ``whole`` its first and its last one: an update is lost between what was read and what is made of it. What
    callers do while they open the store is looked at only where nothing else met: they begin with that, so the first
    switch is often there, whatever went wrong later.
    """
    return _met_in(_once_open(steps), whole=whole) or _met_in(steps, whole=whole)


def _once_open(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps without those that callers made while they opened the store."""
    opening: set[int] = set()
    kept = []
    for step in steps:
        if step.operation == _OPENING:
            opening.add(step.actor)
        elif step.operation == f"return {_OPENING}":
            opening.discard(step.actor)
        elif step.actor not in opening:
            kept.append(step)
    return tuple(kept)


def _met_in(steps: tuple[Step, ...], *, whole: bool) -> list[Step]:
    own = [step for step in steps if step.actor >= 0 and not _passes(step)]
    own = [step for step in own if step.operation != _OPENING and not step.operation.startswith(SLOW)]
    for at in range(len(own) - 1):
        before, other = own[at], own[at + 1]
        if other.actor != before.actor:
            later = [step for step in own[at + 2 :] if step.actor == before.actor]
            if later and whole:
                changing = [step for step in later if step.asked or _verb(step) not in _CHANGING_NOTHING]
                writing = [step for step in changing if not says_nothing(step)]
                theirs = [step for step in own if step.actor == before.actor]
                first = next((step for step in theirs if not says_nothing(step)), theirs[0])
                return [first, (writing or changing or later)[-1]]
            if later:
                return [before, later[0]]
    return []


def _places(steps: list[Step]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_place, steps)))


def says_nothing(step: Step) -> bool:
    """Say whether a statement neither reads nor writes."""
    return step.asked and _verb(step) in _OF_SESSIONS


def _passes(step: Step) -> bool:
    return not step.asked and _verb(step) in _PASSING


def _verb(step: Step) -> str:
    """Return the word with which a step begins; statements are written as one likes."""
    verb = step.operation.partition(" ")[0]
    return verb.upper() if step.asked else verb


def _place(step: Step) -> str:
    """Return the line that a step stands in, or what it is done to; of a statement all that it says."""
    if step.location:
        return str(step.location)
    verb, object_ = _verb(step), step.operation.partition(" ")[2]
    of_a_bucket = verb in _HTTP or (verb == "DELETE" and object_.split(" ")[0].upper() != "FROM")
    if object_ and (of_a_bucket or not step.asked):
        return role_of_path(object_)
    said = role_of_path(_GIVEN.sub("?", step.operation))
    return said if len(said) <= _STATEMENT else f"{said[: _STATEMENT - 1]}…"
