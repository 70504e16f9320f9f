"""Plants links, pipes and directories where a store has its files, and lets it read and write there.

The store's files are found by looking. Runs the store's code: only in isolation.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.client import NestClient
from pytest_tradestore.names.context import NEIGHBOUR, NOTHING_OUTSIDE, Context
from pytest_tradestore.names.exchanging import try_exchanged
from pytest_tradestore.names.findings import Findings
from pytest_tradestore.names.flaws import followed
from pytest_tradestore.names.ground import fill, ground, remove
from pytest_tradestore.names.nest import Canaries
from pytest_tradestore.names.temporaries import temporaries_of
from pytest_tradestore.names.tree import paths_of


@dataclass(frozen=True, slots=True)
class Plant:
    """What is put in the place of a file or directory; ``outside`` holds what it would lead to."""

    what: str
    put: Callable[[str, str], None]
    """Called with the path in the root and the path outside, where a copy of another store's file stands."""


def _link(path: str, outside: str) -> None:
    remove(path)
    os.symlink(outside, path)


def _dangling(path: str, outside: str) -> None:
    remove(path)
    os.symlink(outside + "-new", path)


def _hard_link(path: str, outside: str) -> None:
    remove(path)
    os.link(outside, path)


def _pipe(path: str, _: str) -> None:
    remove(path)
    os.mkfifo(path)


def _directory(path: str, _: str) -> None:
    remove(path)
    os.mkdir(path)


def _socket(path: str, _: str) -> None:
    remove(path)
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _loop(path: str, _: str) -> None:
    remove(path)
    os.symlink(os.path.basename(path), path)


LINK = Plant("a link to a file outside", _link)
DANGLING = Plant("a link to a file outside that does not exist", _dangling)
FILES = (
    LINK,
    DANGLING,
    Plant("a link to itself", _loop),
    *((Plant("a pipe", _pipe), Plant("a socket", _socket)) if hasattr(os, "mkfifo") else ()),
    Plant("a directory", _directory),
)
HARD_LINK = Plant("a hard link to a file outside", _hard_link)
LINKED_DIRECTORY = Plant("a link to a directory outside", _link)


def try_planted(context: Context, slot: Slot, operations: int, recorder: Recorder) -> Findings:
    """NAME-2: each plant in the place of each file and directory; then links that come and go during ``operations``.

    Links are planted, too, where the store makes files for a moment, under names that can be foreseen. Ends with the
    first finding: what comes after it may well hang.
    """
    files, directories = _places(context, slot)
    context.at(slot, NEIGHBOUR, "while its temporary files are looked for")
    temporaries, unseen = temporaries_of(context, slot, recorder)
    plants = [(path, plant) for plant in FILES for path in files]
    plants += [(path, HARD_LINK) for path in files if not slot.appends]
    plants += [(path, LINKED_DIRECTORY) for path in directories]
    plants += [(path, plant) for path in temporaries for plant in (LINK, DANGLING)]
    context.checked["temporary_names"] += len(temporaries)
    for path, plant in plants:
        _try(context, slot, path, plant)
        if context.found:
            break
    if not context.found:
        try_exchanged(context, slot, files, directories, operations)
    undecided = {"NAME-2": f"its temporary files could not be seen: {unseen}"} if unseen else {}
    return Findings(tuple(context.found), dict(context.checked), undecided=undecided)


def _places(context: Context, slot: Slot) -> tuple[list[str], list[str]]:
    """Return the regular files of a store that has been written to, and its directories; what is written first."""
    with context.client() as client:
        fill(context, slot, client)
        paths = sorted(paths_of(client.nest.root), key=lambda path: ("lock" in path, path))
        modes = {path: os.lstat(client.nest.root / path).st_mode for path in paths}
    files = [path for path, mode in modes.items() if stat.S_ISREG(mode)]
    return files, [path for path, mode in modes.items() if stat.S_ISDIR(mode)]


def _try(context: Context, slot: Slot, path: str, plant: Plant) -> None:
    with ground(context, slot, path) as here:
        client, place = here.client, here.place
        if not os.path.isdir(place.parent):
            return
        context.at(slot, NEIGHBOUR, f"with {plant.what} in the place of {path!a}")
        plant.put(str(place), here.outside)
        canaries = Canaries(client.nest)
        context.checked["plants"] += 1
        client.forget()
        client.calls.append(f"{plant.what} takes the place of {path!a}")
        if plant is not HARD_LINK and here.shows(slot):
            _violation(context, client, plant, path, f"{client.calls[-1]} returned what stands outside")
            return
        for call in (
            lambda: slot.write(client, NEIGHBOUR, context.mark()),
            lambda: slot.names(client) if slot.names else None,
            lambda: slot.delete(client, NEIGHBOUR) if slot.delete else None,
            client.close,
        ):
            client.attempt(call)
            if change := canaries.change():
                _violation(context, client, plant, path, f"{client.calls[-1]}: {change}")
                return


def _violation(context: Context, client: NestClient, plant: Plant, path: str, how: str) -> None:
    sentence = f"{plant.what} in the place of {path!a} is followed: {how}"
    context.violation("NAME-2", followed(plant.what), sentence, client, how, NOTHING_OUTSIDE)
