"""Runs an isolated task where nothing can be forked, as on Windows: in a new interpreter that is handed it.

What a forked process has by itself is sent: the search path, the working directory and the task, pickled with what it
closes over. What cannot be pickled cannot be asked here, and is said to be not asked. Of processes that a store has
begun itself none is ended.
"""

import contextlib
import faulthandler
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import IO

from pytest_tradestore.beats import (
    BEAT,
    POLL,
    Channel,
    Ending,
    NotPossibleHereError,
    Sent,
    Task,
    Told,
    Watch,
    kept,
    trace_of,
)

BEGINNING = "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline())"
"""What a new interpreter does first; a test has it look like one of another system."""
_PATIENCE = 1.0
_THEN = "from pytest_tradestore.spawning import main; main()"


def stream_spawned(task: Task, deadline: float) -> Iterator[Sent | Ending]:
    """Do what ``isolation.stream_isolated`` does, without forking."""
    job = _pickled(task)
    chunks: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> bytes | None:
        try:
            return chunks.get(timeout=POLL)
        except Empty:
            return None

    with tempfile.TemporaryFile() as output, _begun(output) as process:
        assert process.stdin is not None and process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, chunks), daemon=True)
        reader.start()
        watch, told = Watch(process.pid, bytearray(BEAT.pack(0, 0, True)), deadline), Told()
        try:
            with contextlib.suppress(OSError):  # it has died; that is told in a moment
                process.stdin.write(json.dumps(sys.path).encode() + b"\n")
                process.stdin.write(job)
                process.stdin.close()
            yield from told.by(receive, watch)
        finally:
            _end(process, leave_time=told.nothing)
            reader.join(_PATIENCE)  # something that the store has started may hold the pipe open
        yield told.ending(watch, lambda: _how(process.returncode), kept(output))


def _pickled(task: Task) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        raise NotPossibleHereError(
            "this system cannot fork; to run stores in processes of their own here the suite needs cloudpickle "
            "(pip install cloudpickle)"
        ) from None
    try:
        made: bytes = cloudpickle.dumps((os.getcwd(), task))
    except Exception as error:
        raise NotPossibleHereError(
            f"this system cannot fork, and what is to be asked cannot be handed to another process ({error})"
        ) from None
    return made


def _begun(output: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - this interpreter, and text of ours
        [sys.executable, "-c", f"{BEGINNING}; {_THEN}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
    )


def _read(pipe: IO[bytes], chunks: "SimpleQueue[bytes]") -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(pipe.fileno(), 1 << 20):
            chunks.put(chunk)
    chunks.put(b"")


def _end(process: "subprocess.Popen[bytes]", *, leave_time: bool) -> None:
    if leave_time:  # it gets a moment to tell by its status why it ended
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    process.kill()
    process.wait()


def _how(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exited with status {status}"


class _Piped(Channel):
    """A channel whose heartbeats are messages: no memory is shared with the other end."""

    def __init__(self, pipe: int) -> None:
        super().__init__(bytearray(BEAT.size), pipe)

    def _note(self, number: int, *, idle: bool) -> None:
        super()._note(number, idle=idle)
        self.frame(("beat", (self._count, number, idle)))


def main() -> None:
    """Be such a process: read the task, run it, and send what comes of it."""
    results = os.dup(1)
    os.dup2(2, 1)  # what is printed is kept, in a file
    sys.stdout = open(1, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - lives as long as the process
    faulthandler.enable(2)
    warnings.simplefilter("ignore")  # a store is judged as it runs in production
    channel = _Piped(results)
    try:
        place, task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent process
        os.chdir(place)
        channel.step(0)  # to begin took its time; from here on it is the task's
        value = task(channel)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        channel.frame(("finished", value))
    except Exception as error:  # everything of ours that goes wrong is told to the parent
        trace = trace_of(error)
        told = f"{type(error).__name__}: {error}"
        channel.frame(("failed", (told, trace) if trace else traceback.format_exc()))
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(0)  # threads of the store may still run
