"""The corpus is in order: rows with names, oracles and reasons, and groups of different identifiers."""

import os

from hypothesis import given, settings

from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.kits.slots import shown
from pytest_tradestore.names import strategies
from pytest_tradestore.names.corpus import (
    COMPOSITES,
    CORPUS,
    GROUPS,
    NO_TEXT,
    OPAQUE_OK,
    ORDINARY,
    Disguised,
    filled,
    generated,
)


def test_every_row_has_a_name_and_a_value_of_its_own_and_a_reason():
    rows = (*CORPUS, *generated(every_character=True))

    assert len({row.id for row in rows}) == len(rows)
    assert len({row.value for row in CORPUS}) == len(CORPUS)
    assert all(row.reason and row.oracle in ("accept", "accept?", "contain", "reject") for row in rows)


def test_the_corpus_is_as_large_as_it_is_said_to_be():
    assert (len(CORPUS), len(GROUPS), len(COMPOSITES), len(NO_TEXT)) == (178, 21, 8, 10)
    assert len(list(generated(every_character=True))) > 600
    assert {row.category for row in CORPUS} > OPAQUE_OK - {"length"}


def test_the_members_of_a_group_are_different():
    for group in GROUPS:
        assert len(set(group.members)) == len(group.members) > 1


def test_real_symbols_are_text_that_people_can_type():
    for row in ORDINARY:
        assert row.value.isascii() and row.value.isprintable()


def test_places_are_filled_in():
    assert filled("{OUT}/x", "/a/store", "/b") == "/b/x"
    assert filled("../{NAME}/x", "/a/store", "/b") == "../store/x"
    assert filled("{UP2}x", "/a/store", "/b") == "../../x"
    assert filled("{root.__class__}", "/a/store", "/b") == "{root.__class__}"


def test_what_is_disguised_is_one_thing_and_prints_as_another():
    assert (Disguised("AAPL") == "AAPL", str(Disguised("AAPL")), f"{Disguised('AAPL')}") == (True, "../x", "../x")
    assert shown(Disguised("AAPL")) == "'AAPL'"


def test_identifiers_are_shown_escaped_and_cut():
    assert shown("\x1b[2J\n") == "'\\x1b[2J\\n'"
    assert shown("A" * 300).endswith("(300 characters)")


@settings(max_examples=300, deadline=None)
@given(strategies.identifiers())
def test_a_drawn_identifier_begins_with_no_slash_and_climbs_no_further_than_a_nest_is_deep(identifier):
    assert not identifier.startswith("/")
    climbed = os.path.normpath(os.path.join("/a" * 16, identifier.replace("\0", "")))
    assert climbed.startswith("/a/")


@settings(max_examples=50, deadline=None)
@given(strategies.lookalikes())
def test_lookalikes_are_different(pair):
    first, second = pair

    assert first != second


def test_every_contract_but_the_single_document_takes_identifiers():
    assert [kit.name for kit in KITS if not kit.slots()] == ["document"]
