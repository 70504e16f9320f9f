"""Which names a store uses for a moment only, and always the same ones: who can write into its root plants links there.

Found by recording one write twice, in two stores: a name drawn at random is in one of the recordings only.
"""

from pytest_tradestore.crash.operations import Create, Link, Rename
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.trace import Trace, Tree
from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.tree import paths_of


def temporaries_of(context: Context, slot: Slot, recorder: Recorder) -> tuple[list[str], str]:
    """Return the paths that come and go in a write and can be foreseen, and what could not be seen of that."""
    first, unseen = _momentary(context, slot, recorder)
    second, _ = _momentary(context, slot, recorder)
    return sorted(first & second), unseen


def _momentary(context: Context, slot: Slot, recorder: Recorder) -> tuple[frozenset[str], str]:
    """Return the paths that were there at some moment of a write, and are not there after it."""
    with context.client() as client:
        client.write(slot, NEIGHBOUR, context.mark())
        client.attempt(client.close)
        before = paths_of(client.nest.root)
        with recorder.record(client.nest.root, volatile=context.store.declarations.volatile) as recording:
            client.write(slot, NEIGHBOUR, context.mark())
            client.attempt(client.close)
        after = paths_of(client.nest.root)
    return frozenset(_ever(recording.trace)) - before - after, "; ".join(recording.trace.unseen)


def _ever(trace: Trace) -> set[str]:
    tree = Tree(trace.initial)
    paths: set[str] = set()
    for operation in trace.operations:
        tree.apply(operation)
        if isinstance(operation, Create | Link | Rename):
            paths |= {path for path, inode in tree.walk() if inode == operation.inode}
    return paths
