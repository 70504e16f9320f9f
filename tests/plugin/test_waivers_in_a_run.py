"""What waivers do to a run: shown as waived, never green, and failing the run once they are stale."""

import pytest

WAIVER = '[[waiver]]\nrequirement = "ATOM-2"\nstore = "Acme"\nkind = "{kind}"\nreason = "known"\n{more}\n'


@pytest.fixture
def with_waiver(project):
    def run(*arguments, kind="wont-fix", more=""):
        (project.pytester.path / "waivers.toml").write_text(WAIVER.format(kind=kind, more=more))
        return project.run("--tradestore-waivers=waivers.toml", *arguments)

    return run


@pytest.mark.parametrize("verdict", ["VIOLATED", "UNDECIDED"])
def test_a_waived_requirement_does_not_fail_and_is_shown(project, with_waiver, verdict):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", verdict))

    result = with_waiver("-rx")

    assert result.ret == 0
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["Acme: CONFORMANT durable WITH WAIVERS", "*waived: ATOM-2"])
    result.stdout.fnmatch_lines([f"XFAIL *ATOM-2* - WAIVED: wont-fix: known ({verdict}: *"])


def test_control_without_the_waiver_it_fails(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    assert project.run().ret == 1


def test_another_violation_still_fails(project, with_waiver):
    project.checks(("ATOM-1", "VIOLATED"), ("ATOM-2", "VIOLATED"))

    with_waiver().stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-1"])


def test_an_expired_waiver_waives_nothing_and_is_told(project, with_waiver):
    project.checks(("ATOM-2", "VIOLATED"))

    result = with_waiver(kind="bug", more="expires = 2020-01-31")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ERROR: the waiver of ATOM-2 for Acme expired on 2020-01-31*"])


def test_a_waiver_that_is_no_longer_needed_fails_the_run(project, with_waiver):
    result = with_waiver()

    assert result.ret == 1
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["ERROR: the waiver of ATOM-2 for Acme is no longer needed*"])


def test_the_file_can_be_configured(project):
    (project.pytester.path / "waivers.toml").write_text(WAIVER.format(kind="wont-fix", more=""))
    project.pytester.makepyprojecttoml('[tool.pytest]\ntradestore_waivers = "waivers.toml"\n')
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    assert project.run().ret == 0


def test_a_mistake_in_the_file_is_a_usage_error(project, with_waiver):
    result = with_waiver(kind="bug")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: waivers: *waivers.toml, number 1: a bug needs expires*"])


def test_a_waiver_for_a_store_that_is_not_there_is_told_though_only_some_stores_were_asked_for(project):
    (project.pytester.path / "waivers.toml").write_text(
        WAIVER.format(kind="wont-fix", more="").replace('"Acme"', '"Acmee"')
    )

    result = project.run("--tradestore-waivers=waivers.toml")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: waivers for stores that this run does not have: Acmee (did you mean Acme[?])"])


def test_control_one_for_a_store_that_is_there_is_not(project, with_waiver):
    project.checks(("ATOM-2", "VIOLATED"))

    with_waiver().stdout.no_fnmatch_line("note: waivers*")
