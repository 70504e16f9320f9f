"""``tradestore copy``."""

from __future__ import annotations

import click

from reference_store.core.signals import let_out
from reference_store.operations.commands.console import AS_JSON, print_json, progress, refuse, shown, told
from reference_store.operations.moving import Copied, copy
from reference_store.operations.moving_ends import KINDS, part_of


@click.command(name="copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, required=True, help="What; may be repeated.")
@AS_JSON
@click.pass_context
@told
def copy_stores(context: click.Context, source: str, target: str, *, kinds: tuple[str, ...], as_json: bool) -> None:
    """Copy what stores hold FROM one place TO another, and compare; status 1 if something is different afterwards.

    A place is a DIRECTORY, postgresql://... (#schema), s3://..., gs://... or az://... (documents and bars), or
    delta:PATH (bars). What is equal already is passed over, so an interrupted copy is gone on with by the same command.
    Nothing FROM is changed, and what is there beyond TO is left alone. Let nobody write meanwhile.
    """
    done = [_copied(source, target, kind) for kind in dict.fromkeys(kinds)]
    if as_json:
        print_json([_facts(each) for each in done])
    else:
        for each in done:
            for name in each.different:
                click.echo(f"{each.kind}: {shown(name)} is different: was it written meanwhile? copy again")
            click.echo(
                f"{each.kind}: {len(each.copied)} copied, {len(each.equal)} equal already, "
                f"{len(each.different)} different; {each.objects} objects compared"
            )
    context.exit(1 if any(each.different for each in done) else 0)


def _facts(done: Copied) -> dict[str, object]:
    counts = {"copied": len(done.copied), "equal": len(done.equal), "objects": done.objects}
    return {"kind": done.kind, **counts, "different": done.different}


def _copied(source: str, target: str, kind: str) -> Copied:
    try:
        begin = part_of(source, kind, there=True)
        try:
            end = part_of(target, kind, there=False)
            try:
                with progress(kind) as step:
                    return copy(kind, begin, end, step)
            finally:
                end.close()
        finally:
            begin.close()
    except ImportError as missing:
        let_out(missing)
        refuse(str(missing))
