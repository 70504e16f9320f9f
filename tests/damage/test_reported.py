"""Damage that is reported by a log or an object of the store (``tradestore_damage_reported``), and no error raised."""

import logging
import warnings

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import damage
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.damage import SetsAside
from tests.broken_stores.reported import TellsByObject

_log = logging.getLogger("acme.of_its_own")
_log.propagate = False


class Logs(TellsByObject):
    """By a logger that hands nothing on."""

    tradestore_damage_reported = "log"

    def damaged(self, key):
        _log.warning("%s is damaged", key)


class Warns(TellsByObject):
    tradestore_damage_reported = "log"

    def damaged(self, key):
        warnings.warn(f"{key} is damaged", stacklevel=2)


class LogsAtEveryLook(Logs):
    def get(self, key):
        _log.warning("looking at %s", key)
        return super().get(key)


class Deprecated(TellsByObject):
    """A warning about how the program is written, not about data."""

    tradestore_damage_reported = "log"

    def damaged(self, key):
        warnings.warn("use fetch()", DeprecationWarning, stacklevel=2)


def judged(target, **declared):
    store, bench = StoreUnderTest("acme", target, **declared), Bench(Settings(budget=Budget.QUICK))
    return {r.requirement: r for r in (check.judge(bench, store) for check in damage.checks(kit_named("documents")))}


def violated(results):
    return {id_ for id_, result in results.items() if result.verdict is Verdict.VIOLATED}


@pytest.mark.parametrize("target", [TellsByObject, Logs, Warns])
def test_nothing_is_a_good_answer_where_damage_is_reported_as_declared(target):
    results = judged(target)

    assert violated(results) == set()
    assert results["CORR-1"].verdict is results["CORR-6"].verdict is Verdict.HOLDS


@pytest.mark.parametrize(("target", "how"), [(TellsByObject, "error"), (TellsByObject, "log"), (Deprecated, None)])
def test_control_what_is_not_declared_or_not_said_is_no_report(target, how):
    assert {"CORR-1", "CORR-6"} <= violated(judged(target, damage_reported=how))


def test_what_is_reported_of_whole_files_too_tells_nothing():
    result = judged(LogsAtEveryLook)["CORR-1"]

    assert result.verdict is Verdict.UNDECIDED
    assert "it reports damage (tradestore_damage_reported) also where nothing is damaged" in result.reason


def test_a_function_that_raises_is_named():
    result = judged(TellsByObject, damage_reported=lambda store: store.no_such_thing)["CORR-1"]

    assert result.verdict is Verdict.UNDECIDED
    assert "tradestore_damage_reported raised AttributeError" in result.reason


def test_a_function_that_raises_only_at_damage_is_named_too():
    def asked(store):
        return bool(store.issues) and store.no_such_thing

    result = judged(TellsByObject, damage_reported=asked)["CORR-1"]

    assert result.verdict is Verdict.UNDECIDED
    assert "tradestore_damage_reported raised AttributeError" in result.reason
    assert "again and again" not in result.reason


@pytest.mark.parametrize("wrong", ["logs", 1, ("log",)])
def test_what_is_no_way_to_report_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="tradestore_damage_reported must be 'error', 'log', or a function"):
        _ = StoreUnderTest("acme", SetsAside, damage_reported=wrong).declarations
