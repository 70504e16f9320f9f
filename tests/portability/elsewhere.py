"""Makes this process look like one on Windows, or on macOS, as far as Python shows it: run it with what to do there.

``python -m tests.portability.elsewhere windows import`` imports every module; ``... windows run`` makes a small run.
What the system lacks is hidden before anything of ours is imported; the files are still those of this machine. With
``here`` nothing is hidden: so the workflow runs it on the real ones.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

TOP = Path(__file__).parents[2]
PACKAGES = {
    "pytest_tradestore": "pytest_tradestore",
    "conformance": "pytest_tradestore.conformance",
    "reference_store": "reference_store",
}

LACKING_MODULES = {
    "windows": ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix1e"),
    "macos": (),
}
LACKING = {
    "windows": """
        fork forkpty setsid getsid getpgid setpgid killpg waitid WIFSIGNALED WTERMSIG WIFEXITED WEXITSTATUS WNOHANG
        WNOWAIT WEXITED P_PID chown fchown lchown geteuid getuid getegid getgid getgroups setuid setgid seteuid setegid
        setgroups setresuid setresgid getresuid getresgid mkfifo mknod O_DIRECTORY O_NOFOLLOW O_CLOEXEC O_NONBLOCK
        O_SYNC O_DSYNC O_DIRECT O_TMPFILE O_PATH O_NOATIME O_ASYNC O_NOCTTY getxattr setxattr listxattr removexattr
        XATTR_CREATE XATTR_REPLACE pread pwrite preadv pwritev readv writev RWF_DSYNC RWF_SYNC RWF_APPEND sendfile
        copy_file_range splice posix_fallocate posix_fadvise POSIX_FADV_DONTNEED fdatasync sync sched_getaffinity
        sched_setaffinity sched_yield getloadavg sysconf confstr pathconf fpathconf statvfs fstatvfs lockf F_LOCK
        F_ULOCK F_TEST F_TLOCK memfd_create eventfd openpty ttyname tcgetpgrp tcsetpgrp nice getpriority setpriority
        register_at_fork fchmod fwalk wait wait3 wait4 posix_spawn posix_spawnp ctermid uname chroot fchdir
    """,
    "macos": """
        getxattr setxattr listxattr removexattr XATTR_CREATE XATTR_REPLACE O_TMPFILE O_DIRECT O_PATH O_NOATIME
        copy_file_range splice posix_fallocate posix_fadvise POSIX_FADV_DONTNEED fdatasync sched_getaffinity
        sched_setaffinity memfd_create eventfd RWF_DSYNC RWF_SYNC RWF_APPEND waitid
    """,
}
LACKING_SIGNALS = {
    "windows": """
        SIGALRM SIGKILL SIGHUP SIGCHLD SIGUSR1 SIGUSR2 SIGSTOP SIGCONT SIGTSTP SIGXCPU SIGXFSZ SIGPIPE SIGQUIT SIGPROF
        SIGVTALRM SIG_BLOCK SIG_UNBLOCK SIG_SETMASK ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF alarm setitimer getitimer
        pthread_sigmask pthread_kill sigwait sigwaitinfo sigtimedwait sigpending pause siginterrupt
    """,
    "macos": "sigwaitinfo sigtimedwait",
}
PLATFORMS = {"windows": "win32", "macos": "darwin"}


class Hidden(MetaPathFinder):
    """Says of some modules that there are none."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def _without_itself(loaded: Any) -> Any:
    """Where there is no library that is the process itself."""

    def load(name: object, *arguments: Any, **options: Any) -> Any:
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        return loaded(name, *arguments, **options)

    return load


def hide(system: str) -> None:
    """Take away what Python does not have there, of what is not part of the language."""
    for name in ("os", "signal"):  # what begins processes and waits for them is another one there
        kept = ModuleType(name)
        vars(kept).update(vars(getattr(subprocess, name)))
        setattr(subprocess, name, kept)
    for module, names in ((os, LACKING[system]), (signal, LACKING_SIGNALS[system])):
        for name in names.split():
            with contextlib.suppress(AttributeError):
                delattr(module, name)
    if system == "windows":
        os.supports_fd = {os.stat, os.truncate}
        os.supports_dir_fd = set()
        ctypes.CDLL = _without_itself(ctypes.CDLL)  # type: ignore[misc,assignment]
    for name in LACKING_MODULES[system]:
        sys.modules.pop(name, None)
    tempfile._O_TMPFILE_WORKS = False  # it has asked before
    sys.meta_path.insert(0, Hidden(LACKING_MODULES[system]))


def with_their_needs() -> None:
    """Import what this process needs and what has reasons of its own to ask for this machine's system."""
    import asyncio
    import multiprocessing

    import _pytest.capture
    import aiofiles.os
    import hypothesis.stateful
    import pyarrow.parquet
    import pydantic
    import pyfakefs.fake_filesystem_unittest

    assert (asyncio, multiprocessing, subprocess, threading, _pytest.capture, aiofiles.os) is not None
    assert (hypothesis.stateful, pyarrow.parquet, pydantic, pyfakefs.fake_filesystem_unittest) is not None


def modules() -> Iterator[str]:
    """Yield the name of every module that is installed with us."""
    for folder, package in PACKAGES.items():
        for path in sorted((TOP / folder).rglob("*.py")):
            parts = path.relative_to(TOP / folder).with_suffix("").parts
            yield ".".join((package, *parts)).removesuffix(".__init__")


def hide_in_processes(system: str) -> None:
    """Have the processes that are begun for a store look like ones of that system too."""
    from pytest_tradestore import spawning

    spawning.BEGINNING += f"; from tests.portability.elsewhere import hide_from_a_store; hide_from_a_store({system!r})"


def hide_from_a_store(system: str) -> None:
    """Take the same away from a process that a store runs in, which imports less."""
    import asyncio
    import multiprocessing

    import pyfakefs.fake_filesystem

    assert (asyncio, multiprocessing, pyfakefs.fake_filesystem) is not None
    hide(system)


def opened(root: Path) -> int:
    """Save and load a document with the reference store, and print what comes of that."""
    from reference_store import SingleDocumentStore, StoreError

    try:
        with SingleDocumentStore(root) as store:
            store.save({"cash": 1})
            print(store.load())
    except StoreError as error:
        print(f"{type(error).__name__}: {error}")
    return 0


def main(system: str, what: str, *arguments: str) -> int:
    if system != "here":
        with_their_needs()
        hide(system)
        hide_in_processes(system)
    if what == "run":
        import pytest

        return int(pytest.main(list(arguments)))
    if what == "open":
        return opened(Path(*arguments))
    wrong = 0
    for name in modules():
        try:
            importlib.import_module(name)
        except Exception as error:
            wrong += 1
            print(f"{name}: {type(error).__name__}: {error}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
