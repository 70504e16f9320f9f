"""Makes system calls of the store fail or fall short, at a chosen one of them."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

Fail = Callable[..., None]


def fail_call(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int = errno.EIO,
    *,
    at: int = 1,
    when: Callable[..., bool] = lambda *_: True,
) -> list[int]:
    """Make the ``at``-th matching call of ``os.<name>`` fail with ``code``; the list counts the matching calls."""
    real = getattr(os, name)
    calls = [0]

    def failing(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            calls[0] += 1
            if calls[0] == at:
                if name == "close":
                    real(*args, **kwargs)  # the descriptor is gone even when close reports an error
                raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, failing)
    return calls


def is_directory(descriptor: int) -> bool:
    """Whether a descriptor is one of a directory."""
    return os.path.isdir(f"/proc/self/fd/{descriptor}")


def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each sync: of a file or of a directory."""
    seen: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        seen.append("directory" if is_directory(descriptor) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return seen
