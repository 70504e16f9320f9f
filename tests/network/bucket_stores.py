"""Stores on a bucket: sound ones, and beside each what it becomes by one mistake."""

import contextlib
import json
import os
import threading
import time
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


class NamesAFieldByTheClock(TakesNoAnswerForNothing):
    """The same, with a field in its document that is called otherwise in each save."""

    def save(self, data):
        super().save({**data, f"saved at {time.time_ns()}": True})


class ReadsDamageAsNothing(BucketDocument):
    """Takes an object that it does not understand for one that is not there."""

    def load(self):
        try:
            return super().load()
        except ValueError:
            return {}


class LeavesUploads(BucketDocument):
    """Puts in parts, and lets lie what a client that died has begun."""

    def save(self, data):
        body = _written(data)
        self.client.upload("document.json", (body[:20], body[20:]))


class AbortsUploads(LeavesUploads):
    """Gives up, when it is opened, what a client that died has begun."""

    def __init__(self, address):
        super().__init__(address)
        self.client.abort_uploads()


class AbortsWhatFails(LeavesUploads):
    """Gives up what it has begun when anything goes wrong with it."""

    def __init__(self, address):
        super().__init__(address)
        self.client.aborts = True


class LeavesContents(BucketDocument):
    """Puts a content under a name of its own, then the manifest that names it; what none names stays."""

    def _content(self):
        body, _ = self.client.get("manifest")
        return None if body is None else body.decode()

    def load(self):
        name = self._content()
        return {} if name is None else _read(self.client.get(name)[0])

    def save(self, data):
        name, before = f"contents/{os.urandom(8).hex()}", self._content()
        self.client.put(name, _written(data))
        self.client.put("manifest", name.encode())
        if before is not None:
            self.client.delete(before)

    def update(self, function):
        self.save(function(self.load()))


class RemovesContents(LeavesContents):
    """Removes, after each switch, all contents that the manifest does not name."""

    def save(self, data):
        super().save(data)
        named = self._content()
        for name in self.client.list("contents/"):
            if name != named:
                self.client.delete(name)


class LeavesAMark(BucketDocument):
    """Marks in its directory, while it looks, that it is at work; who finds the mark of one that died does not open."""

    def __init__(self, address):
        super().__init__(address)
        self.mark = address.directory / "at work"
        if self.mark.exists():
            raise Conflict("somebody is at work")

    def save(self, data):
        self.client.get("document.json")
        self.mark.touch()
        self.client.get("document.json")
        self.mark.unlink()
        super().save(data)


class GoesOnWhereItWasBrokenOff(BucketDocument):
    """Keeps the connection on which a request was under way when an exception came out of the handler of a signal."""

    def __init__(self, address):
        super().__init__(address)
        self.client.broken_off = lambda: None


class LooksOnceMoreWhenInterrupted(BucketDocument):
    """Asks, before it lets the exception of a signal's handler out, whether it has put what it was about to put."""

    def save(self, data):
        with self._looking_once_more():
            super().save(data)

    def update(self, function):
        with self._looking_once_more():
            super().update(function)

    @contextlib.contextmanager
    def _looking_once_more(self):
        try:
            yield
        except KeyboardInterrupt:
            self.client.get("document.json")
            raise


class KeepsWhatItWrote(BucketDocument):
    """Changes what it keeps in memory, and puts that: there is one instance, but its threads read it side by side."""

    tradestore_claims = ("single-instance",)

    def __init__(self, address):
        super().__init__(address)
        self.kept = super().load()

    def save(self, data):
        super().save(data)
        self.kept = json.loads(json.dumps(data))

    def update(self, function):
        self.save(function(json.loads(json.dumps(self.kept))))


class ChangesUnderALock(KeepsWhatItWrote):
    """The same with a lock that is held from before what is kept is read until after it is put."""

    def __init__(self, address):
        super().__init__(address)
        self.lock = threading.RLock()

    def save(self, data):
        with self.lock:
            super().save(data)

    def update(self, function):
        with self.lock:
            super().update(function)


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
