"""``tradestore backup``: generations made, listed, proved and restored."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import click

from reference_store.errors import StoreError
from reference_store.operations.backups.copying import copy
from reference_store.operations.backups.creating import create as make
from reference_store.operations.backups.generations import Generation, in_order
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore as put_back
from reference_store.operations.backups.retention import Retention, prune
from reference_store.operations.backups.vault import Vault, load
from reference_store.operations.backups.verifying import verify as prove
from reference_store.operations.commands.console import (
    AS_JSON,
    ROOT,
    Moment,
    print_json,
    progress,
    refuse,
    shown,
    told,
)

_VAULT = click.argument("vault", type=str)
_GENERATION = click.option("--generation", help="Its id; the last one if neither this nor --at is given.")
_AT = click.option("--at", type=Moment(), help="The last one that was made not later than this, in UTC.")


@click.group()
def backup() -> None:
    """Generations of a whole directory, in a VAULT outside of it."""


@backup.command()
@ROOT
@_VAULT
@click.option("--keep", type=click.IntRange(1), default=30, show_default=True, help="Generations that stay.")
@click.option("--keep-days", type=click.FloatRange(0, 1e6, max_open=True), help="Younger ones stay as well.")
@click.option("--note", default="", help="What it is made for.")
@AS_JSON
@click.pass_context
@told
def create(
    context: click.Context, root: str, vault: str, *, keep: int, keep_days: float | None, note: str, as_json: bool
) -> None:
    """Make a generation of all that is in ROOT, at one moment; status 1 if some of it is damaged."""
    retention = Retention(keep, keep_days)
    with progress("backup") as step:
        made = make(root, opened_vault(vault, create=True), retention=retention, note=note, progress=step)
    generation = made.generation
    if as_json:
        new = {"contents": made.new_contents, "bytes": made.new_bytes}
        print_json({**_facts(generation), "new": new, "forgotten": list(made.forgotten)})
    else:
        click.echo(
            f"{generation.id}: {len(generation.files)} files, {generation.size} bytes, "
            f"{made.new_contents} contents of {made.new_bytes} bytes new, {len(made.forgotten)} generations removed"
        )
        _tell(generation)
    context.exit(1 if generation.damaged else 0)


@backup.command(name="list")
@_VAULT
@AS_JSON
@click.pass_context
@told
def list_generations(context: click.Context, vault: str, *, as_json: bool) -> None:
    """List the generations, the oldest first; status 1 if one of them is damaged."""
    there = opened_vault(vault)
    listed: list[dict[str, Any]] = []
    for name in in_order(there.ids()):
        try:
            listed.append({**_facts(load(there, name)), "error": None})
        except StoreError as error:
            listed.append({"generation": name, "error": str(error)})
    if as_json:
        print_json(listed)
    else:
        for each in listed:
            if each["error"] is None:
                click.echo(
                    f"{each['generation']}  {each['files']:>8} files  {each['bytes']:>13}  {shown(each['note'])}"
                )
            else:
                click.echo(f"{each['generation']}  {shown(each['error'])}")
    context.exit(1 if any(each["error"] for each in listed) else 0)


@backup.command()
@_VAULT
@_GENERATION
@_AT
@click.option("--scratch", type=click.Path(path_type=str), help="Where to restore it; the temporary directory if not.")
@AS_JSON
@click.pass_context
@told
def verify(
    context: click.Context,
    vault: str,
    *,
    generation: str | None,
    at: datetime | None,
    scratch: str | None,
    as_json: bool,
) -> None:
    """Restore a generation into a scratch directory and compare it with what was kept; status 1 if it differs."""
    with progress("restore") as step:
        found = prove(opened_vault(vault), generation=generation, at=at, scratch=scratch, progress=step)
    if as_json:
        print_json({**_facts(found.generation), "different": found.different, "newly_damaged": found.damaged})
    else:
        for path in found.different:
            click.echo(f"{shown(path)}: not as it was")
        for path in found.damaged:
            click.echo(f"{shown(path)}: damaged")
        _tell(found.generation)
        click.echo(f"{found.generation.id}: {found.files} files restored, {'sound' if found.is_sound else 'NOT sound'}")
    context.exit(0 if found.is_sound else 1)


@backup.command()
@_VAULT
@ROOT
@_GENERATION
@_AT
@click.option("--over", is_flag=True, help="Replace what is in ROOT, of which a generation is made first.")
@AS_JSON
@told
def restore(vault: str, root: str, *, generation: str | None, at: datetime | None, over: bool, as_json: bool) -> None:
    """Make ROOT what it was. Stop the programs that use it first; a restore that was killed is run again."""
    with progress("restore") as step:
        done = put_back(opened_vault(vault), root, generation=generation, at=at, over=over, progress=step)
    if as_json:
        print_json({**_facts(done.generation), "written": done.written, "removed": done.removed, "before": done.before})
    else:
        click.echo(
            f"{shown(root)} is as it was in {done.generation.id}: "
            f"{done.written} files written, {len(done.removed)} removed"
        )
        if done.before is not None:
            click.echo(f"what was there is generation {done.before}")
        _tell(done.generation)


def opened_vault(vault: str, *, create: bool = False) -> Vault:
    """Return the vault that is named by a path or a URL."""
    if "://" not in vault:
        return LocalVault(vault, create=create)
    try:
        from reference_store.operations.backups.bucket import BucketVault
    except ImportError:
        refuse("buckets need the extra: pip install 'pytest-tradestore[cloud]'")
    return BucketVault(vault)


@click.command()
@click.argument("source", type=click.Path(path_type=str))
@_VAULT
@click.option("--keep", type=click.IntRange(1), default=30, show_default=True, help="Generations that stay there.")
@AS_JSON
@click.pass_context
@told
def sync(context: click.Context, source: str, vault: str, *, keep: int, as_json: bool) -> None:
    """Bring VAULT, in a bucket or on another disk, up to date with SOURCE: a vault, or a directory of stores.

    Of a vault each generation is copied that is missing there, of a directory one is made. Only what changed is sent;
    one that was broken off is gone on with. Status 1 if something could not be copied, or is damaged.
    """
    there = opened_vault(vault, create=True)
    if "://" not in source and not os.path.isdir(os.path.join(source, "generations")):
        with progress("sync") as step:
            made = make(source, there, retention=Retention(keep), progress=step)
        new, contents, size = [made.generation.id], made.new_contents, made.new_bytes
        failed = [(path, "damaged when it was copied") for path in made.generation.damaged]
    else:
        with progress("sync") as step:
            copied = copy(opened_vault(source), there, progress=step)
        with there.held():
            prune(there, Retention(keep), datetime.now(UTC))
        new, contents, size = list(copied.generations), copied.contents, copied.size
        failed = [(name, str(error)) for name, error in copied.failed]
    if as_json:
        print_json({"generations": new, "contents": contents, "bytes": size, "failed": dict(failed)})
    else:
        for name, why in failed:
            click.echo(f"{shown(name)}: {shown(why)}")
        click.echo(f"new generations: {', '.join(new) or 'none'}; {contents} contents of {size} bytes sent")
    context.exit(1 if failed else 0)


def _facts(generation: Generation) -> dict[str, Any]:
    return {
        "generation": generation.id, "made": generation.made.isoformat(), "source": generation.source,
        "note": generation.note, "before_restore": generation.before_restore,
        "files": len(generation.files), "bytes": generation.size,
        "damaged": list(generation.damaged), "skipped": list(generation.skipped),
    }  # fmt: skip


def _tell(generation: Generation) -> None:
    for path in generation.damaged:
        click.echo(f"{shown(path)}: damaged when the backup was made")
    for path in generation.skipped:
        click.echo(f"{shown(path)}: not in the backup, it is no file")
