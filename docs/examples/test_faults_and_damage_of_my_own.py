"""Full disks and damaged files in tests of one's own.

Run it with: python -m pytest docs/examples/test_faults_and_damage_of_my_own.py
"""

import hashlib
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = {"AAPL": 100}, {"AAPL": 150, "MSFT": 20}


class Portfolio:
    """Positions in a file with a checksum, replaced as a whole."""

    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, positions):
        text = json.dumps(positions)
        staged = self.file.with_suffix(".tmp")
        with open(staged, "w") as file:
            file.write(hashlib.sha256(text.encode()).hexdigest() + "\n" + text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.file)

    def load(self):
        try:
            checksum, _, text = self.file.read_text().partition("\n")
        except FileNotFoundError:
            return {}
        if hashlib.sha256(text.encode()).hexdigest() != checksum:
            raise ValueError("portfolio.json is damaged")
        return json.loads(text)


class CarelessPortfolio(Portfolio):
    """The same without any of that."""

    def save(self, positions):
        self.file.write_text(json.dumps(positions))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


def whole(outcome):
    """The old positions or the new ones, and the old ones only if the caller knows."""
    assert outcome.found in (OLD, NEW), f"{outcome.fault}: {outcome.found}"
    assert outcome.found == NEW or outcome.error, f"{outcome.fault}: not saved, and nobody was told"


def noticed(outcome):
    assert not outcome.is_silent, f"{outcome.damage}: {outcome.found}"


def test_no_failing_call_loses_the_positions(tradestore_faults):
    tried = tradestore_faults(Portfolio).check(
        lambda portfolio: portfolio.save(NEW),
        before=lambda portfolio: portfolio.save(OLD),
        read=Portfolio.load,
        holds=whole,
    )

    assert tried > 5


def test_control_written_in_place_a_full_disk_does(tradestore_faults):
    with pytest.raises(AssertionError, match="fails with ENOSPC"):
        tradestore_faults(CarelessPortfolio).check(
            lambda portfolio: portfolio.save(NEW),
            before=lambda portfolio: portfolio.save(OLD),
            read=CarelessPortfolio.load,
            holds=whole,
        )


def test_no_damage_is_read_as_positions(tradestore_damage):
    tried = tradestore_damage(Portfolio).check(
        lambda portfolio: portfolio.save(NEW), read=Portfolio.load, holds=noticed
    )

    assert tried > 200


def test_control_without_the_checksum_a_flipped_bit_is(tradestore_damage):
    damaged = tradestore_damage(CarelessPortfolio)

    outcomes = damaged.outcomes(lambda portfolio: portfolio.save(NEW), read=CarelessPortfolio.load)

    assert any(outcome.is_silent and "changed in bit" in outcome.damage for outcome in outcomes)


@settings(max_examples=5, deadline=None)
@given(positions=st.dictionaries(st.text(max_size=5), st.integers(), min_size=1, max_size=3))
def test_whatever_the_positions_are(tradestore_damage, positions):
    tradestore_damage(Portfolio, flips=20).check(
        lambda portfolio: portfolio.save(positions), read=Portfolio.load, holds=noticed
    )
