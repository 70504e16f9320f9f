"""Operations taken apart into what a disk can lose one by one: DATA of a page, SIZE of a file, NAME in a directory.

A page is written back whole, as it stands in memory at that moment: so DATA carries the content of its pages after
the write, and of two writes to one page the later one never arrives without the earlier one's bytes.

What the kernel does beyond what the program asked for is lowered too:

- A truncation that ends inside a page zeroes the rest of that page in memory, which is written back like any other
  page: DATA of its own (``truncate_pagecache``, ``ext4_block_truncate_page``, ``iomap_truncate_page``). It can come
  before the new size, and be lost under it: the stale bytes are back when the file grows again.
- The size on disk is a number. A write that made the file longer sets it to where it ended, whatever an earlier
  truncation that was lost would have made of it (``btrfs_log_inode`` logs the size without the extents).
- A rename between directories can arrive as its new entry alone, and one of a file that an earlier rename had moved
  can take along the removal of that one's old entry without its new one: btrfs logs an inode with the names that it
  has, and replaying the log removes those that it had (``btrfs_log_new_name``, ``unlink_old_inode_refs``). A file
  that loses its last name then takes its earlier ones along, whatever has come of the rename that it had them before.
- While a size waits for its data, writing back an earlier page moves the size on disk to the end of that page
  (``xfs_setfilesize``, ``mpage_map_and_submit_extent`` of ext4), also the page that a gap begins in; allocating space
  below that size moves it to the end of what was asked for (``ext4_alloc_file_blocks``).
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from pytest_tradestore.crash.forgotten import Forgotten, Removal
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

APART = 4
"""A write of so many pages is split at every page; of a longer one the pages between first and last are one part."""


_NO_END = 1 << 62


@dataclass(frozen=True, slots=True)
class Data:
    """Content of whole pages of a file, zeros beyond its end; ``end`` is where the written bytes end.

    ``joined`` where more than one page, or the page of more than one call, is taken as one although a disk does not.
    """

    operation: int
    inode: Inode
    offset: int
    content: bytes
    end: int
    joined: bool = False


class Sets(Enum):
    """What a new size does to the one on disk."""

    CUT = "exactly so, and what lay behind it is gone"
    END = "exactly so"
    LEAST = "at least so"


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a file: cut there by a truncation, ending there after a write, or reaching there by write-back."""

    operation: int
    inode: Inode
    size: int
    sets: Sets


@dataclass(frozen=True, slots=True)
class Name:
    """Directory entries set (to an inode) or removed (None), all of them or none.

    An entry is removed only where it still leads to ``about``: if what had put it there is lost, what it led to before
    stays. ``half`` is a rename without all that it removes, by itself; the whole rename follows it at once. What comes
    back although its removal was synced is a pair too, the name and its removal, which no sync of the directory makes
    durable. They come with what lets it be seen, as a part of the step that took the name away; ``forgot`` is the sync.
    """

    operation: int
    changes: tuple[tuple[Entry, Inode | None], ...]
    about: Inode
    half: bool = False
    forgot: int | None = None

    @property
    def until_commit(self) -> bool:
        """Whether only a commit of everything makes this durable."""
        return self.forgot is not None


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


def lower(trace: Trace, *, apart: bool = False) -> Program:
    """Take a trace apart; with ``apart`` every call and every page by itself, however many parts that makes."""
    steps: list[Step] = []
    micros: list[Micro] = []
    starts: list[int] = [0]
    tree = Tree(trace.initial)  # what programs see; the kernel's memory
    waiting: dict[Inode, int] = {}  # files whose size waits for data, with the last moment of such a write
    moves = _Moves()
    taken, forgotten = _Taken(), Forgotten(trace.initial)

    def add(step: Step, parts: list[Micro]) -> None:
        steps.append(step)
        micros.extend(parts)
        starts.append(len(micros))

    for step in coalesced(trace.operations, join=not apart):
        number = len(steps)
        if isinstance(step, Extent):
            write = step.write
            size_before = len(tree.nodes[write.inode].content)
            tree.apply(write)
            loose, own = _parts_of_write(
                number, step, size_before, tree, most=_NO_END if apart else APART, waiting=write.inode in waiting
            )
            if write.offset + len(write.data) > size_before:
                waiting[write.inode] = write.origin.end
            first = len(micros) + len(loose)
            add(step, [*loose, *own])
            taken.by(number, write, tree)
            forgotten.after(number, write)
            if write.durable:
                add(WriteThrough(write.inode, first, len(micros) - 1), [])
        elif not isinstance(step, WriteThrough):
            size_before = len(tree.nodes[step.inode].content) if isinstance(step, (Truncate, Allocate)) else 0
            tree.apply(step)
            parts = _parts_of(number, step, size_before, tree, moves)
            if isinstance(step, Allocate) and step.size <= size_before and step.inode in waiting:
                parts = [Size(number, step.inode, step.size, Sets.LEAST)]
            back = [part for removal in forgotten.after(number, step) for part in _back(removal)]
            add(step, [*taken.before(number, step), *parts, *taken.by(number, step, tree), *back])
            if isinstance(step, SyncAll) or (isinstance(step, Sync) and not step.failed):
                moves.settle(step)
                reached = list(waiting) if isinstance(step, SyncAll) else [step.inode]
                for inode in reached:
                    if waiting.get(inode, step.origin.start + 1) <= step.origin.start:
                        del waiting[inode]
    return Program(trace.initial, tuple(steps), tuple(micros), tuple(starts))


def coalesced(operations: tuple[Operation, ...], *, join: bool = True) -> Iterator[Step]:
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
                and join
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


def pieces(offset: int, end: int, most: int = APART) -> tuple[tuple[int, int], ...]:
    """Split the extent [offset, end) at every page; a long one into its first page, its last, and what lies between."""
    first, last = offset // PAGE, (end - 1) // PAGE
    inner = range(first + 1, last + 1) if last - first < most else (first + 1, last)
    return tuple(pairwise(sorted({offset, *(page * PAGE for page in inner), end})))


def _parts_of_write(
    number: int, extent: Extent, size_before: int, tree: Tree, *, most: int, waiting: bool
) -> tuple[list[Micro], list[Micro]]:
    """Return the sizes that write-back may bring on the way, and what the write itself is."""
    write = extent.write
    inode, whole_end = write.inode, write.offset + len(write.data)
    content = tree.nodes[inode].content
    loose: dict[int, None] = {}
    own: list[Micro] = []
    eof_page_end = -(-size_before // PAGE) * PAGE
    if size_before < eof_page_end <= write.offset:
        loose[eof_page_end] = None
    for start, end in pieces(write.offset, whole_end, most):
        page_start, page_end = start // PAGE * PAGE, -(-end // PAGE) * PAGE
        held = bytes(content[page_start:page_end])
        inner = any(page_start < at < end and at % PAGE for at in extent.ends)
        joined = inner or page_end - page_start > PAGE
        own.append(Data(number, inode, page_start, held + bytes(page_end - page_start - len(held)), end, joined))
        if end > size_before:
            own.append(Size(number, inode, end, Sets.END))
        elif waiting and page_end < size_before:
            loose[page_end] = None
    if write.durable and waiting and whole_end <= size_before:
        own.append(Size(number, inode, whole_end, Sets.LEAST))
    return [Size(number, inode, size, Sets.LEAST) for size in loose], own


def _back(removal: Removal) -> list[Name]:
    """Return a name that may be there again, and its removal, which are of the step that took it away."""
    number, entry, inode, forgot = removal.number, removal.entry, removal.inode, removal.forgot
    return [
        Name(number, ((entry, inode),), inode, half=True, forgot=forgot),
        Name(number, ((entry, None),), inode, forgot=forgot),
    ]


class _Moves:
    """The entries that each file had before renames of which not every directory has been synced since."""

    def __init__(self) -> None:
        self._left: dict[Inode, dict[Entry, set[Inode]]] = {}

    def of(self, inode: Inode) -> list[Entry]:
        return list(self._left.get(inode, ()))

    def note(self, inode: Inode, source: Entry, target: Entry) -> None:
        self._left.setdefault(inode, {})[source] = {source.directory, target.directory}

    def named(self, inode: Inode, entry: Entry) -> None:
        """Note that a file has been given a name, maybe again one that a rename had taken from it."""
        self._left.get(inode, {}).pop(entry, None)

    def settle(self, sync: Sync | SyncAll) -> None:
        for left in self._left.values():
            for entry, unsynced in list(left.items()):
                unsynced.difference_update(unsynced if isinstance(sync, SyncAll) else {sync.inode})
                if not unsynced:
                    del left[entry]


class _Taken:
    """What the log may take from a file that it knows, not knowing what came in its place.

    That is the entries which files have lost to renames of others, while the directory has not been synced since; and
    the entry of a file when one from another directory is renamed over it: where that file was synced after its
    directory; and where a sync of the directory has put the entry into the log, which knows neither what takes its
    place nor where that comes from (``btrfs_log_new_name`` does nothing then, ``btrfs_del_dir_entries_in_log`` does all
    the same). A sync of what has not changed since the transaction before puts nothing there.
    """

    def __init__(self) -> None:
        self._lost: dict[Inode, dict[Entry, None]] = {}
        self._known: dict[Inode, set[Inode]] = {}  # synced files, each with the directories synced since
        self._made: dict[Entry, int] = {}  # the step that gave the entry to its file
        self._changed: dict[Inode, int] = {}  # the last step that did
        self._logged: dict[Inode, tuple[int, int]] = {}  # the last sync, and the last change that one has put there

    def before(self, number: int, operation: Operation) -> list[Micro]:
        """Return the removal of what a rename replaces, by itself."""
        match operation:
            case Rename(inode, Entry() as source, Entry() as target, int() as replaced, False):
                if source.directory == target.directory:
                    return []
                unknown = target.directory not in self._known.get(replaced, {target.directory})
                if unknown or (self._log_has(target) and not self._log_has_since(self._made[target], inode, source)):
                    return [Name(number, ((target, None),), replaced, half=True)]
        return []

    def _log_has(self, entry: Entry) -> bool:
        return self._logged.get(entry.directory, (-1, -1))[0] > self._made.get(entry, _NO_END)

    def _log_has_since(self, number: int, inode: Inode, entry: Entry) -> bool:
        return any(self._logged.get(known, (-1, -1))[1] > number for known in (inode, entry.directory))

    def _change(self, number: int, operation: Operation) -> None:
        for inode in _changes(operation):
            self._changed[inode] = number
        match operation:
            case Create(_, _, Entry() as entry) | Link(_, entry) | Rename(_, _, Entry() as entry):
                self._made[entry] = number
            case SyncAll():
                self._logged.clear()
                self._made.clear()
            case Write(inode, _, _, True) | Sync(inode, _, False):
                self._logged[inode] = (number, self._changed.get(inode, -1))

    def by(self, number: int, operation: Operation, tree: Tree) -> list[Micro]:
        """Take note of an operation; return the removal of such entries that it can bring by itself."""
        self._change(number, operation)
        match operation:
            case Rename(_, _, Entry() as target, int() as replaced, False) if _has_a_name(tree, replaced):
                self._lost.setdefault(replaced, {})[target] = None
            case Create(inode, _, Entry() as entry) | Link(inode, entry) | Rename(inode, _, Entry() as entry):
                self._lost.get(inode, {}).pop(entry, None)
            case Write(inode, _, _, True):
                self._known[inode] = set()
            case SyncAll():
                self._lost.clear()
                self._known.clear()
            case Sync(inode, _, False):
                for directories in self._known.values():
                    directories.add(inode)
                self._known[inode] = set()
                for entries in self._lost.values():
                    for entry in [entry for entry in entries if entry.directory == inode]:
                        del entries[entry]
                if left := self._lost.get(inode):
                    return [Name(number, tuple((entry, None) for entry in left), inode)]
        return []


def _changes(operation: Operation) -> Iterator[Inode]:
    """Yield what an operation changes: files, and the directories whose names it sets or removes."""
    if isinstance(operation, (Mark, Sync, SyncAll)):
        return
    yield operation.inode
    match operation:
        case Create(_, _, Entry() as entry) | Link(_, entry) | Unlink(_, entry):
            yield entry.directory
        case Rename(_, source, target):
            yield from (entry.directory for entry in (source, target) if entry is not None)


def _has_a_name(tree: Tree, inode: Inode) -> bool:
    return any(inode in node.entries.values() for node in tree.nodes.values())


def _parts_of(number: int, operation: Operation, size_before: int, tree: Tree, moves: _Moves) -> list[Micro]:
    match operation:
        case Create(inode, _, Entry() as entry) | Link(inode, entry):
            moves.named(inode, entry)
            return [Name(number, ((entry, inode),), inode)]
        case Unlink(inode, entry):
            return [*_earlier_names(number, inode, entry, moves), Name(number, ((entry, None),), inode)]
        case Rename(inode, Entry() as source, Entry() as target, replaced, False):
            renamed = _parts_of_rename(number, inode, source, target, moves)
            return renamed if replaced is None else [*_earlier_names(number, replaced, target, moves), *renamed]
        case Rename(inode, source, target, replaced, exchange):
            left = replaced if exchange else None
            changes = [(entry, new) for entry, new in ((source, left), (target, inode)) if entry is not None]
            return [Name(number, tuple(changes), inode)]
        case Truncate(inode, size) if size < size_before:
            cut = Size(number, inode, size, Sets.CUT)
            return [cut, _rest_of_page(number, inode, size, tree)] if size % PAGE else [cut]
        case Truncate(inode, size) | Allocate(inode, size) if size > size_before:
            return [Size(number, inode, size, Sets.END)]
        case _:
            return []


def _parts_of_rename(number: int, inode: Inode, source: Entry, target: Entry, moves: _Moves) -> list[Micro]:
    moves.named(inode, target)
    earlier = [entry for entry in moves.of(inode) if entry != source]
    removed = tuple((entry, None) for entry in (*earlier, source))
    moves.note(inode, source, target)
    whole = Name(number, (*removed, (target, inode)), inode)
    if source.directory != target.directory:
        return [Name(number, ((target, inode),), inode, half=True), whole]
    if earlier:
        return [Name(number, ((source, None), (target, inode)), inode, half=True), whole]
    return [whole]


def _earlier_names(number: int, inode: Inode, last: Entry, moves: _Moves) -> list[Micro]:
    """Return what else goes with a file that loses its ``last`` name: those that renames have taken from it before."""
    earlier = tuple((entry, None) for entry in moves.of(inode) if entry != last)
    return [Name(number, earlier, inode)] if earlier else []


def _rest_of_page(number: int, inode: Inode, size: int, tree: Tree) -> Data:
    """Return the page that a truncation ends in, its rest zeroed."""
    page_start = size // PAGE * PAGE
    held = bytes(tree.nodes[inode].content[page_start:size])
    return Data(number, inode, page_start, held.ljust(PAGE, b"\0"), size)
