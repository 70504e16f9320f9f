"""The bundled stores whose data is on a server, as the suite opens them: with waits that are short.

Each module needs the extra of ``reference_store`` that it is named after, and says so when it is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.backends import Address, Backend
from reference_store.errors import StoreError

RETRIES = 5.0
"""Seconds for which a store tries again: a fault of the suite is over after three requests."""


@dataclass(frozen=True)
class OnServer:
    """A store that opens by an address; what it declares are attributes, as of any target."""

    opening: Callable[[Address], Any]
    tradestore_backend: Backend
    tradestore_errors: tuple[type[Exception], ...] = (StoreError,)
    tradestore_claims: tuple[str, ...] = ("processes",)

    def __call__(self, address: Address) -> Any:
        return self.opening(address)
