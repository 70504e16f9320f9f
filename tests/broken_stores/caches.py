"""Caches that give what is wrong, old or over: one for each sentence of their contract."""

import json
from functools import partial
from time import time

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.caches import PlainCache
from tests.sound_stores.files import file_name

breaks_cache = partial(breaks, "cache", recorders=IN_MEMORY)


@breaks_cache(DATA_CACHE_VALUE="what is read is not what was put")
class RoundedCache(PlainCache):
    """keeps six digits."""

    def _encoded(self, entry):
        return json.dumps(json.loads(super()._encoded(entry), parse_float=lambda text: round(float(text), 6)))


@breaks_cache(
    DATA_CACHE_EXPIRED="a value is read after its time is over",
    DATA_CACHE_REPLACED="a value that was replaced is read",
    DATA_MODEL="what is read is neither the value put last nor nothing",
)
class RemembersWhatItRead(PlainCache):
    """keeps in memory what was read, and does not forget it when it is replaced."""

    def __init__(self, root):
        super().__init__(root)
        self._known = {}

    def get(self, key):
        if self._known.get(key) is None:
            self._known[key] = super().get(key)
        return self._known[key]

    def delete(self, key):
        self._known.pop(key, None)
        super().delete(key)


@breaks_cache(
    DATA_CACHE_DELETED="a deleted value is read",
    DATA_MODEL="what is read is neither the value put last nor nothing",
)
class DeletesNothing(PlainCache):
    """waits until an entry is over, and does nothing when it is deleted."""

    def delete(self, key):
        pass


@breaks_cache(DATA_CACHE_EXPIRED="a value is read after its time is over")
class NeverOver(PlainCache):
    """keeps the time at which an entry is over, and does not look at it."""

    def _is_over(self, entry):
        return False


@breaks_cache(DATA_CACHE_EXPIRED="after reopening, a value is read after its time is over")
class NewTimeAtOpening(PlainCache):
    """counts the time of entries from its opening."""

    def __init__(self, root):
        super().__init__(root)
        self._opened = time()

    def _is_over(self, entry):
        began = entry["until"] and entry["put"] < self._opened
        return not began and super()._is_over(entry)


@breaks_cache(
    DATA_CACHE_KEYS="is read what was put under another key",
    NAME_3="share data",
)
class KeysInCapitals(PlainCache):
    """symbols are written in capitals, it is said."""

    def put(self, key, value, ttl=None):
        super().put(key.upper(), value, ttl)

    def get(self, key):
        return super().get(key.upper())

    def delete(self, key):
        super().delete(key.upper())


@breaks_cache(DATA_CACHE_BOUNDED="what was replaced stays on the disk for good")
class KeepsEveryVersion(PlainCache):
    """keeps each version that was put, for the next audit."""

    def put(self, key, value, ttl=None):
        super().put(key, value, ttl)
        path = self.directory / file_name(key)
        kept = len(list(self.directory.iterdir()))
        path.with_suffix(f".{kept}").write_bytes(path.read_bytes())
