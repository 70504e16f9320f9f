"""The block log of what was seen, left where a person can look: the disk before, all that was written, what arrived."""

import json
import os
from itertools import count
from pathlib import Path

from pytest_tradestore.confirm.attempts import Left
from pytest_tradestore.confirm.rig import Recording
from pytest_tradestore.errors import ReplayError


def keep_log(directory: Path, name: str, recording: Recording | None, left: Left) -> str:
    """Write what led to ``left`` into a new directory below ``directory``, and return where that is.

    ``before.img`` is the disk before the program, ``left.img`` the one that the power loss left, not yet mounted by
    anybody; ``log.jsonl`` has a line for each write and flush, whose bytes stand in ``log.bin``; ``files`` is the tree
    that was found. Where a process ended and no power was lost there is only the tree. Raises ReplayError.
    """
    try:
        place = _new(directory, name)
        os.mkdir(place / "files")
        left.image.write(place / "files")
        if recording is not None and left.loss is not None:
            _write(place, recording, frozenset(left.loss.arrived))
    except OSError as error:
        raise ReplayError(
            f"--tradestore-keep {directory}: {error.strerror}; name a directory that can be written to"
        ) from None
    return str(place)


def _new(directory: Path, name: str) -> Path:
    os.makedirs(directory, exist_ok=True)
    for number in count(1):
        place = directory / (name if number == 1 else f"{name}-{number}")
        try:
            os.mkdir(place)
        except FileExistsError:
            continue
        return place
    raise AssertionError("counting does not end")


def _write(place: Path, recording: Recording, arrived: frozenset[int]) -> None:
    for name, writes in (("before.img", frozenset[int]()), ("left.img", arrived)):
        file = os.open(place / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            recording.before.restore(file)
            for n in sorted(writes):
                request = recording.log[n]
                os.pwrite(file, request.data or b"", request.offset)
        finally:
            os.close(file)
    at = 0
    with open(place / "log.jsonl", "w", encoding="utf-8") as lines, open(place / "log.bin", "wb") as data:
        for n, request in enumerate(recording.log):
            line = {"number": n, "arrived": request.arrived, "answered": request.answered}
            if request.data is None:
                line |= {"flush": True}
            else:
                line |= {"offset": request.offset, "bytes": len(request.data), "at": at, "left": n in arrived}
                at += data.write(request.data)
            lines.write(json.dumps(line) + "\n")
