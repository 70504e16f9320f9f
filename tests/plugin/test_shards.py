"""Parts of a run on several machines: together they are the run, and ``tradestore merge`` makes it one again."""

import json

import pytest
from click.testing import CliRunner

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.shards import Shard, shard_of, times_of
from reference_store.operations.command_line import COMMAND

CHECKS = (
    *((f"ATOM-{n}", "HOLDS") for n in (1, 2, 3)),
    *((f"RACE-{n}", "HOLDS") for n in (1, 2, 3, 4)),
    *(("DATA-ROUNDTRIP", "HOLDS", {"case": f"documents-{n}"}) for n in range(4)),
)


def parts(project, of, *rows):
    """Run each part of it, and return their reports."""
    project.checks(*rows)
    made = []
    for number in range(1, of + 1):
        project.run(f"--tradestore-shard={number}/{of}", f"--tradestore-report=json:{number}.json")
        made.append(project.pytester.path / f"{number}.json")
    return made


def merged(*words):
    done = CliRunner().invoke(COMMAND, ["merge", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_each_check_is_in_one_part_and_what_rests_on_the_same_evidence_together(project):
    project.checks(*CHECKS)
    whole = project.collected()
    each = [project.collected(f"--tradestore-shard={number}/3") for number in (1, 2, 3)]

    assert sorted(id_ for part in each for id_ in part) == sorted(whole)
    assert all(each)
    for family in ("ATOM-", "RACE-"):
        assert [any(family in id_ for id_ in part) for part in each].count(True) == 1


def test_a_part_that_nothing_is_left_for_is_no_failure(project):
    project.checks(("ATOM-1", "HOLDS"))

    assert {project.run(f"--tradestore-shard={number}/2").ret for number in (1, 2)} == {pytest.ExitCode.OK}


def test_control_a_run_that_has_no_check_at_all_is_one(project):
    project.checks(("ATOM-1", "HOLDS"))

    assert project.run("--tradestore-shard=2/2", "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_parts_are_the_same_each_time(project):
    project.checks(*CHECKS)

    assert project.collected("--tradestore-shard=2/3") == project.collected("--tradestore-shard=2/3")


def test_parts_are_balanced_by_what_checks_took_in_an_earlier_run(project, tmp_path):
    project.checks(*CHECKS)
    seconds = {"DATA-ROUNDTRIP": 10.0}
    took = [
        {"id": id_, "case": (more[0] if more else {}).get("case", "documents"), "seconds": seconds.get(id_, 0.1)}
        for id_, _, *more in CHECKS
    ]
    report = tmp_path / "earlier.json"
    report.write_text(json.dumps({"stores": [{"name": "Acme", "requirements": took}]}))

    each = [
        project.collected(f"--tradestore-shard={number}/4", f"--tradestore-shard-times={report}")
        for number in (1, 2, 3, 4)
    ]

    assert [sum("DATA-ROUNDTRIP" in id_ for id_ in part) for part in each] == [1, 1, 1, 1]
    assert sorted(id_ for part in each for id_ in part) == sorted(project.collected())


def test_a_report_that_is_none_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match="it is no JSON report of the suite"):
        times_of(str(tmp_path / "nowhere.json"))


def test_a_part_says_that_it_is_one(project):
    project.checks(*CHECKS)

    result = project.run("--tradestore-shard=1/3")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["Acme: INCOMPLETE: only * of 11 checks were run"])


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2", "²/3"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(ConfigurationError, match="write I/N with I from 1 to N, like 2/4"):
        shard_of(text)


def test_control_what_is_one_is_read():
    assert shard_of("2/4") == Shard(2, 4)


def test_merged_they_are_the_verdict_of_the_whole(project):
    done = merged(*parts(project, 3, *CHECKS), "--report", f"json:{project.pytester.path / 'whole.json'}")

    assert done.exit_code == 0, done.output
    assert "Acme: CONFORMANT hardened" in done.output
    (store,) = json.loads((project.pytester.path / "whole.json").read_text())["stores"]
    assert len(store["requirements"]) == len(CHECKS)
    assert store["not_run"] == []


def test_a_violation_in_one_part_is_one_of_the_whole(project):
    done = merged(*parts(project, 2, *CHECKS, ("DUR-1", "VIOLATED")))

    assert done.exit_code == 1
    assert "Acme: NOT CONFORMANT: DUR-1" in done.output


def test_a_part_that_is_missing_is_told(project):
    first, *_ = parts(project, 3, *CHECKS)

    done = merged(first)

    assert done.exit_code == 1
    assert "Acme: INCOMPLETE: only" in done.output
    assert "in no part: Acme/" in done.output


def test_parts_of_different_runs_are_refused(project):
    first, second = parts(project, 2, *CHECKS)
    second.write_text(json.dumps(json.loads(second.read_text()) | {"seed": 7}))

    done = merged(first, second)

    assert done.exit_code == 2
    assert "is not a part of the same run as" in done.output
    assert "seed is 7 and 0" in done.output


def test_parts_that_disagree_are_refused(project):
    first, second = parts(project, 2, *CHECKS)
    changed = json.loads(first.read_text())
    changed["stores"][0]["requirements"][0]["verdict"] = "UNDECIDED"
    (project.pytester.path / "again.json").write_text(json.dumps(changed))

    done = merged(first, project.pytester.path / "again.json", second)

    assert done.exit_code == 2
    assert "a run is the same everywhere" in done.output


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "\x00"])
def test_what_is_no_report_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "a.json").write_text(text)

    done = merged(tmp_path / "a.json")

    assert done.exit_code == 2
    assert "a.json is not a" in done.output
    assert "Traceback" not in done.output


def test_reports_that_are_nowhere_and_forms_that_there_are_not_are_refused(tmp_path):
    assert "nowhere.json cannot be read" in merged(tmp_path / "nowhere.json").output
    assert "--report pdf:a: write json:PATH or" in merged(tmp_path / "a.json", "--report", "pdf:a").output
