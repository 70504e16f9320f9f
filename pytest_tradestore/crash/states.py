"""Every crash state that a persistence model allows, grouped by what a reader would find: simplest first.

States are not tried one by one and compared afterwards. Names and the contents of each file are varied separately,
files that no surviving name leads to are not varied at all, and equal results are joined before they are combined:
a file that is written anew a hundred times without a sync has 2**700 states and a few hundred images.
"""

import random
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum
from heapq import heappop, heappush
from itertools import combinations, product
from math import prod

from pytest_tradestore.crash.content import ContentRule
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.lowering import Data, Micro, Name, Program, WriteThrough
from pytest_tradestore.crash.models import STRICT, PersistenceModel, Settled
from pytest_tradestore.crash.operations import ROOT, Inode, Kind, Mark, Moment, SetTime, Sync, SyncAll
from pytest_tradestore.crash.pages import Loss, Pages, all_contents, content_left
from pytest_tradestore.crash.prefixes import image_file, image_within, images_of_prefixes, keeping_of


class Crash(Enum):
    PROCESS = "process crash"
    POWER = "power loss"


@dataclass(frozen=True, slots=True)
class CrashState:
    """A cut in the trace plus what was lost.

    ``cut`` steps were issued; ``lost`` are the micro-operations among them that never reached the disk. For a process
    that dies inside a write ``partial`` is the file offset that the write got to, and ``cut`` counts the write.
    """

    crash: Crash
    cut: int
    lost: tuple[int, ...] = ()
    partial: int | None = None

    @property
    def simplicity(self) -> tuple[int, int, int, tuple[int, ...], int]:
        """Earlier cuts before later ones, fewer losses before more, a process crash before a power loss."""
        whole = self.partial is None  # a process that dies inside a write dies earlier than one that ends it
        return (self.cut, len(self.lost), self.crash is Crash.POWER, self.lost, 1 << 62 if whole else self.partial or 0)


@dataclass(frozen=True, slots=True)
class Window:
    """Where in the workload a crash falls: ``acknowledged`` updates have returned, ``invoked`` were called."""

    acknowledged: int
    invoked: int

    @property
    def in_flight(self) -> bool:
        return self.invoked > self.acknowledged


@dataclass(frozen=True, slots=True)
class Group:
    """All states of one window that give the same image: the simplest one of each kind stands for them.

    ``settled`` where everything that came before the update in flight is on disk, as after half a minute of rest.
    """

    window: Window
    image: DurableImage
    process: CrashState | None
    power: CrashState | None
    settled: bool = False

    @property
    def simplest(self) -> CrashState:
        return min((s for s in (self.process, self.power) if s is not None), key=lambda s: s.simplicity)


@dataclass(frozen=True, slots=True)
class Enumeration:
    """What was enumerated: groups in order, how many states they stand for, and whether that was all of them.

    ``states`` counts every subset of losses at every cut where the search was complete, and the tried ones elsewhere.
    """

    groups: tuple[Group, ...]
    states: int
    exhaustive: bool


def windows(program: Program) -> tuple[Window, ...]:
    """Return for each cut (one more than there are steps) the window in which it falls."""
    acknowledged = invoked = -1
    found = [Window(-1, -1)]
    for step in program.steps:
        if isinstance(step, Mark):
            if step.moment is Moment.INVOKED:
                invoked = step.update
            else:
                acknowledged = step.update
        found.append(Window(acknowledged, invoked))
    return tuple(found)


def enumerate_states(
    program: Program,
    model: PersistenceModel,
    *,
    subsets_per_cut: int,
    images: int,
    seed: int = 0,
) -> Enumeration:
    """Return the distinct crash images of ``program`` under ``model``, simplest first.

    Losses at one cut are tried exhaustively up to ``subsets_per_cut`` distinct outcomes, beyond that by prefixes,
    omissions of one, lone survivors, losses of whole files, and samples drawn with ``seed``. At most ``images`` images
    are returned; the rest of the bound is said in ``exhaustive``.
    """
    return _Search(program, model, subsets_per_cut, images, seed).run()


def settled_states(
    program: Program, model: PersistenceModel, *, subsets_per_cut: int, images: int, seed: int = 0
) -> tuple[Group, ...]:
    """Return the images of power losses before which only the update in flight has not reached the disk.

    They are among those of ``enumerate_states``, which an earlier loss may explain there: here nothing earlier is lost.
    """
    found = []
    for number, step in enumerate(program.steps):
        if isinstance(step, Mark) and step.moment is Moment.INVOKED and step.update > 0:
            found += _Search(program, Settled(model, number), subsets_per_cut, images, seed).in_flight(number)
    return tuple(found)


def is_settled(program: Program, state: CrashState) -> bool:
    """Say whether a power loss takes nothing but what belongs to the update in flight, the opening aside."""
    window = windows(program)[state.cut]
    if state.crash is Crash.PROCESS or not window.in_flight or window.invoked < 1:
        return False
    invoked = next(n for n, s in enumerate(program.steps) if s == Mark(Moment.INVOKED, window.invoked))
    return all(m >= program.starts[invoked] for m in state.lost)


def images_reached(
    program: Program,
    model: PersistenceModel,
    wanted: Iterable[tuple[Window, DurableImage]],
    *,
    subsets_per_file: int,
) -> Iterator[bool]:
    """Say of each image whether ``model`` lets a power loss in its window leave it, by whichever losses."""
    reach = Reach(program, model, outcomes=subsets_per_file)
    return (reach.includes(window, image) for window, image in wanted)


class Reach:
    """What a model lets a power loss leave of a program, asked image by image; what was found out is kept.

    A no is certain only while ``exhaustive`` stands: no file and no set of names had more than ``outcomes``.
    """

    def __init__(self, program: Program, model: PersistenceModel, *, outcomes: int) -> None:
        self._search = _Search(program, model, outcomes, 0, 0)

    @property
    def exhaustive(self) -> bool:
        return self._search.exhaustive

    def includes(self, window: Window, image: DurableImage) -> bool:
        """Say whether a power loss in ``window`` can leave ``image``, by whichever losses."""
        return self._search.reaches(window, image)


def image_of(program: Program, state: CrashState) -> DurableImage:
    """Return what a reader finds in one state."""
    if state.partial is not None:
        return image_within(program, state.cut, state.partial, keeping_of(program))
    return _Search(program, STRICT, 1, 1, 0).single(state)


Paths = tuple[tuple[str, Inode], ...]
"""A tree as (path, inode), parents first."""
_UNVARIED: tuple[Loss, bytes] = ((), b"")
"""What stands for a directory or a symlink among the variants of files."""
Variants = tuple[tuple[tuple[Loss, bytes], ...], bool]
"""The contents that a file can have, each with the losses that give it; and whether these are all of them."""


class _Search:
    def __init__(self, program: Program, model: PersistenceModel, limit: int, images: int, seed: int) -> None:
        self.program = program
        self.model = model
        self.limit = limit
        self.images = images
        self.random = random.Random(seed)  # noqa: S311 - a reproducible choice, no secret
        self.pins = model.pins(program)
        self.held = model.held(program)
        self.journal = model.journal(program)
        self.windows = windows(program)
        self.exhaustive = True
        self.states = 0
        self.groups: dict[tuple[Window, DurableImage, tuple[object, ...]], Group] = {}
        self.contents: dict[tuple[Inode, int, Loss, Loss], Variants] = {}
        self.variants_at: dict[tuple[Inode, int, Loss], Variants] = {}
        self.trees_at: dict[int, dict[tuple[str, ...], list[tuple[Paths, Loss]]]] = {}
        self.content_sets: dict[int, frozenset[bytes]] = {}  # by identity of what is kept in ``contents``
        self.of_inode: dict[Inode, list[int]] = {}
        self.names: list[int] = []
        for m, part in enumerate(program.micros):
            if isinstance(part, Name):
                self.names.append(m)
            else:
                self.of_inode.setdefault(part.inode, []).append(m)
        self.keeping = keeping_of(program)
        self.kinds = self.keeping.kinds

    def run(self) -> Enumeration:
        self._process_crashes()
        self._power_losses()
        groups = sorted(self.groups.values(), key=lambda g: g.simplest.simplicity)
        if len(groups) > self.images:
            self.exhaustive = False
            groups = _spread(groups, self.images)
        return Enumeration(tuple(groups), self.states, self.exhaustive)

    def in_flight(self, invoked: int) -> list[Group]:
        """Return the groups of power losses after the mark number ``invoked``, until the next mark."""
        marks = (n for n, s in enumerate(self.program.steps) if n > invoked and isinstance(s, Mark))
        last = next(marks, len(self.program.steps))
        for cut in self._ends_of_segments():
            if invoked < cut <= last:
                self._at(cut)
        groups = [replace(group, settled=True) for group in self.groups.values()]
        return sorted(groups, key=lambda g: g.simplest.simplicity)[: self.images]

    def single(self, state: CrashState) -> DurableImage:
        """Return the image of one state, whether or not the model allows it."""
        end, lost = self.program.starts[state.cut], frozenset(state.lost)
        tree = self._tree(end, lost)
        files = {inode for _, inode in tree if self.kinds[inode][0] is Kind.FILE}
        return self._image(
            tree,
            {inode: self._content_without(inode, end, lost) for inode in sorted(files)},
            state.cut,
            state.lost,
        )

    # -- process crashes: an exact prefix -------------------------------------------------------------------------

    def _process_crashes(self) -> None:
        for state_cut, partial, image in images_of_prefixes(self.program, self.keeping):
            self._found(CrashState(Crash.PROCESS, state_cut, partial=partial), image)
        self.states += len(self.program.steps) + 1

    # -- power losses: a prefix less any subset of what nothing pins -----------------------------------------------

    def _power_losses(self) -> None:
        """Add the images of all cuts.

        Between two marks or syncs nothing is pinned: a crash there is one at the last cut with everything after it
        lost, so that only the last one is searched.
        """
        first = 0
        for cut in self._ends_of_segments():
            complete = self._at(cut)
            for earlier in range(first, cut + 1):
                losable = len(self._losable(earlier))
                self.states += 2**losable if complete and losable < 64 else min(2**losable, self.limit)
            first = cut + 1

    def _ends_of_segments(self) -> Iterator[int]:
        steps = self.program.steps
        for cut in range(len(steps) + 1):
            if cut == len(steps) or isinstance(steps[cut], (Mark, Sync, SyncAll, WriteThrough)):
                yield cut

    def _losable(self, cut: int) -> list[int]:
        return [m for m in range(self.program.starts[cut]) if (pin := self.pins[m]) is None or pin >= cut]

    def _at(self, cut: int) -> bool:
        """Add every image of a crash at ``cut``; say whether the search there was complete."""
        before, self.exhaustive = self.exhaustive, True
        total = 0
        plans = []
        for tree, lost_before, rest in self._trees(cut):
            files = self._files(tree)
            choices = [self._variants(inode, cut, lost_before) for inode in files]
            total += prod(len(c) for c in choices)
            plans.append((tree, (*lost_before, *rest), files, choices))
        for tree, lost_before, files, choices in plans:
            picked: Iterable[tuple[tuple[Loss, bytes], ...]]
            if total <= self.limit:
                picked = product(*choices)
            else:
                self.exhaustive = False
                picked = self._some(choices, max(4, self.limit // max(1, len(plans))))
            varied = {ROOT, *files}  # names always count
            made: dict[tuple[str, Loss], ImageFile] = {}
            for choice in picked:
                lost = tuple(sorted((*lost_before, *(m for loss, _ in choice for m in loss))))
                image = self._combined(tree, dict(zip(files, choice, strict=True)), cut, lost_before, made)
                self._found(self._simplified(cut, lost, varied), image)
        complete = self.exhaustive
        self.exhaustive = complete and before
        return complete

    def _files(self, tree: Paths) -> list[Inode]:
        return sorted({inode for _, inode in tree if self.kinds[inode][0] is Kind.FILE})

    def _trees(self, cut: int) -> Iterator[tuple[Paths, Loss, Loss]]:
        """Yield each tree that names can lead to at ``cut``, with the losses that make it, fewest first.

        Second come the losses of names and of whatever else is ordered with them, third those that these entail in
        files which no name leads to: what was written after a truncation that is lost.
        """
        end = self.program.starts[cut]
        free = self._losable(cut)
        ordered = [m for m in free if m in self.journal]
        names = [m for m in free if isinstance(self.program.micros[m], Name) and m not in self.journal]
        names = [m for m in names if m not in self.held or not self.held[m].binds(cut, frozenset(), end)]
        seen = set()
        for at in range(len(ordered), -1, -1):
            if at < len(ordered) and self._halved(ordered[at - 1] if at else None, ordered[at]):
                continue
            behind = ordered[at - 1] if at else -1  # whatever came before that has come with it
            ahead = [m for m in names if m > behind]
            for some in self._subsets(ahead, self._by_directory(ahead)):
                lost = tuple(sorted((*ordered[at:], *some)))
                gone = frozenset(lost)
                if any(m in self.held and self.held[m].binds(cut, gone, end) for m in some):
                    continue
                tree = self._tree(end, gone)
                if not self.journal:
                    key: tuple[object, ...] = (tree,)
                    hidden: Set[Inode] = set()
                else:
                    files = self._files(tree)
                    sizes = {m: part.inode for m in lost if not isinstance(part := self.program.micros[m], Name)}
                    brought = tuple(self.model.brought(self.program, inode, end, gone) for inode in files)
                    key = (tree, tuple(m for m, inode in sizes.items() if inode in files), brought)
                    hidden = set(sizes.values()).difference(files)
                if key not in seen:
                    seen.add(key)
                    yield tree, lost, tuple(m for inode in hidden for m in self._variants(inode, cut, lost)[0][0])

    def _halved(self, last: int | None, first: int) -> bool:
        """Say whether a rename between directories would be cut in two: what is ordered is not."""
        if last is None or last + 1 != first:
            return False
        part = self.program.micros[last]
        return isinstance(part, Name) and part.half

    def reaches(self, window: Window, image: DurableImage) -> bool:
        """Say whether the model lets a power loss in ``window`` leave ``image``.

        No is certain only while ``exhaustive`` stands.
        """
        wanted = {f.path: f.content for f in image.files}
        paths = image.paths()
        for cut in self._ends_of_segments():
            if self.windows[cut] != window:
                continue
            for tree, lost in self._trees_by_path(cut).get(paths, ()):
                contents = {inode: wanted[path] for path, inode in tree if self.kinds[inode][0] is Kind.FILE}
                if self._image(tree, contents, cut, ()) == image and all(
                    contents[inode] in self._contents(inode, cut, lost) for inode in contents
                ):
                    return True
        return False

    def _trees_by_path(self, cut: int) -> dict[tuple[str, ...], list[tuple[Paths, Loss]]]:
        if cut not in self.trees_at:
            found = self.trees_at[cut] = {}
            for tree, lost, _ in self._trees(cut):
                found.setdefault(tuple(path for path, _ in tree), []).append((tree, lost))
        return self.trees_at[cut]

    def _contents(self, inode: Inode, cut: int, lost: Loss) -> frozenset[bytes]:
        variants = self._variants(inode, cut, lost)
        known = self.content_sets.get(id(variants))
        if known is None:
            known = self.content_sets[id(variants)] = frozenset(content for _, content in variants)
        return known

    def _content_without(self, inode: Inode, end: int, lost: frozenset[int]) -> bytes:
        node = self.program.initial.nodes.get(inode)
        parts = [(m, self.program.micros[m]) for m in self.of_inode.get(inode, ()) if m < end]
        return content_left(Pages.of(node.content if node is not None else b""), parts, lost)

    def _simplified(self, cut: int, lost: Loss, files: Set[Inode]) -> CrashState:
        """Move the cut before trailing steps of which nothing arrived in ``files``: those need not have been issued."""
        gone = set(lost)
        while cut:
            step = self.program.steps[cut - 1]
            issued = range(self.program.starts[cut - 1], self.program.starts[cut])
            if isinstance(step, (Mark, Sync, SyncAll, SetTime, WriteThrough)) or not all(
                m in gone or getattr(self.program.micros[m], "inode", ROOT) not in files for m in issued
            ):
                break
            gone.difference_update(issued)
            cut -= 1
        return CrashState(Crash.POWER, cut, tuple(sorted(gone)))

    def _subsets(self, items: Sequence[int], related: Sequence[Sequence[int]]) -> Iterator[Loss]:
        """Yield subsets of losable items, fewest first: all of them, or a telling selection where they are too many."""
        n = len(items)
        if 2**n <= self.limit:
            for size in range(n + 1):
                yield from combinations(items, size)
            return
        self.exhaustive = False
        chosen: dict[Loss, None] = {(): None}
        for item in items:
            chosen[(item,)] = None  # omit one
        for at in range(n):
            chosen[tuple(items[at:])] = None  # a prefix arrived
            chosen[tuple(items[:at])] = None  # a suffix arrived
            chosen[(*items[:at], *items[at + 1 :])] = None  # lone survivor
        for group in related:
            chosen[tuple(group)] = None  # everything of one file or directory
        while len(chosen) < self.limit // 4:
            chosen[tuple(item for item in items if self.random.random() < 0.5)] = None
        yield from sorted(chosen, key=lambda lost: (len(lost), lost))

    def _by_directory(self, names: Sequence[int]) -> list[list[int]]:
        groups: dict[Inode, list[int]] = {}
        for m in names:
            part = self.program.micros[m]
            if isinstance(part, Name):
                for entry, inode in part.changes:
                    groups.setdefault(entry.directory, []).append(m)
                    if inode is not None:
                        groups.setdefault(inode, []).append(m)
        return [sorted(set(group)) for group in groups.values()]

    def _tree(self, end: int, lost: frozenset[int]) -> Paths:
        """Return (path, inode) of all that is reachable when the names in ``lost`` are."""
        entries: dict[Inode, dict[str, Inode]] = {
            inode: dict(node.entries)
            for inode, node in self.program.initial.nodes.items()
            if node.kind is Kind.DIRECTORY
        }
        for m in self.names:
            if m >= end:
                break
            if m in lost:
                continue
            part = self.program.micros[m]
            assert isinstance(part, Name)
            for entry, inode in part.changes:
                names = entries.setdefault(entry.directory, {})
                if inode is not None:
                    names[entry.name] = inode
                elif names.get(entry.name) == part.about:
                    del names[entry.name]
        found: list[tuple[str, Inode]] = []

        def walk(prefix: str, directory: Inode, above: tuple[Inode, ...]) -> None:
            for name, inode in sorted(entries.get(directory, {}).items()):
                path = prefix + name
                found.append((path, inode))
                if self.kinds[inode][0] is Kind.DIRECTORY and inode not in above:
                    walk(path + "/", inode, (*above, inode))

        walk("", ROOT, (ROOT,))
        return tuple(found)

    def _variants(self, inode: Inode, cut: int, lost_before: Loss) -> tuple[tuple[Loss, bytes], ...]:
        """Return the distinct contents that a file can have, each with the fewest further losses that give it."""
        if not self.journal:
            lost_before = ()  # names have no say in what a file holds
        known = self.variants_at.get((inode, cut, lost_before))
        if known is None:
            known = self.variants_at[inode, cut, lost_before] = self._varied(inode, cut, lost_before)
        variants, complete = known
        self.exhaustive = self.exhaustive and complete
        return variants

    def _varied(self, inode: Inode, cut: int, lost_before: Loss) -> Variants:
        end = self.program.starts[cut]
        own = [m for m in self.of_inode.get(inode, ()) if m < end]
        gone = frozenset(lost_before)
        brought = self.model.brought(self.program, inode, end, gone)
        losable = tuple(
            m
            for m in own
            if ((pin := self.pins[m]) is None or pin >= cut) and m not in self.journal and m not in brought
        )
        ordered = tuple(m for m in own if m in gone)
        key = (inode, len(own), losable, ordered)
        if key not in self.contents:
            node = self.program.initial.nodes.get(inode)
            initial = node.content if node is not None else b""
            parts = [(m, self.program.micros[m]) for m in own]
            rule = self.model.content_rule(self.program, inode)
            found = all_contents(Pages.of(initial), parts, gone, frozenset(losable), rule, self.limit)
            if found is None:
                found = self._some_contents(Pages.of(initial), parts, ordered, losable, rule)
                complete = False
            else:
                complete = not any(isinstance(part, Data) and part.joined and m in losable for m, part in parts)
            self.contents[key] = (tuple((lost, content) for content, lost in found.items()), complete)
        return self.contents[key]

    def _some_contents(
        self, initial: "Pages", parts: Sequence[tuple[int, Micro]], ordered: Loss, losable: Loss, rule: ContentRule
    ) -> dict[bytes, Loss]:
        """Return a telling selection of the contents of a file that has too many, each with losses that give it."""
        by_operation: dict[int, list[int]] = {}
        for m in losable:
            by_operation.setdefault(self.program.micros[m].operation, []).append(m)
        distinct: dict[bytes, Loss] = {}
        for lost in self._subsets(losable, list(by_operation.values())):
            all_lost = frozenset((*ordered, *lost))
            if rule.allows(parts, all_lost):
                distinct.setdefault(content_left(initial, parts, all_lost), lost)
        return distinct

    def _some(
        self, choices: list[tuple[tuple[Loss, bytes], ...]], limit: int
    ) -> Iterator[tuple[tuple[Loss, bytes], ...]]:
        """Yield combinations of file contents: one file varied at a time, all at their worst, then samples."""
        best = tuple(c[0] for c in choices)
        seen: dict[tuple[Loss, ...], None] = {}

        def fresh(choice: tuple[tuple[Loss, bytes], ...]) -> bool:
            key = tuple(loss for loss, _ in choice)
            return key not in seen and seen.setdefault(key) is None

        for choice in (best, tuple(c[-1] for c in choices)):
            if fresh(choice):
                yield choice
        for position, variants in enumerate(choices):
            for variant in variants[: max(1, limit // max(1, len(choices)))]:
                choice = (*best[:position], variant, *best[position + 1 :])
                if fresh(choice):
                    yield choice
        for _ in range(limit):
            if len(seen) >= limit:
                return
            choice = tuple(self.random.choice(c) for c in choices)
            if fresh(choice):
                yield choice

    def _combined(
        self,
        tree: Paths,
        choice: dict[Inode, tuple[Loss, bytes]],
        cut: int,
        lost_before: Loss,
        made: dict[tuple[str, Loss], ImageFile],
    ) -> DurableImage:
        """Return the image of a tree with one variant of each file; what has been ``made`` for another is taken again.

        All combinations of a tree are of a few files each.
        """
        files = []
        for path, inode in tree:
            loss, content = choice.get(inode, _UNVARIED)
            file = made.get((path, loss))
            if file is None:
                kept = self.keeping.at(inode, cut, frozenset((*lost_before, *loss)))
                file = made[path, loss] = image_file(path, inode, self.kinds[inode], kept, content)
            files.append(file)
        return DurableImage(tuple(files))

    def _image(self, tree: Paths, contents: dict[Inode, bytes], cut: int, lost: Loss) -> DurableImage:
        gone = frozenset(lost)
        return DurableImage(
            tuple(
                image_file(path, inode, self.kinds[inode], self.keeping.at(inode, cut, gone), contents.get(inode, b""))
                for path, inode in tree
            )
        )

    def _found(self, state: CrashState, image: DurableImage) -> None:
        window = self.windows[state.cut]
        key = (window, image, image.beside)
        old = self.groups.get(key)
        process = old.process if old else None
        power = old.power if old else None
        known = process if state.crash is Crash.PROCESS else power
        if known is not None and known.simplicity <= state.simplicity:
            return
        if state.crash is Crash.PROCESS:
            process = state
        else:
            power = state
        self.groups[key] = Group(window, old.image if old else image, process, power)


def _spread(groups: list[Group], count: int) -> list[Group]:
    """Pick ``count`` groups so that every window keeps its simplest ones and every process crash stays."""
    by_window: dict[Window, list[Group]] = {}
    for group in groups:
        by_window.setdefault(group.window, []).append(group)
    queues = [sorted(g, key=_process_first) for g in by_window.values()]
    heap: list[tuple[int, int]] = []
    for number in range(len(queues)):
        heappush(heap, (0, number))
    picked: list[Group] = []
    while heap and len(picked) < count:
        rank, number = heappop(heap)
        picked.append(queues[number][rank])
        if rank + 1 < len(queues[number]):
            heappush(heap, (rank + 1, number))
    return sorted(picked, key=lambda g: g.simplest.simplicity)


def _process_first(group: Group) -> tuple[bool, int, tuple[int, int, int, tuple[int, ...], int]]:
    return (group.process is None, len(group.simplest.lost), group.simplest.simplicity)
