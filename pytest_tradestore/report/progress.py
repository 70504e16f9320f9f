"""What is said while nothing else is: what is being done, how far that is, and how long the rest may take."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import pytest

_QUIET = 1.4
"""Seconds without a word after which one is said, the next time that anybody looks: that is twice a second at least."""
_QUIET_AT_FIRST = 0.5
"""The same for the first word of a run: Python and pytest have been starting in silence before."""
_AGAIN = 0.4
"""Seconds between two changes of a line that changes."""
_SURE = 0.1
"""The share of the work after which it is said how long the rest may take."""


class Progress(Protocol):
    """How far the work is; ``share`` is the part of it that is done."""

    @property
    def done(self) -> int: ...

    @property
    def all(self) -> int: ...

    @property
    def share(self) -> float: ...

    @property
    def names(self) -> tuple[str, ...]: ...


class ProgressLine:
    """One line at the end of the terminal that changes; where there is no terminal, a line when nothing else came."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = self._said = time.monotonic()
        self._quiet = _QUIET_AT_FIRST
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Say how far the work is, if nothing has been said for a while."""
        self._show(lambda seconds: told(progress, seconds))

    def name(self, what: str) -> None:
        """Say what is done, of which nobody knows how long it takes, if nothing has been said for a while."""
        self._show(lambda seconds: f"{what} ({round(seconds)} s)")

    def say(self, what: str) -> None:
        """Say at once what is to stay."""
        self.over()
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < -1:
            return
        with self._uncaptured():
            reporter.ensure_newline()
            reporter.write_line(what)
            reporter.flush()
        self._said = time.monotonic()

    def begin(self, what: str) -> None:
        """Say at once what is done first, on a terminal, where the line goes away again."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and reporter.isatty:
            self._quiet = 0.0
            self.name(what)

    def _show(self, line_after: Callable[[float], str]) -> None:
        now = time.monotonic()
        if now - self._said < (_AGAIN if self._shown else self._quiet):
            return
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < -1:
            return
        line = line_after(now - self._began)
        self._quiet = _QUIET
        with self._uncaptured():
            self._write(reporter, line)

    def over(self) -> None:
        """Note that a result is about to be said."""
        self._said = time.monotonic()
        self._quiet = _QUIET
        if not self._shown:
            return
        self._shown = False
        with self._uncaptured():
            self._config.get_terminal_writer().write("\r\x1b[K", flush=True)

    def _uncaptured(self) -> AbstractContextManager[None]:
        """Let what is written inside reach the terminal."""
        capture = self._config.pluginmanager.getplugin("capturemanager")
        uncaptured: AbstractContextManager[None] = (
            nullcontext() if capture is None else capture.global_and_fixture_disabled()
        )
        return uncaptured

    def _write(self, reporter: "pytest.TerminalReporter", line: str) -> None:
        writer = self._config.get_terminal_writer()
        self._said = time.monotonic()
        if reporter.isatty:
            if not self._shown:
                reporter.ensure_newline()
            writer.write(f"\r\x1b[K{line[: writer.fullwidth - 1]}", flush=True)
            self._shown = True
        else:
            reporter.write_line(line)
            reporter.flush()


def told(progress: Progress, seconds: float) -> str:
    """Return the line."""
    rest = ""
    if progress.share >= _SURE:
        rest = f", about {round(seconds / progress.share - seconds)} s to go"
    now = f"; now: {', '.join(progress.names)}" if progress.names else ""
    return f"{progress.share:.0%} after {round(seconds)} s{rest}{now}"
