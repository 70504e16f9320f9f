"""Code that hangs, exits, crashes or prints costs its own process, and the suite learns how it ended."""

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from pytest_tradestore.beats import Told
from pytest_tradestore.isolation import (
    Channel,
    Died,
    Finished,
    HarnessError,
    Hung,
    Sent,
    StoreRaisedError,
    run_isolated,
    stream_isolated,
)
from tests.descriptors import opened

LONG = 60.0
SHORT = 0.3


def forever(_channel=None):
    threading.Event().wait()


def test_a_value_comes_back():
    assert run_isolated(lambda channel: {"a": [1, None, "ä"]}, LONG) == Finished({"a": [1, None, "ä"]})


def test_a_closure_sees_what_is_around_it_and_changes_nothing_here():
    here = []

    ending = run_isolated(lambda channel: here.append("there") or len(here), LONG)

    assert ending == Finished(1)
    assert here == []


def test_a_value_larger_than_any_pipe_comes_back_whole():
    big = os.urandom(5_000_000)

    assert run_isolated(lambda channel: big, LONG) == Finished(big)


def test_values_are_sent_while_the_task_still_runs_and_survive_its_death():
    def task(channel):
        channel.send("first")
        channel.send("second")
        os._exit(7)

    *sent, ending = stream_isolated(task, LONG)

    assert sent == [Sent("first"), Sent("second")]
    assert isinstance(ending, Died)


def test_a_hang_is_ended_at_the_deadline_and_names_its_step():
    def task(channel):
        channel.step(1)
        channel.step(2)
        forever()

    assert run_isolated(task, SHORT) == Hung(2, SHORT)


class Listener:
    """Whoever waits for a process that has hung for long, as far as its beats tell, and hears ``chunks`` of it."""

    step, deadline = 7, SHORT

    def __init__(self, *chunks):
        self.hear = iter(chunks).__next__

    def hangs(self):
        return True

    def moved(self):
        pass

    def ending(self):
        told = Told()
        assert list(told.by(self.hear, self)) == []
        return told.ending(self, lambda: "killed", "")


def message(kind, value):
    data = pickle.dumps((kind, value))
    return len(data).to_bytes(8, "little") + data


def test_who_got_no_turn_for_longer_than_the_deadline_hears_what_was_said_meanwhile_before_it_says_hung():
    assert Listener(None, message("finished", "done"), b"").ending() == Finished("done")
    assert Listener(None, b"").ending() == Died(7, "killed")


def test_what_has_said_how_it_ended_hangs_no_more():
    assert Listener(message("finished", "done"), None).ending() == Finished("done")


def test_control_what_says_nothing_then_either_hangs():
    assert Listener(None, None).ending() == Hung(7, SHORT)


def test_a_hang_that_ignores_signals_is_ended_too():
    def task(channel):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        forever()

    assert isinstance(run_isolated(task, SHORT), Hung)


def test_the_deadline_counts_anew_at_each_step():
    def task(channel):
        for number in range(4):
            channel.step(number)
            threading.Event().wait(0.2)
        return "done"

    assert run_isolated(task, 0.6) == Finished("done")


def test_control_the_same_time_in_one_step_is_a_hang():
    def task(channel):
        channel.step(0)
        threading.Event().wait(5)

    assert isinstance(run_isolated(task, 0.6), Hung)


ENDS = {
    "os._exit": (lambda channel: os._exit(3), "exited with status 3"),
    "sys.exit": (lambda channel: sys.exit(4), "exited with status 4"),
    "sys.exit with a message": (lambda channel: sys.exit("no"), "exited with status 1"),
    "killed": (lambda channel: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    "segmentation fault": (lambda channel: os.kill(os.getpid(), signal.SIGSEGV), "killed by SIGSEGV"),
    "abort": (lambda channel: os.abort(), "killed by SIGABRT"),
}


@pytest.mark.parametrize(("task", "how"), ENDS.values(), ids=list(ENDS))
def test_an_early_end_is_told_in_words(task, how):
    ending = run_isolated(task, LONG)

    assert isinstance(ending, Died)
    assert ending.how == how


def test_an_exception_of_the_code_that_is_run_comes_with_its_traceback_and_none_of_our_frames():
    def task(channel):
        raise LookupError("where is it")

    with pytest.raises(StoreRaisedError, match=r"(?s)in task.*LookupError: where is it") as raised:
        run_isolated(task, LONG)

    assert raised.value.told == "LookupError: where is it"
    assert "pytest_tradestore/isolation.py" not in str(raised.value)


def test_control_an_exception_of_ours_is_a_mistake_of_ours():
    with pytest.raises(HarnessError, match=r"pytest_tradestore/isolation\.py") as raised:
        run_isolated(partial(Channel.step, number="no number"), LONG)

    assert not isinstance(raised.value, StoreRaisedError)


def test_a_value_that_cannot_be_handed_over_is_a_mistake_of_ours():
    with pytest.raises(HarnessError, match=r"(?i)pickle"):
        run_isolated(lambda channel: lambda: None, LONG)


def test_what_is_printed_comes_back_and_does_not_appear(capfd):
    def task(channel):
        print("by python")
        os.write(1, b"by the system\n")
        os.write(2, b"as an error\n")
        subprocess.run(["echo", "by a child"], check=True)

    ending = run_isolated(task, LONG)

    assert isinstance(ending, Finished)
    assert set(ending.output.splitlines()) == {"by python", "by the system", "as an error", "by a child"}
    assert capfd.readouterr() == ("", "")


def test_what_is_printed_before_a_death_comes_back():
    def task(channel):
        print("last words", flush=True)
        os._exit(1)

    assert run_isolated(task, LONG).output == "last words\n"


def test_where_a_crash_of_the_interpreter_happened_comes_back_with_the_output(capfd):
    ending = run_isolated(lambda channel: os.kill(os.getpid(), signal.SIGSEGV), LONG)

    assert "test_isolation.py" in ending.output
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("printed_before", [0, 1_000_000], ids=["alone", "after-much-output"])
def test_where_it_happened_is_kept_however_deep_the_stack_and_whatever_was_printed(printed_before):
    def deeper(left):
        return os.kill(os.getpid(), signal.SIGSEGV) if left == 0 else deeper(left - 1)

    def task(channel):
        print("x" * printed_before, flush=True)
        deeper(150)

    ending = run_isolated(task, LONG)

    assert "Segmentation fault" in ending.output
    assert f"line {deeper.__code__.co_firstlineno + 1} in deeper" in ending.output
    assert len(ending.output) < 10_000


def test_the_first_and_the_last_words_of_much_output_are_kept():
    def task(channel):
        print("first words")
        print("x" * 1_000_000)
        print("last words")

    output = run_isolated(task, LONG).output

    assert output.startswith("first words")
    assert output.endswith("last words")
    assert "[...]" in output


def test_endless_output_is_kept_in_part():
    assert len(run_isolated(lambda channel: print("x" * 1_000_000), LONG).output) < 10_000


def test_a_background_thread_does_not_keep_the_task_alive():
    def task(channel):
        threading.Thread(target=forever).start()
        return "done"

    assert run_isolated(task, LONG) == Finished("done")


def test_standard_input_is_empty():
    assert run_isolated(lambda channel: sys.stdin.read(), LONG) == Finished("")


def test_the_task_leads_a_session_of_its_own():
    assert run_isolated(lambda channel: os.getsid(0) == os.getpid(), LONG) == Finished(True)


SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]


def starts_a_child(channel):
    child = subprocess.Popen(SLEEPER)
    channel.send(child.pid)
    return child


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except FileNotFoundError:
        return False


def children():
    """The processes that this one started and has not buried; other tests may have left it some for good."""
    own = str(os.getpid()).encode()
    found = set()
    for name in os.listdir("/proc"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if name.isdecimal() and Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()[1] == own:
                found.add(int(name))
    return found


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the process list of /proc is missing")


@needs_proc
@pytest.mark.parametrize("then", ["returns", "hangs", "dies"])
def test_child_processes_of_the_task_end_with_it(then):
    def task(channel):
        channel.rest()  # to start another interpreter takes longer than what counts as hanging here
        starts_a_child(channel)
        channel.step(1)
        if then == "hangs":
            forever()
        if then == "dies":
            os._exit(1)

    sent, ending = stream_isolated(task, SHORT if then == "hangs" else LONG)

    assert isinstance(ending, {"returns": Finished, "hangs": Hung, "dies": Died}[then])
    assert not is_alive(sent.value)


ISOLATES = """
import os, sys, threading
from pytest_tradestore.isolation import run_isolated

def task(channel):
    os.write({told}, b"%d\\n" % os.getpid())
    while True:
        pass

run_isolated(task, 3600)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes cannot be waited for by pidfd here")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_task_does_not_outlive_the_process_that_waits_for_it(how):
    reading, told = os.pipe()
    with (
        os.fdopen(reading) as numbers,
        subprocess.Popen([sys.executable, "-c", ISOLATES.format(told=told)], pass_fds=[told]) as parent,
    ):
        os.close(told)
        task = os.pidfd_open(int(numbers.readline()))
        try:
            parent.send_signal(how)
            assert select.select([task], [], [], LONG)[0], "the task is still there"
        finally:
            os.close(task)


@needs_proc
def test_control_a_child_that_nobody_ends_is_seen_alive():
    with subprocess.Popen(SLEEPER) as child:
        try:
            assert is_alive(child.pid)
        finally:
            child.kill()


@needs_proc
@pytest.mark.parametrize(
    ("task", "deadline"),
    [(lambda channel: 1, LONG), (forever, SHORT), (lambda channel: os._exit(1), LONG)],
    ids=["returns", "hangs", "dies"],
)
def test_no_descriptor_stays_open_and_no_process_unburied(task, deadline):
    run_isolated(task, deadline)  # whatever is opened once for good is open now
    descriptors, processes = opened(), children()

    run_isolated(task, deadline)

    assert (opened(descriptors), children() - processes) == (frozenset(), set())


@needs_proc
def test_control_a_child_that_nobody_buries_is_counted():
    before = children()
    child = os.fork()
    if not child:
        os._exit(0)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert children() == before | {child}
    finally:
        os.waitpid(child, 0)


@needs_proc
def test_a_stream_that_is_not_read_to_its_end_ends_the_task():
    def task(channel):
        channel.send(os.getpid())
        forever()

    stream = stream_isolated(task, LONG)
    pid = next(stream).value
    stream.close()

    assert not is_alive(pid)


def test_warnings_are_not_errors_for_the_task():
    import warnings

    assert run_isolated(lambda channel: warnings.warn("old", DeprecationWarning, stacklevel=1), LONG) == Finished(None)
