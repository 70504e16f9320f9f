"""What is done to a file, and what is asked of a store afterwards."""

import itertools
import random

import pytest

from pytest_tradestore.damage.judging import Case, breaches
from pytest_tradestore.damage.operators import Damage, Kind, drawn_damages, plain_damages
from pytest_tradestore.damage.trials import Reading, is_kept
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.observation import Absent, Failed, Observation, Records, Value

CONTENT = b'{"symbol": "AAPL", "quantity": 100, "price": 187.25, "note": "bought at the open, held to the close"}\n'
NEW, OLD, OTHER = Value('{"v": 2}'), Value('{"v": 1}'), Value('{"v": 9}')
DECLARED, UNDECLARED = Failed("ValueError", "damaged", declared=True), Failed("KeyError", "'v'", declared=False)


def test_every_damage_changes_the_file():
    damages = list(plain_damages("a.json", CONTENT, {"b.json": b'{"symbol": "MSFT"}'}))

    assert {damage.kind for damage in damages} == set(Kind) - {Kind.FLIPPED, Kind.GONE, Kind.OLDER}
    assert all(damage.content != CONTENT for damage in damages)


def test_a_small_file_is_damaged_at_every_offset():
    drawn = list(itertools.islice(drawn_damages("a", CONTENT, random.Random(1)), 3 * len(CONTENT)))
    touched = {
        next(n for n, byte in enumerate(damage.content) if byte != CONTENT[n])
        if damage.kind is Kind.FLIPPED
        else len(damage.content)
        for damage in drawn
    }

    assert touched == set(range(len(CONTENT)))


def test_the_same_seed_draws_the_same_damage():
    first, second = (list(itertools.islice(drawn_damages("a", CONTENT, random.Random(7)), 50)) for _ in range(2))

    assert first == second


def requirements(seen, *, kind=Kind.CUT, claims=(), contract="documents", said=False, at_the_end=False, **other):
    damage = Damage("AAPL.json", kind, "damaged", other.pop("content", b"x"), at_the_end, other.pop("mentioned", ""))
    intact = other.pop("intact", NEW)
    history = (Observation((("AAPL", Absent()),)), Observation((("AAPL", OLD),)))
    case = Case(
        kit_named(contract),
        frozenset(claims),
        Observation((("AAPL", intact), ("MSFT", OTHER))),
        history,
        frozenset({"AAPL"}),
        has_backup=True,
        content=b"one\ntwo\n",
        appended=other.pop("appended", None),
    )
    reading = Reading(Observation((("AAPL", seen), ("MSFT", other.pop("beside", OTHER)))), said, **other)
    return [breach.requirement for breach in breaches(damage, reading, case)]


ONE, TWO = Records(('{"n": 1}',)), Records(('{"n": 1}', '{"n": 2}'))
LAST_RECORD = {
    "seen": ONE,
    "intact": TWO,
    "contract": "journal",
    "kind": Kind.FLIPPED,
    "claims": ["checksums"],
    "content": b"one\nt_o\n",
    "appended": 4,
}
NO_RECORD = {"seen": Records(()), "intact": ONE, "appended": 0}
ZEROS = {
    "seen": Records(()),
    "intact": TWO,
    "contract": "journal",
    "kind": Kind.ZEROED,
    "claims": ["checksums"],
    "at_the_end": True,
}
OLDER = {"seen": OLD, "kind": Kind.OLDER, "mentioned": "MANIFEST", "claims": ["checksums"]}
VERDICTS = {
    "what was there": ({"seen": NEW}, []),
    "a declared error": ({"seen": DECLARED}, []),
    "an error of another type": ({"seen": UNDECLARED}, ["CORR-4"]),
    "nothing, from half a file": ({"seen": Absent()}, ["CORR-6"]),
    "nothing, from zeros": ({"seen": Absent(), "kind": Kind.ZEROED}, ["CORR-1"]),
    "something else": ({"seen": OTHER}, ["CORR-1"]),
    "something else from a changed bit": ({"seen": OTHER, "kind": Kind.FLIPPED}, []),
    "the same with checksums": ({"seen": OTHER, "kind": Kind.FLIPPED, "claims": ["checksums"]}, ["CORR-1"]),
    "another key's": ({"seen": OTHER, "kind": Kind.FOREIGN, "claims": ["checksums"]}, ["CORR-7"]),
    "an older version and a word": ({"seen": OLD, "said": True, "claims": ["backup"]}, []),
    "an older version in silence": ({"seen": OLD, "claims": ["backup"]}, ["CORR-3"]),
    "an older version in silence, no backup claimed": ({"seen": OLD}, ["CORR-1"]),
    "an error where there is a backup": ({"seen": DECLARED, "claims": ["backup"]}, ["CORR-3"]),
    "an error for a key that is not damaged": ({"seen": NEW, "beside": DECLARED}, ["CORR-5"]),
    "a log without its end, cut there": ({"seen": ONE, "intact": TWO, "contract": "journal", "at_the_end": True}, []),
    "a log without its end, damaged before it": ({"seen": ONE, "intact": TWO, "contract": "journal"}, ["CORR-1"]),
    "all but the last record of a log, damaged in that": (LAST_RECORD, []),
    "all but the last record of a log, damaged before that": ({**LAST_RECORD, "content": b"0ne\ntwo\n"}, ["CORR-1"]),
    "all but the last record of a log that is written as a whole": ({**LAST_RECORD, "appended": None}, ["CORR-1"]),
    "nothing of a log of one record, and a word": ({**LAST_RECORD, **NO_RECORD, "said": True}, []),
    "nothing of a log of one record, in silence": ({**LAST_RECORD, **NO_RECORD}, ["CORR-1"]),
    "nothing of a log of zeros, and a word": ({**ZEROS, "said": True}, []),
    "nothing of a log of zeros, in silence, with checksums": (ZEROS, ["CORR-1"]),
    "nothing where the file is gone": ({"seen": Absent(), "kind": Kind.GONE}, []),
    "something else where the file is gone": ({"seen": OTHER, "kind": Kind.GONE}, ["CORR-1"]),
    "half of a month where a file of it is gone": ({"seen": OTHER, "kind": Kind.GONE, "contract": "bars"}, []),
    "nothing where the file is gone and has a digest elsewhere": (
        {"seen": Absent(), "kind": Kind.GONE, "mentioned": "MANIFEST", "claims": ["checksums"]},
        ["CORR-6"],
    ),
    "an error where the file is gone": ({"seen": DECLARED, "kind": Kind.GONE, "claims": ["backup"]}, []),
    "an older version that has its digest elsewhere": (OLDER, ["CORR-7"]),
    "an older version that has its digest elsewhere, and a word": ({**OLDER, "said": True}, []),
    "lost evidence": ({"seen": DECLARED, "kept": False}, ["CORR-2"]),
    "evidence lost by the next update": ({"seen": DECLARED, "kept": True, "kept_later": False}, ["CORR-2"]),
    "kept evidence": ({"seen": DECLARED, "kept": True, "kept_later": True}, []),
}


@pytest.mark.parametrize(("given", "expected"), VERDICTS.values(), ids=list(VERDICTS))
def test_what_a_damaged_store_shows_breaks_what_it_should(given, expected):
    assert requirements(**given) == expected


def test_bytes_are_kept_when_they_are_in_a_file_of_another_name(tmp_path):
    (tmp_path / ".damaged-a").write_bytes(CONTENT)

    assert is_kept(tmp_path, CONTENT)


def test_bytes_of_a_log_are_kept_when_it_goes_on_and_what_was_cut_off_is_beside_it(tmp_path):
    (tmp_path / "log").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / ".damaged-log").write_bytes(b"tw")

    assert is_kept(tmp_path, b"one\ntw")


def test_control_they_are_not_kept_when_any_of_them_is_gone(tmp_path):
    (tmp_path / "log").write_bytes(b"one\nthree\n")

    assert not is_kept(tmp_path, b"one\ntw")
