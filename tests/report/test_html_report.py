"""The HTML report: complete, readable without anything else, and nothing in it that a store made is markup."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_tradestore.report.files import Reported, write_report
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import Counterexample, Fate, Result, Step, Verdict

HOSTILE = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>&amp;"
CHECKS = ("ATOM-1[documents]", "ATOM-2[documents]", "DUR-2[documents]", "REC-1[documents]", "PERM-1[documents]")
EXAMPLE = Counterexample(
    f"AAPL is missing: put('{HOSTILE}') had returned",
    workload=("put('AAPL', {})",),
    steps=(Step(1, Fate.LOST, f"rename {HOSTILE}", "store.py:3"),),
    found=("nothing",),
    allowed=('{"a": 1}',),
)
RESULTS = {
    "ATOM-1[documents]": Result("ATOM-1", "documents", Verdict.HOLDS, "", {"crash_states": 1234}),
    "ATOM-2[documents]": Result("ATOM-2", "documents", Verdict.UNDECIDED, f"nobody knows {HOSTILE}"),
    "DUR-2[documents]": Result("DUR-2", "documents", Verdict.VIOLATED, "lost", {}, counterexample=EXAMPLE),
    "PERM-1[documents]": Result("PERM-1", "documents", Verdict.NOT_APPLICABLE, "it does not claim private-files"),
}


class Page(HTMLParser):
    """What a browser makes of a page: its tags, and the text that a person reads."""

    EMPTY = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.pieces, self.attributes = [], [], [], []
        self.feed(text)
        self.close()

    @property
    def text(self):
        return "".join(self.pieces)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.pieces.append(data)


def page(results=RESULTS, errors=None, name="acme"):
    facts = StoreFacts(f"tradestore/{name}", name, ("documents",), ("power-loss",), CHECKS)
    return html_of(Settings(), "strace", [StoreRecord(facts, dict(results), errors or {})])


def test_it_says_the_verdict_what_is_violated_and_how():
    text = Page(page()).text

    assert "acme: NOT CONFORMANT: DUR-2" in text
    assert "Violated: DUR-2[documents]" in text
    assert "put('AAPL', {})" in text
    assert "keeps every acknowledged update through power loss" in text
    assert "profile durable, recorder strace, model strict" in text


def test_it_says_what_held_what_does_not_apply_and_what_was_not_run():
    text = Page(page()).text

    assert "ATOM-1[documents]: 1,234 crash states" in text
    assert "PERM-1[documents]: it does not claim private-files" in text
    assert "Not run (1)REC-1[documents]" in text.replace("\n", "")


def test_nothing_that_a_store_made_is_markup():
    shown = Page(page(errors={"REC-1[documents]": HOSTILE}, name="acme"))

    assert not {"script", "img"} & set(shown.tags)
    assert shown.open == []
    assert shown.text.count("<script>alert('x')</script>") >= 3  # read as text, by the person who has to know


def test_it_needs_nothing_from_anywhere():
    shown = Page(page())

    assert not {"script", "link", "img", "iframe"} & set(shown.tags)
    assert [value for name, value in shown.attributes if name in ("href", "src")] == ["#store-1"]
    assert "url(" not in page()
    assert "@import" not in page()


def test_control_a_store_that_holds_everything_has_no_failure_on_its_page():
    held = {check: Result(check.partition("[")[0], "documents", Verdict.HOLDS) for check in CHECKS}
    text = Page(page(held)).text

    assert "acme: CONFORMANT hardened" in text
    assert "Violated" not in text


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_lone_surrogate_in_what_a_store_holds_does_not_spoil_a_report(kind, tmp_path: Path):
    facts = StoreFacts("tradestore/a", "a", ("documents",), (), CHECKS)
    result = Result("ATOM-2", "documents", Verdict.UNDECIDED, "'\ud800' was found")
    path = tmp_path / f"report.{kind}"

    record = StoreRecord(facts, {"ATOM-2[documents]": result})
    write_report(kind, path, Reported(Settings(), "fake", [record], tmp_path))

    text = path.read_text(encoding="utf-8")
    assert "\\ud800" in text
    if kind == "json":
        assert json.loads(text)["stores"][0]["requirements"][0]["reason"] == "'\ud800' was found"
