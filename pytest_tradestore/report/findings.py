"""What a store's results amount to in root causes: each told once, with every requirement that it breaks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_tradestore.causes import AND, Cause, Culprit, Harm
from pytest_tradestore.report.records import StoreRecord, check_id
from pytest_tradestore.verdict import Counterexample, Verdict


@dataclass(frozen=True, slots=True)
class Consequence:
    """One requirement that a cause breaks in one case, and the smallest counterexample of that, if there is one."""

    requirement: str
    case: str
    example: Counterexample | None

    @property
    def check(self) -> str:
        return check_id(self.requirement, self.case)


@dataclass(frozen=True, slots=True)
class Finding:
    """A root cause and all that it leads to; ``known`` where an engine named the culprit, else it is the violation."""

    cause: Cause
    consequences: tuple[Consequence, ...]
    known: bool = True

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(consequence.requirement for consequence in self.consequences))

    @property
    def by_posix_alone(self) -> bool:
        """Whether none of ext4, XFS and btrfs shows it, in whatever it leads to."""
        examples = [consequence.example for consequence in self.consequences if consequence.example is not None]
        return bool(examples) and all(map(by_posix_alone, examples))

    def __str__(self) -> str:
        told = [self.cause.harm.words] if self.known else []
        told += [BY_POSIX_ALONE] if self.by_posix_alone else []
        return f"{self.cause.culprit}: {' '.join(self.requirements)}{_in_brackets(told)}"


def _in_brackets(words: list[str]) -> str:
    return f" ({'; '.join(words)})" if words else ""


BY_POSIX_ALONE = "by POSIX to the letter alone"
_NOT_SEEN_ON_LINUX = ("strict", "macos")


def by_posix_alone(example: Counterexample) -> bool:
    """Say whether no file system of Linux shows it: POSIX does not promise that it cannot happen, and that is all."""
    return bool(example.filesystems) and all(name.startswith(_NOT_SEEN_ON_LINUX) for name in example.filesystems)


def findings_of(record: StoreRecord) -> tuple[Finding, ...]:
    """Return the findings about one store, those that do most harm first."""
    found: dict[Culprit, list[tuple[Cause, Consequence, bool]]] = {}
    for cause, consequence, known in _consequences(record):
        found.setdefault(cause.culprit, []).append((cause, consequence, known))
    for culprit in list(found):
        if (alone := _enough(culprit, found)) is not None:
            found[alone] += found.pop(culprit)
    findings = [
        Finding(min((cause for cause, _, _ in rows), key=_harm), tuple(c for _, c, _ in rows), rows[0][2])
        for rows in found.values()
    ]
    return tuple(sorted(findings, key=lambda finding: finding.cause.harm))


def _enough(culprit: Culprit, known: Iterable[Culprit]) -> Culprit | None:
    """Return the culprit that is part of another one and known by itself: it is enough, and the rest adds nothing."""
    parts = culprit.fault.split(AND)
    return next(
        (
            one
            for one in known
            if one != culprit and one.fault in parts and one.lines and set(one.lines) <= set(culprit.lines)
        ),
        None,
    )


def _harm(cause: Cause) -> Harm:
    return cause.harm


def _consequences(record: StoreRecord) -> Iterator[tuple[Cause, Consequence, bool]]:
    """Yield every violation with its causes, in the order of the store's checks."""
    for check in record.facts.checks:
        result = record.results.get(check)
        if result is None or result.verdict is not Verdict.VIOLATED:
            continue
        for example in result.examples or (None,):
            told = result.reason if example is None else example.headline
            cause = None if example is None else example.cause
            unknown = Cause(Culprit(f"{told} [{result.case}]"), Harm.WRONG)
            yield cause or unknown, Consequence(result.requirement, result.case, example), cause is not None
