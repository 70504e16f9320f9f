"""A real PostgreSQL on loopback: made, started, and gone with whoever started it, however that ends.

Its keeper waits for the end of the run, stops it and takes its data away. Should the keeper be killed, the kernel stops
the server (Linux), and a process that waits for just that takes the data away. It refuses to run as root; then it runs
as ``postgres`` or ``nobody``.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from select import select
from socket import create_server, socket
from time import monotonic

from pytest_tradestore.backends.postgres_messages import Control
from pytest_tradestore.isolation import end_with_parent
from pytest_tradestore.sandbox import Sandbox, remove_tree

try:
    import pwd
except ImportError:  # a system without such users, on which nothing here is started
    pwd = None  # type: ignore[assignment] # as said above

USER = "tradestore"
_SETTINGS = (
    "listen_addresses=127.0.0.1", "synchronous_commit=on", "autovacuum=off",
    "deadlock_timeout=1ms", "max_connections=200", "shared_buffers=32MB", "log_min_messages=fatal",
    "jit=off", "wal_level=minimal", "max_wal_senders=0", "max_prepared_transactions=20",
)  # fmt: skip
_PATIENCE = 60.0
"""Seconds in which it has to be there."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: reached on 127.0.0.1 without a password."""

    port: int
    keeper: int
    """The process that looks after it."""

    def control(self, database: str = "postgres") -> Control:
        return Control(self.port, USER, database)

    def dsn(self, database: str, port: int = 0) -> str:
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{database}"

    def database(self, name: str) -> str:
        """Return how a database is reached, which is made if it is not there."""
        control = self.control()
        try:
            if not control.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608 - a name of ours
                control.ask(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY file_copy')
        finally:
            control.close()
        return self.dsn(name)


def unavailable() -> str:
    """Say why no server can be started here; empty where one can."""
    if not programs():
        return "initdb and postgres are not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and _another_user() is None:
        return "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody"
    return ""


def programs() -> str:
    """Return the directory with the server's programs, the newest there is; empty where there is none."""
    on_path = shutil.which("initdb")
    found = [os.path.dirname(on_path)] if on_path else []
    found += sorted(glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]), reverse=True)
    return next((path for path in found if all(os.access(f"{path}/{p}", os.X_OK) for p in ("initdb", "postgres"))), "")


def _another_user() -> "pwd.struct_passwd | None":
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def start(apart: Callable[[Callable[[socket], None]], int]) -> Server:
    """Start a server with data of its own. Raises RuntimeError, with the reason, if that does not work here.

    ``apart`` does work in a process of its own and hands it the link whose end is the server's.
    """
    if reason := unavailable():
        raise RuntimeError(reason)
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told, tells = os.pipe()
    keeper = apart(lambda link: _keep(port, link, tells))
    os.close(tells)
    said = b""
    try:
        while select([told], [], [], _PATIENCE)[0] and (data := os.read(told, 4096)):
            said += data
            if said.endswith(b"\n"):
                break
    finally:
        os.close(told)
    if said != b"ready\n":
        raise RuntimeError(f"it did not start: {said.decode(errors='replace').strip() or 'it said nothing'}")
    return Server(port, keeper)


class _Over(BaseException):
    """Raised in the keeper when whoever started it is gone."""


def _is_over(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what follows is to come to its end
    raise _Over


def _keep(port: int, link: socket, tells: int) -> None:
    """Make the data, run the server on it until the link is closed or SIGTERM comes, and take all of it away."""
    server: subprocess.Popen[bytes] | None = None
    signal.signal(signal.SIGTERM, _is_over)
    with suppress(_Over), Sandbox() as sandbox:
        data = sandbox.path / "postgres"
        watched = _watched(sandbox.path, (link.fileno(), tells))
        try:
            try:
                server = _started(port, data, sandbox.path)
                os.write(tells, b"ready\n")
            except (OSError, RuntimeError, subprocess.SubprocessError) as reason:
                os.write(tells, f"{reason}\n".encode())
            os.close(tells)
            if server is not None:
                os.write(watched, b"%d" % server.pid)
                select([link], [], [])
        finally:
            if server is not None:
                server.send_signal(signal.SIGQUIT)
                server.wait()
            remove_tree(data)


def _watched(place: Path, others: tuple[int, ...]) -> int:
    """Have a process take a directory away should this one be killed; return where it is told the server's number."""
    hears, tells = os.pipe()
    if os.fork():
        os.close(hears)
        return tells
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for descriptor in (tells, *others):
            os.close(descriptor)
        server = b""
        while data := os.read(hears, 64):
            server += data
        # Nobody holds the other end any more: the keeper is gone, and the server too, or about to be.
        until = monotonic() + _PATIENCE
        with suppress(ProcessLookupError):
            while server and monotonic() < until:
                os.kill(int(server), signal.SIGQUIT)
                select([], [], [], 0.02)
        remove_tree(place)
    finally:
        os._exit(0)


def _started(port: int, data: Path, place: Path) -> "subprocess.Popen[bytes]":
    where, user = programs(), _another_user() if os.geteuid() == 0 else None
    os.mkdir(data)
    keeper = os.getpid()
    options: dict[str, object] = {"preexec_fn": lambda: end_with_parent(keeper, signal.SIGQUIT)}
    if user is not None:
        os.chmod(place, 0o711)  # noqa: S103 - the name of what lies below is known to the server alone
        os.chown(data, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    made = subprocess.run(  # noqa: S603 - the program was looked for in known places
        [f"{where}/initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-N"],
        capture_output=True, check=False, cwd=data, **options,  # type: ignore[call-overload] # of whom it is run
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(made.stderr.decode(errors="replace").strip().replace("\n", "; "))
    settings = [word for setting in (*_SETTINGS, f"unix_socket_directories={data}") for word in ("-c", setting)]
    server: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - as above
        [f"{where}/postgres", "-D", data, "-p", str(port), *settings],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=data, **options,  # type: ignore[call-overload] # as above
    )  # fmt: skip
    until = monotonic() + _PATIENCE
    while True:
        if server.poll() is not None:
            raise RuntimeError(f"postgres ended with status {server.returncode}")
        try:
            Control(port, USER, "postgres").close()
            return server
        except (OSError, RuntimeError) as reason:
            if monotonic() > until:
                server.kill()
                raise RuntimeError(f"it does not answer: {reason}") from None
            select([], [], [], 0.02)
