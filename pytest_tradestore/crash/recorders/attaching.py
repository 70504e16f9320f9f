"""Attaching strace to the running process and letting go of it again: never a hang, never a process left behind."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_PROBE = "/\x01tradestore/attached"
_PROBE_IN_LOG = "".join(f"\\x{byte:02x}" for byte in _PROBE.encode()).encode()
_LEAST_DESCRIPTOR = 500
_PIECE = 1 << 15
_TRACERS = (b"strace", b"ltrace", b"gdb", b"lldb")
_SECONDS_TO_ATTACH = 10.0
_SECONDS_TO_DETACH = 20.0
_PR_SET_PTRACER = 0x59616D61
_LONGEST_STRING = 1 << 25
_READS = ("read", "readv", "preadv2")
"""Only their results are wanted, so their data is not dumped."""


class AttachError(RuntimeError):
    """strace could not attach to this process; the message says why, in strace's words where it had some."""


class Attached:
    """strace, attached to this process and everything it starts, writing a log until ``detach``."""

    def __init__(self, calls: Sequence[str], processes: Sequence[int] = ()) -> None:
        """Attach to this process, and to ``processes`` beside it where that is allowed.

        Raises AttachError when strace does not run or may not.
        """
        if tracer := tracer_of("self"):
            # Two tracers that come to trace each other would wait for ever, and this process with them.
            raise AttachError(f"this process is already traced by process {tracer}")
        self._log, self._errors = _FileInMemory("log"), _FileInMemory("errors")
        self._looked_at = b""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start((*calls, "readlink", "readlinkat"), processes)
            self._wait_until_attached()
        except BaseException:
            self.detach()
            raise

    def _start(self, calls: Sequence[str], processes: Sequence[int]) -> None:
        program = shutil.which("strace")
        if program is None:
            raise AttachError("strace is not installed")
        _allow_any_tracer(allowed=True)
        command = [
            *(program, "-f", "-yy", "-xx", "-qq", "--timestamps=unix,ns", "-s", str(_LONGEST_STRING)),
            *("-e", "raw=" + ",".join("?" + name for name in _READS)),
            *("-e", "trace=" + ",".join("?" + name for name in calls), "-e", "signal=none"),
            *("-o", f"/proc/self/fd/{self._log.fileno()}"),
        ]
        for process in (*processes, os.getpid()):  # in this order: once this one is traced, the others are
            command += ["-p", str(process)]
        self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors.fileno(),
            pass_fds=[self._log.fileno()],
            start_new_session=True,  # a Ctrl-C is for the tests, not for strace
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )

    def _wait_until_attached(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _SECONDS_TO_ATTACH
        while not (_all_traced(self._process.pid) and self._sees_calls()):
            if self._process.poll() is not None:
                said = " ".join(self._errors.content().split())
                raise AttachError(said or f"strace ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise AttachError(f"strace did not attach within {_SECONDS_TO_ATTACH:.0f} seconds")
            time.sleep(0.0005)

    def _sees_calls(self) -> bool:
        """Make a call and look for it in the log: a process is traced a while before its calls are."""
        with contextlib.suppress(OSError):
            os.readlink(_PROBE)
        # In small pieces, none twice: reading makes calls that are logged, and a large buffer makes more of them.
        self._looked_at = self._looked_at[-len(_PROBE_IN_LOG) :] + self._log.next_piece()
        return _PROBE_IN_LOG in self._looked_at

    @property
    def pid(self) -> int:
        """The process of strace itself."""
        return self._process.pid if self._process is not None else 0

    def detach(self) -> str:
        """Let go of the process and return the log; whatever happens, strace has ended and its files are gone."""
        try:
            if self._process is not None:
                _end(self._process)
            return self._log.content()
        finally:
            _allow_any_tracer(allowed=False)
            self._log.close()
            self._errors.close()


class _FileInMemory:
    """A file that has no name, so that it is gone with the processes that have it open, however they end."""

    def __init__(self, name: str) -> None:
        import fcntl  # here, so that other systems can import this module and be told why they cannot use it

        first = os.memfd_create(f"tradestore-strace-{name}")
        try:
            # Out of the way of programs that close or count their low descriptors.
            self._number = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, _LEAST_DESCRIPTOR)
        except OSError:
            self._number = os.dup(first)
        finally:
            os.close(first)
        self._identity = os.fstat(self._number).st_ino
        self._offset = 0

    def fileno(self) -> int:
        return self._number

    def content(self) -> str:
        """Return what was written to it; nothing if the program under test closed it."""
        return _read(self._number).decode("ascii", "backslashreplace") if self._is_ours() else ""

    def next_piece(self) -> bytes:
        """Return some of what was written since the last time."""
        piece = os.pread(self._number, _PIECE, self._offset)
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        if self._is_ours():
            os.close(self._number)

    def _is_ours(self) -> bool:
        try:
            return os.fstat(self._number).st_ino == self._identity
        except OSError:
            return False


def _read(number: int) -> bytes:
    parts, offset = [], 0
    while part := os.pread(number, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_SECONDS_TO_DETACH)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel lets go of what a dead tracer held
        process.wait()


def _allow_any_tracer(*, allowed: bool) -> None:
    """Let a child attach to this process where the Yama module restricts that; elsewhere it does nothing."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1 if allowed else 0), 0, 0, 0)


def tracer_of(process: int | str, task: int | str | None = None) -> int:
    """Return the process that traces a task, or 0."""
    status = _text(f"/proc/{process}/task/{task}/status" if task else f"/proc/{process}/status")
    found = re.search(rb"^TracerPid:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0


def _text(path: str) -> bytes:
    """Read a file of the system with as few calls as can be: this process may be traced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read_on(descriptor)
    finally:
        os.close(descriptor)


def _read_on(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, _PIECE):
        parts.append(part)
    return b"".join(parts)


def _all_traced(tracer: int) -> bool:
    for task in os.listdir("/proc/self/task"):
        try:
            if tracer_of("self", task) != tracer:
                return False
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that ended meanwhile
    return True


def descendants(tracer: int = 0) -> tuple[int, ...]:
    """Return the processes that this one has started and that still run, and theirs; tracers and traced ones not.

    What a tracer does is not the store's doing, and two tracers must never come to trace each other. Those that
    ``tracer``, a process, traces already are among them.
    """
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        process = pending.pop()
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                children = map(int, _text(f"/proc/{process}/task/{task}/children").split())
                fit = [child for child in children if child != tracer and _can_be_traced(child, tracer)]
                pending += fit
                found += fit
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return tuple(sorted(found))


def _can_be_traced(process: int, tracer: int) -> bool:
    try:
        return tracer_of(process) in (0, tracer) and _text(f"/proc/{process}/comm").strip() not in _TRACERS
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def not_attached(tracer: int, processes: Sequence[int], root: str) -> tuple[str, ...]:
    """Say which of the processes strace could not attach to although they have something under the root open."""
    found = []
    for process in processes:
        try:
            numbers = os.listdir(f"/proc/{process}/fd")
            links = [f"/proc/{process}/cwd", *(f"/proc/{process}/fd/{number}" for number in numbers)]
            if tracer_of(process) == tracer:
                continue
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        for link in links:
            with contextlib.suppress(OSError):
                if f"{os.readlink(link)}/".startswith(f"{root}/"):
                    found.append(
                        f"process {process}, a child from before the recording, works under the root and cannot be "
                        "traced; end it before the recording or start it inside"
                    )
                    break
    return tuple(found)


def why_not() -> str | None:
    """Say why this process cannot be traced, in one sentence that says what to do; None when it can.

    Really attaches, because nothing else tells; that costs what the beginning of a recording costs.
    """
    if sys.platform != "linux":
        return "the strace recorder needs Linux; use --tradestore-recorder=fake"
    if shutil.which("strace") is None:
        return (
            "strace is not installed; install it with the system's package manager, or use --tradestore-recorder=fake"
        )
    tracer = tracer_of("self")
    if tracer:
        return (
            f"this process is already traced by process {tracer} (a debugger, or another strace); "
            "end that, or use --tradestore-recorder=fake"
        )
    try:
        Attached(("fsync",)).detach()
    except AttachError as error:
        said = str(error)
        if "not permitted" in said:
            return (
                f"strace may not attach to a running process here ({said}); allow ptrace "
                "(in a container: --cap-add=SYS_PTRACE), or use --tradestore-recorder=fake"
            )
        if "option" in said or "invalid" in said:
            return f"this strace is too old ({said}); version 5.6 or later is needed, or use --tradestore-recorder=fake"
        return f"strace does not work here ({said}); use --tradestore-recorder=fake"
    except OSError as error:
        return f"strace cannot be started here ({error}); use --tradestore-recorder=fake"
    return None
