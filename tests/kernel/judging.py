"""Does a model let a power loss leave this tree in this window of the program?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.models import PersistenceModel
from pytest_tradestore.crash.states import Reach, enumerate_states
from tests.kernel.programs import Program

_OUTCOMES = 1 << 13


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A tree that was seen and that a model does not allow, in the window given."""

    program: Program
    model: str
    window: Window
    image: DurableImage


@dataclass
class Judged:
    """One program, what was seen of it, and what each model says."""

    program: Program
    models: Mapping[str, PersistenceModel]
    seen: set[tuple[Window, DurableImage]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._apart = lower(self.program.trace, apart=True)
        self._reach = {name: Reach(self._apart, model, outcomes=_OUTCOMES) for name, model in self.models.items()}

    def unknown(self, windows: Iterable[Window], image: DurableImage) -> list[Window]:
        """Return the windows in which this image has not been judged yet."""
        return [window for window in windows if (window, image) not in self.seen]

    def judge(self, window: Window, image: DurableImage) -> list[Forbidden]:
        """Return what is forbidden about an image; models that had to leave something out say nothing."""
        self.seen.add((window, image))
        return [
            Forbidden(self.program, name, window, image)
            for name, reach in self._reach.items()
            if not reach.includes(window, image) and reach.exhaustive
        ]

    @property
    def unsure(self) -> bool:
        return not all(reach.exhaustive for reach in self._reach.values())

    def share(self, model: PersistenceModel) -> tuple[int, int]:
        """Return how many distinct images of power losses were seen, and how many the model allows.

        Both are 0 where these are too many to be counted.
        """
        found = enumerate_states(self._apart, model, subsets_per_cut=256, images=1 << 16)
        if not found.exhaustive:
            return 0, 0
        allowed = {group.image for group in found.groups if group.power is not None}
        return len(allowed & {image for _, image in self.seen}), len(allowed)
