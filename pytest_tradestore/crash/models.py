"""Persistence models, that of POSIX and one for each file system: which micro-operations may a power loss take?

``strict`` is what POSIX promises and nothing more. The others describe file systems as they are, so that a violation
can say where it really happens. ``docs/concepts/persistence-models.md`` gives each rule with its source.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from pytest_tradestore.crash.content import ANYTHING, ContentRule, SomeData, TruncationFirst, WithItsPage
from pytest_tradestore.crash.deserted import first_sync_without_a_name, syncs_without_a_name, without_a_name
from pytest_tradestore.crash.logged import Logged, logged
from pytest_tradestore.crash.lowering import Data, Extent, Micro, Name, Program, Sets, Size, Step, WriteThrough
from pytest_tradestore.crash.naming import forgotten_by_one
from pytest_tradestore.crash.operations import (
    Allocate,
    Create,
    Entry,
    Inode,
    Link,
    Origin,
    Rename,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Unlink,
)

_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Held:
    """Durable from step ``since`` on until step ``until`` is issued, or until one of ``newer`` has arrived."""

    since: int
    until: int
    newer: frozenset[int]

    def binds(self, cut: int, lost: Set[int], end: int) -> bool:
        """Say whether it cannot have been lost in a crash after ``cut`` steps, with ``end`` micro-operations issued."""
        return self.since < cut <= self.until and all(m in lost or m >= end for m in self.newer)


class PersistenceModel(Protocol):
    """Says which losses are possible.

    A model is asked in parts, so that names and the contents of each file can be searched apart; ``allows`` is the
    whole of it.
    """

    @property
    def name(self) -> str: ...

    def pins(self, program: Program) -> tuple[int | None, ...]:
        """Return for each micro-operation the step whose completion makes it durable, None if none does."""
        ...

    def held(self, program: Program) -> Mapping[int, "Held"]:
        """Return what a sync keeps for a while, or until something newer stands for it; ``pins`` has none of it."""
        ...

    def journal(self, program: Program) -> frozenset[int]:
        """Return what arrives only when all names, and all else in the journal, issued before it have arrived.

        What a sync has pinned is there whatever was lost before it. The two halves of a rename are one in a journal.
        """
        ...

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        """Return the micro-operations of a file that have arrived because a name not in ``lost`` has."""
        ...

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:
        """Return the rule by which one file may lose its data and sizes."""
        ...

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        """Say whether a crash after ``cut`` steps may lose just ``lost``, all of which nothing pins."""
        ...


class Strict:
    """POSIX: what no sync has made durable may be lost, each page, size and name by itself.

    fsync pins DATA and SIZE of its file, on a directory its NAMEs; fdatasync the same (the size is needed to read
    the data); sync and syncfs pin everything. A failed fsync pins nothing, and marks the pages clean: a later one does
    not write them again.

    A synchronous write pins its own data and a size that reaches its end, and what truncations and allocations have
    made of the size before; not the size of an earlier write that still waits for its data (``generic_write_sync``
    writes the range of the call, POSIX asks for no more). Where it lies within such a size, not even one that reaches
    its own end: ext4 moves the size on disk only when it allocates a block (``mpage_map_and_submit_extent``), and the
    page that the file had ended in has one. A rename between directories is pinned by syncs of both:
    each directory has its own fsync, and btrfs, after that of the target alone, has been seen with both names.

    A sync or a synchronous write of a file that has lost its last name pins nothing of it: btrfs logs no inode without
    links (``btrfs_log_inode_parent``), and where the loss of the name is lost, the file is back as it was before. It
    can be back as it was before it was ever synced: from such a sync on the log may say nothing of that file.

    A sync of a directory does not make the loss of a name durable that it was given since it was synced last, if its
    file has names left, but none in that directory: btrfs may put the name itself into the log (``crash.forgotten``).
    """

    name = "strict"
    syncs_without_a_name = False
    """Whether a sync reaches a file that has lost its last name, and leaves alone what earlier ones have pinned."""
    sizes_what_it_writes_within = False
    """Whether a synchronous write within a size that waits for its data makes it reach what it wrote."""
    forgets_removals = True
    """Whether a name that was taken away can be back although its directory has been synced since."""

    def pins(self, program: Program) -> tuple[int | None, ...]:
        let_go = self._let_go(program)
        return tuple(None if m in let_go else pin for m, pin in enumerate(self._synced(program)))

    def held(self, program: Program) -> Mapping[int, Held]:
        return self._let_go(program)

    def _let_go(self, program: Program) -> dict[int, Held]:
        """Return the data and sizes that a sync has pinned until their file is synced without a name."""
        if self.syncs_without_a_name or not (nameless := first_sync_without_a_name(program)):
            return {}
        whole = [(number, step) for number, step in enumerate(program.steps) if isinstance(step, SyncAll)]
        return {
            m: Held(pin, nameless[part.inode], frozenset())
            for m, (part, pin) in enumerate(zip(program.micros, self._synced(program), strict=True))
            if not isinstance(part, Name)
            and pin is not None
            and nameless.get(part.inode, pin) > pin
            and not any(
                pin <= number < nameless[part.inode] and m < program.starts[number] and _earlier(program, part, step)
                for number, step in whole
            )
        }

    def _synced(self, program: Program) -> Sequence[int | None]:
        """Return for each micro-operation the first step that makes it durable."""
        pinned: list[int | None] = [None] * len(program.micros)
        abandoned = pages_given_up(program)
        for number, step in enumerate(program.steps):
            for m in self._reached(program, number, step):
                if self.forgets_removals and _until_commit(program.micros[m]) and not isinstance(step, SyncAll):
                    continue
                if pinned[m] is None and abandoned.get(m, number) >= number:
                    pinned[m] = number
        return pinned

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        """Yield the micro-operations that a step makes durable unless their pages had been given up."""
        if not self.syncs_without_a_name and without_a_name(program, number, step):
            return
        if isinstance(step, WriteThrough):
            for m in range(step.last + 1):
                part = program.micros[m]
                if m >= step.first:
                    reached = self.sizes_what_it_writes_within or not _waits_within(program, part)
                else:
                    reached = _sized_by_metadata(program, part, step.inode) and _earlier(program, part, step)
                if reached:
                    yield m
        elif isinstance(step, SyncAll) or (isinstance(step, Sync) and not step.failed):
            for m in range(program.starts[number]):
                part = program.micros[m]
                if not _earlier(program, part, step):
                    continue
                if isinstance(step, SyncAll) or _reached_by_sync(program, part, step.inode, number):
                    yield m

    def journal(self, program: Program) -> frozenset[int]:  # noqa: ARG002 - nothing is ordered
        return frozenset()

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:  # noqa: ARG002
        return frozenset()

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:  # noqa: ARG002
        return ANYTHING

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        end = program.starts[cut]
        held = self.held(program)
        if any(m in held and held[m].binds(cut, lost, end) for m in lost):
            return False
        if not self._in_order(program, cut, lost) or not forgotten_by_one(program, lost):
            return False
        files: dict[Inode, list[tuple[int, Micro]]] = {}
        for m in range(end):
            part = program.micros[m]
            if not isinstance(part, Name):
                files.setdefault(part.inode, []).append((m, part))
        return all(
            not (self.brought(program, inode, end, lost) & lost)
            and self.content_rule(program, inode).allows(parts, lost)
            for inode, parts in files.items()
        )

    def _in_order(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        pins, journal = _pins(self, program), self.journal(program)
        gone = False
        for m in range(program.starts[cut]) if journal else ():
            part = program.micros[m]
            if m not in journal and not isinstance(part, Name):
                continue
            if m in lost:
                gone = True
                continue
            halved = isinstance(part, Name) and part.half and m + 1 in lost
            if m in journal and (gone or halved) and ((pin := pins[m]) is None or pin >= cut):
                return False
        return True


class _Journaling(Strict):
    """Names, truncations and allocations reach the disk in the order in which they were made: one log, one order.

    An fsync commits the log up to the last change of its file. It counts as a change only if the inode was logged for
    it: not an overwrite in place, whose new times may equal the old ones (``inode_needs_update_time``; ext4 and XFS).
    A synchronous write commits what it needs itself: the file's creation, what truncated it or allocated its space.
    """

    fdatasync_commits_names = False
    syncs_without_a_name = True
    forgets_removals = False

    def journal(self, program: Program) -> frozenset[int]:
        return _metadata(program)

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        yield from super()._reached(program, number, step)
        if isinstance(step, (Sync, WriteThrough)) and not _failed(step):
            last = self._last_change(program, number, step)
            for m in self.journal(program):
                if m <= last and _earlier(program, program.micros[m], step):
                    yield m

    def _last_change(self, program: Program, number: int, step: Sync | WriteThrough) -> int:
        """Return the last micro-operation for which a sync of this kind makes the log be written."""
        last = -1
        for m in range(program.starts[number]):
            part = program.micros[m]
            if _earlier(program, part, step) and self._commits(program, part, step):
                last = m
        return last

    def _commits(self, program: Program, part: Micro, step: Sync | WriteThrough) -> bool:
        whole = isinstance(step, Sync) and (step.kind is not SyncKind.FDATASYNC or self.fdatasync_commits_names)
        if _until_commit(part) or isinstance(program.steps[part.operation], Sync):  # what only the log of btrfs makes
            return False
        if isinstance(part, Name):
            if isinstance(step, Sync) and step.inode in _directories_of(program.steps[part.operation]):
                return True
            return _names(part, step.inode) and (whole or isinstance(program.steps[part.operation], Create))
        if isinstance(part, Data) or part.inode != step.inode:
            return False
        return _sized_by_metadata(program, part, step.inode) or (isinstance(step, Sync) and part.sets is Sets.END)


class Ext4(_Journaling):
    """ext4 with its defaults, data=ordered, delayed allocation and auto_da_alloc.

    Data does not come before the size that shows it. Delayed allocation allocates unwritten extents, which are not on
    the list of what a commit waits for (``ext4_should_dioread_nolock``): until they are written, the file reads as
    zeros; and an append inside the last block sets the size at once (``ext4_da_write_end``). A rename over an existing
    file allocates the source's delayed blocks (``ext4_alloc_da_blocks``) and with them its sizes, not its data. The
    page in which a truncation ends keeps its block, and may be written before the truncation is committed.
    fdatasync commits only what a reader of the data needs (``i_datasync_tid``): no rename, no link.
    """

    name = "ext4"

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        last = -1
        for m in range(end):
            part = program.micros[m]
            if isinstance(part, Name) and m not in lost and not part.half and not part.until_commit:
                step = program.steps[part.operation]
                replaces = isinstance(step, Rename) and step.replaced is not None and not step.exchange
                if replaces and step.inode == inode:  # type: ignore[union-attr]
                    last = m
        return frozenset(
            m
            for m in range(last)
            if isinstance(part := program.micros[m], Size) and part.inode == inode and part.sets is not Sets.LEAST
        )

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:  # noqa: ARG002
        return TruncationFirst()


class Xfs(_Journaling):
    """XFS: metadata logged in order; a rename flushes nothing.

    The size on disk moves when a range of pages has been written, to the end of that range (``xfs_setfilesize``): it
    comes with the page that it ends in, and other ranges may be missing before it. The page in which a truncation ends
    keeps its block. fdatasync forces whatever is logged of the file but its times (``xfs_fsync_seq``), renames too.
    """

    name = "xfs"
    fdatasync_commits_names = True
    sizes_what_it_writes_within = True

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:  # noqa: ARG002
        return WithItsPage(_writes(program), pages_given_up(program).keys())


class Btrfs(Strict):
    """btrfs: whole transactions in order, and a log that goes ahead of them.

    fsync and synchronous writes put one file with its names and the new directories above it into the log, on a
    directory its entries and what is in it (``btrfs_log_inode``); a later rename, link or unlink of what has been
    logged goes there too (``btrfs_log_new_name``), and whoever syncs next writes it. So names that touch what was ever
    logged can arrive before older ones, truncations and data of such files too. Only the rest is in order. A size that
    a write has set comes with some data of the file. A directory that was only renamed is not logged with a new file in
    it. What brings the names of a synced file takes them away again when it is unlinked or replaced: the log forgets
    the file, not knowing the new one (t written, synced and renamed to a; another t written and renamed to a: no a).
    A rename takes the old entry of its file out of the log and leaves no word of it there (``del_logged_dentry`` in
    ``btrfs_log_new_name``): if another file had had that name before, and nothing has synced that it lost it, it is
    back (b unlinked; b made anew, synced, renamed to g: g is the new one, b the old).
    """

    name = "btrfs"
    sizes_what_it_writes_within = True

    def journal(self, program: Program) -> frozenset[int]:
        return _never_logged(program)

    def held(self, program: Program) -> Mapping[int, Held]:
        return _held_by_log(program) | super()._let_go(program)

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:
        if inode in logged(program).files:
            return ANYTHING
        return SomeData(_writes(program), pages_given_up(program).keys())


class MacOS(Strict):
    """macOS: fsync hands the data to the drive, whose cache may lose it; F_FULLFSYNC empties that cache too."""

    name = "macos"

    def _reached(self, program: Program, number: int, step: Step) -> Iterable[int]:
        if isinstance(step, Sync) and step.kind is SyncKind.FULL and not step.failed:
            for earlier in range(number):
                if ended_before(program.steps[earlier], step.origin):
                    yield from super()._reached(program, earlier, program.steps[earlier])
            yield from super()._reached(program, number, step)


@dataclass(frozen=True, slots=True)
class Settled:
    """``model`` after a rest before step ``since``: everything issued earlier has been written back by then."""

    model: PersistenceModel
    since: int

    @property
    def name(self) -> str:
        return self.model.name

    def pins(self, program: Program) -> tuple[int | None, ...]:
        settled, given_up = program.starts[self.since], pages_given_up(program)
        return tuple(
            self.since if m < settled and m not in given_up and (pin is None or pin > self.since) else pin
            for m, pin in enumerate(self.model.pins(program))
        )

    def held(self, program: Program) -> Mapping[int, Held]:
        return self.model.held(program)

    def journal(self, program: Program) -> frozenset[int]:
        return self.model.journal(program)

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        return self.model.brought(program, inode, end, lost)

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:
        return self.model.content_rule(program, inode)

    def allows(self, program: Program, cut: int, lost: frozenset[int]) -> bool:
        return self.model.allows(program, cut, lost)


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


def _waits_within(program: Program, part: Micro) -> bool:
    """Say whether this is the size that a synchronous write reaches within one that waits for its data."""
    return isinstance(part, Size) and part.sets is Sets.LEAST and isinstance(program.steps[part.operation], Extent)


def _until_commit(part: Micro) -> bool:
    return isinstance(part, Name) and part.until_commit


def _failed(step: Sync | WriteThrough) -> bool:
    return isinstance(step, Sync) and step.failed


def _in_directory(part: Name, inode: Inode) -> bool:
    return any(entry.directory == inode for entry, _ in part.changes)


def _directories_of(step: Step) -> set[Inode]:
    """Return the directories in which a step itself sets or removes names; what it was before is in ``Name`` only."""
    match step:
        case Create(_, _, Entry() as entry) | Link(_, entry) | Unlink(_, entry):
            return {entry.directory}
        case Rename(_, source, target):
            return {entry.directory for entry in (source, target) if entry is not None}
    return set()


def _names(part: Micro, inode: Inode) -> bool:
    return isinstance(part, Name) and any(new == inode for _, new in part.changes)


def _reached_by_sync(program: Program, part: Micro, inode: Inode, number: int) -> bool:
    """Say whether a sync of ``inode`` makes this durable: data and size of a file, names in a directory.

    Of a rename between directories it takes the syncs of both, in whichever order.
    """
    if not isinstance(part, Name):
        return part.inode == inode
    if not _in_directory(part, inode):
        return False
    others = {entry.directory for entry, _ in part.changes} - {inode}
    return not others or others <= _synced_between(program, part, number)


def _synced_between(program: Program, part: Name, number: int) -> set[Inode]:
    """Return what was synced after ``part`` and before step ``number``."""
    return {
        step.inode
        for step in program.steps[part.operation + 1 : number]
        if isinstance(step, Sync) and not step.failed and _earlier(program, part, step)
    }


def _sized_by_metadata(program: Program, part: Micro, inode: Inode) -> bool:
    """Say whether this is a size of the file that needs no data: set by a truncation or an allocation."""
    return (
        isinstance(part, Size)
        and part.inode == inode
        and part.sets is not Sets.LEAST
        and isinstance(program.steps[part.operation], (Truncate, Allocate))
    )


def _earlier(program: Program, part: Micro, sync: Sync | SyncAll | WriteThrough) -> bool:
    """Say whether the call behind ``part`` had returned when the sync began."""
    if isinstance(sync, WriteThrough):
        write = program.steps[program.micros[sync.last].operation]
        origin = write.write.origin if isinstance(write, Extent) else Origin()
    else:
        origin = sync.origin
    return ended_before(program.steps[part.operation], origin)


def ended_before(step: Step, origin: Origin) -> bool:
    """Say whether a step had returned when a sync began; of two at once nothing is promised."""
    own = step.write.origin if isinstance(step, Extent) else getattr(step, "origin", None)
    return own is None or own.end <= origin.start or own.end == own.start == 0


@lru_cache(maxsize=16)
def _writes(program: Program) -> tuple[bool, ...]:
    return tuple(isinstance(step, Extent) for step in program.steps)


@lru_cache(maxsize=16)
def _metadata(program: Program) -> frozenset[int]:
    """Return the names, and the sizes that truncations and allocations set."""
    return frozenset(
        m
        for m, part in enumerate(program.micros)
        if isinstance(part, Name) or _sized_by_metadata(program, part, part.inode)
    )


@lru_cache(maxsize=16)
def _held_by_log(program: Program) -> dict[int, Held]:
    """Return the names that the log of btrfs holds: those of each synced file, and of new directories on the way to it.

    It forgets them when one of the file's names is removed or given to another, or a file is synced that has none any
    more (seen: e/b made, e/b/a synced and renamed over another, which is synced: no e/b and no such file), and each
    one that a rename has arrived for: then what the entry led to before may be back, since the log has nothing to say
    of it any more.
    """
    held: dict[int, Held] = {}
    for number, step in enumerate(program.steps):
        if not isinstance(step, Sync) or step.failed or (until := _loses_a_name(program, step.inode)) < number:
            continue
        until = min([until, *(nameless for nameless in syncs_without_a_name(program) if nameless > number)])
        wanted = [step.inode]
        for inode in wanted:
            for m in range(program.starts[number]):
                part = program.micros[m]
                if not isinstance(part, Name) or not _names(part, inode) or not _earlier(program, part, step):
                    continue
                if inode == step.inode or isinstance(program.steps[part.operation], Create):
                    held.setdefault(m, Held(number, until, _moved_on(program, m, part)))
                    wanted += [entry.directory for entry, _ in part.changes if entry.directory not in wanted]
    return held


def _moved_on(program: Program, m: int, part: Name) -> frozenset[int]:
    """Return the renames that took away an entry which ``part``, number ``m``, had set and another file had had."""
    before = {entry for other in program.micros[:m] if isinstance(other, Name) for entry, new in other.changes if new}
    before |= {Entry(d, name) for d, node in program.initial.nodes.items() for name, _ in node.entries}
    taken = {(entry, inode) for entry, inode in part.changes if inode is not None and entry in before}
    return frozenset(
        later
        for later in range(m + 1, len(program.micros))
        if isinstance(other := program.micros[later], Name)
        and isinstance(program.steps[other.operation], Rename)
        and any(gone is None and (entry, other.about) in taken for entry, gone in other.changes)
    )


def _loses_a_name(program: Program, inode: Inode) -> int:
    """Return the first step that removes a name of this file or gives it to another, other than by renaming it."""
    return next(
        (
            number
            for number, step in enumerate(program.steps)
            if (isinstance(step, Unlink) and step.inode == inode)
            or (isinstance(step, Rename) and step.replaced == inode)
        ),
        _NEVER,
    )


@lru_cache(maxsize=16)
def _never_logged(program: Program) -> frozenset[int]:
    """Return the names, truncations and allocations that the log of btrfs cannot bring."""
    ahead = logged(program)
    return frozenset(m for m in _metadata(program) if not _may_go_ahead(ahead, program.micros[m]))


def _may_go_ahead(ahead: Logged, part: Micro) -> bool:
    """Say whether the log of btrfs can bring this before the transaction does."""
    if not isinstance(part, Name):
        return not isinstance(part, Data) and part.inode in ahead.files
    return part.operation in ahead.names
