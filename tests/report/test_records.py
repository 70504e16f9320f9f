"""Results cross process borders and files without losing anything."""

from pytest_tradestore.report.records import Note, StoreFacts
from pytest_tradestore.verdict import Counterexample, Fate, Result, Sighting, Step, Verdict

EXAMPLE = Counterexample(
    "put() loses everything",
    crash="power loss after put() returned",
    workload=("put('ä', {})",),
    steps=(Step(1, Fate.PERSISTED, "create x", "store.py:3"), Step(2, Fate.PARTLY, "write x", detail="page 2")),
    found=("nothing",),
    allowed=("{}",),
    image=("x: 0 bytes",),
    filesystems=("ext4", "xfs"),
    notes=("a note",),
    token="t",
    how_many=3,
    sightings=(Sighting("ext4", "Linux 6.18", seen=True, states=9, kept="kept/ext4"), Sighting("xfs", "Linux 6.18")),
)
FACTS = StoreFacts("tradestore/a", "a", ("documents",), ("threads",), ("ATOM-1[documents]",), ("get", "put"), "printed")


def test_a_note_comes_back_as_it_was():
    result = Result("ATOM-2", "documents", Verdict.VIOLATED, "why", {"crash_states": 7}, False, EXAMPLE)
    note = Note("tradestore/a", "ATOM-2[documents]", result, "", FACTS)

    assert Note.from_json(note.to_json()) == note


def test_a_note_of_an_error_comes_back_as_it_was():
    note = Note("tradestore/a", "ATOM-2[documents]", error="ZeroDivisionError: x")

    assert Note.from_json(note.to_json()) == note
