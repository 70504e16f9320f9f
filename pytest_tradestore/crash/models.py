"""Persistence models: which micro-operations a power loss may take.

``strict`` is what POSIX promises and nothing more. The others describe file systems as they are, so that a violation
can say where it really happens. ``docs/concepts/persistence-models.md`` gives each rule with its source.
"""

from collections.abc import Iterable, Set
from functools import lru_cache
from typing import Protocol

from pytest_tradestore.crash.lowering import PAGE, Data, Extent, Micro, Name, Program, Size, Step, WriteThrough
from pytest_tradestore.crash.operations import Allocate, Inode, Rename, Sync, SyncAll, SyncKind, Truncate


class PersistenceModel(Protocol):
    """Says which losses are possible.

    A model is asked in parts, so that names and the contents of each file can be searched apart; ``allows`` is the
    whole of it.
    """

    name: str

    def pins(self, program: Program) -> tuple[int | None, ...]:
        """Return for each micro-operation the step whose completion makes it durable, None if none does."""
        ...

    def journal(self, program: Program) -> frozenset[int]:
        """Return what reaches the disk in the order of the program: of these only the last ones can be lost.

        What a sync has pinned is there whatever was lost before it.
        """
        ...

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        """Return the micro-operations of a file that have arrived because a name not in ``lost`` has."""
        ...

    def allows_content(self, program: Program, parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:
        """Say whether one file may lose just those of its micro-operations ``parts`` that are in ``lost``."""
        ...

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        """Say whether a crash after ``cut`` steps may lose just ``lost``, all of which nothing pins."""
        ...


class Strict:
    """POSIX: what no sync has made durable may be lost, each page, size and name by itself.

    fsync pins DATA and SIZE of its file, on a directory its NAMEs; fdatasync the same (the size is needed to read
    the data); a synchronous write pins itself and the size of its file; sync and syncfs pin everything. A failed fsync
    pins nothing, and marks the pages clean: a later one does not write them again.
    """

    name = "strict"

    def pins(self, program: Program) -> tuple[int | None, ...]:
        pinned: list[int | None] = [None] * len(program.micros)
        abandoned = pages_given_up(program)
        for number, step in enumerate(program.steps):
            for m in self._reached(program, number, step):
                if pinned[m] is None and abandoned.get(m, number) >= number:
                    pinned[m] = number
        return tuple(pinned)

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        """Yield the micro-operations that a step makes durable unless their pages had been given up."""
        if isinstance(step, WriteThrough):
            for m in range(step.last + 1):
                part = program.micros[m]
                if m >= step.first or (isinstance(part, Size) and part.inode == step.inode):
                    yield m
        elif isinstance(step, SyncAll) or (isinstance(step, Sync) and not step.failed):
            for m in range(program.starts[number]):
                part = program.micros[m]
                if not _ended_before(program.steps[part.operation], step):
                    continue
                if isinstance(step, SyncAll) or _belongs_to(part, step.inode):
                    yield m

    def journal(self, program: Program) -> frozenset[int]:  # noqa: ARG002 - nothing is ordered
        return frozenset()

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:  # noqa: ARG002
        return frozenset()

    def allows_content(self, program: Program, parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:  # noqa: ARG002
        return True

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        end = program.starts[cut]
        pins = _pins(self, program)
        gone = False
        for m in sorted(self.journal(program)):
            if m >= end:
                break
            if m in lost:
                gone = True
            elif gone and ((pin := pins[m]) is None or pin >= cut):
                return False
        files: dict[Inode, list[tuple[int, Micro]]] = {}
        for m in range(end):
            part = program.micros[m]
            if not isinstance(part, Name):
                files.setdefault(part.inode, []).append((m, part))
        return all(
            not (self.brought(program, inode, end, lost) & lost) and self.allows_content(program, parts, lost)
            for inode, parts in files.items()
        )


class _Journaling(Strict):
    """Names, truncations and allocations reach the disk in the order in which they were made.

    Data comes before the size that shows it, and what is written after a truncation does not come without it. An fsync
    commits the journal up to the last change of its file.
    """

    replacing_rename_flushes = False

    def journal(self, program: Program) -> frozenset[int]:
        return _metadata(program)

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        own = list(super()._reached(program, number, step))
        yield from own
        if isinstance(step, Sync) and not step.failed:
            last = self._last_change(program, number, step)
            yield from (
                m
                for m in self.journal(program)
                if m <= last and _ended_before(program.steps[program.micros[m].operation], step)
            )
        elif isinstance(step, WriteThrough):
            yield from (m for m in self.journal(program) if m <= step.last)

    def _last_change(self, program: Program, number: int, sync: Sync) -> int:
        """Return the last micro-operation that touched the file; data not yet on disk is put there by the sync."""
        last = -1
        for m in range(program.starts[number]):
            part = program.micros[m]
            if _belongs_to(part, sync.inode) or _names(part, sync.inode):
                last = m
        return last

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        if not self.replacing_rename_flushes:
            return frozenset()
        last = -1
        for m in range(end):
            part = program.micros[m]
            if isinstance(part, Name) and m not in lost:
                step = program.steps[part.operation]
                replaces = isinstance(step, Rename) and step.replaced is not None and not step.exchange
                if replaces and step.inode == inode:  # type: ignore[union-attr]
                    last = m
        given_up = pages_given_up(program)
        return frozenset(
            m
            for m in range(last)
            if not isinstance(part := program.micros[m], Name) and part.inode == inode and m not in given_up
        )

    def allows_content(self, program: Program, parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:
        parts = tuple(parts)
        return _truncation_first(parts, lost) and _data_before_size(parts, lost, pages_given_up(program))


class Ext4(_Journaling):
    """ext4 with its defaults, data=ordered and auto_da_alloc: a rename over an existing file flushes its source."""

    name = "ext4"
    replacing_rename_flushes = True


class Xfs(_Journaling):
    """XFS: metadata logged in order, sizes updated when the data has been written; a rename flushes nothing."""

    name = "xfs"


class Btrfs(Strict):
    """btrfs: whole transactions in order; fsync logs one file with its names, and nothing of others.

    A size is written with the first data that arrives behind it, so that other pages can be missing: holes.
    """

    name = "btrfs"

    def journal(self, program: Program) -> frozenset[int]:
        return _metadata(program)

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        yield from super()._reached(program, number, step)
        if not isinstance(step, Sync) or step.failed:
            return
        wanted = [step.inode]
        for inode in wanted:  # the names of the file, and of new directories on the way to it
            for m in range(program.starts[number]):
                part = program.micros[m]
                if isinstance(part, Name) and any(new == inode for _, new in part.changes):
                    if not _ended_before(program.steps[part.operation], step):
                        continue
                    yield m
                    wanted += [entry.directory for entry, _ in part.changes if entry.directory not in wanted]

    def allows_content(self, program: Program, parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:
        parts = tuple(parts)
        return _truncation_first(parts, lost) and _size_with_some_data(parts, lost, pages_given_up(program))


class MacOS(Strict):
    """macOS: fsync hands the data to the drive, whose cache may lose it; F_FULLFSYNC empties that cache too."""

    name = "macos"

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        if isinstance(step, Sync) and step.kind is SyncKind.FULL and not step.failed:
            for earlier in range(number):
                if _ended_before(program.steps[earlier], step):
                    yield from super()._reached(program, earlier, program.steps[earlier])
            yield from super()._reached(program, number, step)


STRICT = Strict()
MODELS: tuple[PersistenceModel, ...] = (STRICT, Ext4(), Xfs(), Btrfs(), MacOS())


def names() -> tuple[str, ...]:
    """Return the names of the models, ``strict`` first."""
    return tuple(model.name for model in MODELS)


def by_name(name: str) -> PersistenceModel:
    """Return the model called ``name``. Raises KeyError if there is none."""
    return {model.name: model for model in MODELS}[name]


@lru_cache(maxsize=16)
def _pins(model: PersistenceModel, program: Program) -> tuple[int | None, ...]:
    return model.pins(program)


@lru_cache(maxsize=16)
def pages_given_up(program: Program) -> dict[int, int]:
    """Return the data that a failed fsync has marked clean without writing it, each with the step of that fsync."""
    given_up: dict[int, int] = {}
    for number, step in enumerate(program.steps):
        if isinstance(step, Sync) and step.failed:
            for m in range(program.starts[number]):
                part = program.micros[m]
                if isinstance(part, Data) and part.inode == step.inode:
                    given_up.setdefault(m, number)
    return given_up


def _belongs_to(part: Micro, inode: Inode) -> bool:
    """Say whether a sync of ``inode`` reaches this: data and size of a file, names in a directory."""
    if isinstance(part, Name):
        return any(entry.directory == inode for entry, _ in part.changes)
    return part.inode == inode


def _names(part: Micro, inode: Inode) -> bool:
    return isinstance(part, Name) and any(new == inode for _, new in part.changes)


def _ended_before(step: Step, sync: Sync | SyncAll) -> bool:
    """Say whether a step had returned when the sync began; of two at once nothing is promised."""
    origin = step.write.origin if isinstance(step, Extent) else getattr(step, "origin", None)
    return origin is None or origin.end <= sync.origin.start or origin.end == origin.start == 0


@lru_cache(maxsize=16)
def _metadata(program: Program) -> frozenset[int]:
    """Return the names, and the sizes that truncations and allocations set."""
    return frozenset(
        m
        for m, part in enumerate(program.micros)
        if isinstance(part, Name)
        or (isinstance(part, Size) and isinstance(program.steps[part.operation], (Truncate, Allocate)))
    )


def _truncation_first(parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:
    """Nothing that was written behind the new end survives a truncation that is lost."""
    missing: int | None = None
    for m, part in parts:
        if isinstance(part, Size) and part.exact:
            if m in lost:
                missing = part.size if missing is None else min(missing, part.size)
        elif missing is not None and m not in lost:
            reaches = part.end if isinstance(part, Data) else part.size if isinstance(part, Size) else 0
            if reaches > missing:
                return False
    return True


def _data_before_size(parts: Iterable[tuple[int, Micro]], lost: Set[int], given_up: Iterable[int]) -> bool:
    """No size survives that shows a page whose data is lost (unless a later write brought the page)."""
    parts = tuple(parts)
    missing: dict[int, int] = {}  # page -> where the lost bytes in it end
    shown: set[int] = set()
    for position, (m, part) in enumerate(parts):
        if isinstance(part, Data):
            pages = range(part.offset // PAGE, (part.offset + len(part.content)) // PAGE)
            if m not in lost:
                for page in pages:
                    missing.pop(page, None)
                    shown.discard(page)
            elif m not in given_up and _extends(parts, position):
                for page in pages:
                    missing[page] = min(part.end, (page + 1) * PAGE)
        elif isinstance(part, Size) and m not in lost:
            if part.exact:
                missing = {page: min(end, part.size) for page, end in missing.items() if page * PAGE < part.size}
                shown &= set(missing)
            shown |= {page for page, end in missing.items() if end <= part.size}
    return not shown


def _size_with_some_data(parts: Iterable[tuple[int, Micro]], lost: Set[int], given_up: Iterable[int]) -> bool:
    """No size that a write has set survives without some of the data before it, written then or later."""
    parts = tuple(parts)
    data = [(m, part) for m, part in parts if isinstance(part, Data)]
    arrived = [part for m, part in data if m not in lost or m in given_up]
    written = {part.operation for _, part in data}
    return all(
        any(page.operation >= part.operation and page.offset < part.size for page in arrived)
        for m, part in parts
        if isinstance(part, Size) and m not in lost and part.operation in written
    )


def _extends(parts: tuple[tuple[int, Micro], ...], position: int) -> bool:
    """Say whether data lies beyond the end that its file had: then its new size follows it."""
    data = parts[position][1]
    following = parts[position + 1][1] if position + 1 < len(parts) else None
    return isinstance(following, Size) and not following.exact and following.operation == data.operation
