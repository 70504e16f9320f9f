"""The steps of several callers side by side: a column for each, the source line at the right where there is room."""

import os
from collections.abc import Iterator, Sequence

from pytest_tradestore.verdict import Step

_NUMBER = 4
_LOCATION = 24
_GAP = 2


def columns(steps: Sequence[Step], actors: Sequence[str], width: int) -> Iterator[str]:
    """Yield a heading and a line per step, each of at most ``width`` columns; switches stand between the callers."""
    places = max((len(_place(step)) for step in steps), default=0)
    places = min(places, _LOCATION) if width >= _NUMBER + 24 * len(actors) + _LOCATION else 0
    room = (width - _NUMBER - (places + _GAP if places else 0)) // max(1, len(actors))
    yield (" " * _NUMBER + "".join(_fitted(name, room) for name in actors)).rstrip()
    for step in steps:
        if step.actor < 0 or step.actor >= len(actors):
            yield f"{'':{_NUMBER}}{step.text}"[:width]
            continue
        last = step.actor == len(actors) - 1
        before = f"{step.number:>{_NUMBER - 1}} " + " " * (room * step.actor)
        text = _fitted(step.text, room) if places or not last else step.text[: room - 1]
        line = f"{before}{text}"
        if places:
            line = f"{line.ljust(_NUMBER + room * len(actors) + _GAP)}{_shortened(_place(step), places)}"
        yield line.rstrip()[:width]


def _fitted(text: str, room: int) -> str:
    return text.ljust(room) if len(text) < room else f"{text[: room - _GAP]}… "


def _shortened(place: str, room: int) -> str:
    return place if len(place) <= room else f"…{place[len(place) - room + 1 :]}"


def _place(step: Step) -> str:
    return os.path.basename(step.location)
