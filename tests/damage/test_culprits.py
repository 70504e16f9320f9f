"""What a store makes of damage: one cause for all files that are read alike, the worst first, each with its remedy."""

import pytest

from pytest_tradestore.causes import Harm
from pytest_tradestore.damage.culprits import Flaw, cause_of, sort_of


def test_files_that_are_read_alike_have_one_culprit():
    assert cause_of(Flaw.SHOWN, "AAPL.json", "x").culprit == cause_of(Flaw.SHOWN, "MSFT.json", "x").culprit


def test_control_others_have_another():
    assert cause_of(Flaw.SHOWN, "AAPL.json", "x").culprit != cause_of(Flaw.SHOWN, "index.db", "x").culprit


def test_a_file_without_a_suffix_stands_for_itself():
    assert (sort_of("d/log"), sort_of("d/AAPL.json")) == ("log", "*.json")


def test_files_that_have_the_name_of_a_key_and_nothing_else_are_read_alike():
    assert sort_of("d/AAPL", ["AAPL"]) == sort_of("d/MSFT", ["MSFT"]) == "KEY"


def test_control_a_file_of_all_keys_is_none_of_them():
    assert sort_of("d/index", ["AAPL", "MSFT"]) == "index"


def test_another_type_of_error_is_another_cause():
    first, second = (cause_of(Flaw.UNCLEAR, "a.json", "x", error) for error in ("KeyError", "RecursionError"))

    assert first.culprit != second.culprit


def test_a_process_that_dies_of_a_mapped_file_is_not_told_to_catch_anything():
    remedy = cause_of(Flaw.ENDS, "a.db", "ended its process: killed by SIGBUS").remedy

    assert "os.fstat before it is mapped" in remedy
    assert not remedy.startswith("Catch")


def test_control_one_that_ends_otherwise_is_not_told_of_maps():
    assert "map" not in cause_of(Flaw.ENDS, "a.db", "took longer than 5 s").remedy


@pytest.mark.parametrize("flaw", [Flaw.BYTES_GONE, Flaw.BACKUP_GONE])
def test_evidence_that_is_thrown_away_is_the_worst(flaw):
    assert cause_of(flaw, "a", "x").harm is Harm.DESTROYED


def test_control_wrong_data_shown_destroys_nothing():
    assert cause_of(Flaw.SHOWN, "a", "x").harm is Harm.WRONG
