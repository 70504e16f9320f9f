"""The portfolio of a bot: the guideline's file, saved at every change, and recovered from wherever it can be had."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reference_store import (
    AsyncPortfolioStore,
    CorruptData,
    InvalidRecord,
    NewerRecord,
    PortfolioStore,
    RecoveryFailed,
    SingleDocumentStore,
    StoreError,
)
from reference_store.bot_models import Holding, Portfolio, Value
from reference_store.stores.bot.portfolio import Recovered, RecoveryStep
from reference_store.stores.bot.records import document_of, model_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
GUIDELINE: dict[str, Any] = {
    "trades_executed": 0,
    "portfolio_value_eur": {"amount": 1000.0, "last_price_eur": 1.0},
    "initial_value_eur": {"amount": 1000.0, "last_price_eur": 1.0},
    "last_updated": "2024-01-01T00:00:00.000000",
    "EUR": {"amount": 100.0, "initial_amount": 100.0},
    "BTC": {"amount": 0.01, "initial_amount": 0.01, "last_price_eur": 45000.0},
}


def noon() -> datetime:
    return NOON


def portfolio(trades: int = 0, btc: float = 0.01) -> Portfolio:
    worth = Value(amount=1000.0)
    holdings = {"EUR": Holding(amount=100.0), "BTC": Holding(amount=btc, last_price_eur=45000.0)}
    return Portfolio(trades_executed=trades, portfolio_value_eur=worth, initial_value_eur=worth, holdings=holdings)


def btc_of(found: Portfolio | None) -> float:
    assert found is not None
    return found.holdings["BTC"].amount


def damage(root: Path, *files: str) -> None:
    for file in files:
        (root / file).write_bytes(b'{"trades_exec')


# What is in the file


def test_the_guidelines_own_example_is_a_portfolio_and_comes_back_as_it_was() -> None:
    found = model_of(Portfolio, GUIDELINE)

    assert found.holdings["BTC"] == Holding(amount=0.01, initial_amount=0.01, last_price_eur=45000.0)
    assert document_of(Portfolio, found) == GUIDELINE


def test_the_file_has_the_members_of_the_guideline_and_the_version_before_stands_beside_it(tmp_path: Path) -> None:
    store = PortfolioStore(tmp_path, clock=noon)
    store.save(portfolio(btc=1.0))
    saved = store.save(portfolio(btc=2.0))

    assert saved.last_updated == NOON
    members = json.loads((tmp_path / "portfolio.json").read_bytes())
    assert members.keys() - GUIDELINE.keys() == {"_integrity"}
    assert json.loads((tmp_path / "portfolio.json.bak").read_bytes())["BTC"]["amount"] == 1.0
    assert PortfolioStore(tmp_path).load() == saved


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert PortfolioStore(tmp_path).load() is None


NAIVE = st.datetimes().map(lambda at: at.replace(fold=0))  # the second of two times of a fold needs its zone to be told
amounts = st.floats(0, 1e12)
holdings = st.builds(Holding, amount=amounts, initial_amount=st.none() | amounts, last_price_eur=st.none() | amounts)
portfolios = st.builds(
    Portfolio,
    trades_executed=st.integers(0, 2**70),
    portfolio_value_eur=st.builds(Value, amount=amounts),
    initial_value_eur=st.builds(Value, amount=amounts, last_price_eur=amounts),
    last_updated=st.none() | NAIVE | st.datetimes(timezones=st.just(UTC)),
    holdings=st.dictionaries(st.from_regex(r"[A-Z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True), holdings, max_size=4),
)


@given(portfolios)
def test_every_portfolio_survives_the_way_into_a_document_and_back(given: Portfolio) -> None:
    assert model_of(Portfolio, json.loads(json.dumps(document_of(Portfolio, given)))) == given


# What is refused


@pytest.mark.parametrize(
    "members",
    {
        "below zero": {"amount": -0.1},
        "not finite": {"amount": float("inf")},
        "text": {"amount": "1.0"},
        "unknown": {"amount": 1.0, "colour": "red"},
    }.values(),
    ids=lambda members: str(members),
)
def test_amounts_that_cannot_be_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Holding(**members)


@pytest.mark.parametrize("name", ["../x", "", "trades_executed", "holdings", "version", "_integrity", "a b", "A\n"])
def test_assets_are_named_so_that_they_cannot_be_taken_for_something_else(tmp_path: Path, name: str) -> None:
    made = portfolio()
    made.holdings[name] = Holding(amount=1.0)

    with pytest.raises(InvalidRecord):
        PortfolioStore(tmp_path).save(made)
    assert PortfolioStore(tmp_path).load() is None


def test_what_was_put_into_a_portfolio_unchecked_is_checked_when_it_is_saved(tmp_path: Path) -> None:
    store = PortfolioStore(tmp_path)
    store.save(portfolio(btc=1.0))
    made = portfolio()
    made.holdings["BTC"] = Holding.model_construct(amount=-5.0)

    for wrong in (made, {"EUR": 1}, None, portfolio().model_copy(update={"trades_executed": "seven"})):
        with pytest.raises(InvalidRecord):
            store.save(wrong)  # type: ignore[arg-type] # that is the point
    assert btc_of(store.load()) == 1.0


def test_the_number_of_trades_never_goes_back_unless_it_is_reset(tmp_path: Path) -> None:
    store = PortfolioStore(tmp_path)
    store.save(portfolio(trades=5))

    with pytest.raises(InvalidRecord, match="would go back from 5"):
        store.save(portfolio(trades=4))
    with pytest.raises(InvalidRecord):
        store.update(lambda _: portfolio(trades=4))
    store.save(portfolio(trades=5))
    assert store.reset(portfolio(trades=0)).trades_executed == 0
    found = store.load()
    assert found is not None
    assert found.trades_executed == 0


def test_a_portfolio_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    SingleDocumentStore(tmp_path, "portfolio").save({**GUIDELINE, "version": "2.0", "margin": {}})
    before = (tmp_path / "portfolio.json").read_bytes()
    store = PortfolioStore(tmp_path)

    acts: list[Callable[[], object]] = [
        store.load, store.recover, lambda: store.save(portfolio()), lambda: store.reset(portfolio()),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(NewerRecord):
            act()
    assert (tmp_path / "portfolio.json").read_bytes() == before


# Changes beside each other


def bought(present: Portfolio | None) -> Portfolio:
    made = present or portfolio(btc=0.0)
    made.holdings["BTC"].amount += 1
    made.trades_executed += 1
    return made


def test_no_change_of_threads_and_instances_is_lost(tmp_path: Path) -> None:
    stores = [PortfolioStore(tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=stores[n % 2].update, args=(bought,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert btc_of(stores[0].load()) == 8.0


def test_no_change_of_tasks_is_lost(tmp_path: Path) -> None:
    async def program() -> Portfolio | None:
        async with AsyncPortfolioStore(tmp_path) as store:
            await asyncio.gather(*(store.update(bought) for _ in range(8)))
            return await store.load()

    assert btc_of(asyncio.run(program())) == 8.0


def test_what_is_done_to_a_portfolio_afterwards_does_not_reach_the_store(tmp_path: Path) -> None:
    store = PortfolioStore(tmp_path)
    made = portfolio(btc=1.0)
    saved = store.save(made)
    made.holdings["BTC"].amount = saved.holdings["BTC"].amount = 9.0

    assert btc_of(store.load()) == 1.0


# Recovery


def answered() -> Portfolio:
    return portfolio(trades=7, btc=3.0)


def recovered(root: Path, fallback: Any = None, *, in_a_task: bool = False) -> Recovered:
    async def program() -> Recovered:
        async with AsyncPortfolioStore(root) as store:
            return await store.recover(fallback)

    return asyncio.run(program()) if in_a_task else PortfolioStore(root).recover(fallback)


faces = pytest.mark.parametrize("in_a_task", [False, True], ids=["threads", "tasks"])


@faces
def test_a_sound_file_is_all_that_is_needed(tmp_path: Path, in_a_task: bool) -> None:
    PortfolioStore(tmp_path).save(portfolio(btc=1.0))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    found = recovered(tmp_path, pytest.fail, in_a_task=in_a_task)

    assert (found.step, found.reason, btc_of(found.portfolio)) == (RecoveryStep.PRIMARY, "", 1.0)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@faces
def test_then_comes_the_backup_and_the_file_is_sound_again(
    tmp_path: Path, in_a_task: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for btc in (1.0, 2.0):
        PortfolioStore(tmp_path).save(portfolio(btc=btc))
    damage(tmp_path, "portfolio.json")

    with caplog.at_level(logging.WARNING, "reference_store"):
        found = recovered(tmp_path, pytest.fail, in_a_task=in_a_task)

    assert (found.step, btc_of(found.portfolio)) == (RecoveryStep.BACKUP, 1.0)
    assert "damaged" in found.reason
    assert "recovered from its backup" in caplog.text
    assert PortfolioStore(tmp_path).recover().step is RecoveryStep.PRIMARY
    assert [file.read_bytes() for file in tmp_path.glob(".damaged-*")] == [b'{"trades_exec']


@faces
def test_then_comes_the_exchange_and_its_answer_is_stored(
    tmp_path: Path, in_a_task: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for btc in (1.0, 2.0):
        PortfolioStore(tmp_path).save(portfolio(btc=btc))
    damage(tmp_path, "portfolio.json", "portfolio.json.bak")

    with pytest.raises(CorruptData):
        PortfolioStore(tmp_path).load()
    with caplog.at_level(logging.WARNING, "reference_store"):
        found = recovered(tmp_path, answered, in_a_task=in_a_task)

    assert (found.step, found.portfolio.trades_executed) == (RecoveryStep.FALLBACK, 7)
    assert "recovered from its fallback" in caplog.text
    assert PortfolioStore(tmp_path).load() == found.portfolio
    assert list(tmp_path.glob(".damaged-*"))


def test_the_exchange_may_be_asked_by_a_coroutine(tmp_path: Path) -> None:
    async def asked() -> Portfolio:
        await asyncio.sleep(0)
        return answered()

    assert recovered(tmp_path, asked, in_a_task=True).portfolio.trades_executed == 7


@faces
@pytest.mark.parametrize(
    "fallback",
    [None, lambda: None, lambda: {"EUR": 1}, lambda: 1 / 0],
    ids=["none", "nothing", "no portfolio", "an error"],
)
def test_at_the_end_there_is_an_error_that_says_so_and_nothing_is_touched(
    tmp_path: Path, in_a_task: bool, fallback: Any
) -> None:
    PortfolioStore(tmp_path).save(portfolio())
    damage(tmp_path, "portfolio.json")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    with pytest.raises(RecoveryFailed, match="damaged") as failed:
        recovered(tmp_path, fallback, in_a_task=in_a_task)

    assert isinstance(failed.value, StoreError)
    assert failed.value.__cause__ is not None
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_somebody_has_saved_while_the_exchange_was_asked_counts_more(tmp_path: Path) -> None:
    PortfolioStore(tmp_path).save(portfolio())
    damage(tmp_path, "portfolio.json")

    def slow() -> Portfolio:
        PortfolioStore(tmp_path).reset(portfolio(trades=8, btc=8.0))
        return answered()

    assert PortfolioStore(tmp_path).recover(slow).portfolio.trades_executed == 8


def test_a_file_with_a_seal_and_no_portfolio_in_it_is_damage_too(tmp_path: Path) -> None:
    PortfolioStore(tmp_path).save(portfolio(btc=1.0))
    SingleDocumentStore(tmp_path, "portfolio").save({"BTC": {"amount": -1.0}})

    found = PortfolioStore(tmp_path).recover()

    assert (found.step, btc_of(found.portfolio)) == (RecoveryStep.BACKUP, 1.0)


def test_an_edit_by_hand_is_accepted_if_it_is_a_portfolio(tmp_path: Path) -> None:
    store = PortfolioStore(tmp_path)
    store.save(portfolio(btc=1.0))
    file = tmp_path / "portfolio.json"
    file.write_text(file.read_text().replace('"amount": 1.0', '"amount": -1.0'))
    with pytest.raises(CorruptData):
        store.reseal()
    file.write_text(file.read_text().replace('"amount": -1.0', '"amount": 4.0'))
    store.reseal()

    assert btc_of(store.load()) == 4.0


def test_no_crash_in_a_recovery_loses_the_answer_or_what_it_replaces(tradestore_crash: Any) -> None:
    def broken(store: PortfolioStore) -> None:
        store.save(portfolio(btc=1.0))
        damage(Path(store._files.root.path), "portfolio.json")

    def whole(outcome: Any) -> bool:
        return outcome.found == 3.0 or (outcome.found == "damaged" and not outcome.returned)

    def read(store: PortfolioStore) -> object:
        try:
            return btc_of(store.load())
        except CorruptData:
            return "damaged"

    tried = tradestore_crash(PortfolioStore).check(
        lambda store: store.recover(answered), before=broken, read=read, holds=whole
    )

    assert tried > 5
