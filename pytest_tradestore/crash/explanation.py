"""Turns a violating crash state into a counterexample that needs no knowledge of the program to be understood."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pytest_tradestore.causes import Cause
from pytest_tradestore.crash.contents import changes_between, described_image
from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.evidence import Evidence
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.judging import Violation
from pytest_tradestore.crash.lowering import PAGE, Data, Extent, Micro, Name, Program, Size, WriteThrough
from pytest_tradestore.crash.lowering import Step as ProgramStep
from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Location,
    Mark,
    MarkKind,
    Rename,
    Sync,
    SyncAll,
    Truncate,
    Unlink,
)
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recovery import SecondCrash
from pytest_tradestore.crash.remedies import remedy_for
from pytest_tradestore.crash.states import image_of
from pytest_tradestore.crash.tokens import CrashToken, fingerprint
from pytest_tradestore.crash.trace import Tree
from pytest_tradestore.crash.where import where_possible
from pytest_tradestore.observation import counted
from pytest_tradestore.requirements import BY_ID
from pytest_tradestore.verdict import Counterexample, Step, StepKind, StepStatus

REOPENED = "close, reopen"
_LONGEST_RUN = 5
_AFTER_THE_CUT = 2


def explain(store: str, evidence: Evidence, violation: Violation) -> Counterexample:
    """Return the counterexample for one violation found in ``evidence``."""
    program, history = evidence.program, evidence.history
    assert program is not None
    assert history is not None
    if violation.second is not None:
        return _of_a_recovery(program, history, violation, violation.second)
    state = violation.state
    steps = tuple(described_steps(program, state, history))
    power = BY_ID[violation.requirement].id.endswith("-2") or state.crash is Crash.POWER
    token = CrashToken(store, evidence.workload.kit.name, state, fingerprint(program))
    remedy = remedy_for(violation.culprit, evidence.workload.kit, program, state, violation.image)
    return Counterexample(
        headline=violation.breach.sentence,
        crash=crash_in_words(program, state, history, power),
        workload=_calls(violation, history),
        steps=tuple(shortened_steps(steps, state, program)),
        found=_found(violation),
        allowed=violation.breach.allowed,
        image=described_image(violation.image),
        filesystems=_where(program, state, violation.losses),
        token=str(token),
        how_many=violation.how_many,
        remedy=remedy,
        cause=Cause(violation.culprit, violation.breach.harm, remedy),
        since=_last_returned(program, state, history),
        changes=changes_between(_as_it_was(program, state), violation.image),
    )


def _marks_returned(program: Program, state: CrashState) -> Iterator[tuple[int, Mark]]:
    for number, step in enumerate(program.steps[: state.cut]):
        if isinstance(step, Mark) and step.moment is not MarkKind.INVOKED:
            yield number, step


def _last_returned(program: Program, state: CrashState, history: History) -> str:
    """Say what had returned last before the crash."""
    *_, last = (None, *(mark for _, mark in _marks_returned(program, state)))
    return "nothing had been done" if last is None else f"{_named(last.update, history)} had returned"


def _as_it_was(program: Program, state: CrashState) -> DurableImage:
    """Return the directory as the program itself saw it then."""
    *_, cut = (0, *(number + 1 for number, _ in _marks_returned(program, state)))
    return image_of(program, CrashState(Crash.PROCESS, cut))


def _of_a_recovery(program: Program, history: History, violation: Violation, second: SecondCrash) -> Counterexample:
    """Explain a crash during recovery: the first crash in words, the second one step by step."""
    recovery = second.recovery
    first_power = violation.state.crash is Crash.POWER
    reopening = tuple(described_steps(recovery.program, second.state, recovery.history))
    return Counterexample(
        headline=f"after a crash while it recovered, {violation.breach.sentence}",
        crash=f"{crash_in_words(program, violation.state, history, first_power)}; then, on the files that this left, "
        f"{crash_in_words(recovery.program, second.state, recovery.history, second.state.crash is Crash.POWER)}",
        workload=(*_calls(violation, history), "(crash, reopen)"),
        steps=tuple(shortened_steps(reopening, second.state, recovery.program)),
        found=_found(violation),
        allowed=violation.breach.allowed,
        image=described_image(second.image),
        filesystems=_where(recovery.program, second.state, violation.losses),
        notes=("the steps are those of the reopening; before it there was " + _briefly(recovery.start),),
        how_many=violation.how_many,
        cause=Cause(violation.culprit, violation.breach.harm),
        since="the first crash",
        changes=changes_between(recovery.start, second.image),
    )


def _briefly(image: DurableImage) -> str:
    return ", ".join(f"{f.path} ({counted(len(f.content), 'byte')})" for f in image.files if f.kind is Kind.FILE) or (
        "no file"
    )


def _found(violation: Violation) -> tuple[str, ...]:
    place, found = violation.breach.place, violation.breach.found
    return (f"{place}: {found}" if place else found,)


def described_steps(program: Program, state: CrashState, history: History) -> Iterator[Step]:
    """Yield every step of the program with what became of it in ``state``."""
    names = _Names(program)
    lost = set(state.lost)
    for number, step in enumerate(program.steps):
        text, detail = names.describe(step, history)
        names.follow(step)
        if not text:
            continue
        fate, loss = _fate(program, number, state, lost)
        location = _location(step)
        yield Step(
            number + 1,
            fate,
            text,
            str(location) if location else "",
            location.innermost.text.strip() if location else "",
            "; ".join(part for part in (detail, loss) if part),
            kind=_kind(step),
        )


def _kind(step: ProgramStep) -> StepKind:
    if not isinstance(step, Mark):
        return StepKind.OPERATION
    return StepKind.CALLED if step.moment is MarkKind.INVOKED else StepKind.RETURNED


def _fate(program: Program, number: int, state: CrashState, lost: set[int]) -> tuple[StepStatus, str]:
    step = program.steps[number]
    if number >= state.cut:
        return StepStatus.NOT_ISSUED, ""
    if isinstance(step, (Mark, Sync, SyncAll)):
        return StepStatus.NOTE, ""
    issued = range(program.starts[number], program.starts[number + 1])
    gone = [program.micros[m] for m in issued if m in lost]
    if state.partial is not None and number == state.cut - 1 and isinstance(step, Extent):
        written = state.partial - step.write.offset
        return StepStatus.PARTLY, f"the process died after {written:,} of {len(step.write.data):,} bytes"
    if not gone and any(program.micros[m].operation == number for m in lost):
        return StepStatus.PARTLY, "lost: the removal of the old name, although its directory was synced"
    if not gone:
        return StepStatus.PERSISTED, ""
    names = [program.micros[m] for m in issued if isinstance(program.micros[m], Name)]
    if len(gone) == len(issued) or _is_undone(names, gone):
        return StepStatus.LOST, ""
    told = [_extent(part) for part in gone if isinstance(part, Data)]
    if any(isinstance(part, Size) for part in gone):
        told.append("its size")
    if names and names[-1] in gone:
        told.append("the removal of the old name")
    elif any(isinstance(part, Name) for part in gone):
        told.append("the removal of an earlier name of the file that goes")
    return StepStatus.PARTLY, "lost: " + ", ".join(told)


def _is_undone(names: list[Micro], gone: list[Micro]) -> bool:
    """Say whether nothing came of a step that changes names: the last part is all of it, others give a new name.

    What else such a step may take along are earlier names of a file, which is no part of what the program asked for.
    """
    giving = [part for part in names if isinstance(part, Name) and any(new is not None for _, new in part.changes)]
    return bool(names) and all(part in gone for part in (*giving, names[-1]))


def _extent(part: Data) -> str:
    first, last = part.offset // PAGE, (part.offset + len(part.content)) // PAGE - 1
    return f"page {first}" if first == last else f"pages {first}-{last}"


def _location(step: ProgramStep) -> Location | None:
    if isinstance(step, Extent):
        return step.write.origin.location
    return None if isinstance(step, (WriteThrough, Mark)) else step.origin.location


class _Names:
    """Where each inode is to be found while the program runs: the path a person would call it by."""

    def __init__(self, program: Program) -> None:
        self._tree = Tree(program.initial)
        self._last: dict[Inode, str] = {}
        self._remember()

    def _remember(self) -> None:
        for path, inode in self._tree.walk():
            self._last[inode] = path

    def follow(self, step: ProgramStep) -> None:
        if isinstance(step, (Create, Link, Unlink, Rename)):
            self._tree.apply(step)
            self._remember()

    def of(self, inode: Inode) -> str:
        return "the root directory" if inode == ROOT else self._last.get(inode, "a file without a name")

    def entry(self, entry: Entry | None) -> str:
        if entry is None:
            return "outside the root"
        if entry.directory == ROOT:
            return entry.name
        return str(PurePosixPath(self.of(entry.directory)) / entry.name)

    def _directory(self, inode: Inode) -> bool:
        return inode in self._tree.nodes and self._tree.nodes[inode].kind is Kind.DIRECTORY

    def describe(self, step: ProgramStep, history: History) -> tuple[str, str]:
        """Return what a step does, and a detail; nothing for a step that is not worth a line."""
        match step:
            case Create(_, Kind.DIRECTORY, entry):
                return f"mkdir {self.entry(entry)}", ""
            case Create(_, Kind.SYMLINK, entry, _, target):
                return f"symlink {self.entry(entry)} -> {target}", ""
            case Create(_, _, None):
                return "create a file without a name", ""
            case Create(_, _, entry):
                return f"create {self.entry(entry)}", ""
            case Extent(write, ends):
                calls = f", {len(ends)} calls" if len(ends) > 1 else ""
                where = f" at {write.offset:,}" if write.offset else ""
                synced = " (synchronous)" if write.durable else ""
                return f"write {self.of(write.inode)}{synced}", f"{counted(len(write.data), 'byte')}{where}{calls}"
            case Truncate(inode, size):
                return f"truncate {self.of(inode)} to {counted(size, 'byte')}", ""
            case Allocate(inode, size):
                return f"allocate {self.of(inode)} up to {counted(size, 'byte')}", ""
            case Link(inode, entry):
                return f"link {self.of(inode)} -> {self.entry(entry)}", ""
            case Unlink(inode, entry):
                return f"{'rmdir' if self._directory(inode) else 'unlink'} {self.entry(entry)}", ""
            case Rename(_, source, target, _, exchange):
                return f"{'exchange' if exchange else 'rename'} {self.entry(source)} -> {self.entry(target)}", ""
            case Sync(inode, kind, failed):
                what = f"{kind.value} {self.of(inode)}"
                return (f"{what} FAILED" if failed else what), ""
            case SyncAll():
                return "sync everything", ""
            case Mark(moment, update):
                return _mark(moment, update, history), ""
            case _:
                return "", ""


def _named(update: int, history: History) -> str:
    if update > history.last:
        return "closing the store"
    return history.update_names[update] if update else "opening the store"


def _mark(moment: MarkKind, update: int, history: History) -> str:
    name = _named(update, history)
    if moment is MarkKind.INVOKED:
        return f"{name} called"
    return f"{name} RETURNED" + (f"; then {REOPENED}" if update + 1 in history.reopened else "")


def shortened_steps(steps: tuple[Step, ...], state: CrashState, program: Program) -> Iterator[Step]:
    """Yield the steps around what was lost, long runs of steps that simply arrived drawn together."""
    lost_steps = [program.micros[m].operation for m in state.lost]
    focus = min([*lost_steps, max(0, state.cut - 1)])
    first = focus
    while first and not (isinstance(mark := program.steps[first], Mark) and mark.moment is MarkKind.INVOKED):
        first -= 1
    before = [s for s in steps if s.number <= first]
    if before:
        yield _left_out(counted(len(before), "earlier step"))
    shown = [s for s in steps if first < s.number <= state.cut]
    run: list[Step] = []
    for step in shown:
        if step.fate is StepStatus.PERSISTED or (step.fate is StepStatus.NOTE and not _is_mark(program, step)):
            run.append(step)
            continue
        yield from _drawn_together(run)
        run = []
        yield step
    yield from _drawn_together(run)
    yield Step(0, StepStatus.NOTE, "CRASH", kind=StepKind.CRASH)
    rest = [s for s in steps if s.number > state.cut]
    yield from rest[:_AFTER_THE_CUT]


def _left_out(steps: str) -> Step:
    return Step(0, StepStatus.NOTE, f"… {steps}, all persisted", kind=StepKind.LEFT_OUT)


def _is_mark(program: Program, step: Step) -> bool:
    return isinstance(program.steps[step.number - 1], Mark)


def _drawn_together(run: list[Step]) -> Iterator[Step]:
    if len(run) <= _LONGEST_RUN:
        yield from run
        return
    yield from run[:2]
    yield _left_out(counted(len(run) - 4, "step"))
    yield from run[-2:]


def crash_in_words(program: Program, state: CrashState, history: History, power: bool) -> str:
    kind = "power loss" if power else "process crash"
    acknowledged = invoked = -1
    for step in program.steps[: state.cut]:
        if isinstance(step, Mark):
            if step.moment is MarkKind.INVOKED:
                invoked = step.update
            else:
                acknowledged = step.update

    if invoked > acknowledged:
        where = f"during {_named(invoked, history)}"
    elif acknowledged >= 0:
        where = f"after {_named(acknowledged, history)} had returned"
    else:
        where = "before anything was done"
    lost = len({program.micros[m].operation for m in state.lost})
    losses = f", {counted(lost, 'step')} lost" if lost else ", nothing lost" if power else ""
    return f"{kind} {where}{losses}"


def _calls(violation: Violation, history: History) -> tuple[str, ...]:
    """Return the calls made up to the crash."""
    last = min(max(violation.group.window.invoked, 0), history.last)
    told: list[str] = []
    for number, name in enumerate(history.update_names[1 : last + 1], 1):
        told += [REOPENED, name] if number in history.reopened else [name]
    return tuple(told)


def _where(program: Program, state: CrashState, losses: tuple[tuple[int, frozenset[int]], ...]) -> tuple[str, ...]:
    """Return where this state can happen, and where another one that breaks the same requirement can."""
    without_losses = not losses or any(not lost for _, lost in losses)
    if without_losses and not state.lost:
        return ("every file system: nothing has to be lost for it",)
    shown = where_possible(program, ((state.cut, frozenset(state.lost)),))
    others = tuple(name for name in where_possible(program, losses) if name not in shown)
    named = tuple("strict (POSIX to the letter)" if name == "strict" else name for name in shown)
    if without_losses:
        return (*named, "and variants of it, in which nothing has to be lost, on every file system")
    return (*named, f"and variants of it on {', '.join(others)}") if others else named
