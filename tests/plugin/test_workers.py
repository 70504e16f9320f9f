"""Under xdist the controller examines the stores and reports, the workers judge."""

import json

import pytest

pytest.importorskip("xdist")

ROWS = [
    ("ATOM-1", "HOLDS", {"checked": {"crash_states": 5}}),
    ("ATOM-2", "VIOLATED"),
    ("DUR-2", "HOLDS"),
    ("REC-1", "RAISES"),
]


def test_results_of_workers_reach_the_summary_and_the_reports(project):
    project.checks(*ROWS)

    result = project.run_apart("-n2", "--tradestore-report=json:out.json", "--junitxml=out.xml")

    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["stores: Acme (documents)", "Acme: NOT CONFORMANT: ATOM-2", "  4 of 4 checks*5 crash*"]
    )
    result.stdout.fnmatch_lines(["FAILED tradestore/Acme/ATOM-2[[]documents] - VIOLATED: ATOM-2 breaks"])
    (store,) = json.loads((project.pytester.path / "out.json").read_text())["stores"]
    assert [found["verdict"] for found in store["requirements"]] == ["HOLDS", "VIOLATED", "HOLDS"]
    xml = (project.pytester.path / "out.xml").read_text()
    assert "VIOLATED: ATOM-2 breaks" in xml
    assert xml.count('<testcase classname="tradestore.Acme" name="') == len(ROWS)


@pytest.mark.proof
def test_a_worker_does_not_examine_again(project):
    source = project.pytester.path / "acme.py"
    opening = "super().__init__(root)\n        open('opened', 'a').write('x')\n"
    note = f"\n\nclass Counts(Acme):\n    def __init__(self, root):\n        {opening}"
    source.write_text(source.read_text() + note)

    project.run_apart("-n2", store="acme:Counts").assert_outcomes(passed=2)

    examined, used, reopened = "x", "x", "x"
    assert (project.pytester.path / "opened").read_text() == examined + used + reopened


def test_a_store_that_cannot_be_used_is_told_once_before_workers_start(project):
    result = project.run_apart("-n2", store="acme:raises")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("the flux is not aligned") == 1
    result.stdout.no_fnmatch_line("*gw0*")


@pytest.mark.proof
def test_ids_select_under_xdist_too(project):
    project.run_apart("-n2", "tradestore/Acme/ATOM-2[documents]").assert_outcomes(passed=1)


@pytest.mark.proof
def test_self_check_status_survives_xdist(project):
    assert project.run_apart("-n2", store=None).ret == 5


@pytest.mark.proof
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-n2",), id="n2"),
        pytest.param(("-n2", "--dist=loadgroup"), id="loadgroup"),
    ],
)
def test_checks_that_share_evidence_run_on_one_worker(project, options):
    project.checks(
        *[(requirement, "HOLDS") for requirement in ("ATOM-1", "ATOM-2", "DUR-1", "DUR-2", "REC-1", "REC-3")]
    )

    result = project.run_apart(*options, "-v", "--tradestore-store=log=acme:Log")

    result.assert_outcomes(passed=12)
    for store in ("Acme", "log"):
        workers = {line.split()[0] for line in result.outlines if "PASSED" in line and f"tradestore/{store}/" in line}
        assert len(workers) == 1


@pytest.mark.proof
def test_control_another_distribution_is_left_alone(project):
    result = project.run_apart("-n2", "--dist=worksteal", "-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["scheduling tests via WorkStealing*"])
