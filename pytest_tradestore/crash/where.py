"""On which file systems can a crash state happen? Not only as it was found: what counts is what a reader sees."""

from collections.abc import Iterable

from pytest_tradestore.crash.crash_state import Crash, CrashState, windows
from pytest_tradestore.crash.lowering import Program
from pytest_tradestore.crash.models import MODELS, PersistenceModel
from pytest_tradestore.crash.states import image_of, images_reached

_SUBSETS_PER_FILE = 4096


def where_possible(program: Program, losses: Iterable[tuple[int, frozenset[int]]]) -> tuple[str, ...]:
    """Return the names of the models under which at least one of the given (cut, lost) can happen.

    A loss that a model forbids counts too if another one, which it allows, leaves the same files in the same window.
    """
    pairs = tuple(losses)
    return tuple(
        model.name for model in MODELS if _as_found(program, model, pairs) or _otherwise(program, model, pairs)
    )


def _as_found(program: Program, model: PersistenceModel, pairs: tuple[tuple[int, frozenset[int]], ...]) -> bool:
    pins = model.pins(program)
    return any(
        all((pin := pins[m]) is None or pin >= cut for m in lost) and model.allows(program, cut, lost)
        for cut, lost in pairs
    )


def _otherwise(program: Program, model: PersistenceModel, pairs: tuple[tuple[int, frozenset[int]], ...]) -> bool:
    in_window = windows(program)
    wanted = (
        (in_window[cut], image_of(program, CrashState(Crash.POWER, cut, tuple(sorted(lost))))) for cut, lost in pairs
    )
    return any(images_reached(program, model, wanted, subsets_per_file=_SUBSETS_PER_FILE))
