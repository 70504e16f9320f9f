"""Root causes in what a person reads: each once, worst first, with all that it breaks; files leave nothing out."""

import json
from dataclasses import replace

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.report.failure import FailureText, rendered
from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.json_report import json_of
from pytest_tradestore.report.records import Note, StoreFacts, StoreRecord
from pytest_tradestore.report.summary import Cell, cell
from pytest_tradestore.report.terminal import summary
from pytest_tradestore.requirements import Profile
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import Counterexample, Result, Verdict

UNSYNCED = Culprit("fsync missing", ("store.py:41",))
LOCKED = Culprit("something left in the way", ("store.py:9",))


def example(culprit, harm, token):
    return Counterexample(
        f"AAPL is lost in {token}", found=("nothing",), token=token, cause=Cause(culprit, harm, "Sync.")
    )


def violated(requirement, *examples):
    return Result(requirement, "documents", Verdict.VIOLATED, "why", {}, True, examples[0], others=examples[1:])


RESULTS = (
    violated("REC-1", example(LOCKED, Harm.UNREADABLE, "t0")),
    violated("ATOM-2", example(UNSYNCED, Harm.DESTROYED, "t1"), example(LOCKED, Harm.LEFTOVER, "t2")),
    violated("DUR-2", example(UNSYNCED, Harm.LOST, "t3")),
    violated("NAME-1", Counterexample("it follows '..'")),
)


def record_of(*results):
    checks = tuple(f"{result.requirement}[{result.case}]" for result in results)
    facts = StoreFacts("tradestore/a", "a", ("documents",), (), checks)
    return StoreRecord(facts, dict(zip(checks, results, strict=True)))


def lines(record):
    return ["".join(span.text for span in line) for line in summary([record], Profile.DURABLE, 120)]


def test_a_cause_is_one_finding_with_all_that_it_breaks_and_the_worst_of_its_harms():
    findings = findings_of(record_of(*RESULTS))

    assert [(str(f.cause.culprit), f.requirements, f.cause.harm) for f in findings] == [
        ("fsync missing at store.py:41", ("ATOM-2", "DUR-2"), Harm.DESTROYED),
        ("something left in the way at store.py:9", ("REC-1", "ATOM-2"), Harm.UNREADABLE),
        ("it follows '..' [documents]", ("NAME-1",), Harm.WRONG),
    ]


def test_control_one_line_with_two_faults_is_two():
    other = Culprit("fsync of the directory missing", ("store.py:41",))

    assert len(findings_of(record_of(violated("DUR-2", *(example(c, Harm.LOST, "t") for c in (UNSYNCED, other)))))) == 2


def test_the_end_of_a_run_counts_them_and_names_each():
    told = lines(record_of(*RESULTS))

    at = told.index("  3 findings, worst first:")
    assert told[at + 1] == "    1. fsync missing at store.py:41: ATOM-2 DUR-2 (destroys earlier data)"


def test_control_where_there_are_none_nothing_is_counted():
    held = Result("ATOM-2", "documents", Verdict.HOLDS)

    assert not any("finding" in line for line in lines(record_of(held)))


def test_a_terminal_shows_the_worst_whole_and_of_the_others_a_line_with_the_token():
    text = rendered(RESULTS[1], 100, color=False)

    assert text.count("Found: ") == 1
    assert "1 other cause of ATOM-2:" in text
    assert "- something left in the way at store.py:9 (leaves something behind): AAPL is lost in t2" in text
    assert "--tradestore-replay t2" in text


def test_what_has_been_shown_is_referred_to():
    text = rendered(RESULTS[2], 100, color=False, told={UNSYNCED: "ATOM-2[documents]"})

    assert "Found: " not in text
    assert text.startswith("DUR-2 VIOLATED: AAPL is lost in t3")
    assert "see ATOM-2[documents]" in text
    assert "--tradestore-replay t3" in text


def test_a_cause_that_is_new_is_shown_whole_beside_one_that_is_not():
    text = rendered(RESULTS[1], 100, color=False, told={UNSYNCED: "ATOM-1[documents]"})

    assert "AAPL is lost in t2" in text
    assert text.count("Found: ") == 1
    assert "see ATOM-1[documents]" in text


def test_files_hold_all_of_them_whole():
    record = record_of(*RESULTS)
    texts = {
        "JUnit": str(FailureText(RESULTS[1], {UNSYNCED: "ATOM-1[documents]"})),
        "JSON": json_of(Settings(), "fake", [record]),
        "HTML": html_of(Settings(), "fake", [record]),
    }

    for name, text in texts.items():
        assert [t for t in ("AAPL is lost in t1", "AAPL is lost in t2", "store.py:9") if t not in text] == [], name
    assert texts["JUnit"].count("Found: ") == 2


def test_the_json_report_has_the_findings_with_their_tokens():
    (store,) = json.loads(json_of(Settings(), "fake", [record_of(*RESULTS)]))["stores"]

    assert store["findings"][0] == {
        "told": "fsync missing at store.py:41: ATOM-2 DUR-2 (destroys earlier data)",
        "cause": {"fault": "fsync missing", "places": ["store.py:41"], "harm": "destroyed", "remedy": "Sync."},
        "requirements": ["ATOM-2", "DUR-2"],
        "consequences": [{"check": "ATOM-2[documents]", "token": "t1"}, {"check": "DUR-2[documents]", "token": "t3"}],
    }
    assert store["findings"][-1]["cause"] is None


def test_causes_come_back_from_another_process_as_they_were():
    note = Note("tradestore/a", "ATOM-2[documents]", RESULTS[1])

    assert Note.from_json(note.to_json()) == note


def test_a_finding_says_whether_any_file_system_of_linux_shows_it():
    strict = example(UNSYNCED, Harm.LOST, "t1")
    strict = replace(strict, filesystems=("strict (POSIX to the letter)", "macos"))
    (finding,) = findings_of(record_of(violated("DUR-2", strict)))

    assert finding.by_posix_alone
    assert str(finding).endswith("(loses an acknowledged update; by POSIX to the letter alone)")


def test_control_one_consequence_that_ext4_shows_is_enough():
    strict = replace(example(UNSYNCED, Harm.LOST, "t1"), filesystems=("strict (POSIX to the letter)",))
    shown = replace(strict, filesystems=("strict (POSIX to the letter)", "ext4"), token="t2")
    (finding,) = findings_of(record_of(violated("DUR-2", strict), violated("ATOM-2", shown)))

    assert not finding.by_posix_alone
    assert "POSIX" not in str(finding)


def test_what_can_only_happen_elsewhere_has_a_place_of_its_own_in_html():
    noted = Result("NAME-3", "documents", Verdict.HOLDS, portability=("on macos: 'A' and 'a' share data",))
    page = html_of(Settings(), "fake", [record_of(noted)])

    assert "<li><strong>a, NAME-3: </strong>on macos: &#x27;A&#x27;" in page[page.index('id="portability"') :]
    assert "On other platforms" not in html_of(Settings(), "fake", [record_of(*RESULTS)])


def test_what_holds_in_one_part_and_does_not_apply_in_another_holds_in_part():
    held = Result("DUR-4", "documents", Verdict.HOLDS)
    nothing = Result("DUR-4", "journal", Verdict.NOT_APPLICABLE, "it deletes nothing")

    assert cell(record_of(held, nothing), "DUR-4") is Cell.IN_PART
    assert cell(record_of(held), "DUR-4") is Cell.HOLDS
    assert cell(record_of(nothing), "DUR-4") is Cell.NOT_APPLICABLE


def test_what_is_at_fault_by_itself_is_not_told_again_together_with_something_else():
    both = Culprit("fsync missing and fsync of the directory missing", ("store.py:41", "store.py:43"))
    alone = violated("ATOM-2", example(UNSYNCED, Harm.LOST, "t1"))
    (finding,) = findings_of(record_of(alone, violated("REC-2", example(both, Harm.UNREADABLE, "t2"))))

    assert finding.cause.culprit == UNSYNCED or finding.cause.culprit == both
    assert finding.requirements == ("ATOM-2", "REC-2")


def test_control_what_is_at_fault_elsewhere_is():
    other = Culprit("fsync missing and fsync of the directory missing", ("store.py:50",))
    results = violated("ATOM-2", example(UNSYNCED, Harm.LOST, "t1")), violated("REC-2", example(other, Harm.LOST, "t2"))

    assert len(findings_of(record_of(*results))) == 2
