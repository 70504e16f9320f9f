"""Results cross process borders and files without losing anything."""

import json

from pytest_tradestore.report.records import Note, StoreFacts, result_from_dict, result_to_dict
from pytest_tradestore.verdict import (
    Change,
    Counterexample,
    PathSeen,
    Result,
    Sighting,
    Step,
    StepKind,
    StepStatus,
    Verdict,
)

EXAMPLE = Counterexample(
    "put() loses everything",
    crash="power loss after put() returned",
    workload=("put('ä', {})",),
    steps=(
        Step(1, StepStatus.PERSISTED, "create x", "store.py:3"),
        Step(2, StepStatus.PARTLY, "write x", detail="page 2"),
        Step(0, StepStatus.NOTE, "CRASH", kind=StepKind.CRASH),
    ),
    found=("nothing",),
    allowed=("{}",),
    image=("x: 0 bytes",),
    filesystems=("ext4", "xfs"),
    notes=("a note",),
    token="t",
    how_many=3,
    sightings=(Sighting("ext4", "Linux 6.18", seen=True, states=9, kept="kept/ext4"), Sighting("xfs", "Linux 6.18")),
    since="put('ä', {}) had returned",
    changes=(Change("x", PathSeen("file", 2, "2 bytes: {}"), None, offset=0, bytes_before="7b7d"),),
)
FACTS = StoreFacts("tradestore/a", "a", ("documents",), ("threads",), ("ATOM-1[documents]",), ("get", "put"), "printed")


def test_a_note_comes_back_as_it_was():
    result = Result("ATOM-2", "documents", Verdict.VIOLATED, "why", {"crash_states": 7}, False, EXAMPLE)
    note = Note("tradestore/a", "ATOM-2[documents]", result, "", FACTS)

    assert Note.from_json(note.to_json()) == note


def test_a_note_of_an_error_comes_back_as_it_was():
    note = Note("tradestore/a", "ATOM-2[documents]", error="ZeroDivisionError: x")

    assert Note.from_json(note.to_json()) == note


def test_what_a_version_before_drew_no_lanes_from_is_read_with_its_cut():
    result = Result("ATOM-2", "documents", Verdict.VIOLATED, "why", {}, True, EXAMPLE)
    written = result_to_dict(result)
    example = written["counterexample"]
    for step in example["steps"]:
        del step["kind"]
    del example["since"], example["changes"]

    read = result_from_dict(json.loads(json.dumps(written))).counterexample

    assert read is not None
    assert [step.kind for step in read.steps] == [StepKind.OPERATION, StepKind.OPERATION, StepKind.CRASH]
    assert (read.since, read.changes) == ("", ())
