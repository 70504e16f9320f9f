"""All trials of the identifiers of one contract, in their order.

Runs the store's code, so it is called only in an isolated process.
"""

from collections.abc import Sequence

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.alone import refuses_hostile, refuses_without_effect, try_alone
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.corpus import Identifier
from pytest_tradestore.names.elsewhere import try_elsewhere
from pytest_tradestore.names.findings import Findings
from pytest_tradestore.names.foreign import try_foreign
from pytest_tradestore.names.no_text import try_no_text
from pytest_tradestore.names.ordinary import accepts_ordinary, habits_of
from pytest_tradestore.names.together import try_together

_UNREADABLE = "even what was written under {} cannot be read again, so nothing can be said of other identifiers"


def try_all(context: Context, slots: Sequence[Slot], rows: Sequence[Identifier]) -> Findings:
    """Try everything, one place for identifiers after the other."""
    undecided: dict[str, str] = {}
    for slot in slots:
        accepts_ordinary(context, slot)
        habits = habits_of(context, slot)
        tried = try_alone(context, slot, rows, habits)
        refuses_hostile(context, slot, tried)
        refuses_without_effect(context, slot, tried)
        if slot.normalises:
            continue
        if not habits.reads:
            undecided |= dict.fromkeys(("NAME-3", "NAME-4"), _UNREADABLE.format(shown(NEIGHBOUR)))
            continue
        try_together(context, slot, tried, habits)
        try_no_text(context, slot)
        if slot.read:
            try_elsewhere(context, slot)
        if "private-files" in context.store.declarations.claims and (slot.read or slot.names):
            try_foreign(context, slot, habits)
    not_asked = {}
    if not any(slot.read for slot in slots):
        not_asked["NAME-3"] = "no call of this contract reads by an identifier"
    return Findings(tuple(context.found), dict(context.checked), not_asked, undecided)
