"""What a run of these tests is: the fast ones, the rest when asked, and none that hangs for ever."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
CONFIGURED = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
HANGS = """
import threading

def test_that_hangs():
    threading.Event().wait()

def test_behind_it():
    pass
"""


def ignore_hang_ups():
    """As under nohup, and in the runners of some CI services."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def run(module, *options, begin=None):
    module.write_text(HANGS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", TOP / "pyproject.toml", *options, module],
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=begin,
    )


@pytest.mark.parametrize("begin", [None, ignore_hang_ups], ids=["as ever", "without hang-ups"])
def test_a_test_that_hangs_is_ended_and_says_where_it_stood(begin, tmp_path):
    done = run(tmp_path / "test_it.py", "-o", "faulthandler_timeout=2", begin=begin)

    assert done.returncode == 1
    assert f'test_it.py", line {HANGS.splitlines().index("    threading.Event().wait()") + 1} in' in done.stderr


def test_control_one_that_ends_is_left_alone(tmp_path):
    assert run(tmp_path / "test_it.py", "-o", "faulthandler_timeout=100", "-k", "behind").returncode == 0


def test_that_happens_within_two_minutes():
    assert 0 < float(CONFIGURED["faulthandler_timeout"]) <= 120
    assert CONFIGURED["faulthandler_exit_on_timeout"] is True


def chosen(*options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only", *options]
    done = subprocess.run(
        [*command, "tests/test_kill_matrix_page.py", "tests/test_kill_matrix.py"],
        cwd=TOP,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.proof
def test_a_plain_run_leaves_the_proofs_out_and_asking_for_them_runs_them():
    assert chosen() == {"tests/test_kill_matrix_page.py"}
    assert chosen("-m", "proof") == {"tests/test_kill_matrix.py"}


def test_the_gate_runs_both():
    gate = (TOP / ".ci" / "run").read_text(encoding="utf-8")

    assert "pytest -n 3\n" in (TOP / "README.md").read_text(encoding="utf-8")
    assert "pytest -n 3 -m 'proof and not deep'" in gate


def test_its_parts_are_all_of_it_and_each_has_a_machine_of_its_own():
    gate = (TOP / ".ci" / "run").read_text(encoding="utf-8")
    parts = re.findall(r"^if wanted (\w+); then$", gate, re.MULTILINE)
    (named,) = re.findall(r"part: \[(.*)\]", (TOP / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))

    assert parts == named.split(", ")


def test_a_part_that_there_is_not_is_refused_before_anything_is_done():
    done = subprocess.run([TOP / ".ci" / "run", "profs"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == ".ci/run: there is no part profs; name commands, proofs or installations, or nothing for all of them\n"
    )


def test_what_it_runs_with_other_pythons_is_there():
    script = (TOP / ".ci" / "other-pythons").read_text(encoding="utf-8")
    named = re.search(r"^TESTS=\((.*?)\)", script, re.DOTALL | re.MULTILINE)[1].split()

    assert named
    assert [path for path in named if not (TOP / path).exists()] == []


def test_style_and_types_come_first_there():
    gate = (TOP / ".ci" / "run").read_text(encoding="utf-8")

    assert gate.index("ruff check") < gate.index("mypy ") < gate.index("pytest -n 3")
