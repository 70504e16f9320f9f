"""The faces of the reference store that the first command leaves out pass the whole suite, too."""

import subprocess
import sys

import pytest

from pytest_tradestore.configuration import OTHER_FACES, REFERENCE
from pytest_tradestore.examination import examine
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.target import StoreUnderTest


def contracts(specs):
    import reference_store

    for spec in specs:
        name, _, place = spec.partition("=")
        for kit in examine(StoreUnderTest(name, getattr(reference_store, place.partition(":")[2]))).contracts:
            yield kit.name


def test_the_first_command_asks_for_each_contract_once():
    assert sorted(contracts(REFERENCE)) == sorted(kit.name for kit in KITS)


def test_control_the_other_faces_offer_what_it_has_asked_for():
    assert set(contracts(OTHER_FACES)) < set(contracts(REFERENCE))


@pytest.mark.deep
@pytest.mark.parametrize("face", OTHER_FACES, ids=[face.partition("=")[0] for face in OTHER_FACES])
def test_the_other_faces_conform(face, tmp_path):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tradestore-conformance"]
    command += ["--tradestore-budget", "quick"]  # what is below the faces was asked with the budget of a plain run

    done = subprocess.run(
        [*command, "--tradestore-store", face], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )

    assert f"{face.partition('=')[0]}: CONFORMANT hardened" in done.stdout
    assert done.returncode == 0
