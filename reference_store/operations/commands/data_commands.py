"""``tradestore export``, ``migrate`` and ``doctor``."""

from __future__ import annotations

import importlib
import os
import sys
from datetime import datetime

import click

from reference_store.core.schemas import Schema
from reference_store.core.signals import let_out
from reference_store.errors import StoreError
from reference_store.operations.commands.console import AS_JSON, ROOT, Moment, print_json, refuse, shown, told
from reference_store.operations.doctor import Verdict, examine
from reference_store.operations.inspection import opened
from reference_store.stores.documents import DocumentStore
from reference_store.stores.single import SingleDocumentStore


@click.command(name="export")
@ROOT
@click.argument("symbol")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "arrow"]), help="As the file is called if not said."
)
@click.option("--from", "start", type=Moment(), help="The first time, in UTC if it says no zone.")
@click.option("--to", "end", type=Moment(), help="The last time.")
@click.option("-o", "--output", type=click.Path(path_type=str), default="-", help="A file, or - for stdout (csv).")
@told
def export_bars(
    root: str, symbol: str, *, form: str | None, start: datetime | None, end: datetime | None, output: str
) -> None:
    """Write the bars of SYMBOL in ROOT as CSV, Parquet or Arrow."""
    from reference_store.operations.exporting import bars_table, put, written

    if form is None:
        form = os.path.splitext(output)[1].removeprefix(".").lower() or "csv"
        form = {"feather": "arrow"}.get(form, form)
    table = bars_table(root, symbol, start, end)
    data = written(table, form)
    if output == "-":
        if form != "csv" and sys.stdout.isatty():
            refuse(f"{form} is not for a terminal: say --output FILE")
        click.echo(data, nl=False)
    else:
        put(data, output)
        click.echo(f"{shown(output)}: {table.num_rows} bars", err=True)


@click.command()
@ROOT
@click.option("--schema", "where", required=True, metavar="MODULE:NAME", help="The Schema of the documents.")
@click.option("--document", help="A single document, by its name; all documents by key if not said.")
@AS_JSON
@click.pass_context
@told
def migrate(context: click.Context, root: str, *, where: str, document: str | None, as_json: bool) -> None:
    """Bring the documents in ROOT up to the current version of their schema; status 1 if some stay behind."""
    schema = _schema(where)
    opened(root)
    migrated: list[str] = []
    current: list[str] = []
    failed: list[tuple[str, StoreError]] = []
    if document is None:
        with DocumentStore(root, schema=schema) as store:
            done = store.migrate()
        migrated, current, failed = list(done.migrated), list(done.current), list(done.failed)
    else:
        with SingleDocumentStore(root, document, schema=schema) as single:
            (migrated if single.migrate() else current).append(document)
    if as_json:
        told_failed = [{"document": key, "error": str(error)} for key, error in failed]
        print_json({"migrated": migrated, "current": current, "failed": told_failed})
    else:
        for key, error in failed:
            click.echo(f"{shown(key)}: {shown(str(error))}")
        click.echo(f"{len(migrated)} migrated, {len(current)} current, {len(failed)} failed")
    context.exit(1 if failed else 0)


@click.command()
@ROOT
@AS_JSON
@click.pass_context
@told
def doctor(context: click.Context, root: str, *, as_json: bool) -> None:
    """Say whether ROOT is a place where stores can keep their promises; status 1 if it is not."""
    found = examine(root)
    if as_json:
        print_json([{"check": each.name, "verdict": each.verdict, "sentence": each.sentence} for each in found])
    else:
        for each in found:
            click.echo(f"{each.verdict:>7}  {each.name}: {shown(each.sentence)}")
    context.exit(1 if any(each.verdict is Verdict.FAILED for each in found) else 0)


def _schema(where: str) -> Schema:
    module, _, name = where.partition(":")
    if not module or not name:
        refuse(f"{shown(where)} is no MODULE:NAME")
    sys.path.insert(0, os.getcwd())  # as with python -m: the program of whoever calls this is here
    try:
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        let_out(error)
        refuse(f"{shown(where)} cannot be imported: {shown(str(error)) or type(error).__name__}")
    finally:
        sys.path.pop(0)
    if not isinstance(found, Schema):
        refuse(f"{shown(where)} is no Schema of reference_store")
    return found
