"""What the terminal shows around the tests: the header, the matrix of requirements and stores, the verdicts."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_tradestore.observation import counted
from pytest_tradestore.report.findings import BY_POSIX_ALONE, findings_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import Cell, cell, details, profile_of, reached, rows, verdict_line
from pytest_tradestore.requirements import SPEC, Profile, known
from pytest_tradestore.settings import Settings

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line, and the colours that it has where there are colours."""

    text: str
    markup: tuple[str, ...] = ()


Line = tuple[Span, ...]
_UNASKED = (Cell.NOT_RUN, Cell.NO_CHECK)
_QUIET = (*_UNASKED, Cell.HOLDS, Cell.IN_PART, Cell.NOT_APPLICABLE)
_COLOURS: dict[Cell, tuple[str, ...]] = {
    Cell.VIOLATED: ("red", "bold"),
    Cell.ERROR: ("red",),
    Cell.UNDECIDED: ("yellow", "bold"),
    Cell.WAIVED: ("yellow",),
    Cell.NOT_RUN: ("yellow",),
    Cell.UNCLAIMED: ("yellow",),
    Cell.HOLDS: ("green",),
    Cell.IN_PART: ("green",),
}


def requirement_list() -> Iterator[str]:
    """Yield one line per requirement: id, profile, sentence."""
    widest = max(len(requirement.id) for requirement in known())
    for requirement in known():
        yield f"{requirement.id:<{widest}}{_GAP}{requirement.profile.label:<8}{_GAP}{requirement.sentence}"


def header(
    settings: Settings, recorder: tuple[str, str], stores: Sequence[str], width: int, *, self_check: bool
) -> list[str]:
    """Return the lines that say what is about to be checked, and how; ``recorder`` is its name and a remark on it."""
    name, remark = recorder
    how = (
        f"tradestore: spec {SPEC}, profile {settings.profile.label}, recorder {name}, "
        f"model {settings.model}, budget {settings.budget.name.lower()}, seed {settings.seed}"
    )
    lines = [line for text in (how, remark, f"stores: {', '.join(stores)}") for line in _wrapped(text, width)]
    return (
        ["SELF-CHECK: no store of yours is registered; the smallest of the bundled stores is checked", *lines]
        if self_check
        else lines
    )


def summary(records: Sequence[StoreRecord], profile: Profile, width: int, *, whole: bool = False) -> list[Line]:
    """Return the verdicts with the findings, and the matrix; no line wider than ``width`` (as far as the names allow).

    Unless ``whole``, the matrix has only what somebody may have to look at, and the most telling counts stand alone.
    """
    requirements = rows(records)
    asked = [r for r in requirements if any(cell(record, r) not in _UNASKED for record in records)]
    left = len(requirements) - len(asked)
    shown = [r for r in asked if whole or any(cell(record, r) not in _QUIET for record in records)]
    quiet = len(asked) - len(shown)
    return [
        *_verdicts(records, profile, width, whole=whole),
        *(((), *_matrix(records, shown, profile, width)) if shown else ()),
        *((_line(f"not run: {counted(left, 'other requirement')}"),) if left else ()),
        *map(_line, _wrapped(_quiet(quiet, others=bool(shown)), width)),
    ]


def _quiet(count: int, *, others: bool) -> str:
    """Say what the matrix leaves out."""
    if not count:
        return ""
    hold = "holds or does not apply" if count == 1 else "hold or do not apply"
    return f"{counted(count, 'other requirement' if others else 'requirement')} {hold}; -v shows the whole matrix"


def display_names(records: Sequence[StoreRecord]) -> list[str]:
    """Return the stores' names, or their ids where two have the same name."""
    names = [record.facts.name for record in records]
    return [r.facts.name if names.count(r.facts.name) == 1 else r.facts.id for r in records]


def _matrix(
    records: Sequence[StoreRecord], requirements: Sequence[str], profile: Profile, width: int
) -> Iterator[Line]:
    names = display_names(records)
    stub = max((len(r) for r in requirements), default=0) + len(_GAP) + len("hardened")
    columns = [max(len(name), len("undecided")) for name in names]
    if stub + sum(len(_GAP) + column for column in columns) <= width:
        yield _line(f"{'':<{stub}}", *((f"{_GAP}{n:<{c}}", ("bold",)) for n, c in zip(names, columns, strict=True)))
        for requirement in requirements:
            cells = [cell(record, requirement) for record in records]
            outside = profile_of(requirement) > profile
            words = [c.word.lower() if outside else c.word for c in cells]
            texts = [f"{word:<{column}}" for word, column in zip(words, columns, strict=True)]
            yield _row(requirement, stub, profile, list(zip(cells, texts, strict=True)))
        return
    # Too wide for words: numbered columns of symbols, as many blocks as it takes.
    digits = len(str(len(records)))
    for number, name in enumerate(names, 1):
        yield _line(f"{number:>{digits}} = {name}")
    at_once = max(1, (width - stub) // (len(_GAP) + digits))
    for start in range(0, len(records), at_once):
        block = records[start : start + at_once]
        yield ()
        heads = (f"{_GAP}{number:>{digits}}" for number in range(start + 1, start + 1 + len(block)))
        yield _line(f"{'':<{stub}}", ("".join(heads), ("bold",)))
        for requirement in requirements:
            cells = [cell(record, requirement) for record in block]
            yield _row(requirement, stub, profile, [(c, f"{c.value:>{digits}}") for c in cells])
    shown = {cell(record, requirement) for record in records for requirement in requirements}
    yield ()
    legend = _GAP.join(f"{c.value} {c.word}" for c in Cell if c in shown and c is not Cell.NO_CHECK)
    yield from (_line(line) for line in _wrapped(legend, width, indent=0))


def _row(requirement: str, stub: int, profile: Profile, cells: Sequence[tuple[Cell, str]]) -> Line:
    """Return one row; what lies outside of the profile is dimmed, because it does not decide."""
    level = profile_of(requirement)
    room = stub - len("hardened")
    return _line(
        f"{requirement:<{room}}",
        (f"{level.label:<8}", ("light",)),
        *((_GAP + text, _COLOURS.get(c, ()) if level <= profile else ("light",)) for c, text in cells),
    )


def _verdicts(records: Sequence[StoreRecord], profile: Profile, width: int, *, whole: bool) -> Iterator[Line]:
    for record, name in zip(records, display_names(records), strict=True):
        verdict = verdict_line(record, profile)
        held = reached(record)
        wanted = verdict.startswith("CONFORMANT") and held is not None and held >= profile
        colour = "green" if wanted else "red" if verdict.startswith("NOT") else "yellow"
        yield _line((f"{name}: {verdict}", (colour, "bold")))  # never wrapped: scripts look for it
        yield from (_line("  " + line) for told in _findings(record) for line in _wrapped(told, width - 2, indent=5))
        for detail in details(record, profile, whole=whole):
            yield from (_line("  " + line) for line in _wrapped(detail, width - 2))


_MOST_FINDINGS = 12


def _findings(record: StoreRecord) -> Iterator[str]:
    """Yield the count of root causes and a line for each, those that do most harm first."""
    findings = findings_of(record)
    if findings:
        letter = sum(finding.by_posix_alone for finding in findings)
        told = f", {letter} of them {BY_POSIX_ALONE}" if letter else ""
        yield f"{counted(len(findings), 'finding')}{told}{', worst first' if len(findings) > 1 else ''}:"
    for number, finding in enumerate(findings[:_MOST_FINDINGS], 1):
        yield f"{number:>3}. {finding}"
    if (more := len(findings) - _MOST_FINDINGS) > 0:
        yield f"     and {more} more: reports hold them all"


def _line(*parts: str | tuple[str, tuple[str, ...]]) -> Line:
    spans = [Span(part) if isinstance(part, str) else Span(*part) for part in parts]
    while spans and not spans[-1].text.rstrip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].markup)
    return tuple(spans)


def _wrapped(text: str, width: int, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        text, max(width, 20), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
