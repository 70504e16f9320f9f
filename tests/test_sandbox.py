"""Nothing of a run stays on disk: not of one that ends, not of one that is told to, and not of one that was killed."""

import os
import signal
import subprocess
import sys

import pytest

from pytest_tradestore.sandbox import Sandbox, sweep
from tests.descriptors import opened

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")
pytestmark = needs_locks

OWNER = """
import os, signal, sys
from pathlib import Path
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.termination import tidy_when_terminated

how = sys.argv[2]
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if how == "ignores" else signal.SIG_DFL)
if how == "handles":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
tidy_when_terminated()
box = Sandbox(Path(sys.argv[1]))
(box.fresh_root() / "orders").write_text("{}")
if how == "exits":
    sys.exit()
child = os.fork() if how == "forks" else os.getpid()
if child:
    print(child, flush=True)
    if how == "forks":
        os._exit(0)
sys.stdin.read()
"""
"""It waits for the end of its input, so that it never outlives the test; which signals we ignore is nothing to it."""


def owner(parent, how):
    """Start a process that makes a sandbox below ``parent`` and waits, and wait until it has."""
    command = [sys.executable, "-c", OWNER, parent, how]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.user = process.stdout.readline()
    return process


def killed_owner(parent):
    with owner(parent, "waits") as process:
        process.kill()


def test_a_sandbox_is_gone_when_it_is_left(tmp_path):
    with Sandbox(tmp_path) as sandbox:
        (sandbox.fresh_root() / "orders").write_text("{}")
        assert list(tmp_path.iterdir()) == [sandbox.path]

    assert list(tmp_path.iterdir()) == []


def test_leaving_it_leaves_no_descriptor_open(tmp_path):
    before = opened()

    with Sandbox(tmp_path):
        pass

    assert opened(before) == frozenset()


def test_a_sandbox_that_nobody_left_is_gone_when_its_process_ends(tmp_path):
    with owner(tmp_path, "exits"):
        pass

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_told_to_end_removes_its_sandbox_and_ends_by_that_signal(tmp_path, number):
    with owner(tmp_path, "waits") as process:
        process.send_signal(number)

    assert process.returncode == -number
    assert list(tmp_path.iterdir()) == []


def test_control_a_handler_of_somebody_else_is_left_alone(tmp_path):
    with owner(tmp_path, "handles") as process:
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 5
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_control_a_signal_that_is_ignored_stays_ignored(tmp_path, number):
    """``nohup`` starts programs that way."""
    with owner(tmp_path, "ignores") as process:
        process.send_signal(number)

    assert process.returncode == 0


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    killed_owner(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1

    sweep(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_control_the_sandbox_of_a_living_process_is_not_swept_away(tmp_path):
    with owner(tmp_path, "waits") as process:
        sweep(tmp_path)
        assert len(list(tmp_path.glob("*/1/store/orders"))) == 1
        process.kill()


def test_control_nor_is_one_that_only_a_forked_process_still_uses(tmp_path):
    with owner(tmp_path, "forks") as process:
        process.wait()
        sweep(tmp_path)
        left = list(tmp_path.glob("*/1/store/orders"))
        assert len(left) == 1
        os.kill(int(process.user), signal.SIGKILL)


HANGS_IN_A_TASK = """
import os, signal, sys
from pytest_tradestore.isolation import run_isolated
from pytest_tradestore.termination import tidy_when_terminated

def task(channel):
    os.write(int(sys.argv[1]), b"%d\\n" % os.getpid())
    signal.pause()

signal.signal(signal.SIGTERM, signal.SIG_DFL)
tidy_when_terminated()
run_isolated(task, 60)
"""


def test_a_process_that_is_told_to_end_ends_its_isolated_process_too():
    reading, writing = os.pipe()
    with open(reading) as told:
        command = [sys.executable, "-c", HANGS_IN_A_TASK, str(writing)]
        with subprocess.Popen(command, pass_fds=[writing]) as process:
            os.close(writing)
            isolated = int(told.readline())
            process.send_signal(signal.SIGTERM)
        assert told.read() == ""  # nobody has the other end open any more

    assert process.returncode == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(isolated, 0)


def another_name(path):
    path.rename(path.with_name("somebodys"))


def without_its_lock_file(path):
    (path / "owner.lock").unlink()


def a_link_as_its_lock_file(path):
    (path / "owner.lock").rename(path / "elsewhere")
    (path / "owner.lock").symlink_to(path / "elsewhere")


def open_to_others(path):
    path.chmod(0o755)


def a_link_in_its_place(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    "change", [another_name, without_its_lock_file, a_link_as_its_lock_file, open_to_others, a_link_in_its_place]
)
def test_what_is_not_quite_a_sandbox_is_not_swept_away(tmp_path, change):
    killed_owner(tmp_path)
    (path,) = tmp_path.iterdir()
    change(path)

    sweep(tmp_path)

    assert len(list(tmp_path.glob("*/1/store/orders"))) >= 1


def test_sweeping_where_there_is_nothing_does_nothing(tmp_path):
    sweep(tmp_path / "missing")
