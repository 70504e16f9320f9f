"""What is no text, given as an identifier: an error is expected, of whatever kind; never a place that text has."""

from pytest_tradestore.causes import Harm
from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.client import How
from pytest_tradestore.names.context import NOTHING_OUTSIDE, Context, asked_for
from pytest_tradestore.names.corpus import NO_TEXT, Other
from pytest_tradestore.names.flaws import RAW, TAKEN_FOR_TEXT


def try_non_strings(context: Context, slot: Slot) -> None:
    """NAME-1 and NAME-3: give each of them, beside the text that it could be taken for."""
    for other in NO_TEXT:
        if not context.skips(slot, other.make()):
            _try(context, slot, other)


def _try(context: Context, slot: Slot, other: Other) -> None:
    value, first = other.make(), context.mark()
    with context.client() as client:
        taken = ".." not in other.spelled and client.write(slot, other.spelled, first).how is How.ACCEPTED
        context.at(slot, value, "writing it")
        client.asked_outside()
        client.write(slot, value, context.mark())
        context.checked["identifiers_that_are_no_text"] += 1
        change, asked = client.canaries.change(), client.asked_outside()
        if change or asked:
            how = change or asked_for(asked[0], client.nest)
            sentence = f"{other.id} as a {slot.what} led out of the root: {how}"
            harm = Harm.DESTROYED if change else None
            context.violation("NAME-1", RAW, sentence, client, how, NOTHING_OUTSIDE, harm=harm)
        elif taken and slot.read and not slot.normalises and not isinstance(value, str):
            back = client.attempt(lambda: slot.read(client, other.spelled))  # type: ignore[misc]
            if back.how is How.ACCEPTED and back.value.marks != (first,):
                spelled = shown(other.spelled)
                sentence = f"the {slot.what}s {other.id} and {spelled} share data"
                allowed = f"what was written under {spelled}, or an error for {other.id}"
                found = f"what was written under {other.id}"
                context.violation("NAME-3", TAKEN_FOR_TEXT, sentence, client, found, allowed)
