"""Ordinary identifiers: whether they are accepted, and what the store does with them otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.carried import carries
from pytest_tradestore.names.client import Ended, How, NestClient
from pytest_tradestore.names.context import NEIGHBOUR, Context, Habits, told
from pytest_tradestore.names.corpus import ORDINARY
from pytest_tradestore.names.flaws import REFUSED

_IDS = ("AAPL", "BTC-USD", "600519", "a" * 64, "3f2b8c1e-7d64-4a0e-9c55-0d2f6f1f9b11")
"""What places for generated ids and kinds have to accept; symbols with dots and carets are none of theirs."""
_NO_TICKERS = ("ordinary-longest", "ordinary-version", "ordinary-uuid")
"""What names of portfolios and strategies are like, and no symbol of an exchange is."""
_OTHER, _ABSENT = "MSFT", "GOOG"


def accepts_ordinary(context: Context, slot: Slot) -> None:
    """NAME-6: write ordinary identifiers. Finds out, too, with which times the store can be used at all."""
    tickers = slot.what == "symbol"
    symbols = [row.value for row in ORDINARY if row.oracle == "accept" and not (tickers and row.id in _NO_TICKERS)]
    for zone in (None, UTC):
        context.zone = zone
        with context.client() as client:
            refused: list[tuple[str, Ended, str]] = []
            for value in symbols if slot.symbols else _IDS:
                context.at(slot, value, "writing it")
                client.forget()
                context.checked["ordinary_identifiers"] += 1
                ended = client.write(slot, value, context.mark())
                if ended.how is not How.ACCEPTED:
                    refused.append((value, ended, client.calls[-1] if client.calls else ""))
            if zone is None and refused and refused[0][0] == NEIGHBOUR:
                continue
            for value, ended, call in refused:
                client.calls[:] = [call] if call else []
                sentence = f"the {slot.what} {shown(value)}, as ordinary as they come, was refused"
                context.violation("NAME-6", REFUSED, sentence, client, told(ended), "it is accepted")
            return


def habits_of(context: Context, slot: Slot) -> Habits:
    """Return what the store does with two ordinary identifiers, and with one that was never written."""
    context.at(slot, NEIGHBOUR, "using the store in the ordinary way")
    with context.client() as client:
        undeclared = _undeclared(client, slot)
        first, second, third = context.mark(), context.mark(), context.mark()
        client.write(slot, NEIGHBOUR, first)
        client.write(slot, _OTHER, second)
        habits = Habits(reads=_holds(client, slot, first), undeclared=undeclared)
        client.write(slot, NEIGHBOUR, third)
        habits = replace(habits, overwrites=_holds(client, slot, *([first] if slot.appends else []), third))
        habits = replace(habits, lists=_lists(client, slot, NEIGHBOUR, _OTHER))
        reopened = client.attempt(client.reopen).how is How.ACCEPTED
        last = third if habits.overwrites else first
        earlier = [first] if slot.appends else []
        survives = reopened and _holds(client, slot, *earlier, last)
        habits = replace(habits, survives=survives, lists_reopened=_lists(client, slot, NEIGHBOUR, _OTHER))
        if slot.delete:
            ended = client.attempt(lambda: slot.delete(client, NEIGHBOUR))  # type: ignore[misc]
            gone = ended.how is How.ACCEPTED and ended.value is True and _lists(client, slot, _OTHER)
            habits = replace(habits, deletes=gone)
        return habits


def _undeclared(client: NestClient, slot: Slot) -> frozenset[tuple[str, str]]:
    calls: list[tuple[str, Callable[[NestClient, Any], Any] | None]] = [
        ("read", slot.read),
        ("touch", slot.touch),
        ("delete", slot.delete),
    ]
    found = set()
    for name, call in calls:
        if call is not None:
            ended = client.attempt(lambda call=call: call(client, _ABSENT))  # type: ignore[misc]
            if ended.how is How.UNCLEAR:
                found.add((name, ended.kind))
    return frozenset(found)


def _holds(client: NestClient, slot: Slot, *marks: int) -> bool:
    """Say whether the marks are what stands under the neighbour."""
    if slot.read is not None:
        back = client.attempt(lambda: slot.read(client, NEIGHBOUR))  # type: ignore[misc]
        return back.how is How.ACCEPTED and sorted(back.value.marks) == sorted(set(marks))
    if slot.everything is None:
        return True
    found = client.attempt(lambda: slot.everything(client))  # type: ignore[misc]
    return found.how is How.ACCEPTED and (found.value is None or carries(found.value, NEIGHBOUR, marks[-1]))


def _lists(client: NestClient, slot: Slot, *wanted: str) -> bool:
    if slot.names is None:
        return True
    found = client.attempt(lambda: slot.names(client))  # type: ignore[misc]
    return found.how is How.ACCEPTED and (found.value is None or sorted(map(str, found.value)) == sorted(wanted))
