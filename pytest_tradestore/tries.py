"""Replay tokens of faults and damage: short text that names one of the things that were tried on a store."""

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from pytest_tradestore.errors import ReplayError

_TOKEN = re.compile(
    r"(?P<store>[^/]+)/(?P<contract>[^/]+)/(?P<sort>fault|sync|meanwhile|damage|death|request)/(?P<print>[0-9a-f]{8})"
)


class TrialKind(Enum):
    """What was tried; the words are those of tokens."""

    FAULT = "fault"
    SYNC = "sync"
    MEANWHILE = "meanwhile"
    DAMAGE = "damage"
    DEATH = "death"
    """Of a client between two requests to a server."""
    SPOILT = "request"
    """Of a client, spoilt."""


@dataclass(frozen=True, slots=True)
class TrialToken:
    """As text ``acme/documents/fault/1a2b3c4d``: the eight digits stand for what was tried, and on what."""

    store: str
    contract: str
    sort: TrialKind
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.store}/{self.contract}/{self.sort.value}/{self.fingerprint}"

    def is_of(self, *what: object) -> bool:
        """Say whether the token is of what is written so."""
        return fingerprint(*what) == self.fingerprint


def fingerprint(*what: object) -> str:
    """Return eight hex digits for what was tried, as a report writes it."""
    return sha256("\0".join(map(str, what)).encode("utf-8", "backslashreplace")).hexdigest()[:8]


def is_of_a_try(text: str) -> bool:
    """Say whether a replay token is of a fault or a damage."""
    return _TOKEN.fullmatch(text.strip()) is not None


def parse(text: str) -> TrialToken:
    """Read a replay token of a fault or a damage. Raises ReplayError if it is none."""
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        raise ReplayError(f"{text!r} is no replay token of a fault or a damage; copy the whole word from the report")
    return TrialToken(match["store"], match["contract"], TrialKind(match["sort"]), match["print"])
