"""A short form of the stress program for each store, and controls: what loses, doubles, hides or is late is found."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stress.judge import Seen, is_expected, problems
from tests.stress.ledger import Entry, Ledgers, Writer

REPOSITORY = Path(__file__).parents[2]
STORES = ("documents", "single", "single-updated", "journal", "trading", "jobs", "runs")
STORES += ("portfolio", "tasks", "strategy-log", "paper-trading")


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own: the stress forks, and its threads are none of ours."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={"TMPDIR": str(place)},
    )


@pytest.mark.parametrize(
    "store", [pytest.param(s, marks=[] if s == "documents" else pytest.mark.proof) for s in STORES]
)
def test_a_round_of_stress_loses_doubles_and_hides_nothing(tmp_path: Path, store: str) -> None:
    ended = run(tmp_path, "-m", "tests.stress", "--minutes", "0", "--seconds", "2", "--store", store)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not list(tmp_path.iterdir())


BROKEN = """
import logging, sys, time
from dataclasses import replace
from pathlib import Path
from reference_store import DocumentStore, JournalStore
from tests.stress import all_stores, parts, rounds

class Hides(DocumentStore):
    def keys(self):
        return [key for key in super().keys() if key.startswith('own ')][1:]

class Acknowledges(JournalStore):
    '''A record of each twenty is acknowledged and not kept.'''
    count = 0
    def append(self, stream, record):
        Acknowledges.count += 1
        if Acknowledges.count % 20:
            super().append(stream, record)

class Twice(JournalStore):
    def append(self, stream, record):
        super().append(stream, record)
        super().append(stream, record)

class Spoils(JournalStore):
    '''Finds damage, goes on, and logs it as stores do.'''
    def append(self, stream, record):
        super().append(stream, record)
        logging.getLogger("reference_store").warning("%s: %r was damaged (%s)", stream, "file", "its seal")

kind = {"hides": Hides, "forgets": Acknowledges, "doubles": Twice, "spoils": Spoils}[sys.argv[1]]
whole = parts.STORES["documents" if kind is Hides else "journal"]
all_stores.STORES["broken"] = replace(whole, threads=lambda root, timeout: kind(root, lock_timeout=timeout), tasks=None)
place = Path(sys.argv[2]) / "place"
place.mkdir()
print("\\n".join(rounds.stress("broken", place, 0, 2.0, 0).findings))
"""


@pytest.mark.proof
@pytest.mark.parametrize(
    ("defect", "words"),
    [
        ("hides", "nothing of this writer is there"),
        ("forgets", "is missing"),
        ("doubles", "more than once"),
        ("spoils", "a store warns: "),
    ],
)
def test_control_a_store_with_a_defect_is_found_by_one_round(tmp_path: Path, defect: str, words: str) -> None:
    ended = run(tmp_path, "-c", BROKEN, defect, str(tmp_path))

    assert words in ended.stdout, ended.stdout + ended.stderr


def entry(number: int, began: float, ended: float, outcome: str = "acknowledged", writer: int = 1) -> Entry:
    return Entry("part", writer, number, began, ended, outcome)


FIRST, SECOND = entry(1, 0, 1), entry(2, 2, 3)
CASES = {
    "lost": ("all", [FIRST, SECOND], [(1, 1)], "change 2 of writer 1 (part, acknowledged) is missing"),
    "doubled": ("all", [FIRST], [(1, 1), (1, 1)], "is there more than once"),
    "invented": ("all", [FIRST], [(1, 1), (1, 9)], "nobody wrote it"),
    "refused and there": ("all", [entry(1, 0, 1, "refused")], [(1, 1)], "(part, refused) is there"),
    "an older one is there": ("last", [FIRST, SECOND], [(1, 1)], "and 1 of this writer is there"),
    "hidden": ("last", [FIRST], [], "nothing of this writer is there"),
    "came late": ("one", [entry(1, 0, 1, "unknown"), SECOND], [(1, 1)], "is there, but change 2"),
    "nothing": ("one", [FIRST], [], "and nothing is there"),
    "out of order": ("all", [FIRST, SECOND], [(1, 2), (1, 1)], "stands behind"),
}
SOUND = {
    "all is there": ("all", [FIRST, SECOND], [(1, 1), (1, 2)]),
    "not acknowledged and not there": ("all", [FIRST, entry(2, 2, 3, "unknown")], [(1, 1)]),
    "not acknowledged and there": ("all", [FIRST, entry(2, 2, 3, "unknown")], [(1, 1), (1, 2)]),
    "refused and not there": ("all", [entry(1, 0, 1, "refused")], []),
    "acknowledged after the look began": ("all", [FIRST, entry(2, 2, 200)], [(1, 1)]),
    "the last one": ("last", [FIRST, SECOND], [(1, 2)]),
    "one of two at the same time": ("one", [FIRST, entry(2, 0.5, 3)], [(1, 1)]),
    "a killed one that may come at any time": ("one", [entry(1, 0, float("inf"), "unknown"), SECOND], [(1, 1)]),
}


@pytest.mark.parametrize(("kind", "entries", "seen", "words"), CASES.values(), ids=list(CASES))
def test_what_must_not_be_seen_is_told(
    kind: str, entries: list[Entry], seen: list[tuple[int, int]], words: str
) -> None:
    found = problems(kind, entries, 100, seen, over=True, ordered=True)

    assert [sentence for sentence in found if words in sentence], found


@pytest.mark.parametrize(("kind", "entries", "seen"), SOUND.values(), ids=list(SOUND))
def test_control_what_may_be_seen_is_not(kind: str, entries: list[Entry], seen: Seen) -> None:
    assert problems(kind, entries, 100, seen, over=True, ordered=True) == []


WARNINGS = {
    "orders: 12 bytes of an append that was never acknowledged are cut off 'ORDERS.jsonl'; kept as '.damaged-1'": True,
    "AAPL: the new '2026-01' cannot take its place: No space left on device": True,
    "K: 'K.json' was damaged (its seal is not that of its content); kept as '.damaged-1-K.json'": False,
    "jobs: 'jobs.json' is damaged (it is missing); answered from the version before": False,
}


@pytest.mark.parametrize(("warning", "expected"), WARNINGS.items())
def test_what_stores_log_of_damage_is_no_matter_of_kills_and_full_disks(warning: str, expected: bool) -> None:
    assert is_expected(warning) == expected


def test_a_ledger_is_read_while_it_grows_and_an_unfinished_call_is_unknown(tmp_path: Path) -> None:
    ledger, before = Writer(tmp_path, 7), time.monotonic()
    first = ledger.begin("part")
    ledgers = Ledgers(tmp_path)
    assert [(entry.outcome, entry.ended) for entry in ledgers.look()] == [("unknown", float("inf"))]

    ledger.end(first, "acknowledged")
    ledger.begin("part")
    ledger.close()

    found = ledgers.look()
    assert [(entry.writer, entry.number, entry.outcome) for entry in found] == [
        (7, 1, "acknowledged"),
        (7, 2, "unknown"),
    ]
    assert before <= found[0].began <= found[0].ended <= time.monotonic()
