"""From effects on modelled inodes to the operations of a trace: what never came under the root is dropped."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pytest_tradestore.crash.operations import Entry, Inode, Kind, Location, Operation, Origin, Rename
from pytest_tradestore.crash.recorders.conversion import Conversion, Effect
from pytest_tradestore.crash.recorders.data_calls import left_alone
from pytest_tradestore.crash.recorders.modelled_files import Node
from pytest_tradestore.crash.recorders.self_check import is_volatile
from pytest_tradestore.crash.trace import FrozenNode, Snapshot, Trace, attributes_of

Locate = Callable[[int, int], Location | None]
"""From a task's number and a time to the line of the store's own code."""


def assemble(
    conversion: Conversion,
    root: str,
    initial: Snapshot,
    *,
    recorder: str,
    volatile: Sequence[str],
    locate: Locate,
) -> Trace:
    """Build the trace; ``root`` is read only to learn what files that were moved in from outside hold."""
    numbering = _Numbering(initial)
    kept = [(effect, fields) for effect in conversion.effects if (fields := _kept(effect)) is not None]
    threads: dict[int, int] = {}
    operations: list[Operation] = []
    for effect, fields in kept:
        call = effect.call
        thread = threads.setdefault(call.task, len(threads))
        origin = Origin(thread, call.start, call.end, locate(call.task, call.time), call.time)
        numbered = {name: numbering.of(value) for name, value in fields.items()}
        build = cast("Callable[..., Operation]", effect.operation)
        operations.append(build(**numbered, origin=origin))
    nodes, unseen = dict(initial.nodes), list(conversion.unseen)
    for node, inode in numbering.from_outside(conversion):
        nodes[inode] = _moved_in(conversion, root, node, unseen)
    for node, path in conversion.mapped:
        now = conversion.path_of(node)
        if node.inside and not is_volatile(path, volatile) and not is_volatile(now, volatile):
            sentence = (
                f"{path} was mapped into memory shared and writable, so that it can change without any call; "
                "write through calls, or declare it volatile if its content after a crash does not matter"
            )
            if sentence not in unseen:
                unseen.append(sentence)
    return Trace(recorder, Snapshot(nodes), tuple(operations), tuple(unseen))


def _kept(effect: Effect) -> Mapping[str, object] | None:
    """Return the fields of an effect with everything outside the root taken out; None when nothing is left."""
    fields = dict(effect.fields)
    node = fields.get("inode")
    if node is None:
        return fields  # a mark, or a sync of everything
    if not cast("Node", node).inside:
        return None
    names = [name for name in ("entry", "source", "target") if isinstance(fields.get(name), tuple)]
    for name in names:
        directory, _ = cast("tuple[Node, str]", fields[name])
        if not directory.inside:
            fields[name] = None
    replaced = fields.get("replaced")
    if isinstance(replaced, Node) and not replaced.inside:
        fields["replaced"] = None
    if effect.operation is Rename:
        return fields if fields["source"] is not None or fields["target"] is not None else None
    if effect.operation.__name__ in ("Link", "Unlink") and fields["entry"] is None:
        return None
    return fields


class _Numbering:
    """Gives inodes their numbers: those of the initial tree keep theirs, others count on as they appear."""

    def __init__(self, initial: Snapshot) -> None:
        self._initial = initial.nodes
        self._next = max(initial.nodes) + 1
        self._given: dict[int, Inode] = {}

    def number(self, node: Node) -> Inode:
        if node.before and Inode(node.number) in self._initial:
            return Inode(node.number)
        if node.number not in self._given:
            self._given[node.number] = Inode(self._next)
            self._next += 1
        return self._given[node.number]

    def of(self, value: object) -> object:
        if isinstance(value, Node):
            return self.number(value)
        if isinstance(value, tuple):
            directory, name = cast("tuple[Node, str]", value)
            return Entry(self.number(directory), name)
        return value

    def from_outside(self, conversion: Conversion) -> list[tuple[Node, Inode]]:
        """Return the inodes that were there before, outside, and came in."""
        return [
            (node, self._given[node.number]) for node in conversion.files.outside_before if node.number in self._given
        ]


def _moved_in(conversion: Conversion, root: str, node: Node, unseen: list[str]) -> FrozenNode:
    """Say what a file that came from outside held when the recording began."""
    path = conversion.path_of(node)
    if node.content is not None:
        return FrozenNode(Kind.FILE, node.mode)  # it was emptied before anything else happened to it
    if node.kind is Kind.SYMLINK:
        return FrozenNode(Kind.SYMLINK, node.mode, target=node.target)
    real = os.path.join(root, path)
    try:
        status = os.lstat(real)
        if stat.S_ISLNK(status.st_mode):
            return FrozenNode(Kind.SYMLINK, 0o777, target=os.readlink(real))
        if stat.S_ISREG(status.st_mode) and not node.changed:
            with open(real, "rb") as file:
                return FrozenNode(
                    Kind.FILE,
                    stat.S_IMODE(status.st_mode),
                    content=file.read(),
                    owner=(status.st_uid, status.st_gid),
                    attributes=attributes_of(real),
                )
    except OSError:
        known = left_alone(node, conversion.began)
        if known is not None:
            return FrozenNode(Kind.FILE, node.mode, content=known)
    unseen.append(
        f"{path} came from outside the root, where it was before the recording began, so what it held is not known; "
        "create it inside the recording"
    )
    return FrozenNode(node.kind, node.mode)
