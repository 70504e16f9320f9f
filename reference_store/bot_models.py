"""The records of a trading bot: its portfolio, paper trading, strategies, tasks, and what it knows about stocks.

Like the other records (``models``) they check themselves when constructed and on assignment, and convert nothing in
silence. Money of paper trading is ``Decimal``, so that sums are exact, and stands as text in the files; the portfolio
keeps the numbers of the guideline that it comes from.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from reference_store.core.signals import let_out
from reference_store.models import Attributes, Name, Number, Whole, _Record

DIGITS = 40
"""Digits that an amount of money may have, half of them behind the point."""
EXACT = Context(prec=4 * DIGITS)
"""In which sums and products of amounts are exact."""
_HOLDINGS = "holdings"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _from_text(value: Any, info: ValidationInfo) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) and info.mode == "json" else value


def _plain(value: datetime) -> datetime:
    if type(value) is not datetime:
        raise ValueError(f"is of type {type(value).__name__}, not datetime")
    if value.fold and value.utcoffset() is None:
        raise ValueError("has no zone and says fold=1, which its text would lose")
    return value


Moment: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_from_text),
    AfterValidator(_plain),
    PlainSerializer(lambda value: value.isoformat(timespec="microseconds"), when_used="json-unless-none"),
]
"""A time, with a zone or without; its offset from UTC is kept and the name of the zone is not."""
NotNegative: TypeAlias = Annotated[Number, Field(ge=0)]
Count: TypeAlias = Annotated[Whole, Field(ge=0)]


def _exact_text(value: Decimal) -> str:
    if not isinstance(value, Decimal | int):  # what was put in unchecked must not be rounded here
        raise ValueError("is no Decimal")
    return format(value, "f")


def text_of(value: object) -> str:
    """Return the text of a member of an enumeration, which a record may also have as text."""
    return str(value)


def _decimal(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and info.mode == "json":
        return Decimal(value)
    if type(value) is int:
        return Decimal(value)
    return value


Money: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(allow_inf_nan=False, max_digits=DIGITS, decimal_places=DIGITS // 2),
    PlainSerializer(_exact_text, when_used="json"),
]
"""An exact amount: a ``Decimal`` or an int, never a float."""
Price: TypeAlias = Annotated[Money, Field(gt=0)]


class Value(_Record):
    """What something is worth: ``amount`` times ``last_price_eur``."""

    amount: NotNegative
    last_price_eur: NotNegative = 1.0


class Holding(_Record):
    """How much of an asset there is, how much there was in the beginning, and its last price, if it has one."""

    amount: NotNegative
    initial_amount: NotNegative | None = None
    last_price_eur: NotNegative | None = None

    @model_serializer(mode="wrap")
    def _of_what_is_known(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        members: dict[str, Any] = handler(self)
        return {name: value for name, value in members.items() if value is not None}


class Portfolio(_Record):
    """What a bot holds: ``holdings`` by the name of the asset, in the file one member of the document each.

    ``last_updated`` is set by the store.
    """

    trades_executed: Count = 0
    portfolio_value_eur: Value
    initial_value_eur: Value
    last_updated: Moment | None = None
    holdings: dict[str, Holding] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, members: Any, info: ValidationInfo) -> Any:
        if info.mode != "json" or not isinstance(members, dict):
            return members
        # What is neither a member nor can be a holding is left where it is: a member that this version does not know.
        holdings = {
            name: value
            for name, value in members.items()
            if name == _HOLDINGS or (name not in cls.model_fields and isinstance(value, dict))
        }
        return {**{name: value for name, value in members.items() if name not in holdings}, _HOLDINGS: holdings}

    @model_serializer(mode="wrap")
    def _spread(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        try:
            members: dict[str, Any] = handler(self)
        except PydanticSerializationError as error:
            let_out(error)  # here pydantic still knows what was raised in a holding; outside it does not
            raise
        holdings = members.pop(_HOLDINGS)
        return {**members, **holdings}

    @field_validator(_HOLDINGS)
    @classmethod
    def _have_names(cls, holdings: dict[str, Holding]) -> dict[str, Holding]:
        if any(not _NAME.fullmatch(name) or name in cls.model_fields or name == "version" for name in holdings):
            raise ValueError(
                "an asset is named in ASCII letters, digits, '.', '_' and '-', at most 64, and not like another member"
            )
        return holdings


class Side(StrEnum):
    """Which way an order goes."""

    BUY = "BUY"
    SELL = "SELL"


class OrderStatus(StrEnum):
    """How far an order is."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


AS_TEXT = PlainSerializer(text_of, when_used="json")
AnySide: TypeAlias = Annotated[Side, Field(strict=False), AS_TEXT]
AnyOrderStatus: TypeAlias = Annotated[OrderStatus, Field(strict=False), AS_TEXT]


class PaperAccount(_Record):
    """The money of an account: ``cash`` is what is left of ``initial_cash`` after all fills and their ``fees``."""

    currency: str = "EUR"
    initial_cash: Annotated[Money, Field(ge=0)]
    cash: Annotated[Money, Field(ge=0)]
    fees: Annotated[Money, Field(ge=0)] = Decimal(0)


class PaperPosition(_Record):
    """How much of a symbol is held, and what was ``paid`` for it and ``received`` for what was sold, without fees."""

    quantity: Money
    paid: Annotated[Money, Field(ge=0)] = Decimal(0)
    received: Annotated[Money, Field(ge=0)] = Decimal(0)


class PaperOrder(_Record):
    """An order on paper; ``filled`` of its ``quantity`` is done."""

    order_id: str
    symbol: str
    side: AnySide
    quantity: Price
    order_type: Literal["market", "limit"] = "market"
    limit_price: Price | None = None
    status: AnyOrderStatus = OrderStatus.OPEN
    filled: Annotated[Money, Field(ge=0)] = Decimal(0)
    created_at: Moment | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.filled > self.quantity:
            raise ValueError("more is filled than was ordered")
        if (self.status == OrderStatus.FILLED) is not (self.filled == self.quantity):
            raise ValueError("filled is what is filled whole, and nothing else")
        return self


class PaperFill(_Record):
    """A part of an order that was done, at a price and for a fee."""

    fill_id: str
    order_id: str
    symbol: str
    side: AnySide
    quantity: Price
    price: Price
    fee: Annotated[Money, Field(ge=0)] = Decimal(0)
    at: Moment | None = None


class PaperTrading(_Record):
    """An account, its positions by symbol, its orders by id and its fills, which belong together to the cent."""

    account: PaperAccount
    positions: dict[Name, PaperPosition] = Field(default_factory=dict)
    orders: dict[Name, PaperOrder] = Field(default_factory=dict)
    fills: list[PaperFill] = Field(default_factory=list)
    updated_at: Moment | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        with localcontext(EXACT):
            flow = sum((each.received - each.paid for each in self.positions.values()), Decimal(0))
            expected = self.account.initial_cash + flow - self.account.fees
        if self.account.cash != expected:
            raise ValueError("cash, positions and fees do not add up")
        if any(name != order.order_id for name, order in self.orders.items()):
            raise ValueError("an order stands under another id")
        return self


class Kept(_Record):
    """What a store keeps by id; it sets both times."""

    created_at: Moment | None = None
    updated_at: Moment | None = None


class StrategyStatus(StrEnum):
    """What is done with a strategy."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    RETIRED = "retired"


class Strategy(Kept):
    """A strategy: what it is called, what it does, and its parameters."""

    strategy_id: str
    name: str
    kind: str = ""
    description: str = ""
    status: Annotated[StrategyStatus, Field(strict=False), AS_TEXT] = StrategyStatus.DRAFT
    parameters: Attributes = Field(default_factory=dict)


class TaskStatus(StrEnum):
    """How far a task is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Task(Kept):
    """Something that the scheduler does: ``action`` with ``params``, at ``due_at``, and then as ``schedule`` says."""

    task_id: str
    action: str
    schedule: str | None = None
    params: Attributes = Field(default_factory=dict)
    status: Annotated[TaskStatus, Field(strict=False), AS_TEXT] = TaskStatus.WAITING
    due_at: Moment | None = None
    attempts: Count = 0
    last_run_at: Moment | None = None
    error: str | None = None
    result: Attributes | None = None

    @field_validator("due_at")
    @classmethod
    def _has_a_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.utcoffset() is None:
            raise ValueError("a task is due at a time with a zone")
        return value


class StockState(Kept):
    """What is known about a stock between two runs: when each kind of data was fetched last, and ``data``."""

    symbol: str
    fetched_at: dict[Name, Moment] = Field(default_factory=dict)
    data: Attributes = Field(default_factory=dict)


class StrategyLogEntry(_Record):
    """What a strategy did or saw, at a time that the store notes if none is given."""

    strategy: str
    message: str
    level: Literal["debug", "info", "warning", "error"] = "info"
    symbol: str | None = None
    at: Moment | None = None
    data: Attributes = Field(default_factory=dict)
