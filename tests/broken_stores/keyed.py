"""Documents under keys that are no text, and come back as text, or not at all."""

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.keyed import NumberedDocuments


@breaks("documents", recorders=IN_MEMORY, DATA_KEYS="a listed key is not the one that was given")
class NumbersBecomeText(NumberedDocuments):
    """lists what its files are called."""

    def keys(self):
        return list(map(str, super().keys()))


@breaks("documents", recorders=IN_MEMORY, DATA_VOLUME="is read")
class OneByte(NumberedDocuments):
    """keeps the lowest eight bits of a number."""

    def _path(self, key):
        return super()._path(key & 0xFF)
