"""Identifiers in people's own tests: the corpus, a place with canaries around it, and what draws more identifiers.

This is what the fixture ``tradestore_names`` hands out; the suite itself does not come here.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_tradestore.names.corpus import (
    COMPOSITES,
    CORPUS,
    GROUPS,
    NO_TEXT,
    ORDINARY,
    Group,
    Identifier,
    Other,
    filled,
    generated,
)
from pytest_tradestore.names.nest import Canaries, Nest
from pytest_tradestore.names.session import shows_secret

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class EscapeFound(AssertionError):  # noqa: N818 - a finding about the code under test, not an error of ours
    """Something outside of the root was read or changed; ``identifier`` and ``change`` say by which and what."""

    def __init__(self, identifier: object, change: str) -> None:
        self.identifier, self.change = identifier, change
        super().__init__(f"{identifier!a} led out of the root: {change}; refuse it, or encode it reversibly")


class Surroundings:
    """A root for the code under test, eighteen directories deep, and canaries all around it."""

    def __init__(self, nest: Nest) -> None:
        self._nest = nest
        self._canaries = Canaries(nest)
        self.root: Path = nest.root

    def value(self, row: Identifier) -> str:
        """Return the value of a row of the corpus; its absolute paths point at canaries."""
        return filled(row.value, str(self._nest.root), str(self._nest.out))

    def check(self, identifier: object, *returned: Any) -> None:
        """Raise EscapeFound if a canary was changed, created or removed, or if what was ``returned`` holds one."""
        if change := self._canaries.change(thorough=True):
            raise EscapeFound(identifier, change)
        for value in returned:
            if shows_secret(value):
                raise EscapeFound(identifier, "a read returned what stands in a file outside")


class Names:
    """The rows of the corpus, groups that are taken for one, and strategies for hypothesis."""

    corpus: tuple[Identifier, ...] = CORPUS
    ordinary: tuple[Identifier, ...] = ORDINARY
    groups: tuple[Group, ...] = GROUPS
    composites = COMPOSITES
    no_text: tuple[Other, ...] = NO_TEXT

    @property
    def writable(self) -> tuple[Identifier, ...]:
        """The rows that may be written: all but those that name places of the real system."""
        return tuple(row for row in CORPUS if not row.read_only)

    def generated(self, *, every_character: bool = False) -> tuple[Identifier, ...]:
        """Return the rows that are made: around the limits of lengths, all depths, characters one by one."""
        return tuple(generated(every_character=every_character))

    def identifiers(self) -> "SearchStrategy[str]":
        """Draw identifiers of whatever kind; whoever takes one for a path stays among the canaries."""
        from pytest_tradestore.names import strategies

        return strategies.identifiers()

    def lookalikes(self) -> "SearchStrategy[tuple[str, str]]":
        """Draw two different identifiers that some mapping to file names takes for one."""
        from pytest_tradestore.names import strategies

        return strategies.lookalikes()

    @contextmanager
    def surroundings(self) -> Iterator[Surroundings]:
        """Give a root with canaries around it; home and the working directory are canaries, too, meanwhile."""
        with tempfile.TemporaryDirectory(prefix="tradestore-") as sandbox:
            nest = Nest.build(Path(sandbox, "nest"))
            before, home = os.getcwd(), os.environ.get("HOME")
            os.environ["HOME"] = str(nest.home)
            os.chdir(nest.cwd)
            try:
                yield Surroundings(nest)
            finally:
                os.chdir(before)
                if home is None:
                    del os.environ["HOME"]
                else:
                    os.environ["HOME"] = home
                nest.remove()
