"""One call of a store as a frozen fact: what is called with what, which key it is about, how a report writes it.

It is the only form of a call: recorded and crashed, raced, damaged after, drawn for programs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pytest_tradestore.observation import canonical, shortened

if TYPE_CHECKING:
    from pytest_tradestore.target import OpenStore


@dataclass(frozen=True, slots=True)
class Call:
    """A method and what it is called with.

    ``key`` is what of the store it is about (a key, a stream, a log): calls with different keys cannot disturb each
    other in a correct store, so histories are judged key by key. ``rendered`` is how a report writes the call; by
    default as a line of Python.
    """

    method: str
    arguments: tuple[Any, ...] = ()
    key: str = ""
    rendered: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    look: Callable[["OpenStore"], Any] | None = None
    """How to find out what no single method of the store tells."""

    def __post_init__(self) -> None:
        if not self.rendered:
            object.__setattr__(self, "rendered", rendered_call(self.method, self.arguments, self.options))

    def make(self, store: "OpenStore") -> Any:
        """Make the call and return its result; whatever the store raises is raised."""
        if self.look is not None:
            return self.look(store)
        return store.call(self.method, *self.arguments, **self.options)


def rendered_call(method: str, arguments: tuple[Any, ...], options: Mapping[str, Any] | None = None) -> str:
    """Return a call as a line of Python, long values cut short."""
    given = [_rendered(a) for a in arguments] + [f"{name}={_rendered(a)}" for name, a in (options or {}).items()]
    return f"{method}({', '.join(given)})"


def _rendered(argument: Any) -> str:
    if argument is None or isinstance(argument, (str, bool, int, float)):
        return shortened(repr(argument), 50)
    if isinstance(argument, datetime):
        return repr(argument.isoformat(" ").removesuffix(" 00:00:00"))
    if isinstance(argument, (bytes, date)):
        return shortened(repr(argument), 50)
    if isinstance(argument, tuple):
        return f"({', '.join(map(_rendered, argument))}{',' * (len(argument) == 1)})"
    return shortened(canonical(argument), 50)
