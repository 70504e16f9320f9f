"""Memory mappings of fake files: a mapping's own stores into memory are what no recorder at this level can see."""

import mmap
import os
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.fake_calls import Calls

_REAL_MMAP = mmap.mmap


def mapping_class(calls: Calls, writable: Callable[[str], None]) -> type:
    """Return what stands in for ``mmap.mmap``: a fake file is mapped as a copy of what it holds.

    ``writable`` is told the path of each file that was mapped so that changes would reach it.
    """

    class Mmap(_REAL_MMAP):
        def __new__(cls, fileno: int, length: int, *args: Any, **options: Any) -> Any:
            file = calls.descriptors.get(fileno)
            if file is None:
                return super().__new__(cls, fileno, length, *args, **options)
            if _changes_file(*args, **options):
                writable(file.path)
            offset = options.get("offset", 0)
            content = bytes(file.node.content)[offset:]
            if not length and not content:
                raise ValueError("cannot mmap an empty file")
            if length > len(content) or offset % mmap.ALLOCATIONGRANULARITY:
                raise ValueError("mmap length is greater than file size")
            mapped = super().__new__(cls, -1, length or len(content))
            mapped[:] = content[: length or len(content)]
            return mapped

    Mmap.__name__ = Mmap.__qualname__ = "mmap"
    return Mmap


def _changes_file(*args: Any, **options: Any) -> bool:
    access = options.get("access", 0)
    if access or os.name == "nt":
        return bool(access == mmap.ACCESS_WRITE or (os.name == "nt" and not access))
    flags = args[0] if args else options.get("flags", mmap.MAP_SHARED)
    protection = args[1] if len(args) > 1 else options.get("prot", mmap.PROT_READ | mmap.PROT_WRITE)
    return bool(flags & mmap.MAP_SHARED and protection & mmap.PROT_WRITE)
