"""The suite is safe when the store is not: not even the most vulnerable one touches the machine, also not as root."""

import os
import stat

import pytest

from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.names.corpus import CORPUS, GROUPS, SYSTEM, generated
from pytest_tradestore.names.evidence import gather, gather_planted
from pytest_tradestore.names.nest import Canaries, Nest
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.names.vulnerable import MostVulnerable, ReplacesAnything

(DOCUMENTS,) = (kit for kit in KITS if kit.name == "documents")
PLACES = ("/", "/srv", "/home", os.path.expanduser("~root"))
"""Where identifiers of the corpus aim at, besides devices."""


def listing(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return None


def devices():
    return {path: stat.S_IFMT(os.stat(path).st_mode) for path in ("/dev/null", "/dev/zero", "/dev/full")}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Says what of the machine could have been touched; home is a nest of canaries."""
    nest = Nest.build(tmp_path / "nest")
    monkeypatch.setenv("HOME", str(nest.home))
    monkeypatch.chdir(nest.cwd)
    canaries = Canaries(nest)
    before = {path: listing(path) for path in PLACES}, devices()

    def touched():
        return canaries.change(thorough=True), ({path: listing(path) for path in PLACES}, devices()) != before

    return touched


@pytest.mark.parametrize("target", [MostVulnerable, ReplacesAnything])
def test_the_most_vulnerable_store_leaves_the_machine_as_it_was(target, machine):
    store = StoreUnderTest("vulnerable", target, errors=(Exception,))

    found = gather(store, DOCUMENTS, Settings(budget=Budget.QUICK, recorder="fake"))

    assert machine() == ("", False)
    escaped = [finding for finding in found.violations if finding.requirement == "NAME-1"]
    assert len(escaped) >= 20
    assert any("'/dev/null'" in finding.sentence for finding in escaped)
    assert found.checked["identifiers"] == len(CORPUS)


def test_the_sandbox_is_gone_afterwards(machine, monkeypatch, tmp_path):
    places = tmp_path / "places"
    places.mkdir()
    monkeypatch.setattr("pytest_tradestore.sandbox._fastest_parent", lambda: str(places))

    gather(
        StoreUnderTest("vulnerable", MostVulnerable, errors=(Exception,)),
        DOCUMENTS,
        Settings(budget=Budget.QUICK, recorder="fake"),
    )

    assert os.listdir(places) == []


def test_planted_links_are_removed_with_what_they_lead_to(machine):
    store = StoreUnderTest("vulnerable", MostVulnerable, errors=(Exception,))

    found = gather_planted(store, DOCUMENTS, Settings(recorder="fake"))

    assert machine() == ("", False)
    assert found.violations


def test_what_names_a_place_of_the_real_system_is_only_read():
    rows = (*CORPUS, *generated(every_character=True))

    assert all(row.read_only for row in rows if row.value.startswith("/") and "{OUT}" not in row.value)
    assert all(row.read_only for row in SYSTEM)
    assert not any(member.startswith("/") for group in GROUPS for member in group.members)
