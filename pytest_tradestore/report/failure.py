"""How a failed check shows in pytest: as its counterexample, at the width and in the colours of whoever looks."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.report.counterexample import render
from pytest_tradestore.requirements import find
from pytest_tradestore.verdict import Counterexample, Result

_WIDTH_IN_FILES = 100


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest shows of a failure in its short summary and as the message in JUnit files."""

    message: str


class FailureText:
    """Stands where pytest has the representation of an exception; ``str()`` of it is for files, without colours."""

    def __init__(self, result: Result) -> None:
        self.result = result
        example = result.counterexample
        self.reprcrash = Crash(f"{result.verdict.value}: {example.headline if example else result.reason}")

    def toterminal(self, tw: Any) -> None:
        tw.line(rendered(self.result, tw.fullwidth, color=tw.hasmarkup))

    def __str__(self) -> str:
        return rendered(self.result, _WIDTH_IN_FILES, color=False)


class ReplayText:
    """The counterexamples that one replayed state gives, one after the other."""

    def __init__(self, violations: Sequence[tuple[str, Counterexample]]) -> None:
        self.violations = tuple(violations)
        self.reprcrash = Crash("; ".join(f"{requirement}: {e.headline}" for requirement, e in self.violations))

    def toterminal(self, tw: Any) -> None:
        texts = [render(e, requirement, tw.fullwidth, color=tw.hasmarkup) for requirement, e in self.violations]
        tw.line("\n\n".join(texts))

    def __str__(self) -> str:
        return "\n\n".join(render(example, requirement, _WIDTH_IN_FILES) for requirement, example in self.violations)


def rendered(result: Result, width: int, *, color: bool) -> str:
    """Return the whole text of a failure."""
    if result.counterexample is not None:
        return render(result.counterexample, result.requirement, width, color=color)
    known = find(result.requirement)
    told = [f"{result.requirement} {result.verdict.value}: {result.reason}"]
    told += [f"A conforming store {known.sentence}."] if known else []
    width = max(60, min(width, 130))
    return "\n".join(textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False) for text in told)
