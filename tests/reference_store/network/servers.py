"""Servers of the tests' own: PostgreSQL from the system's packages, on a socket in a directory that goes with it."""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from pytest_tradestore.sandbox import Sandbox

_PLACES = ("", *sorted((str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))
_OWNER = 65534  # nobody: the server refuses to run as root


def program(name: str) -> str | None:
    found = (shutil.which(name, path=place or None) for place in _PLACES)
    return next((path for path in found if path), None)


def _ends_with_us() -> None:
    """Let the server end when whoever started it does, however that comes about (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Server:
    """A PostgreSQL of its own; ``kill`` ends it as a crash does, ``start`` begins it again on the same data."""

    def __init__(self, *settings: str, place: Path | None = None) -> None:
        """``place`` is a directory that everybody may pass through, on whose disk its data is to be; else in memory."""
        initdb, postgres = program("initdb"), program("postgres")
        if initdb is None or postgres is None:
            pytest.skip("no PostgreSQL server here: install the package postgresql")
        self._postgres, self._settings = postgres, settings
        # Not below pytest's own directories: each session of the same user closes those to everybody else.
        self._sandbox = Sandbox(place)
        self.data, self.socket = self._sandbox.path / "data", self._sandbox.path / "socket"
        self._as: dict[str, int] = {}
        for made in (self.data, self.socket):
            made.mkdir(mode=0o700)
        if os.getuid() == 0:
            self._as = {"user": _OWNER, "group": _OWNER}
            self._sandbox.path.chmod(0o711)
            for made in (self.data, self.socket):
                os.chown(made, _OWNER, _OWNER)
        self._run(initdb, "-D", str(self.data), "-U", "trader", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def conninfo(self) -> str:
        return f"host={self.socket} user=trader dbname=postgres password=not-to-be-shown"

    def start(self) -> None:
        settings = ("listen_addresses=", f"unix_socket_directories={self.socket}", "shared_buffers=16MB")
        with open(self.data.parent / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._postgres, "-D", str(self.data), *(f"-c{each}" for each in (*settings, *self._settings))],
                stdout=log, stderr=log, cwd="/", start_new_session=True, preexec_fn=_ends_with_us, **self._as,  # type: ignore[call-overload]
            )  # fmt: skip
        end = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, (self.data.parent / "log").read_text()
            assert time.monotonic() < end, "the server did not begin to answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """End all of it at once, as a crash does; what is left for the next one lies on the disk."""
        assert self._process is not None
        postmaster, ends = self._process.pid, []
        os.kill(postmaster, signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, postmaster, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            # As long as it stands still it begins no process, and keeps the numbers of those that end.
            for child in self._children():
                ends.append(os.pidfd_open(child))
                signal.pidfd_send_signal(ends[-1], signal.SIGKILL)
            for end in ends:
                over = select.poll()
                over.register(end, select.POLLIN)
                over.poll()  # until then it may still write, and holds the memory that all of them share
        finally:
            self._process.kill()
            self._process.wait()
            for end in ends:
                os.close(end)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.send_signal(signal.SIGCONT)  # whatever has kept it from being killed
            self._process.wait(60)
        self._sandbox.__exit__(None, None, None)

    def _children(self) -> list[int]:
        """The server's processes, each of which leads a session of its own."""
        assert self._process is not None
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.conninfo, connect_timeout=60).close()
        except psycopg.Error:
            return False
        return True

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", **self._as)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr


class Wire:
    """Stands between clients and a server, and loses the answer to the next COMMIT when it is told to.

    ``lose`` is what becomes of that COMMIT: ``"done"`` (and then nobody says so) or ``"not done"``.
    """

    def __init__(self, server: Server, directory: Path) -> None:
        self._target = str(server.socket / ".s.PGSQL.5432")
        self._address = directory / ".s.PGSQL.5432"
        self.lose: str | None = None
        self.lost = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._address))
        self._listener.listen(64)
        self.conninfo = server.conninfo.replace(str(server.socket), str(directory))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is client and b"COMMIT\0" in data and self.lose is not None:
                        lose, self.lose = self.lose, None
                        self.lost += 1
                        if lose == "done":
                            server.sendall(data)
                            server.recv(65536)
                        return
                    (server if end is client else client).sendall(data)
