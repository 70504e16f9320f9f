"""Bars made of what numpy, pandas and polars have: taken as the numbers and times that they are, or refused by name."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_store import FileDataStore, InvalidRecord
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars, tree

np = pytest.importorskip("numpy", reason="needs numpy")
pd = pytest.importorskip("pandas", reason="needs pandas")
pl = pytest.importorskip("polars", reason="needs polars")


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


SCALARS: dict[str, dict[str, Any]] = {
    "volume": {"volume": np.int64(7)},
    "unsigned-volume": {"volume": np.uint32(7)},
    "fraction": {"volume": np.float64(7.25)},
    "short-fraction": {"volume": np.float32(0.1)},
    "prices": {"open": np.float32(1.1), "close": np.int16(2)},
}


@pytest.mark.parametrize("fields", SCALARS.values(), ids=list(SCALARS))
def test_scalars_of_numpy_come_back_as_the_python_numbers_that_equal_them(
    store: FileDataStore, fields: dict[str, Any]
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, **fields)])
    (found,) = store.read_bars("AAPL", *ALWAYS)

    for name, value in fields.items():
        whole = name == "volume" and isinstance(value, np.integer)
        assert repr(getattr(found, name)) == repr(int(value) if whole else float(value))


REFUSED: dict[str, dict[str, Any]] = {
    "bool": {"open": np.True_},
    "longer-than-a-float": {"open": np.longdouble(1) + np.finfo(np.longdouble).eps},
    "not-a-time": {"date": pd.NaT},
    "numpy-time": {"date": np.datetime64("2026-01-05")},
    "nanoseconds": {"date": pd.Timestamp("2026-01-05 09:30:00.000000001")},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=list(REFUSED))
def test_a_value_that_could_not_be_given_back_is_refused(
    store: FileDataStore, tmp_path: Path, fields: dict[str, Any]
) -> None:
    wrong = bar(JANUARY)
    for name, value in fields.items():
        setattr(wrong, name, value)
    before = tree(tmp_path)

    with pytest.raises(InvalidRecord) as refusal:
        store.write_bars("AAPL", [bar(JANUARY + DAY), wrong])

    assert (refusal.value.field in fields, refusal.value.position) == (True, 1)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("frame", [pd.DataFrame({"date": [JANUARY]}), pl.DataFrame({"date": [JANUARY]})], ids=type)
def test_a_table_is_no_list_of_bars(store: FileDataStore, tmp_path: Path, frame: Any) -> None:
    before = tree(tmp_path)

    with pytest.raises(InvalidRecord, match=r"^bars is a table"):
        store.write_bars("AAPL", frame)

    assert tree(tmp_path) == before


def test_times_of_pandas_are_times(store: FileDataStore) -> None:
    twice = [pd.Timestamp(2026, 11, 1, 1, 30, fold=fold, tz="America/New_York") for fold in (0, 1)]
    store.write_bars("AAPL", [bar(when) for when in twice])

    found = store.read_bars("AAPL", twice[0] - DAY, twice[1] + DAY)
    assert [str(b.date) for b in found] == [str(when.to_pydatetime()) for when in twice]
    assert {type(b.date) for b in found} == {datetime}


def test_a_bound_finer_than_a_microsecond_leaves_out_what_lies_before_it(store: FileDataStore) -> None:
    store.write_bars("AAPL", bars(JANUARY, 2))
    just_after, just_before = pd.Timestamp(JANUARY) + pd.Timedelta(1), pd.Timestamp(JANUARY + DAY) - pd.Timedelta(1)

    assert store.read_bars("AAPL", just_after, just_before) == []
    assert store.read_bars("AAPL", pd.Timestamp(JANUARY), just_before) == bars(JANUARY, 2)[:1]
    with pytest.raises(InvalidRecord, match="end"):
        store.read_bars("AAPL", JANUARY - timedelta(1), pd.NaT)
