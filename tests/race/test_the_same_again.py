"""The same seed gives the same schedules: in every process, however busy the machine, whatever strings hash to."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_tradestore.race.addresses import Setting

ROOT = Path(__file__).parents[2]
STORES = {
    "threads": "reference_store:DocumentStore",
    "tasks": "reference_store:AsyncDocumentStore",
    "clocks": "tests.race.test_the_same_again:LooksAtEveryClock",
}
SETTINGS = {("threads", setting) for setting in Setting} | {
    ("tasks", Setting.ONE_INSTANCE),
    ("tasks", Setting.CANCELLED),
    ("clocks", Setting.INSTANCES),
    ("clocks", Setting.PROCESSES),
}


def takes_a_while():
    """Take some milliseconds of the real time, more in one process than in another."""
    sum(range(20_000 * (os.getpid() % 9)))


class LooksAtEveryClock:
    """Documents, each in a file of JSON; what it does beside that depends on what it sees of the time."""

    tradestore_claims = ("threads", "processes")

    def __init__(self, root):
        self.root = Path(root)
        self.cached = {}

    def put(self, key, document):
        staged = self.root / f"{key}.staged"
        staged.write_text(json.dumps(document))
        if time.clock_gettime_ns(5 if sys.platform == "linux" else time.CLOCK_REALTIME) > staged.stat().st_mtime_ns:
            self.root.stat()  # it could be told apart from a later change
        os.replace(staged, self.root / f"{key}.json")
        takes_a_while()
        if datetime.now(UTC).timestamp() > self.root.stat().st_mtime:
            (self.root / "last").touch()

    def get(self, key):
        path = self.root / f"{key}.json"
        try:
            stamp = path.stat().st_mtime_ns, self.root.stat().st_mtime_ns
            if self.cached.get(key, (0,))[0] != stamp:
                self.cached[key] = stamp, json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return self.cached[key][1]

    def keys(self):
        return sorted(path.stem for path in self.root.glob("*.json"))


def begun(store, setting, hashes):
    command = [sys.executable, "-m", "tests.race.schedules", STORES[store], "documents", setting.name, "6"]
    environment = {**os.environ, "PYTHONHASHSEED": str(hashes)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said(process):
    lines, errors = process.communicate(timeout=100)
    assert not process.returncode, errors
    return lines.splitlines()


@pytest.mark.parametrize(
    ("store", "setting"),
    [
        pytest.param(*row, marks=[] if row == ("threads", Setting.ONE_INSTANCE) else pytest.mark.proof)
        for row in sorted(SETTINGS, key=str)
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_two_processes_run_the_same_schedules_and_the_same_comes_of_them(store, setting):
    first, second = map(said, [begun(store, setting, hashes) for hashes in (1, 2)])

    assert len(first) > 5
    assert first == second
