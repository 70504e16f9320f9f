"""What a store does wrong with identifiers, in the words of a cause: whichever identifier has shown it.

Also in what two identifiers differ that share a place, for that is what the store takes no notice of.
"""

import unicodedata

from pytest_tradestore.causes import Harm

RAW = "identifier that becomes a path as it is"
LET_IN = "identifier accepted that has to be refused"
LATE = "refusal that comes after something was done"
UNDECLARED = "refusal by an error that is not declared"
STOPS = "identifier that stops the store"
LATE_LINK = "link followed that comes after the check"
FOREIGN = "file of somebody else taken for the store's own"
SPOILS = "identifier that spoils the others"
GONE = "accepted identifier that cannot be read back"
OTHERWISE = "identifier that comes back otherwise"
LISTED = "listing that is not what was written"
TAKEN_FOR_TEXT = "identifier that is no text taken for one"
TAKEN_ALONG = "deletion that takes others along"
REFUSED = "ordinary identifiers refused"

_HARM = {SPOILS: Harm.UNREADABLE, GONE: Harm.LOST, TAKEN_ALONG: Harm.DESTROYED}
_LONG = 40
"""Characters from which on two names that begin alike differ in their length more than in anything else."""


def harm_of(requirement: str, flaw: str) -> Harm:
    """Return the worst that a flaw does; of two that share a place the one destroys what was there of the other."""
    return Harm.DESTROYED if requirement == "NAME-3" else _HARM.get(flaw, Harm.WRONG)


def followed(plant: str) -> str:
    """Return the flaw of a store that follows ``plant``, a link say, which stands in the place of one of its files."""
    return f"{plant} followed"


def shared(first: str, second: str, system: str = "") -> str:
    """Return the flaw by which two identifiers share a place; on ``system`` alone, where one is given."""
    on = f" on {system}" if system else ""
    return f"one place for identifiers that differ in {_difference(first, second)}{on}"


def _difference(first: str, second: str) -> str:
    if unicodedata.normalize("NFKC", first) == unicodedata.normalize("NFKC", second):
        return "how their letters are encoded"
    if first.casefold() == second.casefold():
        return "upper and lower case"
    if first[:_LONG] == second[:_LONG] and min(len(first), len(second)) >= _LONG:
        return "what follows after many characters"
    if len(first) == len(second):
        return "characters that are replaced"
    if first.strip(" .") == second.strip(" ."):
        return "blanks and dots at their ends"
    return "characters that are dropped"
