"""Records are taken apart once: what is kept of one never stands for another that merely equals it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tradestore.observation import canonical
from pytest_tradestore.records import plain, text_of


@dataclass
class Bar:
    symbol: Any
    date: Any
    close: Any


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EQUAL = {
    "a number and a truth": (1, True),
    "a whole number and a float": (7, 7.0),
    "both zeros": (0.0, -0.0),
    "nothing and a zero": (0, False),
    "one moment in two zones": (NOON, NOON.astimezone(timezone(timedelta(hours=2)))),
}
values = st.one_of(
    st.integers(-2, 2),
    st.sampled_from([-0.0, 0.0, 1.0, 2.0, float("nan")]),
    st.booleans(),
    st.none(),
    st.text(max_size=1),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=1))])),
    st.lists(st.integers(0, 1), max_size=2),
)


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=list(EQUAL))
def test_records_that_are_equal_and_not_the_same_keep_texts_of_their_own(one, other):
    told = [text_of(Bar("AAPL", value, 1.5)) for value in (one, other, one)]

    assert told[0] == told[2] != told[1]


def test_control_a_record_that_is_the_same_has_the_same_text_and_changes_with_its_fields():
    bar = Bar("AAPL", NOON.replace(tzinfo=None), 1.5)
    before = text_of(bar)

    assert text_of(Bar("AAPL", NOON.replace(tzinfo=None), 1.5)) is before
    bar.close = 2.5
    assert text_of(bar) == before.replace("1.5", "2.5")


@given(st.lists(st.builds(Bar, values, values, values), max_size=12))
def test_a_text_is_what_taking_the_record_apart_gives_whatever_came_before(bars):
    assert [text_of(bar) for bar in bars] == [canonical(plain(bar)) for bar in bars]


class Number:
    """Like the numbers of an array library: of no type of Python's, with what it stands for."""

    dtype, ndim = "int64", 0

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_a_number_of_an_array_library_is_the_number_that_it_stands_for():
    assert plain(Bar("AAPL", NOON, Number(7))) == plain(Bar("AAPL", NOON, 7))


def test_control_an_array_is_no_number():
    several = Number([7])
    several.ndim = 1

    assert plain(several) != 7


def test_a_number_of_numpy_that_python_has_none_for_is_told_as_numpy_writes_it():
    numpy = pytest.importorskip("numpy")
    longer = numpy.longdouble("0.1")

    assert plain(longer) == repr(longer)


def test_control_any_other_number_of_numpy_is_the_number():
    numpy = pytest.importorskip("numpy")

    assert [plain(kind(2)) for kind in (numpy.int8, numpy.float16, numpy.bool_)] == [2, 2.0, True]
