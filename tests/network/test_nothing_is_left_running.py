"""A run that is killed leaves no server behind, and nothing of its data: whoever it is that was killed."""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_tradestore.backends.postgres_server import unavailable

pytestmark = [
    pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no descriptors of processes (pidfd_open) here"),
]

_RUN = """
import os, signal, sys
from pathlib import Path
from pytest_tradestore.backends import Bucket, Postgres, hosts
hosts.address_of(Postgres(), Path(sys.argv[1]))
hosts.address_of(Bucket(), Path(sys.argv[1]))
if not os.fork():
    signal.pause()  # has inherited all that the run holds, and outlives it
print(hosts.databases()[0].keeper, flush=True)
signal.pause()
"""
_PATIENCE = 60


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


@pytest.fixture
def run(tmp_path):
    """A run with its servers: its process, the keeper of PostgreSQL, the server, and where its data is."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    )
    keeper = int(process.stdout.readline())
    (server,) = (child for child in children_of(keeper) if command(child)[0].endswith(b"postgres"))
    survivors = [child for child in children_of(process.pid) if child != keeper]
    words = command(server)
    yield process.pid, keeper, server, Path(os.fsdecode(words[words.index(b"-D") + 1])).parent
    for left in (process.pid, *survivors):
        with suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def is_over(pidfd):
    return bool(select.select([pidfd], [], [], _PATIENCE)[0])


@pytest.mark.parametrize("killed", ["the run", "the keeper"])
def test_who_is_killed_takes_the_server_and_its_data_along(run, killed):
    process, keeper, server, data = run
    watcher = next(child for child in children_of(keeper) if child != server)
    ends = {pid: os.pidfd_open(pid) for pid in (keeper, server, watcher)}

    os.kill({"the run": process, "the keeper": keeper}[killed], signal.SIGKILL)

    assert all(is_over(end) for end in ends.values())
    assert not data.exists()
    for end in ends.values():
        os.close(end)


def test_control_as_long_as_the_run_lives_so_does_its_server(run):
    _, keeper, server, data = run

    assert (data / "postgres" / "PG_VERSION").exists()
    assert [command(pid)[0] for pid in children_of(keeper) if pid == server]
