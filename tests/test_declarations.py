"""The page of declarations in the documentation is complete, and as the code has it."""

from dataclasses import fields
from pathlib import Path

from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.declarations import CAPABILITIES, DECLARATIONS, page
from pytest_tradestore.records import MAKERS
from pytest_tradestore.target import CLAIMED_BY_DEFAULT, StoreUnderTest

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "declarations.md"


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "python -m pytest_tradestore.declarations docs/reference/declarations.md"


def test_every_argument_of_a_store_under_test_stands_on_it():
    listed = {declaration.name.removeprefix("tradestore_") for declaration in DECLARATIONS}

    assert {field.name for field in fields(StoreUnderTest)} - {"name", "target", "origin", "imports"} <= listed
    assert set(MAKERS) <= listed


def test_every_capability_can_be_claimed_and_its_default_is_the_one_on_the_page():
    for capability in CAPABILITIES:
        store = StoreUnderTest("acme", object, claims=(capability.name,))
        assert capability.name in store.declarations.claims
        assert (capability.name in CLAIMED_BY_DEFAULT) is capability.by_default
        assert capability.name in unclaimed("X", "case", capability.name, store.declarations).reason
