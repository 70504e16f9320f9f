"""Copies what stores hold from one place to another, whatever each of them is, and compares afterwards.

A part is all of one kind (documents, logs, jobs, ...) in one place: names, and under each a list of JSON objects. What
is equal at the other place already is passed over, so that a copy which was interrupted goes on where it was; what is
there beyond is left alone. At the end everything is read again in both places: counts and digests have to agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from reference_store.core import strict_json
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError, shown


class Different(StoreError):  # noqa: N818 - says what is the case
    """The other place holds something that a copy must not replace; ``name`` says what."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        super().__init__(
            f"{shown(name)} of the {kind} is another one where it is to be copied to, not the beginning of this one; "
            "copy to an empty place, or remove it there first"
        )


class Part(Protocol):
    """All of one kind in one place."""

    grows: bool
    """Whether lists are only ever added to: then what is there has to be the beginning of what is copied."""

    def names(self) -> list[str]:
        """What there is, in an order in which it can be copied."""

    def read(self, name: str) -> Iterator[Document]:
        """What stands under a name, in order."""

    def write(self, name: str, since: int, source: Iterator[Document]) -> None:
        """Add ``source`` behind the first ``since``; where lists do not grow, put it in place of what is there."""

    def close(self) -> None:
        """Let go of the place."""


@dataclass(frozen=True, slots=True)
class Sum:
    """How many objects stand under a name, and what tells them from any others."""

    count: int
    sha256: str


@dataclass(slots=True)
class Copied:
    """What became of a copy: names that were ``copied``, ``equal`` already, and that are ``different`` at the end."""

    kind: str
    copied: list[str] = field(default_factory=list)
    equal: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    objects: int = 0


def copy(kind: str, source: Part, target: Part, step: Callable[[int, int], None]) -> Copied:
    """Copy all that ``source`` has and compare; ``step`` is told how much of how much is done.

    Raises Different rather than replace a log that went another way, and what the stores raise.
    """
    done = Copied(kind)
    names, there = source.names(), set(target.names())
    for number, name in enumerate(names):
        step(number, 2 * len(names))
        before = sum_of(target.read(name)) if name in there else Sum(0, _digest(iter(())))
        if name in there and before == sum_of(source.read(name)):
            done.equal.append(name)
            continue
        since = 0
        if source.grows and before.count:
            begun = sum_of(_first(source.read(name), before.count))
            if begun != before:
                raise Different(kind, name)
            since = before.count
        target.write(name, since, _behind(source.read(name), since))
        done.copied.append(name)
    for number, name in enumerate(names):
        step(len(names) + number, 2 * len(names))
        wanted = sum_of(source.read(name))
        done.objects += wanted.count
        if sum_of(target.read(name)) != wanted:
            done.different.append(name)
    step(1, 1)
    return done


def sum_of(objects: Iterator[Document]) -> Sum:
    """Count and digest of objects, as they come: none is kept."""
    digest, count = hashlib.sha256(), 0
    for each in objects:
        digest.update(f"{strict_json.text_of(each)}\n".encode())
        count += 1
    return Sum(count, digest.hexdigest())


def _digest(objects: Iterator[Document]) -> str:
    return sum_of(objects).sha256


def _first(objects: Iterator[Document], count: int) -> Iterator[Document]:
    for number, each in enumerate(objects):
        if number == count:
            return
        yield each


def _behind(objects: Iterator[Document], count: int) -> Iterator[Document]:
    for number, each in enumerate(objects):
        if number >= count:
            yield each
