"""What a counterexample says of a crash state: every step, its fate, and what a person would call each file."""

import pytest

from pytest_tradestore.causes import Culprit
from pytest_tradestore.crash.contents import described_content, described_image
from pytest_tradestore.crash.crash_state import Crash, CrashState, Window
from pytest_tradestore.crash.culprits import lost_earlier
from pytest_tradestore.crash.evidence import Evidence
from pytest_tradestore.crash.explanation import described_steps, explain
from pytest_tradestore.crash.exploration import Inspection
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.judging import Violation
from pytest_tradestore.crash.lowering import PAGE, Name
from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.crash.oracle import Earlier, Family, History, OracleViolation
from pytest_tradestore.crash.tokens import parse
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.observation import Absent, Observation, Value
from pytest_tradestore.verdict import StepStatus
from tests.crash.handmade import DIRECTORY, Story, contents, enumerated, page

SEEN = [Observation((("AAPL", s),)) for s in (Absent(), Value("1"))]
HISTORY = History(tuple(SEEN), ("", "AAPL"), ("the opening", "put('AAPL', 1)"))


def saved():
    story = Story({"f": b"old"})
    story.invoke(1)
    story.create("t")
    story.write("t", page(b"n", 3))
    story.fsync("t")
    story.rename("t", "f")
    story.acknowledge(1)
    return story


def steps_in(state, story=None):
    return list(described_steps((story or saved()).program, state, HISTORY))


def test_every_step_is_named_as_a_person_would():
    assert [s.text for s in steps_in(CrashState(Crash.PROCESS, 6))] == [
        "put('AAPL', 1) called",
        "create t",
        "write t",
        "fsync t",
        "rename t -> f",
        "put('AAPL', 1) RETURNED",
    ]


def test_steps_after_the_cut_were_not_issued():
    fates = [s.fate for s in steps_in(CrashState(Crash.PROCESS, 3))]

    assert fates == [StepStatus.NOTE, StepStatus.PERSISTED, StepStatus.PERSISTED, *[StepStatus.NOT_ISSUED] * 3]


def test_a_step_of_which_everything_is_lost_is_lost_and_one_of_which_a_part_is_says_which():
    program = saved().program
    write = range(program.starts[2], program.starts[3])

    assert steps_in(CrashState(Crash.POWER, 3, tuple(write)))[2].fate is StepStatus.LOST
    partly = steps_in(CrashState(Crash.POWER, 3, (write[0], write[2])))[2]
    assert (partly.fate, partly.detail) == (StepStatus.PARTLY, "12,288 bytes; lost: page 0, page 1")
    sizeless = steps_in(CrashState(Crash.POWER, 3, (write[5],)))[2]
    assert sizeless.detail.endswith("lost: its size")


def replaced_twice(source="t"):
    story = Story({"d/f": b"old"})
    for _ in range(2):
        story.create(source)
        story.rename(source, "d/f")
    return story


@pytest.mark.parametrize("source", ["t", "d/t"])
def test_a_rename_that_never_arrived_is_lost_whatever_went_with_the_file_that_it_was_to_replace(source):
    story = replaced_twice(source)
    program = story.program
    earlier, *giving = range(program.starts[3], program.starts[4])

    lost = steps_in(CrashState(Crash.POWER, 4, tuple(giving)), story)[3]
    assert (lost.fate, lost.detail) == (StepStatus.LOST, "")
    kept = steps_in(CrashState(Crash.POWER, 4, (earlier,)), story)[3]
    assert (kept.fate, kept.detail) == (StepStatus.PARTLY, "lost: the removal of an earlier name of the file that goes")


def test_control_a_rename_between_directories_of_which_the_new_name_arrived_has_lost_the_removal_of_the_old_one():
    story = replaced_twice()
    whole = story.program.starts[4] - 1

    step = steps_in(CrashState(Crash.POWER, 4, (whole,)), story)[3]

    assert (step.fate, step.detail) == (StepStatus.PARTLY, "lost: the removal of the old name")


def test_a_name_that_is_back_although_its_directory_was_synced_is_told_at_the_step_that_took_it_away():
    story = Story({"d": DIRECTORY, "e": DIRECTORY})
    story.invoke(1)
    story.create("d/t")
    story.fsync("d/t")
    story.rename("d/t", "e/t")
    story.fsync("d")
    story.fsync("e")
    story.acknowledge(1)
    program = story.program
    pairs = [m for m, part in enumerate(program.micros) if isinstance(part, Name) and part.until_commit]
    lost = pairs[-1]
    state = CrashState(Crash.POWER, len(program.steps), (lost,))
    renamed = next(step for step in steps_in(state, story) if "rename" in step.text)

    assert renamed.fate is StepStatus.PARTLY
    assert "although its directory was synced" in renamed.text + renamed.detail
    assert lost_earlier(program, state, Window(1, 1)) is Earlier.NOTHING


def test_a_process_that_died_inside_a_write_says_how_far_it_got():
    step = steps_in(CrashState(Crash.PROCESS, 3, partial=PAGE))[2]

    assert (step.fate, step.detail) == (StepStatus.PARTLY, "12,288 bytes; the process died after 4,096 of 12,288 bytes")


def everything():
    story = Story({"f": b"old", "d/x": b"", "v": b""})
    story.mkdir("e")
    story.symlink("e/l", "../f")
    inode = story.nameless()
    story.write(inode, b"n", durable=True)
    story.link(inode, "e/n")
    story.write("f", b"X", at=2)
    story.truncate("f", 1)
    story.allocate("f", 9)
    story.fsync("f", failed=True)
    story.fdatasync("d")
    story.fsync("")
    story.sync()
    story.rename("f", "v", exchange=True)
    story.unlink("d/x")
    story.unlink("d")
    return story


def test_every_kind_of_operation_has_its_words():
    assert [s.text for s in steps_in(CrashState(Crash.PROCESS, 0), everything())] == [
        "mkdir e",
        "symlink e/l -> ../f",
        "create a file without a name",
        "write a file without a name (synchronous)",
        "link a file without a name -> e/n",
        "write f",
        "truncate f to 1 byte",
        "allocate f up to 9 bytes",
        "fsync f FAILED",
        "fdatasync d",
        "fsync the root directory",
        "sync everything",
        "exchange f -> v",
        "unlink d/x",
        "rmdir d",
    ]


CONTENTS = {
    "nothing": (b"", "empty"),
    "zeros": (bytes(1200), "1,200 bytes, all zeros"),
    "text": (b'{"a": 1}', '8 bytes: {"a": 1}'),
    "zeros behind": (b"abc" + bytes(97), "100 bytes, zeros from 3 on: abc"),
    "zeros before": (bytes(600) + b"abc", "603 bytes: 600 zero bytes, then abc"),
    "a hole": (b"a" * 4096 + bytes(4096) + b"b" * 10, "zeros at 4,096-8,192"),
    "what is no text": (b"\xff\xfe\x01", r"3 bytes: \xff\xfe\x01"),
    "no text behind zeros": (bytes(600) + b"\xd9", r"601 bytes: 600 zero bytes, then \xd9"),
}


@pytest.mark.parametrize(("content", "expected"), CONTENTS.values(), ids=list(CONTENTS))
def test_a_content_is_told_at_a_glance(content, expected):
    assert expected in described_content(content)


def test_an_image_has_a_line_for_each_path():
    image = DurableImage(
        (
            ImageFile("d", Kind.DIRECTORY, 0o755, inode=Inode(1)),
            ImageFile("d/f", Kind.FILE, 0o644, b"x", inode=Inode(2)),
            ImageFile("l", Kind.SYMLINK, 0o777, target="d/f", inode=Inode(3)),
        )
    )

    assert described_image(image) == ("d/", "d/f  1 byte: x", "l -> d/f")
    assert described_image(DurableImage(())) == ("the root directory is empty",)


def explained(story, wanted, requirement="DUR-2", more=()):
    """The counterexample of the group after the acknowledgement whose files are ``wanted``."""
    program = story.program
    group = next(g for g in enumerated(story).groups if g.window.acknowledged == 1 and contents(g.image) == wanted)
    evidence = Evidence(workload_for(KITS[0], frozenset()), program=program, history=HISTORY)
    breach = OracleViolation(Family.DURABILITY, "AAPL is missing", "AAPL", "nothing", ("1",))
    losses = ((group.simplest.cut, frozenset(group.simplest.lost)), *more)
    culprit = Culprit("fsync of the directory missing", ("store.py:9",))
    violation = Violation(requirement, group.simplest, group, group.image, breach, Inspection(), culprit, 1, losses)
    return explain("acme", evidence, violation)


def test_a_lost_rename_is_shown_with_what_was_lost_and_where_it_happens():
    told = explained(saved(), {"f": b"old", "t": page(b"n", 3)})

    assert told.crash == "power loss after put('AAPL', 1) had returned, 1 step lost"
    assert [s.text for s in told.steps if s.fate is StepStatus.LOST] == ["rename t -> f"]
    assert told.found == ("AAPL: nothing",)
    assert told.filesystems == ("strict (POSIX to the letter)", "ext4", "xfs", "btrfs", "macos")
    assert parse(told.token).state == CrashState(Crash.POWER, 6, (7,))


def test_control_a_state_that_needs_no_loss_happens_on_every_file_system():
    told = explained(saved(), {"f": page(b"n", 3)})

    assert told.filesystems == ("every file system: nothing has to be lost for it",)


def test_where_the_state_shown_has_lost_something_it_is_not_said_that_nothing_was():
    story = saved()
    lossless = (6, frozenset())

    told = explained(story, {"f": b"old", "t": page(b"n", 3)}, more=(lossless,))

    assert told.filesystems[:2] == ("strict (POSIX to the letter)", "ext4")
    assert told.filesystems[-1] == "and variants of it, in which nothing has to be lost, on every file system"


def test_where_other_file_systems_are_left_out_they_are_not_named():
    story = Story({"f": b"old"})
    story.invoke(1)
    story.create("t")
    story.write("t", b"new")
    story.rename("t", "f")
    story.acknowledge(1)

    assert explained(story, {"f": b"\0\0\0"}).filesystems == ("strict (POSIX to the letter)", "ext4", "macos")


@pytest.mark.proof
def test_long_runs_of_steps_that_arrived_are_drawn_together():
    story = Story({"f": b"old"})
    story.invoke(1)
    for number in range(20):
        story.create(f"kept-{number}")
    story.fsync("")
    story.unlink("f")
    story.acknowledge(1)
    wanted = {"f": b"old"} | {f"kept-{n}": b"" for n in range(20)}

    texts = [s.text for s in explained(story, wanted).steps]
    assert "… 17 steps, all persisted" in texts
    assert len(texts) < 12


def test_the_directory_is_compared_with_what_the_program_had_seen_when_a_call_returned_last():
    told = explained(saved(), {"f": b"old", "t": page(b"n", 3)})

    assert told.since == "put('AAPL', 1) had returned"
    assert [(c.path, c.before is None, c.differs) for c in told.changes] == [("f", False, True), ("t", True, True)]
    assert [bytes.fromhex(c.bytes_after)[:3] for c in told.changes] == [b"old", b"nnn"]


def test_control_what_nothing_became_of_does_not_differ():
    told = explained(saved(), {"f": page(b"n", 3)})

    assert [(c.path, c.differs) for c in told.changes] == [("f", False)]
