"""Keeps the value of an option from leading pytest to another project's configuration.

pytest looks for its configuration before it knows the options of plugins. In ``--tradestore-keep kept`` it takes
``kept`` for one of the paths to test, and if there is such a path, begins to look there. No plugin is asked before
that. So a start that went this way is given up before a conftest file was loaded, and made again with
``--tradestore-keep=kept``, which pytest takes for no path.
"""

import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

_OURS = "--tradestore-"
_FROM_FILE = "@"
_ADDED = "PYTEST_ADDOPTS"


@dataclass(frozen=True, slots=True)
class Start:
    """What pytest is started with: the arguments, and those that the environment adds."""

    arguments: tuple[str, ...]
    added: tuple[str, ...]


def to_start_again(config: pytest.Config) -> Start | None:
    """Return how to start pytest so that no value of an option of ours is a path to it; None if none is."""
    if hasattr(config, "workerinput"):
        return None
    was = Start(
        tuple(_written_out(map(str, config.invocation_params.args))),
        tuple(_written_out(shlex.split(os.environ.get(_ADDED, "")))),
    )
    if not any(_is_misleading(config, *pair) for part in (was.added, was.arguments) for pair in pairwise(part)):
        return None
    return Start(_in_one_word(config, was.arguments), _in_one_word(config, was.added))


def give_up(config: pytest.Config, arguments: list[str]) -> None:
    """Let the present start come to its end, without a conftest file and without what its configuration adds."""
    config.known_args_namespace.noconftest = True
    arguments[:] = [os.curdir]


def start_again(config: pytest.Config, start: Start) -> int:
    """Run pytest in this process in place of the start that went wrong, and return its exit status."""
    before = os.environ.get(_ADDED)
    if before is not None:
        os.environ[_ADDED] = shlex.join(start.added)
    try:
        return int(pytest.main(list(start.arguments), config.invocation_params.plugins))
    finally:
        if before is not None:
            os.environ[_ADDED] = before


def _is_misleading(config: pytest.Config, name: str, value: str) -> bool:
    if not _takes(config, name) or value.startswith("-"):
        return False
    path = value.partition("::")[0].partition("[")[0]
    return any(os.path.lexists(config.invocation_params.dir / one) for one in (value, path) if one)


def _takes(config: pytest.Config, name: str) -> bool:
    """Say whether this is an option of ours that stands without its value."""
    if not name.startswith(_OURS) or "=" in name:
        return False
    return not isinstance(getattr(config.option, name.removeprefix("--").replace("-", "_"), None), bool)


def _in_one_word(config: pytest.Config, arguments: tuple[str, ...]) -> tuple[str, ...]:
    joined: list[str] = []
    for argument in arguments:
        if joined and _takes(config, joined[-1]) and not argument.startswith("-"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return tuple(joined)


def _written_out(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the arguments, those in a file (``@FILE``, a line each) in its place, as pytest reads them."""
    for argument in arguments:
        if argument.startswith(_FROM_FILE) and (path := Path(argument[1:])).is_file():
            yield from _written_out(path.read_text().splitlines())
        else:
            yield argument
