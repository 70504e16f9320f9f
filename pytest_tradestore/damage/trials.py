"""A store opened on damaged files: what it shows, what it says, what it keeps, and what the next update makes of it.

Runs the store's own code: only ever inside an isolated process.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_tradestore.crash.client import Client
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.damage.operators import Damage, Kind
from pytest_tradestore.kits.call import Call
from pytest_tradestore.observation import Failed, Observation
from pytest_tradestore.target import OpenStore

try:
    import resource
except ImportError:  # nothing here is used where there is none
    resource = None  # type: ignore[assignment] # as said above

NEXT_VERSION = 90
ROOM = 1 << 30
"""Bytes of memory that reading a damaged file may take beyond what the process has already."""


class Unusable(Exception):  # noqa: N818 - says what is the case
    """The workload does not run, or the store reports damage, even when nothing is damaged."""


class ImpossibleDamage(Exception):  # noqa: N818 - says what is the case
    """Where the data is, such a thing cannot be: a server refuses it, whoever brings it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a damaged store showed. ``said`` when it told somebody: a log record, a warning, or text on its output.

    ``reported`` when it told of it in the way that it declares instead of raising (``tradestore_damage_reported``).
    ``opening`` is what opening it raised, as an observation of every place. ``kept`` says whether the damaged bytes
    were still somewhere after the look, ``kept_later`` after the next update of ``place`` too; None: not asked.
    ``again`` is what it showed when the file written by that update was emptied in turn.
    """

    seen: Observation
    said: bool = False
    reported: bool = False
    opening: Failed | None = None
    kept: bool | None = None
    kept_later: bool | None = None
    updated: str = ""
    again: Observation | None = None
    ended: str = ""


@dataclass
class DamageClient(Client):
    """A client of damaged stores; ``reports``: whether the one that was looked at last reports damage by an object."""

    reports: bool = False

    def look(self, root: Path) -> tuple[Observation, Failed | None]:
        self.reports = False
        return super().look(root)

    def leave(self, opened: OpenStore) -> None:
        """Ask first whether it reports damage by the function that it declares. Raises Unusable if that raises."""
        asked = self.store.declarations.damage_reported
        if callable(asked):
            try:
                self.reports = bool(self.bridge.settle(asked(opened.store)))
            except Exception as error:
                raise Unusable(f"tradestore_damage_reported raised {type(error).__name__}: {error}") from error
        super().leave(opened)

    def saved(self) -> Any:
        """Return what another process needs, beside an image, to bring that back: nothing, where the image is all."""

    def take_over(self, saved: Any) -> None:
        """Go on from what a process has saved that came to no end."""

    def is_kept(self, root: Path, content: bytes) -> bool:
        """Say whether bytes are still there, in any file."""
        return is_kept(root, content)

    def emptied(self, root: Path, path: str) -> bool:
        """Empty a file; False if it is not there."""
        if not (root / path).is_file():
            return False
        (root / path).write_bytes(b"")
        return True


def damaged_image(image: DurableImage, damage: Damage) -> DurableImage:
    """Return the image with one file damaged; links of it show the same, as they do on a disk, unless it is gone."""
    if damage.kind is Kind.GONE:
        return DurableImage(tuple(f for f in image.files if f.path != damage.path))
    if damage.also is not None:
        path, content = damage.also
        image = damaged_image(image, Damage(path, damage.kind, "", content))
    inode = next(f.inode for f in image.files if f.path == damage.path)
    return DurableImage(
        tuple(
            replace(f, content=damage.content)
            if f.path == damage.path or (f.kind is FileKind.FILE and f.inode == inode)
            else f
            for f in image.files
        )
    )


def read_damaged(client: DamageClient, image: DurableImage, damage: Damage, place: str, *, thorough: bool) -> Reading:
    """Look at a store with one damaged file; ``thorough``: go on with an update of ``place``."""
    with client.root(damaged_image(image, damage)) as root, listening() as heard:
        seen, opening = client.look(root)
        said = heard()
        by_log = said and client.store.declarations.damage_reported == "log"
        reading = Reading(seen, said, by_log or client.reports, opening)
        if not thorough:
            return reading
        reading = replace(reading, kept=client.is_kept(root, damage.content))
        return _updated(client, root, damage, place, reading)


def _updated(client: DamageClient, root: Path, damage: Damage, place: str, reading: Reading) -> Reading:
    update: Call = client.workload.next_update(place, NEXT_VERSION)
    raised = ""
    try:
        opened = client.open(root)
        try:
            client.step()
            update.make(opened)
        finally:
            with suppress(Exception):
                opened.close()
    except Exception as error:
        raised = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
    reading = replace(reading, kept_later=client.is_kept(root, damage.content), updated=raised or "returned")
    if raised or not client.emptied(root, damage.path):
        return reading
    again, _ = client.look(root)
    return replace(reading, again=again)


def is_kept(root: Path, content: bytes) -> bool:
    """Say whether bytes are still there: in one file, or as what a log keeps and what was cut off it."""
    contents = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                contents.append(Path(path).read_bytes())
    return is_among(content, contents)


def is_among(content: bytes, contents: list[bytes]) -> bool:
    """Say whether bytes are part of one of these, or of what a log keeps and what was cut off it."""
    bare = content.rstrip(b"\0")  # zeros at the end are where nothing was
    if not bare or any(bare in other for other in contents):
        return True
    cuts = [cut for other in contents if (cut := other.rstrip(b"\0")) and bare.endswith(cut)]
    return any(log.startswith(bare[: len(bare) - len(cut)]) for cut in cuts for log in contents)


@contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether anything was logged, warned of or printed since.

    Records are heard where they are made: many a logger has a handler of its own and hands nothing on.
    """
    records: list[logging.LogRecord] = []
    make = logging.getLogRecordFactory()

    def heard(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        if record.levelno >= logging.WARNING:
            records.append(record)
        return record

    before = _printed()
    logging.setLogRecordFactory(heard)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield lambda: bool(records) or any(map(_is_about_data, warned)) or _printed() > before
    finally:
        logging.setLogRecordFactory(make)


def _is_about_data(warning: warnings.WarningMessage) -> bool:
    """Say whether a warning is none about how the program is written."""
    return not issubclass(
        warning.category, (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)
    )


def _printed() -> int:
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    return os.fstat(2).st_size


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let this process, which must be one that ends, have only so much more memory than it has."""
    if resource is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
