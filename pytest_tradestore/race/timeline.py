"""One execution as a report shows it: a column per caller, what each did until it was switched away, and who waits.

Twenty lines have to be enough: what belongs together becomes one line, and what no reader needs is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.observation import counted, shortened
from pytest_tradestore.race.culprits import PASSING_OVER, cause_of, passed_over, says_nothing
from pytest_tradestore.race.execution import CANCELLING, INTERRUPTING, Blow, Ending, Execution, Program
from pytest_tradestore.race.execution import Step as RaceStep
from pytest_tradestore.race.judging import RaceViolation
from pytest_tradestore.race.listings import PASSED_OVER
from pytest_tradestore.race.slowness import SLOW
from pytest_tradestore.verdict import Counterexample, Step, StepKind, StepStatus

MOST_LINES = 20
SWITCH = "-- switch --"
OPENING = "open the store"
_CONTENT = 60
_READS = ("open", "read", "readall", "pread", "readv", "close")
_WRITES = ("create", "truncate", "open(w)", "open(x)", "open(w+)", "open(a)", "open(a+)", "write", "pwrite", "writev")
_TRIVIAL = ("stat", "lstat", "fstat", "access", "mkdir", "listdir", "scandir", "fsync", "fdatasync", "chmod", "fchmod")
_LOCKING = ("acquire", "try", "flock", "lockf", "fcntl", "sleep", "wait", "start", "begin", "line")
_RENAMES = ("replace", "rename", "link")
_MARKING = ("create", "open(w)", "open(x)", "unlink", "remove")
"""What is done to a file that is a lock by being there."""
_NAMING = (*_RENAMES, "unlink", "remove", "ftruncate")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what a caller did, at which line of the store, and how little it would be missed."""

    actor: int
    text: str
    location: Location | None = None
    dispensable: int = 0
    kind: StepKind = StepKind.OPERATION


def counterexample(
    execution: Execution, program: Program, finding: RaceViolation, before: str, after: str, token: str
) -> Counterexample:
    """Return the execution as something to be shown; ``before`` and ``after`` frame the number of its preemptions."""
    rows = shown_rows(execution)
    told = tuple(_numbered(rows))
    found: tuple[str, ...] = (finding.found,)
    if execution.ending is Ending.DEADLOCK and execution.waits_for:
        found = tuple(_by_columns(edge, program) for edge in execution.waits_for)
    cause = cause_of(execution, finding, program)
    return Counterexample(
        headline=finding.sentence,
        workload=tuple(_calls(program)),
        steps=told,
        actors=tuple(name_of(actor, program) for actor in range(len(program.actors))),
        found=found,
        allowed=finding.allowed,
        filesystems=PASSING_OVER if passed_over(execution, finding) else (),
        notes=(f"{before}{counted(execution.preemptions, 'preemption')}{after}", *_said_of(program)),
        token=token,
        remedy=cause.remedy,
        cause=cause,
    )


def _said_of(program: Program) -> Iterator[str]:
    """Say what no step shows."""
    if program.inherited:
        yield "the callers are processes that were forked from one that had opened the store, and use its instance"
    if program.struck is not None and program.blow is Blow.KILLED_AND_SUCCEEDED:
        victim = name_of(program.struck[0], program)
        yield f"the process of {victim} was killed, and its number given to another process"


def _by_columns(text: str, program: Program) -> str:
    """Call the callers by the headings of their columns."""
    for actor in range(len(program.actors)):
        text = text.replace(f"caller {actor}", name_of(actor, program))
    return text


def name_of(actor: int, program: Program) -> str:
    """Return what the column of a caller is headed by: what it does in the program."""
    methods = {call.method for call in program.actors[actor]} if actor < len(program.actors) else set()
    reads = all(method.startswith(("get", "load", "read", "list", "keys")) for method in methods)
    return f"{'reader' if methods and reads else 'writer'} {chr(ord('A') + actor)}"


def _calls(program: Program) -> Iterator[str]:
    if program.prepare:
        yield "before: " + "; ".join(call.rendered for call in program.prepare)
    for actor, calls in enumerate(program.actors):
        yield f"{name_of(actor, program)}: " + "; ".join(call.rendered for call in calls)
    if program.observe:
        yield "afterwards: " + "; ".join(call.rendered for call in program.observe)


def shown_rows(execution: Execution, most: int = MOST_LINES) -> list[Row]:
    """Return the lines, those that say that another caller goes on included."""
    opening = _while_opening(execution.steps)
    rows = [row for run in _runs(execution.steps) for row in _once(_merged(run, opening))]
    told = rows
    for dispensable, switches in ((5, True), (4, True), (3, True), (2, True), (2, False), (1, False)):
        rows = [row for row in rows if row.dispensable < dispensable]
        told = _with_switches(rows) if switches else rows  # the columns show who goes on, too
        if len(told) <= most:
            break
    if len(told) > most:
        half = most // 2
        missing = Row(-1, f"... {len(told) - most + 1} more lines ...", kind=StepKind.LEFT_OUT)
        told = [*told[: half - 1], missing, *told[len(told) - (most - half) :]]
    return told


def _while_opening(steps: Sequence[RaceStep]) -> frozenset[int]:
    """Return the requests that callers made while they opened the store, by their identity: few care for them."""
    opening: set[int] = set()
    found = []
    for step in steps:
        if step.operation == OPENING:
            opening.add(step.actor)
        elif step.operation in (f"return {OPENING}", f"fail {OPENING}"):
            opening.discard(step.actor)
        elif step.actor in opening and step.asked:
            found.append(id(step))
    return frozenset(found)


def _runs(steps: Sequence[RaceStep]) -> Iterator[list[RaceStep]]:
    """Split the steps of the callers where one was switched away from."""
    run: list[RaceStep] = []
    for step in steps:
        if step.actor < 0:
            continue
        if run and run[-1].actor != step.actor:
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _merged(run: Iterable[RaceStep], opening: frozenset[int]) -> Iterator[Row]:
    """Join what one caller did to one file in a row: opening, reading and closing it are one line."""
    last: Row | None = None
    family = ("", "")
    for step in run:
        verb, _, object_ = step.operation.partition(" ")
        kind = "" if step.asked else "read" if verb in _READS else "write" if verb in _WRITES else ""
        row = _row(step, verb, object_)
        row = replace(row, dispensable=4) if id(step) in opening else row
        if last is not None and kind and (kind, object_) == family:
            told = f"{kind} {object_}{_note(step)}" if step.note else last.text
            last = replace(last, text=told if step.note or kind == "write" else last.text)
            continue
        if last is not None:
            yield last
        last, family = row, (kind, object_)
    if last is not None:
        yield last


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    """Leave out what a caller does again and again while it polls."""
    seen: set[str] = set()
    for row in rows:
        if row.text not in seen:
            yield row
        seen.add(row.text)


def _row(step: RaceStep, verb: str, object_: str) -> Row:
    if step.asked:
        return Row(step.actor, f"{step.operation}{_note(step)}", step.location, 2 if says_nothing(step) else 0)
    if verb == "call":
        return Row(step.actor, f"{object_} begins", step.location, 3, StepKind.CALLED)
    if verb in ("return", "fail"):
        if verb == "return" and object_ == OPENING:
            return Row(step.actor, "has opened it", step.location, 3)
        what = "raises " if verb == "fail" else "-> " if step.note not in ("", "None") else "returns"
        note = _short(step.note) if step.note != "None" else ""
        return Row(step.actor, f"{object_} {what}{note}", step.location, kind=StepKind.RETURNED)
    if step.operation.startswith(CANCELLING):
        return Row(
            step.actor, f"is cancelled{step.operation.removeprefix(f'{CANCELLING} {step.actor}')}", step.location
        )
    if step.operation.startswith(INTERRUPTING):
        return Row(step.actor, f"is {step.note}", step.location)
    if step.operation.startswith(SLOW):
        return Row(step.actor, step.operation, step.location)
    if step.operation == OPENING:
        return Row(step.actor, OPENING, step.location, 3)
    if verb in _RENAMES and " -> " in object_ and step.note:
        object_ = object_.partition(" -> ")[2]  # the content tells where it came from
        return Row(step.actor, f"{verb} {object_}{_note(step)}", step.location)
    if step.note.startswith(PASSED_OVER):
        return Row(step.actor, f"{step.operation.partition(',')[0]} {_short(step.note)}", step.location)
    locking = verb in _LOCKING or (verb in _MARKING and "lock" in object_.rpartition("/")[2].lower())
    dispensable = 5 if verb in _TRIVIAL or object_ == "the root" else 2 if locking else 0 if verb in _NAMING else 1
    return Row(step.actor, f"{step.operation}{_note(step)}", step.location, dispensable)


def _note(step: RaceStep) -> str:
    return f": {_short(step.note)}" if step.note else ""


def _short(note: str) -> str:
    return shortened(" ".join(note.split()), _CONTENT)


def _with_switches(rows: Sequence[Row]) -> list[Row]:
    told: list[Row] = []
    for row in rows:
        if told and told[-1].actor != row.actor:
            told.append(Row(-1, SWITCH, kind=StepKind.SWITCH))
        told.append(row)
    return told


def _numbered(rows: Sequence[Row]) -> Iterator[Step]:
    number = 0
    for row in rows:
        number += row.actor >= 0
        location = row.location
        yield Step(
            number if row.actor >= 0 else 0,
            StepStatus.NOTE,
            row.text,
            str(location) if location else "",
            location.text if location else "",
            actor=row.actor,
            kind=row.kind,
        )
