"""What the checks of identifiers must not say: each alarm that was wrong, beside a store for which it is right."""

import hashlib
import json
import os
import time
import uuid

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import names
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.plain import PlainDocuments
from tests.sound_stores.trading import PlainBars

CONTRACT = {kit.name: kit for kit in KITS}


def judged(target, contract="documents", **declared):
    store = StoreUnderTest("store", target, **declared)
    bench = Bench(Settings(budget=Budget.QUICK, recorder="fake"))
    return {check.requirement: check.judge(bench, store) for check in names.checks(CONTRACT[contract])}


class Hashed:
    """Nothing of a key stands in the file system: its digest does, below directories of its first digits."""

    def __init__(self, root):
        self.root = root

    def _file(self, key):
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.root / digest[0] / digest[1] / digest

    def put(self, key, document):
        if type(key) is not str:
            raise ValueError("a key is text")
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".tmp").write_text(json.dumps(document))
        os.replace(file.with_suffix(".tmp"), file)

    def get(self, key):
        if type(key) is not str:
            raise ValueError("a key is text")
        try:
            return json.loads(self._file(key).read_text())
        except FileNotFoundError:
            return None


class KeysAreDirectories(Hashed):
    """A slash of a key is one of the file system; what climbs is refused."""

    def _file(self, key):
        parts = key.split("/")
        if ".." in parts or not all(part and part.isprintable() and len(part.encode()) < 99 for part in parts[:-1]):
            raise ValueError("not a key")
        name = parts[-1].encode().hex()
        return self.root.joinpath(*parts[:-1], f"{parts[-1][:20]}-{name[-40:]}" if name else "nothing")


def test_a_directory_of_a_digest_is_not_a_part_of_the_key():
    assert judged(Hashed)["NAME-5"].verdict is Verdict.HOLDS


def test_control_a_directory_that_a_key_names_is():
    result = judged(KeysAreDirectories)["NAME-5"]

    assert result.verdict is Verdict.VIOLATED
    assert "stands in the file system as it is" in result.reason


class OnceRefused(PlainDocuments):
    """A value is refused as long as another is being written: at the second try it is accepted."""

    refused = 0

    def put(self, key, document):
        if isinstance(key, str) and key == "AA\nPL":
            OnceRefused.refused += 1
            if OnceRefused.refused == 1:
                raise ValueError("not now")
        super().put(key, document)


class RefusesWithATrace(PlainDocuments):
    def put(self, key, document):
        if isinstance(key, str) and key == "AA\nPL":
            (self.directory / f"refused-{uuid.uuid4()}").write_text("")
            raise ValueError("never")
        super().put(key, document)


def test_what_is_accepted_the_second_time_may_have_an_effect():
    assert judged(OnceRefused)["NAME-5"].verdict is Verdict.HOLDS


def test_control_what_is_refused_again_may_not():
    assert "not without effect" in judged(RefusesWithATrace)["NAME-5"].reason


class NoEmptyKey(PlainDocuments):
    """What is put under the empty key is forgotten."""

    def put(self, key, document):
        if key != "":
            super().put(key, document)


class EmptyIsNA(PlainDocuments):
    """As a table does: the empty key is written as NA."""

    def put(self, key, document):
        super().put("NA" if key == "" else key, document)

    def get(self, key):
        return super().get("NA" if key == "" else key)


def test_a_key_that_cannot_be_read_back_shares_nothing():
    results = judged(NoEmptyKey)

    assert results["NAME-3"].verdict is Verdict.HOLDS
    assert results["NAME-4"].verdict is Verdict.VIOLATED


def test_control_two_keys_of_one_place_share_it():
    assert "share data" in judged(EmptyIsNA)["NAME-3"].reason


class TickersOnly(PlainBars):
    def write_bars(self, symbol, bars):
        if len(symbol) > 24 or symbol != symbol.upper():
            raise ValueError("not a ticker")
        return super().write_bars(symbol, bars)


class NoDots(PlainBars):
    def write_bars(self, symbol, bars):
        if "." in symbol:
            raise ValueError("not a ticker")
        return super().write_bars(symbol, bars)


def test_a_symbol_of_bars_need_not_be_a_generated_id():
    assert judged(TickersOnly, "bars")["NAME-6"].verdict is Verdict.HOLDS


def test_control_a_class_of_shares_it_has_to_be():
    assert "'BRK.B'" in judged(NoDots, "bars")["NAME-6"].reason


class HangsAfterAWhile(PlainDocuments):
    """It hangs for good after so many calls, whichever key it is given."""

    tradestore_deadline = 1
    calls = 0

    def put(self, key, document):
        HangsAfterAWhile.calls += 1
        if HangsAfterAWhile.calls > 60:
            time.sleep(60)
        super().put(key, document)


def test_a_hang_that_no_identifier_brings_is_not_filed_under_one():
    results = judged(HangsAfterAWhile)

    assert results["NAME-5"].verdict is Verdict.UNDECIDED
    assert "whichever it was" in results["NAME-5"].reason
    assert "tradestore_deadline" in results["NAME-5"].reason


@pytest.mark.parametrize(
    ("path", "climbs"), [("__\\x-5m", False), ("..\\x-5m", True), ("C:\\x", True), ("a\\b", False)]
)
def test_a_backslash_is_hostile_where_it_climbs_or_leads_to_a_drive(path, climbs):
    from pytest_tradestore.names.escapes import _climbs_on_windows

    assert _climbs_on_windows(path, path) is climbs
