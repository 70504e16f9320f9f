"""Operations taken apart into what a disk can lose one by one: DATA of a page, SIZE of a file, NAME in a directory.

A page is written back whole, as it stands in memory at that moment: so DATA carries the content of its pages after
the write, and of two writes to one page the later one never arrives without the earlier one's bytes.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from pytest_tradestore.crash.operations import (
    Allocate,
    Create,
    Entry,
    Inode,
    Link,
    Mark,
    Operation,
    Rename,
    Sync,
    SyncAll,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.trace import Snapshot, Trace, Tree

PAGE = 4096
"""Bytes that a disk writes whole in the models: the page size of the systems that they describe."""


@dataclass(frozen=True, slots=True)
class Data:
    """Content of whole pages of a file, zeros beyond its end; ``end`` is where the written bytes end."""

    operation: int
    inode: Inode
    offset: int
    content: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a file: exactly (a truncation) or at least (a write or allocation beyond the end)."""

    operation: int
    inode: Inode
    size: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Name:
    """Directory entries set (to an inode) or removed (None), all of them or none."""

    operation: int
    changes: tuple[tuple[Entry, Inode | None], ...]


Micro = Data | Size | Name


@dataclass(frozen=True, slots=True)
class Extent:
    """Consecutive writes to adjacent places, taken as one; ``ends`` are the file offsets where each of them ended."""

    write: Write
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WriteThrough:
    """The return of a write that itself waits for the disk: pins the micro-operations ``first`` to ``last``."""

    inode: Inode
    first: int
    last: int


Step = Operation | Extent | WriteThrough


@dataclass(frozen=True, eq=False)
class Program:
    """A lowered trace; one equals only itself, so that what has been found out about it can be kept.

    ``steps`` are the operations with adjacent writes coalesced; ``micros`` everything that can be lost, in program
    order; ``starts[n]`` is the number of micro-operations issued before step ``n`` (one entry more than steps).
    """

    initial: Snapshot
    steps: tuple[Step, ...]
    micros: tuple[Micro, ...]
    starts: tuple[int, ...]


def lower(trace: Trace) -> Program:
    """Take a trace apart."""
    steps: list[Step] = []
    micros: list[Micro] = []
    starts: list[int] = [0]
    tree = Tree(trace.initial)  # what programs see; the kernel's memory

    def add(step: Step, parts: list[Micro]) -> None:
        steps.append(step)
        micros.extend(parts)
        starts.append(len(micros))

    for step in coalesced(trace.operations):
        number = len(steps)
        if isinstance(step, Extent):
            write = step.write
            size_before = len(tree.nodes[write.inode].content)
            tree.apply(write)
            first = len(micros)
            add(step, _parts_of_write(number, write, size_before, tree))
            if write.durable:
                add(WriteThrough(write.inode, first, len(micros) - 1), [])
        elif not isinstance(step, WriteThrough):
            size_before = len(tree.nodes[step.inode].content) if isinstance(step, (Truncate, Allocate)) else 0
            tree.apply(step)
            add(step, _parts_of(number, step, size_before))
    return Program(trace.initial, tuple(steps), tuple(micros), tuple(starts))


def coalesced(operations: tuple[Operation, ...]) -> Iterator[Step]:
    """Join writes that follow each other directly, in the trace as in the file; a mark keeps them apart.

    So does a sync that began between their returns: it reaches the one and not the other.
    """
    syncs = sorted(o.origin.start for o in operations if isinstance(o, (Sync, SyncAll)))
    pending: Extent | None = None
    for operation in operations:
        if isinstance(operation, Write):
            if not operation.data:
                continue
            if (
                pending is not None
                and _adjoins(pending.write, operation)
                and not _any_between(syncs, pending.write.origin.end, operation.origin.end)
            ):
                first = pending.write
                joined = replace(
                    first,
                    data=first.data + operation.data,
                    origin=replace(first.origin, end=operation.origin.end),
                )
                pending = Extent(joined, (*pending.ends, joined.offset + len(joined.data)))
                continue
            if pending is not None:
                yield pending
            pending = Extent(operation, (operation.offset + len(operation.data),))
            continue
        if pending is not None:
            yield pending
            pending = None
        yield operation
    if pending is not None:
        yield pending


def _adjoins(first: Write, second: Write) -> bool:
    return (
        first.inode == second.inode
        and not first.durable
        and not second.durable
        and second.offset == first.offset + len(first.data)
    )


def _any_between(positions: list[int], first: int, last: int) -> bool:
    at = bisect_left(positions, first)
    return at < len(positions) and positions[at] < last


def pieces(offset: int, end: int) -> tuple[tuple[int, int], ...]:
    """Split the extent [offset, end) into its first page, its last page, and what lies between."""
    first_end = min(end, (offset // PAGE + 1) * PAGE)
    last_start = max(first_end, (end - 1) // PAGE * PAGE)
    cuts = sorted({offset, first_end, last_start, end})
    return tuple(pairwise(cuts))


def _parts_of_write(number: int, write: Write, size_before: int, tree: Tree) -> list[Micro]:
    content = tree.nodes[write.inode].content
    parts: list[Micro] = []
    for start, end in pieces(write.offset, write.offset + len(write.data)):
        page_start, page_end = start // PAGE * PAGE, -(-end // PAGE) * PAGE
        held = bytes(content[page_start:page_end])
        parts.append(Data(number, write.inode, page_start, held + bytes(page_end - page_start - len(held)), end))
        if end > size_before:
            parts.append(Size(number, write.inode, end, exact=False))
    return parts


def _parts_of(number: int, operation: Operation, size_before: int) -> list[Micro]:
    match operation:
        case Create(inode, _, Entry() as entry) | Link(inode, entry):
            return [Name(number, ((entry, inode),))]
        case Unlink(_, entry):
            return [Name(number, ((entry, None),))]
        case Rename(inode, source, target, replaced, exchange):
            left = replaced if exchange else None
            changes = [(entry, new) for entry, new in ((source, left), (target, inode)) if entry is not None]
            return [Name(number, tuple(changes))]
        case Truncate(inode, size) if size != size_before:
            return [Size(number, inode, size, exact=True)]
        case Allocate(inode, size) if size > size_before:
            return [Size(number, inode, size, exact=False)]
        case _:
            return []


def is_note(step: Step) -> bool:
    """Say whether a step is the harness's own mark."""
    return isinstance(step, Mark)
