"""What a crash keeps of a file beside its content: mode, owner, extended attributes, and when it was changed last.

Models say nothing of these: they are as they were when the crash came, but for the time of a change that was lost.
"""

from collections.abc import Set
from dataclasses import dataclass, field, replace

from pytest_tradestore.crash.lowering import Data, Extent, Program, Size
from pytest_tradestore.crash.operations import (
    Allocate,
    Create,
    Inode,
    Kind,
    SetAttribute,
    SetMode,
    SetOwner,
    SetTime,
    Truncate,
)
from pytest_tradestore.crash.trace import NOBODYS


@dataclass(frozen=True, slots=True)
class Kept:
    """``changed`` is a moment that can be compared with that of other files; attributes are in order of their names."""

    mode: int = 0o644
    owner: tuple[int, int] = NOBODYS
    attributes: tuple[tuple[str, bytes], ...] = ()
    changed: int = 0


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is kept from step ``step`` on; the time of a change only if something of its ``micros`` arrived, if any."""

    step: int
    kept: Kept
    micros: frozenset[int] = frozenset()


@dataclass(slots=True)
class Keeping:
    """The kinds of all inodes of a program with what symlinks lead to, and what is kept of each at every step."""

    kinds: dict[Inode, tuple[Kind, str]] = field(default_factory=dict)
    _moments: dict[Inode, list[_Moment]] = field(default_factory=dict)

    @staticmethod
    def of(program: Program) -> "Keeping":
        """Return what there is to know of a program."""
        known = Keeping()
        for inode, node in program.initial.nodes.items():
            known.kinds[inode] = (node.kind, node.target)
            known._moments[inode] = [_Moment(-1, Kept(node.mode, node.owner, node.attributes, node.changed))]
        now = max((node.changed for node in program.initial.nodes.values()), default=0)
        for number, step in enumerate(program.steps):
            operation = step.write if isinstance(step, Extent) else step
            now = max(now + 1, operation.origin.time if hasattr(operation, "origin") else 0)
            if isinstance(operation, Create):
                known.kinds[operation.inode] = (operation.kind, operation.target)
                known._moments[operation.inode] = [_Moment(number, Kept(operation.mode, changed=now))]
                continue
            moments = known._moments.get(getattr(operation, "inode", Inode(-1)))
            if moments is None:
                continue
            last = moments[-1].kept
            match operation:
                case SetMode(_, mode):
                    moments.append(_Moment(number, replace(last, mode=mode)))
                case SetOwner(_, owner, group):
                    ids = (owner if owner >= 0 else last.owner[0], group if group >= 0 else last.owner[1])
                    moments.append(_Moment(number, replace(last, owner=ids)))
                case SetAttribute(_, name, value):
                    attributes = dict(last.attributes) | ({name: value} if value is not None else {})
                    if value is None:
                        attributes.pop(name, None)
                    moments.append(_Moment(number, replace(last, attributes=tuple(sorted(attributes.items())))))
                case SetTime(_, time):
                    moments.append(_Moment(number, replace(last, changed=now if time is None else time)))
                case _ if isinstance(step, Extent) or isinstance(operation, (Truncate, Allocate)):
                    own = range(program.starts[number], program.starts[number + 1])
                    micros = frozenset(m for m in own if isinstance(program.micros[m], (Data, Size)))
                    moments.append(_Moment(number, replace(last, changed=now), micros))
                case _:
                    pass
        return known

    def at(self, inode: Inode, cut: int, lost: Set[int]) -> Kept:
        """Return what is kept of a file in a crash after ``cut`` steps that has lost ``lost``."""
        moments = self._moments[inode]
        last = len(moments) - 1
        while last and moments[last].step >= cut:
            last -= 1
        kept = moments[last].kept
        for n in range(last, 0, -1):
            moment, before = moments[n], moments[n - 1].kept
            if moment.kept.changed != before.changed and not (moment.micros and lost >= moment.micros):
                return kept if kept.changed == moment.kept.changed else replace(kept, changed=moment.kept.changed)
        first = moments[0].kept.changed
        return kept if kept.changed == first else replace(kept, changed=first)
