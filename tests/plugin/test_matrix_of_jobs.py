"""The matrix of jobs that the guide prints, parts times seeds: its commands are run as they stand there."""

import json
import re
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from reference_store.operations.command_line import COMMAND

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "run-in-ci.md").read_text()
CHECKS = tuple((f"{family}-1", "HOLDS") for family in ("ATOM", "RACE", "FAULT", "NAME", "PERM"))


def job(name):
    """Return the commands of a job of the matrix, each with every value that its matrix has."""
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if "  verdict:" in text)
    text = re.search(rf"^  {name}:\n(.*?)(?=^  \w|\Z)", block, re.DOTALL | re.MULTILINE)[1]
    matrix = dict(re.findall(r"(\w+): \[([\d, ]+)\]", text))
    commands = [" ".join(found.split()) for found in re.findall(r"run: >\n(.*?)(?=\n      -|\Z)", text, re.DOTALL)]
    for values in product(*(row.split(", ") for row in matrix.values())):
        of = dict(zip(matrix, values, strict=True))
        for command in commands:
            yield re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: of[found[1]], command).split()  # noqa: B023 - used at once


@pytest.mark.proof
def test_the_jobs_do_each_check_once_for_each_seed_and_the_verdicts_are_whole(project, monkeypatch):
    project.checks(*CHECKS)
    parts, verdicts = list(job("part")), list(job("verdict"))

    assert (len(parts), len(verdicts)) == (6, 2)
    for program, flag, *words in parts:
        assert (program, flag) == ("pytest", "--tradestore-conformance")
        project.run(*words)
    monkeypatch.chdir(project.pytester.path)
    for program, *words in verdicts:
        assert program == "tradestore"
        done = CliRunner().invoke(COMMAND, words)
        assert done.exit_code == 0, done.output
    reports = [json.loads(path.read_text()) for path in sorted(Path().glob("seed-1-part-*.json"))]
    done = [one["id"] for report in reports for store in report["stores"] for one in store["requirements"]]
    assert sorted(done) == sorted(id_ for id_, _ in CHECKS)
    assert {report["seed"] for report in reports} == {1}


def test_control_with_one_part_missing_there_is_no_verdict(project, monkeypatch):
    project.checks(*CHECKS)
    for _, _, *words in list(job("part"))[:2]:
        project.run(*words)
    monkeypatch.chdir(project.pytester.path)

    done = CliRunner().invoke(COMMAND, ["merge", "seed-1-part-1.json", "seed-1-part-2.json"])
    assert done.exit_code == 1
