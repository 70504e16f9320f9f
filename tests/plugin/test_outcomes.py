"""What each verdict becomes in pytest, and that nothing but HOLDS is ever green."""

import faulthandler
from xml.etree import ElementTree

import pytest


def test_a_requirement_that_holds_passes(project):
    result = project.run()

    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_a_violated_requirement_fails_with_its_counterexample_and_no_traceback(project):
    project.checks(("ATOM-1", "VIOLATED"))

    result = project.run()

    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*ATOM-1 breaks*", "FAILED tradestore/Acme/ATOM-1[[]documents] - *ATOM-1 breaks*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*collection.py*")


@pytest.mark.parametrize("verdict", ["VIOLATED", "UNDECIDED"])
def test_what_lies_outside_of_the_profile_is_shown_and_does_not_fail(project, verdict):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", verdict, {"reason": "who knows"}))

    result = project.run("--tradestore-profile=basic", "-rx")

    result.assert_outcomes(passed=1, xfailed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"XFAIL tradestore/Acme/ATOM-2* - {verdict}: *not part of the basic profile*"])


@pytest.mark.parametrize("verdict", ["VIOLATED", "UNDECIDED"])
def test_control_inside_of_the_profile_the_same_verdict_fails(project, verdict):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", verdict, {"reason": "who knows"}))

    result = project.run("--tradestore-profile=durable")

    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1


def test_runxfail_does_not_make_requirements_outside_of_the_profile_decide(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    assert project.run("--tradestore-profile=basic", "--runxfail").ret == 0


def test_an_undecided_requirement_fails_with_its_reason(project):
    project.checks(("ATOM-1", "UNDECIDED", {"reason": "it uses io_uring"}))

    result = project.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ATOM-1 UNDECIDED: it uses io_uring", "*INCOMPLETE: undecided: ATOM-1"])


def test_a_time_limit_of_the_project_for_its_tests_does_not_end_a_check_that_takes_long(project, monkeypatch):
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda *_, **__: monkeypatch.setenv("WATCHED", "yes"), raising=True
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: monkeypatch.setenv("WATCHED", "no"))
    project.checks(("ATOM-1", "IS WATCHED"))

    result = project.run("-o", "faulthandler_timeout=60", "-p", "no:cacheprovider", "--tradestore-workers=0")

    result.assert_outcomes(passed=1)


def test_a_long_reason_is_wrapped_to_the_terminal(project):
    project.checks(("ATOM-1", "UNDECIDED", {"reason": "a long word of it " * 12}))

    lines = project.run().stdout.lines

    told = [line for line in lines if line.startswith("ATOM-1 UNDECIDED: ")]
    assert len(told) == 1
    assert len(told[0]) <= 80
    assert lines[lines.index(told[0]) + 1].startswith("  ")


def test_what_does_not_apply_is_skipped_with_its_reason(project):
    project.checks(("ATOM-1", "HOLDS"), ("DUR-2", "NOT_APPLICABLE", {"reason": "power-loss is not claimed"}))

    result = project.run("-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*not applicable: DUR-2", "SKIPPED*tradestore/Acme/DUR-2*power-loss is not claimed"])


def test_a_mistake_of_the_suite_is_an_error_that_asks_to_be_reported(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "RAISES"))

    result = project.run()

    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*suite itself failed*ATOM-2*Please report this*",
            "*ZeroDivisionError: a mistake of ours",
            "*INCOMPLETE: 1 check *",
        ]
    )


def test_what_was_printed_while_opening_and_judging_shows_with_a_failure(project):
    project.checks(("ATOM-1", "PRINTS"))

    result = project.run(store="acme:Chatty")

    result.stdout.fnmatch_lines(["*Captured stdout opening*", "hello from the store"])
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said while it was judged"])


@pytest.mark.parametrize("verdict", ["VIOLATED", "UNDECIDED"])
def test_what_the_store_printed_in_its_own_process_shows_with_a_failure_and_cannot_paint_the_terminal(project, verdict):
    project.checks(("ATOM-1", verdict, {"output": "disk\tbusy\n\x1b[31mred\r"}))

    result = project.run()

    result.stdout.fnmatch_lines(["*Captured stdout call*", "disk*busy", r"\x1b[[]31mred\r"])
    assert "\x1b" not in result.stdout.str()


def test_control_it_is_not_shown_where_the_requirement_holds(project):
    project.checks(("ATOM-1", "HOLDS", {"output": "disk busy"}))

    project.run().stdout.no_fnmatch_line("*disk busy*")


def test_what_a_store_printed_is_shown_once_however_many_requirements_it_breaks(project):
    panic = "\n".join(f"frame {n}" for n in range(200))
    project.checks(*((id_, "VIOLATED", {"output": panic}) for id_ in ("ATOM-1", "DUR-2")))

    printed = project.run().stdout.str()

    assert (printed.count("frame 0"), printed.count("frame 199"), printed.count("frame 100")) == (1, 1, 0)
    assert "... 120 more lines ..." in printed
    assert "the same as at ATOM-1[documents]" in printed


def test_what_runs_beside_a_check_and_prints_at_length_does_not_bury_what_was_found(project):
    project.checks(("ATOM-1", "PRINTS", {"lines": 300}))

    printed = project.run().stdout.str()

    assert (printed.count("said while it was judged"), "Captured stdout call" in printed) == (20, True)
    assert "... 280 more lines ..." in printed


def test_control_a_few_lines_are_shown_whole(project):
    project.checks(("ATOM-1", "PRINTS", {"lines": 20}))

    printed = project.run().stdout.str()

    assert printed.count("said while it was judged") == 20
    assert "more lines" not in printed


def test_control_something_else_is_shown_too(project):
    project.checks(*((id_, "VIOLATED", {"output": f"panic in {id_}"}) for id_ in ("ATOM-1", "DUR-2")))

    printed = project.run().stdout.str()

    assert "panic in ATOM-1" in printed and "panic in DUR-2" in printed


def test_control_what_a_conforming_store_prints_is_not_shown(project):
    result = project.run(store="acme:Chatty")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*hello from the store*")


def test_junit_files_carry_ids_messages_and_verdicts(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("DUR-2", "NOT_APPLICABLE", {"reason": "not claimed"}))

    project.run("--junitxml=out.xml")

    xml = (project.pytester.path / "out.xml").read_text()
    assert 'tests="3"' in xml and 'failures="1"' in xml and 'skipped="1"' in xml
    assert '<failure message="VIOLATED: ATOM-2 breaks">' in xml
    assert '<property name="tradestore_verdict" value="NOT_APPLICABLE" />' in xml


def names_in_junit(project):
    cases = ElementTree.parse(project.pytester.path / "out.xml").iter("testcase")
    return sorted((case.get("classname"), case.get("name")) for case in cases)


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_in_junit_files_the_store_is_the_class_of_its_checks(project, family):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("DUR-2", "NOT_APPLICABLE"), ("REC-1", "RAISES"))

    project.run("--junitxml=out.xml", "-o", f"junit_family={family}")

    checks = ["ATOM-1[documents]", "ATOM-2[documents]", "DUR-2[documents]", "REC-1[documents]"]
    assert names_in_junit(project) == [("tradestore.Acme", check) for check in checks]


@pytest.mark.parametrize(("family", "there"), [("xunit1", ("acme.py", "3")), ("xunit2", (None, None))])
def test_in_junit_files_a_failure_has_the_file_and_the_line_that_are_at_fault(project, family, there):
    """xunit2 has no room for them beside the name, so that they are a property there, as in xunit1."""
    project.checks(("ATOM-2", "VIOLATED", {"at": "acme.py:3 > json/encoder.py:9"}))

    project.run("--junitxml=out.xml", "-o", f"junit_family={family}")

    (case,) = ElementTree.parse(project.pytester.path / "out.xml").iter("testcase")
    assert (case.get("file"), case.get("line")) == there
    assert "acme.py:3" in [p.get("value") for p in case.iter("property") if p.get("name") == "tradestore_place"]


def test_control_one_that_lies_in_no_file_of_the_project_has_none(project):
    project.checks(("ATOM-2", "VIOLATED", {"at": "json/encoder.py:9"}))

    project.run("--junitxml=out.xml", "-o", "junit_family=xunit1")

    (case,) = ElementTree.parse(project.pytester.path / "out.xml").iter("testcase")
    assert "tradestore_place" not in [p.get("name") for p in case.iter("property")]
    assert case.get("line") is None


def test_a_prefix_of_junit_stands_before_it(project):
    project.run("--junitxml=out.xml", "--junitprefix=nightly")

    assert {store for store, _ in names_in_junit(project)} == {"nightly.tradestore.Acme"}


def test_control_other_tests_keep_their_class(project):
    project.pytester.makepyfile(test_own="def test_own(): pass")

    project.run("--junitxml=out.xml", "test_own.py")

    assert names_in_junit(project)[0] == ("test_own", "test_own")
    assert {store for store, _ in names_in_junit(project)[1:]} == {"tradestore.Acme"}


@pytest.mark.parametrize("workers", ["0", "1", "2"])
def test_who_gathers_the_evidence_changes_nothing(project, workers):
    project.checks(
        ("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("RACE-1", "PRINTS"), ("RACE-4", "HOLDS"), ("REC-1", "RAISES")
    )

    result = project.run("-v", f"--tradestore-workers={workers}")

    result.assert_outcomes(passed=2, failed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*/ATOM-1[[]documents] PASSED*", "*/ATOM-2*FAILED*", "*/RACE-1*FAILED*", "*/RACE-4*PASSED*", "*/REC-1*ERROR*"]
    )
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said while it was judged"])
    result.stdout.fnmatch_lines(["*ZeroDivisionError: a mistake of ours*"])


@pytest.mark.parametrize("workers", ["-1", "many"])
def test_a_number_of_processes_that_is_none_is_refused(project, workers):
    result = project.run(f"--tradestore-workers={workers}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--tradestore-workers: invalid*'{workers}'*"])
