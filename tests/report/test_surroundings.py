"""When, where and with what a run was made."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from pytest_tradestore.report.surroundings import Surroundings, joined, surroundings_from_dict, surroundings_of

BEGAN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        names = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        try:
            subprocess.run(["git", "-C", tmp_path, *names, *words], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("git is missing")

    git("init", "-q")
    (tmp_path / "store.py").write_text("one")
    git("add", "store.py")
    git("commit", "-qm", "one")
    return tmp_path


def around(project):
    return surroundings_of(BEGAN, BEGAN + timedelta(seconds=2), project)


def test_it_knows_when_and_how_long():
    assert (around(".").began, around(".").seconds) == ("2026-05-04T03:02:01+00:00", 2.0)


def test_it_knows_the_commit_of_the_project(repository):
    made = around(repository)

    assert len(made.commit) == 40
    assert not made.changed


def test_control_a_project_that_was_changed_since_is_not_that_commit(repository):
    (repository / "store.py").write_text("two")

    assert around(repository).changed


def test_control_what_is_no_repository_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert around(tmp_path).commit == ""


def test_parts_of_a_run_were_made_on_all_of_their_hosts():
    parts = [Surroundings("2026-05-04T03:02:01+00:00", 2.0, "a"), Surroundings("2026-05-04T01:00:00+00:00", 3.0, "b")]

    whole = joined(parts)

    assert (whole.began, whole.seconds, whole.host, whole.parts) == ("2026-05-04T01:00:00+00:00", 5.0, "a, b", 2)


def test_a_report_of_an_older_version_knows_nothing_of_it():
    assert surroundings_from_dict({}) == Surroundings()
    assert surroundings_from_dict({"host": "a", "moon": "full"}) == Surroundings(host="a")
