"""Calls that read, change and save, and lose something on the way; whatever else these stores do is right."""

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.files import encode, file_name, locked, read_document, replace_durably
from tests.sound_stores.plain import PlainDocument, PlainDocuments
from tests.sound_stores.trading import PlainStates


@breaks("documents", RACE_1="returned, but get('AAPL') then gives", RACE_2="returned, but")
class ReadsBeforeItLocks(PlainDocuments):
    """update() reads before it locks, as anybody does who has only get() and put()."""

    def update(self, key, function):
        self.put(key, function(self.get(key) or {}))


@breaks("documents", DATA_UPDATE="a function that raised has changed the document", recorders=IN_MEMORY)
class SavesHalfAChange(PlainDocuments):
    """update() saves the document whether the function came to its end or not."""

    def update(self, key, function):
        path = self.directory / file_name(key)
        with locked(self.root):
            document = read_document(path) or {}
            try:
                document = function(document)
            finally:
                replace_durably(path, encode(document))


@breaks("document", DATA_UPDATE="an exception of a caller's function does not reach the caller", recorders=IN_MEMORY)
class SwallowsTheException(PlainDocument):
    """update() tells nobody that nothing was changed."""

    def update(self, function):
        with locked(self.root):
            before = read_document(self.file) or {}
            try:
                after = function(before)
            except Exception:
                return
            replace_durably(self.file, encode(after))


@breaks("state", DATA_UPDATE="a function that raised has changed", recorders=IN_MEMORY)
class SavesHalfAState(PlainStates):
    """update_strategy_state() saves the state whether the function came to its end or not."""

    def update_strategy_state(self, strategy_name, function):
        path = self.directory / file_name(strategy_name)
        with locked(self.root):
            state = read_document(path) or {}
            try:
                state = function(state)
            finally:
                replace_durably(path, encode(state))
