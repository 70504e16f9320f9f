"""What a store does wrong with identifiers, in the words of a cause: whichever identifier has shown it.

Which of them it is where two identifiers share a place is found out by ``sharing``.
"""

import unicodedata

from pytest_tradestore.causes import Harm

RAW = "identifier that becomes a path as it is"
MADE_A_PATH = "identifier that is made into a path out of the root"
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
DEVICE = "file with the name of a device"
NO_NAME = "file with a name that Windows cannot have"
REFUSED = "ordinary identifiers refused"
BESIDE = "file kept about one identifier that lies where another has its own"
PATTERN = "identifier taken for a pattern that matches others"
EVERY = "one place for all identifiers"
NO_CAUSE = "one place for different identifiers"

_HARM = {SPOILS: Harm.UNREADABLE, GONE: Harm.LOST, TAKEN_ALONG: Harm.DESTROYED}


def harm_of(requirement: str, flaw: str) -> Harm:
    """Return the worst that a flaw does; of two that share a place the one destroys what was there of the other."""
    return Harm.DESTROYED if requirement == "NAME-3" else _HARM.get(flaw, Harm.WRONG)


def followed(plant: str) -> str:
    """Return the flaw of a store that follows ``plant``, a link say, which stands in the place of one of its files."""
    return f"{plant} followed"


def unnoticed(difference: str) -> str:
    """Return the flaw of a store that takes no notice of what identifiers differ in."""
    return f"one place for identifiers that differ in {difference}"


def one_name(first: str, second: str) -> str:
    """Return the flaw of a store that gives two identifiers names of files which are one name on some file system.

    On which of them does not matter: one encoding mends it on all.
    """
    return f"one file for names that differ in {_difference(first, second)}"


def _difference(first: str, second: str) -> str:
    if unicodedata.normalize("NFKC", first) == unicodedata.normalize("NFKC", second):
        return "how their letters are encoded"
    if first.casefold() == second.casefold():
        return "upper and lower case"
    return "blanks and dots at their ends"
