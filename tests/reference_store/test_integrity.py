"""Seals: whitespace is free, everything else is noticed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import CorruptData, UnserialisableValue
from reference_store.core import integrity
from tests.reference_store.values import documents

PORTFOLIO = {"cash": 1000.0, "positions": {"BTC": {"amount": 0.01}}, "orders": [1, 2, 3]}


def sealed(document: dict[str, Any], key: str = "P", generation: int = 3) -> bytes:
    return integrity.seal_document(integrity.encode(document), key, generation)


def unsealed(raw: bytes, key: str = "P") -> integrity.Unsealed:
    return integrity.unseal_document(raw, key, "P.json")


@given(documents, st.integers(1))
def test_what_was_sealed_is_unsealed(document: dict[str, Any], generation: int) -> None:
    found = unsealed(sealed(document, generation=generation))

    assert (found.content, found.number) == (document, generation)


def test_the_file_is_plain_json_with_the_callers_keys_first() -> None:
    assert list(json.loads(sealed(PORTFOLIO))) == [*PORTFOLIO, "_integrity"]


@pytest.mark.parametrize("indent", [None, 0, 2, 8])
def test_an_edit_of_whitespace_passes(indent: int | None) -> None:
    edited = json.dumps(json.loads(sealed(PORTFOLIO)), indent=indent).replace("\n", "\r\n").encode()

    assert unsealed(edited).content == PORTFOLIO


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1000.0", b"1000.1"),
        (b"1000.0", b"1000"),
        (b"0.01", b"0.010000000000000002"),
        (b'"cash"', b'"cosh"'),
        (b'"generation": 3', b'"generation": 4'),
        (b'"generation": 3', b'"generation": 3.0'),
        (b'"generation": 3', b'"generation": 3, "more": 1'),
        (b"[1, 2, 3]", b"[1, 3, 2]"),
        (b'"_integrity"', b'"_integritx"'),
    ],
)
def test_an_edit_of_a_value_is_damage(old: bytes, new: bytes) -> None:
    raw = sealed(PORTFOLIO)
    assert raw.count(old) == 1

    with pytest.raises(CorruptData) as damage:
        unsealed(raw.replace(old, new))

    assert "1000" not in str(damage.value)


def test_no_flipped_bit_changes_what_is_read() -> None:
    raw = sealed(PORTFOLIO)
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        try:
            assert unsealed(bytes(flipped)).content == PORTFOLIO
        except CorruptData:
            continue


def test_control_without_the_seal_a_flipped_bit_goes_unnoticed() -> None:
    raw = json.dumps(PORTFOLIO).encode()

    assert json.loads(raw.replace(b"1000.0", b"1001.0"))["cash"] == 1001.0


def test_no_prefix_of_a_sealed_file_is_a_sealed_file() -> None:
    raw = sealed(PORTFOLIO).rstrip()
    for length in range(len(raw)):
        with pytest.raises(CorruptData):
            unsealed(raw[:length])


def test_a_file_that_belongs_to_another_key_is_damage() -> None:
    with pytest.raises(CorruptData, match="under this identifier"):
        unsealed(sealed(PORTFOLIO, key="Q"), key="P")


@pytest.mark.parametrize("raw", [b"{}", b'{"cash": 1}', b'{"_integrity": 1}', b'{"_integrity": {}, "a": 1}'])
def test_a_file_without_a_seal_is_not_taken_for_ours(raw: bytes) -> None:
    with pytest.raises(CorruptData, match="seal"):
        unsealed(raw)


def test_a_document_with_the_reserved_key_is_refused() -> None:
    with pytest.raises(UnserialisableValue, match="reserved"):
        integrity.encode({"_integrity": 1})


def test_resealing_vouches_for_an_edit_by_hand() -> None:
    edited = sealed(PORTFOLIO).replace(b"1000.0", b"2000.0")

    found = unsealed(integrity.reseal(edited, "P", "P.json", 4))

    assert (found.content["cash"], found.number) == (2000.0, 4)


def test_resealing_does_not_make_sense_of_nonsense() -> None:
    with pytest.raises(CorruptData):
        integrity.reseal(b'{"cash": 1,', "P", "P.json", 4)


def test_a_record_counts_only_in_its_place() -> None:
    line = integrity.seal_records([integrity.encode({})], "orders", 2)[:-1]

    assert integrity.unseal_record(line, "orders", "f", 2).content == {}
    with pytest.raises(CorruptData, match="record 2 stands where record 3 belongs"):
        integrity.unseal_record(line, "orders", "f", 3)
    with pytest.raises(CorruptData):
        integrity.unseal_record(line, "decisions", "f", 2)


@given(documents, st.integers(1, 9))
def test_what_is_read_as_it_was_written_is_read_alike_when_its_whitespace_was_edited(
    document: dict[str, Any], generation: int
) -> None:
    raw = sealed(document, generation=generation)
    edited = raw.replace(b"{\n  ", b"{ \n  ", 1)

    assert integrity._as_written("document", raw, "P") == unsealed(raw) == unsealed(edited)
    assert integrity._as_written("document", edited, "P") is None


@pytest.mark.parametrize("number", ["0", "01", "3.0", "9" * 5000, "-3", "\u0663"])
def test_control_a_number_that_is_not_written_like_that_is_no_short_cut(number: str) -> None:
    raw = sealed(PORTFOLIO).replace(b'"generation": 3', f'"generation": {number}'.encode())

    assert integrity._as_written("document", raw, "P") is None
    with pytest.raises(CorruptData):
        unsealed(raw)
