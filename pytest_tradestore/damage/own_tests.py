"""Damaged files in people's own tests: their object, what it writes, and what reading it may give afterwards.

This is what the fixture ``tradestore_damage`` hands out; the suite itself does not come here.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.damage.operators import Damage, drawn_damages, plain_damages
from pytest_tradestore.damage.trials import bounded_memory, damaged_image
from pytest_tradestore.faults.workbench import image_below
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import DEADLINE, Bridge

Act = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class DamageOutcome:
    """What one damaged file did: ``damage`` says which and how; ``raised`` what the reader got, nothing if it returned.

    ``found`` is what the reader returned, None if it raised; ``intact`` what it returns when nothing is damaged.
    """

    damage: str
    raised: str
    found: Any
    intact: Any

    @property
    def is_silent(self) -> bool:
        """Whether the reader got something else than what was stored, and no error."""
        return not self.raised and bool(self.found != self.intact)


class DamagedFiles:
    """Damages each file that your object wrote, in many ways, and lets a new object read.

    ``target(root)`` makes the object. ``flips``: how many bits are flipped and cuts made, drawn with ``seed``, beside
    the plainer damages of each file.
    """

    def __init__(
        self, target: Callable[[Path], Any], *, flips: int = 200, seed: int = 0, deadline: float = DEADLINE
    ) -> None:
        self._target, self._flips, self._seed, self._deadline = target, flips, seed, deadline

    def outcomes(self, write: Act, *, read: Act) -> tuple[DamageOutcome, ...]:
        """Return what ``read(object)`` gives after each damage to what ``write(object)`` left.

        What ``read`` returns has to be picklable. Raises RuntimeError when writing or reading fails without damage, or
        when the object hangs or takes too much memory on a damaged file.
        """
        with Sandbox() as sandbox:

            def task(channel: Channel) -> tuple[DamageOutcome, ...] | str:
                return self._tried(write, read, sandbox, channel)

            ending = run_isolated(task, self._deadline)
        match ending:
            case Finished(tuple(found)):
                return found
            case Finished(problem):
                raise RuntimeError(f"without any damage: {problem}")
            case _:
                raise RuntimeError(f"the object hung or ended its process on a damaged file: {ending}")

    def check(self, write: Act, *, read: Act, holds: Callable[[DamageOutcome], None]) -> int:
        """Let ``holds(outcome)`` assert what has to be true after every damage; return how many there were."""
        found = self.outcomes(write, read=read)
        for outcome in found:
            holds(outcome)
        return len(found)

    def _tried(self, write: Act, read: Act, sandbox: Sandbox, channel: Channel) -> tuple[DamageOutcome, ...] | str:
        bridge = Bridge()
        try:
            channel.step(1)
            root = sandbox.fresh_root()
            opened = bridge.settle(self._target(root))
            bridge.settle(write(opened))
            image = image_below(root, ())
            intact = bridge.settle(read(bridge.settle(self._target(root))))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        with bounded_memory():
            return tuple(
                self._read(damage, damaged_image(image, damage), read, intact, bridge, sandbox, channel, number)
                for number, damage in enumerate(self._damages(image), 2)
            )

    def _damages(self, image: DurableImage) -> Iterator[Damage]:
        files = {file.path: file.content for file in image.files if file.kind is FileKind.FILE and file.content}
        draw = random.Random(self._seed)  # noqa: S311 - chance, not secrecy
        for path, content in files.items():
            yield from plain_damages(path, content, {})
        streams = [drawn_damages(path, content, draw) for path, content in files.items()]
        yield from islice((next(stream) for stream in cycle(streams)), self._flips)

    def _read(
        self,
        damage: Damage,
        image: DurableImage,
        read: Act,
        intact: Any,
        bridge: Bridge,
        sandbox: Sandbox,
        channel: Channel,
        number: int,
    ) -> DamageOutcome:
        channel.step(number)
        root = sandbox.fresh_root()
        image.write(root)
        try:
            found, raised = bridge.settle(read(bridge.settle(self._target(root)))), ""
        except Exception as error:
            found, raised = None, f"{type(error).__name__}: {error}".replace(str(root), "<root>")
        sandbox.discard(root)
        return DamageOutcome(str(damage), raised, found, intact)
