"""Stores that hang, end their process, print and leave things behind when they are reopened after a crash."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from pytest_tradestore import runner
from pytest_tradestore.crash.exploration import Phase, Question, explore
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.document import THE_DOCUMENT
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.observation import Absent, Failed, Value
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

WORKLOAD = workload_for(kit_named("document"), frozenset())
SOON = 0.4
"""Seconds after which a store counts as hung here."""


def image(**files):
    """An image of small files in the root: ``image(saved=b"...")``."""
    return DurableImage(
        tuple(
            ImageFile(name, Kind.FILE, 0o644, content, inode=Inode(number))
            for number, (name, content) in enumerate(sorted(files.items()), 1)
        )
    )


class Plain:
    """A store that works; what a subclass does when it meets a file called ``trap`` is up to it."""

    def __init__(self, root: Path):
        self.file = root / "saved"
        self.trapped = (root / "trap").exists()
        self.opening()

    def opening(self):
        pass

    def saving(self):
        pass

    def save(self, data):
        if self.trapped:
            self.saving()
        self.file.write_text(json.dumps(data))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


def answers_of(target, *images, deadline=SOON):
    """What exploring the images with a store gives, after making sure that nothing is left behind."""
    places = ("/dev/shm", tempfile.gettempdir())
    store = StoreUnderTest("acme", target, deadline=deadline)
    before = {place: set(os.listdir(place)) for place in places if os.path.isdir(place)}
    children = children_of_this_process()
    with Sandbox() as sandbox:
        explored = explore(store, WORKLOAD, [Question(i, THE_DOCUMENT) for i in images], sandbox)
        assert (
            os.listdir(sandbox.path) == ["owner.lock"]
            or not explored.complete
            or any(a.fatal for a in explored.answers)
        )
    assert not os.path.exists(sandbox.path)
    for place, names in before.items():
        assert not {n for n in set(os.listdir(place)) - names if n.startswith(sandbox.path.name)}
    assert children_of_this_process() == children
    return explored


def children_of_this_process():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != b"Z":
            found.add(int(pid))
    return found


SAVED = {"version": 1}
GOOD = image(saved=json.dumps(SAVED).encode())
TRAP = image(trap=b"")


def test_a_store_that_works_is_read_updated_and_read_again():
    (answer,) = answers_of(Plain, GOOD).answers

    assert answer.seen.at(THE_DOCUMENT) == Value('{"version": 1}')
    assert '"version": 90' in answer.after.at(THE_DOCUMENT).text
    assert answer.later == answer.after
    assert answer.failed is None


def test_every_question_finds_its_own_image():
    explored = answers_of(Plain, GOOD, image(), image(saved=b"{"))

    seen = [a.seen.at(THE_DOCUMENT) for a in explored.answers]
    assert [type(s) for s in seen] == [Value, Absent, Failed]
    assert explored.complete
    assert explored.in_store > 0


def when_trapped(what):
    """A store whose opening does ``what`` when it finds the trap."""

    class Trapped(Plain):
        def opening(self):
            if self.trapped:
                what()

    return Trapped


def when_saving(what):
    """A store whose next update does ``what`` when it had found the trap."""

    class Trapped(Plain):
        def saving(self):
            what()

    return Trapped


def hang():
    threading.Event().wait()


def segfault():
    ctypes.string_at(0)


class Unusual(BaseException):
    pass


def raise_unusual():
    raise Unusual("not an Exception")


DEADLY = {
    "hangs": (hang, f"took longer than {SOON} s"),
    "exits": (lambda: sys.exit(3), "exited with status 3"),
    "exits with 0": (lambda: os._exit(0), "exited with status 0"),
    "segfaults": (segfault, "killed by SIGSEGV"),
    "raises what is no Exception": (raise_unusual, "exited with status 1"),
    "is interrupted": (lambda: (_ for _ in ()).throw(KeyboardInterrupt), "exited with status 1"),
}


@pytest.mark.parametrize(("what", "how"), DEADLY.values(), ids=list(DEADLY))
def test_a_store_that_takes_its_process_along_when_it_is_reopened_is_an_answer(what, how):
    explored = answers_of(when_trapped(what), GOOD, TRAP, GOOD)

    good, trapped, again = explored.answers
    assert (trapped.failed, trapped.fatal) == (Phase.OPENING, True)
    assert how in trapped.how
    assert good.later is not None
    assert again.later is not None


@pytest.mark.parametrize(("what", "how"), DEADLY.values(), ids=list(DEADLY))
def test_one_that_does_it_at_the_next_update_says_so(what, how):
    (answer,) = answers_of(when_saving(what), TRAP).answers

    assert (answer.failed, answer.fatal) == (Phase.UPDATING, True)
    assert how in answer.how


def test_a_store_that_raises_is_an_answer_and_costs_no_process():
    def refuse():
        raise OSError("lock is held")

    first, second = answers_of(when_trapped(refuse), TRAP, GOOD).answers

    assert (first.failed, first.fatal, first.how) == (Phase.OPENING, False, "OSError: lock is held")
    assert second.failed is None


@pytest.mark.parametrize(
    ("what", "bound"),
    [(hang, "HANGS"), (segfault, "DEATHS")],
    ids=["hangs", "segfaults"],
)
def test_the_search_is_given_up_after_a_store_has_done_so_again_and_again(what, bound, monkeypatch):
    monkeypatch.setattr(runner, bound, 3)
    explored = answers_of(when_trapped(what), *[TRAP] * 6)

    assert [a is not None for a in explored.answers] == [True] * 3 + [False] * 3
    assert not explored.complete


def test_of_the_images_among_which_one_hung_the_others_are_left_out_and_the_rest_is_still_asked():
    here, there = [Question(i, THE_DOCUMENT) for i in (TRAP, image(a=b""))], Question(GOOD, THE_DOCUMENT)
    store = StoreUnderTest("acme", when_trapped(hang), deadline=SOON)
    with Sandbox() as sandbox:
        explored = explore(store, WORKLOAD, [*here, there], sandbox, {here[0]: 1, here[1]: 1, there: 2})

    assert [a is not None for a in explored.answers] == [True, False, True]
    assert not explored.complete


def test_control_a_single_hang_does_not_end_it():
    assert answers_of(when_trapped(hang), TRAP, *[GOOD] * 60).complete


def test_answers_gathered_before_a_death_are_asked_for_again_and_none_is_lost():
    explored = answers_of(when_trapped(segfault), *[GOOD] * 70, TRAP, *[GOOD] * 3)

    assert explored.complete
    assert [a.fatal for a in explored.answers].index(True) == 70
    assert sum(a.fatal for a in explored.answers) == 1


def test_what_a_store_prints_is_kept_and_goes_nowhere_else(capfd):
    class Loud(Plain):
        def opening(self):
            print("to stdout")
            print("to stderr", file=sys.stderr)
            os.write(1, b"to descriptor 1\n")

    output = answers_of(Loud, GOOD).output

    assert {"to stdout", "to stderr", "to descriptor 1"} <= set(output.splitlines())
    assert capfd.readouterr() == ("", "")


def leak_a_thread():
    threading.Thread(target=hang).start()


def leak_a_process():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def leak_a_fork():
    if os.fork() == 0:
        hang()


LEAKS = {"a thread": leak_a_thread, "a process": leak_a_process, "a fork": leak_a_fork}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=list(LEAKS))
def test_what_a_store_starts_and_forgets_ends_with_its_process(leak):
    started = Path(tempfile.mkdtemp()) / "pid"

    class Leaky(Plain):
        def opening(self):
            started.write_text(str(os.getpid()))
            leak()

    (answer,) = answers_of(Leaky, GOOD, deadline=5).answers

    assert answer.failed is None
    leader = started.read_text()
    started.unlink()
    started.parent.rmdir()
    assert processes_of_session(int(leader)) == []


def processes_of_session(leader):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != b"Z":
            found.append(int(pid))
    return found


def test_a_store_that_takes_away_its_own_permissions_leaves_nothing_behind():
    class Locked(Plain):
        def save(self, data):
            super().save(data)
            (self.file.parent / "sub").mkdir(exist_ok=True)
            (self.file.parent / "sub" / "f").write_text("x")
            os.chmod(self.file.parent / "sub", 0)

    explored = explore_and_leave(Locked)
    assert explored.complete


def explore_and_leave(target):
    with Sandbox() as sandbox:
        explored = explore(StoreUnderTest("acme", target), WORKLOAD, [Question(GOOD, THE_DOCUMENT)], sandbox)
    assert not os.path.exists(sandbox.path)
    return explored


def test_what_reopening_wrote_is_noted():
    class Repairs(Plain):
        def opening(self):
            if self.trapped:
                (self.file.parent / "trap").unlink()
                (self.file.parent / "repaired").write_text("")

    trapped, good = answers_of(Repairs, image(trap=b"", saved=b"{}"), GOOD).answers
    assert trapped.wrote == (("gone", "trap"), ("new", "repaired"))
    assert good.wrote == ()


def test_an_asynchronous_store_keeps_one_event_loop_for_all_images():
    loops = []

    class Later:
        def __init__(self, root):
            self.plain = Plain(root)

        async def save(self, data):
            self.plain.save(data)

        async def load(self):
            import asyncio

            loops.append(id(asyncio.get_running_loop()))
            print(len(set(loops)))
            return self.plain.load()

    explored = answers_of(Later, GOOD, image())
    assert explored.answers[0].later is not None
    assert set(explored.output.split()) == {"1"}
