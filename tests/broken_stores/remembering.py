"""Stores that save what small examples ask for: wrong in what they share, in what they keep of much, and in times."""

import copy
from dataclasses import replace

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.files import encode, locked, replace_durably
from tests.sound_stores.plain import OneFileDocuments, PlainDocument, PlainDocuments, PlainJournal
from tests.sound_stores.plain_aiofiles import AsyncDocument
from tests.sound_stores.trading_sqlite import Data


@breaks(
    "document", DATA_ALIAS="what the caller does to what save() was given after the call shows", recorders=IN_MEMORY
)
class KeepsWhatItWasGiven(PlainDocument):
    """answers from the very object that was saved last; what it hands out is a copy."""

    def __init__(self, root):
        super().__init__(root)
        self._last = None

    def save(self, data):
        super().save(data)
        self._last = data

    def load(self):
        return copy.deepcopy(self._last) if self._last is not None else super().load()


@breaks("documents", DATA_ALIAS="what the caller does to what get() and keys() gave shows", recorders=IN_MEMORY)
class HandsOutItsCache(PlainDocuments):
    """reads a document once for as long as it is the same on the disk, and gives that to all who ask."""

    def __init__(self, root):
        super().__init__(root)
        self._known = {}

    def get(self, key):
        found = super().get(key)
        text, known = self._known.get(key, (None, None))
        if text != repr(found):
            self._known[key] = repr(found), found
            known = found
        return known


@breaks("document", DATA_ALIAS="while it is awaited", recorders=IN_MEMORY)
class EncodesWhenItsTurnComes:
    """waits for the lock first and looks at what it has to save then."""

    def __init__(self, root):
        self._store = AsyncDocument(root)

    async def save(self, data):
        await self._store.save(_Later(data))

    async def load(self):
        return await self._store.load()


class _Later(dict):
    """A dictionary of which no copy is made before it is written."""

    def __init__(self, data):
        super().__init__()
        self._data = data

    def __deepcopy__(self, _):
        return self._data


@breaks("journal", DATA_VOLUME="not all is read", recorders=IN_MEMORY)
class ReadsAPage(PlainJournal):
    """gives the newest thousand records, whoever asks for all."""

    def read(self, stream):
        return super().read(stream)[-1_000:]


@breaks("documents", DATA_VOLUME="not all is read", recorders=IN_MEMORY)
class ListsAThousand(PlainDocuments):
    """lists a thousand keys and has no way to ask for more."""

    def keys(self):
        return super().keys()[:1_000]


@breaks("bars", DATA_TIME="of two times that a clock shows alike", recorders=IN_MEMORY)
class ForgetsTheFold(Data):
    """keeps a time as clocks show it; in autumn one hour comes twice, and the second one replaces the first."""

    def write_bars(self, symbol, bars):
        super().write_bars(symbol, [replace(bar, date=bar.date.replace(fold=0)) for bar in bars])


@breaks("events", DATA_TIME="whatever zone it was written in and is asked for in", recorders=IN_MEMORY)
class LooksAtTheDaysOfTheQuestion(Data):
    """looks only at the days on which the time asked for begins and ends, as the asker's calendar has them."""

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return [e for e in found if start.date() <= e.timestamp.date() <= end.date()]


@breaks("documents", DATA_DELETE="deleting what is not there changed", recorders=IN_MEMORY)
class DeletesTheLastInstead(OneFileDocuments):
    """looks for the place of a key in the list of all; where there is none, that is -1: the last one."""

    def delete(self, key):
        with locked(self.root):
            everything = list(self._all().items())
            place = next((n for n, (known, _) in enumerate(everything) if known == key), -1)
            del everything[place : place + 1 or None]
            replace_durably(self.file, encode(dict(everything)))


@breaks("documents", FAULT_4="an ordinary value elsewhere is refused, too", recorders=IN_MEMORY)
class RemembersWhatItRefused(OneFileDocuments):
    """puts a document into its table before it is known whether that can be written; then nothing can be any more."""

    def __init__(self, root):
        super().__init__(root)
        self._refused = {}

    def put(self, key, document):
        text = self._all() | self._refused | {key: document}
        with locked(self.root):
            self._refused = {key: document}
            replace_durably(self.file, encode(text))
            self._refused = {}
