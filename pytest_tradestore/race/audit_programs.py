"""What concurrent callers of an audit log do: decisions go to one log and orders to another.

Where the store has no call that reads a log back, the lines of its JSONL files are looked at when all is quiet.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial

from pytest_tradestore.crash.observation import Records as Lines
from pytest_tradestore.crash.trading_workloads import lines_of
from pytest_tradestore.race.execution import Call
from pytest_tradestore.race.programs import Vocabulary
from pytest_tradestore.records import Records
from pytest_tradestore.target import OpenStore

LINES = "lines of "
"""With the name of a log: that it can be read in its files."""


def audit(methods: frozenset[str], make: Records) -> Vocabulary | None:
    """Return the words for both logs where both can be read, else for the one that can."""
    write = {"decisions": partial(_decision, make), "orders": partial(_order, make)}
    reads = {part: read for part in write if (read := _read(part, methods)) is not None}
    if not reads:
        return None
    first, *_, last = reads
    live = all(read.look is None for read in reads.values())
    return Vocabulary(
        write[first],
        write[last],
        (lambda _: reads[first]) if live else None,
        lambda _: tuple(reads.values()),
        reread=reads[last] if live else None,
    )


def logged(store: OpenStore, make: Records) -> list[str]:
    """Write to both logs and return those whose lines are then found."""
    found = []
    writes: dict[str, Callable[[Records, int], Call]] = {"decisions": _decision, "orders": _order}
    for part, write in writes.items():
        with suppress(Exception):  # what is wrong with one caller alone, other requirements say
            write(make, 1).make(store)
            lines = lines_of(store, part)
            if isinstance(lines, Lines) and any("mark-1" in line for line in lines.items):
                found.append(part)
    return found


def _decision(make: Records, number: int) -> Call:
    decision = make.make_decision(
        symbol="AAPL", action="BUY", target_weight=0.05, confidence=0.5, reasoning=f"mark-{number} strong"
    )
    return Call("log_decision", ("momentum", decision), "decisions", f"log_decision({{mark-{number}}})")


def _order(make: Records, number: int) -> Call:
    asked = make.make_order(strategy_name="momentum", symbol="AAPL", action="BUY", quantity=100, order_type="MARKET")
    result = make.make_order_result(
        order_id=number, status="filled", fill_price=150.25, fill_quantity=100, message=f"mark-{number} filled"
    )
    return Call("log_order", ("momentum", asked, result), "orders", f"log_order({{mark-{number}}})")


def _read(part: str, methods: frozenset[str]) -> Call | None:
    if f"read_{part}" in methods:
        today = date.today()  # noqa: DTZ011 - logs are kept by the local day
        return Call(f"read_{part}", (today,), part, f"read_{part}({today})")
    if LINES + part in methods:
        return Call(LINES + part, (), part, f"the lines of {part}/*.jsonl", look=partial(lines_of, place=part))
    return None
