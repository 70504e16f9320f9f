"""Hypothesis strategies that draw identifiers: from the corpus, and put together from what makes them hostile.

They climb at most as far as a nest is deep, and begin with no slash: whoever takes one for a path stays in the sandbox.
"""

import re
from itertools import permutations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pytest_tradestore.names.corpus import CORPUS, GROUPS, ORDINARY

FRAGMENTS = (
    *("AAPL", "aapl", "BTC", "USDT", "x", "a", "1", "0", "json", "tmp", "bak", "CON", "nul", "lock"),
    *("..", ".", "/", "\\", "//", "./", ":", "~", "$HOME", "%", "%2e", "%2F", "%25", "+", "_", "-", " ", "*", "?"),
    *("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\u2028", "\ufeff", "\u200d", "\u0301", "\u00e9", "\u00df", "\u212a"),
    *("\uff0e", "\uff0f", "\u2025", "\u2100", "\u65e5", "\U0001f680", "\ud800", "A" * 60),
)
"""What hostile identifiers are made of."""
_PLACES = re.compile(r"\{(OUT|ROOT|NAME|UP\d+)\}")
LONGEST = 12
"""Fragments of a drawn identifier, and so the most levels that it climbs."""


def composed(fragments: list[str]) -> str:
    """Put fragments together; absolute paths are left to the corpus, which knows of harmless ones."""
    return "".join(fragments).lstrip("/")


def identifiers() -> SearchStrategy[str]:
    """Draw an identifier of whatever kind."""
    made = st.lists(st.sampled_from(FRAGMENTS), max_size=LONGEST).map(composed)
    return st.sampled_from(_plain()) | made | st.text(max_size=80).map(lambda text: text.lstrip("/"))


def ordinary() -> SearchStrategy[str]:
    """Draw an identifier that every store has to accept."""
    return st.sampled_from([row.value for row in ORDINARY if row.oracle == "accept"])


def lookalikes() -> SearchStrategy[tuple[str, str]]:
    """Draw two different identifiers that some mapping to file names takes for one."""
    return st.sampled_from([pair for group in GROUPS for pair in permutations(group.members, 2)])


def _plain() -> list[str]:
    """The values of the corpus that mean the same in every run."""
    return [row.value for row in CORPUS if not row.read_only and not _PLACES.search(row.value)]
