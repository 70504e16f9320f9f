"""Which two steps of the store met: the one after which a caller was switched away from, and the one it went on with.

What lies between the two is not one step, though the store takes it for one. Where no line is known, the file tells.
"""

import errno

from pytest_tradestore.causes import Cause, Culprit, Harm, role_of_path
from pytest_tradestore.race.execution import Ending, Execution, Step
from pytest_tradestore.race.judging import Finding, Wrong

BETWEEN = "another caller comes between the steps"
DEADLOCK = "locks that wait for each other"
ALONE = "call that fails without any other caller"

_HARM = {Wrong.LOST: Harm.LOST, Wrong.REFUSED: Harm.WRONG, Wrong.TORN: Harm.WRONG, Wrong.STUCK: Harm.UNREADABLE}
_PASSING = ("call", "return", "fail", "acquire", "release", "begin", "start", "line", "wait", "sleep")
"""Steps in which nothing of the store's is read or changed."""
_OF_ITSELF = (
    "The call raises this when it is alone, too: see to that first, in what it does for a key that is not there or for "
    "what it is given."
)
_ACROSS = (
    "Make temporary files in the directory of the file that they will replace: a rename cannot leave its file system."
)


def cause_of(execution: Execution, finding: Finding) -> Cause:
    """Return what is at fault for a finding in an execution that is told with its steps."""
    if execution.ending is Ending.DEADLOCK:
        waiting = [step for step in execution.steps if step.operation.split(" ")[0] in ("acquire", "flock", "lockf")]
        return Cause(Culprit(DEADLOCK, _places(waiting[-2:])), Harm.UNREADABLE)
    if finding.alone:
        return Cause(Culprit(f"{ALONE}: {finding.about}"), Harm.WRONG, _OF_ITSELF)
    harm = Harm.UNREADABLE if finding.wrong is Wrong.LOST and finding.about else _HARM[finding.wrong]
    across = f"[Errno {errno.EXDEV}]" in finding.found
    whole = finding.wrong is Wrong.LOST and not finding.about
    return Cause(Culprit(BETWEEN, _places(_met(execution.steps, whole=whole))), harm, _ACROSS if across else "")


def _met(steps: tuple[Step, ...], *, whole: bool) -> list[Step]:
    """Return the steps of one caller before and after the first switch that came between two of its own.

    With ``whole`` its first and its last one: an update is lost between what was read and what is made of it.
    """
    own = [step for step in steps if step.actor >= 0 and step.operation.split(" ")[0] not in _PASSING]
    for at in range(len(own) - 1):
        before, other = own[at], own[at + 1]
        if other.actor != before.actor:
            later = [step for step in own[at + 2 :] if step.actor == before.actor]
            if later and whole:
                return [next(step for step in own if step.actor == before.actor), later[-1]]
            if later:
                return [before, later[0]]
    return []


def _places(steps: list[Step]) -> tuple[str, ...]:
    told = (str(step.location) if step.location else role_of_path(step.operation.partition(" ")[2]) for step in steps)
    return tuple(dict.fromkeys(told))
