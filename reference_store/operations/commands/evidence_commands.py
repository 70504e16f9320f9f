"""``tradestore evidence``: what was kept of damaged files, listed, put back and removed."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import click

from reference_store.operations.commands.console import AS_JSON, ROOT, print_json, shown, told
from reference_store.operations.evidence import restore_evidence
from reference_store.operations.inspection import opened
from reference_store.operations.log_retention import evidence_in
from reference_store.stores.journal import JournalStore


@click.group()
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


@evidence.command()
@click.argument("file", type=click.Path(path_type=str))
@told
def restore(file: str) -> None:
    """Put evidence of a document or a log in its place again, if a store would read it; what is there is kept."""
    name = restore_evidence(file)
    click.echo(f"{shown(name)} is what was kept as {shown(os.path.basename(file))}")


def _directories(root: str) -> list[str]:
    opened(root)  # one sentence if there is none
    return [path for path, _directories, _files in os.walk(root)]
