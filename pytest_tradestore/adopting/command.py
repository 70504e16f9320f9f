"""``pytest --tradestore-init MODULE:CLASS``: looks at a store, writes what it needs to be checked, and tries it once.

What is there already is never overwritten; what was written, and what to do next, is said.
"""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pytest_tradestore.adopting.adapter import Callee
from pytest_tradestore.adopting.project import Change, named_in
from pytest_tradestore.adopting.search import Found, Nothing, search
from pytest_tradestore.configuration import checked_store, named_target
from pytest_tradestore.errors import ConfigurationError, TradestoreError
from pytest_tradestore.examination import examine, offered
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.smoke import Trouble, smoke
from pytest_tradestore.target import StoreUnderTest

_WHERE = "--tradestore-init"
_QUIET = 1.0
_AROUND = ' "()'


def init(config: pytest.Config, text: str, say: Callable[[str], None]) -> int:
    """Do what ``--tradestore-init`` says, and return the exit status: 0, or 1 if the store does not work yet.

    Raises pytest.UsageError, with one sentence, for what cannot be adopted at all.
    """
    try:
        return _init(config, text, say)
    except TradestoreError as error:
        raise pytest.UsageError(str(error)) from None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be written: the module, if there has to be one, and the store's line in the configuration."""

    name: str
    place: str
    module: Change | None
    configured: Change
    section: str


def _init(config: pytest.Config, text: str, say: Callable[[str], None]) -> int:
    wanted = _contract_of(config)
    given, target, place = named_target(text, _WHERE, config)
    module, _, attribute = place.partition(":")
    root = config.inipath.parent if config.inipath else config.rootpath
    own = _is_below(getattr(sys.modules[module], "__file__", None), root)
    callee = Callee(module, attribute, own)
    stem = _stem(given or _named_after(module, attribute))
    name = given or stem.replace("_", "-")
    _refuse_what_is_there(config, root, name, stem)
    say(f"{place}: opening it, and trying its methods on an empty directory")
    found = search(target, callee, stem, _now_and_then(config, say), wanted)
    if isinstance(found, Nothing):
        tries = "; ".join(
            f"{way} raised {wrong}" if ":" in wrong else f"{way}: {wrong}" for way, wrong in found.wrong[:4]
        )
        why = tries or _no_path(target, callee)
        raise ConfigurationError(
            f"{_WHERE}: {place} could not be opened on a directory: {why}. Write a function "
            f"that does, def open_store(root: Path), and name that: {_WHERE} MODULE:open_store"
        )
    plan = _planned(config, root, name, stem, place, found)
    for change in filter(None, (plan.module, plan.configured)):
        change.write()
    _tell(found, plan, say)
    return _smoked(config, plan, found, say)


def _no_path(target: Callable[..., Any], callee: Callee) -> str:
    return f"{callee.expression}({', '.join(inspect.signature(target).parameters)}) has no parameter that may be a path"


def _contract_of(config: pytest.Config) -> str:
    """Return the name of the contract that was asked for, if any; raises ConfigurationError if there is none such."""
    wanted: str = config.option.tradestore_contract or ""
    known = [kit.name for kit in KITS]
    if wanted and wanted not in known:
        raise ConfigurationError(
            f"--tradestore-contract: there is no contract {wanted!r}; there are {', '.join(known)}"
        )
    return wanted


def _now_and_then(config: pytest.Config, say: Callable[[str], None]) -> Callable[[str], None]:
    """Say what is tried if nothing was said for a while, and always where much is to be said."""
    last = monotonic()

    def told(line: str) -> None:
        nonlocal last
        if config.get_verbosity() > 0 or monotonic() - last > _QUIET:
            say(f"  {line}")
            last = monotonic()

    return told


def _named_after(module: str, attribute: str) -> str:
    first = attribute.partition(".")[0]
    return first if first[0].isupper() else module.partition(".")[0]


def _stem(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+", "_", name)
    return re.sub(r"_+", "_", words).strip("_").lower()


def _is_below(file: str | None, root: Path) -> bool:
    path = Path(file).resolve() if file else None
    return path is not None and path.is_relative_to(root.resolve()) and "site-packages" not in path.parts


def _refuse_what_is_there(config: pytest.Config, root: Path, name: str, stem: str) -> None:
    if (root / f"tradestore_{stem}.py").exists():
        raise ConfigurationError(
            f"{_WHERE}: {root / f'tradestore_{stem}.py'} is there already, and is not overwritten; move it away, or "
            f"give the store another name, {_WHERE} NAME=MODULE:CLASS"
        )
    for line in config.getini("tradestore_stores"):
        if line.partition("=")[0].strip() == name or (
            "=" not in line and line.rpartition(":")[2].rpartition(".")[2].strip() == name
        ):
            raise ConfigurationError(
                f"{_WHERE}: tradestore_stores has a store named {name!r} already ({line.strip()}); give this one "
                f"another name, {_WHERE} NAME=MODULE:CLASS"
            )


def _planned(config: pytest.Config, root: Path, name: str, stem: str, place: str, found: Found) -> _Plan:
    module = Change(root / f"tradestore_{stem}.py", found.module, new=True) if found.module else None
    asked = f"tradestore_{stem}:{found.name}" if module else place
    configured, section = named_in(config.inipath, root, f"{name}={asked}")
    return _Plan(name, asked, module, configured, section)


def _tell(found: Found, plan: _Plan, say: Callable[[str], None]) -> None:
    say(f"  opened as   {found.opened}")
    methods = f": {', '.join(found.uses)}" if found.uses else ""
    say(f"  contract    {found.contract}{methods}")
    if found.lacking:
        say(f"              {found.lacking}")
    for other in found.others:
        added = f" ({other.told})" if other.told else ""
        say(f"  or as       {other.contract}: {', '.join(other.uses)}{added}; --tradestore-contract {other.contract}")
    if plan.module is None:
        say("  adapter     none is needed")
    else:
        say(f"  wrote       {plan.module.path.name} ({len(found.module.splitlines())} lines)")
    what = "a new file" if plan.configured.new else plan.section
    say(f"  wrote       {plan.configured.path.name} (tradestore_stores, {what})")


def _smoked(config: pytest.Config, plan: _Plan, found: Found, say: Callable[[str], None]) -> int:
    """Use the store as it is named now, for the first time, and say what comes next."""
    again = f"pytest --tradestore-conformance tradestore/{plan.name}"
    todo = _todos(plan, found)
    try:
        store = _store(plan, config)
        examined = examine(store)
        found_trouble = [
            smoke(store, kit, offered(store, kit, frozenset(examined.methods))) for kit in examined.contracts
        ]
    except TradestoreError as error:
        say(f"  first use   {error}")
        for line in todo:
            say(f"  TODO        {line}")
        say(f"Next: finish {plan.module.path.name if plan.module else plan.place}, then {again}")
        return 1
    troubles = [one.trouble for one in found_trouble if one.trouble is not None]
    if troubles:
        return _told(troubles[0], todo, again, say)
    slowest = max(one.seconds for one in found_trouble)
    say(f"  first use   written, read, reopened and read again; the slowest step took {slowest:.2g} s")
    for line in todo:
        say(f"  TODO        {line}")
    say(f"Next: {again}")
    return 0


def _store(plan: _Plan, config: pytest.Config) -> StoreUnderTest:
    name, target, place = named_target(f"{plan.name}={plan.place}", _WHERE, config)
    return checked_store(StoreUnderTest(name, target, origin=place))


def _told(trouble: Trouble, todo: list[str], again: str, say: Callable[[str], None]) -> int:
    say(f"  first use   {trouble.sentence}. {trouble.remedy}.")
    for line in trouble.trace.rstrip().splitlines():
        say(f"    {line}")
    for line in todo:
        say(f"  TODO        {line}")
    say(f"Next: mend that, then {again}")
    return 1


def _todos(plan: _Plan, found: Found) -> list[str]:
    if plan.module is None:
        return []
    lines = enumerate(found.module.splitlines(), 1)
    marked = [(number, line.partition("TODO: ")[2]) for number, line in lines if "TODO: " in line]
    name = plan.module.path.name
    return [f"{name}:{number}  {told.strip(_AROUND)}" for number, told in marked]


def said(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)  # noqa: T201 - what was asked for
