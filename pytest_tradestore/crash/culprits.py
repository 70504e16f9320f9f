"""Which step of the store is at fault for a crash state that is not allowed?

Told from what the program did alone, so that a state which is looked at by itself has the same culprit:

- A lost step that its own update never made durable is the culprit, whatever arrived beside it.
- One that was made durable, but later than a step that relies on it, came too late.
- Where nothing had to be lost, what the update had changed so far of the files that readers see is at fault: a file
  written in place, one removed before its replacement is there, several changed one after the other. An update that
  had changed nothing of them has left something in the way.
- After an update has returned nothing can be at fault but that it returned too early, if it had written nothing by
  then; else what it has written is not what opening anew reads, for one of the two is wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_tradestore.causes import AND, Culprit, role_of_path
from pytest_tradestore.crash.crash_state import CrashState, Window
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Extent, Name, Program, WriteThrough
from pytest_tradestore.crash.lowering import Step as ProgramStep
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    MarkKind,
    Rename,
    Truncate,
    Unlink,
)
from pytest_tradestore.crash.oracle import LOST_AGAIN, SUCCEEDS, Earlier, Family, History, OracleViolation
from pytest_tradestore.crash.trace import Tree

UNSYNCED = "fsync missing"
NAME_UNSYNCED = "fsync of the directory missing"
TOO_LATE = "fsync comes too late"
IN_PLACE = "file written in place"
GAP = "file removed before its replacement is there"
ONE_BY_ONE = "files changed one after the other"
EARLY = "returns before anything is written"
NOT_SHOWN = "writes something that a store which is opened anew does not show"
FORGOTTEN = "update after a crash that a store which is opened anew does not show"
IN_THE_WAY = "something left in the way"
NOT_CUT_BACK = "torn record that the next append is glued to"
STOPPED_BY = "torn record that stops the next append"
LISTED = "leftover taken for data"
PILING_UP = "leftovers that nothing removes"

CUT_SHORT = (IN_PLACE, GAP, ONE_BY_ONE)
"""What lets an update that is cut short be seen half done."""
_CHANGES = (Create, Extent, Truncate, Allocate, Link, Unlink, Rename)
_CONTENT = (Extent, Truncate, Allocate)


@dataclass(frozen=True, slots=True)
class Deed:
    """A step that changes something: where the store asks for it, what it changes, and whether readers look there.

    ``live`` when it changes a file under a name that is there before or after the update, and so no temporary one;
    ``removes`` is such a name that it takes away, ``away`` are all that it does.
    """

    number: int
    update: int
    step: ProgramStep
    place: str
    path: str
    live: bool
    removes: str = ""
    away: tuple[str, ...] = ()


def culprit_of(
    program: Program, state: CrashState, window: Window, breach: OracleViolation, history: History, *, log: bool = False
) -> Culprit:
    """Return what is at fault for ``breach`` in ``state``; ``log`` where the contract is one of logs."""
    deeds = _deeds(program, tuple(dict.fromkeys(filter(None, history.changed))))
    if window.invoked > history.last and not _made_in(deeds, window.invoked, state.cut):  # closing does nothing yet
        window = Window(window.acknowledged, window.acknowledged)
    update = window.invoked if window.in_flight else window.acknowledged
    done = _made_in(deeds, update, state.cut)
    left = _still_there(done, _lost_steps(program, state))
    if breach.family is Family.NEXT_UPDATE and log and (glued := _glued_to(deeds, state, breach, done, left)):
        return glued
    if breach.names and (listed := _listed(deeds, breach, left, state.cut)):
        return Culprit(LISTED, _places(listed))
    if state.lost and (lost := _of_losses(deeds, state, done)) is not None:
        return lost
    if breach.family is Family.LEFTOVERS:
        return Culprit(LISTED, _places(left or done[-1:]))
    if not window.in_flight:
        return _when_quiet(deeds, breach, history, window, state)
    live = [deed for deed in done if deed.live]
    whole = not state.lost and state.partial is None
    if not live or (whole and len(live) == sum(deed.live for deed in deeds.made if deed.update == update)):
        return _in_the_way(breach, left, live[-1:])
    return _of_changes(deeds, live, update, several=breach.family is Family.BATCH)


def _made_in(deeds: "_Deeds", update: int, cut: int) -> list[Deed]:
    return [deed for deed in deeds.made if deed.number < cut and deed.update == update]


def _lost_steps(program: Program, state: CrashState) -> frozenset[int]:
    return frozenset(program.micros[m].operation for m in state.lost)


def _glued_to(
    deeds: "_Deeds", state: CrashState, breach: OracleViolation, done: Sequence[Deed], left: Sequence[Deed]
) -> Culprit | None:
    """Return the culprit of a log whose next append fails because of the end that a crash has left it.

    None where no end is torn, or where the append is refused and something else is there that it can have met: a lock.
    """
    writes = [deed for deed in done if deed.live and isinstance(deed.step, _CONTENT)]
    if not writes:
        return None
    if breach.allowed == SUCCEEDS:
        if left:
            return _in_the_way(breach, left, [])
        if state.lost and all(isinstance(deeds.program.micros[m], Name) for m in state.lost):
            return None
    fault = STOPPED_BY if breach.allowed == SUCCEEDS else NOT_CUT_BACK
    return Culprit(fault, _written(deeds, writes[-1:]))


def _of_losses(deeds: "_Deeds", state: CrashState, done: Sequence[Deed]) -> Culprit | None:
    """Return the culprit among what was lost; None if every loss was to be expected and other steps are at fault."""
    program = deeds.program
    done_by = {m: deeds.of_step[step] for m in state.lost if (step := program.micros[m].operation) in deeds.of_step}
    missing: dict[tuple[str, str], None] = {}
    back: dict[tuple[str, str], None] = {}  # although the directory was synced: at fault where nothing was left out
    for m, deed in done_by.items():  # what a sync does beyond that is nobody's deed
        part = program.micros[m]
        pin, returned = deeds.pins[m], deeds.returned.get(deed.update)
        if pin is None or (returned is not None and pin > returned):
            if isinstance(deed.step, Unlink) and not deed.live:  # it is back, and was nobody's data
                made = [other for other in deeds.made if other.path == deed.path and isinstance(other.step, Create)]
                missing[IN_THE_WAY, (made or [deed])[-1].place] = None
                continue
            if isinstance(part, Name) and part.until_commit:
                back[IN_THE_WAY, deed.place] = None
                continue
            place = deed.place if isinstance(part, Name) else deeds.written_at[deed.number]
            missing[NAME_UNSYNCED if isinstance(part, Name) else UNSYNCED, place] = None
    if missing := missing or back:
        faults = dict.fromkeys(fault for fault, _ in missing)
        return Culprit(AND.join(faults), tuple(dict.fromkeys(place for _, place in missing)))
    if not done_by:
        return None
    first = min(done_by.values(), key=lambda deed: deed.number)
    live = [deed for deed in done if deed.live]
    if live and _gap(deeds, live[-1]) is not None:
        return None
    gone = {deed.number for deed in done_by.values()}
    relying = [
        deed for deed in live if deed.number > first.number and deed.path != first.path and deed.number not in gone
    ]
    if not relying:
        return None
    return Culprit(TOO_LATE, tuple(dict.fromkeys((deeds.written_at.get(first.number, first.place), relying[0].place))))


def _gap(deeds: "_Deeds", deed: Deed) -> Deed | None:
    """Return the step that puts something in the place of what this one takes away, if there is one."""
    later = (other for other in deeds.made if other.update == deed.update and other.number > deed.number)
    return next((other for other in later if other.path == deed.removes), None) if deed.removes else None


def _when_quiet(
    deeds: "_Deeds", breach: OracleViolation, history: History, window: Window, state: CrashState
) -> Culprit:
    """Return what is at fault when no update was under way; closing the store counts as the end of the last one."""
    update = history.clamp(window.acknowledged)
    done = [deed for deed in deeds.made if deed.number < state.cut and update <= deed.update <= window.acknowledged]
    if breach.family in (Family.REOPENING, Family.NEXT_UPDATE) or breach.sentence.endswith(LOST_AGAIN):
        return _in_the_way(breach, _still_there(done, _lost_steps(deeds.program, state)), [])
    call = history.update_names[update].partition("(")[0]
    return Culprit(f"{call} {NOT_SHOWN if done else EARLY}")


def _in_the_way(breach: OracleViolation, left: Sequence[Deed], changed: Sequence[Deed]) -> Culprit:
    """Return what is in the way, unless nothing is left and the next update is shown until the store is opened anew."""
    if not left and breach.sentence.endswith(LOST_AGAIN):
        return Culprit(FORGOTTEN)
    return Culprit(IN_THE_WAY, _places(left or changed))


def _of_changes(deeds: "_Deeds", live: Sequence[Deed], update: int, *, several: bool) -> Culprit:
    """Return what is at fault when an update was cut short after these changes of what readers look at."""
    last = live[-1]
    all_of_it = [deed for deed in deeds.made if deed.live and deed.update == update]
    one_by_one = Culprit(ONE_BY_ONE, _written(deeds, [all_of_it[0], all_of_it[-1]]))
    if several and len({deed.path for deed in all_of_it}) > 1:
        return one_by_one
    if (replacing := _gap(deeds, last)) is not None:
        return Culprit(GAP, _places([last, replacing]))
    if isinstance(last.step, (Extent, Truncate, Allocate, Create)):
        first = next(deed for deed in live if deed.path == last.path and isinstance(deed.step, (*_CONTENT, Create)))
        return Culprit(IN_PLACE, (deeds.written_at.get(first.number, first.place),))
    return one_by_one


def _still_there(done: Sequence[Deed], lost: frozenset[int]) -> list[Deed]:
    """Return what was made, is no data, and lies about when the update is cut short and the steps ``lost`` are."""
    gone = {path for deed in done if deed.number not in lost for path in deed.away}
    return [deed for deed in done if isinstance(deed.step, (Create, Link)) and deed.path not in gone and not deed.live]


def _listed(deeds: "_Deeds", breach: OracleViolation, left: Sequence[Deed], cut: int) -> list[Deed]:
    """Return what has made the files, data of nobody, whose names a listing shows: whatever has kept or brought them.

    Of those that are back, because their names were never lost for good, one stands for all.
    """
    once = [d for d in deeds.made if d.number < cut and isinstance(d.step, (Create, Link)) and not d.live]
    return _named_like(breach.names, left) or _named_like(breach.names, once)[-1:]


_SHORTEST = 3
"""Letters of a name that say whose it is."""


def _named_like(names: Sequence[str], made: Sequence[Deed]) -> list[Deed]:
    """Return those whose files have one of these names, or one that it is a part of."""
    files = [(deed, deed.path.rpartition("/")[2]) for deed in made]
    told = [name for name in names if len(name) >= _SHORTEST]
    return [deed for deed, file in files if any(name in file or file in name for name in told)]


def _written(deeds: "_Deeds", some: Sequence[Deed]) -> tuple[str, ...]:
    """Return the places of some steps, of those that write the one that stands for all who write the same."""
    return tuple(dict.fromkeys(deeds.written_at.get(deed.number, deed.place) for deed in some))


def _places(deeds: Sequence[Deed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(deed.place for deed in deeds))


@dataclass(frozen=True)
class _Deeds:
    """All that a program changed, in order."""

    program: Program
    made: tuple[Deed, ...]
    of_step: dict[int, Deed]
    pins: tuple[int | None, ...]
    returned: dict[int, int]
    """The step at which each update returned."""
    written_at: dict[int, str]
    """The place of each step that writes; one for all that write the same file in one update."""


Quiet = dict[str, tuple[Inode, bytes]]


@lru_cache(maxsize=8)
def _deeds(program: Program, keys: tuple[str, ...] = ()) -> _Deeds:
    """Return all that a program changed; ``keys`` are what its updates are about, which names of files may hold."""
    quiet = _quiet(program)
    tree = Tree(program.initial)
    paths: dict[Inode, str] = {}
    made: list[Deed] = []
    returned: dict[int, int] = {}
    update = -1
    for number, step in enumerate(program.steps):
        if isinstance(step, Mark):
            if step.moment is MarkKind.ACKNOWLEDGED:
                returned[step.update] = number
            update = max(update, step.update)
        elif isinstance(step, _CHANGES):
            seen, there = _live(quiet, update)
            paths.update({inode: path for path, inode in tree.walk()})
            touched, away = _touched(step, paths)
            path = next((path for path in (*touched, *away) if path in seen), (*touched, *away, "?")[0])
            removes = next((path for path in away if path in seen), "")
            live = path in seen or (isinstance(step, _CONTENT) and path in there)
            made.append(Deed(number, update, step, _place(step, removes or path), path, live, removes, away))
        _apply(tree, step)
    pins = STRICT.pins(program)
    of_step = {deed.number: deed for deed in made}
    return _Deeds(program, tuple(made), of_step, pins, returned, _written_at(made, keys))


def _written_at(made: Sequence[Deed], names: Sequence[str]) -> dict[int, str]:
    """Give those steps one place that one fsync would have served: they write one file in one update, or one function.

    A long write goes straight to the file, the rest of a short one when it is closed, at another line.
    """
    writing = [deed for deed in made if isinstance(deed.step, _CONTENT)]
    same: dict[str, str] = {}

    def first(place: str) -> str:
        while place in same:
            place = same[place]
        return place

    known: dict[tuple[object, ...], str] = {}
    for deed in writing:
        step = deed.step.write if isinstance(deed.step, Extent) else deed.step
        where = step.origin.location  # type: ignore[union-attr]
        keys: list[tuple[object, ...]] = [(deed.update, step.inode)]  # type: ignore[union-attr]
        if where is not None:
            role = _role(deed.path, names)
            keys += [(line.file, line.function, role) for line in (where, where.innermost)]
        for key in keys:
            one, other = first(known.setdefault(key, deed.place)), first(deed.place)
            if one != other:
                same[other] = one
    return {deed.number: first(deed.place) for deed in writing}


_NUMBER = re.compile("[0-9]+")


def _role(path: str, names: Sequence[str]) -> str:
    """Return a path without what is particular to one key, or to one version of its file."""
    for name in names:
        path = path.replace(name, "KEY")
    return _NUMBER.sub("*", role_of_path(path))


def _apply(tree: Tree, step: ProgramStep) -> None:
    if isinstance(step, Extent):
        tree.apply(step.write)
    elif not isinstance(step, WriteThrough):
        tree.apply(step)


def _quiet_files(program: Program) -> dict[int, Quiet]:
    """Return what the files are when each update has returned; -1 is before anything was done."""
    tree = Tree(program.initial)
    found = {-1: _files(tree)}
    for step in program.steps:
        _apply(tree, step)
        if isinstance(step, Mark) and step.moment is MarkKind.ACKNOWLEDGED:
            found[step.update] = _files(tree)
    return found


def _files(tree: Tree) -> Quiet:
    return {
        path: (inode, bytes(tree.nodes[inode].content))
        for path, inode in tree.walk()
        if tree.nodes[inode].kind is Kind.FILE
    }


def _live(quiet: dict[int, Quiet], update: int) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that an update changes for good, and those of files that are there before it.

    The first are not after it what they were before. Of the others one that is written in place is looked at as well,
    even if what is written is what it holds.
    """
    before = quiet[max((number for number in quiet if number < update), default=-1)]
    after = quiet.get(update, before)
    return frozenset(path for path in {*before, *after} if before.get(path) != after.get(path)), frozenset(before)


def _touched(step: ProgramStep, paths: dict[Inode, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths that a step gives something new to, and those that it takes away."""

    def path_of(entry: Entry | None) -> tuple[str, ...]:
        if entry is None:
            return ()
        return (entry.name if entry.directory == ROOT else f"{paths.get(entry.directory, '?')}/{entry.name}",)

    match step:
        case Extent(write, _):
            return (paths.get(write.inode, "?"),), ()
        case Truncate(inode, _) | Allocate(inode, _):
            return (paths.get(inode, "?"),), ()
        case Create(_, _, entry) | Link(_, entry):
            return path_of(entry), ()
        case Unlink(_, entry):
            return (), path_of(entry)
        case Rename(_, source, target):
            return path_of(target), path_of(source)
    return (), ()


def _place(step: ProgramStep, path: str) -> str:
    location = step.write.origin.location if isinstance(step, Extent) else getattr(step, "origin").location  # noqa: B009
    return str(location) if location is not None else role_of_path(path)


def lost_earlier(program: Program, state: CrashState, window: Window) -> Earlier:
    """Say what of the losses had been done before the last update was called."""
    deeds = _deeds(program)
    steps = [program.micros[m].operation for m in state.lost]
    earlier = [deeds.of_step[step].update < window.invoked for step in steps if step in deeds.of_step]
    if not any(earlier):
        return Earlier.NOTHING
    return Earlier.ALL_THERE_IS if all(earlier) else Earlier.SOMETHING


def torn_files(program: Program, image: DurableImage, upto: int, known_by: int) -> tuple[str, ...]:
    """Return the files of ``image`` that hold what they never held when an update had returned, up to number ``upto``.

    Only files count that were there when update ``known_by`` or an earlier one had returned: others are nobody's data.
    """
    known = _contents(program)
    return tuple(
        file.path
        for file in image.files
        if file.kind is Kind.FILE
        and min((update for update, _ in known.get(file.path, ())), default=upto + 1) <= known_by
        and file.content not in [content for update, content in known[file.path] if update <= upto]
    )


def is_missing(program: Program, image: DurableImage, window: Window) -> bool:
    """Say whether a file that is there before and after the update in flight is not in ``image``."""
    quiet = _quiet(program)
    before = quiet[max((number for number in quiet if number <= window.acknowledged), default=-1)]
    after = quiet.get(window.invoked, before)
    there = set(image.paths())
    return any(path in after and path not in there for path in before)


@lru_cache(maxsize=8)
def _quiet(program: Program) -> dict[int, Quiet]:
    return _quiet_files(program)


@lru_cache(maxsize=8)
def _contents(program: Program) -> dict[str, list[tuple[int, bytes]]]:
    found: dict[str, list[tuple[int, bytes]]] = {}
    for update, files in _quiet(program).items():
        for path, (_, content) in files.items():
            found.setdefault(path, []).append((update, content))
    return found
