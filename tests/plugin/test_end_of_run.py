"""The header, the matrix, the verdict lines, the exit status and the reports."""

import json
import os

import pytest

MANY = [f"--tradestore-store=a-rather-long-name-{number}=acme:Acme" for number in range(30)]


def test_the_header_says_what_is_checked_and_how(project):
    result = project.run("--tradestore-seed=7", "--tradestore-budget=deep", "--tradestore-profile=hardened")

    result.stdout.fnmatch_lines(
        [
            "tradestore: spec 2026.1, profile hardened, recorder fake, model strict, budget",
            "*deep, seed 7",
            "stores: Acme (d*",
        ]
    )


def test_a_conforming_store_gets_its_verdict_and_how_much_was_checked(project):
    project.checks(
        ("ATOM-1", "HOLDS", {"checked": {"crash_states": 1200, "images": 3}}),
        ("DUR-2", "HOLDS", {"checked": {"crash_states": 34}}),
    )

    result = project.run()

    result.stdout.fnmatch_lines(
        ["Acme: CONFORMANT durable", "  2 of 2 checks run; 1,234 crash states, 3 images; exhaustive"], consecutive=True
    )


def test_a_search_that_was_cut_is_called_bounded(project):
    project.checks(("ATOM-1", "HOLDS", {"checked": {"crash_states": 9}, "exhaustive": False}))

    project.run().stdout.fnmatch_lines(["*9 crash states; bounded for ATOM-1"])


def test_a_violating_store_gets_the_requirements_in_the_order_of_the_catalogue(project):
    project.checks(("DUR-2", "VIOLATED"), ("ATOM-2", "VIOLATED"), ("ATOM-1", "HOLDS"))

    project.run().stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-2 DUR-2"])


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        pytest.param([("ATOM-1", "HOLDS"), ("ATOM-2", "UNDECIDED")], "INCOMPLETE: undecided: ATOM-2", id="undecided"),
        pytest.param([("ATOM-1", "NOT_APPLICABLE")], "INCOMPLETE: nothing in this profile applies to it", id="nothing"),
        pytest.param([("ATOM-1", "VIOLATED"), ("ATOM-2", "UNDECIDED")], "NOT CONFORMANT: ATOM-1", id="violated"),
    ],
)
def test_what_was_not_checked_is_never_conformant(project, rows, line):
    project.checks(*rows)

    project.run().stdout.fnmatch_lines([f"Acme: {line}"])


def test_a_store_without_checks_is_incomplete(project):
    (project.pytester.path / "checks.json").write_text("[]")

    result = project.run()

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["Acme: INCOMPLETE: there is no check yet for its contracts (documents)"])


@pytest.mark.parametrize("color", ["no", "yes"])
@pytest.mark.parametrize("stores", [1, 3, pytest.param(30, marks=pytest.mark.proof)])
def test_the_summary_fits_into_80_columns_with_any_number_of_stores(project, stores, color):
    project.checks(("ATOM-1", "HOLDS"), ("DATA-ROUNDTRIP", "VIOLATED"), ("DUR-2", "NOT_APPLICABLE"))

    result = project.run(*MANY[:stores], f"--color={color}", store=None)

    text = result.stdout.str()
    summary = text[text.index("tradestore conformance") :].partition("short test summary")[0].splitlines()[1:-1]
    assert all(len(plain(line)) <= 80 for line in summary)
    matrix = [plain(line).split() for line in summary if plain(line).startswith("DATA-ROUNDTRIP")]
    assert sum(len(cells) - 2 for cells in matrix) == stores
    assert ("\x1b[" in "".join(summary)) == (color == "yes")


def plain(line):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_requirements_that_were_not_asked_are_counted_and_not_listed(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "HOLDS"), ("DUR-2", "HOLDS"))

    some = project.run("--tradestore-requirement", "ATOM-2", "-v").stdout
    some.fnmatch_lines(
        ["Acme: INCOMPLETE: only 1 of 3 checks were run", "ATOM-2 *holds", "not run: 2 other requirements"]
    )
    some.no_fnmatch_line("ATOM-1 *")
    project.run().stdout.no_fnmatch_line("not run: *")


def test_verdict_and_findings_come_first_and_then_only_what_is_worth_a_look(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("DUR-3", "NOT_APPLICABLE"), ("REC-1", "UNDECIDED"))

    result = project.run()

    result.stdout.fnmatch_lines(
        [
            "Acme: NOT CONFORMANT: ATOM-2",
            "  1 finding:",
            "  4 of 4 checks run*",
            "ATOM-2 *VIOLATED",
            "REC-1 *undecided",
            "2 other requirements hold or do not apply; -v shows the whole matrix",
        ]
    )
    result.stdout.no_fnmatch_line("ATOM-1 *")
    result.stdout.no_fnmatch_line("DUR-3 *")


def test_control_with_v_the_matrix_is_whole(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("DUR-3", "NOT_APPLICABLE"))

    result = project.run("-v")

    result.stdout.fnmatch_lines(["ATOM-1 *holds", "ATOM-2 *VIOLATED", "DUR-3 *n/a"])
    result.stdout.no_fnmatch_line("*-v shows*")


@pytest.mark.proof
def test_symbols_come_with_their_words(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    project.run(*MANY, "-v", store=None).stdout.fnmatch_lines([" 1 = a-rather-long-name-0", "X VIOLATED  + holds"])


def test_self_check_says_so_and_ends_with_status_5(project):
    result = project.run(store=None)

    assert result.ret == 5
    result.stdout.fnmatch_lines(
        [
            "SELF-CHECK: no store of yours is registered; the smallest of the bundled stores is checked",
            "stores: reference-document (document)",
            "reference-document: CONFORMANT durable*",
        ]
    )
    result.stdout.fnmatch_lines(["SELF-CHECK: no store of yours was tested*"])


def test_self_check_that_finds_a_violation_ends_with_status_1(project):
    project.checks(("ATOM-1", "VIOLATED"))

    assert project.run(store=None).ret == 1


def test_the_bundled_stores_asked_for_by_name_end_with_status_0(project):
    result = project.run(store="reference")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*SELF-CHECK*")
    result.stdout.fnmatch_lines(["reference-documents: CONFORMANT durable*"])
    result.stdout.no_fnmatch_line("*-async*")


@pytest.mark.proof
def test_their_asynchronous_faces_have_a_name_of_their_own(project):
    result = project.run(store="reference-all")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["reference-documents: CONFORMANT durable*"])
    result.stdout.fnmatch_lines(["reference-documents-async: CONFORMANT durable*"])


def test_collect_only_prints_no_verdict_and_writes_no_report(project):
    result = project.run("--collect-only", "--tradestore-report=json:out.json")

    result.stdout.no_fnmatch_line("*CONFORMANT*")
    assert not (project.pytester.path / "out.json").exists()


def test_the_json_report_has_what_its_schema_says(project):
    project.checks(
        ("ATOM-1", "HOLDS", {"checked": {"crash_states": 5}}),
        ("ATOM-2", "VIOLATED"),
        ("DUR-2", "RAISES"),
        ("REC-1", "HOLDS"),
    )

    result = project.run("--tradestore-report=json:out.json", "-k", "not REC-1", "--tradestore-seed=3")

    report = json.loads((project.pytester.path / "out.json").read_text())
    assert {name: report[name] for name in ("schema", "spec", "seed", "budget", "model")} == {
        "schema": 1,
        "spec": "2026.1",
        "seed": 3,
        "budget": "normal",
        "model": "strict",
    }
    assert report["tool"]["name"] == "pytest-tradestore"
    assert {"began", "seconds", "host", "system", "python", "pytest", "commit", "changed"} <= set(report["run"])
    (store,) = report["stores"]
    holds, violated = store.pop("requirements")
    (finding,) = store.pop("findings")
    assert (finding["requirements"], finding["consequences"]) == (
        ["ATOM-2"],
        [{"check": "ATOM-2[documents]", "token": "t1"}],
    )
    assert store == {
        "name": "Acme",
        "id": "tradestore/Acme",
        "contracts": ["documents"],
        "claims": ["atomic-batch", "power-loss", "process-crash", "tasks", "threads"],
        "recorder": "fake",
        "profile": "durable",
        "verdict": "NOT CONFORMANT: ATOM-2",
        "not_run": ["REC-1[documents]"],
        "errors": [{"check": "DUR-2[documents]", "error": "ZeroDivisionError: a mistake of ours"}],
        "troubles": [],
        "own_requirements": [],
    }
    assert holds == {
        "id": "ATOM-1",
        "case": "documents",
        "profile": "basic",
        "verdict": "HOLDS",
        "reason": "",
        "checked": {"crash_states": 5},
        "exhaustive": True,
        "evidence": "",
        "unclaimed": "",
        "portability": [],
        "output": "",
        "counterexample": None,
        "others": [],
        "seconds": holds["seconds"],
    }
    assert violated["counterexample"]["headline"] == "ATOM-2 breaks"
    assert violated["counterexample"]["token"] == "t1"
    result.stdout.fnmatch_lines(["report written to *out.json"])


def test_the_html_report_is_written_beside_the_other(project):
    project.run("--tradestore-report=json:out.json", "--tradestore-report=html:out.html", "-k", "ATOM-1")

    text = (project.pytester.path / "out.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "INCOMPLETE: only 1 of" in text
    assert (project.pytester.path / "out.json").exists()


def test_a_report_whose_place_vanishes_during_the_run_is_an_error(project):
    conftest = project.pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text() + "\ndef pytest_runtest_logfinish(): __import__('shutil').rmtree('out', True)\n"
    )
    os.mkdir(project.pytester.path / "out")

    result = project.run("--tradestore-report=json:out/report.json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["ERROR: could not write *report.json: No such file or directory"])
