"""Random programs of file operations, as frozen facts: whatever they do, a recorder has to see it.

A program is a tuple of steps; any sequence of steps is a program, because a step that the system refuses does nothing.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

NAMES = ("a", "b", "d", "d/a", "d/b", "e", "e/d", "e/d/a")
SLOTS = 3

OPEN_FLAGS = (
    os.O_RDWR | os.O_CREAT,
    os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    os.O_RDWR | os.O_CREAT | os.O_EXCL,
    os.O_RDWR | os.O_CREAT | os.O_APPEND,
    os.O_WRONLY | os.O_APPEND,
    os.O_RDONLY,
    os.O_RDWR,
)
MODES = ("wb", "ab", "r+b", "xb", "w+b", "a+b")

ACTIONS = (
    *("write_file", "open", "write", "pwrite", "read", "seek", "truncate_open", "sync", "dup", "close"),
    *("rename", "link", "symlink", "unlink", "mkdir", "rmdir", "truncate", "sync_directory"),
)
"""What every file system under test can do."""

COPIES = ("copy_range", "sendfile")
"""What only a real kernel can do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; which of the fields count depends on the action."""

    action: str
    path: str = "a"
    other: str = "b"
    slot: int = 0
    to_slot: int = 1
    data: bytes = b""
    number: int = 0


Program = tuple[Step, ...]


def steps(actions: Sequence[str]) -> st.SearchStrategy[Step]:
    """Any one step of the actions given."""
    paths = st.sampled_from(NAMES)
    slots = st.integers(0, SLOTS - 1)
    return st.builds(
        Step,
        action=st.sampled_from(actions),
        path=paths,
        other=paths,
        slot=slots,
        to_slot=slots,
        data=st.binary(max_size=12) | st.sampled_from((b"x" * 4097, b"y" * 9000)),
        number=st.integers(0, 20),
    )


def programs(actions: Sequence[str] = ACTIONS, *, max_size: int = 30) -> st.SearchStrategy[Program]:
    """Programs of the actions given, the shortest first."""
    return st.lists(steps(actions), min_size=1, max_size=max_size).map(tuple)


def run(program: Program, root: Path) -> None:
    """Let a program happen under a root; steps that the system refuses are passed over."""
    descriptors: dict[int, int] = {}
    try:
        for step in program:
            with suppress(OSError):
                _take(step, root, descriptors)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _take(step: Step, root: Path, descriptors: dict[int, int]) -> None:
    path, other = os.path.join(root, step.path), os.path.join(root, step.other)
    slot = descriptors.get(step.slot)
    match step.action:
        case "write_file":
            with open(path, MODES[step.number % len(MODES)]) as file:
                file.write(step.data)
                if step.number % 2:
                    file.flush()
                    os.fsync(file.fileno())
                file.write(b"tail")
        case "open":
            opened = os.open(path, OPEN_FLAGS[step.number % len(OPEN_FLAGS)], 0o644)
            _close(step.slot, descriptors)
            descriptors[step.slot] = opened
        case "rename":
            os.rename(path, other)
        case "link":
            os.link(path, other)
        case "symlink":
            os.symlink(step.path, other)
        case "unlink":
            os.unlink(path)
        case "mkdir":
            os.mkdir(path)
        case "rmdir":
            os.rmdir(path)
        case "truncate":
            os.truncate(path, step.number)
        case "sync_directory":
            directory = os.open(os.path.dirname(path), os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        case "close":
            _close(step.slot, descriptors)
        case _ if slot is not None:
            _take_on_descriptor(step, slot, descriptors)


def _take_on_descriptor(step: Step, slot: int, descriptors: dict[int, int]) -> None:
    other = descriptors.get(step.to_slot)
    match step.action:
        case "write":
            os.write(slot, step.data)
        case "pwrite":
            os.pwrite(slot, step.data, step.number)
        case "read":
            os.read(slot, step.number)
        case "seek":
            os.lseek(slot, step.number, os.SEEK_SET if step.number % 2 else os.SEEK_END)
        case "truncate_open":
            os.ftruncate(slot, step.number)
        case "sync":
            os.fdatasync(slot) if step.number % 2 else os.fsync(slot)
        case "dup":
            copy = os.dup(slot)
            _close(step.to_slot, descriptors)
            descriptors[step.to_slot] = copy
        case "copy_range" if other is not None:
            os.copy_file_range(slot, other, step.number, None if step.number % 2 else 1)
        case "sendfile" if other is not None and not os.path.sameopenfile(slot, other):
            os.sendfile(other, slot, None if step.number % 2 else 1, step.number)


def _close(slot: int, descriptors: dict[int, int]) -> None:
    descriptor = descriptors.pop(slot, None)
    if descriptor is not None:
        os.close(descriptor)
