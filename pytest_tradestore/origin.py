"""Whose a file of code is: Python's own, an installed package's, or somebody's; made-up code is nobody's."""

import os
import sysconfig
from functools import cache

INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
"""What the path of an installed package contains. These often lie below Python's own directory."""


@cache
def is_installed(file: str) -> bool:
    """Say whether a file of code belongs to an installed package."""
    return any(part in file for part in INSTALLED)


@cache
def is_pythons(file: str) -> bool:
    """Say whether a file of code belongs to Python itself, also where its path leads there through a link.

    Asked once for each file: resolving a path is a call of the system for each part of it, and where those are
    watched each of them costs.
    """
    if is_installed(file):
        return False
    return file.startswith(_PYTHON) or os.path.realpath(file).startswith(_PYTHON)


def is_somebodys(file: str) -> bool:
    """Say whether a file of code is neither Python's, nor installed, nor made up (as by ``dataclasses``)."""
    return not (file.startswith("<") or is_installed(file) or is_pythons(file))


def _directories() -> tuple[str, ...]:
    named = {path for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key))}
    return tuple(sorted({os.path.join(path, "") for path in named | set(map(os.path.realpath, named))}))


_PYTHON = ("<frozen ", *_directories())
