"""What a run says to the CI service that it runs in, without being asked: GitHub Actions, by its environment."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pytest_tradestore.report.annotations import annotations, github_lines
from pytest_tradestore.report.files import Reported
from pytest_tradestore.report.markdown import markdown_of


def tell_github(run: Reported, environment: Mapping[str, str]) -> Iterator[str]:
    """Add the result to the page of the run, and yield the lines that show each root cause beside the code.

    Nothing where it is not GitHub that runs this. A page that cannot be written to is left alone: the terminal has all.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        with suppress(OSError), Path(page).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown_of(run.settings, run.recorder, run.records))
    yield from github_lines(list(annotations(run.records, run.settings.profile, run.project)))
