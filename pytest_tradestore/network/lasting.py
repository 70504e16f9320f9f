"""Before which requests a client's death leaves the server in another state than its death before an earlier one.

What is read, and what a transaction does that is never committed, is gone with the client: whoever comes next finds
what he would have found before it. Nothing is known so of a client that keeps files besides.
"""

from collections.abc import Iterable, Iterator, Sequence

from pytest_tradestore.network.client import Request


def telling(requests: Sequence[Request], places: Iterable[int], since: int = 0) -> Iterator[int]:
    """Yield those of ``places``, request numbers from 1 on and in order, before which a death shows something new.

    ``since`` is the place that is known already; without one the first place is yielded. A place is new when it is in
    another call, before which all that was acknowledged has to be there; or when a request since then has done what
    outlasts the client. So is the last one before that is done, where something was written in a transaction: sequences
    go on when that is taken back.
    """
    for place in places:
        between = requests[max(since, 1) - 1 : place - 1]
        next_ = requests[place - 1] if place <= len(requests) else None
        commits = next_ is not None and next_.lasts and any(request.asked.writes for request in between)
        another = bool(between) and next_ is not None and next_.step != between[0].step
        if not since or another or commits or any(request.lasts for request in between):
            yield place
            since = place
