"""A client in a process of its own: opens a store, makes the calls it is told to, and can be killed at each request.

The coordinator serves its requests itself, so that nothing happens between two of them that it does not know.
"""

import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_tradestore.backends import Address, hosts
from pytest_tradestore.backends.lines import Asked, Line, Spoil
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.coordinating import Worker
from pytest_tradestore.race.in_force import Chance
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

OPEN, LOOK, CLOSE = "open the store", "look", "close the store"
Step = str | Call
"""What a client is told to do: one of the three words, or a call of the store."""
_PACKET = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request: in which step it was made, what it asked, and what the client was told (nothing: it died first)."""

    step: str
    asked: Asked
    told: str = ""
    spoil: Spoil | None = None
    lasts: bool = False
    """Whether what it has done, or may have done, is still there when its client dies."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step: a value, or the error that it raised; ``died`` where the client was killed in it."""

    value: Any = None
    error: str = ""
    died: bool = False
    struck: bool = False
    """Whether one of its requests was spoilt."""


Decision = Callable[[int, Asked], "Spoil | bool"]
"""Says of a request, by its number in the client's life from 1 on: what spoils it, True: let it be done, False: die."""


def let_all(_number: int, _asked: Asked) -> "Spoil | bool":
    """Let each request be done."""
    return True


class Process(Worker):
    """The process of clients, one after the other; one that dies in the middle is not used again."""

    def __init__(self, store: StoreUnderTest, workload: Workload, chance: Chance) -> None:
        super().__init__(1, lambda links: _serve(links[0], store, workload, chance))
        (self.link,) = self.ends


class Life:
    """The coordinator's side of one client: from where it begins on a new root to where it leaves or dies."""

    def __init__(
        self,
        process: Process,
        line: Line,
        address: Address,
        decide: Decision,
        begun: Callable[[], None],
        asked: Callable[[], None],
        draws: int,
    ) -> None:
        """``begun`` is told that a step begins, for which there is a deadline, and ``asked`` of each request; by
        ``draws`` its random numbers are told from those of others."""
        self._process, self._line, self.decide, self._begun, self._asked = process, line, decide, begun, asked
        self.requests: list[Request] = []
        process.link.send(pickle.dumps(_Begin(address, draws)))

    @property
    def alive(self) -> bool:
        return self._process.alive

    def do(self, step: Step) -> Outcome:
        """Let the client take a step, deciding about each of its requests."""
        name = step if isinstance(step, str) else step.rendered
        self._begun()
        self._process.link.send(pickle.dumps(step))
        struck = False
        while True:
            asked = self._line.wait(self._process.link)
            if asked is None:
                if struck:
                    self._line.calm()
                message = self._process.link.recv(_PACKET)
                if not message:
                    self.die()
                    return Outcome(error="its process ended", struck=struck)
                outcome: Outcome = pickle.loads(message)  # noqa: S301 - from our own child
                return replace(outcome, struck=struck)
            if not isinstance(asked, Asked):
                self._line.freed(1.0)  # nobody else is there: the server is at work on what is left of another client
                continue
            self._asked()
            decided = self.decide(len(self.requests) + 1, asked)
            if decided is False:
                self.requests.append(Request(name, asked))
                self.die()
                return Outcome(died=True, struck=struck)
            spoil = decided if isinstance(decided, Spoil) else None
            struck = struck or spoil is not None
            told = self._line.answer(spoil)
            self.requests.append(Request(name, asked, told, spoil, self._line.lasts))

    def die(self) -> None:
        """Kill the client; when this returns the server has seen that it is gone."""
        self._process.kill()
        self._line.cut()

    def leave(self) -> None:
        """Let it close the store, if it lives, and be done."""
        if self.alive and self.do(CLOSE).error:
            self._process.kill()
        self._line.cut()


@dataclass(frozen=True, slots=True)
class _Begin:
    """Begins a new client."""

    address: Address
    draws: int


def _serve(link: socket.socket, store: StoreUnderTest, workload: Workload, chance: Chance) -> None:
    """Take the steps that the coordinator asks for, one after the other."""
    root, bridge = Path(), Bridge()
    opened: OpenStore | None = None
    errors = store.declarations.errors
    while message := link.recv(_PACKET):
        step: Step | _Begin = pickle.loads(message)  # noqa: S301 - from our own parent
        if isinstance(step, _Begin):
            root, bridge, opened = step.address.directory, Bridge(), None
            hosts.give(os.fspath(root), step.address)
            chance.draw_as(step.draws)
            continue
        try:
            value = None
            if step == OPEN:
                opened = store.open(root, bridge)
            elif opened is None:
                raise AssertionError("a store is opened before it is used")
            elif step == LOOK:
                value = workload.observe(opened, errors)
            elif isinstance(step, Call):
                step.make(opened)
            else:
                opened.close()
                bridge.close()
            outcome = Outcome(value)
        except Exception as error:
            outcome = Outcome(error=f"{type(error).__name__}: {error}".replace(str(root), "<root>"))
        link.send(pickle.dumps(outcome))
