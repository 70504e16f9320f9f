"""What a power loss can leave of a recorded disk: sets of writes, and when each of them can be all that is there.

A set can be it from the arrival of its last write until the first flush is answered that covers a write not in it. A
flush covers what had been answered when it arrived. Writes arrive whole.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_tradestore.confirm.disk import Request

_NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Loss:
    """The numbers of the requests that arrived; from ``first`` to ``last`` is when that can be."""

    arrived: tuple[int, ...]
    first: int
    last: int


class Losses:
    def __init__(self, log: Sequence[Request]) -> None:
        self._log = log
        self._writes = [n for n, request in enumerate(log) if request.data is not None]
        flushes = [r for r in log if r.data is None and r.answered is not None]
        self._place = {n: (log[n].offset, len(log[n].data or b"")) for n in self._writes}
        self._safe: dict[int, int] = {}  # write -> the answer of the first flush that covers it
        for n in self._writes:
            answered = log[n].answered
            covering = [f.answered for f in flushes if answered is not None and f.arrived > answered]
            self._safe[n] = min((a for a in covering if a is not None), default=_NEVER)

    def some(self, most: int, random: random.Random) -> list[Loss]:
        """Return up to ``most`` that differ on disk: prefixes, what flushes guaranteed, and choices of the rest."""
        found: dict[frozenset[int], Loss] = {}
        for arrived in self._candidates(random):
            loss = self._loss(arrived)
            if loss is not None:
                found.setdefault(self._on_disk(loss.arrived), loss)
        chosen = list(found.values())
        return chosen if len(chosen) <= most else random.sample(chosen, most)

    def _candidates(self, random: random.Random) -> Iterator[list[int]]:
        for at in range(len(self._writes) + 1):
            yield self._writes[:at]
        for moment in sorted({self._log[n].arrived + 1 for n in self._writes}):
            there = [n for n in self._writes if self._log[n].arrived < moment]
            sure = [n for n in there if self._safe[n] < moment]
            open_ = [n for n in there if self._safe[n] >= moment]
            yield sure
            if len(open_) > 1:
                yield sorted({*sure, random.choice(open_)})
                missing = random.choice(open_)
                yield [n for n in there if n != missing]
                for _ in range(2):
                    yield sorted({*sure, *(n for n in open_ if random.random() < 0.5)})

    def _loss(self, arrived: Sequence[int]) -> Loss | None:
        there = set(arrived)
        first = max((self._log[n].arrived + 1 for n in arrived), default=0)
        last = min((self._safe[n] for n in self._writes if n not in there), default=_NEVER)
        return Loss(tuple(arrived), first, last) if first <= last else None

    def _on_disk(self, arrived: Sequence[int]) -> frozenset[int]:
        """Return the writes that are left of these when each replaces those to just the same place."""
        return frozenset({self._place[n]: n for n in arrived}.values())
