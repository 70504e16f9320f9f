"""The portfolio of a bot in ``portfolio.json``: saved at every change, recovered step by step when it is damaged."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from inspect import isawaitable
from pathlib import Path

from reference_store.bot_models import Portfolio
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidRecord, RecoveryFailed
from reference_store.stores.aio import _whole as whole
from reference_store.stores.bot.faces import AsyncModelStore, Doing, Models, ModelStore
from reference_store.stores.bot.records import document_of, model_of, schema_of
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock, now_of
from reference_store.stores.single import single_files

FILE = "portfolio"
_log = logging.getLogger("reference_store")


class RecoveryStep(StrEnum):
    """Where a portfolio was had from: its file, the version before, or the caller (the exchange's answer)."""

    PRIMARY = "primary"
    BACKUP = "backup"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Recovered:
    """The portfolio as it is stored now, the ``step`` that was taken, and why those before it did not do."""

    portfolio: Portfolio
    step: RecoveryStep
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at file and backup has shown; ``damage`` is there if neither is sound."""

    portfolio: Portfolio | None
    step: RecoveryStep
    reason: str = ""
    damage: CorruptData | None = None


class _PortfolioFile:
    def __init__(self, root: str | Path, lock_timeout: float, clock: Clock) -> None:
        self.files = single_files(root, FILE, lock_timeout, schema_of(Portfolio))
        self._models, self._clock = Models(self.files, Portfolio), clock

    def load(self) -> Portfolio | None:
        return self._models.read("load", FILE)

    def updating(self, operation: str, function: Callable[[Portfolio | None], Portfolio]) -> Doing[Portfolio]:
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")

        def update(present: Portfolio | None) -> tuple[Portfolio, Portfolio]:
            before = 0 if present is None else present.trades_executed
            made = self._stamped(function(present))
            if made.trades_executed < before:
                raise InvalidRecord("trades_executed", f"would go back from {before} (reset does that)")
            return made, made

        return self._models.doing(operation, FILE, update)

    def saving(self, portfolio: Portfolio) -> Doing[Portfolio]:
        given = _copy(portfolio)
        return self.updating("save", lambda _: given)

    def resetting(self, portfolio: Portfolio) -> Doing[Portfolio]:
        made = self._stamped(_copy(portfolio))
        return self._models.doing("reset", FILE, lambda _: (made, made), damaged=lambda: None)

    def look(self) -> _Look:
        try:
            found, recovery = self.files.read_recovered("recover", FILE)
        except CorruptData as damage:
            reason = f"file and backup are damaged ({damage.reason})"
            return _Look(None, RecoveryStep.FALLBACK, reason, damage)
        if found is None:
            return _Look(None, RecoveryStep.FALLBACK, "none was ever saved")
        portfolio = model_of(Portfolio, found)
        if recovery is None:
            return _Look(portfolio, RecoveryStep.PRIMARY)
        return _Look(portfolio, RecoveryStep.BACKUP, f"the file is damaged ({recovery.reason})")

    def mending(self, look: _Look, answer: Portfolio | None) -> Doing[Recovered]:
        """Return the change that makes the file sound; what somebody else has saved since counts more."""
        given = None if answer is None else _copy(answer)

        def mend(present: Portfolio | None) -> tuple[Portfolio, Recovered]:
            found = given if present is None else present
            if found is None:
                raise RecoveryFailed(FILE, f"{look.reason}, and it is gone by now")
            made = self._stamped(found) if found is given else found
            return made, Recovered(made, look.step, look.reason)

        return self._models.doing("recover", FILE, mend, damaged=lambda: None)

    def _stamped(self, portfolio: Portfolio) -> Portfolio:
        # Through its document, so that what was put into it unchecked is checked, and nobody else holds parts of it.
        return _copy(portfolio).model_copy(update={"last_updated": now_of(self._clock)})


def _copy(portfolio: Portfolio) -> Portfolio:
    return model_of(Portfolio, document_of(Portfolio, portfolio))


def _without_fallback(look: _Look) -> RecoveryFailed:
    return RecoveryFailed(FILE, f"{look.reason}, and no fallback was given")


def _without_answer(look: _Look, error: Exception) -> RecoveryFailed:
    return RecoveryFailed(FILE, f"{look.reason}, and the fallback failed ({type(error).__name__})")


def _told(recovered: Recovered) -> Recovered:
    if recovered.step is not RecoveryStep.PRIMARY:
        _log.warning("the portfolio was recovered from its %s: %s", recovered.step, recovered.reason)
    return recovered


class PortfolioStore(ModelStore):
    """One portfolio in ``<root>/portfolio.json``, the version before in ``portfolio.json.bak``.

    The file has the members of the guideline (see ``Portfolio``), is checked whenever it is read or written, and is
    replaced whole at every change, durable on return. ``trades_executed`` never goes back, but in ``reset``. ``clock``
    gives ``last_updated``. Several threads, instances and processes may use one root.

    Raises InvalidRecord for what is no portfolio, CorruptData when neither file nor backup is sound, NewerRecord,
    LockTimeout, StorageFailure, and StoreClosed after ``close``.
    """

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._portfolio = _PortfolioFile(root, lock_timeout, clock)
        super().__init__(self._portfolio.files)

    def load(self) -> Portfolio | None:
        """Return the portfolio, None if none was ever saved; from the backup if need be, which is logged and noted."""
        return self._portfolio.load()

    def save(self, portfolio: Portfolio) -> Portfolio:
        """Store the portfolio, and return it as it is stored, with its ``last_updated``."""
        saved: Portfolio = self._done(self._portfolio.saving(portfolio))
        return saved

    def update(self, function: Callable[[Portfolio | None], Portfolio]) -> Portfolio:
        """Store what ``function`` makes of the portfolio, None if there is none; see DocumentStore.update."""
        saved: Portfolio = self._done(self._portfolio.updating("update", function))
        return saved

    def reset(self, portfolio: Portfolio) -> Portfolio:
        """Begin anew with ``portfolio``, whatever was there; damaged bytes stay as evidence."""
        saved: Portfolio = self._done(self._portfolio.resetting(portfolio))
        return saved

    def recover(self, fallback: Callable[[], Portfolio] | None = None) -> Recovered:
        """Return the portfolio, wherever it can be had from, and make the file sound again.

        In this order: the file, the backup, ``fallback()``, which is called under no lock and may take its time. What
        is damaged stays as evidence; the step that was taken is in the result and in the log. Raises RecoveryFailed
        if none has led to a portfolio.
        """
        look = self._portfolio.look()
        if look.step is RecoveryStep.PRIMARY and look.portfolio is not None:
            return Recovered(look.portfolio, look.step)
        answer = None
        if look.step is RecoveryStep.FALLBACK:
            if fallback is None:
                raise _without_fallback(look) from look.damage
            try:
                answer = _copy(fallback())
            except Exception as error:
                let_out(error)
                raise _without_answer(look, error) from error
        return _told(self._done(self._portfolio.mending(look, answer)))

    def reseal(self) -> None:
        """Accept the file as it stands, after an edit by hand; raises CorruptData if it is no portfolio."""
        self._files.reseal("reseal", FILE)


class AsyncPortfolioStore(AsyncModelStore):
    """PortfolioStore for asyncio; see there."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._portfolio = _PortfolioFile(root, lock_timeout, clock)
        super().__init__(self._portfolio.files)

    async def load(self) -> Portfolio | None:
        """Return the portfolio, None if none was ever saved; see PortfolioStore.load."""
        return await self._read(self._portfolio.load)

    async def save(self, portfolio: Portfolio) -> Portfolio:
        """Store the portfolio, and return it as it is stored; see PortfolioStore.save."""
        saved: Portfolio = await self._done(self._portfolio.saving(portfolio))
        return saved

    async def update(self, function: Callable[[Portfolio | None], Portfolio]) -> Portfolio:
        """Store what ``function``, called in a thread, makes of the portfolio; see PortfolioStore.update."""
        saved: Portfolio = await self._done(self._portfolio.updating("update", function))
        return saved

    async def reset(self, portfolio: Portfolio) -> Portfolio:
        """Begin anew with ``portfolio``; see PortfolioStore.reset."""
        saved: Portfolio = await self._done(self._portfolio.resetting(portfolio))
        return saved

    async def recover(self, fallback: Callable[[], Portfolio | Awaitable[Portfolio]] | None = None) -> Recovered:
        """Return the portfolio, wherever it can be had from; ``fallback`` may be a coroutine function.

        See PortfolioStore.recover.
        """
        look = await self._read(self._portfolio.look)
        if look.step is RecoveryStep.PRIMARY and look.portfolio is not None:
            return Recovered(look.portfolio, look.step)
        answer = None
        if look.step is RecoveryStep.FALLBACK:
            if fallback is None:
                raise _without_fallback(look) from look.damage
            try:
                given = fallback()
                answer = _copy(await given if isawaitable(given) else given)
            except Exception as error:
                let_out(error)
                raise _without_answer(look, error) from error
        return _told(await self._done(self._portfolio.mending(look, answer)))

    async def reseal(self) -> None:
        """Accept the file as it stands, after an edit by hand; see PortfolioStore.reseal."""
        await whole(self._files.reseal, "reseal", FILE)
