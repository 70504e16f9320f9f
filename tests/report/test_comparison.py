"""What has become of the findings of an earlier run; mended is only what was asked again and holds."""

import json
from dataclasses import replace

import pytest

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.comparison import Fortune, compared, load_earlier
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.json_report import json_of
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import Counterexample, Result, Verdict

CHECKS = ("ATOM-2[documents]", "DUR-2[documents]", "RACE-3[documents]")


def violated(requirement, *causes):
    examples = [
        Counterexample(f"{requirement} breaks", cause=Cause(Culprit(fault, (place,)), Harm.LOST))
        for fault, place in causes
    ]
    first, *others = examples or [None]
    return Result(
        requirement,
        "documents",
        Verdict.VIOLATED,
        f"{requirement} breaks",
        {},
        counterexample=first,
        others=tuple(others),
    )


def other(requirement, verdict):
    return Result(requirement, "documents", verdict, "" if verdict is Verdict.HOLDS else "why")


def record(*results, name="acme"):
    facts = StoreFacts(f"tradestore/{name}", name, ("documents",), (), CHECKS)
    return StoreRecord(facts, {f"{result.requirement}[documents]": result for result in results})


@pytest.fixture
def earlier(tmp_path):
    def write(*results):
        path = tmp_path / "before.json"
        path.write_text(json_of(Settings(), "fake", [record(*results)]), encoding="utf-8")
        return load_earlier(path, "--tradestore-compare")

    return write


UNSYNCED = ("fsync missing", "store.py:41")


def test_a_cause_that_has_moved_to_another_line_is_the_same(earlier):
    before = earlier(violated("ATOM-2", UNSYNCED))

    found = compared(record(violated("ATOM-2", ("fsync missing", "store.py:77"))), before)

    assert (found.now, found.gone) == ((Fortune.SAME,), ())


def test_control_one_in_another_file_is_new_and_the_other_not_mended_while_the_requirement_is_broken(earlier):
    before = earlier(violated("ATOM-2", UNSYNCED))

    found = compared(record(violated("ATOM-2", ("fsync missing", "other.py:41"))), before)

    assert found.now == (Fortune.NEW,)
    assert [fortune for fortune, _ in found.gone] == [Fortune.HIDDEN]


def test_a_second_cause_of_the_same_kind_is_new(earlier):
    before = earlier(violated("ATOM-2", UNSYNCED))

    found = compared(record(violated("ATOM-2", UNSYNCED, ("fsync missing", "store.py:99"))), before)

    assert found.now == (Fortune.SAME, Fortune.NEW)


@pytest.mark.parametrize(
    ("now", "fortune"),
    [
        pytest.param(other("RACE-3", Verdict.HOLDS), Fortune.MENDED, id="it holds"),
        pytest.param(None, Fortune.UNASKED, id="it was left out"),
        pytest.param(other("RACE-3", Verdict.NOT_APPLICABLE), Fortune.UNASKED, id="the claim was taken back"),
        pytest.param(other("RACE-3", Verdict.UNDECIDED), Fortune.HIDDEN, id="nobody knows"),
        pytest.param(replace(violated("RACE-3", UNSYNCED), verdict=Verdict.WAIVED), Fortune.SAME, id="it is waived"),
    ],
)
def test_mended_is_only_what_was_asked_again_and_holds(earlier, now, fortune):
    before = earlier(violated("RACE-3", UNSYNCED))

    found = compared(record(*([] if now is None else [now])), before)

    assert [fortune for fortune, _ in found.gone] == [fortune]


def test_where_no_culprit_is_known_a_finding_is_known_by_what_it_breaks(earlier):
    before = earlier(violated("ATOM-2"), violated("DUR-2"))

    found = compared(record(violated("ATOM-2"), other("DUR-2", Verdict.HOLDS)), before)

    assert found.now == (Fortune.SAME,)
    assert [fortune for fortune, _ in found.gone] == [Fortune.MENDED]


def test_the_page_counts_them_and_marks_each_finding(earlier):
    before = earlier(violated("ATOM-2", UNSYNCED), violated("RACE-3", ("locks", "store.py:5")))
    records = [
        record(violated("ATOM-2", UNSYNCED), violated("DUR-2", ("new one", "x.py:1")), other("RACE-3", Verdict.HOLDS))
    ]

    page = html_of(Settings(), "fake", records, None, before)

    assert "Beside before.json" in page
    for words in ("1 new", "1 same as before", "1 mended"):
        assert f">{words}</li>" in page
    assert "Found by the earlier run, and not by this one" in page


def test_control_without_an_earlier_run_nothing_is_new():
    page = html_of(Settings(), "fake", [record(violated("ATOM-2", UNSYNCED))])

    assert "earlier run" not in page


def test_a_store_that_it_did_not_know_is_said_to_be_unknown(earlier):
    before = earlier(violated("ATOM-2", UNSYNCED))

    page = html_of(Settings(), "fake", [record(violated("ATOM-2", UNSYNCED), name="another")], None, before)

    assert "The earlier run did not know this store." in page
    assert "Not among the stores of this run: acme." in page


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{", "is not a JSON report", id="no JSON"),
        pytest.param("[]", "is not a report that this version wrote", id="no report"),
        pytest.param(json.dumps({"schema": 9, "stores": []}), "has schema 9", id="of another schema"),
        pytest.param(json.dumps({"schema": 1, "stores": [{}]}), "is not a report", id="half a report"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(tmp_path, text, told):
    path = tmp_path / "before.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=f"^--tradestore-compare: .*{told}"):
        load_earlier(path, "--tradestore-compare")


def test_what_is_nowhere_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_earlier(tmp_path / "nowhere.json", "--compare")
