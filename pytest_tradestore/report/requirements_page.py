"""The page of all requirements, as Markdown; run this module with a path to write it there."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_tradestore.requirements import REQUIREMENTS, SPEC


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Requirements"
    yield ""
    yield f"Edition {SPEC}. This page is generated from `pytest_tradestore/requirements/`; change it there."
    yield "`pytest --tradestore-list` prints the same list."
    yield ""
    yield "A profile contains the ones before it: **basic**, **durable** (the default), **hardened**."
    yield ""
    yield "| id | profile | a conforming store ... |"
    yield "|---|---|---|"
    for requirement in REQUIREMENTS:
        anchor = requirement.id.lower()
        yield f"| [{requirement.id}](#{anchor}) | {requirement.profile.label} | {requirement.sentence} |"
    for requirement in REQUIREMENTS:
        yield ""
        yield f"## {requirement.id}"
        yield ""
        yield f"*{requirement.profile.label}.* A conforming store {requirement.sentence}."
        yield ""
        yield f"**Why.** {requirement.why}"
        yield ""
        yield f"**Remedy.** {requirement.remedy}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
