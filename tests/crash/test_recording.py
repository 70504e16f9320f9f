"""One recorded run: what was seen live, where the marks stand, and why a run may give no evidence."""

import os
import threading

import pytest

from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Kind, Mark, MarkKind, Unlink
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.crash.recording import NotRecorded, choose_recorder, record, record_reopenings
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.document import THE_DOCUMENT
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.observation import Absent, Value
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.crash.recorders.strace_programs import needs_strace
from tests.crash.tiny_stores import Durable

WORKLOAD = workload_for(kit_named("document"), frozenset())


def recorded(target, updates=2, *, deadline=5, recorder=None):
    store = StoreUnderTest("tiny", target, deadline=deadline)
    with Sandbox() as sandbox:
        return record(store, WORKLOAD, WORKLOAD.updates[:updates], recorder or FakeRecorder(), sandbox)


def test_what_is_seen_live_after_each_acknowledgement_is_the_history():
    history = recorded(Durable).history

    seen = [state.at(THE_DOCUMENT) for state in history.states]
    assert [type(s) for s in seen] == [Absent, Value, Value]
    assert seen[1] != seen[2]
    assert history.update_names[0] == "the opening"
    assert (history.last, history.clamp(-1), history.clamp(9)) == (2, 0, 2)


def test_every_call_stands_between_its_marks_opening_and_closing_included():
    operations = recorded(Durable).trace.operations

    marks = [(o.moment, o.update) for o in operations if isinstance(o, Mark)]
    assert marks == [(moment, n) for n in range(4) for moment in (MarkKind.INVOKED, MarkKind.ACKNOWLEDGED)]
    assert isinstance(operations[0], Mark)
    assert isinstance(operations[-1], Mark)


def in_sessions(target):
    """Record three updates, with the store closed and opened again before the second and the third."""
    store, reopened = StoreUnderTest("tiny", target, deadline=5), WORKLOAD.of_later_sessions
    with Sandbox() as sandbox:
        return record(store, WORKLOAD, WORKLOAD.updates[:3], FakeRecorder(), sandbox, reopened=reopened)


class OnlyOne(Durable):
    """May be opened once in a process, and while it is open by nobody else."""

    opened = None

    def __init__(self, root):
        super().__init__(root)
        if OnlyOne.opened is not None:
            raise BlockingIOError("somebody has it open")
        OnlyOne.opened = self


class OneAtATime(OnlyOne):
    def close(self):
        OnlyOne.opened = None


def test_a_store_that_can_be_closed_is_recorded_in_several_sessions():
    assert in_sessions(OneAtATime).history.reopened == {2, 3}


def test_control_one_without_a_way_to_be_closed_is_never_opened_beside_itself():
    assert in_sessions(OnlyOne).history.reopened == frozenset()


def test_reading_leaves_no_operation_between_two_updates():
    operations = recorded(Durable).trace.operations

    at = operations.index(Mark(MarkKind.ACKNOWLEDGED, 1))
    assert operations[at + 1] == Mark(MarkKind.INVOKED, 2)


class Refusing(Durable):
    def save(self, data):
        raise OSError("disk full")


class Dying(Durable):
    def save(self, data):
        os._exit(7)


class Hanging(Durable):
    def save(self, data):
        while True:
            os.sched_yield()


class Forgetting(Durable):
    def save(self, data):
        pass


class Garbling(Durable):
    def save(self, data):
        self.file.write_text("{")


class Unclosable(Durable):
    def close(self):
        raise OSError("still busy")


def refusing_to_open(root):
    raise OSError("no licence")


REASONS = {
    "it refuses to open": (refusing_to_open, "opening the store raised OSError: no licence"),
    "it refuses an update": (Refusing, "raised OSError: disk full"),
    "it ends its process": (Dying, "exited with status 7 during save("),
    "it hangs": (Hanging, "took longer than 0.5 s"),
    "its own caller sees no change": (Forgetting, "its own caller does not see the change"),
    "its own caller cannot read it": (Garbling, "its own caller cannot read the document: JSONDecodeError"),
    "it cannot be closed": (Unclosable, "closing the store raised OSError: still busy"),
}


@pytest.mark.parametrize(("target", "reason"), REASONS.values(), ids=list(REASONS))
def test_a_run_gives_no_evidence_and_says_why(target, reason):
    result = recorded(target, deadline=0.5 if target is Hanging else 60)

    assert isinstance(result, NotRecorded)
    assert reason in result.reason


class EndsWhileItIsRead(Durable):
    def load(self):
        if self.file.exists():
            print("the licence has expired", flush=True)
            os._exit(7)
        return {}


def test_a_store_that_ends_while_it_is_read_is_not_said_to_end_in_the_call_before():
    result = recorded(EndsWhileItIsRead)

    assert result.reason == "its process exited with status 7 during reading after save({version: 1})"
    assert result.output == "the licence has expired\n"


def test_control_one_that_ends_in_a_call_is():
    assert recorded(Dying).reason == "its process exited with status 7 during save({version: 1})"


def test_what_the_store_prints_is_kept():
    class Loud(Durable):
        def save(self, data):
            print("saving")
            super().save(data)

    assert recorded(Loud).output.splitlines() == ["saving", "saving"]


class Recovering(Durable):
    """Removes what a crash has left, from a thread that may outlive the opening; with "stop" there it stops."""

    def __init__(self, root):
        super().__init__(root)
        if (root / "stop").exists():
            os._exit(3)
        remover = threading.Thread(target=lambda: self.staged.unlink(missing_ok=True))
        remover.start()
        remover.join()


def image(**files):
    return DurableImage(tuple(ImageFile(name, Kind.FILE, 0o644, text.encode()) for name, text in sorted(files.items())))


STARTS = (image(t="{"), image(f='{"a": 1}'), image(f='{"a": 2}', t="{"), image(t="{"))


def reopenings(starts, recorder):
    with Sandbox() as sandbox:
        return list(record_reopenings(StoreUnderTest("tiny", Recovering), WORKLOAD, starts, recorder, sandbox))


@pytest.mark.parametrize("recorder", [FakeRecorder(), pytest.param(StraceRecorder(), marks=needs_strace)], ids=type)
def test_reopenings_that_are_recorded_together_are_those_that_are_recorded_alone(recorder):
    together = reopenings(STARTS, recorder)
    alone = [reopenings((start,), recorder)[0] for start in STARTS]

    assert [r.trace.operations for r in together] == [r.trace.operations for r in alone]
    assert [r.trace.initial for r in together] == [r.trace.initial for r in alone]
    assert [r.history for r in together] == [r.history for r in alone]
    assert [sum(isinstance(o, Unlink) for o in r.trace.operations) for r in together] == [1, 0, 1, 1]
    assert not any(r.trace.unseen for r in together)


def test_control_one_that_ends_its_process_leaves_the_others_recorded():
    first, stopped, last = reopenings((STARTS[0], image(stop=""), STARTS[1]), FakeRecorder())

    assert isinstance(stopped, NotRecorded)
    assert "exited with status 3 during opening the store" in stopped.reason
    assert first.trace.operations == reopenings(STARTS[:1], FakeRecorder())[0].trace.operations
    assert last.trace.initial == reopenings(STARTS[1:2], FakeRecorder())[0].trace.initial


def test_the_fake_recorder_is_taken_without_a_word_when_it_is_asked_for():
    recorder, note = choose_recorder("fake")

    assert (recorder.name, note) == ("fake", "")


def test_where_strace_cannot_be_used_auto_takes_the_fake_one_and_says_why(monkeypatch):
    from pytest_tradestore.crash.recorders.strace import StraceRecorder

    monkeypatch.setattr(StraceRecorder, "unavailable", lambda self: "strace is not installed")

    recorder, note = choose_recorder("auto")
    assert recorder.name == "fake"
    assert "strace is not installed" in note


def test_control_strace_that_was_asked_for_is_not_replaced_in_silence(monkeypatch):
    from pytest_tradestore.crash.recorders.strace import StraceRecorder

    monkeypatch.setattr(StraceRecorder, "unavailable", lambda self: "strace is not installed")

    with pytest.raises(RuntimeError, match="strace is not installed"):
        choose_recorder("strace")
