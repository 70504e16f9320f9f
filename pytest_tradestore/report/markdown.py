"""The result of a run in Markdown: what a CI service shows on the page of a run, or a pull request in a comment."""

from collections.abc import Iterator, Sequence

from pytest_tradestore.observation import counted
from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import details, verdict_line
from pytest_tradestore.requirements import SPEC
from pytest_tradestore.settings import Settings


def markdown_of(settings: Settings, recorder: str, records: Sequence[StoreRecord]) -> str:
    """Return a section for each store: its verdict, its root causes with their tokens, and what was done."""
    head = (
        f"spec {SPEC}, profile {settings.profile.label}, recorder {recorder}, model {settings.model}, "
        f"budget {settings.budget.name.lower()}, seed {settings.seed}"
    )
    lines = ["## Conformance of stores", "", head]
    for record in records:
        lines += ["", *_store(record, settings)]
    return "\n".join(lines) + "\n"


def _store(record: StoreRecord, settings: Settings) -> Iterator[str]:
    yield f"### {_plain(record.facts.name)}: {_plain(verdict_line(record, settings.profile))}"
    if findings := findings_of(record):
        yield ""
        yield f"{counted(len(findings), 'finding')}{', worst first' if len(findings) > 1 else ''}:"
        yield ""
        yield "| breaks | root cause | harm | replay |"
        yield "|---|---|---|---|"
        for finding in findings:
            tokens = [one.example.token for one in finding.consequences if one.example and one.example.token]
            harm = finding.cause.harm.words if finding.known else ""
            replay = f"`{_plain(tokens[0])}`" if tokens else ""
            yield f"| {' '.join(finding.requirements)} | {_plain(str(finding.cause.culprit))} | {harm} | {replay} |"
    yield ""
    yield "<details><summary>What was done</summary>"
    yield ""
    yield from (f"- {_plain(detail)}" for detail in details(record, settings.profile))
    yield ""
    yield "</details>"


def _plain(text: str) -> str:
    """Return text that Markdown leaves as it is, on one line, in a cell of a table too."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return " ".join(text.split())
