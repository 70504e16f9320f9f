"""Paper trading in ``paper_trading.json``: account, positions, orders and fills, which change together."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from reference_store.bot_models import (
    EXACT,
    OrderStatus,
    PaperAccount,
    PaperFill,
    PaperOrder,
    PaperPosition,
    PaperTrading,
    Side,
)
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.stores.bot.faces import AsyncModelStore, Doing, Models, ModelStore, Unchanged
from reference_store.stores.bot.records import document_of, model_of, schema_of
from reference_store.stores.ids import checked_id
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock, now_of
from reference_store.stores.single import single_files

FILE = "paper_trading"
R = TypeVar("R")


class _Book:
    """The document, and what can be done to it."""

    def __init__(self, root: str | Path, lock_timeout: float, clock: Clock) -> None:
        self.files = single_files(root, FILE, lock_timeout, schema_of(PaperTrading))
        self._models, self._clock = Models(self.files, PaperTrading), clock

    def load(self) -> PaperTrading | None:
        return self._models.read("load", FILE)

    def opening(self, initial_cash: Decimal | int, currency: str, *, anew: bool) -> Doing[PaperTrading]:
        given = {"initial_cash": initial_cash, "cash": initial_cash, "currency": currency}
        try:
            account = PaperAccount(**given)  # type: ignore[arg-type] # pydantic says what is wrong with it
        except ValueError as error:
            let_out(error)
            raise InvalidRecord("initial_cash", "is no Decimal or int from 0 on") from error
        made = PaperTrading(account=account, updated_at=now_of(self._clock))

        def begin(book: PaperTrading | None) -> tuple[PaperTrading, PaperTrading]:
            if book is not None and not anew:
                raise Unchanged(book)
            return made, made

        return self._models.doing("open_account", FILE, begin, damaged=(lambda: None) if anew else None)

    def placing(self, order: PaperOrder) -> Doing[PaperOrder]:
        given = self._placed(order)
        return self._changing("place_order", lambda book: _place(book, given))

    def executing(self, order: PaperOrder, fill: PaperFill) -> Doing[PaperFill]:
        place, done = self._placed(order), self._filled(fill)

        def execute(book: PaperTrading) -> PaperFill:
            if (there := _same_fill(book, done)) is not None:
                raise Unchanged(there)
            _place(book, place)
            return self._do(book, done)

        return self._changing("execute", execute)

    def filling(self, fill: PaperFill) -> Doing[PaperFill]:
        given = self._filled(fill)

        def fill_it(book: PaperTrading) -> PaperFill:
            if (there := _same_fill(book, given)) is not None:
                raise Unchanged(there)
            return self._do(book, given)

        return self._changing("fill_order", fill_it)

    def _placed(self, order: PaperOrder) -> PaperOrder:
        given = model_of(PaperOrder, document_of(PaperOrder, order))
        checked_id("order_id", given.order_id)
        if given.status is not OrderStatus.OPEN or given.filled:
            raise InvalidRecord("status", "is not open and unfilled, as an order begins")
        return given.model_copy(update={"created_at": given.created_at or now_of(self._clock)})

    def _filled(self, fill: PaperFill) -> PaperFill:
        given = model_of(PaperFill, document_of(PaperFill, fill))
        checked_id("fill_id", given.fill_id)
        return given

    def _do(self, book: PaperTrading, fill: PaperFill) -> PaperFill:
        try:
            with localcontext(EXACT):
                _fill(book, fill)
        except ValidationError as error:
            let_out(error)
            raise InvalidRecord("price", "has more digits with this quantity than are kept") from error
        fill.at = fill.at or now_of(self._clock)
        book.fills.append(fill)
        return fill

    def cancelling(self, order_id: str) -> Doing[PaperOrder]:
        checked_id("order_id", order_id)

        def cancel(book: PaperTrading) -> PaperOrder:
            order = book.orders.get(order_id)
            if order is None:
                raise InvalidRecord("order_id", "is that of no order")
            if order.status is OrderStatus.CANCELLED:
                raise Unchanged(order)
            if order.status is OrderStatus.FILLED:
                raise InvalidRecord("order_id", "is that of an order which is filled")
            order.status = OrderStatus.CANCELLED
            return order

        return self._changing("cancel_order", cancel)

    def updating(self, function: Callable[[PaperTrading], PaperTrading]) -> Doing[PaperTrading]:
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")

        def update(book: PaperTrading | None) -> tuple[PaperTrading, PaperTrading]:
            before = _opened(book).model_copy(deep=True).fills
            made = model_of(PaperTrading, document_of(PaperTrading, function(_opened(book))))
            if made.fills[: len(before)] != before:
                raise InvalidRecord("fills", "were changed by the function: what was filled stays, in its order")
            made.updated_at = now_of(self._clock)
            return made, made

        return self._models.doing("update", FILE, update)

    def _changing(self, operation: str, act: Callable[[PaperTrading], R]) -> Doing[R]:
        def change(book: PaperTrading | None) -> tuple[PaperTrading, R]:
            result = act(_opened(book))
            _opened(book).updated_at = now_of(self._clock)
            return _opened(book), result

        return self._models.doing(operation, FILE, change)


def _opened(book: PaperTrading | None) -> PaperTrading:
    if book is None:
        raise InvalidRecord("the account", "was not opened: open_account does that")
    return book


def _place(book: PaperTrading, order: PaperOrder) -> PaperOrder:
    if order.order_id in book.orders:
        raise InvalidRecord("order_id", "is that of another order already")
    book.orders[order.order_id] = order
    return order


def _same_fill(book: PaperTrading, fill: PaperFill) -> PaperFill | None:
    """The fill that has this id already; raises InvalidRecord if it is another one."""
    there = next((each for each in reversed(book.fills) if each.fill_id == fill.fill_id), None)
    if there is not None and there.model_copy(update={"at": fill.at}) != fill:
        raise InvalidRecord("fill_id", "is that of another fill already")
    return there


def _fill(book: PaperTrading, fill: PaperFill) -> None:
    order = book.orders.get(fill.order_id)
    if order is None:
        raise InvalidRecord("order_id", "is that of no order")
    if (order.symbol, order.side) != (fill.symbol, fill.side):
        raise InvalidRecord("symbol", "and side are not those of the order")
    if order.status is not OrderStatus.OPEN or order.filled + fill.quantity > order.quantity:
        raise InvalidRecord("quantity", "is more than is open of the order")
    amount = fill.quantity * fill.price
    position = book.positions.get(fill.symbol, PaperPosition(quantity=Decimal(0)))
    if fill.side is Side.BUY:
        cash, quantity = book.account.cash - amount, position.quantity + fill.quantity
        paid, received = position.paid + amount, position.received
    else:
        cash, quantity = book.account.cash + amount, position.quantity - fill.quantity
        paid, received = position.paid, position.received + amount
    if cash - fill.fee < 0:
        raise InvalidRecord("price", "is more than there is cash for")
    if quantity < 0:
        raise InvalidRecord("quantity", "is more than is held")
    account = book.account
    book.positions[fill.symbol] = PaperPosition(quantity=quantity, paid=paid, received=received)
    # Behind the position: what is assigned here is held against it.
    book.account = account.model_copy(update={"cash": cash - fill.fee, "fees": account.fees + fill.fee})
    filled = order.filled + fill.quantity
    status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.OPEN
    book.orders[order.order_id] = order.model_copy(update={"filled": filled, "status": status})


class PaperTradingStore(ModelStore):
    """One account with its positions, orders and fills in ``<root>/paper_trading.json``.

    A fill changes the cash, the position, the order and the list of fills in one write; whatever happens they add up to
    the cent, which is checked at every save and load. Amounts are ``Decimal`` or int. Nobody spends cash or sells what
    is not there. The file is written whole at each change: begin a new root when it has had some ten thousand fills.

    Raises InvalidRecord for what cannot be, and otherwise what PortfolioStore does.
    """

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._book = _Book(root, lock_timeout, clock)
        super().__init__(self._book.files)

    def load(self) -> PaperTrading | None:
        """Return all of it as it was at one moment, None if no account was opened."""
        return self._book.load()

    def open_account(self, initial_cash: Decimal | int, currency: str = "EUR") -> PaperTrading:
        """Begin with so much cash and nothing else; nothing happens if there is an account. Returns what is there."""
        made: PaperTrading = self._done(self._book.opening(initial_cash, currency, anew=False))
        return made

    def reset(self, initial_cash: Decimal | int, currency: str = "EUR") -> PaperTrading:
        """Begin anew, whatever was there; damaged bytes stay as evidence."""
        made: PaperTrading = self._done(self._book.opening(initial_cash, currency, anew=True))
        return made

    def execute(self, order: PaperOrder, fill: PaperFill) -> PaperFill:
        """Add an order and its fill in one step; nothing happens if this very fill was done before."""
        made: PaperFill = self._done(self._book.executing(order, fill))
        return made

    def place_order(self, order: PaperOrder) -> PaperOrder:
        """Add an order, which is open and unfilled; raises InvalidRecord if there is one with its id."""
        made: PaperOrder = self._done(self._book.placing(order))
        return made

    def fill_order(self, fill: PaperFill) -> PaperFill:
        """Do a part of an order, or all that is left of it; nothing happens if this very fill was done before."""
        made: PaperFill = self._done(self._book.filling(fill))
        return made

    def cancel_order(self, order_id: str) -> PaperOrder:
        """Cancel what is open of an order; nothing happens if it was cancelled before."""
        made: PaperOrder = self._done(self._book.cancelling(order_id))
        return made

    def update(self, function: Callable[[PaperTrading], PaperTrading]) -> PaperTrading:
        """Store what ``function`` makes of the whole book, and return it; see DocumentStore.update.

        What it returns has to add up, and to have the fills that there were.
        """
        made: PaperTrading = self._done(self._book.updating(function))
        return made


class AsyncPaperTradingStore(AsyncModelStore):
    """PaperTradingStore for asyncio; see there."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._book = _Book(root, lock_timeout, clock)
        super().__init__(self._book.files)

    async def load(self) -> PaperTrading | None:
        """Return all of it as it was at one moment, None if no account was opened."""
        return await self._read(self._book.load)

    async def open_account(self, initial_cash: Decimal | int, currency: str = "EUR") -> PaperTrading:
        """Begin, if there is no account; see PaperTradingStore.open_account."""
        made: PaperTrading = await self._done(self._book.opening(initial_cash, currency, anew=False))
        return made

    async def reset(self, initial_cash: Decimal | int, currency: str = "EUR") -> PaperTrading:
        """Begin anew; see PaperTradingStore.reset."""
        made: PaperTrading = await self._done(self._book.opening(initial_cash, currency, anew=True))
        return made

    async def execute(self, order: PaperOrder, fill: PaperFill) -> PaperFill:
        """Add an order and its fill in one step; see PaperTradingStore.execute."""
        made: PaperFill = await self._done(self._book.executing(order, fill))
        return made

    async def place_order(self, order: PaperOrder) -> PaperOrder:
        """Add an order; see PaperTradingStore.place_order."""
        made: PaperOrder = await self._done(self._book.placing(order))
        return made

    async def fill_order(self, fill: PaperFill) -> PaperFill:
        """Do a part of an order; see PaperTradingStore.fill_order."""
        made: PaperFill = await self._done(self._book.filling(fill))
        return made

    async def cancel_order(self, order_id: str) -> PaperOrder:
        """Cancel what is open of an order; see PaperTradingStore.cancel_order."""
        made: PaperOrder = await self._done(self._book.cancelling(order_id))
        return made

    async def update(self, function: Callable[[PaperTrading], PaperTrading]) -> PaperTrading:
        """Store what ``function``, called in a thread, makes of the whole book; see PaperTradingStore.update."""
        made: PaperTrading = await self._done(self._book.updating(function))
        return made
