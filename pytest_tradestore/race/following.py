"""Schedules that follow an earlier one: exactly, or as far as it goes."""

import sys
from collections.abc import Sequence

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.race.actors import Actor, stable
from pytest_tradestore.race.execution import ContextSwitch
from pytest_tradestore.race.scheduler import Scheduler
from pytest_tradestore.race.tokens import ScheduleToken, fingerprint, verb

_ADVICE = "the code has changed since, or does not do the same again; run the suite anew"


class Repeating:
    """Makes the choices of an earlier execution again."""

    def __init__(self, choices: Sequence[tuple[int, str]]) -> None:
        self._choices = tuple(choices)
        self.scheduler: Scheduler | None = None

    def choose(self, enabled: Sequence[Actor], _current: Actor | None) -> Actor:
        assert self.scheduler is not None, "the scheduler is known before it asks"
        at = len(self.scheduler.choices)
        wanted = self._choices[at] if at < len(self._choices) else None
        for actor in enabled:
            if wanted is not None and (actor.number, stable(actor.pending)) == wanted:
                return actor
        return enabled[0]

    def check(self) -> None:
        """Raise ReplayError if the execution that has ended was not the earlier one."""
        assert self.scheduler is not None, "there was an execution"
        made = tuple(self.scheduler.choices)
        if made == self._choices:
            return
        at = next(
            (i for i, pair in enumerate(zip(made, self._choices, strict=False)) if pair[0] != pair[1]),
            min(len(made), len(self._choices)),
        )
        raise ReplayError(f"step {at + 1} was {_shown(self._choices, at)}, and now it is {_shown(made, at)}: {_ADVICE}")


class Turning:
    """Takes the given turns where they come up, and the plain choice everywhere else."""

    def __init__(self, turns: Sequence[ContextSwitch]) -> None:
        self._left = list(turns)

    def choose(self, enabled: Sequence[Actor], _current: Actor | None) -> Actor:
        plain = enabled[0]
        for at, turn in enumerate(self._left):
            if turn.passed_over == plain.number and turn.steps == plain.steps:
                for actor in enabled:
                    if actor.number == turn.chosen:
                        del self._left[at]
                        return actor
        return plain

    def stays(self, enabled: Sequence[Actor]) -> int:
        """Return how often in a row the first of ``enabled`` would now be chosen, if they stay the same."""
        plain = enabled[0]
        turns = (turn.steps - plain.steps for turn in self._left if turn.passed_over == plain.number)
        return min((ahead for ahead in turns if ahead >= 0), default=sys.maxsize)

    def soon_says(self) -> bool:
        """Say that asking this costs little."""
        return True

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        """Keep nothing of it: turns are counted by steps."""


class Replaying:
    """Takes the turns of a token, in order and each before the operation that it names."""

    def __init__(self, token: ScheduleToken) -> None:
        self._token, self._at = token, 0
        self.scheduler: Scheduler | None = None

    def choose(self, enabled: Sequence[Actor], _current: Actor | None) -> Actor:
        plain = enabled[0]
        if self._at < len(self._token.turns):
            turn = self._token.turns[self._at]
            about_to = verb(stable(plain.pending))
            if (turn.passed_over, turn.steps, turn.operation) == (plain.number, plain.steps, about_to):
                for actor in enabled:
                    if actor.number == turn.chosen:
                        self._at += 1
                        return actor
        return plain

    def check(self) -> None:
        """Raise ReplayError if the execution that has ended was not the one that the token is of."""
        assert self.scheduler is not None, "there was an execution"
        if self._at < len(self._token.turns):
            turn = self._token.turns[self._at]
            raise ReplayError(
                f"actor {turn.passed_over} was to be about to {turn.operation} after {turn.steps} steps, where actor "
                f"{turn.chosen} goes on instead, and that did not come up: {_ADVICE}"
            )
        now = fingerprint(self.scheduler.choices)
        if now != self._token.fingerprint:
            raise ReplayError(
                f"the operations of this schedule have the fingerprint {now}, not {self._token.fingerprint}: {_ADVICE}"
            )


def _shown(choices: tuple[tuple[int, str], ...], at: int) -> str:
    if at >= len(choices):
        return "the end"
    number, operation = choices[at]
    return f"{operation!r} of actor {number}"
