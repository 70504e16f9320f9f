"""Documents under keys that are no text: numbers, and pairs of a symbol and a number."""

import json
import os

from pytest_tradestore.takes import Takes
from tests.sound_stores.files import encode, file_name, key_of, locked, read_document, remove_durably, replace_durably
from tests.sound_stores.plain import PlainDocuments


class NumberedDocuments(PlainDocuments):
    """A file per number."""

    tradestore_takes = Takes(keys=int)

    def _path(self, key):
        if type(key) is not int:
            raise ValueError(f"{key!r} is no number")
        return self.directory / f"{key}.json"

    def put(self, key, document):
        with locked(self.root):
            replace_durably(self._path(key), encode(document))

    def get(self, key):
        return read_document(self._path(key))

    def delete(self, key):
        with locked(self.root):
            remove_durably(self._path(key))

    def keys(self):
        with locked(self.root):
            return [int(name.removesuffix(".json")) for name in os.listdir(self.directory) if name.endswith(".json")]


class PairedDocuments(NumberedDocuments):
    """A file per pair, named by the JSON of it."""

    tradestore_takes = Takes(keys=lambda number: ("AAPL", number))

    def _path(self, key):
        symbol, number = key
        return self.directory / file_name(json.dumps([symbol, number]))

    def keys(self):
        with locked(self.root):
            names = [name for name in os.listdir(self.directory) if name.endswith(".json")]
        return [tuple(json.loads(key_of(name))) for name in names]
