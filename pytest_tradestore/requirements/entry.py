"""What one requirement says, and which stores have to keep it."""

from dataclasses import dataclass
from enum import IntEnum


class Profile(IntEnum):
    """How much a store promises; each profile contains the ones below it."""

    BASIC = 1
    DURABLE = 2
    HARDENED = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Requirement:
    """``sentence`` completes "a conforming store ..."."""

    id: str
    profile: Profile
    sentence: str
    why: str
    remedy: str
