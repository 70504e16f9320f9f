"""Persistence models: which micro-operations a power loss may take.

``strict`` is what POSIX promises and nothing more. The others describe file systems as they are, so that a violation
can say where it really happens. ``docs/concepts/persistence-models.md`` gives each rule with its source.
"""

from collections.abc import Iterable
from typing import Protocol

from pytest_tradestore.crash.lowering import Data, Extent, Name, Program, Size, Step, WriteThrough
from pytest_tradestore.crash.operations import Inode, Kind, Rename, Sync, SyncAll, SyncKind


class PersistenceModel(Protocol):
    """Says which losses are possible."""

    name: str
    any_subset: bool
    """True when everything that is not pinned can be lost by itself, so that ``allows`` never forbids."""

    def pins(self, program: Program) -> tuple[int | None, ...]:
        """Return for each micro-operation the step whose completion makes it durable, None if none does."""
        ...

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        """Say whether a crash after ``cut`` steps may lose just ``lost``, all of which nothing pins."""
        ...


class Strict:
    """POSIX: what no sync has made durable may be lost, each page, size and name by itself.

    fsync pins DATA and SIZE of its file, on a directory its NAMEs; fdatasync the same (the size is needed to read
    the data); a synchronous write pins itself; sync and syncfs pin everything. A failed fsync pins nothing, and marks
    the pages clean: a later one does not write them again.
    """

    name = "strict"
    any_subset = True
    ordinary_sync_pins = True
    sync_pins_all_names = False

    def pins(self, program: Program) -> tuple[int | None, ...]:
        pinned: list[int | None] = [None] * len(program.micros)
        abandoned: set[int] = set()
        for number, step in enumerate(program.steps):
            issued = range(program.starts[number])
            if isinstance(step, WriteThrough):
                if self.ordinary_sync_pins:
                    _pin(pinned, number, range(step.first, step.last + 1))
            elif isinstance(step, SyncAll):
                _pin(pinned, number, (m for m in issued if m not in abandoned))
            elif isinstance(step, Sync):
                if not step.failed:
                    _pin(pinned, number, (m for m in self._reached(program, number, step) if m not in abandoned))
                else:
                    abandoned.update(
                        m
                        for m in issued
                        if pinned[m] is None
                        and isinstance(part := program.micros[m], Data)
                        and part.inode == step.inode
                    )
        return tuple(pinned)

    def _reached(self, program: Program, number: int, sync: Sync) -> Iterable[int]:
        """Yield the micro-operations that a successful sync makes durable."""
        if sync.kind is not SyncKind.FULL and not self.ordinary_sync_pins:
            return
        for m in range(program.starts[number]):
            part = program.micros[m]
            if not _ended_before(program.steps[part.operation], sync):
                continue
            if isinstance(part, Name):
                if self.sync_pins_all_names or any(entry.directory == sync.inode for entry, _ in part.changes):
                    yield m
            elif part.inode == sync.inode:
                yield m

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:  # noqa: ARG002 - nothing is forbidden
        return True


class _Journaling(Strict):
    """Names reach the disk in the order in which they were made, and data before the size that shows it.

    The journal is committed in order, and fsync of anything commits it up to that point.
    """

    any_subset = False
    sync_pins_all_names = True
    replacing_rename_flushes = False

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        issued = range(program.starts[cut])
        return (
            _names_in_order(program, issued, lost)
            and _data_before_size(program, issued, lost)
            and (not self.replacing_rename_flushes or _replacing_rename_has_its_data(program, issued, lost))
        )


class Ext4(_Journaling):
    """ext4 with its defaults, data=ordered and auto_da_alloc: a rename over an existing file flushes its source."""

    name = "ext4"
    replacing_rename_flushes = True


class Xfs(_Journaling):
    """XFS: metadata logged in order, sizes updated when the data has been written; a rename flushes nothing."""

    name = "xfs"


class Btrfs(Strict):
    """btrfs: data before size; fsync of a file logs that file with its names, not those of others."""

    name = "btrfs"
    any_subset = False

    def _reached(self, program: Program, number: int, sync: Sync) -> Iterable[int]:
        yield from super()._reached(program, number, sync)
        for m in range(program.starts[number]):
            part = program.micros[m]
            if isinstance(part, Name) and any(new == sync.inode for _, new in part.changes):
                yield m

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        return _data_before_size(program, range(program.starts[cut]), lost)


class MacOS(Strict):
    """macOS: fsync hands the data to the drive, whose cache may lose it; only F_FULLFSYNC pins."""

    name = "macos"
    ordinary_sync_pins = False


STRICT = Strict()
MODELS: tuple[PersistenceModel, ...] = (STRICT, Ext4(), Xfs(), Btrfs(), MacOS())


def names() -> tuple[str, ...]:
    """Return the names of the models, ``strict`` first."""
    return tuple(model.name for model in MODELS)


def by_name(name: str) -> PersistenceModel:
    """Return the model called ``name``. Raises KeyError if there is none."""
    return {model.name: model for model in MODELS}[name]


def where_possible(program: Program, losses: Iterable[tuple[int, frozenset[int]]]) -> tuple[str, ...]:
    """Return the names of the models under which at least one of the given (cut, lost) can happen."""
    pairs = tuple(losses)
    possible = []
    for model in MODELS:
        pins = model.pins(program)
        for cut, lost in pairs:
            free = all((pin := pins[m]) is None or pin >= cut for m in lost)
            if free and model.allows(program, cut, lost):
                possible.append(model.name)
                break
    return tuple(possible)


def _pin(pinned: list[int | None], number: int, micros: Iterable[int]) -> None:
    for m in micros:
        if pinned[m] is None:
            pinned[m] = number


def _ended_before(step: Step, sync: Sync) -> bool:
    """Say whether a step had returned when the sync began; of two at once nothing is promised."""
    origin = step.write.origin if isinstance(step, Extent) else getattr(step, "origin", None)
    return origin is None or origin.end <= sync.origin.start or origin.end == origin.start == 0


def _names_in_order(program: Program, issued: range, lost: frozenset[int]) -> bool:
    """No name survives that was made after one that is lost."""
    gone = False
    for m in issued:
        part = program.micros[m]
        if isinstance(part, Name) or (isinstance(part, Size) and part.exact):
            if m in lost:
                gone = True
            elif gone:
                return False
    return True


def _data_before_size(program: Program, issued: range, lost: frozenset[int]) -> bool:
    """No size survives while data that it makes visible is lost (unless a later write brought the same pages)."""
    lost_data = [part for m in issued if m in lost and isinstance(part := program.micros[m], Data)]
    if not lost_data:
        return True
    kept = [(m, part) for m in issued if m not in lost and not isinstance(part := program.micros[m], Name)]
    sizes: dict[Inode, int] = {}
    for inode, node in program.initial.nodes.items():
        if node.kind is Kind.FILE:
            sizes[inode] = len(node.content)
    for _, part in kept:
        if isinstance(part, Size):
            sizes[part.inode] = part.size if part.exact else max(sizes.get(part.inode, 0), part.size)
    return not any(
        _extends(program, piece) and piece.end <= sizes.get(piece.inode, 0) and not _covered(piece, kept)
        for piece in lost_data
    )


def _extends(program: Program, piece: Data) -> bool:
    """Say whether the piece lies beyond the end that its file had: it came together with a new size."""
    return any(
        isinstance(part, Size) and part.inode == piece.inode and part.operation == piece.operation and not part.exact
        for part in program.micros[program.starts[piece.operation] : program.starts[piece.operation + 1]]
    )


def _covered(piece: Data, kept: list[tuple[int, Data | Size]]) -> bool:
    return any(
        isinstance(part, Data)
        and part.inode == piece.inode
        and part.operation > piece.operation
        and part.offset <= piece.offset
        and part.offset + len(part.content) >= piece.offset + len(piece.content)
        for _, part in kept
    )


def _replacing_rename_has_its_data(program: Program, issued: range, lost: frozenset[int]) -> bool:
    """A surviving rename over an existing file has brought all that was written to its source before it."""
    for m in issued:
        part = program.micros[m]
        if m in lost or not isinstance(part, Name):
            continue
        step = program.steps[part.operation]
        if isinstance(step, Rename) and step.replaced is not None and not step.exchange:
            for other in range(m):
                written = program.micros[other]
                if other in lost and not isinstance(written, Name) and written.inode == step.inode:
                    return False
    return True
