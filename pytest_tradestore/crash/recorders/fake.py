"""The ``fake`` recorder: runs the store on a disk in memory that keeps a journal. No privileges, any operating system.

What it does not see it says: native libraries that are given a path, child processes, writable mappings.
"""

import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_tradestore.crash.operations import Mark, MarkKind
from pytest_tradestore.crash.trace import Trace, snapshot_of

if TYPE_CHECKING:
    from pytest_tradestore.crash.recorders.fake_disk import Disk
    from pytest_tradestore.crash.recorders.fake_guard import Guard
    from pytest_tradestore.crash.recorders.fake_journal import Journal


class FakeRecording:
    """A recording under way on the fake disk."""

    def __init__(self, journal: "Journal") -> None:
        self._journal = journal
        self._trace: Trace | None = None

    def mark(self, moment: MarkKind, update: int) -> None:
        """Put a mark between what was done before this call and what is done after it."""
        self._journal.note(Mark(moment, update))

    @property
    def trace(self) -> Trace:
        """The finished trace."""
        if self._trace is None:
            raise RuntimeError("the recording still runs: its trace is there once the with block has ended")
        return self._trace

    def finish(self, trace: Trace) -> None:
        """Take the finished trace."""
        self._trace = trace


class FakeRecorder:
    """Records pure-Python stores without touching the real root."""

    name = "fake"

    def unavailable(self) -> str | None:
        """Say why the fake disk cannot be had, or None."""
        if importlib.util.find_spec("pyfakefs") is None:
            return "The package pyfakefs is not installed."
        return None

    def several(self) -> AbstractContextManager["FakeRecorder"]:
        """Prepare for several recordings, one after the other: here there is nothing to prepare."""
        return nullcontext(self)

    @contextmanager
    def record(self, root: Path, *, volatile: Sequence[str] = ()) -> Iterator[FakeRecording]:
        """Run the block with ``root`` on the fake disk, beginning with a copy of what the real root holds.

        One recording at a time: the stand-ins are in force for the whole process.
        """
        from pytest_tradestore.crash.recorders.fake_calls import Calls
        from pytest_tradestore.crash.recorders.fake_descriptors import Descriptors
        from pytest_tradestore.crash.recorders.fake_disk import Disk
        from pytest_tradestore.crash.recorders.fake_files import Opening
        from pytest_tradestore.crash.recorders.fake_guard import Guard, fingerprint, listen
        from pytest_tradestore.crash.recorders.fake_journal import Journal
        from pytest_tradestore.crash.recorders.fake_locations import Lines
        from pytest_tradestore.crash.recorders.fake_namespace import Namespace
        from pytest_tradestore.crash.recorders.fake_patches import Patches, real_functions
        from pytest_tradestore.crash.recorders.fake_trace import difference_from_disk, operations_under_root

        real_root = os.path.realpath(root)
        initial, _ = snapshot_of(Path(real_root))
        before = fingerprint(real_root)
        lines, real = Lines(), real_functions()
        journal = Journal(lines)
        disk = Disk(real_root, initial, journal, getattr(os.stat(real_root), "st_blksize", 0))
        descriptors = Descriptors(real)
        names = Namespace(disk, descriptors, real, os.path.abspath(root))
        calls = Calls(disk, names, descriptors, real)
        guard = Guard(names.is_inside, disk.exists)
        recording = FakeRecording(journal)
        patches = Patches()
        try:
            _stand_in(patches, calls, Opening(calls, real), lines, guard, volatile)
            listen(guard)
            yield recording
        except BaseException as error:
            _explain(error, disk, names.is_inside, guard)
            raise
        finally:
            journal.close()
            listen(None)
            patches.restore()
            descriptors.close_all()
            for path in sorted(_changed(before, fingerprint(real_root))):
                guard.say(
                    f"{path!r} was changed on the real disk, past the recorder, by a native library or another program."
                )
            operations = operations_under_root(journal.noted, initial)
            trace = Trace(self.name, initial, operations)
            difference = difference_from_disk(trace, disk)
            unseen = (*guard.sentences, *([difference] if difference else []))
            recording.finish(Trace(self.name, initial, operations, unseen))


def _stand_in(patches: Any, calls: Any, opening: Any, lines: Any, guard: "Guard", volatile: Sequence[str]) -> None:
    """Put everything in force."""
    import builtins
    import io
    import mmap

    from pytest_tradestore.crash.recorders.fake_mapping import mapping_class
    from pytest_tradestore.crash.recorders.fake_natives import watch
    from pytest_tradestore.crash.recorders.fake_patches import OS_FUNCTIONS

    def mapped(path: str) -> None:
        relative = os.path.relpath(path, calls.disk.root)
        if calls.names.is_inside(path) and not any(fnmatch(relative, pattern) for pattern in volatile):
            guard.say(f"mmap mapped {relative!r} for writing; what is stored through the mapping is not recorded.")

    for name in OS_FUNCTIONS:
        if hasattr(os, name):
            patches.replace(os, name, getattr(calls, name))
    patches.replace(io, "open", opening.open)
    patches.replace(builtins, "open", opening.open)
    patches.replace(io, "FileIO", opening.file_io())
    patches.replace(mmap, "mmap", mapping_class(calls, mapped))
    try:
        import fcntl
    except ImportError:
        pass
    else:
        patches.replace(fcntl, "flock", calls.flock)
        patches.replace(fcntl, "lockf", calls.fcntl_lockf)
        patches.replace(fcntl, "fcntl", calls.fcntl)
    patches.support()
    watch(patches, guard, calls.names.is_inside)
    patches.spread()
    patches.carry_lines(lines)


def _explain(error: BaseException, disk: "Disk", is_inside: Any, guard: "Guard") -> None:
    """Notice an error that came from somebody who looked for a file of the fake disk on the real one."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        by_name = getattr(cause, "filename", None)
        # native libraries put the path into the message only; an error of the fake disk itself carries it
        named = [by_name] if by_name is not None else re.findall(r"/[^'\"]+|[A-Za-z]:\\[^'\"]+", str(cause))
        for path in named if isinstance(cause, FileNotFoundError) else ():
            if isinstance(path, str) and is_inside(path) and (by_name is None or disk.exists(path)):
                guard.say(f"{os.path.basename(path)!r} was looked for on the real disk, past the recorder.")
        cause = cause.__cause__ or cause.__context__


def _changed(before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}
