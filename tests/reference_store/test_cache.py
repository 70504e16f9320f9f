"""The cache of a bot: what was put last, for a time, or nothing; never what another process has replaced."""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import AsyncCacheStore, CacheStore, CorruptData, InvalidRecord, UnserialisableValue
from reference_store.cache_models import BotStartup, RecentDecision
from reference_store.core.directory import is_settled
from reference_store.models import Decision
from reference_store.operations.inspection import State, inspect
from reference_store.stores.bot.cache_files import cache_key, cache_stem
from reference_store.stores.bot.file_names import CacheName

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
FORKS = multiprocessing.get_context("fork")


class Clock:
    """The time, as the test has it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def goes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def settle(root: Path) -> None:
    """Wait until what comes next is stamped later than the files that are there."""
    while not all(is_settled(os.stat(file).st_ctime_ns) for file in (root / "cache").glob("*.json")):
        pass


class Opened:
    """Counts the files that are opened to be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: list[str] = []
        real = os.open

        def noting(path: Any, *args: Any, **kwargs: Any) -> int:
            if str(path).endswith(".json"):
                self.files.append(str(path))
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", noting)


def test_a_value_is_read_until_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    store = CacheStore(tmp_path, clock=clock)
    store.put("quote_aapl", {"price": 150.25})
    store.put("quote_msft", {"price": 400.5}, ttl=10)

    clock.goes(299)
    assert (store.get("quote_aapl"), store.get("quote_msft")) == ({"price": 150.25}, None)
    clock.goes(1)
    assert store.get("quote_aapl") is None


def test_a_value_from_a_clock_that_is_ahead_is_over(tmp_path: Path) -> None:
    clock = Clock(START + timedelta(days=900))
    store = CacheStore(tmp_path, clock=clock)
    store.put("quote_aapl", {"price": 150.25})

    clock.now = START
    assert store.get("quote_aapl") is None


def test_the_file_is_called_as_the_guideline_says_and_is_readable(tmp_path: Path) -> None:
    CacheStore(tmp_path, clock=Clock()).put("quote_aapl", {"price": 150.25})

    content = json.loads((tmp_path / "cache" / "quote_aapl.json").read_bytes())
    assert content["value"] == {"price": 150.25}
    assert content["expires_at"] == "2026-01-05T12:05:00.000000+00:00"
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name[0] != "."] == ["quote_aapl.json"]


def test_what_has_not_changed_is_answered_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CacheStore(tmp_path)
    store.put("quote_aapl", {"price": 150.25})
    settle(tmp_path)
    store.get("quote_aapl")

    opened = Opened(monkeypatch)
    assert [store.get("quote_aapl") for _ in range(3)] == [{"price": 150.25}] * 3
    assert opened.files == []


def test_control_what_was_written_just_now_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CacheStore(tmp_path)
    store.put("quote_aapl", {"price": 150.25})
    monkeypatch.setattr("reference_store.stores.bot.cache_files.is_settled", lambda changed: False)
    store.get("quote_aapl")

    opened = Opened(monkeypatch)
    store.get("quote_aapl")
    assert opened.files == ["quote_aapl.json"]


def in_another_process(act: Callable[[], object]) -> None:
    child = FORKS.Process(target=act)
    child.start()
    child.join()
    assert child.exitcode == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_what_another_process_has_replaced_is_never_served(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    store.put("quote_aapl", {"price": 1})
    settle(tmp_path)
    assert [store.get("quote_aapl") for _ in range(2)] == [{"price": 1}] * 2

    in_another_process(lambda: CacheStore(tmp_path).put("quote_aapl", {"price": 2}))
    assert store.get("quote_aapl") == {"price": 2}
    in_another_process(lambda: CacheStore(tmp_path).delete("quote_aapl"))
    assert store.get("quote_aapl") is None


def test_an_inode_that_comes_back_is_not_taken_for_the_file_that_had_it(tmp_path: Path) -> None:
    store, other = CacheStore(tmp_path), CacheStore(tmp_path)
    for number in range(60):
        other.put("quote_aapl", {"price": number % 10})
        assert store.get("quote_aapl") == {"price": number % 10}


def test_what_is_handed_out_reaches_back_to_nothing(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    store.put("quote_aapl", {"prices": [1]})
    settle(tmp_path)
    for _ in range(2):
        found = store.get("quote_aapl")
        assert found == {"prices": [1]}
        found["prices"].append(2)


def test_a_loader_is_asked_only_when_nothing_is_there(tmp_path: Path) -> None:
    clock, asked = Clock(), []
    store = CacheStore(tmp_path, clock=clock)

    def load() -> dict[str, Any]:
        asked.append(clock.now)
        return {"price": len(asked)}

    assert [store.get_or_load("quote_aapl", load) for _ in range(3)] == [{"price": 1}] * 3
    clock.goes(300)
    assert store.get_or_load("quote_aapl", load) == {"price": 2}


def test_what_was_put_while_a_loader_was_at_work_stays(tmp_path: Path) -> None:
    store, other = CacheStore(tmp_path), CacheStore(tmp_path)

    def slowly() -> dict[str, Any]:
        other.put("quote_aapl", {"price": "new"})
        return {"price": "old"}

    assert store.get_or_load("quote_aapl", slowly) == {"price": "new"}
    assert store.get("quote_aapl") == {"price": "new"}


def test_a_loader_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    with pytest.raises(ZeroDivisionError):
        store.get_or_load("quote_aapl", lambda: {"price": 1 // 0})
    assert store.keys() == []


def test_a_damaged_entry_is_told_of_and_loaded_anew(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    store.put("quote_aapl", {"price": 1})
    store.put("quote_aapl", {"price": 2})
    file = tmp_path / "cache" / "quote_aapl.json"
    file.write_bytes(file.read_bytes().replace(b"2}", b"3}").replace(b'"price": 2', b'"price": 3'))

    with pytest.raises(CorruptData):
        store.get("quote_aapl")
    assert store.get_or_load("quote_aapl", lambda: {"price": 4}) == {"price": 4}
    assert store.get("quote_aapl") == {"price": 4}
    assert list((tmp_path / "cache").glob(".damaged-*"))


def test_a_change_is_made_of_what_is_there_and_of_nothing_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    store = CacheStore(tmp_path, clock=clock)

    def count(value: dict[str, Any] | None) -> dict[str, Any]:
        return {"n": 1 if value is None else value["n"] + 1}

    assert [store.update("count_calls", count)["n"] for _ in range(3)] == [1, 2, 3]
    clock.goes(300)
    assert store.update("count_calls", count) == {"n": 1}


def test_there_are_about_so_many_entries_as_are_allowed_and_the_session_stays(tmp_path: Path) -> None:
    clock = Clock()
    store = CacheStore(tmp_path, max_entries=20, clock=clock)
    store.started(BotStartup(started_at=START, session_id="s-1"))
    for number in range(60):
        clock.goes(1)
        store.put(f"quote_{number}", {"n": number})

    assert len(store.keys()) <= 20 + 2 + 2
    assert store.get("quote_59") == {"n": 59}
    assert store.get("quote_0") is None
    assert store.startup() is not None


def test_what_is_over_is_removed_when_asked(tmp_path: Path) -> None:
    clock = Clock()
    store = CacheStore(tmp_path, clock=clock)
    store.put("quote_aapl", {}, ttl=1)
    store.put("quote_msft", {}, ttl=9)
    clock.goes(1)

    assert (store.prune(), store.keys()) == (1, ["quote_msft"])


def test_what_is_put_while_others_are_cleared_away_stays(tmp_path: Path) -> None:
    class Putting(Clock):
        """The time goes on, and another process puts something, whenever one is asked."""

        def __call__(self) -> datetime:
            if armed:
                armed.pop()
                other.put("quote_aapl", {"n": 2})  # in place of the one whose time is over
                self.goes(2)
                other.put("quote_new", {"n": 1})  # later than when the first was looked at
            return super().__call__()

    armed: list[bool] = []
    clock = Putting()
    store, other = CacheStore(tmp_path, clock=clock), CacheStore(tmp_path, clock=clock)
    other.put("quote_aapl", {"n": 1}, ttl=1)
    other.put("quote_gone", {"n": 1}, ttl=1)
    clock.goes(1)
    armed.append(True)

    assert store.prune() == 1
    assert (store.get("quote_aapl"), store.get("quote_new"), store.keys()) == (
        {"n": 2}, {"n": 1}, ["quote_aapl", "quote_new"],
    )  # fmt: skip


def test_the_start_of_the_bot_and_its_latest_decisions_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_store.stores.bot.cache_entries.LATEST", 3)
    clock = Clock()
    store = CacheStore(tmp_path, clock=clock)
    startup = BotStartup(started_at=START, session_id="s-1", version="2.0", settings={"dry": True})
    store.started(startup)
    made = [
        RecentDecision(at=START, strategy="momentum", decision=Decision(symbol=f"S{number}", action="BUY"))
        for number in range(5)
    ]
    for decision in made:
        store.decided(decision)
    clock.goes(10_000_000)

    again = CacheStore(tmp_path, clock=clock)
    assert again.startup() == startup
    assert again.latest_decisions() == made[2:]
    assert {"bot_startup.json", "latest_decisions.json"} <= {path.name for path in (tmp_path / "cache").iterdir()}


def test_a_start_that_is_none_is_told_of(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    store.put("bot_startup", {"started": "today"})

    with pytest.raises(CorruptData, match="bot_startup"):
        store.startup()


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "5", True, 1e300])
def test_a_time_to_live_that_is_none_is_refused(tmp_path: Path, ttl: Any) -> None:
    store = CacheStore(tmp_path)
    with pytest.raises(InvalidRecord):
        store.put("quote_aapl", {}, ttl=ttl)
    assert store.keys() == []


def test_a_value_that_json_would_not_give_back_is_refused(tmp_path: Path) -> None:
    for value in ({"at": START}, {"n": float("nan")}, {"pair": (1, 2)}):
        with pytest.raises(UnserialisableValue):
            CacheStore(tmp_path).put("quote_aapl", value)


def test_tasks_have_the_same(tmp_path: Path) -> None:
    async def use() -> None:
        clock = Clock()
        async with AsyncCacheStore(tmp_path, clock=clock, max_entries=10) as store:

            async def load() -> dict[str, Any]:
                return {"price": 1}

            assert await store.get_or_load("quote_aapl", load) == {"price": 1}
            assert await store.get_or_load("quote_aapl", lambda: {"price": 2}) == {"price": 1}
            assert await store.update("quote_aapl", lambda value: {**(value or {}), "n": 1}) == {"price": 1, "n": 1}
            await store.started(BotStartup(started_at=START, session_id="s-1"))
            await store.decided(RecentDecision(at=START, strategy="m", decision=Decision(symbol="A", action="SELL")))
            started = await store.startup()
            assert started is not None
            assert (started.session_id, len(await store.latest_decisions())) == ("s-1", 1)
            clock.goes(300)
            assert await store.get("quote_aapl") is None
            assert (await store.prune(), await store.delete("quote_aapl")) == (1, False)
            for number in range(20):
                await store.put(f"quote_{number}", {})
            assert len(await store.keys()) <= 13

    asyncio.run(use())


KEYS = st.one_of(
    st.lists(st.sampled_from(["a", "A", "_", "0", "+", "+0", "/"]), min_size=1, max_size=5).map("".join),
    st.sampled_from(["a_b", "A_B", "A_b", "a_B", "AB", "ab"]),
)


@given(st.lists(KEYS, min_size=2, max_size=2, unique=True))
def test_every_key_has_a_file_of_its_own_whatever_a_file_system_makes_of_case(keys: list[str]) -> None:
    stems = {}
    for key in keys:
        try:
            stems[key] = cache_stem(key)
        except ValueError:
            continue
    assert {key: cache_key(stem) for key, stem in stems.items()} == {key: key for key in stems}
    assert len({stem.lower() for stem in stems.values()}) == len(stems)


def test_verify_knows_every_file_of_a_cache(tmp_path: Path) -> None:
    store = CacheStore(tmp_path)
    for key in ("bot_startup", "quote_aapl", "AAPL", "QUOTE_AAPL", "Quote_Aapl", "BTC/USDT"):
        store.put(key, {"of": key})

    assert store.keys() == ["AAPL", "BTC/USDT", "QUOTE_AAPL", "Quote_Aapl", "bot_startup", "quote_aapl"]
    assert {found.state for found in inspect(os.fspath(tmp_path))} == {State.SOUND}


@given(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,4}(_[a-z0-9]{1,4}){0,2}", fullmatch=True),
)
def test_a_name_of_a_cache_file_is_taken_apart_into_what_it_was_built_of(purpose: str, context: str) -> None:
    assert CacheName.parse(str(CacheName(purpose, context))) == CacheName(purpose, context)
