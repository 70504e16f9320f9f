"""Files that have lost their last name, and the syncs that reach them all the same by what is still open.

What such a sync makes durable is left to the models.
"""

from collections import Counter
from functools import lru_cache

from pytest_tradestore.crash.lowering import Program, Step, WriteThrough
from pytest_tradestore.crash.operations import Create, Inode, Link, Rename, Sync, Unlink


def without_a_name(program: Program, number: int, step: Step) -> bool:
    """Say whether this is a sync of a file that has lost its last name, in an earlier step."""
    return isinstance(step, (Sync, WriteThrough)) and deserted(program).get(step.inode, number) < number


@lru_cache(maxsize=16)
def syncs_without_a_name(program: Program) -> tuple[int, ...]:
    """Return the steps that sync a file, or write to it synchronously, after it has lost its last name."""
    return tuple(number for number, step in enumerate(program.steps) if without_a_name(program, number, step))


def first_sync_without_a_name(program: Program) -> dict[Inode, int]:
    """Return the files that are synced after they have lost their last name, each with the first step that does."""
    first: dict[Inode, int] = {}
    for number in syncs_without_a_name(program):
        step = program.steps[number]
        if isinstance(step, (Sync, WriteThrough)):
            first.setdefault(step.inode, number)
    return first


@lru_cache(maxsize=16)
def deserted(program: Program) -> dict[Inode, int]:
    """Return the files that have lost their last name, each with the step that took it."""
    links = Counter(inode for node in program.initial.nodes.values() for _, inode in node.entries)
    taken: dict[Inode, int] = {}
    for number, step in enumerate(program.steps):
        gone = None
        if isinstance(step, Link) or (isinstance(step, Create) and step.entry is not None):
            links[step.inode] += 1
        elif isinstance(step, Unlink):
            gone = step.inode
        elif isinstance(step, Rename):
            gone = None if step.exchange else step.replaced
        if gone is not None:
            links[gone] -= 1
            if not links[gone]:
                taken[gone] = number
    return taken
