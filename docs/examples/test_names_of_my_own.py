"""Identifiers in code of one's own: nothing outside of the root is touched, and no two of them share a file.

Run it with: python -m pytest docs/examples/test_names_of_my_own.py
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


class Notes:
    """Texts by symbol, each in a file of its own."""

    def __init__(self, root):
        self.root = root

    def write(self, symbol, text):
        self._file(symbol).write_text(text)

    def read(self, symbol):
        file = self._file(symbol)
        return file.read_text() if file.exists() else None

    def _file(self, symbol):
        if not re.fullmatch(r"[A-Z0-9][A-Z0-9.-]{0,63}", symbol):
            raise ValueError(f"not a symbol: {symbol!a}")
        return self.root / f"{symbol}.txt"


class TrustingNotes(Notes):
    def _file(self, symbol):
        return self.root / symbol


def visit(notes, symbol):
    """Write and read, and return what was read; to refuse the symbol is fine, too."""
    try:
        notes.write(symbol, "bought")
        return notes.read(symbol)
    except (ValueError, OSError):
        return None


def test_no_symbol_leads_out_of_the_root(tradestore_names):
    with tradestore_names.surroundings() as around:
        notes = Notes(around.root)
        for row in tradestore_names.writable:
            symbol = around.value(row)
            around.check(symbol, visit(notes, symbol))


def test_control_trusting_notes_are_led_out(tradestore_names):
    with tradestore_names.surroundings() as around, pytest.raises(AssertionError, match="led out of the root"):
        notes = TrustingNotes(around.root)
        for row in tradestore_names.writable:
            symbol = around.value(row)
            around.check(symbol, visit(notes, symbol))


@given(drawn=st.data())
@settings(max_examples=50, deadline=None)
def test_two_symbols_never_share_a_note(tradestore_names, tmp_path_factory, drawn):
    first, second = drawn.draw(tradestore_names.lookalikes())
    notes = Notes(tmp_path_factory.mktemp("notes"))

    taken = [symbol for symbol in (first, second) if visit(notes, symbol)]
    for symbol in taken:
        notes.write(symbol, f"about {symbol!a}")

    assert [notes.read(symbol) for symbol in taken] == [f"about {symbol!a}" for symbol in taken]


@given(drawn=st.data())
@settings(max_examples=50, deadline=None)
def test_whatever_is_drawn_stays_inside(tradestore_names, drawn):
    with tradestore_names.surroundings() as around:
        symbol = drawn.draw(tradestore_names.identifiers())
        around.check(symbol, visit(Notes(around.root), symbol))
