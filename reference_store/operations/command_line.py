"""``tradestore``: looks after a directory of stores from a shell.

What it answers is printed, as text or with ``--json``; the exit status is 0 when all is well, 1 when something is
damaged or was refused, 2 when the command itself was wrong.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.document_files import BACKUP, SUFFIX
from reference_store.core.document_reading import regular
from reference_store.operations.commands.backup_commands import backup, sync
from reference_store.operations.commands.console import (
    AS_JSON,
    ROOT,
    counted,
    harmless,
    print_json,
    refuse,
    shown,
    told,
)
from reference_store.operations.commands.copy_command import copy_stores
from reference_store.operations.commands.data_commands import doctor, export_bars, migrate
from reference_store.operations.commands.evidence_commands import evidence
from reference_store.operations.commands.recovery_commands import recover
from reference_store.operations.health import Thresholds
from reference_store.operations.health import health as look_after
from reference_store.operations.inspection import State, identifiers, inspect, opened, unsealed
from reference_store.stores.documents import DocumentStore
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_files import SUFFIX as LOG
from reference_store.stores.journal_lines import Entry
from reference_store.stores.single import SingleDocumentStore, file_stem

_OF_OTHERS = "tradestore.commands"
"""The group of entry points under which packages add commands."""
_FILE = click.argument("file", type=click.Path(path_type=Path))


class _Commands(click.Group):
    """A group whose words about a wrong command do not let what was typed move the cursor."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of other packages too."""
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group=_OF_OTHERS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; one of another package is imported when it is asked for."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        loaded = next((entry.load() for entry in entry_points(group=_OF_OTHERS, name=cmd_name)), None)
        return loaded if isinstance(loaded, click.Command) else None

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Take the words apart."""
        try:
            return super().make_context(*args, **options)
        except click.UsageError as error:
            raise harmless(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Do what they say."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise harmless(error) from None


@click.group(name="tradestore", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def COMMAND() -> None:  # noqa: N802 - what others look up is one object with a name
    """Look after a directory of stores."""


@COMMAND.command()
@ROOT
@AS_JSON
@click.pass_context
@told
def verify(context: click.Context, root: str, *, as_json: bool) -> None:
    """Look at every file below ROOT and say what is damaged. Nothing is changed; status 1 if something is."""
    counts: Counter[str] = Counter()
    problems = []
    with counted("verify", root) as step:
        for found in inspect(root):
            step()
            counts[found.state] += 1
            if found.state in (State.DAMAGED, State.UNREADABLE):
                problems.append(found)
    if as_json:
        told = [{"file": each.file, "kind": each.kind, "state": each.state, "reason": each.reason} for each in problems]
        print_json({"root": root, "counts": {state: counts[state] for state in State}, "problems": told})
    else:
        for each in problems:
            click.echo(f"{shown(each.file)}: {each.state}: {each.reason}")
        click.echo(", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "no files")
    context.exit(1 if problems else 0)


@COMMAND.command()
@ROOT
@AS_JSON
@click.option("--open-metrics", is_flag=True, help="Print OpenMetrics text, for monitoring.")
@click.option("--portfolio-age", type=click.FloatRange(0), help="Seconds that the portfolio may be unchanged.")
@click.option("--snapshot-age", type=click.FloatRange(0), help="Seconds since the last snapshot.")
@click.option("--size-change", type=click.FloatRange(1), default=4.0, show_default=True, help="Factor to the backup.")
@click.option("--disk-usage", type=click.FloatRange(0), help="Bytes on the disk.")
@click.option("--evidence", type=click.FloatRange(0), help="Files of evidence.")
@click.pass_context
@told
def health(context: click.Context, root: str, *, as_json: bool, open_metrics: bool, **limits: float | None) -> None:
    """Say how the data of a bot in ROOT is; status 1 if there is a problem. Nothing is changed."""
    with counted("health", root) as step:
        found = look_after(root, thresholds=Thresholds(**limits), each=lambda _found: step())
    if open_metrics:
        click.echo(found.open_metrics(), nl=False)
    elif as_json:
        print_json(asdict(found))
    else:
        for name, value in asdict(found).items():
            if name != "problems":
                click.echo(f"{name}: {'unknown' if value is None else value}")
        for problem in found.problems:
            click.echo(f"problem: {shown(problem)}")
    context.exit(1 if found.problems else 0)


@COMMAND.command()
@_FILE
@told
def cat(file: Path) -> None:
    """Print what a document or a log holds, as JSON, without its seal; status 1 if it is damaged."""
    directory, name = _beside(file)
    if name.endswith(LOG):
        for entry in _journal(directory, name)[0].entries(_stream(name)):
            click.echo(json.dumps(_numbered(entry), ensure_ascii=True))
        return
    found = regular(directory, name, name)
    if found is None:
        refuse(f"{shown(str(file))} is not there")
    content = unsealed(found.data, name.removesuffix(BACKUP).removesuffix(SUFFIX), name)[1].content
    print_json(content)


@COMMAND.command()
@_FILE
@told
def reseal(file: Path) -> None:
    """Vouch for a document that was edited by hand: it is read from now on as it stands."""
    directory, name = _beside(file)
    stem = name.removesuffix(SUFFIX)
    names = identifiers(stem)
    if not name.endswith(SUFFIX) or not names:
        refuse(f"{shown(str(file))} is no document of a store: its name would be one of a key, with .json")
    key = keys.decode(stem)
    if key is not None:
        with DocumentStore(directory.path) as keyed:
            keyed.reseal(key)
    else:
        single = next(each for each in names if file_stem(each) == stem)
        with SingleDocumentStore(directory.path, single) as store:
            store.reseal()
    click.echo(f"{shown(str(file))}: resealed")


@COMMAND.command()
@_FILE
@AS_JSON
@told
def salvage(file: Path, *, as_json: bool) -> None:
    """Make a damaged log readable again; what is lost is told, and the damaged file stays as evidence."""
    directory, name = _beside(file)
    journal, stream = _journal(directory, name)
    report = journal.salvage(stream)
    lost = [{"first": each.first, "last": each.last} for each in report.lost]
    if as_json:
        print_json({"file": str(file), "kept": report.kept, "lost": lost, "evidence": report.evidence})
    else:
        gone = ", ".join(f"{each['first']}-{each['last']}" for each in lost) or "none"
        click.echo(f"{shown(str(file))}: {report.kept} records kept, lost: {gone}")


def _beside(file: Path) -> tuple[Directory, str]:
    return opened(str(file.parent)), file.name


def _stream(name: str) -> str:
    stream = keys.decode(name.removesuffix(LOG))
    if stream is None or not name.endswith(LOG):
        refuse(f"{shown(name)} is no log of a store: its name would be one of a stream, with {LOG}")
    return stream


def _journal(directory: Directory, name: str) -> tuple[JournalStore, str]:
    stream = _stream(name)
    if not directory.has(name):
        refuse(f"{shown(name)} is not there")
    return JournalStore(directory.path), stream


def _numbered(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, "record": entry.record}


for _command in (backup, sync, copy_stores, evidence, recover, export_bars, migrate, doctor):
    COMMAND.add_command(_command)


def main() -> None:
    """Run the command, and end the process.

    Threads of Arrow's read tables in Python for deltalake, and go on for a moment after what was asked for is read. One
    that wants the interpreter while that is taken down aborts the whole process, though all has been done and told.
    """
    try:
        COMMAND()
    except SystemExit as ended:
        if "deltalake" not in sys.modules or not (ended.code is None or isinstance(ended.code, int)):
            raise
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)
