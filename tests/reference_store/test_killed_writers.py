"""Writers of jobs that are killed at any moment, while others write and read: nothing is lost, doubled or hidden.

Each process says what it is about to do before it does it, and that it was acknowledged after that. Logs are small, so
that the file is written anew all the time.
"""

import io
import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from reference_store import SyncJobStore
from reference_store.models import Job
from reference_store.stores import record_log

ROUNDS, PROCESSES, UNTIL = 4, 3, (15, 60)
"""How often all are killed, and after how many acknowledged changes of the one that is listened to."""

PROGRAM = """
import itertools, sys, threading
from reference_store import SyncJobStore
from reference_store.models import Job
from reference_store.stores import record_log

record_log.SMALLEST = 1
root, name = sys.argv[1:]
store = SyncJobStore(root, lock_timeout=120)
write = threading.Lock()

def say(*words):
    with write:
        print(*words, flush=True)

def more(job):
    return job.model_copy(update={"params": {"n": job.params["n"] + 1}})

def work(thread):
    for number in itertools.count():
        job = f"{name}-{thread}-{number}"
        say("begin save", job)
        store.save(Job(job_id=job, job_type="kept", status="completed", params={"n": number}))
        say("end save", job)
        say("begin add", "counter")
        store.update_job("counter", more)
        say("end add", "counter")
        say("begin claim", "-")
        claimed = store.claim_next("work", worker=name)
        say("end claim", claimed.job_id if claimed else "-")
        if number % 3 == 2:
            say("begin delete", f"{name}-{thread}-{number - 1}")
            store.delete(f"{name}-{thread}-{number - 1}")
            say("end delete", f"{name}-{thread}-{number - 1}")

for thread in range(2):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
work(2)
"""


def writing(ending: ExitStack, root: Path, name: str, said: IO[str] | int) -> IO[str]:
    """Start a process that is killed in the end, however that comes about; return what it says if it is listened to."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root), name], stdout=said, text=True)
    ending.callback(process.wait)
    ending.callback(process.kill)
    return process.stdout or io.StringIO()


def is_deleted_later(job: str) -> bool:
    """Say whether its writer may have deleted it again by the time that its being saved is heard."""
    return int(job.rpartition("-")[2]) % 3 == 1


@pytest.mark.proof
def test_writers_that_are_killed_lose_double_and_hide_nothing(tmp_path: Path) -> None:
    assert record_log.SMALLEST > 1, "this process reads with logs as they are made for people"
    draw = random.Random(8)
    root = tmp_path / "root"
    with SyncJobStore(root) as store:
        store.save(Job(job_id="counter", job_type="counter", params={"n": 0}))
        for number in range(400):
            store.save(Job(job_id=f"work-{number}", job_type="work"))
    begun: Counter[tuple[str, str]] = Counter()
    ended: Counter[tuple[str, str]] = Counter()
    reader = SyncJobStore(root)
    for turn in range(ROUNDS):
        outputs = [tmp_path / f"said-{turn}-{number}" for number in range(PROCESSES - 1)]
        with ExitStack() as turns_end:
            ending = turns_end.enter_context(ExitStack())
            for number, output in enumerate(outputs):
                said = ending.enter_context(output.open("w"))
                writing(ending, root, f"p{turn}{number}", said)
            heard = turns_end.enter_context(writing(ending, root, f"p{turn}x", subprocess.PIPE))
            lines = []
            left = draw.randrange(*UNTIL)
            while left:
                lines.append(heard.readline())
                assert lines[-1], "a writer ended by itself"
                left -= lines[-1].startswith("end")
                if lines[-1].startswith("end save") and not is_deleted_later(name := lines[-1].split()[2]):
                    assert reader.get(name) is not None  # seen at once by those who were there before
            ending.close()
            lines += heard.readlines()
        for line in [*lines, *(line for output in outputs for line in output.read_text().splitlines())]:
            match line.split():
                case ["begin", what, name]:
                    begun[what, name] += 1
                case ["end", what, name]:
                    ended[what, name] += 1

    for store in (reader, SyncJobStore(root)):
        found = [job.job_id for job in store.list(limit=1_000_000)]
        assert len(found) == len(set(found))
        there = set(found)
        kept = {name for what, name in ended if what == "save"} - {name for what, name in begun if what == "delete"}
        assert kept <= there
        assert not there & {name for what, name in ended if what == "delete"}
        assert there <= {name for what, name in begun if what == "save"} | {"counter"} | {
            f"work-{n}" for n in range(400)
        }
        counter = store.get("counter")
        assert counter is not None
        number = counter.params["n"]
        assert isinstance(number, int)
        assert ended["add", "counter"] <= number <= begun["add", "counter"]
        claims = {name: count for (what, name), count in ended.items() if what == "claim" and name != "-"}
        assert set(claims.values()) <= {1}
        running_now = store.list(status="running", limit=1_000_000)
        assert set(claims) <= {job.job_id for job in running_now}
        assert len(running_now) <= begun["claim", "-"]
        for job in running_now:
            assert job.claimed_by
    assert sum(ended.values()) > ROUNDS
    with SyncJobStore(root) as last:
        last.save(Job(job_id="last", job_type="kept"))
        expected = [job.job_id for job in last.list(limit=1_000_000)]
    assert [job["job_id"] for job in json.loads((root / "jobs.json").read_text())["jobs"]] == expected
