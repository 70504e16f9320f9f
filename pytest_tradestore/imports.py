"""What ordinary use of a store imports: imported beforehand, because an import under watch takes many times as long.

Only modules of Python and of installed packages: what belongs to the store's own project may do the store's work.
"""

import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress

from pytest_tradestore.origin import is_installed, is_pythons

_NEVER = ("pytest_tradestore", "_pytest", "pytest", "__main__")


def imported_since(before: Iterable[str]) -> tuple[str, ...]:
    """Return the modules of others that have been imported since there were those called ``before``, in that order."""
    known = set(before)
    return tuple(
        name for name, module in list(sys.modules.items()) if name not in known and _is_of_others(name, module)
    )


def import_again(names: Iterable[str]) -> None:
    """Import these modules; what cannot be imported here is left to the store."""
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)


def _is_of_others(name: str, module: object) -> bool:
    if name.partition(".")[0] in _NEVER:
        return False
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and (is_pythons(file) or is_installed(file))
