"""Which names other file systems take for one, and which they cannot have."""

import pytest

from pytest_tradestore.names.case_folding import _as_windows_does, _ignoring_case, _no_name_on_windows

ONE_ON_WINDOWS = [("AAPL.json", "aapl.json"), ("É", "é"), ("AAPL", "AAPL."), ("AAPL", "AAPL ")]
TWO_ON_WINDOWS = [
    ("K", "\u212a"),
    ("\u00c5", "\u212b"),
    ("\u00e9", "e\u0301"),
    ("stra\u00dfe", "strasse"),
    ("I", "\u0131"),
]


@pytest.mark.parametrize(("first", "second"), ONE_ON_WINDOWS)
def test_ntfs_takes_letters_of_either_case_for_one(first, second):
    assert _as_windows_does(first) == _as_windows_does(second)


@pytest.mark.parametrize(("first", "second"), TWO_ON_WINDOWS)
def test_control_it_neither_folds_nor_normalises_what_is_no_pair_of_cases(first, second):
    assert _as_windows_does(first) != _as_windows_does(second)


@pytest.mark.parametrize(("first", "second"), TWO_ON_WINDOWS[:4])
def test_apfs_does(first, second):
    assert _ignoring_case(first) == _ignoring_case(second)


@pytest.mark.parametrize("name", ["CON.json", "nul", "Com1.tar.gz", "AUX .x", "BTC:USDT.json", "TSLA*"])
def test_names_that_windows_keeps_for_itself_are_known(name):
    assert _no_name_on_windows(name)


@pytest.mark.parametrize("name", ["CONS.json", "COM10", "BTC-USDT.json", "x.con", "4e554c.json"])
def test_control_names_that_only_look_like_them_are_left_alone(name):
    assert _no_name_on_windows(name) is None
