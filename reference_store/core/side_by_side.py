"""Several syncs at once: the disk does together what several calls would each wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def side_by_side(calls: Sequence[Callable[[], object]]) -> None:
    """Make the calls at the same time, each in a thread of its own; returns when all are over, raises what one raises.

    The threads are gone afterwards, so that no fork finds idle ones. Where the system has no more threads, the calls
    are made one after the other.
    """
    errors: list[BaseException] = []

    def made(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads: list[threading.Thread] = []
    here = list(calls[:1])
    for number, call in enumerate(calls[1:], 1):
        thread = threading.Thread(target=made, args=(call,), name="reference_store wait", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            here += calls[number:]
            break
        threads.append(thread)
    for call in here:
        made(call)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
