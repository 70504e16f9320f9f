"""Stores on a bucket: sound ones, and beside each what it becomes by one mistake."""

import json
import os
from urllib.parse import quote

from pytest_tradestore import Bucket
from tests.network.clients import Client, NoAnswer, Refused

_TRIES = 20


class Conflict(Exception):
    """Others were quicker each time."""


class BucketDocument:
    """One object, replaced whole: each put is all there is to an update.

    Each version carries a nonce: who is told that somebody else was first may have been that somebody itself.
    """

    tradestore_backend = Bucket()
    tradestore_errors = (Refused, NoAnswer, Conflict, ValueError)
    tradestore_claims = ("processes",)

    def __init__(self, address):
        self.client = Client(address)

    def close(self):
        self.client.close()

    def load(self):
        return _read(self.client.get("document.json")[0])

    def save(self, data):
        self.client.put("document.json", _written(data))

    def update(self, function):
        for _ in range(_TRIES):
            body, tag = self.client.get("document.json")
            condition = {"If_Match": tag} if tag else {"If_None_Match": "*"}
            written = _written(function(_read(body)))
            try:
                return self.client.put("document.json", written, **condition)
            except Refused as refused:
                if refused.status not in (404, 409, 412):
                    raise
                if self._is_there(written):
                    return None
        raise Conflict("document.json")

    def _is_there(self, written):
        return self.client.get("document.json")[0] == written


class CountsTwice(BucketDocument):
    """Takes a 412 for somebody else's doing, and makes its change once more; a proxy had repeated its own request."""

    def _is_there(self, written):
        return False


class PutsBlindly(BucketDocument):
    """Gets, changes and puts without If-Match: what somebody else put meanwhile is overwritten."""

    def update(self, function):
        body, _ = self.client.get("document.json")
        self.client.put("document.json", _written(function(_read(body))))


class TakesNoAnswerForNothing(BucketDocument):
    """Reads as empty whatever it could not read."""

    def load(self):
        try:
            return super().load()
        except (Refused, NoAnswer):
            return {}


class BucketJournal:
    """An object for each record, numbered; whoever finds a number taken by another record takes the next one.

    Each record carries a nonce: after an answer that was lost it is known whether the object there is one's own.
    """

    tradestore_backend = Bucket()
    tradestore_errors = (Refused, NoAnswer, Conflict, ValueError)
    tradestore_claims = ("processes",)

    def __init__(self, address):
        self.client = Client(address)

    def close(self):
        self.client.close()

    def _names(self, stream):
        if not isinstance(stream, str) or not stream:
            raise ValueError(f"a stream is called by a text, not by {stream!r}")
        return sorted(self.client.list(f"{quote(stream, safe='')}/"))

    def read(self, stream):
        return [json.loads(self.client.get(name)[0])["record"] for name in self._names(stream)]

    def append(self, stream, record):
        number, nonce = len(self._names(stream)), os.urandom(8).hex()
        body = json.dumps({"record": record, "nonce": nonce}, allow_nan=False).encode()
        json_must_be_whole(record)
        for _ in range(_TRIES):
            name = f"{quote(stream, safe='')}/{number:08d}"
            try:
                return self._put(name, body)
            except Refused as refused:
                if refused.status == 412:
                    number += 1
                elif refused.status != 409:
                    raise
        raise Conflict(stream)

    def _put(self, name, body):
        for _ in range(3):
            try:
                return self.client.put(name, body, If_None_Match="*")
            except NoAnswer:
                continue
            except Refused as refused:
                if refused.status == 412 and self.client.get(name)[0] == body:
                    return None  # it was done before, and the answer was lost
                if refused.status not in (500, 503):
                    raise
        raise NoAnswer(name)


class ListsThenPuts(BucketJournal):
    """Takes the number after the last one that is listed, and puts without a condition."""

    def _put(self, name, body):
        self.client.put(name, body)


class HasNoNonce(BucketJournal):
    """After an answer that was lost it finds its own record in the place, takes it for another's, and goes on."""

    def _put(self, name, body):
        for _ in range(3):
            try:
                return self.client.put(name, body, If_None_Match="*")
            except NoAnswer:
                continue
        raise NoAnswer(name)


class TakesConflictForExists(BucketJournal):
    """Takes a 409 for "the record is there already", which it was not: nothing was done."""

    def _put(self, name, body):
        try:
            super()._put(name, body)
        except Refused as refused:
            if refused.status != 409:
                raise


def json_must_be_whole(value):
    """Refuse what would come back as something else."""
    if json.loads(json.dumps(value, allow_nan=False)) != value:
        raise ValueError("it would come back as something else")


def _written(data):
    json_must_be_whole(data)
    return json.dumps({"data": data, "nonce": os.urandom(8).hex()}, allow_nan=False).encode()


def _read(body):
    return {} if body is None else json.loads(body)["data"]
