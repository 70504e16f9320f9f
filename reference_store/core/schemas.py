"""What the documents of a store have to be, and how those of older versions become so.

A schema is asked about every document that is saved and every one that is loaded. It touches no disk: whoever reads
keeps what a step has made in memory, and whoever writes next keeps the old file (``document_files``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from reference_store.core import integrity, strict_json
from reference_store.core.document_changes import encoded
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, InvalidRecord, MigrationError, NewerRecord, StoreError, shown

Validator: TypeAlias = Callable[[Document], Document | None]
"""Returns the document that counts, or None for the one that it was given; raises anything for one that is refused."""

_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,2}")


class OfNewerVersion(Exception):  # noqa: N818 - says what is the case
    """Raised by a validator for a document that only a later version can have written; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Step:
    """``make`` turns a document of version ``start`` into one of version ``end``, which is a later one.

    It gets a copy of its own, returns the document, and must depend on nothing else: it may run many times. The
    version in what it returns is set by the store.
    """

    start: str
    end: str
    make: Callable[[Document], Document]


@dataclass(frozen=True, slots=True, init=False)
class Migrations:
    """The versions of a store's documents: the ``current`` one, and a step from each older one on.

    A version is a text of up to three numbers, ``"2"`` or ``"1.10"``, and stands in the member ``member`` of the
    document; a document without one is of version ``unversioned``. Steps go forward only, at most one from each
    version, and following them leads to the current one. Raises InvalidRecord if not.
    """

    current: str
    steps: tuple[Step, ...]
    unversioned: str
    member: str
    _by_start: dict[str, Step] = field(repr=False, compare=False)

    def __init__(self, current: str, *steps: Step, unversioned: str = "1.0", member: str = "version") -> None:
        if type(member) is not str or member == integrity.RESERVED:
            raise InvalidRecord("member", "is no name that a version can have")
        by_start: dict[str, Step] = {}
        for version in (current, unversioned, *(version for step in steps for version in (step.start, step.end))):
            if not is_version(version):
                raise InvalidRecord("migrations", f"have {shown(version)} as a version: write numbers, like '1.0'")
        for step in steps:
            if numbers(step.start) >= numbers(step.end):
                raise InvalidRecord("migrations", f"go from {step.start} to {step.end}: steps go forward only")
            if _same(step.start) in by_start:
                raise InvalidRecord("migrations", f"have two steps from {step.start}")
            by_start[_same(step.start)] = step
        for step in steps:
            if numbers(step.end) != numbers(current) and _same(step.end) not in by_start:
                raise InvalidRecord("migrations", f"do not lead from {step.end} to {current}")
        for name, value in (
            ("current", current), ("steps", steps), ("unversioned", unversioned), ("member", member),
            ("_by_start", by_start),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[object, ...]:
        return _migrations, (self.current, self.steps, self.unversioned, self.member)

    def version_of(self, document: Document) -> str | None:
        """The version that the document says, None if what it says is no version."""
        found = document.get(self.member, self.unversioned)
        return found if is_version(found) else None

    def step_from(self, version: str) -> Step | None:
        """The step that begins with ``version``."""
        return self._by_start.get(_same(version))


def _migrations(current: str, steps: tuple[Step, ...], unversioned: str, member: str) -> Migrations:
    return Migrations(current, *steps, unversioned=unversioned, member=member)


def is_version(version: object) -> bool:
    """Whether this is how a version is written."""
    return type(version) is str and _VERSION.fullmatch(version) is not None


def numbers(version: str) -> tuple[int, ...]:
    """What versions are compared by: ``1.10`` comes after ``1.9``, and ``1`` is ``1.0``."""
    found = [int(number) for number in version.split(".")]
    return tuple(found + [0] * (3 - len(found)))


def _same(version: str) -> str:
    return ".".join(map(str, numbers(version)))


@dataclass(frozen=True, slots=True)
class Schema:
    """What every document of a store has to be.

    ``validate`` is called with a copy of each document before it is saved, and after it is loaded and brought up to the
    current version. It raises what it likes, an InvalidRecord if it wants to say which field is at fault, and may
    return another document that counts instead. ``migrations`` say how older documents become current ones.
    """

    validate: Validator | None = None
    migrations: Migrations | None = None

    def encoded(self, key: str, document: object) -> Encoded:
        """Return the document as it is stored; raises UnserialisableValue, and InvalidRecord for one that is refused.

        One that says no version gets the current one, unless that is what saying none means.
        """
        found = encoded(key, document)
        if self.validate is None and self.migrations is None:
            return found
        content = strict_json.copy_of(found.canonical)
        if self.migrations is not None:
            version = self.migrations.version_of({self.migrations.member: self.migrations.current, **content})
            if version is None or numbers(version) != numbers(self.migrations.current):
                raise InvalidRecord(self.migrations.member, f"is not the current one, {self.migrations.current}")
            if numbers(self.migrations.current) != numbers(self.migrations.unversioned):
                content.setdefault(self.migrations.member, self.migrations.current)
        try:
            return encoded(key, self._valid(content))
        except StoreError:
            raise
        except Exception as error:
            let_out(error)
            raise InvalidRecord("the document", f"is refused by its schema ({type(error).__name__})") from error

    def loaded(self, key: str, file: str, content: Document) -> Document:
        """Return what ``content``, sound and read from ``file``, is today.

        Raises CorruptData when it is not what the schema asks, NewerRecord when a later version has written it, or its
        validator takes it for that, and MigrationError when there is no way from its version to the current one.
        """
        if self.migrations is not None:
            content = self._migrated(self.migrations, key, file, content)
        try:
            return self._valid(content)
        except OfNewerVersion as unknown:
            raise NewerRecord(key, file, unknown.reason) from None
        except InvalidRecord as error:
            reason = f"its {error.field} {error.reason}"
            raise CorruptData(key, file, reason) from error
        except Exception as error:
            let_out(error)
            raise CorruptData(key, file, f"it is not what its schema asks ({type(error).__name__})") from error

    def older_version(self, content: Document) -> str | None:
        """The version of a document that is not of the current one, but of an earlier."""
        if self.migrations is None:
            return None
        version = self.migrations.version_of(content)
        return version if version is not None and numbers(version) < numbers(self.migrations.current) else None

    def _valid(self, content: Document) -> Document:
        if self.validate is None:
            return content
        found = self.validate(content)
        return content if found is None else found

    def _migrated(self, migrations: Migrations, key: str, file: str, content: Document) -> Document:
        version = migrations.version_of(content)
        if version is None:
            raise CorruptData(key, file, f"its {migrations.member} is no version")
        current = migrations.current
        if numbers(version) > numbers(current):
            raise NewerRecord(key, file, f"it is of version {version}, and {current} is the newest known here")
        while numbers(version) != numbers(current):
            step = migrations.step_from(version)
            if step is None:
                raise MigrationError(key, file, version, current, "no step begins there")
            try:
                made = step.make(strict_json.copy_of(strict_json.encode(content).canonical))
                if type(made) is not dict:
                    raise MigrationError(key, file, version, step.end, "the step returned no document")
                content = strict_json.copy_of(encoded(key, {**made, migrations.member: step.end}).canonical)
            except StoreError as error:
                if isinstance(error, MigrationError):
                    raise
                raise MigrationError(key, file, version, step.end, str(error)) from error
            except Exception as error:
                let_out(error)
                raise MigrationError(key, file, version, step.end, f"the step raised {type(error).__name__}") from error
            version = step.end
        return content


ANY = Schema()
"""What takes every document that can be stored."""
