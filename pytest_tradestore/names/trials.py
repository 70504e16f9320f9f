"""All trials of the identifiers of one contract, in their order.

Runs the store's code, so it is called only in an isolated process.
"""

from collections.abc import Sequence

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.case_folding import try_case_folding
from pytest_tradestore.names.collisions import try_collisions
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.corpus import Identifier
from pytest_tradestore.names.escapes import refuses_hostile, refuses_without_effect, try_escapes
from pytest_tradestore.names.findings import Findings
from pytest_tradestore.names.foreign import try_foreign
from pytest_tradestore.names.non_strings import try_non_strings
from pytest_tradestore.names.ordinary import accepts_ordinary, habits_of

_UNREADABLE = "even what was written under {} cannot be read again, so nothing can be said of other identifiers"


def try_all(context: Context, slots: Sequence[Slot], rows: Sequence[Identifier]) -> Findings:
    """Try everything, one place for identifiers after the other."""
    undecided: dict[str, str] = {}
    for slot in slots:
        accepts_ordinary(context, slot)
        habits = habits_of(context, slot)
        tried = try_escapes(context, slot, rows, habits)
        refuses_hostile(context, slot, tried)
        refuses_without_effect(context, slot, tried)
        if slot.normalises:
            continue
        if not habits.reads:
            undecided |= dict.fromkeys(("NAME-3", "NAME-4"), _UNREADABLE.format(shown(NEIGHBOUR)))
            continue
        try_collisions(context, slot, tried, habits)
        try_non_strings(context, slot)
        if slot.read:
            try_case_folding(context, slot)
        if "private-files" in context.store.declarations.claims and (slot.read or slot.names):
            try_foreign(context, slot, habits)
    not_asked = {}
    if not any(slot.read for slot in slots):
        not_asked["NAME-3"] = "no call of this contract reads by an identifier"
    return Findings(tuple(context.found), dict(context.checked), not_asked, undecided)
