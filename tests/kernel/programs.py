"""What is run: patterns that people write, random programs, and workloads of the suite; all of them as traces."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.crash.lowering import PAGE
from pytest_tradestore.crash.operations import Kind, Mark, MarkKind, SyncKind
from pytest_tradestore.crash.trace import Node, Trace
from tests.crash.handmade import DIRECTORY, Story

SIZES = (5, 100, 3000, PAGE, PAGE + 1, 2 * PAGE, 9000)
_LETTERS = b"123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnpqrstuvwxyz"


@dataclass(frozen=True)
class Program:
    """A trace with marks, and the name that it is reported by."""

    name: str
    trace: Trace

    def listing(self) -> Iterator[str]:
        """Yield a line for each operation, shortened, and for what there was before."""
        for inode, node in self.trace.initial.nodes.items():
            for name, child in node.entries:
                size = len(self.trace.initial.nodes[child].content)
                yield f"before: {name} in {inode} is {child}, {size:,} bytes"
        for operation in self.trace.operations:
            if not isinstance(operation, Mark):
                shown = replace(operation, data=operation.data[:1]) if hasattr(operation, "data") else operation
                size = f" ({len(operation.data):,} bytes)" if hasattr(operation, "data") else ""
                yield f"{str(shown).split(', origin=')[0]}){size}"


def timed(story: Story) -> Trace:
    """Return the trace of a story in which each call is an update of its own: every moment is told apart."""
    operations = []
    for number, operation in enumerate(story.operations, 1):
        operations += [Mark(MarkKind.INVOKED, number), operation, Mark(MarkKind.ACKNOWLEDGED, number)]
    return replace(story.trace, operations=tuple(operations))


# -- patterns ---------------------------------------------------------------------------------------------------------

OLD, NEW = b"o" * 5000, b"n" * 9000
_SAVED: Sequence[tuple[str, Callable[[Story], object]]] = (
    ("", lambda s: None),
    (", fsync of the directory", lambda s: s.fsync("")),
    (", fdatasync of the directory", lambda s: s.fdatasync("")),
    (", fsync by the new name", lambda s: s.fsync("a")),
    (", fdatasync by the new name", lambda s: s.fdatasync("a")),
)


def patterns() -> Iterator[Program]:
    """Yield the ways to save that people write; what is of interest is in ``a``."""

    def program(name: str, story: Story) -> Program:
        return Program(name, timed(story))

    for first in (False, True):
        for synced in (False, True):
            for then, after in _SAVED:
                story = Story({} if first else {"a": OLD})
                story.create("t")
                story.write("t", NEW)
                if synced:
                    story.fsync("t")
                story.rename("t", "a")
                after(story)
                what = f"temporary{', fsync' if synced else ''}, rename{then}{', first save' if first else ''}"
                yield program(what, story)

    story = Story({"a": OLD})
    story.truncate("a")
    story.write("a", NEW)
    yield program("truncate, write", story)

    story = Story({"a": b"1" * 3000})
    story.append("a", b"2" * 500)
    story.append("a", b"3" * 3000)
    yield program("append", story)

    for kind in SyncKind.FSYNC, SyncKind.FDATASYNC, None:
        story = Story({"a": b"1" * 3000})
        for letter in b"2", b"3":
            size = len(story._tree.nodes[story.inode("a")].content)
            story.write("a", letter * 3000, size, durable=kind is None)
            if kind is not None:
                story.fsync("a", kind=kind)
        yield program(f"append, {kind.value if kind else 'O_DSYNC'}", story)

    story = Story({"a": OLD, "t": b"t" * 2 * PAGE})
    story.write("t", b"n" * 2 * PAGE)
    story.rename("t", "a")
    yield program("overwrite temporary, rename", story)

    story = Story({"a": b"o" * 3 * PAGE})
    story.write("a", b"1" * PAGE)
    story.write("a", b"2" * PAGE, at=2 * PAGE)
    yield program("overwrite", story)

    for size, then in (100, 6000), (100, None), (5000, None):
        story = Story({"a": b"o" * 3 * PAGE})
        story.truncate("a", size)
        if then:
            story.truncate("a", then)
        story.append("a", b"n" * 2 * PAGE)
        yield program(f"truncate to {size}{f' and {then}' if then else ''}, append", story)

    story = Story({"a": b"o" * 100})
    story.write("a", b"d" * 2 * PAGE, at=PAGE)
    story.write("a", b"H" * 100, durable=True)
    yield program("write, then O_DSYNC below", story)

    story = Story({"a": b"o" * 50})
    story.write("a", b"d" * 5, at=5000)
    story.write("a", b"H" * 3000, durable=True)
    yield program("write, then O_DSYNC over the old end", story)

    for target in "", "d", "e":
        story = Story({"d/a": OLD, "e": DIRECTORY})
        story.rename("d/a", "e/a")
        if target:
            story.fsync(target)
        yield program(f"rename between directories{f', fsync of {target}' if target else ''}", story)

    story = Story({"x": b"o" * 100, "y": b"Y" * 100})
    story.unlink("y")
    story.create("t")
    story.write("t", NEW)
    story.fsync("t")
    story.rename("t", "x")
    yield program("unlink, then save another", story)

    story = Story({"a": OLD, "b": b"b" * 100})
    story.create("t")
    story.write("t", NEW)
    story.fsync("t")
    story.rename("a", "b")
    story.rename("t", "a")
    story.fsync("")
    yield program("backup by rename", story)

    story = Story({"d/a": OLD})
    story.rename("d", "e")
    story.create("e/b")
    story.write("e/b", NEW)
    story.fsync("e/b")
    yield program("rename directory, save in it", story)

    story = Story()
    story.mkdir("d")
    story.create("d/a")
    story.write("d/a", NEW)
    story.fsync("d/a")
    yield program("mkdir, save in it", story)

    story = Story({"a": OLD, "d/b": b"b" * 100, "c": b"c" * 100})
    replaced = story.inode("a")
    story.write("a", b"1" * 100, durable=True)
    story.rename("d/b", "a")
    story.write(replaced, b"2" * 100, durable=True)
    story.write("c", b"3" * 100, durable=True)
    yield program("write with O_DSYNC what has lost its name", story)

    story = Story({"a": b"o" * 100, "b": b"b" * 100})
    replaced = story.inode("a")
    story.append("a", b"1" * PAGE)
    story.fsync("a")
    story.rename("b", "a")
    story.write(replaced, b"2" * 100)
    story.fsync(replaced)
    story.fsync("a")
    yield program("sync what has lost its name, after it was synced with it", story)

    story = Story({"d": DIRECTORY, "e": DIRECTORY})
    story.create("d/t")
    story.write("d/t", NEW)
    story.fsync("d/t")
    story.rename("d/t", "e/t")
    story.fsync("d")
    story.fsync("e")
    yield program("save in one directory, move to another, sync both", story)

    for again in "t", "u":
        story = Story({"other": OLD})
        for name, body in ("t", OLD), (again, NEW):
            story.create(name)
            story.write(name, body)
            story.fsync(name)
            story.rename(name, "a")
            story.fsync("")
        story.fsync("other")
        yield program(f"save twice by way of {'one name' if again == 't' else 'two names'}", story)

    story = Story({"s/t": b"t" * 100, "d": DIRECTORY, "other": OLD})
    story.create("d/a")
    story.write("d/a", b"1" * 100)
    story.fsync("d/a")
    story.fsync("d")
    story.rename("s/t", "d/a")
    story.write("other", b"1" * 100)
    story.fsync("other")
    yield program("rename what no log knows over a new file of a directory that one does", story)

    story = Story({"d": DIRECTORY, "a": OLD})
    story.create("d/t")
    story.write("d/t", NEW)
    story.fsync("d/t")
    story.link("d/t", "d/a")
    story.unlink("d/t")
    story.fsync("d")
    story.unlink("d/a")
    story.write("a", b"1" * 100, durable=True)
    yield program("one of two names unlinked, directory synced, then the other", story)


# -- random programs --------------------------------------------------------------------------------------------------

_ACTIONS = (
    *("save", "save", "replace", "replace", "append", "append", "append", "write", "write", "write", "write"),
    *("durable", "durable", "truncate", "truncate", "allocate", "link", "unlink", "mkdir", "rmdir", "symlink"),
    *("rename", "rename", "rename", "sync", "sync", "sync", "datasync", "directory", "directory", "directory"),
    *("nameless", "everything"),
)


def random_program(seed: int) -> Program:
    """Return a program of 4 to 10 calls, each of which has an effect."""
    drawn = _Drawn(seed)
    drawn.go_on(drawn.random.randint(4, 10))
    return Program(f"random {seed}", timed(drawn.story))


def name_taken_again(seed: int) -> Program:
    """Return a program in which a file loses a name, and a new one is given it, synced, and moved on in its turn."""
    drawn = _Drawn(seed)
    drawn.take_again()
    return Program(f"taken again {seed}", timed(drawn.story))


def written_without_a_name(seed: int) -> Program:
    """Return a program in which a file is synced, loses its name, and is synced again by who has it open."""
    drawn = _Drawn(seed)
    drawn.outlive()
    return Program(f"without a name {seed}", timed(drawn.story))


def left_behind(seed: int) -> Program:
    """Return a program in which a file loses one of several new names, and the directory is synced then."""
    drawn = _Drawn(seed)
    drawn.go_on(drawn.random.choice((0, 1, 2)))
    drawn.forget()
    return Program(f"left behind {seed}", timed(drawn.story))


class _Drawn:
    """A story that grows by calls drawn from ``seed``, out of those that the kernel would carry out."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.letters = iter(_LETTERS)
        before: dict[str, bytes | None] = {"d": DIRECTORY}
        for path in ("a", "b", "t", "d/a", "d/b"):
            if self.random.random() < 0.5:
                before[path] = b"o" * self.random.choice((10, 100, PAGE, 5000, 3 * PAGE))
        if self.random.random() < 0.5:
            before["e"] = DIRECTORY
        self.story = Story(before)

    def go_on(self, wanted: int) -> None:
        """Add calls until there are ``wanted``."""
        while len(self.story.operations) < wanted:
            self.act(self.random.choice(_ACTIONS))

    def take_again(self) -> None:
        """Let a file leave its name, another one be known by it, and leave it too; other calls now and then between."""
        name = self.random.choice(self.paths() or ["b"])
        for _ in range(self.random.choice((2, 3, 3, 4))):
            self.leave(name)
            self.aside()
            if self.random.random() < 0.9:
                self.make(name)
                self.aside()
            if self.random.random() < 0.8:
                self.settle(name)
            self.aside()
        self.settle(self.random.choice(self.paths() or [name]))

    def outlive(self) -> None:
        """Let files be synced, lose their names, and be written and synced all the same; other calls between."""
        for _ in range(self.random.choice((1, 1, 2))):
            name = self.random.choice(self.paths() or ["b"])
            if name not in self.paths():
                self.make(name)
                if name not in self.paths():
                    continue
            inode = self.story.inode(name)
            for _ in range(self.random.choice((1, 1, 2))):
                if name in self.paths() and self.random.random() < 0.7:
                    self.act_on(name)
                self.settle(name)
                self.aside()
            self.desert(inode)
            self.aside()
            for _ in range(self.random.choice((1, 2))):
                if self.random.random() < 0.7:
                    self.story.write(inode, self.body(), self.random.choice((0, 0, 100, PAGE)))
                if self.random.random() < 0.3:
                    self.story.write(inode, self.body(), durable=True)
                else:
                    self.sync(inode)
                self.aside()
            self.settle(self.random.choice(self.paths() or [name]))

    def forget(self) -> None:
        """Give a file several names, take some of them, sync where they were, and other files; other calls between."""
        story = self.story
        file = story.nameless()
        story.write(file, self.body())
        if self.random.random() < 0.8:
            self.sync(file)
        for _ in range(self.random.choice((2, 2, 3))):
            place, there = self.place(), dict(story._tree.walk())
            if place not in there:
                story.link(file, place)
                self.aside()
            if file not in dict(story._tree.walk()).values():
                return
        if self.random.random() < 0.8:
            self.sync(file)
        for name in [path for path in self.paths() if story.inode(path) == file][:-1] or self.paths()[:1]:
            if name not in self.paths():
                continue
            if self.random.random() < 0.7:
                story.unlink(name)
            else:
                self.rename(name, self.place())
            if self.random.random() < 0.8:
                self.sync(name.rpartition("/")[0])
            self.aside()
            self.settle(self.random.choice(self.paths() or [name]))
        if self.random.random() < 0.5:
            self.desert(file)
            self.settle(self.random.choice(self.paths() or ["b"]))

    def act_on(self, name: str) -> None:
        self.on_file(self.random.choice(("append", "write", "write", "truncate", "allocate")), name, "")

    def desert(self, inode: int) -> None:
        """Take all names from a file, by unlinking it or by replacing it with another."""
        for name in [path for path in self.paths() if self.story.inode(path) == inode]:
            others = [path for path in self.paths() if self.story.inode(path) != inode]
            if others and self.random.random() < 0.6:
                other = self.random.choice(others)
                if self.random.random() < 0.5:
                    self.sync(other)
                self.rename(other, name)
            else:
                self.story.unlink(name)

    def aside(self) -> None:
        if self.random.random() < 0.25:
            self.act(self.random.choice(_ACTIONS))

    def leave(self, name: str) -> None:
        """Take a name from its file: by a rename in or between directories, over another one or not, or an unlink."""
        if name not in self.paths():
            return
        how, elsewhere = self.random.choice(("rename", "rename", "rename", "unlink", "link")), self.place()
        if how == "rename":
            self.rename(name, elsewhere)
            return
        if how == "link" and elsewhere not in dict(self.story._tree.walk()):
            self.story.link(name, elsewhere)
        self.story.unlink(name)

    def make(self, name: str) -> None:
        """Give a free name to a file: a new one, one that had no name, or one that is known by another."""
        there = dict(self.story._tree.walk())
        if name in there or name.rpartition("/")[0] not in ("", *there):
            return
        how = self.random.choice(("create", "create", "nameless", "rename", "link"))
        if how in ("rename", "link") and (files := self.paths()):
            source = self.random.choice(files)
            if self.random.random() < 0.5:
                self.sync(source)
            (self.story.rename if how == "rename" else self.story.link)(source, name)
            return
        file = self.story.nameless() if how == "nameless" else self.story.create(name)
        if self.random.random() < 0.8:
            self.story.write(file, self.body())
        if how == "nameless":
            self.story.link(file, name)

    def settle(self, name: str) -> None:
        """Sync a file, by a call or by a write that waits for the disk."""
        if name not in self.paths():
            return
        if self.random.random() < 0.25:
            self.story.write(name, self.body(), durable=True)
        else:
            self.sync(name)

    def node(self, path: str | int) -> Node:
        return self.story._tree.nodes[self.story.inode(path)]

    def paths(self, kind: Kind = Kind.FILE) -> list[str]:
        return [p for p, i in self.story._tree.walk() if self.story._tree.nodes[i].kind is kind]

    def place(self) -> str:
        directory = self.random.choice(["", "", *(f"{d}/" for d in self.paths(Kind.DIRECTORY))])
        return directory + self.random.choice("abtg")

    def body(self) -> bytes:
        return bytes([next(self.letters)]) * self.random.choice(SIZES)

    def sync(self, path: str | int) -> None:
        self.story.fsync(path, kind=self.random.choice((SyncKind.FSYNC, SyncKind.FSYNC, SyncKind.FDATASYNC)))

    def act(self, action: str) -> None:
        story, files, place = self.story, self.paths(), self.place()
        taken = dict(story._tree.walk()).get(place)
        if action in ("save", "replace"):
            if taken is None:
                story.create(place)
            elif self.node(place).kind is not Kind.FILE:
                return
            elif self.node(place).content:
                story.truncate(place)
            story.write(place, self.body())
            if self.random.random() < 0.5:
                self.sync(place)
            if action == "replace":
                self.rename(place, self.place())
        elif action == "nameless" and taken is None:
            inode = story.nameless()
            story.write(inode, self.body())
            if self.random.random() < 0.5:
                self.sync(inode)
            story.link(inode, place)
        elif action == "mkdir" and taken is None:
            story.mkdir(place)
        elif action == "symlink" and taken is None:
            story.symlink(place, "d")
        elif action == "rename":
            if paths := [p for p, _ in story._tree.walk()]:
                self.rename(self.random.choice(paths), place)
        elif action == "rmdir":
            for directory in self.paths(Kind.DIRECTORY):
                if not self.node(directory).entries:
                    story.unlink(directory)
                    return
        elif action == "directory":
            self.sync(self.random.choice(["", "", *self.paths(Kind.DIRECTORY)]))
        elif action == "everything" and self.random.random() < 0.3:
            story.sync()
        elif files:
            self.on_file(action, self.random.choice(files), place if taken is None else "")

    def on_file(self, action: str, path: str, free: str) -> None:
        story, size = self.story, len(self.node(path).content)
        match action:
            case "append":
                story.append(path, self.body())
            case "write" | "durable":
                at = self.random.choice((0, 0, 100, PAGE, PAGE, 5000, 2 * PAGE))
                story.write(path, self.body(), at, durable=action == "durable")
            case "truncate":
                new = self.random.choice((0, 0, 50, PAGE, 5000, 3 * PAGE))
                if new != size:
                    story.truncate(path, new)
            case "allocate":
                new = self.random.choice((100, PAGE, 2 * PAGE, 3 * PAGE + 100))
                if new > size:
                    story.allocate(path, new)
            case "link" if free:
                story.link(path, free)
            case "unlink":
                story.unlink(path)
            case "sync" | "datasync":
                story.fsync(path, kind=SyncKind.FSYNC if action == "sync" else SyncKind.FDATASYNC)

    def rename(self, source: str, target: str) -> None:
        """Rename where the kernel would: not a directory below itself, nor a file over a directory."""
        story = self.story
        there = dict(story._tree.walk())
        old = there.get(target)
        if there[source] == old or target.startswith(source + "/") or target == source:
            return
        if old is not None:
            mine, other = story._tree.nodes[there[source]], story._tree.nodes[old]
            directories = (mine.kind is Kind.DIRECTORY, other.kind is Kind.DIRECTORY)
            if directories[0] != directories[1] or other.entries:
                return
        story.rename(source, target)
