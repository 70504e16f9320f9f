"""Which items there are, what they are called, and how a run chooses among them."""

import pytest

ALL = ["tradestore/Acme/ATOM-1[documents]", "tradestore/Acme/ATOM-2[documents]"]


@pytest.fixture
def own_test(project):
    """A test of the project itself, in its testpaths."""
    tests = project.pytester.mkdir("tests")
    (tests / "test_own.py").write_text("def test_own(): pass\n")
    project.pytester.makeini("[pytest]\ntestpaths = tests\n")
    return "tests/test_own.py"


def test_the_flag_alone_runs_only_the_suite(project, own_test):
    result = project.run("-v")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("testpaths:*")


def test_paths_given_with_the_flag_run_too(project, own_test):
    project.run(own_test).assert_outcomes(passed=3)


def test_control_without_the_flag_only_the_project_is_tested(project, own_test):
    project.pytester.runpytest().assert_outcomes(passed=1)


def test_ids_name_the_store_the_requirement_and_the_case(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-1", "HOLDS", {"case": "journal"}))

    assert project.collected(store="portfolio=acme:Acme") == [
        "tradestore/portfolio/ATOM-1[documents]",
        "tradestore/portfolio/ATOM-1[journal]",
    ]


@pytest.mark.parametrize("options", [("--import-mode=importlib",), ("--rootdir=..",), ("-p", "no:cacheprovider")])
def test_ids_are_the_same_however_pytest_is_run(project, options):
    assert project.collected(*options) == ALL


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        pytest.param("tradestore/Acme/ATOM-2[documents]", ALL[1:], id="one-item"),
        pytest.param("tradestore/Acme/ATOM-1", ALL[:1], id="every-case-of-a-requirement"),
        pytest.param("tradestore/Acme", ALL, id="a-store"),
        pytest.param("tradestore/", ALL, id="everything"),
        pytest.param("../tradestore/Acme/ATOM-2[documents]", ALL[1:], id="as-printed-in-a-subdirectory"),
    ],
)
def test_an_id_as_argument_selects_what_it_names(project, argument, expected):
    assert project.collected(argument) == expected


def test_an_id_and_a_path_can_be_given_together(project, own_test):
    project.run(own_test, "tradestore/Acme/ATOM-2[documents]").assert_outcomes(passed=2)


def test_a_pasted_id_needs_no_flag(project):
    result = project.pytester.runpytest("--tradestore-store=acme:Acme", "tradestore/Acme/ATOM-2[documents]")

    result.assert_outcomes(passed=1)


def test_a_directory_of_the_project_that_is_called_tradestore_is_a_path(project):
    tests = project.pytester.mkdir("tradestore")
    (tests / "test_own.py").write_text("def test_own(): pass\n")

    project.pytester.runpytest("tradestore/test_own.py").assert_outcomes(passed=1)
    project.run("tradestore/test_own.py").assert_outcomes(passed=3)


def test_an_id_that_does_not_exist_is_a_usage_error(project):
    result = project.run("tradestore/Acme/ATOM-9[documents]")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: there is no check tradestore/Acme/ATOM-9[[]documents]*"])


def test_requirement_selects_by_id_and_leaves_the_verdict_incomplete(project):
    result = project.run("--tradestore-requirement=ATOM-2")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["Acme: INCOMPLETE: only 1 of 2 checks were run"])


def test_an_unknown_requirement_is_a_usage_error_with_a_suggestion(project):
    result = project.run("--tradestore-requirement=ATOM2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *no requirement 'ATOM2' (did you mean ATOM-*"])


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "ATOM-2"),
        ("--deselect", "tradestore/Acme/ATOM-1"),
        ("-m", "tradestore(requirement='ATOM-2')"),
    ],
    ids=["k", "deselect", "marker"],
)
def test_pytests_own_selection_works_and_leaves_the_verdict_incomplete(project, options):
    result = project.run(*options)

    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["Acme: INCOMPLETE: only 1 of 2 checks were run"])


def test_control_all_checks_together_are_a_verdict(project):
    project.run().stdout.fnmatch_lines(["Acme: CONFORMANT durable"])


def test_x_stops_at_the_first_violation(project):
    project.checks(("ATOM-1", "VIOLATED"), ("ATOM-2", "HOLDS"))

    result = project.run("-x")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-1", "  1 of 2 checks run*"])


def test_last_failed_runs_what_failed_and_nothing_else(project, own_test):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))
    project.run(own_test)

    result = project.run(own_test, "--lf")

    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["FAILED tradestore/Acme/ATOM-2*"])


def test_list_shows_every_requirement_and_runs_nothing(project):
    result = project.run("--tradestore-list")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["ATOM-2 *durable *after power loss*"])
    result.stdout.no_fnmatch_line("*test session starts*")
