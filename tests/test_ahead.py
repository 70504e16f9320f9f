"""Work ahead of whoever asks: the same results, whatever becomes of the processes, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pytest_tradestore import ahead as module
from pytest_tradestore.ahead import Ahead, Portion, Progress
from pytest_tradestore.termination import end_on_signals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def nobody(_progress):
    pass


def portion(name, keys, value=lambda key: key.upper()):
    return Portion(name, 1.0, frozenset(keys), lambda: ((key, value(key)) for key in keys))


@pytest.fixture
def ahead():
    made = []

    def begin(portions, workers=2):
        made.append(Ahead(portions, workers, end_on_signals))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def taken(work, keys):
    return [made and made.value for made in (work.take(key, nobody) for key in keys)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_result_is_there_when_it_is_asked_for_in_whatever_order(ahead, workers):
    work = ahead([portion("first", "abc"), portion("second", "de"), portion("third", "f")], workers)

    assert taken(work, "fbdaec") == list("FBDAEC")


def test_a_result_is_given_once_and_what_nobody_makes_is_nothing(ahead):
    work = ahead([portion("first", "a")])

    assert taken(work, "aax") == ["A", None, None]


@pytest.fixture
def in_two_steps():
    """A portion that gives a result by another key first, and its own when it is told to go on."""
    reading, writing = os.pipe()

    def do():
        yield "sooner", 1
        os.read(reading, 1)
        yield "a", 2

    yield Portion("first", 1.0, frozenset("a"), do), lambda: os.write(writing, b"x")
    os.close(reading)
    os.close(writing)


def test_what_is_looked_for_beside_a_result_is_there_before_it(ahead, in_two_steps):
    slow, go_on = in_two_steps
    work = ahead([slow], 1)

    assert work.first_of("a", {"sooner"}, nobody) == "sooner"
    assert work.seen("sooner").value == 1
    go_on()
    assert taken(work, "a") == [2]


def test_control_what_nobody_makes_keeps_nobody_waiting(ahead, in_two_steps):
    slow, go_on = in_two_steps
    work = ahead([slow], 1)
    go_on()

    assert work.first_of("a", {"never"}, nobody) == "a"
    assert work.first_of("x", {"never"}, nobody) is None


def test_the_work_is_done_in_other_processes(ahead):
    work = ahead([portion("first", "a", lambda _key: os.getpid())])

    (pid,) = taken(work, "a")
    assert pid not in (None, os.getpid())


def test_what_is_printed_comes_with_the_result_that_it_belongs_to(ahead):
    work = ahead([portion("first", "ab", lambda key: print(f"about {key}"))])

    assert [work.take(key, nobody).output for key in "ab"] == ["about a\n", "about b\n"]


def test_what_raises_is_left_to_whoever_asks_and_all_else_is_done(ahead):
    work = ahead([portion("first", "ab", lambda key: 1 / (key != "b")), portion("second", "c")], 1)

    assert taken(work, "abc") == [1.0, None, "C"]


def test_what_cannot_be_sent_is_left_to_whoever_asks(ahead):
    work = ahead([portion("first", "a", lambda key: lambda: key), portion("second", "b")], 1)

    assert taken(work, "ab") == [None, "B"]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_ends_its_process_is_left_to_whoever_asks(ahead, workers):
    work = ahead([portion("first", "a", lambda _key: os._exit(3)), portion("second", "b")], workers)

    assert taken(work, "ab") == [None, "B" if workers == 2 else None]


def test_a_process_is_missed_even_if_what_it_started_lives_on(ahead):
    reading, writing = os.pipe()

    def dies(_key):
        if os.fork():
            os._exit(3)
        os.close(writing)
        os.read(reading, 1)  # until the test is over
        os._exit(0)

    work = ahead([portion("first", "a", dies)])
    try:
        assert taken(work, "a") == [None]
    finally:
        os.close(writing)
        os.close(reading)


def test_whoever_waits_is_told_how_far_the_work_is(ahead):
    heard = []
    reading, writing = os.pipe()
    work = ahead([portion("first", "a"), portion("second", "b", lambda _key: os.read(reading, 1))], 1)

    def waiting(progress):
        heard.append(progress)
        if progress.names == ("second",):
            os.write(writing, b"!")

    assert work.take("b", waiting).value == b"!"
    assert Progress(done=1, all=2, share=0.5, names=("second",)) in heard


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def wait_until(condition):
    patience = time.monotonic() + 60
    while not condition() and time.monotonic() < patience:
        os.sched_yield()
    assert condition()


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the system does not list its processes")

RUN = """
import os, signal, sys, time
from pytest_tradestore.ahead import Ahead, Portion
from pytest_tradestore.isolation import run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.termination import end_on_signals, tidy_when_terminated

def stays(channel):
    os.write(1, b"")
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getppid()} {os.getpid()}\\n")
    signal.pause()

def do():
    with Sandbox() as sandbox:
        with open(sys.argv[2], "a") as file:
            file.write(f"{sandbox.path}\\n")
        run_isolated(stays, 1000)
        yield "a", None

tidy_when_terminated()
work = Ahead([Portion("first", 1.0, frozenset("a"), do)], 1, end_on_signals)
if sys.argv[3] == "closes":
    while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read().endswith("\\n"):
        time.sleep(0.01)
    work.close()
else:
    work.take("a", lambda progress: None)
"""


@needs_proc
@pytest.mark.parametrize("how", ["closes", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_nothing_is_left_of_work_that_nobody_waits_for_any_more(tmp_path, how):
    pids, boxes = tmp_path / "pids", tmp_path / "boxes"
    command = [sys.executable, "-c", RUN, pids, boxes, how]
    hup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored in what is started
    try:
        process = subprocess.Popen(command)
    finally:
        signal.signal(signal.SIGHUP, hup)
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    working = [int(pid) for pid in pids.read_text().split()]

    if how != "closes":
        process.send_signal(signal.Signals[how])
    process.wait()

    wait_until(lambda: not any(map(alive, working)))
    wait_until(lambda: not os.path.exists(boxes.read_text().strip()))


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 3), (64, 8)])
def test_one_more_works_than_there_are_cores_to_be_used_and_no_more_than_eight(cores, workers, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "no-quota")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)

    assert module.workers() == workers


def test_what_a_container_may_use_counts(monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)

    assert module.workers() == 3
