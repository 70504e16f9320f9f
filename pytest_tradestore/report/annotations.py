"""Root causes as places in the project's files, for tools that show them beside the code.

A cause whose step has no line in the project (a native library's, or one that was never made) is shown where no file is
named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_tradestore.causes import Culprit
from pytest_tradestore.report.findings import Finding, findings_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import profile_of
from pytest_tradestore.requirements import Profile

_WITHIN = " > "
"""Stands between a line of the project and the line of a library that it leads to."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file below the project's directory, with forward slashes."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """One root cause: where it lies, if that is known, what it breaks, and whether that decides the run."""

    places: tuple[Place, ...]
    title: str
    text: str
    finding: Finding
    decides: bool


def annotations(records: Sequence[StoreRecord], profile: Profile, project: Path) -> Iterator[Annotation]:
    """Yield the root causes of all stores, for each store those that do most harm first."""
    for record in records:
        for finding in findings_of(record):
            said = [one.example.headline for one in finding.consequences if one.example is not None][:1]
            tokens = [one.example.token for one in finding.consequences if one.example is not None]
            replay = [f"Replay: pytest --tradestore-conformance --tradestore-replay {t}" for t in tokens if t][:1]
            remedy = [f"Remedy: {finding.cause.remedy}"] if finding.cause.remedy else []
            yield Annotation(
                tuple(places_of(finding.cause.culprit, project)),
                f"{record.facts.name}: {finding.cause.culprit.fault} ({' '.join(finding.requirements)})",
                "\n".join([*said, *remedy, *replay]) or str(finding),
                finding,
                any(profile_of(requirement) <= profile for requirement in finding.requirements),
            )


def places_of(culprit: Culprit, project: Path) -> Iterator[Place]:
    """Yield the lines of the project at which it lies, or which lead to it."""
    for told in culprit.places:
        for part in reversed(told.split(_WITHIN)):
            file, _, line = part.rpartition(":")
            if line.isascii() and line.isdigit() and file and (project / file).is_file():
                inside = (project / file).resolve()
                if inside.is_relative_to(project.resolve()):
                    yield Place(inside.relative_to(project.resolve()).as_posix(), int(line))
                    break


def github_lines(found: Sequence[Annotation]) -> Iterator[str]:
    """Yield the workflow commands by which GitHub shows each root cause beside the code."""
    for one in found:
        level = "error" if one.decides else "warning"
        at = [f"file={_property(one.places[0].file)}", f"line={one.places[0].line}"] if one.places else []
        yield f"::{level} {','.join([*at, f'title={_property(one.title)}'])}::{_data(one.text)}"


def _data(text: str) -> str:
    """Escape the message of a workflow command (GitHub Actions toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
