"""``tradestore``: looks after a directory of stores from a shell.

What it answers is printed, as text or with ``--json``; the exit status is 0 when all is well, 1 when something is
damaged or was refused, 2 when the command itself was wrong.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.document_files import BACKUP, SUFFIX
from reference_store.core.document_reading import regular
from reference_store.operations.commands.backup_commands import backup
from reference_store.operations.commands.console import AS_JSON, ROOT, print_json, refuse, shown, told
from reference_store.operations.health import Thresholds
from reference_store.operations.health import health as look_after
from reference_store.operations.inspection import State, identifiers, inspect, opened, unsealed
from reference_store.operations.log_retention import evidence_in
from reference_store.stores.documents import DocumentStore
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_files import SUFFIX as LOG
from reference_store.stores.journal_lines import Entry
from reference_store.stores.single import SingleDocumentStore, file_stem

_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group(name="tradestore", context_settings={"help_option_names": ["-h", "--help"]})
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
    for found in inspect(root):
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
    found = look_after(root, thresholds=Thresholds(**limits))
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


@COMMAND.group()
def evidence() -> None:
    """What was kept of damaged files."""


@evidence.command(name="list")
@ROOT
@AS_JSON
@told
def list_evidence(root: str, *, as_json: bool) -> None:
    """List the evidence in ROOT and below, with its size in bytes and since when it is there."""
    found = [
        {"file": os.path.relpath(os.path.join(path, each.name), root), "bytes": each.size, "since": each.since}
        for path in _directories(root)
        for each in evidence_in(opened(path))
    ]
    if as_json:
        print_json([{**each, "since": str(each["since"])} for each in found])
    else:
        for each in found:
            click.echo(f"{each['since']:%Y-%m-%d %H:%M}  {each['bytes']:>10}  {shown(str(each['file']))}")


@evidence.command()
@ROOT
@click.option(
    "--before", type=click.DateTime(["%Y-%m-%d"]), required=True, help="A day, in UTC: what is younger stays."
)
@told
def purge(root: str, before: datetime) -> None:
    """Remove evidence in ROOT and below that was there before a day, for good."""
    removed = 0
    for path in _directories(root):
        if evidence_in(opened(path)):
            with JournalStore(path) as journal:
                removed += len(journal.purge_evidence(before.replace(tzinfo=UTC)))
    click.echo(f"{removed} removed")


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


def _directories(root: str) -> list[str]:
    opened(root)  # one sentence if there is none
    return [path for path, _directories, _files in os.walk(root)]


def _numbered(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, "record": entry.record}


COMMAND.add_command(backup)


def main() -> None:
    """Run the command."""
    COMMAND()
