"""The steps of several callers side by side: a column for each, the source line at the right where there is room."""

import os
import textwrap
from collections.abc import Iterator, Sequence

from pytest_tradestore.verdict import Step

_NUMBER = 4
_LOCATION = 24
_GAP = 2


def columns(steps: Sequence[Step], actors: Sequence[str], width: int) -> Iterator[str]:
    """Yield a heading and a line per step, each of at most ``width`` columns; switches stand between the callers.

    A row has one caller's text only, so that it may go on below the other columns; what a call gave may take two lines.
    """
    places = max((len(_place(step)) for step in steps), default=0)
    places = min(places, _LOCATION) if width >= _NUMBER + 24 * len(actors) + _LOCATION else 0
    room = (width - _NUMBER - (places + _GAP if places else 0)) // max(1, len(actors))
    yield (" " * _NUMBER + "".join(_fitted(name, room) for name in actors)).rstrip()
    for step in steps:
        if step.actor < 0 or step.actor >= len(actors):
            yield f"{'':{_NUMBER}}{step.text}"[:width]
            continue
        before = f"{step.number:>{_NUMBER - 1}} " + " " * (room * step.actor)
        place = _shortened(_place(step), places) if places else ""
        free = width - len(before) - (places + _GAP if place else 0)
        if place:
            yield f"{before}{_cut(step.text, free).ljust(free + _GAP)}{place}"
            continue
        first, *more = textwrap.wrap(step.text, free, break_on_hyphens=False) or [""]
        yield f"{before}{first}"
        if more:
            yield f"{' ' * len(before)}  {_cut(' '.join(more), free - 2)}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _fitted(text: str, room: int) -> str:
    return text.ljust(room) if len(text) < room else f"{text[: room - _GAP]}… "


def _shortened(place: str, room: int) -> str:
    return place if len(place) <= room else f"…{place[len(place) - room + 1 :]}"


def _place(step: Step) -> str:
    return os.path.basename(step.location)
