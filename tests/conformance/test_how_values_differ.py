"""A value that comes back otherwise is told so that it can be seen, by the way in which it differs, once for each."""

import unicodedata

import pytest

from pytest_tradestore.causes import Culprit
from pytest_tradestore.kits.values import difference, same
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.plain import PlainDocument


def through(change):
    """A document each of whose values goes through ``change`` when it is loaded."""

    class Changing(PlainDocument):
        def load(self):
            found = super().load()
            return found if found is None else change(found)

    return Changing


def keys(change):
    return through(lambda document: {change(key): value for key, value in document.items()})


def values(kind, change):
    def changed(value):
        if isinstance(value, dict):
            return {key: changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        return change(value) if type(value) is kind else value

    return through(changed)


WAYS = {
    "an empty document is None": (through(lambda found: found or None), "an empty document comes back as None"),
    "keys are folded": (keys(str.lower), "keys come back otherwise"),
    "keys are numbers": (keys(lambda key: int(key) if key.isascii() and key.isdigit() else key), "no text"),
    "truth is turned": (values(bool, lambda value: not value), "truth values come back as others"),
    "truth is a number": (values(bool, int), "truth values come back as numbers"),
    "large numbers are floats": (
        values(int, lambda n: float(n) if abs(n) >= 2**64 else n),
        "whole numbers come back as floats",
    ),
    "no zero has a sign": (values(float, lambda number: number + 0.0), "-0.0 comes back as 0.0"),
    "text is composed": (values(str, lambda text: unicodedata.normalize("NFC", text)), "another Unicode form"),
    "what is None goes": (
        through(lambda found: {key: value for key, value in found.items() if value is not None}),
        "what is empty or None is left out",
    ),
}


@pytest.mark.parametrize(("store", "flaw"), WAYS.values(), ids=list(WAYS))
def test_the_cause_is_the_way_in_which_values_differ_and_one_for_all_of_them(store, flaw, judged):
    cases = ("nothing", "ordinary", "integers", "floats", "unicode", "booleans", "empty", "generated")
    results = [judged(store, "DATA-ROUNDTRIP", f"document-{case}") for case in cases]
    broken = [result.counterexample for result in results if result.verdict is Verdict.VIOLATED]

    assert broken
    assert len({example.cause.culprit for example in broken}) == 1
    assert flaw in str(broken[0].cause)


@pytest.mark.parametrize("name", ["keys are numbers", "text is composed"])
def test_what_was_found_does_not_look_like_what_is_allowed(name, judged):
    result = judged(WAYS[name][0], "DATA-ROUNDTRIP", "document-generated")

    assert result.counterexample.found != result.counterexample.allowed
    assert all(text.isascii() for text in (*result.counterexample.found, *result.counterexample.allowed))


def test_of_a_long_text_is_shown_where_it_differs(judged):
    cuts = values(str, lambda text: text[:100_000] + "?" if len(text) > 100_000 else text)

    (found,) = judged(cuts, "DATA-ROUNDTRIP", "document-long").counterexample.found

    assert "?" in found


def test_control_a_sound_store_shows_nothing(judged):
    assert judged(PlainDocument, "DATA-ROUNDTRIP", "document-generated").verdict is Verdict.HOLDS


def test_two_ways_are_two_causes(judged):
    numbers = {int: float, bool: int}
    both = through(lambda found: {k: numbers.get(type(v), lambda same: same)(v) for k, v in found.items()} or None)

    results = [judged(both, "DATA-ROUNDTRIP", f"document-{case}") for case in ("nothing", "integers", "booleans")]

    assert [result.counterexample.cause.culprit for result in results] == [
        Culprit(flaw, ("document",))
        for flaw in (
            "an empty document comes back as None",
            "whole numbers come back as floats",
            "truth values come back as numbers",
        )
    ]
    assert "found is None" in results[0].counterexample.cause.remedy


PAIRS = [({"a": [1, 2]}, {"a": [1]}), ({"a": "1"}, {"a": 1}), (None, {"a": 1}), ({"a": 1, "b": 2}, {"a": 1}), ([], {})]


@pytest.mark.parametrize(("found", "wanted"), PAIRS)
def test_whatever_differs_is_told_somehow(found, wanted):
    assert not same(found, wanted)
    assert difference(found, wanted)
