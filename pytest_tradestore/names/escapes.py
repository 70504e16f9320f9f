"""One identifier at a time, through every call that takes it, with canaries around the root."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import PureWindowsPath
from typing import Any

from pytest_tradestore.causes import Harm
from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.client import Ended, How, NestClient, shows_secret
from pytest_tradestore.names.context import (
    NEIGHBOUR,
    NOTHING_OUTSIDE,
    Context,
    Habits,
    Tried,
    asked_for,
    value_of,
)
from pytest_tradestore.names.corpus import OPAQUE_OK, Identifier
from pytest_tradestore.names.flaws import LATE, LET_IN, MADE_A_PATH, RAW
from pytest_tradestore.names.nest import Nest
from pytest_tradestore.names.tree import changed, paths_of, tree_of
from pytest_tradestore.names.watching import SystemCalls

_OURS = -1
"""Stands where identifiers have their number: what follows is what the harness does itself."""
_AT_ONCE = 12
"""Rows between two looks at the canaries."""
_IN_ONE_STORE = 48
"""Rows that are visited in one store which deletes nothing: reading becomes slower the more there is."""


def try_escapes(context: Context, slot: Slot, rows: Sequence[Identifier], habits: Habits) -> list[Tried]:
    """NAME-1 and NAME-5: make every call with each row, and look whether anything outside was read or has changed."""
    alone = _Alone(context, slot, habits)
    asked = [row for row in rows if not context.skips(slot, row.value)]
    for first in range(0, len(asked), _AT_ONCE):
        alone.visit(asked[first : first + _AT_ONCE])
    return alone.finish()


class _Alone:
    """Visits rows a few at a time, because looking at all canaries takes longer than most stores do.

    Where anything was touched, these few are visited again, one by one, each in a nest that nobody has touched.
    """

    def __init__(self, context: Context, slot: Slot, habits: Habits) -> None:
        self._context, self._slot, self._habits = context, slot, habits
        self._tried: list[Tried] = []
        self._nests: dict[int, Nest] = {}
        self._in_nest = 0
        self._session = context.enter()
        self._system = _system_calls() if context.use_strace else None
        self._prepare()

    def visit(self, rows: Sequence[Identifier]) -> None:
        """Visit a few rows and note how each fared."""
        if self._slot.delete is None and self._in_nest >= _IN_ONE_STORE:
            self._renew()
        self._in_nest += len(rows)
        context, before = self._context, (len(self._context.found), len(self._tried))
        suspicious = [self._visit(row) for row in rows]
        if not any(suspicious) and not self._session.canaries.change():
            return
        del context.found[before[0] :], self._tried[before[1] :]
        for row in rows:
            self._renew()
            outside = self._visit(row)
            change = self._session.canaries.change(thorough=True)
            if outside or change:
                last = self._tried.pop()
                self._tried.append(Tried(last.row, last.ended, escaped=True))
                spelled = value_of(row, self._session)
                _escaped(context, self._slot, spelled, change or outside, self._session, changed=bool(change))
        self._renew()

    def _visit(self, row: Identifier) -> str:
        """Visit one row; return what of the outside it asked for or showed, as far as that is seen at once."""
        context, client = self._context, self._session
        number = len(self._tried)
        self._nests[number] = client.nest
        context.at(self._slot, row.value, "asking for it and writing it")
        client.forget()
        client.asked_outside()
        if self._system:
            self._system.note(number)
        ended, leak = _visit(context, self._slot, row, client, self._habits)
        if self._system:
            self._system.note(_OURS)
        self._tried.append(Tried(row, ended))
        asked = client.asked_outside()
        return leak or (asked_for(asked[0], client.nest) if asked else "")

    def finish(self) -> list[Tried]:
        """Add what only bytes and system calls show, and return how each row fared."""
        context, client = self._context, self._session
        context.checked["identifiers"] += len(self._tried)
        client.forget()
        if change := client.canaries.change(thorough=True):
            sentence = f"a {self._slot.what} led out of the root: {change}"
            context.violation("NAME-1", RAW, sentence, client, change, NOTHING_OUTSIDE, harm=Harm.DESTROYED)
        tried = self._tried
        if self._system:
            tried = _seen_by_the_system(context, self._slot, tried, self._system, self._nests, client)
        context.leave(client)
        return tried

    def _renew(self) -> None:
        self._in_nest = 0
        self._context.leave(self._session)
        self._session = self._context.enter()
        self._prepare()

    def _prepare(self) -> None:
        self._session.write(self._slot, NEIGHBOUR, self._context.mark())


def _system_calls() -> SystemCalls | None:
    try:
        return SystemCalls()
    except RuntimeError:
        return None


def _visit(context: Context, slot: Slot, row: Identifier, client: NestClient, habits: Habits) -> tuple[Ended, str]:
    """Make every call with one row; return how the write ended, and what of the outside a read has shown."""
    value = value_of(row, client)
    leak = ""

    def do(name: str, action: Callable[[NestClient, Any], Any] | None) -> None:
        nonlocal leak
        if action is None:
            return
        ended = client.attempt(lambda: action(client, value))
        if ended.how is How.UNCLEAR and (name, ended.kind) not in habits.undeclared:
            context.unclear(slot, ended, client)
        if name == "read" and ended.how is How.ACCEPTED and shows_secret(ended.value.content):
            leak = leak or f"{client.calls[-1]} returned what stands in a file outside"

    with client.aiming_at(value if row.read_only else ""):
        do("read", slot.read)
        do("touch", slot.touch)
        if row.read_only:
            return Ended(How.REFUSED), leak
        ended = client.write(slot, value, context.mark())
        if ended.how is How.UNCLEAR:
            context.unclear(slot, ended, client)
        do("read", slot.read)
        do("delete", slot.delete)
        return ended, leak


def _escaped(context: Context, slot: Slot, value: str, how: str, client: NestClient, *, changed: bool = False) -> None:
    sentence = f"the {slot.what} {shown(value)} led out of the root: {how}"
    harm = Harm.DESTROYED if changed else None
    root = client.nest.root
    climbs = not client.nest.within(os.path.normpath(root / value)) if value.isprintable() else True
    flaw = RAW if climbs else MADE_A_PATH
    context.violation("NAME-1", flaw, sentence, client, how, NOTHING_OUTSIDE, harm=harm)


def _seen_by_the_system(
    context: Context, slot: Slot, tried: list[Tried], system: SystemCalls, nests: dict[int, Nest], client: NestClient
) -> list[Tried]:
    """Add the escapes that only system calls have shown."""
    outside, seen = system.outside(nests)
    context.checked["opened_paths"] += seen
    for number, asked in outside.items():
        if not tried[number].escaped:
            row = tried[number].row
            _escaped(context, slot, value_of(row, client), asked_for(asked, nests[number]), client)
            tried[number] = Tried(row, tried[number].ended, escaped=True)
    return tried


def refuses_hostile(context: Context, slot: Slot, tried: list[Tried]) -> None:
    """NAME-5: what must be refused was accepted; allowed to a store that encodes it, so that no name has its meaning.

    A store that declares ``strict`` has to refuse it in any case, one that declares ``opaque`` may keep it.
    """
    rows = [one.row for one in tried if one.row.oracle == "reject" and one.ended.how is How.ACCEPTED]
    escaped = {one.row.id for one in tried if one.escaped}
    rows = [row for row in rows if row.id not in escaped and not (context.opaque and row.category in OPAQUE_OK)]
    if not rows:
        return
    with context.client() as client:
        client.write(slot, NEIGHBOUR, context.mark())
        before = paths_of(client.nest.root)
        usual = max((path.count("/") for path in before), default=0)
        for row in rows:
            value = value_of(row, client)
            context.at(slot, row.value, "writing it, which should be refused")
            client.forget()
            client.write(slot, value, context.mark())
            now = paths_of(client.nest.root)
            named = sorted(now - before)
            raw = next((path for path in named if _raw(value, path, usual)), "")
            climbs = next((path for path in named if not raw and _climbs_on_windows(value, path)), "")
            before = now
            allowed = f"a clear error: it {row.reason}" if " " in row.reason else "a clear error"
            if context.strict:
                sentence = f"the {slot.what} {shown(value)} was accepted"
                context.violation("NAME-5", RAW if raw else LET_IN, sentence, client, "accepted", allowed)
            elif raw or climbs:
                sentence = f"the {slot.what} {shown(value)} was accepted and stands in the file system as it is"
                hint = "declare tradestore_identifiers = 'opaque' if any text is meant to be kept"
                context.violation(
                    "NAME-5",
                    RAW,
                    sentence,
                    client,
                    f"a new name in the root: {raw or climbs!a}",
                    allowed,
                    notes=(hint,),
                    platform="windows" if climbs else "",
                )


def _raw(value: str, path: str, usual: int) -> bool:
    """Say whether a path under the root holds what makes an identifier hostile, not encoded.

    ``usual`` is how deep the files of an ordinary identifier lie: directories down to there are the store's own.
    """
    dangerous = {c for c in value if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    if any(character in path for character in dangerous):
        return True
    components = path.split("/")
    parts = [part for part in value.split("/") if part not in ("", ".", "..")]
    if "/" not in value or len(components) - 1 <= usual:
        return False
    *above, last = parts or [""]
    width = len(parts)
    runs = (components[at : at + width] for at in range(len(components) - width + 1))
    return any(run[:-1] == above and run[-1].startswith(last) for run in runs if run)


def _climbs_on_windows(value: str, path: str) -> bool:
    """Say whether one name here is, on Windows, a path that leads out of its directory."""
    names = [PureWindowsPath(name) for name in path.split("/") if "\\" in name and "\\" in value]
    return any(".." in name.parts or bool(name.anchor) for name in names)


def refuses_without_effect(context: Context, slot: Slot, tried: list[Tried]) -> None:
    """NAME-5: repeat what was refused on a store with one neighbour, and compare the root before and after."""
    refused = [
        one.row for one in tried if one.ended.how is not How.ACCEPTED and not one.row.read_only and not one.escaped
    ]
    if not refused:
        return
    context.checked["refusals_repeated"] += len(refused)
    with context.client() as client:
        for _ in range(2):  # the second time a store makes its backup, if it has any
            client.write(slot, NEIGHBOUR, context.mark())

        def again(rows: Iterable[Identifier]) -> list[How]:
            ends = []
            for row in rows:
                context.at(slot, row.value, "writing it, to be refused")
                ends.append(client.write(slot, value_of(row, client), context.mark()).how)
            return ends

        volatile = context.store.declarations.volatile
        before = tree_of(client.nest.root)
        again(refused)
        if not changed(before, tree_of(client.nest.root), volatile):
            return
        for row in refused:
            client.forget()
            before = tree_of(client.nest.root)
            if again([row]) == [How.ACCEPTED]:
                continue  # what is accepted now may well have an effect
            if effect := changed(before, tree_of(client.nest.root), volatile):
                value = shown(value_of(row, client))
                sentence = f"the {slot.what} {value} was refused, but not without effect: {effect}"
                context.violation("NAME-5", LATE, sentence, client, effect, "nothing is created, changed or removed")
                return
