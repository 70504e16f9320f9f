"""Where a schedule belongs: store, contract, setting and program. With its own token that is a replay token."""

import re
from dataclasses import dataclass
from enum import Enum

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.race.execution import Program
from pytest_tradestore.race.shrinking import reached


class Setting(Enum):
    """Who the callers are."""

    ONE_INSTANCE = "one instance"
    INSTANCES = "several instances"
    PROCESSES = "several processes"
    CANCELLED = "a cancelled caller"

    @property
    def part(self) -> int:
        """Schedules cost more here and there: the n-th part of the budget is run."""
        return {"PROCESSES": 3}.get(self.name, 1)

    @property
    def instances(self) -> int:
        """How many are open on one directory; 2 stands for several."""
        return 1 if self in (Setting.ONE_INSTANCE, Setting.CANCELLED) else 2

    @property
    def letter(self) -> str:
        """What it is called in replay tokens."""
        return {"ONE_INSTANCE": "o", "INSTANCES": "i", "PROCESSES": "p", "CANCELLED": "c"}[self.name]


_ADDRESS = re.compile(
    r"(?P<store>[^/]+)/(?P<contract>[^/]+)/(?P<letter>[oipc])(?P<number>\d+)(?:@(?P<await>\d+))?(?P<way>(?:\.\d+)*)"
    r"/(?P<schedule>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """As text ``acme/documents/i0.2/0.5.replace.1-1a2b3c4d``.

    The letter is the setting and the number that of the program in the contract's list; ``@4`` says at which await its
    first caller is cancelled, or at which operation something else happens to it; ``way`` which smaller programs were
    reached from it. The rest is the schedule's token.
    """

    store: str
    contract: str
    setting: Setting
    number: int
    awaiting: int | None = None
    way: tuple[int, ...] = ()
    schedule: str = ""

    def __str__(self) -> str:
        awaiting = "" if self.awaiting is None else f"@{self.awaiting}"
        way = "".join(f".{number}" for number in self.way)
        return f"{self.store}/{self.contract}/{self.setting.letter}{self.number}{awaiting}{way}/{self.schedule}"

    def program(self, programs: tuple[Program, ...]) -> Program:
        """Return the program among those of the contract and setting. Raises ReplayError if there is none."""
        program = programs[self.number] if self.number < len(programs) else None
        if program is not None and self.awaiting is not None:
            program = program.struck_at(0, self.awaiting)
        program = None if program is None else reached(program, self.way)
        if program is None:
            raise ReplayError(f"the token {self} names a program that there is not; copy it again, whole")
        return program


def is_address(text: str) -> bool:
    """Say whether a replay token is of a schedule."""
    return _ADDRESS.fullmatch(text.strip()) is not None


def parse(text: str) -> Address:
    """Read a replay token of a schedule. Raises ReplayError if it is none."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ReplayError(f"{text!r} is no replay token of a schedule; copy the whole word after --tradestore-replay")
    return Address(
        match["store"],
        match["contract"],
        next(setting for setting in Setting if setting.letter == match["letter"]),
        int(match["number"]),
        int(match["await"]) if match["await"] else None,
        tuple(int(number) for number in match["way"].split(".") if number),
        match["schedule"],
    )
