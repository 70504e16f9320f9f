"""Replay tokens of crash states: short text that names one state of one workload of one store, and notices a change."""

import re
from dataclasses import dataclass
from hashlib import sha256

from pytest_tradestore.crash.crash_state import Crash, CrashState
from pytest_tradestore.crash.lowering import Extent, Program
from pytest_tradestore.crash.operations import Sync
from pytest_tradestore.errors import ReplayError

_TOKEN = re.compile(
    r"(?P<store>[^/]+)/(?P<case>[^/]+)/(?P<kind>[cp])(?P<cut>\d+)(?:\+(?P<partial>\d+))?/(?P<lost>-|[\d.-]+)/(?P<print>[0-9a-f]{8})"
)


@dataclass(frozen=True, slots=True)
class CrashToken:
    """``store/case/c12/3-5.9/1a2b3c4d``: c for a process crash or p for a power loss, cut, losses, fingerprint."""

    store: str
    case: str
    state: CrashState
    fingerprint: str

    def __str__(self) -> str:
        kind = "c" if self.state.crash is Crash.PROCESS else "p"
        partial = "" if self.state.partial is None else f"+{self.state.partial}"
        return f"{self.store}/{self.case}/{kind}{self.state.cut}{partial}/{_ranges(self.state.lost)}/{self.fingerprint}"


def parse(text: str) -> CrashToken:
    """Read a token. Raises ReplayError if it is none."""
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        raise ReplayError(
            f"{text!r} is not a replay token; copy the whole word after --tradestore-replay from the report, "
            "for example acme/documents/p33/35/1a2b3c4d"
        )
    partial = match["partial"]
    crash = Crash.PROCESS if match["kind"] == "c" else Crash.POWER
    state = CrashState(crash, int(match["cut"]), _numbers(match["lost"], text), int(partial) if partial else None)
    return CrashToken(match["store"], match["case"], state, match["print"])


def fingerprint(program: Program) -> str:
    """Return eight hex digits that stay the same as long as a program makes the same kinds of steps in order.

    Sizes and names are left out: temporary names are random, and time stamps vary in length.
    """
    shape = " ".join(
        f"{type(step).__name__}:{step.kind.value}:{step.failed}"
        if isinstance(step, Sync)
        else f"Write:{step.write.durable}"
        if isinstance(step, Extent)
        else type(step).__name__
        for step in program.steps
    )
    return sha256(shape.encode()).hexdigest()[:8]


def _ranges(numbers: tuple[int, ...]) -> str:
    if not numbers:
        return "-"
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ".".join("-".join(map(str, part)) for part in parts)


def _numbers(text: str, token: str) -> tuple[int, ...]:
    if text == "-":
        return ()
    numbers: list[int] = []
    for part in text.split("."):
        bounds = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        first, last = (int(bounds[1]), int(bounds[2] or bounds[1])) if bounds else (0, -1)
        if not first <= last <= first + 1_000_000 or (numbers and first <= numbers[-1]):
            raise ReplayError(f"{token!r} is not a replay token: {part!r} is no range of steps that follows")
        numbers.extend(range(first, last + 1))
    return tuple(numbers)
