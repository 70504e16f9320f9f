"""A client of one store: opens it on roots that hold an image, looks at it, and says before each step that it begins.

What is done between the looks is for others. Runs the store's own code: only ever inside an isolated process.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_tradestore.crash.images import THE_ROOT, DurableImage, matches, read_image
from pytest_tradestore.crash.timeless import timeless
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.observation import Failed, Observation
from pytest_tradestore.sandbox import remove_tree
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest


@dataclass
class Client:
    """Uses one store in its ``workload``; roots are made in ``directory``, and ``step`` says that a step begins."""

    store: StoreUnderTest
    workload: Workload
    directory: Path
    step: Callable[[], None]
    bridge: Bridge = field(default_factory=Bridge, kw_only=True)
    _count: int = field(default=0, init=False)

    def fresh_root(self, image: DurableImage) -> Path:
        """Return a new root that holds ``image``; no other process is given the same."""
        self._count += 1
        root = self.directory / f"{os.getpid()}-{self._count}" / "store"
        self._apart(make_root, root, image)
        return root

    def discard(self, root: Path) -> None:
        """Remove a root that ``fresh_root`` gave."""
        self._apart(remove_tree, root.parent)

    @contextmanager
    def root(self, image: DurableImage) -> Iterator[Path]:
        """Give a root that holds ``image``; it is removed afterwards."""
        path = self.fresh_root(image)
        try:
            yield path
        finally:
            self.discard(path)

    def image_of(self, root: Path) -> DurableImage:
        """Return what lies below a root, volatile files left out."""
        found: DurableImage = self._apart(image_below, root, self.store.declarations.volatile)
        return found

    def _apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        """Do a chore of ours that is none of the store's steps."""
        return chore(*arguments)

    def open(self, root: Path) -> OpenStore:
        """Open the store; whatever it raises is raised."""
        self.step()
        return self.store.open(root, self.bridge)

    def observe(self, opened: OpenStore) -> Observation:
        """Return what the store shows, with the times of this run left out: two runs have to be comparable."""
        self.step()
        return timeless(self.workload.observe(opened, self.store.declarations.errors))

    def look(self, root: Path) -> tuple[Observation, Failed | None]:
        """Open, look at every place and close; what opening raises is seen everywhere."""
        try:
            opened = self.open(root)
        except Exception as error:
            failed = self.failed(error, root)
            return Observation(tuple((place, failed) for place in self.workload.place_names)), failed
        try:
            return self.observe(opened), None
        finally:
            self.leave(opened)

    def leave(self, opened: OpenStore) -> None:
        """Close a store that has been looked at, whatever it says to that."""
        with suppress(Exception):
            opened.close()

    def failed(self, error: Exception, root: Path) -> Failed:
        """Return what a store raised as something that is seen."""
        message = str(error).replace(str(root), "<root>")
        return Failed(type(error).__name__, message, isinstance(error, self.store.declarations.errors))

    def close(self) -> None:
        self.bridge.close()


def make_root(root: Path, image: DurableImage) -> None:
    """Make a new root that holds ``image``."""
    os.makedirs(root)
    image.write(root)


def image_below(root: Path, volatile: tuple[str, ...]) -> DurableImage:
    """Return what lies below a root; links into it stay links into it wherever it is written."""
    base = str(root)
    return DurableImage(
        tuple(
            replace(file, target=file.target.replace(base, THE_ROOT)) if file.target else file
            for file in read_image(root)
            if not matches(file.path, volatile)
        )
    )
