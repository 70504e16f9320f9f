"""Killed processes and power losses in tests of one's own.

Run it with: python -m pytest docs/examples/test_crashes_of_my_own.py
"""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = {"AAPL": 100}, {"AAPL": 150, "MSFT": 20}


class Portfolio:
    """Positions in one file, which is replaced as a whole."""

    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, positions):
        staged = self.root / "portfolio.tmp"
        with open(staged, "w") as file:
            json.dump(positions, file)
            file.flush()
            self.sync(file.fileno())
        os.replace(staged, self.file)
        directory = os.open(self.root, os.O_RDONLY)
        self.sync(directory)
        os.close(directory)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def sync(self, descriptor):
        os.fsync(descriptor)


class ForgetfulPortfolio(Portfolio):
    """The same, and what it has saved is not on the disk yet."""

    def sync(self, descriptor):
        pass


def whole(outcome):
    """The old positions or the new ones, and the new ones once saving them has returned."""
    assert not outcome.raised, f"the portfolio cannot be read: {outcome.raised}"
    assert outcome.found in (OLD, NEW)
    assert outcome.found == NEW or not outcome.returned, "the new positions were saved, and are lost"


def test_no_crash_loses_the_positions(tradestore_crash):
    tried = tradestore_crash(Portfolio).check(
        lambda portfolio: portfolio.save(NEW),
        before=lambda portfolio: portfolio.save(OLD),
        read=Portfolio.load,
        holds=whole,
    )

    assert tried > 5


def test_control_without_syncs_a_power_loss_does(tradestore_crash):
    with pytest.raises(AssertionError, match="the portfolio cannot be read") as found:
        tradestore_crash(ForgetfulPortfolio).check(
            lambda portfolio: portfolio.save(NEW),
            before=lambda portfolio: portfolio.save(OLD),
            read=Portfolio.load,
            holds=whole,
        )

    assert found.value.outcome.power_loss
    assert "PART  write portfolio.tmp" in str(found.value)


def test_a_killed_process_alone_does_it_no_harm(tradestore_crash):
    crashes = tradestore_crash(ForgetfulPortfolio)

    for outcome in crashes.outcomes(lambda p: p.save(OLD), lambda p: p.save(NEW), read=Portfolio.load):
        possible = [{}, OLD, NEW][outcome.returned : outcome.called + 1]
        assert outcome.found in possible or outcome.power_loss


@settings(max_examples=5, deadline=None)
@given(saved=st.lists(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3), min_size=1, max_size=3))
def test_whatever_is_saved_and_however_often(tradestore_crash, saved):
    def kept(outcome):
        return outcome.found in [{}, *saved][outcome.returned : outcome.called + 1]

    saves = [lambda portfolio, positions=positions: portfolio.save(positions) for positions in saved]
    tradestore_crash(Portfolio).check(*saves, read=Portfolio.load, holds=kept)
