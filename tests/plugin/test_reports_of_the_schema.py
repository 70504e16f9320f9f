"""Reports of whole runs are of the published schema; which members it has, ``tests/report/test_schema.py`` asks."""

import json

import jsonschema
import pytest

from pytest_tradestore.report.json_report import report_of
from pytest_tradestore.report.merging import merge
from pytest_tradestore.report.schema import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def wrong(report):
    return [error.message for error in VALIDATOR.iter_errors(report)]


RUNS = {
    "holds": [("ATOM-1", "HOLDS")],
    "violated": [("ATOM-1", "VIOLATED")],
    "undecided": [("ATOM-1", "UNDECIDED", {"reason": "io_uring"})],
    "not-applicable": [("ATOM-1", "NOT_APPLICABLE", {"reason": "no keys"})],
    "error": [("ATOM-1", "RAISES")],
}


@pytest.mark.parametrize("rows", RUNS.values(), ids=list(RUNS))
def test_reports_of_runs_are_of_the_schema(project, rows):
    project.checks(*rows)
    project.run("--tradestore-report=json:r.json")

    assert wrong(json.loads((project.pytester.path / "r.json").read_text())) == []


def test_so_are_merged_ones_and_those_with_a_baseline(project):
    project.checks(("ATOM-1", "VIOLATED"), ("RACE-1", "HOLDS"))
    for part in (1, 2):
        project.run(f"--tradestore-shard={part}/2", f"--tradestore-report=json:{part}.json")
    whole = merge([project.pytester.path / f"{part}.json" for part in (1, 2)])
    project.run("--tradestore-report=json:old.json")
    project.run("--tradestore-baseline=old.json", "--tradestore-report=json:new.json")

    assert wrong(json.loads(json.dumps(report_of(whole.settings, whole.recorder, whole.records)))) == []
    assert wrong(json.loads((project.pytester.path / "new.json").read_text())) == []
