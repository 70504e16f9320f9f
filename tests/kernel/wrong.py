"""Models that are wrong on purpose: a rig that does not catch them proves nothing.

Each forbids one thing that its file system is known to do, and that once was believed impossible.
"""

from collections.abc import Set

from pytest_tradestore.crash.content import ContentRule, WithItsPage
from pytest_tradestore.crash.lowering import Name, Program, Step
from pytest_tradestore.crash.models import Btrfs, Ext4, PersistenceModel, Xfs
from pytest_tradestore.crash.operations import Inode, Rename


class DataBeforeSize(Ext4):
    """ext4 as its documentation is read: no new length without the data of its last page."""

    def content_rule(self, program: Program, inode: Inode) -> ContentRule:
        return WithItsPage(tuple(True for _ in program.steps), frozenset())


def _brought(program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
    renames = [
        m
        for m in range(end)
        if isinstance(part := program.micros[m], Name)
        and m not in lost
        and isinstance(step := program.steps[part.operation], Rename)
        and step.inode == inode
    ]
    last = max(renames, default=-1)
    return frozenset(m for m in range(last) if not isinstance(part := program.micros[m], Name) and part.inode == inode)


class RenameBringsContent(Xfs):
    """XFS with renames that write their source out first."""

    def brought(self, program: Program, inode: Inode, end: int, lost: Set[int]) -> frozenset[int]:
        return _brought(program, inode, end, lost)


class NamesAtOnce(Btrfs):
    """btrfs with names that are durable as soon as they are made."""

    def _reached(self, program: Program, number: int, step: Step):  # type: ignore[no-untyped-def]
        yield from super()._reached(program, number, step)
        for m in range(program.starts[number], program.starts[number + 1]):
            if isinstance(program.micros[m], Name):
                yield m


WRONG: dict[str, PersistenceModel] = {
    "ext4": DataBeforeSize(),
    "xfs": RenameBringsContent(),
    "btrfs": NamesAtOnce(),
}
