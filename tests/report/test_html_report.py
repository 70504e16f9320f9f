"""The HTML report: complete, readable without anything else, and nothing in it that a store made is markup."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.report.files import Reported, write_report
from pytest_tradestore.report.html.markup import anchor, tag, visible
from pytest_tradestore.report.html.overview import slugs
from pytest_tradestore.report.html.words import begun_large, listed
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.merging import merge
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import (
    Change,
    Counterexample,
    PathSeen,
    Result,
    Sighting,
    Step,
    StepKind,
    StepStatus,
    Verdict,
)

RECORDED = Path(__file__).with_name("many_findings.json")
HOSTILE = "</pre></script><script>alert('x')</script><img src=x onerror=alert(1)>&amp;\" \x1b[2J\u202e\ud800"
READ = "</pre></script><script>alert('x')</script><img src=x onerror=alert(1)>&amp;\" \\x1b[2J\\u202e\\ud800"
CHECKS = ("ATOM-1[documents]", "ATOM-2[documents]", "DUR-2[documents]", "REC-1[documents]", "PERM-1[documents]")
EXAMPLE = Counterexample(
    "AAPL is missing: put('AAPL') had returned",
    crash="power loss after put('AAPL', {}) had returned, 1 step lost",
    workload=("put('AAPL', {})",),
    steps=(
        Step(0, StepStatus.NOTE, "… 7 earlier steps, all persisted", kind=StepKind.LEFT_OUT),
        Step(8, StepStatus.NOTE, "put('AAPL', {}) called", kind=StepKind.CALLED),
        Step(9, StepStatus.PARTLY, "write t", "store.py:3", "file.write(text)", "9,000 bytes; lost: page 2"),
        Step(10, StepStatus.LOST, "rename t -> f", "store.py:4", "os.replace(t, f)"),
        Step(11, StepStatus.NOTE, "put('AAPL', {}) RETURNED", kind=StepKind.RETURNED),
        Step(0, StepStatus.NOTE, "CRASH", kind=StepKind.CRASH),
        Step(12, StepStatus.NOT_ISSUED, "create t"),
    ),
    found=('{"cash": 1}',),
    allowed=('{"cash": 2}',),
    filesystems=("ext4",),
    sightings=(Sighting("xfs", "Linux 6.12", seen=True, states=4),),
    token="acme/documents/p1/2/3",
    cause=Cause(Culprit("fsync missing", ("store.py:4",)), Harm.DESTROYED, "Sync it."),
    since="put('AAPL', {}) had returned",
    changes=(
        Change(
            "f", PathSeen("file", 2, "2 bytes: ok"), PathSeen("file", 2, "2 bytes, all zeros"), True, 0, "6f6b", "0000"
        ),
    ),
)
RACE = Counterexample(
    "MSFT is lost",
    steps=(
        Step(1, StepStatus.NOTE, "read f", actor=0),
        Step(0, StepStatus.NOTE, "-- switch --", kind=StepKind.SWITCH),
        Step(2, StepStatus.NOTE, "put('MSFT', 1) returns", actor=1, kind=StepKind.RETURNED),
    ),
    actors=("writer A", "writer B"),
)
RESULTS = {
    "ATOM-1[documents]": Result("ATOM-1", "documents", Verdict.HOLDS, "", {"crash_states": 1234}),
    "ATOM-2[documents]": Result("ATOM-2", "documents", Verdict.UNDECIDED, "nobody knows"),
    "DUR-2[documents]": Result("DUR-2", "documents", Verdict.VIOLATED, "lost", {}, counterexample=EXAMPLE),
    "PERM-1[documents]": Result("PERM-1", "documents", Verdict.NOT_APPLICABLE, "it does not claim private-files"),
}
AROUND = Surroundings("2026-05-04T03:02:01+00:00", 83.4, "build-7", "Linux", "CPython 3.11", "9.0", "0123456789abcdef")


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and the text that a person reads."""

    EMPTY = ("meta", "br", "input")
    INLINE = ("a", "code", "mark", "ins", "del", "strong", "span")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.pieces, self.elements = [], [], [], []
        self.feed(text)
        self.close()

    @property
    def text(self):
        return " ".join("".join(self.pieces).split())

    def values(self, attribute):
        return [dict(attributes)[attribute] for _, attributes in self.elements if attribute in dict(attributes)]

    def with_class(self, word):
        return [e for e in self.elements if word in (dict(e[1]).get("class") or "").split()]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.elements.append((tag, attrs))
        self.pieces += [] if tag in self.INLINE else [" "]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.pieces.append(data)


def page(results=RESULTS, errors=None, name="acme", around=None, checks=CHECKS, **facts):
    known = StoreFacts(f"tradestore/{name}", name, ("documents",), ("power-loss",), checks, **facts)
    return html_of(Settings(), "strace", [StoreRecord(known, dict(results), errors or {})], around)


def recorded():
    whole = merge([RECORDED])
    return html_of(whole.settings, whole.recorder, whole.records, whole.around)


def with_example(example):
    return page({"DUR-2[documents]": replace(RESULTS["DUR-2[documents]"], counterexample=example)})


def everywhere(value):
    """A report in which every text that a store has a hand in is ``value``."""
    step = Step(1, StepStatus.LOST, value, value, value, value)
    example = Counterexample(
        value, value, (value,), (step,), (value,), (value,), (value,), (value,), (value,), value, 1, (), value
    )
    beside = replace(
        example,
        actors=(value, value),
        steps=(replace(step, actor=1),),
        cause=Cause(Culprit(value, (value,)), Harm.LOST, value),
        since=value,
        changes=(Change(value, PathSeen("file", 1, value), None),),
        sightings=(Sighting(value, value, unasked=value),),
    )
    results = {
        "ATOM-2[documents]": Result(
            "ATOM-2", "documents", Verdict.UNDECIDED, value, output=value, portability=(value,)
        ),
        "DUR-2[documents]": Result(
            "DUR-2", "documents", Verdict.VIOLATED, value, {}, counterexample=example, output=value, others=(beside,)
        ),
        "PERM-1[documents]": Result("PERM-1", "documents", Verdict.NOT_APPLICABLE, value, {value: 1}, unclaimed=value),
    }
    around = Surroundings(value, 1.0, value, value, value, value, value)
    return page(results, {"REC-1[documents]": value}, value, around, troubles=((value, value, value, value),))


def test_on_top_stands_what_it_comes_to_and_when_where_and_on_which_commit():
    text = Page(page(around=AROUND)).text
    top = text[: text.index("1 finding, worst first.")]

    assert "1 store: 1 not conformant. 1 finding." in top
    assert "Do not trust it with data that matters yet: it can destroy data that had been stored before." in top
    assert "1 can destroy earlier data" in top
    assert "4 May 2026, 03:02 UTC · took 1 min 23 s · on build-7 · commit 0123456789ab" in top
    assert "3 of 5 requirements" in top
    assert "NOT CONFORMANT: DUR-2" in top


def test_a_finding_says_what_why_and_what_to_do_and_how_to_see_it_again():
    text = Page(page()).text

    assert "1. fsync missing at store.py:4" in text
    assert "AAPL is missing: put('AAPL') had returned." in text
    assert "Why it matters. The operating system keeps writes and renames in memory" in text
    assert "What to do Sync it." in text
    assert "pytest --tradestore-conformance --tradestore-replay acme/documents/p1/2/3" in text
    assert "✓ can happen on ext4" in text
    assert "✓ seen on xfs (Linux 6.12)" in text


def test_the_crash_is_drawn_with_a_lane_for_each_fate_and_said_in_words():
    shown = Page(page())

    assert "1 step torn, 1 step lost, 1 step never done; put('AAPL', {}) RETURNED before the cut." in shown.text
    assert "The power goes here" in shown.text
    assert [tag for tag, _ in shown.with_class("is-lost")] == ["li"]
    assert [tag for tag, _ in shown.with_class("is-torn")] == ["li"]
    assert "lost: rename t -> f" in shown.text
    assert len(shown.with_class("n-4")) == 1


def test_the_race_is_drawn_with_a_lane_for_each_caller():
    shown = Page(with_example(RACE))

    assert "The race, step by step: writer A and writer B; 2 steps, the turn goes over once." in shown.text
    assert len(shown.with_class("n-2")) == 1
    assert [tag for tag, _ in shown.with_class("returns")] == ["span"]


def test_the_directory_and_the_values_are_shown_with_what_differs_marked():
    shown = page()

    assert "<code>{&quot;cash&quot;: <del>1</del>}</code>" in shown
    assert "<code>{&quot;cash&quot;: <ins>2</ins>}</code>" in shown
    assert "<mark>6f</mark> <mark>6b</mark>" in shown
    text = Page(shown).text
    assert "Before is when put('AAPL', {}) had returned." in text
    assert "f 2 bytes: ok 2 bytes, all zeros differs" in text


def test_it_says_what_held_what_was_not_asked_and_what_was_not_run():
    text = Page(page()).text

    assert "What holds (1) ATOM-1[documents]: 1,234 crash states" in text
    assert "PERM-1[documents]: it does not claim private-files" in text
    assert "What was not run (1)" in text


def test_a_sentence_that_begins_with_a_call_keeps_its_name():
    text = Page(recorded()).text

    assert "put('AAPL', {version: 2}) raised when write AAPL.json fails" in text
    assert "Put('AAPL'" not in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("the document cannot be read: it ends", "The document cannot be read: it ends"),
        ("save({version: 1}) raised", "save({version: 1}) raised"),
        ("portfolio.json is empty", "portfolio.json is empty"),
        ("äpfel: two", "Äpfel: two"),
        ("", ""),
    ],
)
def test_only_words_are_begun_large(said, told):
    assert begun_large(said) == told


def test_names_are_listed_as_one_says_them():
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_counters_stand_in_a_table_with_words():
    text = Page(page()).text
    table = text[text.index("What was tried") :]

    assert "crash states: moments at which the power or the process goes, with all that may be lost then 1,234" in table


@pytest.mark.parametrize(
    "made", [page(around=AROUND), recorded(), everywhere(HOSTILE)], ids=["small", "real", "hostile"]
)
def test_every_link_leads_somewhere_and_no_id_stands_twice(made):
    shown = Page(made)
    ids = shown.values("id")
    links = [href.removeprefix("#") for href in shown.values("href")]

    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert all(not re.search(r"\s", id_) for id_ in ids)
    assert set(shown.values("aria-labelledby")) | set(shown.values("data-copy")) <= set(ids)


def test_what_was_found_stands_before_the_matrix_of_everything_that_was_asked():
    ids = Page(page()).values("id")

    assert ids.index("stores") < ids.index("acme/DUR-2") < ids.index("matrix")


def test_each_result_of_the_matrix_leads_to_its_requirement():
    shown = Page(page())
    cells = {dict(e[1])["aria-label"]: dict(e[1])["href"] for e in shown.with_class("badge") if e[0] == "a"}

    assert cells["DUR-2 of acme: violated"] == "#acme/DUR-2"
    assert len(cells) == 5


def test_what_lies_outside_of_the_profile_is_not_grey_like_what_does_not_apply():
    violated = {"PERM-1[documents]": Result("PERM-1", "documents", Verdict.VIOLATED, "0666")}
    shown = Page(page(violated))

    assert any("bad" in dict(e[1])["class"] for e in shown.with_class("badge") if e[0] == "a")
    assert "outside of the durable profile" in shown.text


def test_nothing_that_a_store_made_is_markup_or_moves_a_cursor():
    made = everywhere(HOSTILE)
    shown = Page(made)

    assert shown.tags.count("script") == 1
    assert "img" not in shown.tags
    assert shown.open == []
    assert shown.text.count(READ) > 20
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff]", made)
    assert {name for _, attributes in shown.elements for name, _ in attributes if name.startswith("on")} == set()


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_text_is_text_whatever_it_holds(value):
    made = tag("p", value, title=value)
    shown = Page(made)

    assert shown.tags == ["p"]
    assert "".join(shown.pieces).removeprefix(" ") == visible(value).removeprefix(" ")
    assert shown.values("title") == [visible(value)]


@given(st.lists(st.text(alphabet=st.characters(codec=None), max_size=6), min_size=1, max_size=5))
def test_ids_are_different_for_different_stores_and_hold_no_blanks(names):
    made = slugs(names)

    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[!-~]+", anchor("a", slug)) for slug in made)


def test_it_needs_nothing_from_anywhere_and_lets_nothing_else_run():
    made = recorded()
    shown = Page(made)

    assert not {"link", "img", "iframe", "object", "base"} & set(shown.tags)
    assert shown.values("src") == []
    assert all(href.startswith("#") for href in shown.values("href"))
    assert "url(" not in made
    assert "@import" not in made
    (policy,) = (value for value in shown.values("content") if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not shown.values("style")


def test_a_page_without_its_script_has_everything_on_it():
    text = Page(recorded()).text

    for word in (
        "positions",
        "files",
        "fsync missing at broken.py:17",
        "led out of the root",
        "with changes that are not",
    ):
        assert word in text


def test_headings_and_landmarks_are_there_for_those_who_do_not_see_it():
    shown = Page(page())

    assert [tag for tag in shown.tags if tag in ("header", "main", "nav", "h1")] == ["header", "h1", "nav", "main"]
    levels = [int(tag[1]) for tag in shown.tags if re.fullmatch("h[1-6]", tag)]
    assert all(level - before <= 1 for before, level in pairwise(levels))
    first = next(dict(attributes) for tag, attributes in shown.elements if tag == "a")
    assert first == {"href": "#main", "class": "skip"}
    assert all(dict(attributes).get("aria-hidden") == "true" for tag, attributes in shown.elements if tag == "svg")


def test_notes_on_other_platforms_stand_apart():
    noted = replace(RESULTS["ATOM-1[documents]"], portability=("on Windows a rename fails",))
    shown = page({**RESULTS, "ATOM-1[documents]": noted})

    text = Page(shown).text
    assert "acme, ATOM-1: on Windows a rename fails" in text[text.index("none of it counts") :]
    assert 'id="portability"' not in page()


def test_a_contract_that_does_not_work_is_told_with_its_traceback():
    text = Page(page(troubles=(("documents", "put() raised KeyError", "Mend put()", "Traceback: KeyError"),))).text

    assert "It does not work as documents: put() raised KeyError. Mend put(); nothing else of it was run." in text
    assert "Traceback: KeyError" in text


def test_control_a_store_that_holds_everything_has_no_failure_on_its_page():
    held = {check: Result(check.partition("[")[0], "documents", Verdict.HOLDS) for check in CHECKS}
    text = Page(page(held)).text

    assert "Conformant: hardened" in text
    assert "Everything that the hardened profile asks was asked, and holds." in text
    assert "1 store: 1 conformant. No finding." in text
    assert "violated" not in text.lower()


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
