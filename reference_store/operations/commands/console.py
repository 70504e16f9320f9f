"""How commands take words and answer: one sentence for what is refused, JSON for programs, progress for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, NoReturn

import click

from reference_store.core.signals import let_out
from reference_store.errors import StoreError

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
ROOT = click.argument("root", type=click.Path(path_type=str))


class Moment(click.ParamType):  # type: ignore[type-arg] # older ones of click take no argument
    """A time in ISO 8601: in UTC if it says no zone, and the end of the day if it says no time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the time with its zone."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
            if len(value) <= len("2026-01-05"):
                found += timedelta(days=1) - timedelta(microseconds=1)
        except (ValueError, OverflowError) as error:
            let_out(error)
            self.fail(f"{value!r} is no time: write 2026-01-05 or 2026-01-05T12:30:00+00:00", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def told(command: Callable[..., None]) -> Callable[..., None]:
    """Let what a store or the system refuses be one sentence and status 1."""

    @wraps(command)
    def call(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except StoreError as error:
            raise click.ClickException(shown(str(error))) from error
        except OSError as error:
            let_out(error)
            raise click.ClickException(error.strerror or type(error).__name__) from error
        except (MemoryError, RecursionError) as error:
            raise click.ClickException(f"it is too much for this machine ({type(error).__name__})") from error

    return call


def print_json(value: object) -> None:
    """Print a value as JSON that every terminal can show."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def shown(text: str) -> str:
    """A name as it may appear on a terminal: nothing in it moves the cursor."""
    return text if text.isprintable() else ascii(text)


def harmless(error: click.UsageError) -> click.UsageError:
    """The error, with nothing in its message that moves the cursor, but for the ends of lines."""
    said = error.format_message()
    text = "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in said)
    return click.UsageError(text, ctx=error.ctx)


def refuse(sentence: str) -> NoReturn:
    """End the command with a sentence and status 1."""
    raise click.ClickException(sentence)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give what is to be told how much of how much is done; a terminal shows it, and nothing else gets a line of it."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def step(done: int, of: int) -> None:
            bar.length = max(of, 1)
            if done > bar.pos:
                bar.update(done - bar.pos)

        yield step


@contextmanager
def counted(label: str, root: str) -> Iterator[Callable[[], None]]:
    """Give what is to be called for each file below ``root``; they are counted first if a terminal shows it."""
    done, of = 0, 0
    with progress(label) as step:
        if sys.stderr.isatty():
            of = sum(len(files) for _path, _directories, files in os.walk(root))

        def one() -> None:
            nonlocal done
            done += 1
            step(min(done, of), of)

        yield one
