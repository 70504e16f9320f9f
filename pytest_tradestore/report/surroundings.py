"""When, where and with what a run was made: what somebody asks who reads its report a month later."""

import platform
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PATIENCE = 10
"""Seconds after which a report does without the commit."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is empty is not known.

    ``began`` is a time in UTC as ISO 8601; ``seconds`` is how long it took, all its ``parts`` together; ``commit`` is
    what the project had checked out, ``changed`` whether files that it tracks were changed since.
    """

    began: str = ""
    seconds: float = 0.0
    host: str = ""
    system: str = ""
    python: str = ""
    pytest: str = ""
    commit: str = ""
    changed: bool = False
    parts: int = 1


def surroundings_of(began: datetime, ended: datetime, project: Path) -> Surroundings:
    """Return the surroundings of a run in this process."""
    commit, changed = _commit_of(project)
    return Surroundings(
        began=began.astimezone(UTC).isoformat(timespec="seconds"),
        seconds=round((ended - began).total_seconds(), 1),
        host=socket.gethostname(),
        system=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        pytest=version("pytest"),
        commit=commit,
        changed=changed,
    )


def surroundings_from_dict(read: Mapping[str, Any]) -> Surroundings:
    """Return what ``asdict`` was made of; what an older version did not write is not known."""
    known = {name: value for name, value in read.items() if name in Surroundings.__dataclass_fields__}
    return Surroundings(**known)


def joined(parts: Sequence[Surroundings]) -> Surroundings:
    """Return the surroundings of a run that was made in parts: the earliest begin, and every host."""

    def every(name: str) -> str:
        return ", ".join(dict.fromkeys(filter(None, (getattr(part, name) for part in parts))))

    return Surroundings(
        began=min(filter(None, (part.began for part in parts)), default=""),
        seconds=round(sum(part.seconds for part in parts), 1),
        host=every("host"),
        system=every("system"),
        python=every("python"),
        pytest=every("pytest"),
        commit=every("commit"),
        changed=any(part.changed for part in parts),
        parts=sum(part.parts for part in parts),
    )


def _commit_of(project: Path) -> tuple[str, bool]:
    """Return the commit that a project has checked out, and whether it was changed since; nothing without git."""
    git = shutil.which("git")
    if git is None:
        return "", False

    def asked(*question: str) -> str:
        done = subprocess.run(  # noqa: S603 # git, with words of our own
            [git, "--no-optional-locks", "-C", str(project), *question],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = asked("rev-parse", "--verify", "--quiet", "HEAD")
        return commit, bool(commit) and bool(asked("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.TimeoutExpired):
        return "", False
