"""How a failed check shows in pytest: as its counterexample, at the width and in the colours of whoever looks."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_tradestore.causes import Culprit
from pytest_tradestore.observation import counted
from pytest_tradestore.report.counterexample import in_brief, render
from pytest_tradestore.requirements import find
from pytest_tradestore.verdict import Counterexample, Result

_WIDTH_IN_FILES = 100


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest shows of a failure in its short summary and as the message in JUnit files."""

    message: str


_IN_ASCII = str.maketrans({"…": "...", "—": "-", "─": "-", "│": "|", "→": "->"})


def sayable(text: str, tw: Any) -> str:
    """Return a text in characters that the writer's file has: pytest would escape all of it, line ends included."""
    encoding = getattr(getattr(tw, "_file", None), "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return text


class FailureText:
    """Stands where pytest has the representation of an exception; ``str()`` of it is for files, without colours.

    A terminal shows the worst cause whole that it has not shown before, and the others in brief: ``told`` says for each
    culprit with which requirement it was shown. Files hold all of them whole.
    """

    def __init__(self, result: Result, told: Mapping[Culprit, str] | None = None) -> None:
        self.result = result
        self.told = told or {}
        example = result.counterexample
        self.reprcrash = Crash(f"{result.verdict.value}: {example.headline if example else result.reason}")

    def toterminal(self, tw: Any) -> None:
        tw.line(sayable(rendered(self.result, tw.fullwidth, color=tw.hasmarkup, told=self.told), tw))

    def __str__(self) -> str:
        return all_of(self.result, _WIDTH_IN_FILES)


class Told:
    """A text that stands where pytest has the representation of an exception."""

    def __init__(self, text: str) -> None:
        self.text = text

    def toterminal(self, tw: Any) -> None:
        tw.line(sayable(self.text, tw))

    def __str__(self) -> str:
        return self.text


class ReplayText:
    """The counterexamples that one replayed state gives, one after the other."""

    def __init__(self, violations: Sequence[tuple[str, Counterexample]]) -> None:
        self.violations = tuple(violations)
        self.reprcrash = Crash("; ".join(f"{requirement}: {e.headline}" for requirement, e in self.violations))

    def toterminal(self, tw: Any) -> None:
        texts = [render(e, requirement, tw.fullwidth, color=tw.hasmarkup) for requirement, e in self.violations]
        tw.line(sayable("\n\n".join(texts), tw))

    def __str__(self) -> str:
        return "\n\n".join(render(example, requirement, _WIDTH_IN_FILES) for requirement, example in self.violations)


def shown_whole(result: Result, told: Mapping[Culprit, str]) -> Counterexample | None:
    """Return the counterexample that a terminal shows whole: the worst whose cause it has not shown yet."""
    new = (one for one in result.examples if one.cause is None or one.cause.culprit not in told)
    return next(new, None)


def rendered(result: Result, width: int, *, color: bool, told: Mapping[Culprit, str] | None = None) -> str:
    """Return the text of a failure: the worst cause whole, the others in brief."""
    if result.counterexample is not None:
        return "\n".join(_of_causes(result, width, told or {}, color=color))
    known = find(result.requirement)
    texts = [f"{result.requirement} {result.verdict.value}: {result.reason}"]
    texts += [f"A conforming store {known.sentence}."] if known else []
    return "\n".join(line for text in texts for line in _wrapped(text, width))


def all_of(result: Result, width: int) -> str:
    """Return the text of a failure with all its causes whole, for files."""
    if not result.others:
        return rendered(result, width, color=False)
    return "\n\n".join(render(example, result.requirement, width) for example in result.examples)


def _of_causes(result: Result, width: int, told: Mapping[Culprit, str], *, color: bool) -> Iterator[str]:
    whole = shown_whole(result, told)
    if whole is not None:
        yield render(whole, result.requirement, width, color=color)
    else:
        known = find(result.requirement)
        yield from _wrapped(f"{result.requirement} {result.verdict.value}: {result.examples[0].headline}", width)
        yield from _wrapped(f"A conforming store {known.sentence}.", width) if known else ()
    new: list[Counterexample] = []
    shown: list[Counterexample] = []
    for example in result.examples:
        if example is not whole:
            (shown if example.cause is not None and example.cause.culprit in told else new).append(example)
    if new:
        yield f"\n{counted(len(new), 'other cause')} of {result.requirement}:"
        for example in new:
            yield from in_brief(example, width)
    if shown:
        yield "\nBy what has been shown above:"
        for example in shown:
            assert example.cause is not None
            yield from in_brief(replace(example, headline=f"see {told[example.cause.culprit]}"), width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(60, min(width, 130)), subsequent_indent="  ", break_on_hyphens=False)
