"""Every crash state that a persistence model allows, grouped by what a reader would find: simplest first.

States are not tried one by one and compared afterwards. Names and the contents of each file are varied separately,
files that no surviving name leads to are not varied at all, and equal results are joined before they are combined:
a file that is written anew a hundred times without a sync has 2**700 states and a few hundred images.
"""

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import chain, combinations, product
from math import prod
from operator import itemgetter

from pytest_tradestore.crash.content import ContentRule
from pytest_tradestore.crash.crash_state import (
    WHOLE,
    Crash,
    CrashState,
    Group,
    Simplicity,
    Window,
    state_of,
    windows,
)
from pytest_tradestore.crash.images import DurableImage, links
from pytest_tradestore.crash.likeness import Likeness, Look, Part, image_of_parts
from pytest_tradestore.crash.lowering import Data, Micro, Name, Program, WriteThrough
from pytest_tradestore.crash.models import STRICT, PersistenceModel, Settled
from pytest_tradestore.crash.naming import Naming, Paths, forgotten_by_one
from pytest_tradestore.crash.operations import ROOT, Inode, Kind, Mark, MarkKind, SetTime, Sync, SyncAll
from pytest_tradestore.crash.pages import Loss, Pages, all_contents, content_left
from pytest_tradestore.crash.prefixes import image_file, image_within, images_of_prefixes, keeping_of


@dataclass(frozen=True, slots=True)
class Enumeration:
    """What was enumerated: groups in order, how many states they stand for, and whether that was all of them.

    ``states`` counts every subset of losses at every cut where the search was complete, and the tried ones elsewhere.
    """

    groups: tuple[Group, ...]
    states: int
    exhaustive: bool


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
        if isinstance(step, Mark) and step.moment is MarkKind.INVOKED and step.update > 0:
            found += _Search(program, Settled(model, number), subsets_per_cut, images, seed).in_flight(number)
    return tuple(found)


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


_UNVARIED: tuple[tuple[Loss, bytes], ...] = (((), b""),)
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
        numbers = {window: number for number, window in enumerate(dict.fromkeys(self.windows))}
        self.window_numbers = [numbers[window] for window in self.windows]
        self.exhaustive = True
        self.states = 0
        self.likeness = Likeness()
        self.found: dict[tuple[int, Look], _Found] = {}
        self.contents: dict[tuple[Inode, int, Loss, Loss], Variants] = {}
        self.variants_at: dict[tuple[Inode, int, Loss], Variants] = {}
        self.trees_at: dict[int, dict[tuple[str, ...], list[tuple[Paths, Loss]]]] = {}
        self.content_sets: dict[int, frozenset[bytes]] = {}  # by identity of what is kept in ``contents``
        self.of_inode: dict[Inode, list[int]] = {}
        for m, part in enumerate(program.micros):
            if not isinstance(part, Name):
                self.of_inode.setdefault(part.inode, []).append(m)
        self.keeping = keeping_of(program)
        self.kinds = self.keeping.kinds
        self.naming = Naming(program, self.kinds)

    def run(self) -> Enumeration:
        self._process_crashes()
        self._power_losses()
        found = list(self.found.values())
        if len(found) > self.images:
            self.exhaustive = False
            found = _spread(found, self.images)
        return Enumeration(tuple(self._groups(found)), self.states, self.exhaustive)

    def in_flight(self, invoked: int) -> list[Group]:
        """Return the groups of power losses after the mark number ``invoked``, until the next mark."""
        marks = (n for n, s in enumerate(self.program.steps) if n > invoked and isinstance(s, Mark))
        last = next(marks, len(self.program.steps))
        for cut in self._ends_of_segments():
            if invoked < cut <= last:
                self._at(cut)
        groups = self._groups(self.found.values())
        return [replace(group, settled=True) for group in groups[: self.images]]

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
            parts = [self.likeness.part(file) for file in image.files]
            look = self.likeness.look(links(file.inode for file in image.files), parts)
            self._found(state_cut, look, parts).add(CrashState(Crash.PROCESS, state_cut, partial=partial).simplicity)
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
                subsets = self.naming.subsets(self._losable(earlier))
                self.states += subsets if complete and subsets < 2**64 else min(subsets, self.limit)
            first = cut + 1

    def _ends_of_segments(self) -> Iterator[int]:
        steps = self.program.steps
        for cut in range(len(steps) + 1):
            if cut == len(steps) or isinstance(steps[cut], (Mark, Sync, SyncAll, WriteThrough)):
                yield cut

    def _losable(self, cut: int) -> list[int]:
        """Return what a crash at ``cut`` may take by itself; names that are held are told apart where names are."""
        return [m for m in range(self.program.starts[cut]) if self._is_losable(m, cut)]

    def _is_losable(self, m: int, cut: int) -> bool:
        pin, held = self.pins[m], self.held.get(m)
        if pin is not None:
            return pin >= cut
        return held is None or isinstance(self.program.micros[m], Name) or not held.since < cut <= held.until

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
            counts = [len(c) for c in choices]
            picked: Iterable[_Choice]
            if total <= self.limit:
                picked = product(*map(range, counts))
            else:
                self.exhaustive = False
                picked = self._some(counts, max(4, self.limit // max(1, len(plans))))
            self._add(_Plan(cut, tree, lost_before, files, choices), picked)
        complete = self.exhaustive
        self.exhaustive = complete and before
        return complete

    def _add(self, plan: "_Plan", picked: Iterable["_Choice"]) -> None:
        """Add the images of a tree with the contents picked for its files; all of them are of a few parts each."""
        trailing = self._trailing(plan.cut, {ROOT, *plan.files})  # names always count
        linked = links(inode for _, inode in plan.tree)
        paths = _paths(plan)
        losses = [[loss for loss, _ in variants] for variants in plan.choices]
        gone = frozenset(plan.lost)
        for choice in picked:
            parts = []
            for path, inode, position, variants, made in paths:
                number = 0 if position < 0 else choice[position]
                part = made[number]
                if part is None:
                    loss, content = variants[number]
                    kept = self.keeping.at(inode, plan.cut, gone.union(loss))
                    part = made[number] = self.likeness.part(image_file(path, inode, self.kinds[inode], kept, content))
                parts.append(part)
            lost = sorted(chain(plan.lost, *[of_one[number] for of_one, number in zip(losses, choice, strict=True)]))
            cut = plan.cut
            for before, start, needed in trailing:
                from_there = bisect_left(lost, start)
                if needed and not needed.issubset(lost[from_there:]):
                    break
                cut, lost = before, lost[:from_there]
            look = self.likeness.look(linked, parts)
            self._found(cut, look, parts).add((cut, len(lost), True, tuple(lost), WHOLE))

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
            for tree, lost in self._trees_without(cut, ordered[at:], ahead):
                if not self.journal:
                    key: tuple[object, ...] = (tree,)
                    hidden: Set[Inode] = set()
                else:
                    gone = frozenset(lost)
                    files = self._files(tree)
                    sizes = {m: part.inode for m in lost if not isinstance(part := self.program.micros[m], Name)}
                    brought = tuple(self.model.brought(self.program, inode, end, gone) for inode in files)
                    key = (tree, tuple(m for m, inode in sizes.items() if inode in files), brought)
                    hidden = set(sizes.values()).difference(files)
                if key not in seen:
                    seen.add(key)
                    yield tree, lost, tuple(m for inode in hidden for m in self._variants(inode, cut, lost)[0][0])

    def _trees_without(self, cut: int, gone: Sequence[int], free: Sequence[int]) -> Iterator[tuple[Paths, Loss]]:
        """Yield the trees left when ``gone`` and any of the names in ``free`` are lost, fewest losses first."""
        end = self.program.starts[cut]
        found = self.naming.left(end, frozenset(gone), frozenset(free), self._bound(cut, free), self.limit)
        if found is not None:
            yield from ((tree, tuple(sorted((*gone, *lost)))) for tree, lost in found)
            return
        self.exhaustive = False
        for some in self._subsets(free, self._by_directory(free)):
            lost = tuple(sorted((*gone, *some)))
            missing = frozenset(lost)
            bound = any(m in self.held and self.held[m].binds(cut, missing, end) for m in some)
            if not bound and forgotten_by_one(self.program, missing):
                yield self._tree(end, missing), lost

    def _bound(self, cut: int, free: Sequence[int]) -> dict[int, frozenset[int]]:
        """Return those of ``free`` that can be lost only if one of others has arrived."""
        held, end = self.held, self.program.starts[cut]
        return {m: held[m].newer for m in free if m in held and held[m].binds(cut, held[m].newer, end)}

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

    def _trailing(self, cut: int, files: Set[Inode]) -> list[tuple[int, int, frozenset[int]]]:
        """Return the steps before ``cut`` that need not have been issued if what they do to ``files`` is lost.

        Each with the number of micro-operations issued before it, and those that matter, the last step first.
        """
        found = []
        for number in range(cut - 1, -1, -1):
            step, start = self.program.steps[number], self.program.starts[number]
            if isinstance(step, (Mark, Sync, SyncAll, SetTime, WriteThrough)):
                break
            issued = range(start, self.program.starts[number + 1])
            needed = frozenset(m for m in issued if getattr(self.program.micros[m], "inode", ROOT) in files)
            found.append((number, start, needed))
        return found

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
        return self.naming.without(end, lost)

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
        losable = tuple(m for m in own if self._is_losable(m, cut) and m not in self.journal and m not in brought)
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

    def _some(self, counts: Sequence[int], limit: int) -> Iterator["_Choice"]:
        """Yield combinations of file contents: one file varied at a time, all at their worst, then samples."""
        best = (0,) * len(counts)
        seen: dict[_Choice, None] = {}

        def fresh(choice: _Choice) -> bool:
            return choice not in seen and seen.setdefault(choice) is None

        for choice in (best, tuple(count - 1 for count in counts)):
            if fresh(choice):
                yield choice
        for position, count in enumerate(counts):
            for variant in range(min(count, max(1, limit // max(1, len(counts))))):
                choice = (*best[:position], variant, *best[position + 1 :])
                if fresh(choice):
                    yield choice
        for _ in range(limit):
            if len(seen) >= limit:
                return
            choice = tuple([self.random.choice(range(count)) for count in counts])
            if fresh(choice):
                yield choice

    def _image(self, tree: Paths, contents: dict[Inode, bytes], cut: int, lost: Loss) -> DurableImage:
        gone = frozenset(lost)
        return DurableImage(
            tuple(
                image_file(path, inode, self.kinds[inode], self.keeping.at(inode, cut, gone), contents.get(inode, b""))
                for path, inode in tree
            )
        )

    def _found(self, cut: int, look: Look, parts: Sequence[Part]) -> "_Found":
        """Return what there is of a look in the window of ``cut``."""
        key = (self.window_numbers[cut], look)
        found = self.found.get(key)
        if found is None:
            found = self.found[key] = _Found(key[0], look, parts)
        return found

    def _groups(self, found: Iterable["_Found"]) -> list[Group]:
        """Return these as groups, the simplest first."""
        made = []
        for simplest, one in sorted(((one.simplest, one) for one in found), key=itemgetter(0)):
            image = image_of_parts(one.look, one.parts)
            process, power = (of_kind and state_of(of_kind) for of_kind in (one.process, one.power))
            made.append(Group(self.windows[simplest[0]], image, process, power))
        return made


_Choice = tuple[int, ...]
"""For each file of a tree the number of one of its variants."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A tree at a cut, with the losses that lead to it, its regular files, and what each of them can hold."""

    cut: int
    tree: Paths
    lost: Loss
    files: Sequence[Inode]
    choices: Sequence[tuple[tuple[Loss, bytes], ...]]


def _paths(plan: _Plan) -> list[tuple[str, Inode, int, tuple[tuple[Loss, bytes], ...], list[Part | None]]]:
    """Return each path with its file, that one's place in a choice (-1: none), variants, and room for their parts."""
    at = {inode: position for position, inode in enumerate(plan.files)}
    found = []
    for path, inode in plan.tree:
        position = at.get(inode, -1)
        variants = _UNVARIED if position < 0 else plan.choices[position]
        room: list[Part | None] = [None] * len(variants)
        found.append((path, inode, position, variants, room))
    return found


class _Found:
    """A group in the making: of each kind of crash the simplest state so far, told by its simplicity."""

    __slots__ = ("look", "parts", "power", "process", "window")

    def __init__(self, window: int, look: Look, parts: Sequence[Part]) -> None:
        self.window, self.look, self.parts = window, look, parts
        self.process: Simplicity | None = None
        self.power: Simplicity | None = None

    def add(self, simplicity: Simplicity) -> None:
        """Take in one more state, unless a simpler one of its kind is known."""
        if not simplicity[2]:
            if self.process is None or simplicity < self.process:
                self.process = simplicity
        elif self.power is None or simplicity < self.power:
            self.power = simplicity

    @property
    def simplest(self) -> Simplicity:
        process, power = self.process, self.power
        if process is None or (power is not None and power < process):
            assert power is not None
            return power
        return process


def _spread(found: list[_Found], count: int) -> list[_Found]:
    """Pick ``count`` so that every window keeps its simplest ones and every process crash stays."""
    by_window: dict[int, list[tuple[bool, int, Simplicity, int, _Found]]] = {}
    for number, one in enumerate(found):
        simplicity = one.simplest
        by_window.setdefault(one.window, []).append(
            (one.process is None, simplicity[1], simplicity, number, one)  # a process crash first, then fewest losses
        )
    queues = [by_window[window] for window in sorted(by_window)]
    for queue in queues:
        heapify(queue)  # few of them are taken
    heap = [(0, number) for number in range(len(queues))]
    picked: list[_Found] = []
    while heap and len(picked) < count:
        rank, number = heappop(heap)
        picked.append(heappop(queues[number])[-1])
        if queues[number]:
            heappush(heap, (rank + 1, number))
    return picked
