"""What the kernel is made to write, and when, so that a power loss leaves just what a crash state wants left.

After each operation the pages are written back that the state keeps, and no others; the journal is committed after the
last change of names or sizes that is kept, before the first one that is lost. Pure: the rig carries it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tradestore.crash.crash_state import CrashState
from pytest_tradestore.crash.lowering import Data, Extent, Program, WriteThrough
from pytest_tradestore.crash.operations import Create, Inode, Operation


@dataclass(frozen=True, slots=True)
class Stroke:
    """One operation, and what is written right after it: ranges (file, start, length), and the journal or not.

    With ``crowds`` so many names are made elsewhere that those which wait in memory have to be put into trees.
    """

    operation: Operation
    pages: tuple[tuple[Inode, int, int], ...] = ()
    commits: bool = False
    crowds: bool = False


def unsteered(program: Program, *, pages: bool, commits: bool) -> tuple[Stroke, ...]:
    """Return all operations of a program, each with all pages written and the journal committed after it, or neither.

    Without either the kernel does what it does by itself, and what the program's own syncs make it do.
    """
    return _strokes(program, len(program.steps), frozenset(), pages=pages, commits=commits, always=True)


def crowded(program: Program) -> tuple[Stroke, ...]:
    """Return all operations of a program, each that makes a file followed by a crowd of other names.

    None follows a rename: what takes a name away has to wait in memory still when the directory is synced.
    """
    return tuple(Stroke(operation, crowds=isinstance(operation, Create)) for operation in operations_of(program))


def steered(program: Program, state: CrashState) -> tuple[Stroke, ...]:
    """Return the operations up to the crash, each with what ``state`` keeps of it."""
    return _strokes(program, state.cut, frozenset(state.lost), pages=True, commits=True, always=False)


def operations_of(program: Program) -> tuple[Operation, ...]:
    """Return what a program was lowered from, without what was left out of it."""
    return tuple(operation for step in program.steps for operation in _operations(step))


def _strokes(
    program: Program, cut: int, lost: frozenset[int], *, pages: bool, commits: bool, always: bool
) -> tuple[Stroke, ...]:
    strokes: list[Stroke] = []
    for number, step in enumerate(program.steps[:cut]):
        operations = _operations(step)
        if not operations:
            continue
        kept = [m for m in range(program.starts[number], program.starts[number + 1]) if m not in lost]
        written = tuple(
            (part.inode, part.offset, len(part.content))
            for m in kept
            if pages and isinstance(part := program.micros[m], Data)
        )
        metadata = [m for m in kept if not isinstance(program.micros[m], Data)]
        commit = commits and bool(metadata) and (always or _next_is_lost(program, cut, metadata[-1], lost))
        strokes += [Stroke(operation) for operation in operations[:-1]]
        strokes.append(Stroke(operations[-1], written, commit))
    return tuple(strokes)


def _operations(step: object) -> Sequence[Operation]:
    if isinstance(step, WriteThrough):
        return ()
    if not isinstance(step, Extent):
        return (step,)  # type: ignore[return-value] # what is neither of the two is an operation
    write, start = step.write, step.write.offset
    found = []
    for end in step.ends:
        piece = write.data[start - write.offset : end - write.offset]
        found.append(type(write)(write.inode, start, piece, write.durable, write.origin))
        start = end
    return found


def _next_is_lost(program: Program, cut: int, last: int, lost: frozenset[int]) -> bool:
    """Say whether the next name or size up to the cut is lost, or there is none."""
    for m in range(last + 1, program.starts[cut]):
        if not isinstance(program.micros[m], Data):
            return m in lost
    return True
