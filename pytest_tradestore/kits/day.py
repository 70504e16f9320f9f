"""The day that a run asks about, by local time: callers that race for a log which is kept by the day ask for this one.

A run may last longer than the day. Whoever asks for the day then would miss what was logged for the one before, and
whatever is asked for was decided before it is known when it will be logged; so the time of who races stays in this day.
"""

from datetime import date
from functools import cache

_today = date.today


@cache
def day_of_the_run() -> date:
    """Return the day on which this, or the process that it was forked from, was first called."""
    return _today()
