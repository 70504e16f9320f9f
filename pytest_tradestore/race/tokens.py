"""Replay tokens of schedules: the turns by name of the operation that had to wait, and a fingerprint of the rest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.race.execution import ContextSwitch
from pytest_tradestore.race.line_switches import OPERATION

LINES = "lines-"
_TURN = re.compile(r"(\d+)\.(\d+)\.(\w+)\.(\d+)")
_TOKEN = re.compile(r"(?P<lines>lines-)?(?P<turns>plain|[\w.-]+)-(?P<print>[0-9a-f]{8})")
Choices = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class ScheduleToken:
    """As text ``0.5.replace.1-1a2b3c4d``: when actor 0 had made 5 steps and was about to replace, actor 1 went on.

    The last part is the fingerprint of every choice by the name of its operation. A schedule without turns is
    ``plain``; one that stops at lines of code begins with ``lines``.
    """

    turns: tuple[ContextSwitch, ...]
    fingerprint: str
    lines: bool = False

    def __str__(self) -> str:
        turns = "-".join(f"{t.passed_over}.{t.steps}.{verb(t.operation)}.{t.chosen}" for t in self.turns)
        return f"{LINES if self.lines else ''}{turns or 'plain'}-{self.fingerprint}"


def token_of(turns: Sequence[ContextSwitch], choices: Choices, lines: bool = False) -> ScheduleToken:
    """Return the token of a schedule that was run."""
    return ScheduleToken(tuple(turns), fingerprint(choices), lines)


def parse(text: str) -> ScheduleToken:
    """Read a token. Raises ReplayError if it is none."""
    match = _TOKEN.fullmatch(text.strip())
    turns: list[ContextSwitch] = []
    if match is not None and match["turns"] != "plain":
        for part in match["turns"].split("-"):
            turn = _TURN.fullmatch(part)
            if turn is None:
                match = None
                break
            turns.append(ContextSwitch(int(turn[1]), int(turn[2]), turn[3], int(turn[4])))
    if match is None:
        raise ReplayError(
            f"{text!r} names no schedule; copy the whole word after --tradestore-replay from the report, "
            "for example 0.5.replace.1-1a2b3c4d"
        )
    return ScheduleToken(tuple(turns), match["print"], match["lines"] is not None)


def fingerprint(choices: Choices) -> str:
    """Return eight hex digits of everything that was done, in order and by name."""
    return sha256("\n".join(f"{number} {operation}" for number, operation in choices).encode()).hexdigest()[:8]


def with_lines(choices: Choices) -> bool:
    """Say whether a schedule switched between lines of code."""
    return any(operation.startswith(f"{OPERATION} ") for _, operation in choices)


def verb(operation: str) -> str:
    """Return the first word of an operation, as tokens have it."""
    return re.sub(r"\W", "", operation.partition(" ")[0])
