"""An option's value that is a path must not lead pytest to the configuration of another project."""

import pytest

WAIVER = '[[waiver]]\nrequirement = "ATOM-2"\nstore = "acme"\nkind = "wont-fix"\nreason = "known"\n'
WAIVED = ["acme: CONFORMANT durable WITH WAIVERS"]


@pytest.fixture
def elsewhere(project, tmp_path_factory):
    """A directory outside of the project, with a configuration and a conftest file that no run of it survives."""
    project.pytester.makepyprojecttoml('[tool.pytest]\ntradestore_stores = ["acme=acme:Acme"]\n')
    project.checks(("ATOM-2", "VIOLATED"))
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "w.toml").write_text(WAIVER)
    (place / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (place / "conftest.py").write_text("raise RuntimeError('this is of another project')\n")
    return place


@pytest.mark.parametrize("written", [["--tradestore-waivers", "{}"], ["--tradestore-waivers={}"]], ids=["two", "one"])
def test_a_value_elsewhere_is_taken_and_the_configuration_is_the_projects(project, elsewhere, written):
    result = project.run(*(word.format(elsewhere / "w.toml") for word in written), store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"rootdir: {project.pytester.path}"])
    result.stdout.fnmatch_lines(WAIVED)


def test_so_is_one_below_the_project_that_has_a_configuration_of_its_own(project, elsewhere):
    inner = project.pytester.mkdir("inner")
    (inner / "pytest.ini").write_text("[pytest]\n")

    result = project.run("--tradestore-keep", "inner", "--tradestore-replay=acme/documents/c1/-/1a2b3c4d", store=None)

    result.stdout.fnmatch_lines(["configfile: pyproject.toml", "stores: acme (documents)"])
    result.stdout.fnmatch_lines(["tradestore/acme/REPLAY*"])


def test_so_are_several_and_those_between_paths_to_test(project, elsewhere):
    project.pytester.makepyfile(test_own="def test_passes():\n    pass\n")

    result = project.run(
        "test_own.py",
        "--tradestore-waivers",
        str(elsewhere / "w.toml"),
        "-v",
        "--tradestore-report",
        f"json:{elsewhere / 'made.json'}",
        store=None,
    )

    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_own.py::test_passes PASSED*"])
    assert (elsewhere / "made.json").is_file()


def test_so_is_one_that_the_environment_adds(project, elsewhere, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", f"--tradestore-waivers '{elsewhere / 'w.toml'}'")

    result = project.run(store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines(WAIVED)


def test_so_is_one_from_a_file_of_arguments(project, elsewhere):
    (project.pytester.path / "arguments").write_text(f"--tradestore-waivers\n{elsewhere / 'w.toml'}\n")

    result = project.run("@arguments", store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines(WAIVED)


def test_so_it_is_from_a_directory_of_the_project(project, elsewhere, monkeypatch):
    (project.pytester.path / "sub").mkdir()
    monkeypatch.chdir(project.pytester.path / "sub")

    result = project.run("--tradestore-waivers", str(elsewhere / "w.toml"), store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"rootdir: {project.pytester.path}"])


def test_control_a_path_to_test_elsewhere_still_says_whose_run_it_is(project, elsewhere):
    result = project.run(str(elsewhere), store=None)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*this is of another project*"])


def test_control_after_a_flag_stands_a_path_to_test(project):
    project.checks(("ATOM-2", "HOLDS"))
    tests = project.pytester.mkdir("tests")
    (tests / "test_own.py").write_text("def test_passes():\n    pass\n")

    result = project.pytester.runpytest("--tradestore-store=acme=acme:Acme", "--tradestore-conformance", "tests")

    result.assert_outcomes(passed=2)


def test_control_after_a_space_too_where_it_moves_nothing(project, elsewhere):
    (project.pytester.path / "w.toml").write_text(WAIVER)

    assert project.run("--tradestore-waivers", "w.toml", store=None).ret == 0
