"""Pydantic models as JSON documents: nested, with times and decimals, nothing lost on the way.

How a model is put into a document and taken out of it, and what a schema makes of it. The models themselves stand in
``bot_models``; reading and writing files is for others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from reference_store.core.records import checked
from reference_store.core.schemas import Migrations, OfNewerVersion, Schema
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord

M = TypeVar("M", bound=BaseModel)
VERSION = "version"


def schema_of(model: type[BaseModel], migrations: Migrations | None = None, rule: Rule | None = None) -> Schema:
    """Return the schema of documents that are what ``model`` says, and what ``rule`` says besides.

    Documents say no version as long as there was only one.
    """
    return Schema(partial(_validate, model, rule), migrations or Migrations("1.0"))


Rule = Callable[[Document], None]
"""Raises InvalidRecord for a document that the model alone would take."""


def document_of(model: type[BaseModel], record: object) -> Document:
    """Return ``record`` as a JSON document; raises InvalidRecord for what is none of this model."""
    try:
        found: Document = checked(model, record).model_dump(mode="json", warnings="error")
    except (PydanticSerializationError, ValueError) as error:
        let_out(error)
        if isinstance(error, InvalidRecord):
            raise
        raise InvalidRecord("the record", f"does not hold what {model.__name__} holds") from error
    return found


def model_of(model: type[M], document: Document) -> M:
    """Return the record that ``document`` holds; raises InvalidRecord, which names the field that is at fault."""
    if VERSION not in model.model_fields and isinstance(document.get(VERSION), str):
        document = {name: value for name, value in document.items() if name != VERSION}
    try:
        return model.model_validate_json(json.dumps(document, ensure_ascii=False).encode())
    except ValidationError as error:
        let_out(error)
        found = error.errors(include_url=False, include_input=False)
        where = ".".join(map(str, found[0]["loc"])) or model.__name__
        # A rule of a model says itself what is wrong; its words come without what the document holds.
        reason = f"is not what it has to be ({found[0]['msg']})"
        if all(each["type"] in _UNKNOWN for each in found):
            raise Unknown(where, reason) from None
        raise InvalidRecord(where, reason) from None
    except (TypeError, ValueError) as error:
        let_out(error)
        raise InvalidRecord("the record", "holds what JSON cannot give back: too long a number, or no text") from error


class _Read(Document):
    """A document and the record that its schema has made of it: nobody needs to make it again."""

    __slots__ = ("record",)
    record: BaseModel | None


def read_as(model: type[M], document: Document) -> M:
    """Return the record that ``document`` holds, which may have come through the schema of this model."""
    made = document.record if isinstance(document, _Read) else None
    if isinstance(document, _Read) and type(made) is model:
        document.record = None  # it is the caller's
        return made
    return model_of(model, document)


class Unknown(InvalidRecord):
    """The record has a member, or a word, that this version does not know, and all that it does know is right."""


_UNKNOWN = {"extra_forbidden", "enum", "literal_error"}
"""What pydantic calls a member that the model does not have, and a word that is none of those which it has."""


def _validate(model: type[BaseModel], rule: Rule | None, document: Document) -> Document:
    try:
        record = model_of(model, document)
    except Unknown as unknown:
        raise OfNewerVersion(f"its {unknown.field} {unknown.reason}") from None
    if rule is not None:
        rule(document)
    read = _Read(document)
    read.record = record
    return read
