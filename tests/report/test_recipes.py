"""The lines that a remedy is written down in: they run, do what they say, and belong to faults that there are."""

import fcntl
import json
import os
import re
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import pytest_tradestore
from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.report.recipes import RECIPES, recipe_for


class DamagedError(Exception):
    pass


@pytest.fixture
def written():
    """What all recipes together define."""
    from collections.abc import Iterator

    names = {
        **{module.__name__: module for module in (fcntl, json, os, re, tempfile, time)},
        "contextmanager": contextmanager,
        "Iterator": Iterator,
        "Damaged": DamagedError,
    }
    for recipe in dict.fromkeys(RECIPES.values()):
        exec(compile(recipe, "recipe", "exec"), names)
    return names


def test_a_file_is_replaced_and_nothing_left_behind(written, tmp_path):
    (tmp_path / "f").write_text("old")

    written["replace"](str(tmp_path / "f"), b"new")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"f": "new"}


def test_control_where_it_cannot_be_replaced_the_old_one_stays(written, tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "g").write_text("old")

    with pytest.raises(OSError):
        written["replace"](str(tmp_path / "f"), b"new")

    assert os.listdir(tmp_path) == ["f"]


def test_an_update_is_made_alone(written, tmp_path):
    (tmp_path / "all.json").write_text("{}")

    written["add"](str(tmp_path), "AAPL", 1)

    assert json.loads((tmp_path / "all.json").read_text()) == {"AAPL": 1}
    with written["alone"](str(tmp_path)), open(tmp_path / ".lock", "ab") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_nothing_and_damage_are_told_apart_and_damage_is_kept(written, tmp_path):
    path = str(tmp_path / "f")
    assert written["read"](path) is None
    for damaged in (b"", b"\0\0", b"\xff", b"[" * 100_000):
        Path(path).write_bytes(damaged)
        with pytest.raises(DamagedError):
            written["read"](path)
    written["set_aside"](path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"[" * 100_000]


def test_only_ordinary_identifiers_have_a_file(written):
    assert written["file_of"]("AAPL") == "AAPL.json"
    for hostile in ("..", "a/b", "", ".x", "a\0", "a" * 65, "a\n"):
        with pytest.raises(ValueError):
            written["file_of"](hostile)


def test_a_joint_cause_and_one_that_says_more_have_the_recipe_of_their_fault():
    def recipe(fault):
        return recipe_for(Cause(Culprit(fault), Harm.LOST))

    assert recipe("damage told by an error that nobody expects: KeyError") == RECIPES["damage shown as data"]
    assert recipe("something unheard of and fsync missing") == RECIPES["fsync missing"]
    assert recipe("something unheard of") == ""


def test_each_is_of_a_fault_that_an_engine_tells():
    source = [path.read_text("utf-8") for path in Path(pytest_tradestore.__file__).parent.rglob("*.py")]
    source += [path.read_text("utf-8") for path in (Path(__file__).parents[2] / "conformance").glob("*.py")]
    engines = "\n".join(text for text in source if "RECIPES: dict" not in text)

    assert [fault for fault in RECIPES if fault not in engines] == []
