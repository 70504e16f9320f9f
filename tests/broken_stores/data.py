"""Stores that are durable, and wrong without any crash: one for each sentence of the data contract."""

import json
from pathlib import Path

from tests.sound_stores import plain
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    locked,
    log_line,
    read_log,
    remove_durably,
    replace_durably,
)


class RoundedFloats(plain.PlainDocument):
    """DATA-ROUNDTRIP: six digits are enough for any price, it is said."""

    def save(self, data):
        super().save(self._rounded(data))

    def _rounded(self, value):
        match value:
            case dict():
                return {key: self._rounded(item) for key, item in value.items()}
            case list():
                return [self._rounded(item) for item in value]
            case float():
                return round(value, 6)
        return value


class FloatNumbers(plain.PlainDocument):
    """DATA-ROUNDTRIP: every number comes back as a float, which cannot hold 2**53 + 1."""

    def load(self):
        return json.loads(self.file.read_text(), parse_int=float) if self.file.exists() else None


class LatinText(plain.PlainDocuments):
    """DATA-ROUNDTRIP: characters that the encoding of the file does not have become question marks."""

    def put(self, key, document):
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        readable = text.encode("latin-1", errors="replace").decode("latin-1")
        replace_durably(self.directory / file_name(key), readable)


class DropsEmptyFields(plain.PlainDocuments):
    """DATA-ROUNDTRIP: leaves out what is empty, to keep the files small."""

    def put(self, key, document):
        super().put(key, {name: value for name, value in document.items() if value not in (None, "", [], {})})


class InventsDefault(plain.PlainDocument):
    """DATA-MISSING: gives a default document for one that was never saved."""

    def load(self):
        return super().load() if self.file.exists() else {"version": 1, "positions": []}


class RaisesKeyError(plain.PlainDocuments):
    """DATA-DELETE, DATA-MISSING: a key that was never stored is an error."""

    def get(self, key):
        if (document := super().get(key)) is None:
            raise KeyError(key)
        return document


class MergesDocuments(plain.PlainDocuments):
    """DATA-OVERWRITE: updates the fields of the old document instead of replacing it."""

    def put(self, key, document):
        super().put(key, (self.get(key) or {}) | document)


class MergesDocument(plain.PlainDocument):
    """DATA-OVERWRITE, DATA-ROUNDTRIP: the same for a single document."""

    def save(self, data):
        super().save((self.load() or {}) | data)


class FirstWins(plain.PlainDocuments):
    """DATA-OVERWRITE: does not write what is already there, and finds that out by the key alone."""

    def put(self, key, document):
        if self.get(key) is None:
            super().put(key, document)


class DeletesByPrefix(plain.PlainDocuments):
    """DATA-DELETE, NAME-3: removes every file whose name begins with the key."""

    def delete(self, key):
        prefix = file_name(key).removesuffix(".json")
        for path in sorted(self.directory.glob("*.json"), reverse=True):
            if path.name.startswith(prefix):
                remove_durably(path)


class DeletesByEmptying(plain.PlainDocuments):
    """DATA-DELETE, DATA-KEYS: an empty document stands for a deleted one, and its key stays in the list."""

    def delete(self, key):
        if self.get(key) is not None:
            self.put(key, {"deleted": True})


class FoldsKeys(plain.PlainDocuments):
    """DATA-KEYS: lists keys in lower case."""

    def keys(self):
        return [key.lower() for key in super().keys()]  # noqa: SIM118 - a store is no dict


class HidesDottedKeys(plain.PlainDocuments):
    """DATA-KEYS, NAME-4: takes the stem of the file name for the key, so that what follows a dot is lost."""

    def keys(self):
        return [key.split(".")[0] for key in super().keys()]  # noqa: SIM118 - a store is no dict


class NewestFirst(plain.PlainJournal):
    """DATA-ORDER: returns the records in the order in which a screen shows them."""

    def read(self, stream):
        return super().read(stream)[::-1]


class DropsDuplicates(plain.PlainJournal):
    """DATA-ORDER: two equal records are two events, not one."""

    def read(self, stream):
        return list({encode(record): record for record in super().read(stream)}.values())


class SharesOneFile:
    """DATA-MISSING, DATA-ORDER: all streams in one log, and a reader that does not tell them apart."""

    def __init__(self, root: Path):
        self.root, self.log = root, root / "all.log"

    def append(self, stream, record):
        with locked(self.root):
            cut_torn_tail(self.log)
            append_synced(self.log, log_line(record))

    def read(self, stream):
        return read_log(self.log)


class KeepsTheLastFew(plain.PlainJournal):
    """DATA-ORDER, REC-3: returns only the newest records."""

    def read(self, stream):
        return super().read(stream)[-3:]


class StartsAfresh(plain.PlainDocument):
    """DATA-REOPEN, DATA-ROUNDTRIP, DUR-1, DUR-2, REC-2, REC-3: opening starts with an empty document, always."""

    def __init__(self, root: Path):
        super().__init__(root)
        replace_durably(self.file, "{}")


class CachesKeys(plain.PlainDocuments):
    """ATOM-3, DATA-KEYS, DUR-1, DUR-2, REC-2, REC-3: remembers the keys of this run only."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._keys = []

    def put(self, key, document):
        super().put(key, document)
        self._keys = [*(k for k in self._keys if k != key), key]

    def delete(self, key):
        super().delete(key)
        self._keys = [k for k in self._keys if k != key]

    def keys(self):
        return list(self._keys)
