"""Writes the golden counterexamples anew: ``python -m tests.golden.make``, from the top of the repository.

Look at the difference before you commit it: these pages are what a developer sees who never heard of crash consistency.
"""

from collections.abc import Iterator
from pathlib import Path

from pytest_tradestore.crash.evidence import gather
from pytest_tradestore.crash.explanation import explain
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.report.counterexample import render
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.crash.tiny_stores import BareRename, Truncating

HERE = Path(__file__).parent
DOCUMENT = kit_named("document")
PAGES = {"truncates_in_place": (Truncating, "ATOM-1"), "renames_without_syncing": (BareRename, "DUR-2")}
WIDTHS = (80, 120)


def pages() -> Iterator[tuple[str, str]]:
    """Yield (file name, text) of every golden page; paths in it are relative to the working directory."""
    for name, (target, requirement) in PAGES.items():
        settings = Settings(recorder="fake", budget=Budget.QUICK)
        evidence = gather(StoreUnderTest("tiny", target), workload_for(DOCUMENT, frozenset()), settings)
        told = explain("tiny", evidence, evidence.violations[requirement][0])
        for width in WIDTHS:
            yield f"{name}_{width}.txt", render(told, requirement, width) + "\n"


if __name__ == "__main__":
    for name, text in pages():
        (HERE / name).write_text(text, encoding="utf-8")
