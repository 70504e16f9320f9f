"""A counterexample as text for a terminal: what was done, what was lost, what was found, and what to do about it."""

import textwrap
from collections.abc import Iterator

from pytest_tradestore.observation import counted
from pytest_tradestore.report.columns import columns
from pytest_tradestore.requirements import find
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

_MARKS = {
    StepStatus.PERSISTED: "ok  ",
    StepStatus.LOST: "LOST",
    StepStatus.PARTLY: "PART",
    StepStatus.NOT_ISSUED: "--  ",
    StepStatus.FAILED: "FAIL",
    StepStatus.NOTE: "    ",
}
_RED, _GREEN, _BOLD, _DIM, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_SHORTEST, _WIDEST = 60, 130
_CALLS_BEFORE_STEPS, _CALLS_OF_A_PROGRAM = 4, 16
"""Where steps follow they tell what happened; else the calls do, and have to be complete."""


def render(counterexample: Counterexample, requirement: str, width: int = 80, *, color: bool = False) -> str:
    """Return the counterexample as lines of at most ``width`` columns (between 60 and 130), but for a long token."""
    width = max(_SHORTEST, min(width, _WIDEST))
    lines = [*_head(counterexample, requirement, width), *_body(counterexample, width)]
    lines += _foot(counterexample, requirement, width)
    return "\n".join(_painted(line) if color else line for line in lines)


def in_brief(counterexample: Counterexample, width: int) -> Iterator[str]:
    """Yield what there is to say of a counterexample that is not shown: its cause, the sentence, and its token."""
    width = max(_SHORTEST, min(width, _WIDEST))
    cause = "" if counterexample.cause is None else f"{counterexample.cause}: "
    yield from textwrap.wrap(
        f"- {cause}{counterexample.headline}", width, subsequent_indent="  ", break_on_hyphens=False
    )
    if counterexample.token:
        yield f"  --tradestore-replay {counterexample.token}"


def _head(told: Counterexample, requirement: str, width: int) -> Iterator[str]:
    known = find(requirement)
    yield from textwrap.wrap(f"{requirement} VIOLATED: {told.headline}", width, subsequent_indent="  ")
    if known is not None:
        yield from textwrap.wrap(f"A conforming store {known.sentence}.", width)
    yield ""


def _body(told: Counterexample, width: int) -> Iterator[str]:
    if told.workload:
        shown = _CALLS_BEFORE_STEPS if told.steps else _CALLS_OF_A_PROGRAM
        yield from _section("Done", told.workload[-shown:], width, earlier=len(told.workload) - shown)
    if told.crash:
        yield from _section("Crash", (told.crash,), width)
    if told.steps:
        yield ""
        yield from columns(told.steps, told.actors, width) if told.actors else _steps(told.steps, width)
        yield ""
    if told.image:
        yield from _section("On disk", told.image, width)
    if told.found:
        yield from _section("Found", told.found, width)
    if told.allowed:
        yield from _section("Allowed", tuple(_alternatives(told.allowed)), width)


def _alternatives(allowed: tuple[str, ...]) -> Iterator[str]:
    for number, text in enumerate(allowed):
        yield text if number == 0 else f"or {text}"


def _foot(told: Counterexample, requirement: str, width: int) -> Iterator[str]:
    known = find(requirement)
    if told.filesystems:
        yield from _section("Happens on", (", ".join(told.filesystems),), width)
    if told.sightings:
        yield from _section("Kernel", tuple(map(str, told.sightings)), width)
    if told.how_many > 1:
        yield from _section("Seen in", (f"{told.how_many:,} distinct images; this is the simplest",), width)
    for note in told.notes:
        yield from _section("Note", (note,), width)
    if why := told.why or (known.why if known is not None else ""):
        yield from _section("Why", (why,), width)
    if told.cause is not None:
        yield from _section("Cause", (str(told.cause),), width)
    if remedy := told.remedy or (known.remedy if known is not None else ""):
        yield from _section("Remedy", (remedy,), width)
    if told.token:
        yield from _replay(told.token, width)


def _replay(token: str, width: int) -> Iterator[str]:
    """Yield how to see it again; the token in one piece, so that it can be copied, even if it is wide."""
    command = "--tradestore-replay"
    if _LABEL + len(command) + 1 + len(token) <= width:
        yield f"{'Replay:':<{_LABEL}}{command} {token}"
    else:
        yield f"{'Replay:':<{_LABEL}}{command} \\"
        yield token


_LABEL = 12


def _section(label: str, lines: tuple[str, ...], width: int, earlier: int = 0) -> Iterator[str]:
    first = f"{label}:".ljust(_LABEL)
    if earlier > 0:
        yield first + f"… {counted(earlier, 'earlier call')}"
        first = " " * _LABEL
    for line in lines:
        yield from textwrap.wrap(
            line,
            width,
            initial_indent=first,
            subsequent_indent=" " * (_LABEL + 2),
            break_long_words=True,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        ) or [first]
        first = " " * _LABEL


def _steps(steps: tuple[Step, ...], width: int) -> Iterator[str]:
    """Yield the trace: number, fate, what was done; the source line at the right, or below where there is no room."""
    column = max((len(_what(s)) for s in steps if s.location), default=0) + 2
    for step in steps:
        if step.text == "CRASH":
            yield "  ===== CRASH ".ljust(width, "=")
            continue
        number = f"{step.number:>4}" if step.number else "    "
        line = f"{number}  {_MARKS[step.fate]}  {_what(step)}"
        if not step.location:
            yield from textwrap.wrap(line, width, subsequent_indent=" " * 14, drop_whitespace=False) or [line]
            continue
        where = f"{step.location}  {step.source}".rstrip()
        beside = f"{line.ljust(12 + column)}{where}"
        if len(beside) <= width:
            yield beside
        elif 12 + column + len(step.location) + 12 <= width:
            yield beside[: width - 1] + "…"
        else:
            yield from textwrap.wrap(line, width, subsequent_indent=" " * 14)
            told = f"{' ' * 14}{where}"
            yield told if len(told) <= width else told[: width - 1] + "…"


def _what(step: Step) -> str:
    return f"{step.text}  ({step.detail})" if step.detail else step.text


def _painted(line: str) -> str:
    """Colour a finished line; words carry the meaning, colour only helps to find them."""
    if " VIOLATED: " in line or line.startswith("  ===== CRASH"):
        return f"{_RED}{_BOLD}{line}{_OFF}"
    mark = line[6:10]
    if mark in ("LOST", "PART", "FAIL") and line[:6].strip().isdigit():
        return f"{_RED}{line}{_OFF}"
    if mark == "--  " and line[:6].strip().isdigit():
        return f"{_DIM}{line}{_OFF}"
    if line[:_LABEL].rstrip().endswith(":") and line[:_LABEL].strip():
        return f"{_BOLD}{line[:_LABEL]}{_OFF}{line[_LABEL:]}"
    return line
