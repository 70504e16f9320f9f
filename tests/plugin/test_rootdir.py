"""An option's value that is a path must not lead pytest to the configuration of another project."""

import pytest

WAIVER = '[[waiver]]\nrequirement = "ATOM-2"\nstore = "acme"\nkind = "wont-fix"\nreason = "known"\n'


@pytest.fixture
def elsewhere(project, tmp_path_factory):
    """A directory outside of the project, whose configuration names the project's store."""
    project.pytester.makepyprojecttoml('[tool.pytest]\ntradestore_stores = ["acme=acme:Acme"]\n')
    project.checks(("ATOM-2", "VIOLATED"))
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "w.toml").write_text(WAIVER)
    return place


def test_a_value_after_a_space_that_moves_the_root_is_refused(project, elsewhere):
    result = project.run("--tradestore-waivers", str(elsewhere / "w.toml"), store=None)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: write --tradestore-waivers={elsewhere / 'w.toml'}, in one word*"])


def test_so_is_one_below_the_project_that_has_a_configuration_of_its_own(project, elsewhere):
    inner = project.pytester.mkdir("inner")
    (inner / "pytest.ini").write_text("[pytest]\n")

    result = project.run("--tradestore-keep", "inner", "--tradestore-replay=acme/documents/c1/-/1a2b3c4d", store=None)

    result.stderr.fnmatch_lines(["ERROR: write --tradestore-keep=inner, in one word*pytest.ini instead of*"])


def test_control_in_one_word_it_is_taken(project, elsewhere):
    result = project.run(f"--tradestore-waivers={elsewhere / 'w.toml'}", store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["acme: CONFORMANT durable WITH WAIVERS"])


def test_control_after_a_space_too_where_it_moves_nothing(project, elsewhere):
    (project.pytester.path / "w.toml").write_text(WAIVER)

    assert project.run("--tradestore-waivers", "w.toml", store=None).ret == 0
