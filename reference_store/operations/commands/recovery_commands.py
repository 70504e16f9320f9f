"""``tradestore recover``: what the guideline does when something is lost."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from reference_store.operations.commands.console import AS_JSON, ROOT, print_json, refuse, shown, told

_LARGEST = 64 << 20


@click.group()
def recover() -> None:
    """Get back what is lost. If everything is: tradestore backup restore."""


@recover.command()
@ROOT
@click.option("--answer", type=click.File("rb"), help="What the exchange says, as JSON of a portfolio; - is stdin.")
@AS_JSON
@told
def portfolio(root: str, *, answer: BinaryIO | None, as_json: bool) -> None:
    """Make portfolio.json in ROOT sound: from itself, from its backup, or from the answer of the exchange."""
    from reference_store.operations.recovery import recover_portfolio

    data = None if answer is None else answer.read(_LARGEST + 1)
    if data is not None and len(data) > _LARGEST:
        refuse(f"the answer is larger than {_LARGEST} bytes")
    found = recover_portfolio(root, data)
    if as_json:
        print_json({"step": found.step, "reason": found.reason, "trades_executed": found.portfolio.trades_executed})
    elif found.step == "primary":
        click.echo("portfolio.json is sound")
    else:
        click.echo(f"portfolio.json is from the {found.step} now: {found.reason}")


@recover.command()
@ROOT
@AS_JSON
@told
def performance(root: str, *, as_json: bool) -> None:
    """Begin to track performance anew, from the portfolio as it is now, if the files in ROOT are lost or damaged."""
    from reference_store.operations.recovery import reinitialise_performance

    done = reinitialise_performance(root)
    if as_json:
        print_json({"begun": done.begun, "removed": list(done.removed)})
        return
    for name in done.removed:
        click.echo(f"performance/{name}.json was damaged, and is kept as evidence")
    click.echo("tracking begins with the portfolio as it is now" if done.begun else "tracking goes on: nothing is lost")


@recover.command()
@ROOT
@click.argument("symbol")
@click.option("--from", "loaded", type=click.Path(path_type=Path), help="Bars loaded again: .csv, .parquet, .arrow.")
@AS_JSON
@click.pass_context
@told
def history(context: click.Context, root: str, symbol: str, *, loaded: Path | None, as_json: bool) -> None:
    """Make the bars of SYMBOL in ROOT readable again; status 1 if some are lost and none were loaded again."""
    from reference_store.operations.recovery import recover_history

    report, added = recover_history(root, symbol, None if loaded is None else str(loaded))
    lost = sum(month.lost for month in report)
    if as_json:
        months = [{"month": each.month, "kept": each.kept, "lost": each.lost, "reason": each.reason} for each in report]
        print_json({"symbol": symbol, "months": months, "added": added})
    else:
        for month in report:
            click.echo(f"{month.month}: {month.kept} bars kept, {month.lost} lost: {shown(month.reason)}")
        click.echo(
            f"{added} bars added"
            if loaded
            else "load again what is lost, and add it with --from"
            if lost
            else "all is there"
        )
    context.exit(1 if lost and not loaded else 0)
