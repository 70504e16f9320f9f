"""What a process leaves that dies: an exact prefix, the last write cut at a page or between two calls."""

from collections.abc import Iterator
from functools import lru_cache

from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.keeping import Keeping, Kept
from pytest_tradestore.crash.lowering import PAGE, Extent, Program, WriteThrough
from pytest_tradestore.crash.operations import Inode, Kind, Mark, SetTime, Sync
from pytest_tradestore.crash.trace import Tree


def images_of_prefixes(program: Program, keeping: Keeping) -> Iterator[tuple[int, int | None, DurableImage]]:
    """Yield each image with the cut after which it is left, and the offset that the last write got to if not whole."""
    tree = Tree(program.initial)
    builder = _ImageOfTree(tree, keeping)
    yield 0, None, builder.image(0)
    for number, step in enumerate(program.steps):
        if isinstance(step, Extent):
            write = step.write
            for at in _cuts_within(step):
                piece = write.data[: at - write.offset]
                yield number + 1, at, builder.with_partial(number + 1, write.inode, write.offset, piece)
            tree.apply(write)
            builder.changed(write.inode)
        elif not isinstance(step, WriteThrough):
            tree.apply(step)
            inode = getattr(step, "inode", None)
            if inode is not None and not isinstance(step, Sync):
                builder.changed(inode)
        if program.starts[number] != program.starts[number + 1] or isinstance(step, (Mark, SetTime)):
            yield number + 1, None, builder.image(number + 1)


def image_within(program: Program, cut: int, partial: int, keeping: Keeping) -> DurableImage:
    """Return what is left of a process that died in its step number ``cut``, a write that had got to ``partial``."""
    step = program.steps[cut - 1]
    assert isinstance(step, Extent)
    tree = Tree(program.initial)
    for earlier in program.steps[: cut - 1]:
        if isinstance(earlier, Extent):
            tree.apply(earlier.write)
        elif not isinstance(earlier, WriteThrough):
            tree.apply(earlier)
    piece = step.write.data[: partial - step.write.offset]
    return _ImageOfTree(tree, keeping).with_partial(cut, step.write.inode, step.write.offset, piece)


@lru_cache(maxsize=16)
def keeping_of(program: Program) -> Keeping:
    return Keeping.of(program)


def image_file(path: str, inode: Inode, kind: tuple[Kind, str], kept: Kept, content: bytes) -> ImageFile:
    what, target = kind
    return ImageFile(path, what, kept.mode, content, target, inode, kept.owner, kept.attributes, kept.changed)


def _cuts_within(extent: Extent) -> list[int]:
    """Return the file offsets at which a dying process may have stopped inside an extent: page and call boundaries.

    Long extents are cut at their first, middle and last pages and calls only.
    """
    start, end = extent.write.offset, extent.write.offset + len(extent.write.data)
    pages = list(range((start // PAGE + 1) * PAGE, end, PAGE))
    cuts = sorted({*_ends_and_middle(pages), *_ends_and_middle(list(extent.ends[:-1]))})
    return [at for at in cuts if start < at < end]


def _ends_and_middle(offsets: list[int]) -> list[int]:
    return offsets if len(offsets) <= 6 else [*offsets[:2], offsets[len(offsets) // 2], *offsets[-2:]]


class _ImageOfTree:
    """Images of a tree that changes step by step; only what has changed is copied again."""

    def __init__(self, tree: Tree, keeping: Keeping) -> None:
        self.tree = tree
        self.keeping = keeping
        self._frozen: dict[Inode, bytes] = {}

    def changed(self, inode: Inode) -> None:
        self._frozen.pop(inode, None)

    def _content(self, inode: Inode) -> bytes:
        if inode not in self._frozen:
            self._frozen[inode] = bytes(self.tree.nodes[inode].content)
        return self._frozen[inode]

    def image(self, cut: int, replaced: dict[Inode, bytes] | None = None) -> DurableImage:
        files = []
        for path, inode in self.tree.walk():
            node = self.tree.nodes[inode]
            content = replaced[inode] if replaced and inode in replaced else self._content(inode)
            kept = self.keeping.at(inode, cut, frozenset())
            shown = content if node.kind is Kind.FILE else b""
            files.append(image_file(path, inode, (node.kind, node.target), kept, shown))
        return DurableImage(tuple(sorted(files, key=lambda f: f.path.split("/"))))

    def with_partial(self, cut: int, inode: Inode, offset: int, piece: bytes) -> DurableImage:
        content = bytearray(self._content(inode))
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(piece)] = piece
        return self.image(cut, {inode: bytes(content)})
