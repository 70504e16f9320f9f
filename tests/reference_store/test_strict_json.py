"""Strict JSON: what goes in comes back equal, or is refused with its kind and never its content."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import UnserialisableValue
from reference_store.core import strict_json
from tests.reference_store.values import documents


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(levels - 1):
        document = {"d": document}
    return document


def around_itself() -> dict[str, Any]:
    document: dict[str, Any] = {}
    document["me"] = document
    return document


LOSSY = {
    "not-a-dict": [1],
    "nothing": None,
    "tuple": {"a": (1, 2)},
    "set": {"a": {1}},
    "bytes": {"a": b"x"},
    "object": {"a": object()},
    "nan": {"a": float("nan")},
    "infinity": {"a": [float("-inf")]},
    "integer-key": {1: "a"},
    "key-that-would-collide": {1: "a", "1": "a"},
    "none-as-key": {"a": {None: 1}},
    "boolean-as-key": {True: 1},
    "lone-surrogate": {"a": "\ud800"},
    "lone-surrogate-in-a-key": {"\udcff": 1},
    "five-thousand-digits": {"a": 10**5000},
    "too-deep": nested(strict_json.DEEPEST + 1),
    "far-too-deep": nested(100_000),
    "contains-itself": around_itself(),
}

MALFORMED = {
    "empty": b"",
    "not-json": b"portfolio",
    "cut": b'{"a": 1',
    "two-documents": b'{"a": 1}{"a": 2}',
    "list": b"[]",
    "null": b"null",
    "zeros": bytes(64),
    "not-utf-8": b'{"a": "\xff"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "byte-order-mark": b'\xef\xbb\xbf{"a": 1}',
    "duplicate-key": b'{"a": 1, "a": 1}',
    "inner-duplicate-key": b'{"x": [{"a": 1, "a": 2}]}',
    "nan": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "overflow": b'{"a": 1e999}',
    "long-integer": b'{"a": 1' + b"0" * 5000 + b"}",
    "deep": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lone-surrogate-escape": b'{"a": "\\ud800"}',
}


@given(documents)
def test_a_document_comes_back_equal_with_its_types_and_order(document: dict[str, Any]) -> None:
    encoded = strict_json.encode(document)
    back, canonical = strict_json.decode(encoded.readable('"_integrity": 0').encode())

    assert back.pop("_integrity") == 0
    assert canonical.startswith(encoded.canonical[:-1])
    assert repr(back) == repr(document)


@given(documents)
def test_the_canonical_text_is_what_json_dumps_gives(document: dict[str, Any]) -> None:
    assert strict_json.encode(document).canonical == json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize("document", LOSSY.values(), ids=list(LOSSY))
def test_what_json_would_change_is_refused(document: Any) -> None:
    with pytest.raises(UnserialisableValue):
        strict_json.encode(document)


def test_control_python_would_have_changed_them_in_silence() -> None:
    assert json.loads(json.dumps({1: (1, 2)})) == {"1": [1, 2]}


def test_a_refusal_says_where_without_printing_the_document() -> None:
    with pytest.raises(UnserialisableValue, match="type set at depth 2") as refusal:
        strict_json.encode({"api_key": ["hunter2", {"hunter2"}]})

    assert refusal.value.path == ("api_key", 1)
    assert "hunter2" not in str(refusal.value)
    assert "api_key" not in str(refusal.value)


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=list(MALFORMED))
def test_bytes_that_are_not_strict_json_of_an_object_are_malformed(raw: bytes) -> None:
    with pytest.raises(strict_json.Malformed):
        strict_json.decode(raw)


def test_the_deepest_document_allowed_comes_back() -> None:
    document = nested(strict_json.DEEPEST)

    assert strict_json.decode(strict_json.encode(document).canonical.encode())[0] == document


def test_a_caller_without_stack_left_is_not_told_that_the_data_is_damaged() -> None:
    raw = strict_json.encode(nested(strict_json.DEEPEST)).canonical.encode()

    def down() -> None:
        try:
            down()
        except RecursionError:
            strict_json.decode(raw)

    with suppress(RecursionError):  # but never Malformed
        down()


def test_brackets_in_text_are_not_nesting() -> None:
    document = {"a": "[{" * 500}

    assert strict_json.decode(strict_json.encode(document).canonical.encode())[0] == document


def test_people_find_a_line_for_each_key_and_each_record_of_a_list() -> None:
    document = {"cash": 1.5, "note": "}, {", "positions": [{"s": "A"}, {"s": "B"}]}

    assert strict_json.encode(document).readable('"last": {}') == (
        '{\n  "cash": 1.5,\n  "note": "}, {",\n  "positions": [{"s": "A"},\n    {"s": "B"}],\n  "last": {}\n}\n'
    )


@given(st.lists(documents, max_size=4), st.text(max_size=20))
def test_the_texts_of_a_list_are_found_again_as_they_were_put_together(items: list[dict[str, Any]], said: str) -> None:
    texts = [strict_json.encode_line(item).canonical for item in items]
    last = f'"updated_at": {strict_json.text_of({"t": said})[6:-1]}'
    text = strict_json.listing("jobs", texts, last).readable('"_integrity": {"generation": 1, "sha256": ""}')

    assert strict_json.listed(text, "jobs", "updated_at") == texts
    assert strict_json.listed(text, "runs", "updated_at") is None
    assert strict_json.listed(text.replace("{\n", "{ \n", 1), "jobs", "updated_at") is None
