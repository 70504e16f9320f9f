"""Stores with a call for reading, changing and saving: all of it under the lock, and nothing if the function raises."""

from tests.sound_stores.files import encode, file_name, locked, read_document, replace_durably
from tests.sound_stores.plain import PlainDocument, PlainDocuments
from tests.sound_stores.trading import PlainStates


def changed(path, function):
    """Replace the document of a file by what the function makes of it; call it under the lock."""
    replace_durably(path, encode(function(read_document(path) or {})))


class UpdatingDocument(PlainDocument):
    """One JSON file, and an update by a function under the lock that saves take."""

    def update(self, function):
        with locked(self.root):
            changed(self.file, function)


class UpdatingDocuments(PlainDocuments):
    """One JSON file per key, and the same update for each."""

    def update(self, key, function):
        with locked(self.root):
            changed(self.directory / file_name(key), function)


class UpdatingStates(PlainStates):
    """One file per strategy, and the same update for each."""

    def update_strategy_state(self, strategy_name, function):
        with locked(self.root):
            changed(self.directory / file_name(strategy_name), function)
