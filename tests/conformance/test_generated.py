"""Generated documents: the same for the same seed, of every kind, and simple once they fail."""

import json
from itertools import islice

from pytest_tradestore.kits.generated import documents, generated


def leaves(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def test_documents_depend_on_the_seed_alone():
    assert repr(list(documents(60, 7))) == repr(list(documents(60, 7)))


def test_control_another_seed_gives_other_documents():
    assert repr(list(documents(60, 7))) != repr(list(documents(60, 8)))


def test_the_documents_of_an_ordinary_run_hold_every_kind_of_value():
    drawn = list(documents(60, 0))
    values = [leaf for document in drawn for leaf in leaves(document)]

    assert {type(value) for value in values} == {str, int, float, bool, type(None)}
    assert drawn[0] == {}
    assert any(isinstance(value, list) for document in drawn for value in document.values())
    assert any(type(value) is int and abs(value) > 2**64 for value in values)
    assert any(isinstance(value, str) and not value.isascii() for value in values)
    assert any(isinstance(value, str) and any(ord(c) > 0xFFFF for c in value) for value in values)


def test_every_document_is_json_and_none_holds_a_lone_surrogate():
    for document in documents(500, 3):
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()


def test_a_failing_document_is_made_as_simple_as_it_can_be():
    def wrong(document):
        return document if any(type(v) is float and abs(v) > 0.1 for v in leaves(document)) else None

    found = generated(wrong, 60, 0)

    assert list(found.values()) == [0.5]
    assert list(found) == [""]


def test_a_document_that_fails_for_its_key_keeps_the_key():
    assert generated(lambda d: d if any(not key.isascii() for key in d) else None, 60, 0) in (
        {key: 0} for key in map(chr, range(0x80, 0x110000))
    )


def test_control_documents_to_which_nobody_objects_are_all_tried():
    tried = []

    assert generated(lambda document: tried.append(document), 60, 0) is None
    assert tried == list(documents(150, 0))


def test_the_first_documents_are_small():
    assert all(len(document) <= 2 for document in islice(documents(60, 0), 2))
