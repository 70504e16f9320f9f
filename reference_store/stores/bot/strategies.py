"""The strategies of a bot, one readable file each in ``strategies/``."""

from __future__ import annotations

import builtins
from collections.abc import Callable

from reference_store.bot_models import Strategy, StrategyStatus
from reference_store.errors import InvalidRecord
from reference_store.stores.aio import _whole as whole
from reference_store.stores.bot.keyed import AsyncKeyedModelStore, KeyedModelStore, Kind

STRATEGIES = Kind(Strategy, "strategy_id", "strategies")


def _wanted(status: str | None) -> Callable[[Strategy], bool]:
    if status is not None and status not in set(StrategyStatus):
        raise InvalidRecord("status", f"is none of {', '.join(StrategyStatus)}")
    return lambda strategy: status is None or strategy.status == status


class StrategyStore(KeyedModelStore[Strategy]):
    """Strategies by ``strategy_id`` in ``<root>/strategies/``; errors and promises are those of DocumentStore.

    ``clock`` gives ``created_at`` and ``updated_at``.
    """

    kind = STRATEGIES

    def list(self, status: str | None = None, limit: int = 100, offset: int = 0) -> builtins.list[Strategy]:
        """Return strategies by id, of this status if one is given, at most ``limit`` from ``offset`` on."""
        return self._records.page(_wanted(status), limit, offset)


class AsyncStrategyStore(AsyncKeyedModelStore[Strategy]):
    """StrategyStore for asyncio; see there."""

    kind = STRATEGIES

    async def list(self, status: str | None = None, limit: int = 100, offset: int = 0) -> builtins.list[Strategy]:
        """Return strategies by id; see StrategyStore.list."""
        return await whole(self._records.page, _wanted(status), limit, offset)
