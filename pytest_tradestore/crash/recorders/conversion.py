"""What the conversion of calls into operations knows at one moment, and what handlers of calls may do with it."""

import re
from dataclasses import dataclass, field

from pytest_tradestore.crash.operations import Kind, Operation
from pytest_tradestore.crash.recorders.descriptors import Descriptor, OpenFile, Task
from pytest_tradestore.crash.recorders.modelled_files import FileSystem, Node, OutOfOrderError, Place
from pytest_tradestore.crash.recorders.strace_log import Call, descriptor_in, number_in, path_in

Name = tuple[Node, str]
"""A directory and a name in it."""

_OPEN_FILE_PATH = re.compile(r"/(?:proc/(?:self|thread-self|\d+)(?:/task/\d+)?|dev)/fd/(\d+)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Effect:
    """An operation before inodes have got their final numbers: fields hold nodes, and names as (directory, name)."""

    call: Call
    operation: type[Operation]
    fields: dict[str, object]


@dataclass(slots=True)
class Bound:
    """A call under way: what its descriptors stood for when it began, for another thread may close them meanwhile."""

    call: Call
    task: Task
    files: dict[int, OpenFile]
    directories: dict[int, Node]


@dataclass(slots=True)
class Conversion:
    """The state between two calls."""

    files: FileSystem
    tasks: dict[int, Task]
    began: int
    """Wall-clock time of the beginning, in nanoseconds: files outside that are older were there before."""
    effects: list[Effect] = field(default_factory=list)
    mapped: list[tuple[Node, str]] = field(default_factory=list)
    """Files that could be changed through memory, with the path that they had then."""
    unseen: list[str] = field(default_factory=list)

    # what handlers ask

    def file(self, bound: Bound, index: int) -> OpenFile:
        """Return the open file behind a descriptor argument."""
        if index not in bound.files:
            raise OutOfOrderError(f"{bound.call.name} used a descriptor that is not open")
        return bound.files[index]

    def place(self, bound: Bound, path_index: int, directory_index: int | None = None, *, follow: bool = True) -> Place:
        """Return where a path argument leads, relative to a directory argument or the working directory."""
        path = path_in(bound.call.arguments[path_index])
        if path is None:
            raise OutOfOrderError(f"{bound.call.name} was given a path that could not be read")
        if opened := _OPEN_FILE_PATH.fullmatch(path):
            return self._through_descriptor(bound, opened, follow)
        start = bound.task.surroundings.directory
        if directory_index is not None and not path.startswith("/"):
            start = self.directory(bound, directory_index)
        return self.files.resolve(start, path, follow=follow)

    def _through_descriptor(self, bound: Bound, opened: re.Match[str], follow: bool) -> Place:
        descriptor = bound.task.table.descriptors.get(int(opened[1]))
        if descriptor is None or descriptor.file.node is None:
            pipe = self.files.new(Kind.FILE)
            pipe.special = True
            return Place(self.files.top, "", pipe)  # nothing whose content is recorded
        node = descriptor.file.node
        if opened[2]:
            return self.files.resolve(node, opened[2], follow=follow)
        return Place(node.parent or self.files.top, "", node)

    def directory(self, bound: Bound, index: int) -> Node:
        """Return the directory behind a dir_fd argument."""
        if index in bound.directories:
            return bound.directories[index]
        node = self.file(bound, index).node
        if node is None:
            raise OutOfOrderError(f"{bound.call.name} was given a directory that is not known")
        return node

    # what handlers do

    def emit(self, call: Call, operation: type[Operation], **fields: object) -> None:
        self.effects.append(Effect(call, operation, fields))

    def not_seen(self, sentence: str) -> None:
        if sentence not in self.unseen:
            self.unseen.append(sentence)

    def open_descriptor(self, bound: Bound, number: int | None, file: OpenFile, *, close_on_exec: bool) -> None:
        if number is not None:
            bound.task.table.descriptors[number] = Descriptor(file, close_on_exec)

    # words for people

    def path_of(self, node: Node) -> str:
        """Return a path of an inode relative to the root, or a description where it has none."""
        for path, other in self.walk():
            if other is node:
                return path
        return "a file that has no name under the root any more"

    def walk(self) -> list[tuple[str, Node]]:
        """Return (relative path, inode) of everything under the root as it is now, names in order."""
        found: list[tuple[str, Node]] = []
        pending = [("", self.files.root)]
        while pending:
            path, node = pending.pop()
            found.append((path or ".", node))
            pending.extend(
                (f"{path}/{name}" if path else name, child)
                for name, child in sorted(node.entries.items(), reverse=True)
                if child is not None
            )
        return found


def bind(conversion: Conversion, call: Call) -> Bound:
    """Note what the descriptors of a call that begins now stand for."""
    task = conversion.tasks[call.task]
    bound = Bound(call, task, {}, {})
    for index, argument in enumerate(call.arguments):
        if argument.startswith("AT_FDCWD"):
            bound.directories[index] = task.surroundings.directory
            continue
        raw = index == 0 and argument.startswith("0x")
        if not raw and not argument[:1].isdigit():
            continue
        if not raw and "<" not in argument:
            continue
        number = number_in(argument) if raw else None
        described = None if raw else descriptor_in(argument)
        if described is not None:
            number = described.number
        if number is None:
            continue
        descriptor = task.table.descriptors.get(number)
        if descriptor is not None:
            bound.files[index] = descriptor.file
        elif described is not None:
            bound.files[index] = _opened_unseen(conversion, task, number, described.path, described.deleted)
        else:
            bound.files[index] = OpenFile(None)
    return bound


def _opened_unseen(conversion: Conversion, task: Task, number: int, path: str | None, deleted: bool) -> OpenFile:
    """Return an open file for a descriptor that came from elsewhere, as through a socket: strace tells its path."""
    node = None
    if path is not None and path.startswith("/") and not deleted:
        try:
            node = conversion.files.resolve(conversion.files.top, path).node
        except OutOfOrderError:
            node = None
    file = OpenFile(node, position=None, opening_seen=False)
    task.table.descriptors[number] = Descriptor(file)
    return file
