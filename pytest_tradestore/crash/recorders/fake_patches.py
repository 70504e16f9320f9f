"""Putting the stand-ins where the store's code looks, modules imported long ago included, and taking them out again.

The attributes of ``os``, ``io``, ``builtins``, ``fcntl`` and ``mmap`` are replaced in place, so that pathlib, shutil,
tempfile and every ``os.replace`` written out find them. Copies made by ``from os import replace``, by default arguments
and by wrappers that closed over a function (``aiofiles.os``) are found by looking through the modules, once each.
"""

import builtins
import concurrent.futures
import contextlib
import io
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from pytest_tradestore.crash.recorders.fake_locations import Lines
from pytest_tradestore.origin import is_pythons

_SUPPORTS = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
_LEFT_ALONE = ("posix", "nt", "_io", "_frozen_importlib", "_frozen_importlib_external", "importlib._bootstrap_external")
_OWN = (
    "pytest_tradestore.crash.recorders.buffering",
    "pytest_tradestore.crash.recorders.fake",
    "pytest_tradestore.race.",
    "pytest_tradestore.faults.",
    "pytest_tradestore.target",
    "pyfakefs.",
)

OS_FUNCTIONS = (
    "access",
    "chdir",
    "chmod",
    "chown",
    "close",
    "closerange",
    "copy_file_range",
    "dup",
    "dup2",
    "fchdir",
    "fchmod",
    "fchown",
    "fdatasync",
    "fstat",
    "fstatvfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getcwdb",
    "getxattr",
    "isatty",
    "lchmod",
    "lchown",
    "link",
    "listdir",
    "listxattr",
    "lockf",
    "lseek",
    "lstat",
    "mkdir",
    "mknod",
    "open",
    "posix_fadvise",
    "posix_fallocate",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "read",
    "readinto",
    "readlink",
    "readv",
    "remove",
    "removexattr",
    "rename",
    "replace",
    "rmdir",
    "scandir",
    "sendfile",
    "setxattr",
    "stat",
    "statvfs",
    "symlink",
    "sync",
    "truncate",
    "unlink",
    "utime",
    "write",
    "writev",
)


def real_functions() -> SimpleNamespace:
    """Return the functions as they are now, under the names that the stand-ins call them by."""
    real = SimpleNamespace(io_open=io.open, FileIO=io.FileIO, realpath=os.path.realpath)
    for name in OS_FUNCTIONS:
        if hasattr(os, name):
            setattr(real, name, getattr(os, name))
    with contextlib.suppress(ImportError):
        import fcntl

        real.flock, real.fcntl, real.fcntl_lockf = fcntl.flock, fcntl.fcntl, fcntl.lockf
    return real


class Patches:
    """Replacements that are in force, with what it takes to undo them."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._by_identity: dict[int, Any] = {}

    def replace(self, module: Any, name: str, stand_in: Any) -> None:
        """Let ``module.name`` be the stand-in, here and in every copy that ``spread`` finds."""
        original = getattr(module, name)
        self._by_identity[id(original)] = (original, stand_in)
        self._set(module, name, stand_in)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        before = vars(owner)[name]
        setattr(owner, name, value)
        self._undo.append(partial(setattr, owner, name, before))

    def support(self) -> None:
        """Keep what os says of its functions true of the stand-ins: libraries choose their branch by it."""
        for name in _SUPPORTS:
            functions = getattr(os, name)
            added = {new for old, new in self._by_identity.values() if _in(old, functions)}
            functions.update(added)
            self._undo.append(partial(functions.difference_update, added))

    def carry_lines(self, lines: Lines) -> None:
        """Let a job given to a thread pool know the line that gave it."""
        original = concurrent.futures.ThreadPoolExecutor.submit

        def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return original(self, lines.handing_over(fn), *args, **kwargs)

        self._set(concurrent.futures.ThreadPoolExecutor, "submit", submit)

    def spread(self) -> None:
        """Replace the copies that modules hold."""
        _seek(original for original, _ in self._by_identity.values())
        for module in list(sys.modules.values()):
            for place in _places(module):
                self._spread_to(*place)

    def _spread_to(self, kind: str, owner: Any, key: Any) -> None:
        if kind == "attribute":
            value = vars(owner).get(key)
            plain = value.__func__ if isinstance(value, staticmethod) else value
            found = self._by_identity.get(id(plain))
            if found is not None:
                # What is written in C is no method where a class has it (``now = time.time``); its stand-in would be.
                static = isinstance(value, staticmethod) or (isinstance(owner, type) and not hasattr(value, "__get__"))
                self._set(owner, key, staticmethod(found[1]) if static else found[1])
        elif kind == "cell":
            if _holds(owner, self._by_identity):  # and not emptied since it was looked at
                found = self._by_identity[id(owner.cell_contents)]
                owner.cell_contents = found[1]
                self._undo.append(partial(setattr, owner, "cell_contents", found[0]))
        else:
            values = getattr(owner, kind)
            pairs = values.items() if isinstance(values, dict) else enumerate(values)
            changed = {at: self._by_identity[id(value)][1] for at, value in pairs if id(value) in self._by_identity}
            if changed:
                new: Any = {**values, **changed} if isinstance(values, dict) else _with(values, changed)
                setattr(owner, kind, new)
                self._undo.append(partial(setattr, owner, kind, values))

    def restore(self) -> None:
        """Undo everything, last first."""
        while self._undo:
            self._undo.pop()()


_SOURCES = ("fcntl", "io", "mmap", "os", "queue", "sqlite3", "threading", "time")
"""Modules of which functions are replaced."""
_KINDS = (FunctionType, BuiltinFunctionType, type)
"""What is replaced of them. No hook that each run of pytest sets anew: all modules were looked through for it."""
DOORS = (
    ("pyarrow.fs", "_resolve_filesystem_and_path"),  # all of pyarrow.parquet goes through it
    ("deltalake", "write_deltalake"),
    ("duckdb", "connect"),
    ("polars", "read_csv"),
    ("polars", "read_ipc"),
    ("polars", "read_parquet"),
    ("polars", "scan_parquet"),
)
"""Functions of native libraries that are replaced where the library is loaded."""
Place = tuple[str, Any, Any]
"""Where a copy is: as what, of whom, and under which name."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Where a module holds copies, what it and its classes held when it was looked at, and how much was sought then."""

    module: ModuleType
    values: int
    classes: tuple[type, ...]
    members: int | None = None
    sought: int = 0
    places: tuple[Place, ...] = ()


_sought: dict[int, Any] = {}
"""What copies are looked for, by identity: what was ever replaced, and all that those modules have."""
_known: dict[int, _Known] = {}


def look_around() -> None:
    """Look for copies now: processes that are forked from this one need not, and there are many of them."""
    for name in _SOURCES:
        if (module := sys.modules.get(name)) is not None:
            _seek(value for value in vars(module).values() if isinstance(value, _KINDS))
    _seek(getattr(sys.modules[name], function) for name, function in DOORS if hasattr(sys.modules.get(name), function))
    for module in list(sys.modules.values()):
        _places(module)


def _seek(originals: Iterable[Any]) -> None:
    _sought.update((id(original), original) for original in originals)


def _places(module: Any) -> tuple[Place, ...]:
    """Return where a module holds copies; what was found is kept until the module holds something else."""
    if not isinstance(module, ModuleType) or not isinstance(module.__name__, str):
        return ()
    name = module.__name__
    if name in _LEFT_ALONE or name.startswith(_OWN) or module in (os, io, builtins):
        return ()
    values, known = _identity(vars(module)), _known.get(id(module))
    if known is None or known.module is not module or known.values != values:
        known = _Known(module, values, _own_classes(module))
    members = hash(tuple(map(_identity, map(vars, known.classes))))
    if known.members != members or known.sought != len(_sought):
        known = replace(known, members=members, sought=len(_sought), places=tuple(_look(module, _sought)))
        _known[id(module)] = known
    return known.places


def _identity(held: Mapping[str, Any]) -> int:
    return hash(tuple(map(id, held.values())))


def _own_classes(module: ModuleType) -> tuple[type, ...]:
    """The classes that a module has made: a store may keep a function for itself in one, at any time.

    Python's own do not: theirs are looked through, and not again.
    """
    file = vars(module).get("__file__")  # and run no code of a module that is loaded when it is asked for something
    if isinstance(file, str) and is_pythons(file):
        return ()
    values = list(vars(module).values())
    return tuple(value for value in values if type(value) is type and value.__module__ == module.__name__)


def _look(module: ModuleType, originals: Container[int]) -> Iterator[Place]:
    for name, value in list(vars(module).items()):
        if id(value) in originals:
            yield "attribute", module, name
        elif type(value) is FunctionType:
            yield from _look_into(value, originals)
        elif type(value) is type and value.__module__ == module.__name__:
            for attribute, member in list(vars(value).items()):
                plain = member.__func__ if isinstance(member, staticmethod) else member
                if id(plain) in originals:
                    yield "attribute", value, attribute
                elif type(plain) is FunctionType:
                    yield from _look_into(plain, originals)


def _look_into(function: FunctionType, originals: Container[int]) -> Iterator[Place]:
    if str(function.__module__).startswith(_OWN):
        return  # a stand-in: it calls the original
    if function.__defaults__ and any(id(value) in originals for value in function.__defaults__):
        yield "__defaults__", function, None
    if function.__kwdefaults__ and any(id(value) in originals for value in function.__kwdefaults__.values()):
        yield "__kwdefaults__", function, None
    for cell in function.__closure__ or ():
        if _holds(cell, originals):
            yield "cell", cell, None


def _holds(cell: CellType, originals: Container[int]) -> bool:
    try:
        return id(cell.cell_contents) in originals
    except ValueError:  # an empty cell
        return False


def _in(function: Any, functions: set[Any]) -> bool:
    try:
        return function in functions
    except TypeError:
        return False


def _with(values: tuple[Any, ...], changed: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple(changed.get(at, value) for at, value in enumerate(values))
