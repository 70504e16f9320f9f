"""Paper trading: whatever is bought and sold by whomever, and whatever is refused, it adds up to the cent."""

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import ValidationError

from reference_store import AsyncPaperTradingStore, CorruptData, InvalidRecord, PaperTradingStore, SingleDocumentStore
from reference_store.bot_models import OrderStatus, PaperFill, PaperOrder, PaperTrading, Side


def order(name: str = "1", side: str = "BUY", quantity: Any = 10, symbol: str = "BTC") -> PaperOrder:
    return PaperOrder(order_id=f"order-{name}", symbol=symbol, side=side, quantity=quantity)


def fill(name: str = "1", side: str = "BUY", quantity: Any = 10, price: Any = 2, **more: Any) -> PaperFill:
    about = {"order_id": f"order-{more.pop('order', name)}", "symbol": "BTC", "side": side, **more}
    return PaperFill(fill_id=f"fill-{name}", quantity=quantity, price=price, **about)


def opened(root: Path, cash: Any = 100) -> PaperTradingStore:
    store = PaperTradingStore(root)
    store.open_account(cash)
    return store


def now(store: PaperTradingStore) -> PaperTrading:
    found = store.load()
    assert found is not None
    return found


def test_a_fill_changes_cash_position_order_and_fills_together(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.place_order(order(quantity=10))
    store.fill_order(fill("a", quantity=4, price=Decimal("2.5"), fee=Decimal("0.1"), order="1"))

    book = now(PaperTradingStore(tmp_path))
    assert (book.account.cash, book.account.fees) == (Decimal("89.9"), Decimal("0.1"))
    assert (book.positions["BTC"].quantity, book.positions["BTC"].paid) == (4, Decimal(10))
    assert (book.orders["order-1"].filled, book.orders["order-1"].status) == (4, OrderStatus.OPEN)
    assert [each.fill_id for each in book.fills] == ["fill-a"]
    store.fill_order(fill("b", quantity=6, price=1, order="1"))
    assert now(store).orders["order-1"].status is OrderStatus.FILLED


def test_the_same_fill_counts_once_however_often_it_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first = store.execute(order(), fill())
    before = now(store)

    assert store.execute(order(), fill()) == first
    assert store.fill_order(fill()) == first
    assert now(store) == before
    with pytest.raises(InvalidRecord, match="another fill"):
        store.fill_order(fill(price=3))


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (lambda store: store.fill_order(fill("x", order="nobody")), "order_id"),
        (lambda store: store.fill_order(fill("x", quantity=11, order="1")), "quantity"),
        (lambda store: store.fill_order(fill("x", price=11, order="1")), "price"),
        (lambda store: store.fill_order(fill("x", side="SELL", order="1")), "symbol"),
        (lambda store: store.fill_order(fill("x", quantity=1, side="SELL", order="2")), "quantity"),
        (lambda store: store.place_order(order("1")), "order_id"),
        (lambda store: store.cancel_order("nobody"), "order_id"),
        (lambda store: store.place_order(order("../x")), None),
        (lambda store: store.execute(order("3"), fill("x", price=1000, order="3")), "price"),
        (lambda store: store.fill_order(fill("x", quantity=1, price=Decimal("1e-20"), order="4")), "price"),
        (lambda store: store.fill_order("all"), "the record"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path, act: Any, field: str | None) -> None:
    store = opened(tmp_path)
    store.place_order(order("1"))
    store.place_order(order("2", side="SELL"))
    store.place_order(order("4", quantity=Decimal("0.0000001")))
    before = now(store)

    with pytest.raises(ValueError) as refused:
        act(store)

    assert isinstance(refused.value, InvalidRecord) is (field is not None)
    assert field in (None, getattr(refused.value, "field", None), "price")
    assert now(store) == before


@pytest.mark.parametrize("amount", [0.1, "1", float("nan"), Decimal("NaN"), Decimal("1e-21"), Decimal("1e40"), True])
def test_money_is_exact_or_refused(amount: Any) -> None:
    with pytest.raises(ValidationError):
        fill(quantity=amount)


def test_an_account_is_opened_once_and_begun_anew_only_by_a_reset(tmp_path: Path) -> None:
    store = opened(tmp_path, 100)
    store.execute(order(), fill())

    assert store.open_account(500).account.initial_cash == 100
    assert store.reset(500, "USD").account.currency == "USD"
    assert (now(store).account.cash, now(store).fills) == (500, [])
    with pytest.raises(InvalidRecord, match="was not opened"):
        PaperTradingStore(tmp_path / "elsewhere").place_order(order())
    with pytest.raises(InvalidRecord):
        store.reset(-1)


def test_a_cancelled_order_is_not_filled(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.place_order(order())
    assert store.cancel_order("order-1").status is OrderStatus.CANCELLED
    assert store.cancel_order("order-1").status is OrderStatus.CANCELLED

    with pytest.raises(InvalidRecord):
        store.fill_order(fill())


def test_a_book_that_does_not_add_up_is_damage_whatever_its_seal_says(tmp_path: Path) -> None:
    store = opened(tmp_path)
    plain = SingleDocumentStore(tmp_path, "paper_trading")
    content = plain.load()
    content["account"]["cash"] = "99.99"
    plain.save(content)
    plain.save(content)

    with pytest.raises(CorruptData, match="do not add up"):
        store.load()


def test_no_fill_of_threads_and_tasks_is_lost_or_counted_twice(tmp_path: Path) -> None:
    store = opened(tmp_path, 1000)
    threads = [threading.Thread(target=store.execute, args=(order(f"{n}"), fill(f"{n}"))) for n in (1, 2, 3, 1, 2, 3)]
    for thread in threads:
        thread.start()

    async def tasks() -> None:
        async with AsyncPaperTradingStore(tmp_path) as other:
            await asyncio.gather(*(other.execute(order(f"{n}"), fill(f"{n}")) for n in (3, 4, 5, 4)))
            assert await other.cancel_order("order-9") is None

    with pytest.raises(InvalidRecord):
        asyncio.run(tasks())
    for thread in threads:
        thread.join()

    assert sorted(each.fill_id for each in now(store).fills) == [f"fill-{n}" for n in (1, 2, 3, 4, 5)]
    assert now(store).account.cash == 900


class Trading(RuleBasedStateMachine):
    """Any sequence of orders and fills, refused or not, beside a ledger of one's own."""

    numbers = st.integers(1, 6)
    sides = st.sampled_from(list(Side))
    amounts = st.decimals("0.001", 50, places=3)

    @initialize(cash=st.decimals(0, 200, places=2))
    def begin(self, cash: Decimal) -> None:
        # Kept in memory as the store keeps it: what is checked here is what a change makes of a book.
        from reference_store.stores.bot import paper_trading

        self.book = PaperTrading.model_validate({"account": {"initial_cash": cash, "cash": cash}})
        self.module, self.cash, self.held = paper_trading, cash, Decimal(0)

    @rule(number=numbers, side=sides, quantity=amounts)
    def place(self, number: int, side: Side, quantity: Decimal) -> None:
        if f"order-{number}" not in self.book.orders:
            self.module._place(self.book, order(f"{number}", side, quantity))

    @rule(number=numbers, quantity=amounts, price=amounts, fee=st.decimals(0, 1, places=2))
    def fill(self, number: int, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        placed = self.book.orders.get(f"order-{number}")
        before = self.book.model_copy(deep=True)
        side = Side.BUY if placed is None else placed.side
        try:
            self.module._fill(self.book, fill(f"{number}", side, quantity, price, fee=fee))
        except InvalidRecord:
            assert self.book == before
            return
        sign = 1 if side is Side.BUY else -1
        self.held += sign * quantity
        self.cash -= sign * quantity * price + fee

    @invariant()
    def adds_up(self) -> None:
        if hasattr(self, "book"):
            again = PaperTrading.model_validate_json(self.book.model_dump_json())
            assert again == self.book
            assert again.account.cash == self.cash >= 0
            assert sum(each.quantity for each in again.positions.values()) == self.held >= 0


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=40, stateful_step_count=20)


def paid_in(book: PaperTrading) -> PaperTrading:
    book.account.initial_cash += 50
    book.account.cash += 50
    return book


def without_fills(book: PaperTrading) -> PaperTrading:
    return book.model_copy(update={"fills": []})


def with_more_cash(book: PaperTrading) -> PaperTrading:
    book.account.cash += 1
    return book


def test_the_whole_book_can_be_changed_in_one_step_if_it_adds_up_and_keeps_its_fills(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.execute(order(), fill())
    assert store.update(paid_in).account.cash == now(store).account.cash == 130
    before = now(store)

    for act in (without_fills, with_more_cash):
        with pytest.raises(InvalidRecord):
            store.update(act)
    with pytest.raises(InvalidRecord, match="not opened"):
        PaperTradingStore(tmp_path / "another").update(paid_in)
    assert now(store) == before
    assert asyncio.run(AsyncPaperTradingStore(tmp_path).update(paid_in)).account.cash == 180
