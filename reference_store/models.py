"""The records that the trading stores keep, constructed with the keyword arguments that their names promise.

``PriceBar`` is a plain slotted dataclass that checks nothing by itself: bars are checked in bulk when they are written
(``bars``), and millions of them are built when they are read. The others are few and come from outside, so they are
pydantic models that check themselves when constructed and on assignment, and convert nothing in silence: text is not
a number, and a number that is not finite, or that no float can hold exactly (a ``Decimal``, ``2**53 + 1``), is refused;
scalars of numpy count as the numbers that they are. Why, with figures: ``docs/decisions/0120-models.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    SerializationInfo,
)

from reference_store.core.numbers import exact_float, exact_int, exact_number


@dataclass(slots=True)
class PriceBar:
    """Prices and volume of ``symbol`` in the interval that ``date`` names; see ``bars`` for what a store accepts.

    ``date`` may be naive or have a time zone; ``volume`` is an int, or a float where fractions are traded.
    """

    symbol: str
    date: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int | float


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, validate_assignment=True)


class Action(StrEnum):
    """What a strategy decides to do."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Status(StrEnum):
    """How far a job or a run is; ``terminal`` ones do not change any more."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self not in (Status.PENDING, Status.RUNNING)


AnyAction: TypeAlias = Annotated[Action, Field(strict=False)]
AnyStatus: TypeAlias = Annotated[Status, Field(strict=False)]
"""The members of the enumeration, or their text."""
Whole: TypeAlias = Annotated[int, BeforeValidator(exact_int)]
Number: TypeAlias = Annotated[float, BeforeValidator(exact_float)]
Quantity: TypeAlias = Annotated[int | float, BeforeValidator(exact_number)]
"""Numbers, each of which is taken exactly or not at all."""


Name: TypeAlias = Annotated[str, Field(min_length=0)]
"""A key that has a text: with a bound pydantic looks at it, and does not replace half of a surrogate pair later on."""


def _given_back(value: Any, info: SerializationInfo) -> Any:
    return _as_json(value) if info.mode == "json" else value


def _as_json(value: Any) -> Any:
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"a value of type {type(value).__name__} is none of JSON")


# Left to itself, pydantic asks a function of Python for the kind of each value, and passes over what that raises: the
# exception of a signal's handler too.
Attributes: TypeAlias = Annotated[dict[Name, JsonValue], PlainSerializer(_given_back, return_type=dict[str, Any])]
"""Values of one's own, as JSON has them."""


class FundamentalData(_Record):
    """What was known about a company at ``timestamp``; ``raw_xml`` is where it was taken from."""

    symbol: str
    timestamp: datetime
    company_name: str | None = None
    cik: str | None = None
    employees: Whole | None = None
    shares_outstanding: Number | None = None
    float_shares: Number | None = None
    industry: str | None = None
    category: str | None = None
    subcategory: str | None = None
    raw_xml: str = ""


class Event(_Record):
    """Something that happened at ``timestamp``: its ``type``, the symbol that it concerns if any, and its ``data``."""

    type: str
    timestamp: datetime
    symbol: str | None = None
    data: Attributes = {}


class Decision(_Record):
    """What a strategy decided about a symbol, and why."""

    symbol: str
    action: AnyAction
    target_weight: Number | None = None
    confidence: Number | None = None
    reasoning: str = ""


class Order(_Record):
    """An order as it was sent."""

    strategy_name: str
    symbol: str
    action: AnyAction
    quantity: Quantity
    order_type: str
    limit_price: Number | None = None
    stop_price: Number | None = None


def _exact_unless_text(value: Any) -> Any:
    return value if isinstance(value, str) else exact_int(value)


class OrderResult(_Record):
    """What became of an order."""

    order_id: Annotated[int | str, BeforeValidator(_exact_unless_text)]
    status: str
    fill_price: Number | None = None
    fill_quantity: Quantity | None = None
    message: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class Job(_Record):
    """A long-running job; ``progress`` is a fraction or whatever unit its maker counts in.

    ``claimed_by`` says who took it with ``claim_next``.
    """

    job_id: str
    job_type: str
    status: AnyStatus = Status.PENDING
    progress: Number = 0.0
    created_at: datetime = Field(default_factory=_now)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str | None = None
    params: Attributes = {}
    result: Any = None
    error: str | None = None
    claimed_by: str | None = None


class Run(_Record):
    """A run, of a backtest for example, with the times that the store keeps of it."""

    run_id: str
    kind: str
    status: AnyStatus
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    artifact_id: str | None = None
    params: Attributes = {}
    metrics: Attributes = {}
    error: str | None = None
