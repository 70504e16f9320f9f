"""What services read of a run: places beside the code, SARIF, a page in Markdown, a badge."""

import json
from xml.etree import ElementTree

import pytest

from pytest_tradestore.baseline import Baseline, load
from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.report.annotations import Place, annotations, github_lines
from pytest_tradestore.report.badge import badge_of
from pytest_tradestore.report.files import Reported, write_report
from pytest_tradestore.report.markdown import markdown_of
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.report.sarif import sarif_of
from pytest_tradestore.requirements import Profile
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import Counterexample, Result, Verdict


def violated(requirement, *causes):
    examples = [
        Counterexample(f"AAPL is lost, 100% by {c.culprit.fault}", token=f"t{n}", cause=c) for n, c in enumerate(causes)
    ]
    return Result(requirement, "documents", Verdict.VIOLATED, "why", {}, True, examples[0], others=tuple(examples[1:]))


def fault(words, *places):
    return Cause(Culprit(words, places), Harm.LOST, "Sync | it.")


UNSYNCED = fault("fsync missing", "store.py:41 > lib/storage.py:156", "store.py:50")
ELSEWHERE = fault("lock, lost", "/usr/lib/python3/os.py:7")


def record_of(*results, name="acme"):
    checks = tuple(f"{result.requirement}[{result.case}]" for result in results)
    facts = StoreFacts(f"tradestore/{name}", name, ("documents",), (), checks)
    return StoreRecord(facts, dict(zip(checks, results, strict=True)))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "store.py").write_text("")
    return tmp_path


def found(project, *results, profile=Profile.DURABLE):
    return list(annotations([record_of(*results)], profile, project))


def test_a_cause_lies_at_the_lines_of_the_project_that_lead_to_it(project):
    (one,) = found(project, violated("ATOM-2", UNSYNCED))

    assert one.places == (Place("store.py", 41), Place("store.py", 50))
    assert one.decides


def test_one_within_a_library_of_the_project_lies_there(project):
    (project / "lib").mkdir()
    (project / "lib" / "storage.py").write_text("")

    (one,) = found(project, violated("ATOM-2", UNSYNCED))

    assert one.places[0] == Place("lib/storage.py", 156)


def test_control_one_outside_of_the_project_has_no_place_and_is_told_all_the_same(project):
    (line,) = github_lines(found(project, violated("ATOM-2", ELSEWHERE)))

    assert line.startswith("::error title=acme%3A lock%2C lost (ATOM-2)::AAPL is lost, 100%25 by lock, lost%0ARemedy: ")


def test_github_is_given_file_line_and_the_token(project):
    (line,) = github_lines(found(project, violated("ATOM-2", UNSYNCED)))

    assert line.startswith("::error file=store.py,line=41,title=acme%3A fsync missing (ATOM-2)::")
    assert line.endswith("%0AReplay: pytest --tradestore-conformance --tradestore-replay t0")


def test_what_lies_outside_of_the_profile_is_a_warning(project):
    lines = github_lines(found(project, violated("ATOM-2", UNSYNCED), profile=Profile.BASIC))

    assert [line[:10] for line in lines] == ["::warning "]


def test_sarif_has_a_rule_for_each_requirement_and_a_result_for_each_cause(project):
    record = record_of(violated("ATOM-2", UNSYNCED, ELSEWHERE), violated("DUR-2", UNSYNCED))
    (run,) = json.loads(sarif_of(Settings(), "fake", [record], project))["runs"]

    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["ATOM-2", "DUR-2"]
    assert [result["ruleId"] for result in run["results"]] == ["ATOM-2", "ATOM-2"]
    first, second = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("store.py", 41)
    assert first["properties"] == {"alsoBreaks": ["DUR-2"]}
    assert second["locations"] == []
    assert first["partialFingerprints"] != second["partialFingerprints"]


def test_its_fingerprints_do_not_move_with_the_lines(project):
    def fingerprint(cause):
        record = record_of(violated("ATOM-2", cause))
        return json.loads(sarif_of(Settings(), "fake", [record], project))["runs"][0]["results"][0][
            "partialFingerprints"
        ]

    assert fingerprint(fault("fsync missing", "store.py:41")) == fingerprint(fault("fsync missing", "store.py:77"))


def test_markdown_keeps_what_would_be_markup(project):
    text = markdown_of(
        Settings(), "fake", [record_of(violated("ATOM-2", fault("a | b * <i>", "store.py:4")), name="a_b")]
    )

    assert "### a\\_b: NOT CONFORMANT: ATOM-2" in text
    assert "| ATOM-2 | a \\| b \\* &lt;i\\> at store.py:4 | loses an acknowledged update | `t0` |" in text


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([Verdict.HOLDS], "durable"),
        ([Verdict.HOLDS, Verdict.WAIVED], "durable with waivers"),
        ([Verdict.HOLDS, Verdict.UNDECIDED], "incomplete"),
        ([Verdict.HOLDS, Verdict.UNDECIDED, Verdict.VIOLATED], "not conformant"),
    ],
)
def test_a_badge_says_the_worst_of_all_stores(verdicts, said):
    records = [
        record_of(Result("ATOM-2", "documents", verdict, "why"), name=f"s{n}") for n, verdict in enumerate(verdicts)
    ]
    shown = ElementTree.fromstring(badge_of(Settings(), records))

    assert shown.get("aria-label") == f"tradestore: {said}"


def known(project, *results) -> Baseline:
    write_report("json", project / "b.json", Reported(Settings(), "fake", [record_of(*results)], project))
    return load(project / "b.json")


def test_a_baseline_covers_a_cause_wherever_its_line_has_moved(project):
    before = known(project, violated("ATOM-2", fault("fsync missing", "store.py:41")))

    assert before.covers("acme", violated("ATOM-2", fault("fsync missing", "store.py:77")))


@pytest.mark.parametrize(
    "now",
    [
        violated("ATOM-2", fault("fsync missing", "store.py:41"), fault("fsync missing", "store.py:50")),
        violated("ATOM-2", fault("fsync missing", "other.py:41")),
        violated("ATOM-2", fault("in place", "store.py:41")),
        violated("DUR-2", fault("fsync missing", "store.py:41")),
    ],
    ids=["a second one", "another file", "another fault", "another requirement"],
)
def test_control_it_covers_no_other(project, now):
    assert not known(project, violated("ATOM-2", fault("fsync missing", "store.py:41"))).covers("acme", now)
