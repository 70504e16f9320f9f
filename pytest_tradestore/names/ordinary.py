"""Ordinary identifiers: whether they are accepted, and what the store does with them otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.carried import carries
from pytest_tradestore.names.context import NEIGHBOUR, Context, Habits, told
from pytest_tradestore.names.corpus import ORDINARY
from pytest_tradestore.names.flaws import REFUSED
from pytest_tradestore.names.session import Ended, How, Session

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
        with context.session() as session:
            refused: list[tuple[str, Ended, str]] = []
            for value in symbols if slot.symbols else _IDS:
                context.at(slot, value, "writing it")
                session.forget()
                context.checked["ordinary_identifiers"] += 1
                ended = session.write(slot, value, context.mark())
                if ended.how is not How.ACCEPTED:
                    refused.append((value, ended, session.calls[-1] if session.calls else ""))
            if zone is None and refused and refused[0][0] == NEIGHBOUR:
                continue
            for value, ended, call in refused:
                session.calls[:] = [call] if call else []
                sentence = f"the {slot.what} {shown(value)}, as ordinary as they come, was refused"
                context.violation("NAME-6", REFUSED, sentence, session, told(ended), "it is accepted")
            return


def habits_of(context: Context, slot: Slot) -> Habits:
    """Return what the store does with two ordinary identifiers, and with one that was never written."""
    context.at(slot, NEIGHBOUR, "using the store in the ordinary way")
    with context.session() as session:
        undeclared = _undeclared(session, slot)
        first, second, third = context.mark(), context.mark(), context.mark()
        session.write(slot, NEIGHBOUR, first)
        session.write(slot, _OTHER, second)
        habits = Habits(reads=_holds(session, slot, first), undeclared=undeclared)
        session.write(slot, NEIGHBOUR, third)
        habits = replace(habits, overwrites=_holds(session, slot, *([first] if slot.appends else []), third))
        habits = replace(habits, lists=_lists(session, slot, NEIGHBOUR, _OTHER))
        reopened = session.attempt(session.reopen).how is How.ACCEPTED
        last = third if habits.overwrites else first
        earlier = [first] if slot.appends else []
        survives = reopened and _holds(session, slot, *earlier, last)
        habits = replace(habits, survives=survives, lists_reopened=_lists(session, slot, NEIGHBOUR, _OTHER))
        if slot.delete:
            ended = session.attempt(lambda: slot.delete(session, NEIGHBOUR))  # type: ignore[misc]
            gone = ended.how is How.ACCEPTED and ended.value is True and _lists(session, slot, _OTHER)
            habits = replace(habits, deletes=gone)
        return habits


def _undeclared(session: Session, slot: Slot) -> frozenset[tuple[str, str]]:
    calls: list[tuple[str, Callable[[Session, Any], Any] | None]] = [
        ("read", slot.read),
        ("touch", slot.touch),
        ("delete", slot.delete),
    ]
    found = set()
    for name, call in calls:
        if call is not None:
            ended = session.attempt(lambda call=call: call(session, _ABSENT))  # type: ignore[misc]
            if ended.how is How.UNCLEAR:
                found.add((name, ended.kind))
    return frozenset(found)


def _holds(session: Session, slot: Slot, *marks: int) -> bool:
    """Say whether the marks are what stands under the neighbour."""
    if slot.read is not None:
        back = session.attempt(lambda: slot.read(session, NEIGHBOUR))  # type: ignore[misc]
        return back.how is How.ACCEPTED and sorted(back.value.marks) == sorted(set(marks))
    if slot.everything is None:
        return True
    found = session.attempt(lambda: slot.everything(session))  # type: ignore[misc]
    return found.how is How.ACCEPTED and (found.value is None or carries(found.value, NEIGHBOUR, marks[-1]))


def _lists(session: Session, slot: Slot, *wanted: str) -> bool:
    if slot.names is None:
        return True
    found = session.attempt(lambda: slot.names(session))  # type: ignore[misc]
    return found.how is How.ACCEPTED and (found.value is None or sorted(map(str, found.value)) == sorted(wanted))
