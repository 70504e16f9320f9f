"""``./run`` makes the environment once, installs again what has changed, and refuses in one sentence."""

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
printf '%s\n' "$*" >>"$LOG"
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/pytest" ;;
    "-c import"*) exit "${TOO_OLD:-0}" ;;
    "-m pip") exit "${NO_NETWORK:-0}" ;;
    "-V ") echo Python 3.10.1 ;;
esac
"""


@pytest.fixture
def run(tmp_path):
    """Run a copy of the script beside a made-up package, with a made-up Python that notes what it is asked."""
    for name in ("pytest_tradestore", "conformance", "reference_store"):
        (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "run").write_bytes((TOP / "run").read_bytes())
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def ran(*arguments, **environment):
        log.write_text("")
        done = subprocess.run(
            ["bash", tmp_path / "run", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHON": str(python), "LOG": str(log), **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done, [line for line in log.read_text().splitlines() if not line.startswith("-c")]

    ran.place = tmp_path
    return ran


def test_the_first_time_it_makes_an_environment_and_runs_the_command_in_it(run):
    done, asked = run("pytest", "-n", "2")

    assert done.returncode == 0
    assert asked == [f"-m venv {run.place}/.venv", "-m pip install --quiet .[dev,docs,interop]", "-n 2"]
    assert "making an environment" in done.stderr


def test_control_the_next_time_it_only_runs_the_command(run):
    run("pytest")

    assert run("pytest", "-n", "2")[1] == ["-n 2"]


def test_what_has_changed_is_installed_again(run):
    run("pytest")
    later = (run.place / ".venv" / ".installed").stat().st_mtime + 5
    (run.place / "reference_store" / "new.py").write_text("")
    os.utime(run.place / "reference_store" / "new.py", (later, later))

    assert run("pytest", "-q")[1] == ["-m pip install --quiet .[dev,docs,interop]", "-q"]


def test_an_environment_that_could_not_be_finished_is_no_environment(run):
    done, _ = run("pytest", NO_NETWORK="1")

    assert done.returncode == 2
    assert f"./run: pip could not install what is needed into {run.place}/.venv" in done.stderr
    assert "-m pip install --quiet .[dev,docs,interop]" in run("pytest")[1]


def test_a_python_that_is_too_old_is_refused(run):
    done, asked = run("pytest", TOO_OLD="1")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "is Python 3.10.1, and 3.11 or later is needed; name one with PYTHON=..."
    )
    assert asked == ["-V"]


def test_without_a_command_it_says_what_to_write(run):
    done, _ = run()

    assert done.returncode == 2
    assert done.stderr == (
        "./run: name a command, for example: ./run pytest --tradestore-conformance --tradestore-store reference\n"
    )


def test_what_lay_in_the_tree_before_is_left_there(run):
    (run.place / "build").mkdir()
    (run.place / "build" / "mine").write_text("")

    run("pytest")

    assert (run.place / "build" / "mine").exists()
