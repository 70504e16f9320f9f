"""What a root cause is: a culprit in the store, the worst that it does, and the remedy that belongs to it.

Two counterexamples have one cause when they have one culprit, whatever requirement each of them breaks and whatever
files each of them leaves. Engines find culprits; this module has no opinion on who is guilty.
"""

import re
from dataclasses import dataclass
from enum import IntEnum


class Harm(IntEnum):
    """What is lost in the end, worst first."""

    DESTROYED = 1
    """Data that had been acknowledged before, and that nobody was about to change for the worse."""
    UNREADABLE = 2
    """All data, though it may still lie there."""
    LOST = 3
    """An update that had been acknowledged."""
    WRONG = 4
    """Nothing is gone; what is shown is wrong."""
    LEFTOVER = 5
    """Nothing is wrong yet: something is left behind, or held."""

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Harm.DESTROYED: "destroys earlier data",
    Harm.UNREADABLE: "makes all data unreadable",
    Harm.LOST: "loses an acknowledged update",
    Harm.WRONG: "shows something wrong",
    Harm.LEFTOVER: "leaves something behind",
}


AND = " and "
"""Stands between faults that were seen together only."""
INTO = " > "
"""Stands between a line and the one of the library that it called."""


@dataclass(frozen=True, slots=True, eq=False)
class Culprit:
    """What is at fault: in a few words what is wrong, and where.

    ``places`` are the lines that ask for the steps in question, in the order of the program; where no line is known, as
    inside of a native library, the files that the steps are about, without what is random in their names.

    Two are equal when one repair mends both: a line of a library is one place, whoever calls it.
    """

    fault: str
    places: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The innermost line of each place, which is the one to be mended; each once."""
        return tuple(dict.fromkeys(place.rpartition(INTO)[2] for place in self.places))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Culprit):
            return NotImplemented
        return (self.fault, self.lines) == (other.fault, other.lines)

    def __hash__(self) -> int:
        return hash((self.fault, self.lines))

    def __str__(self) -> str:
        return f"{self.fault} at {' and '.join(self.places)}" if self.places else self.fault


@dataclass(frozen=True, slots=True)
class Cause:
    """A culprit, the worst that it was seen to do, and what to do about it (nothing: what the requirement says)."""

    culprit: Culprit
    harm: Harm
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.culprit} ({self.harm.words})"


_CHANGING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}|(?<=tmp)[0-9a-z_]{8}(?=\W|$)|(?<=[.-])[0-9a-z_]{8}(?=\.|$)|[0-9]{5,}",
    re.IGNORECASE,
)
"""What programs put into the names of temporary files: random digits and letters, UUIDs, process ids."""


def role_of_path(path: str) -> str:
    """Return a path without what differs from run to run."""
    return _CHANGING.sub("*", path)
