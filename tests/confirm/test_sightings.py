"""What crashes break in the model is seen on real file systems, sound stores show nothing, and nothing stays behind."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from pytest_tradestore.confirm.sightings import kernel
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.sandbox import sweep
from tests.broken_stores import Broken
from tests.broken_stores.unsynced import RenameWithoutSync
from tests.confirm.asking import CRASHING, FILESYSTEMS, bench_of, named, seen, shown_by, skip_unless_asked
from tests.judging import target_of
from tests.sound_stores import SOUND
from tests.sound_stores.files import read_document, sync_directory, sync_file

pytestmark = pytest.mark.proof

REPRESENTATIVE = named(CRASHING, "RenameWithoutSync", "InPlaceDocument", "TwiceReplayedJournal", "GluedJournal")


@pytest.mark.parametrize("row", REPRESENTATIVE)
def test_what_a_broken_store_loses_in_the_model_it_loses_on_ext4(row):
    skip_unless_asked("ext4")

    found = seen(row, "ext4")

    assert {requirement for requirement, _ in found} == set(row.breaks)
    assert [str(mark) for (mark,) in found.values()] == [f"seen on ext4 ({kernel()})"] * len(found)


@pytest.mark.parametrize("filesystem", FILESYSTEMS)
def test_what_is_renamed_without_a_sync_is_lost_on_every_file_system(filesystem):
    skip_unless_asked(filesystem)
    (row,) = (row for row in CRASHING if row.store.__name__ == "RenameWithoutSync")

    found = seen(row, filesystem)

    assert {requirement for (requirement, _), (mark,) in found.items() if mark.seen} == set(row.breaks)


@pytest.mark.parametrize("filesystem", FILESYSTEMS)
@pytest.mark.parametrize("row", named(SOUND, "PlainDocument", "PlainJournal"))
def test_control_a_sound_store_shows_nothing(row, filesystem):
    skip_unless_asked(filesystem)

    for _, broken, states in shown_by(row, filesystem):
        assert (broken, states > 20) == (frozenset(), True)


class WaitsForContent(RenameWithoutSync):
    """Waits for whoever is about to write a file that it finds empty or half: nobody is, after a power loss."""

    tradestore_deadline = 2

    def load(self):
        while True:
            try:
                return read_document(self.file)
            except ValueError:
                signal.pause()


def test_a_store_that_hangs_on_what_a_file_system_left_is_seen_to():
    skip_unless_asked("ext4")
    row = Broken("waits-for-content", WaitsForContent, "document", {"ATOM-2": "takes longer"})

    found = seen(row, "ext4")

    assert {mark.seen for marks in found.values() for mark in marks} == {True}
    assert {requirement for requirement, _ in found} >= {"ATOM-2"}


def test_control_what_a_file_system_does_not_do_is_not_seen_there_and_not_called_impossible():
    """ext4 commits the name of a new file with its fsync."""
    skip_unless_asked("ext4")
    (row,) = (row for row in CRASHING if row.store.__name__ == "UnsyncedCreation")

    (mark,) = seen(row, "ext4")["DUR-2", 0]

    assert str(mark) == f"not seen on ext4 in {mark.states:,} states ({kernel()})"
    assert mark.states > 20


class SyncsTheOneOrTheOther(RenameWithoutSync):
    """A new file for each document, written by one line: the first is synced and not its name, others the reverse."""

    def save(self, data):
        numbers = self.numbers()
        newest = self.root / f"{len(numbers)}.json"
        newest.write_text(json.dumps(data))
        if numbers:
            sync_directory(self.root)
        else:
            sync_file(newest)

    def load(self):
        numbers = self.numbers()
        return json.loads((self.root / f"{numbers[-1]}.json").read_text()) if numbers else None

    def numbers(self):
        return sorted(int(path.stem) for path in self.root.glob("*.json"))


def test_of_two_causes_at_one_line_only_that_is_seen_of_which_the_file_system_shows_something():
    """ext4 commits the name of a new file with its fsync, and loses what is in one that is not synced."""
    skip_unless_asked("ext4")
    row = Broken("the-one-or-the-other", SyncsTheOneOrTheOther, "document", {"DUR-2": "returned"})
    bench, store = bench_of(row, "ext4"), target_of(row)
    kit = kit_named("document")

    marks = bench.sightings(store, kit)

    faults = {v.culprit.fault: n for n, v in enumerate(bench.crashes(store, kit).violations["DUR-2"])}
    seen_of = {fault: marks["DUR-2", number][0].seen for fault, number in faults.items()}
    assert seen_of == {"fsync missing": True, "fsync of the directory missing": False}


def test_the_block_log_is_kept_and_leads_to_the_disk_that_was_seen(tmp_path):
    skip_unless_asked("ext4")
    (row,) = (row for row in CRASHING if row.store.__name__ == "RenameWithoutSync")

    mark = seen(row, "ext4", keep=tmp_path / "kept")["DUR-2", 0][0]

    place = Path(mark.kept)
    log = [json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()]
    disk, data = bytearray((place / "before.img").read_bytes()), (place / "log.bin").read_bytes()
    for line in log:
        if line.get("left"):
            disk[line["offset"] : line["offset"] + line["bytes"]] = data[line["at"] : line["at"] + line["bytes"]]
    assert disk == (place / "left.img").read_bytes()
    assert any(line.get("flush") for line in log)
    assert list((place / "files").iterdir())


_PLAYED = """
import signal
import sys
from pytest_tradestore.confirm import attempts
from tests.broken_stores import Broken
from tests.broken_stores.unsynced import RenameWithoutSync
from tests.confirm.asking import CRASHING, seen

plain, told = attempts.played, open(int(sys.argv[1]), "w")
def played(running, *given):
    plain(running, *given)
    print(running._device, running._disk.device, flush=True, file=told)
    signal.pause()
attempts.played = played
seen(next(row for row in CRASHING if row.store.__name__ == "RenameWithoutSync"), "ext4")
"""


@pytest.mark.parametrize("everybody", [False, True], ids=["the suite", "every process of it"])
def test_a_kill_with_everything_mounted_and_unwritten_leaves_nothing(everybody, tmp_path):
    skip_unless_asked("ext4")
    reading, writing = os.pipe()
    command = [sys.executable, "-c", _PLAYED, str(writing)]
    mounts = Path("/proc/self/mounts").read_text()
    child = subprocess.Popen(command, pass_fds=[writing], env={**os.environ, "TMPDIR": str(tmp_path)})
    os.close(writing)
    devices = os.read(reading, 100).decode().split()
    assert all(Path(f"/sys/block/{device[5:]}/loop").exists() for device in devices)
    assert Path("/proc/self/mounts").read_text() == mounts

    for process in reversed(descendants(child.pid)) if everybody else [child.pid]:
        with suppress(ProcessLookupError):  # it has ended by the death of another
            os.kill(process, signal.SIGKILL)
    child.wait()
    while os.read(reading, 1 << 16):  # ends when no process of it is left
        pass
    os.close(reading)

    patience = monotonic() + 60
    while [d for d in devices if Path(f"/sys/block/{d[5:]}/loop").exists()] and monotonic() < patience:
        select.select([], [], [], 0.05)  # the kernel takes them away when it has written what they were to hold
    assert [device for device in devices if Path(f"/sys/block/{device[5:]}/loop").exists()] == []
    for parent in tmp_path, Path("/dev/shm"):
        sweep(parent)
        assert [path for path in parent.glob("tradestore-*") if (path / "1" / "store" / "top").exists()] == []


def descendants(process: int) -> list[int]:
    """Return a process and all below it, parents first."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in descendants(int(child)))]
