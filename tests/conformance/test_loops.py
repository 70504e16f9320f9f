"""What an asynchronous store does on the event loop, by the thread that did it."""

import asyncio
import sqlite3

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import loops
from pytest_tradestore.faults import seccomp
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.on_the_loop import AwaitsInNameOnly, SyncsOnTheLoop
from tests.sound_stores.files import encode
from tests.sound_stores.plain import PlainDocument
from tests.sound_stores.plain_aiofiles import AsyncDocument
from tests.sound_stores.sqlite import Tables, connect

DOCUMENT = next(kit for kit in KITS if kit.name == "document")


def judged(target):
    (check,) = loops.checks(DOCUMENT)
    return check.judge(Bench(Settings()), StoreUnderTest("store", target))


def test_each_line_that_holds_the_loop_up_is_a_cause_of_its_own():
    result = judged(SyncsOnTheLoop)

    assert {(e.steps[0].text, e.steps[0].source) for e in result.examples} >= {
        ("fsync portfolio.tmp", "os.fsync(file.fileno())"),
    }
    assert all(example.steps[0].location.split(":")[0].endswith(".py") for example in result.examples)


def test_what_is_done_in_a_coroutine_is_not_awaited_for_that():
    assert "load() does file work on the event loop: open state.json" in judged(AwaitsInNameOnly).reason


def test_control_who_hands_all_of_it_to_threads_holds():
    result = judged(AsyncDocument)

    assert (result.verdict, result.checked["awaited_calls"]) == (Verdict.HOLDS, 6)


def test_a_store_that_is_not_awaited_is_not_asked_and_why_is_said():
    result = judged(PlainDocument)

    assert (result.verdict, "no call of this contract is awaited" in result.reason) == (Verdict.NOT_APPLICABLE, True)


class AsksWhetherItIsThere(AsyncDocument):
    async def load(self):
        return await super().load() if self.file.exists() else None


def test_to_ask_whether_a_file_is_there_is_no_work():
    assert judged(AsksWhetherItIsThere).verdict is Verdict.HOLDS


class Native:
    """A database that is used on the loop itself, by a library of its own."""

    tradestore_errors = (ValueError, TypeError, sqlite3.Error)

    def __init__(self, root):
        self._tables = Tables(connect(root, "synchronous=EXTRA"))

    async def save(self, data):
        encode(data)
        self._tables.put("portfolio", data)

    async def load(self):
        return await asyncio.to_thread(self._tables.get, "portfolio")


@pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not()))
def test_what_a_native_library_does_is_seen():
    assert judged(Native).verdict is Verdict.VIOLATED


class RefusesAll:
    def __init__(self, root):
        pass

    async def save(self, data):
        raise ValueError("not today")

    async def load(self):
        return {}


def test_a_store_that_refuses_everything_is_undecided_and_not_held():
    assert judged(RefusesAll).verdict is Verdict.UNDECIDED
