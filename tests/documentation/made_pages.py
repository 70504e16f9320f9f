"""Pages that are made of the code while the site is built: contracts, API of the reference store, decisions."""

from collections.abc import Iterator
from pathlib import Path

import reference_store
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.registry import KITS, ON_REQUEST


def contracts() -> str:
    """Return what each contract asks of the methods of a store, and by which requirements it is judged."""
    return "\n".join(_contracts()) + "\n"


def _contracts() -> Iterator[str]:
    yield from ("# Contracts", "")
    yield "What the suite knows a store by: its methods, which may be synchronous or not. This page is made of the"
    yield "kits. What each promises is asked as a requirement of its own; those of crashes, races, faults, damage and"
    yield "names are asked of all."
    for kit in (*KITS, *ON_REQUEST):
        asked = dict.fromkeys(check.requirement for check in checks_for((kit,)))
        own = [f"[{id_}](requirements.md#{id_.lower()})" for id_ in asked if id_.startswith("DATA-")]
        yield from ("", f"## {kit.name}", "")
        yield f"Methods: {_code(kit.required)}" + (f"; optional: {_code(kit.optional)}" if kit.optional else "") + "."
        if kit in ON_REQUEST:
            yield f'A store has to say that it is one: `tradestore_contracts = ("{kit.name}",)`.'
        yield from ("", f"Sentences of its own: {', '.join(own)}.", "")
        if kit.protocol is not None:
            yield f"::: {kit.protocol.__module__}.{kit.protocol.__qualname__}"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def reference() -> str:
    """Return the API of the reference store, from its docstrings."""
    lines = ["# API of the reference store", ""]
    lines += ["Everything that `reference_store` exports. [How it is used](../how-to/use-the-reference-store.md).", ""]
    return "\n".join([*lines, *(f"::: reference_store.{name}" for name in sorted(reference_store.__all__)), ""])


def decisions(directory: Path) -> str:
    """Return the list of decisions, by number, with their titles."""
    lines = [""]
    for page in sorted(directory.glob("[0-9]*.md")):
        title = page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- {page.name[:4]}: [{title}]({page.name})")
    return "\n".join(lines) + "\n"
