"""Switch points at each line of the store's own source: for races that lie in memory, between no two system calls.

Where Python has ``sys.monitoring`` (3.12) that is used, else a trace function in each thread of an actor.
"""

import _thread
import functools
import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

from pytest_tradestore import origin
from pytest_tradestore.race.actors import stable
from pytest_tradestore.race.in_force import running

_ident = _thread.get_ident
_TOOL = 4
OPERATION = "line"


@functools.cache
def is_somebodys(file: str) -> bool:
    """Say whether a file is neither the standard library's, nor installed, nor made up, nor ours."""
    return not file.startswith(_OURS) and origin.is_somebodys(file)


_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def line_of(frame: FrameType) -> str:
    """Return where a frame is, as findings name it."""
    file = "/".join(frame.f_code.co_filename.replace("\\", "/").split("/")[-2:])
    return f"{file}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def files_of(target: Any) -> tuple[str, ...]:
    """Return beginnings of the paths of a store's own source: the package of its target, or the one module."""
    while isinstance(target, functools.partial):
        target = target.func
    module = sys.modules.get(str(getattr(target, "__module__", "")))
    file = _file(module)
    if file is None:
        return ()
    assert module is not None
    package = _file(sys.modules.get(module.__name__.partition(".")[0]))
    if package is not None and "." in module.__name__ and os.path.basename(package) == "__init__.py":
        return (os.path.join(os.path.dirname(package), ""),)
    return (file,)


def _file(module: ModuleType | None) -> str | None:
    return getattr(module, "__file__", None)


Trace = Callable[[FrameType, str, Any], Any]


class LineSwitches:
    """Switches between lines of the files whose paths begin so."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        self._beginnings = beginnings
        # By identity: the hash of a piece of code is made anew of all that is in it, each time. They are kept alive.
        self._traces: dict[int, Trace | None] = {}
        self._codes: list[CodeType] = []
        self._trace = self._of_calls()

    def _trace_of(self, code: CodeType) -> Trace | None:
        """Return what is to be told of each line of the store's own code, None for any other."""
        key = id(code)
        if key not in self._traces:
            name = code.co_filename
            own = bool(self._beginnings) and name.startswith(self._beginnings) and not name.startswith(_OURS)
            self._codes.append(code)
            self._traces[key] = _of_lines(code) if own else None
        return self._traces[key]

    def begin(self) -> None:
        """Stop at lines from now on, in the threads that ``enter``."""
        if sys.version_info >= (3, 12):
            monitoring = sys.monitoring
            if monitoring.get_tool(_TOOL) is None:
                monitoring.use_tool_id(_TOOL, "tradestore")
            monitoring.register_callback(_TOOL, monitoring.events.LINE, self._monitored)
            monitoring.set_events(_TOOL, monitoring.events.LINE)

    def end(self) -> None:
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(_TOOL, 0)

    def enter(self) -> None:
        """Begin in this thread."""
        if sys.version_info < (3, 12):
            sys.settrace(self._trace)

    def leave(self) -> None:
        if sys.version_info < (3, 12):
            sys.settrace(None)

    def _monitored(self, code: CodeType, line: int) -> Any:
        trace = self._trace_of(code)
        if trace is None:
            return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]
        trace(_Line(line), "line", None)  # type: ignore[arg-type] # all that it asks of a frame
        return None

    def _of_calls(self) -> Trace:
        """Return what is told of each call, and says what is to be told of the lines in it."""
        known, trace_of = self._traces, self._trace_of

        def trace(frame: FrameType, _event: str, _argument: Any) -> Trace | None:
            code = frame.f_code
            key = id(code)
            return known[key] if key in known else trace_of(code)

        return trace


class _Line:
    """A frame of which no more is known than its line."""

    __slots__ = ("f_lineno",)

    def __init__(self, line: int) -> None:
        self.f_lineno = line


def _of_lines(code: CodeType) -> Trace:
    """Return what stops before each line of a piece of code, where that may let somebody else go on."""
    operations: dict[int, str] = {}

    def trace(frame: FrameType, event: str, _argument: Any) -> Trace:
        if event == "line":
            actor: Any = running.get(_ident())  # one of a thread: processes do not switch between lines
            if actor is not None:
                line = frame.f_lineno
                operation = operations.get(line)
                if operation is None:
                    name = f"{OPERATION} {code.co_qualname}+{line - code.co_firstlineno}"
                    operation = operations[line] = stable(name)
                actor.pass_line(operation)
        return trace

    return trace
