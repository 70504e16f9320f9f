"""``tradestore merge``: the parts of a run, made on several machines, become one report and one exit status."""

from pathlib import Path

import click

from pytest_tradestore.errors import TradestoreError
from pytest_tradestore.report import terminal
from pytest_tradestore.report.comparison import load_earlier
from pytest_tradestore.report.files import KINDS, Reported, write_report
from pytest_tradestore.report.merging import merge as join

_COLUMNS = 80


@click.command()
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--report", "wanted", multiple=True, metavar="FORMAT:PATH", help="Write a report of the whole. Repeatable."
)
@click.option(
    "--compare", metavar="PATH", type=click.Path(path_type=Path), help="An earlier JSON report, for the HTML report."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the whole matrix.")
@click.pass_context
def merge(
    context: click.Context, parts: tuple[Path, ...], wanted: tuple[str, ...], compare: Path | None, verbose: bool
) -> None:
    """Put the JSON reports PARTS of one run together and print its verdict.

    Status 1 if a store is not conformant or a check was run in no part, 2 if the parts do not belong together.
    """
    asked = [_report(text) for text in wanted]
    try:
        whole = join(parts)
        earlier = None if compare is None else load_earlier(compare, "--compare")
        made = Reported(whole.settings, whole.recorder, whole.records, Path.cwd(), whole.around, earlier)
        for kind, path in asked:
            write_report(kind, path, made)
    except TradestoreError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"a report cannot be written: {error.strerror}") from None
    for line in terminal.summary(whole.records, whole.settings.profile, _COLUMNS, whole=verbose):
        click.echo("".join(span.text for span in line))
    for check in whole.missing:
        click.echo(f"in no part: {check}")
    context.exit(0 if whole.passed else 1)


def _report(text: str) -> tuple[str, Path]:
    kind, colon, path = text.partition(":")
    if kind not in KINDS or not colon or not path:
        raise click.UsageError(f"--report {text}: write {' or '.join(f'{known}:PATH' for known in KINDS)}")
    return kind, Path(path)
