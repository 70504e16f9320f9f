"""Native libraries that open files themselves when given a path: asked at their Python doors, where there are any.

Those without such a door are found out by what they leave on the real disk (``fake_guard``).
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.fake_guard import Guard
from pytest_tradestore.crash.recorders.fake_patches import DOORS, Patches


def watch(patches: Patches, guard: Guard, is_inside: Callable[[str], bool]) -> None:
    """Let the guard say which of the libraries that are loaded is given a path under the root."""
    for module_name, function_name in DOORS:
        module = sys.modules.get(module_name)
        function = getattr(module, function_name, None)
        if function is not None:
            library = module_name.partition(".")[0]
            patches.replace(module, function_name, _watched(function, library, guard, is_inside))


def _watched(function: Any, library: str, guard: Guard, is_inside: Callable[[str], bool]) -> Any:
    @functools.wraps(function, assigned=("__name__", "__qualname__", "__doc__"))  # the module stays ours: see Patches
    def watched(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, str | os.PathLike) and is_inside(os.path.abspath(os.fsdecode(value))):
                name = os.path.basename(os.fsdecode(value))
                guard.say(f"{library} was given the path of {name!r} and opens it itself, past the recorder.")
        return function(*args, **kwargs)

    return watched
