"""For each requirement there is a store that breaks it and one that does not, of a few lines, and the suite says so."""

from pathlib import Path

import pytest

from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.requirements import BY_ID
from pytest_tradestore.verdict import Verdict
from tests.documentation.snippets import PLACE, Snippet, asked, read
from tests.documentation.snippets_page import page
from tests.judging import violated

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "snippets.md"
SNIPPETS, POINTERS = read()
LINES = 32
"""Of code; most have fewer than twenty."""
ALWAYS = ("DUR-1", "PERM-1", "CORR-6", "DATA-MISSING", "DATA-EVENTS-RANGE", "DATA-STATE-REPLACED")
"""Those that every run of the tests asks: quick ones, of different families."""
RECORDED = pytest.mark.skipif(
    StraceRecorder().unavailable() is not None,
    reason="the words are of what strace records, which cannot be used here",
)


SLOW = ("RACE-", "NAME-")
"""Families in which what holds takes long, because all of it has to be looked at."""


def named(snippets: tuple[Snippet, ...], slow: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    def marks(one: Snippet) -> tuple[pytest.MarkDecorator, ...]:
        if one.requirement in ALWAYS:
            return ()
        return (pytest.mark.deep if one.requirement.startswith(slow or ("-",)) else pytest.mark.proof,)

    rows = [pytest.param(one, id=one.requirement, marks=marks(one)) for one in snippets]
    return pytest.mark.parametrize("snippet", rows)


@RECORDED
@named(SNIPPETS)
def test_the_broken_store_breaks_it_in_the_words_that_are_shown(snippet):
    assert snippet.says in violated(asked(snippet, "broken"))[snippet.requirement]


@named(SNIPPETS, SLOW)
def test_control_the_mended_store_holds(snippet):
    assert {result.verdict for result in asked(snippet, "mended")} == {Verdict.HOLDS}


def test_every_requirement_is_shown_or_says_why_not():
    shown = [row.requirement for row in (*SNIPPETS, *POINTERS)]

    assert sorted(shown) == sorted(BY_ID)
    assert {path.name for path in PLACE.iterdir() if path.is_dir()} == {row.requirement for row in SNIPPETS}


def test_a_snippet_differs_from_its_mended_form():
    assert [one.requirement for one in SNIPPETS if one.texts[0] == one.texts[1]] == []


def test_no_snippet_is_longer_than_a_glance():
    lines = {
        f"{one.requirement}/{which}": len([line for line in text.splitlines() if line.strip()])
        for one in SNIPPETS
        for which, text in zip(("broken", "mended"), one.texts, strict=True)
    }

    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "python -m tests.documentation.snippets_page docs/reference/snippets.md"
    )
