"""Which contract a store without any is told to be nearest to: the one that its names are like."""

import pytest

from pytest_tradestore.kits.registry import nearest_kit


def store(name, *methods):
    return type(name, (), dict.fromkeys(methods, lambda *_: None))()


NEAREST = {
    "a-store-of-bars": (store("BarStore", "write", "read"), "Bars, for which it lacks write_bars() and read_bars()"),
    "a-method-that-is-missing": (store("Log", "append", "reader"), "Journal, for which it lacks read()"),
    "a-method-that-is-misspelt": (store("Portfolio", "save", "laod"), "SingleDocument, for which it lacks load()"),
    "another-word-for-a-method": (store("Cache", "get", "set"), "Documents, for which it lacks put()"),
}


@pytest.mark.parametrize(("store", "said"), NEAREST.values(), ids=list(NEAREST))
def test_the_nearest_contract_is_the_one_that_it_is_like(store, said):
    assert nearest_kit(store) == f"the nearest is {said}"


def test_control_what_is_like_none_is_told_the_simple_ones():
    assert nearest_kit(store("Nothing", "frobnicate")).startswith("it has frobnicate(). SingleDocument needs")
