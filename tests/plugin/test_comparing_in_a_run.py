"""``--tradestore-compare`` puts into the HTML report what has become of an earlier run, and changes no verdict.

The commands of ``docs/how-to/read-the-report.md`` are run here as they stand there.
"""

import shlex

import pytest

from tests.documentation.pages import ROOT, blocks

PAGE, ONCE_AND_AFTERWARDS = blocks(ROOT / "docs" / "how-to" / "read-the-report.md")


def followed(project, block):
    """Run the commands of a block, without the program's name, and return the last result."""
    for line in block.text.splitlines():
        program, *options = shlex.split(line, comments=True)
        assert program == "pytest"
        result = project.run(*options)
    return result


def test_the_page_is_written(project):
    followed(project, PAGE)

    assert "Can these stores lose data?" in (project.pytester.path / "stores.html").read_text()


def test_an_earlier_run_is_compared_with_and_decides_nothing(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    result = followed(project, ONCE_AND_AFTERWARDS)

    page = (project.pytester.path / "stores.html").read_text()
    assert "Beside before.json" in page
    assert "1 same as before" in page
    assert result.ret == 1
    result.stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-2"])


def test_control_without_one_nothing_is_compared(project):
    followed(project, PAGE)

    assert "earlier run" not in (project.pytester.path / "stores.html").read_text()


def test_a_baseline_is_an_earlier_run(project):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))
    project.run("--tradestore-report=json:before.json")

    project.run("--tradestore-baseline=before.json", "--tradestore-report=html:stores.html")

    assert "1 same as before" in (project.pytester.path / "stores.html").read_text()


def test_an_earlier_report_that_is_nowhere_ends_the_run_in_one_sentence(project):
    result = project.run("--tradestore-compare=nowhere.json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --tradestore-compare: *nowhere.json cannot be read: No such file*"])
