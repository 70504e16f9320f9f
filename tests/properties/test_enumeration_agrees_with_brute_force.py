"""The enumeration factors names and contents and skips cuts; here every cut and every subset is tried, one by one.

The brute force shares the lowering and the rules of each model with the engine, and nothing else: it applies
micro-operations to pages and names in its own way.
"""

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_tradestore.crash.crash_state import Crash, CrashState, Window
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.lowering import PAGE, Data, Extent, Name, Sets, Size, lower
from pytest_tradestore.crash.models import MODELS, STRICT
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
    Origin,
    Rename,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.trace import FrozenNode, Snapshot, Trace, Tree

pytestmark = pytest.mark.proof

MOST_FREE = 9
"""Micro-operations that may be lost at one cut: 512 subsets."""


class Block(bytes):
    """Bytes whose repr is short, so that a failing example can be read."""

    def __repr__(self):
        return f"Block({self[:1]!r} * {len(self)})"


INITIAL = Snapshot(
    {
        ROOT: FrozenNode(Kind.DIRECTORY, entries=(("a", Inode(1)), ("d", Inode(2)))),
        Inode(1): FrozenNode(Kind.FILE, content=Block(b"o" * 6000)),
        Inode(2): FrozenNode(Kind.DIRECTORY, entries=(("x", Inode(3)),)),
        Inode(3): FrozenNode(Kind.FILE, content=b"inner"),
    }
)

ACTIONS = (
    *("create", "mkdir", "write", "write", "truncate", "allocate", "link", "unlink"),
    *("rename", "rename", "exchange", "sync", "sync_directory", "sync_all", "acknowledge", "invoke", "nameless"),
)


def entries_of(tree, kind=None):
    """Every (entry, inode) that can be reached, in a fixed order."""
    found = []
    pending = [ROOT]
    while pending:
        directory = pending.pop(0)
        for name, inode in sorted(tree.nodes[directory].entries.items()):
            if kind is None or tree.nodes[inode].kind is kind:
                found.append((Entry(directory, name), inode))
            if tree.nodes[inode].kind is Kind.DIRECTORY:
                pending.append(inode)
    return found


def directories_of(tree):
    return [ROOT, *(inode for _, inode in entries_of(tree, Kind.DIRECTORY))]


def below(tree, directory, other):
    return directory == other or any(
        tree.nodes[child].kind is Kind.DIRECTORY and below(tree, child, other)
        for child in tree.nodes[directory].entries.values()
    )


@st.composite
def traces(draw):
    """Short traces in which everything is possible for a program; calls overlap in time here and there."""
    tree = Tree(INITIAL)
    operations = []
    update = 0
    for number in range(draw(st.integers(1, 8))):
        start = 2 * number + 1 - draw(st.sampled_from((0, 0, 0, 2, 4)))
        origin = Origin(start=start, end=2 * number + 2)
        operation = drawn(draw, tree, update, origin)
        if operation is None:
            continue
        if isinstance(operation, Mark):
            update = operation.update
        tree.apply(operation)
        operations.append(operation)
    return Trace("drawn", INITIAL, tuple(operations))


def drawn(draw, tree, update, origin):
    action = draw(st.sampled_from(ACTIONS))
    files = entries_of(tree, Kind.FILE)
    place = Entry(draw(st.sampled_from(directories_of(tree))), draw(st.sampled_from("abtx")))
    inode = draw(st.sampled_from(sorted(i for i, n in tree.nodes.items() if n.kind is Kind.FILE)))
    taken = tree.nodes[place.directory].entries.get(place.name)
    new = Inode(max(tree.nodes) + 1)
    match action:
        case "create" | "mkdir" if taken is None:
            return Create(new, Kind.FILE if action == "create" else Kind.DIRECTORY, place, origin=origin)
        case "nameless":
            return Create(new, Kind.FILE, None, origin=origin)
        case "write":
            data = draw(
                st.sampled_from(
                    (b"1", b"22", Block(b"3" * PAGE), Block(b"4" * (PAGE + 1)), Block(b"5" * (2 * PAGE + 7)))
                )
            )
            offset = draw(st.sampled_from((0, 1, 100, PAGE, PAGE + 3, len(tree.nodes[inode].content))))
            return Write(inode, offset, data, durable=draw(st.sampled_from((False, False, True))), origin=origin)
        case "truncate":
            return Truncate(inode, draw(st.sampled_from((0, 0, 3, PAGE, PAGE + 1, 3 * PAGE))), origin=origin)
        case "allocate":
            return Allocate(inode, draw(st.sampled_from((10, PAGE + 1, 3 * PAGE))), origin=origin)
        case "link" if taken is None:
            return Link(inode, place, origin=origin)
        case "unlink" if files:
            entry, which = draw(st.sampled_from(files))
            return Unlink(which, entry, origin=origin)
        case "rename" | "exchange":
            source, moved = draw(st.sampled_from(entries_of(tree) or [(place, None)]))
            if moved is None or moved == taken or source == place:
                return None
            directory = tree.nodes[moved].kind is Kind.DIRECTORY
            if directory and below(tree, moved, place.directory):
                return None
            if action == "exchange":
                if taken is None or (tree.nodes[taken].kind is Kind.DIRECTORY and below(tree, taken, source.directory)):
                    return None
                return Rename(moved, source, place, taken, exchange=True, origin=origin)
            if taken is not None and (directory or tree.nodes[taken].kind is Kind.DIRECTORY):
                return None
            return Rename(moved, source, place, taken, origin=origin)
        case "sync":
            kind = draw(st.sampled_from((SyncKind.FSYNC, SyncKind.FDATASYNC, SyncKind.FULL)))
            return Sync(inode, kind, failed=draw(st.sampled_from((False, False, True))), origin=origin)
        case "sync_directory":
            kind = draw(st.sampled_from((SyncKind.FSYNC, SyncKind.FULL)))
            return Sync(place.directory, kind, origin=origin)
        case "sync_all":
            return SyncAll(origin=origin)
        case "invoke":
            return Mark(MarkKind.INVOKED, update + 1, origin=origin)
        case "acknowledge":
            return Mark(MarkKind.ACKNOWLEDGED, update, origin=origin)
    return None


# -- the brute force --------------------------------------------------------------------------------------------------


class Disk:
    """What is on a disk: sizes, pages and names, each set by the micro-operations that arrive."""

    def __init__(self, program):
        self.kinds = {inode: node.kind for inode, node in program.initial.nodes.items()}
        for step in program.steps:
            if isinstance(step, Create):
                self.kinds[step.inode] = step.kind
        self.sizes, self.pages, self.entries = {}, {}, {}
        for inode, node in program.initial.nodes.items():
            self.sizes[inode] = len(node.content)
            for at in range(0, len(node.content), PAGE):
                self.pages[inode, at // PAGE] = node.content[at : at + PAGE].ljust(PAGE, b"\0")
            self.entries[inode] = dict(node.entries)

    def receive(self, micro):
        match micro:
            case Data(_, inode, offset, content):
                for at in range(0, len(content), PAGE):
                    self.pages[inode, (offset + at) // PAGE] = content[at : at + PAGE]
            case Size(_, inode, size, Sets.LEAST):
                self.sizes[inode] = max(size, self.sizes.get(inode, 0))
            case Size(_, inode, size, sets):
                self.sizes[inode] = size
                for which, page in list(self.pages):
                    if sets is Sets.CUT and which == inode and page * PAGE >= size:
                        del self.pages[which, page]
            case Name(_, changes, about):
                for entry, inode in changes:
                    names = self.entries.setdefault(entry.directory, {})
                    if inode is not None:
                        names[entry.name] = inode
                    elif names.get(entry.name) == about:
                        names.pop(entry.name)

    def content(self, inode):
        size = self.sizes.get(inode, 0)
        pages = (self.pages.get((inode, page), bytes(PAGE)) for page in range(-(-size // PAGE)))
        return b"".join(pages)[:size]

    def image(self):
        files = []

        def visit(directory, prefix, above):
            for name in sorted(self.entries.get(directory, {})):
                inode = self.entries[directory][name]
                kind = self.kinds[inode]
                content = self.content(inode) if kind is Kind.FILE else b""
                files.append(ImageFile(prefix + name, kind, 0o644, content, "", inode))
                if kind is Kind.DIRECTORY and inode not in above:
                    visit(inode, f"{prefix}{name}/", {*above, inode})

        visit(ROOT, "", {ROOT})
        return DurableImage(tuple(files))


def image_of(program, state):
    """The image of one state, by applying what arrived and nothing else."""
    if state.partial is not None:
        return partial_image(program, state.cut, state.partial)
    disk = Disk(program)
    for m in range(program.starts[state.cut]):
        if m not in state.lost:
            disk.receive(program.micros[m])
    return disk.image()


def partial_image(program, cut, at):
    """The image after a process died in the write that is the last step before ``cut``, when it had reached ``at``."""
    write = program.steps[cut - 1].write
    done = [s.write if isinstance(s, Extent) else s for s in program.steps[: cut - 1]]
    done.append(Write(write.inode, write.offset, write.data[: at - write.offset]))
    tree = Tree(program.initial)
    for step in done:
        tree.apply(step)
    files = (
        ImageFile(path, (n := tree.nodes[inode]).kind, n.mode, bytes(n.content), n.target, inode)
        for path, inode in tree.walk()
    )
    return DurableImage(tuple(files))


def window_at(program, cut):
    marks = [step for step in program.steps[:cut] if isinstance(step, Mark)]
    invoked = [m.update for m in marks if m.moment is MarkKind.INVOKED]
    acknowledged = [m.update for m in marks if m.moment is MarkKind.ACKNOWLEDGED]
    return Window((acknowledged or [-1])[-1], (invoked or [-1])[-1])


def free_at(program, model, cut):
    """What a power loss may take by itself: data that is held for a while is not free meanwhile."""
    pins, held = model.pins(program), model.held(program)

    def kept(m):
        return m in held and not isinstance(program.micros[m], Name) and held[m].binds(cut, frozenset(), cut)

    return [m for m in range(program.starts[cut]) if (pins[m] is None or pins[m] >= cut) and not kept(m)]


def power_losses(program, model):
    """Every (window, image) that a power loss can leave, with the number of subsets tried."""
    found, tried = set(), 0
    for cut in range(len(program.steps) + 1):
        free = free_at(program, model, cut)
        tried += 2 ** len(free)
        for size in range(len(free) + 1):
            for lost in combinations(free, size):
                if model.allows(program, cut, frozenset(lost)):
                    state = CrashState(Crash.POWER, cut, lost)
                    found.add((window_at(program, cut), image_of(program, state)))
    return found, tried


def process_crashes(program):
    found = set()
    for cut in range(len(program.steps) + 1):
        window = window_at(program, cut)
        found.add((window, image_of(program, CrashState(Crash.PROCESS, cut))))
        step = program.steps[cut - 1] if cut else None
        if isinstance(step, Extent):
            write = step.write
            end = write.offset + len(write.data)
            places = {*range((write.offset // PAGE + 1) * PAGE, end, PAGE), *step.ends} - {end}
            found |= {(window, partial_image(program, cut, at)) for at in places if write.offset < at < end}
    return found


def small(program, model):
    return all(len(free_at(program, model, cut)) <= MOST_FREE for cut in range(len(program.steps) + 1))


def taken_together(program):
    """Data of several pages or calls, which the lowering does not take apart."""
    return (micro for micro in program.micros if isinstance(micro, Data) and micro.joined)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(trace=traces())
def test_the_same_images_are_found_in_the_same_windows(model, trace):
    program = lower(trace)
    assume(small(program, model))

    found = enumerate_states(program, model, subsets_per_cut=4096, images=100_000)

    power, tried = power_losses(program, model)
    process = process_crashes(program)
    assert found.exhaustive or any(taken_together(program))
    assert {(g.window, g.image) for g in found.groups} == power | process
    assert {(g.window, g.image) for g in found.groups if g.process is not None} == process
    assert {(g.window, g.image) for g in found.groups if g.power is not None} == power
    assert found.states == tried + len(program.steps) + 1


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(trace=traces(), limit=st.sampled_from((1, 8, 256)))
def test_the_state_reported_for_an_image_gives_that_image_and_is_possible(model, trace, limit):
    program = lower(trace)

    found = enumerate_states(program, model, subsets_per_cut=limit, images=10_000)

    for group in found.groups:
        for state in (group.process, group.power):
            if state is None:
                continue
            assert image_of(program, state) == group.image
            assert window_at(program, state.cut) == group.window
            assert set(state.lost) <= set(free_at(program, model, state.cut))
            assert model.allows(program, state.cut, frozenset(state.lost))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(trace=traces())
def test_losing_nothing_leaves_what_the_program_saw(trace):
    program = lower(trace)
    tree = Tree(trace.initial)
    for operation in trace.operations:
        tree.apply(operation)

    image = image_of(program, CrashState(Crash.POWER, len(program.steps)))

    assert {f.path: f.content for f in image.files} == {p: bytes(tree.nodes[i].content) for p, i in tree.walk()}


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(trace=traces(), limit=st.sampled_from((1, 2, 8, 64)), images=st.sampled_from((1, 5, 10_000)))
def test_a_bounded_search_finds_no_image_that_an_exhaustive_one_does_not_and_never_claims_to_be_one(
    trace, limit, images
):
    program = lower(trace)
    assume(small(program, STRICT))

    whole = enumerate_states(program, STRICT, subsets_per_cut=1 << 20, images=1 << 20)
    bounded = enumerate_states(program, STRICT, subsets_per_cut=limit, images=images)

    all_images = {(g.window, g.image) for g in whole.groups}
    some_images = {(g.window, g.image) for g in bounded.groups}
    assert some_images <= all_images
    assert len(bounded.groups) <= images
    if bounded.exhaustive:
        assert some_images == all_images
    assert bounded.states <= whole.states


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(trace=traces(), seed=st.integers(0, 3))
def test_the_order_is_simplest_first_and_a_seed_always_draws_the_same_samples(trace, seed):
    program = lower(trace)

    once, again = (enumerate_states(program, STRICT, subsets_per_cut=8, images=30, seed=seed) for _ in range(2))

    assert once == again
    order = [group.simplest.simplicity for group in once.groups]
    assert order == sorted(order)


@pytest.mark.parametrize("model", [m for m in MODELS if m.name not in ("strict", "macos")], ids=lambda m: m.name)
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(trace=traces())
def test_what_a_file_system_leaves_posix_allows(model, trace):
    program = lower(trace)
    assume(small(program, STRICT))

    strict = enumerate_states(program, STRICT, subsets_per_cut=4096, images=100_000)
    found = enumerate_states(program, model, subsets_per_cut=4096, images=100_000)

    assert {(g.window, g.image) for g in found.groups} <= {(g.window, g.image) for g in strict.groups}
